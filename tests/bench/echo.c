/* echo.c: the floor of a benchmark: a libuv server that sends back what it receives, and does
 * nothing else. One loop, one buffer for all reads, one write for each read, as kvd has it.
 *
 *     echo READY_FILE      listens on a free port of 127.0.0.1 and writes HOST:PORT to READY_FILE
 *
 * A write that the socket does not take at once is copied and queued. Any failure ends it. */
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define READ_BYTES (256u * 1024)
#define BACKLOG 511

struct queued_write {
    uv_write_t request; /* first */
    char bytes[];
};

static void free_on_close(uv_handle_t *handle) {
    memory_free(handle);
}

static void give_buffer(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *buf) {
    (void)suggested_bytes;
    *buf = uv_buf_init(handle->loop->data, READ_BYTES);
}

static void on_written(uv_write_t *request, int status) {
    (void)status;
    memory_free(request);
}

static void queue_rest(uv_stream_t *stream, const char *bytes, size_t len) {
    struct queued_write *write = memory_alloc(sizeof *write + len);
    uv_buf_t buf;

    ASSERT(write);
    memcpy(write->bytes, bytes, len);
    buf = uv_buf_init(write->bytes, (unsigned)len);
    if (uv_write(&write->request, stream, &buf, 1, on_written) != 0) {
        memory_free(write);
    }
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
    uv_buf_t rest = *buf;
    int wrote;

    if (len < 0) {
        uv_close((uv_handle_t *)stream, free_on_close);
        return;
    }
    rest.len = (size_t)len;
    wrote = uv_try_write(stream, &rest, 1);
    if (wrote < len) {
        size_t done = wrote > 0 ? (size_t)wrote : 0;
        queue_rest(stream, rest.base + done, rest.len - done);
    }
}

static void on_connection(uv_stream_t *listener, int status) {
    uv_tcp_t *stream = memory_alloc(sizeof *stream);

    ASSERT(status == 0);
    ASSERT(stream);
    ASSERT(uv_tcp_init(listener->loop, stream) == 0);
    ASSERT(uv_accept(listener, (uv_stream_t *)stream) == 0);
    ASSERT(uv_tcp_nodelay(stream, 1) == 0);
    ASSERT(uv_read_start((uv_stream_t *)stream, give_buffer, on_read) == 0);
}

static void write_ready_file(const uv_tcp_t *listener, const char *path) {
    struct sockaddr_in address;
    int len = sizeof address;
    FILE *file = fopen(path, "w");

    ASSERT(file);
    ASSERT(uv_tcp_getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    fprintf(file, "127.0.0.1:%d\n", ntohs(address.sin_port));
    ASSERT(fclose(file) == 0);
}

int main(int argc, char **argv) {
    uv_loop_t loop;
    uv_tcp_t listener;
    struct sockaddr_in address;

    if (argc != 2) {
        fputs("usage: echo READY_FILE\n", stderr);
        return 2;
    }
    ASSERT(uv_loop_init(&loop) == 0);
    loop.data = memory_alloc(READ_BYTES);
    ASSERT(loop.data);
    ASSERT(uv_tcp_init(&loop, &listener) == 0);
    ASSERT(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    ASSERT(uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0) == 0);
    ASSERT(uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection) == 0);
    write_ready_file(&listener, argv[1]);
    return uv_run(&loop, UV_RUN_DEFAULT);
}
