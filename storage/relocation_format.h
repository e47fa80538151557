/* relocation_format.h: the bytes of a relocation section: where the records of a segment that is
 * gone, its *home*, lie now. Log GC copies what lives into a survivor segment, and appends behind
 * its groups one section for each home, so that neither the tree nor the log is written to.
 *
 *      survivor:  | header | group | group | ... | section of a home | section | ...
 *      section:   | page | page | ... | last page (cut short) | index |
 *      page:      | header, 32 | old offset u64, new offset u64 | ... |     at most 4096 bytes
 *      index:     | header, 32 | first old offset of each page, u64 | ... |
 *      header:    | magic u32 | count u32 | home u64 | first old offset u64 | checksum u64 |
 *
 * Old offsets ascend over the whole section; they are those of the first stored byte of a record,
 * as references have them. A checksum covers all of its page or index but itself; its seed is that
 * of the segment (log_format.h) and the offset (R4), so that nothing passes at another place, and
 * who walks the groups of a survivor can tell where they end. All lengths follow from the number of
 * entries. Pure functions; loads trust nothing. */
#ifndef KVD_STORAGE_RELOCATION_FORMAT_H
#define KVD_STORAGE_RELOCATION_FORMAT_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdbool.h>

#define RELOCATION_MAGIC_PAGE UINT32_C(0x5072766B)
#define RELOCATION_MAGIC_INDEX UINT32_C(0x4972766B)
#define RELOCATION_HEADER_BYTES 32u
#define RELOCATION_ENTRY_BYTES 16u
#define RELOCATION_PAGE_BYTES 4096u
#define RELOCATION_PAGE_ENTRIES                                                                    \
    ((RELOCATION_PAGE_BYTES - RELOCATION_HEADER_BYTES) / RELOCATION_ENTRY_BYTES)
/* No segment holds more records: each takes more than 32 bytes, and a group is at most 256 MiB. */
#define RELOCATION_ENTRIES_MAX (UINT64_C(1) << 26)

/* One home that has moved, as versions and the manifest know it. */
struct relocation {
    uint64_t home;           /* number of the segment that is gone */
    uint64_t target;         /* number of the survivor, which is there */
    uint64_t section_offset; /* in the target */
    uint64_t section_bytes;  /* relocation_section_bytes(entries) */
    uint64_t entries;
};

struct relocation_entry {
    uint64_t old_offset; /* in the home */
    uint64_t new_offset; /* in the target */
};

/* One page or the index, decoded in place. */
struct relocation_part {
    uint64_t home;
    uint64_t first; /* old offset of the first entry */
    uint32_t count; /* of entries; of an index: of pages */
    struct slice body;
};

/* Figures of a section of `entries` (1 to RELOCATION_ENTRIES_MAX). */
uint64_t relocation_page_count(uint64_t entries);
uint64_t relocation_section_bytes(uint64_t entries);
uint64_t relocation_index_bytes(uint64_t entries); /* at the section's end */
uint64_t relocation_page_bytes(uint64_t entries, uint64_t page);

/* Whether the fields fit each other; where it lies is not looked at. */
bool relocation_is_valid(const struct relocation *relocation);

/* Writes one page of `count` entries (1 to RELOCATION_PAGE_ENTRIES) to ptr; returns its length. */
size_t relocation_page_store(uint8_t *ptr, uint64_t home, const struct relocation_entry *entries,
                             uint32_t count, uint64_t seed, uint64_t offset);

/* Writes the index; `firsts` has the first old offset of each of the `count` pages. */
size_t relocation_index_store(uint8_t *ptr, uint64_t home, const uint64_t *firsts, uint32_t count,
                              uint64_t seed, uint64_t offset);

/* Errors: CORRUPT when the bytes are not a whole page (index) that was written at this offset. */
enum status relocation_page_load(struct slice bytes, uint64_t seed, uint64_t offset,
                                 struct relocation_part *part_out) MUST_CHECK;
enum status relocation_index_load(struct slice bytes, uint64_t seed, uint64_t offset,
                                  struct relocation_part *part_out) MUST_CHECK;

/* Decodes bytes that one of these two has found good before. */
struct relocation_part relocation_part_of(struct slice bytes);

/* Length of the page that seems to begin here, by its header alone; 0 when none does. For a walk
 * that comes from the groups before; verify with relocation_page_load. */
size_t relocation_page_maybe(struct slice bytes);

struct relocation_entry relocation_part_entry(const struct relocation_part *page, uint32_t index);

/* The new offset of an old one in a page. Errors: NOT_FOUND. */
enum status relocation_part_find(const struct relocation_part *page, uint64_t old_offset,
                                 uint64_t *new_offset_out) MUST_CHECK;

/* The page that may hold an old offset. Errors: NOT_FOUND (before the first). */
enum status relocation_part_page(const struct relocation_part *index, uint64_t old_offset,
                                 uint32_t *page_out) MUST_CHECK;

#endif
