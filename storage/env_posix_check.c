/* env_posix_check.c: env_posix_check_dir of env_posix.h: may a store be trusted to this file
 * system?
 *
 * Decided by the magic number of statfs(2) and by trying to sync the directory. Unknown file
 * systems pass: the list names those known to be weak. */
#include "storage/env_posix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

/* What is known of a file system by its magic number of statfs(2). */
struct file_system {
    uint32_t magic;
    const char *name;
    const char *warning; /* NULL: refused */
};

static const struct file_system file_systems[] = {
    {0x6969, "nfs", NULL},
    {0x517B, "smb", NULL},
    {0xFF534D42, "cifs", NULL},
    {0xFE534D42, "smb2", NULL},
    {0x5346414F, "afs", NULL},
    {0x73757245, "coda", NULL},
    {0x564C, "ncp", NULL},
    {0x01021994, "tmpfs", "it lives in memory: nothing survives a restart of the machine"},
    {0x858458F6, "ramfs", "it lives in memory: nothing survives a restart of the machine"},
    {0x65735546, "fuse", "what sync and locks promise depends on a program behind it"},
    {0x01021997, "9p", "what sync and locks promise depends on the host behind it"},
    {0x6A656A63, "virtiofs", "what sync and locks promise depends on the host behind it"},
    {0x00C36400, "ceph", "it is a network file system; locks and sync are as good as its cluster"},
    {0x4D44, "vfat", "it has no journal: names may be lost at a power cut"},
    {0x2011BAB0, "exfat", "it has no journal: names may be lost at a power cut"},
    {0x2FC12FC1, "zfs", "space cannot be reserved on it: a full disk may stop the log"},
};

static const struct file_system *find_file_system(uint32_t magic) {
    for (size_t i = 0; i < sizeof file_systems / sizeof file_systems[0]; i++) {
        if (file_systems[i].magic == magic) {
            return &file_systems[i];
        }
    }
    return NULL;
}

enum status env_posix_check_dir(struct env *env, const char *dir, char *warning_out,
                                struct error *error) {
    const struct file_system *known;
    struct statfs info;
    struct error detail;
    char warning[ENV_POSIX_WARNING_MAX] = "";

    if (statfs(dir, &info) != 0) {
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, dir,
                         ERROR_NO_OFFSET, "statfs");
    }
    known = find_file_system((uint32_t)info.f_type);
    if (known && !known->warning) {
        return error_set(error, STATUS_UNSUPPORTED, 0, dir, ERROR_NO_OFFSET,
                         "a store cannot live on the network file system %s", known->name);
    }
    if (known) {
        (void)snprintf(warning, sizeof warning, "the file system is %s: %s", known->name,
                       known->warning);
    }
    if (env_sync_dir(env, dir, &detail) != STATUS_OK) {
        if (detail.os_errno == EINVAL) {
            return error_set(error, STATUS_UNSUPPORTED, EINVAL, dir, ERROR_NO_OFFSET,
                             "this file system cannot sync a directory");
        }
        if (error) {
            *error = detail;
        }
        return detail.status;
    }
    memcpy(warning_out, warning, sizeof warning);
    return STATUS_OK;
}
