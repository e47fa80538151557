/* base_error_test.c: the detail of a failure and its line for people; and what an assertion does.
 */
#include "protocol/base/error.h"

#include "protocol/base/assert.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_line(const struct error *error, const char *line) {
    char text[1024];
    int length = error_format(error, text, sizeof text);

    ck_assert_str_eq(text, line);
    ck_assert_int_eq(length, (int)strlen(line));
}

START_TEST(error_names_file_offset_operation_and_reason) {
    struct error error;

    ck_assert_int_eq(error_set(&error, STATUS_IO, ENOSPC, "12.log", 4096, "write of %d bytes", 512),
                     STATUS_IO);
    ck_assert_int_eq(error.status, STATUS_IO);
    expect_line(&error, "12.log at 4096: write of 512 bytes: No space left on device");
}
END_TEST

START_TEST(error_without_offset_names_the_file_alone) {
    struct error error;

    error_set(&error, STATUS_LOCKED, 0, "LOCK", ERROR_NO_OFFSET, "in use");
    expect_line(&error, "LOCK: in use");
}
END_TEST

START_TEST(error_at_offset_zero_says_so) {
    struct error error;

    error_set(&error, STATUS_CORRUPT, 0, "1.sst", 0, "bad magic");
    expect_line(&error, "1.sst at 0: bad magic");
}
END_TEST

START_TEST(error_without_a_path_is_the_text) {
    struct error error;

    error_set(&error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "empty key");
    expect_line(&error, "empty key");
}
END_TEST

START_TEST(error_without_a_text_says_the_status) {
    struct error error;

    error_set(&error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "%s", "");
    expect_line(&error, "out of memory");
}
END_TEST

START_TEST(nobody_asking_for_the_detail_is_fine) {
    ck_assert_int_eq(error_set(NULL, STATUS_IO, EIO, "x", 0, "read"), STATUS_IO);
}
END_TEST

START_TEST(long_path_and_text_are_cut_at_their_limits) {
    char path[ERROR_PATH_MAX * 2], text[ERROR_TEXT_MAX * 2];
    struct error error;

    memset(path, 'p', sizeof path - 1);
    memset(text, 't', sizeof text - 1);
    path[sizeof path - 1] = text[sizeof text - 1] = '\0';
    error_set(&error, STATUS_IO, 0, path, 0, "%s", text);
    ck_assert_uint_eq(strlen(error.path), ERROR_PATH_MAX - 1);
    ck_assert_uint_eq(strlen(error.text), ERROR_TEXT_MAX - 1);
}
END_TEST

START_TEST(line_is_cut_to_the_room_there_is) {
    struct error error;
    char text[6] = "#####";

    error_set(&error, STATUS_IO, 0, NULL, ERROR_NO_OFFSET, "abcdefgh");
    ck_assert_int_eq(error_format(&error, text, 0), 0);
    ck_assert_str_eq(text, "#####");
    ck_assert_int_eq(error_format(&error, text, 1), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(error_format(&error, text, sizeof text), 5);
    ck_assert_str_eq(text, "abcde");
}
END_TEST

/* Runs ASSERT in a child; returns its wait status and what it said. */
static int assert_in_child(int condition, char *said_out, size_t said_bytes_max) {
    int ends[2], status = 0;
    ssize_t got;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        ASSERT(condition == 1);
        _exit(7);
    }
    close(ends[1]);
    got = read(ends[0], said_out, said_bytes_max - 1);
    said_out[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(broken_assertion_aborts_and_names_the_condition) {
    char said[256];
    int status = assert_in_child(0, said, sizeof said);

    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    ck_assert_ptr_nonnull(strstr(said, "condition == 1"));
    ck_assert_ptr_nonnull(strstr(said, "base_error_test.c"));
}
END_TEST

START_TEST(kept_assertion_goes_on) {
    char said[256];
    int status = assert_in_child(1, said, sizeof said);

    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 7);
    ck_assert_str_eq(said, "");
}
END_TEST

UNIT_MAIN("base_error", error_names_file_offset_operation_and_reason,
          error_without_offset_names_the_file_alone, error_at_offset_zero_says_so,
          error_without_a_path_is_the_text, error_without_a_text_says_the_status,
          nobody_asking_for_the_detail_is_fine, long_path_and_text_are_cut_at_their_limits,
          line_is_cut_to_the_room_there_is, broken_assertion_aborts_and_names_the_condition,
          kept_assertion_goes_on)
