/* response_fuzz.c: any bytes as a response to each opcode; what is accepted can be walked. */
#include "protocol/base/assert.h"
#include "protocol/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint16_t opcodes[] = {
    WIRE_HELLO,         WIRE_PING,     WIRE_GET,          WIRE_MGET,           WIRE_META,
    WIRE_SCAN,          WIRE_COUNT,    WIRE_PUT,          WIRE_STATS,          WIRE_WATCH,
    WIRE_GET_RANGE,     WIRE_HISTORY,  WIRE_DIFF,         WIRE_BATCH,          WIRE_ADD,
    WIRE_APPEND,        WIRE_REWIND,   WIRE_UPLOAD_BEGIN, WIRE_UPLOAD_ABORT,   WIRE_SNAPSHOT_OPEN,
    WIRE_SNAPSHOT_LIST, WIRE_WHY,      WIRE_MAINTAIN,     WIRE_NAMESPACE_LIST, WIRE_EXPLAIN,
    WIRE_HOTKEYS,       WIRE_CLIENTS,  WIRE_SLOWLOG,      WIRE_TXN_BEGIN,      WIRE_TXN_COMMIT,
    WIRE_TXN_ABORT,     WIRE_TRANSACT, WIRE_FEED,         WIRE_CONFIG,         WIRE_BULK_LOAD};

/* Takes the next element of whatever list the response has. */
static enum status next(struct wire_response *response) {
    struct wire_entry entry;
    struct wire_holder holder;
    struct wire_version version;
    struct wire_change change;
    struct wire_feed_change feed_change;
    struct wire_snapshot snapshot;
    struct wire_namespace space;
    struct wire_slow slow;
    struct wire_client client;
    struct wire_hot_key hot;
    struct wire_setting setting;
    struct slice name;
    struct slice value;
    struct wire_result outcome;
    int64_t result;

    switch (response->opcode) {
    case WIRE_MGET:
    case WIRE_SCAN:
        return wire_response_next_entry(response, &entry);
    case WIRE_HISTORY:
        return wire_response_next_version(response, &version);
    case WIRE_DIFF:
        return wire_response_next_change(response, &change);
    case WIRE_TRANSACT:
        return wire_response_next_outcome(response, &outcome);
    case WIRE_FEED:
        return wire_response_next_feed_change(response, &feed_change);
    case WIRE_BATCH:
        return wire_response_next_result(response, &result);
    case WIRE_WHY:
        return wire_response_next_holder(response, &holder);
    case WIRE_SNAPSHOT_LIST:
        return wire_response_next_snapshot(response, &snapshot);
    case WIRE_CONFIG:
        return wire_response_next_setting(response, &setting);
    case WIRE_NAMESPACE_LIST:
        return wire_response_next_namespace(response, &space);
    case WIRE_SLOWLOG:
        return wire_response_next_slow(response, &slow);
    case WIRE_CLIENTS:
        return wire_response_next_client(response, &client);
    case WIRE_HOTKEYS:
        return wire_response_next_hot_key(response, &hot);
    default:
        return wire_response_next_stat(response, &name, &value);
    }
}

static void walk(struct wire_response *response) {
    enum status status = STATUS_OK;

    while (response->status == STATUS_OK && status == STATUS_OK) {
        status = next(response);
    }
    if (response->status == STATUS_OK) {
        ASSERT(status == STATUS_END);
        ASSERT(response->list.count == 0);
        ASSERT(response->page.list.count == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct wire_frame frame;
    struct wire_response response;
    const char *reason = NULL;
    size_t wanted;

    if (wire_frame_decode(slice_make(data, len), WIRE_KIND_RESPONSE, 1u << 20, &frame, &wanted,
                          &reason) != STATUS_OK) {
        return 0;
    }
    for (size_t i = 0; i < 2 * sizeof opcodes / sizeof opcodes[0]; i++) {
        reason = NULL;
        if (wire_response_decode(&frame, opcodes[i / 2], i % 2, &response, &reason) == STATUS_OK) {
            walk(&response);
        } else {
            ASSERT(reason != NULL);
        }
    }
    return 0;
}
