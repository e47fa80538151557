/* restore_run.c: see restore_run.h. */
#include "client/kvcli/restore_run.h"

#include "client/kvcli/backup_lookup.h"
#include "protocol/base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SPACES_BYTES_MAX ((size_t)65536 * sizeof(struct backup_space))

static bool fail_error(struct restore_run *run, const struct error *error) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX];

    progress_clear(&run->progress);
    error_format(error, text, sizeof text);
    run->code = cli_worse(run->code, cli_fail(CLI_FAILED, "%s", text));
    return false;
}

/* A failure that was printed already. */
static bool note(struct restore_run *run, int code) {
    run->code = cli_worse(run->code, code);
    return code == CLI_DONE;
}

/* --- namespaces --- */

/* The namespace that one of the backup goes to; NULL if it is not wanted. */
static const char *target_of(const struct restore_run *run, const char *name) {
    const struct options *options = run->cli->options;

    if (options->namespace_name && strcmp(options->namespace_name, name) != 0) {
        return NULL;
    }
    return options->into ? options->into : name;
}

/* The namespace of the file before with that name; NULL if there is none. */
static const struct backup_space *find_before(const struct buffer *spaces, const char *name) {
    for (size_t at = 0; at < spaces->len; at += sizeof(struct backup_space)) {
        const struct backup_space *space = (const void *)(spaces->data + at);
        if (strcmp(space->name, name) == 0) {
            return space;
        }
    }
    return NULL;
}

static bool is_first(const struct restore_run *run) {
    return run->before.len == 0;
}

/* Gives the target what the namespace was set to; and makes it, if no key did. */
static bool set_space(struct restore_run *run, const struct backup_space *space) {
    enum kvd_status status = KVD_OK;

    if (!run->cli->options->into) {
        (void)kvd_ping(run->cli->db); /* connects again, if it was idle for too long */
        status = kvd_namespace_set(run->cli->db, space->name, &space->settings, NULL);
    }
    return status == KVD_OK || note(run, cli_fail_call(run->cli, kvd_text(space->name), status));
}

/* Those that the file before had, and this one has not, were dropped in between. */
static bool drop_gone(struct restore_run *run) {
    bool good = true;

    (void)kvd_ping(run->cli->db); /* connects again, if it was idle for too long */
    for (size_t at = 0; good && at < run->before.len; at += sizeof(struct backup_space)) {
        const struct backup_space *space = (const void *)(run->before.data + at);
        enum kvd_status status = KVD_OK;
        if (!find_before(&run->spaces, space->name) && target_of(run, space->name) &&
            space->name[0]) {
            status = kvd_namespace_drop(run->cli->db, target_of(run, space->name), NULL);
        }
        good = status == KVD_OK || status == KVD_NOT_FOUND ||
               note(run, cli_fail_call(run->cli, kvd_text(space->name), status));
    }
    return good;
}

/* --- one file --- */

static bool check_chain(struct restore_run *run, const char *path,
                        const struct backup_header *header) {
    struct error error;

    if (run->cli->options->replace) {
        return true;
    }
    if (is_first(run) && header->since != 0) {
        error_set(&error, STATUS_INVALID, 0, path, ERROR_NO_OFFSET,
                  "continues a backup of version %" PRIu64 ": name that one before it",
                  header->since);
        return fail_error(run, &error);
    }
    if (!is_first(run) &&
        (header->since != run->header.version || header->whole != run->header.whole)) {
        error_set(&error, STATUS_INVALID, 0, path, ERROR_NO_OFFSET,
                  "does not continue the backup before it, which is of version %" PRIu64
                  "; this one is since %" PRIu64,
                  run->header.version, header->since);
        return fail_error(run, &error);
    }
    return true;
}

/* Begins a namespace of the file: *space is NULL still if it is not wanted. */
static bool begin_space(struct restore_run *run, const struct backup_space *from,
                        struct restore_space *room, struct restore_space **space) {
    const struct backup_space *before = find_before(&run->before, from->name);
    const char *target = target_of(run, from->name);
    bool upserts = !is_first(run) || run->cli->options->replace;
    int code;

    if (buffer_append(&run->spaces, from, sizeof *from) != STATUS_OK) {
        return note(run, cli_fail(CLI_FAILED, "out of memory"));
    }
    if (!target) {
        return true;
    }
    *space = room;
    run->namespaces += before == NULL;
    code = restore_space_begin(room, run->cli, target, upserts);
    if (code == CLI_DONE && !upserts) {
        code = restore_space_check_empty(room);
    } else if (code == CLI_DONE && (from->is_new || (before && before->id != from->id))) {
        code = restore_space_clear(room); /* it was made since: nothing from before is left */
    }
    return note(run, code);
}

static bool end_space(struct restore_run *run, struct restore_space **space, bool good) {
    const struct backup_space *from;
    int code;

    if (!*space) {
        return good;
    }
    code = restore_space_end(*space, &run->totals);
    *space = NULL;
    if (!note(run, code) || !good) {
        return false;
    }
    from = (const void *)(run->spaces.data + run->spaces.len - sizeof *from);
    return set_space(run, from);
}

static bool take_item(struct restore_run *run, const struct backup_item *item,
                      struct restore_space *room, struct restore_space **space) {
    switch (item->event) {
    case BACKUP_EVENT_SPACE:
        return end_space(run, space, true) && begin_space(run, &item->space, room, space);
    case BACKUP_EVENT_END:
        return end_space(run, space, true);
    case BACKUP_EVENT_ENTRY:
    case BACKUP_EVENT_PIECE:
    case BACKUP_EVENT_VALUE_END:
        break;
    }
    progress_update(&run->progress, run->totals.keys + (*space ? (*space)->totals.keys : 0),
                    run->totals.bytes + (*space ? (*space)->totals.bytes : 0));
    return !*space || restore_space_take(*space, item);
}

static bool read_file(struct restore_run *run, struct backup_reader *reader,
                      struct restore_space *room) {
    struct restore_space *space = NULL;
    struct backup_item item = {0};
    struct error error;
    bool good = true;

    while (good && item.event != BACKUP_EVENT_END) {
        if (backup_reader_next(reader, &item, &error) != STATUS_OK) {
            good = fail_error(run, &error);
            break;
        }
        good = take_item(run, &item, room, &space);
    }
    return end_space(run, &space, good) && good;
}

/* Before anything is written: that the file has an end, and the namespaces that it goes to are
 * empty. Of a pipe neither is known before. */
static bool check_before(struct restore_run *run, const struct backup_source *source,
                         struct restore_space *room) {
    bool checks_empty = is_first(run) && !run->cli->options->replace;
    struct backup_lookup *lookup = NULL;
    struct backup_space from;
    struct error error;
    bool found = false;
    bool good = true;

    if (source->size == BACKUP_SIZE_UNKNOWN) {
        return true;
    }
    if (backup_lookup_create(source, &lookup, &error) != STATUS_OK) {
        return fail_error(run, &error);
    }
    for (uint32_t i = 0; good && i < backup_lookup_end(lookup)->namespaces; i++) {
        struct restore_totals unused = {0};
        const char *target;
        if (backup_lookup_space(lookup, i, &from, &error) != STATUS_OK) {
            good = fail_error(run, &error);
            continue;
        }
        target = target_of(run, from.name);
        found = found || target;
        if (target && checks_empty) {
            int code = restore_space_begin(room, run->cli, target, false);
            code = code == CLI_DONE ? restore_space_check_empty(room) : code;
            good = note(run, cli_worse(code, restore_space_end(room, &unused)));
        }
    }
    if (good && !found) {
        error_set(&error, STATUS_NOT_FOUND, 0, source->name, ERROR_NO_OFFSET,
                  "there is no such namespace in it");
        good = fail_error(run, &error);
    }
    backup_lookup_destroy(lookup);
    return good;
}

static bool restore_source(struct restore_run *run, const struct backup_source *source,
                           struct restore_space *room) {
    struct backup_reader *reader = NULL;
    struct error error;
    bool good;

    if (backup_reader_create(source, &reader, &error) != STATUS_OK) {
        return fail_error(run, &error);
    }
    good = check_chain(run, source->name, backup_reader_header(reader)) &&
           check_before(run, source, room) && read_file(run, reader, room);
    run->header = *backup_reader_header(reader);
    backup_reader_destroy(reader);
    return good && (!run->header.whole || drop_gone(run));
}

static bool restore_file(struct restore_run *run, const char *path, struct restore_space *room) {
    struct backup_input input;
    struct backup_source source;
    struct buffer spaces = run->before;
    struct error error;
    bool good;

    if (backup_input_open(&input, path, &error) != STATUS_OK) {
        return fail_error(run, &error);
    }
    source = backup_input_source(&input);
    good = restore_source(run, &source, room);
    backup_input_close(&input);
    run->before = run->spaces;
    run->spaces = spaces;
    buffer_clear(&run->spaces);
    return good;
}

int restore_run(struct restore_run *run, char *const *paths, int count) {
    struct restore_space *room = memory_alloc_zeroed(sizeof *room);
    bool good = true;

    if (!room) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    buffer_init(&run->before, SPACES_BYTES_MAX);
    buffer_init(&run->spaces, SPACES_BYTES_MAX);
    progress_init(&run->progress, 0);
    for (int i = 0; i < count && good; i++) {
        good = restore_file(run, paths[i], room);
    }
    progress_clear(&run->progress);
    buffer_deinit(&run->before);
    buffer_deinit(&run->spaces);
    memory_free(room);
    return good ? CLI_DONE : cli_worse(run->code, CLI_NEGATIVE);
}
