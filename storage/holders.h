/* holders.h: who needs which segment: the one place that adds it up.
 *
 *      holder's books                    homes physical segments
 *      table 7:  home 3, 10 records  \
 *      table 9:  home 3,  2 records   >  home 3: 12 records  -- live -->
 * segment 3 memtable: home 5,  1 record   /   home 5:  1 record   -- moved ->
 * segment 11 (survivor)
 *
 * An entry names the place where its record was when the entry was written: the
 * record's home. Log GC moves records without touching entries; a relocation
 * then says where the records of a home are. So what a file must keep is what
 * its own home is asked for, and all homes moved to it.
 *
 * There are no running counters that could drift: the sum is taken over the
 * books that each holder keeps for itself (table_info.shares, the memtables'
 * shares). Aliases (entry.h) are an account of their own: an alias and the
 * entry that it was made from refer to one record.
 *
 * A segment may go only when nothing holds it: no table of the version, no
 * memtable, not the unflushed log, no upload, not the feed, no relocation. A relocation may
 * go when its home is held by no table and no memtable. Pinned views hold the
 * files themselves (reclaim.h). */
#ifndef KVD_STORAGE_HOLDERS_H
#define KVD_STORAGE_HOLDERS_H

#include "storage/manifest_state.h"
#include "storage/segment_pins.h"
#include "storage/table_info.h"
#include "storage/view.h"

/* What one file of the log is worth. */
struct segment_account {
    uint64_t segment; /* file number */
    enum segment_kind kind;
    bool sealed;
    bool damaged;           /* GC has met a record in it that it could not read */
    uint64_t file_bytes;    /* 0 while it is not sealed */
    uint64_t records;       /* that entries refer to */
    uint64_t bytes;         /* their stored bytes */
    uint64_t alias_records; /* that aliases refer to */
    uint64_t alias_bytes;   /* their stored bytes */
    uint64_t relocations;   /* homes whose records are here */
    uint64_t frame_bytes;   /* headers, keys and relocation pages of the records
                               that are alive, as   far as known (frame_book.h); GC
                               cannot free them */
};

/* Bytes of the file that nothing refers to, aliases counted as references. 0
 * while not sealed. */
static inline uint64_t segment_account_unreferenced(const struct segment_account *account) {
    uint64_t held = account->bytes + account->alias_bytes + account->frame_bytes;
    return account->file_bytes > held ? account->file_bytes - held : 0;
}

static inline bool segment_account_is_held(const struct segment_account *account) {
    return account->records > 0 || account->alias_records > 0;
}

/* Sums by home and by file; each ascending by segment. There is a home for each
 * segment and each relocation of the version, and an account for each segment.
 */
struct holder_sums {
    struct segment_share *homes; /* owned */
    size_t home_count;
    struct segment_account *accounts; /* owned */
    size_t account_count;
    size_t lost_shares; /* of tables, into what is neither live nor relocated: 0
                           in a sound store */
};

/* The sum over the tables of `version`, and the memtables of `view` (NULL:
 * none) but for `flushed` (NULL: all of them). Errors: NO_MEMORY. */
enum status holders_sum(const struct version *version, const struct view *view,
                        const struct memtable *flushed, struct holder_sums *sums_out) MUST_CHECK;

/* The sum over all that a view can reach. Errors: NO_MEMORY. */
enum status holders_of_view(const struct view *view, struct holder_sums *sums_out) MUST_CHECK;

void holders_deinit(struct holder_sums *sums);

/* What is held under the name of one home; zeros when nothing is. */
struct segment_share holders_home(const struct holder_sums *sums, uint64_t home);

/* The account of one file, or NULL when the version has none of this number. */
const struct segment_account *holders_account(const struct holder_sums *sums, uint64_t segment);

/* What an install knows when it looks for what can go. */
struct holders_question {
    const struct manifest_state *state; /* before the edit; says what is sealed */
    const struct version *next;         /* the version that the edit makes */
    const struct view *view;            /* the current one, taken after the pins were looked at */
    const struct memtable *flushed;     /* this one goes with the edit; may be NULL */
    uint64_t replay_segment;            /* commit segments from here on are replayed at the
                                           next open */
    const uint64_t *pinned;             /* segments that stay; ascending */
    size_t pinned_count;
};

/* Adds to `edit` the removal of every relocation and every sealed segment that
 * nothing holds, but for those that it adds itself. Errors: NO_MEMORY. */
enum status holders_drop_unheld(const struct holders_question *question,
                                struct version_edit *edit) MUST_CHECK;

#endif
