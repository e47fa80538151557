/* table_format.c: see table_format.h. */
#include "storage/table_format.h"

#include "storage/block_frame.h"
#include "storage/block_writer.h"
#include "storage/checksum.h"
#include "storage/filter.h"
#include "storage/format.h"

#define PROPERTIES_BYTES_MAX BLOCK_RAW_BYTES_MAX

#define HEADER_CHECKSUM_AT (TABLE_HEADER_BYTES - 8)
#define FOOTER_CHECKSUM_AT (TABLE_FOOTER_BYTES - 8)

void table_header_store(uint8_t header[TABLE_HEADER_BYTES], uint64_t number) {
    memset(header, 0, TABLE_HEADER_BYTES);
    store_u64(header, TABLE_MAGIC);
    store_u32(header + 8, FORMAT_VERSION); /* features, at 12, 16, 20, are 0 */
    store_u64(header + 24, number);
    store_u64(header + HEADER_CHECKSUM_AT, checksum_of(slice_make(header, HEADER_CHECKSUM_AT)));
}

enum status table_header_check(const uint8_t header[TABLE_HEADER_BYTES], uint64_t number) {
    uint64_t checksum = checksum_of(slice_make(header, HEADER_CHECKSUM_AT));

    if (load_u64(header) != TABLE_MAGIC || load_u64(header + HEADER_CHECKSUM_AT) != checksum) {
        return STATUS_CORRUPT;
    }
    if (load_u32(header + 8) > FORMAT_VERSION ||
        (load_u32(header + 20) & ~FEATURES_INCOMPATIBLE_KNOWN) != 0) {
        return STATUS_NEWER_FORMAT;
    }
    return load_u64(header + 24) == number ? STATUS_OK : STATUS_CORRUPT;
}

static uint8_t *place_store(uint8_t *ptr, const struct table_place *place) {
    store_u64(ptr, place->offset);
    store_u32(ptr + 8, place->stored_bytes);
    return ptr + 12;
}

static const uint8_t *place_load(const uint8_t *ptr, struct table_place *place_out) {
    *place_out = (struct table_place){load_u64(ptr), load_u32(ptr + 8)};
    return ptr + 12;
}

uint64_t table_footer_store(uint8_t bytes[TABLE_FOOTER_BYTES], const struct table_footer *footer) {
    uint8_t *ptr = place_store(bytes, &footer->filter);
    uint64_t checksum;

    ptr = place_store(ptr, &footer->index);
    ptr = place_store(ptr, &footer->properties);
    store_u64(ptr, footer->number);
    store_u64(ptr + 8, footer->file_bytes);
    store_u32(ptr + 16, FORMAT_VERSION);
    store_u64(ptr + 20, TABLE_MAGIC);
    checksum = checksum_of(slice_make(bytes, FOOTER_CHECKSUM_AT));
    store_u64(bytes + FOOTER_CHECKSUM_AT, checksum);
    return checksum;
}

/* Whether the three blocks follow each other up to the footer. */
static bool places_are_valid(const struct table_footer *footer) {
    const struct table_place *places[] = {&footer->filter, &footer->index, &footer->properties};
    uint64_t end = footer->filter.offset;

    if (end <= TABLE_HEADER_BYTES || end > footer->file_bytes) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        if (places[i]->offset != end || places[i]->stored_bytes < BLOCK_TRAILER_BYTES ||
            places[i]->stored_bytes > BLOCK_RAW_BYTES_MAX + BLOCK_TRAILER_BYTES) {
            return false;
        }
        end += places[i]->stored_bytes;
    }
    return end + TABLE_FOOTER_BYTES == footer->file_bytes;
}

enum status table_footer_load(const uint8_t bytes[TABLE_FOOTER_BYTES],
                              const struct table_info *info, struct table_footer *footer_out) {
    uint64_t checksum = checksum_of(slice_make(bytes, FOOTER_CHECKSUM_AT));
    const uint8_t *ptr = bytes;
    struct table_footer footer;

    if (load_u64(bytes + FOOTER_CHECKSUM_AT) != checksum || checksum != info->footer_checksum ||
        load_u64(bytes + FOOTER_CHECKSUM_AT - 8) != TABLE_MAGIC) {
        return STATUS_CORRUPT;
    }
    if (load_u32(bytes + FOOTER_CHECKSUM_AT - 12) > FORMAT_VERSION) {
        return STATUS_NEWER_FORMAT;
    }
    ptr = place_load(ptr, &footer.filter);
    ptr = place_load(ptr, &footer.index);
    ptr = place_load(ptr, &footer.properties);
    footer.number = load_u64(ptr);
    footer.file_bytes = load_u64(ptr + 8);
    if (footer.number != info->number || footer.file_bytes != info->file_bytes ||
        !places_are_valid(&footer)) {
        return STATUS_CORRUPT;
    }
    *footer_out = footer;
    return STATUS_OK;
}

static enum status property_append(struct buffer *buffer, enum property_id id, unsigned flags,
                                   struct slice bytes) {
    enum status status = buffer_append_varint(buffer, (uint64_t)id);

    if (status == STATUS_OK) {
        status = buffer_append_u8(buffer, (uint8_t)flags);
    }
    return status == STATUS_OK ? buffer_append_block(buffer, bytes) : status;
}

enum status table_properties_append(struct buffer *buffer, const struct table_info *info,
                                    uint32_t block_bytes) {
    const uint64_t facts[] = {block_bytes, BLOCK_RESTART_INTERVAL, FILTER_BITS_PER_ROW};
    uint8_t build[3 * VARINT64_BYTES_MAX];
    size_t build_bytes = 0;
    struct buffer encoded;
    enum status status;

    buffer_init(&encoded, PROPERTIES_BYTES_MAX);
    for (size_t i = 0; i < 3; i++) {
        build_bytes += varint_store(build + build_bytes, facts[i]);
    }
    status = table_info_append(&encoded, info);
    if (status == STATUS_OK) {
        status = property_append(buffer, PROPERTY_TABLE_INFO, 0, buffer_slice(&encoded));
    }
    if (status == STATUS_OK) {
        status = property_append(buffer, PROPERTY_BUILD, 0, slice_make(build, build_bytes));
    }
    buffer_deinit(&encoded);
    return status;
}

/* Takes the next property. Errors: CORRUPT, NEWER_FORMAT. */
static enum status property_take(struct reader *reader, uint64_t *id_out, struct slice *bytes_out) {
    uint8_t flags;

    if (!reader_take_varint(reader, id_out) || !reader_take_u8(reader, &flags) ||
        !reader_take_block(reader, bytes_out)) {
        return STATUS_CORRUPT;
    }
    if ((flags & PROPERTY_REQUIRED) && *id_out != PROPERTY_TABLE_INFO &&
        *id_out != PROPERTY_BUILD) {
        return STATUS_NEWER_FORMAT;
    }
    return STATUS_OK;
}

enum status table_properties_load(struct slice raw, struct table_info *info_out) {
    struct reader reader = reader_make(raw);
    struct slice info_bytes = {0};
    enum status status = STATUS_OK;

    while (reader_left(&reader) > 0) {
        struct slice bytes;
        uint64_t id;
        status = property_take(&reader, &id, &bytes);
        if (status != STATUS_OK) {
            return status;
        }
        info_bytes = id == PROPERTY_TABLE_INFO ? bytes : info_bytes;
    }
    if (info_bytes.len == 0) {
        return STATUS_CORRUPT;
    }
    reader = reader_make(info_bytes);
    return table_info_take(&reader, info_out);
}
