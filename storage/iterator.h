/* iterator.h: the one way to walk sorted internal keys, whoever holds them: a memtable, a table, or
 * a merge of many.
 *
 * A fresh iterator stands nowhere. Each move returns OK (key and entry are set), END (past either
 * end; stands nowhere), WOULD_BLOCK (only when opened not to wait: stands nowhere, seek again later
 * on an I/O thread), or IO, CORRUPT, NO_MEMORY. key and entry borrow from the iterator until its
 * next move or its destruction. One thread at a time. */
#ifndef KVD_STORAGE_ITERATOR_H
#define KVD_STORAGE_ITERATOR_H

#include "protocol/base/error.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

struct iterator;

struct iterator_ops {
    enum status (*seek)(struct iterator *, struct slice ikey);
    enum status (*seek_before)(struct iterator *, struct slice ikey);
    enum status (*seek_first)(struct iterator *);
    enum status (*seek_last)(struct iterator *);
    enum status (*next)(struct iterator *);
    enum status (*prev)(struct iterator *);
    void (*destroy)(struct iterator *);
};

/* Embedded as the first member of each implementation. */
struct iterator {
    const struct iterator_ops *ops;
    struct slice key;   /* internal key (ikey.h), valid after a move returned OK */
    struct slice entry; /* encoded entry (entry.h), likewise */
    struct error error; /* filled when a move returned IO or CORRUPT */
};

/* To the first key >= ikey. */
static inline enum status iterator_seek(struct iterator *iter, struct slice ikey) {
    return iter->ops->seek(iter, ikey);
}

/* To the last key < ikey. */
static inline enum status iterator_seek_before(struct iterator *iter, struct slice ikey) {
    return iter->ops->seek_before(iter, ikey);
}

static inline enum status iterator_seek_first(struct iterator *iter) {
    return iter->ops->seek_first(iter);
}

static inline enum status iterator_seek_last(struct iterator *iter) {
    return iter->ops->seek_last(iter);
}

/* One on; only after a move that returned OK. */
static inline enum status iterator_next(struct iterator *iter) {
    return iter->ops->next(iter);
}

/* One back; only after a move that returned OK. */
static inline enum status iterator_prev(struct iterator *iter) {
    return iter->ops->prev(iter);
}

/* Frees it and lets go of what it holds; NULL is allowed. */
static inline void iterator_destroy(struct iterator *iter) {
    if (iter) {
        iter->ops->destroy(iter);
    }
}

#endif
