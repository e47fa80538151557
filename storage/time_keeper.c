/* time_keeper.c: see time_keeper.h. */
#include "storage/time_keeper.h"

#include "protocol/base/memory.h"
#include "storage/format.h"

#include <string.h>

#define ROWS_FIRST 64u

enum status time_keeper_init(struct time_keeper *keeper, struct time_index *index,
                             struct namespaces *namespaces, struct store *store,
                             const struct value_policy *policy) {
    *keeper = (struct time_keeper){.index = index, .namespaces = namespaces};
    return commit_request_create(store, policy, &keeper->commit);
}

void time_keeper_deinit(struct time_keeper *keeper) {
    ASSERT(!atomic_load_explicit(&keeper->busy, memory_order_acquire));
    commit_request_destroy(keeper->commit);
    memory_free(keeper->rows);
    *keeper = (struct time_keeper){0};
}

/* ---- Rows -------------------------------------------------------------------------------------
 */

/* Room for one row more. Errors: TOO_LARGE (there are too many), NO_MEMORY. */
static enum status make_room(struct time_keeper *keeper) {
    size_t capacity = keeper->row_capacity == 0 ? ROWS_FIRST : 2 * keeper->row_capacity;
    uint64_t *rows;

    if (keeper->row_count < keeper->row_capacity) {
        return STATUS_OK;
    }
    if (keeper->row_count >= TIME_ROWS_MAX) {
        return STATUS_TOO_LARGE;
    }
    rows = memory_resize(keeper->rows, capacity * sizeof *rows);
    if (!rows) {
        return STATUS_NO_MEMORY;
    }
    keeper->rows = rows;
    keeper->row_capacity = capacity;
    return STATUS_OK;
}

enum status time_keeper_load(struct time_keeper *keeper, struct slice key, struct slice value) {
    struct time_mark mark;
    enum status status = time_row_load(key, value, &mark);

    if (status == STATUS_OK) {
        status = make_room(keeper);
    }
    if (status == STATUS_TOO_LARGE) {
        return STATUS_CORRUPT; /* nobody writes so many */
    }
    if (status == STATUS_OK) {
        keeper->rows[keeper->row_count++] = mark.ms;
        time_index_note(keeper->index, mark.ms, mark.version);
    }
    return status;
}

/* ---- The tick ---------------------------------------------------------------------------------
 */

static void longest_cb(void *arg, uint32_t id, const struct store_namespace_settings *settings) {
    uint64_t *longest_ms = arg;

    (void)id;
    *longest_ms = settings->keep_ms > *longest_ms ? settings->keep_ms : *longest_ms;
}

static uint64_t longest_retention(struct time_keeper *keeper) {
    uint64_t longest_ms = 0;

    if (atomic_load_explicit(&keeper->namespaces->keep_count, memory_order_relaxed) > 0) {
        namespaces_settings_each(keeper->namespaces, longest_cb, &longest_ms);
    }
    return longest_ms;
}

/* The commit handed out last has completed: what it did holds, or did not happen. */
static void settle(struct time_keeper *keeper) {
    if (keeper->ended == STATUS_OK) {
        keeper->row_count -= keeper->deleted;
        if (keeper->deleted > 0) {
            memmove(keeper->rows, keeper->rows + keeper->deleted,
                    keeper->row_count * sizeof *keeper->rows);
        }
        if (keeper->added_ms > 0) {
            keeper->rows[keeper->row_count++] = keeper->added_ms;
        }
        if (keeper->deleted > 0 || keeper->added_ms > 0) {
            keeper->own_version = keeper->ended_version;
        }
    }
    keeper->added_ms = 0;
    keeper->deleted = 0;
}

/* How many of the oldest rows can go. */
static size_t rows_useless(const struct time_keeper *keeper, uint64_t now_ms, uint64_t longest_ms) {
    uint64_t since_ms = now_ms > longest_ms ? now_ms - longest_ms : 0;
    size_t count = 0;

    if (longest_ms == 0) {
        count = keeper->row_count;
    }
    while (count + 1 < keeper->row_count && keeper->rows[count + 1] <= since_ms) {
        count++;
    }
    if (count == 0 && keeper->row_count >= TIME_ROWS_MAX / 2) {
        count = 1; /* the retention has grown since: less of the past is known */
    }
    return count < TIME_ROWS_DELETED ? count : TIME_ROWS_DELETED;
}

static bool row_is_due(const struct time_keeper *keeper, uint64_t now_ms, uint64_t longest_ms,
                       uint64_t visible) {
    uint64_t interval_ms = longest_ms / TIME_ROWS_WANTED;

    interval_ms = interval_ms > TIME_ROW_MS_MIN ? interval_ms : TIME_ROW_MS_MIN;
    interval_ms = keeper->wanted ? 1 : interval_ms;
    return longest_ms > 0 && (keeper->wanted || visible != keeper->own_version) &&
           (keeper->row_count == 0 || now_ms >= keeper->rows[keeper->row_count - 1] + interval_ms);
}

static enum status append_row(struct time_keeper *keeper, uint64_t now_ms, uint64_t visible) {
    uint8_t value[VARINT64_BYTES_MAX];
    uint8_t key[TIME_KEY_BYTES];
    struct batch_op op = {
        .namespace_id = NAMESPACE_SYSTEM, .key = slice_make(key, sizeof key), .kind = ENTRY_INLINE};

    time_key_store(key, now_ms);
    op.value = slice_make(value, varint_store(value, visible));
    return batch_append(&keeper->commit->batch, &op, slice_make(NULL, 0));
}

static enum status append_deletes(struct time_keeper *keeper, size_t count) {
    uint8_t key[TIME_KEY_BYTES];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM,
                          .key = slice_make(key, sizeof key),
                          .kind = ENTRY_TOMBSTONE};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        time_key_store(key, keeper->rows[i]);
        status = batch_append(&keeper->commit->batch, &op, slice_make(NULL, 0));
    }
    return status;
}

static void done_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct time_keeper *keeper = commit->arg;

    keeper->ended = outcome->status;
    keeper->ended_version = outcome->version;
    atomic_store_explicit(&keeper->busy, false, memory_order_release);
}

struct store_commit *time_keeper_tick(struct time_keeper *keeper, uint64_t now_ms,
                                      uint64_t visible) {
    struct store_commit *commit = keeper->commit;
    enum status status = STATUS_OK;
    uint64_t longest_ms;
    bool due;
    size_t deleted;

    if (atomic_load_explicit(&keeper->busy, memory_order_acquire)) {
        return NULL;
    }
    settle(keeper);
    longest_ms = longest_retention(keeper);
    keeper->wanted &= longest_ms > 0 && keeper->row_count < TIME_ROWS_AT_ONCE_MAX;
    due = row_is_due(keeper, now_ms, longest_ms, visible) && make_room(keeper) == STATUS_OK;
    deleted = rows_useless(keeper, now_ms, longest_ms);
    if (!due && deleted < (longest_ms > 0 ? TIME_ROWS_DELETED / 2 : 1)) {
        return NULL; /* no commit for a few deletes alone, but to end it all */
    }
    commit_request_reset(commit);
    status = append_deletes(keeper, deleted);
    if (status == STATUS_OK && due) {
        status = append_row(keeper, now_ms, visible);
    }
    if (status != STATUS_OK) {
        return NULL; /* no memory: in a second again */
    }
    keeper->wanted &= !due;
    keeper->added_ms = due ? now_ms : 0;
    keeper->deleted = deleted;
    commit->arg = keeper;
    commit->durability = STORE_LOGGED;
    commit->done_cb = done_cb;
    atomic_store_explicit(&keeper->busy, true, memory_order_relaxed);
    return commit;
}
