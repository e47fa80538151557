/* compaction_picker_test.c: what is merged with what, over versions written down by hand. */
#include "storage/compaction_picker.h"
#include "tests/unit/unit.h"

#include "storage/ikey.h"

#define MIB (UINT64_C(1) << 20)
#define BASE_BYTES MIB
#define TABLES_MAX 32u

struct tables {
    struct version version;
    struct table_info infos[LEVELS_MAX][TABLES_MAX];
    const struct table_info *pointers[LEVELS_MAX][TABLES_MAX];
    uint8_t keys[LEVELS_MAX][TABLES_MAX][2][IKEY_BYTES_MIN + 1];
    struct compaction_pick pick;
};

static struct slice key_of(uint8_t *room, char letter) {
    uint8_t row[IKEY_NAMESPACE_BYTES + 1];
    uint8_t key = (uint8_t)letter;
    size_t len = row_store(row, NAMESPACE_DEFAULT, slice_make(&key, 1));
    return slice_make(room, ikey_store(room, slice_make(row, len), 7));
}

/* Levels >= 1 are filled in key order. */
static void add(struct tables *tables, uint32_t level, const char *range, uint64_t bytes) {
    struct level *to = &tables->version.levels[level];
    uint32_t index = to->count++;
    struct table_info *info = &tables->infos[level][index];

    ck_assert_uint_lt(index, TABLES_MAX);
    *info = (struct table_info){.number = level * 100 + index,
                                .file_bytes = bytes,
                                .entries = 100,
                                .smallest = key_of(tables->keys[level][index][0], range[0]),
                                .largest = key_of(tables->keys[level][index][1], range[1])};
    tables->pointers[level][index] = info;
    to->infos = tables->pointers[level];
    to->file_bytes += bytes;
    to->weight += bytes;
}

static void add_many(struct tables *tables, uint32_t level, uint32_t count, uint64_t bytes) {
    for (uint32_t i = 0; i < count; i++) {
        char range[2] = {(char)('a' + i), (char)('a' + i)};
        add(tables, level, level == 0 ? "az" : range, bytes);
    }
}

static struct pick_context context_of(const struct tables *tables) {
    return (struct pick_context){.version = &tables->version, .base_bytes = BASE_BYTES};
}

static struct pick_sizes sizes_of_levels(const struct tables *tables) {
    struct pick_context context = context_of(tables);
    return compaction_sizes(&context);
}

static bool pick(struct tables *tables) {
    struct pick_context context = context_of(tables);
    return compaction_pick(&context, &tables->pick);
}

static bool pick_sweep(struct tables *tables, uint32_t level, uint64_t job_bytes, char after) {
    struct pick_context context = context_of(tables);
    uint8_t room[IKEY_BYTES_MIN + 1];

    context.job_bytes = job_bytes;
    return compaction_pick_sweep(&context, level,
                                 after ? ikey_row(key_of(room, after)) : slice_make(NULL, 0),
                                 &tables->pick);
}

/* The rule that keeps newer entries above older ones. */
static void expect_nothing_is_passed(const struct tables *tables) {
    for (uint32_t i = tables->pick.level + 1; i < tables->pick.output_level; i++) {
        ck_assert_uint_eq(tables->version.levels[i].count, 0);
    }
    if (tables->pick.level == 0) {
        ck_assert_uint_eq(tables->pick.input_first, 0);
        ck_assert_uint_eq(tables->pick.input_count, tables->version.levels[0].count);
    }
}

START_TEST(an_empty_store_has_nothing_to_compact) {
    struct tables tables = {0};

    ck_assert(!pick(&tables));
    for (uint32_t i = 0; i < PICK_BOTTOM; i++) {
        ck_assert(!pick_sweep(&tables, i, 0, 0));
    }
}
END_TEST

START_TEST(level_0_is_merged_from_four_tables_on) {
    struct tables tables = {0};

    add_many(&tables, 0, PICK_LEVEL_0_TABLES - 1, MIB);
    ck_assert(!pick(&tables));
    add_many(&tables, 0, 1, MIB);
    ck_assert(pick(&tables));
    ck_assert_uint_eq(tables.pick.level, 0);
    ck_assert_uint_eq(tables.pick.output_level, PICK_BOTTOM);
    expect_nothing_is_passed(&tables);
}
END_TEST

START_TEST(a_merge_takes_the_tables_that_overlap_and_no_others) {
    struct tables tables = {0};

    add(&tables, 0, "cf", MIB / 16);
    add(&tables, 0, "eg", MIB / 16);
    add(&tables, 6, "ab", MIB / 16);
    add(&tables, 6, "bc", MIB / 16); /* touches c */
    add(&tables, 6, "dd", MIB / 16);
    add(&tables, 6, "gh", MIB / 16); /* touches g */
    add(&tables, 6, "ij", MIB / 16);
    ck_assert(pick_sweep(&tables, 0, 0, 0));
    ck_assert_uint_eq(tables.pick.output_first, 1);
    ck_assert_uint_eq(tables.pick.output_count, 3);
}
END_TEST

START_TEST(level_0_goes_to_the_base_level_of_a_larger_store) {
    struct tables tables = {0};

    add_many(&tables, 0, 4, MIB / 8);
    add_many(&tables, 5, 8, MIB / 8);
    add_many(&tables, 6, 20, MIB);
    ck_assert(pick(&tables));
    ck_assert_uint_eq(tables.pick.level, 0);
    ck_assert_uint_le(tables.pick.output_level, 5);
    expect_nothing_is_passed(&tables);
}
END_TEST

START_TEST(a_level_that_has_grown_too_large_gives_a_table_to_the_next) {
    struct tables tables = {0};

    add_many(&tables, 5, 20, MIB);
    add_many(&tables, 6, 20, MIB);
    ck_assert(pick(&tables));
    ck_assert_uint_eq(tables.pick.level, 5);
    ck_assert_uint_eq(tables.pick.output_level, 6);
    ck_assert_uint_eq(tables.pick.input_count, 1);
}
END_TEST

/* The store has shrunk: the base level lies below a level that still has tables. */
START_TEST(level_0_is_never_merged_past_a_level_with_tables) {
    for (uint32_t upper = 1; upper < PICK_BOTTOM; upper++) {
        struct tables tables = {0};

        add_many(&tables, 0, 8, MIB / 8);
        add(&tables, upper, "aa", MIB / 16);
        add(&tables, 6, "aa", MIB / 16);
        ck_assert(pick(&tables));
        expect_nothing_is_passed(&tables);
        ck_assert(pick_sweep(&tables, 0, 0, 0));
        expect_nothing_is_passed(&tables);
    }
}
END_TEST

START_TEST(level_0_is_merged_by_its_weight_too) {
    struct tables tables = {0};

    add(&tables, 0, "az", MIB);
    ck_assert(!pick(&tables));
    tables.version.levels[0].weight = (PICK_LEVEL_0_TABLES + 1) * BASE_BYTES;
    ck_assert(pick(&tables));
    ck_assert_uint_eq(tables.pick.level, 0);
}
END_TEST

START_TEST(a_sweep_takes_a_level_in_key_order_as_far_as_a_job_may_go) {
    struct tables tables = {0};

    add_many(&tables, 3, 5, MIB);
    ck_assert(pick_sweep(&tables, 3, 2 * MIB, 0));
    ck_assert_uint_eq(tables.pick.level, 3);
    ck_assert_uint_eq(tables.pick.input_first, 0);
    ck_assert_uint_eq(tables.pick.input_count, 2);
    ck_assert(pick_sweep(&tables, 3, 1, 'b')); /* at least one */
    ck_assert_uint_eq(tables.pick.input_first, 2);
    ck_assert_uint_eq(tables.pick.input_count, 1);
    ck_assert(pick_sweep(&tables, 3, 0, 'b'));
    ck_assert_uint_eq(tables.pick.input_count, 3);
    ck_assert(!pick_sweep(&tables, 3, 0, 'e'));
    expect_nothing_is_passed(&tables);
}
END_TEST

START_TEST(a_sweep_takes_level_0_once_and_whole) {
    struct tables tables = {0};

    add_many(&tables, 0, 3, MIB);
    ck_assert(pick_sweep(&tables, 0, 1, 0));
    expect_nothing_is_passed(&tables);
    ck_assert(!pick_sweep(&tables, 0, 1, 'z')); /* what came meanwhile waits for the next sweep */
}
END_TEST

START_TEST(the_levels_above_the_bottom_sum_up_to_an_eighth_of_it) {
    struct tables tables = {0};
    struct pick_sizes sizes;
    uint64_t above = 0;

    add(&tables, 6, "az", 59049 * BASE_BYTES);
    sizes = sizes_of_levels(&tables);
    for (uint32_t i = 1; i < PICK_BOTTOM; i++) {
        above += sizes.targets[i];
    }
    ck_assert_uint_le(above, sizes.targets[PICK_BOTTOM] / 8);
    ck_assert_uint_ge(above, sizes.targets[PICK_BOTTOM] / 9);
}
END_TEST

START_TEST(sizes_grow_by_the_fan_out_from_the_base_level_down) {
    struct tables tables = {0};
    struct pick_sizes sizes = sizes_of_levels(&tables);

    ck_assert_uint_eq(sizes.base_level, PICK_BOTTOM);
    add(&tables, 6, "az", 81 * BASE_BYTES);
    sizes = sizes_of_levels(&tables);
    ck_assert_uint_eq(sizes.targets[6], 81 * BASE_BYTES);
    ck_assert_uint_eq(sizes.targets[5], 9 * BASE_BYTES);
    ck_assert_uint_eq(sizes.targets[4], BASE_BYTES);
    ck_assert_uint_eq(sizes.base_level, 4);
    ck_assert_uint_eq(sizes.targets[3], 0);
}
END_TEST

UNIT_MAIN("compaction picker", an_empty_store_has_nothing_to_compact,
          level_0_is_merged_from_four_tables_on,
          a_merge_takes_the_tables_that_overlap_and_no_others,
          level_0_goes_to_the_base_level_of_a_larger_store,
          a_level_that_has_grown_too_large_gives_a_table_to_the_next,
          level_0_is_never_merged_past_a_level_with_tables, level_0_is_merged_by_its_weight_too,
          a_sweep_takes_a_level_in_key_order_as_far_as_a_job_may_go,
          a_sweep_takes_level_0_once_and_whole,
          the_levels_above_the_bottom_sum_up_to_an_eighth_of_it,
          sizes_grow_by_the_fan_out_from_the_base_level_down)
