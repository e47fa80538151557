/* backup_format.h: what a backup file is made of: header, blocks, entries; as bytes and back.
 *
 *      header | block | block | ... | END block
 *
 * docs/backup-format.md describes every byte. Here are only the layouts, as pure functions on bytes
 * in memory: files are read and written by backup_writer, backup_reader and backup_lookup. What is
 * decoded is checked; nothing is believed because it once was written by kvcli. */
#ifndef KVCLI_BACKUP_FORMAT_H
#define KVCLI_BACKUP_FORMAT_H

#include "kvd/kvd.h"
#include "protocol/base/buffer.h"

#include <stdbool.h>

#define BACKUP_FORMAT_VERSION 1u
#define BACKUP_HEADER_BYTES_MIN 77u
#define BACKUP_HEADER_BYTES_MAX 1024u
#define BACKUP_BLOCK_HEAD_BYTES 40u
#define BACKUP_BLOCK_BYTES_MAX ((size_t)1 << 20)    /* of the content, not compressed */
#define BACKUP_ENTRIES_BYTES ((size_t)256 << 10)    /* a block of entries ends above it */
#define BACKUP_INDEX_BYTES ((size_t)64 << 10)       /* and a block of the index */
#define BACKUP_INLINE_BYTES_MAX ((size_t)256 << 10) /* longer values have blocks of their own */
#define BACKUP_KEY_BYTES_MAX ((size_t)128 << 10)
#define BACKUP_NAME_BYTES_MAX 255u

enum backup_kind {
    BACKUP_SPACE = 1,   /* a namespace begins */
    BACKUP_ENTRIES = 2, /* its keys, in order */
    BACKUP_PIECE = 3,   /* of the long value of the last entry of the block of entries before */
    BACKUP_VALUE_END = 4,
    BACKUP_INDEX = 5,
    BACKUP_END = 6, /* the last block */
};

struct backup_header {
    uint64_t version;    /* of the store; everything up to here is in it */
    uint64_t since;      /* 0: complete; else only what changed after this version */
    uint64_t time_ms;    /* of the snapshot: expiry was judged then; server's clock */
    uint64_t created_ms; /* when it was begun; clock of the client */
    bool whole;          /* all namespaces */
    bool marks_new;      /* namespaces tell whether they are new; of a backup with `since` only */
    char source[256];    /* server and address, for people */
};

struct backup_space {
    char name[BACKUP_NAME_BYTES_MAX + 1]; /* "" is the default one */
    uint32_t id;                          /* in the store it came from */
    bool is_new; /* made after `since`: all of it is here, and nothing from before counts */
    struct kvd_namespace_settings settings;
};

struct backup_entry {
    struct slice key; /* borrowed, as the value is */
    struct slice value;
    bool deleted; /* nothing but the key counts then */
    bool is_long; /* the value is in blocks of its own, its checksum behind them */
    uint32_t user_flags;
    uint64_t version;
    uint64_t expires_at_ms; /* 0 never */
    uint64_t length;
    uint64_t checksum; /* XXH3-64 of the value */
};

/* What stands in front of each block. */
struct backup_block_head {
    enum backup_kind kind;
    bool compressed;
    uint32_t stored_bytes;
    uint32_t raw_bytes;
    uint64_t number; /* from 0 */
    uint64_t offset; /* in the file, of the head itself */
    uint64_t checksum;
};

/* Content of the END block. */
struct backup_end {
    uint64_t root;       /* offset of the index's root; 0: no index */
    uint64_t blocks;     /* before this one */
    uint64_t namespaces; /* totals */
    uint64_t values;
    uint64_t deletions;
    uint64_t bytes;  /* of keys and values */
    uint64_t digest; /* over the checksums of all blocks before */
};
#define BACKUP_END_BYTES 56u
#define BACKUP_VALUE_END_BYTES 8u /* checksum u64 of the value */

/* Appends the header with its checksum, which *seed_out is too: what all blocks are bound to.
 * Errors: of buffer_append. */
enum status backup_header_append(struct buffer *buffer, const struct backup_header *header,
                                 uint64_t *seed_out) MUST_CHECK;

/* How long the header is that begins with these BACKUP_HEADER_BYTES_MIN bytes. Errors: UNSUPPORTED
 * (a later format), CORRUPT (no backup). */
enum status backup_header_length(struct slice bytes, size_t *length_out) MUST_CHECK;

/* The whole header. Errors: UNSUPPORTED, CORRUPT. */
enum status backup_header_take(struct slice bytes, struct backup_header *header_out,
                               uint64_t *seed_out) MUST_CHECK;

void backup_head_store(uint8_t *bytes, const struct backup_block_head *head);

/* Errors: CORRUPT: a kind or length that cannot be. */
enum status backup_head_take(const uint8_t *bytes, struct backup_block_head *head_out) MUST_CHECK;

/* Of the head without its checksum, and the stored bytes. */
uint64_t backup_head_checksum(const uint8_t *head, struct slice stored, uint64_t seed);

/* `marked` as the header says. */
enum status backup_space_append(struct buffer *buffer, const struct backup_space *space,
                                bool marked) MUST_CHECK;
enum status backup_space_take(struct slice content, bool marked,
                              struct backup_space *space_out) MUST_CHECK;

enum status backup_entry_append(struct buffer *buffer, const struct backup_entry *entry) MUST_CHECK;

/* The next entry; its value is compared with its checksum. Errors: CORRUPT. */
enum status backup_entry_take(struct reader *reader, struct backup_entry *entry_out) MUST_CHECK;

void backup_end_store(uint8_t bytes[BACKUP_END_BYTES], const struct backup_end *end);
void backup_end_load(const uint8_t bytes[BACKUP_END_BYTES], struct backup_end *end_out);

/* XXH3-64. */
uint64_t backup_checksum(struct slice bytes, uint64_t seed);

/* The digest with one more block. */
uint64_t backup_digest(uint64_t digest, uint64_t checksum);

/* XXH3-64 of what comes in pieces. */
struct backup_hash;                           /* opaque */
struct backup_hash *backup_hash_create(void); /* NULL: no memory */
void backup_hash_destroy(struct backup_hash *hash);
void backup_hash_reset(struct backup_hash *hash);
void backup_hash_add(struct backup_hash *hash, struct slice bytes);
uint64_t backup_hash_value(const struct backup_hash *hash);

#endif
