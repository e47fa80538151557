/* pool.h: connections shared by many threads. Included by kvd.h.
 *
 *     kvd_pool_create("127.0.0.1:4411", NULL, &pool);
 *     if (kvd_pool_borrow(pool, 1000, &db) == KVD_OK) {        in any thread
 *         kvd_get(db, kvd_text("name"), NULL, &value);
 *         kvd_pool_return(pool, db);
 *     }
 *     kvd_pool_destroy(pool);
 *
 * All calls may be made from any thread at any time, but for kvd_pool_destroy. A connection that is
 * lent belongs to its borrower, one thread at a time, until it is returned. Who waits longest is
 * served first. The pool has no threads: what is said to happen "in time" happens in the next call
 * on the pool.
 *
 * FORK. A pool and its connections belong to the process that made them: parent and child would
 * talk on the same sockets. In a child, kvd_pool_borrow is KVD_INVALID; only kvd_pool_destroy is of
 * use there, which frees the child's copy and leaves the parent's connections alone. Fork while no
 * other thread is in a call on the pool. For a connection of kvd_connect, kvd_close does the same;
 * an asynchronous handle is not to be touched by the child at all. */
#ifndef KVD_POOL_H
#define KVD_POOL_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KVD_POOL_CONNECTIONS_DEFAULT 8u
#define KVD_POOL_CONNECTIONS_MAX 1024u
#define KVD_POOL_IDLE_MS_DEFAULT 60000u
#define KVD_POOL_CHECK_MS_DEFAULT 5000u

struct kvd_pool; /* opaque */

/* Of a pool, from kvd_pool_create on; zeroed is the default. Strings are copied. */
struct kvd_pool_options {
    struct kvd_connect_options connect; /* of each connection */
    uint32_t connections_min;           /* opened at once, and kept while idle */
    uint32_t connections_max;           /* 0 = 8; at most 1,024 */
    uint32_t idle_ms;  /* above the minimum, one idle for so long is closed; 0 = 60 s */
    uint32_t check_ms; /* one idle for so long is tried with a ping before it is lent; 0 = 5 s */
};

/* Makes a pool and opens connections_min connections. *pool_out is set also on failure, so that
 * kvd_pool_error can tell the reason (NULL only on KVD_NO_MEMORY): call kvd_pool_destroy in any
 * case. A pool that could not connect may be used: the next borrow tries again. Errors:
 * KVD_INVALID (options, minimum above maximum), and as kvd_connect. */
KVD_API enum kvd_status kvd_pool_create(const char *address, const struct kvd_pool_options *options,
                                        struct kvd_pool **pool_out);

/* Closes all connections and frees. Every connection must have been returned, and no other thread
 * be in a call on the pool. NULL is allowed. */
KVD_API void kvd_pool_destroy(struct kvd_pool *pool);

/* Lends a connection that is open and works: an idle one, else a new one, else, when all are lent,
 * the next one returned. All this takes at most timeout_ms; 0 = the timeout of connections. A
 * connection found broken is replaced. Return it with kvd_pool_return; *db_out is set on KVD_OK
 * alone. Errors: KVD_TIMEOUT (none was returned in time, or no answer), KVD_INVALID (in a child of
 * the process that made the pool), and as kvd_connect. */
KVD_API enum kvd_status kvd_pool_borrow(struct kvd_pool *pool, uint32_t timeout_ms,
                                        struct kvd **db_out);

/* Gives a connection back; it is not to be used any more. Scans and uploads on it must be closed
 * before; what is left of a pipeline is dropped, with the connection; a timeout that was set is
 * forgotten. Snapshots opened without a lifetime live on with the connection: close them. NULL is
 * allowed. */
KVD_API void kvd_pool_return(struct kvd_pool *pool, struct kvd *db);

/* Tends to idle connections, for programs that are idle themselves, say once a second: tries those
 * that are due, replaces broken ones, closes those above the minimum, opens what is missing to it.
 * Waits for the server, for each connection timeout_ms at most (0 = the timeout of connections).
 * Errors: as kvd_pool_borrow, of the last connection that failed. */
KVD_API enum kvd_status kvd_pool_tend(struct kvd_pool *pool, uint32_t timeout_ms);

/* One line about the last call on the pool that failed in any thread, into `text_out`, NUL-ended
 * and cut to `room` bytes; "" if none did. */
KVD_API void kvd_pool_error(struct kvd_pool *pool, char *text_out, size_t room);

/* What the pool is doing; of one moment. */
struct kvd_pool_stats {
    uint32_t connections; /* lent and idle */
    uint32_t idle;
    uint32_t waiting; /* borrowers */
    uint64_t lent;    /* borrows that succeeded, since the pool was made */
    uint64_t opened;  /* connections opened, since then */
};

/* Fills *stats_out. */
KVD_API void kvd_pool_stats(struct kvd_pool *pool, struct kvd_pool_stats *stats_out);

#ifdef __cplusplus
}
#endif

#endif
