/* store_range_delete.c: range deletes: how they come into a commit, and back into memory at open.
 */
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/range_row.h"
#include "storage/store_state.h"

enum status store_commit_delete_range(struct store_commit *commit,
                                      const struct store_range *range) {
    struct key_range wanted = {range->namespace_id, range->from, range->to};
    uint8_t key[RANGE_KEY_BYTES];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM, .kind = ENTRY_INLINE};
    enum status status;

    if (range->from.len > KEY_BYTES_MAX || range->to.len > KEY_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (!key_range_is_valid(&wanted)) {
        bool is_empty = wanted.namespace_id != NAMESPACE_SYSTEM &&
                        wanted.namespace_id != UINT32_MAX && slice_equal(wanted.from, wanted.to);
        commit->operations += is_empty;
        return is_empty ? STATUS_OK : STATUS_INVALID;
    }
    buffer_clear(&commit->scratch);
    status = range_row_store(&wanted, key, &commit->scratch);
    if (status == STATUS_OK) {
        op.key = slice_make(key, sizeof key);
        op.value = buffer_slice(&commit->scratch);
        status = batch_append(&commit->batch, &op, slice_make(NULL, 0));
    }
    commit->operations += status == STATUS_OK;
    return status;
}

/* ---- At open ----------------------------------------------------------------------------------
 */

/* Range rows as they are read: key and value of each lie in `bytes`. */
struct loading {
    struct range_delete *deletes; /* owned */
    size_t *places;               /* owned: where in bytes the row of each starts */
    size_t count;
    size_t capacity;
    struct buffer bytes;
};

static void loading_deinit(struct loading *loading) {
    memory_free(loading->deletes);
    memory_free(loading->places);
    buffer_deinit(&loading->bytes);
}

static enum status room_for_one(struct loading *loading) {
    size_t capacity = loading->capacity ? 2 * loading->capacity : 16;
    struct range_delete *deletes;
    size_t *places;

    if (loading->count < loading->capacity) {
        return STATUS_OK;
    }
    deletes = memory_resize(loading->deletes, capacity * sizeof *deletes);
    loading->deletes = deletes ? deletes : loading->deletes;
    places = memory_resize(loading->places, capacity * sizeof *places);
    loading->places = places ? places : loading->places;
    if (!deletes || !places) {
        return STATUS_NO_MEMORY;
    }
    loading->capacity = capacity;
    return STATUS_OK;
}

static enum status take_row(struct loading *loading, struct slice ikey, struct slice bytes) {
    struct slice key = row_user_key(ikey_row(ikey));
    size_t place = loading->bytes.len;
    struct key_range range;
    struct entry entry;
    enum status status = entry_load(bytes, &entry);

    if (status == STATUS_OK) {
        status =
            entry.kind == ENTRY_INLINE ? range_row_parse(key, entry.value, &range) : STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        status = room_for_one(loading);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(&loading->bytes, key);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(&loading->bytes, entry.value);
    }
    if (status == STATUS_OK) {
        loading->places[loading->count] = place;
        loading->deletes[loading->count++] = (struct range_delete){
            .version = ikey_version(ikey), .durability = (uint8_t)entry.durability};
    }
    return status;
}

static enum status take_if_range(struct loading *loading, const struct iterator *iter,
                                 struct error *error) {
    enum status status = range_row_is_key(row_user_key(ikey_row(iter->key)))
                             ? take_row(loading, iter->key, iter->entry)
                             : STATUS_OK;

    return status == STATUS_CORRUPT
               ? error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                           "the range delete of version %llu is not well formed",
                           (unsigned long long)ikey_version(iter->key))
               : status;
}

static enum status move_on(struct iterator *iter, const struct slice *seek_to,
                           struct error *error) {
    enum status status = seek_to ? iterator_seek(iter, *seek_to) : iterator_next(iter);

    if (status == STATUS_CORRUPT || status == STATUS_IO) {
        *error = iter->error;
        error->status = status;
    }
    return status;
}

/* All versions of all range rows of the view. */
static enum status take_rows(struct loading *loading, const struct view *view,
                             struct error *error) {
    uint8_t from[IKEY_BYTES_MIN + RANGE_KEY_PREFIX_BYTES];
    struct slice prefix = slice_make(RANGE_KEY_PREFIX, RANGE_KEY_PREFIX_BYTES);
    struct slice row = slice_make(from, row_store(from, NAMESPACE_SYSTEM, prefix));
    struct slice first = slice_make(from, sizeof from);
    struct iterator *iter;
    enum status status = view_iterator_create(view, READ_WAIT_ALLOWED, &iter);

    if (status != STATUS_OK) {
        return status;
    }
    ikey_version_store(from + row.len, VERSION_MAX);
    status = move_on(iter, &first, error);
    while (status == STATUS_OK && slice_has_prefix(ikey_row(iter->key), row)) {
        status = take_if_range(loading, iter, error);
        if (status == STATUS_OK) {
            status = move_on(iter, NULL, error);
        }
    }
    iterator_destroy(iter);
    return status == STATUS_END ? STATUS_OK : status;
}

/* The ranges borrow from `bytes`, which grows no more. */
static void find_ranges(struct loading *loading) {
    for (size_t i = 0; i < loading->count; i++) {
        struct slice bytes = buffer_slice(&loading->bytes);
        struct reader reader =
            reader_make(slice_make(bytes.ptr + loading->places[i], bytes.len - loading->places[i]));
        struct slice key = {0};
        struct slice value = {0};
        bool taken = reader_take_block(&reader, &key) && reader_take_block(&reader, &value);
        enum status status = range_row_parse(key, value, &loading->deletes[i].range);
        ASSERT(taken && status == STATUS_OK); /* as a moment ago */
    }
}

/* ---- What stays of them ---- */

static bool keeps_versions(const struct store_namespace_settings *settings) {
    return settings->keep_ms > 0 || settings->keep_versions > 1;
}

static void count_cb(void *arg, uint32_t id, const struct store_namespace_settings *settings) {
    size_t *count = arg;

    (void)id;
    *count += keeps_versions(settings);
}

static void add_cb(void *arg, uint32_t id, const struct store_namespace_settings *settings) {
    struct keep_namespace keep = {.namespace_id = id,
                                  .keep_versions = settings->keep_versions,
                                  .keep_since_version = settings->keep_ms > 0 ? 0 : UINT64_MAX,
                                  .keep_since_ms = UINT64_MAX};

    if (keeps_versions(settings)) {
        keep_rules_add_namespace(arg, &keep);
    }
}

/* No snapshot outlives a close. Retention by time keeps all, until a job knows better. */
static enum status rules_at_open(struct store *store, struct keep_rules *rules) {
    size_t count = 0;
    enum status status;

    namespaces_settings_each(&store->namespaces, count_cb, &count);
    status = keep_rules_init(rules, 1, count);
    if (status == STATUS_OK) {
        keep_rules_add_snapshot(rules, watermarks_visible(&store->marks));
        namespaces_settings_each(&store->namespaces, add_cb, rules);
    }
    return status;
}

static enum status load(struct store *store, const struct view *view, struct error *error) {
    struct loading loading = {.bytes = {.cap = SIZE_MAX}};
    struct keep_rules rules = {0};
    enum status status = take_rows(&loading, view, error);

    if (status == STATUS_OK && loading.count > 0) {
        find_ranges(&loading);
        status = rules_at_open(store, &rules);
        if (status == STATUS_OK) {
            status = view_holder_load_ranges(&store->views, loading.deletes, loading.count, &rules);
        }
    }
    keep_rules_deinit(&rules);
    loading_deinit(&loading);
    return status;
}

enum status store_load_ranges(struct store *store, struct error *error) {
    uint64_t visible;
    struct view *view = view_holder_take(&store->views, &store->marks, &visible);
    enum status status = load(store, view, error);

    view_unref(view);
    return status == STATUS_NO_MEMORY
               ? error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "loading range deletes")
               : status;
}
