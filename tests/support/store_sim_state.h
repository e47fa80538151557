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

#endif
