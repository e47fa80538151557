/* line_reader.c: lines of a file. See line_reader.h. */
#include "client/kvcli/line_reader.h"

#include <errno.h>
#include <unistd.h>

#define READ_BYTES ((size_t)128 * 1024)

void line_reader_init(struct line_reader *reader, int fd, size_t line_bytes_max) {
    *reader = (struct line_reader){.fd = fd};
    buffer_init(&reader->bytes, line_bytes_max);
}

void line_reader_deinit(struct line_reader *reader) {
    buffer_deinit(&reader->bytes);
}

/* Reads more behind what is there. */
static enum status fill(struct line_reader *reader) {
    size_t left = reader->bytes.cap - reader->bytes.len;
    size_t want = left < READ_BYTES ? left : READ_BYTES;
    size_t mark = buffer_mark(&reader->bytes);
    uint8_t *start;
    enum status status = want ? buffer_extend(&reader->bytes, want, &start) : STATUS_TOO_LARGE;
    ssize_t taken;

    if (status != STATUS_OK) {
        return status;
    }
    do {
        taken = read(reader->fd, start, want);
    } while (taken < 0 && errno == EINTR);
    buffer_rollback(&reader->bytes, mark + (taken > 0 ? (size_t)taken : 0));
    reader->at_end = taken == 0;
    return taken < 0 ? STATUS_IO : STATUS_OK;
}

static void hand_out(struct line_reader *reader, size_t len, size_t end_len, char **line_out,
                     size_t *len_out) {
    *line_out = (char *)reader->bytes.data + reader->taken;
    *len_out = len;
    reader->taken += len + end_len;
    reader->offset += len + end_len;
    reader->number++;
}

enum status line_reader_next(struct line_reader *reader, char **line_out, size_t *len_out) {
    size_t searched = 0;

    for (;;) {
        const uint8_t *line = reader->bytes.data + reader->taken;
        size_t left = reader->bytes.len - reader->taken;
        const uint8_t *end =
            left > searched ? memchr(line + searched, '\n', left - searched) : NULL;
        enum status status;
        if (end) {
            hand_out(reader, (size_t)(end - line), 1, line_out, len_out);
            return STATUS_OK;
        }
        if (reader->at_end && left == 0) {
            return STATUS_END;
        }
        if (reader->at_end) {
            hand_out(reader, left, 0, line_out, len_out);
            return STATUS_OK;
        }
        buffer_consume(&reader->bytes, reader->taken);
        reader->taken = 0;
        searched = left;
        status = fill(reader);
        if (status != STATUS_OK) {
            return status;
        }
    }
}
