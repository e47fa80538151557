/* log_fixture.h: a log in memory for the tests of its rooms: written by segment_writer, remembered
 * beside, replayed and compared. */
#ifndef KVD_TESTS_UNIT_LOG_FIXTURE_H
#define KVD_TESTS_UNIT_LOG_FIXTURE_H

#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/checksum.h"
#include "storage/compression.h"
#include "storage/env_memory.h"
#include "storage/file_name.h"
#include "storage/log_replay.h"
#include "storage/segment_writer.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define LOG_DIR "db"
#define LOG_COMMITS_MAX 256
#define LOG_FILE_BYTES_MAX (256 * 1024)
#define STORE_ID_A {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

/* One commit as it was written. */
struct written {
    uint64_t version;
    uint64_t sequence;
    struct slice meta; /* owned copy */
    struct value_ref ref;
    bool has_ref;
    struct log_position end; /* of its group */
};

struct log {
    struct env *env;
    struct compression *compression;
    struct segment_writer *writer;
    struct error error;
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t incarnation;
    uint64_t number;   /* of the segment being written */
    uint64_t sequence; /* last */
    uint64_t version;  /* last */
    struct log_position synced;
    struct written written[LOG_COMMITS_MAX];
    size_t written_count;
};

/* What a replay handed out. */
struct replayed {
    const struct log *log; /* to compare with; NULL: only counts */
    size_t count;
    struct log_replay_result result;
};

static inline void log_init(struct log *log) {
    const uint8_t id[STORE_ID_BYTES] = STORE_ID_A;
    *log = (struct log){.incarnation = 1};
    memcpy(log->store_id, id, sizeof id);
    ck_assert_int_eq(env_memory_create(NULL, &log->env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(log->env, LOG_DIR, NULL), STATUS_OK);
    ck_assert_int_eq(compression_create(&log->compression), STATUS_OK);
}

static inline void log_deinit(struct log *log) {
    segment_writer_close(log->writer);
    for (size_t i = 0; i < log->written_count; i++) {
        memory_free((void *)(uintptr_t)log->written[i].meta.ptr);
    }
    compression_destroy(log->compression);
    env_memory_destroy(log->env);
}

static inline enum status log_try_segment(struct log *log, uint64_t number) {
    struct segment_writer_options options = {.env = log->env,
                                             .dir = LOG_DIR,
                                             .number = number,
                                             .kind = SEGMENT_COMMIT,
                                             .incarnation = log->incarnation,
                                             .preallocate_bytes = 4096};
    segment_writer_close(log->writer);
    log->writer = NULL;
    log->number = number;
    memcpy(options.store_id, log->store_id, STORE_ID_BYTES);
    return segment_writer_create(&options, &log->writer, &log->error);
}

static inline void log_segment(struct log *log, uint64_t number) {
    ck_assert_int_eq(log_try_segment(log, number), STATUS_OK);
}

/* A value of `bytes` bytes; of those with an odd seed zstd can save much. */
static inline void fill_value(uint8_t *ptr, size_t bytes, uint64_t seed) {
    uint64_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < bytes; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ptr[i] = seed % 2 ? (uint8_t)(seed + i % 7) : (uint8_t)(x >> 56);
    }
}

/* One commit: a small value inline, a tombstone, and (value_bytes > 0) a separated value. */
static inline void make_batch(const struct log *log, struct batch *batch, uint64_t version,
                              size_t value_bytes) {
    char name[32];
    uint8_t *raw = memory_alloc(value_bytes + 1);
    uint8_t *packed = memory_alloc(value_bytes + 1);
    size_t packed_bytes;
    struct batch_op op = {.namespace_id = NAMESPACE_DEFAULT, .kind = ENTRY_INLINE};

    snprintf(name, sizeof name, "key %llu", (unsigned long long)version);
    op.key = slice_from_text(name);
    op.value = slice_from_text("a small value");
    ck_assert_int_eq(batch_append(batch, &op, slice_make(NULL, 0)), STATUS_OK);
    op = (struct batch_op){.namespace_id = 7, .kind = ENTRY_TOMBSTONE};
    op.key = slice_from_text(name);
    ck_assert_int_eq(batch_append(batch, &op, slice_make(NULL, 0)), STATUS_OK);
    if (value_bytes > 0) {
        struct slice stored = slice_make(raw, value_bytes);
        fill_value(raw, value_bytes, version);
        op.kind = ENTRY_REFERENCE;
        op.namespace_id = 8;
        op.raw_bytes = (uint32_t)value_bytes;
        op.checksum = checksum_of(stored);
        if (version % 2 &&
            compression_compress(log->compression, stored, packed, &packed_bytes) == STATUS_OK) {
            op.compressed = true;
            stored = slice_make(packed, packed_bytes);
        }
        ck_assert_int_eq(batch_append(batch, &op, stored), STATUS_OK);
    }
    ck_assert_int_eq(batch_finish(batch), STATUS_OK);
    memory_free(raw);
    memory_free(packed);
}

/* Remembers the commit that `commit` writes. */
static inline void remember(struct log *log, const struct log_commit *commit,
                            struct log_position end) {
    struct written *written = &log->written[log->written_count];
    uint8_t *copy = memory_alloc(commit->meta.len);
    struct reader ops;
    struct batch_op op;

    ck_assert_uint_lt(log->written_count, LOG_COMMITS_MAX);
    memcpy(copy, commit->meta.ptr, commit->meta.len);
    *written = (struct written){.version = commit->version,
                                .sequence = log->sequence,
                                .meta = slice_make(copy, commit->meta.len),
                                .end = end};
    ops = reader_make(written->meta);
    while (batch_take(&ops, commit->values.len, &op) == STATUS_OK) {
        if (op.kind == ENTRY_REFERENCE) {
            written->has_ref = true;
            written->ref = (struct value_ref){.segment = log->number,
                                              .offset = commit->values_offset + op.values_offset,
                                              .raw_bytes = op.raw_bytes,
                                              .stored_bytes = op.stored_bytes,
                                              .checksum = op.checksum,
                                              .compressed = op.compressed};
        }
    }
    log->written_count++;
}

#define GROUP_COUNT_MAX 8

/* Appends one group of `count` commits with separated values of `value_bytes` (0: none). */
static inline enum status log_try_group(struct log *log, size_t count, size_t value_bytes) {
    struct batch batches[GROUP_COUNT_MAX];
    struct log_commit commits[GROUP_COUNT_MAX];
    struct group_info info = {.sequence = log->sequence + 1,
                              .synced_through = log->synced,
                              .store_time_ms = 1000 + log->sequence};
    uint64_t bytes;
    enum status status;

    ck_assert_uint_le(count, GROUP_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        batch_init(&batches[i]);
        make_batch(log, &batches[i], log->version + 1 + i, value_bytes);
        commits[i] = (struct log_commit){.meta = buffer_slice(&batches[i].meta),
                                         .values = buffer_slice(&batches[i].values),
                                         .op_count = batches[i].op_count,
                                         .version = log->version + 1 + i};
    }
    bytes = segment_writer_layout(log->writer, commits, count);
    bytes += segment_writer_position(log->writer);
    status = segment_writer_append(log->writer, &info, commits, count, &log->error);
    ck_assert(status != STATUS_OK || segment_writer_position(log->writer) == bytes);
    if (status == STATUS_OK || status == STATUS_IO) { /* IO: perhaps it arrived all the same */
        log->sequence++;
        log->version += count;
    }
    for (size_t i = 0; i < count; i++) {
        if (status == STATUS_OK || status == STATUS_IO) {
            remember(log, &commits[i], (struct log_position){log->number, bytes});
        }
        batch_deinit(&batches[i]);
    }
    return status;
}

static inline void log_group(struct log *log, size_t count, size_t value_bytes) {
    ck_assert_int_eq(log_try_group(log, count, value_bytes), STATUS_OK);
}

static inline enum status log_try_sync(struct log *log) {
    enum status status = segment_writer_sync(log->writer, &log->error);
    if (status == STATUS_OK) {
        log->synced = (struct log_position){log->number, segment_writer_position(log->writer)};
    }
    return status;
}

static inline void log_sync(struct log *log) {
    ck_assert_int_eq(log_try_sync(log), STATUS_OK);
}

/* ---- files ---- */

static inline void segment_path(uint64_t number, char path[ENV_PATH_MAX]) {
    ck_assert_int_eq(file_path_make(LOG_DIR, FILE_SEGMENT, number, path), STATUS_OK);
}

static inline size_t file_get(struct env *env, uint64_t number, uint8_t *bytes_out) {
    char path[ENV_PATH_MAX];
    struct env_file *file;
    size_t got = 0;
    segment_path(number, path);
    ck_assert_int_eq(env_open(env, path, ENV_READ_CACHED, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_read(file, 0, bytes_out, LOG_FILE_BYTES_MAX, &got, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    return got;
}

/* Makes the file what is given, durably. */
static inline void file_put(struct env *env, uint64_t number, const uint8_t *bytes, size_t len) {
    char path[ENV_PATH_MAX];
    struct slice slice = slice_make(bytes, len);
    struct env_file *file;
    segment_path(number, path);
    if (env_remove(env, path, NULL) != STATUS_OK) {
        /* there was none */
    }
    ck_assert_int_eq(env_create(env, path, &file, NULL), STATUS_OK);
    if (len > 0) {
        ck_assert_int_eq(env_append(file, &slice, 1, NULL), STATUS_OK);
    }
    ck_assert_int_eq(env_sync(file, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(env, LOG_DIR, NULL), STATUS_OK);
}

/* ---- replay ---- */

static inline enum status replayed_cb(void *arg, const struct log_replay_commit *commit,
                                      struct error *error) {
    struct replayed *replayed = arg;
    size_t index = replayed->count++;

    (void)error;
    if (replayed->log) {
        const struct written *written = &replayed->log->written[index];
        ck_assert_uint_lt(index, replayed->log->written_count);
        ck_assert_uint_eq(commit->version, written->version);
        ck_assert_uint_eq(commit->sequence, written->sequence);
        ck_assert(slice_equal(commit->meta, written->meta));
        ck_assert_uint_eq(commit->segment, written->end.segment);
        ck_assert(!written->has_ref || (commit->values_offset <= written->ref.offset &&
                                        written->ref.offset + written->ref.stored_bytes <=
                                            commit->values_offset + commit->values_bytes));
    }
    return STATUS_OK;
}

static inline struct log_replay_options replay_options(struct log *log, struct replayed *replayed) {
    struct log_replay_options options = {.env = log->env,
                                         .dir = LOG_DIR,
                                         .compression = log->compression,
                                         .commit_cb = replayed_cb,
                                         .arg = replayed};
    memcpy(options.store_id, log->store_id, STORE_ID_BYTES);
    *replayed = (struct replayed){.log = log};
    return options;
}

/* Replays segments 1 to `count`, none of them known to the manifest. */
static inline enum status log_replay_all(struct log *log, size_t count, struct replayed *replayed) {
    struct log_replay_segment segments[8] = {{0}};
    struct log_replay_options options = replay_options(log, replayed);
    for (size_t i = 0; i < count; i++) {
        segments[i].number = i + 1;
    }
    return log_replay(&options, segments, count, &replayed->result, &log->error);
}

#endif
