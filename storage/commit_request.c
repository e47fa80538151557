/* commit_request.c: see commit_request.h. */
#include "storage/commit_request.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "storage/format.h"

#define CONDITIONS_BYTES_MAX COMMIT_BYTES_MAX
#define COMPRESS_BYTES_MIN 64u       /* below, a frame cannot save an eighth */
#define WARM_BYTES_MAX (256u * 1024) /* a request keeps no larger buffer for the next one */
#define BUFFER_COUNT 9

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

/* Encoded so that reader_take_varint32 and the like get it back; rolled back by the caller. */
static enum status condition_encode(struct buffer *buffer, uint32_t operation,
                                    uint32_t namespace_id, struct slice key,
                                    const struct store_condition *condition) {
    enum status status = buffer_append_u8(buffer, (uint8_t)condition->kind);

    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, operation);
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
    return status;
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
    status = condition_encode(buffer, commit->operations, namespace_id, key, condition);
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
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

enum status commit_request_store(struct store_commit *commit, const struct batch_op *op,
                                 struct slice value) {
    struct batch_op placed = *op;
    struct slice stored = value;
    enum status status = STATUS_OK;

    placed.kind = ENTRY_INLINE;
    placed.value = value;
    if (value.len >= commit->policy->value_threshold) {
        placed.kind = ENTRY_REFERENCE;
        placed.raw_bytes = (uint32_t)value.len;
        if (commit->policy->compression && value.len >= COMPRESS_BYTES_MIN) {
            status = value_compress(commit, &placed, &stored);
        }
    }
    return status == STATUS_OK ? batch_append(&commit->batch, &placed, stored) : status;
}

static enum status put_check(struct store_commit *commit, const struct store_put *put,
                             struct batch_op *op) {
    bool separated = put->value.len >= commit->policy->value_threshold;

    if (put->key.len > KEY_BYTES_MAX || put->value.len > VALUE_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (put->has_checksum || separated) {
        op->checksum = checksum_of(put->value);
    }
    return put->has_checksum && op->checksum != put->checksum ? STATUS_CHECKSUM : STATUS_OK;
}

/* Adds a checked put with its condition, both or neither. `op` has its value, if it is a large one.
 */
static enum status put_add(struct store_commit *commit, const struct store_put *put,
                           struct batch_op *op, uint64_t now_ms) {
    size_t mark = buffer_mark(&commit->conditions);
    enum status status;

    if (put->ttl_ms > 0 && __builtin_add_overflow(now_ms, put->ttl_ms, &op->expiry_ms)) {
        return STATUS_INVALID;
    }
    status = condition_append(commit, put->namespace_id, put->key, &put->condition);
    if (status != STATUS_OK) {
        return status;
    }
    status = op->kind == ENTRY_LARGE ? batch_append(&commit->batch, op, slice_make(NULL, 0))
                                     : commit_request_store(commit, op, put->value);
    if (status != STATUS_OK) {
        buffer_rollback(&commit->conditions, mark);
        return status;
    }
    commit->operations++;
    commit->puts = true;
    return STATUS_OK;
}

enum status commit_request_put(struct store_commit *commit, const struct store_put *put,
                               uint64_t now_ms) {
    struct batch_op op = {.namespace_id = put->namespace_id,
                          .key = put->key,
                          .kind = ENTRY_INLINE,
                          .user_flags = put->user_flags};
    enum status status = put_check(commit, put, &op);

    return status == STATUS_OK ? put_add(commit, put, &op, now_ms) : status;
}

enum status commit_request_put_large(struct store_commit *commit, const struct store_put *put,
                                     const struct entry *large, uint64_t now_ms) {
    struct batch_op op = {.namespace_id = put->namespace_id,
                          .key = put->key,
                          .kind = ENTRY_LARGE,
                          .user_flags = put->user_flags,
                          .large_bytes = large->large_bytes,
                          .large_checksum = large->large_checksum,
                          .extent_count = large->extent_count,
                          .extents = large->extents};

    if (put->key.len > KEY_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (put->has_checksum && put->checksum != large->large_checksum) {
        return STATUS_CHECKSUM;
    }
    return put_add(commit, put, &op, now_ms);
}

enum status commit_request_delete(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key, const struct store_condition *condition) {
    struct batch_op op = {.namespace_id = namespace_id, .key = key, .kind = ENTRY_TOMBSTONE};
    size_t mark = buffer_mark(&commit->conditions);
    enum status status;

    if (key.len > KEY_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    status = condition_append(commit, namespace_id, key, condition);
    if (status != STATUS_OK) {
        return status;
    }
    status = batch_append(&commit->batch, &op, slice_make(NULL, 0));
    if (status != STATUS_OK) {
        buffer_rollback(&commit->conditions, mark);
        return status;
    }
    commit->operations++;
    return STATUS_OK;
}

/* ---- Deferred operations ----------------------------------------------------------------------
 */

enum status commit_deferred_take(struct reader *reader, struct commit_deferred *deferred_out) {
    struct commit_deferred taken;
    uint64_t amount;
    uint8_t kind;

    if (reader_left(reader) == 0) {
        return STATUS_END;
    }
    if (!reader_take_u8(reader, &kind) || !reader_take_varint32(reader, &taken.operation) ||
        !reader_take_varint32(reader, &taken.meta_bytes) ||
        !reader_take_varint32(reader, &taken.namespace_id) ||
        !reader_take_block(reader, &taken.key) || !reader_take_u64(reader, &amount) ||
        !reader_take_block(reader, &taken.bytes) || !reader_take_varint(reader, &taken.expiry_ms)) {
        return STATUS_CORRUPT;
    }
    taken.kind = (enum commit_deferred_kind)kind;
    taken.amount = (int64_t)amount;
    *deferred_out = taken;
    return STATUS_OK;
}

static enum status deferred_encode(struct buffer *buffer, const struct commit_deferred *deferred) {
    enum status status = buffer_append_u8(buffer, (uint8_t)deferred->kind);

    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, deferred->operation);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, deferred->meta_bytes);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, deferred->namespace_id);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, deferred->key);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, (uint64_t)deferred->amount);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, deferred->bytes);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, deferred->expiry_ms);
    }
    return status;
}

/* Adds it and its condition, both or neither. */
static enum status defer(struct store_commit *commit, struct commit_deferred *deferred,
                         const struct store_condition *condition) {
    size_t conditions_mark = buffer_mark(&commit->conditions);
    size_t mark = buffer_mark(&commit->deferred);
    enum status status;

    if (deferred->key.len > KEY_BYTES_MAX || deferred->bytes.len > VALUE_BYTES_MAX ||
        commit->operations >= COMMIT_OPS_MAX) {
        return STATUS_TOO_LARGE;
    }
    status = condition_append(commit, deferred->namespace_id, deferred->key, condition);
    if (status != STATUS_OK) {
        return status;
    }
    deferred->operation = commit->operations;
    deferred->meta_bytes = (uint32_t)commit->batch.meta.len;
    status = deferred_encode(&commit->deferred, deferred);
    if (status != STATUS_OK) {
        buffer_rollback(&commit->deferred, mark);
        buffer_rollback(&commit->conditions, conditions_mark);
        return status;
    }
    commit->operations++;
    commit->puts = true;
    commit->makes_aliases = commit->makes_aliases || deferred->kind == DEFERRED_EXPIRE;
    return STATUS_OK;
}

enum status commit_request_add(struct store_commit *commit, uint32_t namespace_id, struct slice key,
                               int64_t amount, const struct store_condition *condition) {
    struct commit_deferred deferred = {
        .kind = DEFERRED_ADD, .namespace_id = namespace_id, .key = key, .amount = amount};

    return defer(commit, &deferred, condition);
}

enum status commit_request_append(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key, struct slice bytes,
                                  const struct store_condition *condition) {
    struct commit_deferred deferred = {
        .kind = DEFERRED_APPEND, .namespace_id = namespace_id, .key = key, .bytes = bytes};

    return defer(commit, &deferred, condition);
}

enum status commit_request_expire(struct store_commit *commit, uint32_t namespace_id,
                                  struct slice key, uint64_t expiry_ms,
                                  const struct store_condition *condition) {
    struct commit_deferred deferred = {
        .kind = DEFERRED_EXPIRE, .namespace_id = namespace_id, .key = key, .expiry_ms = expiry_ms};

    return defer(commit, &deferred, condition);
}

/* ---- Life -------------------------------------------------------------------------------------
 */

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
    buffer_init(&commit->deferred, COMMIT_BYTES_MAX);
    buffer_init(&commit->catalogue, COMMIT_BYTES_MAX);
    buffer_init(&commit->basis, COMMIT_BYTES_MAX);
    buffer_init(&commit->scratch, VALUE_BYTES_MAX);
    buffer_init(&commit->results, COMMIT_BYTES_MAX);
    buffer_init(&commit->work, VALUE_BYTES_MAX);
    buffer_init(&commit->items, SIZE_MAX);
    buffer_init(&commit->dropped, COMMIT_BYTES_MAX);
    *commit_out = commit;
    return STATUS_OK;
}

/* All buffers but the batch's. */
static void buffers_of(struct store_commit *commit, struct buffer *buffers[BUFFER_COUNT]) {
    buffers[0] = &commit->conditions;
    buffers[1] = &commit->deferred;
    buffers[2] = &commit->catalogue;
    buffers[3] = &commit->scratch;
    buffers[4] = &commit->results;
    buffers[5] = &commit->work;
    buffers[6] = &commit->items;
    buffers[7] = &commit->dropped;
    buffers[8] = &commit->basis;
}

void commit_request_let_go(struct store_commit *commit) {
    if (commit->held_in) {
        enum status status = snapshots_close(commit->held_in, commit->held_id);
        (void)status; /* it has no deadline, and nobody else's business is its id */
        commit->held_in = NULL;
    }
}

void commit_request_destroy(struct store_commit *commit) {
    struct buffer *buffers[BUFFER_COUNT];

    if (!commit) {
        return;
    }
    commit_request_let_go(commit);
    buffers_of(commit, buffers);
    for (size_t i = 0; i < BUFFER_COUNT; i++) {
        buffer_deinit(buffers[i]);
    }
    batch_deinit(&commit->batch);
    memory_free(commit);
}

static void buffer_cool(struct buffer *buffer) {
    if (buffer->capacity > WARM_BYTES_MAX) {
        buffer_deinit(buffer);
    }
    buffer_clear(buffer);
}

void commit_request_reset(struct store_commit *commit) {
    struct buffer *buffers[BUFFER_COUNT];

    commit_request_let_go(commit);
    buffers_of(commit, buffers);
    for (size_t i = 0; i < BUFFER_COUNT; i++) {
        buffer_cool(buffers[i]);
    }
    batch_clear(&commit->batch);
    buffer_cool(&commit->batch.meta);
    buffer_cool(&commit->batch.values);
    commit->operations = 0;
    commit->puts = false;
    commit->stream = 0;
    commit->makes_aliases = false;
    commit->transaction = NULL;
    commit->has_token = false;
    commit->refused = STATUS_OK;
    commit->names_namespace = false;
    commit->judged = false;
}
