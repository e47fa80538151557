/* segment_cache.c: see segment_cache.h.
 *
 * A handle is in the hash table from its opening until it is closed or evicted. Handles that nobody
 * pins are also in a list, the one unused for longest first; the list is what may be closed. */
#include "storage/segment_cache.h"

#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/lock.h"

struct segment_handle {
    /* constant after open */
    struct segment *segment; /* owned */
    uint64_t number;
    /* guarded by the cache's mu */
    uint32_t pins;
    bool evicted;                     /* no longer in the table; closed at the last unpin */
    struct segment_handle *hash_next; /* in the bucket */
    struct segment_handle *newer;     /* in the list of idle ones, when pins is 0 */
    struct segment_handle *older;
};

struct segment_cache {
    /* constant after create */
    struct segment_source source;
    uint32_t open_max;
    uint32_t bucket_mask; /* bucket count (a power of two) less one */
    /* guarded by mu */
    struct mutex mu;
    struct segment_handle **buckets;
    struct segment_handle *idle_oldest;
    struct segment_handle *idle_newest;
    uint64_t open_count; /* in the table */
    uint64_t opens;
};

/* ---- create, destroy ---- */

static uint32_t buckets_for(uint32_t open_max) {
    uint32_t buckets = 16;
    while (buckets < open_max && buckets < 1u << 16) {
        buckets *= 2;
    }
    return buckets;
}

enum status segment_cache_create(const struct segment_source *source, uint32_t open_max,
                                 struct segment_cache **cache_out) {
    struct segment_cache *cache = memory_alloc_zeroed(sizeof *cache);
    uint32_t buckets = buckets_for(open_max);

    ASSERT(open_max >= 1);
    if (!cache) {
        return STATUS_NO_MEMORY;
    }
    cache->buckets = memory_alloc_array(buckets, sizeof(struct segment_handle *));
    if (!cache->buckets) {
        memory_free(cache);
        return STATUS_NO_MEMORY;
    }
    cache->source = *source;
    cache->open_max = open_max;
    cache->bucket_mask = buckets - 1;
    mutex_init(&cache->mu);
    *cache_out = cache;
    return STATUS_OK;
}

static void handle_free(struct segment_handle *handle) {
    segment_close(handle->segment);
    memory_free(handle);
}

void segment_cache_destroy(struct segment_cache *cache) {
    if (!cache) {
        return;
    }
    for (uint32_t i = 0; i <= cache->bucket_mask; i++) {
        while (cache->buckets[i]) {
            struct segment_handle *handle = cache->buckets[i];
            cache->buckets[i] = handle->hash_next;
            ASSERT(handle->pins == 0);
            handle_free(handle);
        }
    }
    mutex_deinit(&cache->mu);
    memory_free(cache->buckets);
    memory_free(cache);
}

/* ---- the table and the list ---- */

static struct segment_handle **bucket_of(struct segment_cache *cache, uint64_t number) {
    uint64_t mixed = number * UINT64_C(0x9E3779B97F4A7C15); /* spreads neighbours */
    return &cache->buckets[(mixed >> 40) & cache->bucket_mask];
}

static struct segment_handle *find_locked(struct segment_cache *cache, uint64_t number)
    REQUIRES(cache->mu) {
    struct segment_handle *handle = *bucket_of(cache, number);
    while (handle && handle->number != number) {
        handle = handle->hash_next;
    }
    return handle;
}

static void table_remove_locked(struct segment_cache *cache, struct segment_handle *handle)
    REQUIRES(cache->mu) {
    struct segment_handle **link = bucket_of(cache, handle->number);
    while (*link != handle) {
        ASSERT(*link);
        link = &(*link)->hash_next;
    }
    *link = handle->hash_next;
    cache->open_count--;
}

static void table_insert_locked(struct segment_cache *cache, struct segment_handle *handle)
    REQUIRES(cache->mu) {
    struct segment_handle **bucket = bucket_of(cache, handle->number);
    handle->hash_next = *bucket;
    *bucket = handle;
    cache->open_count++;
    cache->opens++;
}

static void idle_remove_locked(struct segment_cache *cache, struct segment_handle *handle)
    REQUIRES(cache->mu) {
    *(handle->older ? &handle->older->newer : &cache->idle_oldest) = handle->newer;
    *(handle->newer ? &handle->newer->older : &cache->idle_newest) = handle->older;
    handle->older = NULL;
    handle->newer = NULL;
}

static void idle_append_locked(struct segment_cache *cache, struct segment_handle *handle)
    REQUIRES(cache->mu) {
    handle->older = cache->idle_newest;
    handle->newer = NULL;
    *(cache->idle_newest ? &cache->idle_newest->newer : &cache->idle_oldest) = handle;
    cache->idle_newest = handle;
}

static void pin_locked(struct segment_cache *cache, struct segment_handle *handle)
    REQUIRES(cache->mu) {
    if (handle->pins == 0) {
        idle_remove_locked(cache, handle);
    }
    handle->pins++;
}

/* Takes the handle unused for longest out, if there is one too many; to be freed by the caller
 * without the lock. */
static struct segment_handle *take_surplus_locked(struct segment_cache *cache) REQUIRES(cache->mu) {
    struct segment_handle *handle = cache->idle_oldest;

    if (cache->open_count <= cache->open_max || !handle) {
        return NULL;
    }
    idle_remove_locked(cache, handle);
    table_remove_locked(cache, handle);
    return handle;
}

/* ---- pin, unpin ---- */

/* Puts an opened, pinned handle into the table, or finds that another thread was faster. */
static struct segment_handle *enter(struct segment_cache *cache, struct segment_handle *handle) {
    struct segment_handle *there;
    struct segment_handle *surplus;

    mutex_lock(&cache->mu);
    there = find_locked(cache, handle->number);
    if (there) {
        pin_locked(cache, there);
        surplus = handle;
    } else {
        table_insert_locked(cache, handle);
        there = handle;
        surplus = take_surplus_locked(cache);
    }
    mutex_unlock(&cache->mu);
    if (surplus) {
        handle_free(surplus);
    }
    return there;
}

static enum status open_pinned(struct segment_cache *cache, uint64_t number,
                               struct segment_handle **handle_out, struct error *error) {
    struct segment_handle *handle = memory_alloc_zeroed(sizeof *handle);
    enum status status;

    if (!handle) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "open a segment");
    }
    status = segment_open(&cache->source, number, &handle->segment, error);
    if (status != STATUS_OK) {
        memory_free(handle);
        return status;
    }
    handle->number = number;
    handle->pins = 1;
    *handle_out = enter(cache, handle);
    return STATUS_OK;
}

enum status segment_cache_pin(struct segment_cache *cache, uint64_t number, enum read_wait wait,
                              struct segment_handle **handle_out, struct error *error) {
    struct segment_handle *handle;

    mutex_lock(&cache->mu);
    handle = find_locked(cache, number);
    if (handle) {
        pin_locked(cache, handle);
    }
    mutex_unlock(&cache->mu);
    if (handle) {
        *handle_out = handle;
        return STATUS_OK;
    }
    if (wait == READ_WAIT_NEVER) {
        return STATUS_WOULD_BLOCK;
    }
    return open_pinned(cache, number, handle_out, error);
}

void segment_cache_unpin(struct segment_cache *cache, struct segment_handle *handle) {
    struct segment_handle *surplus = NULL;

    mutex_lock(&cache->mu);
    ASSERT(handle->pins > 0);
    handle->pins--;
    if (handle->pins == 0 && handle->evicted) {
        surplus = handle;
    } else if (handle->pins == 0) {
        idle_append_locked(cache, handle);
        surplus = take_surplus_locked(cache);
    }
    mutex_unlock(&cache->mu);
    if (surplus) {
        handle_free(surplus);
    }
}

struct segment *segment_handle_get(const struct segment_handle *handle) {
    return handle->segment;
}

enum status segment_cache_read_value(struct segment_cache *cache, const struct value_ref *ref,
                                     enum read_wait wait, uint8_t *raw_out, struct buffer *scratch,
                                     struct error *error) {
    struct segment_handle *handle;
    enum status status = segment_cache_pin(cache, ref->segment, wait, &handle, error);

    if (status == STATUS_OK) {
        status = segment_read_value(handle->segment, ref, wait, raw_out, scratch, error);
        segment_cache_unpin(cache, handle);
    }
    return status;
}

enum status segment_cache_fail(const struct segment_cache *cache, uint64_t number, uint64_t offset,
                               enum status status, const char *what, struct error *error) {
    char path[ENV_PATH_MAX];

    if (!error) {
        return status;
    }
    if (file_path_make(cache->source.dir, FILE_SEGMENT, number, path) != STATUS_OK) {
        path[0] = '\0';
    }
    return error_set(error, status, 0, path, offset, "%s", what);
}

void segment_cache_evict(struct segment_cache *cache, uint64_t number) {
    struct segment_handle *handle;

    mutex_lock(&cache->mu);
    handle = find_locked(cache, number);
    if (handle) {
        table_remove_locked(cache, handle);
        if (handle->pins > 0) {
            handle->evicted = true;
            handle = NULL; /* closed by the last unpin */
        } else {
            idle_remove_locked(cache, handle);
        }
    }
    mutex_unlock(&cache->mu);
    if (handle) {
        handle_free(handle);
    }
}

void segment_cache_read_stats(struct segment_cache *cache, struct segment_cache_stats *stats_out) {
    mutex_lock(&cache->mu);
    stats_out->open_segments = cache->open_count;
    stats_out->opens = cache->opens;
    mutex_unlock(&cache->mu);
}
