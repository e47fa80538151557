/* store_jobs.c: the part of the door that starts background work by hand, and waits for it.
 *
 * Called on threads that may wait: of tools, or of the I/O lane of a server, while writes go on. So
 * each waits for the work that it asked for, and never for the store to come to rest. Only the
 * deterministic scheduler, which has no threads, is drained instead. */
#include "storage/commit_group.h"
#include "storage/store_state.h"

/* Freezes on the commit lane, where nothing is inserted meanwhile. */
struct freeze_step {
    struct step step;
    struct store *store;
    struct mutex mu;
    struct condvar ended;
    /* guarded by mu */
    bool done;
    enum status status;
    uint64_t version; /* all commits up to it are frozen */
};

static void freeze_step_run(struct step *step) {
    struct freeze_step *freeze = (struct freeze_step *)step;
    enum status status = commit_group_freeze(&freeze->store->pipeline);

    mutex_lock(&freeze->mu);
    freeze->status = status;
    freeze->version = watermarks_visible(&freeze->store->marks);
    freeze->done = true;
    condvar_signal(&freeze->ended); /* under the lock: the waiter frees it */
    mutex_unlock(&freeze->mu);
}

/* Errors: READ_ONLY, BUSY (too many memtables wait for their flush), and others of
 * commit_group_freeze. */
static enum status freeze_now(struct store *store, uint64_t *version_out) {
    struct freeze_step freeze = {.store = store};
    enum status status;

    if (store->options.read_only) {
        return STATUS_READ_ONLY;
    }
    mutex_init(&freeze.mu);
    condvar_init(&freeze.ended);
    step_init(&freeze.step, freeze_step_run);
    scheduler_post(store->scheduler, LANE_COMMIT, &freeze.step);
    if (!store->scheduler_is_owned) {
        scheduler_drain(store->scheduler);
    }
    mutex_lock(&freeze.mu);
    while (!freeze.done) {
        condvar_wait(&freeze.ended, &freeze.mu);
    }
    status = freeze.status;
    *version_out = freeze.version;
    mutex_unlock(&freeze.mu);
    condvar_deinit(&freeze.ended);
    mutex_deinit(&freeze.mu);
    return status;
}

/* Waits for a flush, to make room for one more frozen memtable. */
static enum status flush_oldest_frozen(struct store *store, struct error *error) {
    uint64_t version;
    struct view *view = view_holder_take(&store->views, &store->marks, &version);

    version =
        view->frozen_count > 0 ? memtable_version_min(view->frozen[view->frozen_count - 1]) : 0;
    view_unref(view);
    return maintenance_flush(&store->maintenance, version, !store->scheduler_is_owned, error);
}

static enum status flush(struct store *store, struct error *error) {
    uint64_t version = 0;
    enum status status = freeze_now(store, &version);

    while (status == STATUS_BUSY) {
        status = flush_oldest_frozen(store, error);
        if (status != STATUS_OK) {
            return status;
        }
        status = freeze_now(store, &version);
    }
    if (status == STATUS_OK) {
        return maintenance_flush(&store->maintenance, version, !store->scheduler_is_owned, error);
    }
    return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "freezing the memtable");
}

static enum status give_error(enum status status, const struct error *found, struct error *error) {
    if (status != STATUS_OK && error) {
        *error = *found;
    }
    return status;
}

enum status store_flush(struct store *store, struct error *error) {
    struct error found = {0};
    enum status status = flush(store, &found);

    return give_error(status, &found, error);
}

enum status store_compact(struct store *store, struct error *error) {
    struct error found = {0};
    enum status status = flush(store, &found);

    if (status == STATUS_OK) {
        status = maintenance_compact(&store->maintenance, !store->scheduler_is_owned, &found);
    }
    return give_error(status, &found, error);
}

enum status store_collect(struct store *store, struct error *error) {
    struct error found = {0};
    enum status status = flush(store, &found);

    if (status == STATUS_OK) {
        status = maintenance_collect(&store->maintenance, !store->scheduler_is_owned, &found);
    }
    return give_error(status, &found, error);
}

void store_cancel_jobs(struct store *store) {
    atomic_store_explicit(&store->cancelled, true, memory_order_relaxed);
    if (!store->options.read_only) {
        maintenance_cancel(&store->maintenance);
    }
}
