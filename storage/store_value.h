/* store_value.h: what the reading files of the door share: finding the entry of a key, saying what
 * its value is, and appending it, or part of it, to the caller's buffer.
 *
 *      INLINE      copied
 *      REFERENCE   read and verified whole; straight into the buffer when all of it is wanted
 *      LARGE       only the blocks that are wanted (large_value.h)
 *
 * Whatever fails is rolled back out of the buffer. */
#ifndef KVD_STORAGE_STORE_VALUE_H
#define KVD_STORAGE_STORE_VALUE_H

#include "storage/store_state.h"

static inline enum read_wait store_wait_of(enum store_wait wait) {
    return wait == STORE_WAIT_ALLOWED ? READ_WAIT_ALLOWED : READ_WAIT_NEVER;
}

/* The live entry of a key; raises read->hold by what was found, be it dead. View_hit_release after
 * OK only. Errors: NOT_FOUND, WOULD_BLOCK, TOO_LARGE (the key), CORRUPT, IO, NO_MEMORY. */
enum status store_value_find(struct store_read *read, uint32_t namespace_id, struct slice key,
                             enum store_wait wait, struct view_hit *hit_out,
                             struct error *error) MUST_CHECK;

struct store_value_info store_value_info_of(const struct entry *entry, uint64_t version);

/* Appends the whole value of a live entry. Errors: TOO_LARGE (the buffer's cap), WOULD_BLOCK,
 * CORRUPT, IO, NO_MEMORY; the buffer is as it was then. */
enum status store_value_append(const struct store_read *read, const struct entry *entry,
                               enum read_wait wait, struct buffer *destination,
                               struct error *error) MUST_CHECK;

struct store_value_part {
    uint64_t from;
    uint64_t to; /* cut at the end of the value, as `from` is */
};

/* Appends part of it. Errors: likewise. */
enum status store_value_append_part(const struct store_read *read, const struct entry *entry,
                                    struct store_value_part part, enum read_wait wait,
                                    struct buffer *destination, struct error *error) MUST_CHECK;

#endif
