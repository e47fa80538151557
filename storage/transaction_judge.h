/* transaction_judge.h: may a transaction commit: is all that it has read still so?
 *
 * It read at version S. Whatever was committed since, earlier commits of the same group included,
 * is in the memtables of the view and in those of the conflict window; no table is read. A row, or
 * a range of rows, that has an entry, a tombstone or a range delete above S has changed. What has
 * expired since it was read has changed too.
 *
 * On the commit lane, or on an I/O thread while that waits. Pure, but for the window's references.
 */
#ifndef KVD_STORAGE_TRANSACTION_JUDGE_H
#define KVD_STORAGE_TRANSACTION_JUDGE_H

#include "storage/conflict_window.h"
#include "storage/read_set.h"
#include "storage/view.h"

struct transaction_reads {
    const struct read_set *reads; /* borrowed */
    uint64_t version;             /* they saw everything up to here */
    const struct view *view;      /* borrowed; taken before this is asked */
    struct conflict_window *window;
    uint64_t now_ms; /* of the commit */
};

/* What has changed. */
struct transaction_conflict {
    struct read_item item; /* borrows from the read set */
    uint64_t version;      /* that won; of an expiry: the one that was read */
    uint8_t durability;    /* enum durability of its commit */
    bool expired;
};

/* Errors: CONFLICT (*conflict_out is set), TXN_TOO_OLD, NO_MEMORY. */
enum status transaction_judge(const struct transaction_reads *question,
                              struct transaction_conflict *conflict_out) MUST_CHECK;

#endif
