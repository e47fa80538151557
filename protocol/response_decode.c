/* response_decode.c: the client's half of response.h: bytes to structs, everything checked. */
#include "protocol/response_decoder.h"

#define SHORT "the body ends before its fields do"

/* --- bodies; each returns NULL, or what is wrong --- */

static bool take_conflict(struct reader *reader, struct wire_conflict *conflict) {
    return reader_take_u8(reader, &conflict->flags) &&
           reader_take_block(reader, &conflict->namespace_name) &&
           reader_take_block(reader, &conflict->from) && reader_take_block(reader, &conflict->to);
}

static const char *take_error(struct reader *reader, enum status status, struct wire_error *error) {
    *error = (struct wire_error){.item = WIRE_NO_ITEM};
    if (reader_left(reader) == 0) {
        return NULL;
    }
    if (!reader_take_u32(reader, &error->item) || !reader_take_u64(reader, &error->detail)) {
        return SHORT;
    }
    if (status == STATUS_CONFLICT && !take_conflict(reader, &error->conflict)) {
        return SHORT;
    }
    error->text = decoder_take_rest(reader);
    return NULL;
}

static uint32_t clamp_u32(uint64_t value) {
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void set_limit(struct wire_limits *limits, uint16_t id, uint64_t value) {
    switch (id) {
    case WIRE_LIMIT_FRAME_MAX:
        limits->frame_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_KEY_MAX:
        limits->key_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_VALUE_MAX:
        limits->value_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_REQUESTS_MAX:
        limits->requests_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_MGET_KEYS_MAX:
        limits->mget_keys_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_BATCH_ITEMS_MAX:
        limits->batch_items_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_BATCH_BYTES_MAX:
        limits->batch_bytes_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_SCAN_ENTRIES_MAX:
        limits->scan_entries_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_SCAN_PAGE_BYTES_MAX:
        limits->scan_page_bytes_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_MEMORY_BYTES:
        limits->memory_bytes = value;
        break;
    case WIRE_LIMIT_DURABILITY:
        limits->durability = (uint8_t)(value & 0xFF);
        break;
    case WIRE_LIMIT_TRANSACTIONS_MAX:
        limits->transactions_max = clamp_u32(value);
        break;
    case WIRE_LIMIT_TRANSACTION_BYTES:
        limits->transaction_bytes = value;
        break;
    case WIRE_LIMIT_TRANSACTION_AGE_MS:
        limits->transaction_age_ms = clamp_u32(value);
        break;
    case WIRE_LIMIT_TRANSACTION_IDLE_MS:
        limits->transaction_idle_ms = clamp_u32(value);
        break;
    default: /* a limit of a later version */
        break;
    }
}

static const char *take_hello(struct reader *reader, struct wire_hello *hello) {
    uint16_t count;

    if (!reader_take_u16(reader, &hello->version) || !reader_take_u64(reader, &hello->features) ||
        !reader_take_u16(reader, &count)) {
        return SHORT;
    }
    for (uint16_t i = 0; i < count; i++) {
        uint16_t id;
        uint64_t value;
        if (!reader_take_u16(reader, &id) || !reader_take_u64(reader, &value)) {
            return SHORT;
        }
        set_limit(&hello->limits, id, value);
    }
    if (hello->limits.frame_max == 0 || hello->limits.frame_max > WIRE_BODY_CEILING) {
        return "the server's frame_max is 0 or above 1 GiB";
    }
    hello->server_name = decoder_take_rest(reader);
    return hello->server_name.len > WIRE_NAME_BYTES_MAX ? "the server name is too long" : NULL;
}

static const char *take_get(struct reader *reader, struct wire_response *response) {
    if (!decoder_take_record(reader, response->flags, &response->record)) {
        return SHORT;
    }
    response->payload = decoder_take_rest(reader);
    return response->payload.len == response->record.value_len
               ? NULL
               : "the value is not as long as its record says";
}

static const char *take_get_range(struct reader *reader, struct wire_response *response) {
    if (!decoder_take_record(reader, response->flags, &response->record)) {
        return SHORT;
    }
    response->payload = decoder_take_rest(reader);
    return response->payload.len <= response->record.value_len ? NULL
                                                               : "a part is longer than its value";
}

static const char *take_list_start(struct reader *reader, struct wire_list *list) {
    if (!reader_take_u32(reader, &list->count)) {
        return SHORT;
    }
    list->bytes = slice_make(reader->ptr, reader_left(reader));
    return NULL;
}

static const char *take_list(struct reader *reader, struct wire_response *response) {
    const char *reason = take_list_start(reader, decoder_list_of(response));

    if (reason) {
        return reason;
    }
    return decoder_skip_list(reader, response) ? NULL : SHORT;
}

/* Results follow the version of a batch that has some. */
static const char *take_batch(struct reader *reader, struct wire_response *response) {
    if (!reader_take_u64(reader, &response->version)) {
        return SHORT;
    }
    return reader_left(reader) > 0 ? take_list(reader, response) : NULL;
}

static const char *take_transact(struct reader *reader, struct wire_response *response) {
    uint8_t held;

    if (!reader_take_u64(reader, &response->version) || !reader_take_u8(reader, &held)) {
        return SHORT;
    }
    response->held = held == 1;
    return held <= 1 ? take_list(reader, response) : "neither held nor not";
}

static const char *take_snapshot(struct reader *reader, struct wire_snapshot *snapshot) {
    return reader_take_u64(reader, &snapshot->id) && reader_take_u64(reader, &snapshot->version) &&
                   reader_take_u64(reader, &snapshot->time_ms) &&
                   reader_take_u64(reader, &snapshot->deadline_ms)
               ? NULL
               : SHORT;
}

static const char *take_add(struct reader *reader, struct wire_response *response) {
    uint64_t sum;

    if (!reader_take_u64(reader, &response->version) || !reader_take_u64(reader, &sum)) {
        return SHORT;
    }
    response->sum = (int64_t)sum;
    return NULL;
}

static const char *take_page_flags(struct reader *reader, struct wire_page *page) {
    uint8_t flags;

    if (!reader_take_u8(reader, &flags)) {
        return SHORT;
    }
    page->at_end = (flags & WIRE_PAGE_END) != 0;
    page->last_bare = (flags & WIRE_PAGE_LAST_BARE) != 0;
    return flags & ~(WIRE_PAGE_END | WIRE_PAGE_LAST_BARE) ? "a page flag is not known" : NULL;
}

static const char *take_cursor(struct reader *reader, struct wire_page *page) {
    if (!reader_take_block(reader, &page->cursor)) {
        return SHORT;
    }
    if (page->cursor.len > WIRE_CURSOR_BYTES_MAX) {
        return "the cursor is too long";
    }
    return page->at_end == (page->cursor.len == 0) ? NULL : "cursor and end contradict each other";
}

/* A page with a list; a HISTORY has no cursor. */
static const char *take_page(struct reader *reader, struct wire_response *response) {
    struct wire_page *page = &response->page;
    const char *reason = take_page_flags(reader, page);

    if (!reason) {
        reason = take_list(reader, response);
    }
    page->count = page->list.count;
    if (page->last_bare && (response->opcode != WIRE_SCAN || page->count == 0)) {
        return "a page without a last entry calls it bare";
    }
    if (reason || response->opcode != WIRE_HISTORY) {
        return reason ? reason : take_cursor(reader, page);
    }
    return page->at_end || page->count > 0 ? NULL : "a page of no entries that is not the end";
}

static const char *take_feed(struct reader *reader, struct wire_response *response) {
    const char *reason = take_page_flags(reader, &response->page);

    if (reason || response->page.last_bare) {
        return reason ? reason : "a page flag has no meaning for FEED";
    }
    return decoder_take_feed(reader, response) && decoder_skip_list(reader, response) ? NULL
                                                                                      : SHORT;
}

static const char *take_count(struct reader *reader, struct wire_page *page) {
    const char *reason = take_page_flags(reader, page);

    if (page->last_bare) {
        return "a page flag has no meaning for COUNT";
    }
    if (!reason && !reader_take_u64(reader, &page->count)) {
        reason = SHORT;
    }
    return reason ? reason : take_cursor(reader, page);
}

/* Answers of writes, and of EXISTS. */
static const char *take_written(struct reader *reader, struct wire_response *response) {
    switch (response->opcode) {
    case WIRE_BATCH:
        return take_batch(reader, response);
    case WIRE_ADD:
        return take_add(reader, response);
    case WIRE_APPEND:
    case WIRE_REWIND:
    case WIRE_BULK_LOAD:
        return reader_take_u64(reader, &response->version) &&
                       reader_take_u64(reader, &response->number)
                   ? NULL
                   : SHORT;
    case WIRE_EXISTS:
    case WIRE_PUT:
    case WIRE_DELETE:
    case WIRE_DELETE_RANGE:
    case WIRE_TOUCH:
    case WIRE_PERSIST:
    case WIRE_UPLOAD_COMMIT:
    case WIRE_TXN_COMMIT:
    case WIRE_NAMESPACE_CREATE:
    case WIRE_NAMESPACE_DROP:
        return reader_take_u64(reader, &response->version) ? NULL : SHORT;
    default:
        return "the opcode has no response";
    }
}

static const char *take_ok(struct reader *reader, struct wire_response *response) {
    switch (response->opcode) {
    case WIRE_HELLO:
        return take_hello(reader, &response->hello);
    case WIRE_PING:
        response->payload = decoder_take_rest(reader);
        return NULL;
    case WIRE_GET:
        return take_get(reader, response);
    case WIRE_GET_RANGE:
        return take_get_range(reader, response);
    case WIRE_META:
        return decoder_take_record(reader, response->flags, &response->record) ? NULL : SHORT;
    case WIRE_COUNT:
        return take_count(reader, &response->page);
    case WIRE_SCAN:
    case WIRE_HISTORY:
    case WIRE_DIFF:
        return take_page(reader, response);
    case WIRE_FEED:
        return take_feed(reader, response);
    case WIRE_MGET:
    case WIRE_STATS:
    case WIRE_WHY:
    case WIRE_MAINTAIN:
    case WIRE_EXPLAIN:
    case WIRE_SNAPSHOT_LIST:
    case WIRE_NAMESPACE_LIST:
    case WIRE_SLOWLOG:
    case WIRE_CLIENTS:
    case WIRE_HOTKEYS:
    case WIRE_CONFIG:
        return take_list(reader, response);
    case WIRE_TRANSACT:
        return take_transact(reader, response);
    case WIRE_SNAPSHOT_OPEN:
    case WIRE_TXN_BEGIN:
        return take_snapshot(reader, &response->snapshot);
    case WIRE_UPLOAD_BEGIN:
    case WIRE_UPLOAD_DATA:
        return reader_take_u64(reader, &response->number) ? NULL : SHORT;
    case WIRE_UPLOAD_ABORT:
    case WIRE_SNAPSHOT_CLOSE:
    case WIRE_TXN_ABORT:
        return NULL;
    default:
        return take_written(reader, response);
    }
}

enum status wire_response_decode(const struct wire_frame *frame, uint16_t opcode, bool keys_only,
                                 struct wire_response *response_out, const char **reason_out) {
    struct wire_response response = {
        .id = frame->id, .flags = frame->flags, .opcode = opcode, .keys_only = keys_only};
    struct reader reader = reader_make(frame->body);
    const char *reason;

    if (wire_status_from_number(frame->code, &response.status) != STATUS_OK) {
        *reason_out = "the status is not known";
        return STATUS_PROTOCOL;
    }
    if (frame->flags & ~(uint32_t)WIRE_FLAG_CHECKSUM) {
        *reason_out = "a flag of the response is not known";
        return STATUS_UNSUPPORTED;
    }
    reason = response.status == STATUS_OK ? take_ok(&reader, &response)
                                          : take_error(&reader, response.status, &response.error);
    if (!reason && reader_left(&reader) != 0) {
        reason = "the body goes on behind its fields";
    }
    if (reason) {
        *reason_out = reason;
        return STATUS_PROTOCOL;
    }
    *response_out = response;
    return STATUS_OK;
}
