/* version.c: see version.h. */
#include "storage/version.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- Files ------------------------------------------------------------------------------------
 */

static struct table_file *table_of(struct reclaim_item *item) {
    return (struct table_file *)((char *)item - offsetof(struct table_file, reclaim_item));
}

static struct segment_file *segment_of(struct reclaim_item *item) {
    return (struct segment_file *)((char *)item - offsetof(struct segment_file, reclaim_item));
}

static void table_file_free(struct table_file *file) {
    table_info_deinit(&file->info);
    memory_free(file);
}

static void table_removed(struct reclaim_item *item) {
    table_file_free(table_of(item));
}

static void segment_removed(struct reclaim_item *item) {
    memory_free(segment_of(item));
}

static enum status table_file_create(const struct version_files *files,
                                     const struct table_info *info, struct table_file **file_out) {
    struct table_file *file = memory_alloc_zeroed(sizeof *file);
    enum status status;

    if (!file) {
        return STATUS_NO_MEMORY;
    }
    file->reclaim_item = (struct reclaim_item){
        .kind = FILE_TABLE, .number = info->number, .removed_cb = table_removed};
    file->files = files;
    atomic_init(&file->refs, 1);
    status = table_info_copy(info, &file->info);
    if (status == STATUS_OK) {
        status = table_cache_handle(files->tables, info->number, &file->handle);
    }
    if (status != STATUS_OK) {
        table_file_free(file);
        return status;
    }
    *file_out = file;
    return STATUS_OK;
}

/* What the edit says of a segment beside that it is there. */
static void segment_file_mark(struct segment_file *file, const struct version_edit *edit) {
    for (uint32_t i = 0; i < edit->segments_sealed_count; i++) {
        if (edit->segments_sealed[i].number == file->number) {
            atomic_store_explicit(&file->length_bytes, edit->segments_sealed[i].length_bytes,
                                  memory_order_release);
        }
    }
    for (uint32_t i = 0; i < edit->segments_damaged_count; i++) {
        if (edit->segments_damaged[i] == file->number) {
            atomic_store_explicit(&file->damaged, true, memory_order_release);
        }
    }
}

static enum status segment_file_create(const struct version_files *files,
                                       const struct edit_segment *added,
                                       struct segment_file **file_out) {
    struct segment_file *file = memory_alloc_zeroed(sizeof *file);

    if (!file) {
        return STATUS_NO_MEMORY;
    }
    file->reclaim_item = (struct reclaim_item){
        .kind = FILE_SEGMENT, .number = added->number, .removed_cb = segment_removed};
    file->files = files;
    file->number = added->number;
    file->kind = added->kind;
    atomic_init(&file->refs, 1);
    *file_out = file;
    return STATUS_OK;
}

/* Whoever drops the last reference of an obsolete file hands it to the reclaimer; a file that is
 * still part of the store (the store is closing) only frees its memory. */
static void table_file_unref(struct table_file *file) {
    uint32_t before = atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel);

    ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    if (atomic_load_explicit(&file->obsolete, memory_order_acquire)) {
        table_cache_evict(file->files->tables, file->info.number);
        reclaim_push(file->files->reclaim, &file->reclaim_item);
    } else {
        table_file_free(file);
    }
}

static void segment_file_unref(struct segment_file *file) {
    uint32_t before = atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel);

    ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    if (atomic_load_explicit(&file->obsolete, memory_order_acquire)) {
        segment_cache_evict(file->files->segments, file->number);
        reclaim_push(file->files->reclaim, &file->reclaim_item);
    } else {
        memory_free(file);
    }
}

/* ---- Versions ---------------------------------------------------------------------------------
 */

enum status version_create_empty(struct version **version_out) {
    struct version *version = memory_alloc_zeroed(sizeof *version);

    if (!version) {
        return STATUS_NO_MEMORY;
    }
    atomic_init(&version->refs, 1);
    *version_out = version;
    return STATUS_OK;
}

uint64_t version_weight(const struct version *version) {
    uint64_t weight = 0;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        weight += version->levels[i].weight;
    }
    return weight;
}

void version_ref(struct version *version) {
    atomic_fetch_add_explicit(&version->refs, 1, memory_order_relaxed);
}

void version_unref(struct version *version) {
    uint32_t before = atomic_fetch_sub_explicit(&version->refs, 1, memory_order_acq_rel);

    ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            table_file_unref(version->levels[i].tables[j]);
        }
        memory_free(version->levels[i].tables);
        memory_free(version->levels[i].infos);
    }
    for (uint32_t i = 0; i < version->segment_count; i++) {
        segment_file_unref(version->segments[i]);
    }
    memory_free(version->segments);
    memory_free(version->relocations);
    memory_free(version);
}

/* By what is in them: a bulk load has its file numbers before flushes that it is newer than. */
static int order_newest_first(const void *left, const void *right) {
    const struct table_file *a = *(struct table_file *const *)left;
    const struct table_file *b = *(struct table_file *const *)right;

    if (a->info.version_max != b->info.version_max) {
        return a->info.version_max < b->info.version_max ? 1 : -1;
    }
    return (a->info.number < b->info.number) - (a->info.number > b->info.number);
}

static int order_by_key(const void *left, const void *right) {
    const struct table_file *a = *(struct table_file *const *)left;
    const struct table_file *b = *(struct table_file *const *)right;
    return ikey_compare(a->info.smallest, b->info.smallest);
}

static bool edit_removes_table(const struct version_edit *edit, uint32_t level, uint64_t number) {
    for (uint32_t i = 0; i < edit->tables_removed_count; i++) {
        if (edit->tables_removed[i].level == level && edit->tables_removed[i].number == number) {
            return true;
        }
    }
    return false;
}

static struct table_file *find_table(const struct version *version, uint32_t level,
                                     uint64_t number) {
    for (uint32_t i = 0; i < version->levels[level].count; i++) {
        if (version->levels[level].infos[i]->number == number) {
            return version->levels[level].tables[i];
        }
    }
    return NULL;
}

/* A table that moves between levels keeps its file. */
static struct table_file *find_moved(const struct version *base, const struct version_edit *edit,
                                     uint64_t number) {
    for (uint32_t i = 0; i < edit->tables_removed_count; i++) {
        if (edit->tables_removed[i].number == number) {
            return find_table(base, edit->tables_removed[i].level, number);
        }
    }
    return NULL;
}

static enum status level_add_table(const struct version_files *files, const struct version *base,
                                   const struct version_edit *edit, const struct table_info *info,
                                   struct level *level) {
    struct table_file *file = find_moved(base, edit, info->number);

    if (file) {
        atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    } else {
        enum status status = table_file_create(files, info, &file);
        if (status != STATUS_OK) {
            return status;
        }
    }
    level->tables[level->count++] = file;
    return STATUS_OK;
}

static enum status level_finish(struct level *level, uint32_t index) {
    if (level->count > 1) {
        qsort(level->tables, level->count, sizeof(struct table_file *),
              index == 0 ? order_newest_first : order_by_key);
    }
    for (uint32_t i = 0; i < level->count; i++) {
        const struct table_info *info = &level->tables[i]->info;
        level->infos[i] = info;
        level->file_bytes += info->file_bytes;
        level->weight += info->file_bytes + info->log_bytes;
        if (index > 0 && i > 0 &&
            slice_compare(ikey_row(level->infos[i - 1]->largest), ikey_row(info->smallest)) >= 0) {
            return STATUS_CORRUPT;
        }
    }
    return STATUS_OK;
}

static enum status level_apply(const struct version_files *files, const struct version *base,
                               const struct version_edit *edit, uint32_t index,
                               struct level *level) {
    const struct level *old = &base->levels[index];
    size_t count_max = (size_t)old->count + edit->tables_added_count;
    enum status status = STATUS_OK;

    if (count_max == 0) {
        return STATUS_OK;
    }
    level->tables = memory_alloc_array(count_max, sizeof(struct table_file *));
    level->infos = memory_alloc_array(count_max, sizeof(struct table_info *));
    if (!level->tables || !level->infos) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < old->count; i++) {
        if (!edit_removes_table(edit, index, old->infos[i]->number)) {
            atomic_fetch_add_explicit(&old->tables[i]->refs, 1, memory_order_relaxed);
            level->tables[level->count++] = old->tables[i];
        }
    }
    for (uint32_t i = 0; i < edit->tables_added_count && status == STATUS_OK; i++) {
        if (edit->tables_added[i].level == index) {
            status = level_add_table(files, base, edit, &edit->tables_added[i].info, level);
        }
    }
    return status == STATUS_OK ? level_finish(level, index) : status;
}

static bool edit_removes_segment(const struct version_edit *edit, uint64_t number) {
    for (uint32_t i = 0; i < edit->segments_removed_count; i++) {
        if (edit->segments_removed[i] == number) {
            return true;
        }
    }
    return false;
}

static int order_by_number(const void *left, const void *right) {
    const struct segment_file *a = *(struct segment_file *const *)left;
    const struct segment_file *b = *(struct segment_file *const *)right;
    return (a->number > b->number) - (a->number < b->number);
}

static enum status segments_apply(const struct version_files *files, const struct version *base,
                                  const struct version_edit *edit, struct version *next) {
    size_t count_max = (size_t)base->segment_count + edit->segments_added_count;
    enum status status = STATUS_OK;

    if (count_max == 0) {
        return STATUS_OK;
    }
    next->segments = memory_alloc_array(count_max, sizeof(struct segment_file *));
    if (!next->segments) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < base->segment_count; i++) {
        if (!edit_removes_segment(edit, base->segments[i]->number)) {
            atomic_fetch_add_explicit(&base->segments[i]->refs, 1, memory_order_relaxed);
            next->segments[next->segment_count++] = base->segments[i];
        }
    }
    for (uint32_t i = 0; i < edit->segments_added_count && status == STATUS_OK; i++) {
        struct segment_file **file = &next->segments[next->segment_count];
        status = segment_file_create(files, &edit->segments_added[i], file);
        if (status == STATUS_OK) {
            segment_file_mark(*file, edit); /* nobody else knows it yet */
            next->segment_count++;
        }
    }
    if (next->segment_count > 1) {
        qsort(next->segments, next->segment_count, sizeof(struct segment_file *), order_by_number);
    }
    return status;
}

static bool edit_removes_relocation(const struct version_edit *edit, uint64_t home) {
    for (uint32_t i = 0; i < edit->relocations_removed_count; i++) {
        if (edit->relocations_removed[i] == home) {
            return true;
        }
    }
    return false;
}

static int order_by_home(const void *left, const void *right) {
    const struct relocation *a = left;
    const struct relocation *b = right;
    return (a->home > b->home) - (a->home < b->home);
}

static enum status relocations_apply(const struct version *base, const struct version_edit *edit,
                                     struct version *next) {
    size_t count_max = (size_t)base->relocation_count + edit->relocations_added_count;

    if (count_max == 0) {
        return STATUS_OK;
    }
    next->relocations = memory_alloc_array(count_max, sizeof *next->relocations);
    if (!next->relocations) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < base->relocation_count; i++) {
        if (!edit_removes_relocation(edit, base->relocations[i].home)) {
            next->relocations[next->relocation_count++] = base->relocations[i];
        }
    }
    for (uint32_t i = 0; i < edit->relocations_added_count; i++) {
        next->relocations[next->relocation_count++] = edit->relocations_added[i];
    }
    qsort(next->relocations, next->relocation_count, sizeof *next->relocations, order_by_home);
    return STATUS_OK;
}

enum status version_apply(const struct version_files *files, const struct version *base,
                          const struct version_edit *edit, struct version **version_out) {
    struct version *next;
    enum status status = version_create_empty(&next);

    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < LEVELS_MAX && status == STATUS_OK; i++) {
        status = level_apply(files, base, edit, i, &next->levels[i]);
    }
    if (status == STATUS_OK) {
        status = segments_apply(files, base, edit, next);
    }
    if (status == STATUS_OK) {
        status = relocations_apply(base, edit, next);
    }
    if (status != STATUS_OK) {
        version_unref(next);
        return status;
    }
    *version_out = next;
    return STATUS_OK;
}

static bool edit_adds_table(const struct version_edit *edit, uint64_t number) {
    for (uint32_t i = 0; i < edit->tables_added_count; i++) {
        if (edit->tables_added[i].info.number == number) {
            return true;
        }
    }
    return false;
}

void version_mark_files(const struct version *old, const struct version_edit *edit) {
    for (uint32_t i = 0; i < edit->tables_removed_count; i++) {
        uint64_t number = edit->tables_removed[i].number;
        struct table_file *file = find_table(old, edit->tables_removed[i].level, number);
        if (file && !edit_adds_table(edit, number)) {
            atomic_store_explicit(&file->obsolete, true, memory_order_release);
        }
    }
    for (uint32_t i = 0; i < old->segment_count; i++) {
        if (edit_removes_segment(edit, old->segments[i]->number)) {
            atomic_store_explicit(&old->segments[i]->obsolete, true, memory_order_release);
        }
        segment_file_mark(old->segments[i], edit);
    }
}

/* ---- Where records lie ------------------------------------------------------------------------
 */

struct segment_file *version_segment(const struct version *version, uint64_t number) {
    uint32_t low = 0;
    uint32_t high = version->segment_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (version->segments[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < version->segment_count && version->segments[low]->number == number
               ? version->segments[low]
               : NULL;
}

static const struct relocation *find_relocation(const struct version *version, uint64_t home) {
    struct relocation wanted = {.home = home};

    return version->relocation_count > 0
               ? bsearch(&wanted, version->relocations, version->relocation_count, sizeof wanted,
                         order_by_home)
               : NULL;
}

enum segment_place version_resolve(const struct version *version, uint64_t segment,
                                   const struct relocation **relocation_out) {
    const struct relocation *relocation;

    if (version_segment(version, segment)) {
        return SEGMENT_LIVE;
    }
    relocation = find_relocation(version, segment);
    if (!relocation) {
        return SEGMENT_ABSENT;
    }
    *relocation_out = relocation;
    return SEGMENT_RELOCATED;
}

static bool shares_resolve(const struct version *version, const struct table_info *info,
                           uint64_t *segment_out) {
    const struct relocation *relocation;

    for (uint32_t i = 0; i < info->share_count; i++) {
        if (version_resolve(version, info->shares[i].segment, &relocation) == SEGMENT_ABSENT) {
            *segment_out = info->shares[i].segment;
            return false;
        }
    }
    return true;
}

bool version_is_whole(const struct version *version, const struct version_edit *edit,
                      uint64_t *segment_out) {
    if (edit->segments_removed_count == 0 && edit->relocations_removed_count == 0) {
        for (uint32_t i = 0; i < edit->tables_added_count; i++) {
            if (!shares_resolve(version, &edit->tables_added[i].info, segment_out)) {
                return false;
            }
        }
        return true;
    }
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            if (!shares_resolve(version, version->levels[i].infos[j], segment_out)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- Levels -----------------------------------------------------------------------------------
 */

uint32_t level_lower_bound(const struct level *level, struct slice row) {
    uint32_t low = 0;
    uint32_t high = level->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(ikey_row(level->infos[middle]->largest), row) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct table_file *level_find(const struct level *level, struct slice row) {
    uint32_t index = level_lower_bound(level, row);

    if (index == level->count || slice_compare(ikey_row(level->infos[index]->smallest), row) > 0) {
        return NULL;
    }
    return level->tables[index];
}

bool level_overlaps(const struct level *level, struct slice from, struct slice to) {
    for (uint32_t i = 0; i < level->count; i++) {
        if (slice_compare(ikey_row(level->infos[i]->smallest), to) <= 0 &&
            slice_compare(from, ikey_row(level->infos[i]->largest)) <= 0) {
            return true;
        }
    }
    return false;
}
