/* burst.h: the requests that one burst of a loop has answered in place.
 *
 * They are counted here while the burst runs, and go to the histograms with one look at the clock
 * at its end. The loop's thread only. */
#ifndef KVD_SERVER_BURST_H
#define KVD_SERVER_BURST_H

#include "server/latency.h"

struct burst {
    uint64_t began_ns;
    uint32_t kinds;                     /* of commands in `commands` */
    uint8_t commands[LATENCY_COMMANDS]; /* the first `kinds` are those that were counted */
    uint32_t counts[LATENCY_COMMANDS];  /* by command; 0 outside a burst */
};

_Static_assert(LATENCY_COMMANDS <= UINT8_MAX, "a command's number fits a byte");

static inline void burst_begin(struct burst *burst, uint64_t now_ns) {
    burst->began_ns = now_ns;
}

/* One more request of `command` is answered. */
static inline void burst_add(struct burst *burst, uint32_t command) {
    if (burst->counts[command]++ == 0) {
        burst->commands[burst->kinds++] = (uint8_t)command;
    }
}

/* Adds them all to the histograms; their bytes were there at `read_ns`. Returns how many. */
uint32_t burst_end(struct burst *burst, struct latency *latency, uint64_t read_ns, uint64_t now_ns);

#endif
