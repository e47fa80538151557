/* put_value.h: the value of a put or an append, from wherever the command line says. */
#ifndef KVCLI_PUT_VALUE_H
#define KVCLI_PUT_VALUE_H

#include "client/kvcli/cli.h"
#include "protocol/base/buffer.h"

/* Whether the command line says once where the value comes from. Returns CLI_DONE or prints. */
int put_value_check(const struct cli *cli);

/* The value; `buffer` (zeroed before, the caller's to deinit) holds it if it was read. It must fit
 * value_max. Connected before. Returns the exit code. */
int put_value_find(struct cli *cli, struct buffer *buffer, struct kvd_bytes *value_out);

/* Puts the value, of any length: a long one is uploaded in pieces. Returns the exit code. */
int put_value_store(struct cli *cli, struct kvd_bytes key, const struct kvd_write_options *write,
                    uint64_t *version_out);

#endif
