/* frame_fuzz.c: any bytes as a header; what is accepted lies inside the bytes, and encodes back. */
#include "protocol/base/assert.h"
#include "protocol/wire.h"

#define BODY_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_same(const struct wire_frame *frame, enum wire_kind kind, struct slice bytes) {
    struct buffer buffer;
    size_t mark;

    buffer_init(&buffer, 2 * BODY_MAX);
    ASSERT(wire_frame_begin(&buffer, kind, frame->code, frame->id, frame->flags, &mark) ==
           STATUS_OK);
    ASSERT(buffer_append(&buffer, frame->body.ptr, frame->body.len) == STATUS_OK);
    ASSERT(wire_frame_finish(&buffer, mark, 0) == STATUS_OK);
    ASSERT(slice_equal(buffer_slice(&buffer), bytes));
    buffer_deinit(&buffer);
}

static void try_kind(enum wire_kind kind, const uint8_t *data, size_t len) {
    struct wire_frame frame;
    size_t wanted = 0;
    const char *reason = NULL;
    enum status status =
        wire_frame_decode(slice_make(data, len), kind, BODY_MAX, &frame, &wanted, &reason);

    if (status == STATUS_OK) {
        ASSERT(WIRE_FRAME_HEADER_BYTES + frame.body_len <= len);
        check_same(&frame, kind, slice_make(data, WIRE_FRAME_HEADER_BYTES + frame.body_len));
    } else if (status == STATUS_NEED_MORE) {
        ASSERT(wanted > len);
        ASSERT(wanted <= WIRE_FRAME_HEADER_BYTES + BODY_MAX);
    } else {
        ASSERT(reason != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    try_kind(WIRE_KIND_REQUEST, data, len);
    try_kind(WIRE_KIND_RESPONSE, data, len);
    return 0;
}
