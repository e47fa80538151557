/* table_writer.h: writes one table file, from keys that come in order.
 *
 * open, add..., then finish or abandon. Blocks are built in memory, compressed where that saves an
 * eighth, and appended to the file in pieces of TABLE_STAGING_BYTES. The layout is in
 * docs/storage-format-tables.md. What the manifest must know of the table (struct table_info) is
 * collected on the way. One thread at a time.
 *
 * After any error the writer can only be abandoned; the file is then removed, and the job may try
 * again under a new number. */
#ifndef KVD_STORAGE_TABLE_WRITER_H
#define KVD_STORAGE_TABLE_WRITER_H

#include "storage/compression.h"
#include "storage/env.h"
#include "storage/keep_rules.h"
#include "storage/table_info.h"

#define TABLE_STAGING_BYTES (512u * 1024) /* one append; large enough for full disk speed */
#define TABLE_BLOCK_BYTES_MIN 4096u       /* of the option; tests may ask for less */
#define TABLE_BLOCK_BYTES_MAX 16384u
#define TABLE_BLOCK_BYTES_DEFAULT 8192u

struct table_writer;

struct table_writer_options {
    struct env *env;                 /* borrowed until finish or abandon */
    const char *dir;                 /* likewise */
    uint64_t number;                 /* file number, never used before */
    struct compression *compression; /* borrowed likewise; NULL: blocks are not compressed */
    const struct keep_rules *rules; /* borrowed likewise; who holds hidden entries; NULL: unknown */
    uint32_t block_bytes;           /* target of a data block before compression; 0: default */
};

/* Creates the file. Errors: those of env_create, INVALID (path too long), NO_MEMORY. */
enum status table_writer_open(const struct table_writer_options *options,
                              struct table_writer **writer_out, struct error *error) MUST_CHECK;

/* Adds one entry (encoded, entry.h). Keys must ascend strictly (asserted). Errors: CORRUPT (entry
 * is not well formed), NO_MEMORY, those of env_append. */
enum status table_writer_add(struct table_writer *writer, struct slice ikey, struct slice entry,
                             struct error *error) MUST_CHECK;

/* Bytes of the file so far, about: blocks written and staged, and the open block uncompressed. */
uint64_t table_writer_bytes(const struct table_writer *writer);

/* Stored bytes in the log that the entries so far refer to. */
uint64_t table_writer_log_bytes(const struct table_writer *writer);

uint64_t table_writer_entries(const struct table_writer *writer);

/* The row of the last key added, for cutting between rows; empty before the first. Borrowed until
 * the next call. */
struct slice table_writer_last_row(const struct table_writer *writer);

/* Notes what table_info says of range deletes; 0 unless it is called. */
void table_writer_set_ranges_applied(struct table_writer *writer, uint64_t version);

/* Writes the rest, syncs the file (not its directory: the caller does that once a job), closes it
 * and describes it; *info_out is the caller's to deinit. At least one entry must have been added
 * (asserted). The writer is gone on OK; on an error it waits for table_writer_abandon. */
enum status table_writer_finish(struct table_writer *writer, struct table_info *info_out,
                                struct error *error) MUST_CHECK;

/* Closes and removes the file; the writer is gone. NULL is allowed. A file that cannot be removed
 * is left to the next recovery, which unlinks what the manifest does not name. */
void table_writer_abandon(struct table_writer *writer);

#endif
