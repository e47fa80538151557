/* write_set_test.c: one operation a row, range deletes that take rows out, both directions. */
#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/ikey.h"
#include "storage/random.h"
#include "storage/write_set.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define BYTES_MAX (1u << 20)

static struct slice row(const char *key, uint8_t *room) {
    return slice_make(room, row_store(room, 1, slice_from_text(key)));
}

static enum status put(struct write_set *set, const char *key, const char *value) {
    uint8_t room[64];
    struct write write = {
        .kind = WRITE_PUT, .row = row(key, room), .value = slice_from_text(value), .expiry_ms = 5};

    return write_set_put(set, &write);
}

static enum status erase(struct write_set *set, const char *key) {
    uint8_t room[64];
    struct write write = {.kind = WRITE_DELETE, .row = row(key, room)};

    return write_set_put(set, &write);
}

static enum status delete_range(struct write_set *set, const char *from, const char *to) {
    struct key_range range = {1, slice_from_text(from), slice_from_text(to)};

    return write_set_delete_range(set, &range);
}

static struct write find(const struct write_set *set, const char *key) {
    uint8_t room[64];
    return write_set_find(set, row(key, room));
}

/* The rows in order, as "a=1 b- ", forward and back. */
static void expect(const struct write_set *set, const char *wanted) {
    char texts[2][256] = {"", ""};
    struct write write = write_set_seek(set, slice_make(NULL, 0), false);
    size_t len = 0;

    while (write.kind != WRITE_NONE) {
        struct slice key = row_user_key(write.row);
        len += (size_t)snprintf(texts[0] + len, sizeof texts[0] - len, "%.*s%s%.*s ", (int)key.len,
                                (const char *)key.ptr, write.kind == WRITE_PUT ? "=" : "-",
                                (int)write.value.len,
                                write.value.len ? (const char *)write.value.ptr : "");
        write = write_set_seek(set, write.row, true);
    }
    ck_assert_str_eq(texts[0], wanted);
    len = sizeof texts[1] - 1;
    write = write_set_seek_before(set, slice_make(NULL, 0));
    while (write.kind != WRITE_NONE) {
        char one[64];
        struct slice key = row_user_key(write.row);
        int bytes = snprintf(one, sizeof one, "%.*s%s%.*s ", (int)key.len, (const char *)key.ptr,
                             write.kind == WRITE_PUT ? "=" : "-", (int)write.value.len,
                             write.value.len ? (const char *)write.value.ptr : "");
        len -= (size_t)bytes;
        memcpy(texts[1] + len, one, (size_t)bytes);
        write = write_set_seek_before(set, write.row);
    }
    ck_assert_str_eq(texts[1] + len, wanted);
}

START_TEST(an_empty_set_says_nothing_of_any_row) {
    struct write_set set;

    write_set_init(&set, BYTES_MAX);
    ck_assert(write_set_is_empty(&set));
    ck_assert_int_eq(find(&set, "a").kind, WRITE_NONE);
    expect(&set, "");
    write_set_deinit(&set);
}
END_TEST

START_TEST(the_last_operation_on_a_row_counts) {
    struct write_set set;
    size_t bytes;

    write_set_init(&set, BYTES_MAX);
    ck_assert_int_eq(put(&set, "b", "1"), STATUS_OK);
    bytes = set.bytes;
    ck_assert_int_eq(put(&set, "a", "2"), STATUS_OK);
    ck_assert_int_eq(put(&set, "c", ""), STATUS_OK);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(put(&set, "b", "3"), STATUS_OK);
    }
    expect(&set, "a=2 b=3 c= ");
    ck_assert_uint_eq(find(&set, "b").expiry_ms, 5);
    ck_assert_uint_lt(set.bytes, 3 * bytes + 400); /* heights differ */
    ck_assert_int_eq(erase(&set, "b"), STATUS_OK);
    expect(&set, "a=2 b- c= ");
    ck_assert_int_eq(find(&set, "b").kind, WRITE_DELETE);
    ck_assert_uint_eq(set.row_count, 3);
    write_set_deinit(&set);
}
END_TEST

START_TEST(a_range_delete_takes_out_what_came_before_it) {
    struct write_set set;

    write_set_init(&set, BYTES_MAX);
    ck_assert_int_eq(put(&set, "a", "1"), STATUS_OK);
    ck_assert_int_eq(put(&set, "b", "2"), STATUS_OK);
    ck_assert_int_eq(erase(&set, "c"), STATUS_OK);
    ck_assert_int_eq(put(&set, "d", "4"), STATUS_OK);
    ck_assert_int_eq(delete_range(&set, "b", "d"), STATUS_OK);
    expect(&set, "a=1 d=4 ");
    ck_assert_int_eq(find(&set, "b").kind, WRITE_DELETE);
    ck_assert_int_eq(find(&set, "bb").kind, WRITE_DELETE);
    ck_assert_int_eq(find(&set, "d").kind, WRITE_PUT);
    ck_assert_int_eq(put(&set, "b", "5"), STATUS_OK);
    ck_assert_int_eq(find(&set, "b").kind, WRITE_PUT);
    ck_assert_int_eq(delete_range(&set, "b", "c"), STATUS_OK); /* within the first */
    ck_assert_int_eq(find(&set, "b").kind, WRITE_DELETE);
    ck_assert_uint_eq(set.range_count, 1);
    ck_assert_int_eq(delete_range(&set, "a", ""), STATUS_OK); /* around it */
    ck_assert_uint_eq(set.range_count, 1);
    ck_assert_uint_eq(set.row_count, 0);
    ck_assert(!write_set_is_empty(&set));
    ck_assert_int_eq(find(&set, "zzz").kind, WRITE_DELETE);
    ck_assert_int_eq(find(&set, "A").kind, WRITE_NONE);
    write_set_deinit(&set);
}
END_TEST

START_TEST(above_its_limit_it_refuses_and_keeps_what_it_has) {
    struct write_set set;
    char value[512];

    write_set_init(&set, 1000);
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = 0;
    ck_assert_int_eq(put(&set, "a", value), STATUS_OK);
    ck_assert_int_eq(put(&set, "b", value), STATUS_TOO_LARGE);
    ck_assert_int_eq(put(&set, "a", value), STATUS_OK); /* in its place */
    ck_assert_int_eq(find(&set, "b").kind, WRITE_NONE);
    ck_assert_uint_eq(find(&set, "a").value.len, 511);
    ck_assert_int_eq(delete_range(&set, "a", "b"), STATUS_OK);
    ck_assert_int_eq(put(&set, "b", value), STATUS_OK);
    write_set_deinit(&set);
}
END_TEST

START_TEST(there_are_no_more_ranges_than_a_commit_takes) {
    struct write_set set;
    char from[16];
    char to[16];

    write_set_init(&set, BYTES_MAX);
    for (uint32_t i = 0; i <= BATCH_RANGES_MAX; i++) {
        snprintf(from, sizeof from, "%04u", 2 * i);
        snprintf(to, sizeof to, "%04u", 2 * i + 1);
        ck_assert_int_eq(delete_range(&set, from, to),
                         i < BATCH_RANGES_MAX ? STATUS_OK : STATUS_TOO_LARGE);
    }
    ck_assert_uint_eq(set.range_count, BATCH_RANGES_MAX);
    write_set_deinit(&set);
}
END_TEST

/* Against an array of what each of 64 rows is to be. */
START_TEST(random_operations_agree_with_a_model) {
    struct random random = random_make(7);
    char model[64] = {0}; /* 0: nothing, '-', or a digit */
    bool ranged[64] = {false};
    struct write_set set;
    char key[16];

    write_set_init(&set, BYTES_MAX);
    for (int i = 0; i < 20000; i++) {
        uint64_t at = random_below(&random, 64);
        uint64_t kind = random_below(&random, 20);
        snprintf(key, sizeof key, "%02d", (int)at);
        if (kind == 0) {
            uint64_t to = at + random_below(&random, 10);
            char end[16];
            to = to < 63 ? to : 63;
            snprintf(end, sizeof end, "%02d", (int)to);
            if (to > at && delete_range(&set, key, end) == STATUS_OK) {
                memset(model + at, 0, to - at);
                memset(ranged + at, true, to - at);
            }
        } else if (kind < 8) {
            ck_assert(erase(&set, key) == STATUS_OK);
            model[at] = '-';
        } else {
            char value[2] = {(char)('0' + random_below(&random, 10)), 0};
            ck_assert(put(&set, key, value) == STATUS_OK);
            model[at] = value[0];
        }
        at = random_below(&random, 64);
        snprintf(key, sizeof key, "%02d", (int)at);
        if (model[at] == 0) {
            ck_assert(find(&set, key).kind == (ranged[at] ? WRITE_DELETE : WRITE_NONE));
        } else if (model[at] == '-') {
            ck_assert(find(&set, key).kind == WRITE_DELETE);
        } else {
            ck_assert(find(&set, key).kind == WRITE_PUT &&
                      find(&set, key).value.ptr[0] == (uint8_t)model[at]);
        }
    }
    write_set_deinit(&set);
}
END_TEST

START_TEST(any_allocation_may_fail) {
    bool failed = true;

    for (uint64_t n = 0; failed; n++) {
        struct write_set set;
        enum status status;
        write_set_init(&set, BYTES_MAX);
        memory_fail_after(n, true);
        status = put(&set, "a", "1");
        for (int i = 0; i < 6 && status == STATUS_OK; i++) {
            char from[4] = {(char)('a' + 2 * i), 0};
            char to[4] = {(char)('b' + 2 * i), 0};
            status = delete_range(&set, from, to);
        }
        memory_fail_never();
        failed = status != STATUS_OK;
        ck_assert(!failed || status == STATUS_NO_MEMORY);
        write_set_deinit(&set);
        ck_assert_uint_lt(n, 50);
    }
}
END_TEST

UNIT_MAIN("write_set", an_empty_set_says_nothing_of_any_row, the_last_operation_on_a_row_counts,
          a_range_delete_takes_out_what_came_before_it,
          above_its_limit_it_refuses_and_keeps_what_it_has,
          there_are_no_more_ranges_than_a_commit_takes, random_operations_agree_with_a_model,
          any_allocation_may_fail)
