/* transaction.c: transactions, and running one until it commits. */
#include "client/write.h"

#include <time.h>

#define ATTEMPTS_DEFAULT 20u
#define PAUSE_FIRST_US 1000u
#define PAUSE_MAX_US 100000u

enum kvd_status kvd_begin(struct kvd *db, const struct kvd_transaction_options *options,
                          struct kvd_transaction *transaction_out) {
    static const struct kvd_transaction_options none;
    const struct kvd_transaction_options *from = options ? options : &none;
    const struct kvd_read_options read = {.deadline_ms = from->deadline_ms,
                                          .at = {.snapshot = from->snapshot}};
    struct wire_request request = connection_read_request(db, WIRE_TXN_BEGIN, &read);
    struct wire_response response;
    enum status status;

    request.options.flags &= ~(uint32_t)WIRE_FLAG_NAMESPACE; /* each of its requests has its own */
    request.begin_flags = from->read_only ? WIRE_BEGIN_READ_ONLY : 0;
    request.lifetime_ms = from->lifetime_ms;
    status = write_call(db, &request, &response);
    if (status == STATUS_OK) {
        *transaction_out = (struct kvd_transaction){
            .id = response.snapshot.id,
            .version = response.snapshot.version,
            .time_ms = response.snapshot.time_ms,
            .deadline_ms = response.snapshot.deadline_ms,
        };
    }
    return result_public(status);
}

enum kvd_status kvd_commit(struct kvd *db, uint64_t transaction,
                           const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request = connection_write_request(db, WIRE_TXN_COMMIT, options);
    struct wire_response response;
    enum status status;

    request.options.flags &= ~(uint32_t)WIRE_FLAG_NAMESPACE;
    request.handle = transaction;
    status = write_call(db, &request, &response);
    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

enum kvd_status kvd_rollback(struct kvd *db, uint64_t transaction) {
    struct wire_request request = {.opcode = WIRE_TXN_ABORT, .handle = transaction};
    struct wire_response response;

    return result_public(write_call(db, &request, &response));
}

static struct kvd_bytes public_bytes(struct slice bytes) {
    return kvd_bytes(bytes.ptr, bytes.len);
}

enum kvd_status kvd_conflict(const struct kvd *db, struct kvd_conflict *conflict_out) {
    const struct wire_conflict *conflict = &db->conflict;

    if (!db->has_conflict) {
        return KVD_NOT_FOUND;
    }
    *conflict_out = (struct kvd_conflict){
        .namespace_name = public_bytes(conflict->namespace_name),
        .is_range = (conflict->flags & WIRE_CONFLICT_RANGE) != 0,
        .expired = (conflict->flags & WIRE_CONFLICT_EXPIRED) != 0,
        .from = public_bytes(conflict->from),
        .to = public_bytes(conflict->to),
        .version = db->error_detail,
    };
    return KVD_OK;
}

/* --- until it commits --- */

/* Half of it is chance, so that those who lost do not meet again. */
static void pause_before(uint32_t attempt, uint64_t seed) {
    uint64_t most = PAUSE_FIRST_US;
    uint64_t pause_us;
    struct timespec pause;

    for (uint32_t i = 1; i < attempt && most < PAUSE_MAX_US; i++) {
        most *= 2;
    }
    most = most < PAUSE_MAX_US ? most : PAUSE_MAX_US;
    seed = (seed ^ attempt) * UINT64_C(0x9E3779B97F4A7C15);
    pause_us = most / 2 + (seed >> 40) % (most / 2 + 1);
    pause = (struct timespec){.tv_sec = 0, .tv_nsec = (long)pause_us * 1000};
    (void)nanosleep(&pause, NULL); /* a signal makes it shorter */
}

static bool lost_to_another(enum kvd_status status) {
    return status == KVD_CONFLICT || status == KVD_TXN_TOO_OLD;
}

static enum kvd_status attempt(struct kvd *db, uint64_t transaction, kvd_transact_cb transact_cb,
                               void *arg, enum kvd_durability durability, uint64_t *version_out) {
    const struct kvd_write_options write = {.durability = durability};
    enum kvd_status status = transact_cb(db, transaction, arg);
    char error[CONNECTION_ERROR_BYTES];
    uint64_t detail = db->error_detail;

    if (status == KVD_OK) {
        return kvd_commit(db, transaction, &write, version_out);
    }
    memcpy(error, db->error, sizeof error); /* what the callback's caller wants to read */
    (void)kvd_rollback(db, transaction);
    memcpy(db->error, error, sizeof error);
    db->error_detail = detail;
    return status;
}

enum kvd_status kvd_transact(struct kvd *db, kvd_transact_cb transact_cb, void *arg,
                             const struct kvd_transact_options *options, uint64_t *version_out) {
    static const struct kvd_transact_options none;
    const struct kvd_transact_options *from = options ? options : &none;
    uint32_t attempts_max = from->attempts_max ? from->attempts_max : ATTEMPTS_DEFAULT;
    struct kvd_transaction transaction;
    enum kvd_status status = KVD_OK;

    for (uint32_t i = 0; i < attempts_max; i++) {
        if (i > 0) {
            pause_before(i, transaction.id);
        }
        status = kvd_begin(db, &from->begin, &transaction);
        if (status == KVD_OK) {
            status = attempt(db, transaction.id, transact_cb, arg, from->durability, version_out);
        }
        if (!lost_to_another(status)) {
            break;
        }
    }
    return status;
}
