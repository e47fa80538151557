/* burst.c: see burst.h. */
#include "server/burst.h"

uint32_t burst_end(struct burst *burst, struct latency *latency, uint64_t read_ns, uint64_t now_ns,
                   struct latency_sample *sample_out) {
    struct trace trace;
    uint32_t requests = 0;

    if (burst->kinds == 0) {
        return 0;
    }
    trace_begin(&trace, read_ns, burst->began_ns);
    trace_phase(&trace, LATENCY_WORKED, now_ns);
    trace_sample(&trace, now_ns, sample_out);
    while (burst->kinds > 0) {
        uint32_t command = burst->commands[--burst->kinds];
        latency_add(latency, command, sample_out, burst->counts[command]);
        requests += burst->counts[command];
        burst->counts[command] = 0;
    }
    return requests;
}
