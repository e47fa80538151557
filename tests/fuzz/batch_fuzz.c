/* batch_fuzz.c: bytes that claim to be the operations of a commit: each one that is taken lies
 * inside them and makes an entry that reads back as it was. */
#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/format.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct batch_op *op) {
    struct entry entry = batch_op_entry(op, 1, 0, DURABILITY_LOGGED);
    struct entry again;
    uint8_t *bytes;
    size_t len = entry_bytes(&entry);

    bytes = memory_alloc(len);
    if (!bytes || entry_store(bytes, &entry) != len ||
        entry_load(slice_make(bytes, len), &again) != STATUS_OK || again.kind != entry.kind ||
        again.expiry_ms != entry.expiry_ms || again.value.len != entry.value.len ||
        again.alias != entry.alias || again.record_version != entry.record_version ||
        entry_log_bytes(&again) != entry_log_bytes(&entry) ||
        entry_value_bytes(&again) != entry_value_bytes(&entry)) {
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
        if (!op.extent) {
            check_entry(&op);
        }
    }
    return 0;
}
