/* env_memory_test.c: files in memory: names, space, the crash point, clocks. Power cuts are in
 * env_memory_cut_test.c. */
#include "tests/unit/env_memory_fixture.h"

#include <stdio.h>

/* ---- files ---- */

START_TEST(what_is_appended_is_read_back_at_once_by_all_handles) {
    struct env_file *file;
    char got[3];
    size_t got_bytes;
    uint64_t size;
    start();
    file = create("d/a");
    append(file, "hello ");
    append(file, "world");
    expect_content("d/a", ENV_READ_CACHED, "hello world");
    expect_content("./d//a", ENV_READ_DIRECT, "hello world");
    ck_assert_int_eq(env_read(file, 9, got, 3, &got_bytes, &error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 2);
    ck_assert_int_eq(env_read(file, 11, got, 3, &got_bytes, &error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 0);
    ck_assert_int_eq(env_read_nowait(file, 8, got, 3, &error), STATUS_OK);
    ck_assert_mem_eq(got, "rld", 3);
    ck_assert_int_eq(env_read_nowait(file, 9, got, 3, &error), STATUS_WOULD_BLOCK);
    ck_assert_int_eq(env_size(file, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 11);
    close_file(file);
    end();
}
END_TEST

START_TEST(names_behave_as_on_a_disk) {
    struct env_file *file = NULL;
    start();
    file = create("d/a");
    append(file, "abc");
    ck_assert_int_eq(env_make_dir(env, "d", &error), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, "d/a", &error), STATUS_INVALID);
    ck_assert_int_eq(env_make_dir(env, "x/y", &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_NOT_FOUND);
    append(file, "def"); /* the handle goes on */
    close_file(file);
    ck_assert(!exists("d/a"));
    close_file(create("d/a"));
    ck_assert_int_eq(env_create(env, "d/a", &file, &error), STATUS_EXISTS);
    ck_assert_int_eq(env_create(env, "x/a", &file, &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_create(env, "", &file, &error), STATUS_INVALID);
    close_file(create("top")); /* in the working directory */
    end();
}
END_TEST

START_TEST(a_link_is_a_second_name_of_the_same_file) {
    start();
    close_file(create("d/other"));
    {
        struct env_file *file = create("d/a");
        append(file, "abc");
        close_file(file);
    }
    ck_assert_int_eq(env_link(env, "d/a", "d/b", &error), STATUS_OK);
    expect_content("d/b", ENV_READ_CACHED, "abc");
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
    expect_content("d/b", ENV_READ_CACHED, "abc");
    ck_assert_int_eq(env_link(env, "d/a", "d/c", &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_link(env, "d/b", "d/other", &error), STATUS_EXISTS);
    ck_assert_int_eq(env_link(env, "d/b", "x/b", &error), STATUS_NOT_FOUND);
    end();
}
END_TEST

static enum status list_cb(void *arg, const char *name, uint64_t size_bytes) {
    char *text = arg;
    (void)snprintf(text + strlen(text), 32, "%s=%u ", name, (unsigned)size_bytes);
    return STATUS_OK;
}

START_TEST(a_listing_has_the_files_of_one_directory) {
    char text[100] = "";
    struct env_file *file;
    struct env_lock *lock;
    start();
    ck_assert_int_eq(env_make_dir(env, "d/sub", &error), STATUS_OK);
    file = create("d/b");
    append(file, "abc");
    close_file(file);
    close_file(create("d/a"));
    close_file(create("d/sub/c"));
    ck_assert_int_eq(env_lock_dir(env, "d", &lock, &error), STATUS_OK);
    env_unlock(env, lock);
    ck_assert_int_eq(env_list(env, "d", list_cb, text, &error), STATUS_OK);
    ck_assert_str_eq(text, "LOCK=0 a=0 b=3 ");
    ck_assert_int_eq(env_list(env, "none", list_cb, text, &error), STATUS_NOT_FOUND);
    end();
}
END_TEST

START_TEST(a_locked_directory_is_locked_until_unlock_and_not_in_a_clone) {
    struct power_cut how = cut(POWER_CUT_NONE, POWER_CUT_ENTRIES_KEEP);
    struct env_lock *lock;
    struct env_lock *second;
    struct env *after;
    start();
    ck_assert_int_eq(env_lock_dir(env, "d", &lock, &error), STATUS_OK);
    ck_assert_int_eq(env_lock_dir(env, "d/", &second, &error), STATUS_LOCKED);
    ck_assert_int_eq(env_memory_clone(env, &how, &after), STATUS_OK);
    ck_assert_int_eq(env_lock_dir(after, "d", &second, &error), STATUS_OK);
    env_unlock(after, second);
    env_memory_destroy(after);
    env_unlock(env, lock);
    ck_assert_int_eq(env_lock_dir(env, "d", &lock, &error), STATUS_OK);
    env_unlock(env, lock);
    end();
}
END_TEST

/* ---- space ---- */

static uint64_t free_bytes(void) {
    struct env_space space;
    ck_assert_int_eq(env_space(env, "d", &space, &error), STATUS_OK);
    return space.free_bytes;
}

START_TEST(a_full_disk_takes_exactly_what_fits) {
    struct env_file *file;
    start_with(&(struct env_memory_options){.space_bytes = 100});
    file = create("d/a");
    append_block(file, 60, 'a');
    ck_assert_int_eq(try_append_block(file, 41, 'b'), STATUS_NO_SPACE);
    append_block(file, 40, 'c');
    ck_assert_uint_eq(free_bytes(), 0);
    ck_assert_int_eq(try_append(file, "d"), STATUS_NO_SPACE);
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
    ck_assert_uint_eq(free_bytes(), 0); /* still open */
    close_file(file);
    ck_assert_uint_eq(free_bytes(), 100);
    end();
}
END_TEST

START_TEST(reserved_space_is_taken_at_once_and_holds_when_the_disk_is_full) {
    struct env_file *file;
    struct env_file *other;
    start_with(&(struct env_memory_options){.space_bytes = 100});
    file = create("d/a");
    other = create("d/b");
    ck_assert_int_eq(env_preallocate(file, 101, &error), STATUS_NO_SPACE);
    ck_assert_int_eq(env_preallocate(file, 80, &error), STATUS_OK);
    append_block(other, 20, 'b');
    ck_assert_int_eq(try_append(other, "x"), STATUS_NO_SPACE);
    append_block(file, 30, 'a');
    ck_assert_int_eq(env_finish(file, &error), STATUS_OK);
    ck_assert_uint_eq(free_bytes(), 50);
    append_block(other, 50, 'b');
    close_file(file);
    close_file(other);
    end();
}
END_TEST

/* ---- the crash point ---- */

/* make_dir, create, preallocate, append, sync, sync_dir, finish, remove; counts the successes. */
static int workload(void) {
    struct env_file *file = NULL;
    int done = env_make_dir(env, "e", &error) == STATUS_OK;
    if (env_create(env, "d/a", &file, &error) == STATUS_OK) {
        done++;
        done += env_preallocate(file, 100, &error) == STATUS_OK;
        done += try_append(file, "abc") == STATUS_OK;
        done += env_sync(file, &error) == STATUS_OK;
        done += env_sync_dir(env, "d", &error) == STATUS_OK;
        done += env_finish(file, &error) == STATUS_OK;
        done += env_remove(env, "d/a", &error) == STATUS_OK;
        close_file(file);
    }
    return done;
}

START_TEST(a_crash_at_the_nth_call_lets_the_earlier_ones_through_and_no_later_one) {
    start();
    ck_assert_uint_eq(env_memory_mutations(env), 1); /* the fixture's make_dir */
    ck_assert_int_eq(workload(), 8);
    ck_assert_uint_eq(env_memory_mutations(env), 9);
    end();
    for (int n = 1; n <= 8; n++) {
        start();
        env_memory_set_crash_point(env, (uint64_t)n);
        ck_assert(!env_memory_crashed(env));
        ck_assert_int_eq(workload(), n - 1);
        ck_assert(env_memory_crashed(env));
        ck_assert_int_eq(error.status, STATUS_IO);
        env_memory_set_crash_point(env, 0);
        close_file(create("d/b"));
        end();
    }
}
END_TEST

START_TEST(the_append_that_the_crash_hits_may_have_reached_the_medium) {
    struct env_file *file;
    start();
    file = create("d/a");
    sync_names();
    env_memory_set_crash_point(env, 1);
    ck_assert_int_eq(try_append(file, "abc"), STATUS_IO);
    ck_assert_int_eq(try_append(file, "def"), STATUS_IO);
    close_file(file);
    cut_power(cut(POWER_CUT_KEEP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_content("d/a", ENV_READ_CACHED, "abc");
    file = create("d/b"); /* and the clone has no crash point */
    close_file(file);
    end();
}
END_TEST

START_TEST(the_sync_that_the_crash_hits_syncs_nothing) {
    struct env_file *file;
    start();
    file = create("d/a");
    sync_names();
    append(file, "abc");
    env_memory_set_crash_point(env, 1);
    ck_assert_int_eq(env_sync(file, &error), STATUS_IO);
    close_file(file);
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_content("d/a", ENV_READ_CACHED, "");
    end();
}
END_TEST

/* ---- clocks, damage, memory ---- */

static uint64_t clock_cb(void *arg) {
    return *(uint64_t *)arg;
}

START_TEST(clocks_stand_until_moved_and_the_wall_clock_can_jump) {
    uint64_t monotonic;
    start();
    ck_assert_uint_eq(env_wall_clock_ms(env), ENV_MEMORY_WALL_CLOCK_DEFAULT_MS);
    monotonic = env_monotonic_ns(env);
    env_memory_advance_clock(env, 5000000);
    ck_assert_uint_eq(env_monotonic_ns(env), monotonic + 5000000);
    ck_assert_uint_eq(env_wall_clock_ms(env), ENV_MEMORY_WALL_CLOCK_DEFAULT_MS + 5);
    env_memory_set_wall_clock(env, 3);
    ck_assert_uint_eq(env_wall_clock_ms(env), 3);
    env_memory_advance_clock(env, 5000000);
    ck_assert_uint_eq(env_wall_clock_ms(env), 8);
    ck_assert_uint_eq(env_monotonic_ns(env), monotonic + 10000000);
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    ck_assert_uint_eq(env_wall_clock_ms(env), 8);
    end();
}
END_TEST

START_TEST(clocks_can_be_shared) {
    uint64_t now_ns = 7000000000;
    start_with(&(struct env_memory_options){
        .wall_clock_ms = 1000, .monotonic_ns_cb = clock_cb, .monotonic_arg = &now_ns});
    ck_assert_uint_eq(env_wall_clock_ms(env), 1000);
    now_ns += 2000000;
    ck_assert_uint_eq(env_wall_clock_ms(env), 1002);
    ck_assert_uint_eq(env_monotonic_ns(env), now_ns);
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    ck_assert_uint_eq(env_wall_clock_ms(env), 1002);
    ck_assert_uint_eq(env_monotonic_ns(env), now_ns);
    end();
}
END_TEST

START_TEST(files_can_be_damaged_and_cut) {
    struct env_file *file;
    start();
    file = create("d/a");
    append(file, "abcdef");
    close_file(file);
    ck_assert_int_eq(env_memory_poke(env, "d/a", 4, slice_from_text("XY")), STATUS_OK);
    ck_assert_int_eq(env_memory_poke(env, "d/a", 5, slice_from_text("XY")), STATUS_INVALID);
    ck_assert_int_eq(env_memory_poke(env, "d/b", 0, slice_from_text("X")), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_memory_truncate(env, "d/a", 5), STATUS_OK);
    ck_assert_int_eq(env_memory_truncate(env, "d/a", 6), STATUS_INVALID);
    expect_content("d/a", ENV_READ_DIRECT, "abcdX");
    end();
}
END_TEST

START_TEST(the_nth_allocation_fails_cleanly) {
    struct power_cut how = cut(POWER_CUT_RANDOM_SUBSET, POWER_CUT_ENTRIES_KEEP);
    struct env *after = NULL;
    uint64_t n = 0;
    start();
    for (enum status status = STATUS_NO_MEMORY; status != STATUS_OK; n++) {
        struct env_file *file = NULL;
        memory_fail_after(n, false);
        status = env_create(env, "d/a", &file, &error);
        if (status == STATUS_OK) {
            status = try_append_block(file, 1000, 'a');
            close_file(file);
            if (status != STATUS_OK) {
                ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
            }
        }
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 2);
    n = 0;
    for (enum status status = STATUS_NO_MEMORY; status != STATUS_OK; n++) {
        memory_fail_after(n, false);
        status = env_memory_clone(env, &how, &after);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 4);
    env_memory_destroy(after);
    end();
}
END_TEST

UNIT_MAIN("env_memory", what_is_appended_is_read_back_at_once_by_all_handles,
          names_behave_as_on_a_disk, a_link_is_a_second_name_of_the_same_file,
          a_listing_has_the_files_of_one_directory,
          a_locked_directory_is_locked_until_unlock_and_not_in_a_clone,
          a_full_disk_takes_exactly_what_fits,
          reserved_space_is_taken_at_once_and_holds_when_the_disk_is_full,
          a_crash_at_the_nth_call_lets_the_earlier_ones_through_and_no_later_one,
          the_append_that_the_crash_hits_may_have_reached_the_medium,
          the_sync_that_the_crash_hits_syncs_nothing,
          clocks_stand_until_moved_and_the_wall_clock_can_jump, clocks_can_be_shared,
          files_can_be_damaged_and_cut, the_nth_allocation_fails_cleanly)
