/* line_reader.h: the lines of a file or pipe, one after another, in bounded memory. */
#ifndef KVCLI_LINE_READER_H
#define KVCLI_LINE_READER_H

#include "protocol/base/buffer.h"

struct line_reader {
    int fd; /* borrowed */
    struct buffer bytes;
    size_t taken;    /* of bytes, by lines handed out */
    uint64_t number; /* of the line handed out last, from 1 */
    uint64_t offset; /* bytes of all lines handed out */
    bool at_end;
};

void line_reader_init(struct line_reader *reader, int fd, size_t line_bytes_max);
void line_reader_deinit(struct line_reader *reader);

/* The next line without its '\n'; its bytes may be changed in place, and live until the next call.
 * A last line without '\n' counts. Errors: END, IO (errno), TOO_LARGE, NO_MEMORY. */
enum status line_reader_next(struct line_reader *reader, char **line_out,
                             size_t *len_out) MUST_CHECK;

#endif
