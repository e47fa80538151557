/* base_buffer_test.c: growable bytes with a cap, marks and rollback. */
#include "protocol/base/buffer.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#define CAP 1000

static struct buffer empty_buffer(void) {
    struct buffer buffer;
    buffer_init(&buffer, CAP);
    return buffer;
}

static void write_text(struct buffer *buffer, const char *text) {
    ck_assert_int_eq(buffer_append(buffer, text, strlen(text)), STATUS_OK);
}

static void expect_text(const struct buffer *buffer, const char *text) {
    ck_assert_uint_eq(buffer->len, strlen(text));
    ck_assert(memcmp(buffer->data, text, buffer->len) == 0);
}

START_TEST(new_buffer_is_empty_and_owns_nothing) {
    struct buffer buffer = empty_buffer();

    ck_assert_uint_eq(buffer.len, 0);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(zeroed_buffer_may_be_released) {
    struct buffer buffer = {0};

    buffer_deinit(&buffer);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(appended_bytes_stand_in_order) {
    struct buffer buffer = empty_buffer();

    write_text(&buffer, "first ");
    write_text(&buffer, "second");
    expect_text(&buffer, "first second");
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(append_of_nothing_allocates_nothing) {
    struct buffer buffer = empty_buffer();

    ck_assert_int_eq(buffer_append(&buffer, NULL, 0), STATUS_OK);
    ck_assert_int_eq(buffer_reserve(&buffer, 0), STATUS_OK);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(buffer_fills_up_to_its_cap_exactly) {
    struct buffer buffer = empty_buffer();
    uint8_t *start;

    ck_assert_int_eq(buffer_extend(&buffer, CAP, &start), STATUS_OK);
    ck_assert_uint_eq(buffer.len, CAP);
    ck_assert_ptr_eq(start, buffer.data);
    ck_assert_int_eq(buffer_append_u8(&buffer, 1), STATUS_TOO_LARGE);
    ck_assert_uint_eq(buffer.len, CAP);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(one_byte_beyond_the_cap_is_refused) {
    struct buffer buffer = empty_buffer();

    ck_assert_int_eq(buffer_reserve(&buffer, CAP + 1), STATUS_TOO_LARGE);
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX), STATUS_TOO_LARGE);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(length_that_would_overflow_is_refused) {
    struct buffer buffer = empty_buffer();

    write_text(&buffer, "x");
    buffer.cap = SIZE_MAX;
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX), STATUS_TOO_LARGE);
    expect_text(&buffer, "x");
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(zeroed_buffer_without_a_cap_takes_nothing) {
    struct buffer buffer = {0};

    ck_assert_int_eq(buffer_append_u8(&buffer, 1), STATUS_TOO_LARGE);
}
END_TEST

START_TEST(growth_keeps_what_was_written) {
    struct buffer buffer = empty_buffer();

    for (unsigned i = 0; i < CAP; i++) {
        ck_assert_int_eq(buffer_append_u8(&buffer, (uint8_t)i), STATUS_OK);
    }
    for (unsigned i = 0; i < CAP; i++) {
        ck_assert_uint_eq(buffer.data[i], (uint8_t)i);
    }
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(warm_buffer_allocates_no_more) {
    struct buffer buffer = empty_buffer();
    uint64_t before;

    ck_assert_int_eq(buffer_reserve(&buffer, CAP), STATUS_OK);
    before = memory_allocation_count();
    for (unsigned i = 0; i < CAP; i++) {
        ck_assert_int_eq(buffer_append_u8(&buffer, 1), STATUS_OK);
    }
    buffer_clear(&buffer);
    ck_assert_int_eq(buffer_reserve(&buffer, CAP), STATUS_OK);
    ck_assert_uint_eq(memory_allocation_count(), before);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(failed_allocation_leaves_the_content) {
    struct buffer buffer = empty_buffer();
    enum status status;

    write_text(&buffer, "kept");
    memory_fail_after(0, false);
    status = buffer_reserve(&buffer, CAP - 4);
    memory_fail_never();
    ck_assert_int_eq(status, STATUS_NO_MEMORY);
    expect_text(&buffer, "kept");
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(integers_are_little_endian) {
    static const uint8_t expected[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8, 0xAC, 2};
    struct buffer buffer = empty_buffer();

    ck_assert_int_eq(buffer_append_u8(&buffer, 1), STATUS_OK);
    ck_assert_int_eq(buffer_append_u16(&buffer, 0x0203), STATUS_OK);
    ck_assert_int_eq(buffer_append_u32(&buffer, 0x04050607), STATUS_OK);
    ck_assert_int_eq(buffer_append_u64(&buffer, 0x08090A0B0C0D0E0F), STATUS_OK);
    ck_assert_int_eq(buffer_append_varint(&buffer, 300), STATUS_OK);
    ck_assert_uint_eq(buffer.len, sizeof expected);
    ck_assert(memcmp(buffer.data, expected, sizeof expected) == 0);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(block_is_read_back_by_the_reader) {
    struct buffer buffer = empty_buffer();
    struct reader reader;
    struct slice block;

    ck_assert_int_eq(buffer_append_block(&buffer, slice_from_text("block")), STATUS_OK);
    ck_assert_int_eq(buffer_append_block(&buffer, slice_make(NULL, 0)), STATUS_OK);
    reader = reader_make(slice_make(buffer.data, buffer.len));
    ck_assert(reader_take_block(&reader, &block));
    ck_assert(slice_equal(block, slice_from_text("block")));
    ck_assert(reader_take_block(&reader, &block));
    ck_assert_uint_eq(block.len, 0);
    ck_assert_uint_eq(reader_left(&reader), 0);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(block_that_does_not_fit_leaves_no_length_behind) {
    struct buffer buffer = empty_buffer();
    uint8_t bytes[CAP] = {0};

    write_text(&buffer, "kept");
    ck_assert_int_eq(buffer_append_block(&buffer, slice_make(bytes, CAP - 5)), STATUS_TOO_LARGE);
    expect_text(&buffer, "kept");
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(rollback_forgets_what_came_after_the_mark) {
    struct buffer buffer = empty_buffer();
    size_t mark;

    write_text(&buffer, "answer");
    mark = buffer_mark(&buffer);
    write_text(&buffer, " that turned out damaged");
    buffer_rollback(&buffer, mark);
    expect_text(&buffer, "answer");
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(consumed_bytes_leave_the_rest_in_front) {
    struct buffer buffer = empty_buffer();

    write_text(&buffer, "abcdef");
    buffer_consume(&buffer, 0);
    expect_text(&buffer, "abcdef");
    buffer_consume(&buffer, 2);
    expect_text(&buffer, "cdef");
    buffer_consume(&buffer, 4);
    ck_assert_uint_eq(buffer.len, 0);
    buffer_deinit(&buffer);
}
END_TEST

UNIT_MAIN("base_buffer", new_buffer_is_empty_and_owns_nothing, zeroed_buffer_may_be_released,
          appended_bytes_stand_in_order, append_of_nothing_allocates_nothing,
          buffer_fills_up_to_its_cap_exactly, one_byte_beyond_the_cap_is_refused,
          length_that_would_overflow_is_refused, zeroed_buffer_without_a_cap_takes_nothing,
          growth_keeps_what_was_written, warm_buffer_allocates_no_more,
          failed_allocation_leaves_the_content, integers_are_little_endian,
          block_is_read_back_by_the_reader, block_that_does_not_fit_leaves_no_length_behind,
          rollback_forgets_what_came_after_the_mark, consumed_bytes_leave_the_rest_in_front)
