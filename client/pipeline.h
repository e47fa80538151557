/* pipeline.h: for calls of the library that keep requests on their way: queued as those of a
 * pipeline of the user's are, and their results read with kvd_pipeline_next. */
#ifndef KVD_CLIENT_PIPELINE_H
#define KVD_CLIENT_PIPELINE_H

#include "client/connection.h"

/* Queues a request of any opcode. Errors: as kvd_pipeline_ping. */
enum kvd_status pipeline_queue(struct kvd *db, struct wire_request *request) MUST_CHECK;

#endif
