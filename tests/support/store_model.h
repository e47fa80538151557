/* store_model.h: what a store must hold: the oracle of the random tests.
 *
 *      commits, in the order of submitting:   0   1   2   3   4   5        (each a few operations)
 *                                             '---------------'
 *      the state after a prefix p = 5:  for each key the last operation on it among them
 *
 * A live read must show the state after some prefix that fits the version it read at; a store
 * opened after a crash the state after some prefix that is no shorter than what was promised. Which
 * prefix it was is found by trying all. */
#ifndef KVD_TESTS_STORE_MODEL_H
#define KVD_TESTS_STORE_MODEL_H

#include "storage/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_KEYS 40u
#define MODEL_OPS_MAX 6u
#define MODEL_COMMITS_MAX 4096u
#define MODEL_VALUE_BYTES_MAX (64u * 1024)
#define MODEL_NONE SIZE_MAX

_Static_assert(MODEL_KEYS <= 64, "a word has a bit for each key");

struct model_op {
    uint32_t key;
    bool deletes;
    bool is_range;   /* a range delete: not of `key` alone, but of all of these */
    uint64_t covers; /* a bit for each key */
    bool appends;    /* a put of the first half, and an append of the rest */
    bool touches;    /* a new expiry for the value that is there, which the rest describes */
    uint32_t value_bytes;
    uint64_t value_seed;
    uint64_t checksum;
    uint64_t expiry_ms; /* 0: never */
};

enum model_fate {
    MODEL_PENDING, /* not answered; or UNKNOWN */
    MODEL_DONE,    /* it has taken effect */
    MODEL_FAILED   /* it has not, and never will */
};

struct model_commit {
    struct model_op ops[MODEL_OPS_MAX];
    uint32_t op_count;
    enum store_durability durability;
    enum model_fate fate;
    uint64_t version; /* 0 while not known */
};

struct model {
    struct model_commit *commits; /* owned */
    size_t count;
    /* Prefixes that must survive: what was answered. */
    size_t synced_prefix; /* a power cut */
    size_t logged_prefix; /* a killed process */
    size_t must_prefix;   /* what has happened since: no less is found at the next opening */
};

/* What was read of a key. */
struct model_seen {
    bool looked;
    bool present;
    uint32_t value_bytes;
    uint64_t checksum;
    uint64_t version;
};

void model_init(struct model *model);
void model_deinit(struct model *model);

/* The text of a key; static for the whole run. MODEL_KEYS keys, a few of them long. */
struct slice model_key(uint32_t key, uint8_t *room); /* room: KEY_ROOM_BYTES */
#define MODEL_KEY_ROOM_BYTES 1024u

/* Fills in the checksum of a put; `room` gets its value (MODEL_VALUE_BYTES_MAX). */
struct slice model_value(struct model_op *op, uint8_t *room);

/* Adds a commit at the end; the caller fills it. */
struct model_commit *model_add(struct model *model);

static inline bool model_op_is_on(const struct model_op *op, uint32_t key) {
    return op->is_range ? op->covers >> key & 1 : op->key == key;
}

/* The last operation on `key` in the first `prefix` commits, failed ones left out. */
const struct model_op *model_find(const struct model *model, uint32_t key, size_t prefix,
                                  size_t *commit_out);

/* A reply that commit `index` decided has left: it must survive. */
void model_answered(struct model *model, size_t index);

/* The longest, or shortest, prefix in [low, high] whose state at now_ms is what was seen, or
 * MODEL_NONE. */
size_t model_match(const struct model *model, const struct model_seen seen[MODEL_KEYS],
                   uint64_t now_ms, size_t low, size_t high, bool longest);

/* The prefixes that a read at `version` may show. */
void model_bounds(const struct model *model, uint64_t version, size_t *low_out, size_t *high_out);

/* After a crash: the first `prefix` commits have happened, the rest never did. */
void model_settle(struct model *model, size_t prefix);

#endif
