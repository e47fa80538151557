/* trace.c: see trace.h. */
#include "server/trace.h"

void trace_begin(struct trace *trace, uint64_t read_ns, uint64_t now_ns) {
    *trace = (struct trace){.read_ns = read_ns, .mark_ns = read_ns};
    trace_phase(trace, LATENCY_WAITED, now_ns);
}

void trace_phase(struct trace *trace, enum latency_phase phase, uint64_t now_ns) {
    if (now_ns > trace->mark_ns) {
        trace->phase_ns[phase] += now_ns - trace->mark_ns;
        trace->mark_ns = now_ns;
    }
}

void trace_skip(struct trace *trace, uint64_t now_ns) {
    if (now_ns > trace->mark_ns) {
        trace->mark_ns = now_ns;
    }
}

void trace_pause(struct trace *trace, uint64_t now_ns) {
    if (now_ns > trace->mark_ns) {
        trace->read_ns += now_ns - trace->mark_ns;
        trace->mark_ns = now_ns;
    }
}

void trace_sample(const struct trace *trace, uint64_t now_ns, struct latency_sample *sample_out) {
    sample_out->total_us = now_ns > trace->read_ns ? (now_ns - trace->read_ns) / 1000 : 0;
    for (uint32_t phase = 0; phase < LATENCY_PHASES; phase++) {
        sample_out->phase_us[phase] = trace->phase_ns[phase] / 1000;
    }
}
