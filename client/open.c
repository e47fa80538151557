/* open.c: the life of a connection: kvd_connect to kvd_close, and what kvd_error tells. */
#include "client/connection.h"

#include "protocol/base/memory.h"

#include <sys/random.h>

#define SCRATCH_BYTES_MAX WIRE_BODY_CEILING

static char *copy_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = memory_alloc(bytes);

    if (copy) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

static const char *text_or(const char *text, const char *otherwise) {
    return text ? text : otherwise;
}

struct kvd *connection_create(const char *address, const struct kvd_connect_options *options) {
    struct kvd *db = memory_alloc_zeroed(sizeof *db);

    if (!db) {
        return NULL;
    }
    transport_init(&db->transport);
    buffer_init(&db->scratch, SCRATCH_BYTES_MAX);
    db->error_item = KVD_NO_ITEM;
    db->durability = options->durability;
    db->address = copy_text(text_or(address, ""));
    db->client_name = copy_text(text_or(options->client_name, "libkvd"));
    db->namespace_name = copy_text(text_or(options->namespace_name, ""));
    db->retry_ms = options->retry_ms;
    kvd_set_timeout(db, options->timeout_ms);
    if (!db->address || !db->client_name || !db->namespace_name) {
        kvd_close(db);
        return NULL;
    }
    return db;
}

static enum status take_client_id(struct kvd *db) {
    struct kvd_retry_token *token = &db->last_token;
    ssize_t got = getrandom(token->client, sizeof token->client, 0);

    return got == (ssize_t)sizeof token->client
               ? STATUS_OK
               : connection_fail(db, STATUS_INTERNAL, 0, "the system gives no random bytes");
}

enum status connection_check(struct kvd *db) {
    if (strlen(db->client_name) > WIRE_NAME_BYTES_MAX) {
        return connection_fail(db, STATUS_INVALID, WIRE_NAME_BYTES_MAX,
                               "the client name is longer than %u bytes", WIRE_NAME_BYTES_MAX);
    }
    if (strlen(db->namespace_name) > WIRE_NAMESPACE_BYTES_MAX) {
        return connection_fail(db, STATUS_INVALID, WIRE_NAMESPACE_BYTES_MAX,
                               "the namespace is longer than %u bytes", WIRE_NAMESPACE_BYTES_MAX);
    }
    if (db->retry_ms > KVD_RETRY_MS_MAX) {
        return connection_fail(db, STATUS_INVALID, KVD_RETRY_MS_MAX,
                               "retry_ms is more than %u milliseconds", KVD_RETRY_MS_MAX);
    }
    return db->retry_ms > 0 ? take_client_id(db) : STATUS_OK;
}

enum kvd_status kvd_connect(const char *address, const struct kvd_connect_options *options,
                            struct kvd **db_out) {
    const struct kvd_connect_options none = {0};
    struct kvd *db = connection_create(address, options ? options : &none);
    enum status status;

    *db_out = db;
    if (!db) {
        return KVD_NO_MEMORY;
    }
    status = connection_check(db);
    if (status == STATUS_OK) {
        status = connection_ready(db, connection_deadline(db), false);
    }
    return result_public(status);
}

void kvd_close(struct kvd *db) {
    if (!db) {
        return;
    }
    transport_deinit(&db->transport);
    buffer_deinit(&db->scratch);
    memory_free(db->pipeline.ring);
    memory_free(db->address);
    memory_free(db->client_name);
    memory_free(db->namespace_name);
    memory_free(db);
}

void kvd_set_timeout(struct kvd *db, uint32_t timeout_ms) {
    db->timeout_ms = timeout_ms ? timeout_ms : KVD_TIMEOUT_MS_DEFAULT;
}

const char *kvd_error(const struct kvd *db) {
    return db ? db->error : "out of memory";
}

uint64_t kvd_error_detail(const struct kvd *db) {
    return db ? db->error_detail : 0;
}

uint32_t kvd_error_item(const struct kvd *db) {
    return db ? db->error_item : KVD_NO_ITEM;
}

enum kvd_status kvd_server_info(struct kvd *db, struct kvd_server_info *info_out) {
    enum status status = STATUS_OK;

    if (db->transport.fd < 0) { /* asked while a pipeline is open, the old answer still holds */
        status = connection_begin(db);
        if (status == STATUS_OK) {
            status = connection_ready(db, connection_deadline(db), false);
        }
    }
    if (status == STATUS_OK) {
        *info_out = db->info;
    }
    return result_public(status);
}
