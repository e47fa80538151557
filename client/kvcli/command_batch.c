/* command_batch.c: writes from standard input, one a line: as one commit, or pipelined. */
#include "client/kvcli/command.h"
#include "client/kvcli/line_reader.h"
#include "client/kvcli/text.h"
#include "client/kvcli/words.h"
#include "client/kvcli/write_options.h"
#include "client/kvcli/write_stream.h"

#include "protocol/base/buffer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX ((size_t)256 << 20)
#define WORDS_MAX 3 /* put KEY VALUE */

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

static struct kvd_bytes word_bytes(struct slice word) {
    return kvd_bytes(word.ptr, word.len);
}

/* What a line may say: a verb and so many words. */
struct verb {
    const char *name;
    enum write_kind kind;
    size_t words; /* the verb included */
};

static const struct verb verbs[] = {
    {"put", WRITE_PUT, 3},         {"del", WRITE_DELETE, 2},    {"delrange", WRITE_DELETE_RANGE, 3},
    {"add", WRITE_ADD, 3},         {"append", WRITE_APPEND, 3}, {"touch", WRITE_TOUCH, 3},
    {"persist", WRITE_PERSIST, 2},
};

#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static const struct verb *find_verb(struct slice word) {
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (slice_equal(word, slice_from_text(verbs[i].name))) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* The third word of an add or a touch. */
static bool take_number(struct slice word, struct write_item *item) {
    char text[32];
    char *end;

    if (word.len == 0 || word.len >= sizeof text) {
        return false;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    if (item->kind == WRITE_TOUCH) {
        return text_parse_duration_ms(text, &item->ttl_ms) == STATUS_OK && item->ttl_ms > 0;
    }
    errno = 0;
    item->amount = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* Understands the words of one line. False if they are no write. */
static bool understand(const struct slice *words, size_t count, struct write_item *item_out) {
    const struct verb *verb = find_verb(words[0]);

    if (!verb || count != verb->words) {
        return false;
    }
    *item_out = (struct write_item){
        .kind = verb->kind,
        .key = word_bytes(words[1]),
        .value = count == 3 ? word_bytes(words[2]) : kvd_bytes(NULL, 0),
    };
    if (verb->kind == WRITE_ADD || verb->kind == WRITE_TOUCH) {
        item_out->value = kvd_bytes(NULL, 0);
        return words[1].len > 0 && take_number(words[2], item_out);
    }
    return words[1].len > 0 || verb->kind == WRITE_DELETE_RANGE;
}

static int fail_line(const struct batch_input *input, const char *reason) {
    return cli_fail(CLI_USAGE, "line %" PRIu64 ": %s", input->reader.number, reason);
}

/* Takes one line; false to stop. */
static bool take_line(struct batch_input *input, char *line, size_t len) {
    struct slice words[WORDS_MAX];
    struct write_item item;
    const char *reason = "";
    size_t count = 0;

    if (words_split(line, len, words, WORDS_MAX, &count, &reason) != STATUS_OK) {
        input->code = fail_line(input, reason);
        return false;
    }
    if (count == 0) {
        return true;
    }
    if (!understand(words, count, &item)) {
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

static enum kvd_status add_to_batch(struct batch_input *input, const struct write_item *item) {
    struct kvd_write_options touch = {.ttl_ms = item->ttl_ms};

    switch (item->kind) {
    case WRITE_PUT:
        return kvd_batch_put(input->batch, item->key, item->value, &input->write);
    case WRITE_DELETE:
        return kvd_batch_delete(input->batch, item->key, NULL);
    case WRITE_DELETE_RANGE:
        return kvd_batch_delete_range(input->batch, item->key, item->value);
    case WRITE_ADD:
        return kvd_batch_add(input->batch, item->key, item->amount, NULL);
    case WRITE_APPEND:
        return kvd_batch_append(input->batch, item->key, item->value, NULL);
    case WRITE_TOUCH:
        return kvd_batch_touch(input->batch, item->key, &touch);
    case WRITE_PERSIST:
        break;
    }
    return kvd_batch_persist(input->batch, item->key, NULL);
}

static bool take_atomic(struct batch_input *input, const struct write_item *item) {
    uint64_t line = input->reader.number;
    enum kvd_status status = add_to_batch(input, item);

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
