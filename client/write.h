/* write.h: how a put becomes a request; for write.c and pipeline.c. */
#ifndef KVD_CLIENT_WRITE_H
#define KVD_CLIENT_WRITE_H

#include "client/connection.h"

/* Borrows key and value. */
struct wire_request write_put_request(const struct kvd *db, struct kvd_bytes key,
                                      struct kvd_bytes value,
                                      const struct kvd_write_options *options);

#endif
