/* env_fault.c: see env_fault.h. Each call of env.h asks `decide` first, which counts it and finds
 * the rule that fires; no lock is held while the inner environment works. */
#include "storage/env_fault.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/lock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct fault_env {
    struct env env;                   /* first */
    struct env *inner;                /* borrowed; constant */
    struct env_fault_options options; /* constant */
    struct mutex mu;
    /* guarded by mu */
    struct fault_rule rules[ENV_FAULT_RULES_MAX] GUARDED_BY(mu);
    uint32_t rule_count GUARDED_BY(mu);
    uint64_t calls[FAULT_KINDS] GUARDED_BY(mu);
    uint64_t fired GUARDED_BY(mu);
};

struct fault_file {
    struct env_file file;   /* first */
    struct env_file *inner; /* owned */
    char path[];            /* for rules and errors */
};

/* What a call has to do. */
enum action { ACT_PASS, ACT_FAIL, ACT_SHORT };

/* A call on its way in. */
struct call {
    const char *operation;
    uint32_t kind; /* one FAULT_... */
    const char *path;
};

static struct fault_env *fault_of(struct env *env) {
    return (struct fault_env *)env;
}

static struct fault_file *fault_file_of(struct env_file *file) {
    return (struct fault_file *)file;
}

static bool matches(const struct fault_rule *rule, const struct call *call) {
    return (rule->kinds & call->kind) != 0 &&
           (!rule->path_part || strstr(call->path, rule->path_part) != NULL);
}

/* Counts the call down in a rule; true when the rule fires. */
static bool count_down(struct fault_rule *rule) {
    if (rule->countdown > 1) {
        rule->countdown--;
        return false;
    }
    if (rule->countdown == 1 && !rule->for_ever) {
        rule->countdown = 0; /* spent */
        return true;
    }
    return rule->countdown == 1;
}

/* Counts the call in all rules that match, and gives the first that fires. */
static bool find_rule_locked(struct fault_env *env, const struct call *call,
                             struct fault_rule *rule_out) REQUIRES(env->mu) {
    bool found = false;
    env->calls[__builtin_ctz(call->kind)]++;
    for (uint32_t i = 0; i < env->rule_count; i++) {
        if (matches(&env->rules[i], call) && count_down(&env->rules[i]) && !found) {
            *rule_out = env->rules[i];
            found = true;
        }
    }
    env->fired += found;
    return found;
}

static void spend_delay(struct fault_env *env, uint64_t delay_ns) {
    struct timespec delay = {.tv_sec = (time_t)(delay_ns / NS_PER_S),
                             .tv_nsec = (long)(delay_ns % NS_PER_S)};
    if (env->options.delay_cb) {
        env->options.delay_cb(env->inner, delay_ns);
    } else {
        (void)nanosleep(&delay, NULL); /* a signal may end it early: it is only a delay */
    }
}

static enum status fail(const struct call *call, enum fault fault, struct error *error) {
    enum status status = STATUS_IO;
    int os_errno = EIO;
    if (fault == FAULT_IS_WOULD_BLOCK && call->kind == FAULT_READ_NOWAIT) {
        return STATUS_WOULD_BLOCK;
    }
    if (fault == FAULT_IS_ENOSPC || fault == FAULT_IS_SHORT) {
        os_errno = ENOSPC;
    } else if (fault == FAULT_IS_EDQUOT) {
        os_errno = EDQUOT;
    } else if (fault == FAULT_IS_EMFILE) {
        os_errno = EMFILE;
    }
    if (os_errno == ENOSPC || os_errno == EDQUOT) {
        status = STATUS_NO_SPACE;
    }
    return error_set(error, status, os_errno, call->path, ERROR_NO_OFFSET, "%s (injected)",
                     call->operation);
}

/* Looks what is to become of the call; spends its delay; *status_out is set for ACT_FAIL. */
static enum action decide(struct fault_env *env, const struct call *call, enum status *status_out,
                          struct error *error) {
    struct fault_rule rule = {0};
    enum fault fault;
    bool found;

    mutex_lock(&env->mu);
    found = find_rule_locked(env, call, &rule);
    mutex_unlock(&env->mu);
    if (!found) {
        return ACT_PASS;
    }
    fault = rule.fault;
    if (fault == FAULT_IS_DELAY) {
        spend_delay(env, rule.delay_ns);
        return ACT_PASS;
    }
    if (fault == FAULT_IS_SHORT) {
        if ((call->kind & (FAULT_APPEND | FAULT_READ)) != 0) {
            return ACT_SHORT;
        }
        fault = FAULT_IS_EIO;
    }
    *status_out = fail(call, fault, error);
    return ACT_FAIL;
}

/* ---- calls by name ---- */

static enum status fault_make_dir(struct env *base, const char *path, struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"make_dir", FAULT_MAKE_DIR, path};
    enum status status;
    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_make_dir(env->inner, path, error);
}

static enum status fault_lock_dir(struct env *base, const char *dir, struct env_lock **lock_out,
                                  struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"lock_dir", FAULT_LOCK, dir};
    enum status status;
    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_lock_dir(env->inner, dir, lock_out, error);
}

static void fault_unlock(struct env *base, struct env_lock *lock) {
    env_unlock(fault_of(base)->inner, lock);
}

static enum status fault_sync_dir(struct env *base, const char *dir, struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"sync_dir", FAULT_SYNC_DIR, dir};
    enum status status;
    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_sync_dir(env->inner, dir, error);
}

static enum status fault_list(struct env *base, const char *dir, env_list_cb list_cb, void *arg,
                              struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"list", FAULT_LIST, dir};
    enum status status;
    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_list(env->inner, dir, list_cb, arg, error);
}

static enum status fault_remove(struct env *base, const char *path, struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"remove", FAULT_REMOVE, path};
    enum status status;
    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_remove(env->inner, path, error);
}

static enum status fault_link(struct env *base, const char *path, const char *new_path,
                              struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"link", FAULT_LINK, new_path};
    enum status status;
    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_link(env->inner, path, new_path, error);
}

static enum status fault_space(struct env *base, const char *dir, struct env_space *space_out,
                               struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"space", FAULT_SPACE, dir};
    enum status status;
    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_space(env->inner, dir, space_out, error);
}

static struct fault_file *file_new(struct env *env, const char *path) {
    size_t path_bytes = strlen(path) + 1;
    struct fault_file *file = memory_alloc_zeroed(sizeof *file + path_bytes);
    if (file) {
        file->file.env = env;
        memcpy(file->path, path, path_bytes);
    }
    return file;
}

static enum status fault_create(struct env *base, const char *path, struct env_file **file_out,
                                struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"create", FAULT_CREATE, path};
    struct fault_file *file;
    enum status status;

    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    file = file_new(base, path);
    if (!file) {
        return error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "create");
    }
    status = env_create(env->inner, path, &file->inner, error);
    if (status != STATUS_OK) {
        memory_free(file);
        return status;
    }
    *file_out = &file->file;
    return STATUS_OK;
}

static enum status fault_open(struct env *base, const char *path, enum env_read_mode mode,
                              struct env_file **file_out, struct error *error) {
    struct fault_env *env = fault_of(base);
    struct call call = {"open", FAULT_OPEN, path};
    struct fault_file *file;
    enum status status;

    if (decide(env, &call, &status, error) == ACT_FAIL) {
        return status;
    }
    file = file_new(base, path);
    if (!file) {
        return error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "open");
    }
    status = env_open(env->inner, path, mode, &file->inner, error);
    if (status != STATUS_OK) {
        memory_free(file);
        return status;
    }
    *file_out = &file->file;
    return STATUS_OK;
}

/* ---- calls by file ---- */

/* Appends the first half of the bytes, then fails as a full disk does. */
static enum status append_half(struct fault_file *file, const struct call *call,
                               const struct slice *slices, size_t slice_count,
                               struct error *error) {
    size_t left = 0;
    for (size_t i = 0; i < slice_count; i++) {
        left += slices[i].len;
    }
    left /= 2;
    for (size_t i = 0; i < slice_count && left > 0; i++) {
        struct slice piece = slices[i];
        enum status status;
        if (piece.len > left) {
            piece.len = left;
        }
        left -= piece.len;
        status = env_append(file->inner, &piece, 1, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return fail(call, FAULT_IS_ENOSPC, error);
}

static enum status fault_append(struct env_file *base, const struct slice *slices,
                                size_t slice_count, struct error *error) {
    struct fault_file *file = fault_file_of(base);
    struct call call = {"append", FAULT_APPEND, file->path};
    enum status status;
    switch (decide(fault_of(base->env), &call, &status, error)) {
    case ACT_FAIL:
        return status;
    case ACT_SHORT:
        return append_half(file, &call, slices, slice_count, error);
    default:
        return env_append(file->inner, slices, slice_count, error);
    }
}

static enum status fault_preallocate(struct env_file *base, uint64_t size_bytes,
                                     struct error *error) {
    struct fault_file *file = fault_file_of(base);
    struct call call = {"preallocate", FAULT_PREALLOCATE, file->path};
    enum status status;
    if (decide(fault_of(base->env), &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_preallocate(file->inner, size_bytes, error);
}

static enum status fault_finish(struct env_file *base, struct error *error) {
    struct fault_file *file = fault_file_of(base);
    struct call call = {"finish", FAULT_FINISH, file->path};
    enum status status;
    if (decide(fault_of(base->env), &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_finish(file->inner, error);
}

static enum status fault_read(struct env_file *base, uint64_t offset, void *ptr, size_t len,
                              size_t *got_out, struct error *error) {
    struct fault_file *file = fault_file_of(base);
    struct call call = {"read", FAULT_READ, file->path};
    enum status status;
    enum action action = decide(fault_of(base->env), &call, &status, error);
    if (action == ACT_FAIL) {
        return status;
    }
    status = env_read(file->inner, offset, ptr, len, got_out, error);
    if (status == STATUS_OK && action == ACT_SHORT) {
        *got_out /= 2;
    }
    return status;
}

static enum status fault_read_nowait(struct env_file *base, uint64_t offset, void *ptr, size_t len,
                                     struct error *error) {
    struct fault_file *file = fault_file_of(base);
    struct call call = {"read_nowait", FAULT_READ_NOWAIT, file->path};
    enum status status;
    if (decide(fault_of(base->env), &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_read_nowait(file->inner, offset, ptr, len, error);
}

static enum status fault_sync(struct env_file *base, struct error *error) {
    struct fault_env *env = fault_of(base->env);
    struct fault_file *file = fault_file_of(base);
    struct call call = {"sync", FAULT_SYNC, file->path};
    enum status status;
    if (decide(env, &call, &status, error) != ACT_FAIL) {
        return env_sync(file->inner, error);
    }
    if (env->options.lose_unsynced_cb) {
        enum status lost = env->options.lose_unsynced_cb(file->inner, env->options.seed);
        status = lost == STATUS_OK ? status : lost;
    }
    return status;
}

static enum status fault_size(struct env_file *base, uint64_t *size_bytes_out,
                              struct error *error) {
    struct fault_file *file = fault_file_of(base);
    struct call call = {"size", FAULT_SIZE, file->path};
    enum status status;
    if (decide(fault_of(base->env), &call, &status, error) == ACT_FAIL) {
        return status;
    }
    return env_size(file->inner, size_bytes_out, error);
}

/* The file is closed whatever the answer, as close(2) does. */
static enum status fault_file_close(struct env_file *base, struct error *error) {
    struct fault_file *file = fault_file_of(base);
    struct call call = {"close", FAULT_CLOSE, file->path};
    enum status injected = STATUS_OK;
    enum status status;
    if (decide(fault_of(base->env), &call, &injected, error) != ACT_FAIL) {
        injected = STATUS_OK;
    }
    status = env_file_close(file->inner, injected == STATUS_OK ? error : NULL);
    memory_free(file);
    return injected == STATUS_OK ? status : injected;
}

static uint64_t fault_wall_clock_ms(struct env *base) {
    return env_wall_clock_ms(fault_of(base)->inner);
}

static uint64_t fault_monotonic_ns(struct env *base) {
    return env_monotonic_ns(fault_of(base)->inner);
}

/* ---- the environment ---- */

enum status env_fault_create(struct env *inner, const struct env_fault_options *options,
                             struct env **env_out) {
    static const struct env_ops ops = {.make_dir = fault_make_dir,
                                       .lock_dir = fault_lock_dir,
                                       .unlock = fault_unlock,
                                       .create = fault_create,
                                       .open = fault_open,
                                       .append = fault_append,
                                       .preallocate = fault_preallocate,
                                       .finish = fault_finish,
                                       .read = fault_read,
                                       .read_nowait = fault_read_nowait,
                                       .sync = fault_sync,
                                       .size = fault_size,
                                       .file_close = fault_file_close,
                                       .sync_dir = fault_sync_dir,
                                       .list = fault_list,
                                       .remove = fault_remove,
                                       .link = fault_link,
                                       .space = fault_space,
                                       .wall_clock_ms = fault_wall_clock_ms,
                                       .monotonic_ns = fault_monotonic_ns};
    struct fault_env *env = memory_alloc_zeroed(sizeof *env);
    if (!env) {
        return STATUS_NO_MEMORY;
    }
    env->env.ops = &ops;
    env->env.abilities = inner->abilities;
    env->inner = inner;
    if (options) {
        env->options = *options;
    }
    mutex_init(&env->mu);
    *env_out = &env->env;
    return STATUS_OK;
}

void env_fault_destroy(struct env *base) {
    if (base) {
        mutex_deinit(&fault_of(base)->mu);
        memory_free(base);
    }
}

void env_fault_add(struct env *base, const struct fault_rule *rule) {
    struct fault_env *env = fault_of(base);
    ASSERT(rule->countdown >= 1);
    ASSERT((rule->kinds & ~FAULT_ALL) == 0);
    mutex_lock(&env->mu);
    ASSERT(env->rule_count < ENV_FAULT_RULES_MAX);
    env->rules[env->rule_count++] = *rule;
    mutex_unlock(&env->mu);
}

void env_fault_clear(struct env *base) {
    struct fault_env *env = fault_of(base);
    mutex_lock(&env->mu);
    env->rule_count = 0;
    mutex_unlock(&env->mu);
}

uint64_t env_fault_calls(struct env *base, uint32_t kinds) {
    struct fault_env *env = fault_of(base);
    uint64_t calls = 0;
    mutex_lock(&env->mu);
    for (uint32_t i = 0; i < FAULT_KINDS; i++) {
        calls += (kinds >> i & 1) ? env->calls[i] : 0;
    }
    mutex_unlock(&env->mu);
    return calls;
}

uint64_t env_fault_fired(struct env *base) {
    struct fault_env *env = fault_of(base);
    uint64_t fired;
    mutex_lock(&env->mu);
    fired = env->fired;
    mutex_unlock(&env->mu);
    return fired;
}
