/* backup_run.c: see backup_run.h. */
#include "client/kvcli/backup_run.h"

#include "client/kvcli/clock.h"
#include "protocol/base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACES_BYTES_MAX ((size_t)65536 * sizeof(struct backup_space))
#define LIST_TRIES 10
#define PAGE_BYTES (1024u * 1024)
#define PING_NS (UINT64_C(5) * 1000000000)

/* --- failures --- */

bool backup_run_fail(struct backup_run *run, const struct error *error) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];

    progress_clear(&run->progress);
    error_format(error, text, sizeof text);
    run->code = cli_fail(CLI_FAILED, "%s", text);
    return false;
}

bool backup_run_fail_call(struct backup_run *run, struct kvd *db, struct kvd_bytes key,
                          enum kvd_status status) {
    progress_clear(&run->progress);
    run->code = cli_fail_status(key, status, kvd_error(db));
    return false;
}

bool backup_run_fail_gone(struct backup_run *run) {
    const char *name = run->space;

    progress_clear(&run->progress);
    run->code = cli_fail(CLI_FAILED,
                         "version %" PRIu64 " is not kept any more in %s%s%s: a complete backup is "
                         "needed (--hold keeps the version of a backup for the next one)%s",
                         run->since, name[0] ? "namespace '" : "the default namespace", name,
                         name[0] ? "'" : "",
                         name[0] && !run->before->from_file
                             ? "; if it was made since then, name the file of the backup before, "
                               "--since FILE: it is written whole then"
                             : "");
    return false;
}

static bool fail_plain(struct backup_run *run, const char *text) {
    struct error error;

    error_set(&error, STATUS_CANCELLED, 0, NULL, ERROR_NO_OFFSET, "%s", text);
    return backup_run_fail(run, &error);
}

/* --- which namespaces --- */

static void add_space(const struct kvd_namespace *space, void *arg) {
    struct backup_run *run = arg;
    const char *only = run->cli->options->namespace_name;
    struct backup_space row = {.id = space->id, .settings = space->settings};

    if (only && strcmp(only, space->name) != 0) {
        return;
    }
    snprintf(row.name, sizeof row.name, "%s", space->name);
    run->progress.total += space->keys;
    if (buffer_append(&run->spaces, &row, sizeof row) != STATUS_OK) {
        run->code = CLI_FAILED;
    }
}

static int compare_names(const void *a, const void *b) {
    const struct backup_space *left = a;
    const struct backup_space *right = b;

    return strcmp(left->name, right->name);
}

/* run->spaces = those that there are now, in order. */
static bool list_spaces(struct backup_run *run) {
    enum kvd_status status;

    buffer_clear(&run->spaces);
    run->progress.total = 0;
    status = kvd_namespace_list(run->cli->db, add_space, run);
    if (status != KVD_OK) {
        return backup_run_fail_call(run, run->cli->db, kvd_bytes(NULL, 0), status);
    }
    if (run->code != CLI_DONE) {
        return fail_plain(run, "out of memory");
    }
    if (run->spaces.len > 0) {
        qsort(run->spaces.data, run->spaces.len / sizeof(struct backup_space),
              sizeof(struct backup_space), compare_names);
    }
    return true;
}

/* Whether they have the same names and ids: one that was dropped reads as if it had been empty. */
static bool same_spaces(const struct buffer *a, const struct buffer *b) {
    bool same = a->len == b->len;

    for (size_t at = 0; same && at < a->len; at += sizeof(struct backup_space)) {
        struct backup_space left;
        struct backup_space right;
        memcpy(&left, a->data + at, sizeof left);
        memcpy(&right, b->data + at, sizeof right);
        same = left.id == right.id && strcmp(left.name, right.name) == 0;
    }
    return same;
}

/* Opens a snapshot between two lists that are the same. */
static bool open_snapshot(struct backup_run *run) {
    struct buffer before;
    bool same = false;

    for (int i = 0; i < LIST_TRIES && !same; i++) {
        enum kvd_status status;
        if (!list_spaces(run)) {
            return false;
        }
        before = run->spaces;
        buffer_init(&run->spaces, SPACES_BYTES_MAX);
        status = kvd_snapshot_open(run->cli->db, run->hold_ms, &run->snapshot);
        if (status != KVD_OK) {
            buffer_deinit(&before);
            return backup_run_fail_call(run, run->cli->db, kvd_bytes(NULL, 0), status);
        }
        if (!list_spaces(run)) {
            buffer_deinit(&before);
            return false;
        }
        same = same_spaces(&before, &run->spaces);
        buffer_deinit(&before);
        if (!same) {
            (void)kvd_snapshot_close(run->cli->db, run->snapshot.id);
            run->snapshot.id = 0;
        }
    }
    return same ||
           fail_plain(run, "namespaces keep being made and dropped; try again when they do not");
}

/* A namespace dropped since the snapshot would be missing keys: they can be read no more. */
static bool check_spaces(struct backup_run *run) {
    struct buffer of_backup = run->spaces;
    const char *lost = NULL;
    size_t next = 0;
    bool good;

    buffer_init(&run->spaces, SPACES_BYTES_MAX);
    good = list_spaces(run);
    for (size_t at = 0; good && !lost && at < of_backup.len; at += sizeof(struct backup_space)) {
        const struct backup_space *space = (const void *)(of_backup.data + at);
        struct backup_space now = {.id = 0};
        while (next < run->spaces.len && now.id != space->id) {
            memcpy(&now, run->spaces.data + next, sizeof now);
            next += sizeof now;
        }
        lost = now.id == space->id ? NULL : space->name;
    }
    if (good && lost) {
        char text[BACKUP_NAME_BYTES_MAX + 100];
        snprintf(text, sizeof text, "namespace '%s' was dropped meanwhile; run the backup again",
                 lost);
        good = fail_plain(run, text);
    }
    buffer_deinit(&run->spaces);
    run->spaces = of_backup;
    return good;
}

/* --- entries --- */

/* The snapshot lives as long as its connection, which is to be heard of now and then. */
static bool keep_alive(struct backup_run *run) {
    uint64_t now_ns = clock_now_ns();
    enum kvd_status status;

    if (now_ns - run->ping_ns < PING_NS) {
        return true;
    }
    run->ping_ns = now_ns;
    status = kvd_ping(run->cli->db);
    return status == KVD_OK || backup_run_fail_call(run, run->cli->db, kvd_bytes(NULL, 0), status);
}

struct stream {
    struct backup_run *run;
    enum status status;
    struct error error;
    bool failed; /* and printed */
};

static bool take_piece(struct kvd_bytes data, void *arg) {
    struct stream *stream = arg;

    stream->status =
        backup_writer_piece(stream->run->writer, slice_make(data.ptr, data.len), &stream->error);
    stream->run->bytes += data.len;
    progress_update(&stream->run->progress, stream->run->done, stream->run->bytes);
    stream->failed = !keep_alive(stream->run);
    return stream->status == STATUS_OK && !stream->failed;
}

static bool write_long(struct backup_run *run, struct kvd *db, const struct kvd_entry *from,
                       const struct backup_entry *entry) {
    const struct kvd_read_options read = {.verify = true, .at = {.snapshot = run->snapshot.id}};
    struct stream stream = {.run = run, .status = STATUS_OK};
    enum kvd_status status = KVD_OK;

    stream.status = backup_writer_begin_long(run->writer, entry, &stream.error);
    if (stream.status == STATUS_OK && !from->value_left_out) {
        take_piece(from->value, &stream);
    } else if (stream.status == STATUS_OK) {
        status = kvd_get_stream(db, from->key, &read, NULL, take_piece, &stream);
    }
    if (stream.failed) {
        return false;
    }
    if (stream.status == STATUS_OK && status != KVD_OK) {
        return backup_run_fail_call(run, db, from->key, status);
    }
    if (stream.status == STATUS_OK) {
        stream.status = backup_writer_end_long(run->writer, &stream.error);
    }
    return stream.status == STATUS_OK || backup_run_fail(run, &stream.error);
}

static bool count(struct backup_run *run, size_t bytes) {
    run->done++;
    run->bytes += bytes;
    progress_update(&run->progress, run->done, run->bytes);
    return keep_alive(run);
}

bool backup_run_value(struct backup_run *run, struct kvd *db, const struct kvd_entry *from) {
    struct slice value = slice_make(from->value.ptr, from->value.len);
    struct backup_entry entry = {
        .key = slice_make(from->key.ptr, from->key.len),
        .value = value,
        .version = from->meta.version,
        .expires_at_ms = from->meta.expires_at_ms,
        .user_flags = from->meta.user_flags,
        .length = from->meta.value_len,
    };
    struct error error;

    entry.is_long = from->value_left_out || value.len > BACKUP_INLINE_BYTES_MAX;
    if (entry.is_long) {
        return write_long(run, db, from, &entry) && count(run, from->key.len);
    }
    entry.checksum = from->meta.has_checksum ? from->meta.checksum : backup_checksum(value, 0);
    if (backup_writer_put(run->writer, &entry, &error) != STATUS_OK) {
        return backup_run_fail(run, &error);
    }
    return count(run, from->key.len + value.len);
}

bool backup_run_deletion(struct backup_run *run, struct kvd_bytes key) {
    const struct backup_entry entry = {.key = slice_make(key.ptr, key.len), .deleted = true};
    struct error error;

    if (backup_writer_put(run->writer, &entry, &error) != STATUS_OK) {
        return backup_run_fail(run, &error);
    }
    return count(run, key.len);
}

static bool write_all(struct backup_run *run, struct kvd *db) {
    const struct kvd_scan_options range = {
        .at = {.snapshot = run->snapshot.id}, .verify = true, .page_bytes = PAGE_BYTES};
    struct kvd_scan *scan = NULL;
    struct kvd_entry entry;
    enum kvd_status status = kvd_scan_open(db, &range, &scan);
    bool good = true;

    while (good && status == KVD_OK && (status = kvd_scan_next(scan, &entry)) == KVD_OK) {
        good = backup_run_value(run, db, &entry);
    }
    if (good && status != KVD_END) {
        good = backup_run_fail_call(run, db, kvd_bytes(NULL, 0), status);
    }
    kvd_scan_close(scan);
    return good;
}

/* --- the whole --- */

static enum kvd_status connect_to(const struct backup_run *run, const char *space,
                                  struct kvd **db_out) {
    const struct options *options = run->cli->options;
    const struct kvd_connect_options connect = {
        .client_name = "kvcli backup",
        .namespace_name = space,
        .timeout_ms = options->timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)options->timeout_ms,
    };

    return kvd_connect(cli_address(options), &connect, db_out);
}

static bool write_space(struct backup_run *run, const struct backup_space *space) {
    struct kvd *db = NULL;
    struct kvd *values = NULL;
    struct error error;
    enum kvd_status status = connect_to(run, space->name, &db);
    bool good = true;

    run->space = space->name;
    if (backup_writer_space(run->writer, space, &error) != STATUS_OK) {
        good = backup_run_fail(run, &error);
    } else if (status != KVD_OK) {
        good = backup_run_fail_call(run, db, kvd_bytes(NULL, 0), status);
    } else if (run->since == 0 || space->is_new) {
        good = write_all(run, db);
    } else {
        status = connect_to(run, space->name, &values);
        good = status == KVD_OK ? backup_run_changes(run, db, values)
                                : backup_run_fail_call(run, values, kvd_bytes(NULL, 0), status);
    }
    kvd_close(values);
    kvd_close(db);
    return good;
}

static bool begin_writer(struct backup_run *run) {
    struct backup_header header = {
        .version = run->snapshot.version,
        .since = run->since,
        .time_ms = run->snapshot.time_ms,
        .whole = run->cli->options->namespace_name == NULL,
        .marks_new = run->new_spaces > 0,
    };
    struct backup_sink sink = backup_target_sink(&run->target);
    struct kvd_server_info info = {0};
    struct timespec now;
    struct error error;

    clock_gettime(CLOCK_REALTIME, &now);
    header.created_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    (void)kvd_server_info(run->cli->db, &info); /* for people; it may stay empty */
    snprintf(header.source, sizeof header.source, "%.120s at %.120s", info.server_name,
             cli_address(run->cli->options));
    return backup_writer_create(&sink, &header, &run->writer, &error) == STATUS_OK ||
           backup_run_fail(run, &error);
}

static bool write_file(struct backup_run *run) {
    struct error error;
    bool good = begin_writer(run);

    for (size_t at = 0; good && at < run->spaces.len; at += sizeof(struct backup_space)) {
        struct backup_space space;
        memcpy(&space, run->spaces.data + at, sizeof space);
        good = write_space(run, &space);
    }
    if (good) {
        good = check_spaces(run);
    }
    if (good && backup_writer_finish(run->writer, &run->end, &error) != STATUS_OK) {
        good = backup_run_fail(run, &error);
    }
    run->file_bytes = run->writer ? backup_writer_bytes(run->writer) : 0;
    backup_writer_destroy(run->writer);
    run->writer = NULL;
    return good;
}

static bool make_file(struct backup_run *run) {
    struct error error;

    if (backup_target_open(&run->target, &error) != STATUS_OK) {
        return backup_run_fail(run, &error);
    }
    if (!write_file(run)) {
        backup_target_discard(&run->target);
        return false;
    }
    return backup_target_commit(&run->target, &error) == STATUS_OK || backup_run_fail(run, &error);
}

/* Those that were made after the version have no state of it, and are written whole. */
static void mark_new(struct backup_run *run) {
    for (size_t at = 0; run->since > 0 && at < run->spaces.len; at += sizeof(struct backup_space)) {
        struct backup_space *space = (void *)(run->spaces.data + at);
        space->is_new = backup_before_lacks(run->before, space);
        run->new_spaces += space->is_new;
    }
}

static bool check_before(struct backup_run *run) {
    if (run->since > run->snapshot.version) {
        char text[128];
        snprintf(text, sizeof text,
                 "version %" PRIu64 " is not reached yet: the newest is %" PRIu64, run->since,
                 run->snapshot.version);
        return fail_plain(run, text);
    }
    if (run->spaces.len == 0) {
        return fail_plain(run, "there is no such namespace");
    }
    mark_new(run);
    return true;
}

int backup_run(struct backup_run *run) {
    bool good;

    buffer_init(&run->spaces, SPACES_BYTES_MAX);
    progress_init(&run->progress, 0);
    run->ping_ns = clock_now_ns();
    good = open_snapshot(run) && check_before(run) && make_file(run);
    progress_clear(&run->progress);
    if (run->snapshot.id != 0 && (!good || run->hold_ms == 0)) {
        (void)kvd_snapshot_close(run->cli->db, run->snapshot.id); /* else it ends by itself */
    }
    buffer_deinit(&run->spaces);
    return good ? CLI_DONE : run->code;
}
