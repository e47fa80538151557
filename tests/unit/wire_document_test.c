/* wire_document_test.c: the hex examples and tables of docs/protocol.md against the codec, both
 * ways: the bytes decode, and what was decoded encodes to the same bytes. */
#include "protocol/wire.h"

#include "tests/unit/unit.h"

#include <ctype.h>
#include <stdio.h>

#define DOCUMENT "docs/protocol.md"
#define EXAMPLE_BYTES_MAX 512

static const struct wire_limits limits = {.frame_max = 4096,
                                          .key_max = 1024,
                                          .value_max = 4096,
                                          .mget_keys_max = 10,
                                          .batch_items_max = 10,
                                          .batch_bytes_max = 4096};

struct example {
    char kind[16];
    char name[32];
    char opcode[32]; /* of the request that a response answers */
    uint8_t bytes[EXAMPLE_BYTES_MAX];
    size_t len;
};

static FILE *open_document(void) {
    FILE *document = fopen(DOCUMENT, "r");
    if (!document) { /* run from a build folder inside the repository */
        document = fopen("../" DOCUMENT, "r");
    }
    ck_assert_msg(document != NULL, DOCUMENT " is not found from here");
    return document;
}

static void add_hex(struct example *example, const char *line) {
    unsigned byte;
    int taken;

    while (*line != ';' && *line != '\0' && sscanf(line, " %2x%n", &byte, &taken) == 1) {
        ck_assert_uint_lt(example->len, EXAMPLE_BYTES_MAX);
        example->bytes[example->len++] = (uint8_t)byte;
        line += taken;
        while (*line == ' ') {
            line++;
        }
    }
}

/* The next example of the document; false at its end. */
static bool next_example(FILE *document, struct example *example) {
    char line[1024];

    *example = (struct example){0};
    while (fgets(line, sizeof line, document)) {
        if (sscanf(line, "```hex %15s %31s %31s", example->kind, example->name, example->opcode) >=
            2) {
            break;
        }
    }
    while (fgets(line, sizeof line, document) && strncmp(line, "```", 3) != 0) {
        add_hex(example, line);
    }
    return example->len > 0;
}

static bool find_example(const char *kind, const char *name, struct example *example) {
    FILE *document = open_document();
    bool found = false;

    while (!found && next_example(document, example)) {
        found = strcmp(example->kind, kind) == 0 && strcmp(example->name, name) == 0;
    }
    fclose(document);
    return found;
}

static uint16_t opcode_named(const char *name) {
    for (uint16_t opcode = 0; opcode < 0x100; opcode++) {
        if (strcmp(wire_opcode_name(opcode), name) == 0) {
            return opcode;
        }
    }
    ck_abort_msg("no opcode %s", name);
    return 0;
}

static struct wire_frame frame_of(const struct example *example, enum wire_kind kind) {
    struct wire_frame frame = {0};
    const char *reason = "";
    size_t wanted;

    ck_assert_msg(wire_frame_decode(slice_make(example->bytes, example->len), kind, 4096, &frame,
                                    &wanted, &reason) == STATUS_OK,
                  "%s %s: no whole frame %s", example->kind, example->name, reason);
    ck_assert_uint_eq(frame.body_len + WIRE_FRAME_HEADER_BYTES, example->len);
    return frame;
}

static struct wire_request request_of(const struct example *example) {
    struct wire_frame frame = frame_of(example, WIRE_KIND_REQUEST);
    struct wire_request request = {0};
    struct wire_refusal refusal;

    ck_assert_msg(wire_request_decode(&frame, &limits, WIRE_FLAGS_REQUEST, &request, &refusal) ==
                      STATUS_OK,
                  "request %s: %s", example->name, refusal.text);
    return request;
}

static struct wire_response response_of(const struct example *example) {
    struct wire_frame frame = frame_of(example, WIRE_KIND_RESPONSE);
    struct wire_response response = {0};
    const char *reason = "";

    ck_assert_msg(wire_response_decode(&frame, opcode_named(example->opcode), false, &response,
                                       &reason) == STATUS_OK,
                  "response %s: %s", example->name, reason);
    return response;
}

static void must(enum status status) {
    ck_assert_int_eq(status, STATUS_OK);
}

/* --- decoded responses to bytes again --- */

static void append_record(struct buffer *out, uint32_t flags, const struct wire_record *record,
                          struct slice value) {
    size_t mark;

    must(wire_record_begin(out, flags, &mark));
    must(buffer_append(out, value.ptr ? value.ptr : (const uint8_t *)"", value.len));
    wire_record_finish(out, mark, flags, record);
}

static void append_entries(struct buffer *out, struct wire_response *response) {
    struct wire_entry entry;

    while (wire_response_next_entry(response, &entry) == STATUS_OK) {
        if (response->opcode == WIRE_SCAN) {
            must(wire_scan_entry_begin(out, entry.key));
        } else if (entry.status == STATUS_OK) {
            must(wire_mget_entry_begin(out));
        } else {
            must(wire_mget_entry_error(out, entry.status, entry.text));
            continue;
        }
        append_record(out, response->flags, &entry.record, entry.value);
    }
}

static void append_lines(struct buffer *out, struct wire_response *response) {
    struct slice name;
    struct slice value;

    while (wire_response_next_stat(response, &name, &value) == STATUS_OK) {
        must(wire_stats_entry(out, name, value));
    }
}

/* Of what the server has observed, and of its configuration. */
static void append_observed(struct buffer *out, struct wire_response *response) {
    struct wire_slow slow;
    struct wire_client client;
    struct wire_hot_key hot;
    struct wire_setting setting;

    while (response->opcode == WIRE_SLOWLOG &&
           wire_response_next_slow(response, &slow) == STATUS_OK) {
        must(wire_slow_entry(out, &slow));
    }
    while (response->opcode == WIRE_CLIENTS &&
           wire_response_next_client(response, &client) == STATUS_OK) {
        must(wire_client_entry(out, &client));
    }
    while (response->opcode == WIRE_HOTKEYS &&
           wire_response_next_hot_key(response, &hot) == STATUS_OK) {
        must(wire_hot_key_entry(out, &hot));
    }
    while (response->opcode == WIRE_CONFIG &&
           wire_response_next_setting(response, &setting) == STATUS_OK) {
        must(wire_setting_entry(out, &setting));
    }
}

/* Whatever else has a list: one element after the other. */
static void append_elements(struct buffer *out, struct wire_response *response) {
    struct wire_holder holder;
    struct wire_version version;
    struct wire_change change;
    struct wire_feed_change feed_change;
    struct wire_snapshot snapshot;
    size_t value_mark;
    struct wire_namespace space;

    while (response->opcode == WIRE_WHY &&
           wire_response_next_holder(response, &holder) == STATUS_OK) {
        must(wire_holder_entry(out, &holder));
    }
    while (response->opcode == WIRE_HISTORY &&
           wire_response_next_version(response, &version) == STATUS_OK) {
        must(wire_version_entry(out, &version));
    }
    while (response->opcode == WIRE_DIFF &&
           wire_response_next_change(response, &change) == STATUS_OK) {
        must(wire_change_entry(out, &change));
    }
    while (response->opcode == WIRE_FEED &&
           wire_response_next_feed_change(response, &feed_change) == STATUS_OK) {
        must(wire_feed_entry(out, &feed_change, &value_mark));
        if (feed_change.kind == WIRE_FEED_PUT) {
            must(buffer_append(out, feed_change.value.ptr, feed_change.value.len));
            wire_feed_value_finish(out, value_mark);
        }
    }
    while (response->opcode == WIRE_SNAPSHOT_LIST &&
           wire_response_next_snapshot(response, &snapshot) == STATUS_OK) {
        must(wire_snapshot_entry(out, &snapshot));
    }
    while (response->opcode == WIRE_NAMESPACE_LIST &&
           wire_response_next_namespace(response, &space) == STATUS_OK) {
        must(wire_namespace_entry(out, &space));
    }
    append_observed(out, response);
}

static void encode_page(struct buffer *out, struct wire_response *response) {
    const struct wire_page page = response->page;
    size_t mark;

    if (response->opcode == WIRE_FEED) {
        must(wire_feed_begin(out, &mark));
        append_elements(out, response);
        wire_feed_finish(out, mark, (uint32_t)page.count, &response->feed, page.at_end);
        return;
    }
    must(wire_page_begin(out, &mark));
    if (response->opcode == WIRE_SCAN) {
        append_entries(out, response);
    } else {
        append_elements(out, response);
    }
    if (response->opcode == WIRE_HISTORY) {
        wire_history_finish(out, mark, (uint32_t)page.count, page.at_end);
    } else {
        must(wire_page_finish(out, mark, (uint32_t)page.count, page.cursor, page.at_end));
    }
}

static void encode_list(struct buffer *out, struct wire_response *response) {
    uint32_t count = response->list.count;
    size_t mark;

    must(wire_list_begin(out, &mark));
    if (response->opcode == WIRE_STATS) {
        append_lines(out, response);
    } else if (response->opcode == WIRE_MGET) {
        append_entries(out, response);
    } else {
        append_elements(out, response);
    }
    wire_list_finish(out, mark, count);
}

static void append_results(struct buffer *out, struct wire_response *response) {
    struct wire_result result;

    while (wire_response_next_outcome(response, &result) == STATUS_OK) {
        if (result.kind == WIRE_RESULT_FOUND) {
            must(wire_result_found_begin(out));
            append_record(out, response->flags, &result.record, result.value);
        } else {
            must(wire_result_entry(out, result.kind, result.number));
        }
    }
}

static void encode_transact(struct buffer *out, struct wire_response *response) {
    uint32_t count = response->list.count;
    size_t mark;

    must(wire_transact_begin(out, response->held, &mark));
    append_results(out, response);
    wire_list_finish(out, mark, count);
}

/* Those with values and lists are made piece by piece. */
static void encode_pieces(struct buffer *out, struct wire_response *response) {
    size_t mark;

    must(wire_response_begin(out, response->id, STATUS_OK, response->flags, &mark));
    switch (response->opcode) {
    case WIRE_GET:
    case WIRE_GET_RANGE:
        append_record(out, response->flags, &response->record, response->payload);
        break;
    case WIRE_SCAN:
    case WIRE_HISTORY:
    case WIRE_DIFF:
    case WIRE_FEED:
        encode_page(out, response);
        break;
    case WIRE_TRANSACT:
        encode_transact(out, response);
        wire_transact_version(out, mark, response->version);
        break;
    default:
        encode_list(out, response);
    }
    must(wire_response_finish(out, mark));
}

static void encode_batch(struct buffer *out, struct wire_response *response) {
    int64_t results[8];
    uint32_t count = 0;

    while (count < 8 && wire_response_next_result(response, &results[count]) == STATUS_OK) {
        count++;
    }
    must(wire_response_results(out, response->id, response->version, results, count));
}

static void encode_error(struct buffer *out, const struct wire_response *response) {
    char text[128] = "";

    if (response->status == STATUS_CONFLICT) {
        must(wire_response_conflict(out, response->id, response->error.detail,
                                    &response->error.conflict));
        return;
    }
    const struct wire_refusal refusal = {text, response->error.item, response->error.detail};

    ck_assert_uint_lt(response->error.text.len, sizeof text);
    if (response->error.text.len > 0) {
        memcpy(text, response->error.text.ptr, response->error.text.len);
    }
    must(wire_response_error(out, response->id, response->status,
                             response->status == STATUS_NOT_FOUND ? NULL : &refusal));
}

static void encode_response(struct buffer *out, struct wire_response *response) {
    if (response->status != STATUS_OK) {
        encode_error(out, response);
        return;
    }
    switch (response->opcode) {
    case WIRE_HELLO:
        must(wire_response_hello(out, response->id, &response->hello));
        break;
    case WIRE_COUNT:
        must(wire_response_count(out, response->id, response->page.count, response->page.cursor,
                                 response->page.at_end));
        break;
    case WIRE_PUT:
        must(wire_response_version(out, response->id, response->version));
        break;
    case WIRE_BATCH:
        encode_batch(out, response);
        break;
    case WIRE_ADD:
        must(wire_response_version_number(out, response->id, response->version,
                                          (uint64_t)response->sum));
        break;
    case WIRE_APPEND:
    case WIRE_REWIND:
    case WIRE_BULK_LOAD:
        must(wire_response_version_number(out, response->id, response->version, response->number));
        break;
    case WIRE_UPLOAD_BEGIN:
    case WIRE_UPLOAD_DATA:
        must(wire_response_number(out, response->id, response->number));
        break;
    case WIRE_UPLOAD_ABORT:
        must(wire_response_empty(out, response->id));
        break;
    case WIRE_SNAPSHOT_OPEN:
    case WIRE_TXN_BEGIN:
        must(wire_response_snapshot(out, response->id, &response->snapshot));
        break;
    default:
        encode_pieces(out, response);
    }
}

START_TEST(every_example_decodes_and_encodes_to_the_same_bytes) {
    FILE *document = open_document();
    struct example example;
    struct buffer out;
    int seen = 0;

    buffer_init(&out, 4096);
    while (next_example(document, &example)) {
        buffer_clear(&out);
        if (strcmp(example.kind, "request") == 0) {
            struct wire_request request = request_of(&example);
            must(wire_request_encode(&out, &request));
        } else {
            struct wire_response response = response_of(&example);
            encode_response(&out, &response);
        }
        ck_assert_msg(slice_equal(buffer_slice(&out), slice_make(example.bytes, example.len)),
                      "%s %s encodes to other bytes", example.kind, example.name);
        seen++;
    }
    ck_assert_int_ge(seen, 50);
    fclose(document);
    buffer_deinit(&out);
}
END_TEST

/* The example with its body cut at `body_len`, as a frame of its own. */
static struct wire_frame cut_frame(const struct example *example, enum wire_kind kind,
                                   uint8_t *bytes_out, size_t body_len) {
    struct wire_frame frame = frame_of(example, kind);

    memcpy(bytes_out, example->bytes, WIRE_FRAME_HEADER_BYTES + body_len);
    store_u32(bytes_out + 4, (uint32_t)body_len);
    frame.body_len = (uint32_t)body_len;
    frame.body = slice_make(bytes_out + WIRE_FRAME_HEADER_BYTES, body_len);
    return frame;
}

static void cut_request(const struct example *example, size_t body_len, struct buffer *out) {
    uint8_t bytes[EXAMPLE_BYTES_MAX];
    struct wire_frame frame = cut_frame(example, WIRE_KIND_REQUEST, bytes, body_len);
    struct wire_request request;
    struct wire_refusal refusal;

    buffer_clear(out);
    if (wire_request_decode(&frame, &limits, WIRE_FLAGS_REQUEST, &request, &refusal) == STATUS_OK) {
        must(wire_request_encode(out, &request));
        ck_assert(slice_equal(buffer_slice(out), slice_make(bytes, out->len)));
    } else {
        ck_assert(refusal.text[0] != '\0');
    }
}

static void cut_response(const struct example *example, size_t body_len, struct buffer *out) {
    uint8_t bytes[EXAMPLE_BYTES_MAX];
    struct wire_frame frame = cut_frame(example, WIRE_KIND_RESPONSE, bytes, body_len);
    struct wire_response response;
    const char *reason = NULL;

    buffer_clear(out);
    if (wire_response_decode(&frame, opcode_named(example->opcode), false, &response, &reason) ==
        STATUS_OK) {
        encode_response(out, &response);
        ck_assert(body_len == 0 || response.opcode == WIRE_BATCH ||
                  response.status == STATUS_CONFLICT || /* its text is made anew */
                  slice_equal(buffer_slice(out), slice_make(bytes, out->len)));
    } else {
        ck_assert_ptr_nonnull(reason);
    }
}

START_TEST(an_example_cut_anywhere_is_refused_or_means_just_what_is_left) {
    FILE *document = open_document();
    struct example example;
    struct buffer out;

    buffer_init(&out, 4096);
    while (next_example(document, &example)) {
        for (size_t len = 0; len < example.len - WIRE_FRAME_HEADER_BYTES; len++) {
            if (strcmp(example.kind, "request") == 0) {
                cut_request(&example, len, &out);
            } else {
                cut_response(&example, len, &out);
            }
        }
    }
    fclose(document);
    buffer_deinit(&out);
}
END_TEST

START_TEST(the_put_of_the_document_means_what_its_comments_say) {
    struct example example;
    struct wire_request put;

    ck_assert(find_example("request", "put", &example));
    put = request_of(&example);
    ck_assert_uint_eq(put.opcode, WIRE_PUT);
    ck_assert_uint_eq(put.options.durability, WIRE_DURABILITY_LOGGED);
    ck_assert_uint_eq(put.options.ttl_ms, 60000);
    ck_assert_uint_eq(put.options.condition, WIRE_CONDITION_VERSION);
    ck_assert_uint_eq(put.options.version, 42);
    ck_assert_uint_eq(put.user_flags, 7);
    ck_assert(slice_equal(put.key, slice_from_text("name")));
    ck_assert(slice_equal(put.value, slice_from_text("Grace")));
}
END_TEST

START_TEST(the_answers_of_the_document_mean_what_their_comments_say) {
    struct example example;
    struct wire_response response;

    ck_assert(find_example("response", "get_checksum", &example));
    response = response_of(&example);
    ck_assert_uint_eq(response.record.version, 42);
    ck_assert_uint_eq(response.record.user_flags, 7);
    ck_assert_uint_eq(response.record.checksum, 0x1122334455667788);
    ck_assert(slice_equal(response.payload, slice_from_text("Ada")));
    ck_assert(find_example("response", "mismatch", &example));
    response = response_of(&example);
    ck_assert_int_eq(response.status, STATUS_VERSION_MISMATCH);
    ck_assert_uint_eq(response.error.detail, 43);
    ck_assert(find_example("response", "hello", &example));
    response = response_of(&example);
    ck_assert_uint_eq(response.hello.limits.key_max, 65535);
    ck_assert_uint_eq(response.hello.limits.durability, WIRE_DURABILITY_SYNCED);
}
END_TEST

START_TEST(the_batch_of_all_kinds_means_what_its_comments_say) {
    static const uint8_t kinds[] = {WIRE_ITEM_DELETE_RANGE, WIRE_ITEM_ADD, WIRE_ITEM_APPEND,
                                    WIRE_ITEM_TOUCH, WIRE_ITEM_PERSIST};
    struct example example;
    struct wire_request batch;
    struct wire_response response;
    struct wire_item item;
    int64_t result;

    ck_assert(find_example("request", "batch_more", &example));
    batch = request_of(&example);
    for (size_t i = 0; i < sizeof kinds; i++) {
        must(wire_list_next_item(&batch.list, &item));
        ck_assert_uint_eq(item.kind, kinds[i]);
        ck_assert(item.kind != WIRE_ITEM_ADD || item.amount == 1);
        ck_assert(item.kind != WIRE_ITEM_TOUCH || item.ttl_ms == 1000);
    }
    ck_assert(find_example("response", "batch_more", &example));
    response = response_of(&example);
    must(wire_response_next_result(&response, &result));
    ck_assert_int_eq(result, -4);
    must(wire_response_next_result(&response, &result));
    ck_assert_int_eq(result, 8);
}
END_TEST

/* Counts the rows "| 0xNNNN | NAME |" of the document, after checking each. */
START_TEST(the_tables_of_opcodes_and_statuses_are_those_of_the_codec) {
    FILE *document = open_document();
    char line[1024];
    char name[64];
    char number_text[16];
    int opcodes = 0;
    int statuses = 0;

    while (fgets(line, sizeof line, document)) {
        enum status status;
        unsigned number;
        if (sscanf(line, "| %15s | %63s |", number_text, name) != 2 ||
            sscanf(number_text, "0x%x", &number) != 1 || strlen(number_text) < 5) {
            continue;
        }
        if (isupper((unsigned char)name[0])) {
            ck_assert_str_eq(wire_opcode_name((uint16_t)number), name);
            opcodes++;
        } else {
            must(wire_status_from_number((uint16_t)number, &status));
            ck_assert_str_eq(status_name(status), name);
            statuses++;
        }
    }
    fclose(document);
    for (uint16_t opcode = 0; opcode < 0x100; opcode++) {
        opcodes -= strcmp(wire_opcode_name(opcode), "opcode") != 0;
    }
    ck_assert_int_eq(opcodes, 0);
    for (int i = 0; i < STATUS_COUNT; i++) {
        enum status back;
        must(wire_status_from_number(wire_status_number((enum status)i), &back));
        statuses -= back == (enum status)i;
    }
    ck_assert_int_eq(statuses, 0);
}
END_TEST

UNIT_MAIN("wire_document", every_example_decodes_and_encodes_to_the_same_bytes,
          an_example_cut_anywhere_is_refused_or_means_just_what_is_left,
          the_put_of_the_document_means_what_its_comments_say,
          the_answers_of_the_document_mean_what_their_comments_say,
          the_batch_of_all_kinds_means_what_its_comments_say,
          the_tables_of_opcodes_and_statuses_are_those_of_the_codec)
