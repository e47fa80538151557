/* response_feed.c: the page of a FEED, written and read. */
#include "protocol/base/assert.h"
#include "protocol/response_decoder.h"

#define HEAD_BYTES 49u /* page flags, count, next position, durable version, gap */
#define ENTRY_LAST 1u

/* --- writing --- */

enum status wire_feed_begin(struct buffer *buffer, size_t *mark_out) {
    size_t mark = buffer_mark(buffer);
    uint8_t *start;
    enum status status = buffer_extend(buffer, HEAD_BYTES, &start);

    if (status == STATUS_OK) {
        memset(start, 0, HEAD_BYTES);
        *mark_out = mark;
    }
    return status;
}

static enum status append_block(struct buffer *buffer, struct slice bytes) {
    enum status status = buffer_append_varint(buffer, bytes.len);

    return status == STATUS_OK && bytes.len > 0 ? buffer_append(buffer, bytes.ptr, bytes.len)
                                                : status;
}

static enum status append_record(struct buffer *buffer, const struct wire_record *record) {
    size_t mark;
    enum status status = wire_record_begin(buffer, WIRE_FLAG_CHECKSUM, &mark);

    if (status == STATUS_OK) {
        wire_record_finish(buffer, mark, WIRE_FLAG_CHECKSUM, record);
    }
    return status;
}

static enum status append_put(struct buffer *buffer, const struct wire_feed_change *change,
                              size_t *value_mark_out) {
    enum status status = append_record(buffer, &change->record);

    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, change->value_offset);
    }
    if (status == STATUS_OK) {
        *value_mark_out = buffer_mark(buffer);
        status = buffer_append_u32(buffer, 0);
    }
    return status;
}

static enum status append_end(struct buffer *buffer, const struct wire_feed_change *change,
                              size_t *value_mark_out) {
    switch ((enum wire_feed_kind)change->kind) {
    case WIRE_FEED_PUT:
        return append_put(buffer, change, value_mark_out);
    case WIRE_FEED_DELETE:
        return STATUS_OK;
    case WIRE_FEED_DELETE_RANGE:
        return append_block(buffer, change->to);
    case WIRE_FEED_SUPERSEDED:
        return append_record(buffer, &change->record);
    }
    ASSERT(false);
    return STATUS_INTERNAL;
}

enum status wire_feed_entry(struct buffer *buffer, const struct wire_feed_change *change,
                            size_t *value_mark_out) {
    size_t start = buffer_mark(buffer);
    enum status status = buffer_append_u8(buffer, change->kind);

    if (status == STATUS_OK) {
        status = buffer_append_u8(buffer, change->last ? ENTRY_LAST : 0);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, change->version);
    }
    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, change->time_ms);
    }
    if (status == STATUS_OK) {
        status = append_block(buffer, change->key);
    }
    if (status == STATUS_OK) {
        status = append_end(buffer, change, value_mark_out);
    }
    if (status != STATUS_OK) {
        buffer_rollback(buffer, start);
    }
    return status;
}

void wire_feed_value_finish(struct buffer *buffer, size_t value_mark) {
    ASSERT(value_mark + sizeof(uint32_t) <= buffer->len);
    store_u32(buffer->data + value_mark, (uint32_t)(buffer->len - value_mark - sizeof(uint32_t)));
}

void wire_feed_finish(struct buffer *buffer, size_t mark, uint32_t count,
                      const struct wire_feed *feed, bool at_end) {
    uint8_t *head;

    ASSERT(mark + HEAD_BYTES <= buffer->len);
    head = buffer->data + mark;
    head[0] = at_end ? WIRE_PAGE_END : 0;
    store_u32(head + 1, count);
    store_u64(head + 5, feed->next.version);
    store_u32(head + 13, feed->next.skip);
    store_u64(head + 17, feed->next.value_offset);
    store_u64(head + 25, feed->durable_version);
    store_u64(head + 33, feed->gap_from);
    store_u64(head + 41, feed->gap_to);
}

/* --- reading --- */

bool decoder_take_feed(struct reader *reader, struct wire_response *response) {
    struct wire_feed *feed = &response->feed;
    struct wire_list *list = &response->page.list;

    if (!reader_take_u32(reader, &list->count) || !reader_take_u64(reader, &feed->next.version) ||
        !reader_take_u32(reader, &feed->next.skip) ||
        !reader_take_u64(reader, &feed->next.value_offset) ||
        !reader_take_u64(reader, &feed->durable_version) ||
        !reader_take_u64(reader, &feed->gap_from) || !reader_take_u64(reader, &feed->gap_to) ||
        feed->gap_from > feed->gap_to || (feed->gap_from == 0) != (feed->gap_to == 0)) {
        return false;
    }
    response->page.count = list->count;
    list->bytes = slice_make(reader->ptr, reader_left(reader));
    return true;
}

/* The part lies in its value. */
static bool take_part(struct reader *reader, struct wire_feed_change *change) {
    uint32_t len;

    return reader_take_u64(reader, &change->value_offset) && reader_take_u32(reader, &len) &&
           reader_take_bytes(reader, len, &change->value) &&
           change->value_offset <= change->record.value_len &&
           len <= change->record.value_len - change->value_offset;
}

static bool take_end(struct reader *reader, uint32_t flags, struct wire_feed_change *change) {
    switch (change->kind) {
    case WIRE_FEED_PUT:
        return change->key.len > 0 && decoder_take_record(reader, flags, &change->record) &&
               take_part(reader, change);
    case WIRE_FEED_DELETE:
        return change->key.len > 0;
    case WIRE_FEED_DELETE_RANGE:
        return reader_take_block(reader, &change->to);
    case WIRE_FEED_SUPERSEDED:
        return change->key.len > 0 && decoder_take_record(reader, flags, &change->record);
    default:
        return false;
    }
}

bool decoder_take_feed_change(struct reader *reader, uint32_t flags,
                              struct wire_feed_change *change) {
    uint8_t entry_flags;

    if (!reader_take_u8(reader, &change->kind) || !reader_take_u8(reader, &entry_flags) ||
        entry_flags > ENTRY_LAST || !reader_take_u64(reader, &change->version) ||
        !reader_take_u64(reader, &change->time_ms) || !reader_take_block(reader, &change->key)) {
        return false;
    }
    change->last = entry_flags == ENTRY_LAST;
    return take_end(reader, flags, change);
}
