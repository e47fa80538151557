/* table_cache.c: see table_cache.h.
 *
 * The state of a handle is one atomic word: how many pin it, and two flags.
 *
 *      pins += 1              whoever wants the table, first of all
 *      OPEN seen in that add  `table` is set and stays until the pin goes
 *      OPEN not seen          open it without a lock; install it under the mutex (one wins)
 *      OPEN, 0 pins -> 0      the clock, by compare-and-swap under the mutex: the table is its own
 *      DOOMED, last pin gone  whoever took the last pin away closes and frees
 *
 * Memory order: a pin is an acquire (pairs with the release that sets OPEN); letting go is a
 * release (pairs with the acquire of whoever closes). */
#include "storage/table_cache.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/lock.h"
#include "storage/table_blocks.h"

#define HANDLE_OPEN UINT32_C(0x80000000)
#define HANDLE_DOOMED UINT32_C(0x40000000)
#define HANDLE_PINS_MASK UINT32_C(0x3FFFFFFF)
#define FIRST_BUCKETS 256u

struct table_handle {
    struct table_cache *cache; /* constant */
    uint64_t number;           /* constant */
    _Atomic uint32_t state;
    _Atomic bool marked; /* used again since the clock came by; relaxed, a hint */
    struct table *table; /* owned; set and cleared under mu, read by those who saw OPEN */
    /* guarded by the cache's mu */
    struct table_handle *chain_next;
    struct table_handle *ring_next; /* NULL: not in the ring, that is, not open */
    struct table_handle *ring_prev;
};

struct table_cache {
    struct table_source source;                   /* constant */
    uint32_t open_tables_max;                     /* constant */
    struct mutex mu;                              /* a leaf */
    struct table_handle **buckets GUARDED_BY(mu); /* owned */
    size_t bucket_count GUARDED_BY(mu);           /* a power of two */
    size_t handle_count GUARDED_BY(mu);
    struct table_handle *hand GUARDED_BY(mu); /* into the ring of open handles; NULL: empty */
    uint32_t open_count GUARDED_BY(mu);
    uint64_t opens GUARDED_BY(mu);
    uint64_t memory_bytes GUARDED_BY(mu);
};

enum status table_cache_create(const struct table_source *source, uint32_t open_tables_max,
                               struct table_cache **cache_out) {
    struct table_cache *cache = memory_alloc_zeroed(sizeof *cache);

    if (!cache) {
        return STATUS_NO_MEMORY;
    }
    cache->buckets = memory_alloc_array(FIRST_BUCKETS, sizeof(struct table_handle *));
    if (!cache->buckets) {
        memory_free(cache);
        return STATUS_NO_MEMORY;
    }
    cache->bucket_count = FIRST_BUCKETS;
    cache->source = *source;
    cache->open_tables_max = open_tables_max;
    mutex_init(&cache->mu);
    *cache_out = cache;
    return STATUS_OK;
}

static struct table_handle **bucket_of(struct table_cache *cache, uint64_t number)
    REQUIRES(cache->mu) {
    uint64_t hash = number * UINT64_C(0x9E3779B97F4A7C15);
    return &cache->buckets[(size_t)(hash >> 32) & (cache->bucket_count - 1)];
}

static struct table_handle *find_locked(struct table_cache *cache, uint64_t number)
    REQUIRES(cache->mu) {
    struct table_handle *handle = *bucket_of(cache, number);
    while (handle && handle->number != number) {
        handle = handle->chain_next;
    }
    return handle;
}

static void chain_locked(struct table_cache *cache, struct table_handle *handle)
    REQUIRES(cache->mu) {
    struct table_handle **bucket = bucket_of(cache, handle->number);
    handle->chain_next = *bucket;
    *bucket = handle;
}

/* Doubles the buckets; without memory the chains just get longer. */
static void grow_locked(struct table_cache *cache) REQUIRES(cache->mu) {
    struct table_handle **old = cache->buckets;
    size_t old_count = cache->bucket_count;
    struct table_handle **buckets = memory_alloc_array(old_count * 2, sizeof *buckets);

    if (!buckets) {
        return;
    }
    cache->buckets = buckets;
    cache->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        struct table_handle *handle = old[i];
        while (handle) {
            struct table_handle *next = handle->chain_next;
            chain_locked(cache, handle);
            handle = next;
        }
    }
    memory_free(old);
}

/* Finds or makes the handle. NULL: no memory. */
static struct table_handle *handle_of_locked(struct table_cache *cache, uint64_t number)
    REQUIRES(cache->mu) {
    struct table_handle *handle = find_locked(cache, number);

    if (!handle) {
        handle = memory_alloc_zeroed(sizeof *handle);
        if (!handle) {
            return NULL;
        }
        handle->cache = cache;
        handle->number = number;
        atomic_init(&handle->state, 0);
        atomic_init(&handle->marked, false);
        if (cache->handle_count >= cache->bucket_count) {
            grow_locked(cache);
        }
        chain_locked(cache, handle);
        cache->handle_count++;
    }
    return handle;
}

enum status table_cache_handle(struct table_cache *cache, uint64_t number,
                               struct table_handle **handle_out) {
    struct table_handle *handle;

    mutex_lock(&cache->mu);
    handle = handle_of_locked(cache, number);
    mutex_unlock(&cache->mu);
    if (!handle) {
        return STATUS_NO_MEMORY;
    }
    *handle_out = handle;
    return STATUS_OK;
}

static void ring_add_locked(struct table_cache *cache, struct table_handle *handle)
    REQUIRES(cache->mu) {
    struct table_handle *hand = cache->hand;

    if (hand) { /* behind the hand: the last that it will come to */
        handle->ring_next = hand;
        handle->ring_prev = hand->ring_prev;
        hand->ring_prev->ring_next = handle;
        hand->ring_prev = handle;
    } else {
        handle->ring_next = handle;
        handle->ring_prev = handle;
        cache->hand = handle;
    }
    cache->open_count++;
    cache->memory_bytes += table_memory_bytes(handle->table);
}

/* Takes the handle out of the ring; its table is the caller's to close. */
static struct table *ring_remove_locked(struct table_cache *cache, struct table_handle *handle)
    REQUIRES(cache->mu) {
    struct table *table = handle->table;

    handle->ring_prev->ring_next = handle->ring_next;
    handle->ring_next->ring_prev = handle->ring_prev;
    if (cache->hand == handle) {
        cache->hand = handle->ring_next == handle ? NULL : handle->ring_next;
    }
    handle->ring_next = NULL;
    handle->ring_prev = NULL;
    handle->table = NULL;
    cache->open_count--;
    cache->memory_bytes -= table_memory_bytes(table);
    return table;
}

/* Whether the clock may close the handle at the hand; if so it is no longer OPEN. */
static bool claim_victim(struct table_handle *handle) {
    uint32_t expected = HANDLE_OPEN; /* and not one pin */

    if (atomic_exchange_explicit(&handle->marked, false, memory_order_relaxed)) {
        return false;
    }
    return atomic_compare_exchange_strong_explicit(&handle->state, &expected, 0,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* One table to close when too many are open; NULL when not so, or when all are pinned. */
static struct table *victim_locked(struct table_cache *cache) REQUIRES(cache->mu) {
    uint32_t steps = 2 * cache->open_count; /* once to take marks away, once to choose */

    if (cache->open_count <= cache->open_tables_max) {
        return NULL;
    }
    while (steps-- > 0) {
        struct table_handle *handle = cache->hand;
        cache->hand = handle->ring_next;
        if (claim_victim(handle)) {
            return ring_remove_locked(cache, handle);
        }
    }
    return NULL;
}

/* Closes what is open beyond the limit, without the mutex. */
static void close_victims(struct table_cache *cache) {
    struct table *victim;

    do {
        mutex_lock(&cache->mu);
        victim = victim_locked(cache);
        mutex_unlock(&cache->mu);
        table_close(victim);
    } while (victim);
}

static void handle_free(struct table_handle *handle) {
    struct table_cache *cache = handle->cache;
    struct table *table = NULL;

    mutex_lock(&cache->mu);
    if (handle->ring_next) {
        table = ring_remove_locked(cache, handle);
    }
    mutex_unlock(&cache->mu);
    table_close(table);
    memory_free(handle);
}

static void handle_unpin(struct table_handle *handle) {
    uint32_t before = atomic_fetch_sub_explicit(&handle->state, 1, memory_order_acq_rel);

    ASSERT((before & HANDLE_PINS_MASK) > 0);
    if ((before & HANDLE_DOOMED) && (before & HANDLE_PINS_MASK) == 1) {
        handle_free(handle);
    }
}

void table_unpin(struct table *table) {
    if (table) {
        handle_unpin(table->handle);
    }
}

/* Gives the opened table to the handle, unless another thread was quicker; returns the one to
 * close. The caller has a pin. */
static struct table *install(struct table_handle *handle, struct table *table) {
    struct table_cache *cache = handle->cache;
    struct table *surplus = table;

    mutex_lock(&cache->mu);
    if (!handle->ring_next) {
        surplus = NULL;
        handle->table = table;
        table->handle = handle;
        ring_add_locked(cache, handle);
        /* release: whoever sees OPEN sees the table */
        atomic_fetch_or_explicit(&handle->state, HANDLE_OPEN, memory_order_release);
    }
    cache->opens++;
    mutex_unlock(&cache->mu);
    return surplus;
}

static enum status open_pinned(struct table_handle *handle, const struct table_info *info,
                               struct error *error) {
    struct table *table;
    enum status status = table_open(&handle->cache->source, info, &table, error);

    if (status == STATUS_OK) {
        table_close(install(handle, table));
        close_victims(handle->cache);
    }
    return status;
}

/* The rest of pinning, once a pin was added and `state` seen; takes the pin back on failure. */
static enum status pinned(struct table_handle *handle, uint32_t state,
                          const struct table_info *info, enum read_wait wait,
                          struct table **table_out, struct error *error) {
    enum status status = STATUS_OK;

    ASSERT(handle->number == info->number);
    if (!(state & HANDLE_OPEN)) {
        status = wait == READ_WAIT_NEVER ? STATUS_WOULD_BLOCK : open_pinned(handle, info, error);
    } else if (!atomic_load_explicit(&handle->marked, memory_order_relaxed)) {
        /* used again; a table opened for one read only is the first to go */
        atomic_store_explicit(&handle->marked, true, memory_order_relaxed);
    }
    if (status != STATUS_OK) {
        handle_unpin(handle);
        return status;
    }
    *table_out = handle->table;
    return STATUS_OK;
}

enum status table_handle_pin(struct table_handle *handle, const struct table_info *info,
                             enum read_wait wait, struct table **table_out, struct error *error) {
    uint32_t state = atomic_fetch_add_explicit(&handle->state, 1, memory_order_acquire);
    return pinned(handle, state, info, wait, table_out, error);
}

enum status table_cache_pin(struct table_cache *cache, const struct table_info *info,
                            enum read_wait wait, struct table **table_out, struct error *error) {
    struct table_handle *handle;
    uint32_t state = 0;

    mutex_lock(&cache->mu);
    handle = handle_of_locked(cache, info->number);
    if (handle) {
        state = atomic_fetch_add_explicit(&handle->state, 1, memory_order_acquire);
    }
    mutex_unlock(&cache->mu);
    if (!handle) {
        return error_set(error, STATUS_NO_MEMORY, 0, cache->source.dir, ERROR_NO_OFFSET, "table");
    }
    return pinned(handle, state, info, wait, table_out, error);
}

/* Takes the handle out of the hash table; the number may be unknown. */
static struct table_handle *unchain(struct table_cache *cache, uint64_t number) {
    struct table_handle **link;
    struct table_handle *handle;

    mutex_lock(&cache->mu);
    link = bucket_of(cache, number);
    while (*link && (*link)->number != number) {
        link = &(*link)->chain_next;
    }
    handle = *link;
    if (handle) {
        *link = handle->chain_next;
        cache->handle_count--;
    }
    mutex_unlock(&cache->mu);
    return handle;
}

static void doom(struct table_handle *handle) {
    /* a pin of our own, so that exactly one letting-go frees it */
    uint32_t before = atomic_fetch_add_explicit(&handle->state, 1, memory_order_relaxed);

    ASSERT(!(before & HANDLE_DOOMED));
    atomic_fetch_or_explicit(&handle->state, HANDLE_DOOMED, memory_order_relaxed);
    handle_unpin(handle);
}

void table_cache_evict(struct table_cache *cache, uint64_t number) {
    struct table_handle *handle = unchain(cache, number);

    if (handle) {
        doom(handle);
    }
}

void table_cache_destroy(struct table_cache *cache) {
    if (!cache) {
        return;
    }
    for (size_t i = 0; i < cache->bucket_count; i++) {
        while (cache->buckets[i]) {
            struct table_handle *handle = cache->buckets[i];
            ASSERT((atomic_load(&handle->state) & HANDLE_PINS_MASK) == 0);
            table_cache_evict(cache, handle->number);
        }
    }
    ASSERT(cache->open_count == 0);
    mutex_deinit(&cache->mu);
    memory_free(cache->buckets);
    memory_free(cache);
}

void table_cache_read_stats(struct table_cache *cache, struct table_cache_stats *stats_out) {
    mutex_lock(&cache->mu);
    *stats_out = (struct table_cache_stats){
        .open_tables = cache->open_count,
        .opens = cache->opens,
        .memory_bytes = cache->memory_bytes,
    };
    mutex_unlock(&cache->mu);
}
