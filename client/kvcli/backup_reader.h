/* backup_reader.h: reads a backup from its start to its end, also from a pipe, in bounded memory.
 *
 * All is checked on the way: each block, the order of namespaces and keys, values against their
 * checksums, the index against the blocks, the totals at the end, and that nothing follows. Until
 * BACKUP_EVENT_END has come it is not known whether the backup is whole. One thread. */
#ifndef KVCLI_BACKUP_READER_H
#define KVCLI_BACKUP_READER_H

#include "client/kvcli/backup_block.h"

enum backup_event {
    BACKUP_EVENT_SPACE, /* a namespace begins */
    BACKUP_EVENT_ENTRY, /* a key: deleted, with its value, or, is_long, with pieces to come */
    BACKUP_EVENT_PIECE,
    BACKUP_EVENT_VALUE_END, /* of a long value, which is as it was written */
    BACKUP_EVENT_END,       /* of the whole backup, which is sound */
};

/* What came; valid until the next call. */
struct backup_item {
    enum backup_event event;
    struct backup_space space; /* SPACE */
    struct backup_entry entry; /* ENTRY */
    struct slice piece;        /* PIECE */
    uint64_t checksum;         /* VALUE_END */
    struct backup_end end;     /* END */
};

struct backup_reader; /* opaque */

/* Reads the header. The source's arg must outlive the reader. Errors: CORRUPT, UNSUPPORTED, IO,
 * NO_MEMORY, with *error. */
enum status backup_reader_create(const struct backup_source *source,
                                 struct backup_reader **reader_out, struct error *error) MUST_CHECK;
void backup_reader_destroy(struct backup_reader *reader); /* NULL is allowed */

const struct backup_header *backup_reader_header(const struct backup_reader *reader);

/* Bytes read so far. */
uint64_t backup_reader_bytes(const struct backup_reader *reader);

/* The next item; none may be asked for behind BACKUP_EVENT_END or a failure. Errors: CORRUPT, IO,
 * NO_MEMORY, with *error. */
enum status backup_reader_next(struct backup_reader *reader, struct backup_item *item,
                               struct error *error) MUST_CHECK;

#endif
