/* env_fault.h: wraps another environment, counts its calls, and makes chosen ones fail, be short,
 * or be late. For tests.
 *
 *      env_fault_create(inner, NULL, &env);   run the workload once; n = env_fault_calls(env, ALL)
 *      for each call 1..n: env_fault_add(env, &(struct fault_rule){.kinds = ALL, .countdown = ..});
 *                          run the workload again; it must fail well or not notice
 *
 * Rules are tried in the order of adding; the first that is due decides. A call that a rule fails
 * does not reach the inner environment (a short append and a late call do). Nothing is sticky:
 * after a rule has fired once, the next call goes through, so that code which tries again where it
 * must not is found out. Any thread may call. */
#ifndef KVD_STORAGE_ENV_FAULT_H
#define KVD_STORAGE_ENV_FAULT_H

#include "storage/env.h"

#define ENV_FAULT_RULES_MAX 16

/* Kinds of calls; a rule has any of them. */
#define FAULT_MAKE_DIR (1u << 0)
#define FAULT_LOCK (1u << 1)
#define FAULT_CREATE (1u << 2)
#define FAULT_OPEN (1u << 3)
#define FAULT_APPEND (1u << 4)
#define FAULT_PREALLOCATE (1u << 5)
#define FAULT_FINISH (1u << 6)
#define FAULT_READ (1u << 7)
#define FAULT_READ_NOWAIT (1u << 8)
#define FAULT_SYNC (1u << 9)
#define FAULT_SIZE (1u << 10)
#define FAULT_CLOSE (1u << 11)
#define FAULT_SYNC_DIR (1u << 12)
#define FAULT_LIST (1u << 13)
#define FAULT_REMOVE (1u << 14)
#define FAULT_SPACE (1u << 15)
#define FAULT_LINK (1u << 16)
#define FAULT_KINDS 17
#define FAULT_ALL ((1u << FAULT_KINDS) - 1)
/* The calls that change something. */
#define FAULT_WRITES                                                                               \
    (FAULT_MAKE_DIR | FAULT_CREATE | FAULT_APPEND | FAULT_PREALLOCATE | FAULT_FINISH |             \
     FAULT_SYNC | FAULT_SYNC_DIR | FAULT_REMOVE | FAULT_LINK)

enum fault {
    FAULT_IS_EIO,         /* IO; of a sync: the unsynced bytes are lost as well (see below) */
    FAULT_IS_ENOSPC,      /* NO_SPACE */
    FAULT_IS_EDQUOT,      /* NO_SPACE */
    FAULT_IS_EMFILE,      /* IO */
    FAULT_IS_WOULD_BLOCK, /* of READ_NOWAIT: cold; of others as EIO */
    FAULT_IS_SHORT,       /* an append: the first half arrives, then NO_SPACE; a read: OK with half
                             of the bytes, as if the file ended there; others as EIO */
    FAULT_IS_DELAY        /* the call is late by delay_ns and then goes through */
};

struct fault_rule {
    uint32_t kinds;        /* FAULT_... */
    const char *path_part; /* borrowed while the rule lives; NULL for any path */
    uint64_t countdown;    /* fires at the n-th matching call from now on; from 1 */
    bool for_ever;         /* and at all matching ones after it */
    enum fault fault;
    uint64_t delay_ns; /* of FAULT_IS_DELAY */
};

struct env_fault_options {
    /* What becomes of unsynced bytes when a sync is made to fail, such as
     * env_memory_drop_unsynced_writes; gets the inner file. NULL: nothing. */
    enum status (*lose_unsynced_cb)(struct env_file *inner, uint64_t seed);
    uint64_t seed; /* handed to it */
    /* How a delay is spent, such as by env_memory_advance_clock; gets the inner environment. NULL:
     * by sleeping. */
    void (*delay_cb)(struct env *inner, uint64_t delay_ns);
};

/* `inner` is borrowed until env_fault_destroy; options may be NULL. Errors: NO_MEMORY. */
enum status env_fault_create(struct env *inner, const struct env_fault_options *options,
                             struct env **env_out) MUST_CHECK;

/* All files must be closed before. NULL is allowed; `inner` lives on. */
void env_fault_destroy(struct env *env);

/* Adds a rule (copied); at most ENV_FAULT_RULES_MAX. */
void env_fault_add(struct env *env, const struct fault_rule *rule);

/* Forgets all rules; the counts go on. */
void env_fault_clear(struct env *env);

/* Calls of these kinds since creation, failed ones included. */
uint64_t env_fault_calls(struct env *env, uint32_t kinds);

/* How often a rule has fired since creation. */
uint64_t env_fault_fired(struct env *env);

#endif
