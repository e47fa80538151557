/* store_history.c: the part of the door that tells what was when: the versions of a key, and the
 * difference of two states. */
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/store_pair.h"
#include "storage/store_value.h"

/* ---- History ----------------------------------------------------------------------------------
 *
 *      entries of the row      put 9      put 5      delete 3
 *      range deletes over it          7 6
 *      history                 9      -   6 5        3
 *
 * A range delete counts where it ended the key: the oldest one above a value, if no newer entry
 * came before it.
 */

struct history {
    struct store_read *read; /* borrowed */
    struct slice row;        /* borrowed */
    uint64_t before;         /* only versions below are told */
    uint64_t newer;          /* version of the entry above, or what nothing visible reaches */
    uint32_t left;           /* so many more */
    store_version_cb version_cb;
    void *arg;
};

static enum status tell(struct history *history, struct store_version *version) {
    struct time_mark mark;
    bool exact;

    if (version->info.version >= history->before || history->left == 0) {
        return STATUS_OK;
    }
    if (time_index_showing(&history->read->store->times, version->info.version, &mark, &exact) &&
        exact) {
        version->time_ms = mark.ms;
    }
    history->left--;
    return history->version_cb(history->arg, version);
}

/* The range delete that ended the value of an entry of this version, if one did. */
static enum status tell_ending(struct history *history, uint64_t version) {
    struct range_cover ending = view_ending(history->read->view, history->row, version);
    struct store_version ended = {.deleted = true, .info = {.version = ending.version}};

    if (ending.version == VERSION_NONE || ending.version >= history->newer) {
        return STATUS_OK;
    }
    watermarks_hold_entry(&history->read->store->marks, (enum store_durability)ending.durability,
                          ending.version, &history->read->hold);
    return tell(history, &ended);
}

static enum status tell_entry(struct history *history, uint64_t version,
                              const struct entry *entry) {
    struct store_version told = {.deleted = entry->kind == ENTRY_TOMBSTONE,
                                 .info = {.version = version}};
    enum status status = STATUS_OK;

    watermarks_hold_entry(&history->read->store->marks, (enum store_durability)entry->durability,
                          version, &history->read->hold);
    if (!told.deleted) {
        told.info = store_value_info_of(entry, version);
        status = tell_ending(history, version);
    }
    history->newer = version;
    return status == STATUS_OK ? tell(history, &told) : status;
}

/* All entries of the row from its newest that may be told. */
static enum status tell_row(struct history *history, struct iterator *iter, struct slice from,
                            struct error *error) {
    enum status status = iterator_seek(iter, from);

    while (status == STATUS_OK && history->left > 0 &&
           slice_equal(ikey_row(iter->key), history->row)) {
        struct entry entry;
        status = entry_load(iter->entry, &entry);
        if (status != STATUS_OK) {
            return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                             "an entry that is not well formed");
        }
        status = tell_entry(history, ikey_version(iter->key), &entry);
        if (status != STATUS_OK) {
            return status; /* the callback's: it may be END too */
        }
        status = iterator_next(iter);
    }
    if ((status == STATUS_IO || status == STATUS_CORRUPT) && error) {
        *error = iter->error;
        error->status = status;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* The version below which the history begins. */
static uint64_t first_before(const struct store_read *read,
                             const struct store_history_query *query) {
    bool from_newest = query->before == 0 || query->before > read->version;
    return from_newest ? read->version + 1 : query->before;
}

enum status store_history(struct store_read *read, const struct store_history_query *query,
                          store_version_cb version_cb, void *arg, struct error *error) {
    struct history history = {.read = read,
                              .before = first_before(read, query),
                              .left = query->limit,
                              .version_cb = version_cb,
                              .arg = arg};
    struct iterator *iter = NULL;
    enum status status;
    uint8_t *bytes; /* a row, and the internal key to begin at */
    size_t len;

    if (query->key.len > KEY_BYTES_MAX) {
        return error_set(error, STATUS_TOO_LARGE, 0, NULL, ERROR_NO_OFFSET, "key of %zu bytes",
                         query->key.len);
    }
    bytes = memory_alloc((size_t)ROW_BYTES_MAX + IKEY_BYTES_MAX);
    if (!bytes) {
        return STATUS_NO_MEMORY;
    }
    history.newer = history.before;
    history.row = slice_make(bytes, row_store(bytes, query->namespace_id, query->key));
    len = ikey_store(bytes + ROW_BYTES_MAX, history.row, history.before - 1);
    status = view_iterator_create(read->view, READ_WAIT_ALLOWED, &iter);
    if (status == STATUS_OK) {
        status = tell_row(&history, iter, slice_make(bytes + ROW_BYTES_MAX, len), error);
    }
    iterator_destroy(iter);
    memory_free(bytes);
    return status;
}

/* ---- Difference -------------------------------------------------------------------------------
 */

/* The same value with the same expiry and flags, though perhaps written twice. */
static bool is_same(const struct store_value_info *a, const struct store_value_info *b) {
    return a->version == b->version ||
           (a->value_bytes == b->value_bytes && a->checksum == b->checksum &&
            a->expiry_ms == b->expiry_ms && a->user_flags == b->user_flags);
}

static enum status tell_change(const struct store_pair *pair, store_change_cb change_cb,
                               void *arg) {
    const struct store_side *left = &pair->left;
    const struct store_side *right = &pair->right;
    struct store_change change = {.kind = STORE_CHANGE_CHANGED, .key = store_pair_key(pair)};

    if (left->here) {
        change.before = store_value_info_of(&left->iter.entry, left->iter.entry_version);
    } else {
        change.kind = STORE_CHANGE_ADDED;
    }
    if (right->here) {
        change.after = store_value_info_of(&right->iter.entry, right->iter.entry_version);
    } else {
        change.kind = STORE_CHANGE_REMOVED;
    }
    if (change.kind == STORE_CHANGE_CHANGED && is_same(&change.before, &change.after)) {
        return STATUS_OK;
    }
    return change_cb(arg, &change);
}

enum status store_diff(struct store_read *from, struct store_read *to,
                       const struct store_range *range, store_change_cb change_cb, void *arg,
                       struct error *error) {
    struct store_pair pair;
    enum status status = store_pair_init(&pair, from, to, range);

    while (status == STATUS_OK) {
        status = store_pair_next(&pair, error);
        if (status == STATUS_END) {
            status = STATUS_OK;
            break;
        }
        if (status == STATUS_OK) {
            status = tell_change(&pair, change_cb, arg);
        }
    }
    store_pair_deinit(&pair);
    return status;
}
