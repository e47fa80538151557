/* trace.h: where the time of one request goes, written down as it goes along.
 *
 *      trace_begin -> trace_phase ... trace_phase -> trace_sample
 *
 * Times are of uv_hrtime. It is of whichever thread has the request. Pure. */
#ifndef KVD_SERVER_TRACE_H
#define KVD_SERVER_TRACE_H

#include "server/latency.h"

struct trace {
    uint64_t read_ns; /* when its bytes were there */
    uint64_t mark_ns; /* when the phase before ended */
    uint64_t phase_ns[LATENCY_PHASES];
};

/* Its bytes were there at `read_ns`, and now it is executed. */
void trace_begin(struct trace *trace, uint64_t read_ns, uint64_t now_ns);

/* What was since the mark belongs to `phase`. A clock of another loop's turn may be a little
 * behind: that is no time. */
void trace_phase(struct trace *trace, enum latency_phase phase, uint64_t now_ns);

/* What was since the mark belongs to no phase. */
void trace_skip(struct trace *trace, uint64_t now_ns);

/* What was since the mark is no time of the request at all: it waited for what was to come. */
void trace_pause(struct trace *trace, uint64_t now_ns);

/* All of it, in microseconds, when it has ended at `now_ns`. */
void trace_sample(const struct trace *trace, uint64_t now_ns, struct latency_sample *sample_out);

#endif
