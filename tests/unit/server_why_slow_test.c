/* server_why_slow_test.c: where the time went, in words; and statistics of a minute ago. */
#include "protocol/base/memory.h"
#include "server/figures.h"
#include "server/why_slow.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define LINES_MAX 32

/* What was told. */
struct story {
    uint32_t count;
    char kinds[LINES_MAX][16];
    char texts[LINES_MAX][WHY_SLOW_TEXT_MAX];
    uint64_t us[LINES_MAX];
};

struct place {
    struct latency *latency; /* owned */
    struct why_slow_input input;
};

static struct place open_place(void) {
    struct place place = {.latency = memory_alloc_zeroed(sizeof(struct latency))};

    ck_assert_ptr_nonnull(place.latency);
    place.input.growth.at_ms = 60000;
    place.input.growth.values[FIGURE_DISK_FREE] = UINT64_C(1) << 40;
    place.input.growth.values[FIGURE_DISK_RESERVE] = 1 << 20;
    place.input.client_memory_limit_bytes = 1000;
    return place;
}

static void close_place(struct place *place) {
    memory_free(place->latency);
}

/* Requests of `us` each, all of it in `phase`. */
static void took(struct place *place, enum metric metric, enum latency_phase phase, uint64_t us,
                 uint64_t times) {
    struct latency_sample sample = {.total_us = us};

    sample.phase_us[phase] = us;
    latency_add(place->latency, latency_command(metric), &sample, times);
}

static void grew(struct place *place, enum figure figure, uint64_t amount) {
    place->input.growth.values[figure] = amount;
}

static void line_cb(void *arg, const char *kind, const char *text, uint64_t us) {
    struct story *story = arg;

    ck_assert_uint_lt(story->count, LINES_MAX);
    snprintf(story->kinds[story->count], sizeof story->kinds[0], "%s", kind);
    snprintf(story->texts[story->count], sizeof story->texts[0], "%s", text);
    story->us[story->count++] = us;
}

static void tell(struct place *place, struct story *story) {
    struct latency *const all[] = {NULL, place->latency};

    memset(story, 0, sizeof *story);
    place->input.latencies = all;
    place->input.latency_count = 2;
    why_slow(&place->input, line_cb, story);
    ck_assert_str_eq(story->kinds[0], "summary");
}

static uint32_t findings(const struct story *story) {
    uint32_t count = 0;

    for (uint32_t i = 0; i < story->count; i++) {
        count += strcmp(story->kinds[i], "finding") == 0;
    }
    return count;
}

/* The one finding, or the first. */
static const char *finding(const struct story *story) {
    for (uint32_t i = 0; i < story->count; i++) {
        if (strcmp(story->kinds[i], "finding") == 0) {
            return story->texts[i];
        }
    }
    return "";
}

#define check_said(text, part) ck_assert_msg(strstr(text, part), "'%s' is not in: %s", part, text)

START_TEST(without_requests_there_is_nothing_to_say) {
    struct place place = open_place();
    struct story story;

    tell(&place, &story);
    ck_assert_uint_eq(story.count, 1);
    check_said(story.texts[0], "no requests");
    close_place(&place);
}
END_TEST

START_TEST(fast_requests_are_summed_up_and_nothing_is_found) {
    struct place place = open_place();
    struct story story;

    took(&place, METRIC_REQUESTS_GET, LATENCY_WORKED, 20, 1000);
    took(&place, METRIC_REQUESTS_PUT, LATENCY_COMMITTED, 90, 100);
    took(&place, METRIC_REQUESTS_STATS, LATENCY_WORKED, 900, 100); /* a look at the server */
    tell(&place, &story);
    ck_assert_uint_eq(story.count, 3);
    check_said(story.texts[0], "1100 requests in the last one to two minutes took 29.0 ms in all");
    check_said(story.texts[0], "nothing stands out");
    ck_assert_str_eq(story.texts[1], "get: 1000 requests, half within 20 us, 99% within 20 us, "
                                     "longest 20 us; work 100%");
    ck_assert_uint_eq(story.us[1], 20000);
    check_said(story.texts[2], "put: 100 requests");
    check_said(story.texts[2], "; commit 100%");
    close_place(&place);
}
END_TEST

START_TEST(the_busiest_eight_commands_are_told_of_in_order) {
    struct place place = open_place();
    struct story story;

    for (uint32_t i = 0; i < 9; i++) {
        took(&place, (enum metric)(METRIC_REQUESTS_GET + (i * 5) % 9), LATENCY_WORKED, 100 + i, 1);
    }
    tell(&place, &story);
    ck_assert_uint_eq(story.count, 1 + WHY_SLOW_COMMANDS_MAX);
    for (uint32_t i = 1; i <= WHY_SLOW_COMMANDS_MAX; i++) {
        ck_assert_uint_eq(story.us[i], 109 - i);
    }
    close_place(&place);
}
END_TEST

START_TEST(each_phase_that_takes_too_much_is_found) {
    static const struct {
        enum latency_phase phase;
        const char *said;
    } cases[] = {{LATENCY_WAITED, "others of their own connection"},
                 {LATENCY_QUEUED, "a free I/O thread"},
                 {LATENCY_WORKED, "worked for a request"},
                 {LATENCY_COMMITTED, "on their way through the log"},
                 {LATENCY_HELD, "held back until"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place place = open_place();
        struct story story;
        took(&place, METRIC_REQUESTS_GET, cases[i].phase, 20000, 50);
        tell(&place, &story);
        ck_assert_uint_eq(findings(&story), 1);
        check_said(finding(&story), cases[i].said);
        check_said(finding(&story), "100% of the time");
        close_place(&place);
    }
}
END_TEST

START_TEST(slow_syncs_are_told_with_their_time) {
    struct place place = open_place();
    struct story story;

    took(&place, METRIC_REQUESTS_PUT, LATENCY_COMMITTED, 20000, 300);
    grew(&place, FIGURE_LOG_SYNCS, 100);
    grew(&place, FIGURE_LOG_SYNC_US, 1500000);
    grew(&place, FIGURE_COMMITS, 300);
    tell(&place, &story);
    ck_assert_uint_eq(findings(&story), 1);
    check_said(finding(&story), "took 15.0 ms for each of 100 syncs, with 3.0 commits in one");
    close_place(&place);
}
END_TEST

START_TEST(what_others_wait_for_is_found_though_it_takes_less) {
    struct place place = open_place();
    struct story story;

    took(&place, METRIC_REQUESTS_PUT, LATENCY_COMMITTED, 20000, 2);
    took(&place, METRIC_REQUESTS_GET, LATENCY_WAITED, 20000, 8);
    tell(&place, &story);
    ck_assert_uint_eq(findings(&story), 2);
    check_said(story.texts[3], "80% of the time requests waited for others");
    check_said(story.texts[4], "20% of the time writes");
    close_place(&place);
}
END_TEST

START_TEST(delays_of_writes_are_found_with_their_cause) {
    static const struct {
        enum figure figure;
        enum figure limit;
        const char *said;
    } cases[] = {
        {FIGURE_SPACE_UNREFERENCED, FIGURE_SPACE_UNREFERENCED_LIMIT, "cleaning of the log"},
        {FIGURE_SPACE_ABOVE, FIGURE_SPACE_ABOVE_LIMIT, "compaction lags, and puts wait"},
        {FIGURE_MEMTABLES_FROZEN, FIGURE_MEMTABLES_FROZEN, "wait to be flushed"},
        {FIGURE_LEVEL_0_TABLES, FIGURE_LEVEL_0_TABLES, "compaction of level 0"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place place = open_place();
        struct story story;
        took(&place, METRIC_REQUESTS_PUT, LATENCY_COMMITTED, 100, 10);
        grew(&place, FIGURE_WRITE_DELAYS, 3);
        grew(&place, FIGURE_WRITE_DELAY_MS, 12);
        grew(&place, FIGURE_SPACE_UNREFERENCED_LIMIT, 100);
        grew(&place, FIGURE_SPACE_ABOVE_LIMIT, 100);
        grew(&place, cases[i].limit, 100);
        grew(&place, cases[i].figure, 95);
        tell(&place, &story);
        ck_assert_uint_eq(findings(&story), 1);
        check_said(finding(&story), "held up 3 times, 12.0 ms in all");
        check_said(finding(&story), cases[i].said);
        close_place(&place);
    }
}
END_TEST

START_TEST(reads_from_the_disk_and_background_work_are_found) {
    struct place place = open_place();
    struct story story;

    took(&place, METRIC_REQUESTS_GET, LATENCY_WORKED, 20000, 10);
    grew(&place, FIGURE_GETS, 100);
    grew(&place, FIGURE_GETS_BLOCKED, 20);
    grew(&place, FIGURE_CACHE_HITS, 30);
    grew(&place, FIGURE_CACHE_MISSES, 10);
    grew(&place, FIGURE_CACHE_CAPACITY, 64 << 20);
    grew(&place, FIGURE_COMPACTION_INPUT, UINT64_C(600) << 20);
    grew(&place, FIGURE_GC_COPIED, UINT64_C(60) << 20);
    tell(&place, &story);
    ck_assert_uint_eq(findings(&story), 3);
    check_said(story.texts[3],
               "20% of the reads of a key had to go to the disk; the block cache, of "
               "64 MiB, had 75% of the blocks");
    check_said(story.texts[4], "compaction moved 10.0 MiB/s, cleaning of the log copied 1.0 MiB/s");
    close_place(&place);
}
END_TEST

START_TEST(troubles_come_first_though_nothing_is_slow) {
    struct place place = open_place();
    struct story story;

    took(&place, METRIC_REQUESTS_GET, LATENCY_WORKED, 20, 1000);
    grew(&place, FIGURE_OLDEST_SNAPSHOT_AGE_MS, 2 * 3600 * 1000);
    grew(&place, FIGURE_JOB_FAILURES, 2);
    grew(&place, FIGURE_DISK_FREE, 1 << 20);
    grew(&place, FIGURE_LOG_FAILED, 1);
    place.input.client_memory_bytes = 700;
    tell(&place, &story);
    ck_assert_uint_eq(findings(&story), 5);
    check_said(story.texts[2], "The log could not be written");
    check_said(story.texts[3], "nearly full: 1 MiB are free");
    check_said(story.texts[4], "failed 2 times");
    check_said(story.texts[5], "70% of the memory");
    check_said(story.texts[6], "open for 120 minutes");
    ck_assert(!strstr(story.texts[0], "nothing stands out"));
    close_place(&place);
}
END_TEST

START_TEST(everything_at_once_fits) {
    struct place place = open_place();
    struct story story;

    for (uint32_t phase = 0; phase < LATENCY_PHASES; phase++) {
        took(&place, METRIC_REQUESTS_GET, (enum latency_phase)phase, UINT64_MAX >> 24, 1);
    }
    took(&place, METRIC_REQUESTS_PUT, LATENCY_COMMITTED, UINT64_MAX >> 20, 1);
    for (uint32_t i = 0; i < FIGURE_COUNT; i++) {
        grew(&place, (enum figure)i, UINT64_MAX / 16);
    }
    place.input.client_memory_bytes = UINT64_MAX;
    tell(&place, &story);
    ck_assert_uint_ge(findings(&story), 7);
    close_place(&place);
}
END_TEST

/* ---- Figures */

static struct figures figures_at(uint64_t at_ms, uint64_t commits) {
    struct figures figures = {.at_ms = at_ms};

    figures.values[FIGURE_COMMITS] = commits;
    figures.values[FIGURE_MEMTABLES_FROZEN] = commits;
    return figures;
}

START_TEST(sums_are_subtracted_and_others_are_as_they_are) {
    const struct figures before = figures_at(1000, 10);
    const struct figures now = figures_at(61000, 25);
    struct figures growth;

    figures_subtract(&now, &before, &growth);
    ck_assert_uint_eq(growth.at_ms, 60000);
    ck_assert_uint_eq(growth.values[FIGURE_COMMITS], 15);
    ck_assert_uint_eq(growth.values[FIGURE_MEMTABLES_FROZEN], 25);
    figures_subtract(&before, &now, &growth);
    ck_assert_uint_eq(growth.values[FIGURE_COMMITS], 0);
    ck_assert_uint_eq(growth.at_ms, 0);
}
END_TEST

static uint64_t commits_before(struct figures_past *past, uint64_t now_ms) {
    struct figures found;

    ck_assert(figures_past_find(past, now_ms, &found));
    return found.values[FIGURE_COMMITS];
}

START_TEST(the_newest_that_is_a_minute_old_is_found_else_the_oldest) {
    struct figures_past *past;
    struct figures found;

    ck_assert_int_eq(figures_past_create(&past), STATUS_OK);
    ck_assert(!figures_past_find(past, 5, &found));
    for (uint64_t i = 0; i < 10; i++) {
        struct figures figures = figures_at(i * FIGURES_EVERY_MS, i);
        figures_past_keep(past, &figures);
        ck_assert_uint_eq(commits_before(past, i * FIGURES_EVERY_MS), i < 2 ? 0 : i - 2);
        ck_assert_uint_eq(commits_before(past, (i + 1) * FIGURES_EVERY_MS - 1), i < 2 ? 0 : i - 2);
    }
    figures_past_destroy(past);
}
END_TEST

START_TEST(without_memory_no_past_is_kept) {
    const struct figures figures = figures_at(1, 1);
    struct figures_past *past = NULL;
    struct figures found;

    memory_fail_after(0, true);
    ck_assert_int_eq(figures_past_create(&past), STATUS_NO_MEMORY);
    memory_fail_never();
    figures_past_keep(NULL, &figures);
    ck_assert(!figures_past_find(NULL, 1, &found));
    figures_past_destroy(NULL);
}
END_TEST

static void known_cb(void *arg, const char *name, uint64_t value) {
    static const char *const names[] = {
#define FIGURES_NAME(code, name, grows) name,
        FIGURES_LIST(FIGURES_NAME)
#undef FIGURES_NAME
    };
    struct story *known = arg;

    (void)value;
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        known->count += strcmp(names[i], name) == 0;
    }
}

/* A name that the store does not know would be 0 for ever. */
START_TEST(the_store_knows_every_figure) {
    struct store_options options;
    struct store *store;
    struct figures figures;
    struct story known;
    struct error error;

    store_options_init(&options, "figures");
    options.in_memory = true;
    options.memory_limit_bytes = 64u << 20;
    ck_assert_int_eq(store_open(&options, &store, &error), STATUS_OK);
    figures_take(store, 17, &figures);
    ck_assert_uint_eq(figures.at_ms, 17);
    ck_assert_uint_gt(figures.values[FIGURE_CACHE_CAPACITY], 0);
    ck_assert_uint_gt(figures.values[FIGURE_SPACE_UNREFERENCED_LIMIT], 0);
    known.count = 0;
    store_stats(store, known_cb, &known);
    ck_assert_uint_eq(known.count, FIGURE_COUNT);
    ck_assert_int_eq(store_close(store, &error), STATUS_OK);
}
END_TEST

UNIT_MAIN("server_why_slow", without_requests_there_is_nothing_to_say,
          fast_requests_are_summed_up_and_nothing_is_found,
          the_busiest_eight_commands_are_told_of_in_order, each_phase_that_takes_too_much_is_found,
          slow_syncs_are_told_with_their_time, what_others_wait_for_is_found_though_it_takes_less,
          delays_of_writes_are_found_with_their_cause,
          reads_from_the_disk_and_background_work_are_found,
          troubles_come_first_though_nothing_is_slow, everything_at_once_fits,
          sums_are_subtracted_and_others_are_as_they_are,
          the_newest_that_is_a_minute_old_is_found_else_the_oldest, without_memory_no_past_is_kept,
          the_store_knows_every_figure)
