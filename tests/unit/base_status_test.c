/* base_status_test.c: every status has a name of its own and a sentence. */
#include "protocol/base/status.h"

#include "tests/unit/unit.h"

#include <ctype.h>
#include <string.h>

START_TEST(zero_is_ok) {
    ck_assert_int_eq(STATUS_OK, 0);
    ck_assert_str_eq(status_name(STATUS_OK), "ok");
}
END_TEST

START_TEST(names_are_words_for_the_command_line) {
    for (int status = 0; status < STATUS_COUNT; status++) {
        const char *name = status_name((enum status)status);

        ck_assert_uint_gt(strlen(name), 0);
        for (; *name; name++) {
            ck_assert_msg(islower((unsigned char)*name) || *name == '_', "status %d", status);
        }
    }
}
END_TEST

START_TEST(names_differ) {
    for (int a = 0; a < STATUS_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            ck_assert_str_ne(status_name((enum status)a), status_name((enum status)b));
        }
    }
}
END_TEST

START_TEST(each_status_has_a_sentence) {
    for (int status = 0; status < STATUS_COUNT; status++) {
        ck_assert_uint_gt(strlen(status_text((enum status)status)), 3);
    }
}
END_TEST

START_TEST(number_outside_the_list_is_named_so) {
    ck_assert_str_eq(status_name(STATUS_COUNT), "invalid_status");
    ck_assert_str_eq(status_name((enum status) - 1), "invalid_status");
    ck_assert_str_eq(status_text((enum status) - 1), "a status outside the list");
}
END_TEST

UNIT_MAIN("base_status", zero_is_ok, names_are_words_for_the_command_line, names_differ,
          each_status_has_a_sentence, number_outside_the_list_is_named_so)
