/* view.c: see view.h. */
#include "storage/view.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/level_iterator.h"
#include "storage/merge_iterator.h"

static void view_fill(struct view *view, struct memtable *active, struct memtable *const *frozen,
                      uint32_t frozen_count, struct version *version) {
    ASSERT(frozen_count <= VIEW_FROZEN_MAX);
    atomic_init(&view->refs, 1);
    memtable_ref(active);
    view->active = active;
    for (uint32_t i = 0; i < frozen_count; i++) {
        memtable_ref(frozen[i]);
        view->frozen[i] = frozen[i];
    }
    view->frozen_count = frozen_count;
    version_ref(version);
    view->version = version;
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
    enum status status = view_prepare(view_out);

    if (status == STATUS_OK) {
        view_fill(*view_out, active, frozen, frozen_count, version);
    }
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

enum status view_holder_freeze(struct view_holder *holder, struct memtable *fresh) {
    struct memtable *frozen[VIEW_FROZEN_MAX];
    struct view *next;
    struct view *old;
    enum status status = view_prepare(&next);

    if (status != STATUS_OK) {
        return status;
    }
    mutex_lock(&holder->mu);
    old = holder->current;
    if (old->frozen_count == VIEW_FROZEN_MAX) {
        mutex_unlock(&holder->mu);
        memory_free(next);
        return STATUS_BUSY;
    }
    frozen[0] = old->active;
    for (uint32_t i = 0; i < old->frozen_count; i++) {
        frozen[i + 1] = old->frozen[i];
    }
    view_fill(next, fresh, frozen, old->frozen_count + 1, old->version);
    swap_locked(holder, next, &old);
    mutex_unlock(&holder->mu);
    view_unref(old);
    return STATUS_OK;
}

void view_holder_install(struct view_holder *holder, struct view *spare, struct version *version,
                         const struct memtable *flushed) {
    struct view *old;
    uint32_t frozen_count;

    mutex_lock(&holder->mu);
    old = holder->current;
    frozen_count = old->frozen_count;
    if (flushed) {
        ASSERT(frozen_count > 0);
        ASSERT(old->frozen[frozen_count - 1] == flushed);
        frozen_count--;
    }
    view_fill(spare, old->active, old->frozen, frozen_count, version);
    swap_locked(holder, spare, &old);
    mutex_unlock(&holder->mu);
    view_unref(old);
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

static enum status find_in_version(const struct version *version, const struct table_target *target,
                                   enum read_wait wait, struct view_hit *hit, struct error *error) {
    const struct level *top = &version->levels[0];
    enum status status = STATUS_NOT_FOUND;

    for (uint32_t i = 0; i < top->count && status == STATUS_NOT_FOUND; i++) {
        if (info_covers(&top->tables[i]->info, target->row)) {
            status = find_in_table(top->tables[i], target, wait, hit, error);
        }
    }
    for (uint32_t i = 1; i < LEVELS_MAX && status == STATUS_NOT_FOUND; i++) {
        const struct table_file *file = level_find(&version->levels[i], target->row);
        if (file) {
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

enum status view_find(const struct view *view, struct slice row, uint64_t version,
                      enum read_wait wait, struct view_hit *hit_out, struct error *error) {
    struct table_target target = table_target_make(row, version);

    *hit_out = (struct view_hit){.source = VIEW_ACTIVE};
    if (find_in_memtable(view->active, &target, hit_out)) {
        return STATUS_OK;
    }
    hit_out->source = VIEW_FROZEN;
    for (uint32_t i = 0; i < view->frozen_count; i++) {
        if (find_in_memtable(view->frozen[i], &target, hit_out)) {
            return STATUS_OK;
        }
    }
    return find_in_version(view->version, &target, wait, hit_out, error);
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
