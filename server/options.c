/* options.c: the command line of kvd. */
#include "server/options.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"
#include "server/nearest.h"

#include <stdint.h>
#include <string.h>

enum option_id {
    OPTION_CONFIG,
    OPTION_DIR,
    OPTION_LISTEN,
    OPTION_SET,
    OPTION_READY_FILE,
    OPTION_CHECK_CONFIG,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_COUNT
};

struct option_info {
    const char *name;
    const char *value; /* what its value is called in messages; NULL: it has none */
    const char *key;   /* the configuration key that it sets, or NULL */
    bool repeats;
};

static const struct option_info infos[OPTION_COUNT] = {
    [OPTION_CONFIG] = {"--config", "FILE", NULL, false},
    [OPTION_DIR] = {"--dir", "DIR", "storage.dir", false},
    [OPTION_LISTEN] = {"--listen", "HOST:PORT or unix:PATH", "server.listen", true},
    [OPTION_SET] = {"--set", "SECTION.KEY=VALUE", NULL, true},
    [OPTION_READY_FILE] = {"--ready-file", "FILE", NULL, false},
    [OPTION_CHECK_CONFIG] = {"--check-config", NULL, NULL, false},
    [OPTION_VERSION] = {"--version", NULL, NULL, false},
    [OPTION_HELP] = {"--help", NULL, NULL, false},
};

static const char help_text[] =
    "kvd: a durable key-value server.\n"
    "\n"
    "Usage: kvd [OPTION]...                     serve\n"
    "       kvd check DIR [OPTION]...           verify a store that nobody serves; changes "
    "nothing\n"
    "       kvd salvage DIR NEWDIR [OPTION]...  rebuild a damaged store in NEWDIR from what is\n"
    "                                           readable in DIR\n"
    "\n"
    "  --config FILE           read the configuration (TOML; see config.example.toml)\n"
    "  --dir DIR               directory of the store; the same as --set storage.dir=DIR\n"
    "  --listen HOST:PORT      accept connections there; may be given several times. Port 0 takes\n"
    "  --listen unix:PATH      a free one. Replaces server.listen of the file\n"
    "  --set SECTION.KEY=VALUE set one key of the configuration; may be given several times\n"
    "  --ready-file FILE       write the bound addresses to FILE, one a line, once connections\n"
    "                          are accepted\n"
    "  --check-config          read and check the configuration, say what is wrong, and exit\n"
    "  --version               print the version and exit\n"
    "  --help                  print this and exit\n"
    "\n"
    "The command line wins over the file, and the file over the defaults. Without options kvd\n"
    "listens on 127.0.0.1:7450 and keeps its data in ./data.\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop it (what is in flight is answered first). SIGHUP reads the\n"
    "configuration again and opens the log file anew.\n"
    "\n"
    "Exit status: 0 stopped as asked, 2 wrong usage or configuration, 1 any other failure. Of "
    "check\n"
    "and salvage: 0 all is well, 1 faults were found or entries lost, 2 wrong usage or\n"
    "configuration, 3 it could not be done.\n";

const char *options_help(void) {
    return help_text;
}

/* argv as it is walked. */
struct walk {
    int argc;
    const char *const *argv;
    int next;
    bool seen[OPTION_COUNT];
    const char *action; /* "check", "salvage", or NULL */
    int operands;       /* folders behind it */
    struct options *options;
    char *keys_end; /* where the next key of --set goes */
    struct error *error;
};

static enum status fail(struct walk *walk, const char *format, const char *a, const char *b)
    __attribute__((format(printf, 2, 0)));

static enum status fail(struct walk *walk, const char *format, const char *a, const char *b) {
    return error_set(walk->error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET, format, a, b);
}

/* Whether the argument is this option: "--name" or "--name=value". */
static bool is_option(const char *argument, const char *name) {
    size_t len = strlen(name);

    return strncmp(argument, name, len) == 0 && (argument[len] == '\0' || argument[len] == '=');
}

static enum status fail_unknown(struct walk *walk, const char *argument) {
    char name[NEAREST_NAME_MAX + 2] = "";
    const char *nearest = NULL;
    size_t nearest_so_far = SIZE_MAX;
    size_t len = strcspn(argument, "=");

    memcpy(name, argument, len < sizeof name ? len : sizeof name - 1);
    for (int i = 0; i < OPTION_COUNT; i++) {
        size_t away = nearest_distance(name, infos[i].name);
        if (away < nearest_so_far) {
            nearest_so_far = away;
            nearest = infos[i].name;
        }
    }
    if (argument[0] != '-') {
        return fail(walk, "'%.80s' is not an option; see kvd --help%s", argument, "");
    }
    if (!nearest || !nearest_is_near(name, nearest_so_far)) {
        return fail(walk, "unknown option '%.80s'; see kvd --help%s", name, "");
    }
    return fail(walk, "unknown option '%.80s'; did you mean '%s'?", name, nearest);
}

static enum status find_option(struct walk *walk, const char *argument, enum option_id *id_out) {
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (is_option(argument, infos[i].name)) {
            *id_out = (enum option_id)i;
            return STATUS_OK;
        }
    }
    return fail_unknown(walk, argument);
}

/* The value behind '=' or in the next argument. */
static enum status take_value(struct walk *walk, const struct option_info *info,
                              const char *argument, const char **value_out) {
    const char *equals = strchr(argument, '=');

    if (!info->value) {
        *value_out = NULL;
        return equals ? fail(walk, "%s takes no value%s", info->name, "") : STATUS_OK;
    }
    if (equals) {
        *value_out = equals + 1;
    } else if (walk->next < walk->argc) {
        *value_out = walk->argv[walk->next++];
        if (strncmp(*value_out, "--", 2) == 0) { /* forgotten, more likely than meant */
            return fail(walk, "%s wants a value: %s", info->name, info->value);
        }
    } else {
        return fail(walk, "%s wants a value: %s", info->name, info->value);
    }
    if ((*value_out)[0] == '\0') {
        return fail(walk, "%s is empty; expected %s", info->name, info->value);
    }
    return STATUS_OK;
}

static void add_override(struct walk *walk, const char *key, const char *value,
                         const char *origin) {
    struct options *options = walk->options;

    options->overrides[options->config.override_count++] =
        (struct config_override){key, value, origin};
}

/* KEY=VALUE; the key is copied, to end with a NUL. */
static enum status apply_set(struct walk *walk, const char *text) {
    char *key = walk->keys_end;
    const char *equals;
    size_t len;

    ASSERT(text);
    equals = strchr(text, '=');
    if (!equals || equals == text) {
        return fail(walk, "--set '%.80s': expected SECTION.KEY=VALUE%s", text, "");
    }
    len = (size_t)(equals - text);
    memcpy(key, text, len);
    key[len] = '\0';
    walk->keys_end += len + 1;
    add_override(walk, key, equals + 1, "--set");
    return STATUS_OK;
}

static enum status apply(struct walk *walk, enum option_id id, const char *value) {
    struct options *options = walk->options;

    switch (id) {
    case OPTION_CONFIG:
        options->config.path = value;
        break;
    case OPTION_READY_FILE:
        options->ready_file = value;
        break;
    case OPTION_CHECK_CONFIG:
        options->check_config = true;
        break;
    case OPTION_VERSION:
        options->version = true;
        break;
    case OPTION_HELP:
        options->help = true;
        break;
    case OPTION_SET:
        return apply_set(walk, value);
    default:
        add_override(walk, infos[id].key, value, infos[id].name);
        break;
    }
    return STATUS_OK;
}

/* A word without dashes: an action, or one of its folders. */
static enum status take_word(struct walk *walk, const char *word) {
    struct options *options = walk->options;

    if (!walk->action && walk->next == 2 && strcmp(word, "check") == 0) {
        walk->action = word;
        options->action = OPTIONS_CHECK;
    } else if (!walk->action && walk->next == 2 && strcmp(word, "salvage") == 0) {
        walk->action = word;
        options->action = OPTIONS_SALVAGE;
    } else if (walk->action && walk->operands == 0) {
        walk->operands++;
        walk->seen[OPTION_DIR] = true; /* --dir would say it twice */
        add_override(walk, infos[OPTION_DIR].key, word, walk->action);
    } else if (options->action == OPTIONS_SALVAGE && walk->operands == 1) {
        walk->operands++;
        options->new_dir = word;
    } else {
        return walk->action
                   ? fail(walk, "'%.80s' is one folder too many for %s", word, walk->action)
                   : fail_unknown(walk, word);
    }
    return STATUS_OK;
}

static enum status check_operands(struct walk *walk) {
    if (walk->options->help || walk->options->version) {
        return STATUS_OK;
    }
    if (walk->options->action == OPTIONS_CHECK && walk->operands < 1) {
        return fail(walk, "check wants a folder: %s DIR%s", walk->action, "");
    }
    if (walk->options->action == OPTIONS_SALVAGE && walk->operands < 2) {
        return fail(walk, "salvage wants two folders: %s DIR NEWDIR%s", walk->action, "");
    }
    return STATUS_OK;
}

static enum status parse_argument(struct walk *walk) {
    const char *argument = walk->argv[walk->next++];
    const char *value = NULL;
    enum option_id id = OPTION_COUNT;
    enum status status;

    if (argument[0] != '-' && argument[0] != '\0') {
        return take_word(walk, argument);
    }
    status = find_option(walk, argument, &id);
    if (status != STATUS_OK) {
        return status;
    }
    if (walk->seen[id] && !infos[id].repeats) {
        return fail(walk, "%s is given twice%s", infos[id].name, "");
    }
    walk->seen[id] = true;
    status = take_value(walk, &infos[id], argument, &value);
    return status == STATUS_OK ? apply(walk, id, value) : status;
}

/* Room for as many overrides as there are arguments, and for all their bytes as keys. */
static enum status reserve(struct walk *walk) {
    struct options *options = walk->options;
    size_t bytes = 1;

    for (int i = 0; i < walk->argc; i++) {
        bool fits = checked_add_size(bytes, strlen(walk->argv[i]) + 1, &bytes);
        ASSERT(fits); /* the kernel's limit on arguments is far below */
    }
    options->overrides = memory_alloc_array((size_t)walk->argc + 1, sizeof *options->overrides);
    options->keys = memory_alloc(bytes);
    options->config.overrides = options->overrides;
    walk->keys_end = options->keys;
    if (!options->overrides || !options->keys) {
        return error_set(walk->error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET,
                         "read the command line");
    }
    return STATUS_OK;
}

enum status options_parse(int argc, const char *const *argv, struct options *options_out,
                          struct error *error) {
    struct options options = {0};
    struct walk walk = {.argc = argc, .argv = argv, .next = 1, .options = &options, .error = error};
    enum status status = reserve(&walk);

    while (status == STATUS_OK && walk.next < argc) {
        status = parse_argument(&walk);
    }
    if (status == STATUS_OK) {
        status = check_operands(&walk);
    }
    if (status == STATUS_OK) {
        *options_out = options;
    } else {
        options_deinit(&options);
    }
    return status;
}

void options_deinit(struct options *options) {
    memory_free(options->overrides);
    memory_free(options->keys);
    *options = (struct options){0};
}
