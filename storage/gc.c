/* gc.c: see gc.h. */
#include "storage/gc.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/extent.h"
#include "storage/gc_live.h"
#include "storage/gc_survivor.h"
#include "storage/record_check.h"
#include "storage/value_reader.h"

/* What a record takes in a survivor beside its stored bytes, about: for the space to reserve. */
#define FRAME_BYTES_GUESS 128u

struct job {
    const struct gc_context *context;
    struct view *view; /* one reference */
    struct holder_sums sums;
    struct gc_pick pick;
    struct gc_moves moves[GC_VICTIMS_MAX]; /* of each victim */
    struct gc_survivor *survivor;
    struct version_edit edit;
    struct gc_stats stats;
    struct buffer stored;  /* one record */
    struct buffer scratch; /* the same, decompressed */
    uint64_t *pins;        /* segments and homes that this job has pinned; owned */
    size_t pin_count;
    uint64_t damaged_victim; /* 0: none was met */
    bool was_careful;
};

/* One victim being copied. */
struct copying {
    struct job *job;
    const struct segment_account *account;
    struct gc_moves *moves;
    struct gc_live live;
    struct gc_references found;
    uint64_t bytes; /* of the records found, counted as the account does */
    uint64_t alias_bytes;
    bool unreadable; /* what failed is a record of the victim, and not the tree */
    struct error *error;
};

/* ---- Records ----------------------------------------------------------------------------------
 */

static bool is_stopping(const struct gc_context *context) {
    return context->stopping && atomic_load_explicit(context->stopping, memory_order_relaxed);
}

static enum status check_record(struct job *job, const struct gc_record *record,
                                struct error *error) {
    struct compression *compression = job->context->decompression;
    enum status status;

    if (record->op.extent) {
        return extent_verify_stored(compression, &record->ref, buffer_slice(&job->stored),
                                    &job->scratch, error);
    }
    status = record_check_value(compression, &record->ref, job->stored.data, &job->scratch);
    if (status == STATUS_CORRUPT) {
        error_set(error, status, 0, NULL, record->ref.offset,
                  "a value of segment %llu fails its checksum",
                  (unsigned long long)record->ref.segment);
    }
    return status;
}

/* Reads and verifies the stored bytes of a record (R5). */
static enum status read_record(struct job *job, const struct gc_record *record,
                               struct error *error) {
    struct value_piece all = {0, record->ref.stored_bytes};
    enum status status;

    buffer_clear(&job->stored);
    status = record->ref.stored_bytes > VALUE_BYTES_MAX
                 ? STATUS_CORRUPT
                 : buffer_reserve(&job->stored, record->ref.stored_bytes);
    if (status == STATUS_OK) {
        status = value_reader_read_bytes(job->view->version, &record->ref, all, READ_WAIT_ALLOWED,
                                         job->stored.data, error);
        job->stored.len = record->ref.stored_bytes;
    }
    return status == STATUS_OK ? check_record(job, record, error) : status;
}

static enum status copy_record(struct copying *copying, const struct gc_record *record) {
    struct job *job = copying->job;
    enum status status = read_record(job, record, copying->error);

    if (status == STATUS_CORRUPT || status == STATUS_IO) {
        copying->unreadable = true;
        return STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        status = gc_survivor_add(job->survivor, record,
                                 slice_make(job->stored.data, record->ref.stored_bytes),
                                 copying->moves, copying->error);
    }
    if (status == STATUS_OK) {
        job->stats.copied_records++;
        job->stats.copied_bytes += record->ref.stored_bytes;
    }
    return status;
}

/* Of the walk: a record that may be alive or not. */
static enum status walked_cb(void *arg, const struct gc_record *record) {
    struct copying *copying = arg;
    struct gc_references references;
    enum status status = is_stopping(copying->job->context) ? STATUS_CANCELLED : STATUS_OK;

    if (status == STATUS_OK) {
        status = gc_live_count(&copying->live, record, &references, copying->error);
    }
    if (status != STATUS_OK || references.records + references.alias_records == 0) {
        return status;
    }
    copying->found.records += references.records;
    copying->found.alias_records += references.alias_records;
    copying->bytes += references.records * record->ref.stored_bytes;
    copying->alias_bytes += references.alias_records * record->ref.stored_bytes;
    return copy_record(copying, record);
}

/* Of the search: a record that is alive. */
static enum status found_cb(void *arg, const struct gc_record *record) {
    struct copying *copying = arg;

    return is_stopping(copying->job->context) ? STATUS_CANCELLED : copy_record(copying, record);
}

/* ---- Victims ----------------------------------------------------------------------------------
 */

static enum status not_as_booked(const struct copying *copying) {
    return error_set(copying->error, STATUS_CORRUPT, 0, NULL, ERROR_NO_OFFSET,
                     "segment %llu: %llu records and %llu aliases found, %llu and %llu booked",
                     (unsigned long long)copying->account->segment,
                     (unsigned long long)copying->found.records,
                     (unsigned long long)copying->found.alias_records,
                     (unsigned long long)copying->account->records,
                     (unsigned long long)copying->account->alias_records);
}

/* Aliases may have been added to the active memtable since the account was made. */
static bool is_as_booked(const struct copying *copying) {
    return copying->found.records == copying->account->records &&
           copying->found.alias_records >= copying->account->alias_records;
}

static enum status walk_victim(struct copying *copying) {
    const struct gc_context *context = copying->job->context;
    struct gc_walk walk = {.env = context->jobs->env,
                           .dir = context->jobs->dir,
                           .store_id = context->store_id,
                           .segment = copying->account->segment,
                           .length_bytes = copying->account->file_bytes};
    enum status status = gc_walk_records(&walk, walked_cb, copying, copying->error);

    if (status == STATUS_OK &&
        !(is_as_booked(copying) && copying->bytes == copying->account->bytes &&
          copying->alias_bytes >= copying->account->alias_bytes)) {
        status = not_as_booked(copying);
    }
    return status;
}

static enum status search_victim(struct copying *copying) {
    enum status status =
        gc_live_search(&copying->live, found_cb, copying, &copying->found, copying->error);

    if (status == STATUS_OK && !is_as_booked(copying)) {
        copying->unreadable = true;
        status = not_as_booked(copying);
    }
    return status;
}

/* Copies what lives in one victim. With `care` it is not walked, but searched for. */
static enum status copy_victim(struct job *job, uint32_t index, bool care, struct error *error) {
    struct copying copying = {.job = job,
                              .account = holders_account(&job->sums, job->pick.victims[index]),
                              .moves = &job->moves[index],
                              .error = error};
    enum status status = gc_live_init(&copying.live, job->view, copying.account->segment,
                                      copying.account->alias_records > 0);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "collecting a segment");
    }
    status = care ? search_victim(&copying) : walk_victim(&copying);
    if (status == STATUS_CORRUPT) {
        /* When the walk fails it may be the tree; then the search meets it again and tells. */
        bool its_own = !care || copying.unreadable || copying.live.place_failed;
        job->damaged_victim = its_own ? copying.account->segment : 0;
    }
    gc_live_deinit(&copying.live);
    return status;
}

/* ---- Relocations ------------------------------------------------------------------------------
 */

/* The section of a home that had been moved to a victim, being composed. */
struct composing {
    const struct gc_moves *moves;
    struct gc_moves composed;
};

static enum status compose_cb(void *arg, const struct relocation_entry *entry) {
    struct composing *composing = arg;
    uint64_t place;

    return gc_moves_find(composing->moves, entry->new_offset, &place)
               ? gc_moves_add(&composing->composed, entry->old_offset, place)
               : STATUS_OK; /* dead */
}

static bool home_is_held(const struct job *job, uint64_t home) {
    struct segment_share share = holders_home(&job->sums, home);
    return share.records > 0 || share.alias_records > 0;
}

/* The home H had moved to the victim: from now on H leads to the survivor by itself. */
static enum status compose(struct job *job, const struct relocation *relocation,
                           const struct gc_moves *moves, struct error *error) {
    const struct version_files *files = job->view->version->segments[0]->files;
    struct composing composing = {.moves = moves};
    enum status status = version_edit_remove_relocation(&job->edit, relocation->home);

    if (status == STATUS_OK && home_is_held(job, relocation->home)) {
        status = relocation_iterate(files->segments, relocation, compose_cb, &composing, error);
        if (status == STATUS_CORRUPT) {
            job->damaged_victim = relocation->target;
        }
        if (status == STATUS_OK && composing.composed.count > 0) {
            status =
                gc_survivor_section(job->survivor, relocation->home, composing.composed.entries,
                                    composing.composed.count, &job->edit, error);
        }
    }
    gc_moves_deinit(&composing.composed);
    return status;
}

/* The sections that replace one victim. */
static enum status relocate_victim(struct job *job, uint32_t index, struct error *error) {
    const struct version *version = job->view->version;
    struct gc_moves *moves = &job->moves[index];
    uint64_t victim = job->pick.victims[index];
    enum status status = version_edit_remove_segment(&job->edit, victim);

    gc_moves_sort(moves);
    if (status == STATUS_OK && moves->count > 0 && home_is_held(job, victim)) {
        status = gc_survivor_section(job->survivor, victim, moves->entries, moves->count,
                                     &job->edit, error);
    }
    for (uint32_t i = 0; i < version->relocation_count && status == STATUS_OK; i++) {
        if (version->relocations[i].target == victim) {
            status = compose(job, &version->relocations[i], moves, error);
        }
    }
    return status;
}

/* ---- The job ----------------------------------------------------------------------------------
 */

static enum status begin_survivor(struct job *job, struct error *error) {
    const struct gc_context *context = job->context;
    struct gc_survivor_options options = {.env = context->jobs->env,
                                          .dir = context->jobs->dir,
                                          .number = version_set_new_number(context->jobs->versions),
                                          .incarnation = context->incarnation,
                                          .store_id = context->store_id,
                                          .store_time_ms = store_clock_now_ms(context->jobs->clock),
                                          .expected_bytes = job->pick.live_bytes};

    for (uint32_t i = 0; i < job->pick.count; i++) {
        const struct segment_account *account = holders_account(&job->sums, job->pick.victims[i]);
        options.expected_bytes += (account->records + account->alias_records) * FRAME_BYTES_GUESS;
    }
    return gc_survivor_create(&options, &job->survivor, error);
}

static enum status copy_all(struct job *job, bool care, struct error *error) {
    enum status status = begin_survivor(job, error);

    for (uint32_t i = 0; i < job->pick.count && status == STATUS_OK; i++) {
        status = copy_victim(job, i, care, error);
    }
    if (status == STATUS_OK) {
        status = gc_survivor_flush(job->survivor, error);
    }
    for (uint32_t i = 0; i < job->pick.count && status == STATUS_OK; i++) {
        status = relocate_victim(job, i, error);
    }
    if (status == STATUS_OK) {
        status = gc_survivor_finish(job->survivor, &job->edit, error);
    }
    return status;
}

static void note_frames(struct job *job) {
    struct frame_note note = {.segment = gc_survivor_number(job->survivor),
                              .records = job->stats.copied_records,
                              .frame_bytes =
                                  gc_survivor_bytes(job->survivor) - job->stats.copied_bytes};

    frame_book_note(&job->context->promise->frames, &note);
    job->stats.survivor_bytes = gc_survivor_bytes(job->survivor);
    job->stats.victims = job->pick.count;
    job->stats.victim_bytes = job->pick.file_bytes;
}

/* Copies, and installs what was copied. */
static enum status collect(struct job *job, bool care, struct error *error) {
    struct version_set *versions = job->context->jobs->versions;
    bool keep;
    enum status status = copy_all(job, care, error);

    if (status == STATUS_OK) {
        status = version_set_install(versions, &job->edit, NULL, error);
        keep = status == STATUS_OK || status == STATUS_LOG_FAILED; /* it may be durable */
        if (status == STATUS_OK) {
            note_frames(job);
        }
    } else {
        keep = false;
    }
    gc_survivor_destroy(job->survivor, keep);
    job->survivor = NULL;
    version_edit_clear(&job->edit);
    for (uint32_t i = 0; i < job->pick.count; i++) {
        gc_moves_deinit(&job->moves[i]);
    }
    if (status != STATUS_OK) {
        job->stats = (struct gc_stats){0};
    }
    return status;
}

static enum status mark_damaged(struct job *job, struct error *error) {
    struct error met = *error;
    enum status status = version_edit_mark_damaged(&job->edit, job->damaged_victim);

    if (status == STATUS_OK) {
        status = version_set_install(job->context->jobs->versions, &job->edit, NULL, error);
    }
    if (status == STATUS_OK) {
        job->stats.damaged = 1;
        *error = met;
        error->status = STATUS_OK;
    }
    return status;
}

/* The victim in which something was met is done again alone. */
static enum status collect_with_care(struct job *job, struct error *error) {
    const struct segment_account *account = holders_account(&job->sums, job->damaged_victim);
    enum status status;

    job->pick = (struct gc_pick){.victims = {account->segment},
                                 .count = 1,
                                 .file_bytes = account->file_bytes,
                                 .live_bytes = account->bytes + account->alias_bytes};
    job->damaged_victim = 0;
    job->was_careful = true;
    status = collect(job, true, error);
    return status == STATUS_CORRUPT && job->damaged_victim != 0 ? mark_damaged(job, error) : status;
}

/* ---- Pins -------------------------------------------------------------------------------------
 */

static enum status pin(struct job *job, uint64_t segment) {
    enum status status = segment_pins_add(&job->context->jobs->versions->pins, segment);

    if (status == STATUS_OK) {
        job->pins[job->pin_count++] = segment;
    }
    return status;
}

static bool is_victim(const struct job *job, uint64_t segment) {
    for (uint32_t i = 0; i < job->pick.count; i++) {
        if (job->pick.victims[i] == segment) {
            return true;
        }
    }
    return false;
}

/* Pins the victims, and the homes that lie in them. */
static enum status pin_all(struct job *job) {
    const struct version *version = job->view->version;
    enum status status = STATUS_OK;

    job->pins =
        memory_alloc_array((size_t)job->pick.count + version->relocation_count, sizeof *job->pins);
    if (!job->pins) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < job->pick.count && status == STATUS_OK; i++) {
        status = pin(job, job->pick.victims[i]);
    }
    for (uint32_t i = 0; i < version->relocation_count && status == STATUS_OK; i++) {
        if (is_victim(job, version->relocations[i].target)) {
            status = pin(job, version->relocations[i].home);
        }
    }
    return status;
}

static void unpin_all(struct job *job) {
    for (size_t i = 0; i < job->pin_count; i++) {
        segment_pins_remove(&job->context->jobs->versions->pins, job->pins[i]);
    }
    memory_free(job->pins);
}

/* Whether all that was pinned is still there: an install may have dropped it just before. */
static bool pins_hold(struct job *job) {
    struct version *version = version_set_take(job->context->jobs->versions);
    const struct relocation *relocation;
    bool hold = true;

    for (size_t i = 0; i < job->pin_count && hold; i++) {
        hold = version_resolve(version, job->pins[i], &relocation) != SEGMENT_ABSENT;
    }
    version_unref(version);
    return hold;
}

/* ---- Beginning --------------------------------------------------------------------------------
 */

static enum status pick_victims(struct job *job, uint32_t dead_percent_min) {
    const struct gc_context *context = job->context;
    struct gc_rules rules = {.dead_percent_min = dead_percent_min};
    uint64_t *pinned = NULL;
    uint64_t visible;
    enum status status;

    rules.segment_bytes = space_promise_sizes(context->promise).segment_bytes;
    rules.replay_segment = version_set_replay_segment(context->jobs->versions);
    status = version_set_kept(context->jobs->versions, &pinned, &rules.pinned_count);
    job->view = view_holder_take(context->jobs->views, context->jobs->marks, &visible);
    if (status == STATUS_OK) {
        status = holders_of_view(job->view, &job->sums);
    }
    if (status == STATUS_OK) {
        frame_book_apply(&context->promise->frames, &job->sums);
        rules.pinned = pinned;
        status = gc_pick(job->sums.accounts, job->sums.account_count, &rules, &job->pick)
                     ? STATUS_OK
                     : STATUS_END;
    }
    memory_free(pinned);
    return status;
}

static enum status run(struct job *job, struct error *error) {
    enum status status = pin_all(job);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "pinning segments for GC");
    }
    if (!pins_hold(job)) {
        return STATUS_OK; /* something to do was done meanwhile; there may be more */
    }
    status = collect(job, false, error);
    return status == STATUS_CORRUPT && job->damaged_victim != 0 ? collect_with_care(job, error)
                                                                : status;
}

enum status gc_run(const struct gc_context *context, uint32_t dead_percent_min,
                   struct gc_stats *stats_out, struct error *error) {
    struct job *job = memory_alloc_zeroed(sizeof *job);
    enum status status;

    *stats_out = (struct gc_stats){0};
    if (!job) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "log GC");
    }
    job->context = context;
    buffer_init(&job->stored, VALUE_BYTES_MAX);
    buffer_init(&job->scratch, VALUE_BYTES_MAX);
    status = pick_victims(job, dead_percent_min);
    if (status == STATUS_OK) {
        status = run(job, error);
    } else if (status == STATUS_END) {
        status = version_set_sweep(context->jobs->versions, error);
    }
    job->stats.careful = job->was_careful;
    *stats_out = job->stats;
    unpin_all(job);
    view_unref(job->view);
    holders_deinit(&job->sums);
    version_edit_deinit(&job->edit);
    buffer_deinit(&job->stored);
    buffer_deinit(&job->scratch);
    memory_free(job);
    space_promise_update(context->promise);
    return status;
}
