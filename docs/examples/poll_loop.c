/* poll_loop.c: libkvd in a loop of one's own, over poll(2): ten gets on their way at once.
 *
 *     cc poll_loop.c $(pkg-config --cflags --libs kvd) -o poll_loop && ./poll_loop 127.0.0.1:4411
 *
 * Exits with 0 if all went as it should. */
#include <kvd/kvd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static void on_value(const struct kvd_result *result, void *arg) {
    int *answered = arg;

    (*answered)++;
    printf("request %llu: %s\n", (unsigned long long)result->index,
           kvd_status_name(result->status));
}

int main(int argc, char **argv) {
    struct kvd_async *async;
    int answered = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST:PORT | unix:PATH\n", argv[0]);
        return 2;
    }
    if (kvd_async_open(argv[1], NULL, &async) != KVD_OK) {
        fprintf(stderr, "%s\n", kvd_async_error(async));
        return EXIT_FAILURE;
    }
    for (int i = 0; i < 10; i++) {
        kvd_async_get(async, kvd_text("poll/absent"), NULL, on_value, &answered);
    }
    while (kvd_async_pending(async) > 0) {
        struct pollfd poll_fd = {.fd = kvd_async_fd(async), .events = kvd_async_events(async)};
        poll(&poll_fd, 1, kvd_async_timeout_ms(async)); /* other descriptors go here too */
        if (kvd_async_step(async) != KVD_OK) {
            fprintf(stderr, "%s\n", kvd_async_error(async));
        }
    }
    kvd_async_close(async);
    return answered == 10 ? EXIT_SUCCESS : EXIT_FAILURE;
}
