/* salvage_reach.c: see salvage_reach.h. */
#include "storage/salvage_reach.h"

#include "storage/load_row.h"
#include "storage/salvage_segment.h"

static enum status group_cb(void *arg, const struct salvage_group *group) {
    uint64_t *next_version = arg;

    if (group->kind == SEGMENT_COMMIT && group->next_version > *next_version) {
        *next_version = group->next_version;
    }
    return STATUS_OK;
}

static enum status commit_cb(void *arg, const struct salvage_commit *commit) {
    (void)arg;
    (void)commit;
    return STATUS_OK;
}

/* The highest version in a segment; 0: it has none. *whole_out: nothing of it is damaged, but for
 * what may be missing at its end. */
static enum status look(const struct salvage_files *files, const struct salvage_plan *plan,
                        uint64_t number, uint64_t *next_version_out, bool *whole_out) {
    const struct salvage_segment segment = {.env = files->env,
                                            .dir = files->dir,
                                            .store_id = plan->store_id,
                                            .number = number,
                                            .limit_bytes = UINT64_MAX};
    const struct salvage_segment_callbacks callbacks = {
        .group_cb = group_cb, .commit_cb = commit_cb, .arg = next_version_out};
    struct salvage_segment_result result;
    struct error error;
    enum status status;

    *next_version_out = 0;
    status = salvage_segment_walk(&segment, &callbacks, &result, &error);
    *whole_out = status == STATUS_OK && result.skipped_bytes == 0 && result.bad_commits == 0;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

enum status salvage_reach(const struct salvage_files *files, const struct salvage_plan *plan,
                          uint64_t *version_out) {
    uint64_t next_version = 0;
    enum status status = STATUS_OK;
    bool whole = plan->has_store_id;

    *version_out = UINT64_MAX;
    for (size_t i = files->count; i > 0 && whole && next_version == 0 && status == STATUS_OK; i--) {
        const struct salvage_file *file = &files->list[i - 1];
        if (file->kind == FILE_SEGMENT && file->bytes > 0) {
            status = look(files, plan, file->number, &next_version, &whole);
        }
    }
    if (status == STATUS_OK && whole && next_version > 0) {
        *version_out = next_version + LOAD_VERSIONS_ASIDE / 2;
    }
    return status;
}
