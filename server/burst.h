/* burst.h: the requests that one burst of a loop has answered in place.
 *
 * They are counted here while the burst runs, and go to the histograms with one look at the clock
 * at its end. The loop's thread only. */
#ifndef KVD_SERVER_BURST_H
#define KVD_SERVER_BURST_H

#include "protocol/base/slice.h"
#include "server/trace.h"

struct burst {
    uint64_t began_ns;
    struct slice first; /* the frame of the first of them; of the bytes that are executed */
    uint32_t kinds;     /* of commands in `commands` */
    uint8_t commands[LATENCY_COMMANDS]; /* the first `kinds` are those that were counted */
    uint32_t counts[LATENCY_COMMANDS];  /* by command; 0 outside a burst */
};

_Static_assert(LATENCY_COMMANDS <= UINT8_MAX, "a command's number fits a byte");

static inline void burst_begin(struct burst *burst, uint64_t now_ns) {
    burst->began_ns = now_ns;
}

/* One more request of `command`, with this frame, is answered. */
static inline void burst_add(struct burst *burst, uint32_t command, struct slice frame) {
    if (burst->kinds == 0) {
        burst->first = frame;
    }
    if (burst->counts[command]++ == 0) {
        burst->commands[burst->kinds++] = (uint8_t)command;
    }
}

/* Adds them all to the histograms; their bytes were there at `read_ns`. Returns how many; if there
 * were any, *sample_out is how long each took. */
uint32_t burst_end(struct burst *burst, struct latency *latency, uint64_t read_ns, uint64_t now_ns,
                   struct latency_sample *sample_out);

#endif
