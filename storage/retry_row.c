/* retry_row.c: see retry_row.h. */
#include "storage/retry_row.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"

#include <string.h>

_Static_assert(STORE_RETRY_SEQUENCES <= UINT16_MAX + 1u, "a slot fits two bytes");

/* How a commit ended, as it stands on disk: by place. The numbers stay. */
static const enum status kept[] = {
    STATUS_OK,        STATUS_EXISTS,  STATUS_ABSENT,    STATUS_VERSION_MISMATCH,
    STATUS_NOT_FOUND, STATUS_INVALID, STATUS_TOO_LARGE, STATUS_OVERFLOW,
    STATUS_QUOTA,     STATUS_GONE,    STATUS_CONFLICT,  STATUS_TXN_TOO_OLD,
};
#define KEPT_COUNT (sizeof kept / sizeof kept[0])

static uint8_t code_of(enum status status) {
    uint8_t code = 0;

    while (code < KEPT_COUNT && kept[code] != status) {
        code++;
    }
    return code;
}

bool retry_status_is_kept(enum status status) {
    return code_of(status) < KEPT_COUNT;
}

void retry_key_store(uint8_t key[RETRY_KEY_BYTES], const struct store_token *token) {
    uint32_t slot = (uint32_t)(token->sequence % STORE_RETRY_SEQUENCES);
    uint8_t *end = key + RETRY_KEY_PREFIX_BYTES;

    memcpy(key, RETRY_KEY_PREFIX, RETRY_KEY_PREFIX_BYTES);
    memcpy(end, token->client, STORE_RETRY_CLIENT_BYTES);
    end += STORE_RETRY_CLIENT_BYTES;
    end[0] = (uint8_t)(slot >> 8);
    end[1] = (uint8_t)slot;
}

static uint64_t zigzag(int64_t number) {
    return ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t code) {
    return (int64_t)((code >> 1) ^ ((code & 1) ? UINT64_MAX : 0));
}

static enum status results_store(const int64_t *results, uint32_t count, struct buffer *value) {
    enum status status = buffer_append_varint(value, count);

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = buffer_append_varint(value, zigzag(results[i]));
    }
    return status;
}

enum status retry_value_store(const struct retry_record *record, const int64_t *results,
                              struct buffer *value) {
    size_t start = value->len;
    enum status status = buffer_append_varint(value, record->sequence);

    ASSERT(retry_status_is_kept(record->status));
    if (status == STATUS_OK) {
        status = buffer_append_u8(value, code_of(record->status));
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(value, record->version);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(value, record->operation);
    }
    if (status == STATUS_OK) {
        status = results_store(results, record->result_count, value);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(value, record->answer);
    }
    return status == STATUS_OK && value->len - start > RETRY_VALUE_BYTES_MAX ? STATUS_TOO_LARGE
                                                                             : status;
}

static enum status results_parse(struct reader *reader, uint32_t count, struct buffer *results) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        int64_t result;
        uint64_t code;
        if (!reader_take_varint(reader, &code)) {
            return STATUS_CORRUPT;
        }
        result = unzigzag(code);
        status = buffer_append(results, &result, sizeof result);
    }
    return status;
}

enum status retry_value_parse(struct slice value, struct retry_record *record_out,
                              struct buffer *results) {
    struct reader reader = reader_make(value);
    size_t mark = buffer_mark(results);
    struct retry_record record;
    enum status status;
    uint8_t code;

    if (!reader_take_varint(&reader, &record.sequence) || !reader_take_u8(&reader, &code) ||
        !reader_take_varint(&reader, &record.version) ||
        !reader_take_varint32(&reader, &record.operation) ||
        !reader_take_varint32(&reader, &record.result_count) || code >= KEPT_COUNT) {
        return STATUS_CORRUPT;
    }
    record.status = kept[code];
    status = results_parse(&reader, record.result_count, results);
    if (status == STATUS_OK &&
        (!reader_take_block(&reader, &record.answer) || reader_left(&reader) > 0)) {
        status = STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        buffer_rollback(results, mark);
        return status;
    }
    *record_out = record;
    return STATUS_OK;
}
