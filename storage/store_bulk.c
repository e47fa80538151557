/* store_bulk.c: the part of the door through which sorted input comes in (door/bulk.h).
 *
 *      begin    a version far above the present one is set aside
 *      add      bulk_writer.h writes tables and segments with it
 *      finish   LOAD_BEGUN    an ordinary commit (load_row.h)
 *               flush         most of what is in memory
 *               pause, halt   no compaction and no GC; then no commit
 *               flush         the little that has come in since: nothing newer may lie above the
 * load place         which level each table goes to (bulk_place.h) install       one edit adds it
 * all, and one commit of the version of the load, LOAD_ENDED, makes it visible; commits go on above
 * that version
 *
 * Whatever comes between is undone by doing nothing, for a crash as for an error: the files of the
 * load are named by no edit. Only after the edit, and before the log has the commit, is there
 * something to make good: the next open finds LOAD_BEGUN and writes LOAD_ENDED. */
#include "storage/store_bulk.h"
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/bulk_place.h"
#include "storage/bulk_writer.h"
#include "storage/commit_group.h"
#include "storage/commit_wait.h"
#include "storage/lane_call.h"
#include "storage/load_row.h"
#include "storage/namespace_usage.h"

struct store_bulk {
    struct store *store; /* borrowed */
    struct bulk_writer writer;
    enum status broken; /* OK, or what it met */
    bool ended;         /* finished, with any result */
    bool keep_files;    /* they are installed, or may be */
};

/* ---- Rows -------------------------------------------------------------------------------------
 */

static enum status stage_row(struct store_commit *commit, const struct load_row *row) {
    uint8_t value[LOAD_ROW_BYTES_MAX];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM,
                          .key = slice_from_text(LOAD_ROW_KEY),
                          .kind = ENTRY_INLINE};

    op.value = slice_make(value, load_row_store(value, row));
    return batch_append(&commit->batch, &op, slice_make(NULL, 0));
}

/* Errors: NO_MEMORY. */
static enum status make_row(struct store *store, const struct load_row *row,
                            struct store_commit **commit_out) {
    enum status status = store_commit_create(store, commit_out);

    if (status == STATUS_OK) {
        status = stage_row(*commit_out, row);
        if (status == STATUS_OK) {
            status = batch_finish(&(*commit_out)->batch);
        }
        if (status != STATUS_OK) {
            store_commit_destroy(*commit_out);
        }
    }
    return status;
}

/* The deterministic scheduler, if it is that. */
static struct scheduler *sim_of(const struct store *store) {
    return store->scheduler_is_owned ? NULL : store->scheduler;
}

static struct load_row row_of(const struct store_bulk *bulk, enum load_state state) {
    return (struct load_row){state, bulk->writer.namespace_id, bulk->writer.version};
}

/* Commits the row, as any commit. */
static enum status write_row(struct store_bulk *bulk, enum load_state state, struct error *error) {
    struct load_row row = row_of(bulk, state);
    struct store_commit *commit;
    struct commit_wait wait;
    enum status status = make_row(bulk->store, &row, &commit);

    if (status == STATUS_OK) {
        commit_wait_begin(&wait, commit);
        store_submit(bulk->store, &commit, 1, STORE_LOGGED, commit_wait_done_cb);
        status = commit_wait_end(&wait, sim_of(bulk->store));
        store_commit_destroy(commit);
    }
    return status == STATUS_OK ? status
                               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                                           "a bulk load: %s", status_text(status));
}

/* ---- Begin and add ----------------------------------------------------------------------------
 */

static bool take_turn(struct store *store) {
    bool under_way = false;
    return atomic_compare_exchange_strong_explicit(&store->bulk_is_under_way, &under_way, true,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void leave_turn(struct store *store) {
    atomic_store_explicit(&store->bulk_is_under_way, false, memory_order_release);
}

static enum status check_begin(struct store *store, uint32_t namespace_id) {
    if (store->options.read_only) {
        return STATUS_READ_ONLY;
    }
    if (namespace_id == NAMESPACE_SYSTEM) {
        return STATUS_INVALID;
    }
    if (commit_log_failed(&store->log)) {
        return STATUS_LOG_FAILED;
    }
    return space_guard_is_low(&store->space, 0) ? STATUS_NO_SPACE : STATUS_OK;
}

static enum status create(struct store *store, uint32_t namespace_id,
                          struct store_bulk **bulk_out) {
    struct bulk_context context = {.store = store,
                                   .policy = &store->policy,
                                   .log = &store->log,
                                   .views = &store->views,
                                   .space = &store->space,
                                   .promise = &store->promise,
                                   .block_bytes = store->options.block_bytes};
    struct store_bulk *bulk = memory_alloc_aligned(_Alignof(struct store_bulk), sizeof *bulk);
    enum status status;

    if (!bulk) {
        return STATUS_NO_MEMORY;
    }
    *bulk = (struct store_bulk){.store = store};
    status = bulk_writer_init(&bulk->writer, &context, namespace_id,
                              watermarks_visible(&store->marks) + LOAD_VERSIONS_ASIDE);
    if (status != STATUS_OK) {
        bulk_writer_deinit(&bulk->writer, false);
        memory_free(bulk);
        return status;
    }
    *bulk_out = bulk;
    return STATUS_OK;
}

enum status store_bulk_begin(struct store *store, uint32_t namespace_id,
                             struct store_bulk **bulk_out, struct error *error) {
    enum status status = check_begin(store, namespace_id);

    if (status == STATUS_OK && !take_turn(store)) {
        return error_set(error, STATUS_BUSY, 0, NULL, ERROR_NO_OFFSET,
                         "another bulk load is under way");
    }
    if (status == STATUS_OK) {
        status = create(store, namespace_id, bulk_out);
        if (status != STATUS_OK) {
            leave_turn(store);
        }
    }
    return status == STATUS_OK ? status
                               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                                           "beginning a bulk load: %s", status_text(status));
}

static enum status refuse(const struct store_bulk *bulk, struct error *error) {
    enum status status = bulk->broken != STATUS_OK ? bulk->broken : STATUS_INVALID;

    return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                     bulk->ended ? "the bulk load has ended"
                                 : "the bulk load has met an error before");
}

enum status store_bulk_add(struct store_bulk *bulk, const struct store_bulk_entry *entry,
                           struct error *error) {
    struct store_put put = {.namespace_id = bulk->writer.namespace_id,
                            .key = entry->key,
                            .value = entry->value,
                            .ttl_ms = entry->ttl_ms,
                            .user_flags = entry->user_flags,
                            .has_checksum = entry->has_checksum,
                            .checksum = entry->checksum};

    if (bulk->broken != STATUS_OK || bulk->ended) {
        return refuse(bulk, error);
    }
    bulk->broken = bulk_writer_add(&bulk->writer, &put, error);
    return bulk->broken;
}

uint64_t store_bulk_entries(const struct store_bulk *bulk) {
    return bulk->writer.entries;
}

uint64_t store_bulk_bytes(const struct store_bulk *bulk) {
    return bulk->writer.bytes;
}

uint64_t store_bulk_memory(const struct store_bulk *bulk) {
    return bulk_writer_memory(&bulk->writer);
}

/* ---- The moment -------------------------------------------------------------------------------
 */

/* What happens on the commit lane. */
struct moment {
    struct store_bulk *bulk;
    struct store_commit *commit; /* LOAD_ENDED */
    enum status status;
    struct error *error;
};

static enum status check_quota(const struct store_bulk *bulk, const struct view *view) {
    uint32_t id = bulk->writer.namespace_id;
    uint64_t quota_bytes = namespaces_settings(&bulk->store->namespaces, id).quota_bytes;
    uint64_t live_bytes;
    uint64_t keys;

    if (quota_bytes == 0) {
        return STATUS_OK;
    }
    usage_estimate(usage_of_tables(view->version, id), &keys, &live_bytes);
    return live_bytes > quota_bytes || bulk->writer.stored_bytes > quota_bytes - live_bytes
               ? STATUS_QUOTA
               : STATUS_OK;
}

/* Whether it may come in as things are now. */
static enum status check_moment(const struct store_bulk *bulk, struct error *error) {
    struct store *store = bulk->store;
    uint64_t visible;
    struct view *view = view_holder_take(&store->views, &store->marks, &visible);
    enum status status = namespaces_is_there(&store->namespaces, bulk->writer.namespace_id)
                             ? STATUS_OK
                             : STATUS_NOT_FOUND;

    ASSERT(view->frozen_count == 0 && memtable_entries(view->active) == 0); /* flushed */
    if (status == STATUS_OK) {
        status = check_quota(bulk, view);
    }
    view_unref(view);
    return status == STATUS_OK ? status
                               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                                           "a bulk load: %s", status_text(status));
}

static void moment_cb(void *arg) {
    struct moment *moment = arg;
    struct store_bulk *bulk = moment->bulk;
    struct store *store = bulk->store;
    struct commit_single single = {
        .commit = moment->commit, .version = bulk->writer.version, .edit = &bulk->writer.edit};

    moment->status = check_moment(bulk, moment->error);
    if (moment->status == STATUS_OK) {
        moment->status = commit_group_run_single(&store->pipeline, &single, moment->error);
    }
    bulk->keep_files = moment->status == STATUS_OK || moment->status == STATUS_LOG_FAILED;
    if (moment->status == STATUS_OK) {
        bulk_writer_installed(&bulk->writer);
    }
    if (moment->status == STATUS_OK && !commit_log_failed(&store->log)) { /* it is visible */
        conflict_window_forget(&store->window, single.version);
    }
}

/* Commits are halted. */
static enum status place_and_install(struct moment *moment) {
    struct store *store = moment->bulk->store;
    enum status status = store_flush(store, moment->error);
    struct version *version;

    if (status == STATUS_OK) {
        version = version_set_take(&store->versions);
        status = bulk_place_tables(version, &moment->bulk->writer.edit, moment->error);
        version_unref(version);
    }
    if (status == STATUS_OK) {
        lane_call(store->scheduler, LANE_COMMIT, !store->scheduler_is_owned, moment_cb, moment);
        status = moment->status;
    }
    return status;
}

static enum status install(struct store_bulk *bulk, struct store_commit *commit,
                           struct error *error) {
    struct store *store = bulk->store;
    struct moment moment = {.bulk = bulk, .commit = commit, .error = error};
    enum status status = maintenance_pause(&store->maintenance, error);

    if (status != STATUS_OK) {
        return status;
    }
    commit_halt(&store->pipeline, !store->scheduler_is_owned);
    status = place_and_install(&moment);
    commit_resume(&store->pipeline);
    maintenance_resume(&store->maintenance);
    return status;
}

/* ---- Finish -----------------------------------------------------------------------------------
 */

/* The log goes from LOAD_BEGUN to LOAD_ENDED. */
static enum status commit_load(struct store_bulk *bulk, struct error *error) {
    struct load_row row = row_of(bulk, LOAD_ENDED);
    struct store_commit *commit;
    struct commit_wait wait;
    enum status status = store_flush(bulk->store, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = make_row(bulk->store, &row, &commit);
    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "a bulk load");
    }
    commit->durability = STORE_SYNCED;
    commit->done_cb = commit_wait_done_cb;
    commit_wait_begin(&wait, commit);
    status = install(bulk, commit, error);
    if (status != STATUS_OK) {
        commit_wait_cancel(&wait);
    } else if (commit_wait_end(&wait, sim_of(bulk->store)) != STATUS_OK) {
        status = error_set(error, STATUS_LOG_FAILED, 0, NULL, ERROR_NO_OFFSET,
                           "the log failed at the end of a bulk load");
    }
    store_commit_destroy(commit);
    return status;
}

static enum status finish(struct store_bulk *bulk, struct error *error) {
    enum status status = bulk_writer_finish(&bulk->writer, error);
    struct error ignored;

    if (status == STATUS_OK) {
        status = write_row(bulk, LOAD_BEGUN, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = commit_load(bulk, error);
    if (status != STATUS_OK && !bulk->keep_files) {
        enum status written = write_row(bulk, LOAD_NONE, &ignored);
        (void)written; /* else the next open writes it */
    }
    return status;
}

static void count_load(struct store *store, const struct bulk_writer *writer) {
    atomic_fetch_add_explicit(&store->loads, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->load_entries, writer->entries, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->load_bytes, writer->bytes, memory_order_relaxed);
}

enum status store_bulk_finish(struct store_bulk *bulk, uint64_t *version_out, struct error *error) {
    struct error found = {0};

    if (bulk->broken != STATUS_OK || bulk->ended) {
        return refuse(bulk, error);
    }
    bulk->ended = true;
    if (bulk->writer.entries == 0) {
        *version_out = watermarks_visible(&bulk->store->marks);
        return STATUS_OK;
    }
    bulk->broken = finish(bulk, &found);
    *version_out = bulk->writer.version;
    if (bulk->broken == STATUS_OK) {
        count_load(bulk->store, &bulk->writer);
    } else if (error) {
        *error = found;
        error->status = bulk->broken;
    }
    return bulk->broken;
}

void store_bulk_destroy(struct store_bulk *bulk) {
    if (bulk) {
        bulk_writer_deinit(&bulk->writer, bulk->keep_files);
        leave_turn(bulk->store);
        memory_free(bulk);
    }
}

/* ---- At open ----------------------------------------------------------------------------------
 */

static void made_good_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    (void)outcome; /* if it failed, the next open tries again */
    store_commit_destroy(commit);
}

/* Errors: NOT_FOUND, CORRUPT, IO, NO_MEMORY. */
static enum status read_row(struct store *store, struct load_row *row_out, struct error *error) {
    struct buffer value = {.cap = VALUE_BYTES_MAX};
    struct store_value_info info;
    struct store_read read;
    enum status status;

    store_read_begin(store, &read);
    status = store_get(&read, NAMESPACE_SYSTEM, slice_from_text(LOAD_ROW_KEY), STORE_WAIT_ALLOWED,
                       &value, &info, error);
    store_read_end(&read);
    if (status == STATUS_OK) {
        status = load_row_parse(buffer_slice(&value), row_out);
    }
    buffer_deinit(&value);
    return status;
}

enum status store_bulk_make_good(struct store *store, struct error *error) {
    struct store_commit *commit;
    struct load_row row;
    enum status status = read_row(store, &row, error);

    if (status != STATUS_OK || row.state != LOAD_BEGUN) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    row.state = watermarks_visible(&store->marks) >= row.version ? LOAD_ENDED : LOAD_NONE;
    status = make_row(store, &row, &commit);
    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "the end of a bulk load");
    }
    store_submit(store, &commit, 1, STORE_LOGGED, made_good_cb);
    return STATUS_OK;
}
