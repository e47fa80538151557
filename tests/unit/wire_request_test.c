/* wire_request_test.c: requests there and back, and all that a bad one is refused for. */
#include "protocol/wire.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

static const struct wire_limits limits = {
    .frame_max = 1u << 20,
    .key_max = 8,
    .value_max = 16,
    .mget_keys_max = 3,
    .batch_items_max = 3,
    .batch_bytes_max = 30,
};

static struct buffer frame_buffer;
static struct wire_request decoded;
static struct wire_refusal refusal;

static struct slice text(const char *chars) {
    return slice_from_text(chars);
}

static void begin(void) {
    buffer_init(&frame_buffer, 1u << 20);
}

/* Decodes what frame_buffer holds, with all flags agreed. */
static enum status decode(void) {
    struct wire_frame frame;
    size_t wanted;
    const char *reason;

    ck_assert_int_eq(wire_frame_decode(buffer_slice(&frame_buffer), WIRE_KIND_REQUEST,
                                       limits.frame_max, &frame, &wanted, &reason),
                     STATUS_OK);
    return wire_request_decode(&frame, &limits, WIRE_FLAGS_REQUEST, &decoded, &refusal);
}

static enum status there_and_back(const struct wire_request *request) {
    buffer_clear(&frame_buffer);
    ck_assert_int_eq(wire_request_encode(&frame_buffer, request), STATUS_OK);
    return decode();
}

/* A frame with this body, made by hand. */
static enum status decode_body(uint16_t opcode, uint32_t flags, const void *body, size_t len) {
    size_t mark;

    buffer_clear(&frame_buffer);
    ck_assert_int_eq(wire_frame_begin(&frame_buffer, WIRE_KIND_REQUEST, opcode, 1, flags, &mark),
                     STATUS_OK);
    ck_assert_int_eq(buffer_append(&frame_buffer, body, len), STATUS_OK);
    ck_assert_int_eq(wire_frame_finish(&frame_buffer, mark, 0), STATUS_OK);
    return decode();
}

static struct wire_request full_put(void) {
    return (struct wire_request){
        .id = 9,
        .opcode = WIRE_PUT,
        .key = text("key"),
        .value = text("value"),
        .user_flags = 0xABCD,
        .options = {.flags = WIRE_FLAG_DEADLINE | WIRE_FLAG_DURABILITY | WIRE_FLAG_RETRY_TOKEN |
                             WIRE_FLAG_TTL | WIRE_FLAG_CONDITION | WIRE_FLAG_TRANSACTION |
                             WIRE_FLAG_NAMESPACE | WIRE_FLAG_CHECKSUM | WIRE_FLAG_EXTENSIONS,
                    .deadline_ms = 250,
                    .durability = WIRE_DURABILITY_LOGGED,
                    .retry_client = "0123456789abcde",
                    .retry_sequence = 5,
                    .ttl_ms = 1000,
                    .condition = WIRE_CONDITION_VERSION,
                    .version = 42,
                    .transaction = 6,
                    .namespace_name = text("space"),
                    .checksum = 0x1122334455667788},
    };
}

START_TEST(a_put_with_every_option_comes_back_whole) {
    struct wire_request put = full_put();
    struct buffer extensions;

    begin();
    buffer_init(&extensions, 100);
    ck_assert_int_eq(wire_extension_add(&extensions, 3, text("ext")), STATUS_OK);
    put.options.extensions = buffer_slice(&extensions);
    ck_assert_int_eq(there_and_back(&put), STATUS_OK);
    ck_assert_uint_eq(decoded.id, 9);
    ck_assert(slice_equal(decoded.key, put.key));
    ck_assert(slice_equal(decoded.value, put.value));
    ck_assert_uint_eq(decoded.user_flags, 0xABCD);
    ck_assert_uint_eq(decoded.options.flags, put.options.flags);
    ck_assert_uint_eq(decoded.options.deadline_ms, 250);
    ck_assert_uint_eq(decoded.options.durability, WIRE_DURABILITY_LOGGED);
    ck_assert_mem_eq(decoded.options.retry_client, put.options.retry_client, 16);
    ck_assert_uint_eq(decoded.options.retry_sequence, 5);
    ck_assert_uint_eq(decoded.options.ttl_ms, 1000);
    ck_assert_uint_eq(decoded.options.condition, WIRE_CONDITION_VERSION);
    ck_assert_uint_eq(decoded.options.version, 42);
    ck_assert_uint_eq(decoded.options.transaction, 6);
    ck_assert(slice_equal(decoded.options.namespace_name, text("space")));
    ck_assert_uint_eq(decoded.options.checksum, 0x1122334455667788);
    ck_assert(slice_equal(decoded.options.extensions, buffer_slice(&extensions)));
    buffer_deinit(&extensions);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_put_cut_anywhere_in_its_fields_is_refused) {
    struct wire_request put = full_put();
    size_t fields;

    begin();
    put.options.flags &= ~(uint32_t)WIRE_FLAG_EXTENSIONS;
    ck_assert_int_eq(there_and_back(&put), STATUS_OK);
    fields = frame_buffer.len - WIRE_FRAME_HEADER_BYTES - put.value.len;
    for (size_t len = 0; len < fields; len++) {
        frame_buffer.len = WIRE_FRAME_HEADER_BYTES + len;
        store_u32(frame_buffer.data + 4, (uint32_t)len);
        ck_assert_int_eq(decode(), STATUS_PROTOCOL);
        ck_assert(refusal.text[0] != '\0');
    }
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_head_without_the_value_announces_its_length) {
    struct wire_request put = full_put();
    struct buffer whole;

    begin();
    buffer_init(&whole, 1000);
    put.options.flags = 0;
    ck_assert_int_eq(wire_request_encode(&whole, &put), STATUS_OK);
    ck_assert_int_eq(wire_request_encode_head(&frame_buffer, &put), STATUS_OK);
    ck_assert_int_eq(buffer_append(&frame_buffer, put.value.ptr, put.value.len), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&whole), buffer_slice(&frame_buffer)));
    buffer_deinit(&whole);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(keys_and_values_at_their_limits_pass_and_one_more_does_not) {
    struct wire_request put = {.opcode = WIRE_PUT, .key = text("12345678")};

    begin();
    put.value = text("1234567890123456");
    ck_assert_int_eq(there_and_back(&put), STATUS_OK);
    put.value = text("12345678901234567");
    ck_assert_int_eq(there_and_back(&put), STATUS_TOO_LARGE);
    ck_assert_uint_eq(refusal.detail, limits.value_max);
    put.value = text("");
    ck_assert_int_eq(there_and_back(&put), STATUS_OK);
    put.key = text("123456789");
    ck_assert_int_eq(there_and_back(&put), STATUS_TOO_LARGE);
    ck_assert_uint_eq(refusal.detail, limits.key_max);
    put.key = text("");
    ck_assert_int_eq(there_and_back(&put), STATUS_INVALID);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_flag_that_was_not_agreed_refuses_the_frame) {
    struct wire_frame frame = {
        .code = WIRE_GET, .flags = WIRE_FLAG_DEADLINE, .body = text("\1\0\0\0key")};

    ck_assert_int_eq(wire_request_decode(&frame, &limits, 0, &decoded, &refusal),
                     STATUS_UNSUPPORTED);
    ck_assert_uint_eq(refusal.detail, WIRE_FLAG_DEADLINE);
    frame.flags = WIRE_FLAG_MORE;
    ck_assert_int_eq(wire_request_decode(&frame, &limits, UINT32_MAX, &decoded, &refusal),
                     STATUS_UNSUPPORTED);
}
END_TEST

START_TEST(flags_without_meaning_and_contradictions_are_invalid) {
    begin();
    ck_assert_int_eq(decode_body(WIRE_GET, WIRE_FLAG_TTL, "12345678k", 9), STATUS_INVALID);
    ck_assert_uint_eq(refusal.detail, WIRE_FLAG_TTL);
    ck_assert_int_eq(decode_body(WIRE_PUT, WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT, "", 0),
                     STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_GET, WIRE_FLAG_SNAPSHOT | WIRE_FLAG_TRANSACTION, "", 0),
                     STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_GET, WIRE_FLAG_DEADLINE, "\0\0\0\0k", 5), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_DELETE, WIRE_FLAG_DURABILITY, "\4k", 2), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_DELETE, WIRE_FLAG_DURABILITY, "\0k", 2), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_DELETE, WIRE_FLAG_CONDITION, "\0k", 2), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_DELETE, WIRE_FLAG_CONDITION, "\4k", 2), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_GET, WIRE_FLAG_NAMESPACE, "\0k", 2), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_WATCH, 0, "k", 1), STATUS_UNSUPPORTED);
    ck_assert_int_eq(decode_body(0x7777, 0, "k", 1), STATUS_UNSUPPORTED);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_strange_extension_is_skipped_unless_critical) {
    begin();
    ck_assert_int_eq(decode_body(WIRE_GET, WIRE_FLAG_EXTENSIONS, "\4\x07\x00\1xk", 6), STATUS_OK);
    ck_assert(slice_equal(decoded.key, text("k")));
    ck_assert_int_eq(decode_body(WIRE_GET, WIRE_FLAG_EXTENSIONS, "\4\x07\x80\1xk", 6),
                     STATUS_UNSUPPORTED);
    ck_assert_uint_eq(refusal.detail, 0x8007);
    ck_assert_int_eq(decode_body(WIRE_GET, WIRE_FLAG_EXTENSIONS, "\4\x07\x00\2xk", 6),
                     STATUS_PROTOCOL);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(an_mget_is_walked_key_by_key) {
    struct wire_request mget = {.opcode = WIRE_MGET};
    struct buffer list;
    struct slice key;

    begin();
    buffer_init(&list, 100);
    for (; mget.list.count < 3; mget.list.count++) {
        ck_assert_int_eq(wire_list_add_key(&list, text("abc")), STATUS_OK);
    }
    mget.list.bytes = buffer_slice(&list);
    ck_assert_int_eq(there_and_back(&mget), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(wire_list_next_key(&decoded.list, &key), STATUS_OK);
        ck_assert(slice_equal(key, text("abc")));
    }
    ck_assert_int_eq(wire_list_next_key(&decoded.list, &key), STATUS_END);
    buffer_deinit(&list);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(bad_lists_name_the_item_at_fault) {
    begin();
    ck_assert_int_eq(decode_body(WIRE_MGET, 0, "\0", 1), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_MGET, 0, "\4\1a\1a\1a\1a", 9), STATUS_TOO_LARGE);
    ck_assert_int_eq(decode_body(WIRE_MGET, 0, "\2\1a\0", 4), STATUS_INVALID);
    ck_assert_uint_eq(refusal.item, 1);
    ck_assert_int_eq(decode_body(WIRE_MGET, 0, "\1\1ab", 4), STATUS_PROTOCOL);
    ck_assert_uint_eq(refusal.item, WIRE_NO_ITEM);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\x08\0\1a", 5), STATUS_INVALID);
    ck_assert_uint_eq(refusal.item, 0);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\2\1\1a", 5), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\1\3\1a\1b", 7), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\1\0\1a", 5), STATUS_PROTOCOL);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_batch_is_walked_item_by_item) {
    const struct wire_item put = {.kind = WIRE_ITEM_PUT,
                                  .flags = WIRE_ITEM_TTL | WIRE_ITEM_CONDITION |
                                           WIRE_ITEM_CHECKSUM | WIRE_ITEM_USER_FLAGS,
                                  .ttl_ms = 5,
                                  .condition = WIRE_CONDITION_VERSION,
                                  .version = 6,
                                  .checksum = 7,
                                  .user_flags = 8,
                                  .key = text("a"),
                                  .value = text("v")};
    const struct wire_item del = {.kind = WIRE_ITEM_DELETE, .key = text("b")};
    struct wire_request batch = {.opcode = WIRE_BATCH, .list.count = 2};
    struct wire_item item;
    struct buffer list;

    begin();
    buffer_init(&list, 200);
    ck_assert_int_eq(wire_list_add_item(&list, &put), STATUS_OK);
    ck_assert_int_eq(wire_list_add_item(&list, &del), STATUS_OK);
    batch.list.bytes = buffer_slice(&list);
    ck_assert_int_eq(there_and_back(&batch), STATUS_OK);
    ck_assert_int_eq(wire_list_next_item(&decoded.list, &item), STATUS_OK);
    ck_assert_uint_eq(item.ttl_ms, 5);
    ck_assert_uint_eq(item.version, 6);
    ck_assert_uint_eq(item.checksum, 7);
    ck_assert_uint_eq(item.user_flags, 8);
    ck_assert(slice_equal(item.value, text("v")));
    ck_assert_int_eq(wire_list_next_item(&decoded.list, &item), STATUS_OK);
    ck_assert_uint_eq(item.kind, WIRE_ITEM_DELETE);
    ck_assert(slice_equal(item.key, text("b")));
    ck_assert_int_eq(wire_list_next_item(&decoded.list, &item), STATUS_END);
    buffer_deinit(&list);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_batch_above_its_bytes_is_refused) {
    struct wire_item put = {
        .kind = WIRE_ITEM_PUT, .key = text("1234"), .value = text("12345678901")};
    struct wire_request batch = {.opcode = WIRE_BATCH, .list.count = 2};
    struct buffer list;

    begin();
    buffer_init(&list, 200);
    ck_assert_int_eq(wire_list_add_item(&list, &put), STATUS_OK);
    ck_assert_int_eq(wire_list_add_item(&list, &put), STATUS_OK);
    batch.list.bytes = buffer_slice(&list);
    ck_assert_int_eq(there_and_back(&batch), STATUS_OK);
    put.value.len++; /* the NUL behind it */
    buffer_clear(&list);
    ck_assert_int_eq(wire_list_add_item(&list, &put), STATUS_OK);
    ck_assert_int_eq(wire_list_add_item(&list, &put), STATUS_OK);
    batch.list.bytes = buffer_slice(&list);
    ck_assert_int_eq(there_and_back(&batch), STATUS_TOO_LARGE);
    ck_assert_uint_eq(refusal.item, 1);
    ck_assert_uint_eq(refusal.detail, limits.batch_bytes_max);
    buffer_deinit(&list);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_scan_comes_back_whole_and_bad_ranges_are_refused) {
    struct wire_request scan = {.opcode = WIRE_SCAN,
                                .range = {.flags = WIRE_RANGE_REVERSE | WIRE_RANGE_KEYS_ONLY,
                                          .limit = UINT32_MAX,
                                          .page_bytes = 4096,
                                          .from = text("a"),
                                          .to = text("z"),
                                          .cursor = text("cur")}};

    begin();
    ck_assert_int_eq(there_and_back(&scan), STATUS_OK);
    ck_assert_uint_eq(decoded.range.flags, scan.range.flags);
    ck_assert_uint_eq(decoded.range.limit, UINT32_MAX);
    ck_assert_uint_eq(decoded.range.page_bytes, 4096);
    ck_assert(slice_equal(decoded.range.to, text("z")));
    ck_assert(slice_equal(decoded.range.cursor, text("cur")));
    scan.range.flags = WIRE_RANGE_PREFIX;
    ck_assert_int_eq(there_and_back(&scan), STATUS_INVALID);
    scan.range.flags = 0x80;
    ck_assert_int_eq(there_and_back(&scan), STATUS_INVALID);
    scan.range.flags = 0;
    scan.range.to = text("123456789");
    ck_assert_int_eq(there_and_back(&scan), STATUS_TOO_LARGE);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(a_hello_leaves_room_for_later_fields) {
    struct wire_request hello = {.opcode = WIRE_HELLO,
                                 .version_min = 1,
                                 .version_max = 3,
                                 .features = 0xFF,
                                 .payload = text("me")};

    begin();
    ck_assert_int_eq(there_and_back(&hello), STATUS_OK);
    ck_assert_uint_eq(decoded.version_max, 3);
    ck_assert_uint_eq(decoded.features, 0xFF);
    ck_assert_int_eq(buffer_append(&frame_buffer, "later", 5), STATUS_OK);
    store_u32(frame_buffer.data + 4, (uint32_t)(frame_buffer.len - WIRE_FRAME_HEADER_BYTES));
    ck_assert_int_eq(decode(), STATUS_OK);
    ck_assert(slice_equal(decoded.payload, text("me")));
    hello.version_min = 4;
    ck_assert_int_eq(there_and_back(&hello), STATUS_INVALID);
    buffer_deinit(&frame_buffer);
}
END_TEST

START_TEST(no_room_for_a_request_leaves_the_buffer_as_it_was) {
    struct wire_request put = full_put();

    begin();
    ck_assert_int_eq(buffer_append(&frame_buffer, "before", 6), STATUS_OK);
    put.options.flags &= ~(uint32_t)WIRE_FLAG_EXTENSIONS;
    for (size_t cap = 6; cap < 6 + WIRE_FRAME_HEADER_BYTES + 60; cap++) {
        frame_buffer.cap = cap;
        frame_buffer.capacity = cap;
        ck_assert_int_eq(wire_request_encode(&frame_buffer, &put), STATUS_TOO_LARGE);
        ck_assert_uint_eq(frame_buffer.len, 6);
    }
    frame_buffer.cap = 1000;
    frame_buffer.capacity = 6;
    memory_fail_after(0, true);
    ck_assert_int_eq(wire_request_encode(&frame_buffer, &put), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_uint_eq(frame_buffer.len, 6);
    buffer_deinit(&frame_buffer);
}
END_TEST

UNIT_MAIN("wire_request", a_put_with_every_option_comes_back_whole,
          a_put_cut_anywhere_in_its_fields_is_refused,
          a_head_without_the_value_announces_its_length,
          keys_and_values_at_their_limits_pass_and_one_more_does_not,
          a_flag_that_was_not_agreed_refuses_the_frame,
          flags_without_meaning_and_contradictions_are_invalid,
          a_strange_extension_is_skipped_unless_critical, an_mget_is_walked_key_by_key,
          bad_lists_name_the_item_at_fault, a_batch_is_walked_item_by_item,
          a_batch_above_its_bytes_is_refused, a_scan_comes_back_whole_and_bad_ranges_are_refused,
          a_hello_leaves_room_for_later_fields, no_room_for_a_request_leaves_the_buffer_as_it_was)
