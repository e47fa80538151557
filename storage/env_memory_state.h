/* env_memory_state.h: the structs of env_memory, for env_memory and env_memory_clone only. */
#ifndef KVD_STORAGE_ENV_MEMORY_STATE_H
#define KVD_STORAGE_ENV_MEMORY_STATE_H

#include "storage/env_names.h"
#include "storage/env_node.h"
#include "storage/lock.h"

struct env_lock {
    struct env_lock *next;
    char dir[]; /* tidy */
};

struct memory_env {
    struct env env;                         /* first */
    uint64_t (*monotonic_ns_cb)(void *arg); /* constant; NULL for standing clocks */
    void *monotonic_arg;                    /* constant, borrowed */
    struct mutex mu;
    /* guarded by mu */
    struct env_names names GUARDED_BY(mu);
    struct env_lock *locks GUARDED_BY(mu); /* owned by their holders */
    uint32_t open_files GUARDED_BY(mu);
    uint64_t space_bytes GUARDED_BY(mu);
    uint64_t used_bytes GUARDED_BY(mu);   /* sum of env_node_space over nodes with users */
    uint64_t wall_base_ms GUARDED_BY(mu); /* wall clock less monotonic clock */
    uint64_t clock_offset_ns GUARDED_BY(mu);
    uint64_t mutations GUARDED_BY(mu);
    uint64_t crash_at GUARDED_BY(mu); /* a value of `mutations`; 0 for none */
};

struct memory_file {
    struct env_file file;  /* first */
    struct env_node *node; /* a reference; its fields are guarded by the environment's mu */
    bool direct;           /* constant */
    bool appendable;       /* constant */
    char path[];           /* tidy; for errors */
};

static inline struct memory_env *memory_of(struct env *env) {
    return (struct memory_env *)env;
}

static inline struct memory_file *memory_file_of(struct env_file *file) {
    return (struct memory_file *)file;
}

#endif
