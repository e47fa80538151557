/* read_set_test.c: what is noted once, what becomes one range, what happens without room. */
#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/read_set.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define BYTES_MAX (1u << 20)

/* Rows of namespace 1 are written as their keys. */
static struct slice row(const char *key, uint8_t *room) {
    return slice_make(room, row_store(room, 1, slice_from_text(key)));
}

static enum status add_row(struct read_set *set, const char *key, uint64_t hash,
                           uint64_t expiry_ms) {
    struct read_expiry expiry = {expiry_ms, 7};
    uint8_t room[64];

    return read_set_add_row(set, row(key, room), hash, expiry);
}

static enum status add_range(struct read_set *set, const char *from, const char *to,
                             uint64_t expiry_ms) {
    struct read_expiry expiry = {expiry_ms, 7};
    struct slice to_row = {0};
    uint8_t rooms[2][64];

    if (to[0]) {
        to_row = row(to, rooms[1]);
    }
    return read_set_add_range(set, row(from, rooms[0]), to_row, expiry);
}

/* All items as text: "a b-d@5 e-". */
static void expect(const struct read_set *set, const char *wanted) {
    struct reader reader = reader_make(buffer_slice(&set->items));
    char text[512] = "";
    struct read_item item;
    size_t len = 0;

    while (read_set_take(&reader, &item)) {
        struct slice from = row_user_key(item.from);
        struct slice to = item.to.len > 0 ? row_user_key(item.to) : item.to;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s%s%.*s", len ? " " : "",
                                (int)from.len, (const char *)from.ptr, item.is_range ? "-" : "",
                                (int)to.len, to.len ? (const char *)to.ptr : "");
        if (item.expiry.ms > 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, "@%d", (int)item.expiry.ms);
        }
    }
    ck_assert_str_eq(text, wanted);
}

START_TEST(a_row_is_noted_once) {
    struct read_set set;

    read_set_init(&set, BYTES_MAX);
    ck_assert(read_set_is_empty(&set));
    ck_assert_int_eq(add_row(&set, "b", 1, 0), STATUS_OK);
    ck_assert_int_eq(add_row(&set, "a", 1, 30), STATUS_OK); /* of the same hash */
    ck_assert_int_eq(add_row(&set, "b", 1, 0), STATUS_OK);
    ck_assert_int_eq(add_row(&set, "", 2, 0), STATUS_OK);
    expect(&set, "b a@30 ");
    read_set_deinit(&set);
}
END_TEST

START_TEST(a_row_that_is_read_again_allocates_nothing) {
    struct read_set set;
    uint64_t before;

    read_set_init(&set, BYTES_MAX);
    ck_assert_int_eq(add_row(&set, "hot", 99, 0), STATUS_OK);
    before = memory_allocation_count();
    for (int i = 0; i < 1000; i++) {
        enum status status = add_row(&set, "hot", 99, 0);
        ck_assert_int_eq(status, STATUS_OK);
    }
    ck_assert_uint_eq(memory_allocation_count(), before);
    read_set_deinit(&set);
}
END_TEST

START_TEST(many_rows_are_all_there_however_they_hash) {
    struct read_set set;
    struct read_item item;
    struct reader reader;
    char key[16];
    int count = 0;

    for (uint64_t spread = 0; spread < 2; spread++) {
        read_set_init(&set, BYTES_MAX);
        for (int i = 0; i < 2000; i++) {
            snprintf(key, sizeof key, "k%d", i % 1000);
            ck_assert_int_eq(add_row(&set, key, (uint64_t)(i % 1000) * spread, 0), STATUS_OK);
        }
        count = 0;
        for (reader = reader_make(buffer_slice(&set.items)); read_set_take(&reader, &item);) {
            snprintf(key, sizeof key, "k%d", count++);
            ck_assert(slice_equal(row_user_key(item.from), slice_from_text(key)));
        }
        ck_assert_int_eq(count, 1000);
        read_set_deinit(&set);
    }
}
END_TEST

START_TEST(pages_of_a_scan_become_one_range) {
    struct read_set set;

    read_set_init(&set, BYTES_MAX);
    ck_assert_int_eq(add_range(&set, "a", "c", 0), STATUS_OK);
    ck_assert_int_eq(add_range(&set, "c", "f", 50), STATUS_OK); /* touches */
    ck_assert_int_eq(add_range(&set, "e", "h", 40), STATUS_OK); /* overlaps */
    expect(&set, "a-h@40");
    ck_assert_int_eq(add_range(&set, "b", "c", 60), STATUS_OK); /* lies in it */
    expect(&set, "a-h@40");
    ck_assert_int_eq(add_range(&set, "h", "", 0), STATUS_OK);
    expect(&set, "a-@40");
    read_set_deinit(&set);
}
END_TEST

START_TEST(pages_in_reverse_become_one_too) {
    struct read_set set;

    read_set_init(&set, BYTES_MAX);
    ck_assert_int_eq(add_range(&set, "t", "", 0), STATUS_OK);
    ck_assert_int_eq(add_range(&set, "m", "t", 0), STATUS_OK);
    ck_assert_int_eq(add_range(&set, "a", "m", 0), STATUS_OK);
    expect(&set, "a-");
    read_set_deinit(&set);
}
END_TEST

START_TEST(ranges_apart_stay_apart) {
    struct read_set set;

    read_set_init(&set, BYTES_MAX);
    ck_assert_int_eq(add_range(&set, "a", "c", 0), STATUS_OK);
    ck_assert_int_eq(add_range(&set, "d", "f", 0), STATUS_OK);
    ck_assert_int_eq(add_row(&set, "x", 1, 0), STATUS_OK);
    ck_assert_int_eq(add_range(&set, "f", "g", 0), STATUS_OK); /* the row came between */
    expect(&set, "a-c d-f x f-g");
    read_set_deinit(&set);
}
END_TEST

/* The end of one is the first row of the next. */
START_TEST(ranges_of_two_namespaces_stay_apart) {
    struct read_expiry never = {0, 0};
    uint8_t first[8];
    uint8_t second[8];
    uint8_t third[8];
    struct slice one = slice_make(first, row_store(first, 1, slice_make(NULL, 0)));
    struct slice two = slice_make(second, row_store(second, 2, slice_make(NULL, 0)));
    struct slice three = slice_make(third, row_store(third, 3, slice_make(NULL, 0)));
    struct read_set set;

    read_set_init(&set, BYTES_MAX);
    ck_assert_int_eq(read_set_add_range(&set, one, two, never), STATUS_OK);
    ck_assert_int_eq(read_set_add_range(&set, two, three, never), STATUS_OK);
    expect(&set, "- -");
    read_set_deinit(&set);
}
END_TEST

START_TEST(without_room_it_says_so_and_stays_as_it_was) {
    struct read_set set;
    char key[32];

    read_set_init(&set, 100);
    ck_assert_int_eq(add_row(&set, "first", 1, 0), STATUS_OK);
    ck_assert_int_eq(add_row(&set, "second", 2, 0), STATUS_OK);
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = 0;
    ck_assert_int_eq(add_row(&set, key, 3, 0), STATUS_OK);
    ck_assert_int_eq(add_row(&set, "fourth", 4, 0), STATUS_TOO_LARGE);
    ck_assert_int_eq(add_range(&set, "a", "b", 0), STATUS_TOO_LARGE);
    ck_assert_int_eq(add_row(&set, "second", 2, 0), STATUS_OK);
    expect(&set, "first second kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
    read_set_deinit(&set);
}
END_TEST

START_TEST(any_allocation_may_fail) {
    bool failed = true;

    for (uint64_t n = 0; failed; n++) {
        struct read_set set;
        enum status status = STATUS_OK;
        read_set_init(&set, BYTES_MAX);
        memory_fail_after(n, true);
        for (int i = 0; i < 100 && status == STATUS_OK; i++) {
            char key[16];
            snprintf(key, sizeof key, "%d", i);
            status = add_row(&set, key, (uint64_t)i, 0);
        }
        if (status == STATUS_OK) {
            status = add_range(&set, "a", "c", 0);
        }
        if (status == STATUS_OK) {
            status = add_range(&set, "b", "d", 0);
        }
        memory_fail_never();
        failed = status != STATUS_OK;
        ck_assert(!failed || status == STATUS_NO_MEMORY);
        ck_assert_int_eq(add_row(&set, "after", 12345, 0), STATUS_OK);
        read_set_deinit(&set);
        ck_assert_uint_lt(n, 100);
    }
}
END_TEST

UNIT_MAIN("read_set", a_row_is_noted_once, a_row_that_is_read_again_allocates_nothing,
          many_rows_are_all_there_however_they_hash, pages_of_a_scan_become_one_range,
          pages_in_reverse_become_one_too, ranges_apart_stay_apart,
          ranges_of_two_namespaces_stay_apart, without_room_it_says_so_and_stays_as_it_was,
          any_allocation_may_fail)
