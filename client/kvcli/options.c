/* options.c: the command line, parsed. See options.h. */
#include "client/kvcli/options.h"

#include "client/kvcli/text.h"
#include "protocol/base/assert.h"

#include <stdio.h>
#include <string.h>

struct option_spec {
    const char *name;
    const char *value_name; /* NULL: it takes none */
    const char *help;
    size_t offset; /* in struct options */
    uint64_t commands;
    enum option_kind kind;
    char letter;
};

static const struct option_spec specs[] = {
#define OPTION_SPEC(field, name, letter, kind, value_name, commands, help)                         \
    {name, value_name, help, offsetof(struct options, field), commands, OPTION_##kind, letter},
    OPTION_LIST(OPTION_SPEC)
#undef OPTION_SPEC
};

/* What is left to read, and where arguments are collected. */
struct cursor {
    char **argv;
    int argc;
    int next;
    int argument_count; /* collected at argv[0..) */
};

static bool spec_fits(const struct option_spec *spec, enum command command) {
    return command == COMMAND_NONE ? spec->commands == OPTION_EVERYWHERE
                                   : (spec->commands >> command & 1) != 0;
}

static const struct option_spec *find_long(const char *name, size_t len, enum command command) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(specs[i].name) == len && memcmp(specs[i].name, name, len) == 0 &&
            spec_fits(&specs[i], command)) {
            return &specs[i];
        }
    }
    return NULL;
}

static const struct option_spec *find_short(char letter, enum command command) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (specs[i].letter == letter && spec_fits(&specs[i], command)) {
            return &specs[i];
        }
    }
    return NULL;
}

enum status options_parse_durability(const char *text, enum kvd_durability *out) {
    static const char *const names[] = {"default", "memory", "logged", "synced"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum kvd_durability)i;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

/* The length of a text from the command line; words of any bytes know theirs. */
static size_t text_len(const struct options *options, const char *text) {
    for (size_t i = 0; i < options->word_count; i++) {
        uintptr_t begin = (uintptr_t)options->words[i].ptr;
        uintptr_t at = (uintptr_t)text;
        if (at >= begin && at <= begin + options->words[i].len) {
            return (size_t)(begin + options->words[i].len - at);
        }
    }
    return strlen(text);
}

static enum status parse_value(const struct options *options, const struct option_spec *spec,
                               char *value, void *field) {
    if (spec->kind != OPTION_BYTES && spec->kind != OPTION_FLAG &&
        text_len(options, value) != strlen(value)) {
        return STATUS_INVALID;
    }
    switch (spec->kind) {
    case OPTION_TEXT:
        memcpy(field, &value, sizeof value);
        return STATUS_OK;
    case OPTION_BYTES:
        *(struct kvd_bytes *)field = kvd_bytes(value, text_len(options, value));
        return STATUS_OK;
    case OPTION_NUMBER:
        return text_parse_number(value, field);
    case OPTION_DURATION:
        return text_parse_duration_ms(value, field);
    case OPTION_SIZE:
        return text_parse_size(value, field);
    case OPTION_DURABILITY:
        return options_parse_durability(value, field);
    case OPTION_FLAG:
        break;
    }
    ASSERT(spec->kind == OPTION_FLAG);
    *(bool *)field = true;
    return STATUS_OK;
}

static const char *value_hint(enum option_kind kind) {
    switch (kind) {
    case OPTION_NUMBER:
        return "a whole number";
    case OPTION_DURATION:
        return "a time such as 500ms, 10s, 5m, 2h or 7d";
    case OPTION_SIZE:
        return "a size such as 100, 64KiB or 1MiB";
    case OPTION_DURABILITY:
        return "memory, logged or synced";
    default:
        return "a value";
    }
}

/* `value` is what follows '=', or NULL. */
static enum status take_option(struct options *options, const struct option_spec *spec,
                               struct cursor *cursor, char *value, struct error *error) {
    if (spec->kind == OPTION_FLAG && value) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "--%s takes no value",
                         spec->name);
    }
    if (spec->kind != OPTION_FLAG && !value) {
        if (cursor->next == cursor->argc) {
            return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "--%s needs %s",
                             spec->name, value_hint(spec->kind));
        }
        value = cursor->argv[cursor->next++];
    }
    if (parse_value(options, spec, value, (char *)options + spec->offset) != STATUS_OK) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, "--%s needs %s, not '%s'",
                         spec->name, value_hint(spec->kind), value);
    }
    options->given |= 1ull << (spec - specs);
    return STATUS_OK;
}

static enum status unknown_option(const struct options *options, const char *word,
                                  struct error *error) {
    const char *command = command_name(options->command);

    return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                     "no option %s%s%s; see 'kvcli help%s%s'", word, command[0] ? " of " : "",
                     command, command[0] ? " " : "", command);
}

static enum status parse_option(struct options *options, struct cursor *cursor,
                                struct error *error) {
    char *word = cursor->argv[cursor->next++];
    const struct option_spec *spec = NULL;
    char *value = NULL;

    if (word[1] == '-') {
        char *equals = strchr(word, '=');
        size_t len = equals ? (size_t)(equals - word) : strlen(word);
        value = equals ? equals + 1 : NULL;
        spec = find_long(word + 2, len - 2, options->command);
    } else {
        spec = find_short(word[1], options->command);
        value = word[2] ? word + 2 : NULL;
        if (spec && spec->kind == OPTION_FLAG && value) {
            spec = NULL; /* letters are not joined */
        }
    }
    return spec ? take_option(options, spec, cursor, value, error)
                : unknown_option(options, word, error);
}

static enum status parse_argument(struct options *options, struct cursor *cursor,
                                  struct error *error) {
    char *word = cursor->argv[cursor->next++];

    if (options->command != COMMAND_NONE) {
        cursor->argv[cursor->argument_count++] = word;
        return STATUS_OK;
    }
    options->command = command_find(word);
    return options->command != COMMAND_NONE
               ? STATUS_OK
               : error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                           "no command '%s'; see 'kvcli help'", word);
}

static enum status unescape(struct kvd_bytes *bytes, char *text, struct error *error) {
    size_t len = 0;

    if (text_unescape(text, bytes->len, &len) != STATUS_OK) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "'%s' has a backslash that begins no escape; write \\\\ for a backslash",
                         text);
    }
    *bytes = kvd_bytes(text, len);
    return STATUS_OK;
}

enum status options_bytes(const struct options *options, int index, struct kvd_bytes *bytes_out,
                          struct error *error) {
    char *text = options->arguments[index];

    ASSERT(index < options->argument_count);
    *bytes_out = kvd_bytes(text, text_len(options, text));
    return options->escape ? unescape(bytes_out, text, error) : STATUS_OK;
}

/* --escape may come behind the options that it concerns: their escapes are replaced at the end. */
static enum status unescape_options(struct options *options, struct error *error) {
    for (size_t i = 0; i < OPTION_COUNT && options->escape; i++) {
        char *field = (char *)options + specs[i].offset;
        struct kvd_bytes bytes;
        char *text = NULL;
        enum status status;
        if (specs[i].kind != OPTION_BYTES || (options->given >> i & 1) == 0) {
            continue;
        }
        memcpy(&bytes, field, sizeof bytes);
        memcpy(&text, &bytes.ptr, sizeof text); /* it came from argv, which may be changed */
        status = unescape(&bytes, text, error);
        if (status != STATUS_OK) {
            return status;
        }
        memcpy(field, &bytes, sizeof bytes);
    }
    return STATUS_OK;
}

static enum status parse(struct options *options, int argc, char **argv, struct error *error) {
    struct cursor cursor = {argv, argc, 1, 0};
    enum status status = STATUS_OK;
    bool options_ended = false;

    while (status == STATUS_OK && cursor.next < argc) {
        const char *word = argv[cursor.next];
        if (!options_ended && strcmp(word, "--") == 0) {
            options_ended = true;
            cursor.next++;
        } else if (!options_ended && word[0] == '-' && word[1]) {
            status = parse_option(options, &cursor, error);
        } else {
            status = parse_argument(options, &cursor, error);
        }
    }
    options->arguments = argv;
    options->argument_count = cursor.argument_count;
    return status == STATUS_OK ? unescape_options(options, error) : status;
}

enum status options_parse(struct options *options, int argc, char **argv, struct error *error) {
    *options = (struct options){.command = COMMAND_NONE};
    return parse(options, argc, argv, error);
}

enum status options_parse_words(struct options *options, const struct slice *words,
                                size_t word_count, char **argv, struct error *error) {
    *options = (struct options){.command = COMMAND_NONE, .words = words, .word_count = word_count};
    return parse(options, (int)word_count, argv, error);
}

void options_inherit(struct options *options, const struct options *base) {
    if (!OPTIONS_GIVEN(options, server)) {
        options->server = base->server;
    }
    if (!OPTIONS_GIVEN(options, namespace_name)) {
        options->namespace_name = base->namespace_name;
    }
    if (!OPTIONS_GIVEN(options, timeout_ms)) {
        options->timeout_ms = base->timeout_ms;
        options->given |= base->given & (1ull << OPTION_ID_timeout_ms);
    }
    if (!OPTIONS_GIVEN(options, backup)) {
        options->backup = base->backup;
    }
    options->json = options->json || base->json;
    options->escape = options->escape || base->escape;
}

bool options_have_nul(const struct options *options) {
    bool found = false;

    for (int i = 0; i < options->argument_count && !found; i++) {
        const char *text = options->arguments[i];
        found = text_len(options, text) != strlen(text);
    }
    return found;
}

bool options_text(size_t index, enum command command, struct option_text *text_out) {
    const struct option_spec *spec = &specs[index];

    *text_out = (struct option_text){
        .name = spec->name,
        .value_name = spec->value_name,
        .help = spec->help,
        .kind = spec->kind,
        .letter = spec->letter,
        .everywhere = spec->commands == OPTION_EVERYWHERE,
    };
    return spec_fits(spec, command);
}

void options_print(enum command command) {
    char left[64];

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_spec *spec = &specs[i];
        bool global = spec->commands == OPTION_EVERYWHERE;
        if (global != (command == COMMAND_NONE) || !spec_fits(spec, command)) {
            continue;
        }
        snprintf(left, sizeof left, "%c%c%c --%s%s%s", spec->letter ? '-' : ' ',
                 spec->letter ? spec->letter : ' ', spec->letter ? ',' : ' ', spec->name,
                 spec->value_name ? " " : "", spec->value_name ? spec->value_name : "");
        printf("  %-26s %s\n", left, spec->help);
    }
}
