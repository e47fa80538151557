/* wire_frame_test.c: headers and wire statuses. */
#include "protocol/wire.h"

#include "tests/unit/unit.h"

#define LIMIT 100u

static uint8_t frame_bytes[WIRE_FRAME_HEADER_BYTES + LIMIT + 1];

/* A whole request frame with `body_len` bytes of body; returns its length. */
static size_t make_frame(uint32_t body_len) {
    memset(frame_bytes, 0, sizeof frame_bytes);
    frame_bytes[0] = WIRE_MAGIC;
    frame_bytes[1] = WIRE_KIND_REQUEST;
    store_u16(frame_bytes + 2, WIRE_GET);
    store_u32(frame_bytes + 4, body_len);
    store_u32(frame_bytes + 8, 77);
    store_u32(frame_bytes + 12, WIRE_FLAG_DEADLINE);
    return WIRE_FRAME_HEADER_BYTES + body_len;
}

static enum status decode(size_t len, struct wire_frame *frame, size_t *wanted) {
    const char *reason = NULL;
    enum status status = wire_frame_decode(slice_make(frame_bytes, len), WIRE_KIND_REQUEST, LIMIT,
                                           frame, wanted, &reason);
    if (status == STATUS_PROTOCOL || status == STATUS_TOO_LARGE) {
        ck_assert_ptr_nonnull(reason);
    }
    return status;
}

START_TEST(every_part_of_a_frame_asks_for_the_rest) {
    size_t len = make_frame(LIMIT);
    struct wire_frame frame;
    size_t wanted;

    for (size_t have = 0; have < len; have++) {
        wanted = 0;
        ck_assert_int_eq(decode(have, &frame, &wanted), STATUS_NEED_MORE);
        ck_assert_uint_eq(wanted, have < WIRE_FRAME_HEADER_BYTES ? WIRE_FRAME_HEADER_BYTES : len);
    }
    ck_assert_int_eq(decode(len, &frame, &wanted), STATUS_OK);
    ck_assert_uint_eq(frame.id, 77);
    ck_assert_uint_eq(frame.code, WIRE_GET);
    ck_assert_uint_eq(frame.flags, WIRE_FLAG_DEADLINE);
    ck_assert_uint_eq(frame.body.len, LIMIT);
    ck_assert_ptr_eq(frame.body.ptr, frame_bytes + WIRE_FRAME_HEADER_BYTES);
}
END_TEST

START_TEST(a_body_above_the_limit_is_refused_from_its_header_alone) {
    struct wire_frame frame;
    size_t wanted;

    make_frame(LIMIT + 1);
    ck_assert_int_eq(decode(WIRE_FRAME_HEADER_BYTES, &frame, &wanted), STATUS_TOO_LARGE);
    ck_assert_uint_eq(frame.id, 77);
    ck_assert_uint_eq(frame.body.len, 0);
    store_u32(frame_bytes + 4, UINT32_MAX);
    ck_assert_int_eq(decode(WIRE_FRAME_HEADER_BYTES, &frame, &wanted), STATUS_TOO_LARGE);
}
END_TEST

START_TEST(an_empty_body_is_whole_with_its_header) {
    struct wire_frame frame;
    size_t wanted;

    ck_assert_int_eq(decode(make_frame(0), &frame, &wanted), STATUS_OK);
    ck_assert_uint_eq(frame.body.len, 0);
}
END_TEST

START_TEST(a_frame_that_is_readdressed_keeps_all_but_its_id) {
    struct buffer buffer = {.cap = sizeof frame_bytes};
    size_t len = make_frame(3);
    struct wire_frame frame;
    size_t wanted;

    ck_assert_int_eq(buffer_append_u8(&buffer, 9), STATUS_OK);
    ck_assert_int_eq(buffer_append(&buffer, frame_bytes, len), STATUS_OK);
    wire_frame_readdress(&buffer, 1, 78);
    memcpy(frame_bytes, buffer.data + 1, len);
    buffer_deinit(&buffer);
    ck_assert_int_eq(decode(len, &frame, &wanted), STATUS_OK);
    ck_assert_uint_eq(frame.id, 78);
    ck_assert_uint_eq(frame.code, WIRE_GET);
    ck_assert_uint_eq(frame.body.len, 3);
}
END_TEST

START_TEST(another_protocol_is_noticed_at_its_first_byte) {
    struct wire_frame frame;
    size_t wanted;

    memcpy(frame_bytes, "GET / HTTP/1.1\r\n", 16);
    ck_assert_int_eq(decode(1, &frame, &wanted), STATUS_PROTOCOL);
    make_frame(0);
    frame_bytes[1] = WIRE_KIND_RESPONSE;
    ck_assert_int_eq(decode(2, &frame, &wanted), STATUS_PROTOCOL);
}
END_TEST

START_TEST(statuses_that_travel_come_back_as_themselves) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        uint16_t number = wire_status_number((enum status)i);
        enum status back;
        ck_assert_int_eq(wire_status_from_number(number, &back), STATUS_OK);
        ck_assert(back == (enum status)i || back == STATUS_INTERNAL);
    }
    ck_assert_uint_eq(wire_status_number(STATUS_WOULD_BLOCK), wire_status_number(STATUS_INTERNAL));
}
END_TEST

START_TEST(the_class_of_a_number_is_the_outcome_of_its_status) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        uint16_t number = wire_status_number((enum status)i);
        enum status back;
        ck_assert_int_eq(wire_status_from_number(number, &back), STATUS_OK);
        if (back == (enum status)i && back != STATUS_PROTOCOL) {
            ck_assert_int_eq(wire_status_outcome(back), number / WIRE_STATUS_FAILED_FIRST);
        }
    }
}
END_TEST

START_TEST(numbers_of_a_later_version_are_judged_by_their_class) {
    enum status status;

    ck_assert_int_eq(wire_status_from_number(0x1FF, &status), STATUS_OK);
    ck_assert_int_eq(status, STATUS_INVALID);
    ck_assert_int_eq(wire_status_from_number(0x2FF, &status), STATUS_OK);
    ck_assert_int_eq(status, STATUS_UNKNOWN);
    ck_assert_int_eq(wire_status_from_number(0x0FF, &status), STATUS_PROTOCOL);
    ck_assert_int_eq(wire_status_from_number(0x300, &status), STATUS_PROTOCOL);
}
END_TEST

START_TEST(reserved_opcodes_have_names_and_are_not_served) {
    ck_assert(wire_opcode_served(WIRE_GET));
    ck_assert(!wire_opcode_served(WIRE_WATCH));
    ck_assert(!wire_opcode_served(0xFFFF));
    ck_assert_str_eq(wire_opcode_name(WIRE_WATCH), "WATCH");
    ck_assert_str_eq(wire_opcode_name(0xFFFF), "opcode");
}
END_TEST

UNIT_MAIN("wire_frame", a_frame_that_is_readdressed_keeps_all_but_its_id,
          every_part_of_a_frame_asks_for_the_rest,
          a_body_above_the_limit_is_refused_from_its_header_alone,
          an_empty_body_is_whole_with_its_header, another_protocol_is_noticed_at_its_first_byte,
          statuses_that_travel_come_back_as_themselves,
          the_class_of_a_number_is_the_outcome_of_its_status,
          numbers_of_a_later_version_are_judged_by_their_class,
          reserved_opcodes_have_names_and_are_not_served)
