/* response_fuzz.c: any bytes as a response to each opcode; what is accepted can be walked. */
#include "protocol/base/assert.h"
#include "protocol/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint16_t opcodes[] = {WIRE_HELLO, WIRE_PING,  WIRE_GET, WIRE_MGET,  WIRE_META,
                                   WIRE_SCAN,  WIRE_COUNT, WIRE_PUT, WIRE_STATS, WIRE_WATCH};

static void walk(struct wire_response *response) {
    struct wire_entry entry;
    struct slice name;
    struct slice value;

    if (response->status != STATUS_OK) {
        return;
    }
    if (response->opcode == WIRE_MGET || response->opcode == WIRE_SCAN) {
        while (wire_response_next_entry(response, &entry) == STATUS_OK) {
        }
        ASSERT(response->list.count == 0);
        ASSERT(response->page.list.count == 0);
    }
    if (response->opcode == WIRE_STATS) {
        while (wire_response_next_stat(response, &name, &value) == STATUS_OK) {
        }
        ASSERT(response->list.count == 0);
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
