/* namespaces.h: names of namespaces and their ids.
 *
 * The catalogue stands in the system namespace, as keys "namespace/NAME" whose value is the id as a
 * varint; in memory it is a sorted array. Ids are never used twice.
 *
 * A new name is *pending* until a commit that carries its catalogue entry has completed. As long as
 * it is, every commit that uses the id carries the entry too: whichever comes first in the log, the
 * name is there before the data, and no creation has to be waited for.
 *
 * Threads: any. The mutex is a leaf. */
#ifndef KVD_STORAGE_NAMESPACES_H
#define KVD_STORAGE_NAMESPACES_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/lock.h"

#include <stdatomic.h>

#define NAMESPACES_MAX 65536u
#define NAMESPACE_NAME_BYTES_MAX 255u
#define NAMESPACE_KEY_PREFIX "namespace/"
#define NAMESPACE_KEY_BYTES_MAX (NAMESPACE_NAME_BYTES_MAX + sizeof NAMESPACE_KEY_PREFIX - 1)

struct namespace_name;

struct namespaces {
    struct mutex mu;
    /* guarded by mu */
    struct namespace_name **names; /* owned; ascending by name */
    uint32_t count;
    uint32_t capacity;
    uint32_t next_id;
    /* relaxed: 0 lets the common case skip the lock; a pending name is made by the caller's own
     * earlier call, or handed over by whoever synchronised with it */
    _Atomic uint32_t pending_count;
};

void namespaces_init(struct namespaces *namespaces);
void namespaces_deinit(struct namespaces *namespaces);

/* Puts a name in as read from the catalogue. Errors: CORRUPT (twice, or not valid), NO_MEMORY. */
enum status namespaces_load(struct namespaces *namespaces, struct slice name,
                            uint32_t id) MUST_CHECK;

/* See store_namespace. */
enum status namespaces_find(struct namespaces *namespaces, struct slice name, bool create,
                            uint32_t *id_out) MUST_CHECK;

/* If `id` is pending: writes the key of its catalogue entry and returns its length; else 0. */
size_t namespaces_pending_key(struct namespaces *namespaces, uint32_t id,
                              uint8_t key_out[NAMESPACE_KEY_BYTES_MAX]);

/* A commit that carried the entry of this catalogue key has completed. */
void namespaces_settle(struct namespaces *namespaces, struct slice key);

uint32_t namespaces_count(struct namespaces *namespaces);

#endif
