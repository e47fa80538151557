/* store_snapshot.c: the part of the door about states of the past: snapshots, and reads that begin
 * at one, at a version or at a time (snapshots.h, time_index.h). */
#include "storage/ikey.h"
#include "storage/store_state.h"

/* ---- Reads ------------------------------------------------------------------------------------
 */

static enum status place_at_snapshot(struct store_read *read, uint64_t id) {
    struct store_snapshot_info info;
    enum status status = snapshots_find(&read->store->snapshots, id, &info);

    if (status == STATUS_OK && info.version > read->version) {
        status = STATUS_NOT_FOUND; /* opened only now, by somebody else */
    }
    if (status == STATUS_OK) {
        read->version = info.version;
        read->now_ms = info.now_ms;
    }
    return status;
}

static enum status place_at_version(struct store_read *read, uint32_t namespace_id,
                                    uint64_t version) {
    uint64_t now_ms;
    enum status status;

    if (version > read->version) {
        return STATUS_INVALID;
    }
    status = snapshots_admit(&read->store->snapshots, namespace_id, version, &now_ms);
    if (status == STATUS_OK) {
        read->version = version;
        read->now_ms = now_ms;
    }
    return status;
}

/* Not all that the version saw is kept; what it wrote itself may be. Expiry is judged at the
 * present time: what has expired since may be gone. */
static bool place_exactly_at(struct store_read *read, uint32_t namespace_id, uint64_t version) {
    if (namespaces_settings(&read->store->namespaces, namespace_id).keep_versions <= 1) {
        return false;
    }
    read->version = version;
    read->exact = true;
    return true;
}

static enum status place_at_time(struct store_read *read, uint32_t namespace_id, uint64_t ms) {
    struct time_mark mark;
    enum status status;

    if (ms > read->now_ms) {
        return STATUS_INVALID;
    }
    if (!time_index_until(&read->store->times, ms, &mark)) {
        return STATUS_GONE;
    }
    if (mark.version > read->version) {
        mark.version = read->version; /* noted since the view was pinned */
    }
    status = place_at_version(read, namespace_id, mark.version);
    if (status == STATUS_OK && read->now_ms < ms) {
        read->now_ms = ms;
    }
    return status;
}

/* The view is pinned before the registry is asked: see snapshots.h. */
enum status store_read_begin_at(struct store *store, const struct store_at *at,
                                uint32_t namespace_id, struct store_read *read) {
    enum status status = STATUS_INVALID;

    store_read_begin(store, read);
    switch (at->kind) {
    case STORE_AT_NEWEST:
        status = STATUS_OK;
        break;
    case STORE_AT_SNAPSHOT:
        status = place_at_snapshot(read, at->value);
        break;
    case STORE_AT_VERSION:
        status = place_at_version(read, namespace_id, at->value);
        if (status == STATUS_GONE && place_exactly_at(read, namespace_id, at->value)) {
            status = STATUS_OK;
        }
        break;
    case STORE_AT_TIME:
        status = place_at_time(read, namespace_id, at->value);
        break;
    }
    if (status != STATUS_OK) {
        store_read_end(read);
    }
    return status;
}

/* ---- Snapshots --------------------------------------------------------------------------------
 */

enum status store_snapshot_open(struct store *store, const char *owner, uint64_t lifetime_ms,
                                struct store_snapshot_info *info_out) {
    return snapshots_open(&store->snapshots, owner, lifetime_ms, info_out);
}

enum status store_snapshot_close(struct store *store, uint64_t id) {
    return snapshots_close(&store->snapshots, id);
}

void store_snapshot_list(struct store *store, store_snapshot_cb list_cb, void *arg) {
    struct store_snapshot_info info = {0};

    while (snapshots_next(&store->snapshots, info.version, info.id, &info)) {
        list_cb(arg, &info);
    }
}

/* ---- At open ----------------------------------------------------------------------------------
 */

typedef enum status (*row_cb)(struct store *store, struct slice key, struct slice value,
                              uint64_t version);

static enum status each_row(struct store *store, struct store_cursor *cursor, row_cb each_cb,
                            struct error *error) {
    struct buffer key = {.cap = KEY_BYTES_MAX};
    struct buffer value = {.cap = VALUE_BYTES_MAX};
    struct store_value_info info;
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        buffer_clear(&key);
        buffer_clear(&value);
        status = store_cursor_next(cursor, &key, &info, error);
        if (status == STATUS_OK) {
            status = store_cursor_value(cursor, &value, error);
        }
        if (status == STATUS_OK) {
            status = each_cb(store, buffer_slice(&key), buffer_slice(&value), info.version);
            if (status != STATUS_OK) {
                error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "a row of what is kept");
            }
        }
    }
    buffer_deinit(&key);
    buffer_deinit(&value);
    return status == STATUS_END ? STATUS_OK : status;
}

/* Calls back for the rows of the system namespace whose keys begin with `prefix`. */
static enum status each_system_row(struct store *store, const char *prefix, row_cb each_cb,
                                   struct error *error) {
    uint8_t to[NAMESPACE_KEY_BYTES_MAX];
    struct store_range range = store_range_prefix(NAMESPACE_SYSTEM, slice_from_text(prefix), to);
    struct store_cursor *cursor = NULL;
    struct store_read read;
    enum status status;

    store_read_begin(store, &read);
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    if (status == STATUS_OK) {
        status = each_row(store, cursor, each_cb, error);
    }
    store_cursor_close(cursor);
    store_read_end(&read);
    return status;
}

static enum status load_time(struct store *store, struct slice key, struct slice value,
                             uint64_t version) {
    (void)version;
    return time_keeper_load(&store->time_keeper, key, value);
}

static enum status load_floor(struct store *store, struct slice key, struct slice value,
                              uint64_t version) {
    struct namespace_row row;
    enum status status = namespace_row_load(value, &row);

    (void)key;
    return status == STATUS_OK ? snapshots_load_floor(&store->snapshots, row.id, version) : status;
}

enum status store_load_past(struct store *store, struct error *error) {
    enum status status = each_system_row(store, TIME_KEY_PREFIX, load_time, error);

    time_index_note(&store->times, store_clock_now_ms(&store->clock),
                    watermarks_visible(&store->marks));
    if (status == STATUS_OK) {
        status = each_system_row(store, NAMESPACE_KEY_PREFIX, load_floor, error);
    }
    return status;
}
