/* env_memory.h: env.h in memory, with a durable and a volatile side, and power cuts.
 *
 * What is on the medium and what only in the cache is kept apart, for bytes (env_sync) and for
 * names (env_sync_dir), so that env_memory_clone can make the file system that a machine would find
 * after its power went out at this moment. The usual loop of a test:
 *
 *      env_memory_set_crash_point(env, n);   run the workload until it fails;
 *      env_memory_clone(env, &how, &after);  open the store in `after`; compare with the promises
 *
 * Reads never wait, ENV_READ_DIRECT reads the medium: unsynced bytes that were not lost are seen
 * (the kernel writes them out first), lost ones are zeros. Locks end with the process: a clone
 * starts unlocked. Directories are durable once made. Any thread may call; one mutex guards all. */
#ifndef KVD_STORAGE_ENV_MEMORY_H
#define KVD_STORAGE_ENV_MEMORY_H

#include "storage/env.h"

#define ENV_MEMORY_SPACE_DEFAULT (UINT64_C(1) << 40)
#define ENV_MEMORY_WALL_CLOCK_DEFAULT_MS UINT64_C(1767225600000) /* 2026-01-01 */

struct env_memory_options {
    uint64_t space_bytes;                   /* size of the disk; 0 is ENV_MEMORY_SPACE_DEFAULT */
    uint64_t wall_clock_ms;                 /* at creation; 0 is ENV_MEMORY_WALL_CLOCK_DEFAULT_MS */
    uint64_t (*monotonic_ns_cb)(void *arg); /* such as scheduler_sim_now_ns; NULL: the clocks stand
                                               still but for env_memory_advance_clock */
    void *monotonic_arg;                    /* borrowed, while the environment or a clone lives */
};

/* `options` may be NULL. Errors: NO_MEMORY. */
enum status env_memory_create(const struct env_memory_options *options,
                              struct env **env_out) MUST_CHECK;

/* All files and locks must be closed before. NULL is allowed. */
void env_memory_destroy(struct env *env);

enum power_cut_mode {
    POWER_CUT_DROP_ALL,      /* nothing unsynced reached the medium */
    POWER_CUT_KEEP_ALL,      /* all of it did, but for what a failed sync lost */
    POWER_CUT_RANDOM_SUBSET, /* each file on its own: a random size between the synced and the whole
                                one, and of the blocks up to it a random part */
    POWER_CUT_NONE           /* only the process died: cache, names and losses stay as they are */
};

enum power_cut_entries {
    POWER_CUT_ENTRIES_DROP,  /* names are as of the last sync_dir: created ones are gone, removed
                                ones are back */
    POWER_CUT_ENTRIES_KEEP,  /* names are as the process saw them */
    POWER_CUT_ENTRIES_RANDOM /* each changed name on its own */
};

struct power_cut {
    uint64_t seed; /* of RANDOM and of garbage */
    enum power_cut_mode mode;
    enum power_cut_entries entries;
    uint32_t block_bytes; /* what the medium writes whole or not at all: 512 or 4096 */
    bool garbage;         /* missing blocks inside the size hold garbage, else zeros */
};

/* A new environment as found after `how`; `env` is untouched. Its whole content is durable
 * (POWER_CUT_NONE excepted), the monotonic clock starts anew unless a callback gives it, and
 * there is no crash point. Errors: NO_MEMORY. */
enum status env_memory_clone(struct env *env, const struct power_cut *how,
                             struct env **clone_out) MUST_CHECK;

/* The n-th mutating call from now on (make_dir, create, append, preallocate, finish, sync,
 * sync_dir, remove; n from 1) and all later ones fail with IO. The n-th itself dies half done: an
 * append, create or remove has its volatile effect, a sync none. 0 takes the crash point back. */
void env_memory_set_crash_point(struct env *env, uint64_t n);

/* Mutating calls so far: the n to loop to. */
uint64_t env_memory_mutations(struct env *env);

/* Whether the crash point was reached. */
bool env_memory_crashed(struct env *env);

/* After a failed sync the page cache lies: of the file's unsynced 4096-byte blocks all (seed 0) or
 * a random half are lost on the medium, while cached reads still show them, even after a later sync
 * that returns OK. `file` is of an env_memory. What env_fault calls. Errors: NO_MEMORY. */
enum status env_memory_drop_unsynced_writes(struct env_file *file, uint64_t seed) MUST_CHECK;

/* Changes bytes of a file in cache and medium, or cuts it, for tests of damage. Errors: NOT_FOUND;
 * INVALID outside the file. */
enum status env_memory_poke(struct env *env, const char *path, uint64_t offset,
                            struct slice bytes) MUST_CHECK;
enum status env_memory_truncate(struct env *env, const char *path, uint64_t size_bytes) MUST_CHECK;

/* Both clocks go on by this. */
void env_memory_advance_clock(struct env *env, uint64_t ns);

/* The wall clock jumps, back or forth; the monotonic one does not. */
void env_memory_set_wall_clock(struct env *env, uint64_t wall_clock_ms);

/* Changes the size of the disk; may be below what is used. */
void env_memory_set_space(struct env *env, uint64_t space_bytes);

#endif
