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
    struct cli *cli;           /* borrowed */
    const char *name;          /* for error lines */
    struct kvd_upload *upload; /* owned */
    struct progress progress;
    uint64_t bytes;
    uint8_t *piece; /* owned; PIECE_BYTES */
    int fd;         /* borrowed */
};

static enum kvd_status send(struct inflow *flow, struct kvd_bytes bytes) {
    flow->bytes += bytes.len;
    progress_update(&flow->progress, flow->bytes, flow->bytes);
    return kvd_upload_write(flow->upload, bytes);
}

/* Reads until the end of the file; a pipe gives it in small pieces, which are gathered. */
static enum kvd_status send_rest(struct inflow *flow) {
    enum kvd_status status = KVD_OK;
    size_t used = 0;
    ssize_t got = 1;
    char reason[128];

    while (status == KVD_OK && got != 0) {
        got = read(flow->fd, flow->piece + used, PIECE_BYTES - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            progress_clear(&flow->progress);
            cli_fail(CLI_FAILED, "cannot read %s: %s", flow->name,
                     strerror_r(errno, reason, sizeof reason));
            return KVD_CANCELLED;
        }
        used += (size_t)got;
        if (used == PIECE_BYTES || (got == 0 && used > 0)) {
            status = send(flow, kvd_bytes(flow->piece, used));
            used = 0;
        }
    }
    return status;
}

static enum kvd_status run(struct inflow *flow, struct kvd_bytes key, struct kvd_bytes head,
                           const struct kvd_write_options *write, uint64_t *version_out) {
    enum kvd_status status = kvd_upload_begin(flow->cli->db, key, &flow->upload);

    if (status == KVD_OK) {
        status = send(flow, head);
    }
    if (status == KVD_OK) {
        status = send_rest(flow);
    }
    if (status == KVD_OK) {
        status = kvd_upload_commit(flow->upload, write, version_out);
    }
    kvd_upload_destroy(flow->upload);
    return status;
}

enum kvd_status value_stream_put(struct cli *cli, struct kvd_bytes key,
                                 const struct value_source *source,
                                 const struct kvd_write_options *write, uint64_t *version_out) {
    struct inflow flow = {.cli = cli, .name = source->name, .fd = source->fd};
    enum kvd_status status;

    flow.piece = memory_alloc(PIECE_BYTES);
    if (!flow.piece) {
        cli_fail(CLI_FAILED, "out of memory");
        return KVD_CANCELLED;
    }
    progress_init(&flow.progress, 0);
    status = run(&flow, key, source->head, write, version_out);
    progress_clear(&flow.progress);
    memory_free(flow.piece);
    return status;
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
