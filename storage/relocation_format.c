/* relocation_format.c: see relocation_format.h. */
#include "storage/relocation_format.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "storage/checksum.h"

#define AT_COUNT 4
#define AT_HOME 8
#define AT_FIRST 16
#define AT_CHECKSUM 24
#define FIRST_BYTES 8u /* of one page in the index */

_Static_assert(AT_CHECKSUM + 8 == RELOCATION_HEADER_BYTES, "the checksum ends the header");

/* ---- figures ---- */

uint64_t relocation_page_count(uint64_t entries) {
    return (entries + RELOCATION_PAGE_ENTRIES - 1) / RELOCATION_PAGE_ENTRIES;
}

uint64_t relocation_index_bytes(uint64_t entries) {
    return RELOCATION_HEADER_BYTES + relocation_page_count(entries) * FIRST_BYTES;
}

uint64_t relocation_section_bytes(uint64_t entries) {
    return relocation_page_count(entries) * RELOCATION_HEADER_BYTES +
           entries * RELOCATION_ENTRY_BYTES + relocation_index_bytes(entries);
}

uint64_t relocation_page_bytes(uint64_t entries, uint64_t page) {
    uint64_t left = entries - page * RELOCATION_PAGE_ENTRIES;
    uint64_t count = left < RELOCATION_PAGE_ENTRIES ? left : RELOCATION_PAGE_ENTRIES;

    return RELOCATION_HEADER_BYTES + count * RELOCATION_ENTRY_BYTES;
}

bool relocation_is_valid(const struct relocation *relocation) {
    return relocation->entries > 0 && relocation->entries <= RELOCATION_ENTRIES_MAX &&
           relocation->section_bytes == relocation_section_bytes(relocation->entries) &&
           relocation->section_offset <= UINT64_MAX / 2 && relocation->home != relocation->target;
}

/* ---- storing ---- */

static uint64_t part_checksum(struct slice part, uint64_t seed, uint64_t offset) {
    struct checksum_stream stream;

    checksum_begin(&stream, checksum_place_seed(seed, offset));
    checksum_add(&stream, slice_make(part.ptr, AT_CHECKSUM));
    checksum_add(&stream, slice_make(part.ptr + RELOCATION_HEADER_BYTES,
                                     part.len - RELOCATION_HEADER_BYTES));
    return checksum_end(&stream);
}

static void header_store(uint8_t *ptr, uint32_t magic, const struct relocation_part *part) {
    store_u32(ptr, magic);
    store_u32(ptr + AT_COUNT, part->count);
    store_u64(ptr + AT_HOME, part->home);
    store_u64(ptr + AT_FIRST, part->first);
}

size_t relocation_page_store(uint8_t *ptr, uint64_t home, const struct relocation_entry *entries,
                             uint32_t count, uint64_t seed, uint64_t offset) {
    struct relocation_part part = {.home = home, .first = entries[0].old_offset, .count = count};
    size_t bytes = RELOCATION_HEADER_BYTES + count * (size_t)RELOCATION_ENTRY_BYTES;

    ASSERT(count > 0);
    ASSERT(count <= RELOCATION_PAGE_ENTRIES);
    header_store(ptr, RELOCATION_MAGIC_PAGE, &part);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = ptr + RELOCATION_HEADER_BYTES + i * (size_t)RELOCATION_ENTRY_BYTES;
        ASSERT(i == 0 || entries[i - 1].old_offset < entries[i].old_offset);
        store_u64(at, entries[i].old_offset);
        store_u64(at + 8, entries[i].new_offset);
    }
    store_u64(ptr + AT_CHECKSUM, part_checksum(slice_make(ptr, bytes), seed, offset));
    return bytes;
}

size_t relocation_index_store(uint8_t *ptr, uint64_t home, const uint64_t *firsts, uint32_t count,
                              uint64_t seed, uint64_t offset) {
    struct relocation_part part = {.home = home, .first = firsts[0], .count = count};
    size_t bytes = RELOCATION_HEADER_BYTES + count * (size_t)FIRST_BYTES;

    ASSERT(count > 0);
    header_store(ptr, RELOCATION_MAGIC_INDEX, &part);
    for (uint32_t i = 0; i < count; i++) {
        store_u64(ptr + RELOCATION_HEADER_BYTES + i * (size_t)FIRST_BYTES, firsts[i]);
    }
    store_u64(ptr + AT_CHECKSUM, part_checksum(slice_make(ptr, bytes), seed, offset));
    return bytes;
}

/* ---- loading ---- */

struct relocation_part relocation_part_of(struct slice bytes) {
    return (struct relocation_part){.home = load_u64(bytes.ptr + AT_HOME),
                                    .first = load_u64(bytes.ptr + AT_FIRST),
                                    .count = load_u32(bytes.ptr + AT_COUNT),
                                    .body = slice_make(bytes.ptr + RELOCATION_HEADER_BYTES,
                                                       bytes.len - RELOCATION_HEADER_BYTES)};
}

static enum status part_load(struct slice bytes, uint32_t magic, size_t element_bytes,
                             uint64_t checksum, struct relocation_part *part_out) {
    struct relocation_part part = relocation_part_of(bytes);

    if (load_u32(bytes.ptr) != magic || part.body.len % element_bytes != 0 ||
        part.body.len / element_bytes != part.count ||
        load_u64(bytes.ptr + AT_CHECKSUM) != checksum || load_u64(part.body.ptr) != part.first) {
        return STATUS_CORRUPT;
    }
    *part_out = part;
    return STATUS_OK;
}

enum status relocation_page_load(struct slice bytes, uint64_t seed, uint64_t offset,
                                 struct relocation_part *part_out) {
    if (bytes.len > RELOCATION_PAGE_BYTES || bytes.len <= RELOCATION_HEADER_BYTES) {
        return STATUS_CORRUPT;
    }
    return part_load(bytes, RELOCATION_MAGIC_PAGE, RELOCATION_ENTRY_BYTES,
                     part_checksum(bytes, seed, offset), part_out);
}

enum status relocation_index_load(struct slice bytes, uint64_t seed, uint64_t offset,
                                  struct relocation_part *part_out) {
    if (bytes.len <= RELOCATION_HEADER_BYTES) {
        return STATUS_CORRUPT;
    }
    return part_load(bytes, RELOCATION_MAGIC_INDEX, FIRST_BYTES, part_checksum(bytes, seed, offset),
                     part_out);
}

size_t relocation_page_maybe(struct slice bytes) {
    uint32_t count;

    if (bytes.len <= RELOCATION_HEADER_BYTES || load_u32(bytes.ptr) != RELOCATION_MAGIC_PAGE) {
        return 0;
    }
    count = load_u32(bytes.ptr + AT_COUNT);
    return count > 0 && count <= RELOCATION_PAGE_ENTRIES
               ? RELOCATION_HEADER_BYTES + count * (size_t)RELOCATION_ENTRY_BYTES
               : 0;
}

/* ---- searching ---- */

struct relocation_entry relocation_part_entry(const struct relocation_part *page, uint32_t index) {
    const uint8_t *at = page->body.ptr + index * (size_t)RELOCATION_ENTRY_BYTES;

    ASSERT(index < page->count);
    return (struct relocation_entry){load_u64(at), load_u64(at + 8)};
}

/* How many elements begin with a number <= `wanted`. */
static uint32_t count_up_to(const struct relocation_part *part, size_t element_bytes,
                            uint64_t wanted) {
    uint32_t low = 0;
    uint32_t high = part->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (load_u64(part->body.ptr + middle * element_bytes) <= wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

enum status relocation_part_find(const struct relocation_part *page, uint64_t old_offset,
                                 uint64_t *new_offset_out) {
    uint32_t count = count_up_to(page, RELOCATION_ENTRY_BYTES, old_offset);
    struct relocation_entry entry;

    if (count == 0) {
        return STATUS_NOT_FOUND;
    }
    entry = relocation_part_entry(page, count - 1);
    if (entry.old_offset != old_offset) {
        return STATUS_NOT_FOUND;
    }
    *new_offset_out = entry.new_offset;
    return STATUS_OK;
}

enum status relocation_part_page(const struct relocation_part *index, uint64_t old_offset,
                                 uint32_t *page_out) {
    uint32_t count = count_up_to(index, FIRST_BYTES, old_offset);

    if (count == 0) {
        return STATUS_NOT_FOUND;
    }
    *page_out = count - 1;
    return STATUS_OK;
}
