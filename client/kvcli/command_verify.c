/* command_verify.c: is what is stored the same as a directory tree?
 *
 * The tree is walked in the order of keys, and a scan with values runs beside it: each step takes
 * the lesser of path and key, so that missing keys, keys too many and different contents are found
 * in one pass and in little memory. Keys must rise strictly, and the count must agree. With --gets
 * each file is read back by a get of its own as well, pipelined. */
#include "client/kvcli/command.h"
#include "client/kvcli/maintain.h"
#include "client/kvcli/output.h"
#include "client/kvcli/transfer.h"
#include "client/kvcli/tree_walk.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define REPORTS_MAX 20u /* lines about single keys */
#define GETS_MAX 256u   /* of one pipeline */
#define COMPARE_BYTES ((size_t)64 * 1024)

struct verify {
    struct cli *cli; /* borrowed */
    const char *root;
    struct tree_walk *walk; /* owned */
    struct progress progress;
    struct buffer key;     /* prefix and path of `file` */
    struct tree_file file; /* the next of the tree */
    bool has_file;
    struct buffer last_key; /* of the scan */
    uint64_t same;
    uint64_t bytes;
    uint64_t different;
    uint64_t missing;
    uint64_t extra;
    uint64_t read_back; /* by gets */
    uint64_t reports;
    int code;
};

/* --- reports --- */

static void report(struct verify *verify, struct kvd_bytes key, const char *text) {
    verify->code = cli_worse(verify->code, CLI_NEGATIVE);
    if (verify->reports++ < REPORTS_MAX) {
        progress_clear(&verify->progress);
        cli_fail_status(key, KVD_NOT_FOUND, text);
    } else if (verify->reports == REPORTS_MAX + 1) {
        cli_fail(CLI_NEGATIVE, "more differences are counted only");
    }
}

static void report_error(struct verify *verify, const struct error *error) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];

    progress_clear(&verify->progress);
    error_format(error, text, sizeof text);
    verify->code = cli_worse(verify->code, cli_fail(CLI_FAILED, "%s", text));
}

/* --- one file against one value --- */

/* A file and a value that are compared piece by piece. */
struct comparison {
    int fd; /* borrowed */
    bool same;
    enum status status; /* of reading the file */
};

/* Compares the next bytes of the file with `data`. Returns whether all is the same so far. */
static bool compare_piece(struct kvd_bytes data, void *arg) {
    struct comparison *comparison = arg;
    uint8_t bytes[COMPARE_BYTES];
    const uint8_t *rest = data.ptr;
    size_t left = data.len;

    while (left > 0 && comparison->same && comparison->status == STATUS_OK) {
        ssize_t taken = read(comparison->fd, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (taken < 0 && errno != EINTR) {
            comparison->status = STATUS_IO;
        } else if (taken >= 0) {
            comparison->same = taken > 0 && memcmp(bytes, rest, (size_t)taken) == 0;
            rest += taken;
            left -= (size_t)taken;
        }
    }
    return comparison->same && comparison->status == STATUS_OK;
}

/* After all pieces: the file must end here as well. */
static void compare_end(struct comparison *comparison) {
    uint8_t byte;

    if (comparison->same && comparison->status == STATUS_OK) {
        ssize_t taken = read(comparison->fd, &byte, sizeof byte);
        comparison->same = taken == 0;
        comparison->status = taken < 0 ? STATUS_IO : STATUS_OK;
    }
}

/* Compares the open file with the value at `key`, or with `value` unless that is NULL. Returns
 * KVD_OK if there was something to compare. */
static enum kvd_status compare(struct verify *verify, struct kvd_bytes key,
                               const struct kvd_bytes *value, struct comparison *comparison) {
    const struct kvd_read_options read = {.verify = true};
    enum kvd_status status = KVD_OK;

    if (value) {
        (void)compare_piece(*value, comparison);
    } else {
        status = kvd_get_stream(verify->cli->db, key, &read, NULL, compare_piece, comparison);
    }
    compare_end(comparison);
    return status == KVD_CANCELLED ? KVD_OK : status;
}

/* True if the file has exactly the bytes of `value`, or if that is NULL of what is stored at `key`;
 * reports it otherwise. */
static bool check_file(struct verify *verify, const struct tree_file *file, struct kvd_bytes key,
                       const struct kvd_bytes *value) {
    struct comparison comparison = {.same = true, .status = STATUS_OK};
    struct error error;
    uint64_t bytes;
    enum kvd_status got;
    enum status status = tree_file_open(file, &comparison.fd, &bytes, &error);

    if (status != STATUS_OK) {
        report_error(verify, &error);
        return false;
    }
    got = compare(verify, key, value, &comparison);
    if (comparison.status != STATUS_OK) {
        error_set(&error, STATUS_IO, errno, file->path, ERROR_NO_OFFSET, "reading");
        report_error(verify, &error);
    }
    close(comparison.fd);
    if (got != KVD_OK) {
        verify->code = cli_worse(verify->code, cli_fail_call(verify->cli, key, got));
    } else if (comparison.status == STATUS_OK && !comparison.same) {
        report(verify, key, "the stored value differs from the file");
        verify->different++;
    }
    return got == KVD_OK && comparison.status == STATUS_OK && comparison.same;
}

/* --- the scan beside the tree --- */

/* Steps to the next file of the tree and makes its key. */
static void next_file(struct verify *verify) {
    struct error error;
    enum status status = tree_walk_next(verify->walk, &verify->file, &error);

    while (status != STATUS_OK && status != STATUS_END) {
        report_error(verify, &error);
        status = tree_walk_next(verify->walk, &verify->file, &error);
    }
    verify->has_file = status == STATUS_OK;
    if (verify->has_file &&
        transfer_key(&verify->key, verify->cli->options->prefix, verify->file.path) != STATUS_OK) {
        verify->code = cli_worse(verify->code, cli_fail(CLI_FAILED, "out of memory"));
        verify->has_file = false;
    }
}

static struct slice entry_slice(struct kvd_bytes bytes) {
    return slice_make(bytes.ptr, bytes.len);
}

static void check_order(struct verify *verify, const struct kvd_entry *entry) {
    struct buffer *last = &verify->last_key;

    if (last->len > 0 && slice_compare(buffer_slice(last), entry_slice(entry->key)) >= 0) {
        report(verify, entry->key, "the scan gave this key out of order");
    }
    buffer_clear(last);
    if (buffer_append(last, entry->key.ptr, entry->key.len) != STATUS_OK) {
        verify->code = cli_worse(verify->code, cli_fail(CLI_FAILED, "out of memory"));
    }
}

static void report_missing(struct verify *verify) {
    report(verify, kvd_bytes(verify->key.data, verify->key.len), "the file is not stored");
    verify->missing++;
    next_file(verify);
}

static void check_entry(struct verify *verify, const struct kvd_entry *entry) {
    struct slice key = entry_slice(entry->key);

    check_order(verify, entry);
    while (verify->has_file && slice_compare(buffer_slice(&verify->key), key) < 0) {
        report_missing(verify);
    }
    if (!verify->has_file || slice_compare(buffer_slice(&verify->key), key) != 0) {
        report(verify, entry->key, "the key is stored, and no such file is there");
        verify->extra++;
        return;
    }
    if (check_file(verify, &verify->file, entry->key,
                   entry->value_left_out ? NULL : &entry->value)) {
        verify->same++;
        verify->bytes += entry->meta.value_len;
    }
    next_file(verify);
    progress_update(&verify->progress, verify->same, verify->bytes);
}

static void check_count(struct verify *verify, const struct kvd_scan_options *range,
                        uint64_t scanned) {
    uint64_t count = 0;
    enum kvd_status status = kvd_count(verify->cli->db, range, &count);

    if (status != KVD_OK) {
        verify->code =
            cli_worse(verify->code, cli_fail_call(verify->cli, kvd_bytes(NULL, 0), status));
    } else if (count != scanned) {
        verify->code = cli_worse(verify->code, cli_fail(CLI_NEGATIVE,
                                                        "the scan gave %" PRIu64
                                                        " keys, but the count is %" PRIu64,
                                                        scanned, count));
    }
}

static void verify_by_scan(struct verify *verify) {
    struct kvd_scan_options range = {.prefix = verify->cli->options->prefix, .verify = true};
    struct kvd_scan *scan = NULL;
    struct kvd_entry entry;
    uint64_t scanned = 0;
    enum kvd_status status = kvd_scan_open(verify->cli->db, &range, &scan);

    next_file(verify);
    while (status == KVD_OK && (status = kvd_scan_next(scan, &entry)) == KVD_OK) {
        scanned++;
        check_entry(verify, &entry);
    }
    if (status != KVD_END) {
        verify->code =
            cli_worse(verify->code, cli_fail_call(verify->cli, kvd_bytes(NULL, 0), status));
    }
    while (status == KVD_END && verify->has_file) {
        report_missing(verify);
    }
    kvd_scan_close(scan);
    if (status == KVD_END) {
        check_count(verify, &range, scanned);
    }
}

/* --- each file by a get --- */

static struct kvd_bytes path_key(struct verify *verify, const char *path) {
    if (transfer_key(&verify->key, verify->cli->options->prefix, path) != STATUS_OK) {
        verify->code = cli_worse(verify->code, cli_fail(CLI_FAILED, "out of memory"));
        return kvd_bytes(NULL, 0);
    }
    return kvd_bytes(verify->key.data, verify->key.len);
}

static void check_result(struct verify *verify, int root_fd, const char *path,
                         const struct kvd_result *result) {
    struct tree_file file = {.path = path, .name = path, .directory_fd = root_fd};
    struct kvd_bytes key = path_key(verify, path);

    if (result->status == KVD_OK) {
        verify->read_back += check_file(verify, &file, key, &result->value);
    } else if (result->status == KVD_NOT_FOUND) {
        report(verify, key, "a get does not find it");
        verify->missing++;
    } else if (result->status != KVD_TOO_LARGE) { /* those were read whole beside the scan */
        verify->code = cli_worse(verify->code, cli_fail_status(key, result->status, result->error));
    }
}

/* Gets the files whose paths, each with its NUL, lie in `paths`, and empties it. */
static void get_some(struct verify *verify, int root_fd, struct buffer *paths) {
    const char *queued = (const char *)paths->data;
    const char *end = queued + paths->len;
    const char *answered = queued;
    struct kvd_read_options read = {.verify = true};
    struct kvd_result result;

    while (queued < end) {
        enum kvd_status status = kvd_pipeline_get(verify->cli->db, path_key(verify, queued), &read);
        if (status != KVD_OK) {
            verify->code =
                cli_worse(verify->code, cli_fail_call(verify->cli, kvd_text(queued), status));
            break;
        }
        queued += strlen(queued) + 1;
    }
    while (kvd_pipeline_next(verify->cli->db, &result) == KVD_OK) {
        check_result(verify, root_fd, answered, &result);
        answered += strlen(answered) + 1;
    }
    progress_update(&verify->progress, verify->read_back, verify->bytes);
    buffer_clear(paths);
}

static void verify_by_gets(struct verify *verify, int root_fd) {
    struct buffer paths;
    struct tree_file file;
    struct error error;
    unsigned count = 0;
    enum status status = tree_walk_open(verify->walk, verify->root, &error);

    buffer_init(&paths, (size_t)GETS_MAX * TREE_PATH_BYTES_MAX);
    while (status == STATUS_OK && verify->code <= CLI_NEGATIVE &&
           (status = tree_walk_next(verify->walk, &file, &error)) == STATUS_OK) {
        status = buffer_append(&paths, file.path, strlen(file.path) + 1);
        if (status != STATUS_OK) {
            error_set(&error, status, 0, file.path, ERROR_NO_OFFSET, "collecting paths");
            break;
        }
        if (++count % GETS_MAX == 0) {
            get_some(verify, root_fd, &paths);
        }
    }
    if (status != STATUS_OK && status != STATUS_END) {
        report_error(verify, &error);
    }
    get_some(verify, root_fd, &paths);
    tree_walk_close(verify->walk);
    buffer_deinit(&paths);
}

/* --- the command --- */

static void print_summary(const struct verify *verify) {
    if (verify->cli->options->json) {
        printf("{\"same\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"different\":%" PRIu64
               ",\"missing\":%" PRIu64 ",\"extra\":%" PRIu64 ",\"read_back\":%" PRIu64
               ",\"left_out\":%" PRIu64 "}\n",
               verify->same, verify->bytes, verify->different, verify->missing, verify->extra,
               verify->read_back, verify->walk->links + verify->walk->others);
        return;
    }
    printf("same %" PRIu64 " (%" PRIu64 " bytes), different %" PRIu64 ", missing %" PRIu64
           ", too many %" PRIu64,
           verify->same, verify->bytes, verify->different, verify->missing, verify->extra);
    if (verify->cli->options->gets) {
        printf(", read back by gets %" PRIu64, verify->read_back);
    }
    putchar('\n');
}

static void run_verify(struct verify *verify) {
    int root_fd = open(verify->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error error;
    enum status status = STATUS_IO;

    if (root_fd < 0) {
        error_set(&error, status, errno, verify->root, ERROR_NO_OFFSET, "opening the directory");
    } else {
        status = tree_walk_open(verify->walk, verify->root, &error);
    }
    progress_init(&verify->progress, 0);
    if (status != STATUS_OK) {
        report_error(verify, &error);
    } else {
        verify_by_scan(verify);
        tree_walk_close(verify->walk);
        if (verify->cli->options->gets && verify->code <= CLI_NEGATIVE) {
            verify_by_gets(verify, root_fd);
        }
        progress_clear(&verify->progress);
        print_summary(verify);
    }
    if (root_fd >= 0) {
        close(root_fd);
    }
}

static int verify_tree(struct cli *cli) {
    struct verify verify = {.cli = cli, .root = cli->options->arguments[0]};
    int code = cli_connect(cli);

    if (code != CLI_DONE) {
        return code;
    }
    verify.walk = memory_alloc_zeroed(sizeof *verify.walk);
    if (!verify.walk) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    buffer_init(&verify.key, TRANSFER_KEY_BYTES_MAX);
    buffer_init(&verify.last_key, TRANSFER_KEY_BYTES_MAX);
    run_verify(&verify);
    tree_walk_close(verify.walk);
    buffer_deinit(&verify.key);
    buffer_deinit(&verify.last_key);
    memory_free(verify.walk);
    return cli_worse(verify.code, cli_finish_output());
}

int command_verify(struct cli *cli) {
    return cli->options->argument_count == 0 ? maintain_run(cli, KVD_VERIFY, NULL)
                                             : verify_tree(cli);
}
