/* batch.h: writes collected for one commit, as the bytes of a BATCH's list. */
#ifndef KVD_CLIENT_BATCH_H
#define KVD_CLIENT_BATCH_H

#include "client/connection.h"

struct kvd_batch {
    struct buffer items; /* owned; what wire_list_add_item wrote */
    uint32_t count;
    size_t bytes; /* of keys and values */
};

/* The request that commits it; borrows from the batch. */
struct wire_request batch_request(const struct kvd *db, const struct kvd_batch *batch,
                                  const struct kvd_write_options *options);

#endif
