/* segment_cache.h: open segments by number, so that reading a value opens no file.
 *
 *      number -> hash bucket -> { segment, pins, place in the order of use }
 *
 * At most open_max files are kept open; beyond that the one unused for longest that nobody has
 * pinned is closed. While all are pinned the bound is exceeded by as many as are pinned, and made
 * good as they are let go. Opening reads the disk without the lock; if two threads open the same
 * segment, one of the two is closed again.
 *
 * All functions may be called from any thread. The mutex is a leaf; no I/O under it. */
#ifndef KVD_STORAGE_SEGMENT_CACHE_H
#define KVD_STORAGE_SEGMENT_CACHE_H

#include "storage/segment.h"

struct segment_cache;
struct segment_handle; /* a pinned open segment */

/* `source` is copied; what it points to is borrowed. open_max >= 1. Errors: NO_MEMORY. */
enum status segment_cache_create(const struct segment_source *source, uint32_t open_max,
                                 struct segment_cache **cache_out) MUST_CHECK;

/* Closes all. Nothing may be pinned (asserted). NULL is allowed. */
void segment_cache_destroy(struct segment_cache *cache);

/* Pins a segment, opened first if need be. End with segment_cache_unpin. Errors: WOULD_BLOCK
 * (READ_WAIT_NEVER and not open), and those of segment_open. */
enum status segment_cache_pin(struct segment_cache *cache, uint64_t number, enum read_wait wait,
                              struct segment_handle **handle_out, struct error *error) MUST_CHECK;

void segment_cache_unpin(struct segment_cache *cache, struct segment_handle *handle);

/* The segment of a pinned handle; borrowed until unpin. */
struct segment *segment_handle_get(const struct segment_handle *handle);

/* Pin, segment_read_value, unpin. Errors: of both. */
enum status segment_cache_read_value(struct segment_cache *cache, const struct value_ref *ref,
                                     enum read_wait wait, uint8_t *raw_out, struct buffer *scratch,
                                     struct error *error) MUST_CHECK;

/* Fills `error` for a fault at a place of a segment, open or not; returns `status`. */
enum status segment_cache_fail(const struct segment_cache *cache, uint64_t number, uint64_t offset,
                               enum status status, const char *what, struct error *error);

/* Forgets a segment that is going to be deleted: closed now, or at its last unpin. Unknown numbers
 * are allowed. */
void segment_cache_evict(struct segment_cache *cache, uint64_t number);

struct segment_cache_stats {
    uint64_t open_segments;
    uint64_t opens; /* so far */
};

void segment_cache_read_stats(struct segment_cache *cache, struct segment_cache_stats *stats_out);

#endif
