/* store_feed.c: the part of the door that tells what was committed (door/feed.h): turns the commits
 * of a walk over the log (feed_walk.h) into the changes of a range of keys.
 *
 *      operations of a commit:   put a   range row [c, e)   put d      (in any order)
 *      told, with index:         0: [c, e) deleted; 3: put a; 5: put d (last)
 *
 * Operations are counted twice over: first for range deletes, then for all else, whether they are
 * told or not. So a position means the same for every range. */
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/feed_walk.h"
#include "storage/ikey.h"
#include "storage/load_row.h"
#include "storage/range_row.h"
#include "storage/store_value.h"
#include "storage/value_reader.h"

#define LOOK_BYTES_DEFAULT (UINT64_C(16) << 20)
#define NO_NAMESPACE UINT32_MAX /* an id that none has */

struct store_feed_source {
    struct store_read *read;   /* borrowed */
    const struct entry *entry; /* borrowed */
};

/* A change that is known not to be the last of its commit only once the next is found. */
struct pending {
    bool is;
    uint32_t index;
    struct store_feed_change change; /* borrows from the commit's meta */
    struct entry entry;
    bool has_hit;
    struct view_hit hit; /* what `entry` borrows from, if it is the tree's */
};

struct telling {
    const struct store_feed_query *query; /* borrowed */
    struct store_read read;
    store_feed_cb change_cb;
    void *arg;
    struct store_feed_result *result; /* borrowed */
    struct feed_commit commit;
    uint32_t skip;         /* operations of this commit that are done */
    uint64_t value_offset; /* of the one after them */
    struct pending pending;
    uint8_t *row; /* owned; ROW_BYTES_MAX */
    struct error *error;
};

/* ---- One change -------------------------------------------------------------------------------
 */

/* Whether all that the entry refers to is where it was, or where log GC has moved it. */
static enum status find_records(const struct telling *telling, const struct entry *entry) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;
    struct value_ref resolved;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && entry_refs_next(&refs, &ref)) {
        status = value_reader_resolve(telling->read.view->version, &ref, READ_WAIT_ALLOWED,
                                      &resolved, telling->error);
    }
    return status;
}

/* What the tree has for the key: if it is this very version, its references are up to date; if not,
 * nothing keeps the old records any more. */
static enum status ask_tree(struct telling *telling, struct pending *pending) {
    struct slice row = {telling->row,
                        row_store(telling->row, telling->query->namespace_id, pending->change.key)};
    enum status status = view_find(telling->read.view, row, telling->read.version,
                                   READ_WAIT_ALLOWED, &pending->hit, telling->error);

    if (status == STATUS_NOT_FOUND) {
        pending->change.superseded = true;
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    pending->has_hit = true;
    pending->change.superseded = pending->hit.version != pending->change.version ||
                                 pending->hit.entry.kind != pending->entry.kind;
    pending->entry = pending->hit.entry;
    return pending->change.superseded ? STATUS_OK : find_records(telling, &pending->entry);
}

/* Records of its own lie in the segment that is being read. Others may have been moved, and
 * compaction has made the tree's references follow them, or collected. */
static enum status look_for_value(struct telling *telling, struct pending *pending) {
    enum status found;

    if (pending->change.kind != STORE_FEED_PUT ||
        !(pending->entry.alias || pending->entry.kind == ENTRY_LARGE)) {
        return STATUS_OK;
    }
    found = find_records(telling, &pending->entry);
    return found == STATUS_CORRUPT ? ask_tree(telling, pending) : found;
}

static enum status hand_out(struct telling *telling, struct pending *pending) {
    struct store_feed_source source = {&telling->read, &pending->entry};
    enum status status = look_for_value(telling, pending);

    if (status == STATUS_OK) {
        pending->change.source = &source;
        status = telling->change_cb(telling->arg, &pending->change);
    }
    if (status == STATUS_END) {
        telling->result->next = (struct store_feed_position){
            telling->commit.version - 1, pending->index, pending->change.value_offset};
    }
    return status;
}

static enum status deliver(struct telling *telling, bool last) {
    struct pending *pending = &telling->pending;
    enum status status;

    if (!pending->is) {
        return STATUS_OK;
    }
    pending->change.last = last;
    status = hand_out(telling, pending);
    if (pending->has_hit) {
        view_hit_release(&pending->hit);
    }
    pending->is = false;
    pending->has_hit = false;
    return status;
}

/* The one before it goes out. */
static enum status tell(struct telling *telling, uint32_t index,
                        const struct store_feed_change *change, const struct entry *entry) {
    struct pending *pending = &telling->pending;
    enum status status;

    if (index < telling->skip) {
        return STATUS_OK;
    }
    status = deliver(telling, false);
    if (status != STATUS_OK) {
        return status;
    }
    pending->is = true;
    pending->index = index;
    pending->change = *change;
    pending->change.version = telling->commit.version;
    pending->change.time_ms = telling->commit.time_ms;
    pending->change.value_offset = index == telling->skip ? telling->value_offset : 0;
    pending->entry = *entry;
    return STATUS_OK;
}

/* ---- One commit -------------------------------------------------------------------------------
 */

static bool is_wanted(const struct store_feed_query *query, struct slice key) {
    return slice_compare(key, query->from) >= 0 &&
           (query->to.len == 0 || slice_compare(key, query->to) < 0);
}

/* The part of a range delete that lies in the range asked for; false when none does. */
static bool cut(const struct store_feed_query *query, const struct key_range *range,
                struct store_feed_change *change) {
    bool to_is_theirs =
        query->to.len == 0 || (range->to.len > 0 && slice_compare(range->to, query->to) < 0);

    change->key = slice_compare(range->from, query->from) < 0 ? query->from : range->from;
    change->to = to_is_theirs ? range->to : query->to;
    return change->to.len == 0 || slice_compare(change->key, change->to) < 0;
}

/* A namespace of the name asked for was dropped. It may have had another id. */
static bool is_drop(const struct store_feed_query *query, const struct batch_op *op) {
    struct slice name;

    return query->name.len > 0 && op->kind == ENTRY_TOMBSTONE &&
           namespace_key_name(op->key, &name) && slice_equal(name, query->name);
}

static enum status tell_drop(struct telling *telling, uint32_t index) {
    struct store_feed_change change = {
        .kind = STORE_FEED_DELETE_RANGE, .key = telling->query->from, .to = telling->query->to};
    struct entry none = {.kind = ENTRY_TOMBSTONE};

    return tell(telling, index, &change, &none);
}

static enum status tell_range(struct telling *telling, const struct batch_op *op, uint32_t index) {
    struct store_feed_change change = {.kind = STORE_FEED_DELETE_RANGE};
    struct entry none = {.kind = ENTRY_TOMBSTONE};
    struct key_range range;
    enum status status;

    if (op->namespace_id == NAMESPACE_SYSTEM && is_drop(telling->query, op)) {
        return tell_drop(telling, index);
    }
    if (op->namespace_id != NAMESPACE_SYSTEM || op->kind != ENTRY_INLINE ||
        !range_row_is_key(op->key)) {
        return STATUS_OK;
    }
    status = range_row_parse(op->key, op->value, &range);
    if (status != STATUS_OK || range.namespace_id != telling->query->namespace_id ||
        !cut(telling->query, &range, &change)) {
        return status;
    }
    return tell(telling, index, &change, &none);
}

static enum status tell_key(struct telling *telling, const struct batch_op *op, uint32_t index) {
    struct store_feed_change change = {.kind = STORE_FEED_DELETE, .key = op->key};
    struct entry entry;

    if (op->namespace_id != telling->query->namespace_id || !is_wanted(telling->query, op->key)) {
        return STATUS_OK;
    }
    if (op->extent) {
        return STATUS_CORRUPT; /* extents have segments of their own */
    }
    entry = batch_op_entry(op, telling->commit.segment, telling->commit.values_offset,
                           DURABILITY_SYNCED);
    if (op->kind != ENTRY_TOMBSTONE) {
        change.kind = STORE_FEED_PUT;
        change.info = store_value_info_of(&entry, telling->commit.version);
    }
    return tell(telling, index, &change, &entry);
}

/* Goes over all operations. *index counts on. */
static enum status tell_all(struct telling *telling, bool ranges, uint32_t *index) {
    struct reader meta = reader_make(telling->commit.meta);
    struct batch_op op;
    enum status status = batch_take(&meta, telling->commit.values_bytes, &op);

    while (status == STATUS_OK) {
        status = ranges ? tell_range(telling, &op, *index) : tell_key(telling, &op, *index);
        *index += 1;
        if (status == STATUS_END) {
            return STATUS_CANCELLED; /* the page is full; END means the end of the operations */
        }
        if (status == STATUS_OK) {
            status = batch_take(&meta, telling->commit.values_bytes, &op);
        }
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* Errors: END (the page is full). */
static enum status tell_commit(struct telling *telling) {
    uint32_t index = 0;
    enum status status = tell_all(telling, true, &index);

    if (status == STATUS_OK) {
        status = tell_all(telling, false, &index);
    }
    if (status == STATUS_OK) {
        status = deliver(telling, true);
    } else if (status == STATUS_CANCELLED) {
        status = STATUS_END;
    }
    telling->pending.is = false;
    telling->skip = 0;
    telling->value_offset = 0;
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static struct store_feed_position behind(uint64_t version) {
    return (struct store_feed_position){.version = version};
}

/* What the end of a walk means for the reader. */
static enum status conclude(const struct feed_walk *walk, const struct store_feed_query *query,
                            struct store_feed_result *result, enum status status) {
    if (status == STATUS_END) {
        result->next = behind(walk->at > walk->end.version ? walk->at : walk->end.version);
        result->at_end = true;
        return STATUS_OK;
    }
    if (status == STATUS_GONE && walk->at == query->position.version) {
        result->gap_from = walk->at + 1;
        result->gap_to = walk->gap_to;
        result->next = behind(walk->gap_to);
        return STATUS_OK;
    }
    return status == STATUS_GONE ? STATUS_OK : status; /* the next read comes to the gap */
}

/* Whether the commit is the end of a bulk load into the namespace asked for, whose entries stand in
 * no commit. Errors: NOT_FOUND, CORRUPT. */
static enum status find_load(const struct telling *telling, struct load_row *row_out) {
    struct reader meta = reader_make(telling->commit.meta);
    struct batch_op op;
    enum status status = batch_take(&meta, telling->commit.values_bytes, &op);

    if (status != STATUS_OK || op.namespace_id != NAMESPACE_SYSTEM || op.kind != ENTRY_INLINE ||
        !load_row_is_key(op.key)) {
        return status == STATUS_CORRUPT ? status : STATUS_NOT_FOUND;
    }
    status = load_row_parse(op.value, row_out);
    return status == STATUS_OK && (row_out->state != LOAD_ENDED ||
                                   row_out->namespace_id != telling->query->namespace_id)
               ? STATUS_NOT_FOUND
               : status;
}

/* The gap of a load; after what came before it, the next read comes to it. */
static void tell_load(struct telling *telling, const struct load_row *row) {
    struct store_feed_result *result = telling->result;
    const struct store_feed_position *at = &telling->query->position;

    if (result->next.version == at->version && result->next.skip == at->skip) {
        result->gap_from = row->version;
        result->gap_to = telling->commit.version;
        result->next = behind(telling->commit.version);
    }
}

static enum status walk_on(struct telling *telling, struct feed_walk *walk) {
    const struct store_feed_query *query = telling->query;
    uint64_t look_bytes = query->look_bytes_max ? query->look_bytes_max : LOOK_BYTES_DEFAULT;
    enum status status = STATUS_OK;
    struct load_row load;

    while (walk->looked_bytes < look_bytes) {
        status = feed_walk_next(walk, &telling->commit, telling->error);
        if (status != STATUS_OK) {
            return conclude(walk, query, telling->result, status);
        }
        status = find_load(telling, &load);
        if (status == STATUS_OK) {
            tell_load(telling, &load);
            return STATUS_OK;
        }
        if (status == STATUS_NOT_FOUND) {
            status = tell_commit(telling);
        }
        if (status == STATUS_CORRUPT) {
            error_set(telling->error, status, 0, walk->reader.direct.path,
                      telling->commit.values_offset, "a change of version %llu that cannot be read",
                      (unsigned long long)telling->commit.version);
        }
        if (status != STATUS_OK) {
            return status == STATUS_END ? STATUS_OK : status;
        }
        telling->result->next = behind(telling->commit.version);
    }
    return STATUS_OK;
}

static enum status run(struct telling *telling, const struct feed_end *end) {
    struct store *store = telling->read.store;
    struct feed_walk *walk = memory_alloc(sizeof *walk);
    enum status status;

    telling->row = memory_alloc(ROW_BYTES_MAX);
    if (!walk || !telling->row) {
        memory_free(walk);
        memory_free(telling->row);
        return error_set(telling->error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET,
                         "reading the feed");
    }
    status = feed_walk_init(walk, &store->feed, telling->read.view->version, end,
                            telling->query->position.version, telling->error);
    status = status == STATUS_OK ? walk_on(telling, walk)
                                 : conclude(walk, telling->query, telling->result, status);
    feed_walk_deinit(walk);
    memory_free(walk);
    memory_free(telling->row);
    return status;
}

/* Where the durable log ends. The version is taken first: the position covers it. */
static struct feed_end find_end(struct store *store) {
    struct feed_end end = {.version = watermarks_durable(&store->marks)};

    if (store->purpose == STORE_TO_WRITE) {
        end.durable = commit_log_durable(&store->log);
    } else {
        end.durable = (struct log_position){UINT64_MAX, 0}; /* all segments have ended */
    }
    return end;
}

/* A name is looked up behind the end: a namespace that was made anew since has its drop told, and
 * nothing of it is passed over. One that there is not has only drops to tell. */
static enum status find_namespace(struct store *store, struct store_feed_query *query) {
    enum status status = query->name.len == 0 ? STATUS_OK
                                              : namespaces_find(&store->namespaces, query->name,
                                                                false, &query->namespace_id);

    if (status == STATUS_NOT_FOUND) {
        query->namespace_id = NO_NAMESPACE;
        return STATUS_OK;
    }
    return status;
}

enum status store_feed_read(struct store *store, const struct store_feed_query *query,
                            store_feed_cb change_cb, void *arg,
                            struct store_feed_result *result_out, struct error *error) {
    struct feed_end end = find_end(store);
    struct store_feed_query found = *query;
    struct telling telling = {.query = &found,
                              .change_cb = change_cb,
                              .arg = arg,
                              .result = result_out,
                              .skip = query->position.skip,
                              .value_offset = query->position.value_offset,
                              .error = error};
    enum status status = find_namespace(store, &found);

    *result_out =
        (struct store_feed_result){.next = query->position, .durable_version = end.version};
    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "the name of the namespace: %s",
                         status == STATUS_INVALID ? "it has control characters"
                                                  : status_text(status));
    }
    if (found.namespace_id == NAMESPACE_SYSTEM ||
        query->position.version > watermarks_visible(&store->marks)) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "there is no version %llu yet",
                         (unsigned long long)query->position.version);
    }
    store_read_begin(store, &telling.read);
    status = run(&telling, &end);
    store_read_end(&telling.read);
    return status;
}

enum status store_feed_value(const struct store_feed_change *change, uint64_t offset,
                             uint64_t length, struct buffer *destination, struct error *error) {
    struct store_value_part part = {offset,
                                    length > UINT64_MAX - offset ? UINT64_MAX : offset + length};

    ASSERT(change->kind == STORE_FEED_PUT && !change->superseded);
    return store_value_append_part(change->source->read, change->source->entry, part,
                                   READ_WAIT_ALLOWED, destination, error);
}

uint64_t store_durable_version(const struct store *store) {
    return watermarks_durable(&store->marks);
}
