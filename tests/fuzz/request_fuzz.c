/* request_fuzz.c: any bytes as a request. What is accepted can be walked to its end and encodes to
 * the same bytes again (HELLO apart, whose later fields are skipped). */
#include "protocol/base/assert.h"
#include "protocol/wire.h"

static const struct wire_limits limits = {.frame_max = 1u << 20,
                                          .key_max = 1024,
                                          .value_max = 1u << 16,
                                          .mget_keys_max = 100,
                                          .batch_items_max = 100,
                                          .batch_bytes_max = 1u << 16};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void walk_items(struct wire_list list) {
    struct wire_item item;

    for (uint32_t left = list.count; left > 0; left--) {
        ASSERT(wire_list_next_item(&list, &item) == STATUS_OK);
        ASSERT(item.key.len > 0 || item.kind == WIRE_ITEM_DELETE_RANGE);
    }
    ASSERT(list.bytes.len == 0);
}

static void walk_transact(const struct wire_request *request) {
    struct wire_list list = request->comparisons;
    struct wire_comparison comparison;

    for (uint32_t left = list.count; left > 0; left--) {
        ASSERT(wire_list_next_comparison(&list, &comparison) == STATUS_OK);
        ASSERT(comparison.key.len > 0);
    }
    ASSERT(list.bytes.len == 0);
    walk_items(request->list);
    walk_items(request->other_list);
}

static void walk(const struct wire_request *request) {
    struct wire_list list = request->list;
    struct wire_item item;
    struct slice key;
    uint32_t count = 0;

    if (request->opcode == WIRE_MGET) {
        while (wire_list_next_key(&list, &key) == STATUS_OK) {
            ASSERT(key.len > 0);
            count++;
        }
    }
    if (request->opcode == WIRE_BATCH) {
        while (wire_list_next_item(&list, &item) == STATUS_OK) {
            ASSERT(item.key.len > 0 || item.kind == WIRE_ITEM_DELETE_RANGE);
            count++;
        }
    }
    if (request->opcode == WIRE_TRANSACT) {
        walk_transact(request);
        return;
    }
    ASSERT(count == request->list.count);
    ASSERT(list.bytes.len == 0);
}

static void check_same(const struct wire_request *request, struct slice bytes) {
    struct buffer buffer;

    buffer_init(&buffer, 4u << 20);
    ASSERT(wire_request_encode(&buffer, request) == STATUS_OK);
    ASSERT(slice_equal(buffer_slice(&buffer), bytes));
    buffer_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct wire_frame frame;
    struct wire_request request;
    struct wire_refusal refusal = {0};
    size_t wanted;
    const char *reason;

    if (wire_frame_decode(slice_make(data, len), WIRE_KIND_REQUEST, limits.frame_max, &frame,
                          &wanted, &reason) != STATUS_OK) {
        return 0;
    }
    if (wire_request_decode(&frame, &limits, WIRE_FLAGS_REQUEST, &request, &refusal) != STATUS_OK) {
        ASSERT(refusal.text[0] != '\0');
        return 0;
    }
    walk(&request);
    if (request.opcode != WIRE_HELLO) {
        check_same(&request, slice_make(data, WIRE_FRAME_HEADER_BYTES + frame.body_len));
    }
    return 0;
}
