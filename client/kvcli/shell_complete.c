/* shell_complete.c: see shell_complete.h. */
#include "client/kvcli/shell_complete.h"

#include "client/kvcli/options.h"
#include "client/kvcli/text.h"
#include "client/kvcli/words.h"

#include <string.h>

#define WORDS_MAX 64
#define LINE_BYTES_MAX ((size_t)1 << 20)
#define NAME_BYTES_MAX 64

/* A line cut into words; the last one is being typed, and may be empty. */
struct typed {
    struct buffer copy; /* owned; the words point into it */
    struct slice words[WORDS_MAX + 1];
    size_t count; /* with the last; 0: the line cannot be cut */
    size_t begin; /* of the last word in the line */
    enum command command;
};

/* --- completions --- */

void completions_init(struct completions *completions) {
    completions->count = 0;
    completions->begin = 0;
    completions->more = false;
    buffer_init(&completions->bytes, LINE_BYTES_MAX);
}

void completions_deinit(struct completions *completions) {
    buffer_deinit(&completions->bytes);
}

struct slice completions_word(const struct completions *completions, size_t index) {
    size_t begin = index > 0 ? completions->ends[index - 1] : 0;

    return slice_make(completions->bytes.data + begin, completions->ends[index] - begin);
}

static bool begins_with(struct slice word, struct slice prefix) {
    return word.len >= prefix.len && (!prefix.len || memcmp(word.ptr, prefix.ptr, prefix.len) == 0);
}

bool completions_add(struct completions *completions, struct slice prefix, struct slice word) {
    if (!begins_with(word, prefix)) {
        return true;
    }
    if (completions->count == COMPLETIONS_MAX ||
        buffer_append(&completions->bytes, word.ptr, word.len) != STATUS_OK) {
        completions->more = true;
        return false;
    }
    completions->ends[completions->count++] = completions->bytes.len;
    return true;
}

/* --- the words so far --- */

/* Finds where the last word begins, and the quote that is open at the end of the line (0: none). */
static char find_last_word(struct slice line, size_t *begin_out) {
    char quote = 0;
    size_t begin = 0;

    for (size_t i = 0; i < line.len; i++) {
        char byte = (char)line.ptr[i];
        if (byte == '\\' && quote != '\'') {
            i++;
        } else if (quote) {
            quote = byte == quote ? 0 : quote;
        } else if (byte == '\'' || byte == '"') {
            quote = byte;
        } else if (byte == ' ' || byte == '\t' || byte == '\n') {
            begin = i + 1;
        }
    }
    *begin_out = begin;
    return quote;
}

/* Where the command that is being typed begins: pasted lines are commands of their own. */
static size_t find_command(struct slice line) {
    size_t begin = 0;
    size_t end = words_line_end(line);

    while (end < line.len) {
        begin = end + 1;
        end = begin + words_line_end(slice_make(line.ptr + begin, line.len - begin));
    }
    return begin;
}

static enum command command_of(struct slice word) {
    char name[NAME_BYTES_MAX];

    if (word.len >= sizeof name) {
        return COMMAND_NONE;
    }
    memcpy(name, word.ptr, word.len);
    name[word.len] = '\0';
    return command_find(name);
}

static enum status typed_cut(struct typed *typed, struct slice line) {
    size_t first = find_command(line);
    char quote = find_last_word(line, &typed->begin);
    const char *reason = "";
    size_t last_count = 0;
    char *bytes;
    enum status status;

    typed->count = 0;
    typed->command = COMMAND_NONE;
    status = buffer_append(&typed->copy, line.ptr, line.len);
    if (status == STATUS_OK && quote) {
        status = buffer_append_u8(&typed->copy, (uint8_t)quote);
    }
    bytes = (char *)typed->copy.data;
    if (status == STATUS_OK && typed->begin > first) {
        status = words_split(bytes + first, typed->begin - first, typed->words, WORDS_MAX,
                             &typed->count, &reason);
    }
    if (status == STATUS_OK) {
        typed->words[typed->count] = slice_make("", 0);
        status = words_split(bytes + typed->begin, typed->copy.len - typed->begin,
                             typed->words + typed->count, 1, &last_count, &reason);
    }
    typed->count = status == STATUS_OK ? typed->count + 1 : 0;
    if (typed->count > 1) {
        typed->command = command_of(typed->words[0]);
    }
    return status;
}

/* --- what may come --- */

static void add_commands(struct slice prefix, bool with_verbs, struct completions *out) {
    static const char *const verbs[] = {SHELL_VERBS};

    for (size_t i = 0; i < COMMAND_NONE; i++) {
        completions_add(out, prefix, slice_from_text(command_name((enum command)i)));
    }
    for (size_t i = 0; with_verbs && i < sizeof verbs / sizeof verbs[0]; i++) {
        completions_add(out, prefix, slice_from_text(verbs[i]));
    }
}

static void add_options(enum command command, struct slice prefix, struct completions *out) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        struct option_text option;
        char name[NAME_BYTES_MAX] = "--";
        if (options_text(i, command, &option) && strlen(option.name) + 2 < sizeof name) {
            memcpy(name + 2, option.name, strlen(option.name) + 1);
            completions_add(out, prefix, slice_from_text(name));
        }
    }
}

/* The option whose value the last word is; false if it is none. */
static bool find_value_option(const struct typed *typed, struct option_text *option_out) {
    struct slice before = typed->words[typed->count - 2];

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool is_long;
        if (!options_text(i, typed->command, option_out) || !option_out->value_name) {
            continue;
        }
        is_long = before.len > 2 && before.ptr[0] == '-' && before.ptr[1] == '-' &&
                  slice_equal(slice_make(before.ptr + 2, before.len - 2),
                              slice_from_text(option_out->name));
        if (is_long || (before.len == 2 && before.ptr[0] == '-' && option_out->letter &&
                        before.ptr[1] == (uint8_t)option_out->letter)) {
            return true;
        }
    }
    return false;
}

static void add_option_values(const struct option_text *option, struct slice prefix,
                              complete_keys keys, void *arg, struct completions *out) {
    static const char *const levels[] = {"memory", "logged", "synced"};

    for (size_t i = 0; i < 3 && option->kind == OPTION_DURABILITY; i++) {
        completions_add(out, prefix, slice_from_text(levels[i]));
    }
    if (option->kind == OPTION_BYTES && keys) {
        keys(arg, prefix, out);
    }
}

/* "open | close ID | list": the first word of each, where it is in small letters. */
static void add_subcommands(const char *arguments, struct slice prefix, struct completions *out) {
    while (arguments[0] >= 'a' && arguments[0] <= 'z') {
        size_t len = strcspn(arguments, " ");
        const char *bar = strchr(arguments, '|');
        completions_add(out, prefix, slice_make(arguments, len));
        arguments = bar ? bar + 2 : "";
    }
}

static void add_arguments(const struct typed *typed, complete_keys keys, void *arg,
                          struct completions *out) {
    struct slice last = typed->words[typed->count - 1];

    if (typed->command == COMMAND_HELP) {
        add_commands(last, false, out);
    } else if (command_takes_keys(typed->command) && keys) {
        keys(arg, last, out);
    } else if (typed->count == 2) {
        add_subcommands(command_text(typed->command)->arguments, last, out);
    }
}

static void complete_typed(const struct typed *typed, complete_keys keys, void *arg,
                           struct completions *out) {
    struct slice last = typed->words[typed->count - 1];
    struct option_text option;

    if (typed->count == 1) {
        add_commands(last, true, out);
    } else if (typed->command != COMMAND_NONE && find_value_option(typed, &option)) {
        add_option_values(&option, last, keys, arg, out);
    } else if (last.len > 0 && last.ptr[0] == '-') {
        add_options(typed->command, last, out);
    } else if (typed->command != COMMAND_NONE) {
        add_arguments(typed, keys, arg, out);
    }
}

void shell_complete(struct slice line, complete_keys keys, void *arg, struct completions *out) {
    struct typed typed;

    buffer_init(&typed.copy, LINE_BYTES_MAX);
    if (typed_cut(&typed, line) == STATUS_OK) {
        out->begin = typed.begin;
        complete_typed(&typed, keys, arg, out);
    }
    buffer_deinit(&typed.copy);
}

/* --- what is put into the line --- */

static bool is_plain(struct slice word) {
    for (size_t i = 0; i < word.len; i++) {
        uint8_t byte = word.ptr[i];
        if (byte <= ' ' || byte == 0x7F || byte == '\'' || byte == '"' || byte == '\\') {
            return false;
        }
    }
    return word.len > 0 && word.ptr[0] != '#' && text_is_utf8(word);
}

static enum status append_quoted(struct buffer *out, struct slice word) {
    enum status status = STATUS_OK;

    while (status == STATUS_OK && word.len > 0) {
        char text[TEXT_ESCAPED_BYTES_MAX];
        size_t taken;
        size_t len = text_escape_step(word, text, &taken);
        if (word.ptr[0] == '"') {
            status = buffer_append_u8(out, '\\');
        }
        if (status == STATUS_OK) {
            status = buffer_append(out, text, len);
        }
        word = slice_make(word.ptr + taken, word.len - taken);
    }
    return status;
}

enum status shell_quote(struct buffer *out, struct slice word, bool closed) {
    enum status status;

    if (is_plain(word)) {
        return buffer_append(out, word.ptr, word.len);
    }
    status = buffer_append_u8(out, '"');
    if (status == STATUS_OK) {
        status = append_quoted(out, word);
    }
    return status == STATUS_OK && closed ? buffer_append_u8(out, '"') : status;
}

enum status shell_complete_text(const struct completions *completions, struct buffer *out) {
    struct slice common = completions_word(completions, 0);
    bool single = completions->count == 1 && !completions->more;
    enum status status;

    for (size_t i = 1; i < completions->count; i++) {
        struct slice word = completions_word(completions, i);
        size_t same = 0;
        while (same < common.len && same < word.len && word.ptr[same] == common.ptr[same]) {
            same++;
        }
        common.len = same;
    }
    if (common.len == 0 && !single) {
        return STATUS_OK; /* they have nothing in common */
    }
    status = shell_quote(out, common, single);
    return status == STATUS_OK && single ? buffer_append_u8(out, ' ') : status;
}

/* --- hints --- */

/* The arguments behind the first `count`: "KEY [VALUE | -]" behind one is "[VALUE | -]". */
static const char *arguments_behind(const char *arguments, size_t count) {
    if (count > 0 && arguments[0] >= 'a' && arguments[0] <= 'z') {
        return ""; /* sub-commands: which, is known already */
    }
    while (count > 0 && arguments[0]) {
        size_t len = strcspn(arguments, arguments[0] == '[' ? "]" : " ");
        len += arguments[len] == ']';
        if (len >= 3 && memcmp(arguments + len - 3, "...", 3) == 0) {
            break;
        }
        arguments += len;
        arguments += strspn(arguments, " ");
        count--;
    }
    return arguments;
}

static size_t count_arguments(const struct typed *typed) {
    size_t count = 0;

    for (size_t i = 1; i < typed->count; i++) {
        struct slice word = typed->words[i];
        bool is_last_empty = i + 1 == typed->count && word.len == 0;
        count += !is_last_empty && !(word.len > 0 && word.ptr[0] == '-');
    }
    return count;
}

enum status shell_hint(struct slice line, struct buffer *out) {
    struct typed typed;
    const char *rest = "";
    bool only_name;
    enum status status = STATUS_OK;

    buffer_init(&typed.copy, LINE_BYTES_MAX);
    if (typed_cut(&typed, line) == STATUS_OK) {
        only_name = typed.count == 1;
        typed.command = only_name ? command_of(typed.words[0]) : typed.command;
        if (typed.command != COMMAND_NONE) {
            rest = arguments_behind(command_text(typed.command)->arguments,
                                    only_name ? 0 : count_arguments(&typed));
        }
        if (rest[0] && (only_name || typed.words[typed.count - 1].len > 0)) {
            status = buffer_append_u8(out, ' ');
        }
        if (status == STATUS_OK) {
            status = buffer_append(out, rest, strlen(rest));
        }
    }
    buffer_deinit(&typed.copy);
    return status;
}
