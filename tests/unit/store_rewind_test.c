/* store_rewind_test.c: a range put back to what it was: without copying values, over everything
 * that moves records, and refused when something has changed. */
#include "tests/unit/past_fixture.h"

#include "protocol/base/memory.h"
#include "storage/random.h"

#define BIG 3000u /* bytes; well above the threshold */

/* ---- Verbs ------------------------------------------------------------------------------------
 */

/* The reads of a rewind under way, and its commit. */
struct rewinding {
    struct store_read past;
    struct store_read present;
    struct store_commit *commit;
    uint64_t changed;
};

static struct store_range all_keys(void) {
    return (struct store_range){.namespace_id = SPACE};
}

static enum status fill(struct fixture *fixture, uint64_t snapshot, const struct store_range *range,
                        struct rewinding *rewinding) {
    enum status status = begin_at(fixture, STORE_AT_SNAPSHOT, snapshot, &rewinding->past);

    ck_assert_int_eq(status, STATUS_OK);
    store_read_begin(fixture->store, &rewinding->present);
    rewinding->commit = fixture_commit_begin(fixture);
    rewinding->changed = UINT64_MAX;
    return store_rewind(&rewinding->past, &rewinding->present, range, rewinding->commit,
                        &rewinding->changed, &fixture->error);
}

static struct store_outcome submit(struct fixture *fixture, struct rewinding *rewinding) {
    store_read_end(&rewinding->past);
    store_read_end(&rewinding->present);
    return fixture_commit_end(fixture, rewinding->commit, STORE_SYNCED);
}

/* Rewinds; how many keys were changed. */
static uint64_t rewind_to(struct fixture *fixture, uint64_t snapshot, struct store_range range) {
    struct rewinding rewinding;
    enum status status = fill(fixture, snapshot, &range, &rewinding);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(submit(fixture, &rewinding).status, STATUS_OK);
    return rewinding.changed;
}

static void collect(struct fixture *fixture) {
    enum status status = store_collect(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
}

/* ---- Round trips ------------------------------------------------------------------------------
 */

START_TEST(a_rewound_range_is_what_it_was) {
    struct store_snapshot_info old;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "changed", "1");
    fixture_put(&fixture, "deleted", "2");
    fixture_put(&fixture, "same", "3");
    fixture_put_bytes(&fixture, "big", BIG, 7);
    fixture_put_bytes(&fixture, "wiped", BIG, 8);
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "changed", "other");
    fixture_delete(&fixture, "deleted");
    fixture_put(&fixture, "added", "new");
    fixture_put_bytes(&fixture, "big", BIG, 9);
    delete_range(&fixture, "w", "x");
    ck_assert_uint_eq(rewind_to(&fixture, old.id, all_keys()), 5);
    for (int round = 0; round < 4; round++) {
        fixture_expect(&fixture, "changed", "1");
        fixture_expect(&fixture, "deleted", "2");
        fixture_expect(&fixture, "same", "3");
        fixture_expect_absent(&fixture, "added");
        fixture_expect_bytes(&fixture, "big", BIG, 7);
        fixture_expect_bytes(&fixture, "wiped", BIG, 8);
        if (round == 0) {
            ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_OK);
            compact(&fixture);
        } else if (round == 1) {
            fixture_reopen(&fixture);
        } else {
            collect(&fixture);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(only_the_range_is_rewound) {
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text("b"), .to = slice_from_text("c")};
    struct store_snapshot_info old;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "b", "1");
    fixture_put(&fixture, "c", "1");
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "a", "2");
    fixture_put(&fixture, "b", "2");
    fixture_put(&fixture, "c", "2");
    ck_assert_uint_eq(rewind_to(&fixture, old.id, range), 1);
    fixture_expect(&fixture, "a", "2");
    fixture_expect(&fixture, "b", "1");
    fixture_expect(&fixture, "c", "2");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_rewind_copies_no_value) {
    struct store_snapshot_info old;
    struct fixture fixture;
    uint64_t before;
    char key[16];

    fixture_init(&fixture, 1);
    fixture.options.compress = false;
    fixture_open(&fixture);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 40; i++) {
            snprintf(key, sizeof key, "key%02llu", (unsigned long long)i);
            fixture_put_bytes(&fixture, key, BIG, 1 + i + 1000 * (uint64_t)round);
        }
        if (round == 0) {
            old = open_snapshot(&fixture);
        }
    }
    before = fixture_stat(&fixture, "log_bytes_written");
    ck_assert_uint_eq(rewind_to(&fixture, old.id, all_keys()), 40);
    ck_assert_uint_lt(fixture_stat(&fixture, "log_bytes_written") - before, 40 * 100);
    fixture_expect_bytes(&fixture, "key07", BIG, 8);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(rewinding_twice_changes_nothing_the_second_time) {
    struct store_snapshot_info old;
    struct store_snapshot_info new;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    fixture_put_bytes(&fixture, "big", BIG, 7);
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "a", "2");
    fixture_put_bytes(&fixture, "big", BIG, 8);
    new = open_snapshot(&fixture);
    ck_assert_uint_eq(rewind_to(&fixture, old.id, all_keys()), 2);
    ck_assert_uint_eq(rewind_to(&fixture, old.id, all_keys()), 0);
    ck_assert_uint_eq(rewind_to(&fixture, new.id, all_keys()), 2); /* and forth again */
    fixture_expect(&fixture, "a", "2");
    fixture_expect_bytes(&fixture, "big", BIG, 8);
    compact(&fixture);
    ck_assert_uint_eq(rewind_to(&fixture, old.id, all_keys()), 2);
    fixture_expect_bytes(&fixture, "big", BIG, 7);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_rewound_value_keeps_its_expiry) {
    struct store_snapshot_info old;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    put_for(&fixture, "short", "1", 5000);
    put_for(&fixture, "long", "1", 60000);
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "short", "2");
    fixture_put(&fixture, "long", "2");
    pass_ms(&fixture, 5000);
    ck_assert_uint_eq(rewind_to(&fixture, old.id, all_keys()), 2);
    fixture_expect_absent(&fixture, "short");
    fixture_expect(&fixture, "long", "1");
    pass_ms(&fixture, 55000);
    fixture_expect_absent(&fixture, "long");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_rewind_finds_records_that_have_been_moved) {
    struct store_snapshot_info old;
    struct fixture fixture;
    char key[16];

    fixture_init(&fixture, 1);
    fixture.options.compress = false;
    fixture_open(&fixture);
    for (uint64_t i = 0; i < 200; i++) { /* few of them stay: the rest makes garbage */
        snprintf(key, sizeof key, "key%02llu", (unsigned long long)(i / 10));
        fixture_put_bytes(&fixture, i % 10 ? "junk" : key, BIG, i + 1);
    }
    old = open_snapshot(&fixture);
    for (uint64_t i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "key%02llu", (unsigned long long)i);
        fixture_put_bytes(&fixture, key, BIG, 5000 + i);
    }
    for (int round = 0; round < 3; round++) {
        compact(&fixture);
        collect(&fixture);
    }
    ck_assert_uint_ge(rewind_to(&fixture, old.id, all_keys()), 20);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 20; i++) {
            snprintf(key, sizeof key, "key%02llu", (unsigned long long)i);
            fixture_expect_bytes(&fixture, key, BIG, 10 * i + 1);
        }
        if (round == 0) {
            ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_OK);
        }
        compact(&fixture);
        collect(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Changes meanwhile ------------------------------------------------------------------------
 */

struct meanwhile {
    const char *name;
    void (*act)(struct fixture *fixture);
    enum status expected;
};

static void put_inside(struct fixture *fixture) {
    fixture_put(fixture, "b1", "x");
}

static void put_outside(struct fixture *fixture) {
    fixture_put(fixture, "a", "x");
    fixture_put(fixture, "c", "x");
}

static void delete_inside(struct fixture *fixture) {
    fixture_delete(fixture, "b");
}

static void delete_range_inside(struct fixture *fixture) {
    delete_range(fixture, "a", "b0");
}

static void delete_range_beside(struct fixture *fixture) {
    delete_range(fixture, "a", "b");
    delete_range(fixture, "c", "d");
}

static void put_inside_and_flush(struct fixture *fixture) {
    fixture_put(fixture, "b1", "x");
    compact(fixture);
}

static void delete_range_and_flush(struct fixture *fixture) {
    delete_range(fixture, "a", "b0");
    compact(fixture);
}

static void only_compact(struct fixture *fixture) {
    compact(fixture);
}

START_TEST(a_rewind_is_busy_when_something_in_the_range_has_changed) {
    static const struct meanwhile cases[] = {
        {"put inside", put_inside, STATUS_BUSY},
        {"put outside", put_outside, STATUS_OK},
        {"delete inside", delete_inside, STATUS_BUSY},
        {"delete range", delete_range_inside, STATUS_BUSY},
        {"delete range beside", delete_range_beside, STATUS_OK},
        {"put and flush", put_inside_and_flush, STATUS_BUSY},
        {"delete range and flush", delete_range_and_flush, STATUS_BUSY},
        {"flush alone", only_compact, STATUS_OK},
    };
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text("b"), .to = slice_from_text("c")};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_snapshot_info old;
        struct rewinding rewinding;
        struct fixture fixture;
        struct store_outcome outcome;
        fixture_init(&fixture, 1);
        fixture_open(&fixture);
        fixture_put_bytes(&fixture, "b", BIG, 7);
        old = open_snapshot(&fixture);
        fixture_put(&fixture, "b", "2");
        ck_assert_int_eq(fill(&fixture, old.id, &range, &rewinding), STATUS_OK);
        cases[i].act(&fixture);
        outcome = submit(&fixture, &rewinding);
        ck_assert_msg(outcome.status == cases[i].expected, "%s: %s", cases[i].name,
                      status_name(outcome.status));
        (void)rewind_to(&fixture, old.id, range); /* now it goes */
        fixture_expect_bytes(&fixture, "b", BIG, 7);
        fixture_deinit(&fixture);
    }
}
END_TEST

START_TEST(while_a_rewind_is_made_its_records_are_not_collected) {
    struct store_range range = all_keys();
    struct store_snapshot_info old;
    struct rewinding rewinding;
    struct fixture fixture;
    struct store_outcome outcome;

    fixture_init(&fixture, 1);
    fixture.options.compress = false;
    fixture_open(&fixture);
    fixture_put_bytes(&fixture, "b", BIG, 7);
    old = open_snapshot(&fixture);
    for (uint64_t i = 0; i < 100; i++) { /* its segment is nothing but garbage else */
        fixture_put_bytes(&fixture, "b", BIG, 100 + i);
    }
    ck_assert_int_eq(fill(&fixture, old.id, &range, &rewinding), STATUS_OK);
    ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_OK);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 1);
    compact(&fixture);
    collect(&fixture);
    outcome = submit(&fixture, &rewinding);
    ck_assert(outcome.status == STATUS_OK || outcome.status == STATUS_BUSY);
    ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), 0);
    fixture_expect_bytes(&fixture, "b", BIG, outcome.status == STATUS_OK ? 7 : 199);
    compact(&fixture);
    collect(&fixture);
    fixture_expect_bytes(&fixture, "b", BIG, outcome.status == STATUS_OK ? 7 : 199);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_past_that_is_gone_cannot_be_rewound_to) {
    struct store_range range = all_keys();
    struct store_snapshot_info old;
    struct rewinding rewinding;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    old = open_snapshot(&fixture);
    fixture_put(&fixture, "a", "2");
    ck_assert_int_eq(begin_at(&fixture, STORE_AT_SNAPSHOT, old.id, &rewinding.past), STATUS_OK);
    ck_assert_int_eq(store_snapshot_close(fixture.store, old.id), STATUS_OK);
    compact(&fixture);
    store_read_begin(fixture.store, &rewinding.present);
    rewinding.commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_rewind(&rewinding.past, &rewinding.present, &range, rewinding.commit,
                                  &rewinding.changed, NULL),
                     STATUS_GONE);
    ck_assert_int_eq(submit(&fixture, &rewinding).status, STATUS_OK); /* an empty commit */
    fixture_expect(&fixture, "a", "2");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_rewind_without_memory_leaves_an_empty_commit_and_holds_nothing) {
    struct store_range range = all_keys();
    struct store_snapshot_info old;
    enum status status = STATUS_NO_MEMORY;
    struct rewinding rewinding;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    fixture_put_bytes(&fixture, "b", BIG, 7);
    old = open_snapshot(&fixture);
    delete_range(&fixture, "a", "z");
    flush(&fixture);
    ck_assert_int_eq(begin_at(&fixture, STORE_AT_SNAPSHOT, old.id, &rewinding.past), STATUS_OK);
    store_read_begin(fixture.store, &rewinding.present);
    rewinding.commit = fixture_commit_begin(&fixture);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        ck_assert_uint_lt(n, 300);
        memory_fail_after(n, false);
        status = store_rewind(&rewinding.past, &rewinding.present, &range, rewinding.commit,
                              &rewinding.changed, NULL);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_eq(fixture_stat(&fixture, "snapshots_open"), status == STATUS_OK ? 2 : 1);
    }
    ck_assert_int_eq(submit(&fixture, &rewinding).status, STATUS_OK);
    fixture_expect(&fixture, "a", "1");
    fixture_expect_bytes(&fixture, "b", BIG, 7);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- At random --------------------------------------------------------------------------------
 */

#define KEYS 16u
#define STATES 4u

struct state {
    uint64_t seeds[KEYS]; /* 0: absent */
    uint64_t snapshot;
};

static void mutate(struct fixture *fixture, struct random *random, struct state *state) {
    uint32_t index = (uint32_t)random_below(random, KEYS);
    uint64_t seed = 1 + random_below(random, 1000000);
    char key[16];

    snprintf(key, sizeof key, "key%02u", index);
    if (random_below(random, 4) == 0) {
        fixture_delete(fixture, key);
        seed = 0;
    } else {
        fixture_put_bytes(fixture, key, seed % 2 ? BIG : 20, seed);
    }
    state->seeds[index] = seed;
}

static void expect_state(struct fixture *fixture, const struct state *state) {
    char key[16];

    for (uint32_t i = 0; i < KEYS; i++) {
        uint64_t seed = state->seeds[i];
        snprintf(key, sizeof key, "key%02u", i);
        if (seed == 0) {
            fixture_expect_absent(fixture, key);
        } else {
            fixture_expect_bytes(fixture, key, seed % 2 ? BIG : 20, seed);
        }
    }
}

static void one_life(uint64_t seed) {
    struct random random = random_make(seed);
    struct state states[STATES];
    struct state now;
    struct fixture fixture;

    memset(states, 0, sizeof states);
    memset(&now, 0, sizeof now);
    fixture_init(&fixture, seed);
    fixture_open(&fixture);
    for (uint32_t i = 0; i < STATES; i++) {
        for (uint64_t n = random_below(&random, 30); n > 0; n--) {
            mutate(&fixture, &random, &now);
        }
        states[i] = now;
        states[i].snapshot = open_snapshot(&fixture).id;
    }
    for (int round = 0; round < 12; round++) {
        const struct state *state = &states[random_below(&random, STATES)];
        (void)rewind_to(&fixture, state->snapshot, all_keys());
        now = *state;
        expect_state(&fixture, &now);
        for (uint64_t n = random_below(&random, 10); n > 0; n--) {
            mutate(&fixture, &random, &now);
        }
        if (random_below(&random, 3) == 0) {
            compact(&fixture);
        }
        if (random_below(&random, 3) == 0) {
            collect(&fixture);
        }
        expect_state(&fixture, &now);
    }
    fixture_reopen(&fixture);
    expect_state(&fixture, &now);
    fixture_deinit(&fixture);
}

START_TEST(rewinding_back_and_forth_between_random_states) {
    for (uint64_t seed = 1; seed <= 15; seed++) {
        one_life(seed);
    }
}
END_TEST

UNIT_MAIN("store rewind", a_rewound_range_is_what_it_was, only_the_range_is_rewound,
          a_rewind_copies_no_value, rewinding_twice_changes_nothing_the_second_time,
          a_rewound_value_keeps_its_expiry, a_rewind_finds_records_that_have_been_moved,
          a_rewind_is_busy_when_something_in_the_range_has_changed,
          while_a_rewind_is_made_its_records_are_not_collected,
          a_past_that_is_gone_cannot_be_rewound_to,
          a_rewind_without_memory_leaves_an_empty_commit_and_holds_nothing,
          rewinding_back_and_forth_between_random_states)
