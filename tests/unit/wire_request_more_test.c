/* wire_request_more_test.c: requests about ranges, states, uploads, snapshots and namespaces, and
 * what bad ones are refused for. */
#include "protocol/wire.h"

#include "tests/unit/unit.h"

static const struct wire_limits limits = {
    .frame_max = 1u << 20,
    .key_max = 8,
    .value_max = 16,
    .mget_keys_max = 3,
    .batch_items_max = 3,
    .batch_bytes_max = 30,
};

static struct buffer frame_buffer = {.cap = 1u << 20};
static struct wire_request decoded;
static struct wire_refusal refusal;

static struct slice text(const char *chars) {
    return slice_from_text(chars);
}

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

/* Every cut of the body that frame_buffer holds is refused. */
static void every_cut_is_refused(void) {
    size_t len = frame_buffer.len - WIRE_FRAME_HEADER_BYTES;

    for (size_t cut = 0; cut < len; cut++) {
        frame_buffer.len = WIRE_FRAME_HEADER_BYTES + cut;
        store_u32(frame_buffer.data + 4, (uint32_t)cut);
        ck_assert_int_ne(decode(), STATUS_OK);
        ck_assert(refusal.text[0] != '\0');
    }
}

START_TEST(a_read_says_at_which_state_by_one_flag_only) {
    struct wire_request get = {.opcode = WIRE_GET, .key = text("k")};

    get.options.flags = WIRE_FLAG_AT_VERSION;
    get.options.at_version = 42;
    ck_assert_int_eq(there_and_back(&get), STATUS_OK);
    ck_assert_uint_eq(decoded.options.at_version, 42);
    get.options.flags = WIRE_FLAG_AT_TIME;
    get.options.at_time_ms = 43;
    ck_assert_int_eq(there_and_back(&get), STATUS_OK);
    ck_assert_uint_eq(decoded.options.at_time_ms, 43);
    get.options.flags |= (uint32_t)WIRE_FLAG_SNAPSHOT;
    ck_assert_int_eq(there_and_back(&get), STATUS_INVALID);
    ck_assert_uint_eq(refusal.detail, WIRE_FLAG_AT_TIME | WIRE_FLAG_SNAPSHOT);
    get.options.flags = WIRE_FLAG_AT_VERSION | WIRE_FLAG_TRANSACTION;
    ck_assert_int_eq(there_and_back(&get), STATUS_INVALID);
    get.opcode = WIRE_DELETE;
    get.options.flags = WIRE_FLAG_AT_TIME;
    ck_assert_int_eq(there_and_back(&get), STATUS_INVALID);
}
END_TEST

START_TEST(a_part_of_a_value_has_offset_and_length) {
    struct wire_request part = {.opcode = WIRE_GET_RANGE,
                                .key = text("12345678"),
                                .offset = UINT64_MAX,
                                .length = UINT32_MAX};

    ck_assert_int_eq(there_and_back(&part), STATUS_OK);
    ck_assert_uint_eq(decoded.offset, UINT64_MAX);
    ck_assert_uint_eq(decoded.length, UINT32_MAX);
    part.key = text("123456789");
    ck_assert_int_eq(there_and_back(&part), STATUS_TOO_LARGE);
    ck_assert_int_eq(decode_body(WIRE_GET_RANGE, 0, "12345678123", 11), STATUS_PROTOCOL);
    ck_assert_int_eq(decode_body(WIRE_GET_RANGE, 0, "123456781234", 12), STATUS_INVALID);
}
END_TEST

START_TEST(a_history_has_a_bound_and_a_limit) {
    struct wire_request history = {
        .opcode = WIRE_HISTORY, .key = text("k"), .before = 7, .range.limit = 300};

    ck_assert_int_eq(there_and_back(&history), STATUS_OK);
    ck_assert_uint_eq(decoded.before, 7);
    ck_assert_uint_eq(decoded.range.limit, 300);
    every_cut_is_refused();
}
END_TEST

START_TEST(a_diff_has_two_states_and_a_plain_range) {
    struct wire_request diff = {.opcode = WIRE_DIFF,
                                .from_state = {WIRE_STATE_TIME, 5},
                                .to_state = {WIRE_STATE_NEWEST, 0},
                                .range = {.flags = WIRE_RANGE_PREFIX, .from = text("user")}};

    ck_assert_int_eq(there_and_back(&diff), STATUS_OK);
    ck_assert_uint_eq(decoded.from_state.kind, WIRE_STATE_TIME);
    ck_assert_uint_eq(decoded.from_state.value, 5);
    ck_assert_uint_eq(decoded.to_state.kind, WIRE_STATE_NEWEST);
    every_cut_is_refused();
    diff.range.flags = WIRE_RANGE_REVERSE;
    ck_assert_int_eq(there_and_back(&diff), STATUS_INVALID);
    diff.range.flags = WIRE_RANGE_KEYS_ONLY;
    ck_assert_int_eq(there_and_back(&diff), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_DIFF, 0, "\4", 1), STATUS_INVALID);
}
END_TEST

START_TEST(a_rewind_goes_back_and_not_to_the_newest) {
    struct wire_request rewind = {.opcode = WIRE_REWIND,
                                  .to_state = {WIRE_STATE_SNAPSHOT, 9},
                                  .range = {.from = text("a"), .to = text("b")}};

    ck_assert_int_eq(there_and_back(&rewind), STATUS_OK);
    ck_assert_uint_eq(decoded.to_state.value, 9);
    every_cut_is_refused();
    rewind.to_state.kind = WIRE_STATE_NEWEST;
    ck_assert_int_eq(there_and_back(&rewind), STATUS_INVALID);
}
END_TEST

START_TEST(bounds_have_no_flag_but_the_prefix) {
    struct wire_request range = {.opcode = WIRE_DELETE_RANGE,
                                 .range = {.from = text("12345678"), .to = text("87654321")}};

    ck_assert_int_eq(there_and_back(&range), STATUS_OK);
    ck_assert(slice_equal(decoded.range.to, text("87654321")));
    every_cut_is_refused();
    range.range.to = text("876543210");
    ck_assert_int_eq(there_and_back(&range), STATUS_TOO_LARGE);
    range.range.to = text("");
    range.range.flags = WIRE_RANGE_PREFIX;
    ck_assert_int_eq(there_and_back(&range), STATUS_OK);
    range.range.to = text("x");
    ck_assert_int_eq(there_and_back(&range), STATUS_INVALID);
    range.range.flags = WIRE_RANGE_REVERSE;
    ck_assert_int_eq(there_and_back(&range), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_DELETE_RANGE, 0, "\0\0\0x", 4), STATUS_PROTOCOL);
}
END_TEST

START_TEST(an_addition_may_be_of_any_amount) {
    struct wire_request add = {.opcode = WIRE_ADD, .key = text("k"), .amount = INT64_MIN};

    ck_assert_int_eq(there_and_back(&add), STATUS_OK);
    ck_assert_int_eq(decoded.amount, INT64_MIN);
    every_cut_is_refused();
}
END_TEST

START_TEST(an_append_is_bounded_like_a_value) {
    struct wire_request append = {
        .opcode = WIRE_APPEND, .key = text("k"), .value = text("1234567890123456")};

    ck_assert_int_eq(there_and_back(&append), STATUS_OK);
    ck_assert(slice_equal(decoded.value, append.value));
    append.value = text("12345678901234567");
    ck_assert_int_eq(there_and_back(&append), STATUS_TOO_LARGE);
    append.value = text("");
    ck_assert_int_eq(there_and_back(&append), STATUS_OK);
}
END_TEST

START_TEST(a_touch_needs_an_expiry_and_persist_has_none) {
    struct wire_request touch = {.opcode = WIRE_TOUCH, .key = text("k")};

    ck_assert_int_eq(there_and_back(&touch), STATUS_INVALID);
    touch.options.flags = WIRE_FLAG_EXPIRE_AT;
    touch.options.expire_at_ms = 8;
    ck_assert_int_eq(there_and_back(&touch), STATUS_OK);
    ck_assert_uint_eq(decoded.options.expire_at_ms, 8);
    touch.opcode = WIRE_PERSIST;
    ck_assert_int_eq(there_and_back(&touch), STATUS_INVALID);
}
END_TEST

START_TEST(an_upload_goes_in_pieces_and_ends_with_a_commit) {
    struct wire_request data = {
        .opcode = WIRE_UPLOAD_DATA, .handle = 3, .offset = 1ull << 33, .value = text("bytes")};
    struct wire_request commit = {.opcode = WIRE_UPLOAD_COMMIT, .handle = 3, .user_flags = 9};
    struct buffer head;

    ck_assert_int_eq(there_and_back(&data), STATUS_OK);
    ck_assert_uint_eq(decoded.handle, 3);
    ck_assert_uint_eq(decoded.offset, 1ull << 33);
    ck_assert(slice_equal(decoded.value, data.value));
    buffer_init(&head, 100);
    ck_assert_int_eq(wire_request_encode_head(&head, &data), STATUS_OK);
    ck_assert_uint_eq(head.len + data.value.len, frame_buffer.len);
    ck_assert_mem_eq(head.data, frame_buffer.data, head.len);
    buffer_deinit(&head);
    commit.options.flags = WIRE_FLAG_CHECKSUM | WIRE_FLAG_CONDITION | WIRE_FLAG_TTL;
    commit.options.condition = WIRE_CONDITION_ABSENT;
    commit.options.ttl_ms = 1;
    ck_assert_int_eq(there_and_back(&commit), STATUS_OK);
    ck_assert_uint_eq(decoded.user_flags, 9);
    every_cut_is_refused();
    ck_assert_int_eq(decode_body(WIRE_UPLOAD_ABORT, 0, "12345678", 8), STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_UPLOAD_ABORT, 0, "123456789", 9), STATUS_PROTOCOL);
    ck_assert_int_eq(decode_body(WIRE_UPLOAD_ABORT, WIRE_FLAG_DURABILITY, "\3", 1), STATUS_INVALID);
}
END_TEST

/* A piece of a load with these items. */
static enum status load_piece(const struct wire_item *items, uint32_t count) {
    struct wire_request data = {.opcode = WIRE_BULK_LOAD, .action = WIRE_LOAD_DATA, .offset = 9};
    struct buffer list = {.cap = 1u << 16};
    enum status status;

    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(wire_list_add_item(&list, &items[i]), STATUS_OK);
    }
    data.list = (struct wire_list){count, buffer_slice(&list)};
    status = there_and_back(&data);
    buffer_deinit(&list);
    return status;
}

START_TEST(a_bulk_load_goes_in_pieces_of_plain_puts) {
    struct wire_item items[4] = {
        {.kind = WIRE_ITEM_PUT, .key = text("a"), .value = text("1")},
        {.kind = WIRE_ITEM_PUT,
         .flags = WIRE_ITEM_TTL | WIRE_ITEM_CHECKSUM | WIRE_ITEM_USER_FLAGS,
         .ttl_ms = 5,
         .checksum = 6,
         .user_flags = 7,
         .key = text("b"),
         .value = text("")},
        {.kind = WIRE_ITEM_DELETE, .key = text("c")},
        {.kind = WIRE_ITEM_PUT, .key = text("d")},
    };
    struct wire_item item;

    ck_assert_int_eq(load_piece(items, 2), STATUS_OK);
    every_cut_is_refused();
    ck_assert_int_eq(load_piece(items, 2), STATUS_OK);
    ck_assert_uint_eq(decoded.action, WIRE_LOAD_DATA);
    ck_assert_uint_eq(decoded.offset, 9);
    ck_assert_int_eq(wire_list_next_item(&decoded.list, &item), STATUS_OK);
    ck_assert_int_eq(wire_list_next_item(&decoded.list, &item), STATUS_OK);
    ck_assert_uint_eq(item.ttl_ms, 5);
    ck_assert_uint_eq(item.user_flags, 7);
    ck_assert_int_eq(wire_list_next_item(&decoded.list, &item), STATUS_END);
    ck_assert_int_eq(load_piece(items, 0), STATUS_INVALID);
    ck_assert_int_eq(load_piece(items, 3), STATUS_INVALID);
    ck_assert_uint_eq(refusal.item, 2);
    items[0].flags = WIRE_ITEM_CONDITION;
    items[0].condition = WIRE_CONDITION_ABSENT;
    ck_assert_int_eq(load_piece(items, 1), STATUS_INVALID);
    for (uint32_t i = 0; i < 4; i++) {
        items[i] = (struct wire_item){.kind = WIRE_ITEM_PUT, .key = text("k")};
    }
    ck_assert_int_eq(load_piece(items, 4), STATUS_TOO_LARGE);
}
END_TEST

START_TEST(a_bulk_load_has_a_beginning_and_an_end) {
    struct wire_request load = {.opcode = WIRE_BULK_LOAD, .action = WIRE_LOAD_BEGIN};

    load.options.flags = WIRE_FLAG_NAMESPACE;
    load.options.namespace_name = text("space");
    ck_assert_int_eq(there_and_back(&load), STATUS_OK);
    every_cut_is_refused();
    load.action = WIRE_LOAD_COMMIT;
    ck_assert_int_eq(there_and_back(&load), STATUS_INVALID); /* the namespace is of the begin */
    load.options.flags = 0;
    load.offset = 1ull << 40;
    ck_assert_int_eq(there_and_back(&load), STATUS_OK);
    ck_assert_uint_eq(decoded.offset, 1ull << 40);
    every_cut_is_refused();
    load.action = WIRE_LOAD_ABORT;
    ck_assert_int_eq(there_and_back(&load), STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_BULK_LOAD, 0, "\4x", 2), STATUS_PROTOCOL);
    ck_assert_int_eq(decode_body(WIRE_BULK_LOAD, 0, "\0", 1), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BULK_LOAD, 0, "\5", 1), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BULK_LOAD, WIRE_FLAG_DURABILITY, "\3\1", 2), STATUS_INVALID);
}
END_TEST

START_TEST(a_namespace_is_made_with_settings) {
    struct wire_request create = {
        .opcode = WIRE_NAMESPACE_CREATE, .payload = text("space"), .settings = {1, 2, 3}};
    uint8_t name[256] = {0};

    ck_assert_int_eq(there_and_back(&create), STATUS_OK);
    ck_assert_uint_eq(decoded.settings.quota_bytes, 1);
    ck_assert_uint_eq(decoded.settings.keep_ms, 2);
    ck_assert_uint_eq(decoded.settings.keep_versions, 3);
    every_cut_is_refused();
    ck_assert_int_eq(decode_body(WIRE_NAMESPACE_DROP, 0, name, 255), STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_NAMESPACE_DROP, 0, name, 256), STATUS_TOO_LARGE);
    create.payload = slice_make(name, 256);
    ck_assert_int_eq(there_and_back(&create), STATUS_TOO_LARGE);
    ck_assert_int_eq(decode_body(WIRE_NAMESPACE_LIST, 0, "x", 1), STATUS_PROTOCOL);
}
END_TEST

START_TEST(a_feed_has_a_position_and_bounds) {
    struct wire_request feed = {.opcode = WIRE_FEED,
                                .position = {UINT64_MAX, 7, 1u << 20},
                                .wait_ms = 60000,
                                .range = {.page_bytes = 4096, .from = text("a"), .to = text("b")}};

    ck_assert_int_eq(there_and_back(&feed), STATUS_OK);
    ck_assert_uint_eq(decoded.position.version, UINT64_MAX);
    ck_assert_uint_eq(decoded.position.skip, 7);
    ck_assert_uint_eq(decoded.position.value_offset, 1u << 20);
    ck_assert_uint_eq(decoded.wait_ms, 60000);
    ck_assert_uint_eq(decoded.range.page_bytes, 4096);
    every_cut_is_refused();
    feed.range.flags = WIRE_RANGE_REVERSE;
    ck_assert_int_eq(there_and_back(&feed), STATUS_INVALID);
    feed.range.flags = WIRE_RANGE_PREFIX;
    ck_assert_int_eq(there_and_back(&feed), STATUS_INVALID);
    feed.range.to.len = 0;
    ck_assert_int_eq(there_and_back(&feed), STATUS_OK);
}
END_TEST

START_TEST(what_was_observed_is_listed_or_cleared) {
    struct wire_request list = {.opcode = WIRE_SLOWLOG, .action = WIRE_LOOK_LIST, .handle = 10};

    ck_assert_int_eq(there_and_back(&list), STATUS_OK);
    ck_assert_uint_eq(decoded.action, WIRE_LOOK_LIST);
    ck_assert_uint_eq(decoded.handle, 10);
    every_cut_is_refused();
    list.action = WIRE_LOOK_CLEAR;
    ck_assert_int_eq(there_and_back(&list), STATUS_OK);
    list.opcode = WIRE_CLIENTS;
    ck_assert_int_eq(there_and_back(&list), STATUS_INVALID);
    list.action = WIRE_LOOK_CLOSE;
    ck_assert_int_eq(there_and_back(&list), STATUS_OK);
    list.opcode = WIRE_SLOWLOG;
    ck_assert_int_eq(there_and_back(&list), STATUS_INVALID);
    list.action = 0;
    ck_assert_int_eq(there_and_back(&list), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_SLOWLOG, 0, "\1\0\0\0\0\0\0\0\0x", 10), STATUS_PROTOCOL);
}
END_TEST

START_TEST(maintenance_has_an_action_and_a_checkpoint_a_path) {
    char path[4097];

    memset(path, 'x', sizeof path);
    path[0] = WIRE_ACTION_CHECKPOINT;
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, "\1", 1), STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, "", 0), STATUS_PROTOCOL);
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, "\0", 1), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, "\6", 1), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, "\1x", 2), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, "\5", 1), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, path, 4096), STATUS_OK);
    ck_assert_uint_eq(decoded.payload.len, 4095);
    ck_assert_int_eq(decode_body(WIRE_MAINTAIN, 0, path, 4097), STATUS_TOO_LARGE);
}
END_TEST

START_TEST(configuration_is_asked_by_prefix_or_set_by_name) {
    struct wire_request request = {.opcode = WIRE_CONFIG, .action = WIRE_CONFIG_GET};
    char longest[8192] = {0};

    ck_assert_int_eq(there_and_back(&request), STATUS_OK);
    request.payload = text("log.level");
    request.value = text("debug");
    ck_assert_int_eq(there_and_back(&request), STATUS_INVALID);
    request.action = WIRE_CONFIG_SET;
    ck_assert_int_eq(there_and_back(&request), STATUS_OK);
    ck_assert(slice_equal(decoded.payload, text("log.level")));
    ck_assert(slice_equal(decoded.value, text("debug")));
    ck_assert_int_eq(decode_body(WIRE_CONFIG, 0, "\1", 1), STATUS_PROTOCOL);
    ck_assert_int_eq(decode_body(WIRE_CONFIG, 0, "\1\2x", 3), STATUS_PROTOCOL);
    ck_assert_int_eq(decode_body(WIRE_CONFIG, 0, "\0\1x", 3), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_CONFIG, 0, "\3\1x", 3), STATUS_INVALID);
    request.value = slice_make(longest, 8191);
    ck_assert_int_eq(there_and_back(&request), STATUS_OK);
    request.value = slice_make(longest, 8192);
    ck_assert_int_eq(there_and_back(&request), STATUS_TOO_LARGE);
    request.value = text("");
    request.payload = slice_make(longest, 255);
    ck_assert_int_eq(there_and_back(&request), STATUS_OK);
    request.payload = slice_make(longest, 256);
    ck_assert_int_eq(there_and_back(&request), STATUS_TOO_LARGE);
}
END_TEST

START_TEST(a_batch_takes_all_kinds_with_their_own_flags) {
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\3\0\0\0", 5), STATUS_OK); /* everything */
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\3\4\1\0\0", 6), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0,
                                 "\1\3\0\x09"
                                 "123456789\0",
                                 14),
                     STATUS_TOO_LARGE);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\4\0\1k12345678", 13), STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\4\0\1k1234567", 12), STATUS_PROTOCOL);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\4\x10\0\0\0\0\1k12345678", 17), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\5\0\1k\2ab", 8), STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\6\0\1k", 5), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0,
                                 "\1\6\1"
                                 "12345678\1k",
                                 13),
                     STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\7\0\1k", 5), STATUS_OK);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\7\0\0", 4), STATUS_INVALID);
    ck_assert_int_eq(decode_body(WIRE_BATCH, 0, "\1\0\0\1k", 5), STATUS_INVALID);
}
END_TEST

UNIT_MAIN("wire_request_more", a_read_says_at_which_state_by_one_flag_only,
          a_part_of_a_value_has_offset_and_length, a_history_has_a_bound_and_a_limit,
          a_diff_has_two_states_and_a_plain_range, a_rewind_goes_back_and_not_to_the_newest,
          bounds_have_no_flag_but_the_prefix, an_addition_may_be_of_any_amount,
          an_append_is_bounded_like_a_value, a_touch_needs_an_expiry_and_persist_has_none,
          an_upload_goes_in_pieces_and_ends_with_a_commit, a_bulk_load_goes_in_pieces_of_plain_puts,
          a_bulk_load_has_a_beginning_and_an_end, a_namespace_is_made_with_settings,
          a_feed_has_a_position_and_bounds, maintenance_has_an_action_and_a_checkpoint_a_path,
          configuration_is_asked_by_prefix_or_set_by_name, what_was_observed_is_listed_or_cleared,
          a_batch_takes_all_kinds_with_their_own_flags)
