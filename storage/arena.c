/* arena.c: see arena.h.
 *
 * Chunks are 1 MiB, or as large as a reservation needs. A reservation that the current chunk cannot
 * hold for certain gets a chunk of its own beside it; when a piece does not fit the current chunk,
 * the reserve becomes the current one. What is left over in the old chunk is lost: less than one
 * piece of a commit a chunk. */
#include "storage/arena.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"

#include <string.h>

#define CHUNK_BYTES (1024u * 1024)
#define ALIGN 8u

struct arena_chunk {
    struct arena_chunk *next;
    size_t bytes; /* usable, behind this head */
};

_Static_assert(sizeof(struct arena_chunk) % ALIGN == 0, "chunks keep the alignment");

void arena_init(struct arena *arena) {
    *arena = (struct arena){0};
}

static void chunks_free(struct arena_chunk *chunk) {
    while (chunk) {
        struct arena_chunk *next = chunk->next;
#ifdef KVD_DEBUG
        memset(chunk, 0xDB, sizeof *chunk + chunk->bytes);
#endif
        memory_free(chunk);
        chunk = next;
    }
}

void arena_deinit(struct arena *arena) {
    chunks_free(arena->chunks);
    chunks_free(arena->reserve);
    *arena = (struct arena){0};
}

static struct arena_chunk *chunk_create(struct arena *arena, size_t bytes) {
    struct arena_chunk *chunk;
    size_t total;

    if (bytes < CHUNK_BYTES - sizeof *chunk) {
        bytes = CHUNK_BYTES - sizeof *chunk;
    }
    if (!checked_add_size(bytes, sizeof *chunk, &total)) {
        return NULL;
    }
    chunk = memory_alloc(total);
    if (chunk) {
        chunk->next = NULL;
        chunk->bytes = bytes;
        arena->bytes += total;
    }
    return chunk;
}

static void chunk_use(struct arena *arena, struct arena_chunk *chunk) {
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->next = (uint8_t *)(chunk + 1);
    arena->left = chunk->bytes;
}

enum status arena_reserve(struct arena *arena, size_t bytes, size_t piece_bytes_max) {
    size_t needed;

    if (bytes <= arena->left) {
        return STATUS_OK; /* no piece can fail to fit: all of them do, together */
    }
    ASSERT(piece_bytes_max <= bytes);
    if (!checked_add_size(bytes, ALIGN, &needed)) {
        return STATUS_NO_MEMORY;
    }
    if (arena->reserve && arena->reserve->bytes < needed) {
        arena->bytes -= arena->reserve->bytes + sizeof *arena->reserve;
        memory_free(arena->reserve);
        arena->reserve = NULL;
    }
    if (!arena->reserve) {
        arena->reserve = chunk_create(arena, needed);
    }
    return arena->reserve ? STATUS_OK : STATUS_NO_MEMORY;
}

void *arena_take(struct arena *arena, size_t bytes) {
    void *piece;

    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (bytes > arena->left) {
        ASSERT(arena->reserve != NULL);
        chunk_use(arena, arena->reserve);
        arena->reserve = NULL;
    }
    ASSERT(bytes <= arena->left);
    piece = arena->next;
    arena->next += bytes;
    arena->left -= bytes;
    return piece;
}
