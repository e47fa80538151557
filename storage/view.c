/* view.c: see view.h. */
#include "storage/view.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/level_iterator.h"
#include "storage/merge_iterator.h"
#include "storage/range_obsolete.h"

/* The parts of a view to be; borrowed. */
struct parts {
    struct memtable *active;
    struct memtable *frozen[VIEW_FROZEN_MAX];
    uint32_t frozen_count;
    struct version *version;
    struct range_set *ranges;
};

static struct parts parts_of(const struct view *view) {
    struct parts parts = {.active = view->active,
                          .frozen_count = view->frozen_count,
                          .version = view->version,
                          .ranges = view->ranges};

    memcpy(parts.frozen, view->frozen, sizeof parts.frozen);
    return parts;
}

static void view_fill(struct view *view, const struct parts *parts) {
    ASSERT(parts->frozen_count <= VIEW_FROZEN_MAX);
    atomic_init(&view->refs, 1);
    memtable_ref(parts->active);
    view->active = parts->active;
    view->active_ranges = memtable_ranges(parts->active);
    for (uint32_t i = 0; i < parts->frozen_count; i++) {
        memtable_ref(parts->frozen[i]);
        view->frozen[i] = parts->frozen[i];
    }
    view->frozen_count = parts->frozen_count;
    version_ref(parts->version);
    view->version = parts->version;
    range_set_ref(parts->ranges);
    view->ranges = parts->ranges;
}

/* The set with the range deletes of the memtable added, referenced. Errors: NO_MEMORY. */
static enum status fold_ranges(struct range_set *base, const struct memtable *memtable,
                               struct range_set **set_out) {
    const struct memtable_ranges *ranges = memtable_ranges(memtable);
    size_t count = memtable_ranges_count(ranges);
    const struct memtable_range *range = memtable_ranges_newest(ranges);
    struct range_delete *deletes;
    enum status status;

    if (count == 0) {
        range_set_ref(base);
        *set_out = base;
        return STATUS_OK;
    }
    deletes = memory_alloc_array(count, sizeof *deletes);
    if (!deletes) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        deletes[i] = range->deleted;
        range = range->older;
    }
    status = range_set_build(base, deletes, count, NULL, set_out);
    memory_free(deletes);
    return status == STATUS_OK ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status view_prepare(struct view **spare_out) {
    struct view *view = memory_alloc_zeroed(sizeof *view);

    if (!view) {
        return STATUS_NO_MEMORY;
    }
    *spare_out = view;
    return STATUS_OK;
}

enum status view_create(struct memtable *active, struct memtable *const *frozen,
                        uint32_t frozen_count, struct version *version, struct view **view_out) {
    struct parts parts = {.active = active, .frozen_count = frozen_count, .version = version};
    enum status status = view_prepare(view_out);

    for (uint32_t i = 0; i < frozen_count && status == STATUS_OK; i++) {
        struct range_set *base = parts.ranges;
        parts.frozen[i] = frozen[i];
        status = fold_ranges(base, frozen[i], &parts.ranges);
        if (status == STATUS_OK) {
            range_set_unref(base);
        } else {
            memory_free(*view_out);
        }
    }
    if (status == STATUS_OK) {
        view_fill(*view_out, &parts);
    }
    range_set_unref(parts.ranges);
    return status;
}

void view_ref(struct view *view) {
    atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
}

void view_unref(struct view *view) {
    uint32_t before = atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel);

    ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    memtable_unref(view->active);
    for (uint32_t i = 0; i < view->frozen_count; i++) {
        memtable_unref(view->frozen[i]);
    }
    version_unref(view->version);
    range_set_unref(view->ranges);
    memory_free(view);
}

void view_holder_init(struct view_holder *holder, struct view *first) {
    mutex_init(&holder->mu);
    holder->current = first;
}

void view_holder_deinit(struct view_holder *holder) {
    view_unref(holder->current);
    mutex_deinit(&holder->mu);
}

struct view *view_holder_take(struct view_holder *holder, const struct watermarks *marks,
                              uint64_t *visible_out) {
    struct view *view;

    mutex_lock(&holder->mu);
    view = holder->current;
    view_ref(view);
    *visible_out = watermarks_visible(marks);
    mutex_unlock(&holder->mu);
    return view;
}

/* Swaps `next` in; the old view is let go outside the lock, as that may free much. */
static void swap_locked(struct view_holder *holder, struct view *next, struct view **old_out)
    REQUIRES(holder->mu) {
    *old_out = holder->current;
    holder->current = next;
}

/* The present view, referenced. */
static struct view *take_present(struct view_holder *holder) {
    struct view *view;

    mutex_lock(&holder->mu);
    view = holder->current;
    view_ref(view);
    mutex_unlock(&holder->mu);
    return view;
}

/* What a freeze does once the set is made; false when another set has come meanwhile. */
static bool freeze_with(struct view_holder *holder, struct memtable *fresh, struct view *next,
                        const struct range_set *base, struct range_set *ranges) {
    struct parts parts;
    struct view *old;

    mutex_lock(&holder->mu);
    old = holder->current;
    if (old->ranges != base) {
        mutex_unlock(&holder->mu);
        return false;
    }
    parts = parts_of(old);
    parts.active = fresh;
    parts.frozen[0] = old->active;
    memcpy(parts.frozen + 1, old->frozen, old->frozen_count * sizeof old->frozen[0]);
    parts.frozen_count++;
    parts.ranges = ranges;
    view_fill(next, &parts);
    swap_locked(holder, next, &old);
    mutex_unlock(&holder->mu);
    view_unref(old);
    return true;
}

enum status view_holder_freeze(struct view_holder *holder, struct memtable *fresh) {
    struct view *next;
    enum status status = view_prepare(&next);
    bool done = false;

    while (status == STATUS_OK && !done) { /* again only when a job has made the set smaller */
        struct view *view = take_present(holder);
        struct range_set *ranges = NULL;
        status = view->frozen_count == VIEW_FROZEN_MAX
                     ? STATUS_BUSY
                     : fold_ranges(view->ranges, view->active, &ranges);
        if (status == STATUS_OK) {
            done = freeze_with(holder, fresh, next, view->ranges, ranges);
        } else {
            memory_free(next);
        }
        range_set_unref(ranges);
        view_unref(view);
    }
    return status;
}

void view_holder_install(struct view_holder *holder, struct view *spare, struct version *version,
                         const struct memtable *flushed) {
    struct parts parts;
    struct view *old;

    mutex_lock(&holder->mu);
    old = holder->current;
    parts = parts_of(old);
    parts.version = version;
    if (flushed) {
        ASSERT(parts.frozen_count > 0);
        ASSERT(parts.frozen[parts.frozen_count - 1] == flushed);
        parts.frozen_count--;
    }
    view_fill(spare, &parts);
    swap_locked(holder, spare, &old);
    mutex_unlock(&holder->mu);
    view_unref(old);
    view_holder_prune_ranges(holder, NULL);
}

/* Puts `ranges` in the place of `base`, if that is still there. */
static void replace_ranges(struct view_holder *holder, struct view *spare,
                           const struct range_set *base, struct range_set *ranges) {
    struct view *old = NULL;
    struct parts parts;

    mutex_lock(&holder->mu);
    if (holder->current->ranges == base) {
        parts = parts_of(holder->current);
        parts.ranges = ranges;
        view_fill(spare, &parts);
        swap_locked(holder, spare, &old);
    }
    mutex_unlock(&holder->mu);
    if (old) {
        view_unref(old);
    } else {
        memory_free(spare);
    }
}

enum status view_holder_load_ranges(struct view_holder *holder, const struct range_delete *deletes,
                                    size_t count, const struct keep_rules *rules) {
    struct range_set *ranges = NULL;
    struct view *spare;
    struct view *view;
    enum status status = view_prepare(&spare);

    if (status != STATUS_OK) {
        return status;
    }
    status = range_set_build(NULL, deletes, count, rules, &ranges);
    if (status != STATUS_OK) {
        memory_free(spare);
        return STATUS_NO_MEMORY;
    }
    view = take_present(holder);
    replace_ranges(holder, spare, view->ranges, ranges);
    view_unref(view);
    range_set_unref(ranges);
    return STATUS_OK;
}

/* See range_obsolete.h. */
static bool is_obsolete_cb(void *arg, struct slice from, struct slice to, uint64_t version) {
    const struct view *view = arg;

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        if (memtable_version_min(view->frozen[i]) <= version) {
            return false; /* it may not be flushed itself */
        }
    }
    return range_is_obsolete(view->version, from, to, version);
}

void view_holder_prune_ranges(struct view_holder *holder, const struct keep_rules *rules) {
    struct view *view = take_present(holder);
    struct range_set *ranges;
    struct view *spare;

    if (view->ranges &&
        range_set_prune(view->ranges, rules, is_obsolete_cb, view, &ranges) == STATUS_OK) {
        if (ranges != view->ranges && view_prepare(&spare) == STATUS_OK) {
            replace_ranges(holder, spare, view->ranges, ranges);
        }
        range_set_unref(ranges);
    }
    view_unref(view);
}

/* ---- Range deletes ----------------------------------------------------------------------------
 */

struct range_cover view_covering(const struct view *view, struct slice row, uint64_t version) {
    struct range_cover cover = memtable_ranges_covering(view->active_ranges, row, version);

    return cover.version != VERSION_NONE ? cover : range_set_covering(view->ranges, row, version);
}

struct range_cover view_ending(const struct view *view, struct slice row, uint64_t version) {
    struct range_cover cover = range_set_ending(view->ranges, row, version);

    return cover.version != VERSION_NONE
               ? cover
               : memtable_ranges_ending(view->active_ranges, row, version);
}

struct range_cover view_walk_covering(struct view_walk *walk, struct slice row, uint64_t version) {
    struct range_cover cover = memtable_ranges_covering(walk->view->active_ranges, row, version);

    return cover.version != VERSION_NONE ? cover : range_walk_covering(&walk->walk, row, version);
}

struct range_cover view_walk_ending(struct view_walk *walk, struct slice row, uint64_t version) {
    struct range_cover cover = range_walk_ending(&walk->walk, row, version);

    return cover.version != VERSION_NONE
               ? cover
               : memtable_ranges_ending(walk->view->active_ranges, row, version);
}

uint64_t view_ranges_version(const struct view *view) {
    uint64_t newest = VERSION_NONE;

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        uint64_t version = memtable_version_max(view->frozen[i]);
        newest = version > newest ? version : newest;
    }
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < view->version->levels[i].count; j++) {
            uint64_t version = view->version->levels[i].infos[j]->version_max;
            newest = version > newest ? version : newest;
        }
    }
    return newest;
}

/* ---- Lookup -----------------------------------------------------------------------------------
 */

static enum status find_in_table(const struct table_file *file, const struct table_target *target,
                                 enum read_wait wait, struct view_hit *hit, struct error *error) {
    struct table *table;
    enum status status = table_handle_pin(file->handle, &file->info, wait, &table, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = table_get(table, wait, target, &hit->table_hit, NULL, error);
    table_unpin(table);
    if (status != STATUS_OK) {
        return status;
    }
    hit->version = hit->table_hit.version;
    hit->source = VIEW_TABLE;
    status = entry_load(hit->table_hit.entry, &hit->entry);
    if (status != STATUS_OK) {
        table_hit_release(&hit->table_hit);
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                         "table %llu holds an entry that is not well formed",
                         (unsigned long long)file->info.number);
    }
    return STATUS_OK;
}

static bool info_covers(const struct table_info *info, struct slice row) {
    return slice_compare(ikey_row(info->smallest), row) <= 0 &&
           slice_compare(row, ikey_row(info->largest)) <= 0;
}

/* Tables in which all is older than `covered` are passed by. (Inlined here and in find: that is 30
 * instructions of a lookup.) */
__attribute__((always_inline)) static inline enum status
find_in_version(const struct version *version, const struct table_target *target, uint64_t covered,
                enum read_wait wait, struct view_hit *hit, struct error *error) {
    const struct level *top = &version->levels[0];
    enum status status = STATUS_NOT_FOUND;

    for (uint32_t i = 0; i < top->count && status == STATUS_NOT_FOUND; i++) {
        if (top->infos[i]->version_max >= covered && info_covers(top->infos[i], target->row)) {
            status = find_in_table(top->tables[i], target, wait, hit, error);
        }
    }
    for (uint32_t i = 1; i < LEVELS_MAX && status == STATUS_NOT_FOUND; i++) {
        const struct table_file *file = level_find(&version->levels[i], target->row);
        if (file && file->info.version_max >= covered) {
            status = find_in_table(file, target, wait, hit, error);
        }
    }
    return status;
}

static bool find_in_memtable(const struct memtable *memtable, const struct table_target *target,
                             struct view_hit *hit) {
    struct memtable_hit found;
    enum status status;

    if (!memtable_get(memtable, target, &found)) {
        return false;
    }
    hit->version = found.version;
    status = entry_load(found.entry, &hit->entry);
    ASSERT(status == STATUS_OK); /* our own memory, our own encoding */
    return true;
}

/* What is there, if a range delete of the version `covered` hides all that is older. */
__attribute__((always_inline)) static inline enum status
find(const struct view *view, const struct table_target *target, uint64_t covered,
     enum read_wait wait, struct view_hit *hit, struct error *error) {
    *hit = (struct view_hit){.source = VIEW_ACTIVE};
    if (find_in_memtable(view->active, target, hit)) {
        return STATUS_OK;
    }
    hit->source = VIEW_FROZEN;
    for (uint32_t i = 0; i < view->frozen_count; i++) {
        if (find_in_memtable(view->frozen[i], target, hit)) {
            return STATUS_OK;
        }
    }
    return find_in_version(view->version, target, covered, wait, hit, error);
}

/* Apart, so that lookups without range deletes are as short as they were. */
__attribute__((noinline, cold)) static enum status
find_below_range(const struct view *view, const struct table_target *target, enum read_wait wait,
                 struct view_hit *hit, struct error *error) {
    struct range_cover cover = view_covering(view, target->row, target->version);
    enum status status = find(view, target, cover.version, wait, hit, error);

    if (cover.version == VERSION_NONE ||
        (status == STATUS_OK ? hit->version >= cover.version : status != STATUS_NOT_FOUND)) {
        return status;
    }
    if (status == STATUS_OK) {
        view_hit_release(hit);
    }
    *hit = (struct view_hit){
        .entry = {.kind = ENTRY_TOMBSTONE, .durability = (enum durability)cover.durability},
        .version = cover.version,
        .source = VIEW_RANGE};
    return STATUS_OK;
}

enum status view_find(const struct view *view, struct slice row, uint64_t version,
                      enum read_wait wait, struct view_hit *hit_out, struct error *error) {
    struct table_target target = table_target_make(row, version);

    if (__builtin_expect(view_has_ranges(view), 0)) {
        return find_below_range(view, &target, wait, hit_out, error);
    }
    return find(view, &target, VERSION_NONE, wait, hit_out, error);
}

/* ---- Iterator ---------------------------------------------------------------------------------
 */

struct child_list {
    struct iterator **children;
    size_t count;
};

static enum status children_add_memtables(const struct view *view, struct child_list *list) {
    enum status status = memtable_iterator_create(view->active, &list->children[list->count]);

    list->count += status == STATUS_OK;
    for (uint32_t i = 0; i < view->frozen_count && status == STATUS_OK; i++) {
        status = memtable_iterator_create(view->frozen[i], &list->children[list->count]);
        list->count += status == STATUS_OK;
    }
    return status;
}

static enum status children_add_tables(const struct version *version, enum read_wait wait,
                                       struct child_list *list) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        const struct level *level = &version->levels[i];
        uint32_t runs = i == 0 ? level->count : level->count > 0;
        for (uint32_t run = 0; run < runs && status == STATUS_OK; run++) {
            size_t tables = i == 0 ? 1 : level->count;
            struct table_cache *cache = level->tables[0]->files->tables;
            status = level_iterator_create(cache, level->infos + run, tables, wait,
                                           TABLE_ITERATOR_FILL_CACHE, &list->children[list->count]);
            list->count += status == STATUS_OK;
        }
    }
    return status;
}

enum status view_iterator_create(const struct view *view, enum read_wait wait,
                                 struct iterator **iter_out) {
    size_t count_max = 1 + view->frozen_count + view->version->levels[0].count + LEVELS_MAX;
    struct child_list list = {memory_alloc_array(count_max, sizeof(struct iterator *)), 0};
    enum status status;

    if (!list.children) {
        return STATUS_NO_MEMORY;
    }
    status = children_add_memtables(view, &list);
    if (status == STATUS_OK) {
        status = children_add_tables(view->version, wait, &list);
    }
    if (status == STATUS_OK) {
        status = merge_iterator_create(list.children, list.count, iter_out);
    }
    if (status != STATUS_OK) {
        for (size_t i = 0; i < list.count; i++) {
            iterator_destroy(list.children[i]);
        }
    }
    memory_free(list.children);
    return status;
}
