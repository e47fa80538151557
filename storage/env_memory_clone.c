/* env_memory_clone.c: what tests do to an env_memory beside the calls of env.h: clone it as after a
 * power cut, set the crash point, damage files. See env_memory.h. */
#include "storage/env_memory.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/env_memory_state.h"

/* What the clone's name has on each side: nodes of the original, borrowed. */
struct sides {
    const struct env_node *now;
    const struct env_node *durable;
};

static struct sides sides_after(const struct env_name *name, const struct power_cut *how,
                                struct random *random) {
    const struct env_node *found = name->durable;
    if (how->mode == POWER_CUT_NONE) {
        return (struct sides){name->now, name->durable};
    }
    if (how->entries == POWER_CUT_ENTRIES_KEEP) {
        found = name->now;
    } else if (how->entries == POWER_CUT_ENTRIES_RANDOM && name->now != name->durable) {
        found = random_below(random, 2) == 0 ? name->now : name->durable;
    }
    return (struct sides){found, found};
}

/* Adds the name to the clone. */
static enum status clone_name(struct memory_env *clone, const struct env_name *name,
                              const struct power_cut *how, struct random *random)
    REQUIRES(clone->mu) {
    struct sides sides = sides_after(name, how, random);
    struct env_name *copy;
    enum status status = STATUS_OK;

    if (!sides.now && !sides.durable) {
        return STATUS_OK;
    }
    copy = env_names_find_or_add(&clone->names, name->path);
    if (!copy) {
        return STATUS_NO_MEMORY;
    }
    if (sides.now) {
        status = env_node_after(sides.now, how, random, &copy->now);
    }
    if (status == STATUS_OK && sides.now) {
        copy->now->users = 1;
        clone->used_bytes += env_node_space(copy->now);
    }
    if (status == STATUS_OK && sides.durable == sides.now) {
        copy->durable = env_node_ref(copy->now);
    } else if (status == STATUS_OK && sides.durable) {
        status = env_node_after(sides.durable, how, random, &copy->durable);
    }
    return status;
}

static enum status clone_all(const struct memory_env *env, struct memory_env *clone,
                             const struct power_cut *how) REQUIRES(env->mu) REQUIRES(clone->mu) {
    struct random random = random_make(how->seed);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < env->names.dir_count && status == STATUS_OK; i++) {
        status = env_names_add_dir(&clone->names, env->names.dirs[i]);
    }
    for (uint32_t i = 0; i < env->names.count && status == STATUS_OK; i++) {
        status = clone_name(clone, &env->names.list[i], how, &random);
    }
    return status;
}

enum status env_memory_clone(struct env *base, const struct power_cut *how,
                             struct env **clone_out) {
    struct memory_env *env = memory_of(base);
    struct memory_env *clone;
    struct env *made = NULL;
    struct env_memory_options options = {.wall_clock_ms = env_wall_clock_ms(base),
                                         .monotonic_ns_cb = env->monotonic_ns_cb,
                                         .monotonic_arg = env->monotonic_arg};
    enum status status;

    ASSERT(how->block_bytes > 0 || how->mode != POWER_CUT_RANDOM_SUBSET);
    status = env_memory_create(&options, &made);
    if (status != STATUS_OK) {
        return status;
    }
    clone = memory_of(made);
    mutex_lock(&env->mu);
    mutex_lock(&clone->mu); /* nobody else knows it yet */
    clone->space_bytes = env->space_bytes;
    status = clone_all(env, clone, how);
    mutex_unlock(&clone->mu);
    mutex_unlock(&env->mu);
    if (status != STATUS_OK) {
        env_memory_destroy(made);
        return status;
    }
    *clone_out = made;
    return STATUS_OK;
}

void env_memory_set_crash_point(struct env *base, uint64_t n) {
    struct memory_env *env = memory_of(base);
    mutex_lock(&env->mu);
    env->crash_at = n == 0 ? 0 : env->mutations + n;
    mutex_unlock(&env->mu);
}

uint64_t env_memory_mutations(struct env *base) {
    struct memory_env *env = memory_of(base);
    uint64_t mutations;
    mutex_lock(&env->mu);
    mutations = env->mutations;
    mutex_unlock(&env->mu);
    return mutations;
}

bool env_memory_crashed(struct env *base) {
    struct memory_env *env = memory_of(base);
    bool crashed;
    mutex_lock(&env->mu);
    crashed = env->crash_at != 0 && env->mutations >= env->crash_at;
    mutex_unlock(&env->mu);
    return crashed;
}

enum status env_memory_drop_unsynced_writes(struct env_file *file, uint64_t seed) {
    struct memory_env *env = memory_of(file->env);
    enum status status;
    mutex_lock(&env->mu);
    status = env_node_lose_unsynced(memory_file_of(file)->node, seed);
    mutex_unlock(&env->mu);
    return status;
}

/* The node of a file that the process sees, or NULL. */
static struct env_node *node_at_locked(struct memory_env *env, const char *path) REQUIRES(env->mu) {
    char tidied[ENV_PATH_MAX];
    const struct env_name *name = NULL;
    if (env_names_tidy(path, tidied) == STATUS_OK) {
        name = env_names_find(&env->names, tidied);
    }
    return name ? name->now : NULL;
}

static enum status poke_node(struct env_node *node, uint64_t offset, struct slice bytes) {
    if (!node) {
        return STATUS_NOT_FOUND;
    }
    if (offset > node->size_bytes || bytes.len > node->size_bytes - offset) {
        return STATUS_INVALID;
    }
    if (bytes.len > 0) {
        memcpy(node->bytes + offset, bytes.ptr, bytes.len);
    }
    return STATUS_OK;
}

enum status env_memory_poke(struct env *base, const char *path, uint64_t offset,
                            struct slice bytes) {
    struct memory_env *env = memory_of(base);
    enum status status;
    mutex_lock(&env->mu);
    status = poke_node(node_at_locked(env, path), offset, bytes);
    mutex_unlock(&env->mu);
    return status;
}

static enum status truncate_locked(struct memory_env *env, struct env_node *node,
                                   uint64_t size_bytes) REQUIRES(env->mu) {
    if (!node) {
        return STATUS_NOT_FOUND;
    }
    if (size_bytes > node->size_bytes) {
        return STATUS_INVALID;
    }
    env->used_bytes -= env_node_space(node);
    node->size_bytes = (size_t)size_bytes;
    if (node->synced_bytes > size_bytes) {
        node->synced_bytes = size_bytes;
    }
    env->used_bytes += env_node_space(node);
    return STATUS_OK;
}

enum status env_memory_truncate(struct env *base, const char *path, uint64_t size_bytes) {
    struct memory_env *env = memory_of(base);
    enum status status;
    mutex_lock(&env->mu);
    status = truncate_locked(env, node_at_locked(env, path), size_bytes);
    mutex_unlock(&env->mu);
    return status;
}

void env_memory_set_space(struct env *base, uint64_t space_bytes) {
    struct memory_env *env = memory_of(base);
    mutex_lock(&env->mu);
    env->space_bytes = space_bytes;
    mutex_unlock(&env->mu);
}
