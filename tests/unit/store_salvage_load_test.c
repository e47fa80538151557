/* store_salvage_load_test.c: a store that was loaded in bulk is salvaged as any other: with its
 * manifest, without it, and with a load that a kill has broken. */
#include "tests/unit/salvage_damage.h"

#define LOADED 60u

static struct wreck wreck;
static struct found_files files;
static size_t growth; /* of a loaded value over the one before; 0: none is in a segment */

static size_t loaded_bytes(uint32_t n) {
    return 20 + growth * n;
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
    growth = 50;
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

static void lose_manifest(void) {
    wreck_anew(&wreck);
    files = find_files(&wreck);
    destroy_all(&wreck, &files, FILE_MANIFEST);
}

START_TEST(what_was_loaded_is_rebuilt) {
    live();
    wreck_leave(&wreck);
    wreck_anew(&wreck);
    expect_equal("sound");
    lose_manifest();
    expect_equal("no manifest");
    wreck_deinit(&wreck);
}
END_TEST

/* Enough for whole tables, and, with growth, values in a segment. */
static void add_more(struct store_bulk *bulk, const char *stem) {
    char key[FACT_KEY_BYTES_MAX];
    uint8_t value[THRESHOLD];

    for (uint32_t i = 0; i < 6000; i++) {
        struct store_bulk_entry entry = {
            .value = slice_make(value, growth > 0 && i % 8 == 7 ? THRESHOLD : 400)};
        snprintf(key, sizeof key, "%s%05u", stem, i);
        entry.key = slice_from_text(key);
        fill(value, THRESHOLD, i | 1);
        ck_assert_int_eq(store_bulk_add(bulk, &entry, &wreck.fixture.error), STATUS_OK);
    }
}

/* The store is killed in the middle of the load. */
static void break_load(struct store_bulk *bulk) {
    wreck_kill(&wreck);
    store_bulk_destroy(bulk);
    wreck_leave(&wreck);
}

START_TEST(a_load_that_a_kill_has_broken_is_not_brought_back) {
    struct store_bulk *bulk;

    live();
    bulk = begin_load(5000);
    add_more(bulk, "more");
    break_load(bulk);
    wreck_anew(&wreck);
    expect_equal("a broken load");
    lose_manifest();
    expect_equal("a broken load, no manifest");
    wreck_deinit(&wreck);
}
END_TEST

/* All was flushed, and the log is new: only tables tell how far versions have come. */
START_TEST(a_broken_load_behind_an_empty_log_is_not_brought_back) {
    struct store_bulk *bulk;

    growth = 0;
    wreck_init(&wreck);
    tell_keys(&wreck, 0, "load", (uint32_t[]){0, 1, 90}, (uint32_t[]){30, 1});
    do_flush(&wreck);
    fixture_reopen(&wreck.fixture);
    bulk = begin_load(5000);
    add_more(bulk, "more");
    break_load(bulk);
    lose_manifest();
    for (uint32_t i = 0; i < files.count; i++) {
        if (files.list[i].kind == FILE_SEGMENT && files.list[i].size_bytes > 0) {
            destroy(&wreck, &files.list[i]); /* as when all of it is in tables */
        }
    }
    expect_equal("an empty log");
    wreck_deinit(&wreck);
}
END_TEST

/* Its last table has no end, and rows of it may be missing; of the others none are. */
START_TEST(a_broken_load_leaves_no_doubt_about_the_rest) {
    struct fixture *fixture = &wreck.fixture;
    struct store_bulk *bulk;

    growth = 0;
    wreck_init(&wreck);
    tell_keys(&wreck, 0, "load", (uint32_t[]){0, 1, 90}, (uint32_t[]){30, 1});
    do_flush(&wreck);
    take_away(&wreck, 0, "load05");
    do_compact_and_collect(&wreck);
    tell_keys(&wreck, 0, "load", (uint32_t[]){1, 2, 9}, (uint32_t[]){30, 1});
    ck_assert_int_eq(store_bulk_begin(fixture->store, wreck.ids[0], &bulk, &fixture->error),
                     STATUS_OK);
    add_more(bulk, "able");
    break_load(bulk);
    lose_manifest();
    expect_equal("no doubt");
    ck_assert_uint_eq(wreck.label_count, 0);
    wreck_deinit(&wreck);
}
END_TEST

static void lose_manifest_and_all_segments_but_the_first(void) {
    bool first = true;

    lose_manifest();
    for (uint32_t i = 0; i < files.count; i++) {
        if (files.list[i].kind == FILE_SEGMENT && !first) {
            destroy(&wreck, &files.list[i]);
        }
        first &= files.list[i].kind != FILE_SEGMENT;
    }
}

/* An old segment, whose values are needed; then a load. */
static void live_with_an_old_segment(void) {
    growth = 0;
    wreck_init(&wreck);
    tell_keys(&wreck, 0, "kept", (uint32_t[]){0, 1, 5}, (uint32_t[]){THRESHOLD, 1});
    do_flush(&wreck);
    fixture_reopen(&wreck.fixture);
    load(1000);
}

START_TEST(a_whole_load_is_brought_back_though_the_log_of_its_end_is_missing) {
    live_with_an_old_segment();
    wreck_leave(&wreck);
    lose_manifest_and_all_segments_but_the_first();
    expect_equal("its begin in a table");
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_load_is_brought_back_by_tables_that_are_later) {
    live_with_an_old_segment();
    tell_keys(&wreck, 0, "later", (uint32_t[]){0, 1, 50}, (uint32_t[]){30, 1});
    do_flush(&wreck);
    wreck_leave(&wreck);
    lose_manifest_and_all_segments_but_the_first();
    expect_equal("an old segment");
    wreck_anew(&wreck);
    destroy_all(&wreck, &files, FILE_MANIFEST);
    destroy_all(&wreck, &files, FILE_SEGMENT);
    ck_assert_uint_ge(wreck_salvage(&wreck).right, LOADED + 50);
    wreck_deinit(&wreck);
}
END_TEST

UNIT_MAIN("store_salvage_load", what_was_loaded_is_rebuilt,
          a_load_that_a_kill_has_broken_is_not_brought_back,
          a_broken_load_behind_an_empty_log_is_not_brought_back,
          a_broken_load_leaves_no_doubt_about_the_rest,
          a_whole_load_is_brought_back_though_the_log_of_its_end_is_missing,
          a_load_is_brought_back_by_tables_that_are_later)
