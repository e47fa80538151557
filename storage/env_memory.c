/* env_memory.c: see env_memory.h. Contents of files are in env_node, names in
 * env_names; what a test does to it in env_memory_clone; here are the calls of env.h, the
 * space account, the crash point and the clocks. */
#include "storage/env_memory.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/env_memory_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOCK_NAME "LOCK"

enum crash { CRASH_NO, CRASH_NOW, CRASH_EARLIER };

/* ---- errors, crash point, space ---- */

static enum status fail(struct error *error, enum status status, const char *path,
                        const char *operation) {
    return error_set(error, status, 0, path, ERROR_NO_OFFSET, "%s", operation);
}

static enum status fail_crashed(struct error *error, const char *path, const char *operation) {
    return error_set(error, STATUS_IO, EIO, path, ERROR_NO_OFFSET, "%s: the machine has crashed",
                     operation);
}

static enum status tidy(const char *path, char *path_out, struct error *error) {
    enum status status = env_names_tidy(path, path_out);
    return status == STATUS_OK ? status : fail(error, status, path, "a path that can be");
}

/* Counts a mutating call. */
static enum crash mutate_locked(struct memory_env *env) REQUIRES(env->mu) {
    env->mutations++;
    if (env->crash_at == 0 || env->mutations < env->crash_at) {
        return CRASH_NO;
    }
    return env->mutations == env->crash_at ? CRASH_NOW : CRASH_EARLIER;
}

static void use_locked(struct memory_env *env, struct env_node *node) REQUIRES(env->mu) {
    (void)env_node_ref(node);
    if (node->users++ == 0) {
        env->used_bytes += env_node_space(node);
    }
}

static void unuse_locked(struct memory_env *env, struct env_node *node) REQUIRES(env->mu) {
    ASSERT(node->users > 0);
    if (--node->users == 0) {
        ASSERT(env->used_bytes >= env_node_space(node));
        env->used_bytes -= env_node_space(node);
    }
    env_node_unref(node);
}

/* Whether the file may grow to take `space_bytes` in all. */
static bool fits_locked(const struct memory_env *env, const struct env_node *node,
                        uint64_t space_bytes) REQUIRES(env->mu) {
    uint64_t more = space_bytes > env_node_space(node) ? space_bytes - env_node_space(node) : 0;
    uint64_t left = env->used_bytes < env->space_bytes ? env->space_bytes - env->used_bytes : 0;
    return more <= left; /* 0 always fits: reserved space holds on a full disk */
}

/* ---- directories ---- */

static enum status make_dir_locked(struct memory_env *env, const char *path, struct error *error)
    REQUIRES(env->mu) {
    const struct env_name *name = env_names_find(&env->names, path);
    if (mutate_locked(env) != CRASH_NO) {
        return fail_crashed(error, path, "make_dir");
    }
    if (name && name->now) {
        return fail(error, STATUS_INVALID, path, "make_dir: a file has this name");
    }
    if (env_names_has_dir(&env->names, path)) {
        return STATUS_OK;
    }
    if (!env_names_has_parent(&env->names, path)) {
        return fail(error, STATUS_NOT_FOUND, path, "make_dir: no parent directory");
    }
    if (env_names_add_dir(&env->names, path) != STATUS_OK) {
        return fail(error, STATUS_NO_MEMORY, path, "make_dir");
    }
    return STATUS_OK;
}

static enum status memory_make_dir(struct env *base, const char *path, struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    enum status status = tidy(path, tidied, error);
    if (status == STATUS_OK) {
        mutex_lock(&env->mu);
        status = make_dir_locked(env, tidied, error);
        mutex_unlock(&env->mu);
    }
    return status;
}

static enum status memory_sync_dir(struct env *base, const char *dir, struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    enum status status = tidy(dir, tidied, error);
    if (status != STATUS_OK) {
        return status;
    }
    mutex_lock(&env->mu);
    if (mutate_locked(env) != CRASH_NO) {
        status = fail_crashed(error, dir, "sync_dir");
    } else if (!env_names_has_dir(&env->names, tidied)) {
        status = fail(error, STATUS_NOT_FOUND, dir, "sync_dir");
    } else {
        env_names_sync_dir(&env->names, tidied);
    }
    mutex_unlock(&env->mu);
    return status;
}

/* Each entry is taken under the lock; the callback runs without it and may call the environment. */
static enum status memory_list(struct env *base, const char *dir, env_list_cb list_cb, void *arg,
                               struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    struct listed listed = {.name = ""};
    enum status status = tidy(dir, tidied, error);
    bool more = true;

    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && more) {
        struct listed previous = listed;
        mutex_lock(&env->mu);
        if (!env_names_has_dir(&env->names, tidied)) {
            status = fail(error, STATUS_NOT_FOUND, dir, "list");
        }
        more = env_names_next_in_dir(&env->names, tidied, previous.name, &listed);
        mutex_unlock(&env->mu);
        if (status == STATUS_OK && more) {
            status = list_cb(arg, listed.name, listed.size_bytes);
        }
    }
    return status;
}

static enum status memory_remove(struct env *base, const char *path, struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    enum status status = tidy(path, tidied, error);
    struct env_name *name;
    enum crash crash;

    if (status != STATUS_OK) {
        return status;
    }
    mutex_lock(&env->mu);
    crash = mutate_locked(env);
    name = env_names_find(&env->names, tidied);
    if (crash != CRASH_EARLIER && name && name->now) {
        unuse_locked(env, name->now);
        name->now = NULL;
        env_names_sweep(&env->names);
    } else {
        status = fail(error, STATUS_NOT_FOUND, path, "remove");
    }
    mutex_unlock(&env->mu);
    return crash == CRASH_NO ? status : fail_crashed(error, path, "remove");
}

static enum status link_locked(struct memory_env *env, const char *path, const char *new_path,
                               struct error *error) REQUIRES(env->mu) {
    const struct env_name *name = env_names_find(&env->names, path);
    struct env_node *node = name ? name->now : NULL;
    struct env_name *added;

    if (!node || !env_names_has_parent(&env->names, new_path)) {
        return fail(error, STATUS_NOT_FOUND, node ? new_path : path, "link");
    }
    added = env_names_find_or_add(&env->names, new_path);
    if (!added) {
        return fail(error, STATUS_NO_MEMORY, new_path, "link");
    }
    if (added->now) {
        return fail(error, STATUS_EXISTS, new_path, "link");
    }
    use_locked(env, node);
    added->now = node;
    return STATUS_OK;
}

static enum status memory_link(struct env *base, const char *path, const char *new_path,
                               struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    char new_tidied[ENV_PATH_MAX];
    enum status status = tidy(path, tidied, error);
    enum crash crash;

    if (status == STATUS_OK) {
        status = tidy(new_path, new_tidied, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    mutex_lock(&env->mu);
    crash = mutate_locked(env);
    if (crash != CRASH_EARLIER) {
        status = link_locked(env, tidied, new_tidied, error);
    }
    mutex_unlock(&env->mu);
    return crash == CRASH_NO ? status : fail_crashed(error, new_path, "link");
}

static enum status memory_space(struct env *base, const char *dir, struct env_space *space_out,
                                struct error *error) {
    struct memory_env *env = memory_of(base);
    (void)dir;
    (void)error;
    mutex_lock(&env->mu);
    space_out->total_bytes = env->space_bytes;
    space_out->free_bytes =
        env->used_bytes < env->space_bytes ? env->space_bytes - env->used_bytes : 0;
    mutex_unlock(&env->mu);
    return STATUS_OK;
}

/* ---- opening ---- */

static struct memory_file *file_new(struct memory_env *env, const char *path) {
    size_t path_bytes = strlen(path) + 1;
    struct memory_file *file = memory_alloc_zeroed(sizeof *file + path_bytes);
    if (file) {
        file->file.env = &env->env;
        memcpy(file->path, path, path_bytes);
    }
    return file;
}

static void attach_locked(struct memory_env *env, struct memory_file *file, struct env_node *node)
    REQUIRES(env->mu) {
    use_locked(env, node);
    file->node = node;
    env->open_files++;
}

/* Adds an empty file under a name that the process does not see. */
static enum status add_file_locked(struct memory_env *env, const char *path,
                                   struct env_node **node_out) REQUIRES(env->mu) {
    struct env_node *node = env_node_create();
    struct env_name *name = node ? env_names_find_or_add(&env->names, path) : NULL;
    if (!name) {
        env_node_unref(node);
        return STATUS_NO_MEMORY;
    }
    ASSERT(!name->now);
    use_locked(env, node);
    name->now = node;
    env_node_unref(node); /* the creator's reference */
    *node_out = node;
    return STATUS_OK;
}

static enum status create_locked(struct memory_env *env, struct memory_file *file,
                                 struct error *error) REQUIRES(env->mu) {
    enum crash crash = mutate_locked(env);
    const struct env_name *name = env_names_find(&env->names, file->path);
    struct env_node *node;
    enum status status;

    if (crash == CRASH_EARLIER) {
        return fail_crashed(error, file->path, "create");
    }
    if (name && name->now) {
        return fail(error, STATUS_EXISTS, file->path, "create");
    }
    if (!env_names_has_parent(&env->names, file->path)) {
        return fail(error, STATUS_NOT_FOUND, file->path, "create: no such directory");
    }
    status = add_file_locked(env, file->path, &node);
    if (status != STATUS_OK) {
        return fail(error, status, file->path, "create");
    }
    if (crash == CRASH_NOW) {
        return fail_crashed(error, file->path, "create");
    }
    attach_locked(env, file, node);
    file->appendable = true;
    return STATUS_OK;
}

static enum status open_locked(struct memory_env *env, struct memory_file *file,
                               struct error *error) REQUIRES(env->mu) {
    const struct env_name *name = env_names_find(&env->names, file->path);
    if (!name || !name->now) {
        return fail(error, STATUS_NOT_FOUND, file->path, "open");
    }
    attach_locked(env, file, name->now);
    return STATUS_OK;
}

static enum status memory_create(struct env *base, const char *path, struct env_file **file_out,
                                 struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    struct memory_file *file;
    enum status status = tidy(path, tidied, error);

    if (status != STATUS_OK) {
        return status;
    }
    file = file_new(env, tidied);
    if (!file) {
        return fail(error, STATUS_NO_MEMORY, path, "create");
    }
    mutex_lock(&env->mu);
    status = create_locked(env, file, error);
    mutex_unlock(&env->mu);
    if (status != STATUS_OK) {
        memory_free(file);
        return status;
    }
    *file_out = &file->file;
    return STATUS_OK;
}

static enum status memory_open(struct env *base, const char *path, enum env_read_mode mode,
                               struct env_file **file_out, struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    struct memory_file *file;
    enum status status = tidy(path, tidied, error);

    if (status != STATUS_OK) {
        return status;
    }
    file = file_new(env, tidied);
    if (!file) {
        return fail(error, STATUS_NO_MEMORY, path, "open");
    }
    file->direct = mode == ENV_READ_DIRECT;
    mutex_lock(&env->mu);
    status = open_locked(env, file, error);
    mutex_unlock(&env->mu);
    if (status != STATUS_OK) {
        memory_free(file);
        return status;
    }
    *file_out = &file->file;
    return STATUS_OK;
}

static enum status memory_file_close(struct env_file *base, struct error *error) {
    struct memory_file *file = memory_file_of(base);
    struct memory_env *env = memory_of(base->env);
    (void)error;
    mutex_lock(&env->mu);
    unuse_locked(env, file->node);
    env->open_files--;
    mutex_unlock(&env->mu);
    memory_free(file);
    return STATUS_OK;
}

/* ---- writing ---- */

static enum status append_locked(struct memory_env *env, struct memory_file *file,
                                 const struct slice *slices, size_t slice_count,
                                 struct error *error) REQUIRES(env->mu) {
    enum crash crash = mutate_locked(env);
    uint64_t before = env_node_space(file->node);
    uint64_t size = file->node->size_bytes;
    enum status status;

    if (crash == CRASH_EARLIER) {
        return fail_crashed(error, file->path, "append");
    }
    for (size_t i = 0; i < slice_count; i++) {
        size += slices[i].len;
    }
    if (!fits_locked(env, file->node, size)) {
        return error_set(error, STATUS_NO_SPACE, ENOSPC, file->path, file->node->size_bytes,
                         "append");
    }
    status = env_node_append(file->node, slices, slice_count);
    if (status != STATUS_OK) {
        return fail(error, status, file->path, "append");
    }
    env->used_bytes += env_node_space(file->node) - before;
    return crash == CRASH_NO ? STATUS_OK : fail_crashed(error, file->path, "append");
}

static enum status memory_append(struct env_file *base, const struct slice *slices,
                                 size_t slice_count, struct error *error) {
    struct memory_file *file = memory_file_of(base);
    struct memory_env *env = memory_of(base->env);
    enum status status;

    ASSERT(file->appendable);
    ASSERT(slice_count >= 1 && slice_count <= ENV_APPEND_SLICES_MAX);
    mutex_lock(&env->mu);
    status = append_locked(env, file, slices, slice_count, error);
    mutex_unlock(&env->mu);
    return status;
}

static enum status memory_preallocate(struct env_file *base, uint64_t size_bytes,
                                      struct error *error) {
    struct memory_file *file = memory_file_of(base);
    struct memory_env *env = memory_of(base->env);
    struct env_node *node = file->node;
    enum status status = STATUS_OK;

    ASSERT(file->appendable);
    mutex_lock(&env->mu);
    if (mutate_locked(env) != CRASH_NO) {
        status = fail_crashed(error, file->path, "preallocate");
    } else if (!fits_locked(env, node, size_bytes)) {
        status = error_set(error, STATUS_NO_SPACE, ENOSPC, file->path, size_bytes, "preallocate");
    } else if (size_bytes > node->reserved_bytes) {
        uint64_t before = env_node_space(node);
        node->reserved_bytes = size_bytes;
        env->used_bytes += env_node_space(node) - before;
    }
    mutex_unlock(&env->mu);
    return status;
}

static enum status memory_finish(struct env_file *base, struct error *error) {
    struct memory_file *file = memory_file_of(base);
    struct memory_env *env = memory_of(base->env);
    enum status status = STATUS_OK;

    ASSERT(file->appendable);
    mutex_lock(&env->mu);
    if (mutate_locked(env) != CRASH_NO) {
        status = fail_crashed(error, file->path, "finish");
    } else {
        uint64_t before = env_node_space(file->node);
        file->node->reserved_bytes = 0;
        env->used_bytes -= before - env_node_space(file->node);
    }
    mutex_unlock(&env->mu);
    return status;
}

static enum status memory_sync(struct env_file *base, struct error *error) {
    struct memory_file *file = memory_file_of(base);
    struct memory_env *env = memory_of(base->env);
    enum status status = STATUS_OK;

    mutex_lock(&env->mu);
    if (mutate_locked(env) != CRASH_NO) {
        status = fail_crashed(error, file->path, "sync");
    } else {
        file->node->synced_bytes = file->node->size_bytes;
    }
    mutex_unlock(&env->mu);
    return status;
}

/* ---- reading ---- */

static enum status memory_size(struct env_file *base, uint64_t *size_bytes_out,
                               struct error *error) {
    struct memory_env *env = memory_of(base->env);
    (void)error;
    mutex_lock(&env->mu);
    *size_bytes_out = memory_file_of(base)->node->size_bytes;
    mutex_unlock(&env->mu);
    return STATUS_OK;
}

static enum status memory_read(struct env_file *base, uint64_t offset, void *ptr, size_t len,
                               size_t *got_out, struct error *error) {
    struct memory_file *file = memory_file_of(base);
    struct memory_env *env = memory_of(base->env);

    (void)error;
    if (file->direct) {
        ASSERT(offset % ENV_DIRECT_ALIGN == 0);
        ASSERT(len % ENV_DIRECT_ALIGN == 0);
        ASSERT((uintptr_t)ptr % ENV_DIRECT_ALIGN == 0);
    }
    mutex_lock(&env->mu);
    *got_out = env_node_read(file->node, offset, ptr, len, file->direct);
    mutex_unlock(&env->mu);
    return STATUS_OK;
}

static enum status memory_read_nowait(struct env_file *base, uint64_t offset, void *ptr, size_t len,
                                      struct error *error) {
    size_t got = 0;
    enum status status;
    if (memory_file_of(base)->direct) {
        return STATUS_WOULD_BLOCK;
    }
    status = memory_read(base, offset, ptr, len, &got, error);
    return status == STATUS_OK && got < len ? STATUS_WOULD_BLOCK : status;
}

/* ---- locks ---- */

/* The LOCK file is there as on a disk, so that listings look alike. */
static enum status lock_locked(struct memory_env *env, struct env_lock *lock, const char *path,
                               struct error *error) REQUIRES(env->mu) {
    const struct env_name *name = env_names_find(&env->names, path);
    struct env_node *node;

    for (const struct env_lock *held = env->locks; held; held = held->next) {
        if (strcmp(held->dir, lock->dir) == 0) {
            return fail(error, STATUS_LOCKED, path, "in use by pid 1 since 2026-01-01T00:00:00Z");
        }
    }
    if (!env_names_has_dir(&env->names, lock->dir)) {
        return fail(error, STATUS_NOT_FOUND, path, "lock");
    }
    if ((!name || !name->now) && add_file_locked(env, path, &node) != STATUS_OK) {
        return fail(error, STATUS_NO_MEMORY, path, "lock");
    }
    lock->next = env->locks;
    env->locks = lock;
    return STATUS_OK;
}

static enum status memory_lock_dir(struct env *base, const char *dir, struct env_lock **lock_out,
                                   struct error *error) {
    struct memory_env *env = memory_of(base);
    char tidied[ENV_PATH_MAX];
    char path[ENV_PATH_MAX];
    struct env_lock *lock;
    enum status status = tidy(dir, tidied, error);
    int len;

    if (status != STATUS_OK) {
        return status;
    }
    len = snprintf(path, sizeof path, "%s/%s", dir, LOCK_NAME);
    if (len >= (int)sizeof path || env_names_tidy(path, path) != STATUS_OK) {
        return fail(error, STATUS_INVALID, dir, "the directory's path is too long");
    }
    lock = memory_alloc_zeroed(sizeof *lock + strlen(tidied) + 1);
    if (!lock) {
        return fail(error, STATUS_NO_MEMORY, path, "lock");
    }
    memcpy(lock->dir, tidied, strlen(tidied) + 1);
    mutex_lock(&env->mu);
    status = lock_locked(env, lock, path, error);
    mutex_unlock(&env->mu);
    if (status != STATUS_OK) {
        memory_free(lock);
        return status;
    }
    *lock_out = lock;
    return STATUS_OK;
}

static void memory_unlock(struct env *base, struct env_lock *lock) {
    struct memory_env *env = memory_of(base);
    struct env_lock **link;
    mutex_lock(&env->mu);
    for (link = &env->locks; *link != lock; link = &(*link)->next) {
        ASSERT(*link);
    }
    *link = lock->next;
    mutex_unlock(&env->mu);
    memory_free(lock);
}

/* ---- clocks ---- */

static uint64_t monotonic_locked(const struct memory_env *env) REQUIRES(env->mu) {
    uint64_t from_cb = env->monotonic_ns_cb ? env->monotonic_ns_cb(env->monotonic_arg) : 0;
    return from_cb + env->clock_offset_ns;
}

static uint64_t memory_monotonic_ns(struct env *base) {
    struct memory_env *env = memory_of(base);
    uint64_t now_ns;
    mutex_lock(&env->mu);
    now_ns = monotonic_locked(env);
    mutex_unlock(&env->mu);
    return now_ns;
}

static uint64_t memory_wall_clock_ms(struct env *base) {
    struct memory_env *env = memory_of(base);
    uint64_t now_ms;
    mutex_lock(&env->mu);
    now_ms = env->wall_base_ms + monotonic_locked(env) / NS_PER_MS;
    mutex_unlock(&env->mu);
    return now_ms;
}

void env_memory_advance_clock(struct env *base, uint64_t ns) {
    struct memory_env *env = memory_of(base);
    mutex_lock(&env->mu);
    env->clock_offset_ns += ns;
    mutex_unlock(&env->mu);
}

void env_memory_set_wall_clock(struct env *base, uint64_t wall_clock_ms) {
    struct memory_env *env = memory_of(base);
    mutex_lock(&env->mu);
    env->wall_base_ms = wall_clock_ms - monotonic_locked(env) / NS_PER_MS; /* may wrap, and back */
    mutex_unlock(&env->mu);
}

/* ---- the environment ---- */

enum status env_memory_create(const struct env_memory_options *options, struct env **env_out) {
    static const struct env_ops ops = {.make_dir = memory_make_dir,
                                       .lock_dir = memory_lock_dir,
                                       .unlock = memory_unlock,
                                       .create = memory_create,
                                       .open = memory_open,
                                       .append = memory_append,
                                       .preallocate = memory_preallocate,
                                       .finish = memory_finish,
                                       .read = memory_read,
                                       .read_nowait = memory_read_nowait,
                                       .sync = memory_sync,
                                       .size = memory_size,
                                       .file_close = memory_file_close,
                                       .sync_dir = memory_sync_dir,
                                       .list = memory_list,
                                       .remove = memory_remove,
                                       .link = memory_link,
                                       .space = memory_space,
                                       .wall_clock_ms = memory_wall_clock_ms,
                                       .monotonic_ns = memory_monotonic_ns};
    static const struct env_memory_options defaults = {0};
    struct memory_env *env = memory_alloc_zeroed(sizeof *env);

    if (!env) {
        return STATUS_NO_MEMORY;
    }
    options = options ? options : &defaults;
    env->env.ops = &ops;
    env->env.abilities = ENV_CAN_PREALLOCATE | ENV_CAN_READ_NOWAIT | ENV_CAN_LINK;
    env->monotonic_ns_cb = options->monotonic_ns_cb;
    env->monotonic_arg = options->monotonic_arg;
    env->space_bytes = options->space_bytes ? options->space_bytes : ENV_MEMORY_SPACE_DEFAULT;
    mutex_init(&env->mu);
    env_memory_set_wall_clock(&env->env, options->wall_clock_ms ? options->wall_clock_ms
                                                                : ENV_MEMORY_WALL_CLOCK_DEFAULT_MS);
    *env_out = &env->env;
    return STATUS_OK;
}

void env_memory_destroy(struct env *base) {
    struct memory_env *env = memory_of(base);
    if (!env) {
        return;
    }
    ASSERT(env->open_files == 0);
    ASSERT(!env->locks);
    env_names_deinit(&env->names);
    mutex_deinit(&env->mu);
    memory_free(env);
}
