/* keep_rules_test.c: what the rules of a job let go. */
#include "storage/keep_rules.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#define NOW 1000u

static struct keep_rules rules;

/* Snapshots at 10 (taken at time 700), 20 (at 800) and visible 50; namespace 3 keeps a lot. */
static void start(void) {
    struct keep_namespace keep = {
        .namespace_id = 3, .keep_versions = 2, .keep_since_version = 15, .keep_since_ms = 600};

    ck_assert_int_eq(keep_rules_init(&rules, 3, 1), STATUS_OK);
    keep_rules_add_snapshot_at(&rules, 10, 700);
    keep_rules_add_snapshot_at(&rules, 20, 800);
    keep_rules_add_snapshot(&rules, 50);
    keep_rules_add_namespace(&rules, &keep);
    rules.now_ms = NOW;
}

START_TEST(a_namespace_that_is_not_listed_keeps_nothing) {
    struct keep_namespace keep;

    start();
    for (uint32_t id = 0; id < 5; id++) {
        keep = keep_rules_namespace(&rules, id);
        ck_assert_uint_eq(keep.namespace_id, id);
        ck_assert_uint_eq(keep.keep_versions, id == 3 ? 2 : 0);
        ck_assert_uint_eq(keep.keep_since_version, id == 3 ? 15 : UINT64_MAX);
    }
    keep_rules_deinit(&rules);
}
END_TEST

START_TEST(expiry_is_judged_by_the_first_who_sees_the_entry) {
    struct keep_namespace none;
    struct keep_namespace three;

    start();
    none = keep_rules_namespace(&rules, 1);
    three = keep_rules_namespace(&rules, 3);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &none, 10), 700);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &none, 11), 800);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &none, 21), NOW);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &three, 21), 600);
    keep_rules_deinit(&rules);
}
END_TEST

START_TEST(a_later_snapshot_with_an_earlier_time_counts_for_those_before) {
    struct keep_namespace none;

    ck_assert_int_eq(keep_rules_init(&rules, 4, 0), STATUS_OK);
    keep_rules_add_snapshot_at(&rules, 10, 900); /* a version of the past, held today */
    keep_rules_add_snapshot_at(&rules, 20, 800);
    keep_rules_add_snapshot_at(&rules, 20, 750);
    keep_rules_add_snapshot(&rules, 50);
    rules.now_ms = NOW;
    none = keep_rules_namespace(&rules, 1);
    ck_assert_uint_eq(rules.snapshot_count, 3);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &none, 5), 750);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &none, 20), 750);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &none, 21), NOW);
    keep_rules_deinit(&rules);
}
END_TEST

START_TEST(what_is_settled_depends_on_the_oldest_entry) {
    struct keep_namespace none;

    start();
    none = keep_rules_namespace(&rules, 1);
    ck_assert_uint_eq(keep_rules_settled_version(&rules, &none, 0), 10);
    ck_assert_uint_eq(keep_rules_settled_version(&rules, &none, 10), 10);
    ck_assert_uint_eq(keep_rules_settled_version(&rules, &none, 11), 20);
    ck_assert_uint_eq(keep_rules_settled_version(&rules, &none, 21), 50);
    ck_assert_uint_eq(keep_rules_settled_version(&rules, &none, 51), 0); /* nothing is known */
    keep_rules_deinit(&rules);
}
END_TEST

START_TEST(a_span_is_as_strict_as_the_strictest_in_it) {
    struct keep_span span;

    start();
    span = keep_rules_span(&rules, 1, 2, 21);
    ck_assert_uint_eq(span.settled_version, 50);
    ck_assert_uint_eq(span.expiry_ms, NOW);
    ck_assert(!span.keeps_older);
    span = keep_rules_span(&rules, 1, 3, 21);
    ck_assert_uint_eq(span.settled_version, 15);
    ck_assert_uint_eq(span.expiry_ms, 600);
    ck_assert(span.keeps_older);
    ck_assert(keep_rules_span(&rules, 0, 0, 21).keeps_older); /* rows about any namespace */
    ck_assert(!keep_rules_span(&rules, 4, 9, 21).keeps_older);
    keep_rules_deinit(&rules);
}
END_TEST

START_TEST(a_hidden_entry_goes_when_nobody_can_see_it) {
    struct keep_namespace none;
    struct keep_namespace three;

    start();
    none = keep_rules_namespace(&rules, 1);
    three = keep_rules_namespace(&rules, 3);
    ck_assert(!keep_rules_hidden_goes(&rules, &none, 10, 11, 1)); /* seen at 10 */
    ck_assert(keep_rules_hidden_goes(&rules, &none, 9, 10, 1));
    ck_assert(keep_rules_hidden_goes(&rules, &none, 11, 20, 1));
    ck_assert(!keep_rules_hidden_goes(&rules, &none, 11, 21, 1)); /* seen at 20 */
    ck_assert(keep_rules_hidden_goes(&rules, &three, 11, 15, 2));
    ck_assert(!keep_rules_hidden_goes(&rules, &three, 11, 15, 1)); /* one of two to be kept */
    ck_assert(!keep_rules_hidden_goes(&rules, &three, 11, 16, 2)); /* replaced since */
    keep_rules_deinit(&rules);
}
END_TEST

START_TEST(what_lies_under_an_entry_goes_when_nobody_sees_past_it) {
    struct keep_namespace none;
    struct keep_namespace three;

    start();
    none = keep_rules_namespace(&rules, 1);
    three = keep_rules_namespace(&rules, 3);
    ck_assert(keep_rules_rest_goes(&rules, &none, 10, 0));
    ck_assert(!keep_rules_rest_goes(&rules, &none, 11, 0));
    ck_assert(keep_rules_rest_goes_from(&rules, &none, 11, 20, 0));
    ck_assert(!keep_rules_rest_goes_from(&rules, &none, 10, 20, 0));
    ck_assert(!keep_rules_rest_goes(&rules, &three, 10, 0));
    ck_assert(keep_rules_rest_goes(&rules, &three, 10, 1));
    keep_rules_deinit(&rules);
}
END_TEST

START_TEST(want_of_memory_leaves_nothing_behind) {
    for (uint64_t n = 0; n < 3; n++) {
        memory_fail_after(n, true);
        ck_assert_int_eq(keep_rules_init(&rules, 3, 1), STATUS_NO_MEMORY);
        memory_fail_never();
        keep_rules_deinit(&rules);
    }
}
END_TEST

START_TEST(a_table_should_end_where_the_retention_changes) {
    struct keep_rules plain;

    start(); /* namespace 3 */
    ck_assert(!keep_rules_is_border(&rules, 1, 1));
    ck_assert(!keep_rules_is_border(&rules, 1, 2));
    ck_assert(keep_rules_is_border(&rules, 2, 3));
    ck_assert(keep_rules_is_border(&rules, 2, 9));
    ck_assert(keep_rules_is_border(&rules, 3, 4));
    ck_assert(!keep_rules_is_border(&rules, 4, 9));
    ck_assert(keep_rules_is_border(&rules, 0, 1)); /* rows about all namespaces */
    keep_rules_deinit(&rules);
    ck_assert_int_eq(keep_rules_init_plain(&plain, 50, NOW), STATUS_OK);
    ck_assert(!keep_rules_is_border(&plain, 0, 1));
    keep_rules_deinit(&plain);
}
END_TEST

UNIT_MAIN("keep rules", a_namespace_that_is_not_listed_keeps_nothing,
          expiry_is_judged_by_the_first_who_sees_the_entry,
          a_later_snapshot_with_an_earlier_time_counts_for_those_before,
          what_is_settled_depends_on_the_oldest_entry, a_span_is_as_strict_as_the_strictest_in_it,
          a_hidden_entry_goes_when_nobody_can_see_it,
          what_lies_under_an_entry_goes_when_nobody_sees_past_it,
          want_of_memory_leaves_nothing_behind, a_table_should_end_where_the_retention_changes)
