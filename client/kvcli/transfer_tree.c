/* transfer_tree.c: a directory tree as keys (paths) and values (contents). See transfer.h. */
#include "client/kvcli/read_file.h"
#include "client/kvcli/transfer.h"
#include "client/kvcli/tree_place.h"
#include "client/kvcli/tree_walk.h"
#include "client/kvcli/value_stream.h"
#include "protocol/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_BYTES_CEILING ((uint64_t)1 << 30) /* when the server tells no limit */

enum status transfer_key(struct buffer *key, struct kvd_bytes prefix, const char *path) {
    enum status status;

    buffer_clear(key);
    status = buffer_append(key, prefix.ptr, prefix.len);
    return status == STATUS_OK ? buffer_append(key, path, strlen(path)) : status;
}

/* --- import --- */

/* What is used for every file, and keeps its memory. */
struct tree_import {
    struct transfer_import *import;
    struct buffer key;
    struct buffer value;
    struct tree_walk *walk;
};

static void count_error(struct transfer_import *import, const struct error *error) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];

    progress_clear(&import->progress);
    error_format(error, text, sizeof text);
    write_stream_count_failure(&import->stream, cli_fail(CLI_FAILED, "%s", text));
}

/* A value that is longer than a write may be. It has the connection for itself, and goes again when
 * the server went away and came back. */
static void upload(struct tree_import *tree, const struct tree_file *file, int fd, uint64_t bytes) {
    struct write_stream *stream = &tree->import->stream;
    struct cli *cli = stream->cli;
    struct kvd_bytes key = kvd_bytes(tree->key.data, tree->key.len);
    const struct value_source source = {.fd = fd, .name = file->path};
    struct kvd_meta meta;
    enum kvd_status status = KVD_OK;

    if (!write_stream_settle(stream)) {
        return;
    }
    progress_clear(&tree->import->progress);
    if (stream->options.skip_existing && kvd_meta(cli->db, key, NULL, &meta) == KVD_OK &&
        meta.value_len == bytes) {
        stream->totals.existing++;
        return;
    }
    do {
        status = lseek(fd, 0, SEEK_SET) == 0
                     ? value_stream_put(cli, key, &source, &stream->options.write, NULL)
                     : KVD_CANCELLED;
    } while (status != KVD_OK && write_stream_await(stream, status));
    if (status == KVD_OK) {
        stream->totals.done++;
        stream->totals.bytes += key.len + bytes;
    } else if (status == KVD_EXISTS) {
        stream->totals.existing++;
    } else {
        write_stream_count_failure(
            stream, status == KVD_CANCELLED ? CLI_FAILED : cli_fail_call(cli, key, status));
    }
}

/* Reads the file, if its length allows it, and adds it to the stream. */
static enum status import_open_file(struct tree_import *tree, const struct tree_file *file, int fd,
                                    uint64_t bytes, struct error *error) {
    struct transfer_import *import = tree->import;
    uint64_t value_max = import->info.value_max ? import->info.value_max : VALUE_BYTES_CEILING;
    struct write_item item = {.kind = WRITE_PUT};
    enum status status = STATUS_TOO_LARGE;

    buffer_clear(&tree->value);
    tree->value.cap = (size_t)value_max;
    if (bytes <= value_max) {
        status = read_file_all(fd, &tree->value);
    }
    if (status == STATUS_TOO_LARGE) {
        upload(tree, file, fd, bytes);
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return error_set(error, status, errno, file->path, ERROR_NO_OFFSET, "reading");
    }
    item.key = kvd_bytes(tree->key.data, tree->key.len);
    item.value = kvd_bytes(tree->value.data, tree->value.len);
    write_stream_add(&import->stream, &item);
    return STATUS_OK;
}

static enum status import_file(struct tree_import *tree, const struct tree_file *file,
                               struct error *error) {
    uint64_t bytes;
    int fd;
    enum status status = transfer_key(&tree->key, tree->import->cli->options->prefix, file->path);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, file->path, ERROR_NO_OFFSET, "making its key");
    }
    status = tree_file_open(file, &fd, &bytes, error);
    if (status == STATUS_OK) {
        status = import_open_file(tree, file, fd, bytes, error);
        close(fd);
    }
    return status;
}

/* For the bar: how many files there are. */
static uint64_t count_files(struct tree_walk *walk, const char *root) {
    struct tree_file file;
    struct error error;
    uint64_t count = 0;
    enum status status = tree_walk_open(walk, root, &error);

    while (status == STATUS_OK && (status = tree_walk_next(walk, &file, &error)) != STATUS_END) {
        count += status == STATUS_OK;
        status = STATUS_OK;
    }
    tree_walk_close(walk);
    return count;
}

static void import_files(struct tree_import *tree) {
    struct transfer_import *import = tree->import;
    const struct write_totals *totals = &import->stream.totals;
    struct error error;
    enum status status = tree_walk_open(tree->walk, import->source, &error);

    if (status != STATUS_OK) {
        count_error(import, &error);
    }
    while (status == STATUS_OK && !import->stream.ended) {
        struct tree_file file;
        enum status step = tree_walk_next(tree->walk, &file, &error);
        if (step == STATUS_END) {
            break;
        }
        step = step == STATUS_OK ? import_file(tree, &file, &error) : step;
        if (step != STATUS_OK) {
            count_error(import, &error);
        }
        progress_update(&import->progress, totals->done + totals->existing, totals->bytes);
    }
    import->left_out = tree->walk->links + tree->walk->others;
    tree_walk_close(tree->walk);
}

void transfer_import_tree(struct transfer_import *import) {
    struct tree_import tree = {.import = import};

    tree.walk = memory_alloc_zeroed(sizeof *tree.walk);
    if (!tree.walk) {
        write_stream_count_failure(&import->stream, cli_fail(CLI_FAILED, "out of memory"));
        return;
    }
    buffer_init(&tree.key, TRANSFER_KEY_BYTES_MAX);
    buffer_init(&tree.value, VALUE_BYTES_CEILING);
    if (import->progress.shown) {
        import->progress.total = count_files(tree.walk, import->source);
    }
    import_files(&tree);
    buffer_deinit(&tree.key);
    buffer_deinit(&tree.value);
    memory_free(tree.walk);
}

/* --- export --- */

/* A file that is written in pieces. */
struct outflow {
    int root_fd; /* borrowed */
    struct slice path;
    int fd; /* owned; -1 until the first piece is there */
    enum status status;
    struct error *error;
};

static bool write_piece(struct kvd_bytes data, void *arg) {
    struct outflow *flow = arg;

    if (flow->fd < 0) {
        flow->status = tree_place_open(flow->root_fd, flow->path, &flow->fd, flow->error);
    }
    if (flow->status == STATUS_OK) {
        flow->status = tree_place_append(flow->fd, slice_make(data.ptr, data.len), flow->error);
    }
    return flow->status == STATUS_OK;
}

/* Writes the value that the scan left out, as it is now. */
static enum status export_long(struct transfer_export *export, int root_fd, struct slice path,
                               struct kvd_bytes key, struct error *error) {
    const struct kvd_read_options read = {.verify = true};
    struct outflow flow = {.root_fd = root_fd, .path = path, .fd = -1, .error = error};
    struct kvd *db = export->cli->db;
    struct error closing;
    enum kvd_status got = kvd_get_stream(db, key, &read, NULL, write_piece, &flow);

    if (flow.fd >= 0 && tree_place_close(flow.fd, &closing) != STATUS_OK && got == KVD_OK) {
        *error = closing;
        return STATUS_IO;
    }
    if (got != KVD_OK && flow.status == STATUS_OK) {
        flow.status = error_set(error, STATUS_IO, 0, NULL, ERROR_NO_OFFSET, "%s", kvd_error(db));
    }
    return flow.status;
}

static void export_entry(struct transfer_export *export, int root_fd,
                         const struct kvd_entry *entry) {
    size_t prefix_len = export->cli->options->prefix.len;
    const uint8_t *key = entry->key.ptr;
    struct slice path = slice_make(key + prefix_len, entry->key.len - prefix_len);
    struct slice value = slice_make(entry->value.ptr, entry->value.len);
    struct error error;
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];
    enum status status = entry->value_left_out
                             ? export_long(export, root_fd, path, entry->key, &error)
                             : tree_place_write(root_fd, path, value, &error);

    if (status == STATUS_OK) {
        export->done++;
        export->bytes += entry->meta.value_len;
    } else {
        progress_clear(&export->progress);
        error_format(&error, text, sizeof text);
        cli_fail_status(entry->key, KVD_INVALID, text);
        export->failed++;
    }
    progress_update(&export->progress, export->done, export->bytes);
}

int transfer_export_tree(struct transfer_export *export, struct kvd_scan *scan) {
    struct kvd_entry entry;
    enum kvd_status status;
    char reason[128];
    int root_fd = -1;

    if (mkdir(export->target, 0755) == 0 || errno == EEXIST) {
        root_fd = open(export->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (root_fd < 0) {
        return cli_fail(CLI_FAILED, "cannot open the directory %s: %s", export->target,
                        strerror_r(errno, reason, sizeof reason));
    }
    while ((status = kvd_scan_next(scan, &entry)) == KVD_OK) {
        export_entry(export, root_fd, &entry);
    }
    close(root_fd);
    progress_clear(&export->progress);
    if (status != KVD_END) {
        return cli_fail_call(export->cli, kvd_bytes(NULL, 0), status);
    }
    return export->failed > 0 ? CLI_FAILED : CLI_DONE;
}
