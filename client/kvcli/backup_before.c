/* backup_before.c: see backup_before.h. */
#include "client/kvcli/backup_before.h"

#include "client/kvcli/backup_file.h"
#include "client/kvcli/backup_lookup.h"
#include "client/kvcli/text.h"

#include <string.h>

#define SPACES_BYTES_MAX ((size_t)65536 * sizeof(struct backup_space))

static enum status take_spaces(struct backup_before *before, struct backup_lookup *lookup,
                               struct error *error) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < backup_lookup_end(lookup)->namespaces; i++) {
        struct backup_space space;
        status = backup_lookup_space(lookup, i, &space, error);
        if (status == STATUS_OK &&
            buffer_append(&before->spaces, &space, sizeof space) != STATUS_OK) {
            status = error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "out of memory");
        }
    }
    return status;
}

static enum status take_file(struct backup_before *before, struct backup_input *input,
                             struct error *error) {
    struct backup_source source = backup_input_source(input);
    struct backup_lookup *lookup = NULL;
    enum status status;

    if (source.size == BACKUP_SIZE_UNKNOWN) {
        return error_set(error, STATUS_INVALID, 0, source.name, ERROR_NO_OFFSET,
                         "the backup before is to be a file");
    }
    status = backup_lookup_create(&source, &lookup, error);
    if (status == STATUS_OK) {
        before->version = backup_lookup_header(lookup)->version;
        before->whole = backup_lookup_header(lookup)->whole;
        before->from_file = true;
        status = take_spaces(before, lookup, error);
    }
    backup_lookup_destroy(lookup);
    return status;
}

enum status backup_before_init(struct backup_before *before, const char *text,
                               struct error *error) {
    struct backup_input input;
    enum status status;

    *before = (struct backup_before){0};
    buffer_init(&before->spaces, SPACES_BYTES_MAX);
    if (text_parse_number(text, &before->version) == STATUS_OK) {
        return STATUS_OK;
    }
    status = backup_input_open(&input, text, error);
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, 0, text, ERROR_NO_OFFSET,
                         "is neither a version nor a backup");
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = take_file(before, &input, error);
    backup_input_close(&input);
    return status;
}

void backup_before_deinit(struct backup_before *before) {
    buffer_deinit(&before->spaces);
}

const struct backup_space *backup_before_find(const struct backup_before *before,
                                              const char *name) {
    for (size_t at = 0; at < before->spaces.len; at += sizeof(struct backup_space)) {
        const struct backup_space *space = (const void *)(before->spaces.data + at);
        if (strcmp(space->name, name) == 0) {
            return space;
        }
    }
    return NULL;
}

bool backup_before_lacks(const struct backup_before *before, const struct backup_space *space) {
    const struct backup_space *then =
        before->from_file ? backup_before_find(before, space->name) : NULL;

    return before->from_file && (then ? then->id != space->id : before->whole);
}
