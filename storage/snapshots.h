/* snapshots.h: who still reads the past: registered snapshots, retention of namespaces, and what
 * jobs have let go already.
 *
 *      versions     ... 40 ........ 57 ....... 63 .......... 80 ....... 100
 *      registered           s1 = 41          s2 = 63                     visible
 *      retention                          |keep_since = 61 --------------|
 *      floor                              61 with retention, 100 without
 *
 * One mutex guards it all. Under it a snapshot takes the visible version and its place in the list;
 * under it a job takes its rules (keep_rules.h): the list, visible, retention. So:
 *
 *   - A snapshot that is opened before the rules are taken is in them.
 *   - One that is opened after sees s >= visible of the rules, as versions only rise. The job lets
 *     go an entry e only if it is hidden by some h <= visible, so by h <= s: the snapshot does not
 *     see e. (Opened at 100 while rules say 100, or at 101: both are of this kind.) Its time is not
 *     before that of the rules either, so what the job took to be expired is expired for it.
 *
 * The floor. A read at a version V that nobody has registered is let in while no job may have let
 * go what it needs. Whoever takes rules raises the floor in the same breath: to `visible` where
 * there is no retention, else to keep_since. A reader pins its view first and asks here after. A
 * job whose result that view shows took its rules before that, so:
 *
 *   - V >= floor: the rules of each such job kept what V sees: what hides an entry that V sees is
 *     above V, so above its `visible` (and not in its inputs), or above keep_since;
 *   - V is registered, now: it was in the rules of all such jobs, or was opened after them.
 *
 * Jobs to come change nothing for the reader: its view stays as it is. The floor never falls, also
 * when settings change: a longer retention holds for what is replaced from then on.
 *
 * The floor is not durable. After an open it is the newest version; where there is retention, the
 * larger of the oldest mark of time_index.h that shows the commit which set it, and the oldest mark
 * within it: no job before can have let go more than that. (A job may take its rules when that
 * commit is visible, and its settings do not hold yet. What it then takes to be visible is the end
 * of a group, as every mark is.) A retention that gets shorter holds once a crash cannot take that
 * back: at a moment when all that is visible is durable.
 *
 * A snapshot past its deadline counts for nobody; it is removed by the next call that looks.
 *
 * Threads: any. Lock order: mu, then those of namespaces.h and time_index.h. No I/O under it. */
#ifndef KVD_STORAGE_SNAPSHOTS_H
#define KVD_STORAGE_SNAPSHOTS_H

#include "storage/keep_rules.h"
#include "storage/namespaces.h"
#include "storage/store_clock.h"
#include "storage/time_index.h"
#include "storage/watermarks.h"

#define SNAPSHOTS_MAX 65536u /* at about 130 bytes each */

struct snapshots_options {
    const struct watermarks *marks; /* all borrowed */
    struct store_clock *clock;
    struct namespaces *namespaces;
    struct time_index *times;
    uint64_t incarnation; /* how often the store was opened */
};

/* From where on all versions can be read. */
struct snapshots_floor {
    uint32_t namespace_id;
    uint64_t version; /* of those below, something may be gone */
    uint64_t ms;      /* what expired by then may be gone */
    uint64_t keep_ms; /* the retention that holds */
    uint32_t keep_versions;
};

/* The retention that is set for a namespace. */
struct snapshots_wish {
    uint32_t namespace_id;
    uint32_t keep_versions;
    uint64_t keep_ms;
};

struct snapshots_key {
    uint64_t id;
    uint64_t version;
};

struct snapshots {
    struct snapshots_options options; /* constant */
    struct mutex mu;
    /* guarded by mu */
    struct store_snapshot_info *items; /* owned; ascending by version, then id */
    struct snapshots_key *keys;        /* owned; the same ones, ascending by id */
    size_t count;                      /* of both */
    size_t capacity;
    size_t key_capacity;
    uint64_t next_deadline_ms; /* before it, none is past its own */
    uint64_t next_id;
    struct snapshots_floor common;  /* of namespaces without retention */
    struct snapshots_floor *floors; /* owned; of those with, ascending by id */
    size_t floor_count;
    size_t floor_capacity;
    struct snapshots_wish *wishes; /* owned; while rules are taken */
    size_t wish_capacity;
};

/* An id has the incarnation in its upper bits, and begins at the present time below, so that one
 * from before a restart, also of a store in memory, means nothing after it. */
void snapshots_init(struct snapshots *snapshots, const struct snapshots_options *options);
void snapshots_deinit(struct snapshots *snapshots);

/* At open, when times and namespaces have been loaded: `version` of the commit that set the
 * retention of a namespace. Errors: NO_MEMORY. */
enum status snapshots_load_floor(struct snapshots *snapshots, uint32_t namespace_id,
                                 uint64_t version) MUST_CHECK;

/* See store.h. Errors: BUSY, NO_MEMORY. */
enum status snapshots_open(struct snapshots *snapshots, const char *owner, uint64_t lifetime_ms,
                           struct store_snapshot_info *info_out) MUST_CHECK;

/* Registers a version of the past without a deadline, in the namespace's sight, if all that it sees
 * is still there. What has expired by now is not kept for it. Errors: GONE, BUSY, NO_MEMORY. */
enum status snapshots_hold(struct snapshots *snapshots, uint32_t namespace_id, uint64_t version,
                           const char *owner, uint64_t *id_out) MUST_CHECK;

/* Errors: NOT_FOUND. */
enum status snapshots_close(struct snapshots *snapshots, uint64_t id) MUST_CHECK;

/* Errors: NOT_FOUND. */
enum status snapshots_find(struct snapshots *snapshots, uint64_t id,
                           struct store_snapshot_info *info_out) MUST_CHECK;

/* Whether all that a version sees in a namespace is still there; the caller has pinned its view
 * before. *now_ms_out: the time at which expiry is to be judged there. Errors: GONE. */
enum status snapshots_admit(struct snapshots *snapshots, uint32_t namespace_id, uint64_t version,
                            uint64_t *now_ms_out) MUST_CHECK;

/* The one after (version, id) in the order of the list; false at the end. To begin: 0, 0. */
bool snapshots_next(struct snapshots *snapshots, uint64_t version, uint64_t id,
                    struct store_snapshot_info *info_out);

/* What a job must leave readable; a take_cb of keep_rules.h with these snapshots as `arg`. Raises
 * the floor first. Errors: NO_MEMORY. */
enum status snapshots_take_rules(void *snapshots, struct keep_rules *rules_out) MUST_CHECK;

struct snapshots_stats {
    uint64_t open;
    uint64_t oldest_version; /* 0: none is open */
    uint64_t oldest_age_ms;
};

void snapshots_read_stats(struct snapshots *snapshots, struct snapshots_stats *stats_out);

#endif
