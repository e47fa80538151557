/* manifest_cut_test.c: the manifest through power cuts, failing disks, full disks, and no memory.
 */
#include "storage/manifest.h"

#include "storage/env_fault.h"
#include "tests/unit/manifest_store_fixture.h"

/* ---- power cuts ---- */

/* A life of a store until something fails; returns how many edits were acknowledged. */
static unsigned live_until_failure(void) {
    if (try_create() != STATUS_OK) {
        return 0;
    }
    while (edits < 12) {
        if (edits == 6 && manifest_rotate(manifest, &error) != STATUS_OK) {
            return edits;
        }
        if (try_append() != STATUS_OK) {
            return edits - (error.status == STATUS_IO); /* the one that failed counts as tried */
        }
    }
    return edits;
}

/* What is loaded after the cut is the state after some edit between those acknowledged and those
 * tried. A store that had acknowledged nothing may be no store. */
static void expect_acknowledged(struct env *after, unsigned acknowledged) {
    char description[DESCRIPTION_MAX];
    struct env *saved = env;
    struct manifest_state state;
    enum status status;
    bool found = false;

    env = after;
    status = manifest_load(env, DIR_NAME, &state, &report, &error);
    ck_assert(status == STATUS_OK || (status == STATUS_NOT_FOUND && acknowledged == 0));
    if (status == STATUS_OK) {
        state_describe(&state, description, sizeof description);
        manifest_state_deinit(&state);
        for (unsigned i = acknowledged; i <= edits && !found; i++) {
            found = strcmp(description, descriptions[i]) == 0;
        }
        ck_assert_msg(found, "acknowledged %u, tried %u, loaded %s", acknowledged, edits,
                      description);
    }
    env = saved;
}

static void cut_power(uint64_t n, const struct power_cut *cut) {
    struct env *after;
    unsigned acknowledged;
    store_init();
    descriptions[0][0] = '\0';
    env_memory_set_crash_point(env, n);
    acknowledged = live_until_failure();
    if (!manifest) { /* the first snapshot may have arrived all the same */
        struct manifest_state state;
        manifest_state_init(&state, fixture_store_id);
        state_describe(&state, descriptions[0], DESCRIPTION_MAX);
        manifest_state_deinit(&state);
    }
    ck_assert_int_eq(env_memory_clone(env, cut, &after), STATUS_OK);
    expect_acknowledged(after, acknowledged);
    env_memory_destroy(after);
    store_deinit();
}

static uint64_t count_mutations(void) {
    uint64_t mutations;
    store_init();
    ck_assert_uint_eq(live_until_failure(), 12);
    mutations = env_memory_mutations(env);
    store_deinit();
    return mutations;
}

START_TEST(power_cut_at_every_change_keeps_acknowledged_edits) {
    const enum power_cut_mode modes[] = {POWER_CUT_DROP_ALL, POWER_CUT_KEEP_ALL, POWER_CUT_NONE};
    const enum power_cut_entries entries[] = {POWER_CUT_ENTRIES_DROP, POWER_CUT_ENTRIES_KEEP};
    uint64_t mutations = count_mutations();
    for (uint64_t n = 1; n <= mutations; n++) {
        for (int i = 0; i < 6; i++) {
            struct power_cut cut = {.mode = modes[i % 3], .entries = entries[i / 3]};
            cut.block_bytes = 4096;
            cut_power(n, &cut);
        }
    }
}
END_TEST

START_TEST(power_cut_with_random_blocks_missing_keeps_acknowledged_edits) {
    uint64_t mutations = count_mutations();
    for (uint64_t n = 1; n <= mutations; n++) {
        for (uint64_t seed = 0; seed < 60; seed++) {
            struct power_cut cut = {.seed = seed * 7919 + n,
                                    .mode = POWER_CUT_RANDOM_SUBSET,
                                    .entries = POWER_CUT_ENTRIES_RANDOM,
                                    .garbage = seed % 3 == 0};
            cut.block_bytes = seed % 2 ? 512 : 4096;
            cut_power(n, &cut);
        }
    }
}
END_TEST

START_TEST(what_a_load_has_shown_stays_after_a_power_cut) {
    const struct power_cut killed = {.mode = POWER_CUT_NONE, .entries = POWER_CUT_ENTRIES_KEEP};
    const struct power_cut cut = {
        .mode = POWER_CUT_DROP_ALL, .entries = POWER_CUT_ENTRIES_DROP, .block_bytes = 4096};
    struct env *before;
    struct env *after_kill;
    store_init();
    create();
    append(2);
    env_memory_set_crash_point(env, 2); /* of an append and its sync: killed in between */
    ck_assert_int_eq(try_append(), STATUS_IO);
    before = env;
    ck_assert_int_eq(env_memory_clone(before, &killed, &after_kill), STATUS_OK);
    env = after_kill;
    expect_state_after(3);
    ck_assert_int_eq(env_memory_clone(after_kill, &cut, &env), STATUS_OK);
    expect_state_after(3);
    env_memory_destroy(env);
    env_memory_destroy(after_kill);
    env = before;
    store_deinit();
}
END_TEST

START_TEST(version_ceiling_is_durable_before_it_is_reached) {
    const struct power_cut cut = {
        .mode = POWER_CUT_DROP_ALL, .entries = POWER_CUT_ENTRIES_DROP, .block_bytes = 4096};
    store_init();
    create();
    for (uint64_t ceiling = 100; ceiling <= 1000; ceiling += 100) {
        struct version_edit edit;
        struct env *after;
        struct manifest_state state;
        version_edit_init(&edit);
        version_edit_set(&edit, EDIT_VERSION_CEILING, ceiling);
        ck_assert_int_eq(manifest_append(manifest, &edit, &error), STATUS_OK);
        version_edit_deinit(&edit);
        ck_assert_int_eq(env_memory_clone(env, &cut, &after), STATUS_OK);
        ck_assert_int_eq(manifest_load(after, DIR_NAME, &state, &report, &error), STATUS_OK);
        ck_assert_uint_eq(manifest_state_get(&state, EDIT_VERSION_CEILING), ceiling);
        manifest_state_deinit(&state);
        env_memory_destroy(after);
    }
    store_deinit();
}
END_TEST

/* ---- failures of the machine ---- */

static struct env *memory; /* below a fault environment */

static void faults_begin(const struct fault_rule *rule) {
    const struct env_fault_options options = {.lose_unsynced_cb = env_memory_drop_unsynced_writes};
    memory = env;
    ck_assert_int_eq(env_fault_create(memory, &options, &env), STATUS_OK);
    env_fault_add(env, rule);
}

static void faults_end(void) {
    close_manifest();
    env_fault_destroy(env);
    env = memory;
}

START_TEST(failed_write_or_sync_of_an_edit_is_final) {
    const uint32_t kinds[] = {FAULT_APPEND, FAULT_SYNC};
    for (int i = 0; i < 2; i++) {
        struct fault_rule rule = {.kinds = kinds[i], .countdown = 4, .fault = FAULT_IS_EIO};
        store_init();
        faults_begin(&rule);
        create(); /* one append, one sync */
        append(2);
        ck_assert_int_eq(try_append(), STATUS_IO);
        ck_assert_int_eq(error.status, STATUS_IO);
        ck_assert_int_eq(try_append(), STATUS_LOG_FAILED);
        ck_assert_int_eq(manifest_rotate(manifest, &error), STATUS_LOG_FAILED);
        faults_end();
        expect_state_after(2);
        store_deinit();
    }
}
END_TEST

START_TEST(full_disk_is_told_before_an_edit_is_written_and_is_not_final) {
    struct manifest_state state;
    struct version_edit edit;
    struct env_space space;
    enum status status = STATUS_OK;
    uint64_t ceiling = 0;
    store_init();
    create();
    ck_assert_int_eq(env_space(env, DIR_NAME, &space, NULL), STATUS_OK);
    env_memory_set_space(env, 4096);
    version_edit_init(&edit);
    while (status == STATUS_OK) { /* until what was reserved is used up */
        version_edit_set(&edit, EDIT_VERSION_CEILING, ++ceiling);
        status = manifest_append(manifest, &edit, &error);
    }
    ck_assert_int_eq(status, STATUS_NO_SPACE);
    ck_assert_uint_eq(manifest_state_get(manifest_state(manifest), EDIT_VERSION_CEILING),
                      ceiling - 1);
    env_memory_set_space(env, space.total_bytes);
    ck_assert_int_eq(manifest_append(manifest, &edit, &error), STATUS_OK);
    version_edit_deinit(&edit);
    ck_assert_int_eq(manifest_load(env, DIR_NAME, &state, &report, &error), STATUS_OK);
    ck_assert_uint_eq(manifest_state_get(&state, EDIT_VERSION_CEILING), ceiling);
    ck_assert_uint_eq(report.edits, ceiling);
    manifest_state_deinit(&state);
    store_deinit();
}
END_TEST

START_TEST(rotation_that_fails_anywhere_leaves_the_old_manifest_or_ends_writing) {
    uint64_t calls = 1;
    for (uint64_t n = 1; n <= calls; n++) {
        struct fault_rule rule = {.kinds = FAULT_WRITES & ~FAULT_FINISH, .fault = FAULT_IS_EIO};
        enum status status;
        store_init();
        faults_begin(&(struct fault_rule){.kinds = FAULT_LOCK, .countdown = 1});
        create();
        append(3);
        rule.countdown = n;
        env_fault_add(env, &rule);
        status = manifest_rotate(manifest, &error);
        calls += env_fault_fired(env) > 0;
        env_fault_clear(env);
        if (status == STATUS_OK || status == STATUS_IO) {
            append(1);
        } else {
            ck_assert_int_eq(status, STATUS_LOG_FAILED);
        }
        faults_end();
        expect_state_after(edits);
        store_deinit();
    }
    ck_assert_uint_gt(calls, 5);
}
END_TEST

START_TEST(rotation_whose_failure_cannot_be_taken_back_ends_writing) {
    const struct fault_rule no_sync = {.kinds = FAULT_SYNC, .countdown = 1, .fault = FAULT_IS_EIO};
    const struct fault_rule no_remove = {
        .kinds = FAULT_REMOVE, .countdown = 1, .for_ever = true, .fault = FAULT_IS_EIO};
    store_init();
    faults_begin(&(struct fault_rule){.kinds = FAULT_LOCK, .countdown = 1});
    create();
    append(3);
    env_fault_add(env, &no_sync);
    env_fault_add(env, &no_remove);
    ck_assert_int_eq(manifest_rotate(manifest, &error), STATUS_LOG_FAILED);
    ck_assert_int_eq(try_append(), STATUS_LOG_FAILED);
    faults_end();
    expect_state_after(3);
    store_deinit();
}
END_TEST

START_TEST(load_with_the_nth_io_failing_never_passes_for_less) {
    const enum fault faults[] = {FAULT_IS_EIO, FAULT_IS_SHORT};
    for (int kind = 0; kind < 2; kind++) {
        uint64_t calls = 1;
        for (uint64_t n = 1; n <= calls; n++) {
            struct fault_rule rule = {.kinds = FAULT_ALL & ~FAULT_CLOSE, .countdown = n};
            char description[DESCRIPTION_MAX];
            enum status status;
            write_five_edits();
            rule.fault = faults[kind];
            faults_begin(&rule);
            status = load(description);
            ck_assert(status == STATUS_IO || (status == STATUS_OK && report.edits == 5));
            calls += env_fault_fired(env);
            faults_end();
            store_deinit();
        }
        ck_assert_uint_gt(calls, 4);
    }
}
END_TEST

START_TEST(nth_allocation_failing_is_told_and_leaves_the_manifest_usable) {
    enum status status = STATUS_NO_MEMORY;
    char description[DESCRIPTION_MAX];
    store_init();
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = try_create();
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    append(2);
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = manifest_rotate(manifest, &error);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    append(1);
    close_manifest();
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = load(description);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    expect_state_after(3);
    store_deinit();
}
END_TEST

UNIT_MAIN("manifest_cut", power_cut_at_every_change_keeps_acknowledged_edits,
          power_cut_with_random_blocks_missing_keeps_acknowledged_edits,
          what_a_load_has_shown_stays_after_a_power_cut,
          version_ceiling_is_durable_before_it_is_reached, failed_write_or_sync_of_an_edit_is_final,
          full_disk_is_told_before_an_edit_is_written_and_is_not_final,
          rotation_that_fails_anywhere_leaves_the_old_manifest_or_ends_writing,
          rotation_whose_failure_cannot_be_taken_back_ends_writing,
          load_with_the_nth_io_failing_never_passes_for_less,
          nth_allocation_failing_is_told_and_leaves_the_manifest_usable)
