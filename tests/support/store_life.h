/* store_life.h: one fixed life of a store: commits of all kinds, reads, flush, rotation,
 * compaction, reopening. Short enough to be run again with each of its calls failing. */
#ifndef KVD_TESTS_STORE_LIFE_H
#define KVD_TESTS_STORE_LIFE_H

#include "tests/support/store_sim.h"

/* Small sizes; nothing is opened, and failures are expected from now on. */
void life_begin(struct sim *sim);

/* Opens and lives. Ends early, with the store closed, when it cannot be opened. */
void life_run(struct sim *sim);

/* A few commits. */
void life_put_round(struct sim *sim, uint32_t round, uint32_t count);

/* What was recovered can be written to, flushed and opened again; opens it first. */
void life_goes_on(struct sim *sim);

#endif
