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

/* --- connections --- */

/* A connection of the server, as of its last turn. */
struct kvd_client {
    uint64_t id;
    uint64_t age_ms;
    uint64_t idle_ms; /* since it last sent bytes */
    uint64_t requests;
    uint64_t bytes_in; /* from the client */
    uint64_t bytes_out;
    uint64_t queued_bytes; /* of answers that the client has not taken */
    uint64_t memory_bytes; /* that it costs the server */
    uint32_t in_flight;    /* requests that are not answered */
    uint32_t snapshots;    /* open, which end with it */
    uint32_t loop;         /* the thread that serves it, from 0 on */
    const char *peer;      /* where the client is */
    const char *name;      /* how it calls itself (kvd_connect_options.client_name) */
};

/* Takes a connection. */
typedef void (*kvd_client_cb)(const struct kvd_client *client, void *arg);

/* Calls client_cb for each connection, by id, this one included. Errors: the common ones;
 * KVD_UNSUPPORTED of an older server. */
KVD_API enum kvd_status kvd_clients(struct kvd *db, kvd_client_cb client_cb, void *arg);

/* Has the server close a connection, within a second: requests in flight are not answered, though
 * what they asked for may be done. Errors: KVD_NOT_FOUND (no such connection); as kvd_clients. */
KVD_API enum kvd_status kvd_client_close(struct kvd *db, uint64_t id);

/* --- keys --- */

/* A key that is asked for often. The rates are estimates from samples. */
struct kvd_hot_key {
    struct kvd_bytes space; /* the first 64 bytes of the namespace's name; empty: the default one */
    struct kvd_bytes key;   /* the first 128 bytes */
    uint64_t key_len;       /* of the whole key */
    double reads_per_second;
    double writes_per_second;
};

/* Takes a hot key. */
typedef void (*kvd_hot_key_cb)(const struct kvd_hot_key *hot, void *arg);

/* Calls hot_key_cb for the `limit` keys (0 = all that are known) that were asked for most in about
 * the last ten seconds, hottest first. Errors: the common ones; KVD_UNSUPPORTED of an older server.
 */
KVD_API enum kvd_status kvd_hotkeys(struct kvd *db, uint64_t limit, kvd_hot_key_cb hot_key_cb,
                                    void *arg);

/* Begins anew. Errors: as kvd_hotkeys. */
KVD_API enum kvd_status kvd_hotkeys_clear(struct kvd *db);

/* --- why it is slow --- */

/* Takes a line: `kind` is "summary", "command" (one that took much time) or "finding" (what stands
 * out, and what helps; the worst first), `text` a sentence for people, `us` the microseconds that
 * it is about, 0 if none in particular. */
typedef void (*kvd_slow_line_cb)(const char *kind, const char *text, uint64_t us, void *arg);

/* Calls line_cb for each line about where the time of the requests of the last one to two minutes
 * went. Errors: the common ones; KVD_INVALID of an older server. */
KVD_API enum kvd_status kvd_why_slow(struct kvd *db, kvd_slow_line_cb line_cb, void *arg);

#ifdef __cplusplus
}
#endif

#endif
