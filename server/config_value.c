/* config_value.c: one value of the configuration. */
#include "server/config_value.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/toml_parser.h"
#include "server/units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* What reading one value needs to know, and where its errors go. */
struct reading {
    const struct config_key_info *info;
    const char *place;
    struct error *error;
};

/* ---- Errors ---------------------------------------------------------------------------------- */

static enum status no_memory(struct error *error) {
    return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "read the configuration");
}

static enum status fail(const struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum status fail(const struct reading *reading, const char *format, ...) {
    char reason[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return error_set(reading->error, STATUS_INVALID, 0, reading->place, ERROR_NO_OFFSET, "%s %s",
                     reading->info->name, reason);
}

static const char *expected_form(enum config_type type) {
    static const char *const forms[] = {
        [CONFIG_INTEGER] = "a whole number",
        [CONFIG_SIZE] = "a size such as \"64MiB\" (B, KiB, MiB, GiB, TiB)",
        [CONFIG_DURATION] = "a duration such as \"500ms\" (ms, s, m, h, d), or 0",
        [CONFIG_REAL] = "a number",
        [CONFIG_CHOICE] = "one of the words",
        [CONFIG_BOOLEAN] = "true or false",
        [CONFIG_TEXT] = "a string",
        [CONFIG_LIST] = "an array of strings",
    };
    return forms[type];
}

static enum status fail_type(const struct reading *reading, const struct toml_value *toml) {
    return fail(reading, "is %s; expected %s", toml_type_name(toml->type),
                expected_form(reading->info->type));
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void write_number(enum config_type type, uint64_t number, char text_out[UNITS_TEXT_MAX]) {
    if (type == CONFIG_SIZE) {
        (void)units_write_size(number, text_out);
    } else if (type == CONFIG_DURATION) {
        (void)units_write_duration(number, text_out);
    } else {
        snprintf(text_out, UNITS_TEXT_MAX, "%" PRIu64, number);
    }
}

static enum status check_number(const struct reading *reading, uint64_t number,
                                struct config_value *value) {
    uint64_t least = (uint64_t)reading->info->least;
    uint64_t greatest = (uint64_t)reading->info->greatest;
    char texts[3][UNITS_TEXT_MAX];

    if (number >= least && number <= greatest) {
        value->number = number;
        return STATUS_OK;
    }
    write_number(reading->info->type, number, texts[0]);
    write_number(reading->info->type, least, texts[1]);
    write_number(reading->info->type, greatest, texts[2]);
    return fail(reading, "is %s; expected %s to %s", texts[0], texts[1], texts[2]);
}

static enum status read_integer(const struct reading *reading, const struct toml_value *toml,
                                struct config_value *value) {
    if (toml->type != TOML_INTEGER) {
        return fail_type(reading, toml);
    }
    if (toml->as.integer < 0) {
        return fail(reading, "is %" PRId64 "; expected %.0f to %.0f", toml->as.integer,
                    reading->info->least, reading->info->greatest);
    }
    return check_number(reading, (uint64_t)toml->as.integer, value);
}

/* A size or a duration. */
static enum status read_measure(const struct reading *reading, const struct toml_value *toml,
                                struct config_value *value) {
    bool is_size = reading->info->type == CONFIG_SIZE;
    uint64_t number = 0;
    enum status status;

    if (toml->type == TOML_INTEGER && toml->as.integer >= 0 && (is_size || toml->as.integer == 0)) {
        return check_number(reading, (uint64_t)toml->as.integer, value);
    }
    if (toml->type == TOML_INTEGER) {
        return fail(reading, "is %" PRId64 "; expected %s", toml->as.integer,
                    expected_form(reading->info->type));
    }
    if (toml->type != TOML_STRING) {
        return fail_type(reading, toml);
    }
    status = is_size ? units_parse_size(toml->as.text, &number)
                     : units_parse_duration(toml->as.text, &number);
    if (status != STATUS_OK) {
        return fail(reading, "is \"%.40s\"; expected %s", (const char *)toml->as.text.ptr,
                    expected_form(reading->info->type));
    }
    return check_number(reading, number, value);
}

static enum status read_real(const struct reading *reading, const struct toml_value *toml,
                             struct config_value *value) {
    const struct config_key_info *info = reading->info;
    double real;

    if (toml->type == TOML_FLOAT) {
        real = toml->as.real;
    } else if (toml->type == TOML_INTEGER) {
        real = (double)toml->as.integer;
    } else {
        return fail_type(reading, toml);
    }
    if (real >= info->least && real <= info->greatest) { /* nan is neither */
        value->real = real;
        return STATUS_OK;
    }
    return fail(reading, "is %g; expected %g to %g", real, info->least, info->greatest);
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static enum status copy_text(struct slice text, char **copy_out, struct error *error) {
    char *copy = memory_alloc(text.len + 1);

    if (!copy) {
        return no_memory(error);
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    *copy_out = copy;
    return STATUS_OK;
}

/* The place of a word in "a|b|c"; false if it is not there. */
static bool find_choice(const char *choices, struct slice word, uint64_t *place_out) {
    uint64_t place = 0;

    while (*choices) {
        size_t len = strcspn(choices, "|");
        if (slice_equal(slice_make(choices, len), word)) {
            *place_out = place;
            return true;
        }
        choices += len + (choices[len] == '|');
        place++;
    }
    return false;
}

static enum status read_choice(const struct reading *reading, const struct toml_value *toml,
                               struct config_value *value) {
    if (toml->type != TOML_STRING) {
        return fail(reading, "is %s; expected one of %s", toml_type_name(toml->type),
                    reading->info->choices);
    }
    if (!find_choice(reading->info->choices, toml->as.text, &value->number)) {
        return fail(reading, "is \"%.40s\"; expected one of %s", (const char *)toml->as.text.ptr,
                    reading->info->choices);
    }
    return copy_text(toml->as.text, &value->text, reading->error);
}

static bool has_nul(struct slice text) {
    return text.len > 0 && memchr(text.ptr, 0, text.len) != NULL;
}

static enum status read_text(const struct reading *reading, const struct toml_value *toml,
                             struct config_value *value) {
    const struct config_key_info *info = reading->info;

    if (toml->type != TOML_STRING) {
        return fail_type(reading, toml);
    }
    if (has_nul(toml->as.text)) {
        return fail(reading, "holds the character U+0000");
    }
    if ((double)toml->as.text.len < info->least || (double)toml->as.text.len > info->greatest) {
        return fail(reading, "has %zu bytes; expected %.0f to %.0f", toml->as.text.len, info->least,
                    info->greatest);
    }
    return copy_text(toml->as.text, &value->text, reading->error);
}

static enum status check_count(const struct reading *reading, size_t count) {
    const struct config_key_info *info = reading->info;

    if ((double)count < info->least || (double)count > info->greatest) {
        return fail(reading, "has %zu items; expected %.0f to %.0f", count, info->least,
                    info->greatest);
    }
    return STATUS_OK;
}

static enum status read_list(const struct reading *reading, const struct toml_value *toml,
                             struct config_value *value) {
    const struct toml_item *item;
    enum status status;

    if (toml->type != TOML_ARRAY) {
        return fail_type(reading, toml);
    }
    status = check_count(reading, toml->as.array->count);
    if (status != STATUS_OK || toml->as.array->count == 0) {
        return status;
    }
    value->items = memory_alloc_array(toml->as.array->count, sizeof(char *));
    if (!value->items) {
        return no_memory(reading->error);
    }
    for (item = toml->as.array->first; item && status == STATUS_OK; item = item->next) {
        if (item->value.type != TOML_STRING || has_nul(item->value.as.text)) {
            return fail(reading, "has an item that is %s; expected an array of strings",
                        item->value.type == TOML_STRING ? "a string with U+0000"
                                                        : toml_type_name(item->value.type));
        }
        status = copy_text(item->value.as.text, &value->items[value->item_count], reading->error);
        value->item_count += status == STATUS_OK;
    }
    return status;
}

static enum status read_boolean(const struct reading *reading, const struct toml_value *toml,
                                struct config_value *value) {
    if (toml->type != TOML_BOOL) {
        return fail_type(reading, toml);
    }
    value->number = toml->as.yes;
    return STATUS_OK;
}

/* ---- The value ------------------------------------------------------------------------------- */

void config_value_deinit(struct config_value *value) {
    for (size_t i = 0; i < value->item_count; i++) {
        memory_free(value->items[i]);
    }
    memory_free(value->items);
    memory_free(value->text);
    *value = (struct config_value){0};
}

static enum status read_typed(const struct reading *reading, const struct toml_value *toml,
                              struct config_value *value) {
    switch (reading->info->type) {
    case CONFIG_INTEGER:
        return read_integer(reading, toml, value);
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        return read_measure(reading, toml, value);
    case CONFIG_REAL:
        return read_real(reading, toml, value);
    case CONFIG_CHOICE:
        return read_choice(reading, toml, value);
    case CONFIG_BOOLEAN:
        return read_boolean(reading, toml, value);
    case CONFIG_TEXT:
        return read_text(reading, toml, value);
    case CONFIG_LIST:
        break;
    }
    return read_list(reading, toml, value);
}

enum status config_value_read(enum config_key key, const struct toml_value *toml, const char *place,
                              struct config_value *value_out, struct error *error) {
    struct reading reading = {config_key_info(key), place, error};
    struct config_value value = {0};
    enum status status = read_typed(&reading, toml, &value);

    if (status == STATUS_OK) {
        *value_out = value;
    } else {
        config_value_deinit(&value);
    }
    return status;
}

/* Whether the text is TOML; else it is a string without its quotes. */
static bool is_toml(enum config_type type, const char *text) {
    switch (type) {
    case CONFIG_INTEGER:
    case CONFIG_REAL:
    case CONFIG_BOOLEAN:
        return true;
    case CONFIG_LIST:
        return text[0] == '[' && text[strlen(text) - 1] == ']'; /* and not "[::1]:7450" */
    default:
        return text[0] == '"' || text[0] == '\'';
    }
}

/* A bare word as the array of one that a LIST wants. */
static enum status read_bare(enum config_key key, const char *text, const char *place,
                             struct config_value *value_out, struct error *error) {
    struct toml_item item = {
        .value = {.type = TOML_STRING, .as.text = slice_from_text(text)},
    };
    struct toml_array array = {.first = &item, .last = &item, .count = 1};
    struct toml_value list = {.type = TOML_ARRAY, .as.array = &array};
    bool is_list = config_key_info(key)->type == CONFIG_LIST;

    return config_value_read(key, is_list ? &list : &item.value, place, value_out, error);
}

enum status config_value_read_text(enum config_key key, const char *text, const char *place,
                                   struct config_value *value_out, struct error *error) {
    const struct config_key_info *info = config_key_info(key);
    struct toml_document *document;
    struct toml_error toml_error;
    struct toml_value toml;
    enum status status;

    if (!is_toml(info->type, text)) {
        return read_bare(key, text, place, value_out, error);
    }
    status = toml_parse_value(slice_from_text(text), &document, &toml, &toml_error);
    if (status == STATUS_NO_MEMORY) {
        return no_memory(error);
    }
    if (status != STATUS_OK) {
        return error_set(error, STATUS_INVALID, 0, place, ERROR_NO_OFFSET, "%s: %s", info->name,
                         toml_error.text);
    }
    status = config_value_read(key, &toml, place, value_out, error);
    toml_document_destroy(document);
    return status;
}

enum status config_value_append(enum config_key key, struct config_value *value,
                                struct config_value *more, const char *place, struct error *error) {
    struct reading reading = {config_key_info(key), place, error};
    size_t count = value->item_count + more->item_count;
    enum status status = check_count(&reading, count);
    char **items = NULL;

    if (status == STATUS_OK) {
        items = memory_resize(value->items, count * sizeof *items);
        status = items ? STATUS_OK : no_memory(error);
    }
    if (items) {
        value->items = items;
        memcpy(items + value->item_count, more->items, more->item_count * sizeof *items);
        value->item_count = count;
        more->item_count = 0; /* they are owned by *value now */
    }
    config_value_deinit(more);
    return status;
}

static enum status copy_items(const struct config_value *value, struct config_value *copy,
                              struct error *error) {
    enum status status = STATUS_OK;

    copy->items = memory_alloc_array(value->item_count, sizeof(char *));
    if (!copy->items) {
        return no_memory(error);
    }
    while (status == STATUS_OK && copy->item_count < value->item_count) {
        status = copy_text(slice_from_text(value->items[copy->item_count]),
                           &copy->items[copy->item_count], error);
        copy->item_count += status == STATUS_OK;
    }
    return status;
}

enum status config_value_copy(const struct config_value *value, struct config_value *copy_out,
                              struct error *error) {
    struct config_value copy = {.number = value->number, .real = value->real};
    enum status status = STATUS_OK;

    memcpy(copy.origin, value->origin, sizeof copy.origin);
    if (value->text) {
        status = copy_text(slice_from_text(value->text), &copy.text, error);
    }
    if (status == STATUS_OK && value->item_count > 0) {
        status = copy_items(value, &copy, error);
    }
    if (status == STATUS_OK) {
        *copy_out = copy;
    } else {
        config_value_deinit(&copy);
    }
    return status;
}

bool config_value_equal(const struct config_value *a, const struct config_value *b) {
    bool reals_equal = a->real == b->real;
    bool equal = a->number == b->number && reals_equal && a->item_count == b->item_count &&
                 strcmp(a->text ? a->text : "", b->text ? b->text : "") == 0;

    for (size_t i = 0; equal && i < a->item_count; i++) {
        equal = strcmp(a->items[i], b->items[i]) == 0;
    }
    return equal;
}

/* ---- Written --------------------------------------------------------------------------------- */

/* Text that is cut where its room ends, and counted on. */
struct output {
    char *ptr;
    size_t bytes_max;
    size_t len;
};

static void put(struct output *output, const char *text) {
    for (; *text; text++) {
        if (output->len + 1 < output->bytes_max) {
            output->ptr[output->len] = *text;
        }
        output->len++;
    }
}

static void put_quoted(struct output *output, const char *text) {
    put(output, "\"");
    for (; *text; text++) {
        char piece[8] = {*text, '\0'};
        if (*text == '"' || *text == '\\') {
            snprintf(piece, sizeof piece, "\\%c", *text);
        } else if ((uint8_t)*text < 0x20 || *text == 0x7F) {
            snprintf(piece, sizeof piece, "\\u%04X", (unsigned)(uint8_t)*text);
        }
        put(output, piece);
    }
    put(output, "\"");
}

static void put_measure(struct output *output, enum config_type type, uint64_t number) {
    char text[UNITS_TEXT_MAX];

    write_number(type, number, text);
    if (type == CONFIG_INTEGER) {
        put(output, text);
    } else {
        put_quoted(output, text);
    }
}

static void put_list(struct output *output, const struct config_value *value) {
    put(output, "[");
    for (size_t i = 0; i < value->item_count; i++) {
        put(output, i > 0 ? ", " : "");
        put_quoted(output, value->items[i]);
    }
    put(output, "]");
}

static void put_real(struct output *output, double real) {
    char text[UNITS_TEXT_MAX];

    snprintf(text, sizeof text, "%.15g", real);
    put(output, text);
}

size_t config_value_write(enum config_key key, const struct config_value *value, char *text_out,
                          size_t text_bytes_max) {
    struct output output = {text_out, text_bytes_max, 0};
    enum config_type type = config_key_info(key)->type;

    if (type == CONFIG_LIST) {
        put_list(&output, value);
    } else if (type == CONFIG_REAL) {
        put_real(&output, value->real);
    } else if (type == CONFIG_BOOLEAN) {
        put(&output, value->number ? "true" : "false");
    } else if (type == CONFIG_TEXT || type == CONFIG_CHOICE) {
        put_quoted(&output, value->text);
    } else {
        put_measure(&output, type, value->number);
    }
    if (text_bytes_max > 0) {
        text_out[output.len < text_bytes_max ? output.len : text_bytes_max - 1] = '\0';
    }
    return output.len;
}
