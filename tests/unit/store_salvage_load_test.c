/* store_salvage_load_test.c: a store that was loaded in bulk is salvaged as any other: with its
 * manifest, without it, and with a load that a kill has broken. */
#include "tests/unit/salvage_damage.h"

#define LOADED 60u

static struct wreck wreck;
static struct found_files files;

static size_t loaded_bytes(uint32_t n) {
    return 20 + 50 * (size_t)n;
}

static void add_all(struct store_bulk *bulk, uint64_t seed) {
    struct fixture *fixture = &wreck.fixture;
    char key[FACT_KEY_BYTES_MAX];
    uint8_t value[16384];

    for (uint32_t i = 0; i < LOADED; i++) {
        struct store_bulk_entry entry = {.key = key_make(key, "load", i),
                                         .value = slice_make(value, loaded_bytes(i)),
                                         .user_flags = i};
        fill(value, loaded_bytes(i), seed + i);
        ck_assert_int_eq(store_bulk_add(bulk, &entry, &fixture->error), STATUS_OK);
    }
}

static struct store_bulk *begin_load(uint64_t seed) {
    struct fixture *fixture = &wreck.fixture;
    struct store_bulk *bulk;

    ck_assert_int_eq(store_bulk_begin(fixture->store, wreck.ids[0], &bulk, &fixture->error),
                     STATUS_OK);
    add_all(bulk, seed);
    return bulk;
}

static void load(uint64_t seed) {
    struct fixture *fixture = &wreck.fixture;
    struct store_bulk *bulk = begin_load(seed);
    char key[FACT_KEY_BYTES_MAX];
    uint64_t version;

    ck_assert_int_eq(store_bulk_finish(bulk, &version, &fixture->error), STATUS_OK);
    store_bulk_destroy(bulk);
    atomic_store(&fixture->last_version, version);
    for (uint32_t i = 0; i < LOADED; i++) {
        note(&wreck, 0, key_make(key, "load", i));
    }
}

/* Keys before, between, over and behind two loads; the last ones only in the log. */
static void live(void) {
    wreck_init(&wreck);
    tell_keys(&wreck, 0, "load", (uint32_t[]){0, 3, 90}, (uint32_t[]){300, 20});
    load(1000);
    tell_keys(&wreck, 0, "load", (uint32_t[]){1, 7, 60}, (uint32_t[]){10, 30});
    load(2001);
    do_compact_and_collect(&wreck);
    load(3000);
    tell_keys(&wreck, 0, "load", (uint32_t[]){2, 9, 60}, (uint32_t[]){600, 3});
    take_away(&wreck, 0, "load05");
}

static void expect_equal(const char *what) {
    struct tally tally = wreck_salvage(&wreck);

    ck_assert_msg(tally.right == tally.live && tally.astray == 0 && tally.old == 0,
                  "%s: %u of %u, %s", what, tally.right, tally.live, tally.first);
    ck_assert_uint_eq(wreck.result.entries_lost, 0);
}

START_TEST(what_was_loaded_is_rebuilt) {
    live();
    wreck_leave(&wreck);
    wreck_anew(&wreck);
    expect_equal("sound");
    wreck_anew(&wreck);
    files = find_files(&wreck);
    destroy_all(&wreck, &files, FILE_MANIFEST);
    expect_equal("no manifest");
    wreck_deinit(&wreck);
}
END_TEST

/* Enough for whole tables, and values in a segment. */
static void add_more(struct store_bulk *bulk) {
    char key[FACT_KEY_BYTES_MAX];
    uint8_t value[THRESHOLD];

    for (uint32_t i = 0; i < 6000; i++) {
        struct store_bulk_entry entry = {.value = slice_make(value, i % 8 == 7 ? THRESHOLD : 400)};
        snprintf(key, sizeof key, "more%05u", i);
        entry.key = slice_from_text(key);
        fill(value, THRESHOLD, i | 1);
        ck_assert_int_eq(store_bulk_add(bulk, &entry, &wreck.fixture.error), STATUS_OK);
    }
}

START_TEST(a_load_that_a_kill_has_broken_is_not_brought_back) {
    struct store_bulk *bulk;
    struct tally tally;

    live();
    bulk = begin_load(5000);
    add_more(bulk);
    wreck_kill(&wreck);
    store_bulk_destroy(bulk);
    wreck_leave(&wreck);
    wreck_anew(&wreck);
    expect_equal("a broken load");
    wreck_anew(&wreck);
    files = find_files(&wreck);
    destroy_all(&wreck, &files, FILE_MANIFEST);
    tally = wreck_salvage(&wreck); /* a table that was just begun is a loss, for all one can tell */
    ck_assert_msg(tally.right == tally.live && tally.astray == 0 && tally.old == 0, "%s",
                  tally.first);
    wreck_deinit(&wreck);
}
END_TEST

UNIT_MAIN("store_salvage_load", what_was_loaded_is_rebuilt,
          a_load_that_a_kill_has_broken_is_not_brought_back)
