/* backup_writer.h: writes a backup from its start to its end, in bounded memory.
 *
 *     create, { space, { put | begin_long piece... end_long }... }..., finish
 *
 * Namespaces come in the order of their names, keys in theirs. After a failure only destroy is
 * allowed. One thread. */
#ifndef KVCLI_BACKUP_WRITER_H
#define KVCLI_BACKUP_WRITER_H

#include "client/kvcli/backup_block.h"

struct backup_writer; /* opaque */

/* Writes the header. Errors, here and below: of the sink, NO_MEMORY, and, when what is written does
 * not follow the order above (it comes from a server, which may be wrong), INVALID; with *error. */
enum status backup_writer_create(const struct backup_sink *sink, const struct backup_header *header,
                                 struct backup_writer **writer_out, struct error *error) MUST_CHECK;

/* NULL is allowed. */
void backup_writer_destroy(struct backup_writer *writer);

enum status backup_writer_space(struct backup_writer *writer, const struct backup_space *space,
                                struct error *error) MUST_CHECK;

/* A deletion, or a value of at most BACKUP_INLINE_BYTES_MAX. */
enum status backup_writer_put(struct backup_writer *writer, const struct backup_entry *entry,
                              struct error *error) MUST_CHECK;

/* A value of any length: is_long is set; its bytes come in pieces of any size, `length` in all. */
enum status backup_writer_begin_long(struct backup_writer *writer, const struct backup_entry *entry,
                                     struct error *error) MUST_CHECK;
enum status backup_writer_piece(struct backup_writer *writer, struct slice bytes,
                                struct error *error) MUST_CHECK;
enum status backup_writer_end_long(struct backup_writer *writer, struct error *error) MUST_CHECK;

/* Writes all that is left, and tells the totals. */
enum status backup_writer_finish(struct backup_writer *writer, struct backup_end *end_out,
                                 struct error *error) MUST_CHECK;

/* Bytes written so far. */
uint64_t backup_writer_bytes(const struct backup_writer *writer);

#endif
