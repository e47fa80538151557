/* event_loop.c: libkvd in a loop of libuv: a thousand puts, at most 64 at a time, then a get.
 *
 *     cc event_loop.c $(pkg-config --cflags --libs kvd libuv) -o event_loop
 *     ./event_loop 127.0.0.1:4411
 *
 * It uses keys below "event/" and leaves none behind. Exits with 0 if all went as it should. */
#include <kvd/kvd_uv.h>
#include <stdio.h>
#include <stdlib.h>

#define PUTS 1000

struct program {
    struct kvd_uv uv;
    struct kvd_async *async;
    int submitted;
    int done;
};

static void on_put(const struct kvd_result *result, void *arg);

static void must(const struct kvd_result *result) {
    if (result->status != KVD_OK) {
        fprintf(stderr, "request %llu: %s: %s\n", (unsigned long long)result->index,
                kvd_status_name(result->status), result->error);
        exit(EXIT_FAILURE);
    }
}

/* Submits until the handle says that it is enough for now. */
static void submit(struct program *program) {
    char key[32];
    enum kvd_status status = KVD_OK;

    while (program->submitted < PUTS && status == KVD_OK) {
        snprintf(key, sizeof key, "event/%04d", program->submitted);
        status =
            kvd_async_put(program->async, kvd_text(key), kvd_text("Ada"), NULL, on_put, program);
        program->submitted += status == KVD_OK;
    }
    if (status != KVD_OK && status != KVD_BUSY) {
        fprintf(stderr, "put: %s\n", kvd_async_error(program->async));
        exit(EXIT_FAILURE);
    }
}

static void on_delete(const struct kvd_result *result, void *arg) {
    struct program *program = arg;

    must(result);
    kvd_uv_close(&program->uv, NULL); /* the loop has nothing left to do and ends */
}

static void on_get(const struct kvd_result *result, void *arg) {
    struct program *program = arg;

    must(result);
    printf("event/0999 = %.*s\n", (int)result->value.len, (const char *)result->value.ptr);
    if (kvd_async_delete_range(program->async, kvd_text("event/"), kvd_text("event0"), NULL,
                               on_delete, program) != KVD_OK) {
        exit(EXIT_FAILURE);
    }
}

static void on_put(const struct kvd_result *result, void *arg) {
    struct program *program = arg;

    must(result);
    program->done++;
    submit(program);
    if (program->done == PUTS &&
        kvd_async_get(program->async, kvd_text("event/0999"), NULL, on_get, program) != KVD_OK) {
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv) {
    struct kvd_async_options options = {.connect = {.timeout_ms = 5000}, .requests_max = 64};
    struct program program = {.done = 0};
    uv_loop_t *loop = uv_default_loop();

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST:PORT | unix:PATH\n", argv[0]);
        return 2;
    }
    if (kvd_async_open(argv[1], &options, &program.async) != KVD_OK) {
        fprintf(stderr, "%s\n", kvd_async_error(program.async));
        return EXIT_FAILURE;
    }
    if (kvd_uv_init(&program.uv, loop, program.async) != 0) {
        return EXIT_FAILURE;
    }
    submit(&program);
    uv_run(loop, UV_RUN_DEFAULT);
    printf("%d puts done\n", program.done);
    return uv_loop_close(loop) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
