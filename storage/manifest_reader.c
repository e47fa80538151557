/* manifest_reader.c: see manifest_reader.h. */
#include "storage/manifest_reader.h"

#include "storage/manifest_format.h"

struct reading {
    struct direct_file *direct; /* borrowed */
    uint64_t number;
    struct manifest_state state;
    struct manifest_read_result result;
    struct manifest_record record; /* the current one, and its payload */
    struct slice payload;          /* borrowed from the window */
    uint64_t offset;
    uint64_t sequence; /* of the last valid record */
    bool snapshot_ended;
    struct error *error;
};

static enum status corrupt(struct reading *reading, uint64_t offset, const char *text) {
    return error_set(reading->error, STATUS_CORRUPT, 0, reading->direct->path, offset, "%s", text);
}

/* ---- records ---- */

/* The valid record at `offset`, into *record_out and *payload_out. Errors: CORRUPT if there is none
 * (*error is not set), IO, NO_MEMORY. */
static enum status record_at(struct reading *reading, uint64_t offset,
                             struct manifest_record *record_out, struct slice *payload_out) {
    struct manifest_record record;
    struct slice bytes;
    enum status status =
        direct_file_get(reading->direct, offset, MANIFEST_RECORD_BYTES, &bytes, reading->error);

    if (status == STATUS_OK) {
        status = manifest_record_load(bytes, &record);
    }
    if (status == STATUS_OK) {
        status = direct_file_get(reading->direct, offset + MANIFEST_RECORD_BYTES,
                                 record.payload_bytes, &bytes, reading->error);
    }
    if (status == STATUS_OK && !manifest_record_matches(&record, bytes, reading->number, offset)) {
        status = STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_CORRUPT : status; /* END: it goes beyond the file */
    }
    *record_out = record;
    *payload_out = bytes;
    return STATUS_OK;
}

static enum status apply_payload(struct reading *reading) {
    struct version_edit edit;
    const char *reason = "an edit is malformed";
    enum status status;

    version_edit_init(&edit);
    status = version_edit_load(reading->payload, &edit);
    if (status == STATUS_OK) {
        status = manifest_state_apply(&reading->state, &edit, &reason);
    }
    version_edit_deinit(&edit);
    if (status == STATUS_CORRUPT) {
        return corrupt(reading, reading->offset, reason);
    }
    if (status != STATUS_OK) {
        return error_set(reading->error, status, 0, reading->direct->path, reading->offset, "%s",
                         status == STATUS_NEWER_FORMAT ? "an edit has parts unknown to this version"
                                                       : "apply an edit");
    }
    return STATUS_OK;
}

/* Takes in the current record. */
static enum status use_record(struct reading *reading) {
    bool is_edit = reading->record.kind == MANIFEST_EDIT;

    if (reading->record.sequence != reading->sequence + 1) {
        return corrupt(reading, reading->offset, "a record is out of sequence");
    }
    if (is_edit != reading->snapshot_ended) {
        return corrupt(reading, reading->offset, "snapshot and edits are mixed");
    }
    reading->sequence++;
    if (reading->record.kind == MANIFEST_SNAPSHOT_END) {
        reading->snapshot_ended = true;
        return STATUS_OK;
    }
    reading->result.edits += is_edit;
    return apply_payload(reading);
}

/* ---- what lies behind a bad record ---- */

struct behind {
    bool any;
    bool edit;
};

/* Tests every place in [from, end of `bytes`) where a record may begin. */
static enum status search_piece(struct reading *reading, uint64_t from, uint64_t len,
                                struct behind *behind) {
    for (uint64_t i = 0; i < len; i++) {
        struct manifest_record record;
        struct slice bytes;
        /* the window may have moved: a payload is read below */
        enum status status = direct_file_get(reading->direct, from + i, MANIFEST_RECORD_BYTES,
                                             &bytes, reading->error);
        if (status == STATUS_OK && manifest_record_maybe(bytes)) {
            status = record_at(reading, from + i, &record, &bytes);
            behind->any |= status == STATUS_OK;
            behind->edit |= status == STATUS_OK && record.kind == MANIFEST_EDIT;
        }
        if (status == STATUS_END) {
            return STATUS_OK;
        }
        if (status != STATUS_OK && status != STATUS_CORRUPT) {
            return status;
        }
    }
    return STATUS_OK;
}

/* A bad record at the current offset: torn, or damaged? */
static enum status judge(struct reading *reading) {
    struct behind behind = {false, false};
    uint64_t left = reading->direct->size_bytes - reading->offset;
    enum status status = search_piece(reading, reading->offset, left, &behind);

    if (status != STATUS_OK) {
        return status;
    }
    if (behind.edit || (behind.any && reading->snapshot_ended)) {
        return corrupt(reading, reading->offset,
                       "damaged, with valid records behind; nothing was changed; restore a backup");
    }
    reading->result.cut_bytes = left;
    reading->result.bad_offset = reading->offset;
    if (!reading->snapshot_ended) {
        reading->result.verdict = behind.any ? MANIFEST_AMBIGUOUS : MANIFEST_INCOMPLETE;
    }
    return STATUS_OK;
}

/* ---- the file ---- */

/* Errors: CORRUPT with *torn_out if the header is damaged, else as manifest_read. */
static enum status read_header(struct reading *reading, bool *torn_out) {
    struct manifest_header header;
    struct slice bytes;
    enum status status =
        direct_file_get(reading->direct, 0, MANIFEST_HEADER_BYTES, &bytes, reading->error);

    *torn_out = false;
    if (status == STATUS_OK) {
        status = manifest_header_load(bytes, &header);
    }
    if (status == STATUS_END || status == STATUS_CORRUPT) {
        *torn_out = true;
        return STATUS_CORRUPT;
    }
    if (status == STATUS_NEWER_FORMAT || status == STATUS_READ_ONLY) {
        return error_set(reading->error, status, 0, reading->direct->path, 0,
                         "the store has features unknown to this version");
    }
    if (status == STATUS_OK && header.number != reading->number) {
        return corrupt(reading, 0, "another manifest under this name");
    }
    if (status == STATUS_OK) {
        manifest_state_init(&reading->state, header.store_id);
        reading->offset = MANIFEST_HEADER_BYTES;
    }
    return status;
}

static enum status read_records(struct reading *reading) {
    while (reading->offset < reading->direct->size_bytes) {
        enum status status =
            record_at(reading, reading->offset, &reading->record, &reading->payload);
        if (status == STATUS_CORRUPT) {
            return judge(reading);
        }
        if (status == STATUS_OK) {
            status = use_record(reading);
        }
        if (status != STATUS_OK) {
            return status;
        }
        reading->offset += MANIFEST_RECORD_BYTES + reading->record.payload_bytes;
    }
    reading->result.verdict = reading->snapshot_ended ? MANIFEST_COMPLETE : MANIFEST_INCOMPLETE;
    return STATUS_OK;
}

enum status manifest_read(struct direct_file *direct, uint64_t number,
                          struct manifest_state *state_out, struct manifest_read_result *result_out,
                          struct error *error) {
    struct reading reading = {.direct = direct,
                              .number = number,
                              .result = {.verdict = MANIFEST_COMPLETE},
                              .error = error};
    bool torn;
    enum status status = read_header(&reading, &torn);

    if (torn) {
        status = judge(&reading);
    } else if (status == STATUS_OK) {
        status = read_records(&reading);
    }
    if (status == STATUS_OK) {
        *result_out = reading.result;
    }
    if (status == STATUS_OK && reading.result.verdict == MANIFEST_COMPLETE) {
        *state_out = reading.state;
    } else {
        manifest_state_deinit(&reading.state);
    }
    return status;
}
