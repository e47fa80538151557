/* record_check.h: whether the stored bytes of a separated value are what they were. (Of an extent:
 * extent_verify_stored.) Pure but for the buffer. */
#ifndef KVD_STORAGE_RECORD_CHECK_H
#define KVD_STORAGE_RECORD_CHECK_H

#include "protocol/base/buffer.h"
#include "storage/compression.h"
#include "storage/entry.h"

/* `stored` has ref->stored_bytes. `scratch` takes decompressed bytes. Errors: CORRUPT, NO_MEMORY.
 */
enum status record_check_value(struct compression *compression, const struct value_ref *ref,
                               const uint8_t *stored, struct buffer *scratch) MUST_CHECK;

#endif
