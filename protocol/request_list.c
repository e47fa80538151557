/* request_list.c: the lists of MGET, BATCH and TRANSACT, checked once, then walked where they lie.
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
    [WIRE_ITEM_GET] = 0,
};

static enum status take_item_head(struct decoder *decoder, struct wire_item *item) {
    int expiry;
    int strange;

    if (!reader_take_u8(&decoder->reader, &item->kind) ||
        !reader_take_u8(&decoder->reader, &item->flags)) {
        return decoder_refuse_short(decoder);
    }
    if (item->kind < WIRE_ITEM_PUT || item->kind > WIRE_ITEM_GET) {
        return decoder_refuse(decoder, STATUS_INVALID, "the kind of the item is not known",
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
    case WIRE_ITEM_GET:
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

/* Takes the count of a list, which may be 0, and remembers where its elements begin. */
static enum status take_list_head(struct decoder *decoder, uint32_t count_max, const char *text,
                                  struct wire_list *list) {
    if (!reader_take_varint32(&decoder->reader, &list->count)) {
        return decoder_refuse_short(decoder);
    }
    if (list->count > count_max) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, text, count_max);
    }
    list->bytes = slice_make(decoder->reader.ptr, reader_left(&decoder->reader));
    return STATUS_OK;
}

/* The same for a list that has at least one element. */
static enum status take_list_start(struct decoder *decoder, uint32_t count_max, const char *text,
                                   struct wire_list *list) {
    enum status status = take_list_head(decoder, count_max, text, list);

    return status == STATUS_OK && list->count == 0
               ? decoder_refuse(decoder, STATUS_INVALID, "the list is empty", 0)
               : status;
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

static enum status count_bytes(struct decoder *decoder, uint64_t *bytes, uint64_t more) {
    *bytes += more;
    return *bytes <= decoder->limits->batch_bytes_max
               ? STATUS_OK
               : decoder_refuse(decoder, STATUS_TOO_LARGE,
                                "the batch is larger than batch_bytes_max",
                                decoder->limits->batch_bytes_max);
}

/* What a list is made of. */
enum list_of { LIST_OF_WRITES, LIST_OF_WRITES_AND_GETS, LIST_OF_PUTS };

static enum status check_kind(struct decoder *decoder, enum list_of list_of,
                              const struct wire_item *item) {
    if (item->kind == WIRE_ITEM_GET && list_of == LIST_OF_WRITES) {
        return decoder_refuse(decoder, STATUS_INVALID, "a batch does not read", item->kind);
    }
    if (list_of == LIST_OF_PUTS &&
        (item->kind != WIRE_ITEM_PUT || (item->flags & WIRE_ITEM_CONDITION))) {
        return decoder_refuse(decoder, STATUS_INVALID, "a load has puts without conditions alone",
                              item->kind);
    }
    return STATUS_OK;
}

static enum status take_checked_item(struct decoder *decoder, enum list_of list_of,
                                     uint64_t *bytes) {
    struct wire_item item = {0};
    enum status status = take_item(decoder, &item);

    if (status == STATUS_OK) {
        status = check_kind(decoder, list_of, &item);
    }
    if (status == STATUS_OK) {
        status = check_item(decoder, &item);
    }
    return status == STATUS_OK ? count_bytes(decoder, bytes, item.key.len + item.value.len)
                               : status;
}

/* Takes the items of a list whose head was taken. */
static enum status take_items(struct decoder *decoder, enum list_of list_of, uint64_t *bytes,
                              const struct wire_list *list) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++) {
        status = take_checked_item(decoder, list_of, bytes);
        if (status != STATUS_OK) {
            decoder->refusal->item = i;
        }
    }
    return status;
}

#define TOO_MANY_ITEMS "more items than batch_items_max"

static enum status take_all_items(struct decoder *decoder, enum list_of list_of,
                                  struct wire_list *list) {
    uint64_t bytes = 0;
    enum status status =
        take_list_start(decoder, decoder->limits->batch_items_max, TOO_MANY_ITEMS, list);

    if (status == STATUS_OK) {
        status = take_items(decoder, list_of, &bytes, list);
    }
    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}

enum status decoder_take_items(struct decoder *decoder, struct wire_list *list) {
    return take_all_items(decoder, LIST_OF_WRITES, list);
}

enum status decoder_take_loaded(struct decoder *decoder, struct wire_list *list) {
    return take_all_items(decoder, LIST_OF_PUTS, list);
}

/* ---- TRANSACT */

static enum status take_comparison(struct decoder *decoder, struct wire_comparison *comparison) {
    uint8_t relation_max;

    if (!reader_take_u8(&decoder->reader, &comparison->kind) ||
        !reader_take_u8(&decoder->reader, &comparison->relation) ||
        !reader_take_block(&decoder->reader, &comparison->key)) {
        return decoder_refuse_short(decoder);
    }
    if (comparison->kind < WIRE_COMPARE_PRESENCE || comparison->kind > WIRE_COMPARE_VALUE) {
        return decoder_refuse(decoder, STATUS_INVALID, "the kind of the comparison is not 1 to 3",
                              comparison->kind);
    }
    relation_max =
        comparison->kind == WIRE_COMPARE_PRESENCE ? WIRE_RELATION_DIFFERENT : WIRE_RELATION_GREATER;
    if (comparison->relation < WIRE_RELATION_EQUAL || comparison->relation > relation_max) {
        return decoder_refuse(decoder, STATUS_INVALID,
                              "the relation is not known for this comparison",
                              comparison->relation);
    }
    if (comparison->kind == WIRE_COMPARE_VERSION) {
        return decoder_take_u64(decoder, &comparison->version);
    }
    return comparison->kind == WIRE_COMPARE_PRESENCE ||
                   reader_take_block(&decoder->reader, &comparison->value)
               ? STATUS_OK
               : decoder_refuse_short(decoder);
}

enum status wire_list_next_comparison(struct wire_list *list,
                                      struct wire_comparison *comparison_out) {
    struct wire_refusal refusal = {0};
    struct decoder decoder = {reader_make(list->bytes), NULL, &refusal};
    struct wire_comparison comparison = {0};

    if (list->count == 0) {
        return STATUS_END;
    }
    if (take_comparison(&decoder, &comparison) != STATUS_OK) {
        return STATUS_PROTOCOL;
    }
    list->count--;
    list->bytes = decoder_take_rest(&decoder);
    *comparison_out = comparison;
    return STATUS_OK;
}

/* What was taken of a list that others follow is all of it. */
static void end_list(const struct decoder *decoder, struct wire_list *list) {
    if (list->bytes.ptr) {
        list->bytes.len = (size_t)(decoder->reader.ptr - list->bytes.ptr);
    }
}

static enum status take_comparisons(struct decoder *decoder, uint64_t *bytes,
                                    struct wire_list *list) {
    enum status status = take_list_head(decoder, decoder->limits->batch_items_max,
                                        "more comparisons than batch_items_max", list);

    for (uint32_t i = 0; status == STATUS_OK && i < list->count; i++) {
        struct wire_comparison comparison = {0};
        status = take_comparison(decoder, &comparison);
        if (status == STATUS_OK) {
            status = decoder_check_key(decoder, comparison.key);
        }
        if (status == STATUS_OK) {
            status = count_bytes(decoder, bytes, comparison.key.len + comparison.value.len);
        }
        if (status != STATUS_OK) {
            decoder->refusal->item = i;
        }
    }
    end_list(decoder, list);
    return status;
}

static enum status take_branch(struct decoder *decoder, uint64_t *bytes, struct wire_list *list) {
    enum status status =
        take_list_head(decoder, decoder->limits->batch_items_max, TOO_MANY_ITEMS, list);

    if (status == STATUS_OK) {
        status = take_items(decoder, LIST_OF_WRITES_AND_GETS, bytes, list);
    }
    end_list(decoder, list);
    return status;
}

enum status decoder_take_transact(struct decoder *decoder, struct wire_request *request) {
    uint64_t bytes = 0;
    enum status status = take_comparisons(decoder, &bytes, &request->comparisons);

    if (status == STATUS_OK) {
        status = take_branch(decoder, &bytes, &request->list);
    }
    if (status == STATUS_OK) {
        status = take_branch(decoder, &bytes, &request->other_list);
    }
    return status == STATUS_OK ? decoder_check_end(decoder) : status;
}
