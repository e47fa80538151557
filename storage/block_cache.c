/* block_cache.c: see block_cache.h. */
#include "storage/block_cache.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"
#include "storage/lock.h"

#define SHARD_ALIGNMENT 64 /* a cache line: shards do not share one */
#define FIRST_BUCKETS 64u

struct shard {
    _Alignas(SHARD_ALIGNMENT) struct mutex mu;
    struct cached_block **buckets GUARDED_BY(mu); /* owned; chains by chain_next */
    uint32_t bucket_count GUARDED_BY(mu);         /* a power of two */
    struct cached_block *newest GUARDED_BY(mu);
    struct cached_block *oldest GUARDED_BY(mu);
    struct cached_block *hand GUARDED_BY(mu); /* where to look next; NULL: at the oldest */
    uint64_t capacity_bytes GUARDED_BY(mu);
    uint64_t bytes GUARDED_BY(mu);
    uint64_t blocks GUARDED_BY(mu);
    uint64_t hits GUARDED_BY(mu);
    uint64_t misses GUARDED_BY(mu);
    uint64_t evictions GUARDED_BY(mu);
};

struct block_cache {
    uint32_t shard_count;  /* constant; a power of two */
    struct shard shards[]; /* each with its own lock */
};

static uint64_t charge(const struct cached_block *block) {
    return sizeof *block + block->capacity;
}

static uint64_t place_hash(uint64_t file_number, uint64_t offset) {
    uint64_t hash = file_number * UINT64_C(0x9E3779B97F4A7C15) ^ offset;
    hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return hash ^ hash >> 32;
}

static struct shard *shard_of(struct block_cache *cache, uint64_t hash) {
    return &cache->shards[hash >> 58 & (cache->shard_count - 1)];
}

/* Halves the number of shards until each has a fair size. */
static uint32_t shards_for(uint64_t capacity_bytes) {
    uint32_t count = BLOCK_CACHE_SHARDS_MAX;
    while (count > 1 && capacity_bytes / count < BLOCK_CACHE_SHARD_BYTES_MIN) {
        count /= 2;
    }
    return count;
}

enum status block_cache_create(uint64_t capacity_bytes, struct block_cache **cache_out) {
    uint32_t shard_count = shards_for(capacity_bytes);
    size_t bytes = sizeof(struct block_cache) + shard_count * sizeof(struct shard);
    struct block_cache *cache = memory_alloc_aligned(SHARD_ALIGNMENT, bytes);

    if (!cache) {
        return STATUS_NO_MEMORY;
    }
    memset(cache, 0, bytes);
    for (; cache->shard_count < shard_count; cache->shard_count++) {
        struct shard *shard = &cache->shards[cache->shard_count];
        shard->buckets = memory_alloc_array(FIRST_BUCKETS, sizeof(struct cached_block *));
        if (!shard->buckets) {
            block_cache_destroy(cache);
            return STATUS_NO_MEMORY;
        }
        shard->bucket_count = FIRST_BUCKETS;
        shard->capacity_bytes = capacity_bytes / shard_count;
        mutex_init(&shard->mu);
    }
    *cache_out = cache;
    return STATUS_OK;
}

struct cached_block *cached_block_create(size_t bytes) {
    struct cached_block *block;
    size_t total;

    if (bytes > UINT32_MAX || !checked_add_size(sizeof *block, bytes, &total)) {
        return NULL;
    }
    block = memory_alloc(total);
    if (block) {
        *block = (struct cached_block){.capacity = (uint32_t)bytes};
        atomic_init(&block->refs, 1);
    }
    return block;
}

static void block_free(struct cached_block *block) {
#ifdef KVD_DEBUG
    memset(block->data, 0xDB, block->capacity); /* so that a late read is seen */
#endif
    memory_free(block);
}

void cached_block_unref(struct cached_block *block) {
    /* release: our reads are done before the one who frees; acquire: as that one */
    if (block && atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) == 1) {
        block_free(block);
    }
}

static void block_ref(struct cached_block *block) {
    uint32_t before = atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
}

static struct cached_block **bucket_of(struct shard *shard, uint64_t hash) {
    return &shard->buckets[hash & (shard->bucket_count - 1)];
}

static struct cached_block *find_locked(struct shard *shard, uint64_t hash, uint64_t file_number,
                                        uint64_t offset) REQUIRES(shard->mu) {
    struct cached_block *block = *bucket_of(shard, hash);
    while (block && (block->file_number != file_number || block->offset != offset)) {
        block = block->chain_next;
    }
    return block;
}

struct cached_block *block_cache_find(struct block_cache *cache, uint64_t file_number,
                                      uint64_t offset) {
    uint64_t hash = place_hash(file_number, offset);
    struct shard *shard = shard_of(cache, hash);
    struct cached_block *block;

    mutex_lock(&shard->mu);
    block = find_locked(shard, hash, file_number, offset);
    if (block) {
        block->marked = true;
        block_ref(block);
        shard->hits++;
    } else {
        shard->misses++;
    }
    mutex_unlock(&shard->mu);
    return block;
}

/* Takes a victim, which the hand has passed, out of chain and queue; the cache's reference is then
 * the caller's. */
static void unlink_locked(struct shard *shard, struct cached_block *block) REQUIRES(shard->mu) {
    struct cached_block **link = bucket_of(shard, place_hash(block->file_number, block->offset));

    ASSERT(shard->hand != block);
    while (*link != block) {
        link = &(*link)->chain_next;
    }
    *link = block->chain_next;
    *(block->newer ? &block->newer->older : &shard->newest) = block->older;
    *(block->older ? &block->older->newer : &shard->oldest) = block->newer;
    shard->bytes -= charge(block);
    shard->blocks--;
}

/* The next victim of SIEVE; the shard is not empty. */
static struct cached_block *victim_locked(struct shard *shard) REQUIRES(shard->mu) {
    struct cached_block *block = shard->hand ? shard->hand : shard->oldest;

    while (block->marked) {
        block->marked = false;
        block = block->newer ? block->newer : shard->oldest;
    }
    shard->hand = block->newer;
    return block;
}

/* Evicts until `needed` more bytes fit; returns the evicted, chained, to be let go unlocked. */
static struct cached_block *evict_locked(struct shard *shard, uint64_t needed) REQUIRES(shard->mu) {
    struct cached_block *evicted = NULL;

    while (shard->blocks > 0 && shard->bytes + needed > shard->capacity_bytes) {
        struct cached_block *block = victim_locked(shard);
        unlink_locked(shard, block);
        block->chain_next = evicted;
        evicted = block;
        shard->evictions++;
    }
    return evicted;
}

static void unref_chain(struct cached_block *block) {
    while (block) {
        struct cached_block *next = block->chain_next;
        cached_block_unref(block);
        block = next;
    }
}

/* Doubles the buckets; without memory the chains just get longer. */
static void grow_locked(struct shard *shard) REQUIRES(shard->mu) {
    uint32_t count = shard->bucket_count * 2;
    struct cached_block **buckets = memory_alloc_array(count, sizeof(struct cached_block *));

    if (!buckets) {
        return;
    }
    memory_free(shard->buckets);
    shard->buckets = buckets;
    shard->bucket_count = count;
    for (struct cached_block *block = shard->newest; block; block = block->older) {
        struct cached_block **bucket =
            bucket_of(shard, place_hash(block->file_number, block->offset));
        block->chain_next = *bucket;
        *bucket = block;
    }
}

static void link_locked(struct shard *shard, uint64_t hash, struct cached_block *block)
    REQUIRES(shard->mu) {
    struct cached_block **bucket;

    if (shard->blocks >= shard->bucket_count) {
        grow_locked(shard);
    }
    bucket = bucket_of(shard, hash);
    block->chain_next = *bucket;
    *bucket = block;
    block->marked = false;
    block->newer = NULL;
    block->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = block;
    shard->newest = block;
    shard->bytes += charge(block);
    shard->blocks++;
}

void block_cache_insert(struct block_cache *cache, uint64_t file_number, uint64_t offset,
                        struct cached_block *block) {
    uint64_t hash = place_hash(file_number, offset);
    struct shard *shard = shard_of(cache, hash);
    struct cached_block *evicted = NULL;

    ASSERT(block->len <= block->capacity);
    block->file_number = file_number;
    block->offset = offset;
    mutex_lock(&shard->mu);
    if (charge(block) <= shard->capacity_bytes && !find_locked(shard, hash, file_number, offset)) {
        evicted = evict_locked(shard, charge(block));
        block_ref(block);
        link_locked(shard, hash, block);
    }
    mutex_unlock(&shard->mu);
    unref_chain(evicted);
}

void block_cache_set_capacity(struct block_cache *cache, uint64_t capacity_bytes) {
    for (uint32_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        struct cached_block *evicted;
        mutex_lock(&shard->mu);
        shard->capacity_bytes = capacity_bytes / cache->shard_count;
        evicted = evict_locked(shard, 0);
        mutex_unlock(&shard->mu);
        unref_chain(evicted);
    }
}

void block_cache_destroy(struct block_cache *cache) {
    if (!cache) {
        return;
    }
    block_cache_set_capacity(cache, 0);
    for (uint32_t i = 0; i < cache->shard_count; i++) {
        memory_free(cache->shards[i].buckets);
        mutex_deinit(&cache->shards[i].mu);
    }
    memory_free(cache);
}

void block_cache_read_stats(struct block_cache *cache, struct block_cache_stats *stats_out) {
    struct block_cache_stats stats = {0};

    for (uint32_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        mutex_lock(&shard->mu);
        stats.hits += shard->hits;
        stats.misses += shard->misses;
        stats.evictions += shard->evictions;
        stats.blocks += shard->blocks;
        stats.bytes += shard->bytes;
        stats.capacity_bytes += shard->capacity_bytes;
        mutex_unlock(&shard->mu);
    }
    *stats_out = stats;
}
