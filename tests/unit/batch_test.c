/* batch_test.c: the operations of a commit: what is put in comes out, once for each key, and
 * damaged bytes are told. Also the codecs below it: entries and internal keys. */
#include "storage/batch.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"

#include <stdio.h>

static struct batch_op op_of(const char *key, enum entry_kind kind, const char *value) {
    return (struct batch_op){.namespace_id = NAMESPACE_DEFAULT,
                             .key = slice_from_text(key),
                             .kind = kind,
                             .value = slice_from_text(value)};
}

static void append(struct batch *batch, const struct batch_op *op, const char *stored) {
    enum status status = batch_append(batch, op, slice_from_text(stored));
    ck_assert_int_eq(status, STATUS_OK);
}

static uint32_t count_of(const struct batch *batch) {
    struct reader reader = reader_make(buffer_slice(&batch->meta));
    struct batch_op op;
    uint32_t count = 0;
    enum status status;

    while ((status = batch_take(&reader, batch->values.len, &op)) == STATUS_OK) {
        count++;
    }
    ck_assert_int_eq(status, STATUS_END);
    return count;
}

START_TEST(what_is_appended_is_taken) {
    struct batch batch;
    struct batch_op in = op_of("key", ENTRY_REFERENCE, "");
    struct batch_op out;
    struct reader reader;

    batch_init(&batch);
    in.raw_bytes = 9;
    in.compressed = true;
    in.checksum = 0x1122334455667788;
    in.expiry_ms = 77;
    in.user_flags = 5;
    append(&batch, &in, "stored");
    in = op_of("", ENTRY_INLINE, "value");
    append(&batch, &in, "");
    reader = reader_make(buffer_slice(&batch.meta));
    ck_assert_int_eq(batch_take(&reader, batch.values.len, &out), STATUS_OK);
    ck_assert(out.kind == ENTRY_REFERENCE && out.compressed);
    ck_assert_uint_eq(out.raw_bytes, 9);
    ck_assert_uint_eq(out.stored_bytes, 6);
    ck_assert_uint_eq(out.checksum, 0x1122334455667788);
    ck_assert_uint_eq(out.expiry_ms, 77);
    ck_assert_uint_eq(out.user_flags, 5);
    ck_assert_int_eq(batch_take(&reader, batch.values.len, &out), STATUS_OK);
    ck_assert(slice_equal(out.value, slice_from_text("value")));
    ck_assert_uint_eq(out.key.len, 0);
    ck_assert_int_eq(batch_take(&reader, batch.values.len, &out), STATUS_END);
    batch_deinit(&batch);
}
END_TEST

START_TEST(the_last_operation_on_a_key_wins) {
    struct batch batch;
    struct batch_op out;
    struct reader reader;

    batch_init(&batch);
    for (uint32_t i = 0; i < 300; i++) {
        char key[16];
        char value[16];
        struct batch_op op;
        snprintf(key, sizeof key, "key%02u", i % 100);
        snprintf(value, sizeof value, "%u", i);
        op = op_of(key, ENTRY_INLINE, value);
        append(&batch, &op, "");
    }
    ck_assert_int_eq(batch_finish(&batch), STATUS_OK);
    ck_assert_uint_eq(batch.op_count, 100);
    ck_assert_uint_eq(count_of(&batch), 100);
    reader = reader_make(buffer_slice(&batch.meta));
    while (batch_take(&reader, batch.values.len, &out) == STATUS_OK) {
        ck_assert_uint_ge(strtoul((const char *)out.value.ptr, NULL, 10), 200);
    }
    batch_deinit(&batch);
}
END_TEST

START_TEST(keys_of_two_namespaces_are_two_keys) {
    struct batch batch;
    struct batch_op op = op_of("key", ENTRY_INLINE, "1");

    batch_init(&batch);
    append(&batch, &op, "");
    op.namespace_id = 9;
    append(&batch, &op, "");
    ck_assert_int_eq(batch_finish(&batch), STATUS_OK);
    ck_assert_uint_eq(batch.op_count, 2);
    batch_deinit(&batch);
}
END_TEST

START_TEST(a_commit_that_is_too_large_is_refused_and_unchanged) {
    struct batch batch;
    struct batch_op op = op_of("key", ENTRY_REFERENCE, "");
    uint8_t *value = memory_alloc_zeroed(VALUE_BYTES_MAX);
    enum status status = STATUS_OK;
    uint32_t count = 0;
    size_t bytes = 0;

    ck_assert_ptr_nonnull(value);
    batch_init(&batch);
    op.raw_bytes = VALUE_BYTES_MAX;
    while (status == STATUS_OK) {
        bytes = batch.values.len;
        status = batch_append(&batch, &op, slice_make(value, VALUE_BYTES_MAX));
        count += status == STATUS_OK;
    }
    ck_assert_int_eq(status, STATUS_TOO_LARGE);
    ck_assert_uint_eq(batch.values.len, bytes);
    ck_assert_uint_eq(batch.op_count, count);
    ck_assert_uint_ge(count, COMMIT_BYTES_MAX / VALUE_BYTES_MAX - 1);
    batch_deinit(&batch);
    memory_free(value);
}
END_TEST

START_TEST(cut_bytes_are_told) {
    struct batch batch;
    struct batch_op op = op_of("some key", ENTRY_REFERENCE, "");
    struct batch_op out;

    batch_init(&batch);
    op.raw_bytes = 6;
    op.expiry_ms = 1;
    append(&batch, &op, "stored");
    for (size_t len = 1; len < batch.meta.len; len++) {
        struct reader reader = reader_make(slice_make(batch.meta.data, len));
        ck_assert_int_eq(batch_take(&reader, batch.values.len, &out), STATUS_CORRUPT);
    }
    for (uint64_t values = 0; values < batch.values.len; values++) { /* beyond the values */
        struct reader reader = reader_make(buffer_slice(&batch.meta));
        ck_assert_int_eq(batch_take(&reader, values, &out), STATUS_CORRUPT);
    }
    batch_deinit(&batch);
}
END_TEST

START_TEST(want_of_memory_changes_nothing) {
    enum status status = STATUS_NO_MEMORY;

    for (uint64_t n = 0; status != STATUS_OK; n++) {
        struct batch batch;
        struct batch_op op = op_of("key", ENTRY_INLINE, "1");
        batch_init(&batch);
        memory_fail_after(n, true);
        status = batch_append(&batch, &op, slice_make(NULL, 0));
        ck_assert_uint_eq(batch.op_count, status == STATUS_OK);
        if (status == STATUS_OK) {
            status = batch_append(&batch, &op, slice_make(NULL, 0));
        }
        if (status == STATUS_OK) {
            status = batch_finish(&batch);
        }
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        batch_deinit(&batch);
    }
}
END_TEST

START_TEST(an_entry_is_loaded_as_it_was_stored_and_never_from_less) {
    static const struct entry entries[] = {
        {.kind = ENTRY_TOMBSTONE, .durability = DURABILITY_SYNCED},
        {.kind = ENTRY_INLINE, .expiry_ms = UINT64_MAX, .user_flags = UINT32_MAX},
        {.kind = ENTRY_REFERENCE,
         .durability = DURABILITY_LOGGED,
         .ref = {UINT64_MAX / 2, UINT64_MAX / 4, VALUE_BYTES_MAX, 77, UINT64_MAX, true}}};

    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        uint8_t bytes[ENTRY_REFERENCE_BYTES_MAX];
        struct entry out;
        size_t len = entry_store(bytes, &entries[i]);
        ck_assert_uint_eq(len, entry_bytes(&entries[i]));
        ck_assert_int_eq(entry_load(slice_make(bytes, len), &out), STATUS_OK);
        ck_assert_int_eq(out.kind, entries[i].kind);
        ck_assert_int_eq(out.durability, entries[i].durability);
        ck_assert_uint_eq(out.expiry_ms, entries[i].expiry_ms);
        ck_assert_uint_eq(out.user_flags, entries[i].user_flags);
        ck_assert(out.ref.segment == entries[i].ref.segment &&
                  out.ref.offset == entries[i].ref.offset &&
                  out.ref.checksum == entries[i].ref.checksum &&
                  out.ref.stored_bytes == entries[i].ref.stored_bytes);
        while (len-- > 0) {
            ck_assert_int_eq(entry_load(slice_make(bytes, len), &out), STATUS_CORRUPT);
        }
    }
}
END_TEST

START_TEST(internal_keys_order_rows_up_and_versions_down) {
    static const char *const keys[] = {"", "a", "a\x01", "ab", "b", "\xff"};
    uint8_t before[64];
    uint8_t room[64];
    size_t before_bytes = 0;

    for (uint32_t space = 1; space <= 256; space += 255) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            static const uint64_t versions[] = {VERSION_MAX, 256, 255, 1, 0};
            for (size_t j = 0; j < 5; j++) {
                uint8_t row[32];
                size_t len = row_store(row, space, slice_from_text(keys[i]));
                size_t bytes = ikey_store(room, slice_make(row, len), versions[j]);
                ck_assert_uint_eq(ikey_version(slice_make(room, bytes)), versions[j]);
                ck_assert(before_bytes == 0 || ikey_compare(slice_make(before, before_bytes),
                                                            slice_make(room, bytes)) < 0);
                memcpy(before, room, bytes);
                before_bytes = bytes;
            }
        }
    }
}
END_TEST

UNIT_MAIN("batch", what_is_appended_is_taken, the_last_operation_on_a_key_wins,
          keys_of_two_namespaces_are_two_keys, a_commit_that_is_too_large_is_refused_and_unchanged,
          cut_bytes_are_told, want_of_memory_changes_nothing,
          an_entry_is_loaded_as_it_was_stored_and_never_from_less,
          internal_keys_order_rows_up_and_versions_down)
