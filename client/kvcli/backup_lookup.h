/* backup_lookup.h: keys of a backup file, found by its index: the file is not read through.
 *
 * Each block that is read is checked. A cursor walks the keys of one namespace, both ways. Memory
 * is that of a path through the index and of a block of entries. One thread. */
#ifndef KVCLI_BACKUP_LOOKUP_H
#define KVCLI_BACKUP_LOOKUP_H

#include "client/kvcli/backup_block.h"

struct backup_lookup; /* opaque */

/* Reads header, end and root; the source must have a size. Errors: CORRUPT (also: cut short),
 * UNSUPPORTED, IO, NO_MEMORY, with *error. */
enum status backup_lookup_create(const struct backup_source *source,
                                 struct backup_lookup **lookup_out, struct error *error) MUST_CHECK;
void backup_lookup_destroy(struct backup_lookup *lookup); /* NULL is allowed */

const struct backup_header *backup_lookup_header(const struct backup_lookup *lookup);
const struct backup_end *backup_lookup_end(const struct backup_lookup *lookup);

/* The namespace number `index`, below end.namespaces, in the order of names. Errors: CORRUPT, IO,
 * NO_MEMORY. */
enum status backup_lookup_space(struct backup_lookup *lookup, uint32_t index,
                                struct backup_space *space_out, struct error *error) MUST_CHECK;

/* Chooses the namespace that is walked. Errors: NOT_FOUND (without *error), and as above. */
enum status backup_lookup_use(struct backup_lookup *lookup, const char *name,
                              struct error *error) MUST_CHECK;

/* The first key at or above `key` (empty: the first of all); with `reverse` the last key below it
 * (empty: the last of all). *entry_out is valid until the next call. Errors: END, and as above. */
enum status backup_lookup_seek(struct backup_lookup *lookup, struct slice key, bool reverse,
                               struct backup_entry *entry_out, struct error *error) MUST_CHECK;

/* The key behind, or before, the one that was found last. Errors: END, and as above. */
enum status backup_lookup_next(struct backup_lookup *lookup, struct backup_entry *entry_out,
                               struct error *error) MUST_CHECK;
enum status backup_lookup_prev(struct backup_lookup *lookup, struct backup_entry *entry_out,
                               struct error *error) MUST_CHECK;

/* Takes a piece; anything but OK ends the reading with it. */
typedef enum status (*backup_piece_cb)(void *arg, struct slice piece);

/* The value of the long entry that was found last, piece by piece. What was handed out is only
 * known to be right in each piece until this returns OK; *checksum_out is that of the whole.
 * Errors: as above, and of piece_cb. */
enum status backup_lookup_long(struct backup_lookup *lookup, backup_piece_cb piece_cb, void *arg,
                               uint64_t *checksum_out, struct error *error) MUST_CHECK;

#endif
