/* bench_watch.h: what goes on beside the threads of a benchmark: a line on standard error each
 * second, if that is a terminal, and SIGINT or SIGTERM, which end the run with what it has so far.
 *
 * From init to deinit both signals are blocked in all threads and read from a descriptor; after the
 * first they are let through again, so that a second one ends the program at once. The threads are
 * woken by `stop_fd`, which becomes readable and stays so; each writes to `done_fd` as its last
 * deed. All functions belong to the thread that called init; bench_watch_is_over and
 * bench_watch_end to any. */
#ifndef KVCLI_BENCH_WATCH_H
#define KVCLI_BENCH_WATCH_H

#include "protocol/base/status.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bench_watch {
    int stop_fd; /* owned; constant after init */
    int done_fd; /* owned; constant after init */
    int signal_fd;
    bool is_shown;                       /* the line */
    sigset_t before;                     /* the signals blocked before */
    atomic_bool is_over;                 /* release and acquire */
    _Alignas(64) _Atomic uint64_t count; /* requests answered in this phase; relaxed */
};

/* Errors: IO, with errno; *watch may be deinitialised in any case. */
enum status bench_watch_init(struct bench_watch *watch) MUST_CHECK;
void bench_watch_deinit(struct bench_watch *watch);

/* Whether the threads are to begin nothing more. */
static inline bool bench_watch_is_over(const struct bench_watch *watch) {
    return atomic_load_explicit(&watch->is_over, memory_order_acquire);
}

/* A thread has answered so many requests more. */
static inline void bench_watch_count(struct bench_watch *watch, uint64_t answered) {
    (void)atomic_fetch_add_explicit(&watch->count, answered, memory_order_relaxed);
}

/* A thread ends. */
void bench_watch_end(const struct bench_watch *watch);

/* Waits until `threads` threads have ended, and shows meanwhile how far `phase` is: of `requests`,
 * or of `duration_ms` (0: the other one). */
void bench_watch_wait(struct bench_watch *watch, const char *phase, uint64_t threads,
                      uint64_t requests, uint64_t duration_ms);

#endif
