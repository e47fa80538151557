/* response_decode.c: the client's half of response.h: bytes to structs, everything checked. */
#include "protocol/response.h"

#define SHORT "the body ends before its fields do"

static struct slice take_rest(struct reader *reader) {
    struct slice rest = slice_make(reader->ptr, reader_left(reader));

    reader->ptr = reader->end;
    return rest;
}

/* --- pieces --- */

static bool take_record(struct reader *reader, uint32_t flags, struct wire_record *record) {
    *record = (struct wire_record){0};
    if (!reader_take_u64(reader, &record->version) ||
        !reader_take_u64(reader, &record->expires_at_ms) ||
        !reader_take_u64(reader, &record->value_len) ||
        !reader_take_u32(reader, &record->user_flags)) {
        return false;
    }
    record->has_checksum = (flags & WIRE_FLAG_CHECKSUM) != 0;
    return !record->has_checksum || reader_take_u64(reader, &record->checksum);
}

static bool take_value(struct reader *reader, const struct wire_record *record,
                       struct slice *value) {
    return record->value_len <= reader_left(reader) &&
           reader_take_bytes(reader, (size_t)record->value_len, value);
}

static bool take_mget_entry(struct reader *reader, uint32_t flags, struct wire_entry *entry) {
    uint16_t number;

    if (!reader_take_u16(reader, &number) ||
        wire_status_from_number(number, &entry->status) != STATUS_OK) {
        return false;
    }
    if (entry->status == STATUS_OK) {
        return take_record(reader, flags, &entry->record) &&
               take_value(reader, &entry->record, &entry->value);
    }
    return entry->status == STATUS_NOT_FOUND || reader_take_block(reader, &entry->text);
}

static bool take_scan_entry(struct reader *reader, uint32_t flags, bool keys_only,
                            struct wire_entry *entry) {
    entry->status = STATUS_OK;
    if (!reader_take_block(reader, &entry->key) || entry->key.len == 0 ||
        !take_record(reader, flags, &entry->record)) {
        return false;
    }
    return keys_only || take_value(reader, &entry->record, &entry->value);
}

static bool take_stat(struct reader *reader, struct slice *name, struct slice *value) {
    struct reader saved = *reader;

    if (reader_take_block(reader, name) && reader_take_block(reader, value)) {
        return true;
    }
    *reader = saved;
    return false;
}

/* --- bodies; each returns NULL, or what is wrong --- */

static const char *take_error(struct reader *reader, struct wire_error *error) {
    *error = (struct wire_error){.item = WIRE_NO_ITEM};
    if (reader_left(reader) == 0) {
        return NULL;
    }
    if (!reader_take_u32(reader, &error->item) || !reader_take_u64(reader, &error->detail)) {
        return SHORT;
    }
    error->text = take_rest(reader);
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
    hello->server_name = take_rest(reader);
    return hello->server_name.len > WIRE_NAME_BYTES_MAX ? "the server name is too long" : NULL;
}

static const char *take_get(struct reader *reader, struct wire_response *response) {
    if (!take_record(reader, response->flags, &response->record)) {
        return SHORT;
    }
    response->payload = take_rest(reader);
    return response->payload.len == response->record.value_len
               ? NULL
               : "the value is not as long as its record says";
}

static const char *take_list_start(struct reader *reader, struct wire_list *list) {
    if (!reader_take_u32(reader, &list->count)) {
        return SHORT;
    }
    list->bytes = slice_make(reader->ptr, reader_left(reader));
    return NULL;
}

static const char *take_mget(struct reader *reader, struct wire_response *response) {
    const char *reason = take_list_start(reader, &response->list);
    struct wire_entry entry;

    for (uint32_t i = 0; !reason && i < response->list.count; i++) {
        reason = take_mget_entry(reader, response->flags, &entry) ? NULL : SHORT;
    }
    return reason;
}

static const char *take_stats(struct reader *reader, struct wire_response *response) {
    const char *reason = take_list_start(reader, &response->list);
    struct slice name;
    struct slice value;

    for (uint32_t i = 0; !reason && i < response->list.count; i++) {
        reason = take_stat(reader, &name, &value) ? NULL : SHORT;
    }
    return reason;
}

static const char *take_page_flags(struct reader *reader, struct wire_page *page) {
    uint8_t flags;

    if (!reader_take_u8(reader, &flags)) {
        return SHORT;
    }
    page->at_end = (flags & WIRE_PAGE_END) != 0;
    return flags & ~WIRE_PAGE_END ? "a page flag is not known" : NULL;
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

static const char *take_scan(struct reader *reader, struct wire_response *response) {
    struct wire_page *page = &response->page;
    const char *reason = take_page_flags(reader, page);
    struct wire_entry entry;

    if (!reason) {
        reason = take_list_start(reader, &page->list);
    }
    for (uint32_t i = 0; !reason && i < page->list.count; i++) {
        if (!take_scan_entry(reader, response->flags, response->keys_only, &entry)) {
            reason = SHORT;
        }
    }
    page->count = page->list.count;
    return reason ? reason : take_cursor(reader, page);
}

static const char *take_count(struct reader *reader, struct wire_page *page) {
    const char *reason = take_page_flags(reader, page);

    if (!reason && !reader_take_u64(reader, &page->count)) {
        reason = SHORT;
    }
    return reason ? reason : take_cursor(reader, page);
}

static const char *take_ok(struct reader *reader, struct wire_response *response) {
    switch (response->opcode) {
    case WIRE_HELLO:
        return take_hello(reader, &response->hello);
    case WIRE_PING:
        response->payload = take_rest(reader);
        return NULL;
    case WIRE_GET:
        return take_get(reader, response);
    case WIRE_META:
        return take_record(reader, response->flags, &response->record) ? NULL : SHORT;
    case WIRE_MGET:
        return take_mget(reader, response);
    case WIRE_SCAN:
        return take_scan(reader, response);
    case WIRE_COUNT:
        return take_count(reader, &response->page);
    case WIRE_STATS:
        return take_stats(reader, response);
    case WIRE_EXISTS:
    case WIRE_PUT:
    case WIRE_DELETE:
    case WIRE_BATCH:
        return reader_take_u64(reader, &response->version) ? NULL : SHORT;
    default:
        return "the opcode has no response";
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
                                          : take_error(&reader, &response.error);
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

/* --- lists --- */

enum status wire_response_next_entry(struct wire_response *response, struct wire_entry *entry_out) {
    bool scan = response->opcode == WIRE_SCAN;
    struct wire_list *list = scan ? &response->page.list : &response->list;
    struct wire_entry entry = {0};
    struct reader reader;
    bool taken;

    if (list->count == 0) {
        return STATUS_END;
    }
    reader = reader_make(list->bytes);
    taken = scan ? take_scan_entry(&reader, response->flags, response->keys_only, &entry)
                 : take_mget_entry(&reader, response->flags, &entry);
    if (!taken) {
        return STATUS_PROTOCOL;
    }
    list->count--;
    list->bytes = take_rest(&reader);
    *entry_out = entry;
    return STATUS_OK;
}

enum status wire_response_next_stat(struct wire_response *response, struct slice *name_out,
                                    struct slice *value_out) {
    struct reader reader;

    if (response->list.count == 0) {
        return STATUS_END;
    }
    reader = reader_make(response->list.bytes);
    if (!take_stat(&reader, name_out, value_out)) {
        return STATUS_PROTOCOL;
    }
    response->list.count--;
    response->list.bytes = take_rest(&reader);
    return STATUS_OK;
}
