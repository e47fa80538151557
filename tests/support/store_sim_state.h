/* store_sim_state.h: what the two halves of the simulated store share: commits and maintenance in
 * store_sim.c, reads in store_sim_read.c. */
#ifndef KVD_TESTS_STORE_SIM_STATE_H
#define KVD_TESTS_STORE_SIM_STATE_H

#include "tests/support/store_sim.h"

/* A submitted commit. */
struct sim_commit {
    struct sim *sim;
    struct store_commit *commit; /* owned */
    size_t index;                /* in the model; MODEL_NONE: its condition is not met */
    size_t decided_by;           /* then: the commit that decided it, or MODEL_NONE */
    bool condition;
    bool done;
    struct sim_commit *next;
};

/* A reply that must be held back. */
struct sim_waiter {
    struct store_waiter waiter;
    struct sim *sim;
    size_t decided_by;
    bool done;
    struct sim_waiter *next;
};

/* A line for who follows a seed with SIM_LOG=1. */
void sim_note(const struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The namespace that a key is in. */
uint32_t sim_space(const struct sim *sim, uint32_t key);

/* A reply that this commit (or MODEL_NONE) decided has left. */
void sim_answered(struct sim *sim, size_t decided_by);

struct sim_waiter *sim_take_waiter(struct sim *sim);

/* ---- Reads: store_sim_read.c, for store_sim_past.c too ---- */

/* Reads one key. */
enum status sim_look(struct sim *sim, struct store_read *read, uint32_t key,
                     struct model_seen *seen);

/* Compares a read with the model; returns the shortest prefix that it may have shown: no more than
 * that was answered. */
size_t sim_compare(struct sim *sim, const struct store_read *read, const struct model_seen *seen);

/* The reply to a read that the first `prefix` commits decided leaves as soon as it may. What
 * decided it: for each key looked at, the last commit on it. */
void sim_release(struct sim *sim, struct store_read *read, const struct model_seen *seen,
                 size_t prefix);

/* Whether a failure is to be expected now. */
bool sim_may_fail(struct sim *sim, enum status status);

/* ---- The past ---- */

/* A change of settings that was answered is freed. */
void sim_past_collect(struct sim *sim);

#endif
