/* toml_parser.c: reads TOML 1.0 into a tree, by recursive descent.
 *
 * The rules on adding to a table that exists (see enum toml_maker in toml_value.h):
 *
 *                          made by a path   by a header   by dots   by braces
 *   on the way of a header      yes             yes         yes        no
 *   at the end of a header   yes, once           no          no        no
 *   on the way of dots          yes              no         yes        no
 *
 * An array of [[headers]] takes more of them, and the way of a header goes through its last table;
 * an array in brackets is complete. */
#include "server/toml_parser.h"

#include "protocol/base/assert.h"
#include "server/toml_lexer.h"
#include "server/toml_scalar.h"

#define KEY_SHOWN_MAX 60

struct parser {
    struct toml_lexer lexer;
    struct toml_document *document; /* owned until handed out */
    struct toml_table *table;       /* where key = value goes; the document's */
};

/* A part of a key, and where it stands. */
struct key_part {
    struct slice text;
    struct toml_place place;
};

static int shown_bytes(struct slice text) {
    return text.len < KEY_SHOWN_MAX ? (int)text.len : KEY_SHOWN_MAX;
}

static enum status fail_key(struct parser *parser, const struct key_part *key, const char *what,
                            uint32_t first_line) {
    return toml_lexer_fail(&parser->lexer, key->place, "'%.*s' %s (first on line %u)",
                           shown_bytes(key->text), key->text.ptr, what, first_line);
}

static enum status take_key_part(struct parser *parser, struct key_part *key_out) {
    toml_lexer_skip_blanks(&parser->lexer);
    key_out->place = toml_lexer_place(&parser->lexer);
    return toml_lexer_take_key(&parser->lexer, &key_out->text);
}

/* Whether a '.' and so another part follows. */
static bool take_dot(struct parser *parser) {
    toml_lexer_skip_blanks(&parser->lexer);
    return toml_lexer_take_byte(&parser->lexer, '.');
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static enum status check_depth(struct parser *parser, unsigned depth, struct toml_place place) {
    if (depth > TOML_DEPTH_MAX) {
        return toml_lexer_fail(&parser->lexer, place, "nested deeper than %d levels",
                               TOML_DEPTH_MAX);
    }
    return STATUS_OK;
}

static enum status add_value(struct parser *parser, struct toml_table *table,
                             const struct key_part *key, const struct toml_value *value) {
    struct toml_entry entry = {
        .key = key->text,
        .value = *value,
        .line = key->place.line,
        .column = key->place.column,
    };
    return toml_table_add(parser->document, table, &entry);
}

static enum status make_table(struct parser *parser, enum toml_maker maker, unsigned depth,
                              struct toml_place place, struct toml_value *value_out) {
    enum status status = check_depth(parser, depth, place);

    if (status == STATUS_OK) {
        *value_out =
            (struct toml_value){.type = TOML_TABLE, .line = place.line, .column = place.column};
        status = toml_table_create(parser->document, maker, depth, &value_out->as.table);
    }
    return status;
}

/* A new table as a value of *table, which becomes the new one. */
static enum status add_table(struct parser *parser, struct toml_table **table,
                             const struct key_part *key, enum toml_maker maker) {
    struct toml_value value;
    enum status status = make_table(parser, maker, (*table)->depth + 1, key->place, &value);

    if (status == STATUS_OK) {
        status = add_value(parser, *table, key, &value);
    }
    if (status == STATUS_OK) {
        *table = value.as.table;
    }
    return status;
}

/* A part on the way of a header. */
static enum status walk_header(struct parser *parser, struct toml_table **table,
                               const struct key_part *key) {
    struct toml_entry *entry = toml_table_find(*table, key->text);

    if (!entry) {
        return add_table(parser, table, key, TOML_BY_PATH);
    }
    if (entry->value.type == TOML_ARRAY && entry->value.as.array->of_tables) {
        *table = entry->value.as.array->last->value.as.table;
        return STATUS_OK;
    }
    if (entry->value.type != TOML_TABLE) {
        return fail_key(parser, key, "is a value, so no table can be in it", entry->line);
    }
    if (entry->value.as.table->maker == TOML_BY_BRACES) {
        return fail_key(parser, key, "is a table in braces, so it is complete", entry->line);
    }
    *table = entry->value.as.table;
    return STATUS_OK;
}

/* The last part of [header]. */
static enum status end_header(struct parser *parser, struct toml_table **table,
                              const struct key_part *key) {
    struct toml_entry *entry = toml_table_find(*table, key->text);

    if (!entry) {
        return add_table(parser, table, key, TOML_BY_HEADER);
    }
    if (entry->value.type != TOML_TABLE) {
        return fail_key(parser, key, "exists and is not a table", entry->line);
    }
    if (entry->value.as.table->maker != TOML_BY_PATH) {
        return fail_key(parser, key, "is a table already", entry->line);
    }
    *table = entry->value.as.table;
    (*table)->maker = TOML_BY_HEADER;
    entry->line = key->place.line;
    entry->column = key->place.column;
    return STATUS_OK;
}

static enum status add_array_of_tables(struct parser *parser, struct toml_table *table,
                                       const struct key_part *key, struct toml_array **array_out) {
    struct toml_value value = {
        .type = TOML_ARRAY, .line = key->place.line, .column = key->place.column};
    enum status status = check_depth(parser, table->depth + 1, key->place);

    if (status == STATUS_OK) {
        status = toml_array_create(parser->document, table->depth + 1, &value.as.array);
    }
    if (status == STATUS_OK) {
        value.as.array->of_tables = true;
        status = add_value(parser, table, key, &value);
    }
    if (status == STATUS_OK) {
        *array_out = value.as.array;
    }
    return status;
}

/* The last part of [[header]]. */
static enum status end_array_header(struct parser *parser, struct toml_table **table,
                                    const struct key_part *key) {
    struct toml_entry *entry = toml_table_find(*table, key->text);
    struct toml_array *array = NULL;
    struct toml_value value;
    enum status status = STATUS_OK;

    if (!entry) {
        status = add_array_of_tables(parser, *table, key, &array);
    } else if (entry->value.type == TOML_ARRAY && entry->value.as.array->of_tables) {
        array = entry->value.as.array;
    } else {
        status = fail_key(parser, key, "exists and is not an array of tables", entry->line);
    }
    if (status == STATUS_OK) {
        ASSERT(array);
        status = make_table(parser, TOML_BY_HEADER, array->depth + 1, key->place, &value);
    }
    if (status == STATUS_OK) {
        status = toml_array_add(parser->document, array, &value);
    }
    if (status == STATUS_OK) {
        *table = value.as.table;
    }
    return status;
}

/* [a.b] or [[a.b]]; what follows goes to that table. */
static enum status parse_header(struct parser *parser) {
    struct toml_lexer *lexer = &parser->lexer;
    struct toml_table *table = toml_document_root_mutable(parser->document);
    struct key_part key;
    enum status status;
    bool of_array;

    lexer->ptr++;
    of_array = toml_lexer_take_byte(lexer, '[');
    status = take_key_part(parser, &key);
    while (status == STATUS_OK && take_dot(parser)) {
        status = walk_header(parser, &table, &key);
        if (status == STATUS_OK) {
            status = take_key_part(parser, &key);
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!toml_lexer_take_byte(lexer, ']')) {
        return toml_lexer_fail_expected(lexer, of_array ? "'.' or ']]'" : "'.' or ']'");
    }
    if (of_array && !toml_lexer_take_byte(lexer, ']')) {
        return toml_lexer_fail_expected(lexer, "']]'");
    }
    status = of_array ? end_array_header(parser, &table, &key) : end_header(parser, &table, &key);
    if (status == STATUS_OK) {
        parser->table = table;
        status = toml_lexer_take_line_end(lexer);
    }
    return status;
}

/* ---- Keys with values ------------------------------------------------------------------------ */

/* A part of a dotted key before the last. */
static enum status walk_dots(struct parser *parser, struct toml_table **table,
                             const struct key_part *key) {
    struct toml_entry *entry = toml_table_find(*table, key->text);

    if (!entry) {
        return add_table(parser, table, key, TOML_BY_DOTS);
    }
    if (entry->value.type != TOML_TABLE) {
        return fail_key(parser, key, "is a value, so no key can be in it", entry->line);
    }
    if (entry->value.as.table->maker == TOML_BY_HEADER) {
        return fail_key(parser, key, "is a table already; add to it below its header", entry->line);
    }
    if (entry->value.as.table->maker == TOML_BY_BRACES) {
        return fail_key(parser, key, "is a table in braces, so it is complete", entry->line);
    }
    *table = entry->value.as.table;
    (*table)->maker = TOML_BY_DOTS;
    return STATUS_OK;
}

static enum status parse_value(struct parser *parser, unsigned depth, struct toml_value *value_out);

/* a.b = value, as an entry of `table` or of one below. */
static enum status parse_pair(struct parser *parser, struct toml_table *table) {
    struct toml_lexer *lexer = &parser->lexer;
    struct toml_entry *twin;
    struct toml_value value;
    struct key_part key;
    enum status status = take_key_part(parser, &key);

    while (status == STATUS_OK && take_dot(parser)) {
        status = walk_dots(parser, &table, &key);
        if (status == STATUS_OK) {
            status = take_key_part(parser, &key);
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!toml_lexer_take_byte(lexer, '=')) {
        return toml_lexer_fail_expected(lexer, "'.' or '=' after the key");
    }
    twin = toml_table_find(table, key.text);
    if (twin) {
        return fail_key(parser, &key, "is given twice", twin->line);
    }
    toml_lexer_skip_blanks(lexer);
    status = parse_value(parser, table->depth + 1, &value);
    return status == STATUS_OK ? add_value(parser, table, &key, &value) : status;
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* The items of an array, behind its '['. */
static enum status parse_items(struct parser *parser, struct toml_array *array) {
    struct toml_lexer *lexer = &parser->lexer;
    enum status status = toml_lexer_skip_lines(lexer);

    while (status == STATUS_OK && !toml_lexer_take_byte(lexer, ']')) {
        struct toml_value item;
        status = parse_value(parser, array->depth + 1, &item);
        if (status == STATUS_OK) {
            status = toml_array_add(parser->document, array, &item);
        }
        if (status == STATUS_OK) {
            status = toml_lexer_skip_lines(lexer);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (toml_lexer_take_byte(lexer, ',')) {
            status = toml_lexer_skip_lines(lexer);
        } else if (toml_lexer_peek(lexer) != ']') {
            return toml_lexer_fail_expected(lexer, "',' or ']' in the array");
        }
    }
    return status;
}

static enum status parse_array(struct parser *parser, unsigned depth,
                               struct toml_value *value_out) {
    struct toml_array *array = NULL;
    enum status status = toml_array_create(parser->document, depth, &array);

    parser->lexer.ptr++;
    if (status == STATUS_OK) {
        status = parse_items(parser, array);
    }
    if (status == STATUS_OK) {
        value_out->type = TOML_ARRAY;
        value_out->as.array = array;
    }
    return status;
}

/* The pairs of a table in braces, behind its '{'. TOML 1.0 wants them on one line, with no comma
 * behind the last. */
static enum status parse_pairs(struct parser *parser, struct toml_table *table) {
    struct toml_lexer *lexer = &parser->lexer;
    enum status status = STATUS_OK;

    toml_lexer_skip_blanks(lexer);
    if (toml_lexer_take_byte(lexer, '}')) {
        return STATUS_OK;
    }
    while (status == STATUS_OK) {
        status = parse_pair(parser, table);
        toml_lexer_skip_blanks(lexer);
        if (status == STATUS_OK && toml_lexer_take_byte(lexer, '}')) {
            return STATUS_OK;
        }
        if (status == STATUS_OK && !toml_lexer_take_byte(lexer, ',')) {
            status = toml_lexer_fail_expected(lexer, "',' or '}' in the table");
        }
    }
    return status;
}

static enum status parse_braces(struct parser *parser, unsigned depth,
                                struct toml_value *value_out) {
    struct toml_table *table = NULL;
    enum status status;

    parser->lexer.ptr++;
    /* by dots while it is being read, so that its own dotted keys may meet in a table */
    status = toml_table_create(parser->document, TOML_BY_DOTS, depth, &table);
    if (status == STATUS_OK) {
        status = parse_pairs(parser, table);
    }
    if (status == STATUS_OK) {
        table->maker = TOML_BY_BRACES;
        value_out->type = TOML_TABLE;
        value_out->as.table = table;
    }
    return status;
}

static enum status parse_string(struct parser *parser, struct toml_value *value_out) {
    value_out->type = TOML_STRING;
    return toml_lexer_take_string(&parser->lexer, &value_out->as.text);
}

static enum status parse_scalar(struct parser *parser, struct toml_value *value_out) {
    struct toml_place place = toml_lexer_place(&parser->lexer);
    struct slice token = toml_lexer_take_token(&parser->lexer);
    const char *reason;

    if (token.len == 0) {
        return toml_lexer_fail_expected(&parser->lexer, "a value");
    }
    if (toml_scalar_parse(token, value_out, &reason) != STATUS_OK) {
        return toml_lexer_fail(&parser->lexer, place, "%s, found '%.*s'", reason,
                               shown_bytes(token), token.ptr);
    }
    return STATUS_OK;
}

static enum status parse_value(struct parser *parser, unsigned depth,
                               struct toml_value *value_out) {
    struct toml_place place = toml_lexer_place(&parser->lexer);
    struct toml_value value = {.line = place.line, .column = place.column};
    enum status status = check_depth(parser, depth, place);

    if (status != STATUS_OK) {
        return status;
    }
    switch (toml_lexer_peek(&parser->lexer)) {
    case '"':
    case '\'':
        status = parse_string(parser, &value);
        break;
    case '[':
        status = parse_array(parser, depth, &value);
        break;
    case '{':
        status = parse_braces(parser, depth, &value);
        break;
    default:
        status = parse_scalar(parser, &value);
        break;
    }
    if (status == STATUS_OK) {
        *value_out = value;
    }
    return status;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static enum status parse_lines(struct parser *parser) {
    struct toml_lexer *lexer = &parser->lexer;
    enum status status = toml_lexer_skip_lines(lexer);

    while (status == STATUS_OK && toml_lexer_peek(lexer) >= 0) {
        if (toml_lexer_peek(lexer) == '[') {
            status = parse_header(parser);
        } else {
            status = parse_pair(parser, parser->table);
            status = status == STATUS_OK ? toml_lexer_take_line_end(lexer) : status;
        }
        status = status == STATUS_OK ? toml_lexer_skip_lines(lexer) : status;
    }
    return status;
}

static enum status parser_init(struct parser *parser, struct slice text, struct toml_error *error) {
    enum status status;

    *parser = (struct parser){0};
    *error = (struct toml_error){.line = 1, .column = 1};
    if (text.len > TOML_BYTES_MAX) {
        parser->lexer.error = error;
        (void)toml_lexer_fail(&parser->lexer, (struct toml_place){1, 1}, "larger than %d bytes",
                              TOML_BYTES_MAX);
        return STATUS_TOO_LARGE;
    }
    status = toml_document_create(&parser->document);
    if (status == STATUS_OK) {
        parser->table = toml_document_root_mutable(parser->document);
        status = toml_lexer_init(&parser->lexer, text, parser->document, error);
    }
    return status;
}

/* Hands the document out, or destroys it after an error. */
static enum status parser_finish(struct parser *parser, enum status status,
                                 struct toml_document **document_out) {
    toml_lexer_deinit(&parser->lexer);
    if (status == STATUS_OK) {
        *document_out = parser->document;
    } else {
        toml_document_destroy(parser->document);
    }
    return status;
}

enum status toml_parse(struct slice text, struct toml_document **document_out,
                       struct toml_error *error) {
    struct parser parser;
    enum status status = parser_init(&parser, text, error);

    if (status == STATUS_OK) {
        status = parse_lines(&parser);
    }
    return parser_finish(&parser, status, document_out);
}

enum status toml_parse_value(struct slice text, struct toml_document **document_out,
                             struct toml_value *value_out, struct toml_error *error) {
    struct parser parser;
    struct toml_value value;
    enum status status = parser_init(&parser, text, error);

    if (status == STATUS_OK) {
        status = parse_value(&parser, 1, &value);
    }
    if (status == STATUS_OK && toml_lexer_peek(&parser.lexer) >= 0) {
        status = toml_lexer_fail_expected(&parser.lexer, "nothing behind the value");
    }
    if (status == STATUS_OK) {
        *value_out = value;
    }
    return parser_finish(&parser, status, document_out);
}
