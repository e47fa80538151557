/* commit_group.c: see commit_group.h. */
#include "storage/commit_group.h"

#include "protocol/base/assert.h"
#include "storage/commit_judge.h"
#include "storage/ikey.h"

/* What an operation takes in a memtable beyond the bytes that it has in the batch's meta. */
static size_t op_overhead(void) {
    return memtable_node_bytes(IKEY_NAMESPACE_BYTES, ENTRY_REFERENCE_BYTES_MAX);
}

#define DELETES_BEYOND 2 /* while nothing can be flushed, a memtable grows to twice its size */

/* A group in the making. */
struct group_build {
    struct view *view; /* owned */
    uint64_t now_ms;
    uint64_t log_bytes; /* upper bound */
    size_t count;
};

/* ---- Completion -------------------------------------------------------------------------------
 */

/* The names that this commit carried are in the log now. */
static void settle_names(struct commit_pipeline *pipeline, const struct store_commit *commit) {
    struct reader reader = reader_make(buffer_slice(&commit->batch.meta));
    struct batch_op op;

    while (batch_take(&reader, commit->batch.values.len, &op) == STATUS_OK) {
        if (op.namespace_id == NAMESPACE_SYSTEM) {
            namespaces_settle(pipeline->options.namespaces, op.key);
        }
    }
}

static void reached_cb(struct store_waiter *waiter, enum status status) {
    struct store_commit *commit =
        (struct store_commit *)((char *)waiter - offsetof(struct store_commit, waiter));

    if (status != STATUS_OK) {
        commit->outcome = (struct store_outcome){.status = STATUS_UNKNOWN};
    } else if (commit->outcome.status == STATUS_OK && commit->names_namespace) {
        settle_names(commit->pipeline, commit);
    }
    commit->done_cb(commit, &commit->outcome);
}

/* Completes the commit when its hold is passed. */
static void complete(struct commit_pipeline *pipeline, struct store_commit *commit) {
    commit->pipeline = pipeline;
    commit->waiter.done_cb = reached_cb;
    watermarks_wait(pipeline->options.marks, &commit->waiter);
}

static void fail(struct commit_pipeline *pipeline, struct store_commit *commit,
                 enum status status) {
    commit->outcome = (struct store_outcome){.status = status};
    commit->waiter.hold = (struct store_hold){0, 0};
    complete(pipeline, commit);
}

static struct store_commit *pop(struct commit_pipeline *pipeline) {
    struct store_commit *commit = pipeline->first;

    pipeline->first = commit->next;
    if (!pipeline->first) {
        pipeline->last = NULL;
    }
    commit->next = NULL;
    return commit;
}

/* ---- Room -------------------------------------------------------------------------------------
 */

enum status commit_group_freeze(struct commit_pipeline *pipeline) {
    struct memtable *fresh;
    enum status status;
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    bool empty = memtable_entries(view->active) == 0;

    view_unref(view);
    if (empty) {
        return STATUS_OK;
    }
    status = memtable_create(pipeline->options.memtable_bytes, &fresh);
    if (status != STATUS_OK) {
        return status;
    }
    status = view_holder_freeze(pipeline->options.views, fresh);
    memtable_unref(fresh); /* the view holds it now, or nobody does */
    if (status == STATUS_OK) {
        pipeline->options.frozen_cb(pipeline->options.arg);
    }
    return status;
}

/* The size at which a segment ends: a fraction of the store, so that a small store is small. */
static uint64_t segment_bytes(struct commit_pipeline *pipeline) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    uint64_t weight = version_weight(view->version) + memtable_log_bytes(view->active);
    uint64_t bytes;

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        weight += memtable_log_bytes(view->frozen[i]);
    }
    view_unref(view);
    bytes = weight / COMMIT_SEGMENT_FRACTION;
    bytes =
        bytes > pipeline->options.segment_bytes_min ? bytes : pipeline->options.segment_bytes_min;
    return bytes < pipeline->options.segment_bytes_max ? bytes
                                                       : pipeline->options.segment_bytes_max;
}

static enum status make_room_in_memory(struct commit_pipeline *pipeline) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    bool full = memtable_bytes(view->active) >= pipeline->options.memtable_bytes ||
                memtable_log_bytes(view->active) >=
                    pipeline->options.unflushed_log_bytes / (VIEW_FROZEN_MAX + 1);

    view_unref(view);
    return full ? commit_group_freeze(pipeline) : STATUS_OK;
}

static enum status make_room_in_log(struct commit_pipeline *pipeline) {
    enum status status = STATUS_OK;
    struct error error = {0};

    if (commit_log_segment_bytes(pipeline->options.log) >= segment_bytes(pipeline)) {
        status = commit_log_rotate(pipeline->options.log, &error);
    }
    /* No room for a new segment: the old one grows, as far as its space can be reserved. */
    return status == STATUS_NO_SPACE ? STATUS_OK : status;
}

static enum status raise_ceiling(struct commit_pipeline *pipeline) {
    struct version_edit edit = {0};
    struct error error = {0};
    uint64_t ceiling = pipeline->version_ceiling + COMMIT_VERSIONS_AHEAD;
    enum status status;

    if (pipeline->next_version + GROUP_COMMITS_MAX < pipeline->version_ceiling) {
        return STATUS_OK;
    }
    version_edit_set(&edit, EDIT_VERSION_CEILING, ceiling);
    status = version_set_install(pipeline->options.versions, &edit, NULL, &error);
    version_edit_deinit(&edit);
    if (status == STATUS_OK) {
        pipeline->version_ceiling = ceiling;
    } else if (status != STATUS_NO_SPACE && status != STATUS_NO_MEMORY) {
        commit_log_fail(pipeline->options.log, &error);
        status = STATUS_LOG_FAILED;
    }
    return status;
}

/* ---- Members ----------------------------------------------------------------------------------
 */

bool commit_group_judge(struct commit_pipeline *pipeline, struct store_commit *commit,
                        enum read_wait wait) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    bool judged = commit_judge(commit, view, pipeline->options.marks,
                               store_clock_now_ms(pipeline->options.clock), wait);

    view_unref(view);
    return judged;
}

static void insert(struct commit_pipeline *pipeline, struct group_build *build,
                   const struct store_commit *commit, const struct log_commit *placed) {
    struct reader reader = reader_make(placed->meta);
    struct batch_op op;

    while (batch_take(&reader, placed->values.len, &op) == STATUS_OK) {
        size_t row_len = row_store(pipeline->row, op.namespace_id, op.key);
        struct entry entry =
            batch_op_entry(&op, commit_log_segment(pipeline->options.log), placed->values_offset,
                           (enum durability)commit->durability);
        memtable_insert(build->view->active, slice_make(pipeline->row, row_len), placed->version,
                        &entry);
    }
}

/* Bytes in memory that are still to be written to tables. */
static uint64_t unflushed_bytes(const struct view *view) {
    uint64_t bytes = memtable_bytes(view->active);

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        bytes += memtable_bytes(view->frozen[i]);
    }
    return bytes;
}

/* Room for the books of the segments that aliases and large values refer to. */
static enum status reserve_segments(struct memtable *memtable, const struct batch *batch) {
    struct reader reader = reader_make(buffer_slice(&batch->meta));
    enum status status = STATUS_OK;
    struct batch_op op;

    while (status == STATUS_OK && batch_take(&reader, batch->values.len, &op) == STATUS_OK) {
        if (op.alias || op.kind == ENTRY_LARGE) {
            struct entry entry = batch_op_entry(&op, 0, 0, DURABILITY_MEMORY);
            status = memtable_reserve_segments(memtable, &entry);
        }
    }
    return status;
}

/* Space for the commit in the log and in memory, before anything of it is written. */
static enum status reserve(struct commit_pipeline *pipeline, struct group_build *build,
                           const struct store_commit *commit) {
    size_t meta_bytes = commit->batch.meta.len;
    size_t node_bytes = meta_bytes + commit->batch.op_count * op_overhead();
    uint64_t log_bytes = COMMIT_HEADER_BYTES + meta_bytes + commit->batch.values.len;
    struct error error = {0};
    enum status status;

    if (pipeline->puts_refused != STATUS_OK &&
        (commit->puts || memtable_bytes(build->view->active) >=
                             DELETES_BEYOND * pipeline->options.memtable_bytes)) {
        return pipeline->puts_refused;
    }
    if (commit->puts && space_guard_is_low(pipeline->options.space, unflushed_bytes(build->view))) {
        return STATUS_NO_SPACE;
    }
    status = memtable_reserve(build->view->active, node_bytes, node_bytes);
    if (status == STATUS_OK && commit->batch.refers_elsewhere) {
        status = reserve_segments(build->view->active, &commit->batch);
    }
    if (status == STATUS_OK) {
        status = commit_log_reserve(pipeline->options.log, build->log_bytes + log_bytes, &error);
    }
    if (status == STATUS_OK) {
        build->log_bytes += log_bytes;
    } else if (status != STATUS_NO_SPACE && status != STATUS_NO_MEMORY) {
        commit_log_fail(pipeline->options.log, &error);
        status = STATUS_LOG_FAILED;
    }
    return status;
}

static void add_member(struct commit_pipeline *pipeline, struct group_build *build,
                       struct store_commit *commit) {
    struct log_commit *placed = &pipeline->group[build->count];

    *placed = (struct log_commit){.meta = buffer_slice(&commit->batch.meta),
                                  .values = buffer_slice(&commit->batch.values),
                                  .op_count = commit->batch.op_count,
                                  .version = pipeline->next_version++};
    pipeline->members[build->count++] = commit;
    if (placed->values.len > 0) {
        commit_log_layout(pipeline->options.log, pipeline->group, build->count);
    }
    commit->outcome = (struct store_outcome){.status = STATUS_OK, .version = placed->version};
    commit->waiter.hold = (struct store_hold){
        .written_version = commit->durability >= STORE_LOGGED ? placed->version : 0,
        .durable_version = commit->durability == STORE_SYNCED ? placed->version : 0};
    insert(pipeline, build, commit, placed);
}

/* Takes the commit at the head into the group, or completes it otherwise. WOULD_BLOCK: it stays. */
static enum status take_head(struct commit_pipeline *pipeline, struct group_build *build) {
    struct store_commit *commit = pipeline->first;
    enum status status;

    if (commit->conditions.len > 0 && !commit->judged &&
        !commit_judge(commit, build->view, pipeline->options.marks, build->now_ms,
                      READ_WAIT_NEVER)) {
        return STATUS_WOULD_BLOCK;
    }
    pop(pipeline);
    if (commit->conditions.len > 0 && commit->outcome.status != STATUS_OK) {
        complete(pipeline, commit);
        return STATUS_OK;
    }
    if (commit->batch.op_count == 0) {
        commit->outcome =
            (struct store_outcome){.status = STATUS_OK, .version = pipeline->next_version - 1};
        commit->waiter.hold = (struct store_hold){
            .written_version = commit->outcome.version,
            .durable_version = commit->durability == STORE_SYNCED ? commit->outcome.version : 0};
        complete(pipeline, commit);
        return STATUS_OK;
    }
    status = reserve(pipeline, build, commit);
    if (status == STATUS_OK) {
        add_member(pipeline, build, commit);
    } else {
        fail(pipeline, commit, status);
    }
    return STATUS_OK;
}

/* ---- The group --------------------------------------------------------------------------------
 */

static void complete_members(struct commit_pipeline *pipeline, size_t count) {
    uint64_t wanted = 0;

    for (size_t i = 0; i < count; i++) {
        struct store_commit *commit = pipeline->members[i];
        if (commit->waiter.hold.durable_version > wanted) {
            wanted = commit->waiter.hold.durable_version;
        }
        complete(pipeline, commit); /* may be gone after */
    }
    if (wanted > 0) {
        syncer_want(pipeline->options.syncer, wanted);
    }
}

/* The append failed, so the group never becomes visible: UNKNOWN for those of class MEMORY too. */
static void wait_in_vain(struct commit_pipeline *pipeline, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct store_commit *commit = pipeline->members[i];
        commit->waiter.hold.written_version = commit->outcome.version;
    }
}

static void write_group(struct commit_pipeline *pipeline, struct group_build *build) {
    uint64_t last_version = pipeline->next_version - 1;
    enum status status;

    memtable_note_log(build->view->active, commit_log_segment(pipeline->options.log),
                      build->log_bytes);
    commit_log_layout(pipeline->options.log, pipeline->group, build->count);
    status = commit_log_append(pipeline->options.log, pipeline->group, build->count, last_version);
    if (status == STATUS_OK) {
        space_guard_note(pipeline->options.space, build->log_bytes);
        atomic_fetch_add_explicit(&pipeline->stats.groups, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&pipeline->stats.commits, build->count, memory_order_relaxed);
        atomic_fetch_add_explicit(&pipeline->stats.log_bytes, build->log_bytes,
                                  memory_order_relaxed);
    } else {
        wait_in_vain(pipeline, build->count);
    }
    complete_members(pipeline, build->count);
}

static void fail_all(struct commit_pipeline *pipeline, enum status status) {
    while (pipeline->first) {
        fail(pipeline, pop(pipeline), status);
    }
}

enum status commit_group_run(struct commit_pipeline *pipeline) {
    struct group_build build = {.log_bytes = GROUP_HEADER_BYTES};
    uint64_t visible;
    enum status status = commit_log_failed(pipeline->options.log) ? STATUS_LOG_FAILED : STATUS_OK;

    if (status == STATUS_OK) {
        status = make_room_in_memory(pipeline);
    }
    pipeline->puts_refused = STATUS_OK;
    if (status == STATUS_BUSY && !commit_pipeline_is_stopping(pipeline)) {
        pipeline->puts_refused =
            atomic_load_explicit(pipeline->options.flush_status, memory_order_relaxed);
        if (pipeline->puts_refused == STATUS_OK) {
            return STATUS_BUSY; /* it only takes a while */
        }
    }
    status = status == STATUS_BUSY ? STATUS_OK : status; /* deletes, and the last ones at a close,
                                                            find room all the same */
    if (status == STATUS_OK) {
        status = make_room_in_log(pipeline);
    }
    if (status == STATUS_OK) {
        status = raise_ceiling(pipeline);
    }
    if (status != STATUS_OK) {
        fail_all(pipeline, status);
        return STATUS_OK;
    }
    build.view = view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    build.now_ms = store_clock_now_ms(pipeline->options.clock);
    while (pipeline->first && status == STATUS_OK && build.count < GROUP_COMMITS_MAX &&
           build.log_bytes < COMMIT_GROUP_BYTES) {
        status = take_head(pipeline, &build);
    }
    if (build.count > 0) {
        write_group(pipeline, &build);
        status = STATUS_OK; /* who needs the disk is met again at the head of the next group */
    }
    view_unref(build.view);
    return status;
}
