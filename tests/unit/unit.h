/* unit.h: what each unit test file needs. A file tests one room, is one program, and ends with
 *
 *     UNIT_MAIN("buffer", append_past_the_cap_is_refused, rollback_forgets)
 *
 * naming the START_TEST functions. Each test runs in a process of its own (CK_FORK=no turns that
 * off), with a time limit of 60 seconds. The exit code is 0 when all passed. */
#ifndef KVD_TESTS_UNIT_H
#define KVD_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#define UNIT_TIMEOUT_S 60

static inline int unit_run(const char *name, const TTest *const tests[], size_t test_count) {
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, UNIT_TIMEOUT_S);
    for (size_t i = 0; i < test_count; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(name, ...)                                                                       \
    int main(void) {                                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return unit_run(name, tests, sizeof tests / sizeof tests[0]);                              \
    }

#endif
