/* range_obsolete.h: when a range delete has nothing left to hide, and may be forgotten.
 *
 * A range delete of version t hides entries of its range with versions below t. It is obsolete when
 * there is none of those any more: when
 *
 *   - everything up to t has been flushed. A range delete that stands in a table is: memtables are
 *     flushed in log order, and all that is in memory is newer. One that is only in a set
 *     (ranges.h) asks the frozen memtables of its view; those with range deletes to come, and the
 *     active one, are newer still;
 *   - no table of the version overlaps the range with an entry below t, unless its writer has
 *     applied all range deletes up to t (table_info.ranges_applied), so that what it holds below t
 *     is not of the range.
 *
 * Then it never hides anything again, and nothing reappears when it goes:
 *
 *   - once obsolete, always obsolete. The tables of later versions are made from those of this one
 *     and from memtables that are newer than t; no job ever writes an old entry anew, and log GC
 *     writes no entries at all. So a compaction may judge by the version that it began with;
 *   - snapshots and retention are on the safe side: an entry below t that is kept for one keeps its
 *     table's version_min below t, and ranges_applied too, so t stays as long as it. If no such
 *     entry is left, a reader of any version finds the same without t: nothing;
 *   - views that are pinned have tables of old, and their own set with t in it, which never
 * changes;
 *   - an older version t0 of the same row comes to light where t goes alone. It hides what is below
 *     t0 < t in the same range, of which there is nothing either;
 *   - a crash brings back the log behind the replay position, which is newer than t, and the tables
 *     of the last durable version: either those that hold the row of t, or later ones. */
#ifndef KVD_STORAGE_RANGE_OBSOLETE_H
#define KVD_STORAGE_RANGE_OBSOLETE_H

#include "storage/version.h"

/* Whether no table of the version has anything in the rows [from, to), all of one namespace, that a
 * range delete of this version would hide. */
bool range_is_obsolete(const struct version *version, struct slice from, struct slice to,
                       uint64_t range_version);

/* For a compaction that meets the row (range_row.h) of a range delete: whether it may drop it.
 * `version`: the one that it began with. False when that cannot be told. */
bool range_row_is_obsolete(const struct version *version, struct slice key, struct slice value,
                           uint64_t range_version);

#endif
