/* file_name_test.c: one number has one name, and foreign names are refused. */
#include "storage/file_name.h"

#include "tests/unit/unit.h"

#include <string.h>

static void expect_name(enum file_kind kind, uint64_t number, const char *name) {
    char made[FILE_NAME_BYTES_MAX];
    enum file_kind kind_parsed = FILE_LOCK;
    uint64_t number_parsed = 99;
    file_name_make(kind, number, made);
    ck_assert_str_eq(made, name);
    ck_assert(file_name_parse(name, &kind_parsed, &number_parsed));
    ck_assert_int_eq(kind_parsed, kind);
    ck_assert_uint_eq(number_parsed, number);
}

START_TEST(names_are_made_and_parsed) {
    expect_name(FILE_TABLE, 12, "0000000012.table");
    expect_name(FILE_SEGMENT, 13, "0000000013.segment");
    expect_name(FILE_MANIFEST, 1, "MANIFEST-0000000001");
    expect_name(FILE_LOCK, 0, "LOCK");
    expect_name(FILE_TABLE, 0, "0000000000.table");
    expect_name(FILE_TABLE, UINT64_C(12345678901), "12345678901.table");
    expect_name(FILE_SEGMENT, UINT64_MAX, "18446744073709551615.segment");
    expect_name(FILE_MANIFEST, UINT64_MAX, "MANIFEST-18446744073709551615");
}
END_TEST

START_TEST(other_names_are_refused) {
    static const char *const names[] = {
        "",
        ".table",
        "12.table",
        "00000000012.table",
        "0000000012.tabl",
        "0000000012.tablex",
        "0000000012",
        "MANIFEST-",
        "MANIFEST-1",
        "manifest-0000000001",
        "LOCK1",
        "lock",
        "18446744073709551616.table",
        "99999999999999999999999.segment",
        "-000000012.table",
        "x0000000012.table",
        "0000000012.TABLE",
        "0000000012.table.tmp",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum file_kind kind;
        uint64_t number;
        ck_assert_msg(!file_name_parse(names[i], &kind, &number), "%s", names[i]);
    }
}
END_TEST

START_TEST(a_path_is_joined_up_to_the_limit) {
    char dir[ENV_PATH_MAX + 1];
    char path[ENV_PATH_MAX];
    ck_assert_int_eq(file_path_make("d", FILE_TABLE, 5, path), STATUS_OK);
    ck_assert_str_eq(path, "d/0000000005.table");
    memset(dir, 'x', sizeof dir);
    dir[ENV_PATH_MAX - 1 - 5] = '\0'; /* dir + "/LOCK" fills it */
    ck_assert_int_eq(file_path_make(dir, FILE_LOCK, 0, path), STATUS_OK);
    ck_assert_uint_eq(strlen(path), ENV_PATH_MAX - 1);
    dir[ENV_PATH_MAX - 1 - 5] = 'x';
    dir[ENV_PATH_MAX - 5] = '\0';
    ck_assert_int_eq(file_path_make(dir, FILE_LOCK, 0, path), STATUS_INVALID);
}
END_TEST

UNIT_MAIN("file_name", names_are_made_and_parsed, other_names_are_refused,
          a_path_is_joined_up_to_the_limit)
