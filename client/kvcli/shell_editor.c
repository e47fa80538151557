/* shell_editor.c: see shell_editor.h. The one file that knows libedit. */
#include "client/kvcli/shell_editor.h"

#include "client/kvcli/shell_history.h"
#include "client/kvcli/style.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define PROMPT_BYTES_MAX 512
#define LINE_BYTES_MAX ((size_t)16 << 20)
#define PROMPT_ESCAPE '\1' /* before and behind bytes that take no room */
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define PASTE_END L"\033[201~"

struct shell_editor {
    EditLine *el;     /* owned */
    History *history; /* owned */
    struct buffer line;
    complete_keys keys;
    void *arg;
    size_t prompt_width;
    mbstate_t decoding;
    char prompt[PROMPT_BYTES_MAX];
    bool colours;
    bool hint_shown;
    bool dropped;
};

static struct shell_editor *editor_of(EditLine *el) {
    struct shell_editor *editor = NULL;

    el_get(el, EL_CLIENTDATA, &editor);
    return editor;
}

static char *give_prompt(EditLine *el) {
    return editor_of(el)->prompt;
}

static size_t count_characters(const char *text, size_t len) {
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return count;
}

static struct slice typed_so_far(EditLine *el) {
    const LineInfo *info = el_line(el);

    return slice_make(info->buffer, (size_t)(info->cursor - info->buffer));
}

static size_t terminal_columns(void) {
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* --- hints: dim, behind the cursor, while nothing else is there --- */

static void show_hint(struct shell_editor *editor) {
    const LineInfo *info = el_line(editor->el);
    struct slice typed = typed_so_far(editor->el);
    size_t used = editor->prompt_width + count_characters((const char *)typed.ptr, typed.len);
    size_t columns = terminal_columns();
    struct buffer hint;

    if (!editor->colours || info->cursor != info->lastchar || used + 8 > columns) {
        return;
    }
    buffer_init(&hint, PROMPT_BYTES_MAX);
    if (shell_hint(typed, &hint) == STATUS_OK && hint.len > 0) {
        size_t room = columns - used - 1;
        printf("\0337" STYLE_DIM "%.*s" STYLE_END "\0338", (int)(hint.len < room ? hint.len : room),
               (const char *)hint.data);
        fflush(stdout);
        editor->hint_shown = true;
    }
    buffer_deinit(&hint);
}

static void clear_hint(struct shell_editor *editor) {
    if (editor->hint_shown) {
        fputs("\033[K", stdout);
        fflush(stdout);
    }
    editor->hint_shown = false;
}

static bool input_waits(void) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&input, 1, 0) > 0;
}

static int read_character(EditLine *el, wchar_t *character_out) {
    struct shell_editor *editor = editor_of(el);
    size_t decoded;
    ssize_t taken;
    char byte;

    if (!input_waits()) {
        show_hint(editor);
    }
    do {
        taken = read(STDIN_FILENO, &byte, 1);
        if (taken < 0 && errno == EINTR) {
            continue;
        }
        if (taken <= 0) {
            clear_hint(editor);
            return (int)taken;
        }
        decoded = mbrtowc(character_out, &byte, 1, &editor->decoding);
        if (decoded == (size_t)-1) { /* no character: left out */
            memset(&editor->decoding, 0, sizeof editor->decoding);
        }
    } while (taken < 0 || decoded == (size_t)-1 || decoded == (size_t)-2);
    clear_hint(editor);
    return 1;
}

/* --- keys with a meaning of their own --- */

static unsigned char on_interrupt(EditLine *el, int character) {
    (void)character;
    editor_of(el)->dropped = true;
    fputs("^C\n", stdout);
    return CC_NEWLINE;
}

/* Takes what is between the marks of a paste into the line. */
static unsigned char on_paste(EditLine *el, int character) {
    static const wchar_t end[] = PASTE_END;
    size_t matched = 0;
    wchar_t text[2] = {0};

    (void)character;
    while (matched < sizeof end / sizeof end[0] - 1 && el_wgetc(el, &text[0]) == 1) {
        if (text[0] == end[matched]) {
            matched++;
            continue;
        }
        matched = text[0] == end[0]; /* a broken mark: its bytes are not for the line */
        if (text[0] == L'\r') {
            text[0] = L'\n';
        }
        if (matched == 0 && text[0] && el_winsertstr(el, text) != 0) {
            return CC_REFRESH_BEEP;
        }
    }
    return CC_REFRESH;
}

static void print_completions(const struct completions *completions) {
    size_t width = 1;
    size_t columns = terminal_columns();
    size_t per_line;

    for (size_t i = 0; i < completions->count; i++) {
        struct slice word = completions_word(completions, i);
        width = word.len + 2 > width ? word.len + 2 : width;
    }
    per_line = columns / width > 0 ? columns / width : 1;
    for (size_t i = 0; i < completions->count; i++) {
        struct buffer text;
        buffer_init(&text, LINE_BYTES_MAX);
        if (shell_quote(&text, completions_word(completions, i), true) == STATUS_OK) {
            printf("%s%-*.*s", i % per_line == 0 ? "\n" : "", (int)width, (int)text.len,
                   (const char *)text.data);
        }
        buffer_deinit(&text);
    }
    printf("%s\n", completions->more ? "\n..." : "");
    fflush(stdout);
}

/* Without completions: what the command takes. */
static unsigned char print_hint(EditLine *el) {
    struct buffer hint;
    bool any;

    buffer_init(&hint, PROMPT_BYTES_MAX);
    any = shell_hint(typed_so_far(el), &hint) == STATUS_OK && hint.len > 0;
    if (any) {
        printf("\n%.*s\n", (int)hint.len, (const char *)hint.data);
        fflush(stdout);
    }
    buffer_deinit(&hint);
    return any ? CC_REDISPLAY : CC_REFRESH_BEEP;
}

/* Replaces the word being typed. False if that changed nothing. */
static bool put_completion(EditLine *el, const struct completions *completions) {
    struct slice line = typed_so_far(el);
    struct slice typed = slice_make(line.ptr + completions->begin, line.len - completions->begin);
    struct buffer text;
    bool changed = false;

    buffer_init(&text, LINE_BYTES_MAX);
    if (shell_complete_text(completions, &text) == STATUS_OK && text.len > 0 &&
        !slice_equal(typed, buffer_slice(&text)) && buffer_append_u8(&text, 0) == STATUS_OK) {
        el_deletestr(el, (int)count_characters((const char *)typed.ptr, typed.len));
        changed = el_insertstr(el, (const char *)text.data) == 0;
    }
    buffer_deinit(&text);
    return changed;
}

static unsigned char on_tab(EditLine *el, int character) {
    struct shell_editor *editor = editor_of(el);
    struct completions completions;
    unsigned char next = CC_REFRESH;

    (void)character;
    completions_init(&completions);
    shell_complete(typed_so_far(el), editor->keys, editor->arg, &completions);
    if (completions.count == 0) {
        next = print_hint(el);
    } else if (!put_completion(el, &completions) && completions.count > 1) {
        print_completions(&completions);
        next = CC_REDISPLAY;
    }
    completions_deinit(&completions);
    return next;
}

/* --- the editor --- */

static void set_up(struct shell_editor *editor) {
    EditLine *el = editor->el;
    HistEvent event;

    history(editor->history, &event, H_SETSIZE, SHELL_HISTORY_LINES_MAX);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(el, EL_CLIENTDATA, editor);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_HIST, history, editor->history);
    el_set(el, EL_PROMPT_ESC, give_prompt, PROMPT_ESCAPE);
    el_set(el, EL_GETCFN, read_character);
    /* Wide: given narrow names, libedit makes wide copies and never frees them. */
    el_wset(el, EL_ADDFN, L"kvcli-complete", L"complete the word", on_tab);
    el_wset(el, EL_ADDFN, L"kvcli-drop", L"drop the line", on_interrupt);
    el_wset(el, EL_ADDFN, L"kvcli-paste", L"take what is pasted", on_paste);
    el_set(el, EL_BIND, "^I", "kvcli-complete", NULL);
    el_set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(el, NULL);
    el_set(el, EL_BIND, "^C", "kvcli-drop", NULL);
    el_set(el, EL_BIND, "\\e[200~", "kvcli-paste", NULL);
    el_set(el, EL_SETTY, "-d", "-isig", NULL);
}

struct shell_editor *shell_editor_create(complete_keys keys, void *arg) {
    struct shell_editor *editor = memory_alloc_zeroed(sizeof *editor);

    if (!editor) {
        return NULL;
    }
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
    buffer_init(&editor->line, LINE_BYTES_MAX);
    editor->keys = keys;
    editor->arg = arg;
    editor->colours = style_wanted(stdout);
    editor->history = history_init();
    editor->el = editor->history ? el_init("kvcli", stdin, stdout, stderr) : NULL;
    if (!editor->el) {
        shell_editor_destroy(editor);
        return NULL;
    }
    set_up(editor);
    return editor;
}

void shell_editor_destroy(struct shell_editor *editor) {
    if (!editor) {
        return;
    }
    if (editor->el) {
        el_end(editor->el);
    }
    if (editor->history) {
        history_end(editor->history);
    }
    buffer_deinit(&editor->line);
    memory_free(editor);
}

static void set_prompt(struct shell_editor *editor, const char *prompt) {
    const char *format = editor->colours ? "\1" STYLE_BOLD "\1%s\1" STYLE_END "\1 " : "%s ";

    snprintf(editor->prompt, sizeof editor->prompt, format, prompt);
    editor->prompt_width = count_characters(prompt, strlen(prompt)) + 1;
}

enum shell_editor_end shell_editor_read(struct shell_editor *editor, const char *prompt,
                                        struct slice *line_out) {
    bool marks = style_terminal(stdout);
    const char *line;
    int len = 0;

    set_prompt(editor, prompt);
    editor->dropped = false;
    buffer_clear(&editor->line);
    fputs(marks ? PASTE_ON : "", stdout);
    line = el_gets(editor->el, &len);
    fputs(marks ? PASTE_OFF : "", stdout);
    fflush(stdout);
    if (editor->dropped) {
        return SHELL_DROPPED;
    }
    if (!line || len <= 0 || buffer_append(&editor->line, line, strlen(line)) != STATUS_OK) {
        return SHELL_END;
    }
    *line_out = buffer_slice(&editor->line);
    while (line_out->len > 0 && line_out->ptr[line_out->len - 1] == '\n') {
        line_out->len--;
    }
    return SHELL_LINE;
}

void shell_editor_remember(void *arg, struct slice line) {
    struct shell_editor *editor = arg;
    struct buffer text;
    HistEvent event;

    buffer_init(&text, LINE_BYTES_MAX);
    if (buffer_append(&text, line.ptr, line.len) == STATUS_OK &&
        buffer_append_u8(&text, 0) == STATUS_OK) {
        history(editor->history, &event, H_ENTER, (const char *)text.data);
    }
    buffer_deinit(&text);
}
