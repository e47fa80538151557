/* level_iterator.c: see level_iterator.h. */
#include "storage/level_iterator.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

struct level_iterator {
    struct iterator base;
    struct table_cache *cache;             /* borrowed */
    const struct table_info *const *infos; /* borrowed */
    size_t count;
    enum read_wait wait;
    unsigned flags;
    size_t position;        /* of the table in use; count: none */
    struct table *table;    /* pinned, or NULL */
    struct iterator *inner; /* owned: over that table */
};

static struct level_iterator *self_of(struct iterator *iter) {
    return (struct level_iterator *)iter;
}

static void leave_table(struct level_iterator *self) {
    iterator_destroy(self->inner);
    table_unpin(self->table);
    self->inner = NULL;
    self->table = NULL;
    self->position = self->count;
}

static enum status enter_table(struct level_iterator *self, size_t position) {
    enum status status;

    if (self->position == position) {
        return STATUS_OK;
    }
    leave_table(self);
    status = table_cache_pin(self->cache, self->infos[position], self->wait, &self->table,
                             &self->base.error);
    if (status != STATUS_OK) {
        return status;
    }
    status = table_iterator_create(self->table, self->wait, self->flags, &self->inner);
    if (status == STATUS_OK) {
        self->position = position;
    }
    return status;
}

/* What every move ends with. */
static enum status arrive(struct level_iterator *self, enum status status) {
    if (status == STATUS_OK) {
        self->base.key = self->inner->key;
        self->base.entry = self->inner->entry;
        return STATUS_OK;
    }
    if (self->position < self->count && status != STATUS_END && status != STATUS_WOULD_BLOCK) {
        self->base.error = self->inner->error;
    }
    leave_table(self);
    self->base.key = (struct slice){0};
    self->base.entry = (struct slice){0};
    return status;
}

/* While the table in use has ended, goes on with the ones behind. */
static enum status go_on_forward(struct level_iterator *self, enum status status) {
    while (status == STATUS_END && self->position + 1 < self->count) {
        status = enter_table(self, self->position + 1);
        if (status == STATUS_OK) {
            status = iterator_seek_first(self->inner);
        }
    }
    return arrive(self, status);
}

static enum status go_on_backward(struct level_iterator *self, enum status status) {
    while (status == STATUS_END && self->position > 0) {
        status = enter_table(self, self->position - 1);
        if (status == STATUS_OK) {
            status = iterator_seek_last(self->inner);
        }
    }
    return arrive(self, status);
}

/* The first table whose largest key is >= ikey; count when there is none. */
static size_t table_at_or_after(const struct level_iterator *self, struct slice ikey) {
    size_t low = 0;
    size_t high = self->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ikey_compare(self->infos[middle]->largest, ikey) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* How many tables begin before ikey: the last of them holds the last key before it. */
static size_t tables_before(const struct level_iterator *self, struct slice ikey) {
    size_t low = 0;
    size_t high = self->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ikey_compare(self->infos[middle]->smallest, ikey) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum status level_seek(struct iterator *iter, struct slice ikey) {
    struct level_iterator *self = self_of(iter);
    size_t position = table_at_or_after(self, ikey);
    enum status status;

    if (position == self->count) {
        leave_table(self);
        return arrive(self, STATUS_END);
    }
    status = enter_table(self, position);
    return go_on_forward(self, status == STATUS_OK ? iterator_seek(self->inner, ikey) : status);
}

static enum status level_seek_before(struct iterator *iter, struct slice ikey) {
    struct level_iterator *self = self_of(iter);
    size_t before = tables_before(self, ikey);
    enum status status;

    if (before == 0) {
        leave_table(self);
        return arrive(self, STATUS_END);
    }
    status = enter_table(self, before - 1);
    if (status == STATUS_OK) {
        status = iterator_seek_before(self->inner, ikey);
    }
    return go_on_backward(self, status);
}

static enum status level_seek_first(struct iterator *iter) {
    struct level_iterator *self = self_of(iter);
    enum status status = self->count > 0 ? enter_table(self, 0) : STATUS_END;

    if (status != STATUS_OK) {
        return arrive(self, status);
    }
    return go_on_forward(self, iterator_seek_first(self->inner));
}

static enum status level_seek_last(struct iterator *iter) {
    struct level_iterator *self = self_of(iter);
    enum status status = self->count > 0 ? enter_table(self, self->count - 1) : STATUS_END;

    if (status != STATUS_OK) {
        return arrive(self, status);
    }
    return go_on_backward(self, iterator_seek_last(self->inner));
}

static enum status level_next(struct iterator *iter) {
    struct level_iterator *self = self_of(iter);
    ASSERT(self->position < self->count);
    return go_on_forward(self, iterator_next(self->inner));
}

static enum status level_prev(struct iterator *iter) {
    struct level_iterator *self = self_of(iter);
    ASSERT(self->position < self->count);
    return go_on_backward(self, iterator_prev(self->inner));
}

static void level_destroy(struct iterator *iter) {
    struct level_iterator *self = self_of(iter);

    leave_table(self);
    memory_free(self);
}

static const struct iterator_ops level_iterator_ops = {
    .seek = level_seek,
    .seek_before = level_seek_before,
    .seek_first = level_seek_first,
    .seek_last = level_seek_last,
    .next = level_next,
    .prev = level_prev,
    .destroy = level_destroy,
};

enum status level_iterator_create(struct table_cache *cache, const struct table_info *const *infos,
                                  size_t count, enum read_wait wait, unsigned flags,
                                  struct iterator **iterator_out) {
    struct level_iterator *self = memory_alloc_zeroed(sizeof *self);

    if (!self) {
        return STATUS_NO_MEMORY;
    }
    self->base.ops = &level_iterator_ops;
    self->cache = cache;
    self->infos = infos;
    self->count = count;
    self->wait = wait;
    self->flags = flags;
    self->position = count;
    *iterator_out = &self->base;
    return STATUS_OK;
}
