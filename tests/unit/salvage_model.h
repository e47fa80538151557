/* salvage_model.h: what a store has been told, for the tests of salvage: every state that each key
 * ever had, so that what a salvage stores can be told apart into right, missing, old, and never
 * true. Included once by a test program. */
#ifndef KVD_TESTS_SALVAGE_MODEL_H
#define KVD_TESTS_SALVAGE_MODEL_H

#include "storage/checksum.h"
#include "storage/store.h"
#include "tests/unit/unit.h"

#define FACTS_MAX 1024u
#define FACT_KEY_BYTES_MAX 24u
#define SPACES 4u

static const char *const space_names[SPACES] = {"", "orders", "gone", "late"};

/* The state of a key from one commit on. */
struct fact {
    uint32_t space; /* of space_names */
    uint8_t key[FACT_KEY_BYTES_MAX];
    size_t key_len;
    bool deleted;
    struct store_value_info info; /* version alone, if deleted */
    uint64_t record_version; /* of the commit that wrote the value; another one after a touch */
    uint64_t time_ms;
    bool unflushed; /* it stands in the log alone */
    bool spoilt;    /* this state may be lost by what was destroyed */
};

struct facts {
    struct fact list[FACTS_MAX]; /* oldest first */
    size_t count;
    uint64_t now_ms; /* when the store was left */
};

/* What a salvaged store holds, by keys. `spoilt` is that of the newest state. */
struct tally {
    uint32_t live;           /* keys that the store had */
    uint32_t right;          /* have that state: value, expiry, flags */
    uint32_t missing;        /* live keys that are not there */
    uint32_t old;            /* have a state that had been replaced or ended, and no label */
    uint32_t old_labelled;   /* the same, with a line in SALVAGE.tsv */
    uint32_t astray;         /* keys that are not right and whose newest state is not spoilt */
    uint32_t right_labelled; /* of the right ones */
    uint32_t disordered;     /* right ones before which a later one was stored */
    char first[128];         /* the first key that is not right, for messages */
};

static inline struct slice fact_key(const struct fact *fact) {
    return slice_make(fact->key, fact->key_len);
}

static inline bool fact_is_of(const struct fact *fact, uint32_t space, struct slice key) {
    return fact->space == space && slice_equal(fact_key(fact), key);
}

/* NULL: there never was such a key. */
static inline struct fact *facts_newest(struct facts *facts, uint32_t space, struct slice key) {
    for (size_t i = facts->count; i-- > 0;) {
        if (fact_is_of(&facts->list[i], space, key)) {
            return &facts->list[i];
        }
    }
    return NULL;
}

static inline bool fact_is_live(const struct facts *facts, const struct fact *fact) {
    uint64_t expiry_ms = fact->info.expiry_ms;
    return !fact->deleted && (expiry_ms == 0 || expiry_ms > facts->now_ms);
}

static inline bool fact_is_separated(const struct fact *fact, uint32_t threshold) {
    return !fact->deleted && fact->info.value_bytes >= threshold;
}

/* Whether the key had this state then; the version is that of another store. */
static inline bool fact_equals(const struct fact *fact, const struct store_value_info *info) {
    return !fact->deleted && fact->info.value_bytes == info->value_bytes &&
           fact->info.checksum == info->checksum && fact->info.expiry_ms == info->expiry_ms &&
           fact->info.user_flags == info->user_flags;
}

/* Whether it ever had: anything else must never be stored. */
static inline bool facts_knew(const struct facts *facts, const struct fact *newest,
                              const struct store_value_info *info) {
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->list[i];
        if (fact_is_of(fact, newest->space, fact_key(newest)) && fact_equals(fact, info)) {
            return true;
        }
    }
    return false;
}

static inline struct fact *facts_add(struct facts *facts, uint32_t space, struct slice key) {
    struct fact *fact = &facts->list[facts->count++];

    ck_assert_uint_lt(facts->count, FACTS_MAX);
    ck_assert_uint_le(key.len, FACT_KEY_BYTES_MAX);
    *fact = (struct fact){.space = space, .key_len = key.len};
    if (key.len > 0) {
        memcpy(fact->key, key.ptr, key.len);
    }
    return fact;
}

/* ---- What may be lost ----
 */

static inline void facts_spoil_none(struct facts *facts) {
    for (size_t i = 0; i < facts->count; i++) {
        facts->list[i].spoilt = false;
    }
}

static inline void facts_spoil_all(struct facts *facts) {
    for (size_t i = 0; i < facts->count; i++) {
        facts->list[i].spoilt = true;
    }
}

static inline void facts_spoil_unflushed(struct facts *facts) {
    for (size_t i = 0; i < facts->count; i++) {
        facts->list[i].spoilt |= facts->list[i].unflushed;
    }
}

/* Values of at least so many bytes. */
static inline void facts_spoil_from(struct facts *facts, uint64_t bytes) {
    for (size_t i = 0; i < facts->count; i++) {
        struct fact *fact = &facts->list[i];
        fact->spoilt |= !fact->deleted && fact->info.value_bytes >= bytes;
    }
}

/* What these commits wrote: `values` alone, or all that they said. */
static inline void facts_spoil_versions(struct facts *facts, uint64_t first, uint64_t count,
                                        bool values) {
    for (size_t i = 0; i < facts->count; i++) {
        struct fact *fact = &facts->list[i];
        uint64_t version = values ? fact->record_version : fact->info.version;
        fact->spoilt |= version >= first && version - first < count;
    }
}

#endif
