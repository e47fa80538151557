/* restore_space.c: see restore_space.h. */
#include "client/kvcli/restore_space.h"

#include <stdio.h>
#include <time.h>

#define VALUE_BYTES_CEILING ((uint64_t)1 << 30) /* when the server tells no limit */

int restore_space_begin(struct restore_space *space, const struct cli *cli, const char *name,
                        bool upserts) {
    const struct options *options = cli->options;
    struct write_stream_options stream = {.retry_ms = options->retry_ms};
    struct kvd_server_info info = {0};
    struct timespec now;
    enum kvd_status status;
    int code;

    *space = (struct restore_space){.options = *options, .upserts = upserts};
    clock_gettime(CLOCK_REALTIME, &now);
    space->now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    space->options.namespace_name = name;
    space->cli.options = &space->options;
    buffer_init(&space->key, BACKUP_KEY_BYTES_MAX);
    buffer_init(&space->value, VALUE_BYTES_CEILING);
    stream.write.checksum = true;
    stream.write.durability = options->durability ? options->durability : KVD_DURABILITY_SYNCED;
    code = cli_connect(&space->cli);
    if (code != CLI_DONE) {
        space->stream.ended = true;
        return code;
    }
    status = kvd_server_info(space->cli.db, &info);
    if (status != KVD_OK) {
        space->stream.ended = true;
        return cli_fail_call(&space->cli, kvd_bytes(NULL, 0), status);
    }
    space->value_max = info.value_max ? info.value_max : VALUE_BYTES_CEILING;
    return write_stream_init(&space->stream, &space->cli, &stream);
}

int restore_space_check_empty(struct restore_space *space) {
    const struct kvd_scan_options range = {.limit = 1, .keys_only = true};
    const char *name = space->options.namespace_name;
    struct kvd_scan *scan = NULL;
    struct kvd_entry entry;
    enum kvd_status status = kvd_scan_open(space->cli.db, &range, &scan);

    status = status == KVD_OK ? kvd_scan_next(scan, &entry) : status;
    kvd_scan_close(scan);
    if (status == KVD_OK) {
        return cli_fail(CLI_NEGATIVE,
                        "%s%s has keys already; --force writes among them, --into NAME elsewhere",
                        name[0] ? "namespace " : "the default namespace", name);
    }
    return status == KVD_END ? CLI_DONE : cli_fail_call(&space->cli, kvd_bytes(NULL, 0), status);
}

int restore_space_clear(struct restore_space *space) {
    const struct kvd_bytes all = kvd_bytes(NULL, 0);
    enum kvd_status status =
        kvd_delete_range(space->cli.db, all, all, &space->stream.options.write, NULL);

    return status == KVD_OK ? CLI_DONE : cli_fail_call(&space->cli, all, status);
}

/* --- entries --- */

static bool fail(struct restore_space *space, int code) {
    write_stream_count_failure(&space->stream, code);
    space->stream.ended = true;
    return false;
}

static bool delete(struct restore_space *space, struct slice key) {
    const struct write_item item = {.kind = WRITE_DELETE, .key = kvd_bytes(key.ptr, key.len)};

    return write_stream_add(&space->stream, &item);
}

static bool put(struct restore_space *space, const struct backup_entry *entry, struct slice key,
                struct slice value) {
    const struct write_item item = {
        .kind = WRITE_PUT,
        .key = kvd_bytes(key.ptr, key.len),
        .value = kvd_bytes(value.ptr, value.len),
        .expire_at_ms = entry->expires_at_ms,
        .user_flags = entry->user_flags,
    };

    space->totals.keys++;
    space->totals.bytes += entry->key.len + entry->length;
    return write_stream_add(&space->stream, &item);
}

/* What had expired is as if it were not there, nor what it replaced. */
static bool leave_out(struct restore_space *space, const struct backup_entry *entry) {
    space->totals.expired++;
    space->long_mode = RESTORE_LEFT_OUT;
    return space->upserts ? delete (space, entry->key) : true;
}

/* --- long values --- */

static bool begin_upload(struct restore_space *space) {
    struct kvd_bytes key = kvd_bytes(space->key.data, space->key.len);
    enum kvd_status status;

    if (!write_stream_settle(&space->stream)) {
        return false;
    }
    status = kvd_upload_begin(space->cli.db, key, &space->upload);
    return status == KVD_OK || fail(space, cli_fail_call(&space->cli, key, status));
}

/* A value that the server takes in one piece is put as one: others may add to it then. */
static bool begin_long(struct restore_space *space, const struct backup_entry *entry) {
    buffer_clear(&space->key);
    buffer_clear(&space->value);
    if (buffer_append(&space->key, entry->key.ptr, entry->key.len) != STATUS_OK) {
        return fail(space, cli_fail(CLI_FAILED, "out of memory"));
    }
    space->entry = *entry;
    space->entry.key = buffer_slice(&space->key);
    space->long_mode = entry->length <= space->value_max ? RESTORE_GATHERED : RESTORE_UPLOADED;
    return space->long_mode == RESTORE_GATHERED || begin_upload(space);
}

static bool take_piece(struct restore_space *space, struct slice piece) {
    enum kvd_status status;

    if (space->long_mode == RESTORE_LEFT_OUT) {
        return true;
    }
    if (space->long_mode == RESTORE_GATHERED) {
        return buffer_append(&space->value, piece.ptr, piece.len) == STATUS_OK ||
               fail(space, cli_fail(CLI_FAILED, "out of memory"));
    }
    status = kvd_upload_write(space->upload, kvd_bytes(piece.ptr, piece.len));
    return status == KVD_OK ||
           fail(space,
                cli_fail_call(&space->cli, kvd_bytes(space->key.data, space->key.len), status));
}

static bool commit_upload(struct restore_space *space) {
    struct kvd_bytes key = kvd_bytes(space->key.data, space->key.len);
    struct kvd_write_options write = space->stream.options.write;
    enum kvd_status status;

    write.expire_at_ms = space->entry.expires_at_ms;
    write.user_flags = space->entry.user_flags;
    status = kvd_upload_commit(space->upload, &write, NULL);
    kvd_upload_destroy(space->upload);
    space->upload = NULL;
    if (status != KVD_OK) {
        return fail(space, cli_fail_call(&space->cli, key, status));
    }
    space->totals.keys++;
    space->totals.bytes += key.len + space->entry.length;
    return true;
}

static bool end_long(struct restore_space *space) {
    switch (space->long_mode) {
    case RESTORE_GATHERED:
        return put(space, &space->entry, space->entry.key, buffer_slice(&space->value));
    case RESTORE_UPLOADED:
        return commit_upload(space);
    case RESTORE_LEFT_OUT:
        break;
    }
    return true;
}

/* --- all of them --- */

static bool take_entry(struct restore_space *space, const struct backup_entry *entry) {
    bool good;

    if (entry->deleted) {
        space->totals.deleted++;
        return delete (space, entry->key);
    }
    if (entry->expires_at_ms > 0 && entry->expires_at_ms <= space->now_ms) {
        return leave_out(space, entry);
    }
    if (entry->is_long) {
        return begin_long(space, entry);
    }
    if (entry->length <= space->value_max) {
        return put(space, entry, entry->key, entry->value);
    }
    good = begin_long(space, entry) && take_piece(space, entry->value);
    return good && end_long(space);
}

bool restore_space_take(struct restore_space *space, const struct backup_item *item) {
    switch (item->event) {
    case BACKUP_EVENT_ENTRY:
        return take_entry(space, &item->entry);
    case BACKUP_EVENT_PIECE:
        return take_piece(space, item->piece);
    case BACKUP_EVENT_VALUE_END:
        return end_long(space);
    case BACKUP_EVENT_SPACE:
    case BACKUP_EVENT_END:
        break;
    }
    return true;
}

int restore_space_end(struct restore_space *space, struct restore_totals *totals) {
    int code = CLI_DONE;

    kvd_upload_destroy(space->upload); /* one that was not committed */
    if (space->stream.cli) {
        code = write_stream_finish(&space->stream);
        write_stream_deinit(&space->stream);
    }
    totals->keys += space->totals.keys;
    totals->bytes += space->totals.bytes;
    totals->deleted += space->totals.deleted;
    totals->expired += space->totals.expired;
    totals->resumed += space->stream.totals.resumed;
    buffer_deinit(&space->key);
    buffer_deinit(&space->value);
    cli_deinit(&space->cli);
    return code;
}
