/* store_gc_test.c: log GC in a whole store: what lives survives it byte for byte, what was deleted
 * stays away, and one damaged record takes no other with it. */
#include "storage/log_format.h"
#include "tests/support/space_recount.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdio.h>

#define KEYS 40u
#define SEGMENTS_MAX 64u

static const size_t sizes[] = {64, 300, 1000, 4096, 9000, 20000, 70000};

#define SIZES (sizeof sizes / sizeof sizes[0])

static const char *key_of(char key[16], uint32_t number) {
    snprintf(key, 16, "key%03u", number);
    return key;
}

static size_t size_of(uint32_t number) {
    return sizes[number % SIZES];
}

/* Opened with small segments; everything of 64 bytes and more lives in the log. */
static void open_store(struct fixture *fixture, bool compress) {
    fixture_init(fixture, 1);
    fixture->options.value_threshold = 64;
    fixture->options.compress = compress;
    fixture_open(fixture);
}

/* Writes all keys; the seed of a value tells its round. */
static void put_round(struct fixture *fixture, uint32_t round, uint32_t step) {
    char key[16];

    for (uint32_t i = 0; i < KEYS; i += step) {
        fixture_put_bytes(fixture, key_of(key, i), size_of(i + round), round * 1000 + i);
    }
}

static void expect_round(struct fixture *fixture, uint32_t round, uint32_t number) {
    char key[16];
    fixture_expect_bytes(fixture, key_of(key, number), size_of(number + round),
                         round * 1000 + number);
}

static void collect(struct fixture *fixture) {
    enum status status = store_collect(fixture->store, &fixture->error);
    ck_assert_msg(status == STATUS_OK, "collect: %s: %s", status_name(status), fixture->error.text);
    fixture_settle(fixture);
}

static void compact(struct fixture *fixture) {
    ck_assert_int_eq(store_compact(fixture->store, &fixture->error), STATUS_OK);
    fixture_settle(fixture);
}

static void flush(struct fixture *fixture) {
    ck_assert_int_eq(store_flush(fixture->store, &fixture->error), STATUS_OK);
    fixture_settle(fixture);
}

/* So far every record was found by walking. */
static void expect_no_care(struct fixture *fixture) {
    ck_assert_uint_gt(fixture_stat(fixture, "gc_victims"), 0);
    ck_assert_uint_eq(fixture_stat(fixture, "gc_careful"), 0);
    ck_assert_uint_eq(fixture_stat(fixture, "gc_damaged"), 0);
}

static uint32_t segments(struct fixture *fixture, enum segment_kind kind,
                         uint64_t numbers[SEGMENTS_MAX]) {
    return recount_segments(fixture->store, (int)kind, numbers, SEGMENTS_MAX);
}

/* Two rounds, of which every third key is of the second; then all that is hidden is compacted away,
 * so that the first segments are dead for a good part. */
static void write_and_overwrite(struct fixture *fixture) {
    put_round(fixture, 1, 1);
    flush(fixture);
    put_round(fixture, 2, 3);
    compact(fixture);
}

static void expect_both_rounds(struct fixture *fixture) {
    for (uint32_t i = 0; i < KEYS; i++) {
        expect_round(fixture, i % 3 == 0 ? 2 : 1, i);
    }
}

static void run_survival(bool compress) {
    struct fixture fixture;
    uint64_t before[SEGMENTS_MAX];
    uint64_t after[SEGMENTS_MAX];
    uint64_t bytes;

    open_store(&fixture, compress);
    write_and_overwrite(&fixture);
    bytes = recount_disk_bytes(fixture.env, fixture.dir);
    ck_assert_uint_eq(segments(&fixture, SEGMENT_SURVIVOR, before), 0);
    recount_accounts(fixture.store);
    collect(&fixture);
    ck_assert_uint_gt(fixture_stat(&fixture, "gc_victims"), 0);
    expect_no_care(&fixture);
    ck_assert_uint_gt(segments(&fixture, SEGMENT_SURVIVOR, after), 0);
    ck_assert_uint_gt(recount_relocations(fixture.store), 0);
    ck_assert_uint_lt(recount_disk_bytes(fixture.env, fixture.dir), bytes);
    expect_both_rounds(&fixture);
    recount_accounts(fixture.store);
    fixture_reopen(&fixture);
    expect_both_rounds(&fixture);
    recount_accounts(fixture.store);
    fixture_deinit(&fixture);
}

START_TEST(what_lives_survives_byte_for_byte) {
    run_survival(false);
}
END_TEST

START_TEST(what_lives_compressed_survives_byte_for_byte) {
    run_survival(true);
}
END_TEST

START_TEST(survivors_of_survivors_are_found_with_one_hop) {
    struct fixture fixture;

    open_store(&fixture, false);
    put_round(&fixture, 1, 1);
    for (uint32_t round = 2; round < 8; round++) {
        flush(&fixture);
        put_round(&fixture, round, round + 1);
        compact(&fixture);
        collect(&fixture);
        recount_accounts(fixture.store);
    }
    ck_assert_uint_gt(fixture_stat(&fixture, "gc_victims"), 10);
    expect_no_care(&fixture);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t round = 1;
        for (uint32_t r = 2; r < 8; r++) {
            round = i % (r + 1) == 0 ? r : round;
        }
        expect_round(&fixture, round, i);
    }
    fixture_reopen(&fixture);
    recount_accounts(fixture.store);
    fixture_deinit(&fixture);
}
END_TEST

/* Small values between the keys, so that the tree has many tables. */
static void put_between(struct fixture *fixture) {
    char key[32];

    for (uint32_t i = 0; i < KEYS; i++) {
        for (uint32_t j = 0; j < 100; j++) {
            snprintf(key, sizeof key, "key%03u-%02u-between", i, j);
            fixture_put_bytes(fixture, key, 60, i * 100 + j);
        }
    }
}

/* The first keys are written again, so that only their tables are merged and folded: the other
 * entries keep the names of the first homes, which by then lie in a survivor of a survivor. */
START_TEST(relocations_of_survivors_are_composed) {
    struct fixture fixture;
    uint32_t relocations = 0;

    open_store(&fixture, false);
    put_between(&fixture);
    write_and_overwrite(&fixture);
    collect(&fixture);
    for (uint32_t round = 1; round <= 4; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            char key[16];
            uint32_t was = i % 3 == 0 ? 2 : 1;
            fixture_put_bytes(&fixture, key_of(key, i), size_of(i + was), was * 1000 + i);
        }
        compact(&fixture);
        relocations += recount_relocations(fixture.store);
        collect(&fixture);
        recount_accounts(fixture.store);
        expect_both_rounds(&fixture);
    }
    ck_assert_uint_gt(relocations, 4);
    expect_no_care(&fixture);
    fixture_reopen(&fixture);
    expect_both_rounds(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(compaction_folds_relocations_away) {
    struct fixture fixture;

    open_store(&fixture, false);
    write_and_overwrite(&fixture);
    collect(&fixture);
    ck_assert_uint_gt(recount_relocations(fixture.store), 0);
    put_round(&fixture, 2, 3); /* something to merge everything with */
    compact(&fixture);
    ck_assert_uint_eq(recount_relocations(fixture.store), 0);
    expect_both_rounds(&fixture);
    recount_accounts(fixture.store);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(deleted_keys_never_come_back) {
    struct fixture fixture;
    char key[16];

    open_store(&fixture, false);
    put_round(&fixture, 1, 1);
    flush(&fixture);
    for (uint32_t i = 0; i < KEYS; i += 2) {
        fixture_delete(&fixture, key_of(key, i));
    }
    flush(&fixture);
    collect(&fixture); /* hidden values may still be copied: they are entries of the tree */
    for (uint32_t pass = 0; pass < 3; pass++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            if (i % 2 == 0) {
                fixture_expect_absent(&fixture, key_of(key, i));
            } else {
                expect_round(&fixture, 1, i);
            }
        }
        if (pass == 0) {
            compact(&fixture);
            collect(&fixture);
        } else {
            fixture_reopen(&fixture);
        }
        recount_accounts(fixture.store);
    }
    fixture_deinit(&fixture);
}
END_TEST

/* Gives a key a new expiry without copying its value: an alias. */
static void touch(struct fixture *fixture, const char *key, uint64_t ttl_ms) {
    struct store_condition always = {STORE_ALWAYS, 0};
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_outcome outcome;

    ck_assert_int_eq(
        store_commit_expire(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), ttl_ms, &always),
        STATUS_OK);
    outcome = fixture_commit_end(fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
}

static void touch_all(struct fixture *fixture, uint32_t step) {
    char key[16];

    for (uint32_t i = 0; i < KEYS; i += step) {
        touch(fixture, key_of(key, i), 3600 * 1000 + i);
    }
}

START_TEST(records_that_only_aliases_hold_survive) {
    struct fixture fixture;

    open_store(&fixture, false);
    write_and_overwrite(&fixture);
    touch_all(&fixture, 2);
    recount_accounts(fixture.store); /* aliases in memory */
    compact(&fixture);               /* the entries that they were made from are gone */
    recount_accounts(fixture.store);
    collect(&fixture);
    expect_no_care(&fixture);
    expect_both_rounds(&fixture);
    recount_accounts(fixture.store);
    fixture_reopen(&fixture);
    expect_both_rounds(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(aliases_made_of_moved_records_resolve) {
    struct fixture fixture;

    open_store(&fixture, false);
    write_and_overwrite(&fixture);
    collect(&fixture);
    touch_all(&fixture, 1); /* their references name the old homes */
    recount_accounts(fixture.store);
    expect_both_rounds(&fixture);
    flush(&fixture);
    collect(&fixture);
    expect_no_care(&fixture);
    expect_both_rounds(&fixture);
    compact(&fixture);
    put_round(&fixture, 2, 3);
    compact(&fixture);
    collect(&fixture);
    expect_both_rounds(&fixture);
    recount_accounts(fixture.store);
    fixture_reopen(&fixture);
    expect_both_rounds(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_pinned_read_keeps_the_victims_files) {
    struct fixture fixture;
    struct store_read read;
    struct buffer value = {.cap = 1 << 20};
    struct error error = {0};
    uint8_t wanted[70000];
    uint32_t files;
    uint32_t pinned_files;
    char key[16];

    open_store(&fixture, false);
    write_and_overwrite(&fixture);
    store_read_begin(fixture.store, &read);
    collect(&fixture);
    pinned_files = recount_files(fixture.env, fixture.dir, "segment");
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t round = i % 3 == 0 ? 2 : 1;
        buffer_clear(&value);
        ck_assert_int_eq(store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text(key_of(key, i)),
                                   STORE_WAIT_ALLOWED, &value, NULL, &error),
                         STATUS_OK);
        fixture_fill(wanted, size_of(i + round), round * 1000 + i);
        ck_assert_uint_eq(value.len, size_of(i + round));
        ck_assert_mem_eq(value.data, wanted, value.len);
    }
    store_read_end(&read);
    fixture_settle(&fixture);
    files = recount_files(fixture.env, fixture.dir, "segment");
    ck_assert_uint_lt(files, pinned_files);
    buffer_deinit(&value);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Damage -----------------------------------------------------------------------------------
 */

static void flip(struct fixture *fixture, uint64_t segment, uint64_t offset) {
    char path[300];
    uint8_t byte = 0xA5;

    snprintf(path, sizeof path, "%s/%010llu.segment", fixture->dir, (unsigned long long)segment);
    ck_assert_int_eq(env_memory_poke(fixture->memory, path, offset, slice_make(&byte, 1)),
                     STATUS_OK);
}

/* How many keys can be read, and right; the others must fail with CORRUPT. */
static uint32_t readable(struct fixture *fixture) {
    uint32_t count = 0;
    char key[16];

    for (uint32_t i = 0; i < KEYS; i++) {
        enum status status = fixture_get(fixture, key_of(key, i));
        if (status == STATUS_OK) {
            expect_round(fixture, i % 3 == 0 ? 2 : 1, i);
            count++;
        } else {
            ck_assert_int_eq(status, STATUS_CORRUPT);
        }
    }
    return count;
}

/* One byte of the first segment is flipped at each of many places; whatever it hits, at most one
 * value is lost, and GC changes nothing about that. */
START_TEST(one_flipped_byte_neither_hides_nor_loses_its_neighbours) {
    uint32_t lost = 0;
    uint32_t healed = 0;

    for (uint64_t offset = 128; offset < 60000; offset += offset < 2000 ? 97 : 997) {
        struct fixture fixture;
        uint64_t numbers[SEGMENTS_MAX];
        uint32_t before;
        open_store(&fixture, false);
        write_and_overwrite(&fixture);
        ck_assert_uint_gt(segments(&fixture, SEGMENT_COMMIT, numbers), 1);
        flip(&fixture, numbers[0], offset);
        before = readable(&fixture);
        ck_assert_uint_ge(before, KEYS - 1);
        collect(&fixture);
        ck_assert_uint_eq(readable(&fixture), before);
        ck_assert_uint_eq(fixture_stat(&fixture, "gc_damaged"), KEYS - before);
        ck_assert_uint_gt(fixture_stat(&fixture, "gc_victims"), 0);
        collect(&fixture); /* what is damaged is not picked again */
        ck_assert_uint_eq(fixture_stat(&fixture, "gc_damaged"), KEYS - before);
        recount_accounts(fixture.store);
        fixture_reopen(&fixture);
        ck_assert_uint_eq(readable(&fixture), before);
        lost += KEYS - before;
        healed += before == KEYS;
        fixture_deinit(&fixture);
    }
    ck_assert_uint_gt(lost, 5);   /* values were hit, */
    ck_assert_uint_gt(healed, 5); /* and headers, metas and dead bytes */
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------
 */

START_TEST(without_space_nothing_is_left_behind_and_later_it_goes_on) {
    struct fixture fixture;
    uint32_t files;

    open_store(&fixture, false);
    write_and_overwrite(&fixture);
    files = recount_files(fixture.env, fixture.dir, "segment");
    env_memory_set_space(fixture.memory, recount_disk_bytes(fixture.env, fixture.dir) + 1);
    ck_assert_int_eq(store_collect(fixture.store, &fixture.error), STATUS_NO_SPACE);
    ck_assert_uint_eq(recount_files(fixture.env, fixture.dir, "segment"), files);
    expect_both_rounds(&fixture);
    env_memory_set_space(fixture.memory, UINT64_C(1) << 30);
    collect(&fixture);
    ck_assert_uint_gt(fixture_stat(&fixture, "gc_victims"), 0);
    expect_both_rounds(&fixture);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_power_goes_at_every_call_of_a_collection) {
    bool crashed = true;

    for (uint64_t n = 1; crashed; n++) {
        struct power_cut cut = {.mode = n % 2 ? POWER_CUT_DROP_ALL : POWER_CUT_RANDOM_SUBSET,
                                .entries = POWER_CUT_ENTRIES_RANDOM,
                                .seed = n,
                                .block_bytes = 512,
                                .garbage = n % 3 == 0};
        struct fixture fixture;
        open_store(&fixture, false);
        write_and_overwrite(&fixture);
        env_memory_set_crash_point(fixture.memory, n);
        ck_assert_int_ne(store_collect(fixture.store, &fixture.error), STATUS_CORRUPT);
        crashed = env_memory_crashed(fixture.memory);
        fixture_power_cut(&fixture, &cut);
        fixture_open(&fixture);
        expect_both_rounds(&fixture);
        recount_accounts(fixture.store);
        collect(&fixture);
        expect_both_rounds(&fixture);
        fixture_reopen(&fixture);
        expect_both_rounds(&fixture);
        recount_accounts(fixture.store);
        fixture_deinit(&fixture);
        ck_assert_uint_lt(n, 1000);
    }
}
END_TEST

START_TEST(each_failing_allocation_of_a_collection_changes_nothing) {
    enum status status = STATUS_NO_MEMORY;
    struct fixture fixture;

    open_store(&fixture, true);
    write_and_overwrite(&fixture);
    for (uint64_t n = 0; status != STATUS_OK; n += 1 + n / 16) {
        memory_fail_after(n, false);
        status = store_collect(fixture.store, &fixture.error);
        memory_fail_never();
        fixture_settle(&fixture);
        expect_both_rounds(&fixture);
        recount_accounts(fixture.store);
        ck_assert_uint_eq(fixture_stat(&fixture, "gc_damaged"), 0);
        status = fixture_stat(&fixture, "gc_victims") > 0 ? STATUS_OK : STATUS_NO_MEMORY;
        ck_assert_uint_lt(n, 100000);
    }
    for (uint32_t i = 0; i < 200; i++) { /* seconds pass: what failed for want of memory is done */
        scheduler_sim_run_one(fixture.scheduler, true);
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store gc", what_lives_survives_byte_for_byte,
          what_lives_compressed_survives_byte_for_byte,
          survivors_of_survivors_are_found_with_one_hop, relocations_of_survivors_are_composed,
          compaction_folds_relocations_away, deleted_keys_never_come_back,
          records_that_only_aliases_hold_survive, aliases_made_of_moved_records_resolve,
          a_pinned_read_keeps_the_victims_files,
          one_flipped_byte_neither_hides_nor_loses_its_neighbours,
          without_space_nothing_is_left_behind_and_later_it_goes_on,
          the_power_goes_at_every_call_of_a_collection,
          each_failing_allocation_of_a_collection_changes_nothing)
