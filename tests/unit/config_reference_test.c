/* config_reference_test.c: config.example.toml and docs/configuration.md say what the table of keys
 * says. Both end with a part that is made from the table; this test makes it again and compares.
 *
 * After a change of the table, run it with KVD_UPDATE=1 from the top folder: it writes the parts
 * anew, for you to read and commit. */
#include "server/config.h"

#include "protocol/base/buffer.h"
#include "server/config_file.h"
#include "server/units.h"
#include "tests/unit/unit.h"

#include <stdarg.h>
#include <stdio.h>

#define FILE_MAX (1u << 20)
#define TEXT_COLUMNS 100
#define EXAMPLE "config.example.toml"
#define DOCS "docs/configuration.md"

static void put(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct buffer *out, const char *format, ...) {
    char piece[2048];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    ck_assert_int_lt(len, (int)sizeof piece);
    ck_assert_int_eq(buffer_append(out, piece, (size_t)len), STATUS_OK);
}

/* Words in lines of at most TEXT_COLUMNS, each line begun with `lead`. */
static void put_wrapped(struct buffer *out, const char *lead, const char *text) {
    size_t column = 0;

    while (*text) {
        size_t len = strcspn(text, " ");
        if (column == 0 || column + 1 + len > TEXT_COLUMNS) {
            put(out, "%s%s%.*s", column == 0 ? "" : "\n", lead, (int)len, text);
            column = strlen(lead) + len;
        } else {
            put(out, " %.*s", (int)len, text);
            column += 1 + len;
        }
        text += len + (text[len] == ' ');
    }
    put(out, "\n");
}

static void describe_bound(enum config_type type, double bound, char text_out[UNITS_TEXT_MAX]) {
    if (type == CONFIG_SIZE) {
        (void)units_write_size((uint64_t)bound, text_out);
    } else if (type == CONFIG_DURATION) {
        (void)units_write_duration((uint64_t)bound, text_out);
    } else {
        snprintf(text_out, UNITS_TEXT_MAX, "%.15g", bound);
    }
}

static const char *kind_of(enum config_type type) {
    static const char *const kinds[] = {
        [CONFIG_INTEGER] = "a number",    [CONFIG_SIZE] = "a size",
        [CONFIG_DURATION] = "a duration", [CONFIG_REAL] = "a number",
        [CONFIG_CHOICE] = "one of",       [CONFIG_BOOLEAN] = "true or false",
        [CONFIG_TEXT] = "text, in bytes", [CONFIG_LIST] = "an array of strings",
    };
    return kinds[type];
}

/* "a, b, c" out of "a|b|c" */
static void list_choices(const char *choices, char *text_out, size_t bytes_max) {
    size_t len = 0;

    for (; *choices && len + 3 < bytes_max; choices++) {
        text_out[len++] = *choices == '|' ? ',' : *choices;
        if (*choices == '|') {
            text_out[len++] = ' ';
        }
    }
    text_out[len] = '\0';
}

/* "a size, 64MiB to 64TiB; takes effect at the next start" */
static void describe(const struct config_key_info *info, char *text_out, size_t bytes_max) {
    const char *when =
        info->reloadable ? "may change while kvd runs (SIGHUP)" : "takes effect at the next start";
    const char *kind = kind_of(info->type);
    char least[UNITS_TEXT_MAX];
    char greatest[UNITS_TEXT_MAX];
    char choices[128];

    if (info->type == CONFIG_CHOICE) {
        list_choices(info->choices, choices, sizeof choices);
        snprintf(text_out, bytes_max, "%s %s; %s", kind, choices, when);
    } else if (info->type == CONFIG_BOOLEAN) {
        snprintf(text_out, bytes_max, "%s; %s", kind, when);
    } else {
        describe_bound(info->type, info->least, least);
        describe_bound(info->type, info->greatest, greatest);
        snprintf(text_out, bytes_max, "%s, %s to %s; %s", kind, least, greatest, when);
    }
}

static size_t section_bytes(const char *name) {
    const char *dot = strchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

/* Whether the key begins a section. */
static bool begins_section(int key) {
    const char *name = config_key_info((enum config_key)key)->name;
    const char *before = key > 0 ? config_key_info((enum config_key)(key - 1))->name : "";
    size_t len = section_bytes(name);

    return len > 0 && (section_bytes(before) != len || strncmp(name, before, len) != 0);
}

static void render_example(struct buffer *out) {
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        const struct config_key_info *info = config_key_info((enum config_key)key);
        size_t section = section_bytes(info->name);
        char text[512];

        put(out, "\n");
        if (begins_section(key)) {
            put(out, "[%.*s]\n\n", (int)section, info->name);
        }
        describe(info, text, sizeof text);
        put_wrapped(out, "# ", info->help);
        put(out, "# (%s)\n", text);
        put(out, "%s = %s\n", info->name + section + (section > 0), info->default_text);
    }
}

static void render_docs(struct buffer *out) {
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        const struct config_key_info *info = config_key_info((enum config_key)key);
        char text[512];

        if (begins_section(key)) {
            put(out, "\n### [%.*s]\n", (int)section_bytes(info->name), info->name);
        }
        describe(info, text, sizeof text);
        put(out, "\n#### %s\n\n", info->name);
        put(out, "Default `%s`; %s.\n\n", info->default_text, text);
        put_wrapped(out, "", info->help);
    }
}

/* Where the made part of a file begins: behind the line that ends with `mark`. */
static size_t made_part(const struct buffer *file, const char *mark) {
    const char *found = memmem(file->data, file->len, mark, strlen(mark));

    ck_assert_ptr_nonnull(found);
    return (size_t)(found - (const char *)file->data) + strlen(mark);
}

static void write_file(const char *path, const struct buffer *text) {
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text->data, 1, text->len, file), text->len);
    ck_assert_int_eq(fclose(file), 0);
}

static void check_file(const char *path, const char *mark, void (*render)(struct buffer *)) {
    struct buffer file;
    struct buffer made;
    struct error error;
    size_t start;

    buffer_init(&file, FILE_MAX);
    buffer_init(&made, FILE_MAX);
    ck_assert_int_eq(config_file_read(path, &file, &error), STATUS_OK);
    start = made_part(&file, mark);
    render(&made);
    if (getenv("KVD_UPDATE")) {
        buffer_rollback(&file, start);
        ck_assert_int_eq(buffer_append(&file, made.data, made.len), STATUS_OK);
        write_file(path, &file);
    }
    ck_assert_int_eq(buffer_append_u8(&file, 0), STATUS_OK);
    ck_assert_int_eq(buffer_append_u8(&made, 0), STATUS_OK);
    ck_assert_str_eq((const char *)file.data + start, (const char *)made.data);
    buffer_deinit(&file);
    buffer_deinit(&made);
}

START_TEST(the_example_lists_every_key_with_its_default_and_nothing_else) {
    check_file(EXAMPLE, "# ----\n", render_example);
}
END_TEST

START_TEST(the_documentation_describes_every_key_and_nothing_else) {
    check_file(DOCS, "## The keys\n", render_docs);
}
END_TEST

START_TEST(the_example_is_read_and_sets_each_key_to_its_default) {
    struct config_input from_file = {.path = EXAMPLE};
    struct config_input nothing = {0};
    struct config *example = NULL;
    struct config *defaults = NULL;
    struct error error = {0};

    ck_assert_msg(config_load(&from_file, &example, &error) == STATUS_OK, "%s: %s", error.path,
                  error.text);
    ck_assert_int_eq(config_load(&nothing, &defaults, &error), STATUS_OK);
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        char texts[2][512];
        (void)config_write_value(example, (enum config_key)key, texts[0], sizeof texts[0]);
        (void)config_write_value(defaults, (enum config_key)key, texts[1], sizeof texts[1]);
        ck_assert_str_eq(texts[0], texts[1]);
        ck_assert_ptr_nonnull(strstr(config_origin(example, (enum config_key)key), EXAMPLE ":"));
        ck_assert_str_eq(config_origin(defaults, (enum config_key)key), "default");
    }
    config_destroy(example);
    config_destroy(defaults);
}
END_TEST

START_TEST(keys_of_a_section_stand_together_after_those_without) {
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        const char *name = config_key_info((enum config_key)i)->name;
        size_t len = section_bytes(name);
        for (int j = 0; len > 0 && begins_section(i) && j < i; j++) {
            const char *earlier = config_key_info((enum config_key)j)->name;
            ck_assert(section_bytes(earlier) != len || strncmp(name, earlier, len) != 0);
        }
        ck_assert(len > 0 || i == 0 ||
                  section_bytes(config_key_info((enum config_key)(i - 1))->name) == 0);
    }
}
END_TEST

UNIT_MAIN("config_reference", the_example_lists_every_key_with_its_default_and_nothing_else,
          the_documentation_describes_every_key_and_nothing_else,
          the_example_is_read_and_sets_each_key_to_its_default,
          keys_of_a_section_stand_together_after_those_without)
