/* commit_group.c: see commit_group.h. */
#include "storage/commit_group.h"

#include "protocol/base/assert.h"
#include "storage/checksum.h"
#include "storage/commit_catalogue.h"
#include "storage/commit_ready.h"
#include "storage/commit_retry.h"
#include "storage/ikey.h"

/* What an operation takes in a memtable beyond the bytes that it has in the batch's meta. */
static size_t op_overhead(void) {
    return memtable_node_bytes(IKEY_NAMESPACE_BYTES, ENTRY_REFERENCE_BYTES_MAX);
}

#define STREAMS_BITS 4096u
#define PASS_LOOK_MAX 4096u /* so far back deletes are looked for */
#define REFUSALS_MAX 100u   /* a millisecond each */
#define DELETES_BEYOND 2    /* while nothing can be flushed, a memtable grows to twice its size */

/* A group in the making. */
struct group_build {
    struct view *view;     /* owned */
    uint64_t log_bytes;    /* upper bound */
    uint64_t extent_bytes; /* that its large values refer to */
    uint64_t wanted;       /* the newest version that a repeat waits for */
    size_t count;
};

/* ---- Completion -------------------------------------------------------------------------------
 */

static void reached_cb(struct store_waiter *waiter, enum status status) {
    struct store_commit *commit =
        (struct store_commit *)((char *)waiter - offsetof(struct store_commit, waiter));

    if (status != STATUS_OK) {
        commit->outcome = (struct store_outcome){.status = STATUS_UNKNOWN};
    } else if (commit->outcome.status == STATUS_OK) {
        commit_catalogue_answered(commit, commit->pipeline->options.namespaces);
    }
    commit_request_let_go(commit);
    commit->done_cb(commit, &commit->outcome);
}

/* Completes the commit when its hold is passed. */
static void complete(struct commit_pipeline *pipeline, struct store_commit *commit) {
    commit->pipeline = pipeline;
    commit->waiter.done_cb = reached_cb;
    watermarks_wait(pipeline->options.marks, &commit->waiter);
}

static void set_failure(struct store_commit *commit, enum status status) {
    commit->outcome = (struct store_outcome){.status = status};
    commit->waiter.hold = (struct store_hold){0, 0};
}

static void fail(struct commit_pipeline *pipeline, struct store_commit *commit,
                 enum status status) {
    set_failure(commit, status);
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

/* What follows from the weight of the store, so that a small store is small. */
static struct sizes sizes_now(const struct commit_pipeline *pipeline) {
    const struct commit_options *options = &pipeline->options;

    if (!options->promise) {
        return (struct sizes){.segment_bytes = options->segment_bytes_max,
                              .memtable_log_bytes =
                                  options->unflushed_log_bytes / (VIEW_FROZEN_MAX + 1)};
    }
    return space_promise_sizes(options->promise);
}

static enum status make_room_in_memory(struct commit_pipeline *pipeline) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    bool full = memtable_bytes(view->active) >= pipeline->options.memtable_bytes ||
                memtable_ranges_count(view->active_ranges) >= MEMTABLE_RANGES_MAX ||
                memtable_log_bytes(view->active) >= sizes_now(pipeline).memtable_log_bytes;

    view_unref(view);
    return full ? commit_group_freeze(pipeline) : STATUS_OK;
}

static enum status make_room_in_log(struct commit_pipeline *pipeline) {
    enum status status = STATUS_OK;
    struct error error = {0};

    if (commit_log_segment_bytes(pipeline->options.log) >= sizes_now(pipeline).segment_bytes) {
        status = commit_log_rotate(pipeline->options.log, &error);
    }
    /* No room for a new segment: the old one grows, as far as its space can be reserved. */
    return status == STATUS_NO_SPACE ? STATUS_OK : status;
}

/* Installs an edit, which may be empty otherwise, that raises the ceiling. */
static enum status install_ceiling(struct commit_pipeline *pipeline, struct version_edit *edit,
                                   uint64_t ceiling, struct error *error) {
    enum status status;

    version_edit_set(edit, EDIT_VERSION_CEILING, ceiling);
    status = version_set_install(pipeline->options.versions, edit, NULL, error);
    if (status == STATUS_OK) {
        pipeline->version_ceiling = ceiling;
    } else if (status != STATUS_NO_SPACE && status != STATUS_NO_MEMORY) {
        commit_log_fail(pipeline->options.log, error);
        status = STATUS_LOG_FAILED;
    }
    return status;
}

static enum status raise_ceiling(struct commit_pipeline *pipeline) {
    struct version_edit edit = {0};
    struct error error = {0};
    enum status status;

    if (pipeline->next_version + GROUP_COMMITS_MAX < pipeline->version_ceiling) {
        return STATUS_OK;
    }
    status =
        install_ceiling(pipeline, &edit, pipeline->version_ceiling + COMMIT_VERSIONS_AHEAD, &error);
    version_edit_deinit(&edit);
    return status;
}

/* ---- Members ----------------------------------------------------------------------------------
 */

void commit_group_judge(struct commit_pipeline *pipeline, struct store_commit *commit) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    bool judged = commit_ready_judge(pipeline, commit, view, READ_WAIT_ALLOWED);

    ASSERT(judged);
    commit->judged = true;
    view_unref(view);
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
        build->extent_bytes +=
            entry.kind == ENTRY_LARGE && !entry.alias ? entry_log_bytes(&entry) : 0;
    }
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
    if (commit->puts &&
        space_guard_is_low(pipeline->options.space, commit_ready_unflushed_bytes(build->view))) {
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

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* The answer tells what the commit has read too: it waits for its own durability, and for that of
 * what its conditions met and its additions added to. */
static void hold_member(struct store_commit *commit, uint64_t version) {
    struct store_hold *hold = &commit->waiter.hold;

    if (commit->durability >= STORE_LOGGED) {
        hold->written_version = later(hold->written_version, version);
    }
    if (commit->durability == STORE_SYNCED) {
        hold->durable_version = later(hold->durable_version, version);
    }
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
    if (commit->outcome.status == STATUS_OK) { /* else it is the row of a refusal */
        commit->outcome = (struct store_outcome){
            .status = STATUS_OK,
            .version = placed->version,
            .result_count = (uint32_t)(commit->results.len / sizeof(int64_t)),
            .results = (const int64_t *)(const void *)commit->results.data,
            .number = commit->has_token ? commit->token.number : 0};
    }
    hold_member(commit, placed->version);
    insert(pipeline, build, commit, placed);
    commit_catalogue_inserted(commit, pipeline->options.namespaces);
}

/* ---- The head of the queue --------------------------------------------------------------------
 */

/* Goes into the gate if the commit may make an alias, and looks at the store anew from there. */
static enum status enter_gate(struct commit_pipeline *pipeline, struct group_build *build,
                              const struct store_commit *commit) {
    uint64_t visible;

    if (pipeline->in_gate || !(commit->makes_aliases || commit->batch.refers_elsewhere)) {
        return STATUS_OK;
    }
    if (!alias_gate_enter(&pipeline->options.versions->gate)) {
        return STATUS_BUSY;
    }
    pipeline->in_gate = true;
    view_unref(build->view); /* the active memtable is the same: only this lane replaces it */
    build->view = view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    return STATUS_OK;
}

static void leave_gate(struct commit_pipeline *pipeline) {
    if (pipeline->in_gate) {
        alias_gate_leave(&pipeline->options.versions->gate);
        pipeline->in_gate = false;
    }
}

/* Nothing is to be written: the answer is the newest version. */
static void complete_empty(struct commit_pipeline *pipeline, struct store_commit *commit) {
    commit->outcome =
        (struct store_outcome){.status = STATUS_OK, .version = pipeline->next_version - 1};
    commit->waiter.hold = (struct store_hold){
        .written_version = commit->outcome.version,
        .durable_version = commit->durability == STORE_SYNCED ? commit->outcome.version : 0};
    complete(pipeline, commit);
}

/* It has been done before: it waits for that one, which may be of this very group. */
static void complete_repeat(struct commit_pipeline *pipeline, struct group_build *build,
                            struct store_commit *commit) {
    build->wanted = later(build->wanted, commit->waiter.hold.durable_version);
    atomic_fetch_add_explicit(&pipeline->stats.repeats, 1, memory_order_relaxed);
    complete(pipeline, commit);
}

/* Brings the commit at the head so far that it can be inserted. OK: it is judged, see its outcome.
 * WOULD_BLOCK, BUSY: it stays. Else what it is to fail with. */
static enum status prepare_head(struct commit_pipeline *pipeline, struct group_build *build) {
    struct store_commit *commit = pipeline->first;
    enum status status;

    if (commit->judged) {
        return STATUS_OK; /* it came in before it went to the I/O thread */
    }
    status = commit_ready_admit(pipeline, commit, build->view);
    if (status == STATUS_OK) {
        status = enter_gate(pipeline, build, commit);
    }
    if (status == STATUS_OK &&
        !commit_ready_judge(pipeline, commit, build->view, READ_WAIT_NEVER)) {
        status = STATUS_WOULD_BLOCK;
    }
    return status;
}

/* Whether a commit that is refused has something to write all the same. */
static bool stage_refusal(struct commit_pipeline *pipeline, struct store_commit *commit) {
    return commit->has_token &&
           commit_retry_stage_refusal(commit, store_clock_now_ms(pipeline->options.clock));
}

static void place(struct commit_pipeline *pipeline, struct group_build *build,
                  struct store_commit *commit) {
    enum status status = reserve(pipeline, build, commit);

    if (status == STATUS_OK) {
        add_member(pipeline, build, commit);
    } else {
        fail(pipeline, commit, status);
    }
}

/* Takes the commit at the head into the group, or completes it otherwise. WOULD_BLOCK, BUSY: it
 * stays. */
static enum status take_head(struct commit_pipeline *pipeline, struct group_build *build) {
    struct store_commit *commit = pipeline->first;
    enum status status = prepare_head(pipeline, build);

    if (status == STATUS_WOULD_BLOCK || status == STATUS_BUSY) {
        return status;
    }
    pop(pipeline);
    if (status == STATUS_OK && commit->is_repeat) {
        complete_repeat(pipeline, build, commit);
        return STATUS_OK;
    }
    if (status == STATUS_OK && commit->outcome.status == STATUS_OK) {
        status = commit_ready_finish(pipeline, commit, build->view);
    }
    if (status != STATUS_OK) {
        set_failure(commit, status);
    }
    if (commit->outcome.status != STATUS_OK && !stage_refusal(pipeline, commit)) {
        complete(pipeline, commit);
    } else if (commit->batch.op_count == 0) {
        complete_empty(pipeline, commit);
    } else {
        place(pipeline, build, commit);
    }
    return STATUS_OK;
}

/* ---- Passing ----------------------------------------------------------------------------------
 */

/* Streams that were met, by a few bits of their hash: one that was not may be taken for met. */
struct streams_met {
    uint64_t bits[STREAMS_BITS / 64];
};

static uint64_t bit_of(uint64_t stream) {
    return checksum_of(slice_make((const uint8_t *)&stream, sizeof stream)) % STREAMS_BITS;
}

static bool is_met(const struct streams_met *met, uint64_t stream) {
    uint64_t bit = bit_of(stream);
    return (met->bits[bit / 64] >> (bit % 64) & 1) != 0;
}

static void meet(struct streams_met *met, uint64_t stream) {
    uint64_t bit = bit_of(stream);
    met->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static bool only_deletes(const struct store_commit *commit) {
    return !commit->puts && !commit->makes_aliases && !commit->batch.refers_elsewhere &&
           commit->deferred.len == 0 && commit->catalogue.len == 0 && commit->basis.len == 0;
}

/* Puts at the head wait for space, which deletes may bring: those of streams that have nothing
 * before them in the queue come to its head, in their order. True: there were some. */
static bool let_deletes_pass(struct commit_pipeline *pipeline) {
    struct streams_met met = {{0}};
    struct store_commit *passed_last = NULL;
    struct store_commit *before = pipeline->first; /* the put that waits */

    meet(&met, before->stream);
    for (uint32_t i = 0; i < PASS_LOOK_MAX && before->next; i++) {
        struct store_commit *commit = before->next;
        struct store_commit **place = passed_last ? &passed_last->next : &pipeline->first;
        if (commit->stream == 0 || !only_deletes(commit) || is_met(&met, commit->stream)) {
            meet(&met, commit->stream);
            before = commit;
            continue;
        }
        before->next = commit->next;
        if (pipeline->last == commit) {
            pipeline->last = before;
        }
        commit->next = *place;
        *place = commit;
        passed_last = commit;
    }
    return passed_last != NULL;
}

/* ---- The group --------------------------------------------------------------------------------
 */

static void complete_members(struct commit_pipeline *pipeline, size_t count) {
    uint64_t wanted = 0;

    for (size_t i = 0; i < count; i++) {
        struct store_commit *commit = pipeline->members[i];
        wanted = later(wanted, commit->waiter.hold.durable_version);
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
        commit->waiter.hold.written_version = pipeline->group[i].version;
    }
}

static void make_visible(struct commit_pipeline *pipeline, size_t count) {
    for (size_t i = 0; i < count; i++) {
        commit_catalogue_visible(pipeline->members[i], pipeline->options.namespaces);
        if (pipeline->members[i]->names_namespace && pipeline->options.times) {
            time_keeper_want(pipeline->options.times);
        }
    }
}

static void write_group(struct commit_pipeline *pipeline, struct group_build *build) {
    uint64_t last_version = pipeline->next_version - 1;
    enum status status;

    memtable_note_log(build->view->active, commit_log_segment(pipeline->options.log),
                      build->log_bytes + build->extent_bytes);
    commit_log_layout(pipeline->options.log, pipeline->group, build->count);
    status = commit_log_append(pipeline->options.log, pipeline->group, build->count, last_version);
    if (status == STATUS_OK) {
        make_visible(pipeline, build->count);
        if (pipeline->options.times) {
            time_index_note(pipeline->options.times->index,
                            store_clock_now_ms(pipeline->options.clock), last_version);
        }
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

/* Room for a group. BUSY: later. Else what all commits that wait are to fail with. */
static enum status make_room(struct commit_pipeline *pipeline) {
    enum status status = make_room_in_memory(pipeline);

    pipeline->puts_refused = STATUS_OK;
    if (status == STATUS_BUSY && !commit_pipeline_is_stopping(pipeline)) {
        pipeline->puts_refused =
            atomic_load_explicit(pipeline->options.flush_status, memory_order_relaxed);
        if (pipeline->puts_refused == STATUS_OK) {
            return STATUS_BUSY; /* it only takes a while */
        }
    }
    if (status == STATUS_OK || status == STATUS_BUSY) { /* deletes, and the last ones at a close,
                                                           find room all the same */
        status = make_room_in_log(pipeline);
    }
    return status == STATUS_OK ? raise_ceiling(pipeline) : status;
}

static bool is_worth_a_flush(struct commit_pipeline *pipeline) {
    uint64_t visible;
    struct view *view =
        view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    bool worth = memtable_log_bytes(view->active) >= sizes_now(pipeline).memtable_log_bytes / 4;

    view_unref(view);
    return worth;
}

/* Puts wait for compaction to take what memtables hold: so they must be flushed. But not each few
 * of them that there was room for: tiny tables make compaction half as dear again. So a small
 * memtable is flushed only when compaction has not made room for a while. */
static void flush_for_space(struct commit_pipeline *pipeline) {
    bool due = is_worth_a_flush(pipeline) || ++pipeline->refusals >= REFUSALS_MAX;

    if (due && pipeline->options.promise && space_promise_admits(pipeline->options.promise, 0)) {
        enum status status = commit_group_freeze(pipeline);
        (void)status; /* BUSY, NO_MEMORY: tried again in a while */
        pipeline->refusals = 0;
    }
}

enum status commit_group_run(struct commit_pipeline *pipeline) {
    struct group_build build = {.log_bytes = GROUP_HEADER_BYTES};
    bool passed = false;
    uint64_t visible;
    enum status status = commit_log_failed(pipeline->options.log) ? STATUS_LOG_FAILED : STATUS_OK;

    if (status == STATUS_OK) {
        status = make_room(pipeline);
    }
    if (status == STATUS_BUSY) {
        return status; /* a commit that was judged stays in the gate: no flush waits for that */
    }
    if (status != STATUS_OK) {
        leave_gate(pipeline);
        fail_all(pipeline, status);
        return STATUS_OK;
    }
    build.view = view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    while (pipeline->first && status == STATUS_OK && build.count < GROUP_COMMITS_MAX &&
           build.log_bytes < COMMIT_GROUP_BYTES && !commit_log_failed(pipeline->options.log)) {
        status = take_head(pipeline, &build); /* after a failure nobody is told what it found */
        if (status == STATUS_BUSY && !passed) {
            passed = true;
            status = let_deletes_pass(pipeline) ? STATUS_OK : STATUS_BUSY;
        }
    }
    if (build.count > 0) {
        write_group(pipeline, &build);
        status = STATUS_OK; /* who stays is met again at the head of the next group */
    }
    if (build.wanted > 0) {
        syncer_want(pipeline->options.syncer, build.wanted);
    }
    view_unref(build.view);
    if (status != STATUS_WOULD_BLOCK) {
        leave_gate(pipeline);
    }
    if (status == STATUS_BUSY) {
        flush_for_space(pipeline);
    }
    return status;
}

/* ---- A commit by itself ------------------------------------------------------------------------
 */

static enum status reserve_single(struct commit_pipeline *pipeline, struct group_build *build,
                                  const struct commit_single *single, struct error *error) {
    enum status status = commit_log_failed(pipeline->options.log) ? STATUS_LOG_FAILED : STATUS_OK;

    if (status == STATUS_OK && pipeline->next_version > single->version) {
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        status = make_room_in_log(pipeline);
    }
    pipeline->puts_refused = STATUS_OK;
    if (status == STATUS_OK) {
        status = reserve(pipeline, build, single->commit);
    }
    return status == STATUS_OK
               ? status
               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "a commit by itself");
}

enum status commit_group_run_single(struct commit_pipeline *pipeline,
                                    const struct commit_single *single, struct error *error) {
    struct group_build build = {.log_bytes = GROUP_HEADER_BYTES};
    uint64_t visible;
    enum status status;

    build.view = view_holder_take(pipeline->options.views, pipeline->options.marks, &visible);
    status = reserve_single(pipeline, &build, single, error);
    if (status == STATUS_OK) {
        status =
            install_ceiling(pipeline, single->edit, single->version + COMMIT_VERSIONS_AHEAD, error);
    }
    if (status == STATUS_OK) {
        pipeline->next_version = single->version;
        add_member(pipeline, &build, single->commit);
        write_group(pipeline, &build);
    }
    view_unref(build.view);
    return status;
}
