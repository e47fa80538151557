/* poll_loop.c: libkvd in a loop of one's own, over poll(2): ten puts on their way at once, and a
 * scan behind them, page after page.
 *
 *     cc poll_loop.c $(pkg-config --cflags --libs kvd) -o poll_loop && ./poll_loop 127.0.0.1:4411
 *
 * Exits with 0 if all went as it should. */
#include <kvd/kvd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

struct work {
    struct kvd_async *async;
    int stored;
    int walked;
    int pages;
};

static void on_stored(const struct kvd_result *result, void *arg) {
    struct work *work = arg;

    work->stored += result->status == KVD_OK;
}

static void ask_for_page(struct work *work, struct kvd_bytes cursor);

static void on_page(const struct kvd_result *result, void *arg) {
    struct work *work = arg;
    struct kvd_entry entry;

    if (result->status != KVD_OK) {
        fprintf(stderr, "scan: %s\n", result->error);
        return;
    }
    work->pages++;
    while (kvd_page_next(result->page, &entry) == KVD_OK) {
        printf("%.*s = %.*s\n", (int)entry.key.len, (const char *)entry.key.ptr,
               (int)entry.value.len, (const char *)entry.value.ptr);
        work->walked++;
    }
    if (result->cursor.len > 0) {
        ask_for_page(work, result->cursor);
    }
}

static void ask_for_page(struct work *work, struct kvd_bytes cursor) {
    const struct kvd_scan_options options = {
        .prefix = kvd_text("poll/"), .cursor = cursor, .page_entries = 4};

    if (kvd_async_scan(work->async, &options, on_page, work) != KVD_OK) {
        fprintf(stderr, "%s\n", kvd_async_error(work->async));
    }
}

static void run(struct kvd_async *async) {
    while (kvd_async_pending(async) > 0) {
        struct pollfd poll_fd = {.fd = kvd_async_fd(async), .events = kvd_async_events(async)};
        poll(&poll_fd, 1, kvd_async_timeout_ms(async)); /* other descriptors go here too */
        if (kvd_async_step(async) != KVD_OK) {
            fprintf(stderr, "%s\n", kvd_async_error(async));
        }
    }
}

int main(int argc, char **argv) {
    struct work work = {.async = NULL};
    char key[16];

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST:PORT | unix:PATH\n", argv[0]);
        return 2;
    }
    if (kvd_async_open(argv[1], NULL, &work.async) != KVD_OK) {
        fprintf(stderr, "%s\n", kvd_async_error(work.async));
        kvd_async_close(work.async);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "poll/%d", i);
        kvd_async_put(work.async, kvd_text(key), kvd_text("stored"), NULL, on_stored, &work);
    }
    ask_for_page(&work, kvd_bytes(NULL, 0));
    run(work.async);
    kvd_async_close(work.async);
    printf("%d stored, %d walked in %d pages\n", work.stored, work.walked, work.pages);
    return work.stored == 10 && work.walked == 10 ? EXIT_SUCCESS : EXIT_FAILURE;
}
