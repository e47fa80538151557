/* server_metrics_http_test.c: figures as text for Prometheus, and what HTTP answers. */
#include "server/exposition.h"
#include "server/metric_table.h"
#include "server/metrics_http.h"
#include "server/stats.h"
#include "storage/env_fault.h"
#include "storage/env_memory.h"
#include "tests/unit/server_fixture.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#define ROWS_MAX 512

/* ---- The table */

struct seen {
    bool rows[ROWS_MAX];
};

static void note_figure(void *arg, const char *name, uint64_t value) {
    struct seen *seen = arg;
    const char *star;
    size_t star_len;
    uint32_t row = metric_table_find(name, &star, &star_len);

    (void)value;
    ck_assert_msg(row < metric_table_count(), "%s has no row in server/metric_table.c", name);
    seen->rows[row] = true;
}

START_TEST(every_figure_has_a_row_and_every_row_a_figure) {
    struct house house;
    struct seen seen = {{false}};

    open_house(&house);
    stats_each(house.service, note_figure, &seen);
    for (uint32_t i = 0; i < metric_table_count(); i++) {
        const struct metric_row *row = metric_table_row(i);
        ck_assert_msg(seen.rows[i] || !row->name, "%s is no figure", row->figure);
    }
    close_house(&house);
}
END_TEST

static bool ends_with(const char *text, const char *ending) {
    size_t len = strlen(text);

    return len >= strlen(ending) && strcmp(text + len - strlen(ending), ending) == 0;
}

START_TEST(rows_of_a_name_stand_together_and_the_first_says_what_it_is) {
    for (uint32_t i = 0; i < metric_table_count(); i++) {
        const struct metric_row *row = metric_table_row(i);
        const struct metric_row *before = i > 0 ? metric_table_row(i - 1) : NULL;
        bool first = true;
        if (!row->name) {
            continue;
        }
        for (uint32_t j = 0; j < i; j++) {
            const char *earlier = metric_table_row(j)->name;
            first = first && !(earlier && strcmp(earlier, row->name) == 0);
        }
        ck_assert_msg(strncmp(row->name, "kvd_", 4) == 0, "%s", row->name);
        ck_assert_msg(first == ends_with(row->help, "."), "%s", row->figure);
        ck_assert_msg(first || (row->labels && strcmp(before->name, row->name) == 0), "%s",
                      row->figure);
        ck_assert_msg(!strchr(row->figure, '*') == !(row->labels && strchr(row->labels, '*')), "%s",
                      row->figure);
    }
}
END_TEST

START_TEST(a_star_stands_for_the_middle_of_a_figure) {
    const char *star;
    size_t star_len;
    uint32_t row = metric_table_find("storage.level_12_tables", &star, &star_len);

    ck_assert_str_eq(metric_table_row(row)->name, "kvd_level_tables");
    ck_assert_uint_eq(star_len, 2);
    ck_assert_int_eq(memcmp(star, "12", 2), 0);
    ck_assert_int_eq(metric_table_find("storage.level__tables", &star, &star_len),
                     metric_table_count());
    ck_assert_int_eq(metric_table_find("storage.level_tables", &star, &star_len),
                     metric_table_count());
    ck_assert_int_eq(metric_table_find("", &star, &star_len), metric_table_count());
}
END_TEST

/* ---- The text */

static void ck_assert_says(struct buffer *text, const char *line) {
    ck_assert_int_eq(buffer_append_u8(text, '\0'), STATUS_OK);
    ck_assert_msg(strstr((const char *)text->data, line), "no %s", line);
}

START_TEST(figures_come_out_in_base_units_with_labels) {
    struct house house;
    struct buffer text;

    open_house(&house);
    buffer_init(&text, SIZE_MAX);
    house.service->started_at_ms = 1700000000042;
    metrics_add(&house.service->metrics[1], METRIC_REQUESTS_GET, 7);
    metrics_add(&house.service->metrics[0], METRIC_REQUESTS_GET, 1);
    ck_assert_int_eq(exposition_write(house.service, &text), STATUS_OK);
    ck_assert_says(&text, "\nkvd_start_time_seconds 1700000000.042\n");
    ck_assert_says(&text, "\n# TYPE kvd_requests_total counter\n");
    ck_assert_says(&text, "\nkvd_requests_total{command=\"get\"} 8\n");
    ck_assert_says(&text, "\nkvd_connections_cut_total{reason=\"time\"} 0\n");
    ck_assert_says(&text, "\nkvd_space_limit_ratio 1.50\n");
    ck_assert_says(&text, "\nkvd_healthy 1\n");
    buffer_deinit(&text);
    close_house(&house);
}
END_TEST

START_TEST(durations_are_counted_below_exact_bounds) {
    static const uint64_t times_us[] = {0, 15, 16, 127, 128, 67000000, 999000000};
    struct latency *latency = memory_alloc_zeroed(sizeof *latency);
    struct house house;
    struct buffer text;

    open_house(&house);
    buffer_init(&text, SIZE_MAX);
    house.service->latencies[0] = latency;
    for (size_t i = 0; i < sizeof times_us / sizeof times_us[0]; i++) {
        struct latency_sample sample = {.total_us = times_us[i]};
        sample.phase_us[LATENCY_WORKED] = 1000;
        latency_add(latency, latency_command(METRIC_REQUESTS_GET), &sample, 1);
    }
    ck_assert_int_eq(exposition_write(house.service, &text), STATUS_OK);
    ck_assert_says(&text,
                   "\n# TYPE kvd_request_duration_seconds histogram\n"
                   "kvd_request_duration_seconds_bucket{command=\"get\",le=\"0.000016\"} 2\n"
                   "kvd_request_duration_seconds_bucket{command=\"get\",le=\"0.000032\"} 3\n");
    ck_assert_says(&text, "{command=\"get\",le=\"0.000128\"} 4\n");
    ck_assert_says(&text, "{command=\"get\",le=\"0.000256\"} 5\n");
    ck_assert_says(&text, "{command=\"get\",le=\"33.554432\"} 5\n");
    ck_assert_says(&text, "{command=\"get\",le=\"+Inf\"} 7\n"
                          "kvd_request_duration_seconds_sum{command=\"get\"} 1066.000286\n"
                          "kvd_request_duration_seconds_count{command=\"get\"} 7\n");
    ck_assert_says(&text, "_total{command=\"get\",phase=\"work\"} 0.007000\n");
    ck_assert_ptr_null(strstr((const char *)text.data, "seconds_count{command=\"put\"}"));
    buffer_deinit(&text);
    close_house(&house);
    memory_free(latency);
}
END_TEST

START_TEST(a_text_without_room_or_memory_is_an_error) {
    struct house house;
    struct buffer text;
    enum status status = STATUS_NO_MEMORY;
    uint64_t allowed = 0;

    open_house(&house);
    buffer_init(&text, 1000);
    ck_assert_int_eq(exposition_write(house.service, &text), STATUS_TOO_LARGE);
    buffer_deinit(&text);
    for (; status == STATUS_NO_MEMORY && allowed < 100; allowed++) {
        buffer_init(&text, SIZE_MAX);
        memory_fail_after(allowed, true);
        status = exposition_write(house.service, &text);
        memory_fail_never();
        buffer_deinit(&text);
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(allowed, 1);
    close_house(&house);
}
END_TEST

/* ---- HTTP */

struct site {
    struct house house;
    struct env *memory;
    struct env *faults;
    struct metrics_http *http;
    char answer[64 * 1024];
};

static struct site *open_site(void) {
    struct site *site = memory_alloc_zeroed(sizeof *site);
    struct error error;

    ck_assert_int_eq(env_memory_create(NULL, &site->memory), STATUS_OK);
    ck_assert_int_eq(env_fault_create(site->memory, NULL, &site->faults), STATUS_OK);
    open_house_on(&site->house, site->faults);
    ck_assert_int_eq(metrics_http_create("127.0.0.1:0", site->house.service, &site->http, &error),
                     STATUS_OK);
    return site;
}

static void close_site(struct site *site) {
    metrics_http_destroy(site->http);
    env_fault_clear(site->faults);
    close_house(&site->house);
    env_fault_destroy(site->faults);
    env_memory_destroy(site->memory);
    memory_free(site);
}

static int connect_http(const struct site *site) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(metrics_http_port(site->http)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 20};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
                     0);
    ck_assert_int_eq(connect(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    return descriptor;
}

/* All that it answers until it closes. */
static const char *say(struct site *site, const char *text) {
    int descriptor = connect_http(site);
    size_t len = 0;
    ssize_t count;

    ck_assert_int_eq(send(descriptor, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    do {
        count = recv(descriptor, site->answer + len, sizeof site->answer - 1 - len, 0);
        len += count > 0 ? (size_t)count : 0;
    } while (count > 0);
    site->answer[len] = '\0';
    close(descriptor);
    return site->answer;
}

static const char *get(struct site *site, const char *path) {
    char text[256];

    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
    return say(site, text);
}

static bool is_answer(const char *answer, const char *code, const char *part) {
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, code, 3) == 0 &&
           strstr(answer, part);
}

START_TEST(metrics_and_health_are_answered_and_nothing_else) {
    struct site *site = open_site();

    ck_assert(is_answer(get(site, "/metrics"), "200", "\nkvd_healthy 1\n"));
    ck_assert_ptr_nonnull(strstr(site->answer, "Content-Type: text/plain; version=0.0.4"));
    ck_assert(is_answer(get(site, "/healthz"), "200", "\r\n\r\nok\n"));
    ck_assert(is_answer(get(site, "/"), "404", "/metrics"));
    ck_assert(is_answer(get(site, "/metrics/"), "404", "/metrics"));
    ck_assert(is_answer(say(site, "DELETE /metrics HTTP/1.1\r\nHost: a\r\n"
                                  "Connection: close\r\n\r\n"),
                        "405", "Allow: GET, HEAD"));
    ck_assert(is_answer(say(site, "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                                  "Connection: close\r\n\r\nabc"),
                        "405", "Allow: GET, HEAD"));
    ck_assert(is_answer(say(site, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n"
                                  "Connection: close\r\n\r\n"),
                        "200", "Content-Length: 3\r\n"));
    ck_assert(!strstr(site->answer, "ok\n"));
    close_site(site);
}
END_TEST

START_TEST(a_connection_is_kept_for_the_next_request) {
    struct site *site = open_site();

    say(site, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
              "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    ck_assert(is_answer(site->answer, "200", "ok\nHTTP/1.1 200 OK"));
    close_site(site);
}
END_TEST

START_TEST(nonsense_closes_its_connection_alone) {
    struct site *site = open_site();
    int idle = connect_http(site);

    say(site, "\x16\x03\x01 this is not HTTP\r\n\r\n");
    ck_assert_ptr_null(strstr(site->answer, "200 OK"));
    say(site, "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nunwelcome");
    ck_assert_ptr_null(strstr(site->answer, "200 OK"));
    ck_assert(is_answer(get(site, "/healthz"), "200", "ok"));
    close(idle);
    close_site(site);
}
END_TEST

START_TEST(one_client_too_many_waits_until_another_leaves) {
    struct site *site = open_site();
    const char *text = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    struct pollfd waiting;
    int idle[METRICS_HTTP_CONNECTIONS_MAX];

    for (uint32_t i = 0; i < METRICS_HTTP_CONNECTIONS_MAX; i++) {
        idle[i] = connect_http(site);
    }
    waiting = (struct pollfd){.fd = connect_http(site), .events = POLLIN};
    ck_assert_int_eq(send(waiting.fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    ck_assert_int_eq(poll(&waiting, 1, 200), 0);
    close(idle[0]);
    ck_assert_int_eq(poll(&waiting, 1, 10000), 1);
    ck_assert_int_gt(recv(waiting.fd, site->answer, sizeof site->answer, 0), 0);
    ck_assert(is_answer(site->answer, "200", "ok"));
    for (uint32_t i = 1; i < METRICS_HTTP_CONNECTIONS_MAX; i++) {
        close(idle[i]);
    }
    close(waiting.fd);
    close_site(site);
}
END_TEST

START_TEST(a_server_that_stops_is_not_healthy) {
    struct site *site = open_site();

    metrics_http_stopping(site->http);
    ck_assert(is_answer(get(site, "/healthz"), "503", "stopping\n"));
    ck_assert(is_answer(get(site, "/metrics"), "200", "kvd_healthy"));
    close_site(site);
}
END_TEST

START_TEST(a_log_that_cannot_be_written_is_told_with_its_reason) {
    struct site *site = open_site();
    struct fault_rule rule = {
        .kinds = FAULT_SYNC, .countdown = 1, .for_ever = true, .fault = FAULT_IS_EIO};
    struct wire_request hello = greeting();
    struct wire_request put = about(WIRE_PUT, "key");
    enum status status;

    put.options.flags = WIRE_FLAG_DURABILITY;
    put.options.durability = WIRE_DURABILITY_SYNCED;
    ck_assert_int_eq(hire(&site->house), STATUS_OK);
    ck_assert(connect_client(&site->house));
    ck_assert(ask(&site->house, &hello, &status));
    env_fault_add(site->faults, &rule);
    site->house.log_failed = true;
    ck_assert(ask(&site->house, &put, &status));
    ck_assert(is_answer(get(site, "/healthz"), "503", "Input/output error"));
    ck_assert(is_answer(get(site, "/metrics"), "200", "\nkvd_healthy 0\n"));
    ck_assert_ptr_nonnull(strstr(site->answer, "\nkvd_log_failed 1\n"));
    leave(&site->house);
    close_site(site);
}
END_TEST

START_TEST(an_address_in_use_is_named) {
    struct site *site = open_site();
    struct metrics_http *second = NULL;
    struct error error;
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%u", metrics_http_port(site->http));
    ck_assert_int_eq(metrics_http_create(address, site->house.service, &second, &error),
                     STATUS_LOCKED);
    ck_assert_ptr_null(second);
    ck_assert_str_eq(error.path, address);
    memory_fail_after(0, true);
    ck_assert_int_eq(metrics_http_create("127.0.0.1:0", site->house.service, &second, &error),
                     STATUS_NO_MEMORY);
    memory_fail_never();
    metrics_http_destroy(NULL);
    metrics_http_stopping(NULL);
    close_site(site);
}
END_TEST

UNIT_MAIN("server_metrics_http", every_figure_has_a_row_and_every_row_a_figure,
          rows_of_a_name_stand_together_and_the_first_says_what_it_is,
          a_star_stands_for_the_middle_of_a_figure, figures_come_out_in_base_units_with_labels,
          durations_are_counted_below_exact_bounds, a_text_without_room_or_memory_is_an_error,
          metrics_and_health_are_answered_and_nothing_else,
          a_connection_is_kept_for_the_next_request, nonsense_closes_its_connection_alone,
          one_client_too_many_waits_until_another_leaves, a_server_that_stops_is_not_healthy,
          a_log_that_cannot_be_written_is_told_with_its_reason, an_address_in_use_is_named)
