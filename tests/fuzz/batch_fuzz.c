/* batch_fuzz.c: bytes that claim to be the operations of a commit: each one that is taken lies
 * inside them and makes an entry that reads back as it was. */
#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/format.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct batch_op *op) {
    struct entry entry = {.kind = op->kind,
                          .expiry_ms = op->expiry_ms,
                          .user_flags = op->user_flags,
                          .value = op->value};
    struct entry again;
    uint8_t *bytes;
    size_t len;

    entry.ref = (struct value_ref){.offset = op->values_offset,
                                   .raw_bytes = op->raw_bytes,
                                   .stored_bytes = op->stored_bytes,
                                   .checksum = op->checksum,
                                   .compressed = op->compressed};
    len = entry_bytes(&entry);
    bytes = memory_alloc(len);
    if (!bytes || entry_store(bytes, &entry) != len ||
        entry_load(slice_make(bytes, len), &again) != STATUS_OK || again.kind != entry.kind ||
        again.expiry_ms != entry.expiry_ms || again.value.len != entry.value.len) {
        abort();
    }
    memory_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader reader = reader_make(slice_make(data, size));
    struct batch_op op;

    while (batch_take(&reader, size, &op) == STATUS_OK) {
        if (op.key.len > KEY_BYTES_MAX || op.key.ptr < data || op.key.ptr > data + size) {
            abort();
        }
        check_entry(&op);
    }
    return 0;
}
