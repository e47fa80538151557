/* env_fault_test.c: injected failures over files in memory. */
#include "storage/env_fault.h"

#include "protocol/base/memory.h"
#include "storage/env_memory.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

/* ---- fixture ---- */

static struct env *disk;
static struct env *env;
static struct error error;

static void advance_cb(struct env *inner, uint64_t delay_ns) {
    env_memory_advance_clock(inner, delay_ns);
}

static void start(void) {
    struct env_fault_options options = {.lose_unsynced_cb = env_memory_drop_unsynced_writes,
                                        .delay_cb = advance_cb};
    ck_assert_int_eq(env_memory_create(NULL, &disk), STATUS_OK);
    ck_assert_int_eq(env_fault_create(disk, &options, &env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, "d", &error), STATUS_OK);
}

static void end(void) {
    env_fault_destroy(env);
    env_memory_destroy(disk);
}

static void rule(uint32_t kinds, uint64_t countdown, bool for_ever, enum fault fault) {
    struct fault_rule rule = {
        .kinds = kinds, .countdown = countdown, .for_ever = for_ever, .fault = fault};
    env_fault_add(env, &rule);
}

static struct env_file *create(const char *path) {
    struct env_file *file = NULL;
    ck_assert_int_eq(env_create(env, path, &file, &error), STATUS_OK);
    return file;
}

static enum status append(struct env_file *file, const char *text) {
    struct slice slice = slice_from_text(text);
    return env_append(file, &slice, 1, &error);
}

static void expect_text(struct env_file *file, const char *text) {
    char got[64] = {0};
    size_t got_bytes;
    ck_assert_int_eq(env_read(file, 0, got, sizeof got - 1, &got_bytes, &error), STATUS_OK);
    ck_assert_str_eq(got, text);
    ck_assert_uint_eq(got_bytes, strlen(text));
}

static void close_file(struct env_file *file) {
    ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
}

static enum status ignore_cb(void *arg, const char *name, uint64_t size_bytes) {
    (void)arg;
    (void)name;
    (void)size_bytes;
    return STATUS_OK;
}

/* One call of each kind on a file; returns how many did not succeed. */
static int call_the_file(struct env_file *file) {
    char got[4];
    size_t got_bytes;
    uint64_t size;
    int failed = 0;
    failed += append(file, "abcd") != STATUS_OK;
    failed += env_preallocate(file, 10, &error) != STATUS_OK;
    failed += env_finish(file, &error) != STATUS_OK;
    failed += env_read(file, 0, got, 4, &got_bytes, &error) != STATUS_OK;
    failed += env_read_nowait(file, 0, got, 1, &error) == STATUS_IO;
    failed += env_sync(file, &error) != STATUS_OK;
    failed += env_size(file, &size, &error) != STATUS_OK;
    failed += env_file_close(file, &error) != STATUS_OK;
    return failed;
}

/* One call of each of the 17 kinds, unless a failed create or open leaves one out. */
static int call_everything(void) {
    struct env_file *file = NULL;
    struct env_lock *lock = NULL;
    struct env_space space;
    int failed = env_make_dir(env, "e", &error) != STATUS_OK;
    if (env_lock_dir(env, "d", &lock, &error) == STATUS_OK) {
        env_unlock(env, lock);
    } else {
        failed++;
    }
    if (env_create(env, "d/a", &file, &error) == STATUS_OK) {
        failed += call_the_file(file);
    } else {
        failed++;
    }
    if (env_open(env, "d/a", ENV_READ_CACHED, &file, &error) == STATUS_OK) {
        close_file(file);
    } else {
        failed++;
    }
    failed += env_sync_dir(env, "d", &error) != STATUS_OK;
    failed += env_list(env, "d", ignore_cb, NULL, &error) != STATUS_OK;
    failed += env_space(env, "d", &space, &error) != STATUS_OK;
    (void)env_remove(disk, "d/b", NULL);
    failed += env_link(env, "d/a", "d/b", &error) != STATUS_OK;
    failed += env_remove(env, "d/a", &error) != STATUS_OK;
    return failed;
}

/* ---- tests ---- */

START_TEST(without_rules_everything_goes_through_and_is_counted) {
    start();
    ck_assert_int_eq(call_everything(), 0);
    for (uint32_t i = 0; i < FAULT_KINDS; i++) {
        uint32_t kind = 1u << i;
        bool twice = kind == FAULT_CLOSE || kind == FAULT_MAKE_DIR; /* the fixture's make_dir */
        ck_assert_uint_eq(env_fault_calls(env, kind), twice ? 2 : 1);
    }
    ck_assert_uint_eq(env_fault_calls(env, FAULT_ALL), 19);
    ck_assert_uint_eq(env_fault_fired(env), 0);
    end();
}
END_TEST

START_TEST(each_kind_can_be_made_to_fail) {
    for (uint32_t i = 0; i < FAULT_KINDS; i++) {
        uint32_t kind = 1u << i;
        if (kind == FAULT_CLOSE) {
            continue; /* see below */
        }
        start();
        rule(kind, 1, false, FAULT_IS_EIO);
        ck_assert_int_ge(call_everything(), 1);
        ck_assert_uint_eq(env_fault_fired(env), 1);
        end();
    }
}
END_TEST

START_TEST(a_failed_close_closes_all_the_same) {
    struct env_file *file;
    start();
    file = create("d/a");
    rule(FAULT_CLOSE, 1, false, FAULT_IS_EIO);
    ck_assert_int_eq(env_file_close(file, &error), STATUS_IO);
    end(); /* asserts that no file is open */
}
END_TEST

START_TEST(the_nth_call_fails_once_or_for_ever) {
    struct env_file *file;
    start();
    file = create("d/a");
    rule(FAULT_APPEND, 3, false, FAULT_IS_EIO);
    ck_assert_int_eq(append(file, "1"), STATUS_OK);
    ck_assert_int_eq(append(file, "2"), STATUS_OK);
    ck_assert_int_eq(append(file, "3"), STATUS_IO);
    ck_assert_int_eq(append(file, "4"), STATUS_OK);
    rule(FAULT_APPEND, 2, true, FAULT_IS_ENOSPC);
    ck_assert_int_eq(append(file, "5"), STATUS_OK);
    ck_assert_int_eq(append(file, "6"), STATUS_NO_SPACE);
    ck_assert_int_eq(append(file, "7"), STATUS_NO_SPACE);
    env_fault_clear(env);
    ck_assert_int_eq(append(file, "8"), STATUS_OK);
    expect_text(file, "12458");
    ck_assert_uint_eq(env_fault_fired(env), 3);
    close_file(file);
    end();
}
END_TEST

START_TEST(a_rule_concerns_only_paths_that_contain_its_part) {
    struct fault_rule only_b = {
        .kinds = FAULT_ALL, .path_part = "/b", .countdown = 1, .for_ever = true};
    struct env_file *file = NULL;
    start();
    env_fault_add(env, &only_b);
    file = create("d/a");
    ck_assert_int_eq(append(file, "1"), STATUS_OK);
    close_file(file);
    ck_assert_int_eq(env_create(env, "d/b", &file, &error), STATUS_IO);
    ck_assert_str_eq(error.path, "d/b");
    end();
}
END_TEST

START_TEST(each_fault_has_its_status_and_errno) {
    static const struct {
        enum fault fault;
        enum status status;
        int os_errno;
    } cases[] = {{FAULT_IS_EIO, STATUS_IO, EIO},
                 {FAULT_IS_ENOSPC, STATUS_NO_SPACE, ENOSPC},
                 {FAULT_IS_EDQUOT, STATUS_NO_SPACE, EDQUOT},
                 {FAULT_IS_EMFILE, STATUS_IO, EMFILE}};
    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct env_file *file = NULL;
        rule(FAULT_CREATE, 1, false, cases[i].fault);
        ck_assert_int_eq(env_create(env, "d/a", &file, &error), cases[i].status);
        ck_assert_int_eq(error.status, cases[i].status);
        ck_assert_int_eq(error.os_errno, cases[i].os_errno);
    }
    end();
}
END_TEST

START_TEST(a_short_append_leaves_the_first_half) {
    struct slice slices[] = {slice_from_text("ab"), slice_from_text(""), slice_from_text("cdef")};
    struct env_file *file;
    start();
    file = create("d/a");
    rule(FAULT_APPEND, 1, false, FAULT_IS_SHORT);
    ck_assert_int_eq(env_append(file, slices, 3, &error), STATUS_NO_SPACE);
    expect_text(file, "abc");
    close_file(file);
    end();
}
END_TEST

START_TEST(a_short_read_gives_half_of_what_is_there) {
    char got[8];
    size_t got_bytes = 0;
    struct env_file *file;
    start();
    file = create("d/a");
    ck_assert_int_eq(append(file, "abcdef"), STATUS_OK);
    rule(FAULT_READ, 1, false, FAULT_IS_SHORT);
    ck_assert_int_eq(env_read(file, 0, got, 6, &got_bytes, &error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 3);
    expect_text(file, "abcdef");
    close_file(file);
    end();
}
END_TEST

START_TEST(a_cold_read_would_block) {
    char got[2];
    struct env_file *file;
    start();
    file = create("d/a");
    ck_assert_int_eq(append(file, "ab"), STATUS_OK);
    rule(FAULT_READ_NOWAIT, 1, false, FAULT_IS_WOULD_BLOCK);
    ck_assert_int_eq(env_read_nowait(file, 0, got, 2, &error), STATUS_WOULD_BLOCK);
    ck_assert_int_eq(env_read_nowait(file, 0, got, 2, &error), STATUS_OK);
    close_file(file);
    end();
}
END_TEST

START_TEST(a_delayed_call_is_late_and_works) {
    struct fault_rule late = {
        .kinds = FAULT_SYNC, .countdown = 1, .fault = FAULT_IS_DELAY, .delay_ns = 5000000};
    struct env_file *file;
    uint64_t before;
    start();
    file = create("d/a");
    before = env_monotonic_ns(env);
    env_fault_add(env, &late);
    ck_assert_int_eq(env_sync(file, &error), STATUS_OK);
    ck_assert_uint_eq(env_monotonic_ns(env), before + 5000000);
    close_file(file);
    end();
}
END_TEST

START_TEST(a_failed_sync_loses_what_was_not_synced_though_a_second_one_succeeds) {
    struct power_cut how = {.mode = POWER_CUT_KEEP_ALL, .entries = POWER_CUT_ENTRIES_KEEP};
    struct env *after = NULL;
    struct env_file *file;
    char got[8] = {0};
    size_t got_bytes;
    start();
    file = create("d/a");
    ck_assert_int_eq(append(file, "ab"), STATUS_OK);
    ck_assert_int_eq(env_sync(file, &error), STATUS_OK);
    ck_assert_int_eq(append(file, "cd"), STATUS_OK);
    rule(FAULT_SYNC, 1, false, FAULT_IS_EIO);
    ck_assert_int_eq(env_sync(file, &error), STATUS_IO);
    ck_assert_int_eq(env_sync(file, &error), STATUS_OK);
    expect_text(file, "abcd");
    close_file(file);
    ck_assert_int_eq(env_memory_clone(disk, &how, &after), STATUS_OK);
    ck_assert_int_eq(env_open(after, "d/a", ENV_READ_CACHED, &file, &error), STATUS_OK);
    ck_assert_int_eq(env_read(file, 0, got, 8, &got_bytes, &error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 4);
    ck_assert_mem_eq(got, "ab\0\0", 4);
    ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
    env_memory_destroy(after);
    end();
}
END_TEST

START_TEST(two_rules_that_are_due_fire_as_one) {
    struct env_file *file = NULL;
    start();
    rule(FAULT_CREATE, 2, false, FAULT_IS_ENOSPC);
    rule(FAULT_CREATE, 2, false, FAULT_IS_EIO);
    close_file(create("d/a"));
    ck_assert_int_eq(env_create(env, "d/b", &file, &error), STATUS_NO_SPACE);
    close_file(create("d/b"));
    ck_assert_uint_eq(env_fault_fired(env), 1);
    end();
}
END_TEST

START_TEST(the_nth_allocation_fails_cleanly) {
    struct env_file *file = NULL;
    struct env *other = NULL;
    start();
    memory_fail_after(0, false);
    ck_assert_int_eq(env_fault_create(disk, NULL, &other), STATUS_NO_MEMORY);
    for (uint64_t n = 0; n < 3; n++) {
        memory_fail_after(n, true);
        ck_assert_int_eq(env_create(env, "d/a", &file, &error), STATUS_NO_MEMORY);
    }
    memory_fail_after(0, true);
    ck_assert_int_eq(env_open(env, "d/a", ENV_READ_CACHED, &file, &error), STATUS_NO_MEMORY);
    memory_fail_never();
    end();
}
END_TEST

UNIT_MAIN("env_fault", without_rules_everything_goes_through_and_is_counted,
          each_kind_can_be_made_to_fail, a_failed_close_closes_all_the_same,
          the_nth_call_fails_once_or_for_ever, a_rule_concerns_only_paths_that_contain_its_part,
          each_fault_has_its_status_and_errno, a_short_append_leaves_the_first_half,
          a_short_read_gives_half_of_what_is_there, a_cold_read_would_block,
          a_delayed_call_is_late_and_works,
          a_failed_sync_loses_what_was_not_synced_though_a_second_one_succeeds,
          two_rules_that_are_due_fire_as_one, the_nth_allocation_fails_cleanly)
