/* hidden_book.c: see hidden_book.h. */
#include "storage/hidden_book.h"

#include <stdbool.h>
#include <string.h>

#define APART 8u /* to join two groups costs as much as to join so much more of one */

static bool is_before(struct hidden_place left, struct hidden_place right) {
    return left.group != right.group ? left.group < right.group : left.hider < right.hider;
}

static void add_bucket(struct hidden_bucket *sum, const struct hidden_bucket *more) {
    sum->version_min = more->version_min < sum->version_min ? more->version_min : sum->version_min;
    sum->hider_max = more->hider_max > sum->hider_max ? more->hider_max : sum->hider_max;
    sum->newer_min = more->newer_min < sum->newer_min ? more->newer_min : sum->newer_min;
    sum->entries += more->entries;
    sum->weight += more->weight;
}

static uint64_t join_cost(const struct hidden_point *left, const struct hidden_point *right) {
    uint64_t weight = left->sum.weight + right->sum.weight;

    if (left->first.group == right->last.group) {
        return weight;
    }
    return weight < UINT64_MAX / APART ? weight * APART : UINT64_MAX - 1;
}

/* Makes one of the two neighbours that are cheapest to join. */
static void join_two(struct hidden_book *book) {
    uint64_t best_cost = UINT64_MAX;
    uint32_t best = 0;
    struct hidden_point *left;

    for (uint32_t i = 0; i + 1 < book->count; i++) {
        uint64_t cost = join_cost(&book->points[i], &book->points[i + 1]);
        if (cost < best_cost) {
            best_cost = cost;
            best = i;
        }
    }
    left = &book->points[best];
    add_bucket(&left->sum, &left[1].sum);
    left->last = left[1].last;
    book->count--;
    memmove(left + 1, left + 2, (book->count - best - 1) * sizeof *left);
}

/* The first point that does not end before the place. */
static uint32_t position(const struct hidden_book *book, struct hidden_place place) {
    uint32_t low = 0;
    uint32_t high = book->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_before(book->points[middle].last, place)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void hidden_book_add(struct hidden_book *book, const struct hidden_entry *entry) {
    struct hidden_place place = {entry->group, entry->hider};
    struct hidden_bucket one = {.version_min = entry->version,
                                .hider_max = entry->hider,
                                .newer_min = entry->newer,
                                .entries = 1,
                                .weight = entry->weight};
    uint32_t at = position(book, place);
    struct hidden_point *point = &book->points[at];

    if (at < book->count && !is_before(place, point->first)) {
        add_bucket(&point->sum, &one);
        return;
    }
    memmove(point + 1, point, (book->count - at) * sizeof *point);
    *point = (struct hidden_point){one, place, place};
    book->count++;
    if (book->count > HIDDEN_POINTS_MAX) {
        join_two(book);
    }
}

uint32_t hidden_book_make(const struct hidden_book *book,
                          struct hidden_bucket buckets_out[HIDDEN_BUCKETS_MAX]) {
    struct hidden_book rest;

    rest.count = book->count;
    memcpy(rest.points, book->points, book->count * sizeof book->points[0]);
    while (rest.count > HIDDEN_BUCKETS_MAX) {
        join_two(&rest);
    }
    for (uint32_t i = 0; i < rest.count; i++) {
        buckets_out[i] = rest.points[i].sum;
    }
    return rest.count;
}
