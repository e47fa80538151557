/* segment_pins_test.c: segments that uploads hold. */
#include "storage/segment_pins.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

static void expect_pinned(struct segment_pins *pins, size_t count, const uint64_t *wanted) {
    uint64_t *segments;
    size_t found;

    ck_assert_int_eq(segment_pins_copy(pins, &segments, &found), STATUS_OK);
    ck_assert_uint_eq(found, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(segments[i], wanted[i]);
        ck_assert(segment_pins_list_has(segments, found, wanted[i]));
    }
    ck_assert(!segment_pins_list_has(segments, found, 999));
    memory_free(segments);
}

static void pin(struct segment_pins *pins, uint64_t segment) {
    ck_assert_int_eq(segment_pins_add(pins, segment), STATUS_OK);
}

START_TEST(nothing_is_pinned_at_first) {
    struct segment_pins pins;

    segment_pins_init(&pins);
    expect_pinned(&pins, 0, NULL);
    segment_pins_deinit(&pins);
}
END_TEST

START_TEST(a_segment_stays_until_its_last_pin_goes) {
    struct segment_pins pins;

    segment_pins_init(&pins);
    pin(&pins, 9);
    pin(&pins, 4);
    pin(&pins, 9);
    expect_pinned(&pins, 2, (uint64_t[]){4, 9});
    segment_pins_remove(&pins, 9);
    expect_pinned(&pins, 2, (uint64_t[]){4, 9});
    segment_pins_remove(&pins, 9);
    expect_pinned(&pins, 1, (uint64_t[]){4});
    segment_pins_remove(&pins, 4);
    expect_pinned(&pins, 0, NULL);
    segment_pins_deinit(&pins);
}
END_TEST

START_TEST(many_are_listed_in_order) {
    struct segment_pins pins;
    uint64_t wanted[50];

    segment_pins_init(&pins);
    for (uint64_t i = 0; i < 50; i++) {
        pin(&pins, (i * 37) % 50 + 1);
        wanted[i] = i + 1;
    }
    expect_pinned(&pins, 50, wanted);
    for (uint64_t i = 1; i <= 50; i++) {
        segment_pins_remove(&pins, i);
    }
    segment_pins_deinit(&pins);
}
END_TEST

START_TEST(without_memory_nothing_is_pinned_and_nothing_listed) {
    struct segment_pins pins;
    uint64_t *segments;
    size_t count;

    segment_pins_init(&pins);
    memory_fail_after(0, true);
    ck_assert_int_eq(segment_pins_add(&pins, 1), STATUS_NO_MEMORY);
    memory_fail_never();
    expect_pinned(&pins, 0, NULL);
    pin(&pins, 1);
    memory_fail_after(0, true);
    ck_assert_int_eq(segment_pins_copy(&pins, &segments, &count), STATUS_NO_MEMORY);
    memory_fail_never();
    segment_pins_remove(&pins, 1);
    segment_pins_deinit(&pins);
}
END_TEST

UNIT_MAIN("segment pins", nothing_is_pinned_at_first, a_segment_stays_until_its_last_pin_goes,
          many_are_listed_in_order, without_memory_nothing_is_pinned_and_nothing_listed)
