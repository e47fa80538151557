/* shell.c: see shell.h. */
#include "client/kvcli/shell.h"

#include "client/kvcli/command.h"
#include "client/kvcli/output.h"
#include "client/kvcli/shell_editor.h"
#include "client/kvcli/shell_history.h"
#include "client/kvcli/words.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WORDS_MAX 1024
#define NAMESPACE_BYTES_MAX 256
#define PROMPT_BYTES_MAX 384
#define LINE_BYTES_MAX ((size_t)16 << 20)
#define SIDE_TIMEOUT_MS 1000 /* of the shell's own connection */
#define KEYS_DEADLINE_MS 500
#define KEYS_MAX (COMPLETIONS_MAX + 1)

struct shell {
    struct options base;
    char namespace_name[NAMESPACE_BYTES_MAX];
    struct kvd *db;      /* owned; NULL before the first connection */
    uint64_t started_ms; /* when the server was; 0: not known */
    bool connected;      /* as far as is known */
    bool greeted;        /* from then on it tells when it connects */
    bool ended;
    struct kvd *inside;          /* owned: of the open transaction; NULL if there is none */
    uint64_t transaction;        /* its id */
    struct shell_editor *editor; /* owned */
    struct shell_history history;
};

/* A line as a command line: words[0] is "kvcli". */
struct shell_line {
    struct slice words[WORDS_MAX + 1];
    char *argv[WORDS_MAX + 2];
    size_t count;
    struct buffer bytes; /* owned: the words, each with a NUL */
};

/* --- the shell's own connection --- */

static enum kvd_status open_side(struct shell *shell) {
    struct kvd_connect_options connect = {
        .client_name = "kvcli",
        .namespace_name = shell->base.namespace_name,
        .timeout_ms = SIDE_TIMEOUT_MS,
    };

    kvd_close(shell->db);
    shell->db = NULL;
    return kvd_connect(cli_address(&shell->base), &connect, &shell->db);
}

static bool is_away(enum kvd_status status) {
    return status == KVD_CONNECT || status == KVD_CLOSED;
}

static void take_start(const char *name, const char *value, void *arg) {
    uint64_t *started_ms = arg;

    if (strcmp(name, "server.started_at_ms") == 0) {
        *started_ms = strtoull(value, NULL, 10);
    }
}

/* Asks the server when it was started; libkvd connects again by itself. */
static enum kvd_status ask_start(struct shell *shell, uint64_t *started_ms_out) {
    enum kvd_status status = shell->connected ? KVD_OK : open_side(shell);

    if (status == KVD_OK) {
        status = kvd_stats(shell->db, "server", take_start, started_ms_out);
    }
    return status;
}

/* Finds whether the server is there, and tells when that has changed. */
static bool find_server(struct shell *shell) {
    uint64_t started_ms = shell->started_ms;
    enum kvd_status status = ask_start(shell, &started_ms);

    if (status != KVD_OK && (is_away(status) || !shell->connected)) {
        shell->connected = false;
        cli_fail_call(&(struct cli){.db = shell->db}, kvd_text(""), status);
        return false;
    }
    if (shell->started_ms != started_ms && shell->started_ms > 0) {
        cli_fail(CLI_DONE, "%s was restarted; connected again", cli_address(&shell->base));
    } else if (!shell->connected && shell->greeted) {
        cli_fail(CLI_DONE, "connected to %s", cli_address(&shell->base));
    }
    shell->started_ms = started_ms;
    shell->connected = true;
    return true;
}

static void complete_with_keys(void *arg, struct slice prefix, struct completions *out) {
    struct shell *shell = arg;
    struct kvd_scan_options range = {
        .prefix = kvd_bytes(prefix.ptr, prefix.len),
        .limit = KEYS_MAX,
        .deadline_ms = KEYS_DEADLINE_MS,
        .keys_only = true,
    };
    struct kvd_scan *scan = NULL;
    struct kvd_entry entry;

    if (!shell->connected || kvd_scan_open(shell->db, &range, &scan) != KVD_OK) {
        return;
    }
    while (kvd_scan_next(scan, &entry) == KVD_OK &&
           completions_add(out, prefix, slice_make(entry.key.ptr, entry.key.len))) {
    }
    kvd_scan_close(scan);
}

/* --- a line as a command line --- */

static enum status append_word(struct buffer *bytes, struct slice word) {
    enum status status = buffer_append(bytes, word.ptr, word.len);

    return status == STATUS_OK ? buffer_append_u8(bytes, 0) : status;
}

/* Copies the words to where each has a NUL behind it. */
static enum status settle_words(struct shell_line *line) {
    enum status status = STATUS_OK;
    size_t at = 0;

    for (size_t i = 0; i < line->count && status == STATUS_OK; i++) {
        status = append_word(&line->bytes, line->words[i]);
    }
    for (size_t i = 0; i < line->count && status == STATUS_OK; i++) {
        line->argv[i] = (char *)line->bytes.data + at;
        line->words[i].ptr = line->bytes.data + at;
        at += line->words[i].len + 1;
    }
    line->argv[line->count] = NULL;
    return status;
}

/* Cuts the line; a "kvcli" in front, as in an example that was pasted, is left out. */
static int cut_line(struct shell_line *line, char *text, size_t len) {
    const char *reason = "";
    size_t count = 0;

    if (words_split(text, len, line->words + 1, WORDS_MAX, &count, &reason) != STATUS_OK) {
        return cli_fail(CLI_USAGE, "%s", reason);
    }
    if (count > 0 && slice_equal(line->words[1], slice_from_text("kvcli"))) {
        memmove(line->words + 1, line->words + 2, --count * sizeof line->words[0]);
    }
    line->words[0] = slice_from_text("kvcli");
    line->count = count + 1;
    return settle_words(line) == STATUS_OK ? CLI_DONE : cli_fail(CLI_FAILED, "out of memory");
}

/* --- running --- */

static _Noreturn void run_child(const struct options *options) {
    struct cli cli = {.options = options};
    int code;

    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    code = command_run(&cli);
    cli_deinit(&cli);
    fflush(stdout);
    _exit(code);
}

static void report_end(int ended) {
    if (WIFSIGNALED(ended) && WTERMSIG(ended) == SIGINT) {
        fputc('\n', stderr);
        cli_fail(CLI_FAILED, "interrupted");
    } else if (WIFSIGNALED(ended)) {
        cli_fail(CLI_FAILED, "the command was ended by signal %d", WTERMSIG(ended));
    }
}

static void run_command(const struct options *options) {
    struct termios mode;
    bool has_mode = tcgetattr(STDIN_FILENO, &mode) == 0;
    int ended = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child < 0) {
        cli_fail(CLI_FAILED, "cannot start a process for the command");
        return;
    }
    if (child == 0) {
        run_child(options);
    }
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    if (has_mode) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
    }
    report_end(ended);
}

static bool needs_server(const struct options *options) {
    return !options->help && !options->version && options->command != COMMAND_HELP &&
           options->command != COMMAND_COMPLETION && options->command != COMMAND_NONE &&
           options->server == NULL;
}

static void run_options(struct shell *shell, struct options *options) {
    bool ready = !needs_server(options) || find_server(shell);

    options_inherit(options, &shell->base);
    if (ready) {
        run_command(options);
    }
}

/* --- transactions ---
 *
 * An open one has a connection of its own, and the commands that can be part of it run in this
 * process; the others run as ever, outside of it. */

static bool runs_inside(enum command command) {
    switch (command) {
    case COMMAND_GET:
    case COMMAND_PUT:
    case COMMAND_DEL:
    case COMMAND_EXISTS:
    case COMMAND_META:
    case COMMAND_MGET:
    case COMMAND_SCAN:
    case COMMAND_COUNT:
    case COMMAND_ADD:
    case COMMAND_APPEND:
    case COMMAND_TOUCH:
    case COMMAND_PERSIST:
    case COMMAND_TTL:
    case COMMAND_DELRANGE:
        return true;
    default:
        return false;
    }
}

static void run_inside(struct shell *shell, struct options *options) {
    struct cli cli = {.options = options, .db = shell->inside};

    options_inherit(options, &shell->base);
    options->transaction = shell->transaction;
    (void)command_run(&cli);
    fflush(stdout);
}

static void begin_transaction(struct shell *shell, bool read_only) {
    const struct kvd_transaction_options how = {.read_only = read_only};
    struct cli cli = {.options = &shell->base};
    struct kvd_transaction begun;
    enum kvd_status status;

    if (shell->inside) {
        cli_fail(CLI_USAGE, "a transaction is open; end it with commit or rollback");
        return;
    }
    status = cli_open(&cli);
    if (status == KVD_OK) {
        status = kvd_begin(cli.db, &how, &begun);
    }
    if (status != KVD_OK) {
        cli_fail_call(&cli, kvd_text(""), status);
        cli_deinit(&cli);
        return;
    }
    shell->inside = cli.db;
    shell->transaction = begun.id;
    printf("reads version %" PRIu64 "; get, put, del, scan and their like are part of it until "
           "commit or rollback\n",
           begun.version);
}

static void tell_conflict(const struct shell *shell) {
    struct kvd_conflict conflict;

    if (kvd_conflict(shell->inside, &conflict) == KVD_OK) {
        fputs(conflict.is_range ? "kvcli: keys from \"" : "kvcli: \"", stderr);
        output_escaped(stderr, conflict.from);
        if (conflict.is_range) {
            fputs("\" to \"", stderr);
            output_escaped(stderr, conflict.to);
        }
        fprintf(stderr, "\" %s version %" PRIu64 "\n",
                conflict.expired ? "expired, which was read with" : "changed with",
                conflict.version);
    }
}

static void end_transaction(struct shell *shell, bool commit) {
    uint64_t version = 0;
    enum kvd_status status;

    if (!shell->inside) {
        cli_fail(CLI_USAGE, "no transaction is open; 'begin' opens one");
        return;
    }
    status = commit ? kvd_commit(shell->inside, shell->transaction, NULL, &version)
                    : kvd_rollback(shell->inside, shell->transaction);
    if (status != KVD_OK) {
        cli_fail_call(&(struct cli){.db = shell->inside}, kvd_text(""), status);
        tell_conflict(shell);
    } else if (commit) {
        printf("%" PRIu64 "\n", version);
    }
    kvd_close(shell->inside);
    shell->inside = NULL;
}

/* Whether the line was about transactions. */
static bool run_transaction_verb(struct shell *shell, const struct shell_line *line) {
    struct slice verb = line->words[1];
    bool begins = slice_equal(verb, slice_from_text("begin"));
    bool commits = slice_equal(verb, slice_from_text("commit"));
    bool read_only =
        line->count == 3 && slice_equal(line->words[2], slice_from_text("--read-only"));

    if (!begins && !commits && !slice_equal(verb, slice_from_text("rollback"))) {
        return false;
    }
    if (line->count > 2 && !(begins && read_only)) {
        cli_fail(CLI_USAGE, "usage: begin [--read-only]; commit; rollback");
    } else if (begins) {
        begin_transaction(shell, read_only);
    } else {
        end_transaction(shell, commits);
    }
    fflush(stdout);
    return true;
}

static void use_namespace(struct shell *shell, const struct shell_line *line) {
    struct slice name = line->count == 3 ? line->words[2] : slice_make("", 0);

    if (line->count > 3 || name.len >= sizeof shell->namespace_name ||
        memchr(name.ptr, 0, name.len)) {
        cli_fail(CLI_USAGE, "usage: use NAMESPACE; without it, the default one");
        return;
    }
    memcpy(shell->namespace_name, name.ptr, name.len);
    shell->namespace_name[name.len] = '\0';
    shell->base.namespace_name = shell->namespace_name;
    shell->connected = open_side(shell) == KVD_OK;
}

static void print_verbs(void) {
    puts("\nhere also: use [NAMESPACE], begin [--read-only], commit, rollback, exit. Words are "
         "quoted as in 'kvcli batch': '...' as it "
         "is,\n\"...\" with C escapes. Tab completes, Ctrl-R searches, Ctrl-C ends a command.");
    fflush(stdout);
}

static void run_words(struct shell *shell, struct shell_line *line) {
    struct options options;
    struct error error;
    struct slice verb = line->words[1];

    if (slice_equal(verb, slice_from_text("exit")) || slice_equal(verb, slice_from_text("quit"))) {
        shell->ended = true;
    } else if (slice_equal(verb, slice_from_text("use"))) {
        use_namespace(shell, line);
    } else if (run_transaction_verb(shell, line)) {
        return;
    } else if (options_parse_words(&options, line->words, line->count, line->argv, &error) !=
               STATUS_OK) {
        cli_fail(CLI_USAGE, "%s", error.text);
    } else if (shell->inside && runs_inside(options.command) && !options.help) {
        run_inside(shell, &options);
    } else {
        run_options(shell, &options);
        if (options.command == COMMAND_HELP && line->count == 2) {
            print_verbs();
        }
    }
}

static void run_line(struct shell *shell, char *text, size_t len) {
    struct shell_line *line = memory_alloc_zeroed(sizeof *line);

    if (!line) {
        cli_fail(CLI_FAILED, "out of memory");
        return;
    }
    buffer_init(&line->bytes, LINE_BYTES_MAX);
    if (cut_line(line, text, len) == CLI_DONE && line->count > 1) {
        run_words(shell, line);
    }
    buffer_deinit(&line->bytes);
    memory_free(line);
}

/* What was pasted may be several lines: each is run, unless the shell has ended. */
static void run_lines(struct shell *shell, struct slice text) {
    struct buffer copy;
    size_t from = 0;

    buffer_init(&copy, LINE_BYTES_MAX);
    if (buffer_append(&copy, text.ptr, text.len) != STATUS_OK) {
        cli_fail(CLI_FAILED, "out of memory");
    }
    while (from < copy.len && !shell->ended) {
        char *line = (char *)copy.data + from;
        size_t len = words_line_end(slice_make(line, copy.len - from));
        from += len + 1;
        run_line(shell, line, len);
    }
    buffer_deinit(&copy);
}

/* --- the loop --- */

static void make_prompt(const struct shell *shell, char *prompt) {
    const char *name = shell->base.namespace_name ? shell->base.namespace_name : "";

    snprintf(prompt, PROMPT_BYTES_MAX, "%.128s%s%.128s%s%s>", cli_address(&shell->base),
             name[0] ? "/" : "", name, shell->connected ? "" : " (not connected)",
             shell->inside ? " (transaction)" : "");
}

static void loop(struct shell *shell) {
    enum shell_editor_end end = SHELL_LINE;
    char prompt[PROMPT_BYTES_MAX];
    struct slice line;

    while (end != SHELL_END && !shell->ended) {
        make_prompt(shell, prompt);
        end = shell_editor_read(shell->editor, prompt, &line);
        if (end == SHELL_LINE) {
            if (shell_history_add(&shell->history, line)) {
                shell_editor_remember(shell->editor, line);
            }
            run_lines(shell, line);
        }
    }
    fputs(end == SHELL_END ? "\n" : "", stdout);
}

bool shell_wanted(void) {
    return isatty(STDIN_FILENO) == 1 && output_is_terminal(stdout);
}

int shell_run(const struct options *base) {
    struct shell shell = {.base = *base};

    shell.editor = shell_editor_create(complete_with_keys, &shell);
    if (!shell.editor) {
        return cli_fail(CLI_FAILED, "cannot edit lines on this terminal");
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    shell_history_init(&shell.history);
    shell_history_load(&shell.history, shell_editor_remember, shell.editor);
    puts("kvcli " KVD_VERSION "; 'help' lists the commands, Tab completes, Ctrl-D ends");
    fflush(stdout);
    (void)find_server(&shell);
    shell.greeted = true;
    loop(&shell);
    shell_editor_destroy(shell.editor);
    kvd_close(shell.inside);
    kvd_close(shell.db);
    return cli_finish_output();
}
