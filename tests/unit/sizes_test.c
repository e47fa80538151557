/* sizes_test.c: the sizes that follow from weight, disk and options. */
#include "storage/sizes.h"
#include "tests/unit/unit.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define GIB (UINT64_C(1024) * MIB)

static struct sizes_basis large_disk(void) {
    return (struct sizes_basis){
        .disk_bytes = UINT64_C(1024) * GIB, .memory_limit_bytes = GIB, .space_ratio_percent = 150};
}

START_TEST(an_empty_store_has_the_least_sizes) {
    struct sizes_basis basis = large_disk();
    struct sizes sizes = sizes_of(&basis, 0);

    ck_assert_uint_eq(sizes.unflushed_log_bytes, 16 * MIB);
    ck_assert_uint_eq(sizes.segment_bytes, 4 * MIB);
    ck_assert_uint_eq(sizes.job_bytes, 4 * MIB);
    ck_assert_uint_eq(sizes.manifest_bytes, 8 * MIB);
    ck_assert_uint_eq(sizes.memtable_bytes, 64 * MIB);
    ck_assert_uint_le(6 * sizes.memtable_log_bytes, sizes.unflushed_log_bytes);
}
END_TEST

START_TEST(sizes_grow_with_the_weight_up_to_their_bounds) {
    struct sizes_basis basis = large_disk();
    struct sizes middle = sizes_of(&basis, GIB);
    struct sizes large = sizes_of(&basis, UINT64_C(1000) * GIB);

    ck_assert_uint_eq(middle.unflushed_log_bytes, 64 * MIB);
    ck_assert_uint_eq(middle.segment_bytes, 16 * MIB);
    ck_assert_uint_eq(middle.job_bytes, 16 * MIB);
    ck_assert_uint_eq(large.unflushed_log_bytes, 512 * MIB);
    ck_assert_uint_eq(large.segment_bytes, 256 * MIB);
    ck_assert_uint_eq(large.job_bytes, 128 * MIB);
    ck_assert_uint_eq(large.manifest_bytes, 64 * MIB);
}
END_TEST

START_TEST(on_a_small_disk_all_is_small) {
    struct sizes_basis basis = large_disk();
    struct sizes sizes;

    basis.disk_bytes = 24 * MIB;
    sizes = sizes_of(&basis, 10 * MIB);
    ck_assert_uint_eq(sizes.unflushed_log_bytes, 24 * MIB / 16);
    ck_assert_uint_eq(sizes.segment_bytes, 24 * MIB / 16);
    ck_assert_uint_eq(sizes.memtable_bytes, 24 * MIB / 16);
    ck_assert_uint_le(sizes.reserve_bytes, 24 * MIB / 5);
    ck_assert_uint_lt(sizes.constant_bytes, 20 * MIB);
}
END_TEST

START_TEST(no_disk_is_so_small_that_a_size_is_zero) {
    struct sizes_basis basis = large_disk();
    struct sizes sizes;

    basis.disk_bytes = 1;
    sizes = sizes_of(&basis, 0);
    ck_assert_uint_eq(sizes.segment_bytes, 64 * KIB);
    ck_assert_uint_gt(sizes.memtable_log_bytes, 0);
    ck_assert_uint_gt(sizes.base_bytes, 0);
    ck_assert_uint_eq(sizes.reserve_bytes, 0);
}
END_TEST

START_TEST(tests_choose_their_own) {
    struct sizes_basis basis = large_disk();
    struct sizes sizes;

    basis.memtable_bytes = 64 * KIB;
    basis.segment_bytes = 100 * KIB;
    sizes = sizes_of(&basis, GIB);
    ck_assert_uint_eq(sizes.memtable_bytes, 64 * KIB);
    ck_assert_uint_eq(sizes.memtable_log_bytes, 64 * KIB);
    ck_assert_uint_eq(sizes.segment_bytes, 100 * KIB);
    ck_assert_uint_eq(sizes.unflushed_log_bytes, 6 * 64 * KIB);
}
END_TEST

START_TEST(the_default_ratio_gives_an_eighth_and_a_third) {
    struct sizes_basis basis = large_disk();
    struct sizes_shares shares = sizes_shares(&basis);

    ck_assert_uint_eq(shares.h, SIZES_ONE / 8);
    ck_assert_uint_ge(shares.g, SIZES_ONE / 3 - 2);
    ck_assert_uint_le(shares.g, SIZES_ONE / 3);
    ck_assert_uint_eq(shares.fan_out, 9);
}
END_TEST

START_TEST(the_two_shares_make_up_every_ratio) {
    struct sizes_basis basis = large_disk();

    for (uint32_t percent = 110; percent <= 1000; percent++) {
        struct sizes_shares shares;
        double ratio;
        basis.space_ratio_percent = percent;
        shares = sizes_shares(&basis);
        ratio = (1 + (double)shares.g / SIZES_ONE) * (1 + (double)shares.h / SIZES_ONE);
        ck_assert_double_le(ratio, percent / 100.0);
        ck_assert_double_ge(ratio, percent / 100.0 - 0.001);
        ck_assert_uint_gt(shares.h, 0);
        ck_assert_uint_gt(shares.g, SIZES_ONE / 16);
        /* The levels above the bottom: 1/f + 1/f^2 + ... = 1/(f - 1) <= h. */
        ck_assert_double_le(1.0 / (shares.fan_out - 1), (double)shares.h / SIZES_ONE);
    }
}
END_TEST

START_TEST(what_stands_above_the_bottom_when_nothing_is_due_is_within_u) {
    struct sizes_basis basis = large_disk();

    for (uint64_t weight = MIB; weight < UINT64_C(4096) * GIB; weight *= 3) {
        struct sizes sizes = sizes_of(&basis, weight);
        /* Four tables of level 0, one memtable, the least base level. */
        ck_assert_uint_le(5 * sizes.memtable_log_bytes + sizes.base_bytes,
                          sizes.unflushed_log_bytes);
    }
}
END_TEST

START_TEST(a_part_of_many_bytes_does_not_overflow) {
    ck_assert_uint_eq(sizes_part(UINT64_C(1) << 50, SIZES_ONE / 8), UINT64_C(1) << 47);
    ck_assert_uint_eq(sizes_part(SIZES_ONE - 1, SIZES_ONE / 2), (SIZES_ONE - 1) / 2);
    ck_assert_uint_eq(sizes_part(100, 9 * SIZES_ONE), 900);
    ck_assert_uint_eq(sizes_part(0, SIZES_ONE), 0);
}
END_TEST

UNIT_MAIN("sizes", an_empty_store_has_the_least_sizes,
          sizes_grow_with_the_weight_up_to_their_bounds, on_a_small_disk_all_is_small,
          no_disk_is_so_small_that_a_size_is_zero, tests_choose_their_own,
          the_default_ratio_gives_an_eighth_and_a_third, the_two_shares_make_up_every_ratio,
          what_stands_above_the_bottom_when_nothing_is_due_is_within_u,
          a_part_of_many_bytes_does_not_overflow)
