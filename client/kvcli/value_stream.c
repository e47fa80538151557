/* value_stream.c: see value_stream.h. */
#include "client/kvcli/value_stream.h"

#include "client/kvcli/output.h"
#include "client/kvcli/progress.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES (1024u * 1024)

struct inflow {
    struct cli *cli; /* borrowed */
    struct kvd_bytes key;
    const char *name;
    struct kvd_upload *upload; /* owned */
    struct progress progress;
    uint64_t bytes;
    uint8_t *piece; /* owned; PIECE_BYTES */
    int fd;         /* borrowed */
};

static int send(struct inflow *flow, struct kvd_bytes bytes) {
    enum kvd_status status = kvd_upload_write(flow->upload, bytes);

    flow->bytes += bytes.len;
    progress_update(&flow->progress, flow->bytes, flow->bytes);
    return status == KVD_OK ? CLI_DONE : cli_fail_call(flow->cli, flow->key, status);
}

/* Reads until the end of the file; a pipe gives it in small pieces, which are gathered. */
static int send_rest(struct inflow *flow) {
    size_t used = 0;
    char reason[128];

    for (;;) {
        ssize_t got = read(flow->fd, flow->piece + used, PIECE_BYTES - used);
        int code = CLI_DONE;
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return cli_fail(CLI_FAILED, "cannot read %s: %s", flow->name,
                            strerror_r(errno, reason, sizeof reason));
        }
        used += (size_t)got;
        if (used == PIECE_BYTES || (got == 0 && used > 0)) {
            code = send(flow, kvd_bytes(flow->piece, used));
            used = 0;
        }
        if (code != CLI_DONE || got == 0) {
            return code;
        }
    }
}

static int run(struct inflow *flow, const struct buffer *head,
               const struct kvd_write_options *write, uint64_t *version_out) {
    enum kvd_status status = kvd_upload_begin(flow->cli->db, flow->key, &flow->upload);
    int code;

    if (status != KVD_OK) {
        return cli_fail_call(flow->cli, flow->key, status);
    }
    code = send(flow, kvd_bytes(head->data, head->len));
    if (code == CLI_DONE) {
        code = send_rest(flow);
    }
    if (code == CLI_DONE) {
        status = kvd_upload_commit(flow->upload, write, version_out);
        code = status == KVD_OK ? CLI_DONE : cli_fail_call(flow->cli, flow->key, status);
    }
    kvd_upload_destroy(flow->upload);
    return code;
}

int value_stream_put(struct cli *cli, struct kvd_bytes key, const struct value_source *source,
                     const struct kvd_write_options *write, uint64_t *version_out) {
    struct inflow flow = {.cli = cli, .key = key, .name = source->name, .fd = source->fd};
    int code;

    flow.piece = memory_alloc(PIECE_BYTES);
    if (!flow.piece) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    progress_init(&flow.progress, 0);
    code = run(&flow, source->head, write, version_out);
    progress_clear(&flow.progress);
    memory_free(flow.piece);
    return code;
}

static bool print_piece(struct kvd_bytes data, void *arg) {
    (void)arg;
    output_raw(stdout, data);
    return !ferror(stdout);
}

int value_stream_get(struct cli *cli, struct kvd_bytes key, const struct kvd_read_options *read) {
    enum kvd_status status = kvd_get_stream(cli->db, key, read, NULL, print_piece, NULL);

    if (status != KVD_OK && status != KVD_CANCELLED) {
        return cli_fail_call(cli, key, status);
    }
    return cli_finish_output();
}
