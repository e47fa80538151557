/* store_transaction_write.c: the part of the door that writes in a transaction: into its write set
 * (write_set.h), until it is submitted.
 *
 * Conditions, additions and the like are worked out at once, against what the transaction sees;
 * what they find of the store is noted as read, so it still holds when the commit is judged. */
#include "storage/checksum.h"
#include "storage/commit_resolve.h"
#include "storage/ikey.h"
#include "storage/store_value.h"
#include "storage/transaction.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- What all share ---------------------------------------------------------------------------
 */

static enum status check(const struct store_read *read, uint32_t namespace_id, struct slice key) {
    if (!read->transaction || read->transaction->read_only || namespace_id == NAMESPACE_SYSTEM) {
        return STATUS_INVALID;
    }
    return key.len > KEY_BYTES_MAX ? STATUS_TOO_LARGE : STATUS_OK;
}

/* write->row is set here. */
static enum status set(const struct store_read *read, uint32_t namespace_id, struct slice key,
                       struct write *write) {
    uint8_t row[ROW_BYTES_MAX];

    write->row = slice_make(row, row_store(row, namespace_id, key));
    return write_set_put(&read->transaction->writes, write);
}

static enum status expiry_of(const struct store_read *read, uint64_t ttl_ms, uint64_t *expiry_out) {
    uint64_t now_ms = store_clock_now_ms(&read->store->clock);

    *expiry_out = 0;
    return ttl_ms > 0 && __builtin_add_overflow(now_ms, ttl_ms, expiry_out) ? STATUS_INVALID
                                                                            : STATUS_OK;
}

static enum status judge(struct store_read *read, uint32_t namespace_id, struct slice key,
                         const struct store_condition *condition, enum store_wait wait,
                         struct error *error) {
    struct view_hit hit;
    enum status status;
    bool is_there;
    bool is_version;

    if (!condition || condition->kind == STORE_ALWAYS) {
        return STATUS_OK;
    }
    if (condition->kind > STORE_IF_VERSION) {
        return STATUS_INVALID;
    }
    status = store_value_find(read, namespace_id, key, wait, &hit, error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    is_there = status == STATUS_OK;
    is_version = is_there && hit.version != VERSION_NONE && hit.version == condition->version;
    if (is_there) {
        view_hit_release(&hit);
    }
    if (condition->kind == STORE_IF_VERSION) {
        return is_version ? STATUS_OK : STATUS_VERSION_MISMATCH;
    }
    if (condition->kind == STORE_IF_ABSENT) {
        return is_there ? STATUS_EXISTS : STATUS_OK;
    }
    return is_there ? STATUS_OK : STATUS_ABSENT;
}

/* ---- Puts and deletes -------------------------------------------------------------------------
 */

enum status store_transaction_put(struct store_read *read, const struct store_put *put,
                                  enum store_wait wait, struct error *error) {
    struct write write = {.kind = WRITE_PUT, .value = put->value, .user_flags = put->user_flags};
    enum status status = check(read, put->namespace_id, put->key);

    if (status == STATUS_OK && put->value.len > VALUE_BYTES_MAX) {
        status = STATUS_TOO_LARGE;
    }
    if (status == STATUS_OK && put->has_checksum && checksum_of(put->value) != put->checksum) {
        status = STATUS_CHECKSUM;
    }
    if (status == STATUS_OK) {
        status = expiry_of(read, put->ttl_ms, &write.expiry_ms);
    }
    if (status == STATUS_OK) {
        status = judge(read, put->namespace_id, put->key, &put->condition, wait, error);
    }
    return status == STATUS_OK ? set(read, put->namespace_id, put->key, &write) : status;
}

enum status store_transaction_delete(struct store_read *read, uint32_t namespace_id,
                                     struct slice key, const struct store_condition *condition,
                                     enum store_wait wait, struct error *error) {
    struct write write = {.kind = WRITE_DELETE};
    enum status status = check(read, namespace_id, key);

    if (status == STATUS_OK) {
        status = judge(read, namespace_id, key, condition, wait, error);
    }
    return status == STATUS_OK ? set(read, namespace_id, key, &write) : status;
}

enum status store_transaction_delete_range(struct store_read *read,
                                           const struct store_range *range) {
    struct key_range wanted = {range->namespace_id, range->from, range->to};
    enum status status = check(read, range->namespace_id, range->from);

    if (status == STATUS_OK && range->to.len > KEY_BYTES_MAX) {
        status = STATUS_TOO_LARGE;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!key_range_is_valid(&wanted)) {
        return wanted.namespace_id != UINT32_MAX && slice_equal(wanted.from, wanted.to)
                   ? STATUS_OK /* an empty range */
                   : STATUS_INVALID;
    }
    return write_set_delete_range(&read->transaction->writes, &wanted);
}

/* ---- Changes of what is there -----------------------------------------------------------------
 */

/* The value that is there goes into the transaction's scratch; expiry and flags into *write, which
 * becomes a put of it; of an absent key its kind is NONE. */
static enum status load_value(struct store_read *read, const struct store_change_of *change,
                              enum store_wait wait, struct write *write, struct error *error) {
    struct buffer *scratch = &read->transaction->scratch;
    struct view_hit hit;
    enum status status =
        store_value_find(read, change->namespace_id, change->key, wait, &hit, error);

    *write = (struct write){.kind = WRITE_NONE};
    buffer_clear(scratch);
    if (status == STATUS_OK) {
        write->kind = WRITE_PUT;
        write->expiry_ms = hit.entry.expiry_ms;
        write->user_flags = hit.entry.user_flags;
        status = store_value_append(read, &hit.entry, store_wait_of(wait), scratch, error);
        view_hit_release(&hit);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* An absent number counts as 0. */
static enum status sum(bool is_there, struct slice text, int64_t amount, int64_t *sum_out) {
    int64_t number = 0;

    if (is_there && !number_parse(text, &number)) {
        return STATUS_INVALID;
    }
    return __builtin_add_overflow(number, amount, sum_out) ? STATUS_OVERFLOW : STATUS_OK;
}

enum status store_transaction_add(struct store_read *read, const struct store_change_of *change,
                                  enum store_wait wait, int64_t *number_out, struct error *error) {
    char text[NUMBER_BYTES_MAX + 1];
    struct write write;
    int64_t number;
    enum status status = check(read, change->namespace_id, change->key);

    if (status == STATUS_OK) {
        status = load_value(read, change, wait, &write, error);
    }
    if (status == STATUS_OK) {
        status = sum(write.kind == WRITE_PUT, buffer_slice(&read->transaction->scratch),
                     change->amount, &number);
    }
    if (status == STATUS_OK) {
        int len = snprintf(text, sizeof text, "%" PRId64, number);
        write.kind = WRITE_PUT;
        write.value = slice_make(text, (size_t)len);
        status = set(read, change->namespace_id, change->key, &write);
    }
    if (status == STATUS_OK && number_out) {
        *number_out = number;
    }
    return status;
}

enum status store_transaction_append(struct store_read *read, const struct store_change_of *change,
                                     enum store_wait wait, uint64_t *length_out,
                                     struct error *error) {
    struct write write;
    enum status status = check(read, change->namespace_id, change->key);

    if (status == STATUS_OK) {
        status = load_value(read, change, wait, &write, error);
    }
    if (status == STATUS_OK &&
        read->transaction->scratch.len + change->bytes.len > read->store->policy.append_bytes_max) {
        return error_set(error, STATUS_TOO_LARGE, 0, NULL, ERROR_NO_OFFSET,
                         "the value would be longer than a value may be");
    }
    if (status == STATUS_OK) {
        status = buffer_append(&read->transaction->scratch, change->bytes.ptr, change->bytes.len);
    }
    if (status == STATUS_OK) {
        write.kind = WRITE_PUT;
        write.value = buffer_slice(&read->transaction->scratch);
        status = set(read, change->namespace_id, change->key, &write);
    }
    if (status == STATUS_OK && length_out) {
        *length_out = write.value.len;
    }
    return status;
}

/* A small value is copied, like an own one; of one in the log only the expiry stands here. */
enum status store_transaction_expire(struct store_read *read, const struct store_change_of *change,
                                     enum store_wait wait, struct error *error) {
    struct write write = {.kind = WRITE_EXPIRE};
    struct view_hit hit;
    enum status status = check(read, change->namespace_id, change->key);

    if (status == STATUS_OK) {
        status = expiry_of(read, change->ttl_ms, &write.expiry_ms);
    }
    if (status == STATUS_OK) {
        status = store_value_find(read, change->namespace_id, change->key, wait, &hit, error);
    }
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_ABSENT : status;
    }
    if (hit.entry.kind == ENTRY_INLINE) {
        write.kind = WRITE_PUT;
        write.value = hit.entry.value;
        write.user_flags = hit.entry.user_flags;
    }
    status = set(read, change->namespace_id, change->key, &write);
    view_hit_release(&hit);
    return status;
}
