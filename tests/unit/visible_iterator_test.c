/* visible_iterator_test.c: which rows a reader sees, over a memtable filled by hand. */
#include "storage/visible_iterator.h"
#include "tests/unit/table_fixture.h"

#define NOW_MS 1000u
#define WALK_BYTES 256u
#define EVERYTHING UINT64_MAX

static struct memtable *memtable;
static struct version *version;
static struct view *view;
static struct watermarks marks;
static struct store_hold hold;
static uint64_t skipped;

static void start(void) {
    watermarks_init(&marks, 0);
    hold = (struct store_hold){0, 0};
    ck_assert_int_eq(memtable_create(64u * 1024, &memtable), STATUS_OK);
    ck_assert_int_eq(version_create_empty(&version), STATUS_OK);
    ck_assert_int_eq(view_create(memtable, NULL, 0, version, &view), STATUS_OK);
}

static void end(void) {
    view_unref(view);
    version_unref(version);
    memtable_unref(memtable);
    watermarks_deinit(&marks);
}

static void insert(uint32_t namespace_id, const char *key, uint64_t at, const struct entry *entry) {
    uint8_t row[64];
    size_t row_len = row_store(row, namespace_id, slice_from_text(key));
    size_t bytes = memtable_node_bytes(row_len, entry_bytes(entry));

    ck_assert_int_eq(memtable_reserve(memtable, bytes, bytes), STATUS_OK);
    memtable_insert(memtable, slice_make(row, row_len), at, entry);
}

static void put(const char *key, uint64_t at) {
    const struct entry entry = {.kind = ENTRY_INLINE, .value = slice_from_text(key)};
    insert(1, key, at, &entry);
}

static void put_in(uint32_t namespace_id, const char *key, uint64_t at) {
    const struct entry entry = {.kind = ENTRY_INLINE, .value = slice_from_text(key)};
    insert(namespace_id, key, at, &entry);
}

static void put_until(const char *key, uint64_t at, uint64_t expiry_ms) {
    const struct entry entry = {
        .kind = ENTRY_INLINE, .expiry_ms = expiry_ms, .value = slice_from_text(key)};
    insert(1, key, at, &entry);
}

static void put_as(const char *key, uint64_t at, enum durability durability) {
    const struct entry entry = {
        .kind = ENTRY_INLINE, .durability = durability, .value = slice_from_text(key)};
    insert(1, key, at, &entry);
}

static void delete_row(const char *key, uint64_t at) {
    const struct entry entry = {.kind = ENTRY_TOMBSTONE};
    insert(1, key, at, &entry);
}

static void note(char text[WALK_BYTES], const struct visible_iterator *iter) {
    struct slice key = row_user_key(buffer_slice(&iter->row));
    size_t len = strlen(text);

    (void)snprintf(text + len, WALK_BYTES - len, "%s%.*s%llu", len > 0 ? " " : "", (int)key.len,
                   (const char *)key.ptr, (unsigned long long)iter->entry_version);
    ck_assert(slice_equal(iter->entry.value, key));
}

/* The rows of a range as "a3 b5": key and version. */
static void walk(const struct visible_range *range, uint64_t at, char text[WALK_BYTES]) {
    struct visible_iterator iter;
    enum status status;

    text[0] = '\0';
    ck_assert_int_eq(visible_iterator_init(&iter, view, &marks, at, NOW_MS, READ_WAIT_NEVER),
                     STATUS_OK);
    ck_assert_int_eq(visible_iterator_set_range(&iter, range), STATUS_OK);
    status = visible_iterator_next(&iter, &hold, NULL);
    while (status == STATUS_OK) {
        note(text, &iter);
        status = visible_iterator_next(&iter, &hold, NULL);
    }
    ck_assert_int_eq(status, STATUS_END);
    skipped = iter.skipped;
    visible_iterator_deinit(&iter);
}

static void expect_rows(struct slice from, struct slice to, uint64_t at, const char *forward,
                        const char *reverse) {
    char text[WALK_BYTES];
    struct visible_range range = {.from = from, .to = to};

    walk(&range, at, text);
    ck_assert_str_eq(text, forward);
    range.reverse = true;
    walk(&range, at, text);
    ck_assert_str_eq(text, reverse);
}

/* From all namespaces and keys. */
static void expect_all(uint64_t at, const char *forward, const char *reverse) {
    const struct slice none = slice_make(NULL, 0);
    expect_rows(none, none, at, forward, reverse);
}

static void expect_range(const char *from, const char *to, const char *forward,
                         const char *reverse) {
    uint8_t rows[2][64];
    size_t from_len = row_store(rows[0], 1, slice_from_text(from));
    size_t to_len = row_store(rows[1], 1, slice_from_text(to));

    expect_rows(slice_make(rows[0], from_len), slice_make(rows[1], to_len), EVERYTHING, forward,
                reverse);
}

/* From the first key of a namespace to the first of the next. */
static void expect_namespace(uint32_t namespace_id, const char *forward, const char *reverse) {
    uint8_t rows[2][IKEY_NAMESPACE_BYTES];
    size_t from_len = row_store(rows[0], namespace_id, slice_from_text(""));
    size_t to_len = row_store(rows[1], namespace_id + 1, slice_from_text(""));

    expect_rows(slice_make(rows[0], from_len), slice_make(rows[1], to_len), EVERYTHING, forward,
                reverse);
}

START_TEST(an_empty_store_shows_nothing) {
    start();
    expect_all(EVERYTHING, "", "");
    expect_range("a", "z", "", "");
    end();
}
END_TEST

START_TEST(the_newest_version_that_is_old_enough_is_shown) {
    start();
    put("a", 1);
    put("b", 2);
    put("a", 3);
    put("c", 4);
    put("b", 5);
    expect_all(EVERYTHING, "a3 b5 c4", "c4 b5 a3");
    expect_all(4, "a3 b2 c4", "c4 b2 a3");
    expect_all(3, "a3 b2", "b2 a3");
    expect_all(2, "a1 b2", "b2 a1");
    expect_all(1, "a1", "a1");
    expect_all(0, "", "");
    end();
}
END_TEST

START_TEST(a_deleted_row_is_not_shown_and_comes_back_when_put_again) {
    start();
    put("a", 1);
    put("b", 2);
    put("c", 3);
    delete_row("b", 4);
    delete_row("c", 5);
    put("c", 6);
    expect_all(EVERYTHING, "a1 c6", "c6 a1");
    expect_all(5, "a1", "a1");
    expect_all(4, "a1 c3", "c3 a1");
    expect_all(3, "a1 b2 c3", "c3 b2 a1");
    end();
}
END_TEST

START_TEST(a_walk_over_deleted_rows_alone_ends) {
    start();
    delete_row("a", 1);
    delete_row("b", 2);
    delete_row("c", 3);
    expect_all(EVERYTHING, "", "");
    ck_assert_uint_eq(skipped, 3);
    end();
}
END_TEST

START_TEST(an_expired_row_hides_the_older_version_below_it) {
    start();
    put("a", 1);
    put_until("a", 2, NOW_MS - 1);
    put_until("b", 3, NOW_MS);
    put_until("c", 4, NOW_MS + 1);
    put_until("d", 5, 1);
    put("d", 6);
    expect_all(EVERYTHING, "c4 d6", "d6 c4");
    expect_all(1, "a1", "a1");
    end();
}
END_TEST

START_TEST(a_range_has_its_first_row_and_not_its_last) {
    start();
    put("a", 1);
    put("b", 2);
    put("bb", 3);
    put("c", 4);
    expect_range("b", "c", "b2 bb3", "bb3 b2");
    expect_range("b", "b", "", "");
    expect_range("aa", "b", "", "");
    expect_range("aa", "bbb", "b2 bb3", "bb3 b2");
    expect_range("d", "z", "", "");
    expect_range("", "a", "", "");
    expect_range("", "aa", "a1", "a1");
    end();
}
END_TEST

START_TEST(a_range_turned_round_is_empty) {
    start();
    put("a", 1);
    put("b", 2);
    put("c", 3);
    expect_range("c", "a", "", "");
    expect_range("z", "b", "", "");
    expect_range("b", "", "", "");
    end();
}
END_TEST

START_TEST(a_namespace_ends_where_the_next_begins) {
    start();
    put_in(1, "x", 1);
    put_in(2, "", 2);
    put_in(2, "m", 3);
    put_in(2, "\xff\xff", 4);
    put_in(3, "", 5);
    put_in(3, "a", 6);
    expect_namespace(1, "x1", "x1");
    expect_namespace(2,
                     "2 m3 \xff\xff"
                     "4",
                     "\xff\xff"
                     "4 m3 2");
    expect_namespace(3, "5 a6", "a6 5");
    expect_namespace(4, "", "");
    expect_namespace(0, "", "");
    end();
}
END_TEST

/* More versions than are stepped over one by one. */
START_TEST(a_row_of_many_versions_is_shown_once) {
    for (uint64_t count = 1; count < 24; count++) {
        char rows[2][64];
        start();
        put("a", 1);
        for (uint64_t i = 0; i < count; i++) {
            put("b", 2 + i);
        }
        put("c", 100);
        (void)snprintf(rows[0], sizeof rows[0], "a1 b%u c100", (unsigned)count + 1);
        (void)snprintf(rows[1], sizeof rows[1], "c100 b%u a1", (unsigned)count + 1);
        expect_all(EVERYTHING, rows[0], rows[1]);
        expect_all(2, "a1 b2", "b2 a1");
        expect_all(1, "a1", "a1");
        end();
    }
}
END_TEST

START_TEST(the_oldest_version_there_can_be_is_left_behind_too) {
    start();
    for (uint64_t i = 0; i < 10; i++) {
        put("a", i);
    }
    put("b", 10);
    expect_all(EVERYTHING, "a9 b10", "b10 a9");
    end();
}
END_TEST

START_TEST(in_reverse_from_the_end_hidden_rows_are_passed) {
    start();
    put("a", 1);
    put("y", 8);
    put("z", 9);
    delete_row("y", 10);
    expect_all(7, "a1", "a1");
    expect_all(EVERYTHING, "a1 z9", "z9 a1");
    expect_range("b", "zz", "z9", "z9");
    end();
}
END_TEST

START_TEST(what_decides_raises_the_hold_dead_or_alive) {
    start();
    put_as("a", 1, DURABILITY_LOGGED);
    put_as("b", 2, DURABILITY_SYNCED);
    put_as("c", 3, DURABILITY_MEMORY);
    delete_row("d", 4);
    expect_all(EVERYTHING, "a1 b2 c3", "c3 b2 a1");
    ck_assert_uint_eq(hold.written_version, 1);
    ck_assert_uint_eq(hold.durable_version, 2);
    put_as("e", 5, DURABILITY_SYNCED);
    put_until("f", 6, 1);
    insert(1, "g", 7, &(struct entry){.kind = ENTRY_TOMBSTONE, .durability = DURABILITY_LOGGED});
    expect_range("f", "z", "", "");
    ck_assert_uint_eq(hold.written_version, 7);
    ck_assert_uint_eq(hold.durable_version, 2);
    end();
}
END_TEST

START_TEST(a_version_too_new_to_be_seen_raises_no_hold) {
    start();
    put_as("a", 1, DURABILITY_MEMORY);
    put_as("a", 2, DURABILITY_SYNCED);
    expect_all(1, "a1", "a1");
    ck_assert_uint_eq(hold.durable_version, 0);
    end();
}
END_TEST

static enum status walk_all(const struct visible_range *range, uint32_t *rows_out) {
    struct visible_iterator iter;
    enum status status =
        visible_iterator_init(&iter, view, &marks, EVERYTHING, NOW_MS, READ_WAIT_NEVER);

    *rows_out = 0;
    if (status == STATUS_OK) {
        status = visible_iterator_set_range(&iter, range);
    }
    while (status == STATUS_OK) {
        status = visible_iterator_next(&iter, &hold, NULL);
        *rows_out += status == STATUS_OK;
    }
    visible_iterator_deinit(&iter);
    return status;
}

START_TEST(each_failing_allocation_is_told_and_leaves_nothing) {
    uint8_t row[64];
    size_t row_len = row_store(row, 1, slice_from_text("a"));
    struct visible_range range = {.from = slice_make(row, row_len)};

    start();
    put("a", 1);
    put("b", 2);
    put("b", 3);
    for (int reverse = 0; reverse < 2; reverse++) {
        enum status status = STATUS_NO_MEMORY;
        uint32_t rows = 0;
        uint64_t n;
        range.reverse = reverse == 1;
        for (n = 0; status != STATUS_END; n++) {
            memory_fail_after(n, true);
            status = walk_all(&range, &rows);
            memory_fail_never();
            ck_assert(status == STATUS_END || status == STATUS_NO_MEMORY);
        }
        ck_assert_uint_gt(n, 4);
        ck_assert_uint_eq(rows, 2);
    }
    end();
}
END_TEST

/* ---- Range deletes ---- */

static void delete_range(const char *from, const char *to, uint64_t at,
                         enum durability durability) {
    struct key_range range = {1, slice_from_text(from), slice_from_text(to)};
    struct buffer value = {.cap = RANGE_VALUE_BYTES_MAX};
    uint8_t key[RANGE_KEY_BYTES];
    uint8_t row[IKEY_NAMESPACE_BYTES + RANGE_KEY_BYTES];
    struct entry entry = {.kind = ENTRY_INLINE, .durability = durability};
    size_t bytes;

    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_OK);
    entry.value = buffer_slice(&value);
    bytes = memtable_node_bytes(sizeof row, entry_bytes(&entry));
    ck_assert_int_eq(memtable_reserve(memtable, bytes, bytes), STATUS_OK);
    memtable_insert(memtable, slice_make(row, row_store(row, 0, slice_make(key, sizeof key))), at,
                    &entry);
    buffer_deinit(&value);
}

/* The memtable is frozen, so that its range deletes stand in a set. */
static void freeze(void) {
    struct memtable *fresh;

    view_unref(view);
    ck_assert_int_eq(memtable_create(64u * 1024, &fresh), STATUS_OK);
    ck_assert_int_eq(view_create(fresh, &memtable, 1, version, &view), STATUS_OK);
    memtable_unref(fresh);
}

START_TEST(rows_that_a_range_delete_covers_are_passed_both_ways) {
    start();
    put("a", 1);
    put("b", 2);
    put("c", 3);
    put("d", 4);
    put("e", 5);
    delete_range("b", "d", 6, DURABILITY_MEMORY);
    put("c", 7);
    put("cc", 8);
    delete_range("cc", "cd", 9, DURABILITY_MEMORY);
    delete_range("e", "", 10, DURABILITY_MEMORY);
    put("ee", 10);
    for (int round = 0; round < 2; round++) {
        expect_range("", "zz", "a1 c7 d4 ee10", "ee10 d4 c7 a1");
        expect_range("b", "c", "", "");
        expect_range("b", "d", "c7", "c7");
        freeze();
    }
    end();
}
END_TEST

static void expect_seen_at(uint64_t at, const char *forward, const char *reverse) {
    uint8_t rows[2][64];
    size_t from_len = row_store(rows[0], 1, slice_from_text(""));
    size_t to_len = row_store(rows[1], 2, slice_from_text(""));

    expect_rows(slice_make(rows[0], from_len), slice_make(rows[1], to_len), at, forward, reverse);
}

START_TEST(a_snapshot_does_not_see_later_range_deletes) {
    start();
    put("a", 1);
    put("b", 2);
    delete_range("b", "c", 3, DURABILITY_MEMORY);
    put("b", 4);
    delete_range("a", "c", 5, DURABILITY_MEMORY);
    for (int round = 0; round < 2; round++) {
        expect_seen_at(2, "a1 b2", "b2 a1");
        expect_seen_at(3, "a1", "a1");
        expect_seen_at(4, "a1 b4", "b4 a1");
        expect_seen_at(5, "", "");
        freeze();
    }
    end();
}
END_TEST

START_TEST(a_range_delete_that_hides_a_row_raises_the_hold) {
    for (int frozen = 0; frozen < 2; frozen++) {
        start();
        put("a", 1);
        put("b", 2);
        delete_range("b", "c", 3, DURABILITY_SYNCED);
        delete_range("x", "z", 4, DURABILITY_LOGGED); /* of no row */
        if (frozen) {
            freeze();
        }
        expect_range("a", "b", "a1", "a1");
        ck_assert_uint_eq(hold.durable_version, 0);
        expect_range("b", "z", "", "");
        ck_assert_uint_eq(hold.durable_version, 3);
        ck_assert_uint_eq(hold.written_version, 0);
        end();
    }
}
END_TEST

UNIT_MAIN("visible iterator", an_empty_store_shows_nothing,
          the_newest_version_that_is_old_enough_is_shown,
          a_deleted_row_is_not_shown_and_comes_back_when_put_again,
          a_walk_over_deleted_rows_alone_ends, an_expired_row_hides_the_older_version_below_it,
          a_range_has_its_first_row_and_not_its_last, a_range_turned_round_is_empty,
          a_namespace_ends_where_the_next_begins, a_row_of_many_versions_is_shown_once,
          the_oldest_version_there_can_be_is_left_behind_too,
          in_reverse_from_the_end_hidden_rows_are_passed,
          what_decides_raises_the_hold_dead_or_alive, a_version_too_new_to_be_seen_raises_no_hold,
          each_failing_allocation_is_told_and_leaves_nothing,
          rows_that_a_range_delete_covers_are_passed_both_ways,
          a_snapshot_does_not_see_later_range_deletes,
          a_range_delete_that_hides_a_row_raises_the_hold)
