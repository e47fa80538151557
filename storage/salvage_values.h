/* salvage_values.h: reads the values that entries refer to, wherever they lie now.
 *
 *      at its place      the segment is there, and the bytes match the checksum
 *      relocated         by the manifest and the section in the survivor
 *      by name           a record of a survivor with the same row, length and checksum
 *
 * Each is tried only where the ones before have not given the value. A value that is given out has
 * passed its checksum. One thread. */
#ifndef KVD_STORAGE_SALVAGE_VALUES_H
#define KVD_STORAGE_SALVAGE_VALUES_H

#include "protocol/base/buffer.h"
#include "storage/compression.h"
#include "storage/salvage_log.h"
#include "storage/segment_cache.h"

struct salvage_values {
    struct salvage_files *files; /* borrowed, as the next three */
    const struct salvage_plan *plan;
    const struct salvage_log *log;
    struct compression *compression;
    struct segment_cache *segments; /* owned: for relocation sections; NULL: none are known */
    struct buffer stored;
    struct buffer scratch;
};

/* Errors: NO_MEMORY. */
enum status salvage_values_init(struct salvage_values *values, struct salvage_files *files,
                                const struct salvage_plan *plan, const struct salvage_log *log,
                                struct compression *compression) MUST_CHECK;

/* A zeroed struct is allowed. */
void salvage_values_deinit(struct salvage_values *values);

/* Reads the value of a reference of `row` into `out`, which is cleared before. Errors: CORRUPT (it
 * is nowhere to be read), NO_MEMORY. */
enum status salvage_values_read(struct salvage_values *values, struct slice row,
                                const struct value_ref *ref, struct buffer *out) MUST_CHECK;

/* Called with the pieces of a large value in order. Anything but OK ends the reading. */
typedef enum status (*salvage_piece_cb)(void *arg, struct slice piece);

/* Reads a large value, one verified piece at a time. Errors: CORRUPT (pieces may have been handed
 * out), NO_MEMORY, the callback's. */
enum status salvage_values_stream(struct salvage_values *values, struct slice row,
                                  const struct entry *entry, salvage_piece_cb piece_cb,
                                  void *arg) MUST_CHECK;

#endif
