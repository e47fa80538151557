/* store_salvage_failure_test.c: salvage that is refused, that fails half way, and that meets damage
 * of any kind in any place. What it reads is never touched; what it answers with is never wrong. */
#include "storage/env_fault.h"
#include "tests/unit/salvage_damage.h"

#define SEEDS 200u
#define TRIES 60u

static struct wreck wreck;
static struct found_files files;
static struct places places;

static void begin(void) {
    wreck_build(&wreck);
    files = find_files(&wreck);
    find_places(&wreck, &files, &places);
    wreck_anew(&wreck);
}

static void expect_equal(const char *what, uint64_t n) {
    struct tally tally = wreck_look(&wreck);

    ck_assert_msg(tally.right == tally.live && tally.astray == 0 && tally.old == 0 &&
                      wreck.result.entries_lost == 0 && wreck.result.has_order,
                  "%s %llu: %u of %u, %llu lost, %s", what, (unsigned long long)n, tally.right,
                  tally.live, (unsigned long long)wreck.result.entries_lost, tally.first);
}

/* ---- Refusals ---------------------------------------------------------------------------------
 */

static void make_file(const char *path) {
    struct slice text = slice_from_text("mine");
    struct env_file *file;

    ck_assert_int_eq(env_create(wreck.env, path, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_append(file, &text, 1, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
}

static enum status count_cb(void *arg, const char *name, uint64_t size_bytes) {
    (void)name;
    *(uint64_t *)arg += 1000 + size_bytes;
    return STATUS_OK;
}

START_TEST(a_folder_that_is_there_is_refused_and_not_touched) {
    uint64_t found = 0;

    begin();
    ck_assert_int_eq(env_make_dir(wreck.env, NEW_DIR, NULL), STATUS_OK);
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_EXISTS);
    ck_assert_str_eq(wreck.error.path, NEW_DIR);
    make_file(NEW_DIR "/thesis.txt");
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_EXISTS);
    ck_assert_int_eq(env_list(wreck.env, NEW_DIR, count_cb, &found, NULL), STATUS_OK);
    ck_assert_uint_eq(found, 1004);
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_store_is_not_salvaged_into_itself) {
    struct store_options options;
    uint64_t before;

    begin();
    before = folder_sum(&wreck);
    options = wreck_options(&wreck, OLD_DIR);
    ck_assert_int_eq(
        store_salvage(&options, OLD_DIR, wreck_report_cb, &wreck, &wreck.result, &wreck.error),
        STATUS_EXISTS);
    ck_assert_uint_eq(folder_sum(&wreck), before);
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_store_that_somebody_has_open_is_refused) {
    struct store_options options;
    struct store *store;

    begin();
    options = wreck_options(&wreck, OLD_DIR);
    ck_assert_int_eq(store_open(&options, &store, &wreck.error), STATUS_OK);
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_LOCKED);
    ck_assert(!is_folder(&wreck, NEW_DIR));
    ck_assert_int_eq(store_close(store, &wreck.error), STATUS_OK);
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_OK); /* and let go of the lock */
    ck_assert_int_eq(store_open(&options, &store, &wreck.error), STATUS_OK);
    ck_assert_int_eq(store_close(store, &wreck.error), STATUS_OK);
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(where_there_is_no_store_none_is_made) {
    struct store_options options;
    enum status status;

    begin();
    options = wreck_options(&wreck, "nowhere");
    status = store_salvage(&options, NEW_DIR, wreck_report_cb, &wreck, &wreck.result, &wreck.error);
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    ck_assert(!is_folder(&wreck, NEW_DIR));
    ck_assert(!is_folder(&wreck, "nowhere"));
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_new_folder_without_a_parent_is_refused) {
    struct store_options options;
    enum status status;

    begin();
    options = wreck_options(&wreck, OLD_DIR);
    status = store_salvage(&options, "/no/such/parent", wreck_report_cb, &wreck, &wreck.result,
                           &wreck.error);
    ck_assert_int_ne(status, STATUS_OK);
    ck_assert_uint_gt(strlen(wreck.error.path), 0);
    wreck_deinit(&wreck);
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------
 */

START_TEST(a_full_disk_is_said_and_loses_nothing) {
    uint32_t refused = 0;

    begin();
    for (uint64_t free_bytes = 0; free_bytes <= 400000; free_bytes += 40000) {
        struct env_space space;
        enum status status;
        wreck_anew(&wreck);
        ck_assert_int_eq(env_space(wreck.env, OLD_DIR, &space, NULL), STATUS_OK);
        env_memory_set_space(wreck.env, space.total_bytes - space.free_bytes + free_bytes);
        status = wreck_try_salvage(&wreck);
        ck_assert_msg(status == STATUS_NO_SPACE, "%s: %s", status_name(status), wreck.error.text);
        refused++;
    }
    ck_assert_uint_gt(refused, 5);
    wreck_anew(&wreck);
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_OK);
    expect_equal("with room", 0);
    wreck_deinit(&wreck);
}
END_TEST

/* How many allocations a salvage takes. */
static uint64_t count_allocations(void) {
    uint64_t before;

    wreck_anew(&wreck);
    before = memory_allocation_count();
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_OK);
    return memory_allocation_count() - before;
}

/* No memory is never taken for damage: all, or an error. */
START_TEST(an_allocation_that_fails_is_an_error_or_makes_no_difference) {
    uint32_t failed = 0;
    uint64_t total;

    begin();
    total = count_allocations();
    for (uint64_t n = 0; n < TRIES; n++) {
        enum status status;
        wreck_anew(&wreck);
        wreck.fail_after = n < 15 ? n : n * total / TRIES + n % 7;
        wreck.fail_for_ever = n % 3 == 0;
        status = wreck_try_salvage(&wreck);
        if (status == STATUS_OK) {
            expect_equal("allocation", wreck.fail_after);
        } else {
            ck_assert_msg(status == STATUS_NO_MEMORY, "allocation %llu: %s: %s",
                          (unsigned long long)wreck.fail_after, status_name(status),
                          wreck.error.text);
            failed++;
        }
        wreck.fail_after = UINT64_MAX;
    }
    ck_assert_uint_gt(failed, TRIES / 4);
    wreck_deinit(&wreck);
}
END_TEST

static uint64_t count_calls(uint32_t kinds) {
    uint64_t calls;

    wreck_anew(&wreck);
    ck_assert_int_eq(env_fault_create(wreck.env, NULL, &wreck.faulty), STATUS_OK);
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_OK);
    calls = env_fault_calls(wreck.faulty, kinds);
    env_fault_destroy(wreck.faulty);
    wreck.faulty = NULL;
    return calls;
}

static enum status salvage_with(const struct fault_rule *rule, uint64_t *fired_out) {
    enum status status;

    wreck_anew(&wreck);
    ck_assert_int_eq(env_fault_create(wreck.env, NULL, &wreck.faulty), STATUS_OK);
    env_fault_add(wreck.faulty, rule);
    status = wreck_try_salvage(&wreck);
    *fired_out = env_fault_fired(wreck.faulty);
    env_fault_destroy(wreck.faulty);
    wreck.faulty = NULL;
    return status;
}

START_TEST(a_call_that_fails_in_the_new_folder_is_an_error_or_makes_no_difference) {
    static const enum fault faults[] = {FAULT_IS_EIO, FAULT_IS_ENOSPC, FAULT_IS_SHORT};
    uint32_t failed = 0;
    uint64_t total;

    begin();
    total = count_calls(FAULT_WRITES);
    for (uint64_t n = 0; n < TRIES; n++) {
        struct fault_rule rule = {.kinds = FAULT_WRITES,
                                  .path_part = NEW_DIR,
                                  .countdown = 1 + (n < 20 ? n : n * total / TRIES),
                                  .for_ever = n % 4 == 3,
                                  .fault = faults[n % 3]};
        uint64_t fired;
        enum status status = salvage_with(&rule, &fired);
        if (status == STATUS_OK) {
            expect_equal("write", rule.countdown);
        } else {
            ck_assert_msg(status == STATUS_IO || status == STATUS_NO_SPACE, "write %llu: %s: %s",
                          (unsigned long long)rule.countdown, status_name(status),
                          wreck.error.text);
            ck_assert_uint_gt(fired, 0);
            failed++;
        }
    }
    ck_assert_uint_gt(failed, TRIES / 3);
    wreck_deinit(&wreck);
}
END_TEST

/* What the old disk does not give is lost, and counted; or the salvage fails. */
START_TEST(a_read_that_fails_in_the_old_folder_is_a_loss_or_an_error) {
    const uint32_t kinds = FAULT_READ | FAULT_READ_NOWAIT | FAULT_OPEN | FAULT_SIZE | FAULT_LIST;
    uint32_t losses = 0;
    uint64_t total;

    begin();
    total = count_calls(kinds);
    for (uint64_t n = 0; n < TRIES; n++) {
        struct fault_rule rule = {.kinds = kinds,
                                  .path_part = OLD_DIR,
                                  .countdown = 1 + (n < 20 ? n : n * total / TRIES),
                                  .fault = FAULT_IS_EIO};
        uint64_t fired;
        enum status status = salvage_with(&rule, &fired);
        if (status == STATUS_OK) {
            struct tally tally = wreck_look(&wreck);
            if (tally.right < tally.live || tally.old + tally.old_labelled > 0) {
                ck_assert_msg(wreck.result.entries_lost > 0, "read %llu: %s",
                              (unsigned long long)rule.countdown, tally.first);
                losses++;
            }
        } else {
            ck_assert_msg(status == STATUS_IO, "read %llu: %s: %s",
                          (unsigned long long)rule.countdown, status_name(status),
                          wreck.error.text);
            losses++;
        }
    }
    ck_assert_uint_gt(losses, 3);
    wreck_deinit(&wreck);
}
END_TEST

/* ---- Damage anywhere --------------------------------------------------------------------------
 */

/* Which kinds of things were hit. */
struct hits {
    bool manifest;
    bool tables;
    bool log;      /* a segment that holds what is not flushed */
    bool all_else; /* all that is no segment is gone */
};

static bool holds_log(const struct found_file *file) {
    for (uint32_t i = 0; i < places.count; i++) {
        const struct place *place = &places.list[i];
        if (place->path == file->path && place->segment_kind == SEGMENT_COMMIT) {
            for (size_t f = 0; f < wreck.facts.count; f++) {
                const struct fact *fact = &wreck.facts.list[f];
                if (fact->unflushed && place->kind == PLACE_META &&
                    fact->info.version == place->first_version) {
                    return true;
                }
            }
        }
    }
    return false;
}

static void blank(const struct found_file *file, uint64_t offset) {
    static const uint8_t zeros[512];
    size_t len = file->size_bytes - offset < 512 ? (size_t)(file->size_bytes - offset) : 512;

    ck_assert_int_eq(env_memory_poke(wreck.env, file->path, offset, slice_make(zeros, len)),
                     STATUS_OK);
}

/* Files that are gone already are left alone. */
static void hit(struct random *random, bool gone[FILES_MAX], struct hits *hits) {
    uint32_t number = (uint32_t)random_below(random, files.count);
    const struct found_file *file = &files.list[number];
    uint64_t offset = random_below(random, file->size_bytes);
    uint64_t way = random_below(random, 20);

    if (gone[number]) {
        return;
    }
    hits->manifest |= file->kind == FILE_MANIFEST;
    hits->tables |= file->kind == FILE_TABLE;
    hits->log |= file->kind == FILE_SEGMENT && holds_log(file);
    gone[number] = way < 2;
    if (way == 0) {
        destroy(&wreck, file);
    } else if (way == 1) {
        ck_assert_int_eq(env_memory_truncate(wreck.env, file->path, offset), STATUS_OK);
    } else if (way < 5) {
        blank(file, offset & ~UINT64_C(511));
    } else {
        flip(&wreck, file->path, offset);
    }
}

static void leave_segments_alone(bool gone[FILES_MAX], struct hits *hits) {
    for (uint32_t i = 0; i < files.count; i++) {
        if (files.list[i].kind != FILE_SEGMENT) {
            destroy(&wreck, &files.list[i]);
            gone[i] = true;
        }
    }
    *hits = (struct hits){true, true, false, true};
}

static void salvage_what_seed_left(uint64_t seed, const struct hits *hits) {
    struct tally tally = wreck_salvage(&wreck);
    unsigned long long number = seed;

    if (hits->all_else) {
        ck_assert_msg(tally.old == 0 && tally.right == tally.right_labelled, "seed %llu", number);
    }
    if (hits->all_else || !hits->tables) {
        ck_assert_msg(wreck.result.has_order != hits->all_else, "seed %llu: order", number);
    }
    if (!hits->log && !hits->tables) { /* only values may be lost */
        ck_assert_msg(tally.old + tally.old_labelled == 0, "seed %llu: %s", number, tally.first);
    }
    if (!hits->log && !hits->manifest) {
        ck_assert_msg(tally.old == 0, "seed %llu: %s", number, tally.first);
        ck_assert_msg(tally.right == tally.live || wreck.result.entries_lost > 0,
                      "seed %llu: not counted: %s", number, tally.first);
    }
}

/* KVD_SEED=n runs that seed alone. */
START_TEST(whatever_is_damaged_nothing_wrong_is_stored) {
    const char *only = getenv("KVD_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 0;

    begin();
    for (uint64_t seed = first; seed < (only ? first + 1 : SEEDS); seed++) {
        struct random random = random_make(seed);
        struct hits hits = {0};
        bool gone[FILES_MAX] = {false};
        uint64_t count = 1 + random_below(&random, seed % 4 == 0 ? 40 : 6);
        wreck_anew(&wreck);
        facts_spoil_all(&wreck.facts);
        if (seed % 5 == 4) {
            leave_segments_alone(gone, &hits);
        }
        for (uint64_t i = 0; i < count; i++) {
            hit(&random, gone, &hits);
        }
        salvage_what_seed_left(seed, &hits);
    }
    wreck_deinit(&wreck);
}
END_TEST

UNIT_MAIN("store salvage failure", a_folder_that_is_there_is_refused_and_not_touched,
          a_store_is_not_salvaged_into_itself, a_store_that_somebody_has_open_is_refused,
          where_there_is_no_store_none_is_made, a_new_folder_without_a_parent_is_refused,
          a_full_disk_is_said_and_loses_nothing,
          an_allocation_that_fails_is_an_error_or_makes_no_difference,
          a_call_that_fails_in_the_new_folder_is_an_error_or_makes_no_difference,
          a_read_that_fails_in_the_old_folder_is_a_loss_or_an_error,
          whatever_is_damaged_nothing_wrong_is_stored)
