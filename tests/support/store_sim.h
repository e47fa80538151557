/* store_sim.h: a whole store under the deterministic scheduler and the file system in memory, with
 * the model beside it, and verbs that do random things to both.
 *
 *      sim_init -> sim_open -> commits, reads, flush, compact, sim_run ... -> sim_cut -> sim_open
 *
 * All that is random comes from one seed: it replays exactly. What differs from the model aborts
 * the test with the seed in the message. */
#ifndef KVD_TESTS_STORE_SIM_H
#define KVD_TESTS_STORE_SIM_H

#include "storage/env.h"
#include "storage/env_memory.h"
#include "storage/random.h"
#include "storage/scheduler.h"
#include "tests/support/store_model.h"

#define SIM_SNAPSHOTS_MAX 4u

struct sim {
    uint64_t seed;
    struct random random;
    struct scheduler *scheduler; /* owned */
    struct env *memory;          /* owned */
    struct env *env;             /* what the store runs on: memory, or something around it */
    struct store_options options;
    struct store *store; /* NULL while closed */
    struct model model;
    struct sim_commit *pending;     /* submitted, not collected */
    struct sim_waiter *waiters;     /* reads whose reply is held back */
    struct sim_commit *commit_pool; /* owned */
    struct sim_waiter *waiter_pool; /* owned */
    struct sim_commit *free_commits;
    struct sim_waiter *free_waiters;
    uint32_t spaces[2];                                      /* ids of the two namespaces */
    struct store_snapshot_info snapshots[SIM_SNAPSHOTS_MAX]; /* open ones */
    uint32_t snapshot_count;
    struct store_commit
        *setting; /* owned: a change of a namespace's retention under way, or NULL */
    bool setting_done;
    bool abandoned;            /* callbacks of a store whose disk is thrown away */
    bool faulty;               /* failures are expected: the disk has crashed, or faults are on */
    bool lossy;                /* syncs fail, and what they were to write is lost */
    uint32_t failures;         /* of commits, while faulty */
    uint64_t open_error_reads; /* reads that failed with an error, while faulty */
    uint32_t steps_max;        /* run between two acts */
    uint32_t ttl_percent;
    uint32_t value_bytes_max;
    struct error error;
    uint8_t *room; /* owned; MODEL_VALUE_BYTES_MAX */
    struct buffer buffer;
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_deinit(struct sim *sim);

/* Opens; on OK compares everything with the model, which then is settled, and the accounts of the
 * log with a recount. */
enum status sim_try_open(struct sim *sim);
void sim_open(struct sim *sim);

/* Closes well; all commits are answered. While faulty, any result is taken. */
void sim_close(struct sim *sim);

/* The power goes; `store` may be open. Not reopened. */
void sim_cut(struct sim *sim, const struct power_cut *cut);
struct power_cut sim_random_cut(struct sim *sim);

/* Runs up to `steps` steps; with `may_wait` time passes to the next one. */
void sim_run(struct sim *sim, uint32_t steps, bool may_wait);

/* Runs until all commits are answered. */
void sim_wait(struct sim *sim);

/* Submits a commit of these operations (keys, sizes; checksums are filled in); with_condition: on
 * its first key, chosen at random so that it is met, or not. */
void sim_submit(struct sim *sim, const struct model_op *ops, uint32_t op_count,
                enum store_durability durability, bool with_condition);

/* One random commit. */
void sim_random_commit(struct sim *sim);

/* A bulk load of a few keys, with commits while it is under way; some are abandoned. */
void sim_random_load(struct sim *sim);

/* Reads one key; a random range; everything: and compares. */
void sim_get(struct sim *sim, uint32_t key);
void sim_random_scan(struct sim *sim);
void sim_check_all(struct sim *sim);

/* Opens a snapshot, reads all at one, or lets one go; reads all of a namespace at the version of
 * some commit, if that is still kept; changes how long a namespace keeps its versions. */
void sim_random_snapshot(struct sim *sim);
void sim_random_version(struct sim *sim);
void sim_random_retention(struct sim *sim);

void sim_flush(struct sim *sim);
void sim_compact(struct sim *sim);
void sim_collect(struct sim *sim);

/* Fails the test, with the seed. */
void sim_fail(const struct sim *sim, const char *what, enum status status);

/* A number from the environment, or `otherwise`. */
uint64_t sim_number(const char *name, uint64_t otherwise);

#endif
