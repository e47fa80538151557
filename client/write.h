/* write.h: how writes become requests; for the calls that write and for pipeline.c. */
#ifndef KVD_CLIENT_WRITE_H
#define KVD_CLIENT_WRITE_H

#include "client/connection.h"

/* Borrows key and value. */
struct wire_request write_put_request(const struct kvd *db, struct kvd_bytes key,
                                      struct kvd_bytes value,
                                      const struct kvd_write_options *options);

struct wire_request write_range_request(const struct kvd *db, struct kvd_bytes from,
                                        struct kvd_bytes to,
                                        const struct kvd_write_options *options);

/* Of any write that has one key, and perhaps bytes. */
struct wire_request write_key_request(const struct kvd *db, uint16_t opcode, struct kvd_bytes key,
                                      struct kvd_bytes bytes,
                                      const struct kvd_write_options *options);

/* Sends a request that is not part of a pipeline; *response_out borrows until the next call. */
enum status write_call(struct kvd *db, struct wire_request *request,
                       struct wire_response *response_out) MUST_CHECK;

#endif
