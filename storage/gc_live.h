/* gc_live.h: which entries of a view refer to the records of one segment: what lives in it.
 *
 * An entry refers to a record by the home that the record had when the entry was written. It means
 * this segment if that is its name, or if the home has been relocated to it.
 *
 * A record of a plain value lives if the entry of exactly its row and version refers to it, whether
 * or not newer versions hide that entry; also if an alias of a newer version does, which is looked
 * for only where the account says that there are aliases. An extent lives if any large value of its
 * row names it. Owned by one thread at a time. */
#ifndef KVD_STORAGE_GC_LIVE_H
#define KVD_STORAGE_GC_LIVE_H

#include "storage/gc_walk.h"
#include "storage/relocation.h"
#include "storage/view.h"

struct gc_live {
    const struct view *view; /* borrowed, as all here */
    struct relocation_source source;
    uint64_t segment;
    bool has_aliases;
    bool place_failed;     /* a relocation to the segment could not be read */
    struct iterator *iter; /* owned; over the whole view, once it is needed */
    uint8_t *ikey;         /* owned; IKEY_BYTES_MAX */
};

/* How many entries refer to it. */
struct gc_references {
    uint64_t records; /* others than aliases */
    uint64_t alias_records;
};

/* Errors: NO_MEMORY. gc_live_deinit is needed after OK only. */
enum status gc_live_init(struct gc_live *live, const struct view *view, uint64_t segment,
                         bool has_aliases) MUST_CHECK;
void gc_live_deinit(struct gc_live *live);

/* Whether a reference means a record in the segment, and at which offset of it. Errors: NOT_FOUND
 * (it means another segment), CORRUPT (a relocation cannot be read), IO, NO_MEMORY. */
enum status gc_live_place(struct gc_live *live, const struct value_ref *ref, uint64_t *offset_out,
                          struct error *error) MUST_CHECK;

/* Counts the entries that refer to one record. Errors: CORRUPT, IO, NO_MEMORY. */
enum status gc_live_count(struct gc_live *live, const struct gc_record *record,
                          struct gc_references *references_out, struct error *error) MUST_CHECK;

/* Calls back for every record of the segment that an entry of the view refers to, once, with what
 * the entries know of it, row by row: for a segment that cannot be walked. *references_out: of all
 * of them. Stops when the callback returns anything but OK. Errors: as above, the callback's. */
enum status gc_live_search(struct gc_live *live, gc_record_cb record_cb, void *arg,
                           struct gc_references *references_out, struct error *error) MUST_CHECK;

#endif
