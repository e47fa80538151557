/* env_posix_lock.h: the lock of a directory: an open-file-description lock on the file LOCK in it,
 * which tells who holds it. It ends with the process, whatever happens to it. Any thread. */
#ifndef KVD_STORAGE_ENV_POSIX_LOCK_H
#define KVD_STORAGE_ENV_POSIX_LOCK_H

#include "storage/env.h"

/* See env_lock_dir and env_unlock. */
enum status posix_lock_dir(struct env *env, const char *dir, struct env_lock **lock_out,
                           struct error *error) MUST_CHECK;
void posix_unlock(struct env *env, struct env_lock *lock);

#endif
