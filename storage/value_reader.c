/* value_reader.c: see value_reader.h. */
#include "storage/value_reader.h"

#include "storage/relocation.h"

static enum status absent(const struct value_ref *ref, struct error *error) {
    return error_set(error, STATUS_CORRUPT, 0, NULL, ref->offset,
                     "a reference leads to segment %llu, which is neither there nor relocated",
                     (unsigned long long)ref->segment);
}

/* Finds the file that has the record now, and the reference into it; outputs count when OK. */
static enum status locate(const struct version *version, const struct value_ref *ref,
                          enum read_wait wait, const struct version_files **files_out,
                          struct value_ref *located_out, struct error *error) {
    const struct segment_file *file = version_segment(version, ref->segment);
    const struct relocation *relocation;
    struct relocation_source source;
    enum status status;

    *located_out = *ref;
    if (file) {
        *files_out = file->files;
        return STATUS_OK;
    }
    if (version_resolve(version, ref->segment, &relocation) != SEGMENT_RELOCATED) {
        return absent(ref, error);
    }
    file = version_segment(version, relocation->target);
    if (!file) {
        return absent(ref, error);
    }
    source = (struct relocation_source){file->files->segments, file->files->blocks};
    status = relocation_find(&source, relocation, ref->offset, wait, &located_out->offset, error);
    located_out->segment = relocation->target;
    *files_out = file->files;
    return status;
}

enum status value_reader_read(const struct version *version, const struct value_ref *ref,
                              enum read_wait wait, uint8_t *raw_out, struct buffer *scratch,
                              struct error *error) {
    const struct version_files *files;
    struct value_ref located;
    enum status status = locate(version, ref, wait, &files, &located, error);

    return status == STATUS_OK
               ? segment_cache_read_value(files->segments, &located, wait, raw_out, scratch, error)
               : status;
}

enum status value_reader_read_bytes(const struct version *version, const struct value_ref *ref,
                                    struct value_piece piece, enum read_wait wait, uint8_t *out,
                                    struct error *error) {
    const struct version_files *files;
    struct segment_handle *handle;
    struct value_ref located;
    enum status status = locate(version, ref, wait, &files, &located, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (piece.delta > ref->stored_bytes || piece.len > ref->stored_bytes - piece.delta ||
        located.offset > UINT64_MAX / 2) {
        return segment_cache_fail(files->segments, located.segment, located.offset, STATUS_CORRUPT,
                                  "a record is sought beyond its end", error);
    }
    status = segment_cache_pin(files->segments, located.segment, wait, &handle, error);
    if (status == STATUS_OK) {
        status = segment_read_bytes(segment_handle_get(handle), located.offset + piece.delta,
                                    piece.len, wait, out, error);
        segment_cache_unpin(files->segments, handle);
    }
    return status;
}

enum status value_reader_resolve(const struct version *version, const struct value_ref *ref,
                                 enum read_wait wait, struct value_ref *resolved_out,
                                 struct error *error) {
    const struct version_files *files;
    struct value_ref located;
    enum status status = locate(version, ref, wait, &files, &located, error);

    if (status == STATUS_OK) {
        *resolved_out = located;
    }
    return status;
}
