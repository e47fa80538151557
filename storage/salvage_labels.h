/* salvage_labels.h: the file SALVAGE.tsv in the new directory: what the new store cannot say of its
 * keys.
 *
 *      namespace <tab> key <tab> version <tab> time ms <tab> bytes <tab> why
 *
 * The version is that of the old store; the time is 0 where it is not known. Bytes that would break
 * a line are escaped as kvcli does: \t \n \r \\ \xHH. Lines that begin with # are for people. The
 * file is made with its first line. One thread. */
#ifndef KVD_STORAGE_SALVAGE_LABELS_H
#define KVD_STORAGE_SALVAGE_LABELS_H

#include "protocol/base/buffer.h"
#include "storage/env.h"

#define SALVAGE_LABELS_NAME "SALVAGE.tsv"

struct salvage_labels {
    struct env *env; /* borrowed, as `dir` */
    const char *dir;
    struct env_file *file; /* owned; NULL until the first line */
    struct buffer text;    /* not written yet */
    uint64_t lines;
};

struct salvage_label {
    struct slice namespace_name;
    struct slice key;
    uint64_t version;
    uint64_t time_ms;
    uint64_t bytes; /* of the value */
    const char *why;
};

void salvage_labels_init(struct salvage_labels *labels, struct env *env, const char *dir);

/* Errors: NO_SPACE, IO, NO_MEMORY. */
enum status salvage_labels_add(struct salvage_labels *labels, const struct salvage_label *label,
                               struct error *error) MUST_CHECK;

/* Writes what is left, and syncs the file. Errors: as above. */
enum status salvage_labels_finish(struct salvage_labels *labels, struct error *error) MUST_CHECK;

/* A zeroed struct is allowed. */
void salvage_labels_deinit(struct salvage_labels *labels);

#endif
