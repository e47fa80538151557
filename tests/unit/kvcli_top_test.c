/* kvcli_top_test.c: what `kvcli top` makes of two samples. */
#include "client/kvcli/top_page.h"
#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <string.h>

struct fixture {
    struct top_sample before;
    struct top_sample now;
    struct top_report report;
    struct top_page page;
};

/* Two seconds lie between the samples. */
static struct fixture *begin(void) {
    struct fixture *fixture = memory_alloc_zeroed(sizeof *fixture);

    ck_assert_ptr_nonnull(fixture);
    fixture->before.at_ns = 1000000000;
    fixture->now.at_ns = 3000000000;
    fixture->now.at_ms = 1000000;
    return fixture;
}

static void tell(struct fixture *fixture, const char *name, const char *before, const char *now) {
    if (before) {
        top_sample_add(name, before, &fixture->before);
    }
    if (now) {
        top_sample_add(name, now, &fixture->now);
    }
}

static const struct top_report *report_of(struct fixture *fixture) {
    top_report_make(&fixture->before, &fixture->now, &fixture->report);
    return &fixture->report;
}

static const char *line_of(struct fixture *fixture, const char *begins, size_t rows) {
    top_page_fill(&fixture->page, report_of(fixture), "unix:s", rows);
    for (size_t i = 0; i < fixture->page.count; i++) {
        if (strncmp(fixture->page.lines[i], begins, strlen(begins)) == 0) {
            return fixture->page.lines[i];
        }
    }
    return "";
}

START_TEST(counters_are_told_as_rates_and_the_rest_as_it_is) {
    struct fixture *fixture = begin();

    tell(fixture, "server.bytes_in", "1000", "5000");
    tell(fixture, "server.connections", "9", "7");
    tell(fixture, "server.started_at_ms", "900000", "900000");
    ck_assert_double_eq(report_of(fixture)->figures[TOP_BYTES_IN], 2000);
    ck_assert_double_eq(fixture->report.figures[TOP_CONNECTIONS], 7);
    ck_assert_double_eq(fixture->report.seconds, 2);
    ck_assert_uint_eq(fixture->report.uptime_ms, 100000);
    memory_free(fixture);
}
END_TEST

START_TEST(a_counter_that_went_back_counts_from_zero) {
    struct fixture *fixture = begin();

    tell(fixture, "storage.commits", "1000", "10");
    tell(fixture, "server.bytes_out", NULL, "6"); /* new */
    ck_assert_double_eq(report_of(fixture)->figures[TOP_COMMITS], 5);
    ck_assert_double_eq(fixture->report.figures[TOP_BYTES_OUT], 3);
    memory_free(fixture);
}
END_TEST

START_TEST(what_a_server_does_not_tell_is_a_dash) {
    struct fixture *fixture = begin();

    ck_assert(isnan(report_of(fixture)->figures[TOP_MEMORY]));
    ck_assert(isnan(top_report_live_share(&fixture->report)));
    ck_assert_str_eq(line_of(fixture, "memory ", 0), "memory     -, clients -");
    for (size_t i = 0; i < fixture->page.count; i++) {
        ck_assert_ptr_null(strstr(fixture->page.lines[i], "nan"));
    }
    memory_free(fixture);
}
END_TEST

START_TEST(commands_stand_in_the_order_of_their_rates) {
    struct fixture *fixture = begin();

    tell(fixture, "server.requests_get", "100", "300");
    tell(fixture, "server.requests_put", "100", "900");
    tell(fixture, "server.requests_scan", "0", "0"); /* never asked */
    tell(fixture, "server.requests_ping", "5", "5");
    tell(fixture, "server.requests_failed", "0", "50"); /* of all commands */
    ck_assert_uint_eq(report_of(fixture)->command_count, 3);
    ck_assert_str_eq(fixture->report.commands[0].name, "put");
    ck_assert_double_eq(fixture->report.commands[0].per_second, 400);
    ck_assert_str_eq(fixture->report.commands[2].name, "ping");
    ck_assert_double_eq(fixture->report.requests, 500);
    ck_assert_double_eq(fixture->report.figures[TOP_FAILED], 25);
    memory_free(fixture);
}
END_TEST

START_TEST(latencies_are_shown_where_the_server_tells_them) {
    struct fixture *fixture = begin();

    tell(fixture, "server.requests_get", "0", "8");
    tell(fixture, "server.requests_put", "0", "6");
    ck_assert_ptr_null(strstr(line_of(fixture, "COMMAND", 0), "p99"));
    tell(fixture, "server.latency_get_p50_us", NULL, "5"); /* of the server's whole life */
    tell(fixture, "server.latency_get_recent_p50_us", NULL, "11");
    tell(fixture, "server.latency_get_recent_p99_us", NULL, "22");
    tell(fixture, "server.latency_get_recent_p999_us", NULL, "33");
    tell(fixture, "server.latency_get_recent_max_us", NULL, "44");
    ck_assert_ptr_nonnull(strstr(line_of(fixture, "COMMAND", 0), "p99.9 us"));
    ck_assert_str_eq(line_of(fixture, "get", 0),
                     "get                       4.0         11         22         33         44");
    ck_assert_str_eq(line_of(fixture, "put", 0), "put                       3.0");
    memory_free(fixture);
}
END_TEST

START_TEST(the_live_share_is_what_is_not_dead_pinned_or_damaged) {
    struct fixture *fixture = begin();

    tell(fixture, "storage.space_segment_bytes", NULL, "1000");
    tell(fixture, "storage.space_unreferenced", NULL, "200");
    tell(fixture, "storage.space_pinned", NULL, "100");
    tell(fixture, "storage.space_damaged", NULL, "50");
    ck_assert_double_eq_tol(top_report_live_share(report_of(fixture)), 0.65, 1e-9);
    ck_assert_ptr_nonnull(strstr(line_of(fixture, "segments", 0), "live 65.0 %"));
    memory_free(fixture);
}
END_TEST

START_TEST(only_levels_with_tables_are_shown) {
    struct fixture *fixture = begin();

    tell(fixture, "storage.level_0_tables", NULL, "0");
    tell(fixture, "storage.level_0_bytes", NULL, "0");
    tell(fixture, "storage.level_1_tables", NULL, "3");
    tell(fixture, "storage.level_1_bytes", NULL, "2048");
    ck_assert_uint_eq(report_of(fixture)->level_count, 2);
    ck_assert_str_eq(line_of(fixture, "0 ", 0), "");
    ck_assert_str_eq(line_of(fixture, "1 ", 0), "1                           3      2.0 KiB");
    memory_free(fixture);
}
END_TEST

START_TEST(a_page_for_few_rows_leaves_the_rare_commands_out) {
    struct fixture *fixture = begin();

    for (char letter = 'a'; letter <= 'z'; letter++) {
        const char name[] = {'s', 'e', 'r', 'v', 'e', 'r', '.', 'r',    'e',
                             'q', 'u', 'e', 's', 't', 's', '_', letter, 0};
        tell(fixture, name, "0", "5");
    }
    top_page_fill(&fixture->page, report_of(fixture), "s", 0);
    ck_assert_uint_eq(fixture->page.count, 16 + 26);
    top_page_fill(&fixture->page, &fixture->report, "s", 24);
    ck_assert_uint_eq(fixture->page.count, 24);
    top_page_fill(&fixture->page, &fixture->report, "s", 1);
    ck_assert_uint_eq(fixture->page.count, 16 + 3);
    memory_free(fixture);
}
END_TEST

START_TEST(lines_that_are_no_numbers_or_too_many_are_left_out) {
    struct fixture *fixture = begin();
    char longest[TOP_NAME_BYTES_MAX + 1];
    uint64_t value;

    memset(longest, 'n', sizeof longest);
    longest[TOP_NAME_BYTES_MAX] = '\0';
    tell(fixture, longest, NULL, "1");
    tell(fixture, longest + 1, NULL, "2");
    tell(fixture, "text", NULL, "none");
    ck_assert_uint_eq(fixture->now.count, 1);
    ck_assert(top_sample_find(&fixture->now, longest + 1, &value));
    ck_assert_uint_eq(value, 2);
    for (unsigned i = 0; i < 2 * TOP_SAMPLE_LINES_MAX; i++) {
        tell(fixture, "more", NULL, "3");
    }
    ck_assert_uint_eq(fixture->now.count, TOP_SAMPLE_LINES_MAX);
    memory_free(fixture);
}
END_TEST

START_TEST(lines_are_cut_between_characters) {
    ck_assert_uint_eq(top_page_cut("plain", 3), 3);
    ck_assert_uint_eq(top_page_cut("plain", 9), 5);
    ck_assert_uint_eq(top_page_cut("", 9), 0);
    ck_assert_uint_eq(top_page_cut("a\xc3\xa4\xe2\x82\xac", 2), 3);
    ck_assert_uint_eq(top_page_cut("a\xc3\xa4\xe2\x82\xac", 3), 6);
    ck_assert_uint_eq(top_page_cut("a", 0), 0);
}
END_TEST

UNIT_MAIN("kvcli_top", counters_are_told_as_rates_and_the_rest_as_it_is,
          a_counter_that_went_back_counts_from_zero, what_a_server_does_not_tell_is_a_dash,
          commands_stand_in_the_order_of_their_rates,
          latencies_are_shown_where_the_server_tells_them,
          the_live_share_is_what_is_not_dead_pinned_or_damaged, only_levels_with_tables_are_shown,
          a_page_for_few_rows_leaves_the_rare_commands_out,
          lines_that_are_no_numbers_or_too_many_are_left_out, lines_are_cut_between_characters)
