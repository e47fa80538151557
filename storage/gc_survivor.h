/* gc_survivor.h: writes a survivor segment: the records that log GC keeps, and where they were.
 *
 *      add ... add -> groups of up to about 1 MiB, or one record
 *      section ...  -> where the records of a home are now
 *      finish       -> synced, sealed, named in the edit
 *
 * Space is reserved before anything is written, as far as the file system can. Until the edit is
 * durable the file is named by nothing, and recovery would remove it. Owned by one thread. */
#ifndef KVD_STORAGE_GC_SURVIVOR_H
#define KVD_STORAGE_GC_SURVIVOR_H

#include "storage/gc_walk.h"
#include "storage/relocation.h"
#include "storage/version_edit.h"

#define GC_GROUP_BYTES (1024u * 1024) /* a group is closed at so many */

/* Where the records of one victim went: old offsets in it, new ones in the survivor. */
struct gc_moves {
    struct relocation_entry *entries; /* owned; in order of copying until gc_moves_sort */
    size_t count;
    size_t capacity;
};

void gc_moves_deinit(struct gc_moves *moves);

/* Errors: NO_MEMORY. */
enum status gc_moves_add(struct gc_moves *moves, uint64_t old_offset,
                         uint64_t new_offset) MUST_CHECK;
void gc_moves_sort(struct gc_moves *moves);

/* The new offset of a record. After gc_moves_sort. */
bool gc_moves_find(const struct gc_moves *moves, uint64_t old_offset, uint64_t *new_offset_out);

struct gc_survivor_options {
    struct env *env;
    const char *dir;
    uint64_t number; /* file number, never used before */
    uint64_t incarnation;
    const uint8_t *store_id;
    uint64_t store_time_ms;
    uint64_t expected_bytes; /* about what it will take: reserved at once */
};

struct gc_survivor;

/* Errors: NO_SPACE (nothing is left behind), NO_MEMORY, IO. */
enum status gc_survivor_create(const struct gc_survivor_options *options,
                               struct gc_survivor **survivor_out, struct error *error) MUST_CHECK;

/* Adds a record with its stored bytes. Its move is in `moves`, complete after the next flush; they
 * must stay where they are until then. Errors: NO_SPACE, NO_MEMORY, IO. */
enum status gc_survivor_add(struct gc_survivor *survivor, const struct gc_record *record,
                            struct slice stored, struct gc_moves *moves,
                            struct error *error) MUST_CHECK;

/* Writes the group that is waiting: no record may be added after. Errors: as above. */
enum status gc_survivor_flush(struct gc_survivor *survivor, struct error *error) MUST_CHECK;

/* Appends the section of a home and adds its relocation to the edit. Errors: as above. */
enum status gc_survivor_section(struct gc_survivor *survivor, uint64_t home,
                                const struct relocation_entry *entries, size_t count,
                                struct version_edit *edit, struct error *error) MUST_CHECK;

/* Makes it durable, and adds it to the edit as a sealed segment. Errors: as above. */
enum status gc_survivor_finish(struct gc_survivor *survivor, struct version_edit *edit,
                               struct error *error) MUST_CHECK;

/* Length so far. */
uint64_t gc_survivor_bytes(const struct gc_survivor *survivor);
uint64_t gc_survivor_number(const struct gc_survivor *survivor);

/* Closes the file. Not `keep`: removes it. NULL is allowed. */
void gc_survivor_destroy(struct gc_survivor *survivor, bool keep);

#endif
