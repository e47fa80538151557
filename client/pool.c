/* pool.c: connections shared by many threads (kvd/pool.h).
 *
 *      idle:  | longest idle ... last returned |  <- lent from this end, closed at the other
 *      waiters:  first -> ... -> last             handed what comes back, in their order
 *
 * A slot is the right to have one of connections_max connections. It is in one of three places: in
 * `idle`, with its connection; lent; or on its way between the two, in the hands of a thread that
 * connects, tries or closes outside of the lock. A slot that becomes free goes to the first waiter,
 * with its connection or without. Invariants, under `mu`:
 *   1. slots <= connections_max, and idle_count <= slots;
 *   2. while there are waiters, nothing is idle. */
#include "client/clock.h"
#include "client/connection.h"
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define PING_MS_MAX 1000 /* then a new connection is the better choice */

struct idle {
    struct kvd *db;
    int64_t since_ms;   /* returned then; `idle` is sorted by it */
    int64_t checked_ms; /* heard from the server then, at the latest */
};

struct waiter {
    struct waiter *next;
    pthread_cond_t served; /* guarded by mu, as all of it */
    bool is_served;        /* has a slot */
    struct idle handed;    /* with a connection, or db is NULL */
};

struct kvd_pool {
    /* constant after kvd_pool_create */
    struct kvd *pattern; /* owned; never connected: keeps address and options */
    uint32_t connections_min;
    uint32_t connections_max;
    uint32_t idle_ms;
    uint32_t check_ms;
    pid_t process;

    pthread_mutex_t mu;

    /* guarded by mu */
    struct idle *idle; /* owned; connections_max elements */
    uint32_t idle_count;
    uint32_t slots; /* taken: lent, idle, on their way */
    struct waiter *first;
    struct waiter **last; /* where the next one is linked */
    uint32_t waiting;
    uint64_t lent;
    uint64_t opened;
    char error[CONNECTION_ERROR_BYTES];
};

static void lock(struct kvd_pool *pool) {
    ASSERT(pthread_mutex_lock(&pool->mu) == 0);
}

static void unlock(struct kvd_pool *pool) {
    ASSERT(pthread_mutex_unlock(&pool->mu) == 0);
}

static enum status fail(struct kvd_pool *pool, enum status status, const char *text) {
    lock(pool);
    snprintf(pool->error, sizeof pool->error, "%s", text);
    unlock(pool);
    return status;
}

/* --- slots --- */

/* A slot is free: the first waiter's, else idle, else no more. */
static void give_locked(struct kvd_pool *pool, struct idle given) {
    struct waiter *waiter = pool->first;

    if (waiter) {
        pool->first = waiter->next;
        pool->last = pool->first ? pool->last : &pool->first;
        waiter->handed = given;
        waiter->is_served = true;
        pthread_cond_signal(&waiter->served);
    } else if (given.db) {
        uint32_t at = pool->idle_count++;
        ASSERT(pool->idle_count <= pool->slots);
        for (; at > 0 && pool->idle[at - 1].since_ms > given.since_ms; at--) {
            pool->idle[at] = pool->idle[at - 1]; /* one that was tended, not used */
        }
        pool->idle[at] = given;
    } else {
        pool->slots--;
    }
}

static void give(struct kvd_pool *pool, struct idle given) {
    lock(pool);
    give_locked(pool, given);
    unlock(pool);
}

static void link_locked(struct kvd_pool *pool, struct waiter *waiter) {
    *pool->last = waiter;
    pool->last = &waiter->next;
}

static void unlink_locked(struct kvd_pool *pool, struct waiter *waiter) {
    struct waiter **at = &pool->first;

    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
    if (pool->last == &waiter->next) {
        pool->last = at;
    }
}

/* Waits until it is handed a slot. Errors: TIMEOUT. */
static enum status wait_locked(struct kvd_pool *pool, int64_t deadline_ms, struct idle *taken) {
    struct timespec end = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    struct waiter waiter = {.next = NULL};
    pthread_condattr_t attributes;
    int result = 0;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter.served, &attributes);
    pthread_condattr_destroy(&attributes);
    link_locked(pool, &waiter);
    pool->waiting++;
    while (!waiter.is_served && result != ETIMEDOUT) {
        result = pthread_cond_timedwait(&waiter.served, &pool->mu, &end);
    }
    pool->waiting--;
    if (!waiter.is_served) {
        unlink_locked(pool, &waiter);
    }
    *taken = waiter.handed;
    pthread_cond_destroy(&waiter.served);
    return waiter.is_served ? STATUS_OK : STATUS_TIMEOUT;
}

static enum status take_slot(struct kvd_pool *pool, int64_t deadline_ms, struct idle *taken) {
    enum status status = STATUS_OK;

    *taken = (struct idle){.db = NULL};
    lock(pool);
    if (pool->idle_count > 0) {
        *taken = pool->idle[--pool->idle_count];
    } else if (pool->slots < pool->connections_max) {
        pool->slots++;
    } else {
        status = wait_locked(pool, deadline_ms, taken);
    }
    unlock(pool);
    return status == STATUS_OK ? status
                               : fail(pool, status, "all connections are lent: none was returned");
}

/* --- connections --- */

static struct kvd *make_connection(const struct kvd_pool *pool) {
    const struct kvd *pattern = pool->pattern;
    const struct kvd_connect_options options = {.timeout_ms = pattern->timeout_ms,
                                                .client_name = pattern->client_name,
                                                .namespace_name = pattern->namespace_name,
                                                .durability = pattern->durability,
                                                .retry_ms = pattern->retry_ms};
    struct kvd *db = connection_create(pattern->address, &options);

    if (db && connection_check(db) != STATUS_OK) { /* each has a client id of its own */
        kvd_close(db);
        return NULL;
    }
    return db;
}

/* Connects unless it is connected and has not been closed by the server meanwhile. */
static enum status see_to_connection(struct kvd_pool *pool, struct kvd *db, int64_t deadline_ms) {
    bool was_open = db->transport.fd >= 0 && !transport_is_stale(&db->transport);
    enum status status = connection_ready(db, deadline_ms, true);

    if (status == STATUS_OK && !was_open) {
        lock(pool);
        pool->opened++;
        unlock(pool);
    }
    return status;
}

/* Drops the connection if the other side does not answer, though the socket looks well. */
static void try_connection(struct kvd *db, int64_t deadline_ms) {
    struct wire_request request = {.opcode = WIRE_PING};
    struct wire_response response;
    int half_ms = clock_left_ms(deadline_ms) / 2 + 1; /* the rest is to connect anew */

    kvd_set_timeout(db, (uint32_t)(half_ms < PING_MS_MAX ? half_ms : PING_MS_MAX));
    if (connection_call(db, &request, &response) != STATUS_OK) {
        connection_drop(db);
    }
}

/* Makes what a slot holds fit to be lent; on failure the slot is given up. */
static enum status prepare(struct kvd_pool *pool, struct idle *taken, int64_t deadline_ms) {
    bool is_due = taken->db && taken->db->transport.fd >= 0 &&
                  clock_now_ms() - taken->checked_ms >= pool->check_ms;
    enum status status = STATUS_NO_MEMORY;

    if (!taken->db) {
        taken->db = make_connection(pool);
    }
    if (taken->db) {
        status = connection_begin(taken->db);
    }
    if (status == STATUS_OK && is_due) {
        try_connection(taken->db, deadline_ms);
    }
    if (status == STATUS_OK) {
        status = see_to_connection(pool, taken->db, deadline_ms);
    }
    if (status != STATUS_OK) {
        fail(pool, status, kvd_error(taken->db));
        kvd_close(taken->db);
        give(pool, (struct idle){.db = NULL});
        return status;
    }
    kvd_set_timeout(taken->db, pool->pattern->timeout_ms);
    return status;
}

/* Closes the connection that was idle longest, if it is due; false if none is. */
static bool close_one(struct kvd_pool *pool) {
    struct kvd *db = NULL;

    lock(pool);
    if (pool->idle_count > 0 && pool->slots > pool->connections_min &&
        clock_now_ms() - pool->idle[0].since_ms >= pool->idle_ms) {
        db = pool->idle[0].db;
        pool->idle_count--;
        pool->slots--;
        memmove(&pool->idle[0], &pool->idle[1], pool->idle_count * sizeof pool->idle[0]);
    }
    unlock(pool);
    kvd_close(db);
    return db != NULL;
}

static int64_t deadline_of(const struct kvd_pool *pool, uint32_t timeout_ms) {
    return clock_now_ms() + (timeout_ms ? timeout_ms : pool->pattern->timeout_ms);
}

static enum status check_use(struct kvd_pool *pool) {
    if (!pool->idle) {
        return fail(pool, STATUS_INVALID, "the pool was not made: its options are not valid");
    }
    return pool->process == getpid()
               ? STATUS_OK
               : fail(pool, STATUS_INVALID, "the pool belongs to the process that made it");
}

enum kvd_status kvd_pool_borrow(struct kvd_pool *pool, uint32_t timeout_ms, struct kvd **db_out) {
    int64_t deadline_ms = deadline_of(pool, timeout_ms);
    struct idle taken;
    enum status status = check_use(pool);

    if (status == STATUS_OK) {
        status = take_slot(pool, deadline_ms, &taken);
    }
    if (status == STATUS_OK) {
        status = prepare(pool, &taken, deadline_ms);
    }
    if (status == STATUS_OK) {
        lock(pool);
        pool->lent++;
        unlock(pool);
        *db_out = taken.db;
    }
    return result_public(status);
}

void kvd_pool_return(struct kvd_pool *pool, struct kvd *db) {
    int64_t now_ms = clock_now_ms();

    if (!db) {
        return;
    }
    if (db->pipeline.head != db->pipeline.tail) { /* its answers are not for the next borrower */
        connection_drop(db);
        db->pipeline.head = db->pipeline.tail;
    }
    lock(pool);
    for (uint32_t i = 0; i < pool->idle_count; i++) {
        ASSERT(pool->idle[i].db != db);
    }
    give_locked(pool, (struct idle){.db = db, .since_ms = now_ms, .checked_ms = now_ms});
    unlock(pool);
    while (close_one(pool)) {
    }
}

/* --- tending --- */

/* A slot that needs tending: an idle connection not heard from since `before_ms`, or one that is
 * missing to the minimum; false if there is none. */
static bool take_due(struct kvd_pool *pool, int64_t before_ms, struct idle *taken) {
    uint32_t i = 0;
    bool found = false;

    *taken = (struct idle){.db = NULL};
    lock(pool);
    while (i < pool->idle_count && pool->idle[i].checked_ms > before_ms) {
        i++;
    }
    if (i < pool->idle_count) {
        *taken = pool->idle[i];
        pool->idle_count--;
        memmove(&pool->idle[i], &pool->idle[i + 1], (pool->idle_count - i) * sizeof *pool->idle);
        found = true;
    } else if (pool->slots < pool->connections_min) {
        pool->slots++;
        found = true;
    }
    unlock(pool);
    return found;
}

enum kvd_status kvd_pool_tend(struct kvd_pool *pool, uint32_t timeout_ms) {
    enum status last = check_use(pool);
    enum status status = last;
    int64_t before_ms;
    struct idle taken;

    while (status == STATUS_OK && close_one(pool)) {
    }
    before_ms = clock_now_ms() - pool->check_ms;
    while (status == STATUS_OK && take_due(pool, before_ms, &taken)) {
        status = prepare(pool, &taken, deadline_of(pool, timeout_ms));
        last = status;
        if (status == STATUS_OK) {
            taken.checked_ms = clock_now_ms();
            taken.since_ms = taken.since_ms ? taken.since_ms : taken.checked_ms;
            give(pool, taken);
        }
    }
    return result_public(last);
}

void kvd_pool_error(struct kvd_pool *pool, char *text_out, size_t room) {
    lock(pool);
    snprintf(text_out, room, "%s", pool->error);
    unlock(pool);
}

void kvd_pool_stats(struct kvd_pool *pool, struct kvd_pool_stats *stats_out) {
    lock(pool);
    *stats_out = (struct kvd_pool_stats){.connections = pool->slots,
                                         .idle = pool->idle_count,
                                         .waiting = pool->waiting,
                                         .lent = pool->lent,
                                         .opened = pool->opened};
    unlock(pool);
}

/* --- the life of a pool --- */

static enum status check_options(struct kvd_pool *pool) {
    enum status status = connection_check(pool->pattern);

    if (status != STATUS_OK) {
        return fail(pool, status, kvd_error(pool->pattern));
    }
    if (pool->connections_max > KVD_POOL_CONNECTIONS_MAX ||
        pool->connections_min > pool->connections_max) {
        return fail(pool, STATUS_INVALID,
                    "connections_max is 1 to 1,024, and not below the minimum");
    }
    pool->idle = memory_alloc_array(pool->connections_max, sizeof *pool->idle);
    return pool->idle ? STATUS_OK : fail(pool, STATUS_NO_MEMORY, "out of memory here");
}

static uint32_t or_default(uint32_t number, uint32_t otherwise) {
    return number ? number : otherwise;
}

enum kvd_status kvd_pool_create(const char *address, const struct kvd_pool_options *options,
                                struct kvd_pool **pool_out) {
    const struct kvd_pool_options none = {.connections_min = 0};
    const struct kvd_pool_options *from = options ? options : &none;
    struct kvd_pool *pool = memory_alloc_zeroed(sizeof *pool);
    enum status status;

    *pool_out = NULL;
    if (!pool) {
        return KVD_NO_MEMORY;
    }
    pool->pattern = connection_create(address, &from->connect);
    if (!pool->pattern) {
        memory_free(pool);
        return KVD_NO_MEMORY;
    }
    pthread_mutex_init(&pool->mu, NULL);
    pool->connections_min = from->connections_min;
    pool->connections_max = or_default(from->connections_max, KVD_POOL_CONNECTIONS_DEFAULT);
    pool->idle_ms = or_default(from->idle_ms, KVD_POOL_IDLE_MS_DEFAULT);
    pool->check_ms = or_default(from->check_ms, KVD_POOL_CHECK_MS_DEFAULT);
    pool->process = getpid();
    pool->last = &pool->first;
    *pool_out = pool;
    status = check_options(pool);
    return status == STATUS_OK ? kvd_pool_tend(pool, 0) : result_public(status);
}

void kvd_pool_destroy(struct kvd_pool *pool) {
    if (!pool) {
        return;
    }
    ASSERT(pool->process != getpid() || pool->idle_count == pool->slots);
    for (uint32_t i = 0; i < pool->idle_count; i++) {
        kvd_close(pool->idle[i].db);
    }
    pthread_mutex_destroy(&pool->mu);
    kvd_close(pool->pattern);
    memory_free(pool->idle);
    memory_free(pool);
}
