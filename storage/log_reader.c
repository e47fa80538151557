/* log_reader.c: see log_reader.h. */
#include "storage/log_reader.h"

#include "storage/batch.h"
#include "storage/checksum.h"

void log_reader_init(struct log_reader *reader) {
    *reader = (struct log_reader){0};
    buffer_init(&reader->meta, COMMIT_BYTES_MAX);
    buffer_init(&reader->raw, VALUE_BYTES_MAX);
}

void log_reader_deinit(struct log_reader *reader) {
    direct_file_deinit(&reader->direct);
    buffer_deinit(&reader->meta);
    buffer_deinit(&reader->raw);
}

/* ---- opening ---- */

static enum status check_identity(const struct log_reader *reader,
                                  const uint8_t store_id[STORE_ID_BYTES], struct error *error) {
    if (reader->header.number != reader->number) {
        return error_set(error, STATUS_CORRUPT, 0, reader->direct.path, 0,
                         "the file is segment %llu under another name",
                         (unsigned long long)reader->header.number);
    }
    if (memcmp(reader->header.store_id, store_id, STORE_ID_BYTES) != 0) {
        return error_set(error, STATUS_CORRUPT, 0, reader->direct.path, 0,
                         "the segment belongs to another store");
    }
    return STATUS_OK;
}

static enum status read_header(struct log_reader *reader, const uint8_t store_id[STORE_ID_BYTES],
                               struct error *error) {
    struct slice bytes;
    enum status status = STATUS_CORRUPT;

    if (reader->limit_bytes == 0) {
        reader->state = LOG_READER_EMPTY;
        return STATUS_OK;
    }
    if (reader->limit_bytes >= SEGMENT_HEADER_BYTES) {
        status = direct_file_get(&reader->direct, 0, SEGMENT_HEADER_BYTES, &bytes, error);
        if (status != STATUS_OK) {
            return status;
        }
        status = segment_header_load(bytes, &reader->header);
    }
    if (status == STATUS_CORRUPT) {
        reader->state = LOG_READER_TORN;
        return STATUS_OK;
    }
    if (status == STATUS_NEWER_FORMAT) {
        return error_set(error, status, 0, reader->direct.path, 0,
                         "segment has features unknown to this version");
    }
    reader->state = reader->header.kind == SEGMENT_COMMIT ? LOG_READER_COMMITS : LOG_READER_OTHER;
    return check_identity(reader, store_id, error);
}

enum status log_reader_open(struct log_reader *reader, struct env *env, const char *path,
                            uint64_t number, const uint8_t store_id[STORE_ID_BYTES],
                            uint64_t limit_bytes, struct error *error) {
    enum status status;

    log_reader_close(reader);
    status = direct_file_open(&reader->direct, env, path, error);
    if (status != STATUS_OK) {
        return status;
    }
    reader->number = number;
    reader->seed = segment_seed(store_id, number);
    reader->limit_bytes =
        reader->direct.size_bytes < limit_bytes ? reader->direct.size_bytes : limit_bytes;
    status = read_header(reader, store_id, error);
    if (status != STATUS_OK) {
        log_reader_close(reader);
    }
    return status;
}

void log_reader_close(struct log_reader *reader) {
    direct_file_close(&reader->direct);
    reader->state = LOG_READER_EMPTY;
    reader->limit_bytes = 0;
}

/* ---- groups ---- */

/* Bytes below the limit; CORRUPT where they would go beyond. */
static enum status get(struct log_reader *reader, uint64_t offset, uint64_t len,
                       struct slice *bytes_out, struct error *error) {
    if (offset > reader->limit_bytes || len > reader->limit_bytes - offset) {
        return STATUS_CORRUPT;
    }
    return direct_file_get(&reader->direct, offset, (size_t)len, bytes_out, error);
}

/* A group is of the kind of its segment; where the header does not say, of a commit segment. */
static bool belongs(const struct log_reader *reader, const struct group_header *header) {
    if (reader->state == LOG_READER_COMMITS || reader->state == LOG_READER_OTHER) {
        return header->kind == reader->header.kind &&
               header->incarnation == reader->header.incarnation;
    }
    return header->kind == SEGMENT_COMMIT;
}

enum status log_reader_group_header(struct log_reader *reader, uint64_t offset,
                                    struct group_header *header_out, struct error *error) {
    struct group_header header;
    struct slice bytes;
    enum status status;

    if (offset == reader->limit_bytes) {
        return STATUS_END;
    }
    status = get(reader, offset, GROUP_HEADER_BYTES, &bytes, error);
    if (status == STATUS_OK) {
        status = group_header_load(bytes, reader->seed, offset, &header);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!belongs(reader, &header) || header.group_bytes > reader->limit_bytes - offset) {
        return STATUS_CORRUPT;
    }
    *header_out = header;
    return STATUS_OK;
}

enum status log_reader_group(struct log_reader *reader, uint64_t offset,
                             struct log_group *group_out, struct error *error) {
    struct group_header *header = &group_out->header;
    enum status status = log_reader_group_header(reader, offset, header, error);
    uint64_t at = offset + GROUP_HEADER_BYTES;
    uint64_t end;
    uint64_t sum = 0;

    if (status != STATUS_OK) {
        return status;
    }
    end = offset + header->group_bytes;
    for (uint32_t i = 0; i < header->commit_count; i++) {
        struct slice bytes;
        status = end - at < COMMIT_HEADER_BYTES
                     ? STATUS_CORRUPT
                     : get(reader, at, COMMIT_HEADER_BYTES, &bytes, error);
        if (status == STATUS_OK) {
            sum = commits_checksum_add(sum, bytes);
            status = commit_header_load(bytes, &group_out->commits[i]);
        }
        if (status == STATUS_OK && commit_bytes(&group_out->commits[i]) > end - at) {
            status = STATUS_CORRUPT;
        }
        if (status != STATUS_OK) {
            return status;
        }
        at += commit_bytes(&group_out->commits[i]);
    }
    group_out->offset = offset;
    return at == end && sum == header->commits_checksum ? STATUS_OK : STATUS_CORRUPT;
}

enum status log_reader_meta(struct log_reader *reader, const struct commit_header *commit,
                            uint64_t offset, struct slice *meta_out, struct error *error) {
    struct slice meta;
    enum status status =
        get(reader, offset + COMMIT_HEADER_BYTES, commit->meta_bytes, &meta, error);

    if (status == STATUS_OK && !commit_meta_matches(commit, meta, reader->seed, offset)) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        *meta_out = meta;
    }
    return status;
}

/* ---- verifying ---- */

static enum status verify_value(struct log_reader *reader, const struct batch_op *op,
                                uint64_t values_offset, struct compression *compression,
                                struct error *error) {
    struct slice raw;
    enum status status;

    if (op->raw_bytes > VALUE_BYTES_MAX || op->stored_bytes > VALUE_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    status = get(reader, values_offset + op->values_offset, op->stored_bytes, &raw, error);
    if (status == STATUS_OK && op->compressed) {
        buffer_clear(&reader->raw);
        status = buffer_reserve(&reader->raw, op->raw_bytes);
        if (status == STATUS_OK) {
            status = compression_decompress(compression, raw, reader->raw.data, op->raw_bytes);
        }
        raw = slice_make(reader->raw.data, op->raw_bytes);
        if (status == STATUS_NO_MEMORY) {
            error_set(error, status, 0, reader->direct.path, values_offset, "decompress a value");
        }
    }
    if (status == STATUS_OK && checksum_of(raw) != op->checksum) {
        status = STATUS_CORRUPT;
    }
    return status;
}

static enum status verify_commit(struct log_reader *reader, const struct commit_header *commit,
                                 uint64_t offset, struct compression *compression,
                                 struct error *error) {
    uint64_t values_offset = offset + COMMIT_HEADER_BYTES + commit->meta_bytes;
    struct slice meta;
    struct reader ops;
    struct batch_op op;
    uint32_t op_count = 0;
    enum status status = log_reader_meta(reader, commit, offset, &meta, error);

    if (status != STATUS_OK) {
        return status;
    }
    buffer_clear(&reader->meta);
    status = buffer_append(&reader->meta, meta.ptr, meta.len);
    if (status != STATUS_OK) {
        return error_set(error, status, 0, reader->direct.path, offset, "room for a commit");
    }
    ops = reader_make(buffer_slice(&reader->meta));
    while ((status = batch_take(&ops, commit->values_bytes, &op)) == STATUS_OK) {
        op_count++;
        if (op.extent) {
            status = STATUS_CORRUPT; /* only commit segments are verified so; they have none */
        } else if (batch_op_has_value(&op)) {
            status = verify_value(reader, &op, values_offset, compression, error);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (status != STATUS_END) {
        return status;
    }
    return op_count == commit->op_count ? STATUS_OK : STATUS_CORRUPT;
}

enum status log_reader_verify_group(struct log_reader *reader, const struct log_group *group,
                                    struct compression *compression, struct error *error) {
    uint64_t offset = group->offset + GROUP_HEADER_BYTES;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < group->header.commit_count && status == STATUS_OK; i++) {
        status = verify_commit(reader, &group->commits[i], offset, compression, error);
        offset += commit_bytes(&group->commits[i]);
    }
    return status;
}

/* ---- searching ---- */

/* The first place at or after `from` in `bytes` where a group header may begin; its length if
 * none. The last bytes, too few for a header, are left to the next piece. */
static size_t find_candidate(struct slice bytes, size_t from) {
    size_t last = bytes.len - GROUP_HEADER_BYTES;

    while (from <= last) {
        const uint8_t *hit = memchr(bytes.ptr + from, (int)(GROUP_MAGIC & 0xFF), last - from + 1);
        if (!hit) {
            break;
        }
        from = (size_t)(hit - bytes.ptr);
        if (group_header_maybe(slice_make(hit, bytes.len - from))) {
            return from;
        }
        from++;
    }
    return bytes.len;
}

static void search_piece(const struct log_reader *reader, struct slice bytes, uint64_t offset,
                         log_reader_group_cb group_cb, void *arg) {
    struct group_header header;
    size_t at = find_candidate(bytes, 0);

    while (at < bytes.len) {
        struct slice rest = slice_make(bytes.ptr + at, bytes.len - at);
        if (group_header_load(rest, reader->seed, offset + at, &header) == STATUS_OK &&
            belongs(reader, &header)) {
            group_cb(arg, offset + at, &header);
        }
        at = find_candidate(bytes, at + 1);
    }
}

enum status log_reader_search(struct log_reader *reader, uint64_t offset,
                              log_reader_group_cb group_cb, void *arg, struct error *error) {
    while (offset < reader->limit_bytes && reader->limit_bytes - offset >= GROUP_HEADER_BYTES) {
        uint64_t left = reader->limit_bytes - offset;
        uint64_t piece = left < DIRECT_WINDOW_BYTES / 2 ? left : DIRECT_WINDOW_BYTES / 2;
        struct slice bytes;
        enum status status = get(reader, offset, piece, &bytes, error);
        if (status != STATUS_OK) {
            return status;
        }
        search_piece(reader, bytes, offset, group_cb, arg);
        offset += piece - (GROUP_HEADER_BYTES - 1);
    }
    return STATUS_OK;
}
