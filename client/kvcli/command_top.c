/* command_top.c: what a server does, now and now again: on a screen, as text, or as JSON. */
#include "client/kvcli/cli.h"
#include "client/kvcli/clock.h"
#include "client/kvcli/command.h"
#include "client/kvcli/style.h"
#include "client/kvcli/top_screen.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <string.h>

#define INTERVAL_MS_DEFAULT 1000u
#define INTERVAL_MS_MIN 100u
#define INTERVAL_MS_MAX 3600000u
#define TIMEOUT_MS_DEFAULT 3000u /* a screen that stands still longer says nothing */

struct top {
    struct cli *cli;
    uint64_t interval_ms;
    unsigned now; /* index of the newer sample */
    struct top_sample samples[2];
    struct top_report report;
    struct top_page page;
};

/* Takes the next sample in the place of the older one, which is lost only if that succeeds. */
static enum kvd_status take_sample(struct top *top) {
    struct top_sample *sample = &top->samples[1 - top->now];
    enum kvd_status status;

    top_sample_begin(sample);
    status = kvd_stats(top->cli->db, NULL, top_sample_add, sample);
    if (status == KVD_OK) {
        top->now = 1 - top->now;
    }
    return status;
}

static void make_report(struct top *top) {
    top_report_make(&top->samples[1 - top->now], &top->samples[top->now], &top->report);
}

/* --- on a screen --- */

struct watching {
    struct top_screen screen;
    char notice[256]; /* why there is no newer page; "" if there is */
};

static void draw(const struct top *top, const struct watching *watching) {
    top_screen_draw(&watching->screen, &top->page, watching->notice[0] ? watching->notice : NULL);
}

/* The next page. A sample that failed leaves the page as it is, and a line that says why; the one
 * after it is compared with the last that was whole. */
static void renew(struct top *top, struct watching *watching) {
    enum kvd_status status = take_sample(top);

    watching->notice[0] = '\0';
    if (status != KVD_OK) {
        const char *error = kvd_error(top->cli->db);
        snprintf(watching->notice, sizeof watching->notice, "no answer, trying again: %s",
                 error[0] ? error : kvd_status_text(status));
        return;
    }
    make_report(top);
    top_page_fill(&top->page, &top->report, cli_address(top->cli->options), top_screen_rows());
}

static int watch(struct top *top) {
    struct watching watching = {.notice = "measuring"};
    uint64_t due_ns = clock_now_ns() + top->interval_ms * 1000000u;
    enum top_event event = TOP_EVENT_DRAW;

    if (top_screen_open(&watching.screen) != STATUS_OK) {
        return cli_fail(CLI_FAILED, "cannot read signals: errno %d", errno);
    }
    while (event != TOP_EVENT_QUIT) {
        if (event == TOP_EVENT_TIME) {
            renew(top, &watching);
            due_ns = clock_now_ns() + top->interval_ms * 1000000u;
        }
        draw(top, &watching);
        event = top_screen_wait(&watching.screen, due_ns);
    }
    top_screen_close(&watching.screen);
    return cli_finish_output();
}

/* --- in a pipe --- */

static void print_page(struct top *top, bool is_first) {
    top_page_fill(&top->page, &top->report, cli_address(top->cli->options), 0);
    fputs(is_first ? "" : "\n", stdout);
    for (size_t i = 0; i < top->page.count; i++) {
        puts(top->page.lines[i]);
    }
}

static int print(struct top *top) {
    int code = CLI_DONE;

    for (bool is_first = true; code == CLI_DONE; is_first = false) {
        enum kvd_status status;
        clock_sleep_ms((uint32_t)top->interval_ms);
        status = take_sample(top);
        if (status != KVD_OK) {
            return cli_fail_call(top->cli, kvd_bytes(NULL, 0), status);
        }
        make_report(top);
        if (top->cli->options->json) {
            top_report_json(&top->report);
        } else {
            print_page(top, is_first);
        }
        code = cli_finish_output();
        if (top->cli->options->once) {
            break;
        }
    }
    return code;
}

/* --- the command --- */

static int run(struct top *top) {
    const struct options *options = top->cli->options;
    enum kvd_status status;

    top->interval_ms =
        OPTIONS_GIVEN(options, interval_ms) ? options->interval_ms : INTERVAL_MS_DEFAULT;
    if (top->interval_ms < INTERVAL_MS_MIN || top->interval_ms > INTERVAL_MS_MAX) {
        return cli_fail(CLI_USAGE, "--interval needs a time from 100ms to 1h");
    }
    status = take_sample(top);
    if (status != KVD_OK) {
        return cli_fail_call(top->cli, kvd_bytes(NULL, 0), status);
    }
    return style_terminal(stdout) && !options->json && !options->once ? watch(top) : print(top);
}

int command_top(struct cli *cli) {
    const struct options *given = cli->options;
    struct options options = *given;
    struct top *top = memory_alloc_zeroed(sizeof *top); /* 200 KiB of names */
    int code;

    if (!top) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    options.timeout_ms = options.timeout_ms ? options.timeout_ms : TIMEOUT_MS_DEFAULT;
    cli->options = &options;
    code = cli_connect(cli);
    if (code == CLI_DONE) {
        top->cli = cli;
        code = run(top);
    }
    cli->options = given;
    memory_free(top);
    return code;
}
