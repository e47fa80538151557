/* toml_test.c: TOML 1.0, what it means and what is refused. Each case is a text and either the tree
 * that it becomes, written as below, or the place and reason of the error.
 *
 *     {key:value,...}  [value,...]  'text'  12  1.5  true  2026-01-31T12:00:00.5+01:30
 */
#include "server/toml_parser.h"

#include "protocol/base/buffer.h"
#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define DUMP_MAX (1u << 22)

/* ---- The tree as text ------------------------------------------------------------------------ */

static void __attribute__((format(printf, 2, 3))) dump_format(struct buffer *out,
                                                              const char *format, ...) {
    char piece[64];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    ck_assert_int_lt(len, (int)sizeof piece);
    ck_assert_int_eq(buffer_append(out, piece, (size_t)len), STATUS_OK);
}

static void dump_text(struct buffer *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7F) {
            dump_format(out, "<%02x>", (unsigned)text.ptr[i]);
        } else {
            ck_assert_int_eq(buffer_append_u8(out, text.ptr[i]), STATUS_OK);
        }
    }
    ck_assert_uint_eq(text.ptr[text.len], 0);
}

static void dump_date_time(struct buffer *out, const struct toml_value *value) {
    const struct toml_date_time *at = &value->as.date_time;

    if (value->type != TOML_LOCAL_TIME) {
        dump_format(out, "%04u-%02u-%02u", (unsigned)at->year, (unsigned)at->month,
                    (unsigned)at->day);
    }
    if (value->type != TOML_LOCAL_DATE) {
        dump_format(out, "T%02u:%02u:%02u", (unsigned)at->hour, (unsigned)at->minute,
                    (unsigned)at->second);
        if (at->nanosecond > 0) {
            dump_format(out, ".%09u", (unsigned)at->nanosecond);
        }
    }
    if (value->type == TOML_OFFSET_DATE_TIME) {
        dump_format(out, "%+d", (int)at->offset_minutes);
    }
}

static void dump_value(struct buffer *out, const struct toml_value *value);

static void dump_table(struct buffer *out, const struct toml_table *table) {
    dump_format(out, "{");
    for (const struct toml_entry *entry = table->first; entry; entry = entry->next) {
        ck_assert_ptr_eq(toml_table_find(table, entry->key), entry);
        dump_text(out, entry->key);
        dump_format(out, ":");
        dump_value(out, &entry->value);
        dump_format(out, "%s", entry->next ? "," : "");
    }
    dump_format(out, "}");
}

static void dump_array(struct buffer *out, const struct toml_array *array) {
    dump_format(out, "[");
    for (const struct toml_item *item = array->first; item; item = item->next) {
        dump_value(out, &item->value);
        dump_format(out, "%s", item->next ? "," : "");
    }
    dump_format(out, "]");
}

static void dump_value(struct buffer *out, const struct toml_value *value) {
    switch (value->type) {
    case TOML_STRING:
        dump_format(out, "'");
        dump_text(out, value->as.text);
        dump_format(out, "'");
        break;
    case TOML_INTEGER:
        dump_format(out, "%" PRId64, value->as.integer);
        break;
    case TOML_FLOAT:
        dump_format(out, isnan(value->as.real) ? "nan" : "%#.6g", value->as.real);
        break;
    case TOML_BOOL:
        dump_format(out, value->as.yes ? "true" : "false");
        break;
    case TOML_ARRAY:
        dump_array(out, value->as.array);
        break;
    case TOML_TABLE:
        dump_table(out, value->as.table);
        break;
    default:
        dump_date_time(out, value);
        break;
    }
}

static void expect_tree_of(struct slice text, const char *expected) {
    struct toml_document *document = NULL;
    struct toml_error error;
    struct buffer dump;
    enum status status = toml_parse(text, &document, &error);

    ck_assert_msg(status == STATUS_OK, "%.*s\nrefused at %u:%u: %s", (int)text.len, text.ptr,
                  error.line, error.column, error.text);
    buffer_init(&dump, DUMP_MAX);
    dump_table(&dump, toml_document_root(document));
    dump_format(&dump, "%c", '\0');
    ck_assert_str_eq((const char *)dump.data, expected);
    buffer_deinit(&dump);
    toml_document_destroy(document);
}

/* ---- What is valid --------------------------------------------------------------------------- */

struct valid_case {
    const char *text;
    const char *tree;
};

static void expect_trees(const struct valid_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        expect_tree_of(slice_from_text(cases[i].text), cases[i].tree);
    }
}

#define EXPECT_TREES(cases) expect_trees(cases, sizeof(cases) / sizeof(cases)[0])

START_TEST(keys_and_layout) {
    static const struct valid_case cases[] = {
        {"", "{}"},
        {"\n\n \t\n", "{}"},
        {"# only a comment", "{}"},
        {"\xEF\xBB\xBF"
         "a = 1",
         "{a:1}"},
        {"a=1", "{a:1}"},
        {"a\t =\t1 # why \xC3\xA9\t.", "{a:1}"},
        {"a=1\r\nb=2\r\n", "{a:1,b:2}"},
        {"1234 = 1\n-_- = 2\nA-b_9 = 3", "{1234:1,-_-:2,A-b_9:3}"},
        {"\"a b\" = 1\n'c.d' = 2\n\"\" = 3\n\"\\u00e9\" = 4", "{a b:1,c.d:2,:3,\xC3\xA9:4}"},
        {"a.b.c = 1\na.b.d = 2\na.e = 3", "{a:{b:{c:1,d:2},e:3}}"},
        {"a . \"b\" . 'c' = 1", "{a:{b:{c:1}}}"},
        {"3.14 = 'pi'", "{3:{14:'pi'}}"},
        {"a.b = 1\nc = 2\na.d = 3", "{a:{b:1,d:3},c:2}"},
        {"true = 1\ninf = 2\n1979-05-27 = 3", "{true:1,inf:2,1979-05-27:3}"},
    };
    EXPECT_TREES(cases);
}
END_TEST

START_TEST(strings) {
    static const struct valid_case cases[] = {
        {"a = \"\"", "{a:''}"},
        {"a = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "{a:'<08><09><0a><0c><0d>\"\\'}"},
        {"a = \"\\u0041\\U0001F600\\u0000.\"", "{a:'A\xF0\x9F\x98\x80<00>.'}"},
        {"a = \"tab\tin it # no comment\"", "{a:'tab<09>in it # no comment'}"},
        {"a = 'C:\\n\\u0041 \"x\"'", "{a:'C:\\n\\u0041 \"x\"'}"},
        {"a = \"\"\"\"\"\"", "{a:''}"},
        {"a = ''''''", "{a:''}"},
        {"a = \"\"\"\none\r\ntwo\n\"\"\"", "{a:'one<0a>two<0a>'}"},
        {"a = \"\"\"one \\\n   \n\t two\\\r\n three\"\"\"", "{a:'one twothree'}"},
        {"a = \"\"\"x \\   \n y\"\"\"", "{a:'x y'}"},
        {"a = \"\"\"\"quoted\"\"\"\"", "{a:'\"quoted\"'}"},
        {"a = \"\"\"two\"\"\"\"\"", "{a:'two\"\"'}"},
        {"a = \"\"\"a\"b\"\"c\\\"\"\"\"", "{a:'a\"b\"\"c\"'}"},
        {"a = '''\nx\\y\n'z''w'''''", "{a:'x\\y<0a>'z''w'''}"},
        {"a = '''\r\nx'''\nb = 1", "{a:'x',b:1}"},
        {"a = \"\"\"\\\n\"\"\"", "{a:''}"},
    };
    EXPECT_TREES(cases);
}
END_TEST

START_TEST(numbers_and_booleans) {
    static const struct valid_case cases[] = {
        {"a = [0, +0, -0, +99, -17, 1_000, 5_349_221, 1_2_3]",
         "{a:[0,0,0,99,-17,1000,5349221,123]}"},
        {"a = [9223372036854775807, -9223372036854775808]",
         "{a:[9223372036854775807,-9223372036854775808]}"},
        {"a = [0xDEADBEEF, 0xdead_beef, 0x0f, 0o755, 0o0, 0b1101_0110]",
         "{a:[3735928559,3735928559,15,493,0,214]}"},
        {"a = 0x7FFFFFFFFFFFFFFF", "{a:9223372036854775807}"},
        {"a = [1.0, -0.01, 5e+22, 1e06, -2E-2, 6.626e-3, 0e0, 9_1.5_0]",
         "{a:[1.00000,-0.0100000,5.00000e+22,1.00000e+06,-0.0200000,0.00662600,0.00000,91.5000]}"},
        {"a = [inf, +inf, -inf, nan, +nan, -nan]", "{a:[inf,inf,-inf,nan,nan,nan]}"},
        {"a = -0.0", "{a:-0.00000}"},
        {"a = [true,false]", "{a:[true,false]}"},
    };
    EXPECT_TREES(cases);
}
END_TEST

START_TEST(dates_and_times) {
    static const struct valid_case cases[] = {
        {"a = 1979-05-27T07:32:00Z", "{a:1979-05-27T07:32:00+0}"},
        {"a = 1979-05-27t07:32:00z", "{a:1979-05-27T07:32:00+0}"},
        {"a = 1979-05-27T00:32:00.999999-07:00", "{a:1979-05-27T00:32:00.999999000-420}"},
        {"a = 1979-05-27 07:32:00+01:30", "{a:1979-05-27T07:32:00+90}"},
        {"a = 1979-05-27T07:32:00", "{a:1979-05-27T07:32:00}"},
        {"a = 1979-05-27 07:32:00.5 # x", "{a:1979-05-27T07:32:00.500000000}"},
        {"a = 1979-05-27", "{a:1979-05-27}"},
        {"a = 1979-05-27 # x", "{a:1979-05-27}"},
        {"a = [1979-05-27 , 07:32:00]", "{a:[1979-05-27,T07:32:00]}"},
        {"a = 00:32:00.1234567899", "{a:T00:32:00.123456789}"},
        {"a = 2024-02-29", "{a:2024-02-29}"},
        {"a = 2000-02-29", "{a:2000-02-29}"},
        {"a = 1990-12-31T23:59:60Z", "{a:1990-12-31T23:59:60+0}"},
    };
    EXPECT_TREES(cases);
}
END_TEST

START_TEST(arrays_and_tables_in_braces) {
    static const struct valid_case cases[] = {
        {"a = []", "{a:[]}"},
        {"a = [ ]", "{a:[]}"},
        {"a = [\n# x\n]", "{a:[]}"},
        {"a = [1, 'x', [2.0, []], {b = 1}]", "{a:[1,'x',[2.00000,[]],{b:1}]}"},
        {"a = [\n  1, # one\n  2\n  , # two\n\n]", "{a:[1,2]}"},
        {"a = [1,]", "{a:[1]}"},
        {"a = [1\r\n,\r\n2\r\n]", "{a:[1,2]}"},
        {"a = {}", "{a:{}}"},
        {"a = { b = 1, c.d = 2, c.e = 3, \"f\" = {g = 4} }", "{a:{b:1,c:{d:2,e:3},f:{g:4}}}"},
        {"a = {b = [\n1,\n2\n]}", "{a:{b:[1,2]}}"},
        {"a = {b=1}\nc = 2", "{a:{b:1},c:2}"},
    };
    EXPECT_TREES(cases);
}
END_TEST

START_TEST(headers) {
    static const struct valid_case cases[] = {
        {"[a]\nb = 1\n[c]\nb = 2", "{a:{b:1},c:{b:2}}"},
        {"[a]", "{a:{}}"},
        {"[ a . 'b c' . \"d\" ] # x\ne = 1", "{a:{b c:{d:{e:1}}}}"},
        {"[a.b.c]\nx = 1\n[a]\ny = 2", "{a:{b:{c:{x:1}},y:2}}"},
        {"[a.b]\nx = 1\n[a.c]\ny = 2", "{a:{b:{x:1},c:{y:2}}}"},
        {"[a.b.c]\nx=1\n[a]\nb.y = 2", "{a:{b:{c:{x:1},y:2}}}"},
        {"[a]\nb.c = 1\n[a.b.d]\ne = 2", "{a:{b:{c:1,d:{e:2}}}}"},
        {"[[a]]\nb = 1\n[[a]]\n[[a]]\nb = 2", "{a:[{b:1},{},{b:2}]}"},
        {"[[a]]\n[a.b]\nc = 1\n[[a.d]]\ne = 2\n[[a.d]]\n[[a]]\n[a.b]\nc = 3",
         "{a:[{b:{c:1},d:[{e:2},{}]},{b:{c:3}}]}"},
        {"[[a.b]]\nx = 1\n[a]\ny = 2", "{a:{b:[{x:1}],y:2}}"},
        {"[\"\"]\nx = 1", "{:{x:1}}"},
        {"a.b = 1\n[c]\nd.e = 2\n[c.d.f]\n[g]", "{a:{b:1},c:{d:{e:2,f:{}}},g:{}}"},
        {"[[ a ]]\n [[ a . b ]]\n", "{a:[{b:[{}]}]}"},
    };
    EXPECT_TREES(cases);
}
END_TEST

/* ---- What is refused ------------------------------------------------------------------------- */

struct invalid_case {
    const char *text;
    uint32_t line;
    uint32_t column;
    const char *reason; /* a part of the message */
};

static void expect_refused(struct slice text, uint32_t line, uint32_t column, const char *reason) {
    struct toml_document *document = NULL;
    struct toml_error error;
    enum status status = toml_parse(text, &document, &error);

    ck_assert_msg(status == STATUS_INVALID, "accepted: %.*s", (int)text.len, text.ptr);
    ck_assert_msg(strstr(error.text, reason), "'%s' does not say '%s' for: %.*s", error.text,
                  reason, (int)text.len, text.ptr);
    ck_assert_msg(error.line == line && error.column == column, "%u:%u, not %u:%u: %s for: %.*s",
                  error.line, error.column, line, column, error.text, (int)text.len, text.ptr);
}

static void expect_all_refused(const struct invalid_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        expect_refused(slice_from_text(cases[i].text), cases[i].line, cases[i].column,
                       cases[i].reason);
    }
}

#define EXPECT_REFUSED(cases) expect_all_refused(cases, sizeof(cases) / sizeof(cases)[0])

START_TEST(broken_layout_is_refused) {
    static const struct invalid_case cases[] = {
        {"a", 1, 2, "expected '.' or '=' after the key, found the end of the file"},
        {"a =", 1, 4, "expected a value, found the end of the file"},
        {"a = \nb = 1", 1, 5, "expected a value, found the end of the line"},
        {"= 1", 1, 1, "expected a key, found '='"},
        {"a = 1 b = 2", 1, 7, "expected the end of the line, found 'b'"},
        {"a = 1, b = 2", 1, 6, "expected the end of the line, found ','"},
        {"a b = 1", 1, 3, "after the key, found 'b'"},
        {"a. = 1", 1, 4, "expected a key"},
        {".a = 1", 1, 1, "expected a key"},
        {"a..b = 1", 1, 3, "expected a key"},
        {"\xC3\xA9 = 1", 1, 1, "expected a key, found '\xC3\xA9'"},
        {"\"\"\"a\"\"\" = 1", 1, 1, "a key on one line"},
        {"'''a''' = 1", 1, 1, "a key on one line"},
        {"a\n= 1", 1, 2, "found the end of the line"},
        {"a = \"\xC3\xA9\xC3\xA9\" x", 1, 10, "found 'x'"},
        {"a = 1\rb = 2", 1, 6, "expected the end of the line"},
        {"a = 1 # x\x01y", 1, 10, "control character U+0001"},
        {"a = 1 # x\ry", 1, 10, "comment of printable"},
        {"# \x7F", 1, 3, "U+007F"},
        {"\x0C"
         "a = 1",
         1, 1, "U+000C"},
        {"a = 1 = 2", 1, 7, "found '='"},
        {"a = [", 1, 6, "end of the file"},
        {"[a", 1, 3, "expected '.' or ']'"},
        {"[a]]", 1, 4, "expected the end of the line"},
        {"[[a]", 1, 5, "expected ']]'"},
        {"[[a] ]", 1, 5, "expected ']]'"},
        {"[ [a]]", 1, 3, "expected a key, found '['"},
        {"[]", 1, 2, "expected a key"},
        {"[a.]", 1, 4, "expected a key"},
        {"[a] b = 1", 1, 5, "expected the end of the line"},
        {"[a\n]", 1, 3, "end of the line"},
        {"a = @", 1, 5, "expected a value, found '@'"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(broken_strings_are_refused) {
    static const struct invalid_case cases[] = {
        {"a = \"x", 1, 5, "does not end"},
        {"a = 'x", 1, 5, "does not end"},
        {"\na = \"x\nb\"", 2, 5, "does not end on its line"},
        {"a = 'x\nb'", 1, 5, "does not end on its line"},
        {"a = \"\"\"x\n\"\"", 1, 5, "the string does not end"},
        {"a = '''x''", 1, 5, "the string does not end"},
        {"a = \"\\a\"", 1, 7, "one of b t n f r"},
        {"a = \"\\e\"", 1, 7, "one of b t n f r"},
        {"a = \"\\x41\"", 1, 7, "one of b t n f r"},
        {"a = \"\\ \"", 1, 7, "one of b t n f r"},
        {"a = \"\"\"\\ x\"\"\"", 1, 9, "one of b t n f r"},
        {"a = \"\\u12g4\"", 1, 10, "four hexadecimal"},
        {"a = \"\\U0001F60\"", 1, 15, "eight hexadecimal"},
        {"a = \"\\uD800\"", 1, 6, "U+D800 is not a character"},
        {"a = \"\\U00110000\"", 1, 6, "U+110000 is not a character"},
        {"a = \"x\x01y\"", 1, 7, "U+0001"},
        {"a = 'x\x7Fy'", 1, 7, "U+007F"},
        {"a = '''x\x1Fy'''", 1, 9, "U+001F"},
        {"a = \"\"\"x\ry\"\"\"", 1, 9, "a line feed after the carriage return"},
        {"a = \"\"\"x\"\"\"\"\"\"", 1, 14, "the end of the line, found '\"'"},
        {"a = \"x\"\"y\"", 1, 8, "the end of the line"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(broken_numbers_are_refused) {
    static const struct invalid_case cases[] = {
        {"a = 01", 1, 5, "does not begin with a 0"},
        {"a = -01", 1, 5, "does not begin with a 0"},
        {"a = 0_1", 1, 5, "does not begin with a 0"},
        {"a = 1__0", 1, 5, "expected a number"},
        {"a = _1", 1, 5, "expected a value"},
        {"a = 1_", 1, 5, "expected a number"},
        {"a = +", 1, 5, "expected a number"},
        {"a = --1", 1, 5, "expected a number"},
        {"a = 1a", 1, 5, "expected a number"},
        {"a = 0x", 1, 5, "digits of the base"},
        {"a = 0xg", 1, 5, "digits of the base"},
        {"a = 0x_1", 1, 5, "digits of the base"},
        {"a = 0x1_", 1, 5, "digits of the base"},
        {"a = 0o8", 1, 5, "digits of the base"},
        {"a = 0b2", 1, 5, "digits of the base"},
        {"a = +0x1", 1, 5, "expected a number"},
        {"a = 0X1", 1, 5, "expected a number"},
        {"a = 9223372036854775808", 1, 5, "does not fit 64 bits"},
        {"a = -9223372036854775809", 1, 5, "does not fit 64 bits"},
        {"a = 99999999999999999999999", 1, 5, "does not fit 64 bits"},
        {"a = 0x8000000000000000", 1, 5, "does not fit 64 bits"},
        {"a = .5", 1, 5, "expected a value"},
        {"a = 5.", 1, 5, "expected a number"},
        {"a = 1.e5", 1, 5, "expected a number"},
        {"a = 1._5", 1, 5, "expected a number"},
        {"a = 1e", 1, 5, "expected a number"},
        {"a = 1e1.5", 1, 5, "expected a number"},
        {"a = 00.5", 1, 5, "does not begin with a 0"},
        {"a = 1e999", 1, 5, "too large"},
        {"a = Inf", 1, 5, "text stands in quotes"},
        {"a = True", 1, 5, "text stands in quotes"},
        {"a = hello", 1, 5, "text stands in quotes, found 'hello'"},
        {"a = truefalse", 1, 5, "text stands in quotes"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(broken_dates_are_refused) {
    static const struct invalid_case cases[] = {
        {"a = 1979-13-01", 1, 5, "expected a date"},
        {"a = 1979-00-01", 1, 5, "expected a date"},
        {"a = 1979-02-30", 1, 5, "expected a date"},
        {"a = 1900-02-29", 1, 5, "expected a date"},
        {"a = 2023-02-29", 1, 5, "expected a date"},
        {"a = 1979-5-27", 1, 5, "expected a date"},
        {"a = 79-05-27", 1, 5, "expected a number"},
        {"a = 1979-05-27T", 1, 5, "expected a date"},
        {"a = 1979-05-27T7:32:00", 1, 5, "expected a date"},
        {"a = 1979-05-27T07:32", 1, 5, "expected a date"},
        {"a = 1979-05-27T07:32:00X", 1, 5, "expected a date"},
        {"a = 1979-05-27T07:32:00.Z", 1, 5, "expected a date"},
        {"a = 1979-05-27T07:32:00+1:00", 1, 5, "expected a date"},
        {"a = 1979-05-27T07:32:00+24:00", 1, 5, "expected a date"},
        {"a = 1979-05-27T07:32:00+01:60", 1, 5, "expected a date"},
        {"a = 1979-05-27  07:32:00", 1, 17, "expected the end of the line"},
        {"a = 24:00:00", 1, 5, "expected a time"},
        {"a = 12:60:00", 1, 5, "expected a time"},
        {"a = 12:00:61", 1, 5, "expected a time"},
        {"a = 12:00", 1, 5, "expected a time"},
        {"a = 12:00:00Z", 1, 5, "expected a time"},
        {"a = 12:00:00.", 1, 5, "expected a time"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(broken_arrays_and_braces_are_refused) {
    static const struct invalid_case cases[] = {
        {"a = [1 2]", 1, 8, "',' or ']'"},
        {"a = [,]", 1, 6, "expected a value, found ','"},
        {"a = [1,,2]", 1, 8, "expected a value"},
        {"a = [1", 1, 7, "',' or ']'"},
        {"a = [1}", 1, 7, "',' or ']'"},
        {"a = {b = 1", 1, 11, "',' or '}'"},
        {"a = {b = 1,}", 1, 12, "expected a key"},
        {"a = {,}", 1, 6, "expected a key"},
        {"a = {b = 1\n}", 1, 11, "',' or '}' in the table, found the end of the line"},
        {"a = {\nb = 1}", 1, 6, "expected a key, found the end of the line"},
        {"a = {b = 1 c = 2}", 1, 12, "',' or '}'"},
        {"a = {b}", 1, 7, "after the key"},
        {"a = {b = 1, b = 2}", 1, 13, "'b' is given twice"},
        {"a = {b.c = 1, b = 2}", 1, 15, "'b' is given twice"},
        {"a = {b = 1, b.c = 2}", 1, 13, "'b' is a value"},
        {"a = {b = {c = 1}, b.d = 2}", 1, 19, "'b' is a table in braces"},
        {"a = {b = 1 # x\n}", 1, 12, "',' or '}'"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(what_is_given_twice_is_refused) {
    static const struct invalid_case cases[] = {
        {"a = 1\na = 2", 2, 1, "'a' is given twice (first on line 1)"},
        {"a = 1\n\"a\" = 2", 2, 1, "'a' is given twice"},
        {"a.b = 1\na.b = 2", 2, 3, "'b' is given twice"},
        {"a = 1\na.b = 2", 2, 1, "'a' is a value"},
        {"a.b = 1\na = 2", 2, 1, "'a' is given twice"},
        {"a = {b = 1}\na.c = 2", 2, 1, "'a' is a table in braces"},
        {"[a]\n[a]", 2, 2, "'a' is a table already (first on line 1)"},
        {"[a]\nb = 1\n\n[a]", 4, 2, "'a' is a table already"},
        {"[a.b]\n[a]\n[a]", 3, 2, "'a' is a table already (first on line 2)"},
        {"[a]\nb = 1\n[a.b]", 3, 4, "'b' exists and is not a table"},
        {"[a]\nb = 1\n[a.b.c]", 3, 4, "'b' is a value"},
        {"[a]\nb.c = 1\n[a.b]", 3, 4, "'b' is a table already"},
        {"a.b = 1\n[a]", 2, 2, "'a' is a table already"},
        {"[a.b.c]\nz = 9\n[a]\nb.c.t = 1", 4, 3, "'c' is a table already; add to it below"},
        {"[a.b.c.d]\nz = 9\n[a]\nb.c.d.k.t = 1", 4, 5, "'d' is a table already"},
        {"[a.b]\n[a]\nb = 1", 3, 1, "'b' is given twice"},
        {"[a.b.c]\n[a]\nb.y = 2\n[a.b]", 4, 4, "'b' is a table already"},
        {"a = {}\n[a.b]", 2, 2, "'a' is a table in braces"},
        {"a = {}\n[a]", 2, 2, "'a' is a table already"},
        {"[t]\na = {b.c = 1}\n[t.a.b]", 3, 4, "'a' is a table in braces"},
        {"a = []\n[[a]]", 2, 3, "'a' exists and is not an array of tables"},
        {"a = [{b = 1}]\n[a.c]", 2, 2, "'a' is a value"},
        {"a = [{b = 1}]\na.c = 1", 2, 1, "'a' is a value"},
        {"[a]\n[[a]]", 2, 3, "'a' exists and is not an array of tables"},
        {"[[a]]\n[a]", 2, 2, "'a' exists and is not a table"},
        {"[a.b]\n[[a]]", 2, 3, "'a' exists and is not an array of tables"},
        {"[[a.b]]\n[a]\nb.y = 2", 3, 1, "'b' is a value"},
        {"[[a]]\n[[a.b]]\n[a.b]", 3, 4, "'b' exists and is not a table"},
        {"[a]\nb.c = 1\n[a.b.c]", 3, 6, "'c' exists and is not a table"},
        {"[[a]]\nb = 1\n[[a]]\nb = 1\nb = 2", 5, 1, "'b' is given twice (first on line 4)"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_refused) {
    static const struct invalid_case cases[] = {
        {"a = \"\xFF\"", 1, 6, "found the byte 0xFF"},
        {"a = 1 # \x80", 1, 9, "0x80"},
        {"a = \"\xC0\xAF\"", 1, 6, "0xC0"},
        {"a = \"\xED\xA0\x80\"", 1, 6, "0xED"},
        {"a = \"\xF4\x90\x80\x80\"", 1, 6, "0xF4"},
        {"\n\nb = '\xC3\xA9\xC3'", 3, 7, "0xC3"},
        {"a = \"\xE2\x82", 1, 6, "0xE2"},
        {"a = 1\n\xEF\xBB\xBF"
         "b = 2",
         2, 1, "expected a key"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(a_nul_is_refused_everywhere) {
    expect_refused(slice_make("a = 1\0", 6), 1, 6, "U+0000");
    expect_refused(slice_make("a = '\0'", 7), 1, 6, "U+0000");
    expect_refused(slice_make("#\0", 2), 1, 2, "U+0000");
    expect_refused(slice_make("\0", 1), 1, 1, "U+0000");
}
END_TEST

/* ---- Limits ---------------------------------------------------------------------------------- */

static void fill(struct buffer *text, const char *piece, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(buffer_append(text, piece, strlen(piece)), STATUS_OK);
    }
}

/* "before", `depth` times `open`, as many times `close`. */
static enum status parse_nested(const char *before, const char *open, const char *close,
                                size_t depth) {
    struct toml_document *document = NULL;
    struct toml_error error;
    struct buffer text;
    enum status status;

    buffer_init(&text, DUMP_MAX);
    fill(&text, before, 1);
    fill(&text, open, depth);
    fill(&text, close, close[0] == '=' ? 1 : depth);
    status = toml_parse(buffer_slice(&text), &document, &error);
    if (status == STATUS_OK) {
        toml_document_destroy(document);
    } else {
        ck_assert_ptr_nonnull(strstr(error.text, "nested deeper than 64 levels"));
    }
    buffer_deinit(&text);
    return status;
}

START_TEST(nesting_ends_at_its_limit) {
    ck_assert_int_eq(parse_nested("a=", "[", "]", 64), STATUS_OK);
    ck_assert_int_eq(parse_nested("a=", "[", "]", 65), STATUS_INVALID);
    ck_assert_int_eq(parse_nested("a=1\n[b", ".b", "]\n", 1), STATUS_OK);
    ck_assert_int_eq(parse_nested("b", ".b", "=1", 63), STATUS_OK);
    ck_assert_int_eq(parse_nested("b", ".b", "=1", 64), STATUS_INVALID);
    ck_assert_int_eq(parse_nested("b", ".b", "=1", 100000), STATUS_INVALID);
    ck_assert_int_eq(parse_nested("a=", "[", "]", 500000), STATUS_INVALID);
    ck_assert_int_eq(parse_nested("", "[[x]]\n[[x.y]]\n", "", 1000), STATUS_OK);
}
END_TEST

START_TEST(a_text_of_the_greatest_size_is_read_and_a_larger_one_refused) {
    struct toml_document *document = NULL;
    struct toml_error error;
    struct buffer text;

    buffer_init(&text, DUMP_MAX);
    fill(&text, "# 345678901234\n#", TOML_BYTES_MAX / 16);
    ck_assert_uint_eq(text.len, TOML_BYTES_MAX);
    ck_assert_int_eq(toml_parse(buffer_slice(&text), &document, &error), STATUS_OK);
    toml_document_destroy(document);
    fill(&text, " ", 1);
    ck_assert_int_eq(toml_parse(buffer_slice(&text), &document, &error), STATUS_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(error.text, "1048576 bytes"));
    buffer_deinit(&text);
}
END_TEST

START_TEST(many_keys_on_long_lines_take_no_time) {
    struct toml_document *document = NULL;
    struct toml_error error;
    struct buffer text;

    buffer_init(&text, DUMP_MAX);
    fill(&text, "a = [", 1);
    fill(&text, "'x',", 100000);
    fill(&text, "]\n", 1);
    for (unsigned i = 0; i < 60000; i++) {
        char line[32];
        snprintf(line, sizeof line, "k%u=1\n", i);
        fill(&text, line, 1);
    }
    ck_assert_int_eq(toml_parse(buffer_slice(&text), &document, &error), STATUS_OK);
    ck_assert_uint_eq(toml_document_root(document)->count, 60001);
    ck_assert_ptr_nonnull(toml_table_find(toml_document_root(document), slice_from_text("k59999")));
    ck_assert_ptr_null(toml_table_find(toml_document_root(document), slice_from_text("k60000")));
    toml_document_destroy(document);
    buffer_deinit(&text);
}
END_TEST

START_TEST(entries_and_values_know_their_place) {
    const char *text = "\n[server]\n  listen = \"x\"\n";
    struct toml_document *document = NULL;
    const struct toml_entry *entry;
    struct toml_error error;

    ck_assert_int_eq(toml_parse(slice_from_text(text), &document, &error), STATUS_OK);
    entry = toml_document_root(document)->first->value.as.table->first;
    ck_assert_uint_eq(entry->line, 3);
    ck_assert_uint_eq(entry->column, 3);
    ck_assert_uint_eq(entry->value.line, 3);
    ck_assert_uint_eq(entry->value.column, 12);
    toml_document_destroy(document);
}
END_TEST

START_TEST(a_lone_value_is_read_and_nothing_behind_it) {
    struct toml_document *document = NULL;
    struct toml_error error;
    struct toml_value value;

    ck_assert_int_eq(toml_parse_value(slice_from_text("[1, 2]"), &document, &value, &error),
                     STATUS_OK);
    ck_assert_int_eq(value.type, TOML_ARRAY);
    ck_assert_uint_eq(value.as.array->count, 2);
    toml_document_destroy(document);
    ck_assert_int_eq(toml_parse_value(slice_from_text("1 2"), &document, &value, &error),
                     STATUS_INVALID);
    ck_assert_int_eq(toml_parse_value(slice_from_text(""), &document, &value, &error),
                     STATUS_INVALID);
}
END_TEST

/* ---- Failures of memory ---------------------------------------------------------------------- */

static const char everything[] = "a.b = \"\\u0041bc\"\nc = [1, {d = 2.5}, '''x''']\n"
                                 "[e.f]\ng = 1979-05-27\n[[h]]\n[[h]]\ni.j = true\n"
                                 "[t]\na=1\nb=2\nc=3\nd=4\ne=5\nf=6\ng=7\nh=8\ni=9\n";

START_TEST(any_allocation_may_fail) {
    struct toml_document *document = NULL;
    struct toml_error error;
    enum status status = STATUS_NO_MEMORY;
    uint64_t failed = 0;

    while (status == STATUS_NO_MEMORY) {
        memory_fail_after(failed++, false);
        status = toml_parse(slice_from_text(everything), &document, &error);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(failed, 3);
    toml_document_destroy(document);
}
END_TEST

START_TEST(any_cut_of_a_text_is_read_or_refused) {
    for (size_t len = 0; len < sizeof everything; len++) {
        char *copy = memory_alloc(len + 1); /* exact, so that a sanitizer sees a step too far */
        struct toml_document *document = NULL;
        struct toml_error error;
        memcpy(copy, everything, len);
        if (toml_parse(slice_make(copy, len), &document, &error) == STATUS_OK) {
            toml_document_destroy(document);
        } else {
            ck_assert_uint_gt(strlen(error.text), 0);
        }
        memory_free(copy);
    }
}
END_TEST

UNIT_MAIN("toml", keys_and_layout, strings, numbers_and_booleans, dates_and_times,
          arrays_and_tables_in_braces, headers, broken_layout_is_refused,
          broken_strings_are_refused, broken_numbers_are_refused, broken_dates_are_refused,
          broken_arrays_and_braces_are_refused, what_is_given_twice_is_refused,
          bytes_that_are_not_utf8_are_refused, a_nul_is_refused_everywhere,
          nesting_ends_at_its_limit, a_text_of_the_greatest_size_is_read_and_a_larger_one_refused,
          many_keys_on_long_lines_take_no_time, entries_and_values_know_their_place,
          a_lone_value_is_read_and_nothing_behind_it, any_allocation_may_fail,
          any_cut_of_a_text_is_read_or_refused)
