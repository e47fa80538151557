/* top_screen.c: see top_screen.h. */
#include "client/kvcli/top_screen.h"

#include "client/kvcli/clock.h"
#include "client/kvcli/style.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define ROWS_DEFAULT 24u
#define COLUMNS_DEFAULT 80u

static void signals_of(sigset_t *signals) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};

    sigemptyset(signals);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaddset(signals, numbers[i]);
    }
}

/* --- the terminal's mode --- */

static void enter(struct top_screen *screen) {
    screen->has_keys = tcgetattr(STDIN_FILENO, &screen->mode) == 0;
    if (screen->has_keys) {
        struct termios mode = screen->mode;
        mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        mode.c_cc[VMIN] = 1;
        mode.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &mode);
    }
    fputs(ENTER, stdout);
    fflush(stdout);
}

static void leave(const struct top_screen *screen) {
    fputs(LEAVE, stdout);
    fflush(stdout);
    if (screen->has_keys) {
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->mode);
    }
}

enum status top_screen_open(struct top_screen *screen) {
    sigset_t signals;

    *screen = (struct top_screen){.is_coloured = style_wanted(stdout)};
    signals_of(&signals);
    screen->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (screen->signal_fd < 0) {
        return STATUS_IO;
    }
    sigprocmask(SIG_BLOCK, &signals, &screen->before);
    enter(screen);
    return STATUS_OK;
}

void top_screen_close(struct top_screen *screen) {
    leave(screen);
    close(screen->signal_fd);
    sigprocmask(SIG_SETMASK, &screen->before, NULL);
}

/* --- drawing --- */

static struct winsize size_now(void) {
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        size = (struct winsize){.ws_row = ROWS_DEFAULT, .ws_col = COLUMNS_DEFAULT};
    }
    return size;
}

size_t top_screen_rows(void) {
    return size_now().ws_row;
}

/* One line of the screen. A line end follows it, unless it is the first: at the end of the last one
 * it would move all up. */
static void draw_line(size_t row, const char *text, size_t columns, const char *style) {
    fputs(row > 0 ? "\r\n" : "", stdout);
    fputs(style, stdout);
    fwrite(text, 1, top_page_cut(text, columns), stdout);
    fputs(style[0] ? STYLE_END : "", stdout);
    fputs(CLEAR_LINE, stdout);
}

void top_screen_draw(const struct top_screen *screen, const struct top_page *page,
                     const char *notice) {
    struct winsize size = size_now();
    size_t rows = notice ? size.ws_row - 1u : size.ws_row;
    size_t row = 0;

    fputs(HOME, stdout);
    for (; row < page->count && row < rows; row++) {
        bool is_bold = screen->is_coloured && page->is_head[row];
        draw_line(row, page->lines[row], size.ws_col, is_bold ? STYLE_BOLD : "");
    }
    if (notice) {
        draw_line(row, notice, size.ws_col, screen->is_coloured ? STYLE_BOLD : "");
    }
    fputs(CLEAR_BELOW, stdout);
    fflush(stdout);
}

/* --- waiting --- */

/* Stops as Ctrl-Z asks for, with the terminal as it was. */
static void suspend(struct top_screen *screen) {
    leave(screen);
    raise(SIGSTOP);
    enter(screen);
}

static enum top_event take_signal(struct top_screen *screen) {
    struct signalfd_siginfo taken;

    if (read(screen->signal_fd, &taken, sizeof taken) != sizeof taken) {
        return TOP_EVENT_QUIT;
    }
    switch (taken.ssi_signo) {
    case SIGWINCH:
        return TOP_EVENT_DRAW;
    case SIGTSTP:
        suspend(screen);
        return TOP_EVENT_DRAW;
    default:
        return TOP_EVENT_QUIT;
    }
}

/* The keys that were typed; DRAW if none of them is to quit. */
static enum top_event take_keys(void) {
    char keys[64];
    ssize_t count = read(STDIN_FILENO, keys, sizeof keys);

    if (count <= 0) {
        return TOP_EVENT_QUIT; /* the terminal is gone */
    }
    return memchr(keys, 'q', (size_t)count) || memchr(keys, 'Q', (size_t)count) ? TOP_EVENT_QUIT
                                                                                : TOP_EVENT_DRAW;
}

enum top_event top_screen_wait(struct top_screen *screen, uint64_t until_ns) {
    struct pollfd polled[] = {{.fd = screen->signal_fd, .events = POLLIN},
                              {.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN}};
    uint64_t now_ns = clock_now_ns();
    int wait_ms = until_ns > now_ns ? (int)((until_ns - now_ns) / 1000000u + 1) : 0;
    int ready = poll(polled, 2, wait_ms);

    if (ready > 0 && polled[0].revents) {
        return take_signal(screen);
    }
    if (ready > 0 && polled[1].revents) {
        return take_keys();
    }
    return ready == 0 ? TOP_EVENT_TIME : TOP_EVENT_DRAW;
}
