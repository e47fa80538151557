/* read_file.c: a whole file in a buffer. See read_file.h. */
#include "client/kvcli/read_file.h"

#include <errno.h>
#include <unistd.h>

#define READ_FILE_CHUNK_BYTES ((size_t)64 * 1024)

static enum status read_some(int fd, void *start, size_t bytes, size_t *taken_out) {
    ssize_t taken = read(fd, start, bytes);

    while (taken < 0 && errno == EINTR) {
        taken = read(fd, start, bytes);
    }
    if (taken < 0) {
        return STATUS_IO;
    }
    *taken_out = (size_t)taken;
    return STATUS_OK;
}

enum status read_file_fill(int fd, struct buffer *buffer) {
    while (buffer->len < buffer->cap) {
        size_t mark = buffer_mark(buffer);
        size_t left = buffer->cap - buffer->len;
        size_t want = left < READ_FILE_CHUNK_BYTES ? left : READ_FILE_CHUNK_BYTES;
        size_t taken = 0;
        uint8_t *start;
        enum status status = buffer_extend(buffer, want, &start);

        if (status == STATUS_OK) {
            status = read_some(fd, start, want, &taken);
        }
        buffer_rollback(buffer, mark + taken);
        if (status != STATUS_OK) {
            return status;
        }
        if (taken == 0) {
            return STATUS_END;
        }
    }
    return STATUS_OK;
}

enum status read_file_all(int fd, struct buffer *buffer) {
    enum status status = read_file_fill(fd, buffer);
    size_t taken = 0;
    uint8_t probe; /* at the cap: one byte more is one too many */

    if (status == STATUS_OK) {
        status = read_some(fd, &probe, 1, &taken);
        return status == STATUS_OK && taken > 0 ? STATUS_TOO_LARGE : status;
    }
    return status == STATUS_END ? STATUS_OK : status;
}
