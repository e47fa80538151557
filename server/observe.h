/* observe.h: what is written down of a request when its answer is ready. The loop's thread only. */
#ifndef KVD_SERVER_OBSERVE_H
#define KVD_SERVER_OBSERVE_H

#include "server/loop.h"

/* A reply has come back from another thread, at `now_ns`: what it was there for has ended. Before
 * anything else is done with it. */
void observe_back(struct reply *reply, uint64_t now_ns);

/* A reply is done. */
void observe_done(struct loop *loop, const struct reply *reply, uint64_t now_ns);

/* The requests answered in place by a burst that began with burst_begin. Their bytes were there at
 * `read_ns`. */
void observe_burst(struct loop *loop, uint64_t read_ns);

#endif
