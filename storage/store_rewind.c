/* store_rewind.c: the part of the door that undoes: a commit that puts a range back to what it was.
 *
 *      past       present      the commit
 *      value      other, none  inline: the value again; separated: an alias of the old record
 *      none       value        a tombstone
 *      the same record on both sides: nothing
 *
 * No value is copied. An alias refers to where the record lies now (relocations are resolved here),
 * and the record must be there until the alias is in the memtable:
 *
 *   - From before the reading to the commit's end, the past version is registered (snapshots_hold):
 *     so each entry that is read stays in the tree, in every view, and log GC takes its record
 *     along wherever it moves it. That hold is refused with GONE if a job may have let go something
 *     already.
 *   - GC may move it between the reading and the commit. Then the segment named by the alias is
 *     gone, which the commit lane finds (rewind_basis.h), inside the gate of aliases: BUSY.
 *
 * What has expired by the present time is nothing, on both sides: so the hold need not keep it. */
#include "protocol/base/memory.h"
#include "storage/rewind_basis.h"
#include "storage/store_pair.h"
#include "storage/value_reader.h"

struct rewind {
    struct store_read *past; /* borrowed */
    struct store_commit *commit;
    uint32_t namespace_id;
    struct buffer extents;  /* owned: of a large value, where they lie now */
    struct buffer segments; /* owned: uint64_t each, ascending: those that aliases name */
    uint64_t changed;
};

/* ---- Segments ---------------------------------------------------------------------------------
 */

static uint64_t segment_at(const struct rewind *rewind, size_t at) {
    uint64_t segment;
    memcpy(&segment, rewind->segments.data + at * sizeof segment, sizeof segment);
    return segment;
}

/* The alias needs this segment: one more of what the commit rests on, unless it is one already. */
static enum status need_segment(struct rewind *rewind, uint64_t segment) {
    size_t count = rewind->segments.len / sizeof segment;
    size_t low = 0;
    size_t high = count;
    enum status status;
    uint8_t *room;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (segment_at(rewind, middle) < segment) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < count && segment_at(rewind, low) == segment) {
        return STATUS_OK;
    }
    status = rewind_basis_add_segment(&rewind->commit->basis, segment);
    if (status == STATUS_OK) {
        status = buffer_extend(&rewind->segments, sizeof segment, &room);
    }
    if (status == STATUS_OK) {
        room = rewind->segments.data + low * sizeof segment;
        memmove(room + sizeof segment, room, (count - low) * sizeof segment);
        memcpy(room, &segment, sizeof segment);
    }
    return status;
}

/* ---- Operations -------------------------------------------------------------------------------
 */

/* Where a record lies now. */
static enum status resolve(struct rewind *rewind, const struct value_ref *ref,
                           struct value_ref *resolved_out, struct error *error) {
    enum status status = value_reader_resolve(rewind->past->view->version, ref, READ_WAIT_ALLOWED,
                                              resolved_out, error);

    return status == STATUS_OK ? need_segment(rewind, resolved_out->segment) : status;
}

static enum status alias_reference(struct rewind *rewind, const struct entry *entry,
                                   struct batch_op *op, struct error *error) {
    struct value_ref ref;
    enum status status = resolve(rewind, &entry->ref, &ref, error);

    if (status == STATUS_OK) {
        op->segment = ref.segment;
        op->offset = ref.offset;
        op->raw_bytes = ref.raw_bytes;
        op->stored_bytes = ref.stored_bytes;
        op->checksum = ref.checksum;
        op->compressed = ref.compressed;
    }
    return status;
}

static enum status alias_large(struct rewind *rewind, const struct entry *entry,
                               struct batch_op *op, struct error *error) {
    struct slice rest = entry->extents;
    enum status status = STATUS_OK;
    struct value_ref extent;
    struct value_ref resolved;

    buffer_clear(&rewind->extents);
    while (status == STATUS_OK && entry_extent_next(&rest, &extent)) {
        status = resolve(rewind, &extent, &resolved, error);
        if (status == STATUS_OK) {
            status = entry_extent_append(&rewind->extents, &resolved);
        }
    }
    op->large_bytes = entry->large_bytes;
    op->large_checksum = entry->large_checksum;
    op->extent_count = entry->extent_count;
    op->extents = buffer_slice(&rewind->extents);
    return status;
}

/* The operation that makes an entry of the past the newest one again. */
static enum status restore(struct rewind *rewind, const struct store_side *side, struct slice key,
                           struct error *error) {
    const struct entry *entry = &side->iter.entry;
    struct batch_op op = {.namespace_id = rewind->namespace_id,
                          .key = key,
                          .kind = entry->kind,
                          .expiry_ms = entry->expiry_ms,
                          .user_flags = entry->user_flags,
                          .value = entry->value};
    enum status status = STATUS_OK;

    if (entry->kind != ENTRY_INLINE) {
        op.alias = true;
        op.record_version = entry_record_version(entry, side->iter.entry_version);
        rewind->commit->makes_aliases = true;
        status = entry->kind == ENTRY_REFERENCE ? alias_reference(rewind, entry, &op, error)
                                                : alias_large(rewind, entry, &op, error);
    }
    if (status == STATUS_OK) {
        status = batch_append(&rewind->commit->batch, &op, slice_make(NULL, 0));
    }
    rewind->commit->puts = true;
    return status;
}

static enum status end_key(struct rewind *rewind, struct slice key) {
    struct batch_op op = {
        .namespace_id = rewind->namespace_id, .key = key, .kind = ENTRY_TOMBSTONE};

    return batch_append(&rewind->commit->batch, &op, slice_make(NULL, 0));
}

/* The same bytes, or the same record, with the same expiry and flags. */
static bool is_same(const struct visible_iterator *past, const struct visible_iterator *present) {
    const struct entry *a = &past->entry;
    const struct entry *b = &present->entry;

    if (a->kind != b->kind || a->expiry_ms != b->expiry_ms || a->user_flags != b->user_flags) {
        return false;
    }
    return a->kind == ENTRY_INLINE ? slice_equal(a->value, b->value)
                                   : entry_record_version(a, past->entry_version) ==
                                         entry_record_version(b, present->entry_version);
}

static enum status rewind_row(struct rewind *rewind, const struct store_pair *pair,
                              struct error *error) {
    const struct store_side *past = &pair->left;
    const struct store_side *present = &pair->right;
    struct slice key = store_pair_key(pair);
    enum status status;

    if (past->here && present->here && is_same(&past->iter, &present->iter)) {
        return STATUS_OK;
    }
    status = past->here ? restore(rewind, past, key, error) : end_key(rewind, key);
    if (status == STATUS_OK) {
        rewind->changed++;
        rewind->commit->operations++;
    }
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static enum status rewind_rows(struct rewind *rewind, struct store_pair *pair,
                               struct error *error) {
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        status = store_pair_next(pair, error);
        if (status == STATUS_OK) {
            status = rewind_row(rewind, pair, error);
        }
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* Registers the past version until the commit has ended, and says what the commit rests on. */
static enum status begin(struct rewind *rewind, const struct store_read *present,
                         const struct store_range *range) {
    struct snapshots *snapshots = &rewind->past->store->snapshots;
    struct key_range keys = {range->namespace_id, range->from, range->to};
    enum status status = snapshots_hold(snapshots, range->namespace_id, rewind->past->version,
                                        "rewind", &rewind->commit->held_id);

    if (status == STATUS_OK) {
        rewind->commit->held_in = snapshots;
        status = rewind_basis_add_range(&rewind->commit->basis, &keys, present->version);
    }
    return status;
}

enum status store_rewind(struct store_read *past, struct store_read *present,
                         const struct store_range *range, struct store_commit *commit,
                         uint64_t *changed_out, struct error *error) {
    struct rewind rewind = {.past = past,
                            .commit = commit,
                            .namespace_id = range->namespace_id,
                            .extents = {.cap = COMMIT_BYTES_MAX},
                            .segments = {.cap = COMMIT_BYTES_MAX}};
    uint64_t past_now_ms = past->now_ms;
    struct store_pair pair;
    enum status status;

    if (range->namespace_id == NAMESPACE_SYSTEM || past->version > present->version) {
        return STATUS_INVALID;
    }
    past->now_ms = past->now_ms > present->now_ms ? past->now_ms : present->now_ms;
    status = store_pair_init(&pair, past, present, range);
    if (status == STATUS_OK) {
        status = begin(&rewind, present, range);
    }
    if (status == STATUS_OK) {
        status = rewind_rows(&rewind, &pair, error);
    }
    past->now_ms = past_now_ms;
    store_pair_deinit(&pair);
    buffer_deinit(&rewind.extents);
    buffer_deinit(&rewind.segments);
    if (status == STATUS_OK) {
        *changed_out = rewind.changed;
    } else {
        commit_request_reset(commit);
    }
    return status;
}
