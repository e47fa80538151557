/* value_stream.h: values too long to be held in memory, from a file and to standard output. */
#ifndef KVCLI_VALUE_STREAM_H
#define KVCLI_VALUE_STREAM_H

#include "client/kvcli/cli.h"

/* What is sent: what was read already, and what a file still has. */
struct value_source {
    struct kvd_bytes head;
    int fd;           /* borrowed */
    const char *name; /* for error lines */
};

/* Uploads it, with a bar on a terminal. A source that cannot be read is printed, and CANCELLED; all
 * else is the caller's to print. */
enum kvd_status value_stream_put(struct cli *cli, struct kvd_bytes key,
                                 const struct value_source *source,
                                 const struct kvd_write_options *write, uint64_t *version_out);

/* Writes the value to standard output piece by piece. Returns the exit code. */
int value_stream_get(struct cli *cli, struct kvd_bytes key, const struct kvd_read_options *read);

#endif
