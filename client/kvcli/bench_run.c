/* bench_run.c: connections, threads and phases of a benchmark. See bench_run.h. */
#include "client/kvcli/bench_run.h"

#include "client/kvcli/bench_cpu.h"
#include "client/kvcli/bench_keys.h"
#include "client/kvcli/bench_thread.h"
#include "client/kvcli/clock.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <string.h>

struct bench {
    const struct bench_plan *plan;        /* borrowed */
    struct bench_keys keys;               /* owned */
    struct bench_inserts inserts;         /* owned; shared by the threads */
    struct bench_watch watch;             /* owned; shared by the threads */
    struct bench_connection *connections; /* owned */
    struct bench_thread *threads;         /* owned */
    struct bench_counts *counts;          /* owned; one for each thread */
};

static enum status out_of_memory(struct error *error) {
    return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "out of memory");
}

static enum status init(struct bench *bench, const struct bench_plan *plan, struct error *error) {
    enum status status = STATUS_OK;

    *bench = (struct bench){.plan = plan};
    if (bench_inserts_init(&bench->inserts, plan->key_count) != STATUS_OK) {
        return out_of_memory(error);
    }
    bench->connections = memory_alloc_array(plan->connections, sizeof *bench->connections);
    bench->threads = memory_alloc_array(plan->threads, sizeof *bench->threads);
    bench->counts = memory_alloc_array(plan->threads, sizeof *bench->counts);
    if (!bench->connections || !bench->threads || !bench->counts ||
        bench_keys_init(&bench->keys, plan) != STATUS_OK) {
        return out_of_memory(error);
    }
    for (uint64_t i = 0; i < plan->connections && status == STATUS_OK; i++) {
        status = bench_connection_open(&bench->connections[i], plan, error);
    }
    return status;
}

static void deinit(struct bench *bench) {
    for (uint64_t i = 0; bench->connections && i < bench->plan->connections; i++) {
        bench_connection_deinit(&bench->connections[i]);
    }
    memory_free(bench->connections);
    memory_free(bench->threads);
    memory_free(bench->counts);
    bench_keys_deinit(&bench->keys);
    bench_inserts_deinit(&bench->inserts);
}

/* The first of `whole` things that part `index` of `parts` has: differences are at most one. */
static uint64_t share_begin(uint64_t whole, uint64_t parts, uint64_t index) {
    return (uint64_t)((unsigned __int128)whole * index / parts);
}

static void prepare_pace(struct bench_thread *thread, uint64_t first, uint64_t now_ns) {
    const struct bench_plan *plan = thread->plan;
    double window_ns = 1e9 * (double)(plan->pipeline * plan->connections) / (double)plan->rate;

    thread->window_ns = window_ns < 1 ? 1 : (uint64_t)window_ns;
    for (uint64_t i = 0; i < thread->connection_count; i++) {
        double part = (double)(first + i) / (double)plan->connections;
        thread->connections[i].due_ns = now_ns + (uint64_t)(window_ns * part);
    }
}

static void prepare_thread(struct bench *bench, uint64_t index, bool loads, uint64_t now_ns) {
    const struct bench_plan *plan = bench->plan;
    struct bench_thread *thread = &bench->threads[index];
    uint64_t first = share_begin(plan->connections, plan->threads, index);
    uint64_t whole = loads ? plan->key_count : plan->requests;
    uint64_t begin = share_begin(whole, plan->threads, index);
    uint64_t end = share_begin(whole, plan->threads, index + 1);

    memset(&bench->counts[index], 0, sizeof bench->counts[index]);
    *thread = (struct bench_thread){
        .plan = plan,
        .keys = &bench->keys,
        .inserts = &bench->inserts,
        .watch = &bench->watch,
        .connections = bench->connections + first,
        .connection_count = share_begin(plan->connections, plan->threads, index + 1) - first,
        .loads = loads,
        .load_next = begin,
        .quota_left = whole ? end - begin : UINT64_MAX,
        .deadline_ns = loads || !plan->duration_ms ? 0 : now_ns + plan->duration_ms * 1000000u,
        .random = {bench_random_mix(plan->seed * 2 + loads) + index},
        .counts = &bench->counts[index],
    };
    if (plan->rate && !loads) {
        prepare_pace(thread, first, now_ns);
    }
}

static void merge_counts(struct bench_counts *all, const struct bench_counts *one) {
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        bench_histogram_merge(&all->ns[kind], &one->ns[kind]);
        all->done[kind] += one->done[kind];
    }
    if (all->failures == 0) {
        memcpy(all->first_failure, one->first_failure, sizeof all->first_failure);
    }
    all->misses += one->misses;
    all->entries += one->entries;
    all->failures += one->failures;
    all->unsent += one->unsent;
}

static enum status join_threads(struct bench *bench, uint64_t started, struct bench_phase *phase,
                                struct error *error) {
    enum status status = STATUS_OK;

    for (uint64_t i = 0; i < started; i++) {
        struct bench_thread *thread = &bench->threads[i];
        pthread_join(thread->id, NULL);
        if (thread->status != STATUS_OK && status == STATUS_OK) {
            status = error_set(error, thread->status, thread->os_errno, bench->plan->address,
                               ERROR_NO_OFFSET, "%s", status_text(thread->status));
        }
        merge_counts(&phase->counts, thread->counts);
    }
    return status;
}

static bool server_cpu(const struct bench_plan *plan, uint64_t *us_out) {
    return plan->server_pid != 0 && bench_cpu_of_us(plan->server_pid, us_out) == STATUS_OK;
}

static enum status run_phase(struct bench *bench, bool loads, struct bench_phase *phase,
                             struct error *error) {
    uint64_t server_before_us = 0;
    uint64_t server_after_us = 0;
    bool has_server = server_cpu(bench->plan, &server_before_us);
    uint64_t client_before_us = bench_cpu_own_us();
    uint64_t start_ns = clock_now_ns();
    uint64_t started = 0;
    enum status status = STATUS_OK;
    enum status joined;

    for (; started < bench->plan->threads && status == STATUS_OK; started += status == STATUS_OK) {
        prepare_thread(bench, started, loads, start_ns);
        if (pthread_create(&bench->threads[started].id, NULL, bench_thread_main,
                           &bench->threads[started]) != 0) {
            status = error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET,
                               "cannot start a thread");
        }
    }
    bench_watch_wait(&bench->watch, loads ? "load" : "run", started,
                     loads ? bench->plan->key_count : bench->plan->requests,
                     loads ? 0 : bench->plan->duration_ms);
    joined = join_threads(bench, started, phase, error);
    phase->wall_ns = clock_now_ns() - start_ns;
    phase->client_us = bench_cpu_own_us() - client_before_us;
    phase->has_server = has_server && server_cpu(bench->plan, &server_after_us);
    phase->server_us = phase->has_server ? server_after_us - server_before_us : 0;
    return status == STATUS_OK ? joined : status;
}

/* With signals blocked, so that the threads begin so. */
static enum status run_phases(struct bench *bench, struct bench_result *result,
                              struct error *error) {
    enum status status = bench_watch_init(&bench->watch);

    if (status != STATUS_OK) {
        (void)error_set(error, status, errno, NULL, ERROR_NO_OFFSET, "eventfd or signalfd");
    }
    if (status == STATUS_OK && bench->plan->preload) {
        status = run_phase(bench, true, &result->load, error);
    }
    if (status == STATUS_OK && !bench_watch_is_over(&bench->watch)) {
        status = run_phase(bench, false, &result->run, error);
    }
    result->is_interrupted = bench_watch_is_over(&bench->watch);
    bench_watch_deinit(&bench->watch);
    return status;
}

enum status bench_run(const struct bench_plan *plan, struct bench_result *result,
                      struct error *error) {
    struct bench bench;
    enum status status = init(&bench, plan, error);

    if (status == STATUS_OK) {
        status = run_phases(&bench, result, error);
    }
    deinit(&bench);
    return status;
}
