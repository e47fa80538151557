/* store_counter_test.c: additions and appends: alone, in batches with other operations, beside each
 * other. */
#include "tests/unit/store_counter_fixture.h"

#include "protocol/base/memory.h"
#include "storage/format.h"

#include <pthread.h>

/* ---- Additions --------------------------------------------------------------------------------
 */

START_TEST(an_absent_key_counts_from_zero) {
    struct fixture fixture;
    struct answer answer;

    begin(&fixture);
    answer = add(&fixture, "n", 5);
    ck_assert_int_eq(answer.status, STATUS_OK);
    ck_assert_uint_eq(answer.result_count, 1);
    ck_assert_int_eq(answer.results[0], 5);
    answer = add(&fixture, "n", -12);
    ck_assert_int_eq(answer.results[0], -7);
    fixture_expect(&fixture, "n", "-7");
    fixture_delete(&fixture, "n");
    ck_assert_int_eq(add(&fixture, "n", 3).results[0], 3);
    fixture_expect(&fixture, "n", "3");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_addition_keeps_expiry_and_flags_until_the_key_has_expired) {
    struct fixture fixture;
    uint64_t expiry_ms;

    begin(&fixture);
    put_for(&fixture, "n", "40", 1000);
    expiry_ms = info_of(&fixture, "n").expiry_ms;
    ck_assert_int_eq(add(&fixture, "n", 2).results[0], 42);
    ck_assert_uint_eq(info_of(&fixture, "n").expiry_ms, expiry_ms);
    ck_assert_uint_eq(info_of(&fixture, "n").user_flags, 7);
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    ck_assert_int_eq(add(&fixture, "n", 2).results[0], 2);
    ck_assert_uint_eq(info_of(&fixture, "n").expiry_ms, 0);
    ck_assert_uint_eq(info_of(&fixture, "n").user_flags, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_sum_beyond_64_bits_is_refused_at_both_ends) {
    struct fixture fixture;

    begin(&fixture);
    fixture_put(&fixture, "max", "9223372036854775806");
    ck_assert_int_eq(add(&fixture, "max", 1).results[0], INT64_MAX);
    ck_assert_int_eq(add(&fixture, "max", 1).status, STATUS_OVERFLOW);
    fixture_expect(&fixture, "max", "9223372036854775807");
    fixture_put(&fixture, "min", "-9223372036854775807");
    ck_assert_int_eq(add(&fixture, "min", -1).results[0], INT64_MIN);
    ck_assert_int_eq(add(&fixture, "min", -1).status, STATUS_OVERFLOW);
    fixture_expect(&fixture, "min", "-9223372036854775808");
    ck_assert_int_eq(add(&fixture, "min", INT64_MAX).results[0], -1);
    ck_assert_int_eq(add(&fixture, "new", INT64_MIN).results[0], INT64_MIN);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_is_no_number_is_refused_and_stays) {
    static const char *const texts[] = {"",
                                        "-",
                                        "+1",
                                        "1 ",
                                        " 1",
                                        "12a",
                                        "9223372036854775808",
                                        "0x1",
                                        "1.0",
                                        "000000000000000000001"};
    struct fixture fixture;

    begin(&fixture);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fixture_put(&fixture, "n", texts[i]);
        ck_assert_msg(add(&fixture, "n", 1).status == STATUS_INVALID, "'%s'", texts[i]);
        fixture_expect(&fixture, "n", texts[i]);
    }
    fixture_put_bytes(&fixture, "n", THRESHOLD, 1);
    ck_assert_int_eq(add(&fixture, "n", 1).status, STATUS_INVALID);
    fixture_put(&fixture, "n", "-007");
    ck_assert_int_eq(add(&fixture, "n", 0).results[0], -7);
    fixture_expect(&fixture, "n", "-7");
    fixture_deinit(&fixture);
}
END_TEST

#define ADDERS 8u
#define ADDITIONS 200u

struct adder {
    struct fixture *fixture;
    pthread_t thread;
    uint32_t number;
};

static void *add_much(void *arg) {
    struct adder *adder = arg;

    for (uint32_t i = 0; i < ADDITIONS; i++) {
        struct store_commit *commit = fixture_commit_begin(adder->fixture);
        enum store_durability durability = i % 50 ? STORE_LOGGED : STORE_SYNCED;
        fill_add(commit, "shared", (int64_t)adder->number + 1);
        ck_assert_int_eq(submit(adder->fixture, commit, durability).status, STATUS_OK);
    }
    return NULL;
}

START_TEST(additions_of_eight_threads_sum_up_exactly) {
    struct adder adders[ADDERS];
    struct fixture fixture;
    char sum[32];

    fixture_init_on_disk(&fixture);
    fixture.options.memtable_bytes = 32 * 1024; /* frozen now and then */
    fixture_open(&fixture);
    for (uint32_t i = 0; i < ADDERS; i++) {
        adders[i] = (struct adder){.fixture = &fixture, .number = i};
        ck_assert_int_eq(pthread_create(&adders[i].thread, NULL, add_much, &adders[i]), 0);
    }
    for (uint32_t i = 0; i < ADDERS; i++) {
        ck_assert_int_eq(pthread_join(adders[i].thread, NULL), 0);
    }
    snprintf(sum, sizeof sum, "%u", ADDITIONS * ADDERS * (ADDERS + 1) / 2);
    fixture_expect(&fixture, "shared", sum);
    fixture_reopen(&fixture);
    fixture_expect(&fixture, "shared", sum);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(commits_of_one_group_see_each_other) {
    struct fixture_commit started[10];
    struct fixture fixture;

    begin(&fixture);
    for (int i = 0; i < 10; i++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        fill_add(commit, "n", 1);
        fixture_commit_start(&fixture, &started[i], commit, STORE_SYNCED);
    }
    fixture_settle(&fixture);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(started[i].outcome.results[0], i + 1);
        fixture_commit_finish(&started[i]);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_addition_to_what_is_on_disk_reads_it_there) {
    struct fixture fixture;

    begin(&fixture);
    fixture_put(&fixture, "n", "10");
    flush(&fixture);
    fixture_reopen(&fixture); /* nothing is cached */
    ck_assert_int_eq(add(&fixture, "n", 1).results[0], 11);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Appends ----------------------------------------------------------------------------------
 */

START_TEST(appends_grow_a_value_across_the_threshold) {
    struct fixture fixture;
    char all[4 * THRESHOLD] = "";
    uint32_t len = 0;

    begin(&fixture);
    for (int i = 0; len < 3 * THRESHOLD; i++) {
        char piece[128];
        int bytes = snprintf(piece, sizeof piece, "piece %d, %d bytes of random; ", i, i * 7919);
        struct answer answer = append(&fixture, "a", slice_make(piece, (size_t)bytes));
        memcpy(all + len, piece, (size_t)bytes + 1);
        len += (uint32_t)bytes;
        ck_assert_int_eq(answer.status, STATUS_OK);
        ck_assert_int_eq(answer.results[0], len);
        fixture_expect(&fixture, "a", all);
    }
    fixture_reopen(&fixture);
    fixture_expect(&fixture, "a", all);
    append(&fixture, "a", slice_make(NULL, 0));
    fixture_expect(&fixture, "a", all);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(appends_of_one_group_read_what_is_not_in_the_log_yet) {
    struct fixture_commit started[6];
    struct fixture fixture;
    uint8_t piece[THRESHOLD];

    begin(&fixture);
    fixture_put_bytes(&fixture, "before", 5000, 1);
    fixture_expect_bytes(&fixture, "before", 5000, 1); /* the segment is open, and can be read */
    fixture_fill(piece, sizeof piece, 3);
    for (int i = 0; i < 6; i++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        fill_append(commit, "a", slice_make(piece, sizeof piece));
        fixture_commit_start(&fixture, &started[i], commit, STORE_MEMORY);
    }
    fixture_settle(&fixture);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(started[i].outcome.status, STATUS_OK);
        ck_assert_int_eq(started[i].outcome.results[0], (i + 1) * (int)THRESHOLD);
        fixture_commit_finish(&started[i]);
    }
    ck_assert_int_eq(fixture_get(&fixture, "a"), STATUS_OK);
    for (size_t i = 0; i < 6; i++) {
        ck_assert(memcmp(fixture.value.data + i * THRESHOLD, piece, THRESHOLD) == 0);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_append_beyond_the_longest_value_is_refused) {
    size_t half = VALUE_BYTES_MAX / 2;
    uint8_t *bytes = memory_alloc_zeroed(VALUE_BYTES_MAX);
    struct fixture fixture;

    ck_assert_ptr_nonnull(bytes);
    begin(&fixture);
    ck_assert_int_eq(append(&fixture, "a", slice_make(bytes, half)).status, STATUS_OK);
    ck_assert_int_eq(append(&fixture, "a", slice_make(bytes, half)).results[0], VALUE_BYTES_MAX);
    ck_assert_int_eq(append(&fixture, "a", slice_make(bytes, 1)).status, STATUS_TOO_LARGE);
    ck_assert_uint_eq(info_of(&fixture, "a").value_bytes, VALUE_BYTES_MAX);
    memory_free(bytes);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Batches ----------------------------------------------------------------------------------
 */

START_TEST(operations_of_a_batch_see_those_before_them) {
    struct store_commit *commit;
    struct fixture fixture;
    struct answer answer;

    begin(&fixture);
    fixture_put(&fixture, "n", "100");
    commit = fixture_commit_begin(&fixture);
    fill_add(commit, "n", 1);
    fill_add(commit, "other", 1);
    fill_add(commit, "n", 2); /* two on one key */
    fill_put(commit, "n", slice_from_text("7"), 0);
    fill_add(commit, "n", 1); /* sees the put */
    fill_append(commit, "n", slice_from_text("0"));
    fill_delete(commit, "other");
    fill_add(commit, "other", 9); /* sees the delete */
    answer = submit(&fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(answer.status, STATUS_OK);
    ck_assert_uint_eq(answer.result_count, 6);
    ck_assert_int_eq(answer.results[0], 101);
    ck_assert_int_eq(answer.results[1], 1);
    ck_assert_int_eq(answer.results[2], 103);
    ck_assert_int_eq(answer.results[3], 8);
    ck_assert_int_eq(answer.results[4], 2); /* bytes of "80" */
    ck_assert_int_eq(answer.results[5], 9);
    fixture_expect(&fixture, "n", "80");
    fixture_expect(&fixture, "other", "9");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_later_plain_operation_of_the_batch_wins) {
    struct store_commit *commit;
    struct fixture fixture;

    begin(&fixture);
    fixture_put(&fixture, "gone", "1");
    commit = fixture_commit_begin(&fixture);
    fill_add(commit, "n", 5);
    fill_put(commit, "n", slice_from_text("put"), 0);
    fill_append(commit, "gone", slice_from_text("2"));
    fill_delete(commit, "gone");
    ck_assert_int_eq(submit(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    fixture_expect(&fixture, "n", "put");
    fixture_expect_absent(&fixture, "gone");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_long_value_put_in_the_batch_is_appended_to_and_expires) {
    uint8_t value[3 * THRESHOLD];
    struct store_commit *commit;
    struct fixture fixture;

    begin(&fixture);
    memset(value, 'x', sizeof value); /* it compresses */
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, "a", slice_make(value, sizeof value - 1), 0);
    fill_append(commit, "a", slice_from_text("x"));
    fill_put(commit, "b", slice_make(value, sizeof value), 0);
    fill_expire(commit, "b", 1000);
    fill_append(commit, "c", slice_make(value, sizeof value));
    fill_expire(commit, "c", 1000);
    ck_assert_int_eq(submit(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    for (const char *key = "a\0b\0c\0"; *key; key += 2) {
        ck_assert_int_eq(fixture_get(&fixture, key), STATUS_OK);
        ck_assert(slice_equal(buffer_slice(&fixture.value), slice_make(value, sizeof value)));
    }
    ck_assert_uint_eq(info_of(&fixture, "a").expiry_ms, 0);
    ck_assert_uint_ne(info_of(&fixture, "b").expiry_ms, 0);
    ck_assert_uint_eq(info_of(&fixture, "b").user_flags, 7);
    env_memory_advance_clock(fixture.memory, SECOND_NS);
    fixture_expect_absent(&fixture, "b");
    fixture_expect_absent(&fixture, "c");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(one_that_cannot_be_done_undoes_the_batch_and_is_named) {
    struct store_commit *commit;
    struct fixture fixture;
    struct answer answer;

    begin(&fixture);
    fixture_put(&fixture, "text", "abc");
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, "z", slice_from_text("1"), 0);
    fill_add(commit, "n", 1);
    fill_add(commit, "text", 1); /* number 2 */
    fill_expire(commit, "none", 1000);
    answer = submit(&fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(answer.status, STATUS_INVALID);
    ck_assert_uint_eq(answer.operation, 2);
    fixture_expect_absent(&fixture, "z");
    fixture_expect_absent(&fixture, "n");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(conditions_are_judged_before) {
    struct store_condition absent = {STORE_IF_ABSENT, 0};
    struct store_commit *commit;
    struct fixture fixture;

    begin(&fixture);
    for (int i = 0; i < 2; i++) {
        commit = fixture_commit_begin(&fixture);
        ck_assert_int_eq(
            store_commit_add(commit, STORE_NAMESPACE_DEFAULT, slice_from_text("n"), 1, &absent),
            STATUS_OK);
        ck_assert_int_eq(submit(&fixture, commit, STORE_SYNCED).status,
                         i == 0 ? STATUS_OK : STATUS_EXISTS);
    }
    fixture_expect(&fixture, "n", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_system_namespace_is_not_for_callers) {
    struct store_commit *commit;
    struct slice key = slice_from_text("namespace/x");
    struct fixture fixture;

    begin(&fixture);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_add(commit, NAMESPACE_SYSTEM, key, 1, NULL), STATUS_INVALID);
    ck_assert_int_eq(store_commit_append(commit, NAMESPACE_SYSTEM, key, key, NULL), STATUS_INVALID);
    ck_assert_int_eq(store_commit_expire(commit, NAMESPACE_SYSTEM, key, 1, NULL), STATUS_INVALID);
    ck_assert_int_eq(store_commit_expire(commit, STORE_NAMESPACE_DEFAULT, key, UINT64_MAX, NULL),
                     STATUS_INVALID);
    store_commit_destroy(commit);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_counter", an_absent_key_counts_from_zero,
          an_addition_keeps_expiry_and_flags_until_the_key_has_expired,
          a_sum_beyond_64_bits_is_refused_at_both_ends, what_is_no_number_is_refused_and_stays,
          additions_of_eight_threads_sum_up_exactly, commits_of_one_group_see_each_other,
          an_addition_to_what_is_on_disk_reads_it_there, appends_grow_a_value_across_the_threshold,
          appends_of_one_group_read_what_is_not_in_the_log_yet,
          an_append_beyond_the_longest_value_is_refused,
          operations_of_a_batch_see_those_before_them, a_later_plain_operation_of_the_batch_wins,
          a_long_value_put_in_the_batch_is_appended_to_and_expires,
          one_that_cannot_be_done_undoes_the_batch_and_is_named, conditions_are_judged_before,
          the_system_namespace_is_not_for_callers)
