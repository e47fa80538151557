/* frame_book_test.c: what survivors take beside their records. */
#include "storage/frame_book.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#define ACCOUNTS 4u

struct books {
    struct frame_book book;
    struct segment_account accounts[ACCOUNTS];
    struct holder_sums sums;
};

/* Segments 10, 20, 30, 40 of 1000 bytes with 10 records of 80 bytes each. */
static void books_init(struct books *books) {
    *books = (struct books){.sums = {.account_count = ACCOUNTS}};
    books->sums.accounts = books->accounts;
    frame_book_init(&books->book);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        books->accounts[i] = (struct segment_account){.segment = 10 * (i + 1),
                                                      .sealed = true,
                                                      .file_bytes = 1000,
                                                      .records = 10,
                                                      .bytes = 800};
    }
}

static void note(struct books *books, uint64_t segment) {
    struct frame_note frame = {.segment = segment, .records = 10, .frame_bytes = 200};
    frame_book_note(&books->book, &frame);
}

static uint64_t garbage(const struct books *books, uint32_t index) {
    return segment_account_unreferenced(&books->accounts[index]);
}

START_TEST(a_full_survivor_has_no_garbage) {
    struct books books;

    books_init(&books);
    note(&books, 20);
    frame_book_apply(&books.book, &books.sums);
    ck_assert_uint_eq(garbage(&books, 0), 200);
    ck_assert_uint_eq(garbage(&books, 1), 0);
    frame_book_deinit(&books.book);
}
END_TEST

START_TEST(notes_come_in_any_order) {
    struct books books;

    books_init(&books);
    note(&books, 40);
    note(&books, 10); /* of a load that ended after the survivor was made */
    note(&books, 20);
    frame_book_apply(&books.book, &books.sums);
    ck_assert_uint_eq(garbage(&books, 0), 0);
    ck_assert_uint_eq(garbage(&books, 1), 0);
    ck_assert_uint_eq(garbage(&books, 2), 200);
    ck_assert_uint_eq(garbage(&books, 3), 0);
    frame_book_deinit(&books.book);
}
END_TEST

START_TEST(frames_die_with_their_records) {
    struct books books;

    books_init(&books);
    note(&books, 20);
    books.accounts[1].records = 5;
    books.accounts[1].bytes = 400;
    frame_book_apply(&books.book, &books.sums);
    ck_assert_uint_eq(books.accounts[1].frame_bytes, 100);
    ck_assert_uint_eq(garbage(&books, 1), 500);
    books.accounts[1].records = 0;
    books.accounts[1].bytes = 0;
    frame_book_apply(&books.book, &books.sums);
    ck_assert_uint_eq(garbage(&books, 1), 1000);
    frame_book_deinit(&books.book);
}
END_TEST

START_TEST(segments_that_are_gone_are_forgotten_and_newer_ones_are_not) {
    struct books books;

    books_init(&books);
    note(&books, 15);
    note(&books, 30);
    note(&books, 50);
    frame_book_apply(&books.book, &books.sums);
    ck_assert_uint_eq(books.book.count, 2);
    ck_assert_uint_eq(books.book.notes[0].segment, 30);
    ck_assert_uint_eq(books.book.notes[1].segment, 50);
    frame_book_deinit(&books.book);
}
END_TEST

START_TEST(without_memory_a_note_is_lost_and_nothing_else) {
    struct books books;

    books_init(&books);
    memory_fail_after(0, true);
    note(&books, 20);
    memory_fail_never();
    frame_book_apply(&books.book, &books.sums);
    ck_assert_uint_eq(garbage(&books, 1), 200);
    note(&books, 30);
    frame_book_apply(&books.book, &books.sums);
    ck_assert_uint_eq(garbage(&books, 2), 0);
    frame_book_deinit(&books.book);
}
END_TEST

UNIT_MAIN("frame book", a_full_survivor_has_no_garbage, notes_come_in_any_order,
          frames_die_with_their_records,
          segments_that_are_gone_are_forgotten_and_newer_ones_are_not,
          without_memory_a_note_is_lost_and_nothing_else)
