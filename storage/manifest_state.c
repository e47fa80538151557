/* manifest_state.c: see manifest_state.h.
 *
 * To apply an edit wholly or not at all, it is applied to a copy of the lists that it touches; only
 * pointers are copied, so a failure has little to take back, and success swaps. */
#include "storage/manifest_state.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

void manifest_state_init(struct manifest_state *state, const uint8_t store_id[STORE_ID_BYTES]) {
    *state = (struct manifest_state){0};
    memcpy(state->store_id, store_id, STORE_ID_BYTES);
}

void manifest_state_deinit(struct manifest_state *state) {
    for (unsigned level = 0; level < LEVELS_MAX; level++) {
        for (uint32_t i = 0; i < state->levels[level].count; i++) {
            table_info_deinit(&state->levels[level].tables[i]);
        }
        memory_free(state->levels[level].tables);
    }
    memory_free(state->segments);
    memory_free(state->relocations);
    *state = (struct manifest_state){0};
}

/* The first index whose segment number is >= `number`. */
static uint32_t segment_index(const struct manifest_state *state, uint64_t number) {
    uint32_t low = 0;
    uint32_t high = state->segment_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->segments[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct manifest_segment *find_segment(const struct manifest_state *state, uint64_t number) {
    uint32_t index = segment_index(state, number);
    bool there = index < state->segment_count && state->segments[index].number == number;
    return there ? &state->segments[index] : NULL;
}

const struct manifest_segment *manifest_state_segment(const struct manifest_state *state,
                                                      uint64_t number) {
    return find_segment(state, number);
}

/* The first index whose home is >= `home`. */
static uint32_t relocation_index(const struct manifest_state *state, uint64_t home) {
    uint32_t low = 0;
    uint32_t high = state->relocation_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->relocations[middle].home < home) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct relocation *find_relocation(const struct manifest_state *state, uint64_t home) {
    uint32_t index = relocation_index(state, home);
    bool there = index < state->relocation_count && state->relocations[index].home == home;
    return there ? &state->relocations[index] : NULL;
}

const struct relocation *manifest_state_relocation(const struct manifest_state *state,
                                                   uint64_t home) {
    return find_relocation(state, home);
}

/* ---- the next state: a copy to work on ---- */

/* What an edit makes of a state. Tables point into the old state or into `owned`. */
struct next_state {
    struct manifest_level levels[LEVELS_MAX]; /* tables borrowed from the state or from added */
    struct manifest_state segments;           /* only its segments and relocations are used */
    struct table_info *added;                 /* copies of the edit's tables; owned until the end */
    uint32_t added_count;
    const char *reason;
};

static void next_deinit(struct next_state *next) {
    for (unsigned level = 0; level < LEVELS_MAX; level++) {
        memory_free(next->levels[level].tables);
    }
    for (uint32_t i = 0; i < next->added_count; i++) {
        table_info_deinit(&next->added[i]);
    }
    memory_free(next->added);
    memory_free(next->segments.segments);
    memory_free(next->segments.relocations);
}

static uint32_t count_added(const struct version_edit *edit, uint32_t level) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < edit->tables_added_count; i++) {
        count += edit->tables_added[i].level == level;
    }
    return count;
}

static bool level_is_touched(const struct version_edit *edit, uint32_t level) {
    for (uint32_t i = 0; i < edit->tables_removed_count; i++) {
        if (edit->tables_removed[i].level == level) {
            return true;
        }
    }
    return count_added(edit, level) > 0;
}

/* Copies the level's list, with room for what is added. */
static enum status next_level(struct next_state *next, const struct manifest_level *level,
                              uint32_t index, uint32_t added) {
    struct manifest_level *copy = &next->levels[index];

    copy->capacity = level->count + added + 1; /* never 0, so that it is told from untouched */
    copy->tables = memory_alloc_array(copy->capacity, sizeof *copy->tables);
    if (!copy->tables) {
        return STATUS_NO_MEMORY;
    }
    copy->count = level->count;
    if (level->count > 0) {
        memcpy(copy->tables, level->tables, level->count * sizeof *copy->tables);
    }
    return STATUS_OK;
}

static enum status next_copies(struct next_state *next, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    if (edit->tables_added_count == 0) {
        return STATUS_OK;
    }
    next->added = memory_alloc_array(edit->tables_added_count, sizeof *next->added);
    if (!next->added) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < edit->tables_added_count && status == STATUS_OK; i++) {
        status = table_info_copy(&edit->tables_added[i].info, &next->added[i]);
        next->added_count += status == STATUS_OK;
    }
    return status;
}

static enum status next_relocations_begin(struct next_state *next,
                                          const struct manifest_state *state,
                                          const struct version_edit *edit) {
    struct manifest_state *list = &next->segments;
    size_t room = (size_t)state->relocation_count + edit->relocations_added_count;

    if (room == 0) {
        return STATUS_OK;
    }
    list->relocations = memory_alloc_array(room, sizeof *list->relocations);
    if (!list->relocations) {
        return STATUS_NO_MEMORY;
    }
    list->relocation_count = state->relocation_count;
    if (state->relocation_count > 0) {
        memcpy(list->relocations, state->relocations,
               state->relocation_count * sizeof *list->relocations);
    }
    return STATUS_OK;
}

static enum status next_begin(struct next_state *next, const struct manifest_state *state,
                              const struct version_edit *edit) {
    struct manifest_state *segments = &next->segments;
    enum status status = next_copies(next, edit);

    for (uint32_t level = 0; level < LEVELS_MAX && status == STATUS_OK; level++) {
        if (level_is_touched(edit, level)) {
            status = next_level(next, &state->levels[level], level, count_added(edit, level));
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    segments->segment_capacity = state->segment_count + edit->segments_added_count + 1;
    segments->segments = memory_alloc_array(segments->segment_capacity, sizeof *segments->segments);
    if (!segments->segments) {
        return STATUS_NO_MEMORY;
    }
    segments->segment_count = state->segment_count;
    if (state->segment_count > 0) {
        memcpy(segments->segments, state->segments,
               state->segment_count * sizeof *segments->segments);
    }
    return next_relocations_begin(next, state, edit);
}

static enum status misfit(struct next_state *next, const char *reason) {
    next->reason = reason;
    return STATUS_CORRUPT;
}

/* ---- tables ---- */

static enum status remove_table(struct next_state *next, const struct edit_table_removed *removed) {
    struct manifest_level *level = &next->levels[removed->level];

    for (uint32_t i = 0; i < level->count; i++) {
        if (level->tables[i].number == removed->number) {
            memmove(&level->tables[i], &level->tables[i + 1],
                    (level->count - i - 1) * sizeof *level->tables);
            level->count--;
            return STATUS_OK;
        }
    }
    return misfit(next, "an edit removes a table that is not in its level");
}

/* Whether `a` belongs before `b` in their level. */
static bool goes_before(uint32_t level, const struct table_info *a, const struct table_info *b) {
    return level == 0 ? a->number < b->number : ikey_compare(a->smallest, b->smallest) < 0;
}

static bool fits_between(uint32_t level, const struct table_info *left,
                         const struct table_info *right) {
    return level == 0 ? left->number != right->number
                      : ikey_compare(left->largest, right->smallest) < 0;
}

static enum status add_table(struct next_state *next, uint32_t level_index,
                             const struct table_info *info) {
    struct manifest_level *level = &next->levels[level_index];
    uint32_t low = 0;
    uint32_t high = level->count;

    if (!ikey_is_valid(info->smallest) || !ikey_is_valid(info->largest) ||
        ikey_compare(info->smallest, info->largest) > 0) {
        return misfit(next, "an edit adds a table with impossible keys");
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (goes_before(level_index, &level->tables[middle], info)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if ((low > 0 && !fits_between(level_index, &level->tables[low - 1], info)) ||
        (low < level->count && !fits_between(level_index, info, &level->tables[low]))) {
        return misfit(next, "an edit adds a table that overlaps another in its level");
    }
    ASSERT(level->count < level->capacity);
    memmove(&level->tables[low + 1], &level->tables[low],
            (level->count - low) * sizeof *level->tables);
    level->tables[low] = *info;
    level->count++;
    return STATUS_OK;
}

static enum status next_tables(struct next_state *next, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < edit->tables_removed_count && status == STATUS_OK; i++) {
        status = remove_table(next, &edit->tables_removed[i]);
    }
    for (uint32_t i = 0; i < edit->tables_added_count && status == STATUS_OK; i++) {
        status = add_table(next, edit->tables_added[i].level, &next->added[i]);
    }
    return status;
}

/* ---- segments ---- */

static enum status remove_segment(struct next_state *next, uint64_t number) {
    struct manifest_state *list = &next->segments;
    struct manifest_segment *segment = find_segment(list, number);

    if (!segment) {
        return misfit(next, "an edit removes a segment that is not there");
    }
    memmove(segment, segment + 1,
            (size_t)(list->segments + list->segment_count - segment - 1) * sizeof *segment);
    list->segment_count--;
    return STATUS_OK;
}

static enum status add_segment(struct next_state *next, const struct edit_segment *added) {
    struct manifest_state *list = &next->segments;
    uint32_t index = segment_index(list, added->number);

    if (find_segment(list, added->number)) {
        return misfit(next, "an edit adds a segment that is there");
    }
    ASSERT(list->segment_count < list->segment_capacity);
    memmove(&list->segments[index + 1], &list->segments[index],
            (list->segment_count - index) * sizeof *list->segments);
    list->segments[index] = (struct manifest_segment){.number = added->number, .kind = added->kind};
    list->segment_count++;
    return STATUS_OK;
}

static enum status seal_segment(struct next_state *next, const struct edit_segment_sealed *sealed) {
    struct manifest_segment *segment = find_segment(&next->segments, sealed->number);

    if (!segment) {
        return misfit(next, "an edit seals a segment that is not there");
    }
    if (segment->sealed && segment->length_bytes != sealed->length_bytes) {
        return misfit(next, "an edit seals a segment a second time, at another length");
    }
    segment->sealed = true;
    segment->length_bytes = sealed->length_bytes;
    return STATUS_OK;
}

static enum status mark_damaged(struct next_state *next, uint64_t number) {
    struct manifest_segment *segment = find_segment(&next->segments, number);

    if (!segment) {
        return misfit(next, "an edit marks a segment that is not there");
    }
    segment->damaged = true;
    return STATUS_OK;
}

static enum status next_segments(struct next_state *next, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < edit->segments_removed_count && status == STATUS_OK; i++) {
        status = remove_segment(next, edit->segments_removed[i]);
    }
    for (uint32_t i = 0; i < edit->segments_added_count && status == STATUS_OK; i++) {
        status = add_segment(next, &edit->segments_added[i]);
    }
    for (uint32_t i = 0; i < edit->segments_sealed_count && status == STATUS_OK; i++) {
        status = seal_segment(next, &edit->segments_sealed[i]);
    }
    for (uint32_t i = 0; i < edit->segments_damaged_count && status == STATUS_OK; i++) {
        status = mark_damaged(next, edit->segments_damaged[i]);
    }
    return status;
}

/* ---- relocations ---- */

static enum status remove_relocation(struct next_state *next, uint64_t home) {
    struct manifest_state *list = &next->segments;
    struct relocation *relocation = find_relocation(list, home);

    if (!relocation) {
        return misfit(next, "an edit removes a relocation that is not there");
    }
    memmove(relocation, relocation + 1,
            (size_t)(list->relocations + list->relocation_count - relocation - 1) *
                sizeof *relocation);
    list->relocation_count--;
    return STATUS_OK;
}

static enum status add_relocation(struct next_state *next, const struct relocation *added) {
    struct manifest_state *list = &next->segments;
    uint32_t index = relocation_index(list, added->home);

    if (find_relocation(list, added->home)) {
        return misfit(next, "an edit adds a second relocation of a segment");
    }
    memmove(&list->relocations[index + 1], &list->relocations[index],
            (list->relocation_count - index) * sizeof *list->relocations);
    list->relocations[index] = *added;
    list->relocation_count++;
    return STATUS_OK;
}

/* All of them, since an edit may also have added a home or removed a target. */
static enum status check_relocations(struct next_state *next) {
    const struct manifest_state *list = &next->segments;

    for (uint32_t i = 0; i < list->relocation_count; i++) {
        if (find_segment(list, list->relocations[i].home)) {
            return misfit(next, "a segment that is there has a relocation");
        }
        if (!find_segment(list, list->relocations[i].target)) {
            return misfit(next, "a relocation leads to a segment that is not there");
        }
    }
    return STATUS_OK;
}

static enum status next_relocations(struct next_state *next, const struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < edit->relocations_removed_count && status == STATUS_OK; i++) {
        status = remove_relocation(next, edit->relocations_removed[i]);
    }
    for (uint32_t i = 0; i < edit->relocations_added_count && status == STATUS_OK; i++) {
        status = add_relocation(next, &edit->relocations_added[i]);
    }
    return status == STATUS_OK ? check_relocations(next) : status;
}

/* ---- apply ---- */

static enum status check_scalars(struct next_state *next, const struct manifest_state *state,
                                 const struct version_edit *edit) {
    for (unsigned i = 0; i < EDIT_SCALARS; i++) {
        if ((edit->scalars_set >> i & 1u) && edit->scalars[i] < state->scalars[i]) {
            return misfit(next, "an edit lowers a number that only rises");
        }
    }
    return STATUS_OK;
}

/* Frees the table infos of the state that are no longer in the list. */
static void free_removed(struct manifest_state *state, const struct version_edit *edit) {
    for (uint32_t i = 0; i < edit->tables_removed_count; i++) {
        struct manifest_level *level = &state->levels[edit->tables_removed[i].level];
        for (uint32_t k = 0; k < level->count; k++) {
            if (level->tables[k].number == edit->tables_removed[i].number) {
                table_info_deinit(&level->tables[k]);
                level->tables[k].number = 0; /* found once only */
            }
        }
    }
}

/* Puts the next state in place of the old. Cannot fail. */
static void install(struct manifest_state *state, struct next_state *next,
                    const struct version_edit *edit) {
    free_removed(state, edit);
    for (unsigned level = 0; level < LEVELS_MAX; level++) {
        if (next->levels[level].tables) {
            memory_free(state->levels[level].tables);
            state->levels[level] = next->levels[level];
            next->levels[level].tables = NULL;
        }
    }
    next->added_count = 0; /* the state owns them now */
    memory_free(state->segments);
    state->segments = next->segments.segments;
    state->segment_count = next->segments.segment_count;
    state->segment_capacity = next->segments.segment_capacity;
    next->segments.segments = NULL;
    memory_free(state->relocations);
    state->relocations = next->segments.relocations;
    state->relocation_count = next->segments.relocation_count;
    next->segments.relocations = NULL;
    for (unsigned i = 0; i < EDIT_SCALARS; i++) {
        if (edit->scalars_set >> i & 1u) {
            state->scalars[i] = edit->scalars[i];
        }
    }
    if (edit->log_durable_set && log_position_compare(edit->log_durable, state->log_durable) > 0) {
        state->log_durable = edit->log_durable;
    }
}

enum status manifest_state_apply(struct manifest_state *state, const struct version_edit *edit,
                                 const char **reason_out) {
    struct next_state next = {0};
    enum status status = next_begin(&next, state, edit);

    if (status == STATUS_OK) {
        status = next_tables(&next, edit);
    }
    if (status == STATUS_OK) {
        status = next_segments(&next, edit);
    }
    if (status == STATUS_OK) {
        status = next_relocations(&next, edit);
    }
    if (status == STATUS_OK) {
        status = check_scalars(&next, state, edit);
    }
    if (status == STATUS_OK) {
        install(state, &next, edit);
    } else if (status == STATUS_CORRUPT && reason_out) {
        *reason_out = next.reason;
    }
    next_deinit(&next);
    return status;
}

/* ---- snapshot ---- */

#define SNAPSHOT_PART_CHANGES 64 /* so that no part is long, nor their number large */

struct snapshot {
    struct version_edit edit;
    uint32_t changes;
    manifest_state_edit_cb edit_cb;
    void *arg;
};

static enum status snapshot_part(struct snapshot *snapshot) {
    enum status status = snapshot->edit_cb(snapshot->arg, &snapshot->edit);
    version_edit_clear(&snapshot->edit);
    snapshot->changes = 0;
    return status;
}

static enum status snapshot_changed(struct snapshot *snapshot, enum status status) {
    snapshot->changes++;
    if (status == STATUS_OK && snapshot->changes >= SNAPSHOT_PART_CHANGES) {
        status = snapshot_part(snapshot);
    }
    return status;
}

static enum status snapshot_segment(struct snapshot *snapshot,
                                    const struct manifest_segment *segment) {
    enum status status = version_edit_add_segment(&snapshot->edit, segment->number, segment->kind);

    if (status == STATUS_OK && segment->sealed) {
        status = version_edit_seal_segment(&snapshot->edit, segment->number, segment->length_bytes);
    }
    if (status == STATUS_OK && segment->damaged) {
        status = version_edit_mark_damaged(&snapshot->edit, segment->number);
    }
    return snapshot_changed(snapshot, status);
}

static enum status snapshot_lists(struct snapshot *snapshot, const struct manifest_state *state) {
    enum status status = STATUS_OK;

    for (uint32_t level = 0; level < LEVELS_MAX; level++) {
        const struct manifest_level *tables = &state->levels[level];
        for (uint32_t i = 0; i < tables->count && status == STATUS_OK; i++) {
            status = version_edit_add_table(&snapshot->edit, level, &tables->tables[i]);
            status = snapshot_changed(snapshot, status);
        }
    }
    for (uint32_t i = 0; i < state->segment_count && status == STATUS_OK; i++) {
        status = snapshot_segment(snapshot, &state->segments[i]);
    }
    for (uint32_t i = 0; i < state->relocation_count && status == STATUS_OK; i++) {
        status = version_edit_add_relocation(&snapshot->edit, &state->relocations[i]);
        status = snapshot_changed(snapshot, status);
    }
    return status;
}

enum status manifest_state_snapshot(const struct manifest_state *state,
                                    manifest_state_edit_cb edit_cb, void *arg) {
    struct snapshot snapshot = {.edit_cb = edit_cb, .arg = arg};
    enum status status;

    version_edit_init(&snapshot.edit);
    status = snapshot_lists(&snapshot, state);
    if (status == STATUS_OK) {
        for (unsigned i = 0; i < EDIT_SCALARS; i++) {
            version_edit_set(&snapshot.edit, (enum edit_scalar)i, state->scalars[i]);
        }
        version_edit_set_log_durable(&snapshot.edit, state->log_durable);
        status = snapshot_part(&snapshot);
    }
    version_edit_deinit(&snapshot.edit);
    return status;
}

static enum status copy_cb(void *arg, const struct version_edit *edit) {
    return manifest_state_apply(arg, edit, NULL);
}

enum status manifest_state_copy(const struct manifest_state *state,
                                struct manifest_state *copy_out) {
    struct manifest_state copy;
    enum status status;

    manifest_state_init(&copy, state->store_id);
    status = manifest_state_snapshot(state, copy_cb, &copy);
    if (status == STATUS_OK) {
        *copy_out = copy;
    } else {
        manifest_state_deinit(&copy);
    }
    return status;
}
