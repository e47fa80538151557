/* stats.c: see stats.h. */
#include "server/stats.h"

#include "protocol/base/memory.h"

#include <stdio.h>

struct report {
    stats_cb figure_cb;
    void *arg;
    const char *group; /* of the figures that follow */
};

static void put(void *arg, const char *name, uint64_t value) {
    const struct report *report = arg;
    char full[STATS_NAME_MAX];

    snprintf(full, sizeof full, "%s.%s", report->group, name);
    report->figure_cb(report->arg, full, value);
}

static void report_server(struct report *report, const struct service *service) {
    uint32_t connections = atomic_load_explicit(&service->connections, memory_order_relaxed);

    put(report, "started_at_ms", service->started_at_ms);
    put(report, "loops", service->metrics_count - 1);
    put(report, "connections", connections);
    put(report, "connections_before_hello",
        atomic_load_explicit(&service->strangers, memory_order_relaxed));
    put(report, "client_memory_bytes", client_memory_charged(&service->client_memory));
    put(report, "client_memory_limit_bytes", service->client_memory.limit_bytes);
    put(report, "memory_limit_bytes", service->limits.wire.memory_bytes);
    put(report, "allocations", memory_allocation_count());
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        put(report, metrics_name(metric),
            metrics_sum(service->metrics, service->metrics_count, metric));
    }
    latency_lines(service->latencies, SERVICE_LOOPS_MAX, put, report);
}

void stats_each(const struct service *service, stats_cb figure_cb, void *arg) {
    struct report report = {figure_cb, arg, "server"};

    report_server(&report, service);
    report.group = "storage";
    store_stats(service->store, put, &report);
}
