/* block_fuzz.c: bytes that claim to be the content of a table block: seeks and walks both ways end,
 * and never leave them. The first byte is the length of the key that is sought. */
#include "storage/block.h"
#include "storage/ikey.h"

#include <stdlib.h>

#define STEPS_MAX 10000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct block *block, struct slice row) {
    uint8_t ikey[64 + IKEY_BYTES_MIN];
    struct block_cursor cursor;
    uint32_t steps = 0;
    enum status status;

    block_cursor_init(&cursor);
    block_cursor_set(&cursor, block);
    status = block_cursor_first(&cursor);
    while (status == STATUS_OK && steps++ < STEPS_MAX) {
        status = block_cursor_next(&cursor);
    }
    status = block_cursor_last(&cursor);
    while (status == STATUS_OK && steps++ < STEPS_MAX) {
        status = block_cursor_prev(&cursor);
    }
    status = block_cursor_seek(&cursor, slice_make(ikey, ikey_store(ikey, row, 5)));
    if (status == STATUS_OK && !ikey_is_valid(buffer_slice(&cursor.key))) {
        abort();
    }
    block_cursor_deinit(&cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t row_len = size > 0 ? IKEY_NAMESPACE_BYTES + data[0] % 32 : 0;
    struct block block;
    struct slice row;
    struct slice entry;
    uint64_t version;

    if (size < 1 + row_len || size == 0) {
        return 0;
    }
    row = slice_make(data + 1, row_len);
    if (block_open(slice_make(data + 1 + row_len, size - 1 - row_len), &block) != STATUS_OK) {
        return 0;
    }
    if (block_find(&block, row, 7, &version, &entry) == STATUS_OK && version > 7) {
        abort();
    }
    walk(&block, row);
    return 0;
}
