/* response.c: the server's half of response.h: results to bytes. */
#include "protocol/response.h"

#include "protocol/base/assert.h"

#define LIST_COUNT_BYTES 4u
#define PAGE_HEAD_BYTES 5u /* page flags u8, count u32 */

static size_t record_bytes(uint32_t flags) {
    return WIRE_RECORD_BYTES + (flags & WIRE_FLAG_CHECKSUM ? WIRE_CHECKSUM_BYTES : 0);
}

static enum status append_slice(struct buffer *buffer, struct slice bytes) {
    return bytes.len == 0 ? STATUS_OK : buffer_append(buffer, bytes.ptr, bytes.len);
}

/* Appends a length and the bytes, or nothing. */
static enum status append_block(struct buffer *buffer, struct slice bytes) {
    size_t mark = buffer_mark(buffer);
    enum status status = buffer_append_varint(buffer, bytes.len);

    if (status == STATUS_OK) {
        status = append_slice(buffer, bytes);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

/* Ends a whole response: finishes it, or takes all of it back. */
static enum status finish_or_rollback(struct buffer *buffer, size_t start, size_t mark,
                                      enum status status) {
    if (status == STATUS_OK) {
        status = wire_response_finish(buffer, mark);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, start);
    }
    return status;
}

enum status wire_response_begin(struct buffer *buffer, uint32_t id, enum status status,
                                uint32_t flags, size_t *mark_out) {
    ASSERT((flags & ~(uint32_t)WIRE_FLAG_CHECKSUM) == 0);
    return wire_frame_begin(buffer, WIRE_KIND_RESPONSE, wire_status_number(status), id, flags,
                            mark_out);
}

enum status wire_response_finish(struct buffer *buffer, size_t mark) {
    return wire_frame_finish(buffer, mark, 0);
}

/* --- errors --- */

static enum status append_error(struct buffer *buffer, uint32_t item, uint64_t detail,
                                struct slice text) {
    enum status status = buffer_append_u32(buffer, item);

    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, detail);
    }
    return status == STATUS_OK ? append_slice(buffer, text) : status;
}

enum status wire_response_error(struct buffer *buffer, uint32_t id, enum status status,
                                const struct wire_refusal *refusal) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status done = wire_response_begin(buffer, id, status, 0, &mark);

    ASSERT(status != STATUS_OK);
    if (done == STATUS_OK && refusal) {
        const char *text = refusal->text ? refusal->text : "";
        done = append_error(buffer, refusal->item, refusal->detail, slice_from_text(text));
    }
    return finish_or_rollback(buffer, start, mark, done);
}

enum status wire_response_error_text(struct buffer *buffer, uint32_t id, enum status status,
                                     uint64_t detail, struct slice text) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status done = wire_response_begin(buffer, id, status, 0, &mark);

    ASSERT(status != STATUS_OK);
    if (done == STATUS_OK) {
        done = append_error(buffer, WIRE_NO_ITEM, detail, text);
    }
    return finish_or_rollback(buffer, start, mark, done);
}

enum status wire_response_conflict(struct buffer *buffer, uint32_t id, uint64_t version,
                                   const struct wire_conflict *conflict) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status done = wire_response_begin(buffer, id, STATUS_CONFLICT, 0, &mark);

    if (done == STATUS_OK) {
        done = append_error(buffer, WIRE_NO_ITEM, version, slice_make(NULL, 0));
    }
    if (done == STATUS_OK) {
        done = buffer_append_u8(buffer, conflict->flags);
    }
    if (done == STATUS_OK) {
        done = append_block(buffer, conflict->namespace_name);
    }
    if (done == STATUS_OK) {
        done = append_block(buffer, conflict->from);
    }
    if (done == STATUS_OK) {
        done = append_block(buffer, conflict->to);
    }
    if (done == STATUS_OK) {
        done = append_slice(buffer, slice_from_text(status_text(STATUS_CONFLICT)));
    }
    return finish_or_rollback(buffer, start, mark, done);
}

/* --- whole responses --- */

struct limit_value {
    enum wire_limit id;
    uint64_t value;
};

static enum status append_limits(struct buffer *buffer, const struct wire_limits *limits) {
    const struct limit_value values[] = {
        {WIRE_LIMIT_FRAME_MAX, limits->frame_max},
        {WIRE_LIMIT_KEY_MAX, limits->key_max},
        {WIRE_LIMIT_VALUE_MAX, limits->value_max},
        {WIRE_LIMIT_REQUESTS_MAX, limits->requests_max},
        {WIRE_LIMIT_MGET_KEYS_MAX, limits->mget_keys_max},
        {WIRE_LIMIT_BATCH_ITEMS_MAX, limits->batch_items_max},
        {WIRE_LIMIT_BATCH_BYTES_MAX, limits->batch_bytes_max},
        {WIRE_LIMIT_SCAN_ENTRIES_MAX, limits->scan_entries_max},
        {WIRE_LIMIT_SCAN_PAGE_BYTES_MAX, limits->scan_page_bytes_max},
        {WIRE_LIMIT_MEMORY_BYTES, limits->memory_bytes},
        {WIRE_LIMIT_DURABILITY, limits->durability},
        {WIRE_LIMIT_TRANSACTIONS_MAX, limits->transactions_max},
        {WIRE_LIMIT_TRANSACTION_BYTES, limits->transaction_bytes},
        {WIRE_LIMIT_TRANSACTION_AGE_MS, limits->transaction_age_ms},
        {WIRE_LIMIT_TRANSACTION_IDLE_MS, limits->transaction_idle_ms},
    };
    const uint16_t count = sizeof values / sizeof values[0];
    enum status status = buffer_append_u16(buffer, count);

    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = buffer_append_u16(buffer, (uint16_t)values[i].id);
        if (status == STATUS_OK) {
            status = buffer_append_u64(buffer, values[i].value);
        }
    }
    return status;
}

enum status wire_response_hello(struct buffer *buffer, uint32_t id,
                                const struct wire_hello *hello) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status status = wire_response_begin(buffer, id, STATUS_OK, 0, &mark);

    ASSERT(hello->server_name.len <= WIRE_NAME_BYTES_MAX);
    if (status == STATUS_OK) {
        status = buffer_append_u16(buffer, hello->version);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, hello->features);
    }
    if (status == STATUS_OK) {
        status = append_limits(buffer, &hello->limits);
    }
    if (status == STATUS_OK) {
        status = append_slice(buffer, hello->server_name);
    }
    return finish_or_rollback(buffer, start, mark, status);
}

enum status wire_response_ping(struct buffer *buffer, uint32_t id, struct slice payload) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status status = wire_response_begin(buffer, id, STATUS_OK, 0, &mark);

    if (status == STATUS_OK) {
        status = append_slice(buffer, payload);
    }
    return finish_or_rollback(buffer, start, mark, status);
}

/* A response whose body is these numbers. */
static enum status respond_numbers(struct buffer *buffer, uint32_t id, const uint64_t *numbers,
                                   uint32_t count) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status status = wire_response_begin(buffer, id, STATUS_OK, 0, &mark);

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = buffer_append_u64(buffer, numbers[i]);
    }
    return finish_or_rollback(buffer, start, mark, status);
}

enum status wire_response_empty(struct buffer *buffer, uint32_t id) {
    return respond_numbers(buffer, id, NULL, 0);
}

enum status wire_response_number(struct buffer *buffer, uint32_t id, uint64_t number) {
    return respond_numbers(buffer, id, &number, 1);
}

enum status wire_response_version(struct buffer *buffer, uint32_t id, uint64_t version) {
    return respond_numbers(buffer, id, &version, 1);
}

enum status wire_response_version_number(struct buffer *buffer, uint32_t id, uint64_t version,
                                         uint64_t number) {
    const uint64_t numbers[] = {version, number};

    return respond_numbers(buffer, id, numbers, 2);
}

enum status wire_response_snapshot(struct buffer *buffer, uint32_t id,
                                   const struct wire_snapshot *snapshot) {
    const uint64_t numbers[] = {snapshot->id, snapshot->version, snapshot->time_ms,
                                snapshot->deadline_ms};

    return respond_numbers(buffer, id, numbers, 4);
}

enum status wire_response_results(struct buffer *buffer, uint32_t id, uint64_t version,
                                  const int64_t *results, uint32_t count) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status status = wire_response_begin(buffer, id, STATUS_OK, 0, &mark);

    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, version);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u32(buffer, count);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = buffer_append_u64(buffer, (uint64_t)results[i]);
    }
    return finish_or_rollback(buffer, start, mark, status);
}

enum status wire_response_meta(struct buffer *buffer, uint32_t id,
                               const struct wire_record *record) {
    uint32_t flags = record->has_checksum ? WIRE_FLAG_CHECKSUM : 0;
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    size_t record_mark = 0;
    enum status status = wire_response_begin(buffer, id, STATUS_OK, flags, &mark);

    if (status == STATUS_OK) {
        status = wire_record_begin(buffer, flags, &record_mark);
    }
    if (status == STATUS_OK) {
        wire_record_finish(buffer, record_mark, flags, record);
    }
    return finish_or_rollback(buffer, start, mark, status);
}

enum status wire_response_count(struct buffer *buffer, uint32_t id, uint64_t count,
                                struct slice cursor, bool at_end) {
    size_t start = buffer_mark(buffer);
    size_t mark = start;
    enum status status = wire_response_begin(buffer, id, STATUS_OK, 0, &mark);

    ASSERT(at_end == (cursor.len == 0));
    ASSERT(cursor.len <= WIRE_CURSOR_BYTES_MAX);
    if (status == STATUS_OK) {
        status = buffer_append_u8(buffer, at_end ? WIRE_PAGE_END : 0);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, count);
    }
    if (status == STATUS_OK) {
        status = append_block(buffer, cursor);
    }
    return finish_or_rollback(buffer, start, mark, status);
}

/* --- records --- */

enum status wire_record_begin(struct buffer *buffer, uint32_t flags, size_t *mark_out) {
    size_t mark = buffer_mark(buffer);
    uint8_t *start;
    enum status status = buffer_extend(buffer, record_bytes(flags), &start);

    if (status == STATUS_OK) {
        memset(start, 0, record_bytes(flags)); /* a record left unfinished leaks no old bytes */
        *mark_out = mark;
    }
    return status;
}

void wire_record_finish(struct buffer *buffer, size_t mark, uint32_t flags,
                        const struct wire_record *record) {
    uint8_t *start;

    ASSERT(mark + record_bytes(flags) <= buffer->len);
    start = buffer->data + mark;
    store_u64(start, record->version);
    store_u64(start + 8, record->expires_at_ms);
    store_u64(start + 16, record->value_len);
    store_u32(start + 24, record->user_flags);
    if (flags & WIRE_FLAG_CHECKSUM) {
        store_u64(start + WIRE_RECORD_BYTES, record->checksum);
    }
}

struct slice wire_record_value(const struct buffer *buffer, size_t mark, uint32_t flags) {
    size_t start = mark + record_bytes(flags);

    ASSERT(start <= buffer->len);
    return slice_make(buffer->data + start, buffer->len - start);
}

/* --- lists and pages --- */

enum status wire_list_begin(struct buffer *buffer, size_t *mark_out) {
    size_t mark = buffer_mark(buffer);
    enum status status = buffer_append_u32(buffer, 0);

    if (status == STATUS_OK) {
        *mark_out = mark;
    }
    return status;
}

void wire_list_finish(struct buffer *buffer, size_t mark, uint32_t count) {
    ASSERT(mark + LIST_COUNT_BYTES <= buffer->len);
    store_u32(buffer->data + mark, count);
}

enum status wire_mget_entry_begin(struct buffer *buffer) {
    return buffer_append_u16(buffer, wire_status_number(STATUS_OK));
}

enum status wire_mget_entry_error(struct buffer *buffer, enum status status, struct slice text) {
    size_t mark = buffer_mark(buffer);
    enum status done = buffer_append_u16(buffer, wire_status_number(status));

    ASSERT(status != STATUS_OK);
    if (done == STATUS_OK && status != STATUS_NOT_FOUND) {
        done = append_block(buffer, text);
    }
    if (done != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return done;
}

enum status wire_transact_begin(struct buffer *buffer, bool held, size_t *list_mark_out) {
    enum status status = buffer_append_u64(buffer, 0);

    if (status == STATUS_OK) {
        status = buffer_append_u8(buffer, held);
    }
    return status == STATUS_OK ? wire_list_begin(buffer, list_mark_out) : status;
}

enum status wire_result_entry(struct buffer *buffer, uint8_t kind, int64_t number) {
    size_t mark = buffer_mark(buffer);
    enum status status = buffer_append_u8(buffer, kind);

    if (status == STATUS_OK && kind == WIRE_RESULT_NUMBER) {
        status = buffer_append_u64(buffer, (uint64_t)number);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

enum status wire_result_found_begin(struct buffer *buffer) {
    return buffer_append_u8(buffer, WIRE_RESULT_FOUND);
}

void wire_transact_version(struct buffer *buffer, size_t mark, uint64_t version) {
    ASSERT(mark + WIRE_FRAME_HEADER_BYTES + sizeof version <= buffer->len);
    store_u64(buffer->data + mark + WIRE_FRAME_HEADER_BYTES, version);
}

enum status wire_page_begin(struct buffer *buffer, size_t *mark_out) {
    size_t mark = buffer_mark(buffer);
    uint8_t *start;
    enum status status = buffer_extend(buffer, PAGE_HEAD_BYTES, &start);

    if (status == STATUS_OK) {
        memset(start, 0, PAGE_HEAD_BYTES);
        *mark_out = mark;
    }
    return status;
}

enum status wire_scan_entry_begin(struct buffer *buffer, struct slice key) {
    return append_block(buffer, key);
}

enum status wire_page_finish(struct buffer *buffer, size_t mark, uint32_t count,
                             struct slice cursor, bool at_end) {
    enum status status;

    ASSERT(mark + PAGE_HEAD_BYTES <= buffer->len);
    ASSERT(at_end == (cursor.len == 0));
    ASSERT(cursor.len <= WIRE_CURSOR_BYTES_MAX);
    status = append_block(buffer, cursor);
    if (status == STATUS_OK) {
        buffer->data[mark] = at_end ? WIRE_PAGE_END : 0;
        store_u32(buffer->data + mark + 1, count);
    }
    return status;
}

void wire_page_set_last_bare(struct buffer *buffer, size_t mark) {
    ASSERT(mark + PAGE_HEAD_BYTES <= buffer->len);
    ASSERT(load_u32(buffer->data + mark + 1) > 0);
    buffer->data[mark] |= WIRE_PAGE_LAST_BARE;
}

void wire_history_finish(struct buffer *buffer, size_t mark, uint32_t count, bool at_end) {
    ASSERT(mark + PAGE_HEAD_BYTES <= buffer->len);
    buffer->data[mark] = at_end ? WIRE_PAGE_END : 0;
    store_u32(buffer->data + mark + 1, count);
}
