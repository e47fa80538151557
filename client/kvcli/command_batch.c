/* command_batch.c: writes from standard input, one a line: as one commit, or pipelined. */
#include "client/kvcli/batch_line.h"
#include "client/kvcli/command.h"
#include "client/kvcli/line_reader.h"
#include "client/kvcli/words.h"
#include "client/kvcli/write_options.h"
#include "client/kvcli/write_stream.h"

#include "protocol/base/buffer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX ((size_t)256 << 20)

struct batch_input {
    struct cli *cli; /* borrowed; connected */
    struct line_reader reader;
    struct kvd_write_options write;
    bool (*take)(struct batch_input *input, const struct write_item *item);
    struct write_stream stream; /* pipelined */
    struct kvd_batch *batch;    /* atomic: owned */
    struct buffer lines;        /* atomic: owned; uint64_t each: the number of each item's line */
    int code;
};

/* --- lines --- */

static int fail_line(const struct batch_input *input, const char *reason) {
    return cli_fail(CLI_USAGE, "line %" PRIu64 ": %s", input->reader.number, reason);
}

/* Takes one line; false to stop. */
static bool take_line(struct batch_input *input, char *line, size_t len) {
    struct slice words[BATCH_LINE_WORDS_MAX];
    struct write_item item;
    const char *reason = "";
    size_t count = 0;

    if (words_split(line, len, words, BATCH_LINE_WORDS_MAX, &count, &reason) != STATUS_OK) {
        input->code = fail_line(input, reason);
        return false;
    }
    if (count == 0) {
        return true;
    }
    if (!batch_line_understand(words, count, &item)) {
        input->code = fail_line(input, "write put KEY VALUE, del KEY, delrange FROM TO, add KEY "
                                       "NUMBER, append KEY BYTES, touch KEY TIME or persist KEY");
        return false;
    }
    return input->take(input, &item);
}

static void take_lines(struct batch_input *input) {
    char reason[128];
    char *line;
    size_t len;
    enum status status;

    while ((status = line_reader_next(&input->reader, &line, &len)) == STATUS_OK) {
        if (!take_line(input, line, len)) {
            return;
        }
    }
    if (status != STATUS_END) {
        input->code = cli_fail(CLI_FAILED, "cannot read standard input: %s",
                               status == STATUS_IO ? strerror_r(errno, reason, sizeof reason)
                                                   : status_text(status));
    }
}

/* --- pipelined --- */

static bool take_pipelined(struct batch_input *input, const struct write_item *item) {
    return write_stream_add(&input->stream, item);
}

static int run_pipelined(struct batch_input *input) {
    struct write_stream_options options = {.write = input->write};
    int code = write_stream_init(&input->stream, input->cli, &options);

    input->take = take_pipelined;
    if (code == CLI_DONE) {
        take_lines(input);
        code = write_stream_finish(&input->stream); /* the lines before a bad one are done */
    }
    if (code == CLI_DONE && input->cli->options->json) {
        printf("{\"done\":%" PRIu64 "}\n", input->stream.totals.done);
    }
    write_stream_deinit(&input->stream);
    return input->code ? input->code : code;
}

/* --- atomic --- */

static bool take_atomic(struct batch_input *input, const struct write_item *item) {
    uint64_t line = input->reader.number;
    enum kvd_status status = batch_line_add(input->batch, item, &input->write);

    if (status == KVD_OK && buffer_append(&input->lines, &line, sizeof line) != STATUS_OK) {
        status = KVD_NO_MEMORY;
    }
    if (status != KVD_OK) {
        input->code = cli_fail_status(item->key, status, NULL);
    }
    return status == KVD_OK;
}

/* Names the line at fault, where the server has named the item. */
static int fail_commit(const struct batch_input *input, enum kvd_status status) {
    uint32_t item = kvd_error_item(input->cli->db);
    char name[32] = "";
    uint64_t line;

    if (item < input->lines.len / sizeof line) {
        memcpy(&line, input->lines.data + item * sizeof line, sizeof line);
        snprintf(name, sizeof name, "line %" PRIu64, line);
    }
    return cli_fail_call(input->cli, kvd_text(name), status);
}

static int commit(struct batch_input *input) {
    uint64_t version = 0;
    enum kvd_status status;

    if (kvd_batch_count(input->batch) == 0) {
        return CLI_DONE;
    }
    status = kvd_batch_commit(input->cli->db, input->batch, &input->write, &version);
    if (status != KVD_OK) {
        return fail_commit(input, status);
    }
    if (input->cli->options->json) {
        printf("{\"done\":%" PRIu32 ",\"version\":%" PRIu64 "}\n", kvd_batch_count(input->batch),
               version);
    }
    return CLI_DONE;
}

static int run_atomic(struct batch_input *input) {
    if (kvd_batch_create(&input->batch) != KVD_OK) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    buffer_init(&input->lines, SIZE_MAX);
    input->take = take_atomic;
    take_lines(input);
    if (input->code == CLI_DONE) {
        input->code = commit(input);
    }
    buffer_deinit(&input->lines);
    kvd_batch_destroy(input->batch);
    return input->code;
}

int command_batch(struct cli *cli) {
    struct batch_input input = {.cli = cli};
    int code = write_options_from(cli->options, &input.write);

    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    line_reader_init(&input.reader, STDIN_FILENO, LINE_BYTES_MAX);
    code = cli->options->atomic ? run_atomic(&input) : run_pipelined(&input);
    line_reader_deinit(&input.reader);
    return cli_worse(code, cli_finish_output());
}
