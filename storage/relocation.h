/* relocation.h: writes and reads the sections that tell where moved records lie
 * (relocation_format.h).
 *
 *      find:  index of the section -> the one page that may have the offset -> the new offset
 *
 * Index and pages are read through the block cache, under the number of the survivor segment and
 * their offset in it; that is what bounds and counts their memory. Whoever finds both there reads
 * nothing and allocates nothing.
 *
 * Threads: find and iterate: any, while the version that has the relocation is held. Append: the
 * one that owns the writer. A damaged page or index is CORRUPT, with file and offset. */
#ifndef KVD_STORAGE_RELOCATION_H
#define KVD_STORAGE_RELOCATION_H

#include "storage/block_cache.h"
#include "storage/relocation_format.h"
#include "storage/segment_cache.h"
#include "storage/segment_writer.h"

/* Appends the section of one home behind the groups of a survivor, whose last group must have been
 * appended. Old offsets ascend strictly (asserted); count from 1 to RELOCATION_ENTRIES_MAX. The
 * caller seals or syncs. Errors: NO_SPACE, NO_MEMORY (not final, but the file is of no use), IO
 * (final), LOG_FAILED. */
enum status relocation_section_append(struct segment_writer *writer, uint64_t home,
                                      const struct relocation_entry *entries, uint64_t count,
                                      struct relocation *relocation_out,
                                      struct error *error) MUST_CHECK;

/* What is read through; borrowed. */
struct relocation_source {
    struct segment_cache *segments;
    struct block_cache *blocks; /* may be NULL */
};

/* The offset in relocation->target of the record that lay at old_offset of relocation->home.
 * Errors: CORRUPT (also when the section does not have it), WOULD_BLOCK (READ_WAIT_NEVER), IO,
 * NO_MEMORY. */
enum status relocation_find(const struct relocation_source *source,
                            const struct relocation *relocation, uint64_t old_offset,
                            enum read_wait wait, uint64_t *new_offset_out,
                            struct error *error) MUST_CHECK;

typedef enum status (*relocation_entry_cb)(void *arg, const struct relocation_entry *entry);

/* Calls back for each entry of the section, old offsets ascending. Reads and verifies all pages and
 * the index, not through the block cache; waits for the disk. Stops when the callback returns
 * anything but OK. Errors: CORRUPT, IO, NO_MEMORY, the callback's. */
enum status relocation_iterate(struct segment_cache *segments, const struct relocation *relocation,
                               relocation_entry_cb entry_cb, void *arg,
                               struct error *error) MUST_CHECK;

#endif
