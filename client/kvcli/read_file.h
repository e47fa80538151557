/* read_file.h: a file, or standard input, read whole into a buffer with a limit. */
#ifndef KVCLI_READ_FILE_H
#define KVCLI_READ_FILE_H

#include "protocol/base/buffer.h"

/* Appends all that `fd` still has. Errors: TOO_LARGE beyond the buffer's cap, IO (errno tells why),
 * NO_MEMORY. */
enum status read_file_all(int fd, struct buffer *buffer) MUST_CHECK;

/* Appends until the buffer's cap is reached (OK) or the file ends (END). Errors: IO (errno tells
 * why), NO_MEMORY. */
enum status read_file_fill(int fd, struct buffer *buffer) MUST_CHECK;

#endif
