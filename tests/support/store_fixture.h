/* store_fixture.h: a store under test, with verbs: keys and values are C strings, failures abort
 * the test. By default the environment is in memory and the scheduler deterministic, so that a test
 * is a story without threads; `fixture_open_on_disk` gives the real ones. */
#ifndef KVD_TESTS_STORE_FIXTURE_H
#define KVD_TESTS_STORE_FIXTURE_H

#include "storage/env.h"
#include "storage/env_memory.h"
#include "storage/scheduler.h"
#include "storage/store.h"

#include <stdbool.h>
#include <stdint.h>

struct fixture {
    struct store_options options;
    struct env *env;             /* what the store runs on */
    struct env *memory;          /* the in-memory environment below, or NULL */
    struct scheduler *scheduler; /* NULL: threads */
    struct store *store;         /* NULL while closed */
    struct buffer value;         /* what fixture_get read last */
    struct error error;          /* the last failure */
    char dir[256];
    _Atomic uint64_t last_version; /* relaxed */
};

/* In memory, deterministic, small sizes (memtables of 64 KiB, segments of 128 KiB); not opened. */
void fixture_init(struct fixture *fixture, uint64_t seed);

/* On the disk under $TMPDIR, with threads; not opened. */
void fixture_init_on_disk(struct fixture *fixture);

/* Closes, destroys, and removes what was on disk. */
void fixture_deinit(struct fixture *fixture);

enum status fixture_try_open(struct fixture *fixture);
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture);

/* The power goes: the store is abandoned (its threads' state freed without a sync), and the
 * environment becomes what `cut` leaves of it. In memory only. */
void fixture_power_cut(struct fixture *fixture, const struct power_cut *cut);

/* Runs steps of the deterministic scheduler until none is due. */
void fixture_settle(struct fixture *fixture);

/* A submitted commit and its outcome. */
struct fixture_commit {
    struct store_commit *commit;
    _Atomic bool done;
    struct store_outcome outcome;
};

/* Makes, fills by the caller, submits, waits. */
struct store_commit *fixture_commit_begin(struct fixture *fixture);
struct store_outcome fixture_commit_end(struct fixture *fixture, struct store_commit *commit,
                                        enum store_durability durability);

/* Submits without waiting. fixture_commit_finish frees it; it must be done by then. */
void fixture_commit_start(struct fixture *fixture, struct fixture_commit *started,
                          struct store_commit *commit, enum store_durability durability);
void fixture_commit_finish(struct fixture_commit *started);

struct store_outcome fixture_put_if(struct fixture *fixture, const char *key, struct slice value,
                                    struct store_condition condition,
                                    enum store_durability durability);
void fixture_put(struct fixture *fixture, const char *key, const char *value);
void fixture_put_bytes(struct fixture *fixture, const char *key, size_t bytes, uint64_t seed);
void fixture_delete(struct fixture *fixture, const char *key);

/* Reads into fixture->value; NOT_FOUND and failures are returned. */
enum status fixture_get(struct fixture *fixture, const char *key);

/* Asserts on what get returns. */
void fixture_expect(struct fixture *fixture, const char *key, const char *value);
void fixture_expect_bytes(struct fixture *fixture, const char *key, size_t bytes, uint64_t seed);
void fixture_expect_absent(struct fixture *fixture, const char *key);

/* All keys of the default namespace from a scan, joined by spaces; freed by the caller with
 * memory_free. */
char *fixture_scan(struct fixture *fixture, bool reverse);

/* A figure of store_stats; aborts the test when there is none of this name. */
uint64_t fixture_stat(struct fixture *fixture, const char *name);

/* Bytes that a seed stands for: half of them compress. */
void fixture_fill(uint8_t *bytes, size_t len, uint64_t seed);

#endif
