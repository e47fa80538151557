/* hot_keys.c: see hot_keys.h. */
#include "server/hot_keys.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define AGE_MS 1000u
#define SHRINK 0.9            /* a second; counts are of 1 / (1 - 0.9) = 10 seconds then */
#define SHRINK_TIMES_MAX 100u /* nothing is left after so many */

#define HASH_START UINT64_C(0xCBF29CE484222325) /* FNV-1a, 64 bits */
#define HASH_FACTOR UINT64_C(0x100000001B3)

struct hot_keys {
    /* of the loop */
    uint64_t random;
    uv_mutex_t mu;
    /* guarded by mu */
    uint64_t aged_ms; /* when counts last shrank */
    double seconds;   /* that the counts are of, up to then */
    uint32_t used;
    struct hot_key places[HOT_KEYS_MAX];
};

uint32_t hot_keys_distance(struct hot_keys *keys) {
    keys->random ^= keys->random << 13;
    keys->random ^= keys->random >> 7;
    keys->random ^= keys->random << 17;
    return 1 + (uint32_t)((keys->random >> 32) % (2 * HOT_KEYS_PER_SAMPLE - 1));
}

enum status hot_keys_create(uint64_t now_ms, uint64_t seed, struct hot_keys **keys_out) {
    struct hot_keys *keys = memory_alloc_zeroed(sizeof *keys);

    if (!keys) {
        return STATUS_NO_MEMORY;
    }
    ASSERT(uv_mutex_init(&keys->mu) == 0);
    keys->random = seed | 1;
    keys->aged_ms = now_ms;
    *keys_out = keys;
    return STATUS_OK;
}

void hot_keys_destroy(struct hot_keys *keys) {
    if (keys) {
        uv_mutex_destroy(&keys->mu);
        memory_free(keys);
    }
}

/* --- counting --- */

static uint64_t hash_more(uint64_t hash, struct slice bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.ptr[i]) * HASH_FACTOR;
    }
    return (hash ^ bytes.len) * HASH_FACTOR; /* so that "a" "bc" is not "ab" "c" */
}

static double count_of(const struct hot_key *place) {
    return place->inherited + place->reads + place->writes;
}

/* The one counted least, or a free one. */
static struct hot_key *least_locked(struct hot_keys *keys) {
    struct hot_key *least = &keys->places[0];

    if (keys->used < HOT_KEYS_MAX) {
        return &keys->places[keys->used++];
    }
    for (uint32_t i = 1; i < HOT_KEYS_MAX; i++) {
        if (count_of(&keys->places[i]) < count_of(least)) {
            least = &keys->places[i];
        }
    }
    return least;
}

static uint32_t keep(uint8_t *room, size_t room_bytes, struct slice bytes) {
    size_t kept = bytes.len < room_bytes ? bytes.len : room_bytes;

    if (kept > 0) {
        memcpy(room, bytes.ptr, kept);
    }
    return (uint32_t)bytes.len;
}

static struct hot_key *place_locked(struct hot_keys *keys, uint64_t hash, struct slice space,
                                    struct slice key) {
    struct hot_key *place;

    for (uint32_t i = 0; i < keys->used; i++) {
        if (keys->places[i].hash == hash) {
            return &keys->places[i];
        }
    }
    place = least_locked(keys);
    place->inherited = count_of(place);
    place->reads = 0;
    place->writes = 0;
    place->hash = hash;
    place->key_len = keep(place->key, sizeof place->key, key);
    place->space_len = keep(place->space, sizeof place->space, space);
    return place;
}

void hot_keys_sample(struct hot_keys *keys, struct slice space, struct slice key, bool is_write) {
    uint64_t hash = hash_more(hash_more(HASH_START, space), key);
    struct hot_key *place;

    uv_mutex_lock(&keys->mu);
    place = place_locked(keys, hash, space, key);
    if (is_write) {
        place->writes += 1;
    } else {
        place->reads += 1;
    }
    uv_mutex_unlock(&keys->mu);
}

/* --- time --- */

static void shrink_locked(struct hot_keys *keys) {
    for (uint32_t i = 0; i < keys->used; i++) {
        keys->places[i].inherited *= SHRINK;
        keys->places[i].reads *= SHRINK;
        keys->places[i].writes *= SHRINK;
    }
    keys->seconds = (keys->seconds + AGE_MS / 1000.0) * SHRINK;
}

void hot_keys_age(struct hot_keys *keys, uint64_t now_ms) {
    uint64_t times;

    uv_mutex_lock(&keys->mu);
    times = now_ms > keys->aged_ms ? (now_ms - keys->aged_ms) / AGE_MS : 0;
    keys->aged_ms += times * AGE_MS;
    for (uint64_t i = 0; i < times && i < SHRINK_TIMES_MAX; i++) {
        shrink_locked(keys);
    }
    uv_mutex_unlock(&keys->mu);
}

void hot_keys_clear(struct hot_keys *keys, uint64_t now_ms) {
    uv_mutex_lock(&keys->mu);
    keys->used = 0;
    memset(keys->places, 0, sizeof keys->places);
    keys->aged_ms = now_ms;
    keys->seconds = 0;
    uv_mutex_unlock(&keys->mu);
}

/* --- reading --- */

static struct hot_key_view view_of(const struct hot_key *place, double per_sample) {
    struct hot_key_view view = {.hash = place->hash,
                                .reads_per_s = place->reads * per_sample,
                                .writes_per_s = place->writes * per_sample,
                                .key_len = place->key_len,
                                .space_len = place->space_len};

    memcpy(view.key, place->key, sizeof view.key);
    memcpy(view.space, place->space, sizeof view.space);
    return view;
}

/* Appends those that were sampled often enough; returns how many. */
static uint32_t copy(struct hot_keys *keys, uint64_t now_ms, struct hot_key_view *views) {
    uint32_t count = 0;
    double seconds;

    uv_mutex_lock(&keys->mu);
    seconds = keys->seconds;
    seconds += now_ms > keys->aged_ms ? (double)(now_ms - keys->aged_ms) / 1000 : 0;
    for (uint32_t i = 0; i < keys->used; i++) {
        const struct hot_key *place = &keys->places[i];
        if (place->reads + place->writes >= HOT_KEYS_SAMPLES_MIN) {
            views[count++] = view_of(place, HOT_KEYS_PER_SAMPLE / (seconds > 0.1 ? seconds : 0.1));
        }
    }
    uv_mutex_unlock(&keys->mu);
    return count;
}

static int by_hash(const void *a, const void *b) {
    const struct hot_key_view *left = a;
    const struct hot_key_view *right = b;

    return left->hash < right->hash ? -1 : left->hash > right->hash;
}

static int by_heat(const void *a, const void *b) {
    const struct hot_key_view *left = a;
    const struct hot_key_view *right = b;
    double difference =
        right->reads_per_s + right->writes_per_s - left->reads_per_s - left->writes_per_s;

    return difference < 0 ? -1 : difference > 0;
}

/* Adds up what several loops say of one key. Returns how many keys are left. */
static uint32_t merge(struct hot_key_view *views, uint32_t count) {
    uint32_t kept = 0;

    qsort(views, count, sizeof *views, by_hash);
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && views[kept - 1].hash == views[i].hash) {
            views[kept - 1].reads_per_s += views[i].reads_per_s;
            views[kept - 1].writes_per_s += views[i].writes_per_s;
        } else {
            views[kept++] = views[i];
        }
    }
    return kept;
}

enum status hot_keys_collect(struct hot_keys *const *all, uint32_t count, uint64_t now_ms,
                             struct hot_key_view **views_out, uint32_t *count_out) {
    uint32_t tables = 1;
    uint32_t found = 0;
    struct hot_key_view *views;

    for (uint32_t i = 0; i < count; i++) {
        tables += all[i] != NULL;
    }
    views = memory_alloc_zeroed((size_t)tables * HOT_KEYS_MAX * sizeof *views);
    if (!views) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        found += all[i] ? copy(all[i], now_ms, views + found) : 0;
    }
    found = merge(views, found);
    qsort(views, found, sizeof *views, by_heat);
    *views_out = views;
    *count_out = found;
    return STATUS_OK;
}
