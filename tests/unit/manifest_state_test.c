/* manifest_state_test.c: what edits sum up to. */
#include "storage/manifest_state.h"

#include "tests/unit/manifest_fixture.h"

static struct manifest_state state;
static struct version_edit edit;
static char before[DESCRIPTION_MAX];
static char after[DESCRIPTION_MAX];

static void start(void) {
    manifest_state_init(&state, fixture_store_id);
    version_edit_init(&edit);
}

static void finish(void) {
    manifest_state_deinit(&state);
    version_edit_deinit(&edit);
}

/* Applies the edit and empties it. */
static enum status apply(void) {
    const char *reason = NULL;
    enum status status = manifest_state_apply(&state, &edit, &reason);
    ck_assert(status != STATUS_CORRUPT || reason);
    version_edit_clear(&edit);
    return status;
}

/* The edit is refused, and the state is as it was. */
static void expect_refused(void) {
    state_describe(&state, before, sizeof before);
    ck_assert_int_eq(apply(), STATUS_CORRUPT);
    state_describe(&state, after, sizeof after);
    ck_assert_str_eq(before, after);
}

static void expect_tables(uint32_t level, const char *numbers) {
    char text[256] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < state.levels[level].count; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%llu ",
                                (unsigned long long)state.levels[level].tables[i].number);
    }
    ck_assert_str_eq(text, numbers);
}

START_TEST(level_zero_ascends_by_number_and_the_others_by_key) {
    start();
    add_table(&edit, 0, 12, 1, 900);
    add_table(&edit, 0, 10, 1, 900);
    add_table(&edit, 0, 11, 5, 6);
    add_table(&edit, 1, 20, 500, 600);
    add_table(&edit, 1, 21, 100, 200);
    add_table(&edit, 1, 22, 700, 700);
    add_table(&edit, 1, 23, 201, 499);
    ck_assert_int_eq(apply(), STATUS_OK);
    expect_tables(0, "10 11 12 ");
    expect_tables(1, "21 23 20 22 ");
    finish();
}
END_TEST

START_TEST(compaction_replaces_its_inputs_in_one_edit) {
    start();
    add_table(&edit, 0, 10, 1, 900);
    add_table(&edit, 1, 20, 1, 400);
    add_table(&edit, 1, 21, 500, 800);
    ck_assert_int_eq(apply(), STATUS_OK);
    remove_table(&edit, 0, 10);
    remove_table(&edit, 1, 20);
    add_table(&edit, 1, 30, 1, 450);
    ck_assert_int_eq(apply(), STATUS_OK);
    expect_tables(0, "");
    expect_tables(1, "30 21 ");
    finish();
}
END_TEST

START_TEST(table_moves_down_a_level_under_its_number) {
    start();
    add_table(&edit, 1, 20, 1, 400);
    ck_assert_int_eq(apply(), STATUS_OK);
    remove_table(&edit, 1, 20);
    add_table(&edit, 2, 20, 1, 400);
    ck_assert_int_eq(apply(), STATUS_OK);
    expect_tables(1, "");
    expect_tables(2, "20 ");
    finish();
}
END_TEST

START_TEST(edits_that_do_not_fit_are_refused_whole) {
    start();
    add_table(&edit, 0, 10, 1, 900);
    add_table(&edit, 1, 20, 100, 200);
    add_segment(&edit, 5);
    add_segment(&edit, 6);
    seal_segment(&edit, 5, 1000);
    version_edit_set(&edit, EDIT_VERSION_CEILING, 100);
    ck_assert_int_eq(apply(), STATUS_OK);

    remove_table(&edit, 0, 20); /* another level */
    expect_refused();
    remove_table(&edit, 1, 20);
    remove_table(&edit, 1, 20); /* twice */
    expect_refused();
    add_table(&edit, 0, 10, 1, 2); /* there already */
    expect_refused();
    add_table(&edit, 0, 11, 1, 2);
    add_table(&edit, 1, 21, 200, 300); /* touches 20 */
    expect_refused();
    add_table(&edit, 1, 21, 50, 100);
    expect_refused();
    add_table(&edit, 1, 21, 120, 130); /* inside 20 */
    expect_refused();
    add_table(&edit, 1, 21, 50, 300); /* around 20 */
    expect_refused();
    add_table(&edit, 2, 21, 300, 200); /* backwards */
    expect_refused();
    add_segment(&edit, 7);
    add_segment(&edit, 6);
    expect_refused();
    remove_segment(&edit, 4);
    expect_refused();
    seal_segment(&edit, 7, 10);
    expect_refused();
    seal_segment(&edit, 5, 1001); /* another length */
    expect_refused();
    add_segment(&edit, 8);
    version_edit_set(&edit, EDIT_VERSION_CEILING, 99);
    expect_refused();
    finish();
}
END_TEST

START_TEST(segments_ascend_and_are_found) {
    start();
    add_segment(&edit, 9);
    add_segment(&edit, 3);
    add_segment(&edit, 7);
    seal_segment(&edit, 7, 4096);
    ck_assert_int_eq(apply(), STATUS_OK);
    ck_assert_uint_eq(state.segments[0].number, 3);
    ck_assert_uint_eq(state.segments[2].number, 9);
    ck_assert(manifest_state_segment(&state, 7)->sealed);
    ck_assert_uint_eq(manifest_state_segment(&state, 7)->length_bytes, 4096);
    ck_assert(!manifest_state_segment(&state, 9)->sealed);
    ck_assert_ptr_null(manifest_state_segment(&state, 8));
    remove_segment(&edit, 7);
    ck_assert_int_eq(apply(), STATUS_OK);
    ck_assert_ptr_null(manifest_state_segment(&state, 7));
    ck_assert_uint_eq(state.segment_count, 2);
    finish();
}
END_TEST

START_TEST(a_segment_moves_and_its_new_place_moves_on) {
    start();
    add_segment(&edit, 5);
    add_segment(&edit, 6);
    ck_assert_int_eq(apply(), STATUS_OK);
    remove_segment(&edit, 5);
    add_segment(&edit, 8);
    seal_segment(&edit, 8, 9000);
    add_relocation(&edit, 5, 8);
    ck_assert_int_eq(apply(), STATUS_OK);
    ck_assert_uint_eq(manifest_state_relocation(&state, 5)->target, 8);
    ck_assert_ptr_null(manifest_state_relocation(&state, 6));
    remove_segment(&edit, 6);
    remove_segment(&edit, 8);
    ck_assert_int_eq(version_edit_remove_relocation(&edit, 5), STATUS_OK);
    add_segment(&edit, 9);
    add_relocation(&edit, 6, 9);
    add_relocation(&edit, 8, 9);
    add_relocation(&edit, 5, 9);
    ck_assert_int_eq(apply(), STATUS_OK);
    ck_assert_uint_eq(state.relocation_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        static const uint64_t homes[] = {5, 6, 8};
        ck_assert_uint_eq(state.relocations[i].home, homes[i]);
        ck_assert_uint_eq(state.relocations[i].target, 9);
    }
    finish();
}
END_TEST

START_TEST(relocations_that_do_not_lead_to_one_place_are_refused) {
    start();
    add_segment(&edit, 5);
    add_segment(&edit, 6);
    add_segment(&edit, 7);
    add_relocation(&edit, 4, 6);
    ck_assert_int_eq(apply(), STATUS_OK);

    add_relocation(&edit, 5, 6); /* the home is there */
    expect_refused();
    add_relocation(&edit, 4, 7); /* a second one */
    expect_refused();
    add_relocation(&edit, 3, 9); /* to nowhere */
    expect_refused();
    add_relocation(&edit, 3, 4); /* two hops */
    expect_refused();
    remove_segment(&edit, 6); /* the target of 4 */
    expect_refused();
    add_segment(&edit, 4); /* a home comes back */
    expect_refused();
    ck_assert_int_eq(version_edit_remove_relocation(&edit, 3), STATUS_OK);
    expect_refused();
    finish();
}
END_TEST

START_TEST(a_damaged_segment_stays_so) {
    start();
    add_segment(&edit, 5);
    ck_assert_int_eq(apply(), STATUS_OK);
    ck_assert(!manifest_state_segment(&state, 5)->damaged);
    ck_assert_int_eq(version_edit_mark_damaged(&edit, 5), STATUS_OK);
    ck_assert_int_eq(apply(), STATUS_OK);
    seal_segment(&edit, 5, 77);
    ck_assert_int_eq(apply(), STATUS_OK);
    ck_assert(manifest_state_segment(&state, 5)->damaged);
    ck_assert_int_eq(version_edit_mark_damaged(&edit, 6), STATUS_OK); /* not there */
    expect_refused();
    finish();
}
END_TEST

START_TEST(numbers_rise_and_the_durable_position_never_falls) {
    start();
    version_edit_set(&edit, EDIT_VERSION_CEILING, 100);
    version_edit_set_log_durable(&edit, (struct log_position){5, 100});
    ck_assert_int_eq(apply(), STATUS_OK);
    version_edit_set(&edit, EDIT_VERSION_CEILING, 100); /* the same is allowed */
    version_edit_set_log_durable(&edit, (struct log_position){5, 50});
    ck_assert_int_eq(apply(), STATUS_OK);
    ck_assert_uint_eq(manifest_state_get(&state, EDIT_VERSION_CEILING), 100);
    ck_assert_uint_eq(manifest_state_get(&state, EDIT_INCARNATION), 0);
    ck_assert_uint_eq(state.log_durable.offset, 100);
    finish();
}
END_TEST

static enum status apply_to(void *arg, const struct version_edit *part) {
    return manifest_state_apply(arg, part, NULL);
}

static void fill(unsigned tables, unsigned segments) {
    for (unsigned i = 0; i < tables; i++) {
        add_table(&edit, i % 3, 1000 + i, i * 10, i * 10 + 9);
    }
    for (unsigned i = 0; i < segments; i++) {
        add_segment(&edit, 1 + i);
        if (i % 2) {
            seal_segment(&edit, 1 + i, i * 100);
            ck_assert_int_eq(version_edit_mark_damaged(&edit, 1 + i), STATUS_OK);
        }
        add_relocation(&edit, 1000 + i, 1 + i);
    }
    version_edit_set(&edit, EDIT_INCARNATION, 8);
    version_edit_set_log_durable(&edit, (struct log_position){5, 100});
    ck_assert_int_eq(apply(), STATUS_OK);
}

static enum status snapshot_into_copy(char *description) {
    struct manifest_state copy;
    enum status status;
    manifest_state_init(&copy, fixture_store_id);
    status = manifest_state_snapshot(&state, apply_to, &copy);
    state_describe(&copy, description, DESCRIPTION_MAX);
    manifest_state_deinit(&copy);
    return status;
}

START_TEST(snapshot_of_any_size_makes_the_same_state_again) {
    const unsigned sizes[][2] = {{0, 0}, {1, 0}, {0, 1}, {63, 1}, {64, 64}, {65, 3}, {90, 65}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        start();
        fill(sizes[i][0], sizes[i][1]);
        state_describe(&state, before, sizeof before);
        ck_assert_int_eq(snapshot_into_copy(after), STATUS_OK);
        ck_assert_str_eq(before, after);
        finish();
    }
}
END_TEST

START_TEST(nth_allocation_failing_leaves_the_state_as_it_was) {
    enum status status = STATUS_NO_MEMORY;
    start();
    fill(5, 3);
    state_describe(&state, before, sizeof before);
    add_table(&edit, 0, 2000, 1, 2);
    remove_table(&edit, 0, 1000);
    add_segment(&edit, 50);
    add_relocation(&edit, 2000, 50);
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = manifest_state_apply(&state, &edit, NULL);
        memory_fail_never();
        state_describe(&state, after, sizeof after);
        ck_assert_int_eq(strcmp(before, after) == 0, status != STATUS_OK);
    }
    ck_assert_int_eq(status, STATUS_OK);
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = snapshot_into_copy(before);
        memory_fail_never();
    }
    ck_assert_str_eq(before, after);
    finish();
}
END_TEST

UNIT_MAIN("manifest_state", level_zero_ascends_by_number_and_the_others_by_key,
          compaction_replaces_its_inputs_in_one_edit, table_moves_down_a_level_under_its_number,
          edits_that_do_not_fit_are_refused_whole, segments_ascend_and_are_found,
          a_segment_moves_and_its_new_place_moves_on,
          relocations_that_do_not_lead_to_one_place_are_refused, a_damaged_segment_stays_so,
          numbers_rise_and_the_durable_position_never_falls,
          snapshot_of_any_size_makes_the_same_state_again,
          nth_allocation_failing_leaves_the_state_as_it_was)
