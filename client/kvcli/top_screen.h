/* top_screen.h: the whole terminal for one page that is drawn again and again, and the terminal as
 * it was before when that ends.
 *
 *      open: alternate screen, no cursor, keys as they are typed
 *      draw: each line cut to the width, lines below the height left out
 *      wait: until a moment, a key or a signal
 *      close: all back
 *
 * From open to close SIGINT, SIGTERM, SIGHUP, SIGTSTP and SIGWINCH are blocked and read from a
 * descriptor, so that nothing ends the program before the terminal is as it was; Ctrl-Z gives it
 * back too, and takes it again after. One thread. */
#ifndef KVCLI_TOP_SCREEN_H
#define KVCLI_TOP_SCREEN_H

#include "client/kvcli/top_page.h"

#include <signal.h>
#include <termios.h>

enum top_event {
    TOP_EVENT_TIME, /* the moment has come */
    TOP_EVENT_DRAW, /* the same page has to be drawn anew: another size */
    TOP_EVENT_QUIT, /* q, or a signal to end */
};

struct top_screen {
    int signal_fd; /* owned */
    bool has_keys; /* standard input is a terminal too */
    bool is_coloured;
    struct termios mode; /* of the terminal before, if has_keys */
    sigset_t before;     /* the signals blocked before */
};

/* Errors: IO, with errno; nothing is changed then. */
enum status top_screen_open(struct top_screen *screen) MUST_CHECK;
void top_screen_close(struct top_screen *screen);

/* The lines that there is room for. */
size_t top_screen_rows(void);

/* Draws the page; `notice` (NULL: none) stands in the last line. */
void top_screen_draw(const struct top_screen *screen, const struct top_page *page,
                     const char *notice);

/* Waits until `until_ns` of the monotonic clock at most. */
enum top_event top_screen_wait(struct top_screen *screen, uint64_t until_ns);

#endif
