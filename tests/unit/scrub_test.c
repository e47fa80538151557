/* scrub_test.c: the store reads itself over and over, and says what the disk has spoilt. */
#include "storage/scrub.h"

#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/store_state.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEYS 60
#define RATE (UINT64_C(100) * 1024)
#define S_NS UINT64_C(1000000000)

static struct fixture fixture;
static uint32_t said;
static char last_line[1024];
static bool stops; /* at the first fault */

static void log_cb(void *arg, enum store_log_level level, const char *line) {
    (void)arg;
    if (level == STORE_LOG_ERROR) {
        said++;
        snprintf(last_line, sizeof last_line, "%s", line);
        if (stops) {
            scrub_stop(&fixture.store->scrub);
        }
    }
}

/* A few tables, and segments with values. */
static void begin(uint64_t rate) {
    char key[16];

    said = 0;
    fixture_init(&fixture, 1);
    fixture.options.log_cb = log_cb;
    fixture.options.scrub_bytes_per_s = rate;
    fixture_open(&fixture);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%02d", i);
        fixture_put_bytes(&fixture, key, i % 2 ? 6000 : 200, (uint64_t)i);
        if (i % 20 == 19) {
            ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
        }
    }
    fixture_reopen(&fixture); /* so that all segments are sealed */
}

static uint64_t rounds(void) {
    return fixture_stat(&fixture, "scrub_rounds");
}

/* Runs steps until so many rounds are over; false when that takes longer than `seconds`. */
static bool run_rounds(uint64_t count, uint64_t seconds) {
    uint64_t end_ns = scheduler_sim_now_ns(fixture.scheduler) + seconds * S_NS;

    while (rounds() < count && scheduler_sim_now_ns(fixture.scheduler) < end_ns) {
        ck_assert(scheduler_sim_run_one(fixture.scheduler, true));
    }
    return rounds() >= count;
}

struct search {
    enum file_kind kind;
    uint64_t number;
    uint64_t size_bytes;
    char path[ENV_PATH_MAX];
};

static enum status search_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct search *search = arg;
    enum file_kind kind;
    uint64_t number;

    if (file_name_parse(name, &kind, &number) && kind == search->kind &&
        size_bytes > search->size_bytes) {
        search->size_bytes = size_bytes;
        search->number = number;
        snprintf(search->path, sizeof search->path, "%s/%s", fixture.dir, name);
    }
    return STATUS_OK;
}

/* Flips a bit in the middle of the largest file of a kind. */
static struct search spoil(enum file_kind kind) {
    struct search search = {.kind = kind};
    struct env_file *file;
    uint8_t byte;
    size_t got;

    ck_assert_int_eq(env_list(fixture.env, fixture.dir, search_cb, &search, &fixture.error),
                     STATUS_OK);
    ck_assert_int_eq(env_open(fixture.env, search.path, ENV_READ_CACHED, &file, &fixture.error),
                     STATUS_OK);
    ck_assert_int_eq(env_read(file, search.size_bytes / 2, &byte, 1, &got, &fixture.error),
                     STATUS_OK);
    ck_assert_int_eq(env_file_close(file, &fixture.error), STATUS_OK);
    byte ^= 4;
    ck_assert_int_eq(
        env_memory_poke(fixture.memory, search.path, search.size_bytes / 2, slice_make(&byte, 1)),
        STATUS_OK);
    return search;
}

START_TEST(a_sound_store_is_read_round_after_round_and_nothing_is_said) {
    uint64_t bytes;

    begin(RATE);
    ck_assert(run_rounds(1, 120));
    bytes = fixture_stat(&fixture, "scrub_bytes");
    ck_assert_uint_gt(bytes, KEYS / 2 * 6000); /* each value, and more */
    ck_assert(run_rounds(3, 360));
    ck_assert_uint_ge(fixture_stat(&fixture, "scrub_bytes"), 3 * bytes);
    ck_assert_uint_eq(fixture_stat(&fixture, "scrub_faults"), 0);
    ck_assert_uint_eq(said, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_spoilt_table_is_found_within_a_round_and_said_once) {
    struct search table;

    begin(RATE);
    table = spoil(FILE_TABLE);
    ck_assert(run_rounds(1, 120));
    ck_assert_uint_eq(said, 1);
    ck_assert_ptr_nonnull(strstr(last_line, strrchr(table.path, '/') + 1));
    ck_assert_uint_eq(fixture_stat(&fixture, "scrub_faults"), 1);
    ck_assert_uint_eq(fixture_stat(&fixture, "scrub_last_fault"), table.number);
    ck_assert(run_rounds(2, 240)); /* the rest of the store goes on being read, and so does it */
    ck_assert_uint_eq(said, 2);
    fixture_put(&fixture, "more", "is still written");
    fixture_expect(&fixture, "more", "is still written");
    (void)store_close(fixture.store, &fixture.error); /* what met the damage may say so */
    fixture.store = NULL;
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_spoilt_value_in_the_log_is_found_and_its_segment_named) {
    struct search segment;

    begin(RATE);
    segment = spoil(FILE_SEGMENT);
    ck_assert(run_rounds(1, 120));
    ck_assert_uint_ge(said, 1);
    ck_assert_ptr_nonnull(strstr(last_line, strrchr(segment.path, '/') + 1));
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(it_reads_no_faster_than_it_may) {
    uint64_t from_ns;
    uint64_t seconds;

    begin(RATE / 20); /* so that the rest between two rounds does not count */
    from_ns = scheduler_sim_now_ns(fixture.scheduler);
    ck_assert(run_rounds(2, 600));
    seconds = (scheduler_sim_now_ns(fixture.scheduler) - from_ns) / S_NS;
    ck_assert_uint_ge(seconds, fixture_stat(&fixture, "scrub_bytes") / (RATE / 20));
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(without_a_rate_nothing_is_read) {
    begin(0);
    ck_assert(!run_rounds(1, 60));
    ck_assert_uint_eq(fixture_stat(&fixture, "scrub_bytes"), 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_rate_may_change_at_any_time) {
    uint64_t bytes;

    begin(0);
    store_set_rates(fixture.store, 0, RATE);
    ck_assert(run_rounds(1, 240));
    store_set_rates(fixture.store, 0, 0);
    bytes = fixture_stat(&fixture, "scrub_bytes");
    ck_assert(!run_rounds(2, 60));
    ck_assert_uint_eq(fixture_stat(&fixture, "scrub_bytes"), bytes);
    store_set_rates(fixture.store, 0, 1); /* a byte a second: it rests for hours */
    ck_assert(!run_rounds(2, 60));
    store_set_rates(fixture.store, 0, RATE);
    ck_assert(run_rounds(2, 240));
    store_set_rates(fixture.store, 0, RATE);
    ck_assert(run_rounds(3, 240));
    ck_assert_uint_eq(said, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(files_that_jobs_take_away_meanwhile_are_no_fault) {
    begin(RATE);
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%02d", i % KEYS);
        fixture_put_bytes(&fixture, key, 6000, (uint64_t)i);
        for (int j = 0; j < 40; j++) {
            (void)scheduler_sim_run_one(fixture.scheduler, true);
        }
    }
    ck_assert(run_rounds(rounds() + 1, 240));
    ck_assert_uint_eq(said, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_step_that_is_told_to_stop_leaves_its_file_and_a_store_closes_meanwhile) {
    uint64_t whole;

    begin(RATE);
    ck_assert(run_rounds(1, 120));
    whole = fixture_stat(&fixture, "scrub_bytes");
    fixture_close(&fixture); /* while it waits for its time */
    fixture_open(&fixture);
    (void)spoil(FILE_SEGMENT);
    stops = true;
    ck_assert(!run_rounds(1, 120));
    stops = false;
    ck_assert_uint_eq(said, 1);
    ck_assert_uint_lt(fixture_stat(&fixture, "scrub_bytes"), whole);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_store_with_threads_closes_while_it_is_read) {
    said = 0;
    fixture_init_on_disk(&fixture);
    fixture.options.log_cb = log_cb;
    fixture.options.scrub_bytes_per_s = UINT64_C(1) << 40;
    fixture_open(&fixture);
    for (int i = 0; i < 20; i++) {
        fixture_put_bytes(&fixture, "key", 100000, (uint64_t)i);
    }
    fixture_reopen(&fixture);
    while (fixture_stat(&fixture, "scrub_bytes") == 0) {
        usleep(1000);
    }
    fixture_reopen(&fixture);
    ck_assert_uint_eq(said, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(want_of_memory_is_not_taken_for_damage) {
    begin(RATE);
    for (uint64_t n = 0; n < 40; n++) {
        for (int i = 0; i < 30; i++) {
            memory_fail_after(n, true);
            (void)scheduler_sim_run_one(fixture.scheduler, true);
            memory_fail_never();
        }
    }
    ck_assert_uint_eq(fixture_stat(&fixture, "scrub_faults"), 0);
    ck_assert(run_rounds(rounds() + 1, 240));
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("scrub", a_sound_store_is_read_round_after_round_and_nothing_is_said,
          a_spoilt_table_is_found_within_a_round_and_said_once,
          a_spoilt_value_in_the_log_is_found_and_its_segment_named, it_reads_no_faster_than_it_may,
          without_a_rate_nothing_is_read, a_rate_may_change_at_any_time,
          files_that_jobs_take_away_meanwhile_are_no_fault,
          a_step_that_is_told_to_stop_leaves_its_file_and_a_store_closes_meanwhile,
          a_store_with_threads_closes_while_it_is_read, want_of_memory_is_not_taken_for_damage)
