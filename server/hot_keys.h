/* hot_keys.h: which keys are asked for most, from samples.
 *
 * Each loop has a table of its own. About one of 64 keys that requests name is looked at, at random
 * distances, so that no pattern of requests hides a key or shows one too often. The table is that
 * of the space-saving algorithm (Metwally, Agrawal, El Abbadi: Efficient computation of frequent
 * and top-k elements in data streams, 2005): a key that is not in the full table takes the place of
 * the one counted least, and inherits its count as what it may at most have been counted wrongly:
 *
 *      key | inherited | reads | writes          count = inherited + reads + writes
 *
 * A key with more than 1/128 of the samples is in the table for certain. Its reads and writes are
 * what was counted since it came, so they are never too many. Every second all counts shrink by a
 * tenth: the figures are of the last ten seconds or so.
 *
 * The loop's thread counts; the lock, taken for one sample and while a reader copies, is against
 * readers. */
#ifndef KVD_SERVER_HOT_KEYS_H
#define KVD_SERVER_HOT_KEYS_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define HOT_KEYS_PER_SAMPLE 64u      /* keys that a sample stands for */
#define HOT_KEYS_MAX 128u            /* places of a table */
#define HOT_KEYS_KEY_BYTES_MAX 128u  /* of a longer key the beginning is kept */
#define HOT_KEYS_SPACE_BYTES_MAX 64u /* likewise of the namespace's name */
#define HOT_KEYS_SAMPLES_MIN 3.0     /* a key with fewer is chance */

struct hot_key {
    uint64_t hash; /* of namespace and key: what tells them apart */
    double inherited;
    double reads;
    double writes;
    uint32_t key_len;
    uint32_t space_len;
    uint8_t key[HOT_KEYS_KEY_BYTES_MAX];
    uint8_t space[HOT_KEYS_SPACE_BYTES_MAX];
};

struct hot_keys;

/* What a reader gets: rates of all loops together. */
struct hot_key_view {
    uint64_t hash;
    double reads_per_s;
    double writes_per_s;
    uint32_t key_len;
    uint32_t space_len;
    uint8_t key[HOT_KEYS_KEY_BYTES_MAX];
    uint8_t space[HOT_KEYS_SPACE_BYTES_MAX];
};

/* `seed` is of the distances between samples. Errors: NO_MEMORY. */
enum status hot_keys_create(uint64_t now_ms, uint64_t seed, struct hot_keys **keys_out) MUST_CHECK;
void hot_keys_destroy(struct hot_keys *keys);

/* --- the loop's thread. Times are monotonic. */

/* How many keys on the next sample is to be: 1 to 127, 64 on average. */
uint32_t hot_keys_distance(struct hot_keys *keys);

void hot_keys_sample(struct hot_keys *keys, struct slice space, struct slice key, bool is_write);

/* Lets the counts shrink, if it is time. */
void hot_keys_age(struct hot_keys *keys, uint64_t now_ms);

/* --- any thread */

/* The keys of those of `count` tables that are not NULL, hottest first; the caller frees
 * *views_out. Errors: NO_MEMORY. */
enum status hot_keys_collect(struct hot_keys *const *all, uint32_t count, uint64_t now_ms,
                             struct hot_key_view **views_out, uint32_t *count_out) MUST_CHECK;

/* Forgets what was counted. */
void hot_keys_clear(struct hot_keys *keys, uint64_t now_ms);

#endif
