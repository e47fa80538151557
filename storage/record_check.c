/* record_check.c: see record_check.h. */
#include "storage/record_check.h"

#include "storage/checksum.h"
#include "storage/format.h"

/* Decompresses to scratch, or lets `raw_out` be the stored bytes themselves. */
static enum status raw_of(struct compression *compression, struct slice stored, size_t raw_bytes,
                          struct buffer *scratch, struct slice *raw_out) {
    enum status status;

    buffer_clear(scratch);
    status = buffer_reserve(scratch, raw_bytes);
    if (status == STATUS_OK) {
        status = compression_decompress(compression, stored, scratch->data, raw_bytes);
    }
    *raw_out = slice_make(scratch->data, raw_bytes);
    return status;
}

enum status record_check_value(struct compression *compression, const struct value_ref *ref,
                               const uint8_t *stored, struct buffer *scratch) {
    struct slice raw = slice_make(stored, ref->stored_bytes);
    enum status status = STATUS_OK;

    if (ref->raw_bytes > VALUE_BYTES_MAX ||
        (!ref->compressed && ref->raw_bytes != ref->stored_bytes)) {
        return STATUS_CORRUPT;
    }
    if (ref->compressed) {
        status = raw_of(compression, raw, ref->raw_bytes, scratch, &raw);
    }
    if (status == STATUS_OK && checksum_of(raw) != ref->checksum) {
        status = STATUS_CORRUPT;
    }
    return status;
}
