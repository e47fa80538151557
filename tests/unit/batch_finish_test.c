/* batch_finish_test.c: range deletes inside a batch: what comes before goes, what comes after
 * stays. */
#include "storage/batch.h"
#include "storage/range_row.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdio.h>

static void put(struct batch *batch, uint32_t namespace_id, const char *key) {
    struct batch_op op = {.namespace_id = namespace_id,
                          .key = slice_from_text(key),
                          .kind = ENTRY_INLINE,
                          .value = slice_from_text("v")};
    ck_assert_int_eq(batch_append(batch, &op, slice_make(NULL, 0)), STATUS_OK);
}

static void delete_range(struct batch *batch, uint32_t namespace_id, const char *from,
                         const char *to) {
    struct key_range range = {namespace_id, slice_from_text(from), slice_from_text(to)};
    struct buffer value = {.cap = RANGE_VALUE_BYTES_MAX};
    uint8_t key[RANGE_KEY_BYTES];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM, .kind = ENTRY_INLINE};

    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_OK);
    op.key = slice_make(key, sizeof key);
    op.value = buffer_slice(&value);
    ck_assert_int_eq(batch_append(batch, &op, slice_make(NULL, 0)), STATUS_OK);
    buffer_deinit(&value);
}

/* The keys that are left, with their namespaces, in order; range deletes as "R". */
static void expect(struct batch *batch, const char *expected) {
    char text[256] = "";
    struct reader reader = reader_make(buffer_slice(&batch->meta));
    uint32_t count = 0;
    struct batch_op op;

    while (batch_take(&reader, batch->values.len, &op) == STATUS_OK) {
        size_t used = strlen(text);
        if (op.namespace_id == NAMESPACE_SYSTEM) {
            snprintf(text + used, sizeof text - used, "R ");
        } else {
            snprintf(text + used, sizeof text - used, "%u%.*s ", op.namespace_id, (int)op.key.len,
                     (const char *)op.key.ptr);
        }
        count++;
    }
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(count, batch->op_count);
}

START_TEST(what_a_later_range_delete_covers_goes) {
    struct batch batch;

    batch_init(&batch);
    put(&batch, 1, "a");
    put(&batch, 1, "b");
    put(&batch, 1, "c");
    put(&batch, 2, "b");
    delete_range(&batch, 1, "b", "c");
    put(&batch, 1, "b1"); /* after it: stays */
    ck_assert_int_eq(batch_finish(&batch), STATUS_OK);
    expect(&batch, "1a 1c 2b R 1b1 ");
    batch_deinit(&batch);
}
END_TEST

START_TEST(a_put_again_after_the_range_delete_stays) {
    struct batch batch;

    batch_init(&batch);
    put(&batch, 1, "b");
    delete_range(&batch, 1, "a", "");
    put(&batch, 1, "b");
    ck_assert_int_eq(batch_finish(&batch), STATUS_OK);
    expect(&batch, "R 1b ");
    batch_deinit(&batch);
}
END_TEST

START_TEST(the_same_range_deleted_twice_counts_where_it_stands_last) {
    struct batch batch;

    batch_init(&batch);
    delete_range(&batch, 1, "a", "z");
    put(&batch, 1, "b");
    delete_range(&batch, 1, "a", "z");
    ck_assert_int_eq(batch_finish(&batch), STATUS_OK);
    expect(&batch, "R ");
    batch_deinit(&batch);
}
END_TEST

START_TEST(overlapping_range_deletes_and_a_whole_namespace) {
    struct batch batch;

    batch_init(&batch);
    put(&batch, 1, "");
    put(&batch, 1, "m");
    put(&batch, 3, "m");
    delete_range(&batch, 1, "m", "n");
    delete_range(&batch, 1, "", "");
    delete_range(&batch, 2, "", "");
    ck_assert_int_eq(batch_finish(&batch), STATUS_OK);
    expect(&batch, "3m R R R ");
    batch_deinit(&batch);
}
END_TEST

START_TEST(there_is_a_limit_to_range_deletes) {
    struct batch batch;
    char key[16];

    batch_init(&batch);
    for (uint32_t i = 0; i <= BATCH_RANGES_MAX; i++) {
        ck_assert_int_eq(batch_finish(&batch), STATUS_OK);
        snprintf(key, sizeof key, "k%u", i);
        delete_range(&batch, 1, key, "");
    }
    ck_assert_int_eq(batch_finish(&batch), STATUS_TOO_LARGE);
    batch_deinit(&batch);
}
END_TEST

START_TEST(want_of_memory_leaves_it_as_it_was) {
    enum status status = STATUS_NO_MEMORY;
    struct batch batch;

    batch_init(&batch);
    put(&batch, 1, "b");
    delete_range(&batch, 1, "a", "");
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        expect(&batch, "1b R ");
        memory_fail_after(n, true);
        status = batch_finish(&batch);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    expect(&batch, "R ");
    batch_deinit(&batch);
}
END_TEST

UNIT_MAIN("batch_finish", what_a_later_range_delete_covers_goes,
          a_put_again_after_the_range_delete_stays,
          the_same_range_deleted_twice_counts_where_it_stands_last,
          overlapping_range_deletes_and_a_whole_namespace, there_is_a_limit_to_range_deletes,
          want_of_memory_leaves_it_as_it_was)
