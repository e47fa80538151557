/* env_memory_test.c: files in memory, and what each kind of power cut leaves of them. */
#include "storage/env_memory.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define BLOCK 4096

/* ---- fixture: one directory "d" in one environment ---- */

static struct env *env;
static struct error error;

static void start_with(const struct env_memory_options *options) {
    ck_assert_int_eq(env_memory_create(options, &env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, "d", &error), STATUS_OK);
}

static void start(void) {
    start_with(NULL);
}

static void end(void) {
    env_memory_destroy(env);
}

static struct env_file *create(const char *path) {
    struct env_file *file = NULL;
    ck_assert_int_eq(env_create(env, path, &file, &error), STATUS_OK);
    return file;
}

static enum status try_append(struct env_file *file, const char *text) {
    struct slice slice = slice_from_text(text);
    return env_append(file, &slice, 1, &error);
}

static void append(struct env_file *file, const char *text) {
    ck_assert_int_eq(try_append(file, text), STATUS_OK);
}

static enum status try_append_block(struct env_file *file, size_t bytes, uint8_t fill) {
    uint8_t *block = memory_alloc(bytes);
    struct slice slice = slice_make(block, bytes);
    enum status status;
    memset(block, fill, bytes);
    status = env_append(file, &slice, 1, &error);
    memory_free(block);
    return status;
}

static void append_block(struct env_file *file, size_t bytes, uint8_t fill) {
    ck_assert_int_eq(try_append_block(file, bytes, fill), STATUS_OK);
}

static void sync_file(struct env_file *file) {
    ck_assert_int_eq(env_sync(file, &error), STATUS_OK);
}

static void sync_names(void) {
    ck_assert_int_eq(env_sync_dir(env, "d", &error), STATUS_OK);
}

static void close_file(struct env_file *file) {
    ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
}

static bool exists(const char *path) {
    struct env_file *file = NULL;
    enum status status = env_open(env, path, ENV_READ_CACHED, &file, &error);
    if (status == STATUS_OK) {
        close_file(file);
    }
    return status == STATUS_OK;
}

/* Reads a whole file, at most one MiB; the caller frees. */
static uint8_t *content(const char *path, enum env_read_mode mode, size_t *bytes_out) {
    struct env_file *file = NULL;
    uint8_t *bytes = memory_alloc_aligned(ENV_DIRECT_ALIGN, 1 << 20);
    ck_assert_int_eq(env_open(env, path, mode, &file, &error), STATUS_OK);
    ck_assert_int_eq(env_read(file, 0, bytes, 1 << 20, bytes_out, &error), STATUS_OK);
    close_file(file);
    return bytes;
}

static void expect_content(const char *path, enum env_read_mode mode, const char *text) {
    size_t bytes = 0;
    uint8_t *got = content(path, mode, &bytes);
    ck_assert_uint_eq(bytes, strlen(text));
    ck_assert_mem_eq(got, text, bytes);
    memory_free(got);
}

static struct power_cut cut(enum power_cut_mode mode, enum power_cut_entries entries) {
    return (struct power_cut){.seed = 1, .mode = mode, .entries = entries, .block_bytes = BLOCK};
}

/* The power goes out; the test goes on in what is left. */
static void cut_power(struct power_cut how) {
    struct env *after = NULL;
    ck_assert_int_eq(env_memory_clone(env, &how, &after), STATUS_OK);
    env_memory_destroy(env);
    env = after;
}

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

/* ---- power cuts: bytes ---- */

/* "d/a" with a synced block of 'a' and three unsynced ones of 'b', 'c', 'd'; names durable. */
static void write_one_synced_and_three_unsynced_blocks(void) {
    struct env_file *file = create("d/a");
    append_block(file, BLOCK, 'a');
    sync_file(file);
    sync_names();
    append_block(file, BLOCK, 'b');
    append_block(file, BLOCK, 'c');
    append_block(file, BLOCK, 'd');
    close_file(file);
}

/* One letter a block: its fill, '0' for zeros, '?' for anything mixed. */
static void describe(char *text_out) {
    size_t bytes;
    uint8_t *got = content("d/a", ENV_READ_CACHED, &bytes);
    size_t blocks = (bytes + BLOCK - 1) / BLOCK;
    for (size_t i = 0; i < blocks; i++) {
        size_t len = i + 1 < blocks ? BLOCK : bytes - i * BLOCK;
        const uint8_t *block = got + i * BLOCK;
        bool same = len == 1 || memcmp(block, block + 1, len - 1) == 0;
        text_out[i] = !same ? '?' : (char)(block[0] ? block[0] : '0');
    }
    text_out[blocks] = '\0';
    memory_free(got);
}

static void expect_blocks(const char *blocks) {
    char text[300];
    describe(text);
    ck_assert_str_eq(text, blocks);
}

START_TEST(drop_all_leaves_what_was_synced) {
    start();
    write_one_synced_and_three_unsynced_blocks();
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_blocks("a");
    end();
}
END_TEST

START_TEST(keep_all_leaves_everything_and_it_is_durable_then) {
    start();
    write_one_synced_and_three_unsynced_blocks();
    cut_power(cut(POWER_CUT_KEEP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_blocks("abcd");
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_blocks("abcd");
    end();
}
END_TEST

/* Which outcomes 300 seeds give of the blocks above; each must be possible. */
START_TEST(random_subsets_keep_the_synced_part_and_reach_every_outcome) {
    static const char *const wanted[] = {"a", "ab", "a0", "abcd", "a000", "a0cd", "ab0d", "abc0"};
    bool seen[sizeof wanted / sizeof wanted[0]] = {false};
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct power_cut how = cut(POWER_CUT_RANDOM_SUBSET, POWER_CUT_ENTRIES_DROP);
        char text[16];
        how.seed = seed;
        start();
        write_one_synced_and_three_unsynced_blocks();
        cut_power(how);
        describe(text);
        ck_assert_int_eq(text[0], 'a');
        for (size_t i = 1; text[i]; i++) {
            ck_assert(text[i] == '0' || text[i] == (char)('a' + i));
        }
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            seen[i] |= strcmp(text, wanted[i]) == 0;
        }
        end();
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        ck_assert_msg(seen[i], "never seen: %s", wanted[i]);
    }
}
END_TEST

START_TEST(a_seed_replays_its_power_cut) {
    struct power_cut how = cut(POWER_CUT_RANDOM_SUBSET, POWER_CUT_ENTRIES_RANDOM);
    how.garbage = true;
    for (how.seed = 0; how.seed < 20; how.seed++) {
        size_t bytes[2];
        uint8_t *got[2];
        for (int i = 0; i < 2; i++) {
            start();
            write_one_synced_and_three_unsynced_blocks();
            cut_power(how);
            got[i] = content("d/a", ENV_READ_CACHED, &bytes[i]);
            end();
        }
        ck_assert_uint_eq(bytes[0], bytes[1]);
        ck_assert_mem_eq(got[0], got[1], bytes[0]);
        memory_free(got[0]);
        memory_free(got[1]);
    }
}
END_TEST

START_TEST(blocks_tear_at_512_when_asked) {
    bool torn = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct power_cut how = cut(POWER_CUT_RANDOM_SUBSET, POWER_CUT_ENTRIES_DROP);
        char text[16];
        how.seed = seed;
        how.block_bytes = 512;
        start();
        write_one_synced_and_three_unsynced_blocks();
        cut_power(how);
        describe(text);
        torn |= strchr(text, '?') != NULL;
        end();
    }
    ck_assert(torn);
}
END_TEST

START_TEST(an_unaligned_synced_end_is_kept_to_the_byte) {
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct power_cut how = cut(POWER_CUT_RANDOM_SUBSET, POWER_CUT_ENTRIES_DROP);
        struct env_file *file;
        size_t bytes;
        uint8_t *got;
        how.seed = seed;
        how.garbage = seed % 2 == 0;
        start();
        file = create("d/a");
        sync_names();
        append_block(file, 700, 'a');
        sync_file(file);
        append_block(file, 5000, 'b');
        close_file(file);
        cut_power(how);
        got = content("d/a", ENV_READ_CACHED, &bytes);
        ck_assert_uint_ge(bytes, 700);
        ck_assert_uint_le(bytes, 5700);
        for (size_t i = 0; i < 700; i++) {
            ck_assert_uint_eq(got[i], 'a');
        }
        memory_free(got);
        end();
    }
}
END_TEST

START_TEST(missing_blocks_hold_garbage_when_asked) {
    bool garbage = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct power_cut how = cut(POWER_CUT_RANDOM_SUBSET, POWER_CUT_ENTRIES_DROP);
        char text[16];
        how.seed = seed;
        how.garbage = true;
        start();
        write_one_synced_and_three_unsynced_blocks();
        cut_power(how);
        describe(text);
        ck_assert_ptr_null(strchr(text, '0'));
        garbage |= strchr(text, '?') != NULL;
        end();
    }
    ck_assert(garbage);
}
END_TEST

START_TEST(files_lose_their_writes_independently) {
    bool first_only = false;
    bool second_only = false;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct power_cut how = cut(POWER_CUT_RANDOM_SUBSET, POWER_CUT_ENTRIES_KEEP);
        struct env_file *a;
        struct env_file *b;
        size_t a_bytes;
        size_t b_bytes;
        how.seed = seed;
        start();
        a = create("d/a");
        b = create("d/b");
        append_block(a, BLOCK, 'a');
        append_block(b, BLOCK, 'b');
        close_file(a);
        close_file(b);
        cut_power(how);
        memory_free(content("d/a", ENV_READ_CACHED, &a_bytes));
        memory_free(content("d/b", ENV_READ_CACHED, &b_bytes));
        first_only |= a_bytes > 0 && b_bytes == 0;
        second_only |= a_bytes == 0 && b_bytes > 0;
        end();
    }
    ck_assert(first_only);
    ck_assert(second_only);
}
END_TEST

/* ---- power cuts: names ---- */

START_TEST(a_created_name_that_was_not_synced_can_vanish_though_its_bytes_were) {
    struct env_file *file;
    start();
    file = create("d/a");
    append(file, "abc");
    sync_file(file);
    close_file(file);
    cut_power(cut(POWER_CUT_KEEP_ALL, POWER_CUT_ENTRIES_DROP));
    ck_assert(!exists("d/a"));
    end();
}
END_TEST

START_TEST(a_removed_name_that_was_not_synced_can_come_back) {
    struct env_file *file;
    start();
    file = create("d/a");
    append(file, "abc");
    sync_file(file);
    close_file(file);
    sync_names();
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_content("d/a", ENV_READ_CACHED, "abc");
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
    sync_names();
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    ck_assert(!exists("d/a"));
    end();
}
END_TEST

START_TEST(a_name_used_again_can_show_the_old_file) {
    struct env_file *file;
    start();
    file = create("d/a");
    append(file, "old");
    sync_file(file);
    sync_names();
    close_file(file);
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
    file = create("d/a");
    append(file, "newer");
    sync_file(file);
    close_file(file);
    expect_content("d/a", ENV_READ_CACHED, "newer");
    cut_power(cut(POWER_CUT_KEEP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_content("d/a", ENV_READ_CACHED, "old");
    end();
}
END_TEST

START_TEST(changed_names_survive_independently_when_random) {
    bool created_alone = false;
    bool removed_alone = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct power_cut how = cut(POWER_CUT_KEEP_ALL, POWER_CUT_ENTRIES_RANDOM);
        how.seed = seed;
        start();
        close_file(create("d/old"));
        sync_names();
        ck_assert_int_eq(env_remove(env, "d/old", &error), STATUS_OK);
        close_file(create("d/new"));
        cut_power(how);
        created_alone |= exists("d/new") && exists("d/old");
        removed_alone |= !exists("d/new") && !exists("d/old");
        end();
    }
    ck_assert(created_alone);
    ck_assert(removed_alone);
}
END_TEST

/* ---- the page cache lies ---- */

START_TEST(what_a_failed_sync_lost_is_seen_by_cached_reads_only) {
    struct env_file *file;
    size_t bytes;
    uint8_t *got;
    start();
    file = create("d/a");
    append_block(file, BLOCK, 'a');
    sync_file(file);
    sync_names();
    append_block(file, BLOCK, 'b');
    ck_assert_int_eq(env_memory_drop_unsynced_writes(file, 0), STATUS_OK);
    expect_blocks("ab");
    got = content("d/a", ENV_READ_DIRECT, &bytes);
    ck_assert_uint_eq(bytes, 2 * BLOCK);
    ck_assert_uint_eq(got[BLOCK - 1], 'a');
    ck_assert_uint_eq(got[BLOCK], 0);
    memory_free(got);
    append_block(file, BLOCK, 'c');
    sync_file(file); /* "succeeds" */
    close_file(file);
    cut_power(cut(POWER_CUT_NONE, POWER_CUT_ENTRIES_KEEP)); /* the process dies: still hidden */
    expect_blocks("abc");
    cut_power(cut(POWER_CUT_KEEP_ALL, POWER_CUT_ENTRIES_KEEP));
    expect_blocks("a0c");
    end();
}
END_TEST

START_TEST(a_failed_sync_can_lose_a_part) {
    struct env_file *file;
    char text[300];
    start();
    file = create("d/a");
    append_block(file, 64 * BLOCK, 'b');
    ck_assert_int_eq(env_memory_drop_unsynced_writes(file, 5), STATUS_OK);
    close_file(file);
    cut_power(cut(POWER_CUT_KEEP_ALL, POWER_CUT_ENTRIES_KEEP));
    describe(text);
    ck_assert_ptr_nonnull(strchr(text, 'b'));
    ck_assert_ptr_nonnull(strchr(text, '0'));
    end();
}
END_TEST

START_TEST(a_dead_process_leaves_unsynced_bytes_unsynced) {
    start();
    write_one_synced_and_three_unsynced_blocks();
    ck_assert_int_eq(env_remove(env, "d/a", &error), STATUS_OK);
    cut_power(cut(POWER_CUT_NONE, POWER_CUT_ENTRIES_KEEP));
    ck_assert(!exists("d/a"));
    cut_power(cut(POWER_CUT_DROP_ALL, POWER_CUT_ENTRIES_DROP));
    expect_blocks("a");
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
          names_behave_as_on_a_disk, a_listing_has_the_files_of_one_directory,
          a_locked_directory_is_locked_until_unlock_and_not_in_a_clone,
          a_full_disk_takes_exactly_what_fits,
          reserved_space_is_taken_at_once_and_holds_when_the_disk_is_full,
          drop_all_leaves_what_was_synced, keep_all_leaves_everything_and_it_is_durable_then,
          random_subsets_keep_the_synced_part_and_reach_every_outcome, a_seed_replays_its_power_cut,
          blocks_tear_at_512_when_asked, an_unaligned_synced_end_is_kept_to_the_byte,
          missing_blocks_hold_garbage_when_asked, files_lose_their_writes_independently,
          a_created_name_that_was_not_synced_can_vanish_though_its_bytes_were,
          a_removed_name_that_was_not_synced_can_come_back, a_name_used_again_can_show_the_old_file,
          changed_names_survive_independently_when_random,
          what_a_failed_sync_lost_is_seen_by_cached_reads_only, a_failed_sync_can_lose_a_part,
          a_dead_process_leaves_unsynced_bytes_unsynced,
          a_crash_at_the_nth_call_lets_the_earlier_ones_through_and_no_later_one,
          the_append_that_the_crash_hits_may_have_reached_the_medium,
          the_sync_that_the_crash_hits_syncs_nothing,
          clocks_stand_until_moved_and_the_wall_clock_can_jump, clocks_can_be_shared,
          files_can_be_damaged_and_cut, the_nth_allocation_fails_cleanly)
