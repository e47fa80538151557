/* wire_response_test.c: responses there and back, and bad ones refused. */
#include "protocol/wire.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

static struct buffer frame_buffer;
static struct wire_response decoded;

static struct slice text(const char *chars) {
    return slice_from_text(chars);
}

static void begin(void) {
    buffer_deinit(&frame_buffer);
    buffer_init(&frame_buffer, 1u << 20);
}

static enum status decode_as(uint16_t opcode, bool keys_only) {
    struct wire_frame frame;
    size_t wanted;
    const char *reason = NULL;
    enum status status = wire_frame_decode(buffer_slice(&frame_buffer), WIRE_KIND_RESPONSE,
                                           1u << 20, &frame, &wanted, &reason);

    ck_assert_int_eq(status, STATUS_OK);
    status = wire_response_decode(&frame, opcode, keys_only, &decoded, &reason);
    ck_assert(status == STATUS_OK || reason != NULL);
    return status;
}

/* Every shorter body of what frame_buffer holds must be refused. */
static void every_cut_is_refused(uint16_t opcode, bool keys_only) {
    size_t len = frame_buffer.len;

    for (size_t cut = WIRE_FRAME_HEADER_BYTES; cut < len; cut++) {
        frame_buffer.len = cut;
        store_u32(frame_buffer.data + 4, (uint32_t)(cut - WIRE_FRAME_HEADER_BYTES));
        ck_assert_int_eq(decode_as(opcode, keys_only), STATUS_PROTOCOL);
    }
}

static const struct wire_record sample = {
    .version = 7, .expires_at_ms = 8, .value_len = 5, .user_flags = 9};

static void add_record(uint32_t flags, const char *value) {
    struct wire_record record = sample;
    size_t mark;

    ck_assert_int_eq(wire_record_begin(&frame_buffer, flags, &mark), STATUS_OK);
    ck_assert_int_eq(buffer_append(&frame_buffer, value, strlen(value)), STATUS_OK);
    ck_assert(slice_equal(wire_record_value(&frame_buffer, mark, flags), text(value)));
    record.value_len = strlen(value);
    record.checksum = 0xC0FFEE;
    wire_record_finish(&frame_buffer, mark, flags, &record);
}

static void make_get(uint32_t flags) {
    size_t mark;

    begin();
    ck_assert_int_eq(wire_response_begin(&frame_buffer, 3, STATUS_OK, flags, &mark), STATUS_OK);
    add_record(flags, "value");
    ck_assert_int_eq(wire_response_finish(&frame_buffer, mark), STATUS_OK);
}

START_TEST(a_value_appended_behind_its_record_comes_back) {
    make_get(0);
    ck_assert_int_eq(decode_as(WIRE_GET, false), STATUS_OK);
    ck_assert_uint_eq(decoded.id, 3);
    ck_assert_uint_eq(decoded.record.version, 7);
    ck_assert_uint_eq(decoded.record.expires_at_ms, 8);
    ck_assert_uint_eq(decoded.record.user_flags, 9);
    ck_assert(!decoded.record.has_checksum);
    ck_assert(slice_equal(decoded.payload, text("value")));
    every_cut_is_refused(WIRE_GET, false);
}
END_TEST

START_TEST(a_record_may_carry_its_checksum) {
    make_get(WIRE_FLAG_CHECKSUM);
    ck_assert_int_eq(decode_as(WIRE_GET, false), STATUS_OK);
    ck_assert(decoded.record.has_checksum);
    ck_assert_uint_eq(decoded.record.checksum, 0xC0FFEE);
    ck_assert(slice_equal(decoded.payload, text("value")));
    every_cut_is_refused(WIRE_GET, false);
}
END_TEST

START_TEST(an_error_tells_item_number_and_text) {
    const struct wire_refusal refusal = {"too long", 4, 512};

    begin();
    ck_assert_int_eq(wire_response_error(&frame_buffer, 5, STATUS_TOO_LARGE, &refusal), STATUS_OK);
    ck_assert_int_eq(decode_as(WIRE_BATCH, false), STATUS_OK);
    ck_assert_int_eq(decoded.status, STATUS_TOO_LARGE);
    ck_assert_uint_eq(decoded.error.item, 4);
    ck_assert_uint_eq(decoded.error.detail, 512);
    ck_assert(slice_equal(decoded.error.text, text("too long")));
    begin();
    ck_assert_int_eq(wire_response_error(&frame_buffer, 5, STATUS_NOT_FOUND, NULL), STATUS_OK);
    ck_assert_uint_eq(frame_buffer.len, WIRE_FRAME_HEADER_BYTES);
    ck_assert_int_eq(decode_as(WIRE_GET, false), STATUS_OK);
    ck_assert_int_eq(decoded.status, STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_hello_publishes_every_limit) {
    const struct wire_hello hello = {
        .version = 1,
        .features = 0x123456789A,
        .limits = {.frame_max = 1,
                   .key_max = 2,
                   .value_max = 3,
                   .requests_max = 4,
                   .mget_keys_max = 5,
                   .batch_items_max = 6,
                   .batch_bytes_max = 7,
                   .scan_entries_max = 8,
                   .scan_page_bytes_max = 9,
                   .memory_bytes = 1ull << 40,
                   .durability = WIRE_DURABILITY_SYNCED},
        .server_name = text("kvd"),
    };

    begin();
    ck_assert_int_eq(wire_response_hello(&frame_buffer, 0, &hello), STATUS_OK);
    ck_assert_uint_le(frame_buffer.len, WIRE_HELLO_BODY_MAX);
    ck_assert_int_eq(decode_as(WIRE_HELLO, false), STATUS_OK);
    ck_assert_uint_eq(decoded.hello.features, 0x123456789A);
    ck_assert_uint_eq(decoded.hello.limits.frame_max, 1);
    ck_assert_uint_eq(decoded.hello.limits.key_max, 2);
    ck_assert_uint_eq(decoded.hello.limits.value_max, 3);
    ck_assert_uint_eq(decoded.hello.limits.requests_max, 4);
    ck_assert_uint_eq(decoded.hello.limits.mget_keys_max, 5);
    ck_assert_uint_eq(decoded.hello.limits.batch_items_max, 6);
    ck_assert_uint_eq(decoded.hello.limits.batch_bytes_max, 7);
    ck_assert_uint_eq(decoded.hello.limits.scan_entries_max, 8);
    ck_assert_uint_eq(decoded.hello.limits.scan_page_bytes_max, 9);
    ck_assert_uint_eq(decoded.hello.limits.memory_bytes, 1ull << 40);
    ck_assert_uint_eq(decoded.hello.limits.durability, WIRE_DURABILITY_SYNCED);
    ck_assert(slice_equal(decoded.hello.server_name, text("kvd")));
}
END_TEST

START_TEST(an_mget_mixes_values_misses_and_errors) {
    struct wire_entry entry;
    size_t mark;
    size_t list;

    begin();
    ck_assert_int_eq(wire_response_begin(&frame_buffer, 1, STATUS_OK, 0, &mark), STATUS_OK);
    ck_assert_int_eq(wire_list_begin(&frame_buffer, &list), STATUS_OK);
    ck_assert_int_eq(wire_mget_entry_begin(&frame_buffer), STATUS_OK);
    add_record(0, "one");
    ck_assert_int_eq(wire_mget_entry_error(&frame_buffer, STATUS_NOT_FOUND, text("x")), STATUS_OK);
    ck_assert_int_eq(wire_mget_entry_error(&frame_buffer, STATUS_CORRUPT, text("bad")), STATUS_OK);
    wire_list_finish(&frame_buffer, list, 3);
    ck_assert_int_eq(wire_response_finish(&frame_buffer, mark), STATUS_OK);

    ck_assert_int_eq(decode_as(WIRE_MGET, false), STATUS_OK);
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_OK);
    ck_assert(slice_equal(entry.value, text("one")));
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_OK);
    ck_assert_int_eq(entry.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_OK);
    ck_assert_int_eq(entry.status, STATUS_CORRUPT);
    ck_assert(slice_equal(entry.text, text("bad")));
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_END);
    every_cut_is_refused(WIRE_MGET, false);
}
END_TEST

static void make_page(bool keys_only, const char *cursor, bool at_end) {
    size_t mark;
    size_t page;

    begin();
    ck_assert_int_eq(wire_response_begin(&frame_buffer, 1, STATUS_OK, 0, &mark), STATUS_OK);
    ck_assert_int_eq(wire_page_begin(&frame_buffer, &page), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(wire_scan_entry_begin(&frame_buffer, text(i ? "b" : "a")), STATUS_OK);
        add_record(0, keys_only ? "" : "value");
    }
    ck_assert_int_eq(wire_page_finish(&frame_buffer, page, 2, text(cursor), at_end), STATUS_OK);
    ck_assert_int_eq(wire_response_finish(&frame_buffer, mark), STATUS_OK);
}

START_TEST(a_page_of_a_scan_is_walked_and_has_a_cursor) {
    struct wire_entry entry;

    make_page(false, "next", false);
    ck_assert_int_eq(decode_as(WIRE_SCAN, false), STATUS_OK);
    ck_assert_uint_eq(decoded.page.count, 2);
    ck_assert(!decoded.page.at_end);
    ck_assert(slice_equal(decoded.page.cursor, text("next")));
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_OK);
    ck_assert(slice_equal(entry.key, text("a")));
    ck_assert(slice_equal(entry.value, text("value")));
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_OK);
    ck_assert(slice_equal(entry.key, text("b")));
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_END);
    every_cut_is_refused(WIRE_SCAN, false);
}
END_TEST

START_TEST(a_page_of_keys_has_no_values) {
    struct wire_entry entry;

    make_page(true, "", true);
    ck_assert_int_eq(decode_as(WIRE_SCAN, true), STATUS_OK);
    ck_assert(decoded.page.at_end);
    ck_assert_int_eq(wire_response_next_entry(&decoded, &entry), STATUS_OK);
    ck_assert_uint_eq(entry.value.len, 0);
    every_cut_is_refused(WIRE_SCAN, true);
}
END_TEST

START_TEST(an_end_with_a_cursor_is_a_contradiction) {
    make_page(false, "next", false);
    frame_buffer.data[WIRE_FRAME_HEADER_BYTES] = WIRE_PAGE_END;
    ck_assert_int_eq(decode_as(WIRE_SCAN, false), STATUS_PROTOCOL);
    frame_buffer.data[WIRE_FRAME_HEADER_BYTES] = 0x80;
    ck_assert_int_eq(decode_as(WIRE_SCAN, false), STATUS_PROTOCOL);
}
END_TEST

START_TEST(small_answers_come_back) {
    const struct wire_record record = {.version = 1, .value_len = 99};

    begin();
    ck_assert_int_eq(wire_response_version(&frame_buffer, 1, 55), STATUS_OK);
    ck_assert_int_eq(decode_as(WIRE_PUT, false), STATUS_OK);
    ck_assert_uint_eq(decoded.version, 55);
    begin();
    ck_assert_int_eq(wire_response_meta(&frame_buffer, 1, &record), STATUS_OK);
    ck_assert_int_eq(decode_as(WIRE_META, false), STATUS_OK);
    ck_assert_uint_eq(decoded.record.value_len, 99);
    begin();
    ck_assert_int_eq(wire_response_count(&frame_buffer, 1, 12, text("c"), false), STATUS_OK);
    ck_assert_int_eq(decode_as(WIRE_COUNT, false), STATUS_OK);
    ck_assert_uint_eq(decoded.page.count, 12);
    ck_assert(slice_equal(decoded.page.cursor, text("c")));
    begin();
    ck_assert_int_eq(wire_response_ping(&frame_buffer, 1, text("echo")), STATUS_OK);
    ck_assert_int_eq(decode_as(WIRE_PING, false), STATUS_OK);
    ck_assert(slice_equal(decoded.payload, text("echo")));
}
END_TEST

START_TEST(statistics_are_lines_of_name_and_value) {
    struct slice name;
    struct slice value;
    size_t mark;
    size_t list;

    begin();
    ck_assert_int_eq(wire_response_begin(&frame_buffer, 1, STATUS_OK, 0, &mark), STATUS_OK);
    ck_assert_int_eq(wire_list_begin(&frame_buffer, &list), STATUS_OK);
    ck_assert_int_eq(wire_stats_entry(&frame_buffer, text("keys"), text("5")), STATUS_OK);
    wire_list_finish(&frame_buffer, list, 1);
    ck_assert_int_eq(wire_response_finish(&frame_buffer, mark), STATUS_OK);
    ck_assert_int_eq(decode_as(WIRE_STATS, false), STATUS_OK);
    ck_assert_int_eq(wire_response_next_stat(&decoded, &name, &value), STATUS_OK);
    ck_assert(slice_equal(name, text("keys")));
    ck_assert(slice_equal(value, text("5")));
    ck_assert_int_eq(wire_response_next_stat(&decoded, &name, &value), STATUS_END);
    every_cut_is_refused(WIRE_STATS, false);
}
END_TEST

START_TEST(unknown_flags_and_statuses_are_refused) {
    begin();
    ck_assert_int_eq(wire_response_version(&frame_buffer, 1, 55), STATUS_OK);
    store_u32(frame_buffer.data + 12, WIRE_FLAG_MORE);
    ck_assert_int_eq(decode_as(WIRE_PUT, false), STATUS_UNSUPPORTED);
    store_u32(frame_buffer.data + 12, 0);
    store_u16(frame_buffer.data + 2, 0x300);
    ck_assert_int_eq(decode_as(WIRE_PUT, false), STATUS_PROTOCOL);
}
END_TEST

START_TEST(a_response_that_does_not_fit_leaves_the_buffer_as_it_was) {
    const struct wire_refusal refusal = {"text", 0, 0};

    begin();
    ck_assert_int_eq(buffer_append(&frame_buffer, "before", 6), STATUS_OK);
    for (size_t cap = 6; cap < 6 + WIRE_FRAME_HEADER_BYTES + 8; cap++) {
        frame_buffer.cap = cap;
        frame_buffer.capacity = cap;
        ck_assert_int_eq(wire_response_version(&frame_buffer, 1, 1), STATUS_TOO_LARGE);
        ck_assert_int_eq(wire_response_error(&frame_buffer, 1, STATUS_IO, &refusal),
                         STATUS_TOO_LARGE);
        ck_assert_uint_eq(frame_buffer.len, 6);
    }
}
END_TEST

UNIT_MAIN("wire_response", a_value_appended_behind_its_record_comes_back,
          a_record_may_carry_its_checksum, an_error_tells_item_number_and_text,
          a_hello_publishes_every_limit, an_mget_mixes_values_misses_and_errors,
          a_page_of_a_scan_is_walked_and_has_a_cursor, a_page_of_keys_has_no_values,
          an_end_with_a_cursor_is_a_contradiction, small_answers_come_back,
          statistics_are_lines_of_name_and_value, unknown_flags_and_statuses_are_refused,
          a_response_that_does_not_fit_leaves_the_buffer_as_it_was)
