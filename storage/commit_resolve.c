/* commit_resolve.c: see commit_resolve.h. */
#include "storage/commit_resolve.h"

#include "protocol/base/assert.h"
#include "storage/checksum.h"
#include "storage/range_row.h"
#include "storage/value_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define LANE_BYTES_MAX (64u * 1024) /* longer values are worked out on an I/O thread */

/* One operation of the batch, or a deferred one. */
struct item {
    struct slice key; /* borrowed; only until something is appended to the batch */
    uint32_t namespace_id;
    uint32_t sequence; /* order among all */
    uint32_t start;    /* where it is encoded, in the batch's meta or in commit->deferred */
    uint32_t result;   /* number of its result; RESULT_NONE */
    bool deferred;
    bool first; /* of its key */
};

#define RESULT_NONE UINT32_MAX

enum state_kind {
    STATE_UNKNOWN, /* not looked up yet */
    STATE_ABSENT,
    STATE_VALUE, /* in commit->work */
    STATE_RECORD /* in the log; extents of a large value in commit->work */
};

/* What the operations so far leave of a key. */
struct state {
    enum state_kind kind;
    uint64_t expiry_ms;
    uint32_t user_flags;
    struct batch_op record; /* RECORD: an alias, or a large value of this batch */
};

struct resolve {
    struct store_commit *commit;
    const struct commit_sight *sight;
    struct item *items;
    uint32_t item_count;
    uint32_t result_count;
    uint32_t ranges; /* operations in the system namespace: range deletes */
    struct state state;
};

/* ---- Numbers ----------------------------------------------------------------------------------
 */

bool number_parse(struct slice text, int64_t *number_out) {
    bool negative = text.len > 0 && text.ptr[0] == '-';
    int64_t number = 0;

    if (text.len > NUMBER_BYTES_MAX || text.len == (size_t)negative) {
        return false;
    }
    for (size_t i = negative; i < text.len; i++) {
        int digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, digit, &number)) { /* below 0 there is one more */
            return false;
        }
    }
    if (!negative && __builtin_sub_overflow(0, number, &number)) {
        return false;
    }
    *number_out = number;
    return true;
}

/* ---- Items ------------------------------------------------------------------------------------
 */

static int item_order(const void *left, const void *right) {
    const struct item *a = left;
    const struct item *b = right;
    int order;

    if (a->namespace_id != b->namespace_id) {
        return a->namespace_id < b->namespace_id ? -1 : 1;
    }
    order = slice_compare(a->key, b->key);
    return order ? order : (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static enum status item_add(struct resolve *resolve, struct item item) {
    uint8_t *place;
    enum status status = buffer_extend(&resolve->commit->items, sizeof item, &place);

    if (status == STATUS_OK) {
        item.sequence = resolve->item_count++;
        memcpy(place, &item, sizeof item);
    }
    return status;
}

/* Adds the operations of the batch that begin before `end`. */
static enum status items_add_batch(struct resolve *resolve, struct reader *meta, size_t end) {
    const struct batch *batch = &resolve->commit->batch;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && (size_t)(meta->ptr - batch->meta.data) < end) {
        uint32_t start = (uint32_t)(meta->ptr - batch->meta.data);
        struct batch_op op;
        enum status taken = batch_take(meta, batch->values.len, &op);
        ASSERT(taken == STATUS_OK); /* our own encoding */
        resolve->ranges += op.namespace_id == NAMESPACE_SYSTEM;
        status = item_add(resolve, (struct item){.key = op.key,
                                                 .namespace_id = op.namespace_id,
                                                 .start = start,
                                                 .result = RESULT_NONE});
    }
    return status;
}

/* All operations in the order in which they were asked for, then sorted by key. */
static enum status items_collect(struct resolve *resolve) {
    struct store_commit *commit = resolve->commit;
    struct reader meta = reader_make(buffer_slice(&commit->batch.meta));
    struct reader reader = reader_make(buffer_slice(&commit->deferred));
    const uint8_t *start = reader.ptr;
    struct commit_deferred deferred;
    enum status status = STATUS_OK;

    buffer_clear(&commit->items);
    while (status == STATUS_OK && commit_deferred_take(&reader, &deferred) == STATUS_OK) {
        status = items_add_batch(resolve, &meta, deferred.meta_bytes);
        if (status == STATUS_OK) {
            bool counts = deferred.kind != DEFERRED_EXPIRE;
            status = item_add(resolve,
                              (struct item){.key = deferred.key,
                                            .namespace_id = deferred.namespace_id,
                                            .start = (uint32_t)(start - commit->deferred.data),
                                            .result = counts ? resolve->result_count : RESULT_NONE,
                                            .deferred = true});
            resolve->result_count += counts;
        }
        start = reader.ptr;
    }
    if (status == STATUS_OK) {
        status = items_add_batch(resolve, &meta, commit->batch.meta.len);
    }
    if (status != STATUS_OK) {
        return status;
    }
    resolve->items = (struct item *)(void *)commit->items.data;
    if (resolve->item_count > 1) {
        qsort(resolve->items, resolve->item_count, sizeof(struct item), item_order);
    }
    for (uint32_t i = 0; i < resolve->item_count; i++) {
        const struct item *before = i > 0 ? &resolve->items[i - 1] : NULL;
        resolve->items[i].first = !before ||
                                  before->namespace_id != resolve->items[i].namespace_id ||
                                  !slice_equal(before->key, resolve->items[i].key);
    }
    return STATUS_OK;
}

static struct batch_op op_of(const struct resolve *resolve, const struct item *item) {
    const struct batch *batch = &resolve->commit->batch;
    struct reader meta =
        reader_make(slice_make(batch->meta.data + item->start, batch->meta.len - item->start));
    struct batch_op op;
    enum status status = batch_take(&meta, batch->values.len, &op);

    ASSERT(status == STATUS_OK);
    return op;
}

static struct commit_deferred deferred_of(const struct resolve *resolve, const struct item *item) {
    const struct buffer *buffer = &resolve->commit->deferred;
    struct reader reader =
        reader_make(slice_make(buffer->data + item->start, buffer->len - item->start));
    struct commit_deferred deferred;
    enum status status = commit_deferred_take(&reader, &deferred);

    ASSERT(status == STATUS_OK);
    return deferred;
}

/* Whether a range delete of this batch between two of its operations covers their key. */
static bool deleted_between(const struct resolve *resolve, const struct commit_deferred *deferred,
                            uint32_t after, uint32_t before) {
    for (uint32_t i = 0; resolve->ranges > 0 && i < resolve->item_count; i++) {
        const struct item *item = &resolve->items[i];
        struct key_range range;
        struct batch_op op;
        if (item->namespace_id != NAMESPACE_SYSTEM) {
            break; /* they come first */
        }
        if (item->sequence < after || item->sequence > before) {
            continue;
        }
        op = op_of(resolve, item);
        if (range_row_is_key(op.key) && range_row_parse(op.key, op.value, &range) == STATUS_OK &&
            key_range_covers(&range, deferred->namespace_id, deferred->key)) {
            return true;
        }
    }
    return false;
}

/* ---- States -----------------------------------------------------------------------------------
 */

static enum status work_set(struct resolve *resolve, struct slice bytes) {
    buffer_clear(&resolve->commit->work);
    return buffer_append(&resolve->commit->work, bytes.ptr, bytes.len);
}

/* Reads a record's value into work. */
static enum status read_record(struct resolve *resolve, uint32_t extra_bytes) {
    const struct batch_op *record = &resolve->state.record;
    struct value_ref ref = {.segment = record->segment,
                            .offset = record->offset,
                            .raw_bytes = record->raw_bytes,
                            .stored_bytes = record->stored_bytes,
                            .checksum = record->checksum,
                            .compressed = record->compressed};
    struct buffer *work = &resolve->commit->work;
    enum status status;
    uint8_t *raw;

    if (resolve->sight->wait == READ_WAIT_NEVER && ref.raw_bytes + extra_bytes > LANE_BYTES_MAX) {
        return STATUS_WOULD_BLOCK;
    }
    buffer_clear(work);
    status = buffer_reserve(work, (size_t)ref.raw_bytes + extra_bytes);
    if (status == STATUS_OK) {
        status = buffer_extend(work, ref.raw_bytes, &raw);
    }
    if (status == STATUS_OK) {
        status = value_reader_read(resolve->sight->view->version, &ref, resolve->sight->wait, raw,
                                   &resolve->commit->scratch, NULL);
    }
    if (status == STATUS_OK) {
        resolve->state.kind = STATE_VALUE;
    }
    return status;
}

/* The value of a put of this batch, which lies in its values area. */
static enum status read_stored(struct resolve *resolve, const struct batch_op *op) {
    struct store_commit *commit = resolve->commit;
    struct slice stored =
        slice_make(commit->batch.values.data + op->values_offset, op->stored_bytes);
    enum status status;
    uint8_t *raw;

    if (!op->compressed) {
        return work_set(resolve, stored);
    }
    buffer_clear(&commit->work);
    status = buffer_extend(&commit->work, op->raw_bytes, &raw);
    return status == STATUS_OK
               ? compression_decompress(commit->policy->compression, stored, raw, op->raw_bytes)
               : status;
}

static enum status state_keep_record(struct resolve *resolve, const struct batch_op *op) {
    resolve->state.kind = STATE_RECORD;
    resolve->state.record = *op;
    return op->kind == ENTRY_LARGE ? work_set(resolve, op->extents) : STATUS_OK;
}

/* What a plain operation of the batch leaves. */
static enum status state_from_op(struct resolve *resolve, const struct batch_op *op) {
    struct state *state = &resolve->state;
    bool expired = op->expiry_ms != 0 && op->expiry_ms <= resolve->sight->now_ms;

    *state = (struct state){
        .kind = STATE_ABSENT, .expiry_ms = op->expiry_ms, .user_flags = op->user_flags};
    if (op->kind == ENTRY_TOMBSTONE || expired) {
        return STATUS_OK;
    }
    if (op->kind == ENTRY_LARGE || op->alias) {
        return state_keep_record(resolve, op);
    }
    state->kind = STATE_VALUE;
    return op->kind == ENTRY_INLINE ? work_set(resolve, op->value) : read_stored(resolve, op);
}

/* An alias of the record that an entry refers to. */
static struct batch_op alias_of(const struct entry *entry, uint64_t version) {
    return (struct batch_op){.kind = entry->kind,
                             .alias = true,
                             .record_version = entry_record_version(entry, version),
                             .segment = entry->ref.segment,
                             .offset = entry->ref.offset,
                             .raw_bytes = entry->ref.raw_bytes,
                             .stored_bytes = entry->ref.stored_bytes,
                             .checksum = entry->ref.checksum,
                             .compressed = entry->ref.compressed,
                             .large_bytes = entry->large_bytes,
                             .large_checksum = entry->large_checksum,
                             .extent_count = entry->extent_count,
                             .extents = entry->extents};
}

static enum status state_from_entry(struct resolve *resolve, const struct view_hit *hit) {
    const struct entry *entry = &hit->entry;
    struct state *state = &resolve->state;
    struct batch_op alias;

    *state = (struct state){.kind = STATE_ABSENT};
    if (entry_is_dead(entry, resolve->sight->now_ms)) {
        return STATUS_OK;
    }
    state->expiry_ms = entry->expiry_ms;
    state->user_flags = entry->user_flags;
    if (entry->kind == ENTRY_INLINE) {
        state->kind = STATE_VALUE;
        return work_set(resolve, entry->value);
    }
    if (hit->version > watermarks_visible(resolve->sight->marks)) {
        return STATUS_WOULD_BLOCK; /* of this group, whose bytes are not in the log yet */
    }
    alias = alias_of(entry, hit->version);
    return state_keep_record(resolve, &alias);
}

static enum status state_look_up(struct resolve *resolve, const struct commit_deferred *deferred) {
    struct view_hit hit;
    enum status status = commit_sight_find(resolve->sight, resolve->commit, deferred->namespace_id,
                                           deferred->key, &hit);

    if (status == STATUS_OK) {
        status = state_from_entry(resolve, &hit);
        view_hit_release(&hit);
    } else if (status == STATUS_NOT_FOUND) {
        resolve->state = (struct state){.kind = STATE_ABSENT};
        status = STATUS_OK;
    }
    return status;
}

/* ---- Operations -------------------------------------------------------------------------------
 */

static void state_begin(struct state *state) {
    if (state->kind == STATE_ABSENT) {
        *state = (struct state){.kind = STATE_ABSENT};
    }
}

static enum status add(struct resolve *resolve, int64_t amount, int64_t *result) {
    struct state *state = &resolve->state;
    char text[NUMBER_BYTES_MAX + 1];
    int64_t number = 0;

    if (state->kind == STATE_RECORD ||
        (state->kind == STATE_VALUE &&
         !number_parse(buffer_slice(&resolve->commit->work), &number))) {
        return STATUS_INVALID;
    }
    if (__builtin_add_overflow(number, amount, result)) {
        return STATUS_OVERFLOW;
    }
    state->kind = STATE_VALUE;
    snprintf(text, sizeof text, "%lld", (long long)*result);
    return work_set(resolve, slice_from_text(text));
}

static enum status append(struct resolve *resolve, struct slice bytes, int64_t *result) {
    struct state *state = &resolve->state;
    struct buffer *work = &resolve->commit->work;
    uint64_t bytes_max = resolve->commit->policy->append_bytes_max;
    enum status status = STATUS_OK;

    if (state->kind == STATE_ABSENT) {
        buffer_clear(work);
        state->kind = STATE_VALUE;
    } else if (state->kind == STATE_RECORD) {
        if (state->record.kind == ENTRY_LARGE || state->record.raw_bytes + bytes.len > bytes_max) {
            return STATUS_TOO_LARGE;
        }
        status = read_record(resolve, (uint32_t)bytes.len);
    }
    if (status == STATUS_OK && work->len + bytes.len > bytes_max) {
        return STATUS_TOO_LARGE;
    }
    if (status == STATUS_OK) {
        status = buffer_append(work, bytes.ptr, bytes.len);
    }
    *result = (int64_t)work->len;
    return status;
}

static enum status apply(struct resolve *resolve, const struct commit_deferred *deferred,
                         uint32_t result_index) {
    int64_t *results = (int64_t *)(void *)resolve->commit->results.data;
    enum status status = STATUS_OK;

    state_begin(&resolve->state);
    switch (deferred->kind) {
    case DEFERRED_ADD:
        status = add(resolve, deferred->amount, &results[result_index]);
        break;
    case DEFERRED_APPEND:
        status = append(resolve, deferred->bytes, &results[result_index]);
        break;
    case DEFERRED_EXPIRE:
        status = resolve->state.kind == STATE_ABSENT ? STATUS_ABSENT : STATUS_OK;
        resolve->state.expiry_ms = deferred->expiry_ms;
        break;
    }
    return status;
}

/* Appends what the last operation on a key has left to the batch. */
static enum status emit(struct resolve *resolve, const struct commit_deferred *deferred) {
    struct store_commit *commit = resolve->commit;
    const struct state *state = &resolve->state;
    struct slice value = buffer_slice(&commit->work);
    struct batch_op op = {0};

    ASSERT(state->kind == STATE_VALUE || state->kind == STATE_RECORD);
    if (state->kind == STATE_RECORD) {
        op = state->record;
        op.extents = value;
    } else {
        op.checksum = checksum_of(value);
    }
    op.namespace_id = deferred->namespace_id;
    op.key = deferred->key;
    op.expiry_ms = state->expiry_ms;
    op.user_flags = state->user_flags;
    return state->kind == STATE_RECORD ? batch_append(&commit->batch, &op, slice_make(NULL, 0))
                                       : commit_request_store(commit, &op, value);
}

/* ---- All of them ------------------------------------------------------------------------------
 */

/* Works out one deferred operation, whose key's operation before it is `item` - 1 unless it is the
 * first. */
static enum status resolve_item(struct resolve *resolve, const struct item *item, bool last) {
    struct commit_deferred deferred = deferred_of(resolve, item);
    uint32_t before = item->first ? 0 : item[-1].sequence;
    enum status status = STATUS_OK;

    if (deleted_between(resolve, &deferred, before, item->sequence)) {
        resolve->state = (struct state){.kind = STATE_ABSENT};
    } else if (item->first) {
        status = state_look_up(resolve, &deferred);
    } else if (!item[-1].deferred) {
        struct batch_op op = op_of(resolve, &item[-1]);
        status = state_from_op(resolve, &op);
    }
    if (status == STATUS_OK) {
        status = apply(resolve, &deferred, item->result);
    }
    if (resolve->sight->wait == READ_WAIT_NEVER && status == STATUS_OK &&
        resolve->commit->work.len > LANE_BYTES_MAX) {
        status = STATUS_WOULD_BLOCK; /* to hash, and perhaps compress, elsewhere */
    }
    if (status == STATUS_OK && last &&
        !deleted_between(resolve, &deferred, item->sequence, UINT32_MAX)) {
        status = emit(resolve, &deferred);
    }
    if (status != STATUS_OK) {
        resolve->commit->outcome.operation = deferred.operation;
    }
    return status;
}

/* The rest of a key's operations, once one of them has failed, is left out; of all keys the first
 * operation that failed is told. */
static enum status resolve_items(struct resolve *resolve) {
    struct store_outcome *outcome = &resolve->commit->outcome;
    enum status worst = STATUS_OK;
    uint32_t operation = 0;
    bool skip = false;

    for (uint32_t i = 0; i < resolve->item_count; i++) {
        const struct item *item = &resolve->items[i];
        bool last = i + 1 == resolve->item_count || resolve->items[i + 1].first;
        enum status status = STATUS_OK;
        skip = skip && !item->first;
        if (item->deferred && !skip) {
            status = resolve_item(resolve, item, last);
        }
        if (status == STATUS_WOULD_BLOCK) {
            return status;
        }
        if (status != STATUS_OK && (worst == STATUS_OK || outcome->operation < operation)) {
            worst = status;
            operation = outcome->operation;
        }
        skip = skip || status != STATUS_OK;
    }
    outcome->operation = operation;
    return worst;
}

static enum status resolve_all(struct resolve *resolve) {
    struct store_commit *commit = resolve->commit;
    enum status status = items_collect(resolve);
    uint8_t *results;

    buffer_clear(&commit->results);
    if (status == STATUS_OK) {
        status = buffer_extend(&commit->results, resolve->result_count * sizeof(int64_t), &results);
    }
    return status == STATUS_OK ? resolve_items(resolve) : status;
}

bool commit_resolve(struct store_commit *commit, const struct commit_sight *sight) {
    struct resolve resolve = {.commit = commit, .sight = sight};
    struct batch *batch = &commit->batch;
    size_t meta_mark = buffer_mark(&batch->meta);
    size_t values_mark = buffer_mark(&batch->values);
    uint32_t op_count = batch->op_count;
    bool refers_elsewhere = batch->refers_elsewhere;
    enum status status;

    if (commit->deferred.len == 0) {
        return true;
    }
    status = resolve_all(&resolve);
    if (status != STATUS_OK) {
        buffer_rollback(&batch->meta, meta_mark);
        buffer_rollback(&batch->values, values_mark);
        batch->op_count = op_count;
        batch->refers_elsewhere = refers_elsewhere;
    }
    commit->outcome.status = status == STATUS_WOULD_BLOCK ? STATUS_OK : status;
    return status != STATUS_WOULD_BLOCK;
}
