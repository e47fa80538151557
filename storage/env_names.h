/* env_names.h: the directories of env_memory: which name is which file, for the process and
 * on the medium. Internal to env_memory.
 *
 *      path -> now (what the process sees), durable (what the medium's directory says)
 *
 * A created file has only `now` until sync_dir, a removed one only `durable`; sync_dir makes them
 * equal. Names are few, so they are kept in a plain array and looked up from its start. Not locked:
 * the caller (env_memory) does that. Paths are tidy: env_names_tidy made them. */
#ifndef KVD_STORAGE_ENV_NAMES_H
#define KVD_STORAGE_ENV_NAMES_H

#include "storage/env_node.h"

struct env_name {
    char *path;               /* owned, tidy */
    struct env_node *now;     /* a reference; NULL when removed */
    struct env_node *durable; /* a reference; NULL when created since the last sync_dir */
};

struct env_names {
    struct env_name *list; /* owned */
    uint32_t count;
    uint32_t capacity;
    char **dirs; /* owned, tidy */
    uint32_t dir_count;
    uint32_t dir_capacity;
};

/* One file of a listing. */
struct listed {
    char name[ENV_PATH_MAX];
    uint64_t size_bytes;
};

/* Frees; drops the references. A zeroed struct is allowed. */
void env_names_deinit(struct env_names *names);

/* The path without leading ./ and double or trailing slashes, into ENV_PATH_MAX bytes (which may be
 * those of `path`). Errors: INVALID when empty or too long. */
enum status env_names_tidy(const char *path, char *path_out) MUST_CHECK;

/* Whether the directory exists that `path` lies in, or that `dir` is. */
bool env_names_has_parent(const struct env_names *names, const char *path);
bool env_names_has_dir(const struct env_names *names, const char *dir);

/* Errors: NO_MEMORY. */
enum status env_names_add_dir(struct env_names *names, const char *dir) MUST_CHECK;

/* NULL when neither side knows the path. */
struct env_name *env_names_find(struct env_names *names, const char *path);

/* Finds the name or adds it with neither side set; NULL without memory. Valid until the next call
 * that adds or sweeps. */
struct env_name *env_names_find_or_add(struct env_names *names, const char *path);

/* Forgets names that neither side has. */
void env_names_sweep(struct env_names *names);

/* Makes what the process sees of `dir` durable. */
void env_names_sync_dir(struct env_names *names, const char *dir);

/* The first file in `dir` whose name is above `after` in the order of bytes; false when none. */
bool env_names_next_in_dir(const struct env_names *names, const char *dir, const char *after,
                           struct listed *listed_out);

#endif
