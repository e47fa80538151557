/* bench_watch.c: see bench_watch.h. */
#include "client/kvcli/bench_watch.h"

#include "client/kvcli/clock.h"
#include "client/kvcli/style.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LINE_NS 1000000000u
#define FOREVER (-1)

/* How far the line has come. */
struct line {
    const char *phase;
    uint64_t requests;
    uint64_t duration_ms;
    uint64_t start_ns;
    uint64_t before_ns; /* when it was last drawn, and what was counted then */
    uint64_t before_count;
};

enum status bench_watch_init(struct bench_watch *watch) {
    sigset_t signals;

    *watch = (struct bench_watch){.is_shown = style_terminal(stderr)};
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, &watch->before);
    watch->stop_fd = eventfd(0, EFD_CLOEXEC);
    watch->done_fd = eventfd(0, EFD_CLOEXEC);
    watch->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    return watch->stop_fd >= 0 && watch->done_fd >= 0 && watch->signal_fd >= 0 ? STATUS_OK
                                                                               : STATUS_IO;
}

static void close_fd(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

void bench_watch_deinit(struct bench_watch *watch) {
    close_fd(watch->stop_fd);
    close_fd(watch->done_fd);
    close_fd(watch->signal_fd);
    pthread_sigmask(SIG_SETMASK, &watch->before, NULL);
}

/* Adds one to the counter behind a descriptor, which has room. */
static void ring(int fd) {
    const uint64_t one = 1;

    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void bench_watch_end(const struct bench_watch *watch) {
    ring(watch->done_fd);
}

static void stop(struct bench_watch *watch) {
    struct signalfd_siginfo taken;

    if (read(watch->signal_fd, &taken, sizeof taken) <= 0) {
        return;
    }
    pthread_sigmask(SIG_SETMASK, &watch->before, NULL);
    atomic_store_explicit(&watch->is_over, true, memory_order_release);
    ring(watch->stop_fd);
}

static void draw(const struct bench_watch *watch, struct line *line) {
    uint64_t now_ns = clock_now_ns();
    uint64_t count = atomic_load_explicit(&watch->count, memory_order_relaxed);
    double seconds = (double)(now_ns - line->start_ns) / 1e9;
    double lately = (double)(now_ns - line->before_ns) / 1e9;

    if (!watch->is_shown) {
        return;
    }
    fprintf(stderr, "\r\033[K%s: %.0f s", line->phase, seconds);
    if (line->duration_ms > 0) {
        fprintf(stderr, " of %.0f", (double)line->duration_ms / 1e3);
    }
    fprintf(stderr, ", %" PRIu64, count);
    if (line->requests > 0) {
        fprintf(stderr, " of %" PRIu64, line->requests);
    }
    fprintf(stderr, " requests, %.0f/s now, %.0f/s on average",
            (double)(count - line->before_count) / lately, (double)count / seconds);
    fflush(stderr);
    line->before_ns = now_ns;
    line->before_count = count;
}

static int wait_ms(const struct bench_watch *watch, const struct line *line) {
    uint64_t due_ns = line->before_ns + LINE_NS;
    uint64_t now_ns = clock_now_ns();

    if (!watch->is_shown) {
        return FOREVER;
    }
    return due_ns > now_ns ? (int)((due_ns - now_ns) / 1000000u + 1) : 0;
}

void bench_watch_wait(struct bench_watch *watch, const char *phase, uint64_t threads,
                      uint64_t requests, uint64_t duration_ms) {
    struct line line = {phase, requests, duration_ms, clock_now_ns(), clock_now_ns(), 0};
    struct pollfd polled[] = {{.fd = watch->done_fd, .events = POLLIN},
                              {.fd = watch->signal_fd, .events = POLLIN}};
    uint64_t ended = 0;

    while (ended < threads) {
        int ready = poll(polled, 2, wait_ms(watch, &line));
        uint64_t more = 0;
        if (ready > 0 && (polled[0].revents & POLLIN) &&
            read(watch->done_fd, &more, sizeof more) == sizeof more) {
            ended += more;
        }
        if (ready > 0 && (polled[1].revents & POLLIN)) {
            stop(watch);
        }
        if (ready == 0) {
            draw(watch, &line);
        }
    }
    if (watch->is_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    atomic_store_explicit(&watch->count, 0, memory_order_relaxed);
}
