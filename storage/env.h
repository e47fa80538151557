/* env.h: the file system and the clocks, as a struct of functions. The engine's only way out.
 *
 * Three implementations: env_posix (the disk), env_memory (files in memory with durable and
 * volatile content, which can be cloned as after a power cut) and env_fault (wraps another and
 * makes the n-th call fail, be short, or be late).
 *
 * The engine asks for little, so that an object store could stand behind this one day: files are
 * created, appended to, read at an offset, synced, listed and removed; there is no rename, no
 * truncation to be relied on, and no write in place. A file is append-only until env_finish, and
 * never changes after. What is appended is durable once env_sync returned OK *and* the directory
 * entry is, by env_sync_dir.
 *
 * Paths are relative to the process or absolute; at most ENV_PATH_MAX - 1 bytes. All functions may
 * be called from any thread; one file must not be appended to by two threads at a time (appending
 * and reading beside each other is allowed: reads see what append has returned for).
 *
 * Errors: each function that touches a file fills *error (may be NULL) with operation, path, offset
 * and errno, and returns IO, NO_SPACE (ENOSPC, EDQUOT, EFBIG), NOT_FOUND, EXISTS, NO_MEMORY or what
 * its comment says. EINTR and partial transfers are dealt with inside. After env_append or env_sync
 * failed, the state of the file beyond its last good sync is not known; the caller decides by rule
 * R1 (the log and the manifest stop for good) or deletes the file and writes a new one. */
#ifndef KVD_STORAGE_ENV_H
#define KVD_STORAGE_ENV_H

#include "protocol/base/error.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENV_PATH_MAX 1024
#define ENV_APPEND_SLICES_MAX 1024 /* the kernel's IOV_MAX */
#define ENV_DIRECT_ALIGN 4096 /* offset, length and memory of reads from ENV_READ_DIRECT files */

struct env_file; /* an open file; ends in env_file_close */
struct env_lock; /* a held directory lock; ends in env_unlock */

enum env_read_mode {
    ENV_READ_CACHED, /* through the page cache */
    ENV_READ_DIRECT  /* past the page cache, from the medium: what recovery trusts (R1) */
};

/* Abilities that an environment announces in `abilities`; the file system of a given file may lack
 * one all the same, and the call then answers as its comment says. */
#define ENV_CAN_PREALLOCATE 1u /* env_preallocate really reserves space */
#define ENV_CAN_READ_NOWAIT 2u /* env_read_nowait can answer */
#define ENV_CAN_LINK 4u        /* env_link works inside one file system */

struct env_space {
    uint64_t total_bytes;
    uint64_t free_bytes; /* available to this process */
};

/* Called by env_list once a name (without directory; never "." or ".."). Stops the listing when it
 * returns anything but OK, and env_list returns that. */
typedef enum status (*env_list_cb)(void *arg, const char *name, uint64_t size_bytes);

struct env;

struct env_ops {
    enum status (*make_dir)(struct env *, const char *path, struct error *);
    enum status (*lock_dir)(struct env *, const char *dir, struct env_lock **, struct error *);
    void (*unlock)(struct env *, struct env_lock *);
    enum status (*create)(struct env *, const char *path, struct env_file **, struct error *);
    enum status (*open)(struct env *, const char *path, enum env_read_mode, struct env_file **,
                        struct error *);
    enum status (*append)(struct env_file *, const struct slice *, size_t, struct error *);
    enum status (*preallocate)(struct env_file *, uint64_t size_bytes, struct error *);
    enum status (*finish)(struct env_file *, struct error *);
    enum status (*read)(struct env_file *, uint64_t offset, void *, size_t, size_t *,
                        struct error *);
    enum status (*read_nowait)(struct env_file *, uint64_t offset, void *, size_t, struct error *);
    enum status (*sync)(struct env_file *, struct error *);
    enum status (*size)(struct env_file *, uint64_t *, struct error *);
    enum status (*file_close)(struct env_file *, struct error *);
    enum status (*sync_dir)(struct env *, const char *dir, struct error *);
    enum status (*list)(struct env *, const char *dir, env_list_cb, void *, struct error *);
    enum status (*remove)(struct env *, const char *path, struct error *);
    enum status (*link)(struct env *, const char *path, const char *new_path, struct error *);
    enum status (*space)(struct env *, const char *dir, struct env_space *, struct error *);
    uint64_t (*wall_clock_ms)(struct env *);
    uint64_t (*monotonic_ns)(struct env *);
};

/* Embedded as the first member of each implementation. Constant after open. */
struct env {
    const struct env_ops *ops;
    uint32_t abilities;
};

/* Embedded as the first member of each implementation's file. Constant after open. */
struct env_file {
    struct env *env;
};

/* Creates a directory (mode 0700) and makes its entry in the parent durable. An existing directory
 * is OK. Refuses a symbolic link or a non-directory with INVALID. */
static inline enum status env_make_dir(struct env *env, const char *path, struct error *error) {
    return env->ops->make_dir(env, path, error);
}

/* Takes the exclusive lock of a directory (the file LOCK in it, an open-file-description lock, with
 * pid and start time of the owner written in it). Errors: LOCKED, with the owner's pid and start
 * time in the error's text. */
static inline enum status env_lock_dir(struct env *env, const char *dir, struct env_lock **lock_out,
                                       struct error *error) {
    return env->ops->lock_dir(env, dir, lock_out, error);
}

static inline void env_unlock(struct env *env, struct env_lock *lock) {
    env->ops->unlock(env, lock);
}

/* Creates a new empty file (mode 0600) open for appending and reading. Errors: EXISTS. */
static inline enum status env_create(struct env *env, const char *path, struct env_file **file_out,
                                     struct error *error) {
    return env->ops->create(env, path, file_out, error);
}

/* Opens an existing file for reading. Errors: NOT_FOUND; INVALID for a symbolic link. */
static inline enum status env_open(struct env *env, const char *path, enum env_read_mode mode,
                                   struct env_file **file_out, struct error *error) {
    return env->ops->open(env, path, mode, file_out, error);
}

/* Appends all slices (1 to ENV_APPEND_SLICES_MAX) in order, as one write where the system can. OK
 * means that all bytes were taken. */
static inline enum status env_append(struct env_file *file, const struct slice *slices,
                                     size_t slice_count, struct error *error) {
    return file->env->ops->append(file, slices, slice_count, error);
}

/* Reserves space so that appends up to `size_bytes` of file length cannot meet a full disk. The
 * file's size does not change. Errors: NO_SPACE; UNSUPPORTED where the system cannot. */
static inline enum status env_preallocate(struct env_file *file, uint64_t size_bytes,
                                          struct error *error) {
    return file->env->ops->preallocate(file, size_bytes, error);
}

/* Ends appending: gives back reserved space beyond the file's size. Reading goes on. */
static inline enum status env_finish(struct env_file *file, struct error *error) {
    return file->env->ops->finish(file, error);
}

/* Reads up to `len` bytes at `offset`; *got_out is less than `len` only at the end of the file. On
 * an ENV_READ_DIRECT file offset, length and memory are multiples of ENV_DIRECT_ALIGN (asserted);
 * the last read may run past an unaligned end and is then short. */
static inline enum status env_read(struct env_file *file, uint64_t offset, void *ptr, size_t len,
                                   size_t *got_out, struct error *error) {
    return file->env->ops->read(file, offset, ptr, len, got_out, error);
}

/* Reads exactly `len` bytes if that needs no waiting. Errors: WOULD_BLOCK when any of it is not in
 * memory, or the ability is missing (ask env_read on an I/O thread then); no other detail set. */
static inline enum status env_read_nowait(struct env_file *file, uint64_t offset, void *ptr,
                                          size_t len, struct error *error) {
    return file->env->ops->read_nowait(file, offset, ptr, len, error);
}

/* Makes all bytes appended before the call durable (fdatasync). */
static inline enum status env_sync(struct env_file *file, struct error *error) {
    return file->env->ops->sync(file, error);
}

static inline enum status env_size(struct env_file *file, uint64_t *size_bytes_out,
                                   struct error *error) {
    return file->env->ops->size(file, size_bytes_out, error);
}

/* Closes; the pointer is invalid after, whatever the result. */
static inline enum status env_file_close(struct env_file *file, struct error *error) {
    return file->env->ops->file_close(file, error);
}

/* Makes the entries of a directory (created and removed names) durable. */
static inline enum status env_sync_dir(struct env *env, const char *dir, struct error *error) {
    return env->ops->sync_dir(env, dir, error);
}

/* Calls back for every regular file in `dir`, in no order. */
static inline enum status env_list(struct env *env, const char *dir, env_list_cb list_cb, void *arg,
                                   struct error *error) {
    return env->ops->list(env, dir, list_cb, arg, error);
}

/* Removes a file; open handles to it keep reading. Errors: NOT_FOUND. */
static inline enum status env_remove(struct env *env, const char *path, struct error *error) {
    return env->ops->remove(env, path, error);
}

/* Gives a finished file a second name; durable with env_sync_dir of the new name's directory.
 * Errors: NOT_FOUND, EXISTS, UNSUPPORTED (another file system, or no such ability). */
static inline enum status env_link(struct env *env, const char *path, const char *new_path,
                                   struct error *error) {
    return env->ops->link(env, path, new_path, error);
}

static inline enum status env_space(struct env *env, const char *dir, struct env_space *space_out,
                                    struct error *error) {
    return env->ops->space(env, dir, space_out, error);
}

/* Milliseconds since 1970; may jump. */
static inline uint64_t env_wall_clock_ms(struct env *env) {
    return env->ops->wall_clock_ms(env);
}

/* Nanoseconds of a clock that never goes back; its zero has no meaning. */
static inline uint64_t env_monotonic_ns(struct env *env) {
    return env->ops->monotonic_ns(env);
}

#endif
