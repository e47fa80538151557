/* observe.c: see observe.h. */
#include "server/observe.h"

#include "protocol/base/assert.h"
#include "server/dispatch.h"

void observe_back(struct reply *reply, uint64_t now_ns) {
    switch (reply->phase) {
    case REPLY_IN_COMMIT:
        trace_phase(&reply->trace, LATENCY_COMMITTED, now_ns);
        return;
    case REPLY_HELD:
        trace_phase(&reply->trace, LATENCY_HELD, now_ns);
        return;
    case REPLY_WAITING:
        trace_pause(&reply->trace, now_ns);
        return;
    case REPLY_IN_TASK:
    case REPLY_DONE:
        trace_skip(&reply->trace, now_ns);
        return;
    }
    ASSERT(false);
}

void observe_done(struct loop *loop, const struct reply *reply, uint64_t now_ns) {
    const struct command *command = dispatch_find(reply->opcode);
    struct latency_sample sample;

    if (command) { /* else no request: it freed uploads */
        trace_sample(&reply->trace, now_ns, &sample);
        latency_add(loop->latency, latency_command(command->metric), &sample, 1);
    }
}

void observe_burst(struct loop *loop, uint64_t read_ns) {
    (void)burst_end(&loop->burst, loop->latency, read_ns, loop_clock_tick(loop));
}
