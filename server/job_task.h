/* job_task.h: jobs of a connection on I/O threads.
 *
 * A job has its connection's uploads and an empty commit. What comes back is an answer, or a filled
 * commit (reply->filled), which its loop submits. */
#ifndef KVD_SERVER_JOB_TASK_H
#define KVD_SERVER_JOB_TASK_H

#include "server/dispatch.h"
#include "server/reply_queue.h"

#define JOB_TRIES_MAX 8u /* while others write what it has read */

/* Runs on an I/O thread for `reply`, whose frame, agreed, service, deadline, uploads, fresh_id and
 * empty commit are set; with opcode 0 it only frees uploads. The reply comes back by its message
 * and must not be touched until then, but for `cancelled`. */
void job_task_post(struct reply *reply);

#endif
