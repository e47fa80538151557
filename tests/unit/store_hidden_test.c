/* store_hidden_test.c: what only snapshots or retention kept comes back when they end: by itself,
 * without a write and without being asked for, and without endless work. */
#include "storage/random.h"
#include "tests/unit/past_fixture.h"

#define KEYS 200u
#define VALUE_BYTES 2048u
#define OWN_ROWS 6u /* of kvd itself, at most */

static struct fixture fixture;

static void start(void) {
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
}

static void end(void) {
    fixture_deinit(&fixture);
}

static uint64_t stat(const char *name) {
    return fixture_stat(&fixture, name);
}

/* A value of each key, each of another letter; not to be compressed. */
static void put_all(char letter) {
    char value[VALUE_BYTES];

    for (uint32_t i = 0; i < KEYS; i++) {
        struct random random = {i * 256 + (uint8_t)letter};
        char key[16];
        for (uint32_t j = 0; j < sizeof value - 1; j++) {
            value[j] = (char)('!' + random_below(&random, 90));
        }
        value[0] = letter;
        value[sizeof value - 1] = 0;
        snprintf(key, sizeof key, "key%03u", i);
        fixture_put(&fixture, key, value);
    }
}

static void expect_all(char letter) {
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%03u", i);
        ck_assert_int_eq(fixture_get(&fixture, key), STATUS_OK);
        ck_assert_int_eq(fixture.value.data[0], letter);
    }
}

static void expect_entries(uint64_t entries) {
    ck_assert_uint_ge(stat("table_entries"), entries);
    ck_assert_uint_le(stat("table_entries"), entries + OWN_ROWS);
}

/* Asks again every second, and finds each time that nothing is to be done. */
static void expect_rest(void) {
    uint64_t compactions;

    pass_ticks(&fixture, 10);
    compactions = stat("compactions");
    pass_ticks(&fixture, 20);
    ck_assert_uint_eq(stat("compactions"), compactions);
}

static uint64_t log_bytes(void) {
    return stat("space_referenced") + stat("space_unreferenced");
}

static void space_cb(void *arg, const char *kind, const char *holder, uint64_t bytes) {
    (void)holder;
    if (strstr(kind, "dead") || strstr(kind, "snapshot") || strstr(kind, "retention")) {
        *(uint64_t *)arg += bytes;
    }
}

/* What `why space` tells of that is not live. */
static uint64_t told_dead(void) {
    uint64_t bytes = 0;
    enum status status = store_why_space(fixture.store, space_cb, &bytes, &fixture.error);

    ck_assert_int_eq(status, STATUS_OK);
    return bytes;
}

/* All else is gone; the log too is back to about the size of what lives. */
static void expect_live_only(char letter) {
    uint64_t live = KEYS * (VALUE_BYTES + 100);

    pass_ticks(&fixture, 20);
    expect_entries(KEYS);
    ck_assert_uint_le(stat("space_weight_tables"), live + live / 4);
    ck_assert_uint_le(log_bytes(), live + live / 2);
    ck_assert_uint_le(told_dead(), live / 2);
    ck_assert_uint_le(stat("space_weight_hidden"), live / 64);
    expect_all(letter);
    expect_rest();
}

START_TEST(what_a_snapshot_held_comes_back_when_it_is_closed) {
    struct store_snapshot_info first;
    struct store_snapshot_info second;

    start();
    put_all('a');
    first = open_snapshot(&fixture);
    put_all('b');
    second = open_snapshot(&fixture);
    put_all('c');
    compact(&fixture);
    expect_rest();
    expect_entries(3 * KEYS);
    ck_assert_uint_ge(told_dead(), 3 * KEYS * VALUE_BYTES / 2); /* as compressed */
    ck_assert_int_eq(store_snapshot_close(fixture.store, second.id), STATUS_OK);
    pass_ticks(&fixture, 10);
    expect_entries(2 * KEYS); /* the first one still holds */
    expect_rest();
    ck_assert_int_eq(store_snapshot_close(fixture.store, first.id), STATUS_OK);
    expect_live_only('c');
    end();
}
END_TEST

START_TEST(what_only_an_older_snapshot_held_comes_back_while_a_newer_one_is_open) {
    struct store_snapshot_info first;
    struct store_snapshot_info second;

    start();
    put_all('a');
    first = open_snapshot(&fixture);
    put_all('b');
    second = open_snapshot(&fixture);
    put_all('c');
    compact(&fixture);
    ck_assert_int_eq(store_snapshot_close(fixture.store, first.id), STATUS_OK);
    pass_ticks(&fixture, 10);
    expect_entries(2 * KEYS);
    expect_rest();
    ck_assert_int_eq(store_snapshot_close(fixture.store, second.id), STATUS_OK);
    expect_live_only('c');
    end();
}
END_TEST

START_TEST(what_a_snapshot_held_comes_back_after_a_restart) {
    start();
    put_all('a');
    open_snapshot(&fixture);
    put_all('b');
    compact(&fixture);
    expect_rest();
    expect_entries(2 * KEYS);
    fixture_reopen(&fixture);
    expect_live_only('b');
    end();
}
END_TEST

START_TEST(what_retention_kept_comes_back_when_its_time_has_passed) {
    start();
    keep(&fixture, 120 * 1000, 0);
    put_all('a');
    pass_ticks(&fixture, 3);
    put_all('b');
    compact(&fixture);
    expect_rest();
    ck_assert_uint_ge(stat("table_entries"), 2 * KEYS);
    pass_ticks(&fixture, 100);
    expect_live_only('b');
    end();
}
END_TEST

START_TEST(what_retention_kept_comes_back_when_fewer_versions_are_wanted) {
    start();
    keep(&fixture, 0, 3);
    for (char letter = 'a'; letter < 'f'; letter++) {
        put_all(letter);
    }
    compact(&fixture);
    expect_rest();
    expect_entries(3 * KEYS);
    keep(&fixture, 0, 2);
    pass_ticks(&fixture, 10);
    expect_entries(2 * KEYS);
    keep(&fixture, 0, 0);
    expect_live_only('e');
    end();
}
END_TEST

/* A neighbour whose keys lie right behind those of the default namespace. */
static void put_neighbour(uint32_t keep_versions) {
    struct store_namespace_settings settings = {.keep_versions = keep_versions};
    struct store_commit *commit = fixture_commit_begin(&fixture);
    enum status status =
        store_commit_namespace_set(commit, slice_from_text("neighbour"), &settings);
    struct store_put put = {.key = slice_from_text("key"), .value = slice_from_text("value")};

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    status = store_namespace(fixture.store, slice_from_text("neighbour"), false, &put.namespace_id);
    ck_assert_int_eq(status, STATUS_OK);
    for (uint32_t i = 0; i < 2; i++) {
        commit = fixture_commit_begin(&fixture);
        ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
        ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    }
}

/* What a range delete covers goes, and in the end the range delete itself. */
START_TEST(a_neighbour_that_keeps_versions_does_not_keep_range_deletes) {
    start();
    put_all('a');
    put_neighbour(3);
    compact(&fixture);
    delete_range(&fixture, "key010", "key020");
    pass_ticks(&fixture, 30);
    ck_assert_uint_eq(stat("range_points"), 0);
    expect_entries(KEYS - 10);
    expect_rest();
    end();
}
END_TEST

/* The table was written when nobody kept anything. */
START_TEST(a_neighbour_that_keeps_versions_from_now_on_does_not_either) {
    start();
    put_all('a');
    put_neighbour(0);
    compact(&fixture);
    put_neighbour(3);
    delete_range(&fixture, "key010", "key020");
    pass_ticks(&fixture, 30);
    ck_assert_uint_eq(stat("range_points"), 0);
    expect_entries(KEYS - 10);
    expect_rest();
    end();
}
END_TEST

#define SNAPSHOTS 6u

struct life {
    struct random random;
    struct store_snapshot_info snapshots[SNAPSHOTS];
    bool open[SNAPSHOTS];
};

static uint32_t draw(struct life *life, uint32_t below) {
    return (uint32_t)random_below(&life->random, below);
}

static void close_snapshot(struct life *life, uint32_t which) {
    enum status status = store_snapshot_close(fixture.store, life->snapshots[which].id);

    ck_assert_int_eq(status, STATUS_OK);
    life->open[which] = false;
}

static void open_or_close(struct life *life) {
    uint32_t which = draw(life, SNAPSHOTS);

    if (life->open[which]) {
        close_snapshot(life, which);
    } else {
        life->snapshots[which] = open_snapshot(&fixture);
        life->open[which] = true;
    }
}

static void act(struct life *life) {
    char from[16];
    char to[16];

    snprintf(from, sizeof from, "key%03u", draw(life, KEYS));
    snprintf(to, sizeof to, "key%03u", draw(life, KEYS));
    switch (draw(life, 40)) {
    case 0:
    case 1:
        open_or_close(life);
        break;
    case 2:
        keep(&fixture, draw(life, 3) == 0 ? 24 * HOUR_MS : 0, draw(life, 4));
        break;
    case 3:
        flush(&fixture);
        break;
    case 4:
        if (draw(life, 4) == 0) {
            compact(&fixture);
        }
        break;
    case 5:
        if (strcmp(from, to) < 0) {
            delete_range(&fixture, from, to);
        }
        break;
    case 6:
        pass_ticks(&fixture, draw(life, 4));
        break;
    case 7:
        put_neighbour(draw(life, 4));
        break;
    case 8:
    case 9:
        fixture_delete(&fixture, from);
        break;
    default:
        put_text(&fixture, from, to);
        break;
    }
}

/* Whatever stands open: the work ends. When nothing does, nothing is left of it. */
static void run_life(uint64_t seed) {
    struct life life = {.random = {seed}};

    start();
    put_all('a');
    for (uint32_t step = 0; step < 400; step++) {
        act(&life);
    }
    pass_ticks(&fixture, 20);
    expect_rest();
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        if (life.open[i]) {
            close_snapshot(&life, i);
            pass_ticks(&fixture, 20);
            expect_rest();
        }
    }
    keep(&fixture, 0, 0);
    put_neighbour(0);
    flush(&fixture);
    pass_ticks(&fixture, 20);
    expect_rest();
    ck_assert_uint_le(stat("space_weight_hidden"), stat("space_weight_tables") / 32);
    ck_assert_uint_eq(stat("range_points"), 0);
    ck_assert_uint_eq(stat("table_tombstones"), 0);
    end();
}

START_TEST(the_work_comes_to_an_end_whatever_stands_open) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        run_life(seed);
    }
}
END_TEST

UNIT_MAIN("store hidden", what_a_snapshot_held_comes_back_when_it_is_closed,
          what_only_an_older_snapshot_held_comes_back_while_a_newer_one_is_open,
          what_a_snapshot_held_comes_back_after_a_restart,
          what_retention_kept_comes_back_when_its_time_has_passed,
          what_retention_kept_comes_back_when_fewer_versions_are_wanted,
          a_neighbour_that_keeps_versions_does_not_keep_range_deletes,
          a_neighbour_that_keeps_versions_from_now_on_does_not_either,
          the_work_comes_to_an_end_whatever_stands_open)
