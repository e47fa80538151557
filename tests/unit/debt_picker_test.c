/* debt_picker_test.c: which tables hold what may go, over versions written down by hand. */
#include "storage/debt_picker.h"
#include "tests/unit/unit.h"

#include "storage/ikey.h"

#define KIB UINT64_C(1024)
#define NOW 1000u
#define VISIBLE 100u
#define TABLES_MAX 8u

struct tables {
    struct version version;
    struct table_info infos[LEVELS_MAX][TABLES_MAX];
    const struct table_info *pointers[LEVELS_MAX][TABLES_MAX];
    uint8_t keys[LEVELS_MAX][TABLES_MAX][2][IKEY_BYTES_MIN + 1];
    struct keep_rules rules;
    struct range_set *ranges;
    struct debt_drops drops;
    struct compaction_pick pick;
    struct hidden_bucket buckets[TABLES_MAX];
    uint32_t bucket_count;
};

static struct slice key_of(uint8_t *room, char letter) {
    uint8_t row[IKEY_NAMESPACE_BYTES + 1];
    uint8_t key = (uint8_t)letter;
    size_t len = row_store(row, NAMESPACE_DEFAULT, slice_make(&key, 1));
    return slice_make(room, ikey_store(room, slice_make(row, len), 7));
}

/* Entries of the table, hidden by others of it. */
static void hide(struct tables *tables, struct table_info *info, struct hidden_bucket bucket) {
    ck_assert_uint_lt(tables->bucket_count, TABLES_MAX);
    if (info->hidden_count++ == 0) {
        info->hidden = &tables->buckets[tables->bucket_count];
    }
    tables->buckets[tables->bucket_count++] = bucket;
}

/* 100 live entries of versions 10 to 20; levels >= 1 are filled in key order. */
static struct table_info *add(struct tables *tables, uint32_t level, const char *range) {
    struct level *to = &tables->version.levels[level];
    uint32_t index = to->count++;
    struct table_info *info = &tables->infos[level][index];

    ck_assert_uint_lt(index, TABLES_MAX);
    *info = (struct table_info){.number = level * 100 + index,
                                .file_bytes = 64 * KIB,
                                .entries = 100,
                                .version_min = 10,
                                .version_max = 20,
                                .expiry_max_ms = UINT64_MAX,
                                .smallest = key_of(tables->keys[level][index][0], range[0]),
                                .largest = key_of(tables->keys[level][index][1], range[1])};
    tables->pointers[level][index] = info;
    to->infos = tables->pointers[level];
    return info;
}

/* `eighths` of it have expired. */
static void let_expire(struct table_info *info, uint64_t entries, uint32_t eighths) {
    info->expiring = entries;
    info->expiring_weight = info->file_bytes * entries / info->entries;
    for (uint32_t i = 0; i < EXPIRY_STEPS; i++) {
        info->expiry_steps[i] = i < eighths ? NOW - 10 + i : NOW + 1 + i;
    }
    if (entries == info->entries) {
        info->expiry_max_ms = info->expiry_steps[EXPIRY_STEPS - 1];
    }
}

static void start(struct tables *tables, uint64_t snapshot) {
    enum status status = keep_rules_init(&tables->rules, 2, 1);

    ck_assert_int_eq(status, STATUS_OK);
    if (snapshot > 0) {
        keep_rules_add_snapshot_at(&tables->rules, snapshot, NOW - 500);
    }
    keep_rules_add_snapshot(&tables->rules, VISIBLE);
    tables->rules.now_ms = NOW;
    tables->rules.durable_version = VISIBLE;
}

static void end(struct tables *tables) {
    range_set_unref(tables->ranges);
    keep_rules_deinit(&tables->rules);
}

static void delete_range(struct tables *tables, const char *from, const char *to,
                         uint64_t version) {
    struct range_delete range = {.range = {.namespace_id = NAMESPACE_DEFAULT,
                                           .from = slice_from_text(from),
                                           .to = slice_from_text(to)},
                                 .version = version};
    struct range_set *set;

    ck_assert_int_eq(range_set_build(tables->ranges, &range, 1, NULL, &set), STATUS_OK);
    range_set_unref(tables->ranges);
    tables->ranges = set;
}

static struct pick_context context_of(const struct tables *tables) {
    return (struct pick_context){.version = &tables->version,
                                 .base_bytes = 64 * KIB,
                                 .job_bytes = 256 * KIB,
                                 .table_bytes = 64 * KIB,
                                 .rules = &tables->rules,
                                 .ranges = tables->ranges,
                                 .ranges_version = VISIBLE};
}

static uint32_t drops(struct tables *tables) {
    struct pick_context context = context_of(tables);

    return debt_pick_drops(&context, &tables->drops) ? tables->drops.count : 0;
}

static bool tidies(struct tables *tables, uint32_t least_share) {
    struct pick_context context = context_of(tables);

    return debt_pick_tidy(&context, least_share, &tables->pick);
}

static bool sweeps(struct tables *tables, char after) {
    struct pick_context context = context_of(tables);
    uint8_t room[IKEY_BYTES_MIN + 1];

    return debt_pick_sweep(&context, after ? ikey_row(key_of(room, after)) : slice_make(NULL, 0),
                           &tables->pick);
}

START_TEST(live_tables_stay_as_they_are) {
    struct tables tables = {0};

    start(&tables, 0);
    ck_assert_uint_eq(drops(&tables), 0);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        add(&tables, i, "az");
    }
    ck_assert_uint_eq(drops(&tables), 0);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    ck_assert(!sweeps(&tables, 0));
    end(&tables);
}
END_TEST

START_TEST(a_table_that_has_expired_is_dropped_if_nothing_older_lies_below) {
    for (uint32_t level = 0; level < LEVELS_MAX; level++) {
        struct tables tables = {0};

        start(&tables, 0);
        let_expire(add(&tables, level, "bc"), 100, 8);
        ck_assert_uint_eq(drops(&tables), 1);
        ck_assert_uint_eq(tables.drops.tables[0].level, level);
        if (level == PICK_BOTTOM) {
            end(&tables);
            break;
        }
        add(&tables, level + 1, "de");
        ck_assert_uint_eq(drops(&tables), 1);
        tables.version.levels[level + 1].count = 0;
        add(&tables, level + 1, "ab");
        ck_assert_uint_eq(drops(&tables), 0);
        end(&tables);
    }
}
END_TEST

START_TEST(an_older_table_of_level_0_counts_as_below) {
    struct tables tables = {0};

    start(&tables, 0);
    let_expire(add(&tables, 0, "bc"), 100, 8); /* the newest */
    add(&tables, 0, "cd");
    ck_assert_uint_eq(drops(&tables), 0);
    let_expire(&tables.infos[0][1], 100, 8);
    ck_assert_uint_eq(drops(&tables), 1); /* from below */
    ck_assert_uint_eq(tables.drops.tables[0].index, 1);
    end(&tables);
}
END_TEST

START_TEST(a_table_with_one_entry_that_lives_is_not_dropped) {
    struct tables tables = {0};

    start(&tables, 0);
    let_expire(add(&tables, 6, "bc"), 99, 8);
    ck_assert_uint_eq(drops(&tables), 0);
    let_expire(&tables.infos[6][0], 100, 7);
    ck_assert_uint_eq(drops(&tables), 0);
    tables.infos[6][0].tombstones = 1;
    let_expire(&tables.infos[6][0], 99, 8);
    ck_assert_uint_eq(drops(&tables), 1);
    end(&tables);
}
END_TEST

START_TEST(a_snapshot_keeps_what_has_expired_since) {
    struct tables tables = {0};

    start(&tables, 15);
    let_expire(add(&tables, 6, "bc"), 100, 8);
    ck_assert_uint_eq(drops(&tables), 0);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    tables.rules.snapshots[0] = 9; /* from before the table */
    ck_assert_uint_eq(drops(&tables), 1);
    end(&tables);
}
END_TEST

START_TEST(a_table_under_a_range_delete_is_dropped_wherever_it_lies) {
    struct tables tables = {0};

    start(&tables, 0);
    add(&tables, 2, "bc");
    add(&tables, 6, "bc");
    delete_range(&tables, "b", "c", 50);
    ck_assert_uint_eq(drops(&tables), 0); /* c lives */
    delete_range(&tables, "c", "d", 60);
    ck_assert_uint_eq(drops(&tables), 2);
    tables.infos[2][0].version_max = 50; /* put with the first delete, or after it */
    ck_assert_uint_eq(drops(&tables), 1);
    end(&tables);
}
END_TEST

START_TEST(a_range_delete_that_a_snapshot_does_not_see_drops_nothing) {
    struct tables tables = {0};

    start(&tables, 15);
    add(&tables, 6, "bc");
    delete_range(&tables, "a", "z", 50);
    ck_assert_uint_eq(drops(&tables), 0);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    tables.rules.snapshots[0] = 9; /* it sees nothing of the table */
    ck_assert_uint_eq(drops(&tables), 1);
    tables.rules.snapshots[0] = 60; /* it sees the delete */
    ck_assert_uint_eq(drops(&tables), 1);
    end(&tables);
}
END_TEST

START_TEST(a_range_delete_that_a_crash_could_undo_drops_nothing) {
    struct tables tables = {0};

    start(&tables, 0);
    tables.rules.durable_version = 49;
    add(&tables, 6, "bc");
    delete_range(&tables, "a", "z", 50);
    ck_assert_uint_eq(drops(&tables), 0);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    end(&tables);
}
END_TEST

START_TEST(retention_keeps_what_it_keeps) {
    struct keep_namespace keep = {
        .namespace_id = NAMESPACE_DEFAULT, .keep_since_version = 40, .keep_since_ms = NOW - 500};
    struct tables tables = {0};

    start(&tables, 0);
    keep_rules_add_namespace(&tables.rules, &keep);
    let_expire(add(&tables, 6, "bc"), 100, 8);
    delete_range(&tables, "a", "z", 50);
    ck_assert_uint_eq(drops(&tables), 0);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    tables.rules.namespaces[0].keep_since_version = 60;
    ck_assert_uint_eq(drops(&tables), 1);
    tables.rules.namespaces[0].keep_versions = 2;
    ck_assert_uint_eq(drops(&tables), 0);
    end(&tables);
}
END_TEST

START_TEST(a_table_touched_by_a_range_delete_is_rewritten_once) {
    struct tables tables = {0};

    start(&tables, 0);
    add(&tables, 6, "be");
    delete_range(&tables, "c", "d", 50);
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.level, PICK_BOTTOM);
    ck_assert_uint_eq(tables.pick.output_level, PICK_BOTTOM);
    tables.infos[6][0].ranges_applied = 50; /* what the rewrite says */
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    end(&tables);
}
END_TEST

START_TEST(tombstones_are_pushed_down_and_end_in_the_bottom) {
    struct tables tables = {0};

    start(&tables, 0);
    add(&tables, 4, "be")->tombstones = 1;
    add(&tables, 5, "ad");
    ck_assert(!tidies(&tables, DEBT_SHARE_BUSY)); /* one in a hundred */
    ck_assert(tidies(&tables, DEBT_SHARE_IDLE));
    ck_assert_uint_eq(tables.pick.level, 4);
    ck_assert_uint_eq(tables.pick.output_level, 5);
    ck_assert_uint_eq(tables.pick.output_count, 1);
    tables.infos[4][0].tombstones = 0;
    add(&tables, 6, "bc")->tombstones = 30;
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.level, PICK_BOTTOM);
    ck_assert_uint_eq(tables.pick.output_level, PICK_BOTTOM);
    ck_assert_uint_eq(tables.pick.output_count, 0);
    end(&tables);
}
END_TEST

START_TEST(level_0_is_left_alone_while_there_are_writes) {
    struct tables tables = {0};

    start(&tables, 0);
    add(&tables, 0, "be")->tombstones = 99;
    add(&tables, 6, "ad");
    ck_assert(!tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert(tidies(&tables, DEBT_SHARE_IDLE));
    ck_assert_uint_eq(tables.pick.level, 0);
    ck_assert_uint_eq(tables.pick.output_level, PICK_BOTTOM);
    end(&tables);
}
END_TEST

START_TEST(a_tombstone_that_some_reader_does_not_see_is_not_worth_a_rewrite) {
    struct tables tables = {0};

    start(&tables, 15);
    add(&tables, 6, "bc")->tombstones = 99;
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    ck_assert_uint_eq(drops(&tables), 0);
    tables.infos[6][0].version_max = 15;
    ck_assert(tidies(&tables, DEBT_SHARE_IDLE));
    end(&tables);
}
END_TEST

START_TEST(what_has_expired_is_worth_a_rewrite_from_a_quarter_on) {
    struct tables tables = {0};

    start(&tables, 0);
    let_expire(add(&tables, 6, "bc"), 50, 3); /* 3/16 */
    ck_assert(!tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert(tidies(&tables, DEBT_SHARE_IDLE));
    let_expire(&tables.infos[6][0], 50, 4);
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    let_expire(&tables.infos[6][0], 50, 0);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    end(&tables);
}
END_TEST

START_TEST(what_a_snapshot_hid_is_worth_a_rewrite_when_it_is_gone) {
    const uint64_t snapshots[] = {0, 11, 12, 18, 19}; /* 0: none */

    for (size_t i = 0; i < sizeof snapshots / sizeof snapshots[0]; i++) {
        struct tables tables = {0};
        bool held = snapshots[i] == 12 || snapshots[i] == 18;

        start(&tables, snapshots[i]);
        hide(&tables, add(&tables, 6, "bc"), (struct hidden_bucket){12, 19, 1, 10, 20 * KIB});
        ck_assert(tidies(&tables, DEBT_SHARE_BUSY) == !held);
        ck_assert(tidies(&tables, DEBT_SHARE_IDLE) == !held);
        ck_assert(sweeps(&tables, 0) == !held);
        end(&tables);
    }
}
END_TEST

START_TEST(what_retention_hid_is_worth_a_rewrite_when_its_time_has_passed) {
    for (uint64_t since = 17; since <= 18; since++) {
        struct tables tables = {0};
        struct keep_namespace keep = {
            .namespace_id = NAMESPACE_DEFAULT, .keep_since_version = since, .keep_since_ms = NOW};

        start(&tables, 0);
        keep_rules_add_namespace(&tables.rules, &keep);
        hide(&tables, add(&tables, 6, "bc"), (struct hidden_bucket){12, 18, 1, 10, 20 * KIB});
        hide(&tables, &tables.infos[6][0], (struct hidden_bucket){12, 19, 1, 10, 20 * KIB});
        ck_assert(tidies(&tables, DEBT_SHARE_BUSY) == (since == 18));
        end(&tables);
    }
}
END_TEST

START_TEST(what_retention_hid_is_worth_a_rewrite_when_fewer_versions_are_kept) {
    for (uint32_t versions = 0; versions <= 4; versions++) {
        struct tables tables = {0};
        struct keep_namespace keep = {.namespace_id = NAMESPACE_DEFAULT,
                                      .keep_versions = versions,
                                      .keep_since_version = UINT64_MAX,
                                      .keep_since_ms = UINT64_MAX};

        start(&tables, 0);
        keep_rules_add_namespace(&tables.rules, &keep);
        hide(&tables, add(&tables, 6, "bc"), (struct hidden_bucket){12, 18, 3, 10, 20 * KIB});
        ck_assert(tidies(&tables, DEBT_SHARE_IDLE) == (versions <= 3));
        end(&tables);
    }
}
END_TEST

START_TEST(a_namespace_that_keeps_nothing_does_not_speak_for_its_neighbour_in_a_table) {
    struct tables tables = {0};
    struct keep_namespace keep = {
        .namespace_id = 7, .keep_since_version = 10, .keep_since_ms = NOW};
    struct table_info *info;
    uint8_t row[IKEY_NAMESPACE_BYTES + 1];

    start(&tables, 0);
    keep_rules_add_namespace(&tables.rules, &keep);
    info = add(&tables, 6, "bc");
    hide(&tables, info, (struct hidden_bucket){12, 18, 3, 10, 20 * KIB});
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    info->largest =
        slice_make(tables.keys[6][0][1],
                   ikey_store(tables.keys[6][0][1],
                              slice_make(row, row_store(row, 7, slice_from_text("z"))), 7));
    ck_assert(!tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert(tidies(&tables, DEBT_SHARE_IDLE)); /* to be cut there */
    end(&tables);
}
END_TEST

static struct slice other_namespace_key(uint8_t *room, uint32_t namespace_id, char letter) {
    uint8_t row[IKEY_NAMESPACE_BYTES + 1];
    uint8_t key = (uint8_t)letter;
    size_t len = row_store(row, namespace_id, slice_make(&key, 1));
    return slice_make(room, ikey_store(room, slice_make(row, len), 7));
}

START_TEST(a_table_across_a_border_of_retention_is_cut_once_if_that_may_free_anything) {
    struct tables tables = {0};
    struct keep_namespace keep = {.namespace_id = 7,
                                  .keep_versions = 3,
                                  .keep_since_version = UINT64_MAX,
                                  .keep_since_ms = UINT64_MAX};
    struct table_info *info;

    start(&tables, 0);
    info = add(&tables, 6, "bc");
    info->largest = other_namespace_key(tables.keys[6][0][1], 7, 'z');
    delete_range(&tables, "a", "m", 30);
    info->ranges_applied = 30;
    keep_rules_add_namespace(&tables.rules, &keep);
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    info->ranges_applied = 0;
    ck_assert(tidies(&tables, DEBT_SHARE_IDLE));
    ck_assert(!tidies(&tables, DEBT_SHARE_BUSY));
    info->largest = other_namespace_key(tables.keys[6][0][1], 6, 'z');
    info->ranges_applied = 30; /* cut: its part without retention */
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    end(&tables);
}
END_TEST

START_TEST(a_run_of_the_bottom_ends_where_more_than_one_version_is_kept) {
    struct tables tables = {0};
    struct keep_namespace keep = {.namespace_id = 7,
                                  .keep_versions = 3,
                                  .keep_since_version = UINT64_MAX,
                                  .keep_since_ms = UINT64_MAX};

    start(&tables, 0);
    keep_rules_add_namespace(&tables.rules, &keep);
    add(&tables, 6, "aa")->tombstones = 90;
    add(&tables, 6, "bb")->file_bytes = KIB;
    add(&tables, 6, "cc")->file_bytes = KIB;
    tables.infos[6][2].smallest = other_namespace_key(tables.keys[6][2][0], 7, 'a');
    tables.infos[6][2].largest = other_namespace_key(tables.keys[6][2][1], 7, 'b');
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.input_count, 2);
    end(&tables);
}
END_TEST

START_TEST(little_that_was_hidden_waits_for_more_but_for_a_sweep) {
    struct tables tables = {0};

    start(&tables, 0);
    hide(&tables, add(&tables, 6, "bc"), (struct hidden_bucket){12, 18, 1, 10, 900});
    ck_assert(!tidies(&tables, DEBT_SHARE_IDLE));
    ck_assert(sweeps(&tables, 0));
    hide(&tables, &tables.infos[6][0], (struct hidden_bucket){13, 19, 1, 10, 200});
    ck_assert(tidies(&tables, DEBT_SHARE_IDLE)); /* a 64th */
    ck_assert(!tidies(&tables, DEBT_SHARE_BUSY));
    end(&tables);
}
END_TEST

START_TEST(what_was_hidden_above_the_bottom_is_pushed_down) {
    struct tables tables = {0};

    start(&tables, 0);
    hide(&tables, add(&tables, 4, "bc"), (struct hidden_bucket){12, 18, 1, 10, 60 * KIB});
    add(&tables, 5, "ab");
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.level, 4);
    ck_assert_uint_eq(tables.pick.output_level, 5);
    ck_assert_uint_eq(tables.pick.output_count, 1);
    end(&tables);
}
END_TEST

START_TEST(neighbours_come_along_as_far_as_a_job_may_go) {
    struct tables tables = {0};

    start(&tables, 0);
    add(&tables, 6, "aa");
    for (char letter = 'b'; letter < 'h'; letter++) {
        add(&tables, 6, (char[]){letter, letter})->tombstones = letter == 'b' ? 90 : 50;
    }
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.input_first, 1);
    ck_assert_uint_eq(tables.pick.input_count, 4); /* 256 KiB */
    tables.infos[6][3].tombstones = 0;
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.input_count, 2);
    tables.infos[6][3].file_bytes = KIB; /* small ones are merged on the way */
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.input_count, 4);
    end(&tables);
}
END_TEST

/* Else what may go of the one table might stay because of the other, and be picked again for ever.
 */
START_TEST(a_neighbour_that_a_snapshot_sees_stays_where_it_is) {
    struct tables tables = {0};

    start(&tables, 9);
    add(&tables, 6, "aa")->tombstones = 90;
    add(&tables, 6, "bb")->tombstones = 50;
    tables.infos[6][1].file_bytes = KIB; /* would be merged on the way */
    tables.infos[6][1].version_min = 8;
    ck_assert(tidies(&tables, DEBT_SHARE_BUSY));
    ck_assert_uint_eq(tables.pick.input_first, 0);
    ck_assert_uint_eq(tables.pick.input_count, 1);
    end(&tables);
}
END_TEST

START_TEST(a_sweep_of_the_bottom_goes_on_behind_what_it_has_done) {
    struct tables tables = {0};

    start(&tables, 0);
    add(&tables, 6, "ab")->tombstones = 1;
    add(&tables, 6, "cd");
    add(&tables, 6, "ef")->tombstones = 1;
    ck_assert(sweeps(&tables, 0));
    ck_assert_uint_eq(tables.pick.input_first, 0);
    ck_assert_uint_eq(tables.pick.input_count, 1);
    ck_assert(sweeps(&tables, 'b'));
    ck_assert_uint_eq(tables.pick.input_first, 2);
    ck_assert(!sweeps(&tables, 'f'));
    end(&tables);
}
END_TEST

UNIT_MAIN("debt picker", live_tables_stay_as_they_are,
          a_table_that_has_expired_is_dropped_if_nothing_older_lies_below,
          an_older_table_of_level_0_counts_as_below,
          a_table_with_one_entry_that_lives_is_not_dropped, a_snapshot_keeps_what_has_expired_since,
          a_table_under_a_range_delete_is_dropped_wherever_it_lies,
          a_range_delete_that_a_snapshot_does_not_see_drops_nothing,
          a_range_delete_that_a_crash_could_undo_drops_nothing, retention_keeps_what_it_keeps,
          a_table_touched_by_a_range_delete_is_rewritten_once,
          tombstones_are_pushed_down_and_end_in_the_bottom,
          level_0_is_left_alone_while_there_are_writes,
          a_tombstone_that_some_reader_does_not_see_is_not_worth_a_rewrite,
          what_has_expired_is_worth_a_rewrite_from_a_quarter_on,
          what_a_snapshot_hid_is_worth_a_rewrite_when_it_is_gone,
          what_retention_hid_is_worth_a_rewrite_when_its_time_has_passed,
          what_retention_hid_is_worth_a_rewrite_when_fewer_versions_are_kept,
          a_namespace_that_keeps_nothing_does_not_speak_for_its_neighbour_in_a_table,
          a_table_across_a_border_of_retention_is_cut_once_if_that_may_free_anything,
          a_run_of_the_bottom_ends_where_more_than_one_version_is_kept,
          little_that_was_hidden_waits_for_more_but_for_a_sweep,
          what_was_hidden_above_the_bottom_is_pushed_down,
          neighbours_come_along_as_far_as_a_job_may_go,
          a_neighbour_that_a_snapshot_sees_stays_where_it_is,
          a_sweep_of_the_bottom_goes_on_behind_what_it_has_done)
