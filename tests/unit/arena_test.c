/* arena_test.c: what was reserved is there, whole and aligned, however the pieces are cut. */
#include "storage/arena.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <string.h>

#define MIB ((size_t)1024 * 1024)
#define PIECES 300u

static void reserve(struct arena *arena, size_t bytes, size_t piece_bytes_max) {
    enum status status = arena_reserve(arena, bytes, piece_bytes_max);
    ck_assert_int_eq(status, STATUS_OK);
}

/* A piece filled with `mark`; the sanitizers see it if it is not ours. */
static uint8_t *take(struct arena *arena, size_t bytes, uint8_t mark) {
    uint8_t *piece = arena_take(arena, bytes);

    ck_assert_ptr_nonnull(piece);
    ck_assert_uint_eq((uintptr_t)piece % 8, 0);
    memset(piece, mark, bytes);
    return piece;
}

static void expect_filled(const uint8_t *piece, size_t bytes, uint8_t mark) {
    for (size_t i = 0; i < bytes; i++) {
        ck_assert_uint_eq(piece[i], mark);
    }
}

static enum status reserve_without_memory(struct arena *arena, size_t bytes) {
    enum status status;

    memory_fail_after(0, true);
    status = arena_reserve(arena, bytes, bytes);
    memory_fail_never();
    return status;
}

START_TEST(an_empty_one_owns_nothing_and_may_be_let_go) {
    struct arena arena;

    arena_init(&arena);
    ck_assert_uint_eq(arena.bytes, 0);
    reserve(&arena, 0, 0);
    ck_assert_uint_eq(arena.bytes, 0);
    arena_deinit(&arena);
}
END_TEST

START_TEST(pieces_of_odd_sizes_are_aligned_and_do_not_overlap) {
    struct arena arena;
    uint8_t *pieces[64];

    arena_init(&arena);
    reserve(&arena, (size_t)64 * 72, 72);
    for (uint8_t i = 0; i < 64; i++) {
        pieces[i] = take(&arena, i + 1u, i);
    }
    for (uint8_t i = 0; i < 64; i++) {
        expect_filled(pieces[i], i + 1u, i);
    }
    arena_deinit(&arena);
}
END_TEST

/* Each commit reserves before it takes; chunks run out in the midst of many of them. */
START_TEST(many_reservations_cross_chunks_without_a_failure) {
    struct arena arena;
    uint8_t *pieces[PIECES];
    const size_t piece = 10 * 1024;

    arena_init(&arena);
    for (uint32_t i = 0; i < PIECES; i += 3) {
        uint64_t before;
        reserve(&arena, 3 * piece, piece);
        before = memory_allocation_count();
        for (uint32_t j = i; j < i + 3; j++) {
            pieces[j] = take(&arena, piece, (uint8_t)j);
        }
        ck_assert_uint_eq(memory_allocation_count(), before);
    }
    for (uint32_t i = 0; i < PIECES; i++) {
        expect_filled(pieces[i], piece, (uint8_t)i);
    }
    ck_assert_uint_ge(arena.bytes, PIECES * piece);
    ck_assert_uint_le(arena.bytes, PIECES * piece + 2 * MIB);
    arena_deinit(&arena);
}
END_TEST

START_TEST(what_is_left_of_a_chunk_serves_the_last_reservation_that_fits) {
    struct arena arena;
    size_t left;

    arena_init(&arena);
    reserve(&arena, 8, 8);
    (void)take(&arena, 8, 1);
    left = arena.left;
    ck_assert_int_eq(reserve_without_memory(&arena, left), STATUS_OK);
    ck_assert_int_eq(reserve_without_memory(&arena, left + 1), STATUS_NO_MEMORY);
    (void)take(&arena, left, 2);
    ck_assert_uint_eq(arena.left, 0);
    ck_assert_int_eq(reserve_without_memory(&arena, 1), STATUS_NO_MEMORY);
    arena_deinit(&arena);
}
END_TEST

START_TEST(a_piece_larger_than_a_chunk_gets_one_of_its_size) {
    struct arena arena;
    uint8_t *small;
    uint8_t *large;

    arena_init(&arena);
    reserve(&arena, 3 * MIB + 16, 3 * MIB);
    small = take(&arena, 16, 1);
    large = take(&arena, 3 * MIB, 2);
    expect_filled(small, 16, 1);
    expect_filled(large, 3 * MIB, 2);
    ck_assert_uint_lt(arena.bytes, 4 * MIB);
    arena_deinit(&arena);
}
END_TEST

START_TEST(a_reservation_that_nobody_used_is_used_by_the_next_or_replaced) {
    struct arena arena;
    size_t bytes;

    arena_init(&arena);
    reserve(&arena, 100, 100);
    bytes = arena.bytes;
    reserve(&arena, MIB / 2, 100);
    ck_assert_uint_eq(arena.bytes, bytes);
    reserve(&arena, 2 * MIB, 100);
    ck_assert_uint_gt(arena.bytes, 2 * MIB);
    ck_assert_uint_lt(arena.bytes, 2 * MIB + MIB / 2);
    (void)take(&arena, 100, 1);
    arena_deinit(&arena);
}
END_TEST

START_TEST(want_of_memory_leaves_it_as_it_was) {
    struct arena arena;
    uint8_t *before;
    uint8_t *after;

    arena_init(&arena);
    ck_assert_int_eq(reserve_without_memory(&arena, 100), STATUS_NO_MEMORY);
    ck_assert_uint_eq(arena.bytes, 0);
    reserve(&arena, 100, 100);
    before = take(&arena, 100, 1);
    ck_assert_int_eq(reserve_without_memory(&arena, 5 * MIB), STATUS_NO_MEMORY);
    ck_assert_uint_le(arena.bytes, MIB);
    reserve(&arena, 100, 100);
    after = take(&arena, 100, 2);
    expect_filled(before, 100, 1);
    expect_filled(after, 100, 2);
    arena_deinit(&arena);
}
END_TEST

START_TEST(more_than_can_be_counted_is_refused) {
    struct arena arena;

    arena_init(&arena);
    ck_assert_int_eq(arena_reserve(&arena, SIZE_MAX, 8), STATUS_NO_MEMORY);
    ck_assert_int_eq(arena_reserve(&arena, SIZE_MAX - 8, 8), STATUS_NO_MEMORY);
    ck_assert_uint_eq(arena.bytes, 0);
    arena_deinit(&arena);
}
END_TEST

UNIT_MAIN("arena", an_empty_one_owns_nothing_and_may_be_let_go,
          pieces_of_odd_sizes_are_aligned_and_do_not_overlap,
          many_reservations_cross_chunks_without_a_failure,
          what_is_left_of_a_chunk_serves_the_last_reservation_that_fits,
          a_piece_larger_than_a_chunk_gets_one_of_its_size,
          a_reservation_that_nobody_used_is_used_by_the_next_or_replaced,
          want_of_memory_leaves_it_as_it_was, more_than_can_be_counted_is_refused)
