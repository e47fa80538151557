/* env_node.h: the content of one file of env_memory, as the page cache and as the medium
 * have it. Internal to env_memory.
 *
 *      bytes    |=== synced ===|== appended, not synced ==|
 *      medium   |===...====...=|  ?    ?    ?    ?    ?   |       . lost
 *               0              synced_bytes               size_bytes
 *
 * A file is append-only, so one array holds both: the medium has the synced prefix for certain, and
 * of the rest whatever a power cut leaves (struct power_cut). A failed sync marks ranges as lost:
 * the cache goes on showing them, but the medium does not have them and never will, even when a
 * later sync "succeeds". Not locked: the caller (env_memory) does that. */
#ifndef KVD_STORAGE_ENV_NODE_H
#define KVD_STORAGE_ENV_NODE_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/env_memory.h"
#include "storage/random.h"

struct lost_range {
    uint64_t from;
    uint64_t to; /* exclusive */
};

struct env_node {
    uint32_t refs;  /* names on either side, and handles */
    uint32_t users; /* of those, names that the process sees, and handles: while there are any, the
                       file takes space. The environment's. */
    uint8_t *bytes; /* owned; NULL while empty */
    size_t size_bytes;
    size_t capacity_bytes;
    uint64_t synced_bytes;
    uint64_t reserved_bytes; /* by preallocate; 0 when none */
    struct lost_range *lost; /* owned; may overlap */
    uint32_t lost_count;
    uint32_t lost_capacity;
};

/* An empty node with one reference, or NULL without memory. */
struct env_node *env_node_create(void);

static inline struct env_node *env_node_ref(struct env_node *node) {
    node->refs++;
    return node;
}

/* Frees with the last reference; NULL is allowed. */
void env_node_unref(struct env_node *node);

/* All or nothing. Errors: NO_MEMORY. */
enum status env_node_append(struct env_node *node, const struct slice *slices,
                            size_t slice_count) MUST_CHECK;

/* Returns the bytes read; those that the medium lost read as zeros when `from_medium`. */
size_t env_node_read(const struct env_node *node, uint64_t offset, uint8_t *ptr, size_t len,
                     bool from_medium);

/* Marks unsynced blocks of 4096 as lost: all of them for seed 0, else a random half. Errors:
 * NO_MEMORY. */
enum status env_node_lose_unsynced(struct env_node *node, uint64_t seed) MUST_CHECK;

/* Space that the file takes on the disk. */
static inline uint64_t env_node_space(const struct env_node *node) {
    return node->reserved_bytes > node->size_bytes ? node->reserved_bytes : node->size_bytes;
}

/* The node as found after `how`, one reference. Draws from `random`. Errors: NO_MEMORY. */
enum status env_node_after(const struct env_node *node, const struct power_cut *how,
                           struct random *random, struct env_node **copy_out) MUST_CHECK;

#endif
