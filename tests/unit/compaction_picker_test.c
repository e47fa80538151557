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

static bool pick(struct tables *tables) {
    return compaction_pick(&tables->version, BASE_BYTES, &tables->pick);
}

static bool pick_all(struct tables *tables) {
    return compaction_pick_all(&tables->version, BASE_BYTES, &tables->pick);
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
    ck_assert(!pick_all(&tables));
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
    ck_assert(pick_all(&tables));
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
        ck_assert(pick_all(&tables));
        expect_nothing_is_passed(&tables);
    }
}
END_TEST

START_TEST(compacting_all_ends_with_one_level) {
    struct tables tables = {0};

    add_many(&tables, 6, 5, MIB);
    ck_assert(!pick_all(&tables));
    add_many(&tables, 3, 5, MIB);
    ck_assert(pick_all(&tables));
    ck_assert_uint_eq(tables.pick.level, 3);
    ck_assert_uint_eq(tables.pick.input_count, 5);
    expect_nothing_is_passed(&tables);
}
END_TEST

START_TEST(sizes_grow_by_the_fan_out_from_the_base_level_down) {
    struct tables tables = {0};
    struct pick_sizes sizes = compaction_sizes(&tables.version, BASE_BYTES);

    ck_assert_uint_eq(sizes.base_level, PICK_BOTTOM);
    add(&tables, 6, "az", 64 * BASE_BYTES);
    sizes = compaction_sizes(&tables.version, BASE_BYTES);
    ck_assert_uint_eq(sizes.targets[6], 64 * BASE_BYTES);
    ck_assert_uint_eq(sizes.targets[5], 8 * BASE_BYTES);
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
          level_0_is_never_merged_past_a_level_with_tables, compacting_all_ends_with_one_level,
          sizes_grow_by_the_fan_out_from_the_base_level_down)
