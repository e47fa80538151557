/* command_decide.c: comparisons and writes for either outcome, from standard input, in one round
 * trip.
 *
 *     if KEY exists|absent              if KEY version|value =|!=|<|> X
 *     then put KEY VALUE | get KEY | del KEY | delrange FROM TO | add KEY N | append KEY BYTES
 *          | touch KEY TIME | persist KEY
 *     else ... */
#include "client/kvcli/batch_line.h"
#include "client/kvcli/command.h"
#include "client/kvcli/line_reader.h"
#include "client/kvcli/output.h"
#include "client/kvcli/text.h"
#include "client/kvcli/words.h"

#include "protocol/base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX ((size_t)256 << 20)
#define WORDS_MAX 5 /* if KEY version = 12 */
#define COMPARISONS_MAX 1024u

struct decide {
    struct cli *cli; /* borrowed */
    struct line_reader reader;
    struct kvd_comparison comparisons[COMPARISONS_MAX];
    size_t comparison_count;
    struct kvd_batch *lists[2]; /* owned: if it held, if not */
    struct buffer lines;        /* owned: the lines with comparisons, which borrow from it */
    size_t printed;
};

static int fail_line(const struct decide *decide, const char *reason) {
    return cli_fail(CLI_USAGE, "line %" PRIu64 ": %s", decide->reader.number, reason);
}

static bool is_word(struct slice word, const char *text) {
    return slice_equal(word, slice_from_text(text));
}

/* --- comparisons --- */

static bool relation_of(struct slice word, enum kvd_relation *relation_out) {
    static const char *const names[] = {"=", "!=", "<", ">"};

    for (int i = 0; i < 4; i++) {
        if (is_word(word, names[i])) {
            *relation_out = (enum kvd_relation)(KVD_EQUAL + i);
            return true;
        }
    }
    return false;
}

static bool version_of(struct slice word, uint64_t *version_out) {
    char text[32];

    if (word.len >= sizeof text) {
        return false;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    return text_parse_number(text, version_out) == STATUS_OK;
}

/* The words behind "if". */
static bool understand_if(const struct slice *words, size_t count, struct kvd_comparison *out) {
    *out = (struct kvd_comparison){.kind = KVD_COMPARE_PRESENCE,
                                   .relation = KVD_EQUAL,
                                   .key = kvd_bytes(words[0].ptr, words[0].len)};
    if (count == 2 && words[0].len > 0) {
        out->relation = is_word(words[1], "absent") ? KVD_DIFFERENT : KVD_EQUAL;
        return is_word(words[1], "exists") || is_word(words[1], "absent");
    }
    if (count != 4 || words[0].len == 0 || !relation_of(words[2], &out->relation)) {
        return false;
    }
    if (is_word(words[1], "value")) {
        out->kind = KVD_COMPARE_VALUE;
        out->value = kvd_bytes(words[3].ptr, words[3].len);
        return true;
    }
    out->kind = KVD_COMPARE_VERSION;
    return is_word(words[1], "version") && version_of(words[3], &out->version);
}

/* --- lines --- */

static int take_item(struct decide *decide, struct kvd_batch *batch, const struct slice *words,
                     size_t count) {
    struct write_item item;
    enum kvd_status status;

    if (count == 2 && is_word(words[0], "get") && words[1].len > 0) {
        status = kvd_batch_get(batch, kvd_bytes(words[1].ptr, words[1].len));
    } else if (batch_line_understand(words, count, &item)) {
        status = batch_line_add(batch, &item, NULL);
    } else {
        return fail_line(decide, "behind then and else stands get KEY or a line of 'kvcli batch'");
    }
    return status == KVD_OK ? CLI_DONE
                            : cli_fail_status(kvd_bytes(NULL, 0), status, kvd_status_text(status));
}

static int take_words(struct decide *decide, const struct slice *words, size_t count) {
    if (count >= 3 && is_word(words[0], "if")) {
        if (decide->comparison_count == COMPARISONS_MAX) {
            return fail_line(decide, "more than 1,024 comparisons");
        }
        return understand_if(words + 1, count - 1, &decide->comparisons[decide->comparison_count++])
                   ? CLI_DONE
                   : fail_line(decide, "write if KEY exists, if KEY absent, if KEY version = "
                                       "NUMBER or if KEY value = VALUE (or !=, <, >)");
    }
    if (count >= 2 && is_word(words[0], "then")) {
        return take_item(decide, decide->lists[0], words + 1, count - 1);
    }
    if (count >= 2 && is_word(words[0], "else")) {
        return take_item(decide, decide->lists[1], words + 1, count - 1);
    }
    return fail_line(decide, "a line begins with if, then or else");
}

/* The words point into the line: one that is compared with stays until the end. */
static int take_line(struct decide *decide, const char *line, size_t len) {
    char *copy = memory_alloc(len + 1);
    struct slice words[WORDS_MAX];
    const char *reason = "";
    size_t count = 0;

    if (!copy || buffer_append(&decide->lines, &copy, sizeof copy) != STATUS_OK) {
        memory_free(copy);
        return cli_fail(CLI_FAILED, "out of memory");
    }
    memcpy(copy, line, len);
    if (words_split(copy, len, words, WORDS_MAX, &count, &reason) != STATUS_OK) {
        return fail_line(decide, reason);
    }
    return count == 0 ? CLI_DONE : take_words(decide, words, count);
}

static int take_lines(struct decide *decide) {
    enum status status = STATUS_OK;
    int code = CLI_DONE;
    char *line;
    size_t len;

    while (code == CLI_DONE) {
        status = line_reader_next(&decide->reader, &line, &len);
        if (status != STATUS_OK) {
            break;
        }
        code = take_line(decide, line, len);
    }
    return code != CLI_DONE || status == STATUS_END
               ? code
               : cli_fail(CLI_FAILED, "cannot read standard input: %s", status_text(status));
}

/* --- results --- */

static void print_result_cb(uint32_t index, const struct kvd_item_result *result, void *arg) {
    struct decide *decide = arg;

    (void)index;
    if (decide->cli->options->json) {
        fputs(decide->printed++ > 0 ? ",{" : "{\"results\":[{", stdout);
        if (result->has_number) {
            printf("\"number\":%" PRId64, result->number);
        } else if (result->is_read) {
            printf("\"found\":%s", result->found ? "true," : "false");
        }
        if (result->found) {
            output_json_bytes(stdout, "value", result->value);
            output_json_meta(stdout, &result->meta);
        }
        fputc('}', stdout);
    } else if (result->has_number) {
        printf("%" PRId64 "\n", result->number);
    } else if (result->is_read) {
        fputs(result->found ? "found\t" : "absent", stdout);
        output_escaped(stdout, result->value);
        fputc('\n', stdout);
    }
}

static int decide_now(struct decide *decide) {
    const struct kvd_write_options write = {.durability = decide->cli->options->durability};
    const struct kvd_decision decision = {.comparisons = decide->comparisons,
                                          .comparison_count = decide->comparison_count,
                                          .if_held = decide->lists[0],
                                          .otherwise = decide->lists[1]};
    struct kvd_decided decided = {.result_cb = print_result_cb, .arg = decide};
    bool json = decide->cli->options->json;
    enum kvd_status status;

    status = kvd_decide(decide->cli->db, &decision, &write, &decided);
    if (status != KVD_OK) {
        return cli_fail_call(decide->cli, kvd_bytes(NULL, 0), status);
    }
    if (json) {
        printf("%s],\"held\":%s,\"version\":%" PRIu64 "}\n",
               decide->printed > 0 ? "" : "{\"results\":[", decided.held ? "true" : "false",
               decided.version);
    }
    return cli_worse(cli_finish_output(), decided.held ? CLI_DONE : CLI_NEGATIVE);
}

static void deinit(struct decide *decide) {
    for (size_t i = 0; i < decide->lines.len; i += sizeof(char *)) {
        char *line;
        memcpy(&line, decide->lines.data + i, sizeof line);
        memory_free(line);
    }
    buffer_deinit(&decide->lines);
    kvd_batch_destroy(decide->lists[0]);
    kvd_batch_destroy(decide->lists[1]);
    line_reader_deinit(&decide->reader);
    memory_free(decide);
}

int command_decide(struct cli *cli) {
    struct decide *decide = memory_alloc_zeroed(sizeof *decide);
    int code;

    if (!decide) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    decide->cli = cli;
    line_reader_init(&decide->reader, STDIN_FILENO, LINE_BYTES_MAX);
    buffer_init(&decide->lines, LINE_BYTES_MAX);
    code = kvd_batch_create(&decide->lists[0]) == KVD_OK &&
                   kvd_batch_create(&decide->lists[1]) == KVD_OK
               ? take_lines(decide)
               : cli_fail(CLI_FAILED, "out of memory");
    if (code == CLI_DONE) {
        code = cli_connect(cli);
    }
    if (code == CLI_DONE) {
        code = decide_now(decide);
    }
    deinit(decide);
    return code;
}
