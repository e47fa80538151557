/* alias_gate.h: no alias is ever made to a segment that is being dropped.
 *
 *      commit lane:   enter -> take the view -> resolve, judge -> insert into the memtable -> leave
 *      an install:    close -> sum up the holders -> edit durable -> swap the view -> open
 *
 * An alias (entry.h) is a new entry that refers to the record of an older one, so a commit can make
 * a new holder of an old segment. An install that drops segments or relocations sums up the holders
 * first. The two exclude each other, so one comes wholly before the other:
 *
 *   - the commit first: its aliases stand in a memtable before the install sums up, and memtables
 *     count as holders. The segment stays.
 *   - the install first: the commit takes its view after it has entered, so it resolves on the
 *     version that the install has made; what an entry refers to there is live, or relocated,
 * there.
 *
 * An old version of a row that the view shows is no way round this: what a commit aliases it has
 * found through that view, or it holds a registered snapshot under which the entry is kept.
 *
 * Nobody waits. While an install drops, the lane tries again a millisecond later. While a commit is
 * inside, the install drops nothing this time: the segments go with the next install. The lane
 * leaves before it waits for room (memory, the disk, the space promise), so that what makes room is
 * never kept from dropping.
 *
 * Threads: any. The mutex is a leaf. An install holds version_set.mu from close to open. */
#ifndef KVD_STORAGE_ALIAS_GATE_H
#define KVD_STORAGE_ALIAS_GATE_H

#include "protocol/base/status.h"
#include "storage/lock.h"

struct alias_gate {
    struct mutex mu;
    /* guarded by mu */
    bool entered; /* the commit lane (or an I/O thread that it waits for) is inside */
    bool closed;  /* an install is dropping */
};

void alias_gate_init(struct alias_gate *gate);

/* Nobody inside, nobody dropping. A zeroed struct that was never made is not allowed. */
void alias_gate_deinit(struct alias_gate *gate);

/* The commit lane goes in. False: an install is dropping; later. Not twice. */
bool alias_gate_enter(struct alias_gate *gate) MUST_CHECK;

/* Its aliases are in the memtable, or it has given up. */
void alias_gate_leave(struct alias_gate *gate);

/* An install is about to look for what it may drop. False: a commit is inside; drop nothing. Not
 * twice. */
bool alias_gate_close_for_drop(struct alias_gate *gate) MUST_CHECK;

/* The version without what was dropped is the current one, or the install has failed. */
void alias_gate_open(struct alias_gate *gate);

#endif
