/* segment.c: see segment.h. */
#include "storage/segment.h"

#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "storage/file_name.h"

struct segment {
    struct env_file *file;           /* owned */
    struct compression *compression; /* borrowed */
    struct segment_header header;
    char path[]; /* for error details */
};

/* ---- open, close ---- */

static struct segment *segment_new(const struct segment_source *source, const char *path) {
    size_t path_bytes = strlen(path) + 1;
    struct segment *segment = memory_alloc_zeroed(sizeof *segment + path_bytes);

    if (segment) {
        segment->compression = source->compression;
        memcpy(segment->path, path, path_bytes);
    }
    return segment;
}

static enum status check_header(struct segment *segment, const struct segment_source *source,
                                uint64_t number, struct error *error) {
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    size_t got = 0;
    enum status status = env_read(segment->file, 0, bytes, sizeof bytes, &got, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = segment_header_load(slice_make(bytes, got), &segment->header);
    if (status != STATUS_OK) {
        return error_set(error, status, 0, segment->path, 0,
                         status == STATUS_CORRUPT ? "segment header is damaged"
                                                  : "segment has features unknown to this version");
    }
    if (segment->header.number != number) {
        return error_set(error, STATUS_CORRUPT, 0, segment->path, 0,
                         "the file is segment %llu under another name",
                         (unsigned long long)segment->header.number);
    }
    if (memcmp(segment->header.store_id, source->store_id, STORE_ID_BYTES) != 0) {
        return error_set(error, STATUS_CORRUPT, 0, segment->path, 0,
                         "the segment belongs to another store");
    }
    return STATUS_OK;
}

enum status segment_open(const struct segment_source *source, uint64_t number,
                         struct segment **segment_out, struct error *error) {
    char path[ENV_PATH_MAX];
    struct segment *segment;
    enum status status = file_path_make(source->dir, FILE_SEGMENT, number, path);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, source->dir, ERROR_NO_OFFSET, "path is too long");
    }
    segment = segment_new(source, path);
    if (!segment) {
        return error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "open a segment");
    }
    status = env_open(source->env, path, ENV_READ_CACHED, &segment->file, error);
    if (status == STATUS_NOT_FOUND) { /* which would read as: no such key */
        status = error_set(error, STATUS_CORRUPT, 0, path, ERROR_NO_OFFSET,
                           "a segment that values lie in is missing");
    }
    if (status == STATUS_OK) {
        status = check_header(segment, source, number, error);
    }
    if (status != STATUS_OK) {
        segment_close(segment);
        return status;
    }
    *segment_out = segment;
    return STATUS_OK;
}

void segment_close(struct segment *segment) {
    if (!segment) {
        return;
    }
    if (segment->file) {
        (void)env_file_close(segment->file, NULL); /* was only read */
    }
    memory_free(segment);
}

const struct segment_header *segment_header(const struct segment *segment) {
    return &segment->header;
}

/* ---- reading ---- */

enum status segment_fail(const struct segment *segment, enum status status, uint64_t offset,
                         const char *what, struct error *error) {
    return error_set(error, status, 0, segment->path, offset, "%s", what);
}

static enum status corrupt(const struct segment *segment, const struct value_ref *ref,
                           struct error *error, const char *what) {
    return segment_fail(segment, STATUS_CORRUPT, ref->offset, what, error);
}

static enum status check_ref(const struct segment *segment, const struct value_ref *ref,
                             struct error *error) {
    ASSERT(ref->segment == segment->header.number);
    if (ref->offset < SEGMENT_HEADER_BYTES || ref->offset > UINT64_MAX / 2) {
        return corrupt(segment, ref, error, "reference to a value outside of the segment");
    }
    if (ref->stored_bytes > VALUE_BYTES_MAX || ref->raw_bytes > VALUE_BYTES_MAX) {
        return corrupt(segment, ref, error, "reference to a value longer than any can be");
    }
    if (!ref->compressed && ref->stored_bytes != ref->raw_bytes) {
        return corrupt(segment, ref, error, "reference with two lengths");
    }
    return STATUS_OK;
}

enum status segment_read_bytes(struct segment *segment, uint64_t offset, size_t len,
                               enum read_wait wait, uint8_t *out, struct error *error) {
    size_t got = 0;
    enum status status;

    if (len == 0) {
        return STATUS_OK;
    }
    if (wait == READ_WAIT_NEVER) {
        return env_read_nowait(segment->file, offset, out, len, error);
    }
    status = env_read(segment->file, offset, out, len, &got, error);
    if (status == STATUS_OK && got != len) {
        return error_set(error, STATUS_CORRUPT, 0, segment->path, offset,
                         "the segment ends before what was sought in it does");
    }
    return status;
}

static enum status read_stored(struct segment *segment, const struct value_ref *ref,
                               enum read_wait wait, uint8_t *out, struct error *error) {
    return segment_read_bytes(segment, ref->offset, ref->stored_bytes, wait, out, error);
}

static enum status read_compressed(struct segment *segment, const struct value_ref *ref,
                                   enum read_wait wait, uint8_t *raw_out, struct buffer *scratch,
                                   struct error *error) {
    enum status status;

    buffer_clear(scratch);
    status = buffer_reserve(scratch, ref->stored_bytes);
    if (status != STATUS_OK) {
        return error_set(error, STATUS_NO_MEMORY, 0, segment->path, ref->offset,
                         "room for a compressed value");
    }
    status = read_stored(segment, ref, wait, scratch->data, error);
    if (status != STATUS_OK) {
        return status;
    }
    status =
        compression_decompress(segment->compression, slice_make(scratch->data, ref->stored_bytes),
                               raw_out, ref->raw_bytes);
    if (status == STATUS_CORRUPT) {
        return corrupt(segment, ref, error, "the value does not decompress");
    }
    if (status != STATUS_OK) {
        return error_set(error, status, 0, segment->path, ref->offset, "decompress a value");
    }
    return STATUS_OK;
}

enum status segment_read_value(struct segment *segment, const struct value_ref *ref,
                               enum read_wait wait, uint8_t *raw_out, struct buffer *scratch,
                               struct error *error) {
    enum status status = check_ref(segment, ref, error);

    if (status == STATUS_OK) {
        status = ref->compressed ? read_compressed(segment, ref, wait, raw_out, scratch, error)
                                 : read_stored(segment, ref, wait, raw_out, error);
    }
    if (status == STATUS_OK && checksum_of(slice_make(raw_out, ref->raw_bytes)) != ref->checksum) {
        return corrupt(segment, ref, error, "checksum of a value differs");
    }
    return status;
}
