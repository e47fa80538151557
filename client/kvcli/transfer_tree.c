/* transfer_tree.c: a directory tree as keys (paths) and values (contents). See transfer.h. */
#include "client/kvcli/read_file.h"
#include "client/kvcli/transfer.h"
#include "client/kvcli/tree_place.h"
#include "client/kvcli/tree_walk.h"
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

static enum status too_long(const struct tree_file *file, uint64_t value_max, struct error *error) {
    return error_set(error, STATUS_TOO_LARGE, 0, file->path, ERROR_NO_OFFSET,
                     "is longer than the server's value_max, %" PRIu64 " bytes; not imported",
                     value_max);
}

/* Reads the file; its length is compared with the limit before anything is read. */
static enum status read_value(struct tree_import *tree, const struct tree_file *file,
                              struct error *error) {
    uint64_t value_max =
        tree->import->info.value_max ? tree->import->info.value_max : VALUE_BYTES_CEILING;
    uint64_t bytes;
    int fd;
    enum status status = tree_file_open(file, &fd, &bytes, error);

    if (status != STATUS_OK) {
        return status;
    }
    buffer_clear(&tree->value);
    tree->value.cap = (size_t)value_max;
    status = bytes <= value_max ? read_file_all(fd, &tree->value) : STATUS_TOO_LARGE;
    if (status == STATUS_TOO_LARGE) {
        too_long(file, value_max, error);
    } else if (status != STATUS_OK) {
        error_set(error, status, errno, file->path, ERROR_NO_OFFSET, "reading");
    }
    close(fd);
    return status;
}

static enum status import_file(struct tree_import *tree, const struct tree_file *file,
                               struct error *error) {
    struct transfer_import *import = tree->import;
    enum status status = transfer_key(&tree->key, import->cli->options->prefix, file->path);
    struct write_item item = {.kind = WRITE_PUT};

    if (status != STATUS_OK) {
        return error_set(error, status, 0, file->path, ERROR_NO_OFFSET, "making its key");
    }
    status = read_value(tree, file, error);
    if (status != STATUS_OK) {
        return status;
    }
    item.key = kvd_bytes(tree->key.data, tree->key.len);
    item.value = kvd_bytes(tree->value.data, tree->value.len);
    write_stream_add(&import->stream, &item);
    return STATUS_OK;
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

static void export_entry(struct transfer_export *export, int root_fd,
                         const struct kvd_entry *entry) {
    size_t prefix_len = export->cli->options->prefix.len;
    const uint8_t *key = entry->key.ptr;
    struct slice path = slice_make(key + prefix_len, entry->key.len - prefix_len);
    struct error error;
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];

    if (tree_place_write(root_fd, path, slice_make(entry->value.ptr, entry->value.len), &error) ==
        STATUS_OK) {
        export->done++;
        export->bytes += entry->value.len;
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
