/* record.c: see record.h. */
#include "client/record.h"

#include "client/checksum.h"
#include "protocol/base/memory.h"

#define VALUE_BYTES_MIN 64u /* the smallest memory of a value: saves the first few growths */

struct kvd_meta record_meta(const struct wire_record *record) {
    return (struct kvd_meta){
        .version = record->version,
        .expires_at_ms = record->expires_at_ms,
        .value_len = record->value_len,
        .user_flags = record->user_flags,
        .has_checksum = record->has_checksum,
        .checksum = record->checksum,
    };
}

enum status record_verify(struct kvd *db, bool verify, const struct wire_record *record,
                          struct slice value) {
    if (!verify) {
        return STATUS_OK;
    }
    if (!record->has_checksum) {
        return connection_fail(db, STATUS_CHECKSUM, 0, "the server sent no checksum");
    }
    if (checksum_value(value) != record->checksum) {
        return connection_fail(db, STATUS_CHECKSUM, 0,
                               "the value of %zu bytes does not match its checksum", value.len);
    }
    return STATUS_OK;
}

static bool grow(struct kvd_value *value, size_t needed) {
    size_t capacity = value->capacity * 2;
    uint8_t *data;

    if (needed <= value->capacity && value->data) { /* an empty value has a pointer too */
        return true;
    }
    capacity = capacity < VALUE_BYTES_MIN ? VALUE_BYTES_MIN : capacity;
    capacity = capacity < needed ? needed : capacity;
    data = memory_resize(value->data, capacity);
    if (!data) {
        return false;
    }
    value->data = data;
    value->capacity = capacity;
    return true;
}

enum status record_copy(struct kvd *db, const struct wire_record *record, struct slice bytes,
                        struct kvd_value *value) {
    if (!grow(value, bytes.len)) {
        return connection_fail(db, STATUS_NO_MEMORY, bytes.len,
                               "out of memory here for a value of %zu bytes", bytes.len);
    }
    if (bytes.len > 0) {
        memcpy(value->data, bytes.ptr, bytes.len);
    }
    value->meta = record_meta(record);
    return STATUS_OK;
}

void kvd_value_free(struct kvd_value *value) {
    memory_free(value->data);
    *value = (struct kvd_value){0};
}

void kvd_free(void *data) {
    memory_free(data);
}
