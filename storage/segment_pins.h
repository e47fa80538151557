/* segment_pins.h: segments that must stay although no table or memtable refers to them yet: those
 * that an open upload writes to; and files that no edit names for longer than a job takes: those of
 * a bulk load, its tables as well (all files have numbers of one row).
 *
 * Who makes a segment pins its number before the edit that adds it, and lets go once an entry that
 * refers to it is in a memtable (or it is given up). Whoever wants to drop segments looks here
 * first, and at the memtables after: what is let go here is seen there.
 *
 * Threads: any. The mutex is a leaf. */
#ifndef KVD_STORAGE_SEGMENT_PINS_H
#define KVD_STORAGE_SEGMENT_PINS_H

#include "protocol/base/status.h"
#include "storage/lock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment_pin {
    uint64_t segment;
    uint64_t count;
};

struct segment_pins {
    struct mutex mu;
    /* guarded by mu */
    struct segment_pin *pins; /* owned; in no order */
    size_t count;
    size_t capacity;
};

void segment_pins_init(struct segment_pins *pins);

/* Nothing may be pinned any more (asserted). */
void segment_pins_deinit(struct segment_pins *pins);

/* Pins count. Errors: NO_MEMORY. */
enum status segment_pins_add(struct segment_pins *pins, uint64_t segment) MUST_CHECK;

/* Ends one pin; it must be there (asserted). Cannot fail. */
void segment_pins_remove(struct segment_pins *pins, uint64_t segment);

/* The segments that are pinned at this moment, ascending; *segments_out (NULL when there are none)
 * is the caller's to free. Errors: NO_MEMORY. */
enum status segment_pins_copy(struct segment_pins *pins, uint64_t **segments_out,
                              size_t *count_out) MUST_CHECK;

/* How many are pinned at this moment. */
size_t segment_pins_count(struct segment_pins *pins);

/* Whether `segment` is in such a copy. */
bool segment_pins_list_has(const uint64_t *segments, size_t count, uint64_t segment);

#endif
