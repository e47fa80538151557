/* log_test.c: lines as text and JSON, and the file that they go to. */
#include "server/log.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIME_MS 1795379400123u /* 2026-11-22T20:30:00.123Z */
#define FILE_MAX (1u << 20)
#define THREADS 4
#define LINES_PER_THREAD 3000

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The line of an event, without its newline. */
static const char *line_of(enum log_format format, const char *message,
                           const struct log_field *fields, size_t field_count,
                           char line[LOG_LINE_BYTES_MAX + 1]) {
    struct log_event event = {TIME_MS, LOG_LEVEL_INFO, message, fields, field_count};
    size_t len = log_line_write(&event, format, line);

    ck_assert_uint_gt(len, 0);
    ck_assert_uint_le(len, LOG_LINE_BYTES_MAX);
    ck_assert_int_eq(line[len - 1], '\n');
    line[len - 1] = '\0';
    ck_assert_uint_eq(strlen(line), len - 1);
    ck_assert_ptr_null(strchr(line, '\n'));
    return line;
}

#define TEXT_HEAD "2026-11-22T20:30:00.123Z info "
#define JSON_HEAD "{\"time\":\"2026-11-22T20:30:00.123Z\",\"level\":\"info\",\"message\":"

static void expect_text(const char *expected, const char *message, const struct log_field *fields,
                        size_t field_count) {
    char line[LOG_LINE_BYTES_MAX + 1];

    line_of(LOG_FORMAT_TEXT, message, fields, field_count, line);
    ck_assert_int_eq(strncmp(line, TEXT_HEAD, strlen(TEXT_HEAD)), 0);
    ck_assert_str_eq(line + strlen(TEXT_HEAD), expected);
}

static void expect_json(const char *expected, const char *message, const struct log_field *fields,
                        size_t field_count) {
    char line[LOG_LINE_BYTES_MAX + 1];

    line_of(LOG_FORMAT_JSON, message, fields, field_count, line);
    ck_assert_int_eq(strncmp(line, JSON_HEAD, strlen(JSON_HEAD)), 0);
    ck_assert_str_eq(line + strlen(JSON_HEAD), expected);
}

START_TEST(text_has_time_level_message_and_fields) {
    expect_text("listening address=127.0.0.1:7450", "listening",
                LOG_FIELDS(log_text("address", "127.0.0.1:7450")));
    expect_text("nothing to add", "nothing to add", LOG_NO_FIELDS);
    expect_text("all n=18446744073709551615 i=-5 r=1.5 y=true", "all",
                LOG_FIELDS(log_number("n", UINT64_MAX), log_signed("i", -5), log_real("r", 1.5),
                           log_bool("y", true)));
}
END_TEST

START_TEST(text_is_quoted_where_it_could_be_mistaken) {
    expect_text("m a=\"\"", "m", LOG_FIELDS(log_text("a", "")));
    expect_text("m a=\"x y\"", "m", LOG_FIELDS(log_text("a", "x y")));
    expect_text("m a=\"x=y\"", "m", LOG_FIELDS(log_text("a", "x=y")));
    expect_text("m a=\"x\\\"y\\\\\"", "m", LOG_FIELDS(log_text("a", "x\"y\\")));
    expect_text("m a=\"\"", "m", LOG_FIELDS(log_text("a", NULL)));
}
END_TEST

START_TEST(a_client_cannot_forge_a_line) {
    expect_text("m a=\"x\\n2026 error forged\"", "m",
                LOG_FIELDS(log_text("a", "x\n2026 error forged")));
    expect_text("m k=\"\\u0000\\u001b[31m\\xff\\x80\"", "m",
                LOG_FIELDS(log_bytes("k", slice_make("\0\x1b[31m\xff\x80", 8))));
    expect_json("\"m\",\"k\":\"\\u0000\\u001b[31m\\\\xff\\\\x80\"}", "m",
                LOG_FIELDS(log_bytes("k", slice_make("\0\x1b[31m\xff\x80", 8))));
    expect_text("m a=\"\\u0085\\u007f\"", "m", LOG_FIELDS(log_text("a", "\xC2\x85\x7F")));
    expect_text("\"two\\nlines\"", "two\nlines", LOG_NO_FIELDS);
}
END_TEST

START_TEST(json_is_escaped_and_typed) {
    expect_json("\"a \\\"b\\\"\",\"t\":\"\\\\x\\n\xC3\xA9\",\"n\":7,\"y\":false,\"r\":null}",
                "a \"b\"",
                LOG_FIELDS(log_text("t", "\\x\n\xC3\xA9"), log_number("n", 7), log_bool("y", false),
                           log_real("r", (double)__builtin_nanf(""))));
    expect_json("\"m\"}", "m", LOG_NO_FIELDS);
}
END_TEST

START_TEST(an_error_is_one_field) {
    struct error error;

    (void)error_set(&error, STATUS_IO, ENOSPC, "1.log", 4096, "append");
    expect_text("m error=\"1.log at 4096: append: No space left on device\"", "m",
                LOG_FIELDS(log_error_detail(&error)));
}
END_TEST

START_TEST(long_values_are_cut_at_a_character) {
    char line[LOG_LINE_BYTES_MAX + 1];
    char key[200];
    const char *found;

    memset(key, 'k', sizeof key);
    memcpy(key + 127, "\xC3\xA9", 2); /* stands across the limit of 128 */
    line_of(LOG_FORMAT_JSON, "m", LOG_FIELDS(log_bytes("key", slice_make(key, sizeof key))), line);
    found = strstr(line, "kk...\"}");
    ck_assert_ptr_nonnull(found);
    ck_assert_ptr_null(strstr(line, "\\\\x"));
    ck_assert_uint_eq(strspn(strstr(line, "\"key\":\"") + 7, "k"), 127);
}
END_TEST

START_TEST(fields_that_do_not_fit_are_left_out_whole) {
    char line[LOG_LINE_BYTES_MAX + 1];
    char text[1025];

    memset(text, '\x01', sizeof text - 1); /* six characters each, once escaped */
    text[sizeof text - 1] = '\0';
    line_of(LOG_FORMAT_JSON, "m", LOG_FIELDS(log_text("long", text), log_number("n", 1)), line);
    ck_assert_str_eq(line + strlen(JSON_HEAD), "\"m\",\"n\":1,\"cut\":true}");
    line_of(LOG_FORMAT_TEXT, "m", LOG_FIELDS(log_text("long", text), log_number("n", 1)), line);
    ck_assert_str_eq(line + strlen(TEXT_HEAD), "m n=1 cut=true");
}
END_TEST

/* Fills the line byte by byte up to its end: the rules hold at each length. */
START_TEST(lines_of_every_length_end_well) {
    for (size_t len = 700; len <= 1024; len++) {
        char line[LOG_LINE_BYTES_MAX + 1];
        char text[1025];
        size_t line_len;
        memset(text, 'x', len);
        text[len] = '\0';
        line_of(LOG_FORMAT_JSON, "m",
                LOG_FIELDS(log_text("a", text), log_text("b", text), log_text("c", text),
                           log_text("d", text), log_text("e", text)),
                line);
        line_len = strlen(line);
        ck_assert_int_eq(line[line_len - 1], '}');
        ck_assert(line[line_len - 2] == '"' || strstr(line, ",\"cut\":true}"));
    }
}
END_TEST

/* ---- The file -------------------------------------------------------------------------------- */

struct place {
    char dir[64];
    char path[96];
};

static struct place make_place(void) {
    struct place place;

    snprintf(place.dir, sizeof place.dir, "/tmp/kvd-log-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(place.dir));
    snprintf(place.path, sizeof place.path, "%s/kvd.log", place.dir);
    return place;
}

static void remove_place(const struct place *place) {
    unlink(place->path);
    ck_assert_int_eq(rmdir(place->dir), 0);
}

static struct log *open_log(const char *path) {
    struct log_options options = {path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT};
    struct log *log = NULL;
    struct error error = {0};

    ck_assert_msg(log_open(&options, &log, &error) == STATUS_OK, "%s", error.text);
    return log;
}

static enum status try_open(const char *path, struct error *error) {
    struct log_options options = {path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT};
    struct log *log = NULL;
    enum status status = log_open(&options, &log, error);

    if (status == STATUS_OK) {
        log_close(log);
    }
    return status;
}

static size_t read_file(const char *path, char *text_out) {
    int fd = open(path, O_RDONLY);
    ssize_t len;

    ck_assert_int_ge(fd, 0);
    len = read(fd, text_out, FILE_MAX - 1);
    ck_assert_int_ge(len, 0);
    close(fd);
    text_out[len] = '\0';
    return (size_t)len;
}

/* How often `part` stands in the file. */
static int count_in_file(const char *path, const char *part) {
    char *text = memory_alloc(FILE_MAX);
    int count = 0;

    read_file(path, text);
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    memory_free(text);
    return count;
}

START_TEST(lines_below_the_level_are_not_written) {
    struct place place = make_place();
    struct log *log = open_log(place.path);

    log_debug(log, "first", LOG_NO_FIELDS);
    log_info(log, "second", LOG_NO_FIELDS);
    log_set_level(log, LOG_LEVEL_ERROR);
    log_warn(log, "third", LOG_NO_FIELDS);
    log_error(log, "fourth", LOG_NO_FIELDS);
    ck_assert(!log_enabled(log, LOG_LEVEL_WARN));
    ck_assert(log_enabled(log, LOG_LEVEL_ERROR));
    ck_assert_int_eq(count_in_file(place.path, "\n"), 2);
    ck_assert_int_eq(count_in_file(place.path, "Z info second\n"), 1);
    ck_assert_int_eq(count_in_file(place.path, "Z error fourth\n"), 1);
    log_close(log);
    remove_place(&place);
}
END_TEST

START_TEST(a_line_allocates_nothing) {
    struct place place = make_place();
    struct log *log = open_log(place.path);
    uint64_t before = memory_allocation_count();

    log_info(log, "m", LOG_FIELDS(log_text("a", "b")));
    log_set_format(log, LOG_FORMAT_JSON);
    log_info(log, "m", LOG_FIELDS(log_text("a", "b")));
    ck_assert_uint_eq(memory_allocation_count(), before);
    ck_assert_int_eq(count_in_file(place.path, "\"a\":\"b\"}\n"), 1);
    log_close(log);
    remove_place(&place);
}
END_TEST

START_TEST(a_new_file_is_for_its_owner_alone_and_an_old_one_is_kept) {
    struct place place = make_place();
    struct stat stat_of_file;

    for (int i = 0; i < 2; i++) {
        struct log *log = open_log(place.path);
        log_info(log, "m", LOG_NO_FIELDS);
        log_close(log);
    }
    ck_assert_int_eq(stat(place.path, &stat_of_file), 0);
    ck_assert_uint_eq(stat_of_file.st_mode & 0777, 0600);
    ck_assert_int_eq(count_in_file(place.path, "\n"), 2);
    remove_place(&place);
}
END_TEST

START_TEST(reopening_after_a_rotation_writes_to_the_new_file) {
    struct place place = make_place();
    struct log *log = open_log(place.path);
    char rotated[128];
    struct error error;

    snprintf(rotated, sizeof rotated, "%s.1", place.path);
    log_info(log, "before", LOG_NO_FIELDS);
    ck_assert_int_eq(rename(place.path, rotated), 0);
    log_info(log, "between", LOG_NO_FIELDS);
    ck_assert_int_eq(log_reopen(log, place.path, &error), STATUS_OK);
    log_info(log, "after", LOG_NO_FIELDS);
    ck_assert_int_eq(count_in_file(rotated, "between"), 1);
    ck_assert_int_eq(count_in_file(rotated, "\n"), 2);
    ck_assert_int_eq(count_in_file(place.path, "after"), 1);
    ck_assert_int_eq(count_in_file(place.path, "\n"), 1);
    log_close(log);
    unlink(rotated);
    remove_place(&place);
}
END_TEST

START_TEST(a_failed_reopening_leaves_the_log_as_it_was) {
    struct place place = make_place();
    struct log *log = open_log(place.path);
    struct error error;

    ck_assert_int_eq(log_reopen(log, "/nonexistent/kvd.log", &error), STATUS_IO);
    ck_assert_str_eq(error.path, "/nonexistent/kvd.log");
    ck_assert_int_eq(error.os_errno, ENOENT);
    log_info(log, "still here", LOG_NO_FIELDS);
    ck_assert_int_eq(count_in_file(place.path, "still here"), 1);
    log_close(log);
    remove_place(&place);
}
END_TEST

START_TEST(links_directories_and_missing_folders_are_refused) {
    struct place place = make_place();
    struct error error;

    ck_assert_int_eq(symlink("/tmp/kvd-log-test-elsewhere", place.path), 0);
    ck_assert_int_eq(try_open(place.path, &error), STATUS_DENIED);
    ck_assert_int_eq(try_open(place.dir, &error), STATUS_IO);
    ck_assert_int_eq(try_open("/nonexistent/kvd.log", &error), STATUS_IO);
    remove_place(&place);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_does_not_hold_the_start) {
    struct place place = make_place();
    struct error error;

    ck_assert_int_eq(mkfifo(place.path, 0600), 0);
    ck_assert_int_eq(try_open(place.path, &error), STATUS_IO);
    ck_assert_int_eq(error.os_errno, ENXIO);
    remove_place(&place);
}
END_TEST

START_TEST(memory_or_descriptors_running_out_is_reported) {
    struct place place = make_place();
    struct rlimit none = {0, 0};
    struct rlimit before;
    struct error error;

    memory_fail_after(0, false);
    ck_assert_int_eq(try_open(place.path, &error), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(try_open(place.path, &error), STATUS_IO);
    ck_assert_int_eq(error.os_errno, EMFILE);
    ck_assert_int_eq(try_open("", &error), STATUS_IO);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    remove_place(&place);
}
END_TEST

START_TEST(a_line_that_cannot_be_written_is_counted) {
    struct log *log = open_log("/dev/full");

    errno = EDOM;
    log_info(log, "m", LOG_NO_FIELDS);
    ck_assert_uint_eq(log_dropped(log), 1);
    ck_assert_int_eq(errno, EDOM);
    log_close(log);
}
END_TEST

START_TEST(without_a_path_lines_go_to_standard_error) {
    struct place place = make_place();
    int fd = open(place.path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int saved = dup(STDERR_FILENO);
    struct log *log;

    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    log = open_log(NULL);
    log_info(log, "on standard error", LOG_NO_FIELDS);
    log_close(log);
    ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_eq(count_in_file(place.path, "on standard error"), 1);
    close(fd);
    close(saved);
    remove_place(&place);
}
END_TEST

START_TEST(no_log_at_all_is_allowed) {
    log_info(NULL, "m", LOG_NO_FIELDS);
    ck_assert(!log_enabled(NULL, LOG_LEVEL_ERROR));
    log_close(NULL);
}
END_TEST

/* ---- Threads --------------------------------------------------------------------------------- */

static void *write_lines(void *arg) {
    for (unsigned i = 0; i < LINES_PER_THREAD; i++) {
        log_info(arg, "from a thread", LOG_FIELDS(log_number("i", i), log_text("end", "here")));
    }
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix_while_the_log_is_reopened) {
    struct place place = make_place();
    struct log *log = open_log(place.path);
    pthread_t threads[THREADS];
    struct error error;

    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, log), 0);
    }
    for (int i = 0; i < 2000; i++) {
        ck_assert_int_eq(log_reopen(log, place.path, &error), STATUS_OK);
        log_set_level(log, LOG_LEVEL_INFO);
        log_set_format(log, LOG_FORMAT_TEXT);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(log_dropped(log), 0);
    ck_assert_int_eq(count_in_file(place.path, "\n"), THREADS * LINES_PER_THREAD);
    ck_assert_int_eq(count_in_file(place.path, " end=here\n"), THREADS * LINES_PER_THREAD);
    log_close(log);
    remove_place(&place);
}
END_TEST

START_TEST(a_repeated_event_is_written_once_an_interval) {
    struct log_limit limit = {0};
    uint64_t suppressed = 99;

    ck_assert(log_limit_pass(&limit, 5000, 1000, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
    ck_assert(!log_limit_pass(&limit, 5001, 1000, &suppressed));
    ck_assert(!log_limit_pass(&limit, 5999, 1000, &suppressed));
    ck_assert(log_limit_pass(&limit, 6000, 1000, &suppressed));
    ck_assert_uint_eq(suppressed, 2);
    ck_assert(log_limit_pass(&limit, 9000, 1000, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
}
END_TEST

UNIT_MAIN("log", text_has_time_level_message_and_fields, text_is_quoted_where_it_could_be_mistaken,
          a_client_cannot_forge_a_line, json_is_escaped_and_typed, an_error_is_one_field,
          long_values_are_cut_at_a_character, fields_that_do_not_fit_are_left_out_whole,
          lines_of_every_length_end_well, lines_below_the_level_are_not_written,
          a_line_allocates_nothing, a_new_file_is_for_its_owner_alone_and_an_old_one_is_kept,
          reopening_after_a_rotation_writes_to_the_new_file,
          a_failed_reopening_leaves_the_log_as_it_was,
          links_directories_and_missing_folders_are_refused,
          a_pipe_that_nobody_reads_does_not_hold_the_start,
          memory_or_descriptors_running_out_is_reported, a_line_that_cannot_be_written_is_counted,
          without_a_path_lines_go_to_standard_error, no_log_at_all_is_allowed,
          lines_of_threads_do_not_mix_while_the_log_is_reopened,
          a_repeated_event_is_written_once_an_interval)
