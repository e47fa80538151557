/* store_anomaly_test.c: the named anomalies of isolation, each in every interleaving of its
 * transactions, and once more with all commits in one group. (Names as in Adya, "Weak Consistency",
 * 1999, and the Hermitage tests.) What is judged stands in txn_script.h. */
#include "tests/support/txn_script.h"
#include "tests/unit/unit.h"

#define TXNS_MAX 4

/* All interleavings of a set of scripts. */
struct anomaly {
    struct fixture fixture;
    struct script scripts[TXNS_MAX];
    uint32_t count;
    bool together; /* all commits are one group */
    uint32_t runs;
    uint32_t conflicts;
    uint32_t clean; /* runs without a conflict */
};

static void run_one(struct anomaly *anomaly, const uint8_t *order, uint32_t steps) {
    struct script_run run;
    uint32_t conflicts;

    script_run_begin(&run, &anomaly->fixture, anomaly->runs++);
    run.together = anomaly->together;
    for (uint32_t i = 0; i < anomaly->count; i++) {
        script_run_add(&run, &anomaly->scripts[i]);
    }
    for (uint32_t i = 0; i < steps; i++) {
        (void)script_run_step(&run, order[i]);
    }
    conflicts = script_run_end(&run, false);
    anomaly->conflicts += conflicts;
    anomaly->clean += conflicts == 0;
}

/* Appends to `order` each step that can come next, and goes on from there. */
static void enumerate(struct anomaly *anomaly, uint32_t *taken, uint8_t *order, uint32_t steps) {
    bool any = false;

    for (uint8_t i = 0; i < anomaly->count; i++) {
        if (taken[i] < anomaly->scripts[i].count) {
            any = true;
            taken[i]++;
            order[steps] = i;
            enumerate(anomaly, taken, order, steps + 1);
            taken[i]--;
        }
    }
    if (!any) {
        run_one(anomaly, order, steps);
    }
}

static void run_all(struct anomaly *anomaly, const char *const *texts) {
    uint32_t taken[TXNS_MAX] = {0};
    uint8_t order[TXNS_MAX * SCRIPT_STEPS_MAX];

    fixture_init(&anomaly->fixture, 1);
    fixture_open(&anomaly->fixture);
    for (; texts[anomaly->count]; anomaly->count++) {
        anomaly->scripts[anomaly->count] = script_parse(texts[anomaly->count]);
    }
    enumerate(anomaly, taken, order, 0);
    fixture_deinit(&anomaly->fixture);
}

/* Some interleavings must conflict, if `conflicts`, else none may; and some must not. */
static void expect_serializable(const char *const *texts, bool conflicts) {
    struct anomaly apart = {0};
    struct anomaly together = {.together = true};

    run_all(&apart, texts);
    run_all(&together, texts);
    ck_assert_uint_gt(apart.runs, 1);
    ck_assert_uint_gt(apart.clean, 0);
    ck_assert(conflicts == (apart.conflicts > 0));
    ck_assert(conflicts == (together.conflicts > 0));
}

#define SCRIPTS(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(g0_dirty_write) {
    expect_serializable(SCRIPTS("b w:a w:b c", "b w:a w:b c"), false);
}
END_TEST

START_TEST(g1a_aborted_read) {
    expect_serializable(SCRIPTS("b w:a a", "b r:a w:b c"), false);
}
END_TEST

START_TEST(g1b_intermediate_read) {
    expect_serializable(SCRIPTS("b w:a w:a c", "b r:a r:a w:b c"), true);
}
END_TEST

START_TEST(g1c_circular_information_flow) {
    expect_serializable(SCRIPTS("b w:a r:b c", "b w:b r:a c"), true);
}
END_TEST

START_TEST(otv_observed_transaction_vanishes) {
    expect_serializable(SCRIPTS("w:a w:b c", "w:a w:b c", "B r:a r:b r:a"), false);
}
END_TEST

START_TEST(pmp_predicate_many_preceders) {
    expect_serializable(SCRIPTS("b s:a-k s:a-k w:z c", "b w:c c"), true);
}
END_TEST

START_TEST(pmp_for_a_predicate_that_is_written) {
    expect_serializable(SCRIPTS("b s:a-f D:a-f c", "b +:a w:c c"), true);
}
END_TEST

START_TEST(p4_lost_update) {
    expect_serializable(SCRIPTS("b r:a w:a c", "b r:a w:a c"), true);
}
END_TEST

START_TEST(p4_lost_addition) {
    expect_serializable(SCRIPTS("b +:a c", "b +:a c", "+:a c"), true);
}
END_TEST

START_TEST(g_single_read_skew) {
    expect_serializable(SCRIPTS("b r:a r:b w:d c", "b w:a w:b c"), true);
}
END_TEST

START_TEST(g_single_read_skew_of_a_reader) {
    expect_serializable(SCRIPTS("B r:a r:b s:a-d c", "b w:a w:b c"), false);
}
END_TEST

START_TEST(g_single_through_a_predicate) {
    expect_serializable(SCRIPTS("b r:a s:b-e w:a c", "w:a w:c c"), true);
}
END_TEST

START_TEST(g2_item_write_skew) {
    expect_serializable(SCRIPTS("b r:a r:b w:a c", "b r:a r:b w:b c"), true);
}
END_TEST

START_TEST(g2_write_skew_by_a_phantom) {
    expect_serializable(SCRIPTS("b s:c-d w:c c", "b s:c-d w:c c"), true);
}
END_TEST

START_TEST(g2_write_skew_by_different_phantoms) {
    expect_serializable(SCRIPTS("b s:a-z w:c c", "b S:a-z w:f c"), true);
}
END_TEST

START_TEST(g2_intersecting_sums) {
    expect_serializable(SCRIPTS("b s:a-d w:g c", "b s:e-i w:c c"), true);
}
END_TEST

START_TEST(g2_two_edges_read_only_anomaly) {
    expect_serializable(SCRIPTS("b r:a r:b w:b c", "b +:a c", "B r:a r:b"), true);
}
END_TEST

START_TEST(long_fork) {
    expect_serializable(SCRIPTS("w:a c", "w:b c", "B r:a r:b", "B r:b r:a"), false);
}
END_TEST

START_TEST(phantom_by_a_range_delete) {
    expect_serializable(SCRIPTS("b s:a-f w:z c", "b D:b-c c"), true);
}
END_TEST

START_TEST(range_delete_under_a_point_read) {
    expect_serializable(SCRIPTS("b r:b w:z c", "D:a-d c", "b w:b c"), true);
}
END_TEST

START_TEST(range_deletes_write_blindly) {
    expect_serializable(SCRIPTS("b D:a-f w:b c", "b w:c D:a-d c"), false);
}
END_TEST

START_TEST(two_find_a_prefix_empty_and_insert_into_it) {
    expect_serializable(SCRIPTS("b s:f-g w:f c", "b s:f-g w:f c", "w:f c"), true);
}
END_TEST

START_TEST(two_sum_a_range_and_add_to_it) {
    expect_serializable(SCRIPTS("b s:a-h w:c c", "b s:a-h +:d c"), true);
}
END_TEST

START_TEST(absent_keys_are_read_too) {
    expect_serializable(SCRIPTS("b r:c w:f c", "b r:f w:c c"), true);
}
END_TEST

START_TEST(a_range_counts_as_far_as_it_was_walked) {
    expect_serializable(SCRIPTS("b l:a-h w:z c", "w:b c", "w:a c"), true);
    expect_serializable(SCRIPTS("b L:a-h w:z c", "w:g c", "w:h c"), true);
}
END_TEST

START_TEST(what_lies_behind_the_walk_is_free) {
    expect_serializable(SCRIPTS("b l:a-h w:z c", "b L:a-h w:y c", "w:c d:d c"), false);
}
END_TEST

START_TEST(own_writes_are_not_read_of_the_store) {
    expect_serializable(SCRIPTS("b w:a r:a d:b r:b D:c-f r:d c", "b w:a w:b w:d c"), false);
}
END_TEST

START_TEST(disjoint_ones_do_not_meet) {
    expect_serializable(SCRIPTS("b r:a s:b-d w:a c", "b r:e S:f-h +:g c"), false);
}
END_TEST

START_TEST(disjoint_ones_in_turns) {
    expect_serializable(SCRIPTS("b l:a-c w:a c", "b +:d c", "b s:e-g D:e-g c"), false);
}
END_TEST

UNIT_MAIN("store_anomaly", g0_dirty_write, g1a_aborted_read, g1b_intermediate_read,
          g1c_circular_information_flow, otv_observed_transaction_vanishes,
          pmp_predicate_many_preceders, pmp_for_a_predicate_that_is_written, p4_lost_update,
          p4_lost_addition, g_single_read_skew, g_single_read_skew_of_a_reader,
          g_single_through_a_predicate, g2_item_write_skew, g2_write_skew_by_a_phantom,
          g2_write_skew_by_different_phantoms, g2_intersecting_sums, g2_two_edges_read_only_anomaly,
          long_fork, phantom_by_a_range_delete, range_delete_under_a_point_read,
          range_deletes_write_blindly, two_find_a_prefix_empty_and_insert_into_it,
          two_sum_a_range_and_add_to_it, absent_keys_are_read_too,
          a_range_counts_as_far_as_it_was_walked, what_lies_behind_the_walk_is_free,
          own_writes_are_not_read_of_the_store, disjoint_ones_do_not_meet, disjoint_ones_in_turns)
