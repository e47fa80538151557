/* backup_commands.c: see backup_commands.h. */
#include "client/kvcli/backup_commands.h"

#include "client/kvcli/backup_file.h"
#include "client/kvcli/backup_lookup.h"
#include "client/kvcli/entry_print.h"
#include "client/kvcli/output.h"
#include "client/kvcli/read_options.h"
#include "protocol/base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VALUE_BYTES_MAX ((size_t)64 << 20) /* of one that is printed as text */
#define PART_BYTES ((size_t)1 << 20)       /* of a line of `get --range` */

struct reading {
    struct cli *cli; /* borrowed */
    struct backup_lookup *lookup;
    struct error error;
    struct buffer value; /* owned: a long one */
};

static int fail(const struct reading *reading) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];

    error_format(&reading->error, text, sizeof text);
    return cli_fail(CLI_FAILED, "%s", text);
}

static int fail_status(struct reading *reading, enum status status) {
    if (status == STATUS_TOO_LARGE || status == STATUS_NO_MEMORY) {
        error_set(&reading->error, status, 0, reading->cli->options->backup, ERROR_NO_OFFSET, "%s",
                  status_text(status));
    }
    return fail(reading);
}

static struct kvd_bytes bytes_of(struct slice slice) {
    return kvd_bytes(slice.ptr, slice.len);
}

static struct slice slice_of(struct kvd_bytes bytes) {
    return slice_make(bytes.ptr, bytes.len);
}

static struct kvd_meta meta_of(const struct reading *reading, const struct backup_entry *entry) {
    return (struct kvd_meta){
        .version = entry->version,
        .expires_at_ms = entry->expires_at_ms,
        .value_len = entry->length,
        .user_flags = entry->user_flags,
        .has_checksum = reading->cli->options->verify,
        .checksum = entry->checksum,
    };
}

/* --- values --- */

static enum status gather(void *arg, struct slice piece) {
    return buffer_append(arg, piece.ptr, piece.len);
}

static enum status ignore(void *arg, struct slice piece) {
    (void)arg;
    (void)piece;
    return STATUS_OK;
}

static enum status print_raw(void *arg, struct slice piece) {
    (void)arg;
    output_raw(stdout, bytes_of(piece));
    return ferror(stdout) ? STATUS_CANCELLED : STATUS_OK;
}

/* Some bytes of a value, as they come by. */
struct part {
    const struct options *options;
    struct kvd_bytes key;
    uint64_t skip; /* bytes to come before the first that is wanted */
    uint64_t left;
    uint64_t offset; /* of what is in the buffer */
    bool any;
    struct buffer bytes;
};

static void print_part(struct part *part) {
    entry_print_part(part->options, part->key, part->offset,
                     kvd_bytes(part->bytes.data, part->bytes.len));
    part->offset += part->bytes.len;
    part->any = true;
    buffer_clear(&part->bytes);
}

static enum status take_part(void *arg, struct slice piece) {
    struct part *part = arg;
    size_t skip = piece.len < part->skip ? piece.len : (size_t)part->skip;
    enum status status = STATUS_OK;

    part->skip -= skip;
    piece = slice_make(piece.ptr + skip, piece.len - skip);
    piece.len = piece.len < part->left ? piece.len : (size_t)part->left;
    part->left -= piece.len;
    while (status == STATUS_OK && piece.len > 0) {
        size_t room = PART_BYTES - part->bytes.len;
        size_t some = piece.len < room ? piece.len : room;
        status = buffer_append(&part->bytes, piece.ptr, some);
        piece = slice_make(piece.ptr + some, piece.len - some);
        if (status == STATUS_OK && part->bytes.len == PART_BYTES) {
            print_part(part);
        }
    }
    return status;
}

/* Hands the value of the entry found last to `piece_cb`; a long one gets its checksum. */
static enum status read_value(struct reading *reading, struct backup_entry *entry,
                              backup_piece_cb piece_cb, void *arg) {
    return entry->is_long ? backup_lookup_long(reading->lookup, piece_cb, arg, &entry->checksum,
                                               &reading->error)
                          : piece_cb(arg, entry->value);
}

/* The whole value, in memory; VALUE_BYTES_MAX of it at most. */
static enum status whole_value(struct reading *reading, struct backup_entry *entry) {
    enum status status = STATUS_OK;

    if (entry->is_long) {
        buffer_clear(&reading->value);
        status = read_value(reading, entry, gather, &reading->value);
        entry->value = buffer_slice(&reading->value);
    }
    return status;
}

/* --- one key --- */

/* Errors: NOT_FOUND; CORRUPT, IO, NO_MEMORY with reading->error. */
static enum status find(struct reading *reading, struct kvd_bytes key, struct backup_entry *entry) {
    enum status status =
        backup_lookup_seek(reading->lookup, slice_of(key), false, entry, &reading->error);

    if (status == STATUS_END ||
        (status == STATUS_OK && (entry->deleted || !slice_equal(entry->key, slice_of(key))))) {
        return STATUS_NOT_FOUND;
    }
    return status;
}

static int fail_find(struct reading *reading, struct kvd_bytes key, enum status status) {
    return status == STATUS_NOT_FOUND ? cli_fail_status(key, KVD_NOT_FOUND, NULL)
                                      : fail_status(reading, status);
}

static int get_part(struct reading *reading, struct kvd_bytes key, struct backup_entry *entry) {
    struct part part = {.options = reading->cli->options, .key = key};
    enum status status;
    int code = entry_parse_range(part.options->range, &part.offset, &part.left);

    if (code != CLI_DONE) {
        return code;
    }
    part.skip = part.offset;
    buffer_init(&part.bytes, PART_BYTES);
    status = read_value(reading, entry, take_part, &part);
    if (status == STATUS_OK && (part.bytes.len > 0 || !part.any)) {
        print_part(&part);
    }
    buffer_deinit(&part.bytes);
    return status == STATUS_OK ? cli_finish_output() : fail_status(reading, status);
}

static int run_get(struct reading *reading) {
    const struct options *options = reading->cli->options;
    struct backup_entry entry;
    struct kvd_bytes key;
    struct kvd_meta meta;
    enum status status;
    int code = cli_key(reading->cli, 0, &key);

    if (code != CLI_DONE) {
        return code;
    }
    status = find(reading, key, &entry);
    if (status != STATUS_OK) {
        return fail_find(reading, key, status);
    }
    if (options->range) {
        return get_part(reading, key, &entry);
    }
    if (!options->json && !output_is_terminal(stdout)) {
        status = read_value(reading, &entry, print_raw, NULL);
        return status == STATUS_OK || status == STATUS_CANCELLED ? cli_finish_output()
                                                                 : fail_status(reading, status);
    }
    status = whole_value(reading, &entry);
    if (status != STATUS_OK) {
        return fail_find(reading, key, status);
    }
    meta = meta_of(reading, &entry);
    entry_print_value(options, key, bytes_of(entry.value), &meta);
    return cli_finish_output();
}

static int mget_one(struct reading *reading, struct kvd_bytes key) {
    struct kvd_value value = {.status = KVD_NOT_FOUND};
    struct backup_entry entry;
    enum status status = find(reading, key, &entry);

    if (status ==
        STATUS_OK) { /* a copy, also of a short one: values of the library are not const */
        buffer_clear(&reading->value);
        status = read_value(reading, &entry, gather, &reading->value);
    }
    if (status == STATUS_OK) {
        value.status = KVD_OK;
        value.data = reading->value.data;
        value.meta = meta_of(reading, &entry);
    } else if (status != STATUS_NOT_FOUND) {
        return fail_status(reading, status);
    }
    return entry_print_answer(reading->cli->options, key, &value);
}

static int run_mget(struct reading *reading) {
    struct kvd_bytes *keys;
    int code = cli_keys(reading->cli, &keys);

    for (int i = 0; i < reading->cli->options->argument_count && code <= CLI_NEGATIVE; i++) {
        code = cli_worse(code, mget_one(reading, keys[i]));
    }
    memory_free(keys);
    return code == CLI_DONE ? cli_finish_output() : code;
}

static int run_exists(struct reading *reading) {
    struct backup_entry entry = {0};
    struct kvd_bytes key;
    enum status status;
    int code = cli_key(reading->cli, 0, &key);

    if (code != CLI_DONE) {
        return code;
    }
    status = find(reading, key, &entry);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return fail_status(reading, status);
    }
    entry_print_exists(reading->cli->options, key, status == STATUS_OK,
                       status == STATUS_OK ? entry.version : 0);
    code = cli_finish_output();
    return code == CLI_DONE && status == STATUS_NOT_FOUND ? CLI_NEGATIVE : code;
}

static int run_meta(struct reading *reading) {
    struct backup_entry entry;
    struct kvd_bytes key;
    struct kvd_meta meta;
    enum status status;
    int code = cli_key(reading->cli, 0, &key);

    if (code != CLI_DONE) {
        return code;
    }
    status = find(reading, key, &entry);
    if (status == STATUS_OK && entry.is_long && reading->cli->options->verify) {
        status = read_value(reading, &entry, ignore, NULL);
    }
    if (status != STATUS_OK) {
        return fail_find(reading, key, status);
    }
    meta = meta_of(reading, &entry);
    entry_print_meta(reading->cli->options, key, &meta);
    return cli_finish_output();
}

/* --- ranges --- */

/* Where a walk backwards begins: the first key behind all that have the prefix; empty if there is
 * none. */
static enum status behind_prefix(struct buffer *key, struct slice prefix) {
    enum status status = buffer_append(key, prefix.ptr, prefix.len);

    while (key->len > 0 && key->data[key->len - 1] == 0xFF) {
        key->len--;
    }
    if (key->len > 0) {
        key->data[key->len - 1]++;
    }
    return status;
}

static enum status seek_first(struct reading *reading, const struct kvd_scan_options *range,
                              struct backup_entry *entry) {
    struct slice prefix = slice_of(range->prefix);
    struct slice at = slice_of(range->reverse ? range->to : range->from);
    struct buffer behind;
    enum status status = STATUS_OK;

    buffer_init(&behind, BACKUP_KEY_BYTES_MAX);
    if (prefix.len > 0 && range->reverse) {
        status = behind_prefix(&behind, prefix);
        at = buffer_slice(&behind);
    } else if (prefix.len > 0) {
        at = prefix;
    }
    if (status == STATUS_OK) {
        status = backup_lookup_seek(reading->lookup, at, range->reverse, entry, &reading->error);
    } else {
        status = STATUS_TOO_LARGE;
    }
    buffer_deinit(&behind);
    return status;
}

/* Whether a walk in its direction has left the range. */
static bool is_outside(const struct kvd_scan_options *range, struct slice key) {
    if (range->prefix.len > 0) {
        return !slice_has_prefix(key, slice_of(range->prefix));
    }
    return range->reverse ? slice_compare(key, slice_of(range->from)) < 0
                          : range->to.len > 0 && slice_compare(key, slice_of(range->to)) >= 0;
}

/* Steps to the next entry of the range that is not deleted; with `first` to the first. */
static enum status step(struct reading *reading, const struct kvd_scan_options *range, bool first,
                        struct backup_entry *entry) {
    enum status status;

    do {
        if (first) {
            status = seek_first(reading, range, entry);
        } else {
            status = range->reverse ? backup_lookup_prev(reading->lookup, entry, &reading->error)
                                    : backup_lookup_next(reading->lookup, entry, &reading->error);
        }
        first = false;
        if (status == STATUS_OK && is_outside(range, entry->key)) {
            status = STATUS_END;
        }
    } while (status == STATUS_OK && entry->deleted);
    return status;
}

/* Prints one; a value that is too long for a line is printed as a failure. */
static int print_scanned(struct reading *reading, struct backup_entry *entry) {
    const struct options *options = reading->cli->options;
    struct kvd_entry scanned = {.key = bytes_of(entry->key)};
    enum status status = STATUS_OK;

    if (!options->keys_only && entry->length > VALUE_BYTES_MAX) {
        scanned.meta = meta_of(reading, entry);
        return cli_fail_left_out(&scanned);
    }
    if (!options->keys_only) {
        status = whole_value(reading, entry);
    }
    if (status != STATUS_OK) {
        return fail_status(reading, status);
    }
    scanned.value = bytes_of(entry->value);
    scanned.meta = meta_of(reading, entry);
    scanned.meta.has_checksum = scanned.meta.has_checksum && !options->keys_only;
    entry_print_scanned(options, &scanned);
    return CLI_DONE;
}

static int run_scan(struct reading *reading) {
    const struct options *options = reading->cli->options;
    struct kvd_scan_options range;
    struct backup_entry entry;
    enum status status = STATUS_OK;
    uint64_t count = 0;
    int failed = CLI_DONE;
    int code = read_options_range(reading->cli, &range);

    if (code != CLI_DONE || (OPTIONS_GIVEN(options, limit) && range.limit == 0)) {
        return code;
    }
    while ((range.limit == 0 || count < range.limit) && !ferror(stdout) &&
           (status = step(reading, &range, count == 0, &entry)) == STATUS_OK) {
        failed = cli_worse(failed, print_scanned(reading, &entry));
        count++;
    }
    code = status == STATUS_END || status == STATUS_OK ? cli_finish_output()
                                                       : fail_status(reading, status);
    return cli_worse(code, failed);
}

static int run_count(struct reading *reading) {
    struct kvd_scan_options range;
    struct backup_entry entry;
    enum status status;
    uint64_t count = 0;
    int code = read_options_range(reading->cli, &range);

    if (code != CLI_DONE) {
        return code;
    }
    while ((status = step(reading, &range, count == 0, &entry)) == STATUS_OK) {
        count++;
    }
    if (status != STATUS_END) {
        return fail_status(reading, status);
    }
    entry_print_count(reading->cli->options, count);
    return cli_finish_output();
}

/* --- which --- */

typedef int (*backup_command)(struct reading *reading);

static backup_command find_command(enum command command) {
    switch (command) {
    case COMMAND_GET:
        return run_get;
    case COMMAND_MGET:
        return run_mget;
    case COMMAND_EXISTS:
        return run_exists;
    case COMMAND_META:
        return run_meta;
    case COMMAND_SCAN:
        return run_scan;
    case COMMAND_COUNT:
        return run_count;
    default:
        return NULL;
    }
}

bool backup_commands_concern(enum command command) {
    return command != COMMAND_HELP && command != COMMAND_COMPLETION;
}

/* The namespace of the backup that the options name. */
static int use_space(struct reading *reading) {
    const char *name = reading->cli->options->namespace_name;
    enum status status = backup_lookup_use(reading->lookup, name ? name : "", &reading->error);

    if (status == STATUS_NOT_FOUND) {
        return cli_fail(CLI_FAILED, "%s: the backup has no %s%s%s", reading->cli->options->backup,
                        name && name[0] ? "namespace '" : "default namespace",
                        name && name[0] ? name : "", name && name[0] ? "'" : "");
    }
    return status == STATUS_OK ? CLI_DONE : fail(reading);
}

static int run_on(struct reading *reading, backup_command command) {
    struct backup_input input;
    struct backup_source source;
    enum status status = backup_input_open(&input, reading->cli->options->backup, &reading->error);
    int code;

    if (status != STATUS_OK) {
        return fail(reading);
    }
    source = backup_input_source(&input);
    if (source.size == BACKUP_SIZE_UNKNOWN) {
        code = cli_fail(CLI_USAGE, "%s: a backup is read in place from a file, not from a pipe",
                        source.name);
    } else {
        status = backup_lookup_create(&source, &reading->lookup, &reading->error);
        code = status == STATUS_OK ? use_space(reading) : fail(reading);
    }
    if (code == CLI_DONE) {
        code = command(reading);
    }
    backup_lookup_destroy(reading->lookup);
    backup_input_close(&input);
    return code;
}

int backup_commands_run(struct cli *cli) {
    struct reading reading = {.cli = cli};
    backup_command command = find_command(cli->options->command);
    struct kvd_read_options read;
    int code;

    if (!command) {
        return cli_fail(CLI_USAGE,
                        "'%s' does not read a backup: get, mget, exists, meta, scan and "
                        "count do",
                        command_name(cli->options->command));
    }
    code = read_options_from(cli->options, &read);
    if (code != CLI_DONE) {
        return code;
    }
    if (read.at.snapshot || read.at.version || read.at.time_ms) {
        return cli_fail(CLI_USAGE, "a backup has one state only: no --at, --at-time, --snapshot");
    }
    buffer_init(&reading.value, VALUE_BYTES_MAX);
    code = run_on(&reading, command);
    buffer_deinit(&reading.value);
    return code;
}
