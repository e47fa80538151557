/* expiry_steps_test.c: by when how much of a table has expired. */
#include "storage/expiry_steps.h"
#include "tests/unit/unit.h"

static struct expiry_steps steps;
static uint64_t made[EXPIRY_STEPS];

static void start(void) {
    steps = (struct expiry_steps){0};
}

START_TEST(nothing_expires_at_no_time) {
    start();
    expiry_steps_make(&steps, made);
    for (unsigned i = 0; i < EXPIRY_STEPS; i++) {
        ck_assert_uint_eq(made[i], 0);
    }
    ck_assert_uint_eq(steps.weight, 0);
}
END_TEST

START_TEST(one_entry_expires_at_once) {
    start();
    expiry_steps_add(&steps, 500, 3);
    expiry_steps_make(&steps, made);
    for (unsigned i = 0; i < EXPIRY_STEPS; i++) {
        ck_assert_uint_eq(made[i], 500);
    }
}
END_TEST

START_TEST(eight_equal_entries_make_eight_steps_in_any_order) {
    static const uint64_t order[] = {3, 7, 1, 8, 2, 6, 5, 4};
    start();
    for (unsigned i = 0; i < EXPIRY_STEPS; i++) {
        expiry_steps_add(&steps, order[i] * 100, 10);
    }
    expiry_steps_make(&steps, made);
    for (unsigned i = 0; i < EXPIRY_STEPS; i++) {
        ck_assert_uint_eq(made[i], (i + 1) * 100);
    }
}
END_TEST

START_TEST(a_heavy_entry_fills_many_steps) {
    start();
    expiry_steps_add(&steps, 100, 100);
    expiry_steps_add(&steps, 200, 600);
    expiry_steps_add(&steps, 900, 100);
    expiry_steps_make(&steps, made);
    ck_assert_uint_eq(made[0], 100);
    for (unsigned i = 1; i < 7; i++) {
        ck_assert_uint_eq(made[i], 200);
    }
    ck_assert_uint_eq(made[7], 900);
}
END_TEST

/* Of weight 1 each, at 0, 1, ... in an order that jumps about. */
START_TEST(of_many_entries_no_step_is_far_off_and_the_last_is_exact) {
    const uint64_t count = 100003;
    start();
    for (uint64_t i = 0; i < count; i++) {
        expiry_steps_add(&steps, i * 7919 % count, 1);
    }
    ck_assert_uint_le(steps.count, EXPIRY_POINTS_MAX);
    ck_assert_uint_eq(steps.weight, count);
    expiry_steps_make(&steps, made);
    for (uint64_t i = 1; i <= EXPIRY_STEPS; i++) {
        uint64_t exact = count * i / EXPIRY_STEPS;
        ck_assert_uint_ge(made[i - 1], exact - count / 20);
        ck_assert_uint_le(made[i - 1], exact + count / 20);
    }
    ck_assert_uint_eq(made[7], count - 1);
}
END_TEST

/* Each second entry expires early: whoever took each second one only would see half of the truth.
 */
START_TEST(a_pattern_in_the_entries_does_not_hide_half_of_them) {
    start();
    for (unsigned i = 0; i < 65536; i++) {
        expiry_steps_add(&steps, i % 2 ? 1000 : 9000, 1);
    }
    expiry_steps_make(&steps, made);
    ck_assert_uint_eq(made[2], 1000);
    ck_assert_uint_eq(made[5], 9000);
}
END_TEST

START_TEST(weights_near_the_limit_do_not_overflow) {
    start();
    expiry_steps_add(&steps, 1, UINT64_MAX / 2);
    expiry_steps_add(&steps, 2, UINT64_MAX / 2);
    expiry_steps_make(&steps, made);
    ck_assert_uint_eq(made[3], 1);
    ck_assert_uint_eq(made[4], 2);
}
END_TEST

UNIT_MAIN("expiry_steps", nothing_expires_at_no_time, one_entry_expires_at_once,
          eight_equal_entries_make_eight_steps_in_any_order, a_heavy_entry_fills_many_steps,
          of_many_entries_no_step_is_far_off_and_the_last_is_exact,
          a_pattern_in_the_entries_does_not_hide_half_of_them,
          weights_near_the_limit_do_not_overflow)
