/* backup_before.h: what an incremental backup continues: a version, and, if the backup of it is at
 * hand, which namespaces there were then. */
#ifndef KVCLI_BACKUP_BEFORE_H
#define KVCLI_BACKUP_BEFORE_H

#include "client/kvcli/backup_format.h"
#include "protocol/base/error.h"

struct backup_before {
    uint64_t version;
    bool from_file;       /* else nothing but the version is known */
    bool whole;           /* it has all namespaces that there were */
    struct buffer spaces; /* owned: struct backup_space, in the order of their names */
};

/* Takes what `text` names: a version, or else a backup. deinit is due in any case. Errors:
 * NOT_FOUND, IO, CORRUPT, UNSUPPORTED, INVALID (a pipe), NO_MEMORY, with *error. */
enum status backup_before_init(struct backup_before *before, const char *text,
                               struct error *error) MUST_CHECK;
void backup_before_deinit(struct backup_before *before);

/* The namespace of that name in the file; NULL if there is none. */
const struct backup_space *backup_before_find(const struct backup_before *before, const char *name);

/* Whether the namespace, which the server has now, is known to have been made after the version: no
 * id is used twice, and the file has those of all that there were. */
bool backup_before_lacks(const struct backup_before *before, const struct backup_space *space);

#endif
