/* salvage_plan.c: see salvage_plan.h. */
#include "storage/salvage_plan.h"

#include "storage/lost_segments.h"
#include "storage/manifest.h"

#include <inttypes.h>

static bool state_has_table(const struct manifest_state *state, uint64_t number) {
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < state->levels[i].count; j++) {
            if (state->levels[i].tables[j].number == number) {
                return true;
            }
        }
    }
    return false;
}

bool salvage_plan_has_table(const struct salvage_plan *plan, uint64_t number) {
    return !plan->by_manifest || state_has_table(&plan->state, number);
}

bool salvage_plan_has_segment(const struct salvage_plan *plan, uint64_t number) {
    return !plan->by_manifest || manifest_state_segment(&plan->state, number);
}

/* ---- Can the manifest be believed? ------------------------------------------------------------
 */

static uint64_t count_missing(const struct salvage_files *files,
                              const struct manifest_state *state) {
    uint64_t missing = 0;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < state->levels[i].count; j++) {
            missing += !salvage_files_find(files, FILE_TABLE, state->levels[i].tables[j].number);
        }
    }
    for (uint32_t i = 0; i < state->segment_count; i++) {
        missing += !salvage_files_find(files, FILE_SEGMENT, state->segments[i].number);
    }
    return missing;
}

static uint64_t count_unnamed(const struct salvage_files *files,
                              const struct manifest_state *state) {
    uint64_t unnamed = 0;

    for (size_t i = 0; i < files->count; i++) {
        const struct salvage_file *file = &files->list[i];
        unnamed += (file->kind == FILE_TABLE && !state_has_table(state, file->number)) ||
                   (file->kind == FILE_SEGMENT && !manifest_state_segment(state, file->number));
    }
    return unnamed;
}

/* A manifest that has lost its end names files that later edits have removed, and does not know
 * those that they have added. NULL: it is whole. */
static const char *doubt(const struct salvage_files *files, const struct manifest_state *state,
                         const struct manifest_load_report *loaded, enum status lost_segments) {
    if (loaded->cut_bytes > 0 || loaded->manifests_ignored > 0) {
        return "its end cannot be read";
    }
    if (lost_segments == STATUS_CORRUPT) {
        return "it does not know a segment with commits";
    }
    if (count_missing(files, state) > 0 && count_unnamed(files, state) > 0) {
        return "it names files that are gone, and not some that are there";
    }
    return NULL;
}

static enum status judge_manifest(struct salvage_files *files, struct salvage_report *report,
                                  struct salvage_plan *plan,
                                  const struct manifest_load_report *loaded) {
    struct error found = {0};
    enum status status = lost_segments_check(files->env, files->dir, &plan->state, &found);
    const char *why;

    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    why = doubt(files, &plan->state, loaded, status);
    plan->by_manifest = !why;
    report->result.files_read++;
    salvage_say_file(report, FILE_MANIFEST, loaded->number, "%s%s",
                     why ? "is not used, but the directory: " : "used", why ? why : " as it is");
    return STATUS_OK;
}

/* ---- Without it -------------------------------------------------------------------------------
 */

/* By the first segment whose header can be read. */
static void find_store_id(struct salvage_files *files, struct salvage_plan *plan) {
    for (size_t i = 0; i < files->count && !plan->has_store_id; i++) {
        const struct salvage_file *file = &files->list[i];
        uint8_t bytes[SEGMENT_HEADER_BYTES];
        struct segment_header header;
        if (file->kind == FILE_SEGMENT &&
            salvage_files_read(files, file->number, 0, sizeof bytes, bytes) == STATUS_OK &&
            segment_header_load(slice_make(bytes, sizeof bytes), &header) == STATUS_OK) {
            memcpy(plan->store_id, header.store_id, STORE_ID_BYTES);
            plan->has_store_id = true;
        }
    }
}

static enum status plan_without(struct salvage_files *files, struct salvage_report *report,
                                struct salvage_plan *plan, enum status status,
                                const struct error *found) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX + 128];

    if (status == STATUS_NOT_FOUND) {
        salvage_say(report, "MANIFEST", "there is none: all tables and segments are used");
    } else {
        error_format(found, text, (int)sizeof text);
        salvage_say(report, "MANIFEST", "is not used, but the directory: %s", text);
    }
    find_store_id(files, plan);
    return STATUS_OK;
}

enum status salvage_plan_make(struct salvage_files *files, struct salvage_report *report,
                              struct salvage_plan *plan, struct error *error) {
    struct manifest_load_report loaded = {0};
    struct error found = {0};
    enum status status;

    *plan = (struct salvage_plan){0};
    status = manifest_load(files->env, files->dir, &plan->state, &loaded, &found);
    if (status == STATUS_OK) {
        status = judge_manifest(files, report, plan, &loaded);
        memcpy(plan->store_id, plan->state.store_id, STORE_ID_BYTES);
        plan->has_store_id = true;
        plan->now_ms = manifest_state_get(&plan->state, EDIT_STORE_TIME_MS);
    } else if (status != STATUS_NO_MEMORY && status != STATUS_NEWER_FORMAT) {
        plan->state = (struct manifest_state){0};
        status = plan_without(files, report, plan, status, &found);
    }
    if (status == STATUS_OK && plan->by_manifest) {
        plan->flushed_version = manifest_state_get(&plan->state, EDIT_FLUSHED_VERSION);
    } else if (status == STATUS_OK) {
        manifest_state_deinit(&plan->state);
        plan->state = (struct manifest_state){0};
    }
    if (status != STATUS_OK) {
        found.status = status;
        *error = found;
    }
    return status;
}

void salvage_plan_deinit(struct salvage_plan *plan) {
    manifest_state_deinit(&plan->state);
    *plan = (struct salvage_plan){0};
}
