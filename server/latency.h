/* latency.h: how long requests took: a histogram for each command.
 *
 * Each loop has a struct latency of its own: one thread writes it, anybody adds them all up, as
 * with metrics.h. There is one for the whole life of the server, and one for the last one to two
 * minutes, which is two that take turns: `recent` is their sum, and the older is emptied when the
 * younger is a minute old.
 *
 * Buckets are log-linear: microseconds 0 to 15 have one each, and every power of two above has 16,
 * so a bucket is at most 1/16 wide of what it holds. What is above a minute is in the last one; the
 * greatest is also known by itself.
 *
 *      bucket   0 ... 15 | 16 17 ... 31 | 32 33 ... 47 | ...
 *      us       0 ... 15 | 16 17 ... 31 | 32 34 ... 62 | ...
 *
 * Clock: times are of the monotonic clock, taken once a burst of requests (loop_clock_ns), not once
 * a request. A request's time begins with the poll that found its last bytes, or the end of the
 * burst before it in that poll, and ends with the burst that it was answered in, or when the loop
 * took its answer back from another thread. So it is exact to the length of a burst: some
 * microseconds, and under load as much as the client itself sees. */
#ifndef KVD_SERVER_LATENCY_H
#define KVD_SERVER_LATENCY_H

#include "server/metrics.h"

#include <stddef.h>

#define LATENCY_SUB_BITS 4u
#define LATENCY_SUBS (1u << LATENCY_SUB_BITS) /* buckets of a power of two */
#define LATENCY_US_BITS 26u                   /* 67 s: no limit of a request is above */
#define LATENCY_BUCKETS (LATENCY_SUBS * (LATENCY_US_BITS - LATENCY_SUB_BITS + 1u))
#define LATENCY_RECENT_MS 60000u

/* Commands are numbered as their counts of requests are, which stand last in METRICS_LIST. */
#define LATENCY_COMMANDS ((uint32_t)METRIC_COUNT - (uint32_t)METRIC_REQUESTS_HELLO)

static inline uint32_t latency_command(enum metric metric) {
    return (uint32_t)metric - (uint32_t)METRIC_REQUESTS_HELLO;
}

/* Where the time of a request went. What is in none of them is its way between threads. */
enum latency_phase {
    LATENCY_WAITED,    /* its bytes, for requests of the same connection before it */
    LATENCY_QUEUED,    /* for a free I/O thread */
    LATENCY_WORKED,    /* on its loop or an I/O thread */
    LATENCY_COMMITTED, /* from its loop until it was visible, and as durable as asked for */
    LATENCY_HELD,      /* its answer, until what it had read was durable */
    LATENCY_PHASES
};

enum latency_window { LATENCY_ALL, LATENCY_RECENT };

/* How long one request took. */
struct latency_sample {
    uint64_t total_us;
    uint64_t phase_us[LATENCY_PHASES];
};

struct latency_histogram {
    _Atomic uint64_t counts[LATENCY_BUCKETS]; /* relaxed, as all here; one writer */
    _Atomic uint64_t sum_us;
    _Atomic uint64_t max_us;
    _Atomic uint64_t phase_us[LATENCY_PHASES]; /* sums */
};

struct latency_set {
    struct latency_histogram commands[LATENCY_COMMANDS];
};

struct latency {
    struct latency_set all;
    struct latency_set recent[2];
    uint32_t younger;   /* of `recent`; the writer's */
    uint64_t turned_ms; /* when it began; the writer's */
};

/* A sum, read at one time. */
struct latency_view {
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t count;
    uint64_t sum_us;
    uint64_t max_us;
    uint64_t phase_us[LATENCY_PHASES];
};

/* --- its one writer's thread */

/* Adds `times` requests that took the same. */
void latency_add(struct latency *latency, uint32_t command, const struct latency_sample *sample,
                 uint64_t times);

/* Empties the older of the recent two, if it is time. `now_ms` is monotonic. */
void latency_turn(struct latency *latency, uint64_t now_ms);

/* --- any thread */

/* "get". Static storage. */
const char *latency_command_name(uint32_t command);

/* "commit". Static storage. */
const char *latency_phase_name(enum latency_phase phase);

/* The sum of one command over those of `count` loops that are not NULL. While they are written to,
 * a request may be in one figure and not yet in another; view->count is always that of the buckets.
 */
void latency_collect(struct latency *const *all, uint32_t count, uint32_t command,
                     enum latency_window window, struct latency_view *view_out);

/* Microseconds that `of_100000` of 100000 requests did not exceed (99900: p99.9): the upper end of
 * the bucket, at most the greatest; 0 when there were none. */
uint64_t latency_percentile_us(const struct latency_view *view, uint32_t of_100000);

/* The bucket of a time, and the greatest time of a bucket; of the last one UINT64_MAX. */
uint32_t latency_bucket(uint64_t us);
uint64_t latency_bucket_top_us(uint32_t bucket);

/* Lines for STATS, of the commands that there were: latency_get_count, _p50_us, _p99_us, _p999_us,
 * _max_us; and latency_get_recent_count and so on, of those that there were of late. */
void latency_lines(struct latency *const *all, uint32_t count,
                   void (*line_cb)(void *arg, const char *name, uint64_t value), void *arg);

#endif
