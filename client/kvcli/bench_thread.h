/* bench_thread.h: one thread of a benchmark: drives its connections by epoll until its share of the
 * work is done. All fields belong to the thread while it runs, and to the starter before and after.
 */
#ifndef KVCLI_BENCH_THREAD_H
#define KVCLI_BENCH_THREAD_H

#include "client/kvcli/bench_connection.h"
#include "client/kvcli/bench_keys.h"
#include "client/kvcli/bench_watch.h"

#include <pthread.h>

struct bench_thread {
    const struct bench_plan *plan;        /* borrowed */
    const struct bench_keys *keys;        /* borrowed */
    struct bench_inserts *inserts;        /* borrowed, shared */
    struct bench_watch *watch;            /* borrowed, shared */
    struct bench_connection *connections; /* borrowed: connection_count of all */
    uint64_t connection_count;

    bool loads;           /* puts of each key from load_next to load_end, instead of a mix */
    uint64_t load_next;   /* index in the order of loading */
    uint64_t quota_left;  /* requests still to be sent; UINT64_MAX: until deadline_ns */
    uint64_t deadline_ns; /* no window starts after it; 0 none */
    uint64_t window_ns; /* with a rate: from the start of one window of a connection to the next */

    struct bench_random random;
    struct bench_counts *counts; /* borrowed */
    enum status status;          /* how it ended */
    int os_errno;
    pthread_t id;
};

/* The body of the thread; `arg` is its struct bench_thread. */
void *bench_thread_main(void *arg);

#endif
