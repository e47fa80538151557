/* table_format.h: the frame of a table file: header, footer, properties.
 *
 *      header:     | magic u64 | version u32 | features u32 x 3 | file number u64 | reserved u64 |
 *                  | checksum u64 of the bytes before it |
 *      footer:     | filter, index, properties: offset u64, stored bytes u32 each |
 *                  | file number u64 | file bytes u64 | version u32 | magic u64 | checksum u64 |
 *      properties: | id varint | flags u8 | length varint | bytes | ...
 *
 * The three words of features are: compatible, read-only compatible, incompatible (format.h). A
 * property with PROPERTY_REQUIRED that a reader does not know makes it refuse the table; others it
 * skips. Pure functions. */
#ifndef KVD_STORAGE_TABLE_FORMAT_H
#define KVD_STORAGE_TABLE_FORMAT_H

#include "protocol/base/buffer.h"
#include "storage/table_info.h"

#define TABLE_HEADER_BYTES 48u
#define TABLE_FOOTER_BYTES 72u

#define PROPERTY_REQUIRED 0x01u
enum property_id {
    PROPERTY_TABLE_INFO = 1,       /* table_info.h, with file bytes and footer checksum 0 */
    PROPERTY_BUILD = 2,            /* varints: block target bytes, restart interval, filter bits */
    PROPERTY_RANGE_TOMBSTONES = 3, /* reserved, as all below */
    PROPERTY_ALIASES = 4,
    PROPERTY_EXPIRY_HISTOGRAM = 5,
    PROPERTY_GLOBAL_VERSION = 6,
};

/* Where a block lies: stored bytes with their trailer. */
struct table_place {
    uint64_t offset;
    uint32_t stored_bytes;
};

struct table_footer {
    struct table_place filter; /* filter, index and properties follow each other in this order */
    struct table_place index;
    struct table_place properties;
    uint64_t number;
    uint64_t file_bytes;
};

void table_header_store(uint8_t header[TABLE_HEADER_BYTES], uint64_t number);

/* Errors: CORRUPT (also when it is another file's header), NEWER_FORMAT. */
enum status table_header_check(const uint8_t header[TABLE_HEADER_BYTES],
                               uint64_t number) MUST_CHECK;

/* Returns the checksum that it ends with. */
uint64_t table_footer_store(uint8_t bytes[TABLE_FOOTER_BYTES], const struct table_footer *footer);

/* Checks it against what the manifest knows. Errors: CORRUPT, NEWER_FORMAT. */
enum status table_footer_load(const uint8_t bytes[TABLE_FOOTER_BYTES],
                              const struct table_info *info,
                              struct table_footer *footer_out) MUST_CHECK;

/* The content of a properties block. Errors: NO_MEMORY. */
enum status table_properties_append(struct buffer *buffer, const struct table_info *info,
                                    uint32_t block_bytes) MUST_CHECK;

/* Takes the table's description out of a properties block; *info_out is the caller's to deinit.
 * Errors: CORRUPT, NEWER_FORMAT (a required property is not known), NO_MEMORY. */
enum status table_properties_load(struct slice raw, struct table_info *info_out) MUST_CHECK;

#endif
