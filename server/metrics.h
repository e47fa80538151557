/* metrics.h: what the server counts.
 *
 * Each loop, and the listener, has a struct metrics of its own: one thread writes it, STATS adds
 * them all up from any thread. So a count is one plain store. */
#ifndef KVD_SERVER_METRICS_H
#define KVD_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

/* code, name in STATS */
#define METRICS_LIST(X)                                                                            \
    X(CONNECTIONS_ACCEPTED, "connections_accepted")                                                \
    X(CONNECTIONS_CLOSED, "connections_closed")                                                    \
    X(CONNECTIONS_REFUSED, "connections_refused")                                                  \
    X(ACCEPT_FAILURES, "accept_failures")                                                          \
    X(CLOSED_FOR_PROTOCOL, "closed_for_protocol")                                                  \
    X(CLOSED_FOR_TIME, "closed_for_time")                                                          \
    X(CLOSED_FOR_MEMORY, "closed_for_memory")                                                      \
    X(CLOSED_ON_REQUEST, "closed_on_request")                                                      \
    X(BYTES_IN, "bytes_in")                                                                        \
    X(BYTES_OUT, "bytes_out")                                                                      \
    X(REQUESTS_REFUSED, "requests_refused")                                                        \
    X(REQUESTS_FAILED, "requests_failed")                                                          \
    X(REPLIES_HELD, "replies_held")                                                                \
    X(READS_ON_IO_THREADS, "reads_on_io_threads")                                                  \
    X(COMMITS_SUBMITTED, "commits_submitted")                                                      \
    X(COMMIT_GROUPS_SUBMITTED, "commit_groups_submitted")                                          \
    X(REQUESTS_HELLO, "requests_hello")                                                            \
    X(REQUESTS_PING, "requests_ping")                                                              \
    X(REQUESTS_GET, "requests_get")                                                                \
    X(REQUESTS_MGET, "requests_mget")                                                              \
    X(REQUESTS_EXISTS, "requests_exists")                                                          \
    X(REQUESTS_META, "requests_meta")                                                              \
    X(REQUESTS_SCAN, "requests_scan")                                                              \
    X(REQUESTS_COUNT, "requests_count")                                                            \
    X(REQUESTS_PUT, "requests_put")                                                                \
    X(REQUESTS_DELETE, "requests_delete")                                                          \
    X(REQUESTS_BATCH, "requests_batch")                                                            \
    X(REQUESTS_STATS, "requests_stats")                                                            \
    X(REQUESTS_GET_RANGE, "requests_get_range")                                                    \
    X(REQUESTS_HISTORY, "requests_history")                                                        \
    X(REQUESTS_DIFF, "requests_diff")                                                              \
    X(REQUESTS_DELETE_RANGE, "requests_delete_range")                                              \
    X(REQUESTS_ADD, "requests_add")                                                                \
    X(REQUESTS_APPEND, "requests_append")                                                          \
    X(REQUESTS_TOUCH, "requests_touch")                                                            \
    X(REQUESTS_PERSIST, "requests_persist")                                                        \
    X(REQUESTS_REWIND, "requests_rewind")                                                          \
    X(REQUESTS_UPLOAD_BEGIN, "requests_upload_begin")                                              \
    X(REQUESTS_BULK_LOAD, "requests_bulk_load")                                                    \
    X(REQUESTS_UPLOAD_DATA, "requests_upload_data")                                                \
    X(REQUESTS_UPLOAD_COMMIT, "requests_upload_commit")                                            \
    X(REQUESTS_UPLOAD_ABORT, "requests_upload_abort")                                              \
    X(REQUESTS_SNAPSHOT_OPEN, "requests_snapshot_open")                                            \
    X(REQUESTS_SNAPSHOT_CLOSE, "requests_snapshot_close")                                          \
    X(REQUESTS_SNAPSHOT_LIST, "requests_snapshot_list")                                            \
    X(REQUESTS_TXN_BEGIN, "requests_txn_begin")                                                    \
    X(REQUESTS_TXN_COMMIT, "requests_txn_commit")                                                  \
    X(REQUESTS_TXN_ABORT, "requests_txn_abort")                                                    \
    X(REQUESTS_TRANSACT, "requests_transact")                                                      \
    X(REQUESTS_WHY, "requests_why")                                                                \
    X(REQUESTS_MAINTAIN, "requests_maintain")                                                      \
    X(REQUESTS_EXPLAIN, "requests_explain")                                                        \
    X(REQUESTS_NAMESPACE_CREATE, "requests_namespace_create")                                      \
    X(REQUESTS_NAMESPACE_DROP, "requests_namespace_drop")                                          \
    X(REQUESTS_NAMESPACE_LIST, "requests_namespace_list")                                          \
    X(REQUESTS_FEED, "requests_feed")                                                              \
    X(REQUESTS_SLOWLOG, "requests_slowlog")                                                        \
    X(REQUESTS_CLIENTS, "requests_clients")                                                        \
    X(REQUESTS_HOTKEYS, "requests_hotkeys")                                                        \
    X(REQUESTS_CONFIG, "requests_config")

enum metric {
#define METRICS_ENUM(code, name) METRIC_##code,
    METRICS_LIST(METRICS_ENUM)
#undef METRICS_ENUM
        METRIC_COUNT
};

struct metrics {
    _Atomic uint64_t values[METRIC_COUNT]; /* relaxed; one writer */
};

/* Its one writer's thread. */
static inline void metrics_add(struct metrics *metrics, enum metric metric, uint64_t amount) {
    _Atomic uint64_t *value = &metrics->values[metric];
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t metrics_value(const struct metrics *metrics, enum metric metric) {
    return atomic_load_explicit(&metrics->values[metric], memory_order_relaxed);
}

/* Static storage. */
const char *metrics_name(enum metric metric);

/* The sum over `count` of them. Any thread. */
uint64_t metrics_sum(const struct metrics *all, uint32_t count, enum metric metric);

#endif
