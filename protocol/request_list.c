/* request_list.c: keys of an MGET and items of a BATCH, checked once, then walked where they lie.
 */
#include "protocol/request_decoder.h"

enum status wire_list_next_key(struct wire_list *list, struct slice *key_out) {
    struct reader reader = reader_make(list->bytes);

    if (list->count == 0) {
        return STATUS_END;
    }
    if (!reader_take_block(&reader, key_out)) {
        return STATUS_PROTOCOL;
    }
    list->count--;
    list->bytes = slice_make(reader.ptr, reader_left(&reader));
    return STATUS_OK;
}

#define ITEM_EXPIRY (WIRE_ITEM_TTL | WIRE_ITEM_EXPIRE_AT)
#define ITEM_FLAGS_PUT                                                                             \
    (ITEM_EXPIRY | WIRE_ITEM_CONDITION | WIRE_ITEM_CHECKSUM | WIRE_ITEM_USER_FLAGS)

/* The item flags that have a meaning for each kind. */
static const uint8_t item_flags[] = {
    [WIRE_ITEM_PUT] = ITEM_FLAGS_PUT,
    [WIRE_ITEM_DELETE] = WIRE_ITEM_CONDITION,
    [WIRE_ITEM_DELETE_RANGE] = 0,
    [WIRE_ITEM_ADD] = WIRE_ITEM_CONDITION,
    [WIRE_ITEM_APPEND] = WIRE_ITEM_CONDITION,
    [WIRE_ITEM_TOUCH] = ITEM_EXPIRY | WIRE_ITEM_CONDITION,
    [WIRE_ITEM_PERSIST] = WIRE_ITEM_CONDITION,
};

static enum status take_item_head(struct decoder *decoder, struct wire_item *item) {
    int expiry;
    int strange;

    if (!reader_take_u8(&decoder->reader, &item->kind) ||
        !reader_take_u8(&decoder->reader, &item->flags)) {
        return decoder_refuse_short(decoder);
    }
    if (item->kind < WIRE_ITEM_PUT || item->kind > WIRE_ITEM_PERSIST) {
        return decoder_refuse(decoder, STATUS_INVALID, "the kind of the item is not 1 to 7",
                              item->kind);
    }
    strange = item->flags & ~item_flags[item->kind];
    expiry = item->flags & ITEM_EXPIRY;
    if (strange) {
        return decoder_refuse(decoder, STATUS_INVALID, "an item flag has no meaning for this item",
                              (uint64_t)strange);
    }
    if (expiry == ITEM_EXPIRY) {
        return decoder_refuse(decoder, STATUS_INVALID, "ttl and expire at exclude each other", 0);
    }
    if (item->kind == WIRE_ITEM_TOUCH && expiry == 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "a touch needs ttl or expire at", 0);
    }
    return STATUS_OK;
}

static enum status take_item_fields(struct decoder *decoder, struct wire_item *item) {
    enum status status = STATUS_OK;

    if (item->flags & WIRE_ITEM_TTL) {
        status = decoder_take_ttl(decoder, &item->ttl_ms);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_EXPIRE_AT)) {
        status = decoder_take_expire_at(decoder, &item->expire_at_ms);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_CONDITION)) {
        status = decoder_take_condition(decoder, &item->condition, &item->version);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_CHECKSUM)) {
        status = decoder_take_u64(decoder, &item->checksum);
    }
    if (status == STATUS_OK && (item->flags & WIRE_ITEM_USER_FLAGS) &&
        !reader_take_u32(&decoder->reader, &item->user_flags)) {
        status = decoder_refuse_short(decoder);
    }
    return status;
}

/* What stands behind the key. */
static bool take_item_end(struct decoder *decoder, struct wire_item *item) {
    uint64_t amount = 0;

    switch ((enum wire_item_kind)item->kind) {
    case WIRE_ITEM_PUT:
    case WIRE_ITEM_DELETE_RANGE:
    case WIRE_ITEM_APPEND:
        return reader_take_block(&decoder->reader, &item->value);
    case WIRE_ITEM_ADD:
        if (!reader_take_u64(&decoder->reader, &amount)) {
            return false;
        }
        item->amount = (int64_t)amount;
        return true;
    case WIRE_ITEM_DELETE:
    case WIRE_ITEM_TOUCH:
    case WIRE_ITEM_PERSIST:
        return true;
    }
    return false;
}

static enum status take_item(struct decoder *decoder, struct wire_item *item) {
    enum status status = take_item_head(decoder, item);

    if (status == STATUS_OK) {
        status = take_item_fields(decoder, item);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return reader_take_block(&decoder->reader, &item->key) && take_item_end(decoder, item)
               ? STATUS_OK
               : decoder_refuse_short(decoder);
}

enum status wire_list_next_item(struct wire_list *list, struct wire_item *item_out) {
    struct wire_refusal refusal = {0};
    struct decoder decoder = {reader_make(list->bytes), NULL, &refusal};
    struct wire_item item = {0};

    if (list->count == 0) {
        return STATUS_END;
    }
    if (take_item(&decoder, &item) != STATUS_OK) {
        return STATUS_PROTOCOL;
    }
    list->count--;
    list->bytes = decoder_take_rest(&decoder);
    *item_out = item;
    return STATUS_OK;
}

/* Takes the count of a list and remembers where its elements begin. */
static enum status take_list_start(struct decoder *decoder, uint32_t count_max, const char *text,
                                   struct wire_list *list) {
    if (!reader_take_varint32(&decoder->reader, &list->count)) {
        return decoder_refuse_short(decoder);
    }
    if (list->count == 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "the list is empty", 0);
    }
    if (list->count > count_max) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, text, count_max);
    }
    list->bytes = slice_make(decoder->reader.ptr, reader_left(&decoder->reader));
    return STATUS_OK;
}

enum status decoder_take_keys(struct decoder *decoder, struct wire_list *list) {
    enum status status = take_list_start(decoder, decoder->limits->mget_keys_max,
                                         "more keys than mget_keys_max", list);

    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++) {
        struct slice key;
        status = reader_take_block(&decoder->reader, &key) ? decoder_check_key(decoder, key)
                                                           : decoder_refuse_short(decoder);
        if (status != STATUS_OK) {
            decoder->refusal->item = i;
        }
    }
    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}

static enum status check_item(struct decoder *decoder, const struct wire_item *item) {
    enum status status;

    if (item->kind == WIRE_ITEM_DELETE_RANGE) {
        return decoder_check_bounds(decoder, item->key, item->value);
    }
    status = decoder_check_key(decoder, item->key);
    return status == STATUS_OK ? decoder_check_value(decoder, item->value) : status;
}

static enum status take_checked_item(struct decoder *decoder, uint64_t *bytes) {
    struct wire_item item = {0};
    enum status status = take_item(decoder, &item);

    if (status == STATUS_OK) {
        status = check_item(decoder, &item);
    }
    *bytes += item.key.len + item.value.len;
    if (status == STATUS_OK && *bytes > decoder->limits->batch_bytes_max) {
        status =
            decoder_refuse(decoder, STATUS_TOO_LARGE, "the batch is larger than batch_bytes_max",
                           decoder->limits->batch_bytes_max);
    }
    return status;
}

enum status decoder_take_items(struct decoder *decoder, struct wire_list *list) {
    uint64_t bytes = 0;
    enum status status = take_list_start(decoder, decoder->limits->batch_items_max,
                                         "more items than batch_items_max", list);

    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++) {
        status = take_checked_item(decoder, &bytes);
        if (status != STATUS_OK) {
            decoder->refusal->item = i;
        }
    }
    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}
