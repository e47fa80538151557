/* config_file.h: a small file read whole. */
#ifndef KVD_SERVER_CONFIG_FILE_H
#define KVD_SERVER_CONFIG_FILE_H

#include "protocol/base/buffer.h"
#include "protocol/base/error.h"

/* Appends the file to *text, up to the cap of *text. Only a regular file (or a link to one) is
 * read. Errors: NOT_FOUND, DENIED, INVALID (not a file), TOO_LARGE, IO, NO_MEMORY. */
enum status config_file_read(const char *path, struct buffer *text, struct error *error) MUST_CHECK;

#endif
