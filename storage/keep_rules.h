/* keep_rules.h: what a flush, a compaction or a drop of whole tables must leave readable: taken
 * once at the job's start, never changed after.
 *
 *      versions of a row     ... e ........ n ...            n hides e
 *      snapshots                    s1   s2        visible    s1 still sees e
 *      retention             ------------|keep_since          n was written after it: e stays
 *
 * Who opens a snapshot or gives out the rules does both under one lock. So a snapshot that is not
 * in the rules was opened later and sees at least `visible`, which no entry of the job's inputs may
 * pass: the job takes its rules after its inputs (asserted by the jobs).
 *
 * A read at a version that no snapshot protects is let in by a published floor. Rules are given out
 * after the floor has been raised to what they let go; a reader pins its view first and compares
 * with the floor after, so it either sees the floor of every job whose result its view shows, or
 * keeps what the job drops.
 *
 * Pure functions over immutable data; any thread. */
#ifndef KVD_STORAGE_KEEP_RULES_H
#define KVD_STORAGE_KEEP_RULES_H

#include "protocol/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The retention of one namespace. Namespaces without one are not listed. */
struct keep_namespace {
    uint32_t namespace_id;
    uint32_t keep_versions;      /* so many versions of each row stay; 0 and 1: the newest */
    uint64_t keep_since_version; /* what was replaced by a version above it stays; none:
                                    UINT64_MAX */
    uint64_t keep_since_ms;      /* what expired after it stays; none: UINT64_MAX */
};

struct keep_rules {
    uint64_t *snapshots;    /* owned; ascending; the last is `visible` at the job's start */
    uint64_t *snapshots_ms; /* owned; the earliest store time at which it, or one after it, judges
                               expiry */
    size_t snapshot_count;
    uint64_t now_ms;                   /* store time at the job's start */
    uint64_t durable_version;          /* range deletes above it could still be undone by a crash */
    struct keep_namespace *namespaces; /* owned; ascending by id */
    size_t namespace_count;
    size_t snapshot_capacity;
    size_t namespace_capacity;
    uint64_t own[2]; /* the room for `visible` alone, so that a store at rest allocates nothing:
                        never copy the struct */
};

/* Where a job gets its rules. take_cb publishes what the rules let go before it gives them out. */
struct keep_source {
    enum status (*take_cb)(void *arg, struct keep_rules *rules_out); /* Errors: NO_MEMORY */
    void *arg;
};

/* Empty rules with room for so many snapshots (`visible` included) and namespaces; to be filled by
 * the functions below and the fields. Errors: NO_MEMORY. */
enum status keep_rules_init(struct keep_rules *rules, size_t snapshot_capacity,
                            size_t namespace_capacity) MUST_CHECK;

/* The rules when there are neither snapshots nor retention. Errors: NO_MEMORY. */
enum status keep_rules_init_plain(struct keep_rules *rules, uint64_t visible,
                                  uint64_t now_ms) MUST_CHECK;

/* Frees what it owns; a zeroed struct is allowed. */
void keep_rules_deinit(struct keep_rules *rules);

/* Snapshots come ascending (equal ones are one), `visible` last; namespaces ascending by id.
 * Without a time, a snapshot judges expiry as the job does: so does `visible`. */
void keep_rules_add_snapshot_at(struct keep_rules *rules, uint64_t version, uint64_t time_ms);
void keep_rules_add_snapshot(struct keep_rules *rules, uint64_t version);
void keep_rules_add_namespace(struct keep_rules *rules, const struct keep_namespace *keep);

/* `visible` at the job's start. */
static inline uint64_t keep_rules_visible(const struct keep_rules *rules) {
    return rules->snapshots[rules->snapshot_count - 1];
}

/* The retention of a namespace; one that keeps nothing, if none is listed. */
struct keep_namespace keep_rules_namespace(const struct keep_rules *rules, uint32_t namespace_id);

/* The time by which an entry of `version` must have expired to be gone for every reader. */
uint64_t keep_rules_expiry_ms(const struct keep_rules *rules, const struct keep_namespace *keep,
                              uint64_t version);

/* Who can see anything from `least_version` on sees everything from there up to this version, and
 * nothing that it hides. (Snapshots from before least_version do not matter to what is newer.) */
uint64_t keep_rules_settled_version(const struct keep_rules *rules,
                                    const struct keep_namespace *keep, uint64_t least_version);

/* What holds for all entries from `least_version` on, of all rows from one namespace to another,
 * both included. */
struct keep_span {
    uint64_t settled_version;   /* the least of all */
    uint64_t expiry_ms;         /* the earliest of all */
    bool keeps_older;           /* some keep more than the newest version */
    struct keep_namespace keep; /* the strictest of all */
};

/* Rows of the system namespace may be about any other: a span that begins there is all of them. */
struct keep_span keep_rules_span(const struct keep_rules *rules, uint32_t first_namespace,
                                 uint32_t last_namespace, uint64_t least_version);

/* Whether what holds for all rows from one namespace to a later one is more than holds for each of
 * them: then a table should end between the two. */
bool keep_rules_is_border(const struct keep_rules *rules, uint32_t namespace_id,
                          uint32_t next_namespace);

/* Whether an entry of `version`, hidden by one of version `hider`, may go. `newer`: how many newer
 * versions of the row stay, the hider counted. */
bool keep_rules_hidden_goes(const struct keep_rules *rules, const struct keep_namespace *keep,
                            uint64_t version, uint64_t hider, uint64_t newer);

/* A number that entries have in common which are hidden and kept by the same snapshots, and, where
 * the number of versions keeps them, have as many newer ones (hidden_book.h). */
uint64_t keep_rules_group(const struct keep_rules *rules, const struct keep_namespace *keep,
                          uint64_t version, uint64_t hider, uint64_t newer);

/* Whether everything that an entry of `version` hides may go. `newer`: how many newer versions of
 * the row stay. The second knows that nothing of it is of a version below `least_version`. */
bool keep_rules_rest_goes(const struct keep_rules *rules, const struct keep_namespace *keep,
                          uint64_t version, uint32_t newer);
bool keep_rules_rest_goes_from(const struct keep_rules *rules, const struct keep_namespace *keep,
                               uint64_t least_version, uint64_t version, uint32_t newer);

#endif
