/* env_posix_call.h: how the files of env_posix make system calls and tell of their failures. Any
 * thread. */
#ifndef KVD_STORAGE_ENV_POSIX_CALL_H
#define KVD_STORAGE_ENV_POSIX_CALL_H

#include "protocol/base/error.h"
#include "protocol/base/status.h"

/* Fills *error from errno, at the call that failed, and returns its status. */
enum status posix_fail(struct error *error, const char *path, uint64_t offset,
                       const char *operation) MUST_CHECK;

/* open(2) without following links, again after a signal. */
int posix_open_fd(const char *path, int flags);

#endif
