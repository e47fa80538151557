/* expiry_steps.c: see expiry_steps.h. */
#include "storage/expiry_steps.h"

#include <stdlib.h>
#include <string.h>

/* Joins `other` to the point; the expiry of either stays, in proportion to the weights. */
static void absorb(struct expiry_steps *steps, struct expiry_point *point,
                   const struct expiry_point *other) {
    uint64_t weight = point->weight + other->weight;

    if (weight > 0 && random_below(&steps->random, weight) < other->weight) {
        point->expiry_ms = other->expiry_ms;
    }
    point->weight = weight;
}

static void halve(struct expiry_steps *steps) {
    for (uint32_t i = 0; i < steps->count / 2; i++) {
        struct expiry_point joined = steps->points[(size_t)2 * i];
        absorb(steps, &joined, &steps->points[(size_t)2 * i + 1]);
        steps->points[i] = joined;
    }
    steps->count /= 2;
    steps->run_weight = steps->weight / steps->count;
}

_Static_assert(EXPIRY_POINTS_MAX % 2 == 0, "a full room is halved without a rest");

void expiry_steps_add(struct expiry_steps *steps, uint64_t expiry_ms, uint64_t weight) {
    struct expiry_point added = {expiry_ms, weight};

    if (steps->count > 0 && steps->points[steps->count - 1].weight < steps->run_weight) {
        absorb(steps, &steps->points[steps->count - 1], &added);
    } else {
        if (steps->count == EXPIRY_POINTS_MAX) {
            halve(steps);
        }
        steps->points[steps->count++] = added;
    }
    steps->weight += weight;
    steps->last_ms = expiry_ms > steps->last_ms ? expiry_ms : steps->last_ms;
}

static int order_by_expiry(const void *left, const void *right) {
    const struct expiry_point *a = left;
    const struct expiry_point *b = right;
    return (a->expiry_ms > b->expiry_ms) - (a->expiry_ms < b->expiry_ms);
}

void expiry_steps_make(const struct expiry_steps *steps, uint64_t steps_out[EXPIRY_STEPS]) {
    struct expiry_point sorted[EXPIRY_POINTS_MAX];
    uint64_t eighth = steps->weight / EXPIRY_STEPS;
    uint64_t rest = steps->weight % EXPIRY_STEPS;
    uint64_t expired = 0;
    uint32_t at = 0;

    memcpy(sorted, steps->points, steps->count * sizeof sorted[0]);
    if (steps->count > 1) {
        qsort(sorted, steps->count, sizeof sorted[0], order_by_expiry);
    }
    for (uint64_t step = 1; step < EXPIRY_STEPS; step++) {
        uint64_t wanted = eighth * step + rest * step / EXPIRY_STEPS;
        while (at < steps->count && (expired < wanted || at == 0)) {
            expired += sorted[at++].weight;
        }
        steps_out[step - 1] = at > 0 ? sorted[at - 1].expiry_ms : 0;
    }
    steps_out[EXPIRY_STEPS - 1] = steps->last_ms;
}
