/* observe.h: what is written down of a request when its answer is ready. The loop's thread only. */
#ifndef KVD_SERVER_OBSERVE_H
#define KVD_SERVER_OBSERVE_H

#include "server/dispatch.h"
#include "server/loop.h"
#include "server/session.h"

/* Samples keys of a request of `command`, which names `count`. */
void observe_samples(struct loop *loop, const struct command *command,
                     const struct wire_request *request, uint32_t count);

/* A request of `command` is executed: now and then a key of it is sampled. */
static inline void observe_keys(struct loop *loop, const struct command *command,
                                const struct wire_request *request) {
    uint32_t count = request->key.len > 0 ? 1 : request->list.count;

    if (count < loop->keys_to_sample) {
        loop->keys_to_sample -= count;
    } else {
        observe_samples(loop, command, request, count);
    }
}

/* A reply has come back from another thread, at `now_ns`: what it was there for has ended. Before
 * anything else is done with it. */
void observe_back(struct reply *reply, uint64_t now_ns);

/* A request goes to another thread: what the slow log says of it, while its bytes are there. */
void observe_note(struct slow_note *note, const struct wire_request *request, size_t frame_bytes);

/* A reply of the client is done. */
void observe_done(struct loop *loop, const struct session *session, const struct reply *reply,
                  uint64_t now_ns);

/* The requests answered in place by a burst that began with burst_begin. Their bytes were there at
 * `read_ns`. */
void observe_burst(struct loop *loop, const struct session *session, uint64_t read_ns);

#endif
