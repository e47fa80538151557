/* expiry_steps.c: see expiry_steps.h. */
#include "storage/expiry_steps.h"

#include <stdlib.h>

static int order_by_expiry(const void *left, const void *right) {
    const struct expiry_point *a = left;
    const struct expiry_point *b = right;
    return (a->expiry_ms > b->expiry_ms) - (a->expiry_ms < b->expiry_ms);
}

static void sort(struct expiry_steps *steps) {
    if (steps->count > 1) {
        qsort(steps->points, steps->count, sizeof steps->points[0], order_by_expiry);
    }
}

/* Halves the number of points. */
static void join(struct expiry_steps *steps) {
    sort(steps);
    for (uint32_t i = 0; i < steps->count / 2; i++) {
        const struct expiry_point *earlier = &steps->points[(size_t)2 * i];
        steps->points[i] =
            (struct expiry_point){earlier[1].expiry_ms, earlier[0].weight + earlier[1].weight};
    }
    steps->count /= 2;
}

_Static_assert(EXPIRY_POINTS_MAX % 2 == 0, "a full room is joined without a rest");

void expiry_steps_add(struct expiry_steps *steps, uint64_t expiry_ms, uint64_t weight) {
    if (steps->count == EXPIRY_POINTS_MAX) {
        join(steps);
    }
    steps->points[steps->count++] = (struct expiry_point){expiry_ms, weight};
    steps->weight += weight;
}

void expiry_steps_make(struct expiry_steps *steps, uint64_t steps_out[EXPIRY_STEPS]) {
    uint64_t expired = 0;
    uint32_t at = 0;

    sort(steps);
    for (uint64_t step = 1; step <= EXPIRY_STEPS; step++) {
        uint64_t wanted = steps->weight / EXPIRY_STEPS * step +
                          steps->weight % EXPIRY_STEPS * step / EXPIRY_STEPS;
        while (at < steps->count && (expired < wanted || at == 0)) {
            expired += steps->points[at++].weight;
        }
        steps_out[step - 1] = at > 0 ? steps->points[at - 1].expiry_ms : 0;
    }
}
