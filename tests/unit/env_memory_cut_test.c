/* env_memory_cut_test.c: what each kind of power cut leaves of files in memory. */
#include "tests/unit/env_memory_fixture.h"

/* ---- bytes ---- */

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

/* ---- names ---- */

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

UNIT_MAIN("env_memory_cut", drop_all_leaves_what_was_synced,
          keep_all_leaves_everything_and_it_is_durable_then,
          random_subsets_keep_the_synced_part_and_reach_every_outcome, a_seed_replays_its_power_cut,
          blocks_tear_at_512_when_asked, an_unaligned_synced_end_is_kept_to_the_byte,
          missing_blocks_hold_garbage_when_asked, files_lose_their_writes_independently,
          a_created_name_that_was_not_synced_can_vanish_though_its_bytes_were,
          a_removed_name_that_was_not_synced_can_come_back, a_name_used_again_can_show_the_old_file,
          changed_names_survive_independently_when_random,
          what_a_failed_sync_lost_is_seen_by_cached_reads_only, a_failed_sync_can_lose_a_part,
          a_dead_process_leaves_unsynced_bytes_unsynced)
