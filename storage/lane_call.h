/* lane_call.h: runs a function in a lane of the scheduler and waits for it.
 *
 * For threads that may wait: of tools, or of the I/O lane while it asks for another one. The
 * deterministic scheduler has no threads: it is drained (`drain`), which runs the function. */
#ifndef KVD_STORAGE_LANE_CALL_H
#define KVD_STORAGE_LANE_CALL_H

#include "storage/scheduler.h"

/* Returns when run_cb(arg) has returned in the lane. */
void lane_call(struct scheduler *scheduler, enum lane lane, bool drain, void (*run_cb)(void *arg),
               void *arg);

#endif
