/* merge_iterator.c: see merge_iterator.h. */
#include "storage/merge_iterator.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

struct merge_iterator {
    struct iterator base;
    size_t count;
    bool forward;
    size_t heap_count;           /* children that stand somewhere; 0: the merge stands nowhere */
    uint32_t *heap;              /* owned; numbers of children, the current one at 0 */
    struct iterator *children[]; /* owned */
};

static struct merge_iterator *self_of(struct iterator *iter) {
    return (struct merge_iterator *)iter;
}

static struct iterator *child_at(const struct merge_iterator *self, size_t place) {
    return self->children[self->heap[place]];
}

/* Whether the child at heap place `a` comes before that at `b` in the direction of the walk; of
 * equal keys the newer source does. */
static bool comes_before(const struct merge_iterator *self, size_t a, size_t b) {
    int order = ikey_compare(child_at(self, a)->key, child_at(self, b)->key);

    if (order == 0) {
        return self->heap[a] < self->heap[b];
    }
    return (order < 0) == self->forward;
}

static void sift_down(struct merge_iterator *self, size_t place) {
    for (;;) {
        size_t best = 2 * place + 1;
        uint32_t child;
        if (best >= self->heap_count) {
            return;
        }
        if (best + 1 < self->heap_count && comes_before(self, best + 1, best)) {
            best++;
        }
        if (!comes_before(self, best, place)) {
            return;
        }
        child = self->heap[place];
        self->heap[place] = self->heap[best];
        self->heap[best] = child;
        place = best;
    }
}

static enum status stand_nowhere(struct merge_iterator *self, enum status status) {
    self->heap_count = 0;
    self->base.key = (struct slice){0};
    self->base.entry = (struct slice){0};
    return status;
}

static enum status child_failed(struct merge_iterator *self, const struct iterator *child,
                                enum status status) {
    if (status != STATUS_WOULD_BLOCK) {
        self->base.error = child->error;
    }
    return stand_nowhere(self, status);
}

/* The top of the heap is what the merge shows. */
static enum status arrive(struct merge_iterator *self) {
    if (self->heap_count == 0) {
        return stand_nowhere(self, STATUS_END);
    }
    self->base.key = child_at(self, 0)->key;
    self->base.entry = child_at(self, 0)->entry;
    return STATUS_OK;
}

static enum status arrive_with_new_heap(struct merge_iterator *self) {
    for (size_t place = self->heap_count / 2; place-- > 0;) {
        sift_down(self, place);
    }
    return arrive(self);
}

/* Puts a child that has just moved into the (unordered) heap, or leaves it out at its end. */
static enum status enlist(struct merge_iterator *self, uint32_t number, enum status status) {
    if (status == STATUS_OK) {
        self->heap[self->heap_count++] = number;
        return STATUS_OK;
    }
    return status == STATUS_END ? STATUS_OK : child_failed(self, self->children[number], status);
}

/* Moves one child of the walk on by one, in the direction of the walk. */
static enum status move_child(const struct merge_iterator *self, struct iterator *child) {
    return self->forward ? iterator_next(child) : iterator_prev(child);
}

/* Moves the child at a heap place on, and mends the heap from there. */
static enum status advance(struct merge_iterator *self, size_t place) {
    struct iterator *child = child_at(self, place);
    enum status status = move_child(self, child);

    if (status != STATUS_OK && status != STATUS_END) {
        return child_failed(self, child, status);
    }
    if (status == STATUS_END) {
        self->heap[place] = self->heap[--self->heap_count];
    }
    if (place < self->heap_count) {
        sift_down(self, place);
    }
    return STATUS_OK;
}

/* A child that stands on the same key as the top and is not the top; 0 if there is none. Equal keys
 * are neighbours in order, so one of them is right below the top. */
static size_t duplicate_of_top(const struct merge_iterator *self) {
    for (size_t place = 1; place <= 2 && place < self->heap_count; place++) {
        if (slice_equal(child_at(self, place)->key, child_at(self, 0)->key)) {
            return place;
        }
    }
    return 0;
}

/* One on in the present direction. */
static enum status step(struct merge_iterator *self) {
    size_t duplicate = duplicate_of_top(self);
    enum status status = STATUS_OK;

    while (status == STATUS_OK && duplicate > 0) {
        status = advance(self, duplicate);
        duplicate = status == STATUS_OK ? duplicate_of_top(self) : 0;
    }
    if (status == STATUS_OK) {
        status = advance(self, 0);
    }
    return status == STATUS_OK ? arrive(self) : status;
}

/* Moves a child to the near side of `key` in the new direction: never onto it. */
static enum status turn_child(const struct merge_iterator *self, struct iterator *child,
                              struct slice key) {
    enum status status;

    if (!self->forward) {
        return iterator_seek_before(child, key);
    }
    status = iterator_seek(child, key);
    if (status == STATUS_OK && slice_equal(child->key, key)) {
        status = iterator_next(child);
    }
    return status;
}

/* Turns round and moves one. The current child moves last, for the key is borrowed from it. */
static enum status turn(struct merge_iterator *self) {
    uint32_t current = self->heap[0];
    struct slice key = self->base.key;
    enum status status = STATUS_OK;

    self->forward = !self->forward;
    self->heap_count = 0;
    for (uint32_t i = 0; i < self->count && status == STATUS_OK; i++) {
        if (i != current) {
            status = enlist(self, i, turn_child(self, self->children[i], key));
        }
    }
    if (status == STATUS_OK) {
        status = enlist(self, current, move_child(self, self->children[current]));
    }
    return status == STATUS_OK ? arrive_with_new_heap(self) : status;
}

static enum status merge_next(struct iterator *iter) {
    struct merge_iterator *self = self_of(iter);
    ASSERT(self->heap_count > 0);
    return self->forward ? step(self) : turn(self);
}

static enum status merge_prev(struct iterator *iter) {
    struct merge_iterator *self = self_of(iter);
    ASSERT(self->heap_count > 0);
    return self->forward ? turn(self) : step(self);
}

typedef enum status (*seek_fn)(struct iterator *child, struct slice ikey);

static enum status seek_first_fn(struct iterator *child, struct slice ikey) {
    (void)ikey;
    return iterator_seek_first(child);
}

static enum status seek_last_fn(struct iterator *child, struct slice ikey) {
    (void)ikey;
    return iterator_seek_last(child);
}

/* Moves all children with `seek` and starts a walk in that direction. */
static enum status seek_all(struct iterator *iter, bool forward, seek_fn seek, struct slice ikey) {
    struct merge_iterator *self = self_of(iter);
    enum status status = STATUS_OK;

    self->forward = forward;
    self->heap_count = 0;
    for (uint32_t i = 0; i < self->count && status == STATUS_OK; i++) {
        status = enlist(self, i, seek(self->children[i], ikey));
    }
    return status == STATUS_OK ? arrive_with_new_heap(self) : status;
}

static enum status merge_seek(struct iterator *iter, struct slice ikey) {
    return seek_all(iter, true, iterator_seek, ikey);
}

static enum status merge_seek_before(struct iterator *iter, struct slice ikey) {
    return seek_all(iter, false, iterator_seek_before, ikey);
}

static enum status merge_seek_first(struct iterator *iter) {
    return seek_all(iter, true, seek_first_fn, (struct slice){0});
}

static enum status merge_seek_last(struct iterator *iter) {
    return seek_all(iter, false, seek_last_fn, (struct slice){0});
}

static void merge_destroy(struct iterator *iter) {
    struct merge_iterator *self = self_of(iter);

    for (size_t i = 0; i < self->count; i++) {
        iterator_destroy(self->children[i]);
    }
    memory_free(self->heap);
    memory_free(self);
}

static const struct iterator_ops merge_iterator_ops = {
    .seek = merge_seek,
    .seek_before = merge_seek_before,
    .seek_first = merge_seek_first,
    .seek_last = merge_seek_last,
    .next = merge_next,
    .prev = merge_prev,
    .destroy = merge_destroy,
};

enum status merge_iterator_create(struct iterator *const *children, size_t count,
                                  struct iterator **iterator_out) {
    struct merge_iterator *self;
    size_t children_bytes;

    if (count == 1) {
        *iterator_out = children[0];
        return STATUS_OK;
    }
    ASSERT(count < UINT32_MAX);
    if (!checked_multiply_size(count, sizeof *children, &children_bytes)) {
        return STATUS_NO_MEMORY;
    }
    self = memory_alloc_zeroed(sizeof *self + children_bytes);
    if (!self) {
        return STATUS_NO_MEMORY;
    }
    self->heap = memory_alloc_array(count + 1, sizeof *self->heap); /* + 1: count may be 0 */
    if (!self->heap) {
        memory_free(self);
        return STATUS_NO_MEMORY;
    }
    self->base.ops = &merge_iterator_ops;
    self->count = count;
    for (size_t i = 0; i < count; i++) {
        self->children[i] = children[i];
    }
    *iterator_out = &self->base;
    return STATUS_OK;
}
