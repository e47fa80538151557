/* log_reader.h: reads one segment, group by group, past the page cache: the eyes of log_replay.h,
 * which decides what a bad record means, of log GC, and, through the page cache, of feed_walk.h.
 * Owned by one thread at a time. */
#ifndef KVD_STORAGE_LOG_READER_H
#define KVD_STORAGE_LOG_READER_H

#include "protocol/base/buffer.h"
#include "storage/compression.h"
#include "storage/direct_file.h"
#include "storage/log_format.h"

/* How the segment begins. */
enum log_reader_state {
    LOG_READER_EMPTY,  /* there is no file, or nothing in it */
    LOG_READER_OTHER,  /* header is valid, and of another kind than commits */
    LOG_READER_TORN,   /* its header is damaged */
    LOG_READER_COMMITS /* header is valid */
};

struct log_reader {
    struct direct_file direct;
    enum log_reader_state state;
    struct segment_header header; /* COMMITS and OTHER only */
    uint64_t number;
    uint64_t seed;
    uint64_t limit_bytes; /* bytes from here on do not count */
    struct buffer meta;   /* a meta whose values are read beside it */
    struct buffer raw;    /* a decompressed value */
};

/* One group, headers verified. */
struct log_group {
    struct group_header header;
    uint64_t offset;
    struct commit_header commits[GROUP_COMMITS_MAX];
};

void log_reader_init(struct log_reader *reader);
void log_reader_deinit(struct log_reader *reader);

/* Opens segment `number` after closing the one before. `limit_bytes`: UINT64_MAX for all. Errors:
 * NOT_FOUND, CORRUPT (the header is whole, and of another segment or store), NEWER_FORMAT, IO,
 * NO_MEMORY. */
enum status log_reader_open(struct log_reader *reader, struct env *env, const char *path,
                            uint64_t number, const uint8_t store_id[STORE_ID_BYTES],
                            uint64_t limit_bytes, struct error *error) MUST_CHECK;
void log_reader_close(struct log_reader *reader);

/* The header of the group at `offset`, which fits below the limit. Errors: END (the segment ends
 * exactly here), CORRUPT (no group is here; *error is not set), IO, NO_MEMORY. */
enum status log_reader_group_header(struct log_reader *reader, uint64_t offset,
                                    struct group_header *header_out,
                                    struct error *error) MUST_CHECK;

/* The same with the headers of its commits. */
enum status log_reader_group(struct log_reader *reader, uint64_t offset,
                             struct log_group *group_out, struct error *error) MUST_CHECK;

/* The verified meta of a commit that begins at `offset`; valid until the next call. Errors: CORRUPT
 * (*error is not set), IO, NO_MEMORY. */
enum status log_reader_meta(struct log_reader *reader, const struct commit_header *commit,
                            uint64_t offset, struct slice *meta_out,
                            struct error *error) MUST_CHECK;

/* Verifies all that the group carries: metas, their operations, and every separated value. Errors:
 * CORRUPT (*error is not set), IO, NO_MEMORY. */
enum status log_reader_verify_group(struct log_reader *reader, const struct log_group *group,
                                    struct compression *compression,
                                    struct error *error) MUST_CHECK;

typedef void (*log_reader_group_cb)(void *arg, uint64_t offset, const struct group_header *header);

/* Searches every byte from `offset` on for group headers of this segment (of a commit segment of
 * this number, if its own header is torn), and calls back for each. Errors: IO, NO_MEMORY. */
enum status log_reader_search(struct log_reader *reader, uint64_t offset,
                              log_reader_group_cb group_cb, void *arg,
                              struct error *error) MUST_CHECK;

#endif
