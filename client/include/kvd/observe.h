/* observe.h: what a server has observed of its work. Included by kvd.h.
 *
 *     kvd_slowlog(db, 10, print_slow, NULL);          the last requests that were slow
 *
 * For operators: programs rarely need it. All strings are NUL-ended; what a callback is given is
 * valid during the callback, which must not use `db`. */
#ifndef KVD_OBSERVE_H
#define KVD_OBSERVE_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --- requests that took long --- */

/* A request of the slow log. Times are in microseconds. */
struct kvd_slow_request {
    uint64_t number;  /* from 1 on; the newest has the greatest */
    uint64_t time_ms; /* since 1970 UTC: when it had ended */
    const char *command;
    uint64_t total_us;   /* from when its bytes had come to when its answer was ready; thereof: */
    uint64_t wait_us;    /* for requests of the same connection before it */
    uint64_t queue_us;   /* for an I/O thread */
    uint64_t work_us;    /* on a thread that worked for it */
    uint64_t commit_us;  /* until it was as durable as asked for */
    uint64_t held_us;    /* until what it had read was durable */
    uint32_t beside;     /* other requests of the same burst that took as long */
    uint32_t request_id; /* as the client numbered it */
    uint64_t request_bytes; /* of the whole request */
    uint64_t key_len;       /* of the whole key; of a list or range it is the first one */
    struct kvd_bytes key;   /* its first 64 bytes */
    uint64_t client_id;
    const char *peer;        /* where the client is */
    const char *client_name; /* how it calls itself; "" if it has no name */
};

/* Takes a request of the slow log. */
typedef void (*kvd_slow_cb)(const struct kvd_slow_request *slow, void *arg);

/* Calls slow_cb for the newest `limit` requests (0 = all there are) that took longer than the
 * server's slow_log.threshold, newest first. Errors: the common ones; KVD_UNSUPPORTED of an older
 * server. */
KVD_API enum kvd_status kvd_slowlog(struct kvd *db, uint64_t limit, kvd_slow_cb slow_cb, void *arg);

/* Forgets them. Errors: as kvd_slowlog. */
KVD_API enum kvd_status kvd_slowlog_clear(struct kvd *db);

#ifdef __cplusplus
}
#endif

#endif
