/* compression.h: zstd with contexts that are kept and used again.
 *
 * A struct compression is a small pool of zstd contexts, one for the whole store; there is no other
 * state. A context is taken under a mutex, used without it, and put back; up to
 * COMPRESSION_CONTEXTS_KEPT of each kind stay, others are freed. All functions may be called from
 * any thread. */
#ifndef KVD_STORAGE_COMPRESSION_H
#define KVD_STORAGE_COMPRESSION_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#define COMPRESSION_CONTEXTS_KEPT 16 /* 8 loops, 4 I/O threads, 4 workers */
#define COMPRESSION_LEVEL 1          /* zstd's; the fastest that still saves */

struct compression;

/* Errors: NO_MEMORY. */
enum status compression_create(struct compression **compression_out) MUST_CHECK;

/* Frees it and its contexts; nobody may be using it. NULL is allowed. */
void compression_destroy(struct compression *compression);

/* The most that compressed bytes may take to be worth it: seven eighths. Room to give to
 * compression_compress. */
static inline size_t compression_room(size_t raw_bytes) {
    return raw_bytes - raw_bytes / 8 - (raw_bytes % 8 ? 1 : 0);
}

/* Writes `raw` as one zstd frame at `out`, which has room for compression_room(raw.len) bytes, and
 * sets *stored_bytes_out. Errors: TOO_LARGE when that does not save an eighth (what is at `out` is
 * without meaning then), NO_MEMORY. */
enum status compression_compress(struct compression *compression, struct slice raw, uint8_t *out,
                                 size_t *stored_bytes_out) MUST_CHECK;

/* Decompresses one frame to exactly `raw_bytes` bytes at `out`. Errors: CORRUPT (not one whole
 * frame, or of another length; nothing beyond raw_bytes was written), NO_MEMORY. */
enum status compression_decompress(struct compression *compression, struct slice stored,
                                   uint8_t *out, size_t raw_bytes) MUST_CHECK;

#endif
