/* server_latency_test.c: histograms of how long requests took, and where the time went. */
#include "protocol/base/memory.h"
#include "server/burst.h"
#include "server/trace.h"
#include "tests/unit/unit.h"

#include <string.h>

#define GET latency_command(METRIC_REQUESTS_GET)
#define PUT latency_command(METRIC_REQUESTS_PUT)

static struct latency *fresh(void) {
    struct latency *latency = memory_alloc_zeroed(sizeof *latency);

    ck_assert_ptr_nonnull(latency);
    return latency;
}

static void took(struct latency *latency, uint32_t command, uint64_t us, uint64_t times) {
    struct latency_sample sample = {.total_us = us, .phase_us = {[LATENCY_WORKED] = us}};

    latency_add(latency, command, &sample, times);
}

static struct latency_view view_of(struct latency *latency, uint32_t command,
                                   enum latency_window window) {
    struct latency *const all[] = {latency, NULL};
    struct latency_view view;

    latency_collect(all, 2, command, window, &view);
    return view;
}

START_TEST(every_time_is_in_the_first_bucket_that_reaches_it) {
    uint64_t below = 0;

    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        uint64_t top = latency_bucket_top_us(i);
        ck_assert_uint_eq(latency_bucket(top), i);
        ck_assert_uint_eq(latency_bucket(below), i);
        below = top + 1;
    }
    ck_assert_uint_eq(below, 0); /* the last one reaches everything */
}
END_TEST

START_TEST(a_bucket_is_at_most_a_sixteenth_wide) {
    for (uint32_t i = LATENCY_SUBS; i + 1 < LATENCY_BUCKETS; i++) {
        uint64_t low = latency_bucket_top_us(i - 1) + 1;
        uint64_t wide = latency_bucket_top_us(i) - low + 1;
        ck_assert_uint_le(wide * 16, low);
    }
    ck_assert_uint_ge(latency_bucket_top_us(LATENCY_BUCKETS - 2), 60000000);
}
END_TEST

START_TEST(without_requests_every_percentile_is_nothing) {
    struct latency *latency = fresh();
    struct latency_view view = view_of(latency, GET, LATENCY_ALL);

    ck_assert_uint_eq(view.count, 0);
    ck_assert_uint_eq(latency_percentile_us(&view, 0), 0);
    ck_assert_uint_eq(latency_percentile_us(&view, 100000), 0);
    memory_free(latency);
}
END_TEST

START_TEST(percentiles_are_of_those_that_were_as_fast) {
    struct latency *latency = fresh();
    struct latency_view view;

    took(latency, GET, 5, 980);
    took(latency, GET, 12, 19);
    took(latency, GET, 1000003, 1);
    took(latency, PUT, 77, 1);
    view = view_of(latency, GET, LATENCY_ALL);
    ck_assert_uint_eq(view.count, 1000);
    ck_assert_uint_eq(view.sum_us, 980 * 5 + 19 * 12 + 1000003);
    ck_assert_uint_eq(view.phase_us[LATENCY_WORKED], view.sum_us);
    ck_assert_uint_eq(latency_percentile_us(&view, 50000), 5);
    ck_assert_uint_eq(latency_percentile_us(&view, 98000), 5);
    ck_assert_uint_eq(latency_percentile_us(&view, 98001), 12);
    ck_assert_uint_eq(latency_percentile_us(&view, 99900), 12);
    ck_assert_uint_eq(latency_percentile_us(&view, 100000), 1000003); /* not the bucket's end */
    memory_free(latency);
}
END_TEST

START_TEST(a_time_above_all_buckets_is_the_greatest_of_the_last_one) {
    struct latency *latency = fresh();
    struct latency_view view;

    took(latency, GET, UINT64_C(1) << 40, 1);
    view = view_of(latency, GET, LATENCY_ALL);
    ck_assert_uint_eq(view.counts[LATENCY_BUCKETS - 1], 1);
    ck_assert_uint_eq(latency_percentile_us(&view, 99000), UINT64_C(1) << 40);
    memory_free(latency);
}
END_TEST

START_TEST(percentiles_of_more_requests_than_a_multiplication_holds) {
    struct latency_view view = {.max_us = 40};

    view.counts[latency_bucket(4)] = UINT64_C(1) << 62;
    view.counts[latency_bucket(9)] = UINT64_C(1) << 62;
    view.count = UINT64_C(1) << 63;
    ck_assert_uint_eq(latency_percentile_us(&view, 50000), 4);
    ck_assert_uint_eq(latency_percentile_us(&view, 51000), 9);
}
END_TEST

START_TEST(the_recent_are_forgotten_after_one_to_two_minutes) {
    struct latency *latency = fresh();

    took(latency, GET, 5, 3);
    latency_turn(latency, LATENCY_RECENT_MS - 1);
    ck_assert_uint_eq(view_of(latency, GET, LATENCY_RECENT).count, 3);
    latency_turn(latency, LATENCY_RECENT_MS);
    took(latency, GET, 7, 1);
    ck_assert_uint_eq(view_of(latency, GET, LATENCY_RECENT).count, 4);
    latency_turn(latency, 2 * LATENCY_RECENT_MS);
    ck_assert_uint_eq(view_of(latency, GET, LATENCY_RECENT).count, 1);
    ck_assert_uint_eq(view_of(latency, GET, LATENCY_RECENT).max_us, 7);
    latency_turn(latency, 3 * LATENCY_RECENT_MS);
    ck_assert_uint_eq(view_of(latency, GET, LATENCY_RECENT).count, 0);
    ck_assert_uint_eq(view_of(latency, GET, LATENCY_RECENT).phase_us[LATENCY_WORKED], 0);
    ck_assert_uint_eq(view_of(latency, GET, LATENCY_ALL).count, 4);
    memory_free(latency);
}
END_TEST

struct found {
    uint32_t lines;
    uint64_t p99_us;
    uint64_t recent_p99_us;
};

static void line_cb(void *arg, const char *name, uint64_t value) {
    struct found *found = arg;

    found->lines++;
    if (strcmp(name, "latency_get_range_p99_us") == 0) {
        found->p99_us = value;
    } else if (strcmp(name, "latency_get_range_recent_p99_us") == 0) {
        found->recent_p99_us = value;
    }
}

START_TEST(lines_are_of_the_commands_that_there_were) {
    struct latency *latency = fresh();
    struct latency *const all[] = {NULL, latency};
    struct found found = {0};

    took(latency, latency_command(METRIC_REQUESTS_GET_RANGE), 300, 1);
    latency_turn(latency, LATENCY_RECENT_MS);
    latency_turn(latency, 2 * LATENCY_RECENT_MS);
    latency_lines(all, 2, line_cb, &found);
    ck_assert_uint_eq(found.lines, 5);
    ck_assert_uint_eq(found.p99_us, 300);
    took(latency, latency_command(METRIC_REQUESTS_GET_RANGE), 10, 1);
    found = (struct found){0};
    latency_lines(all, 2, line_cb, &found);
    ck_assert_uint_eq(found.lines, 10);
    ck_assert_uint_eq(found.p99_us, 300);
    ck_assert_uint_eq(found.recent_p99_us, 10);
    memory_free(latency);
}
END_TEST

/* ---- One request */

START_TEST(the_phases_of_a_request_are_what_passed_between_marks) {
    struct trace trace;
    struct latency_sample sample;

    trace_begin(&trace, 1000000, 1003000);
    trace_phase(&trace, LATENCY_QUEUED, 1010000);
    trace_phase(&trace, LATENCY_WORKED, 1030000);
    trace_skip(&trace, 1032000);
    trace_phase(&trace, LATENCY_HELD, 1072000);
    trace_sample(&trace, 1072500, &sample);
    ck_assert_uint_eq(sample.phase_us[LATENCY_WAITED], 3);
    ck_assert_uint_eq(sample.phase_us[LATENCY_QUEUED], 7);
    ck_assert_uint_eq(sample.phase_us[LATENCY_WORKED], 20);
    ck_assert_uint_eq(sample.phase_us[LATENCY_COMMITTED], 0);
    ck_assert_uint_eq(sample.phase_us[LATENCY_HELD], 40);
    ck_assert_uint_eq(sample.total_us, 72);
}
END_TEST

START_TEST(a_clock_that_is_behind_takes_no_time_away) {
    struct trace trace;
    struct latency_sample sample;

    trace_begin(&trace, 1000000, 999000);
    trace_phase(&trace, LATENCY_WORKED, 1005000);
    trace_phase(&trace, LATENCY_COMMITTED, 1004000);
    trace_skip(&trace, 1);
    trace_sample(&trace, 999000, &sample);
    ck_assert_uint_eq(sample.total_us, 0);
    ck_assert_uint_eq(sample.phase_us[LATENCY_WORKED], 5);
    ck_assert_uint_eq(sample.phase_us[LATENCY_COMMITTED], 0);
}
END_TEST

START_TEST(waiting_for_what_is_to_come_is_no_time_of_the_request) {
    struct trace trace;
    struct latency_sample sample;

    trace_begin(&trace, 1000000, 1003000);
    trace_phase(&trace, LATENCY_WORKED, 1010000);
    trace_pause(&trace, 9010000);
    trace_pause(&trace, 9000000);
    trace_phase(&trace, LATENCY_WORKED, 9012000);
    trace_sample(&trace, 9012000, &sample);
    ck_assert_uint_eq(sample.total_us, 12);
    ck_assert_uint_eq(sample.phase_us[LATENCY_WORKED], 9);
}
END_TEST

START_TEST(all_requests_of_a_burst_take_until_its_end) {
    struct latency *latency = fresh();
    struct burst burst = {0};
    struct latency_view view;
    struct latency_sample sample;

    burst_begin(&burst, 5000);
    ck_assert_uint_eq(burst_end(&burst, latency, 4000, 6000, &sample), 0);
    burst_begin(&burst, 1000000);
    burst_add(&burst, GET, slice_from_text("frame"));
    burst_add(&burst, PUT, slice_from_text("another"));
    burst_add(&burst, GET, slice_from_text("frame"));
    ck_assert_uint_eq(burst_end(&burst, latency, 990000, 1005000, &sample), 3);
    ck_assert_uint_eq(sample.total_us, 15);
    ck_assert(slice_equal(burst.first, slice_from_text("frame")));
    view = view_of(latency, GET, LATENCY_ALL);
    ck_assert_uint_eq(view.count, 2);
    ck_assert_uint_eq(view.max_us, 15);
    ck_assert_uint_eq(view.phase_us[LATENCY_WAITED], 20);
    ck_assert_uint_eq(view.phase_us[LATENCY_WORKED], 10);
    ck_assert_uint_eq(view_of(latency, PUT, LATENCY_ALL).count, 1);
    ck_assert_uint_eq(burst_end(&burst, latency, 990000, 1005000, &sample),
                      0); /* they are counted once */
    memory_free(latency);
}
END_TEST

UNIT_MAIN("server_latency", every_time_is_in_the_first_bucket_that_reaches_it,
          a_bucket_is_at_most_a_sixteenth_wide, without_requests_every_percentile_is_nothing,
          percentiles_are_of_those_that_were_as_fast,
          a_time_above_all_buckets_is_the_greatest_of_the_last_one,
          percentiles_of_more_requests_than_a_multiplication_holds,
          the_recent_are_forgotten_after_one_to_two_minutes,
          lines_are_of_the_commands_that_there_were,
          the_phases_of_a_request_are_what_passed_between_marks,
          a_clock_that_is_behind_takes_no_time_away,
          waiting_for_what_is_to_come_is_no_time_of_the_request,
          all_requests_of_a_burst_take_until_its_end)
