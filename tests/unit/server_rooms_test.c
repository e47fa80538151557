/* server_rooms_test.c: small rooms of the server: uploads and transactions of a connection, ranges
 * of pages, the folder of the store, slots. */
#include "protocol/base/memory.h"
#include "server/data_folder.h"
#include "server/page_range.h"
#include "server/service.h"
#include "server/transactions.h"
#include "server/uploads.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status add_upload(struct uploads *uploads, uint64_t id, uint64_t used_ms) {
    struct upload upload = {.id = id, .used_ms = used_ms};

    return uploads_add(uploads, &upload);
}

START_TEST(a_connection_has_sixteen_uploads_and_room_again_when_one_ends) {
    struct uploads uploads = {0};

    for (uint64_t id = 1; id <= UPLOADS_MAX; id++) {
        ck_assert(uploads_have_room(&uploads));
        ck_assert_int_eq(add_upload(&uploads, id, 0), STATUS_OK);
    }
    ck_assert_int_eq(add_upload(&uploads, 17, 0), STATUS_BUSY);
    ck_assert(!uploads_need_reap(&uploads, 1));
    uploads_find(&uploads, 5)->ended = true;
    ck_assert_ptr_null(uploads_find(&uploads, 5));
    ck_assert(uploads_need_reap(&uploads, 1));
    uploads_reap(&uploads, 1);
    ck_assert_uint_eq(uploads.count, UPLOADS_MAX - 1);
    ck_assert_ptr_nonnull(uploads_find(&uploads, 4));
    ck_assert_ptr_nonnull(uploads_find(&uploads, 16));
    ck_assert_int_eq(add_upload(&uploads, 17, 0), STATUS_OK);
    uploads_clear(&uploads);
    ck_assert_uint_eq(uploads.count, 0);
}
END_TEST

START_TEST(an_upload_that_nobody_uses_ends_in_a_minute) {
    struct uploads uploads = {0};

    ck_assert_int_eq(add_upload(&uploads, 1, 1000), STATUS_OK);
    ck_assert_int_eq(add_upload(&uploads, 2, 2000), STATUS_OK);
    ck_assert(!uploads_need_reap(&uploads, 999)); /* another clock may be a little behind */
    ck_assert(!uploads_need_reap(&uploads, 1000 + UPLOADS_IDLE_MS - 1));
    ck_assert(uploads_need_reap(&uploads, 1000 + UPLOADS_IDLE_MS));
    uploads_reap(&uploads, 1000 + UPLOADS_IDLE_MS);
    ck_assert_ptr_null(uploads_find(&uploads, 1));
    ck_assert_ptr_nonnull(uploads_find(&uploads, 2));
}
END_TEST

static struct transactions *some_transactions(uint32_t count) {
    struct transactions *transactions = memory_alloc_zeroed(sizeof *transactions);

    ck_assert_ptr_nonnull(transactions);
    for (uint64_t id = 1; id <= count; id++) {
        struct transaction transaction = {
            .id = id, .begun_ms = 1000, .used_ms = 1000 + id, .lifetime_ms = 500};
        ck_assert_int_eq(transactions_add(transactions, &transaction), STATUS_OK);
    }
    return transactions;
}

START_TEST(a_connection_has_sixty_four_transactions_and_an_ended_one_gives_its_place_away) {
    struct transactions *transactions = some_transactions(TRANSACTIONS_MAX);
    struct transaction one_more = {.id = 65};

    ck_assert_int_eq(transactions_add(transactions, &one_more), STATUS_BUSY);
    transactions_find(transactions, 7)->ended_text = "over";
    ck_assert_int_eq(transactions_add(transactions, &one_more), STATUS_OK);
    ck_assert_ptr_null(transactions_find(transactions, 7));
    ck_assert_ptr_nonnull(transactions_find(transactions, 64));
    transactions_remove(transactions, transactions_find(transactions, 65));
    ck_assert_ptr_null(transactions_find(transactions, 65));
    ck_assert_uint_eq(transactions->count, TRANSACTIONS_MAX - 1);
    transactions_clear(transactions);
    memory_free(transactions);
}
END_TEST

START_TEST(a_transaction_ends_when_it_is_idle_or_old_and_is_still_known) {
    struct transactions *transactions = some_transactions(3);

    transactions_sweep(transactions, 900, 100); /* another clock may be a little behind */
    transactions_sweep(transactions, 1101, 100);
    ck_assert_ptr_nonnull(transactions_find(transactions, 1)->ended_text);
    ck_assert_ptr_null(transactions_find(transactions, 2)->ended_text);
    transactions_sweep(transactions, 1499, 1000);
    ck_assert_ptr_null(transactions_find(transactions, 3)->ended_text);
    transactions_sweep(transactions, 1500, 1000);
    ck_assert_ptr_nonnull(transactions_find(transactions, 3)->ended_text);
    ck_assert_uint_eq(transactions->count, 3);
    transactions_clear(transactions);
    memory_free(transactions);
}
END_TEST

static struct slice text(const char *chars) {
    return slice_from_text(chars);
}

#define KEY_MAX 6u

static struct store_range page(uint8_t flags, const char *from, const char *to, const char *cursor,
                               struct buffer *scratch) {
    struct wire_range range = {
        .flags = flags, .from = text(from), .to = text(to), .cursor = text(cursor)};
    struct store_range made = {0};

    ck_assert_int_eq(page_range_make(&range, 7, KEY_MAX, scratch, &made, NULL), STATUS_OK);
    ck_assert_uint_eq(made.namespace_id, 7);
    return made;
}

START_TEST(a_cursor_replaces_the_bound_at_which_the_page_ended) {
    struct buffer scratch;
    struct store_range range;

    buffer_init(&scratch, 1000);
    range = page(0, "a", "z", "", &scratch);
    ck_assert(slice_equal(range.from, text("a")));
    ck_assert(slice_equal(range.to, text("z")));
    range = page(0, "a", "z", "\1key", &scratch);
    ck_assert(slice_equal(range.from, slice_make("key", 4))); /* with a NUL: just behind it */
    range = page(WIRE_RANGE_REVERSE, "a", "z", "\1key", &scratch);
    ck_assert(range.reverse);
    ck_assert(slice_equal(range.from, text("a")));
    ck_assert(slice_equal(range.to, text("key")));
    range = page(WIRE_RANGE_PREFIX, "user", "", "\1user5", &scratch);
    ck_assert(slice_equal(range.from, slice_make("user5", 6)));
    ck_assert(slice_equal(range.to, text("uses")));
    buffer_deinit(&scratch);
}
END_TEST

START_TEST(behind_a_key_of_the_greatest_length_comes_the_next_that_is_not_longer) {
    struct buffer scratch;
    struct store_range range;

    buffer_init(&scratch, 1000);
    range = page(0, "a", "z", "\1fifth", &scratch);
    ck_assert(slice_equal(range.from, slice_make("fifth", KEY_MAX)));
    range = page(0, "a", "z", "\1kkkkkk", &scratch);
    ck_assert(slice_equal(range.from, text("kkkkkl")));
    range = page(0, "a", "", "\1kkk\xFF\xFF\xFF", &scratch);
    ck_assert(slice_equal(range.from, text("kkl")));
    range = page(0, "a", "", "\1\xFF\xFF\xFF\xFF\xFF\xFF", &scratch); /* nothing is behind it */
    ck_assert(range.to.len > 0 && slice_equal(range.from, range.to));
    buffer_deinit(&scratch);
}
END_TEST

START_TEST(a_cursor_of_another_make_is_invalid) {
    static const char *const cursors[] = {"\1", "\2key", "x"};
    struct buffer scratch;
    struct store_range made;

    buffer_init(&scratch, 1000);
    for (size_t i = 0; i < 3; i++) {
        struct wire_range range = {.cursor = text(cursors[i])};
        ck_assert_int_eq(page_range_make(&range, 7, KEY_MAX, &scratch, &made, NULL),
                         STATUS_INVALID);
    }
    buffer_deinit(&scratch);
}
END_TEST

static void make_file(const char *dir, const char *name) {
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
}

START_TEST(a_folder_is_taken_if_it_is_new_empty_or_a_store) {
    char dir[] = "/tmp/kvd-folder-XXXXXX";
    char command[64];
    struct error error = {0};

    ck_assert_int_eq(data_folder_check("/nowhere/at/all", &error), STATUS_OK);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(data_folder_check(dir, &error), STATUS_OK);
    make_file(dir, "lost+found");
    ck_assert_int_eq(data_folder_check(dir, &error), STATUS_OK);
    make_file(dir, "thesis.txt");
    ck_assert_int_eq(data_folder_check(dir, &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "thesis.txt"));
    ck_assert_str_eq(error.path, dir);
    make_file(dir, "MANIFEST-0000000001");
    ck_assert_int_eq(data_folder_check(dir, &error), STATUS_OK);
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(slots_are_few_and_come_back) {
    struct service *service = memory_alloc_zeroed(sizeof *service);

    ck_assert(service_slot_take(service, SERVICE_SLOT_WALK));
    ck_assert(service_slot_take(service, SERVICE_SLOT_WALK));
    ck_assert(!service_slot_take(service, SERVICE_SLOT_WALK));
    ck_assert(service_slot_take(service, SERVICE_SLOT_MAINTAIN));
    ck_assert(!service_slot_take(service, SERVICE_SLOT_MAINTAIN));
    ck_assert(service_slot_take(service, SERVICE_SLOT_NONE));
    service_slot_give(service, SERVICE_SLOT_WALK);
    ck_assert(service_slot_take(service, SERVICE_SLOT_WALK));
    ck_assert(!service_slot_take(service, SERVICE_SLOT_WALK));
    memory_free(service);
}
END_TEST

UNIT_MAIN("server_rooms", a_connection_has_sixteen_uploads_and_room_again_when_one_ends,
          an_upload_that_nobody_uses_ends_in_a_minute,
          a_connection_has_sixty_four_transactions_and_an_ended_one_gives_its_place_away,
          a_transaction_ends_when_it_is_idle_or_old_and_is_still_known,
          a_cursor_replaces_the_bound_at_which_the_page_ended,
          behind_a_key_of_the_greatest_length_comes_the_next_that_is_not_longer,
          a_cursor_of_another_make_is_invalid, a_folder_is_taken_if_it_is_new_empty_or_a_store,
          slots_are_few_and_come_back)
