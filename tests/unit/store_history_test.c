/* store_history_test.c: the kept versions of a key, and the difference of two states. */
#include "tests/unit/past_fixture.h"

#include "protocol/base/memory.h"
#include "storage/random.h"

/* ---- History ----------------------------------------------------------------------------------
 */

#define TOLD_MAX 64u

struct told {
    struct store_version versions[TOLD_MAX];
    size_t count;
    size_t stop_at; /* 0: never */
};

static enum status told_cb(void *arg, const struct store_version *version) {
    struct told *told = arg;

    ck_assert_uint_lt(told->count, TOLD_MAX);
    told->versions[told->count++] = *version;
    return told->count == told->stop_at ? STATUS_CANCELLED : STATUS_OK;
}

static struct told history(struct fixture *fixture, const char *key, uint64_t before,
                           uint32_t limit) {
    struct told told = {.count = 0};
    struct store_read read;
    enum status status;

    store_read_begin(fixture->store, &read);
    status = store_history(
        &read, &(struct store_history_query){SPACE, slice_from_text(key), before, limit}, told_cb,
        &told, &fixture->error);
    store_read_end(&read);
    ck_assert_int_eq(status, STATUS_OK);
    for (size_t i = 1; i < told.count; i++) {
        ck_assert_uint_lt(told.versions[i].info.version, told.versions[i - 1].info.version);
    }
    return told;
}

/* The lengths of values, newest first; - is a delete. Values here are shorter than ten bytes. */
static void expect_history(struct fixture *fixture, const char *key, const char *expected) {
    struct told told = history(fixture, key, 0, TOLD_MAX);
    char text[TOLD_MAX + 1] = {0};

    for (size_t i = 0; i < told.count; i++) {
        text[i] = told.versions[i].deleted ? '-' : (char)('0' + told.versions[i].info.value_bytes);
    }
    ck_assert_str_eq(text, expected);
}

static void write_a_life(struct fixture *fixture) {
    fixture_put(fixture, "a", "1");
    fixture_put(fixture, "a", "22");
    fixture_delete(fixture, "a");
    fixture_put(fixture, "a", "333");
    delete_range(fixture, "a", "b");
    delete_range(fixture, "a", "c"); /* there was nothing left for it */
    fixture_put(fixture, "a", "4444");
    fixture_put(fixture, "aa", "x");
}

START_TEST(a_key_tells_its_versions_newest_first) {
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, 0, 100);
    write_a_life(&fixture);
    for (int round = 0; round < 3; round++) {
        expect_history(&fixture, "a", "4-3-21");
        expect_history(&fixture, "aa", "1");
        expect_history(&fixture, "b", "");
        if (round == 0) {
            flush(&fixture);
        } else {
            compact(&fixture);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(only_so_many_versions_are_kept_as_the_namespace_says) {
    struct fixture fixture;
    char value[8] = "";

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, 0, 3);
    for (int i = 0; i < 7; i++) {
        memset(value, 'x', (size_t)i + 1);
        fixture_put(&fixture, "a", value);
    }
    compact(&fixture);
    expect_history(&fixture, "a", "765");
    keep(&fixture, 0, 0);
    fixture_put(&fixture, "a", "x");
    compact(&fixture);
    expect_history(&fixture, "a", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(versions_that_are_kept_by_number_are_read_by_their_own_version_alone) {
    struct store_range range = {.namespace_id = SPACE};
    struct store_cursor *cursor;
    struct fixture fixture;
    struct store_read read;
    uint64_t versions[5];
    char value[16];

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, 0, 3);
    for (int i = 0; i < 5; i++) {
        snprintf(value, sizeof value, "%d", i);
        versions[i] = put_text(&fixture, "a", value);
        fixture_put(&fixture, "b", value);
    }
    for (int round = 0; round < 2; round++) {
        compact(&fixture);
        expect_at(&fixture, STORE_AT_VERSION, versions[2], "a", "2");
        expect_at(&fixture, STORE_AT_VERSION, versions[4] + 1, "b", "4");
        ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, versions[1], "a"), STATUS_GONE);
        ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, versions[2], "b"), STATUS_GONE);
        ck_assert_int_eq(get_at(&fixture, STORE_AT_VERSION, versions[2], "none"), STATUS_GONE);
        ck_assert_int_eq(begin_at(&fixture, STORE_AT_VERSION, versions[2], &read), STATUS_OK);
        ck_assert_int_eq(store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor),
                         STATUS_GONE);
        store_read_end(&read);
        fixture_reopen(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(history_comes_in_pages) {
    struct fixture fixture;
    struct told all;
    struct told page;
    size_t count = 0;
    uint64_t before = 0;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    write_a_life(&fixture);
    all = history(&fixture, "a", 0, TOLD_MAX);
    ck_assert_uint_eq(all.count, 6);
    do {
        page = history(&fixture, "a", before, 2);
        for (size_t i = 0; i < page.count; i++) {
            ck_assert_uint_eq(page.versions[i].info.version, all.versions[count].info.version);
            ck_assert_int_eq(page.versions[i].deleted, all.versions[count].deleted);
            count++;
        }
        before = page.count ? page.versions[page.count - 1].info.version : 0;
    } while (page.count > 0);
    ck_assert_uint_eq(count, all.count);
    ck_assert_uint_eq(history(&fixture, "a", 0, 0).count, 0);
    ck_assert_uint_eq(history(&fixture, "a", 1, TOLD_MAX).count, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_version_knows_when_it_was) {
    struct fixture fixture;
    struct told told;
    uint64_t first_ms;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    pass_ms(&fixture, 1000);
    fixture_put(&fixture, "a", "1");
    first_ms = store_now_ms(fixture.store);
    pass_ms(&fixture, 5000);
    fixture_put(&fixture, "a", "2");
    told = history(&fixture, "a", 0, TOLD_MAX);
    ck_assert_uint_eq(told.versions[0].time_ms, first_ms + 5000);
    ck_assert_uint_eq(told.versions[1].time_ms, first_ms);
    fixture_reopen(&fixture);
    told = history(&fixture, "a", 0, 1);
    ck_assert_uint_eq(told.versions[0].time_ms, 0); /* not known any more */
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_read_of_the_past_tells_the_history_until_then) {
    struct store_snapshot_info old;
    struct told told = {.count = 0};
    struct fixture fixture;
    struct store_read read;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "a", "2");
    old = open_snapshot(&fixture);
    delete_range(&fixture, "a", "b");
    fixture_put(&fixture, "a", "3");
    ck_assert_int_eq(begin_at(&fixture, STORE_AT_SNAPSHOT, old.id, &read), STATUS_OK);
    ck_assert_int_eq(store_history(&read,
                                   &(struct store_history_query){SPACE, slice_from_text("a"), 0, 9},
                                   told_cb, &told, NULL),
                     STATUS_OK);
    ck_assert_uint_eq(told.count, 2);
    ck_assert(!told.versions[0].deleted);
    ck_assert_uint_eq(told.versions[0].info.version, old.version);
    store_read_end(&read);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(history_stops_when_the_callback_says_so_and_without_memory) {
    struct fixture fixture;
    struct store_read read;
    struct told told = {.stop_at = 2};
    enum status status = STATUS_NO_MEMORY;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    keep(&fixture, 0, 100);
    write_a_life(&fixture);
    flush(&fixture);
    store_read_begin(fixture.store, &read);
    ck_assert_int_eq(store_history(&read,
                                   &(struct store_history_query){SPACE, slice_from_text("a"), 0, 9},
                                   told_cb, &told, NULL),
                     STATUS_CANCELLED);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        ck_assert_uint_lt(n, 200);
        told = (struct told){.count = 0};
        memory_fail_after(n, false);
        status =
            store_history(&read, &(struct store_history_query){SPACE, slice_from_text("a"), 0, 9},
                          told_cb, &told, NULL);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    store_read_end(&read);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Difference -------------------------------------------------------------------------------
 */

#define KEYS 24u
#define STATES 6u

/* What each key is: 0 is absent, else a number that its value stands for. */
struct state {
    uint32_t values[KEYS];
    struct store_snapshot_info snapshot;
};

static const char *key_of(uint32_t index, char room[16]) {
    snprintf(room, 16, "key%02u", index);
    return room;
}

/* Some are above the threshold. */
static size_t value_bytes(uint32_t value) {
    return value % 3 == 0 ? 2000 + value : 10 + value % 7;
}

static void change_one(struct fixture *fixture, struct random *random, struct state *state) {
    uint32_t index = (uint32_t)random_below(random, KEYS);
    uint32_t value = (uint32_t)random_below(random, 1000) + 1;
    char room[16];
    char to[16];

    switch (random_below(random, 8)) {
    case 0:
        fixture_delete(fixture, key_of(index, room));
        state->values[index] = 0;
        break;
    case 1:
        delete_range(fixture, key_of(index, room), key_of(index + 3, to));
        for (uint32_t i = index; i < KEYS && i < index + 3; i++) {
            state->values[i] = 0;
        }
        break;
    default:
        fixture_put_bytes(fixture, key_of(index, room), value_bytes(value), value);
        state->values[index] = value;
        break;
    }
}

struct comparing {
    const struct state *from;
    const struct state *to;
    uint32_t first; /* keys of the range */
    uint32_t end;
    uint32_t next; /* what has been told of */
};

static bool differs(const struct comparing *comparing, uint32_t index) {
    return comparing->from->values[index] != comparing->to->values[index];
}

static void skip_same(struct comparing *comparing, uint32_t until) {
    for (; comparing->next < until; comparing->next++) {
        ck_assert(!differs(comparing, comparing->next));
    }
}

static enum status change_cb(void *arg, const struct store_change *change) {
    struct comparing *comparing = arg;
    uint32_t index =
        (uint32_t)(change->key.ptr[3] - '0') * 10 + (uint32_t)(change->key.ptr[4] - '0');
    uint32_t before = comparing->from->values[index];
    uint32_t after = comparing->to->values[index];

    ck_assert_uint_lt(index, comparing->end);
    skip_same(comparing, index);
    ck_assert_uint_eq(comparing->next, index);
    comparing->next++;
    ck_assert(before != after);
    ck_assert_int_eq(change->kind, before == 0  ? STORE_CHANGE_ADDED
                                   : after == 0 ? STORE_CHANGE_REMOVED
                                                : STORE_CHANGE_CHANGED);
    ck_assert(before == 0 || change->before.value_bytes == value_bytes(before));
    ck_assert(after == 0 || change->after.value_bytes == value_bytes(after));
    return STATUS_OK;
}

static void compare(struct fixture *fixture, struct comparing *comparing) {
    char from_room[16];
    char to_room[16];
    struct store_range range = {.namespace_id = SPACE,
                                .from = slice_from_text(key_of(comparing->first, from_room)),
                                .to = slice_from_text(key_of(comparing->end, to_room))};
    struct store_read from;
    struct store_read to;

    comparing->next = comparing->first;
    ck_assert_int_eq(begin_at(fixture, STORE_AT_SNAPSHOT, comparing->from->snapshot.id, &from),
                     STATUS_OK);
    ck_assert_int_eq(begin_at(fixture, STORE_AT_SNAPSHOT, comparing->to->snapshot.id, &to),
                     STATUS_OK);
    ck_assert_int_eq(store_diff(&from, &to, &range, change_cb, comparing, &fixture->error),
                     STATUS_OK);
    skip_same(comparing, comparing->end);
    store_read_end(&from);
    store_read_end(&to);
}

static void compare_all(struct fixture *fixture, struct random *random,
                        const struct state states[STATES]) {
    for (uint32_t i = 0; i < STATES; i++) {
        for (uint32_t j = 0; j < STATES; j++) {
            struct comparing comparing = {.from = &states[i], .to = &states[j], .end = KEYS};
            compare(fixture, &comparing);
            comparing.first = (uint32_t)random_below(random, KEYS);
            comparing.end =
                comparing.first + 1 + (uint32_t)random_below(random, KEYS - comparing.first);
            compare(fixture, &comparing);
        }
    }
}

START_TEST(two_states_differ_in_what_was_changed_between_them) {
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct random random = random_make(seed);
        struct state states[STATES];
        struct fixture fixture;
        memset(states, 0, sizeof states);
        fixture_init(&fixture, seed);
        fixture_open(&fixture);
        for (uint32_t i = 0; i < STATES; i++) {
            states[i] = i > 0 ? states[i - 1] : states[0];
            for (uint64_t n = random_below(&random, 20); n > 0; n--) {
                change_one(&fixture, &random, &states[i]);
            }
            states[i].snapshot = open_snapshot(&fixture);
            if (random_below(&random, 3) == 0) {
                compact(&fixture);
            }
        }
        compare_all(&fixture, &random, states);
        compact(&fixture);
        compare_all(&fixture, &random, states);
        fixture_deinit(&fixture);
    }
}
END_TEST

static enum status never_cb(void *arg, const struct store_change *change) {
    (void)arg;
    (void)change;
    ck_abort_msg("nothing has changed");
    return STATUS_OK;
}

START_TEST(a_range_in_reverse_or_with_too_long_keys_is_refused) {
    struct store_range range = {.namespace_id = SPACE, .reverse = true};
    struct fixture fixture;
    struct store_read read;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "a", "1");
    store_read_begin(fixture.store, &read);
    ck_assert_int_eq(store_diff(&read, &read, &range, never_cb, NULL, NULL), STATUS_INVALID);
    range.reverse = false;
    range.from.len = SIZE_MAX;
    ck_assert_int_eq(store_diff(&read, &read, &range, never_cb, NULL, NULL), STATUS_TOO_LARGE);
    range.from.len = 0;
    ck_assert_int_eq(store_diff(&read, &read, &range, never_cb, NULL, NULL), STATUS_OK);
    store_read_end(&read);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store history", a_key_tells_its_versions_newest_first,
          only_so_many_versions_are_kept_as_the_namespace_says,
          versions_that_are_kept_by_number_are_read_by_their_own_version_alone,
          history_comes_in_pages, a_version_knows_when_it_was,
          a_read_of_the_past_tells_the_history_until_then,
          history_stops_when_the_callback_says_so_and_without_memory,
          two_states_differ_in_what_was_changed_between_them,
          a_range_in_reverse_or_with_too_long_keys_is_refused)
