/* salvage_life.h: a store with every kind of file and record, left as a crash leaves one, whose
 * disk can be spoilt again and again (salvage_damage.h), and salvaged (salvage_fixture.h). Included
 * once by a test program.
 *
 *      wreck_build     a life: layers of tables, survivors, extents, an unflushed log; `facts`
 *                      remembers it; what a killed process leaves of the disk is kept aside
 *      wreck_anew      `env` becomes a copy of that disk; nothing is spoilt
 *      ...             destroy what the test is about, and say in `facts` what that may lose */
#ifndef KVD_TESTS_SALVAGE_LIFE_H
#define KVD_TESTS_SALVAGE_LIFE_H

#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/random.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/salvage_model.h"

#include <stdatomic.h>
#include <stdio.h>

#define HOUR_MS UINT64_C(3600000)
#define THRESHOLD 512u
#define LARGE_BYTES 70000u
#define OLD_DIR "store"
#define NEW_DIR "new"
#define LABELS_MAX 2048u
#define KIB_64 65536u

/* A line of SALVAGE.tsv. */
struct label {
    uint32_t space; /* SPACES: a name that never was */
    uint8_t key[FACT_KEY_BYTES_MAX];
    size_t key_len;
    uint64_t version;
    uint64_t time_ms;
    uint64_t bytes;
    bool stored;
};

struct wreck {
    struct fixture fixture; /* while it lives */
    struct facts facts;
    uint32_t ids[SPACES];
    bool unflushed; /* what is told now stays in the log */
    struct env *sound;
    struct env *env;
    struct scheduler *scheduler;
    bool threads;        /* salvage without a scheduler of the caller's */
    struct env *faulty;  /* salvage through it, when not NULL */
    uint64_t fail_after; /* and with the allocation after so many failing; UINT64_MAX: none */
    bool fail_for_ever;
    /* of the last salvage */
    struct store_salvage_result result;
    struct error error;
    uint32_t report_lines;
    struct label labels[LABELS_MAX];
    uint32_t label_count;
    struct buffer bytes; /* scratch */
};

/* ---- The life of the store --------------------------------------------------------------------
 */

/* What a put tells. */
struct telling {
    uint32_t space;
    struct slice key;
    uint32_t bytes;
    uint64_t ttl_ms;
    uint32_t user_flags;
};

static inline void fill(uint8_t *bytes, size_t len, uint64_t seed) {
    struct random random = random_make(seed);

    if (seed % 2 == 0) {
        fixture_fill(bytes, len, seed); /* compresses */
        return;
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)random_next(&random);
    }
}

/* The key is now as the store says; remembers it. */
static inline struct fact *note(struct wreck *wreck, uint32_t space, struct slice key) {
    struct fact *fact = facts_add(&wreck->facts, space, key);
    struct store_value_info info = {0};
    struct store_read read;
    enum status status;

    store_read_begin(wreck->fixture.store, &read);
    status = store_get(&read, wreck->ids[space], key, STORE_WAIT_ALLOWED, NULL, &info,
                       &wreck->fixture.error);
    store_read_end(&read);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    fact->deleted = status == STATUS_NOT_FOUND;
    fact->info = info;
    fact->info.version = atomic_load(&wreck->fixture.last_version);
    fact->record_version = fact->info.version;
    fact->time_ms = store_now_ms(wreck->fixture.store);
    fact->unflushed = wreck->unflushed;
    return fact;
}

static inline void submit(struct wreck *wreck, struct store_commit *commit) {
    struct store_outcome outcome = fixture_commit_end(&wreck->fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
}

static inline void add_put(struct wreck *wreck, struct store_commit *commit,
                           const struct telling *telling, uint64_t seed) {
    uint8_t value[16384];
    struct store_put put = {.namespace_id = wreck->ids[telling->space],
                            .key = telling->key,
                            .value = slice_make(value, telling->bytes),
                            .ttl_ms = telling->ttl_ms,
                            .user_flags = telling->user_flags};

    ck_assert_uint_le(telling->bytes, sizeof value);
    fill(value, telling->bytes, seed);
    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
}

static inline void tell(struct wreck *wreck, const struct telling *telling) {
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);

    add_put(wreck, commit, telling, wreck->facts.count);
    submit(wreck, commit);
    note(wreck, telling->space, telling->key);
    env_memory_advance_clock(wreck->fixture.memory, 1000000);
}

static inline struct slice key_make(char key[FACT_KEY_BYTES_MAX], const char *stem, uint32_t n) {
    snprintf(key, FACT_KEY_BYTES_MAX, "%s%02u", stem, n);
    return slice_from_text(key);
}

/* Keys stem00, stem03... up to `count`, with values of growing length; some expire, some have
 * flags. */
static inline void tell_keys(struct wreck *wreck, uint32_t space, const char *stem,
                             const uint32_t from_step_to[3], const uint32_t bytes_and_more[2]) {
    char key[FACT_KEY_BYTES_MAX];

    for (uint32_t i = from_step_to[0]; i < from_step_to[2]; i += from_step_to[1]) {
        tell(wreck, &(struct telling){.space = space,
                                      .key = key_make(key, stem, i),
                                      .bytes = bytes_and_more[0] + bytes_and_more[1] * i,
                                      .ttl_ms = i % 6 == 0 ? HOUR_MS + i : 0,
                                      .user_flags = i % 5 == 0 ? 7 + i : 0});
    }
}

static inline void take_away(struct wreck *wreck, uint32_t space, const char *text) {
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);
    struct slice key = slice_from_text(text);

    ck_assert_int_eq(store_commit_delete(commit, wreck->ids[space], key, NULL), STATUS_OK);
    submit(wreck, commit);
    note(wreck, space, key);
}

/* The live keys of a namespace with this beginning are as the store says now. */
static inline void note_all(struct wreck *wreck, uint32_t space, struct slice prefix) {
    size_t count = wreck->facts.count;

    for (size_t i = 0; i < count; i++) {
        struct fact *fact = &wreck->facts.list[i];
        if (fact->space == space && slice_has_prefix(fact_key(fact), prefix) && !fact->deleted &&
            facts_newest(&wreck->facts, space, fact_key(fact)) == fact) {
            note(wreck, space, fact_key(fact));
        }
    }
}

static inline void take_away_all(struct wreck *wreck, uint32_t space, const char *prefix) {
    uint8_t to[FACT_KEY_BYTES_MAX];
    struct store_range range = store_range_prefix(wreck->ids[space], slice_from_text(prefix), to);
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);

    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    submit(wreck, commit);
    note_all(wreck, space, slice_from_text(prefix));
}

/* A new expiry for the value that is there: an alias. */
static inline void touch(struct wreck *wreck, uint32_t space, const char *text, uint64_t ttl_ms) {
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);
    struct slice key = slice_from_text(text);
    uint64_t record = facts_newest(&wreck->facts, space, key)->record_version;

    ck_assert_int_eq(store_commit_expire(commit, wreck->ids[space], key, ttl_ms, NULL), STATUS_OK);
    submit(wreck, commit);
    note(wreck, space, key)->record_version = record;
}

static inline void upload(struct wreck *wreck, uint32_t space, const char *text, uint32_t bytes) {
    static uint8_t value[1200 * 1024];
    struct store_put put = {.namespace_id = wreck->ids[space],
                            .key = slice_from_text(text),
                            .ttl_ms = 2 * HOUR_MS,
                            .user_flags = bytes % 97};
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);
    struct fixture *fixture = &wreck->fixture;
    struct store_upload *begun;

    ck_assert_uint_le(bytes, sizeof value);
    fill(value, bytes, wreck->facts.count | 1); /* does not compress */
    ck_assert_int_eq(
        store_upload_begin(fixture->store, put.namespace_id, put.key, &begun, &fixture->error),
        STATUS_OK);
    ck_assert_int_eq(store_upload_append(begun, slice_make(value, bytes), &fixture->error),
                     STATUS_OK);
    ck_assert_int_eq(store_upload_finish(begun, &fixture->error), STATUS_OK);
    ck_assert_int_eq(store_commit_upload(commit, &put, begun), STATUS_OK);
    submit(wreck, commit);
    store_upload_destroy(begun);
    note(wreck, space, put.key);
}

static inline void name_space(struct wreck *wreck, uint32_t space,
                              struct store_namespace_settings settings) {
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);
    struct slice name = slice_from_text(space_names[space]);

    ck_assert_int_eq(store_commit_namespace_set(commit, name, &settings), STATUS_OK);
    submit(wreck, commit);
    ck_assert_int_eq(store_namespace(wreck->fixture.store, name, false, &wreck->ids[space]),
                     STATUS_OK);
}

static inline void drop_space(struct wreck *wreck, uint32_t space) {
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);

    ck_assert_int_eq(store_commit_namespace_drop(commit, slice_from_text(space_names[space])),
                     STATUS_OK);
    submit(wreck, commit);
    note_all(wreck, space, slice_from_text(""));
}

static inline void pass_seconds(struct wreck *wreck, uint64_t seconds) {
    env_memory_advance_clock(wreck->fixture.memory, seconds * UINT64_C(1000000000));
}

static inline void do_flush(struct wreck *wreck) {
    ck_assert_int_eq(store_flush(wreck->fixture.store, &wreck->fixture.error), STATUS_OK);
    fixture_settle(&wreck->fixture);
}

static inline void do_compact_and_collect(struct wreck *wreck) {
    ck_assert_int_eq(store_compact(wreck->fixture.store, &wreck->fixture.error), STATUS_OK);
    fixture_settle(&wreck->fixture);
    ck_assert_int_eq(store_collect(wreck->fixture.store, &wreck->fixture.error), STATUS_OK);
    fixture_settle(&wreck->fixture);
}

static const struct store_namespace_settings orders_settings = {
    .quota_bytes = 1u << 30, .keep_ms = HOUR_MS, .keep_versions = 2};

/* Bytes that lines and columns of a report have to say otherwise. */
static const struct slice odd_keys[] = {
    {(const uint8_t *)"", 0},     {(const uint8_t *)"a\tb", 3},       {(const uint8_t *)"a\nb", 3},
    {(const uint8_t *)"a\\b", 3}, {(const uint8_t *)"\0\xFF\x80", 3},
};
#define ODD_KEYS (sizeof odd_keys / sizeof odd_keys[0])

static inline void live_first_layer(struct wreck *wreck) {
    name_space(wreck, 1, orders_settings);
    name_space(wreck, 2, (struct store_namespace_settings){0});
    tell_keys(wreck, 0, "in", (uint32_t[]){0, 1, 80}, (uint32_t[]){20, 5});
    tell_keys(wreck, 0, "sep", (uint32_t[]){0, 1, 36}, (uint32_t[]){THRESHOLD, 211});
    tell_keys(wreck, 1, "in", (uint32_t[]){0, 1, 8}, (uint32_t[]){10, 5});
    tell_keys(wreck, 1, "sep", (uint32_t[]){0, 1, 8}, (uint32_t[]){900, 300});
    tell_keys(wreck, 2, "in", (uint32_t[]){0, 1, 4}, (uint32_t[]){10, 5});
    tell_keys(wreck, 2, "sep", (uint32_t[]){0, 1, 3}, (uint32_t[]){800, 300});
    tell(wreck, &(struct telling){0, slice_from_text("brief"), 700, 500, 0});
    tell(wreck, &(struct telling){0, slice_from_text("brief in"), 70, 500, 0});
    for (uint32_t i = 0; i < ODD_KEYS; i++) {
        tell(wreck, &(struct telling){0, odd_keys[i], i % 2 ? 40 + i : 1300 + i, 0, i});
    }
    upload(wreck, 0, "large0", 150000);
    upload(wreck, 1, "large1", LARGE_BYTES);
    upload(wreck, 0, "large2", LARGE_BYTES + 10);
    do_flush(wreck);
}

/* Half of it is written again; then GC moves what is left of the first segments. */
static inline void live_second_layer(struct wreck *wreck) {
    pass_seconds(wreck, 2);
    tell_keys(wreck, 0, "in", (uint32_t[]){0, 3, 80}, (uint32_t[]){30, 4});
    tell_keys(wreck, 0, "sep", (uint32_t[]){0, 2, 36}, (uint32_t[]){THRESHOLD + 50, 190});
    tell_keys(wreck, 1, "sep", (uint32_t[]){0, 2, 8}, (uint32_t[]){950, 200});
    take_away(wreck, 0, "in05");
    take_away(wreck, 0, "sep05");
    upload(wreck, 0, "large0", 140000);
    do_compact_and_collect(wreck);
    ck_assert_uint_gt(fixture_stat(&wreck->fixture, "gc_victims"), 0);
}

/* In a table above: changes and ends of what lies below; references keep the old homes. */
static inline void live_third_layer(struct wreck *wreck) {
    struct store_commit *commit;

    tell_keys(wreck, 0, "in", (uint32_t[]){1, 5, 80}, (uint32_t[]){40, 3});
    tell_keys(wreck, 0, "sep", (uint32_t[]){1, 7, 36}, (uint32_t[]){THRESHOLD + 90, 150});
    take_away(wreck, 0, "in07");
    take_away(wreck, 0, "sep07");
    take_away_all(wreck, 0, "sep1");
    take_away_all(wreck, 1, "in0");
    tell_keys(wreck, 0, "sep", (uint32_t[]){12, 1, 14}, (uint32_t[]){THRESHOLD + 70, 100});
    touch(wreck, 0, "sep23", 3 * HOUR_MS);
    touch(wreck, 0, "sep26", 0);
    touch(wreck, 0, "in10", 3 * HOUR_MS);
    touch(wreck, 0, "large2", 5 * HOUR_MS);
    commit = fixture_commit_begin(&wreck->fixture);
    ck_assert_int_eq(store_commit_add(commit, wreck->ids[0], slice_from_text("count"), 41, NULL),
                     STATUS_OK);
    submit(wreck, commit);
    note(wreck, 0, slice_from_text("count"));
    drop_space(wreck, 2);
    pass_seconds(wreck, 1);
    do_flush(wreck);
}

static inline void live_unflushed(struct wreck *wreck) {
    struct telling parts[4] = {{0, slice_from_text("in02"), 77, 0, 3},
                               {0, slice_from_text("sep02"), 777, HOUR_MS, 0},
                               {1, slice_from_text("sep03"), 1777, 0, 0},
                               {0, slice_from_text("fresh"), 1111, 0, 9}};
    struct store_commit *commit = fixture_commit_begin(&wreck->fixture);

    wreck->unflushed = true;
    for (uint32_t i = 0; i < 4; i++) {
        add_put(wreck, commit, &parts[i], 5000 + i);
    }
    submit(wreck, commit);
    for (uint32_t i = 0; i < 4; i++) {
        note(wreck, parts[i].space, parts[i].key);
    }
    name_space(wreck, 3, (struct store_namespace_settings){.keep_versions = 3});
    tell_keys(wreck, 3, "in", (uint32_t[]){0, 1, 4}, (uint32_t[]){50, 9});
    tell_keys(wreck, 3, "sep", (uint32_t[]){0, 1, 3}, (uint32_t[]){650, 90});
    tell_keys(wreck, 0, "sep", (uint32_t[]){3, 9, 36}, (uint32_t[]){THRESHOLD + 30, 90});
    tell_keys(wreck, 0, "in", (uint32_t[]){3, 7, 24}, (uint32_t[]){60, 2});
    take_away(wreck, 0, "in11");
    take_away(wreck, 0, "sep29");
    take_away_all(wreck, 1, "sep0");
    tell_keys(wreck, 1, "sep", (uint32_t[]){4, 1, 6}, (uint32_t[]){990, 100});
    touch(wreck, 0, "sep33", 4 * HOUR_MS);
    touch(wreck, 0, "sep03", 4 * HOUR_MS);
    upload(wreck, 0, "large3", LARGE_BYTES + 20); /* a put behind it might wait for space */
}

/* Keeps what a killed process leaves. */
static inline void wreck_kill(struct wreck *wreck) {
    static const struct power_cut kill = {.mode = POWER_CUT_KEEP_ALL,
                                          .entries = POWER_CUT_ENTRIES_KEEP};

    wreck->facts.now_ms = store_now_ms(wreck->fixture.store);
    ck_assert_int_eq(env_memory_clone(wreck->fixture.memory, &kill, &wreck->sound), STATUS_OK);
}

/* Kills it now, unless that was done; what comes after does not count. */
static inline void wreck_leave(struct wreck *wreck) {
    if (!wreck->sound) {
        wreck_kill(wreck);
    }
    fixture_close(&wreck->fixture);
    ck_assert_int_eq(scheduler_sim_create(1, &wreck->scheduler), STATUS_OK);
}

/* An open store without anything in it. */
static inline void wreck_init(struct wreck *wreck) {
    *wreck = (struct wreck){
        .ids = {STORE_NAMESPACE_DEFAULT}, .bytes = {.cap = 64u << 20}, .fail_after = UINT64_MAX};
    fixture_init(&wreck->fixture, 1);
    wreck->fixture.options.value_threshold = THRESHOLD;
    wreck->fixture.options.block_bytes = 4096;
    wreck->fixture.options.segment_bytes = 32 * 1024;
    fixture_open(&wreck->fixture);
}

static inline void wreck_build(struct wreck *wreck) {
    uint64_t flushes;

    wreck_init(wreck);
    live_first_layer(wreck);
    live_second_layer(wreck);
    live_third_layer(wreck);
    flushes = fixture_stat(&wreck->fixture, "flushes");
    live_unflushed(wreck);
    ck_assert_uint_eq(fixture_stat(&wreck->fixture, "flushes"), flushes);
    wreck_leave(wreck);
}

static inline void wreck_anew(struct wreck *wreck) {
    static const struct power_cut none = {.mode = POWER_CUT_NONE};

    env_memory_destroy(wreck->env);
    ck_assert_int_eq(env_memory_clone(wreck->sound, &none, &wreck->env), STATUS_OK);
    facts_spoil_none(&wreck->facts);
}

static inline void wreck_deinit(struct wreck *wreck) {
    env_memory_destroy(wreck->env); /* asserts that every file is closed */
    env_memory_destroy(wreck->sound);
    if (wreck->scheduler) {
        scheduler_destroy(wreck->scheduler);
    }
    buffer_deinit(&wreck->bytes);
    fixture_deinit(&wreck->fixture);
}

#endif
