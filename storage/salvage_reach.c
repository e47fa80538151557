/* salvage_reach.c: see salvage_reach.h. */
#include "storage/salvage_reach.h"

#include "storage/load_row.h"
#include "storage/salvage_segment.h"

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

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

/* What the commit segments tell, the newest ones first. */
struct log_end {
    uint64_t next_version; /* 0: there is no commit */
    bool is_there;         /* a commit segment is; one without a group may be one */
    bool is_whole;         /* nothing of it is damaged, but for what may be missing at its end */
};

static enum status look(const struct salvage_files *files, const struct salvage_plan *plan,
                        uint64_t number, struct log_end *end) {
    const struct salvage_segment segment = {.env = files->env,
                                            .dir = files->dir,
                                            .store_id = plan->store_id,
                                            .number = number,
                                            .limit_bytes = UINT64_MAX};
    const struct salvage_segment_callbacks callbacks = {
        .group_cb = group_cb, .commit_cb = commit_cb, .arg = &end->next_version};
    struct salvage_segment_result result;
    struct error error;
    enum status status = salvage_segment_walk(&segment, &callbacks, &result, &error);

    end->is_whole = status == STATUS_OK && result.skipped_bytes == 0 && result.bad_commits == 0;
    end->is_there |= result.groups == 0 || result.kind == SEGMENT_COMMIT;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static enum status find_log_end(const struct salvage_files *files, const struct salvage_plan *plan,
                                struct log_end *end_out) {
    struct log_end end = {.is_whole = true};
    enum status status = STATUS_OK;

    for (size_t i = files->count; i > 0 && end.is_whole && status == STATUS_OK; i--) {
        const struct salvage_file *file = &files->list[i - 1];
        if (file->kind == FILE_SEGMENT && end.next_version == 0) {
            status = look(files, plan, file->number, &end);
        }
    }
    *end_out = end;
    return status;
}

static bool may_be_of_a_load(const struct salvage_table *table) {
    return table->version_min == table->version_max && !table->has_system_rows;
}

/* The highest version that tables show to be committed; 0: there is none. */
static uint64_t committed_in_tables(const struct salvage_tables *tables) {
    uint64_t top = 0;
    uint64_t base = 0;

    for (size_t i = 0; i < tables->count; i++) {
        top = larger(top, tables->list[i].version_max);
    }
    for (size_t i = 0; i < tables->count; i++) {
        const struct salvage_table *table = &tables->list[i];
        if (table->version_max < top || !may_be_of_a_load(table)) {
            base = larger(base, table->version_max); /* after a broken load, nothing is written */
        }
    }
    return base;
}

/* Whether all rows of the system namespace have been read, and none tells of a load of a higher
 * version than `base`. The last table of a broken load may well be damaged. */
static bool no_row_tells(const struct salvage_tables *tables, uint64_t base) {
    for (size_t i = 0; i < tables->count; i++) {
        const struct salvage_table *table = &tables->list[i];
        bool is_above = table->entries > 0 && may_be_of_a_load(table) && table->version_max > base;
        if ((table->bad_blocks > 0 && !is_above) || table->load_version > base) {
            return false;
        }
    }
    return !tables->some_missing;
}

enum status salvage_reach(const struct salvage_files *files, const struct salvage_plan *plan,
                          const struct salvage_tables *tables, uint64_t *version_out) {
    uint64_t base = committed_in_tables(tables);
    struct log_end end;
    enum status status = find_log_end(files, plan, &end);

    base = larger(base, end.next_version);
    *version_out = UINT64_MAX;
    if (end.is_there && end.is_whole && base > 0 && no_row_tells(tables, base)) {
        *version_out = base + LOAD_VERSIONS_ASIDE / 2;
    }
    return status;
}
