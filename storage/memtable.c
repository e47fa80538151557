/* memtable.c: see memtable.h. */
#include "storage/memtable.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "protocol/base/memory.h"
#include "storage/arena.h"
#include "storage/checksum.h"
#include "storage/ikey.h"
#include "storage/lock.h"

#include <stdatomic.h>

#define HEIGHT_MAX 14    /* 4^14 nodes and more */
#define HEIGHT_BRANCH 4u /* one node in four reaches the next level */
#define SHARES_FIRST 16
#define USAGES_FIRST 8
#define BUCKETS_MIN 1024u
#define BYTES_PER_BUCKET 256u /* about the size of a node with its small value */
#define OLDER_STEPS 8 /* older versions stepped over before a search of the list is quicker */

/* next[] has `height` links; the internal key and the entry follow it. */
struct node {
    struct node *older;           /* the version before it of the same row; constant */
    _Atomic(struct node *) chain; /* the next row of its bucket; release, acquire */
    uint64_t head;                /* first eight bytes of the user key, big-endian, zero padded */
    uint32_t namespace_id;
    uint32_t key_bytes; /* of the internal key */
    uint32_t entry_bytes;
    uint32_t height;
    _Atomic(struct node *) next[]; /* release by the writer, acquire by readers */
};

struct memtable {
    _Atomic uint32_t refs; /* acq_rel on the way down */
    /* constant */
    _Atomic(struct node *) *buckets; /* owned array; each: release by the writer, acquire */
    uint64_t bucket_mask;
    /* commit thread */
    struct arena arena;
    uint64_t random;
    size_t share_last; /* where the last reference went: most go to the same segment again */
    /* guarded by mu, which is a leaf; changed by the commit thread only, so it reads without */
    struct mutex mu;
    struct segment_share *shares; /* owned; ascending */
    size_t share_count;
    size_t share_capacity;
    struct namespace_usage *usages; /* owned; ascending */
    size_t usage_count;
    size_t usage_capacity;
    size_t usage_last;
    /* written by the commit thread, read by any: relaxed figures */
    _Atomic uint32_t height;
    _Atomic size_t bytes;
    _Atomic uint64_t entries;
    _Atomic uint64_t version_min;
    _Atomic uint64_t version_max;
    _Atomic uint64_t log_bytes;
    _Atomic uint64_t first_segment;
    struct node *first; /* the node before all others, of full height; in the arena */
    struct memtable_ranges ranges;
};

static uint8_t *node_key(const struct node *node) {
    return (uint8_t *)(uintptr_t)&node->next[node->height];
}

static struct slice node_ikey(const struct node *node) {
    return slice_make(node_key(node), node->key_bytes);
}

static struct slice node_entry(const struct node *node) {
    return slice_make(node_key(node) + node->key_bytes, node->entry_bytes);
}

static struct node *node_next(const struct node *node, uint32_t level) {
    return atomic_load_explicit(&node->next[level], memory_order_acquire);
}

static size_t node_size(uint32_t height, size_t key_bytes, size_t entry_bytes) {
    return sizeof(struct node) + height * sizeof(struct node *) + key_bytes + entry_bytes;
}

size_t memtable_node_bytes(size_t row_bytes, size_t entry_bytes) {
    return node_size(HEIGHT_MAX, row_bytes + IKEY_VERSION_BYTES, entry_bytes) + 8 +
           sizeof(struct memtable_range);
}

/* A search target, taken apart once. */
struct target {
    struct slice row;
    uint64_t head;
    uint64_t version;
    uint32_t namespace_id;
};

static uint64_t key_head(struct slice user_key) {
    uint8_t bytes[8] = {0};
    if (user_key.len >= sizeof bytes) {
        return __builtin_bswap64(load_u64(user_key.ptr));
    }
    if (user_key.len > 0) {
        memcpy(bytes, user_key.ptr, user_key.len);
    }
    return __builtin_bswap64(load_u64(bytes));
}

static struct target target_make(struct slice row, uint64_t version) {
    return (struct target){row, key_head(row_user_key(row)), version, row_namespace(row)};
}

/* Whether the node stands before the target: smaller row, or same row and newer version. */
static bool node_is_before(const struct node *node, const struct target *target) {
    struct slice ikey;
    int order;

    if (__builtin_expect(node->namespace_id != target->namespace_id, 0)) {
        return node->namespace_id < target->namespace_id;
    }
    if (node->head != target->head) {
        return node->head < target->head;
    }
    ikey = node_ikey(node);
    order = slice_compare(ikey_row(ikey), target->row);
    return order != 0 ? order < 0 : ikey_version(ikey) > target->version;
}

static uint32_t current_height(const struct memtable *memtable) {
    return atomic_load_explicit(&memtable->height, memory_order_relaxed);
}

/* The first node not before the target; the last before it on each level in `before` if wanted. */
static struct node *find(const struct memtable *memtable, const struct target *target,
                         struct node **before) {
    struct node *node = memtable->first;
    struct node *next = NULL;
    uint32_t level = current_height(memtable);

    while (level-- > 0) {
        struct node *bound = next; /* known not to be before the target */
        next = node_next(node, level);
        while (next && next != bound && node_is_before(next, target)) {
            node = next;
            next = node_next(node, level);
            __builtin_prefetch(next);
        }
        if (before) {
            before[level] = node;
        }
    }
    return next;
}

static uint32_t random_height(struct memtable *memtable) {
    uint32_t height = 1;
    uint64_t bits;

    memtable->random ^= memtable->random << 13; /* xorshift64, Marsaglia 2003 */
    memtable->random ^= memtable->random >> 7;
    memtable->random ^= memtable->random << 17;
    for (bits = memtable->random; height < HEIGHT_MAX && bits % HEIGHT_BRANCH == 0;
         bits /= HEIGHT_BRANCH) {
        height++;
    }
    return height;
}

static struct node *node_create(struct memtable *memtable, uint32_t height, size_t key_bytes,
                                size_t entry_bytes) {
    struct node *node = arena_take(&memtable->arena, node_size(height, key_bytes, entry_bytes));

    *node = (struct node){
        .key_bytes = (uint32_t)key_bytes, .entry_bytes = (uint32_t)entry_bytes, .height = height};
    for (uint32_t i = 0; i < height; i++) {
        atomic_init(&node->next[i], NULL);
    }
    return node;
}

static uint64_t bucket_count(uint64_t bytes) {
    uint64_t count = BUCKETS_MIN;

    while (count < bytes / BYTES_PER_BUCKET) {
        count *= 2;
    }
    return count;
}

static void memtable_free(struct memtable *memtable) {
    arena_deinit(&memtable->arena);
    memory_free(memtable->buckets);
    memory_free(memtable->shares);
    memory_free(memtable->usages);
    mutex_deinit(&memtable->mu);
    memory_free(memtable);
}

enum status memtable_create(uint64_t bytes, struct memtable **memtable_out) {
    struct memtable *memtable = memory_alloc_zeroed(sizeof *memtable);
    size_t first_bytes = node_size(HEIGHT_MAX, 0, 0) + 8;
    uint64_t buckets = bucket_count(bytes);

    if (!memtable) {
        return STATUS_NO_MEMORY;
    }
    arena_init(&memtable->arena);
    mutex_init(&memtable->mu);
    memtable->shares = memory_alloc_array(SHARES_FIRST, sizeof *memtable->shares);
    memtable->buckets = memory_alloc_array(buckets, sizeof *memtable->buckets);
    memtable->bucket_mask = buckets - 1;
    if (!memtable->shares || !memtable->buckets ||
        arena_reserve(&memtable->arena, first_bytes, first_bytes) != STATUS_OK) {
        memtable_free(memtable);
        return STATUS_NO_MEMORY;
    }
    memtable->share_capacity = SHARES_FIRST;
    memtable->random = UINT64_C(0x9E3779B97F4A7C15);
    memtable->first = node_create(memtable, HEIGHT_MAX, 0, 0);
    atomic_init(&memtable->refs, 1);
    atomic_init(&memtable->height, 1);
    atomic_init(&memtable->version_min, UINT64_MAX);
    atomic_init(&memtable->first_segment, UINT64_MAX);
    *memtable_out = memtable;
    return STATUS_OK;
}

void memtable_ref(struct memtable *memtable) {
    atomic_fetch_add_explicit(&memtable->refs, 1, memory_order_relaxed);
}

void memtable_unref(struct memtable *memtable) {
    uint32_t before = atomic_fetch_sub_explicit(&memtable->refs, 1, memory_order_acq_rel);

    ASSERT(before > 0);
    if (before == 1) {
        memtable_free(memtable);
    }
}

/* Room for one more share than there are. */
static enum status room_for_share(struct memtable *memtable) {
    struct segment_share *shares;
    struct segment_share *old = memtable->shares;
    size_t capacity = memtable->share_capacity * 2;

    if (memtable->share_count < memtable->share_capacity) {
        return STATUS_OK;
    }
    shares = memory_alloc_array(capacity, sizeof *shares);
    if (!shares) {
        return STATUS_NO_MEMORY;
    }
    memcpy(shares, old, memtable->share_count * sizeof *shares);
    mutex_lock(&memtable->mu);
    memtable->shares = shares;
    memtable->share_capacity = capacity;
    mutex_unlock(&memtable->mu);
    memory_free(old);
    return STATUS_OK;
}

enum status memtable_reserve(struct memtable *memtable, size_t bytes, size_t node_bytes_max) {
    /* One more segment at most: what a commit writes lies in one. */
    enum status status = room_for_share(memtable);
    return status == STATUS_OK ? arena_reserve(&memtable->arena, bytes, node_bytes_max) : status;
}

/* The first share whose segment is >= `segment`. */
static size_t share_position(const struct memtable *memtable, uint64_t segment) {
    size_t low = 0;
    size_t high = memtable->share_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memtable->shares[middle].segment < segment) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool share_is_at(const struct memtable *memtable, size_t position, uint64_t segment) {
    return position < memtable->share_count && memtable->shares[position].segment == segment;
}

/* Where the share of this segment is; put in with zeros if it is new, for which there is room. */
static size_t share_of_locked(struct memtable *memtable, uint64_t segment) REQUIRES(memtable->mu) {
    size_t position = memtable->share_last;

    if (share_is_at(memtable, position, segment)) {
        return position;
    }
    position = share_position(memtable, segment);
    if (!share_is_at(memtable, position, segment)) {
        struct segment_share *shares = memtable->shares;
        ASSERT(memtable->share_count < memtable->share_capacity);
        memmove(shares + position + 1, shares + position,
                (memtable->share_count - position) * sizeof *shares);
        shares[position] = (struct segment_share){.segment = segment};
        memtable->share_count++;
    }
    memtable->share_last = position;
    return position;
}

enum status memtable_reserve_segments(struct memtable *memtable, const struct entry *entry) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;
    enum status status = room_for_share(memtable);

    while (status == STATUS_OK && entry_refs_next(&refs, &ref)) {
        mutex_lock(&memtable->mu);
        (void)share_of_locked(memtable, ref.segment); /* there is room, here and hereafter */
        mutex_unlock(&memtable->mu);
        status = room_for_share(memtable);
    }
    return status;
}

/* Books all records that the entry refers to. */
static void note_references(struct memtable *memtable, const struct entry *entry) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;

    mutex_lock(&memtable->mu);
    while (entry_refs_next(&refs, &ref)) {
        struct segment_share *share = &memtable->shares[share_of_locked(memtable, ref.segment)];
        segment_share_add(share, ref.stored_bytes, entry->alias);
    }
    mutex_unlock(&memtable->mu);
}

/* ---- Namespaces ---- */

static bool usage_is_at(const struct memtable *memtable, size_t position, uint32_t namespace_id) {
    return position < memtable->usage_count &&
           memtable->usages[position].namespace_id == namespace_id;
}

/* The first usage whose namespace is >= `namespace_id`. */
static size_t usage_position(const struct memtable *memtable, uint32_t namespace_id) {
    size_t low = 0;
    size_t high = memtable->usage_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memtable->usages[middle].namespace_id < namespace_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Puts in a namespace with zeros; false without memory. */
static bool add_usage_locked(struct memtable *memtable, size_t position, uint32_t namespace_id)
    REQUIRES(memtable->mu) {
    struct namespace_usage *usages = memtable->usages;

    if (memtable->usage_count == memtable->usage_capacity) {
        size_t capacity = memtable->usage_capacity ? memtable->usage_capacity * 2 : USAGES_FIRST;
        usages = memory_resize(usages, capacity * sizeof *usages);
        if (!usages) {
            return false;
        }
        memtable->usages = usages;
        memtable->usage_capacity = capacity;
    }
    memmove(usages + position + 1, usages + position,
            (memtable->usage_count - position) * sizeof *usages);
    usages[position] = (struct namespace_usage){.namespace_id = namespace_id};
    memtable->usage_count++;
    return true;
}

/* Books an entry for its namespace. A namespace for which there is no memory is left out: these
 * books only serve quotas and lists. */
static void note_usage(struct memtable *memtable, uint32_t namespace_id, size_t bytes,
                       const struct entry *entry) {
    size_t position = memtable->usage_last;
    bool found = true;

    mutex_lock(&memtable->mu);
    if (!usage_is_at(memtable, position, namespace_id)) {
        position = usage_position(memtable, namespace_id);
        found = usage_is_at(memtable, position, namespace_id) ||
                add_usage_locked(memtable, position, namespace_id);
    }
    if (found) {
        struct namespace_usage *usage = &memtable->usages[position];
        usage->entries++;
        usage->tombstones += entry->kind == ENTRY_TOMBSTONE;
        usage->table_bytes += bytes;
        usage->log_bytes += entry_log_bytes(entry);
        memtable->usage_last = position;
    }
    mutex_unlock(&memtable->mu);
}

struct namespace_usage memtable_usage(struct memtable *memtable, uint32_t namespace_id) {
    struct namespace_usage usage = {.namespace_id = namespace_id};
    size_t position;

    mutex_lock(&memtable->mu);
    position = usage_position(memtable, namespace_id);
    if (usage_is_at(memtable, position, namespace_id)) {
        usage = memtable->usages[position];
    }
    mutex_unlock(&memtable->mu);
    return usage;
}

enum status memtable_copy_usages(struct memtable *memtable, struct namespace_usage **usages_out,
                                 size_t *count_out) {
    enum status status = STATUS_OK;

    *usages_out = NULL;
    mutex_lock(&memtable->mu);
    *count_out = memtable->usage_count;
    if (memtable->usage_count > 0) {
        *usages_out = memory_alloc_array(memtable->usage_count, sizeof **usages_out);
        status = *usages_out ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (*usages_out) {
        memcpy(*usages_out, memtable->usages, memtable->usage_count * sizeof **usages_out);
    }
    mutex_unlock(&memtable->mu);
    return status;
}

uint64_t memtable_tombstones(struct memtable *memtable) {
    uint64_t tombstones = 0;

    mutex_lock(&memtable->mu);
    for (size_t i = 0; i < memtable->usage_count; i++) {
        tombstones += memtable->usages[i].tombstones;
    }
    mutex_unlock(&memtable->mu);
    return tombstones;
}

static void note_version(struct memtable *memtable, uint64_t version) {
    if (atomic_load_explicit(&memtable->version_min, memory_order_relaxed) > version) {
        atomic_store_explicit(&memtable->version_min, version, memory_order_relaxed);
    }
    if (atomic_load_explicit(&memtable->version_max, memory_order_relaxed) < version) {
        atomic_store_explicit(&memtable->version_max, version, memory_order_relaxed);
    }
}

static bool node_is_of_row(const struct node *node, uint64_t head, struct slice row) {
    return node->head == head && node->key_bytes == row.len + IKEY_VERSION_BYTES &&
           memcmp(node_key(node), row.ptr, row.len) == 0;
}

/* The newest node of the row, or NULL; the writer also gets the link to it, or to the chain's end.
 */
static struct node *find_row(const struct memtable *memtable, uint64_t hash, uint64_t head,
                             struct slice row, _Atomic(struct node *) **link_out) {
    _Atomic(struct node *) *link = &memtable->buckets[hash & memtable->bucket_mask];
    struct node *node = atomic_load_explicit(link, memory_order_acquire);

    while (node && !node_is_of_row(node, head, row)) {
        link = &node->chain;
        node = atomic_load_explicit(link, memory_order_acquire);
    }
    if (link_out) {
        *link_out = link;
    }
    return node;
}

/* Puts the node in the place of the newest version of its row so far, or at the chain's end. A
 * reader who stands at the replaced node goes on from there: what it misses is newer than it. */
static void hash_insert(struct memtable *memtable, struct node *node, struct slice row) {
    _Atomic(struct node *) *link;

    node->older = find_row(memtable, checksum_of(row), node->head, row, &link);
    atomic_init(&node->chain, node->older
                                  ? atomic_load_explicit(&node->older->chain, memory_order_relaxed)
                                  : NULL);
    atomic_store_explicit(link, node, memory_order_release);
}

void memtable_insert(struct memtable *memtable, struct slice row, uint64_t version,
                     const struct entry *entry) {
    struct target target = target_make(row, version);
    uint32_t height = random_height(memtable);
    size_t payload_bytes = entry_bytes(entry);
    struct node *before[HEIGHT_MAX];
    struct node *node;

    while (current_height(memtable) < height) {
        atomic_fetch_add_explicit(&memtable->height, 1, memory_order_relaxed);
    }
    find(memtable, &target, before);
    node = node_create(memtable, height, row.len + IKEY_VERSION_BYTES, payload_bytes);
    node->head = target.head;
    node->namespace_id = target.namespace_id;
    ikey_store(node_key(node), row, version);
    entry_store(node_key(node) + node->key_bytes, entry);
    for (uint32_t level = 0; level < height; level++) {
        atomic_store_explicit(&node->next[level], node_next(before[level], level),
                              memory_order_relaxed);
        atomic_store_explicit(&before[level]->next[level], node, memory_order_release);
    }
    hash_insert(memtable, node, row);
    if (entry->kind == ENTRY_REFERENCE || entry->kind == ENTRY_LARGE) {
        note_references(memtable, entry);
    }
    note_usage(memtable, node->namespace_id, node->key_bytes + payload_bytes, entry);
    if (node->namespace_id == NAMESPACE_SYSTEM) {
        memtable_ranges_note(&memtable->ranges, &memtable->arena, node_ikey(node),
                             node_entry(node));
    }
    note_version(memtable, version);
    atomic_fetch_add_explicit(&memtable->entries, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&memtable->bytes, node_size(height, node->key_bytes, payload_bytes),
                              memory_order_relaxed);
}

bool memtable_get(const struct memtable *memtable, const struct table_target *wanted,
                  struct memtable_hit *hit_out) {
    uint64_t head = key_head(row_user_key(wanted->row));
    const struct node *node = find_row(memtable, wanted->row_hash, head, wanted->row, NULL);

    for (uint32_t i = 0; node && ikey_version(node_ikey(node)) > wanted->version; i++) {
        if (i == OLDER_STEPS) {
            struct target target = target_make(wanted->row, wanted->version);
            node = find(memtable, &target, NULL);
            if (node && !node_is_of_row(node, head, wanted->row)) {
                node = NULL;
            }
            break;
        }
        node = node->older;
    }
    if (!node) {
        return false;
    }
    hit_out->entry = node_entry(node);
    hit_out->version = ikey_version(node_ikey(node));
    return true;
}

const struct memtable_ranges *memtable_ranges(const struct memtable *memtable) {
    return &memtable->ranges;
}

size_t memtable_bytes(const struct memtable *memtable) {
    return atomic_load_explicit(&memtable->bytes, memory_order_relaxed);
}

uint64_t memtable_entries(const struct memtable *memtable) {
    return atomic_load_explicit(&memtable->entries, memory_order_relaxed);
}

uint64_t memtable_version_min(const struct memtable *memtable) {
    return atomic_load_explicit(&memtable->version_min, memory_order_relaxed);
}

uint64_t memtable_version_max(const struct memtable *memtable) {
    return atomic_load_explicit(&memtable->version_max, memory_order_relaxed);
}

void memtable_note_log(struct memtable *memtable, uint64_t segment, uint64_t bytes) {
    if (atomic_load_explicit(&memtable->first_segment, memory_order_relaxed) == UINT64_MAX) {
        atomic_store_explicit(&memtable->first_segment, segment, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&memtable->log_bytes, bytes, memory_order_relaxed);
}

uint64_t memtable_log_bytes(const struct memtable *memtable) {
    return atomic_load_explicit(&memtable->log_bytes, memory_order_relaxed);
}

uint64_t memtable_first_segment(const struct memtable *memtable) {
    return atomic_load_explicit(&memtable->first_segment, memory_order_relaxed);
}

const struct segment_share *memtable_shares(const struct memtable *memtable, size_t *count_out) {
    *count_out = memtable->share_count;
    return memtable->shares;
}

/* ---- Iterator ---------------------------------------------------------------------------------
 */

struct memtable_iterator {
    struct iterator base;
    const struct memtable *memtable; /* borrowed from whoever holds the view */
    const struct node *node;         /* NULL: stands nowhere */
};

static enum status stand_at(struct memtable_iterator *iter, const struct node *node) {
    iter->node = node;
    if (!node) {
        return STATUS_END;
    }
    iter->base.key = node_ikey(node);
    iter->base.entry = node_entry(node);
    return STATUS_OK;
}

static struct memtable_iterator *from_base(struct iterator *base) {
    return (struct memtable_iterator *)base;
}

static enum status iter_seek(struct iterator *base, struct slice ikey) {
    struct target target = target_make(ikey_row(ikey), ikey_version(ikey));
    return stand_at(from_base(base), find(from_base(base)->memtable, &target, NULL));
}

static const struct node *last_before(const struct memtable *memtable, struct slice ikey) {
    struct target target = target_make(ikey_row(ikey), ikey_version(ikey));
    struct node *before[HEIGHT_MAX];

    find(memtable, &target, before);
    return before[0] == memtable->first ? NULL : before[0];
}

static enum status iter_seek_before(struct iterator *base, struct slice ikey) {
    return stand_at(from_base(base), last_before(from_base(base)->memtable, ikey));
}

static enum status iter_seek_first(struct iterator *base) {
    return stand_at(from_base(base), node_next(from_base(base)->memtable->first, 0));
}

static enum status iter_seek_last(struct iterator *base) {
    const struct memtable *memtable = from_base(base)->memtable;
    const struct node *node = memtable->first;
    uint32_t level = current_height(memtable);

    while (level-- > 0) {
        const struct node *next = node_next(node, level);
        while (next) {
            node = next;
            next = node_next(node, level);
        }
    }
    return stand_at(from_base(base), node == memtable->first ? NULL : node);
}

static enum status iter_next(struct iterator *base) {
    ASSERT(from_base(base)->node != NULL);
    return stand_at(from_base(base), node_next(from_base(base)->node, 0));
}

static enum status iter_prev(struct iterator *base) {
    struct memtable_iterator *iter = from_base(base);
    ASSERT(iter->node != NULL);
    return stand_at(iter, last_before(iter->memtable, node_ikey(iter->node)));
}

static void iter_destroy(struct iterator *base) {
    memory_free(base);
}

enum status memtable_iterator_create(const struct memtable *memtable, struct iterator **iter_out) {
    static const struct iterator_ops ops = {.seek = iter_seek,
                                            .seek_before = iter_seek_before,
                                            .seek_first = iter_seek_first,
                                            .seek_last = iter_seek_last,
                                            .next = iter_next,
                                            .prev = iter_prev,
                                            .destroy = iter_destroy};
    struct memtable_iterator *iter = memory_alloc_zeroed(sizeof *iter);

    if (!iter) {
        return STATUS_NO_MEMORY;
    }
    iter->base.ops = &ops;
    iter->memtable = memtable;
    *iter_out = &iter->base;
    return STATUS_OK;
}

enum status memtable_copy_shares(struct memtable *memtable, struct segment_share **shares_out,
                                 size_t *count_out) {
    size_t bytes = 0;
    enum status status = STATUS_OK;

    *shares_out = NULL;
    mutex_lock(&memtable->mu);
    *count_out = memtable->share_count;
    if (memtable->share_count > 0) {
        bytes = memtable->share_count * sizeof **shares_out;
        *shares_out = memory_alloc(bytes);
        status = *shares_out ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (*shares_out) {
        memcpy(*shares_out, memtable->shares, bytes);
    }
    mutex_unlock(&memtable->mu);
    return status;
}
