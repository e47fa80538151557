/* commit_request.c: see commit_request.h. */
#include "storage/commit_request.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "storage/format.h"

#define CONDITIONS_BYTES_MAX COMMIT_BYTES_MAX
#define COMPRESS_BYTES_MIN 64u       /* below, a frame cannot save an eighth */
#define WARM_BYTES_MAX (256u * 1024) /* a request keeps no larger buffer for the next one */

enum status commit_condition_take(struct reader *reader, struct commit_condition *condition_out) {
    struct commit_condition taken;
    uint8_t kind;

    if (reader_left(reader) == 0) {
        return STATUS_END;
    }
    if (!reader_take_u8(reader, &kind) || !reader_take_varint32(reader, &taken.operation) ||
        !reader_take_varint(reader, &taken.condition.version) ||
        !reader_take_varint32(reader, &taken.namespace_id) ||
        !reader_take_block(reader, &taken.key)) {
        return STATUS_CORRUPT;
    }
    taken.condition.kind = (enum store_condition_kind)kind;
    *condition_out = taken;
    return STATUS_OK;
}

static enum status condition_append(struct store_commit *commit, uint32_t namespace_id,
                                    struct slice key, const struct store_condition *condition) {
    struct buffer *buffer = &commit->conditions;
    size_t mark = buffer_mark(buffer);
    enum status status;

    if (!condition || condition->kind == STORE_ALWAYS) {
        return STATUS_OK;
    }
    if (condition->kind > STORE_IF_VERSION) {
        return STATUS_INVALID;
    }
    status = buffer_append_u8(buffer, (uint8_t)condition->kind);
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, commit->operations);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, condition->version);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, namespace_id);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, key);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

/* Adds the operation and its condition, both or neither. */
static enum status operation_append(struct store_commit *commit, const struct batch_op *op,
                                    struct slice stored, const struct store_condition *condition) {
    size_t mark = buffer_mark(&commit->conditions);
    enum status status = condition_append(commit, op->namespace_id, op->key, condition);

    if (status != STATUS_OK) {
        return status;
    }
    status = batch_append(&commit->batch, op, stored);
    if (status != STATUS_OK) {
        buffer_rollback(&commit->conditions, mark);
        return status;
    }
    commit->operations++;
    return STATUS_OK;
}

/* Compresses into scratch where that saves enough; *stored then is the compressed value. */
static enum status value_compress(struct store_commit *commit, struct batch_op *op,
                                  struct slice *stored) {
    size_t stored_bytes;
    uint8_t *room;
    enum status status;

    buffer_clear(&commit->scratch);
    status = buffer_extend(&commit->scratch, compression_room(stored->len), &room);
    if (status != STATUS_OK) {
        return status;
    }
    status = compression_compress(commit->policy->compression, *stored, room, &stored_bytes);
    if (status == STATUS_OK) {
        *stored = slice_make(room, stored_bytes);
        op->compressed = true;
    }
    return status == STATUS_TOO_LARGE ? STATUS_OK : status;
}

enum status commit_request_put(struct store_commit *commit, const struct store_put *put,
                               uint64_t now_ms) {
    struct batch_op op = {.namespace_id = put->namespace_id,
                          .key = put->key,
                          .kind = ENTRY_INLINE,
                          .user_flags = put->user_flags,
                          .value = put->value};
    struct slice stored = put->value;
    enum status status;

    if (put->key.len > KEY_BYTES_MAX || put->value.len > VALUE_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (put->ttl_ms > 0 && __builtin_add_overflow(now_ms, put->ttl_ms, &op.expiry_ms)) {
        return STATUS_INVALID;
    }
    if (put->has_checksum || put->value.len >= commit->policy->value_threshold) {
        op.checksum = checksum_of(put->value);
    }
    if (put->has_checksum && op.checksum != put->checksum) {
        return STATUS_CHECKSUM;
    }
    if (put->value.len >= commit->policy->value_threshold) {
        op.kind = ENTRY_REFERENCE;
        op.raw_bytes = (uint32_t)put->value.len;
        status = commit->policy->compression && stored.len >= COMPRESS_BYTES_MIN
                     ? value_compress(commit, &op, &stored)
                     : STATUS_OK;
        if (status != STATUS_OK) {
            return status;
        }
    }
    status = operation_append(commit, &op, stored, &put->condition);
    commit->puts = commit->puts || status == STATUS_OK;
    return status;
}

enum status commit_request_delete(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key, const struct store_condition *condition) {
    struct batch_op op = {.namespace_id = namespace_id, .key = key, .kind = ENTRY_TOMBSTONE};

    if (key.len > KEY_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    return operation_append(commit, &op, slice_make(NULL, 0), condition);
}

enum status commit_request_create(struct store *store, const struct value_policy *policy,
                                  struct store_commit **commit_out) {
    struct store_commit *commit = memory_alloc_zeroed(sizeof *commit);

    if (!commit) {
        return STATUS_NO_MEMORY;
    }
    commit->store = store;
    commit->policy = policy;
    batch_init(&commit->batch);
    buffer_init(&commit->conditions, CONDITIONS_BYTES_MAX);
    buffer_init(&commit->scratch, VALUE_BYTES_MAX);
    *commit_out = commit;
    return STATUS_OK;
}

void commit_request_destroy(struct store_commit *commit) {
    if (commit) {
        batch_deinit(&commit->batch);
        buffer_deinit(&commit->conditions);
        buffer_deinit(&commit->scratch);
        memory_free(commit);
    }
}

static void buffer_cool(struct buffer *buffer) {
    if (buffer->capacity > WARM_BYTES_MAX) {
        buffer_deinit(buffer);
    }
    buffer_clear(buffer);
}

void commit_request_reset(struct store_commit *commit) {
    batch_clear(&commit->batch);
    buffer_cool(&commit->batch.meta);
    buffer_cool(&commit->batch.values);
    buffer_cool(&commit->conditions);
    buffer_cool(&commit->scratch);
    commit->operations = 0;
    commit->puts = false;
    commit->names_namespace = false;
    commit->judged = false;
}
