/* env_posix.h: env.h on the disk, through POSIX and Linux calls. The only file of storage/ that
 * opens, reads, writes or syncs.
 *
 * Files are created 0600 and directories 0700, all with O_CLOEXEC and O_NOFOLLOW. Beyond what env.h
 * promises:
 *
 *  - Write-back of an appended file starts every 4 MiB, without waiting, so that a sync late in a
 *    big file finds little left to do.
 *  - A file of which one append or sync has failed answers IO to all later appends and syncs: after
 *    a failed fsync the kernel marks the lost pages clean, and a second one would "succeed" (R1).
 *  - Direct reads use O_DIRECT. Where the file system refuses it (tmpfs before Linux 6.6, some
 *    network and stacked ones) clean pages are dropped from the page cache at open, and the
 *    reads are ordinary ones: as near to the medium as such a file system lets anyone come.
 *  - RLIMIT_FSIZE raises SIGXFSZ before EFBIG: the program ignores that signal, or dies of it. */
#ifndef KVD_STORAGE_ENV_POSIX_H
#define KVD_STORAGE_ENV_POSIX_H

#include "storage/env.h"

#define ENV_POSIX_WARNING_MAX 256

/* Errors: NO_MEMORY. */
enum status env_posix_create(struct env **env_out) MUST_CHECK;

/* All files and locks must be closed before. NULL is allowed. */
void env_posix_destroy(struct env *env);

/* Looks at the file system of an existing directory before a store is trusted to it, and writes a
 * sentence into `warning_out` (ENV_POSIX_WARNING_MAX bytes; empty when there is nothing to say) for
 * one that is kept in memory or known for weak promises. Errors: UNSUPPORTED for network file
 * systems and for one that cannot sync a directory, with the reason in *error; NOT_FOUND, IO. */
enum status env_posix_check_dir(struct env *env, const char *dir, char *warning_out,
                                struct error *error) MUST_CHECK;

#endif
