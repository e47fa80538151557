/* why_slow.h: where the time of recent requests went, in words that a person can act on.
 *
 * Lines come in this order: one that sums up; one for each of the busiest commands ("command"); and
 * what stands out ("finding"), the worst first, each with what helps. Pure but for its inputs. */
#ifndef KVD_SERVER_WHY_SLOW_H
#define KVD_SERVER_WHY_SLOW_H

#include "server/figures.h"
#include "server/latency.h"

#define WHY_SLOW_COMMANDS_MAX 8u /* told of; those that took most time in all */
#define WHY_SLOW_TEXT_MAX 512u

/* `us`: microseconds that it is about, in all; 0 if it has none. */
typedef void (*why_slow_cb)(void *arg, const char *kind, const char *text, uint64_t us);

struct why_slow_input {
    struct latency *const *latencies; /* of the loops; NULL where there is none */
    uint32_t latency_count;
    struct figures growth; /* of the last minute or so: figures_subtract */
    uint64_t client_memory_bytes;
    uint64_t client_memory_limit_bytes;
};

void why_slow(const struct why_slow_input *input, why_slow_cb line_cb, void *arg);

#endif
