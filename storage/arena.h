/* arena.h: memory for one memtable: handed out piece by piece, freed all at once.
 *
 * One writer; pieces may be read by any thread once published by the writer. arena_reserve makes
 * sure that the next pieces cannot fail, so that a commit is inserted whole or not at all. In debug
 * builds arena_deinit overwrites everything first, so that a late reader is caught. */
#ifndef KVD_STORAGE_ARENA_H
#define KVD_STORAGE_ARENA_H

#include "protocol/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks;  /* owned; the newest first */
    struct arena_chunk *reserve; /* owned; taken when the newest is used up; may be NULL */
    uint8_t *next;               /* free room in the newest chunk */
    size_t left;
    size_t bytes; /* allocated in all */
};

void arena_init(struct arena *arena);
void arena_deinit(struct arena *arena);

/* After OK, arena_take succeeds for pieces of together up to `bytes`, each counted as rounded up to
 * 8, as long as each is at most `piece_bytes_max`. Errors: NO_MEMORY. */
enum status arena_reserve(struct arena *arena, size_t bytes, size_t piece_bytes_max) MUST_CHECK;

/* `bytes` of memory aligned to 8. Asserts that it was reserved. */
void *arena_take(struct arena *arena, size_t bytes);

#endif
