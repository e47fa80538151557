/* log_replay_cut_test.c: power cuts at every change that writing a log makes: what was synced is
 * there, and what is there is a beginning of what was written. */
#include "storage/log_replay.h"

#include "storage/env_fault.h"
#include "tests/unit/log_fixture.h"

#define SEGMENTS 3

static struct log it;
static struct replayed got;

/* Writes SEGMENTS segments, and syncs now and then, until something fails. Returns how many commits
 * are known to be durable. */
static size_t write_until_failure(void) {
    const size_t value_bytes[] = {0, 700, 9000, 30};
    size_t acknowledged = 0;

    for (uint64_t number = 1; number <= SEGMENTS; number++) {
        if (log_try_segment(&it, number) != STATUS_OK) {
            return acknowledged;
        }
        for (size_t i = 0; i < 4; i++) {
            if (log_try_group(&it, i % 3, value_bytes[(i + number) % 4]) != STATUS_OK) {
                return acknowledged;
            }
            if (i % 2 == 0) {
                continue;
            }
            if (log_try_sync(&it) != STATUS_OK) {
                return acknowledged;
            }
            acknowledged = it.written_count;
        }
        if (segment_writer_seal(it.writer, &it.error) != STATUS_OK) {
            return acknowledged;
        }
    }
    return acknowledged;
}

static void expect_prefix(struct env *after, size_t acknowledged) {
    struct env *before = it.env;
    it.env = after;
    ck_assert_int_eq(log_replay_all(&it, SEGMENTS, &got), STATUS_OK);
    ck_assert_uint_ge(got.count, acknowledged);
    it.env = before;
}

static void cut_power(uint64_t n, struct power_cut cut) {
    struct env *after;
    size_t acknowledged;

    log_init(&it);
    env_memory_set_crash_point(it.env, n);
    acknowledged = write_until_failure();
    ck_assert_int_eq(env_memory_clone(it.env, &cut, &after), STATUS_OK);
    expect_prefix(after, acknowledged);
    env_memory_destroy(after);
    log_deinit(&it);
}

static uint64_t count_mutations(void) {
    uint64_t mutations;
    log_init(&it);
    mutations = env_memory_mutations(it.env);
    ck_assert_uint_gt(write_until_failure(), 0);
    mutations = env_memory_mutations(it.env) - mutations;
    log_deinit(&it);
    return mutations;
}

START_TEST(power_cut_at_every_change_keeps_what_was_synced) {
    const enum power_cut_mode modes[] = {POWER_CUT_DROP_ALL, POWER_CUT_KEEP_ALL, POWER_CUT_NONE};
    uint64_t mutations = count_mutations();
    for (uint64_t n = 1; n <= mutations + 1; n++) {
        for (size_t i = 0; i < 3; i++) {
            cut_power(n, (struct power_cut){.mode = modes[i],
                                            .entries = POWER_CUT_ENTRIES_DROP,
                                            .block_bytes = 4096});
        }
    }
}
END_TEST

START_TEST(power_cut_with_random_blocks_missing_keeps_what_was_synced) {
    uint64_t mutations = count_mutations();
    for (uint64_t n = 1; n <= mutations + 1; n++) {
        for (uint64_t seed = 0; seed < 100; seed++) {
            cut_power(n, (struct power_cut){.seed = seed * 1000 + n,
                                            .mode = POWER_CUT_RANDOM_SUBSET,
                                            .entries = POWER_CUT_ENTRIES_RANDOM,
                                            .block_bytes = seed % 2 ? 512 : 4096,
                                            .garbage = seed % 3 == 0});
        }
    }
}
END_TEST

/* The unsynced bytes are gone from the medium, and the page cache still shows them. */
START_TEST(failed_sync_is_final_and_only_what_the_medium_holds_is_replayed) {
    const struct env_fault_options options = {.lose_unsynced_cb = env_memory_drop_unsynced_writes,
                                              .seed = 5};
    struct env *memory;
    uint64_t syncs = 1;
    for (uint64_t n = 1; n <= syncs; n++) {
        struct fault_rule rule = {.kinds = FAULT_SYNC, .countdown = n, .fault = FAULT_IS_EIO};
        size_t acknowledged;
        log_init(&it);
        memory = it.env;
        ck_assert_int_eq(env_fault_create(memory, &options, &it.env), STATUS_OK);
        env_fault_add(it.env, &rule);
        acknowledged = write_until_failure();
        if (env_fault_fired(it.env) > 0) {
            syncs = n + 1;
            ck_assert_int_eq(segment_writer_sync(it.writer, &it.error), STATUS_LOG_FAILED);
        }
        segment_writer_close(it.writer);
        it.writer = NULL;
        expect_prefix(memory, acknowledged);
        env_fault_destroy(it.env);
        it.env = memory;
        log_deinit(&it);
    }
    ck_assert_uint_gt(syncs, 6);
}
END_TEST

START_TEST(replay_makes_durable_what_it_hands_out) {
    const struct power_cut killed = {.mode = POWER_CUT_NONE};
    const struct power_cut cut = {
        .mode = POWER_CUT_DROP_ALL, .entries = POWER_CUT_ENTRIES_DROP, .block_bytes = 4096};
    struct env *after_kill;
    struct env *after_cut;
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 2, 100); /* never synced; the process is killed, then recovery reads it */
    ck_assert_int_eq(env_memory_clone(it.env, &killed, &after_kill), STATUS_OK);
    expect_prefix(after_kill, 2);
    ck_assert_int_eq(env_memory_clone(after_kill, &cut, &after_cut), STATUS_OK);
    expect_prefix(after_cut, 2);
    env_memory_destroy(after_cut);
    env_memory_destroy(after_kill);
    log_deinit(&it);
}
END_TEST

UNIT_MAIN("log_replay_cut", power_cut_at_every_change_keeps_what_was_synced,
          power_cut_with_random_blocks_missing_keeps_what_was_synced,
          failed_sync_is_final_and_only_what_the_medium_holds_is_replayed,
          replay_makes_durable_what_it_hands_out)
