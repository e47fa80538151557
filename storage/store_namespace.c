/* store_namespace.c: the part of the door about namespaces. */
#include "protocol/base/memory.h"
#include "storage/commit_catalogue.h"
#include "storage/namespace_usage.h"
#include "storage/space_walk.h"
#include "storage/store_state.h"

enum status store_namespace(struct store *store, struct slice name, bool create,
                            uint32_t *namespace_id_out) {
    return namespaces_find(&store->namespaces, name, create, namespace_id_out);
}

struct name_search {
    uint32_t id;
    char *name_out;
    size_t len;
};

static void name_cb(void *arg, struct slice name, const struct namespace_row *row) {
    struct name_search *search = arg;

    if (row->id == search->id) {
        search->len = name.len;
        memcpy(search->name_out, name.ptr ? name.ptr : (const uint8_t *)"", name.len);
    }
}

size_t store_namespace_name(struct store *store, uint32_t namespace_id,
                            char name_out[STORE_NAMESPACE_NAME_MAX]) {
    struct name_search search = {namespace_id, name_out, 0};

    namespaces_each(&store->namespaces, name_cb, &search);
    return search.len;
}

/* ---- Changes ----------------------------------------------------------------------------------
 */

enum status store_commit_namespace_set(struct store_commit *commit, struct slice name,
                                       const struct store_namespace_settings *settings) {
    uint32_t id;
    enum status status = namespaces_find(&commit->store->namespaces, name, false, &id);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    return commit_catalogue_set(commit, name, settings);
}

enum status store_commit_namespace_drop(struct store_commit *commit, struct slice name) {
    uint32_t id;
    enum status status = name.len == 0
                             ? STATUS_INVALID
                             : namespaces_find(&commit->store->namespaces, name, false, &id);

    return status == STATUS_OK ? commit_catalogue_drop(commit, name) : status;
}

/* ---- The catalogue on disk --------------------------------------------------------------------
 */

/* One row of the system namespace, of which all begin with "namespace". */
static enum status load_row(struct store *store, struct slice key, struct slice value) {
    struct reader reader = reader_make(value);
    struct namespace_row row;
    struct slice name;
    enum status status;
    uint32_t next_id;

    if (slice_equal(key, slice_from_text(NAMESPACE_NEXT_KEY))) {
        if (!reader_take_varint32(&reader, &next_id)) {
            return STATUS_CORRUPT;
        }
        namespaces_load_next(&store->namespaces, next_id);
        return STATUS_OK;
    }
    if (!namespace_key_name(key, &name)) {
        return STATUS_OK; /* of a kind that is not known here */
    }
    status = namespace_row_load(value, &row);
    return status == STATUS_OK ? namespaces_load(&store->namespaces, name, &row) : status;
}

static enum status load_rows(struct store *store, struct store_cursor *cursor,
                             struct error *error) {
    struct buffer key = {.cap = KEY_BYTES_MAX};
    struct buffer value = {.cap = VALUE_BYTES_MAX};
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        buffer_clear(&key);
        buffer_clear(&value);
        status = store_cursor_next(cursor, &key, NULL, error);
        if (status == STATUS_OK) {
            status = store_cursor_value(cursor, &value, error);
        }
        if (status == STATUS_OK) {
            status = load_row(store, buffer_slice(&key), buffer_slice(&value));
            if (status != STATUS_OK) {
                error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                          "an entry of the catalogue of namespaces");
            }
        }
    }
    buffer_deinit(&key);
    buffer_deinit(&value);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status store_load_namespaces(struct store *store, struct error *error) {
    static const char prefix[] = "namespace"; /* of names, and of the next id */
    uint8_t to[sizeof prefix];
    struct store_range range =
        store_range_prefix(NAMESPACE_SYSTEM, slice_make(prefix, sizeof prefix - 1), to);
    struct store_cursor *cursor = NULL;
    struct store_read read;
    enum status status;

    store_read_begin(store, &read);
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    if (status == STATUS_OK) {
        status = load_rows(store, cursor, error);
    }
    store_cursor_close(cursor);
    store_read_end(&read);
    return status;
}

/* ---- The list ---------------------------------------------------------------------------------
 */

struct listed {
    uint32_t id;
    struct store_namespace_settings settings;
    uint32_t name_at; /* in names */
    uint32_t name_len;
};

/* A copy of the catalogue: callbacks are given without its lock. */
struct listing {
    struct buffer rows; /* struct listed each */
    struct buffer names;
    enum status status;
};

static void listing_cb(void *arg, struct slice name, const struct namespace_row *row) {
    struct listing *listing = arg;
    struct listed listed = {.id = row->id,
                            .settings = row->settings,
                            .name_at = (uint32_t)listing->names.len,
                            .name_len = (uint32_t)name.len};

    if (listing->status == STATUS_OK) {
        listing->status = buffer_append(&listing->names, name.ptr, name.len);
    }
    if (listing->status == STATUS_OK) {
        listing->status = buffer_append(&listing->rows, &listed, sizeof listed);
    }
}

/* What the figures come from: the books of all holders, or, where they cannot tell what is kept
 * from what is alive, a walk. */
struct figures {
    struct usage_sums sums;
    struct keep_rules rules;
    struct space_walk walk;
    bool walked;
};

static bool keeps_the_past(struct store *store) {
    struct snapshots_stats stats;

    snapshots_read_stats(&store->snapshots, &stats);
    return stats.open > 0 ||
           atomic_load_explicit(&store->namespaces.keep_count, memory_order_relaxed) > 0;
}

static enum status figures_take(struct figures *figures, struct store_read *read,
                                struct error *error) {
    struct store *store = read->store;
    enum status status;

    figures->walked = keeps_the_past(store);
    if (!figures->walked) {
        return usage_of_view(read->view, &figures->sums);
    }
    status = snapshots_take_rules(&store->snapshots, &figures->rules);
    return status == STATUS_OK ? space_walk_run(&figures->walk, read->view, &figures->rules, error)
                               : status;
}

static void figures_deinit(struct figures *figures) {
    usage_sums_deinit(&figures->sums);
    space_walk_deinit(&figures->walk);
    keep_rules_deinit(&figures->rules);
}

static void figures_get(const struct figures *figures, struct store_namespace_info *info) {
    if (!figures->walked) {
        usage_estimate(usage_sums_get(&figures->sums, info->id), &info->keys, &info->live_bytes);
        return;
    }
    for (uint32_t i = 0; i < figures->walk.namespace_count; i++) {
        const struct space_namespace *found = &figures->walk.namespaces[i];
        if (found->namespace_id == info->id) {
            info->keys = found->keys;
            info->live_bytes = found->live_bytes;
            info->pinned_bytes = found->pinned_bytes;
        }
    }
}

static void tell(const struct listing *listing, const struct figures *figures,
                 store_namespace_cb list_cb, void *arg) {
    for (size_t at = 0; at < listing->rows.len; at += sizeof(struct listed)) {
        struct store_namespace_info info = {0};
        struct listed listed;
        memcpy(&listed, listing->rows.data + at, sizeof listed);
        info.name = slice_make(listing->names.data + listed.name_at, listed.name_len);
        info.id = listed.id;
        info.settings = listed.settings;
        figures_get(figures, &info);
        list_cb(arg, &info);
    }
}

enum status store_namespace_list(struct store *store, store_namespace_cb list_cb, void *arg,
                                 struct error *error) {
    struct listing listing = {.rows = {.cap = SIZE_MAX}, .names = {.cap = UINT32_MAX}};
    struct figures figures = {0};
    struct store_read read;

    store_read_begin(store, &read);
    namespaces_each(&store->namespaces, listing_cb, &listing);
    if (listing.status == STATUS_OK) {
        listing.status = figures_take(&figures, &read, error);
    }
    if (listing.status == STATUS_OK) {
        tell(&listing, &figures, list_cb, arg);
    } else if (listing.status != STATUS_CORRUPT && listing.status != STATUS_IO) {
        error_set(error, listing.status, 0, NULL, ERROR_NO_OFFSET, "listing namespaces");
    }
    store_read_end(&read);
    figures_deinit(&figures);
    buffer_deinit(&listing.rows);
    buffer_deinit(&listing.names);
    return listing.status;
}
