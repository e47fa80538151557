/* version_set.c: see version_set.h. */
#include "storage/version_set.h"

#include "protocol/base/memory.h"
#include "storage/feed_window.h"
#include "storage/holders.h"

void version_set_init(struct version_set *set, const struct version_files *files,
                      struct view_holder *views, struct manifest *manifest,
                      struct version *current) {
    *set = (struct version_set){
        .files = files, .views = views, .manifest = manifest, .current = current};
    atomic_init(&set->next_file_number,
                manifest_state_get(manifest_state(manifest), EDIT_NEXT_FILE_NUMBER));
    atomic_init(&set->feed_bytes, 0);
    alias_gate_init(&set->gate);
    segment_pins_init(&set->pins);
    mutex_init(&set->mu);
}

void version_set_deinit(struct version_set *set) {
    version_unref(set->current);
    manifest_close(set->manifest);
    segment_pins_deinit(&set->pins);
    alias_gate_deinit(&set->gate);
    mutex_deinit(&set->mu);
}

uint64_t version_set_new_number(struct version_set *set) {
    return atomic_fetch_add_explicit(&set->next_file_number, 1, memory_order_relaxed);
}

uint64_t version_set_active_segment(struct version_set *set) {
    const struct manifest_state *state;
    uint64_t number = 0;

    mutex_lock(&set->mu);
    state = manifest_state(set->manifest);
    for (uint32_t i = 0; i < state->segment_count; i++) {
        if (state->segments[i].kind == SEGMENT_COMMIT && !state->segments[i].sealed) {
            number = state->segments[i].number;
        }
    }
    mutex_unlock(&set->mu);
    return number;
}

uint64_t version_set_replay_segment(struct version_set *set) {
    uint64_t number;

    mutex_lock(&set->mu);
    number = manifest_state_get(manifest_state(set->manifest), EDIT_REPLAY_SEGMENT);
    mutex_unlock(&set->mu);
    return number;
}

struct version *version_set_take(struct version_set *set) {
    struct version *version;

    mutex_lock(&set->mu);
    version = set->current;
    version_ref(version);
    mutex_unlock(&set->mu);
    return version;
}

static enum status kept_beside(struct version_set *set, const struct version *version,
                               uint64_t **segments_out, size_t *count_out) {
    enum status status = segment_pins_copy(&set->pins, segments_out, count_out);

    if (status == STATUS_OK) {
        status =
            feed_window_merge(version, atomic_load_explicit(&set->feed_bytes, memory_order_relaxed),
                              segments_out, count_out);
    }
    if (status != STATUS_OK) {
        memory_free(*segments_out);
        *segments_out = NULL;
        *count_out = 0;
    }
    return status;
}

enum status version_set_kept(struct version_set *set, uint64_t **segments_out, size_t *count_out) {
    struct version *version = version_set_take(set);
    enum status status = kept_beside(set, version, segments_out, count_out);

    version_unref(version);
    return status;
}

struct view *version_set_view(struct version_set *set) {
    struct view_holder *views = set->views;
    struct view *view;

    mutex_lock(&views->mu);
    view = views->current;
    view_ref(view);
    mutex_unlock(&views->mu);
    return view;
}

/* Adds the removal of what nobody holds after the edit. Pins are looked at before the memtables:
 * what is let go in between is found there. */
static enum status drop_unheld_locked(struct version_set *set, struct version_edit *edit,
                                      const struct memtable *flushed) REQUIRES(set->mu) {
    const struct manifest_state *state = manifest_state(set->manifest);
    struct holders_question question = {.state = state, .flushed = flushed};
    uint64_t *pinned = NULL;
    struct version *next;
    struct view *view;
    enum status status = version_apply(set->files, set->current, edit, &next);

    if (status != STATUS_OK) {
        return status;
    }
    status = kept_beside(set, next, &pinned, &question.pinned_count);
    if (status == STATUS_OK) {
        view = version_set_view(set);
        question.next = next;
        question.view = view;
        question.pinned = pinned;
        question.replay_segment = version_edit_has(edit, EDIT_REPLAY_SEGMENT)
                                      ? edit->scalars[EDIT_REPLAY_SEGMENT]
                                      : manifest_state_get(state, EDIT_REPLAY_SEGMENT);
        status = holders_drop_unheld(&question, edit);
        view_unref(view);
    }
    version_unref(next);
    memory_free(pinned);
    return status;
}

/* Whether something may be held no more after it. */
static bool lets_go(const struct version_edit *edit) {
    return edit->tables_removed_count > 0 || edit->segments_removed_count > 0 ||
           version_edit_has(edit, EDIT_REPLAY_SEGMENT);
}

/* Adds what follows from the edit by itself. */
static void complete_edit_locked(struct version_set *set, struct version_edit *edit)
    REQUIRES(set->mu) {
    const struct manifest_state *state = manifest_state(set->manifest);

    version_edit_set(edit, EDIT_NEXT_FILE_NUMBER,
                     atomic_load_explicit(&set->next_file_number, memory_order_relaxed));
    if (version_edit_has(edit, EDIT_STORE_TIME_MS) &&
        edit->scalars[EDIT_STORE_TIME_MS] < manifest_state_get(state, EDIT_STORE_TIME_MS)) {
        /* The time was taken before the lock, and another edit with a later one came first. */
        version_edit_set(edit, EDIT_STORE_TIME_MS, manifest_state_get(state, EDIT_STORE_TIME_MS));
    }
}

/* Builds the version after the edit, and refuses one in which a table refers to a segment that is
 * neither there nor relocated: it could never be read again. */
static enum status prepare_locked(struct version_set *set, struct version_edit *edit,
                                  struct version **next_out, struct error *error)
    REQUIRES(set->mu) {
    struct version *next;
    uint64_t segment;
    enum status status = version_apply(set->files, set->current, edit, &next);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "preparing a version");
    }
    if (!version_is_whole(next, edit, &segment)) {
        version_unref(next);
        return error_set(error, STATUS_CORRUPT, 0, NULL, ERROR_NO_OFFSET,
                         "edit refers to a segment that is not there: %llu",
                         (unsigned long long)segment);
    }
    *next_out = next;
    return STATUS_OK;
}

static enum status install_locked(struct version_set *set, struct version_edit *edit,
                                  const struct memtable *flushed, struct error *error)
    REQUIRES(set->mu) {
    struct version *next = NULL;
    struct version *old = set->current;
    struct view *spare = NULL;
    enum status status = prepare_locked(set, edit, &next, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = view_prepare(&spare);
    if (status != STATUS_OK) {
        version_unref(next);
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "preparing a view");
    }
    status = manifest_append(set->manifest, edit, error);
    if (status != STATUS_OK) {
        memory_free(spare);
        version_unref(next);
        return status == STATUS_IO ? STATUS_LOG_FAILED : status; /* nothing else is final */
    }
    view_holder_install(set->views, spare, next, flushed);
    version_mark_files(old, edit);
    set->current = next;
    atomic_fetch_add_explicit(&set->installs, 1, memory_order_relaxed);
    version_unref(old);
    return STATUS_OK;
}

/* The gate stays closed from the sum over the holders until the view is swapped. When a commit that
 * makes aliases is inside, nothing is dropped this time. */
static enum status install_and_drop_locked(struct version_set *set, struct version_edit *edit,
                                           const struct memtable *flushed, struct error *error)
    REQUIRES(set->mu) {
    bool drops = lets_go(edit) && alias_gate_close_for_drop(&set->gate);
    enum status status = drops ? drop_unheld_locked(set, edit, flushed) : STATUS_OK;

    if (status != STATUS_OK) {
        error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "looking for segments to drop");
    } else {
        complete_edit_locked(set, edit);
        status = install_locked(set, edit, flushed, error);
    }
    if (drops) {
        alias_gate_open(&set->gate);
    }
    return status;
}

enum status version_set_install(struct version_set *set, struct version_edit *edit,
                                const struct memtable *flushed, struct error *error) {
    enum status status;

    mutex_lock(&set->mu);
    status = install_and_drop_locked(set, edit, flushed, error);
    mutex_unlock(&set->mu);
    return status;
}

static enum status sweep_locked(struct version_set *set, struct version_edit *edit,
                                struct error *error) REQUIRES(set->mu) {
    enum status status;

    if (!alias_gate_close_for_drop(&set->gate)) {
        return STATUS_END;
    }
    status = drop_unheld_locked(set, edit, NULL);
    if (status != STATUS_OK) {
        error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "looking for segments to drop");
    } else if (version_edit_is_empty(edit)) {
        status = STATUS_END;
    } else {
        complete_edit_locked(set, edit);
        status = install_locked(set, edit, NULL, error);
    }
    alias_gate_open(&set->gate);
    return status;
}

enum status version_set_sweep(struct version_set *set, struct error *error) {
    struct version_edit edit = {0};
    enum status status;

    mutex_lock(&set->mu);
    status = sweep_locked(set, &edit, error);
    mutex_unlock(&set->mu);
    version_edit_deinit(&edit);
    return status;
}

enum status version_set_capture(struct version_set *set, struct manifest_state *state_out,
                                struct version **version_out) {
    enum status status;

    mutex_lock(&set->mu);
    status = manifest_state_copy(manifest_state(set->manifest), state_out);
    if (status == STATUS_OK) {
        *version_out = set->current;
        version_ref(set->current);
    }
    mutex_unlock(&set->mu);
    return status;
}

struct build {
    const struct version_files *files;
    struct version *version;
};

static enum status build_cb(void *arg, const struct version_edit *edit) {
    struct build *build = arg;
    struct version *next;
    enum status status = version_apply(build->files, build->version, edit, &next);

    if (status == STATUS_OK) {
        version_unref(build->version);
        build->version = next;
    }
    return status;
}

enum status version_from_state(const struct version_files *files,
                               const struct manifest_state *state, struct version **version_out) {
    struct build build = {.files = files};
    enum status status = version_create_empty(&build.version);

    if (status != STATUS_OK) {
        return status;
    }
    status = manifest_state_snapshot(state, build_cb, &build);
    if (status != STATUS_OK) {
        version_unref(build.version);
        return status;
    }
    *version_out = build.version;
    return STATUS_OK;
}
