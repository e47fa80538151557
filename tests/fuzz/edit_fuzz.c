/* edit_fuzz.c: bytes that claim to be a manifest edit: refused, or read and written back the same
 * way. */
#include "protocol/base/buffer.h"
#include "storage/version_edit.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct version_edit edit = {0};
    struct version_edit again = {0};
    struct buffer bytes = {.cap = SIZE_MAX};

    if (version_edit_load(slice_make(data, size), &edit) == STATUS_OK) {
        if (version_edit_append(&bytes, &edit) != STATUS_OK) {
            abort();
        }
        if (bytes.len > 0 && version_edit_load(buffer_slice(&bytes), &again) != STATUS_OK) {
            abort();
        }
        if (again.tables_added_count != edit.tables_added_count ||
            again.segments_removed_count != edit.segments_removed_count ||
            again.segments_damaged_count != edit.segments_damaged_count ||
            again.relocations_added_count != edit.relocations_added_count ||
            again.relocations_removed_count != edit.relocations_removed_count) {
            abort();
        }
    }
    version_edit_deinit(&edit);
    version_edit_deinit(&again);
    buffer_deinit(&bytes);
    return 0;
}
