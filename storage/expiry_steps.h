/* expiry_steps.h: when the expiring entries of a table have expired, by eighths of their weight, in
 * a fixed amount of memory.
 *
 *      points:  one for each entry, until the room is full. From then on one for each run of
 * entries of together about 1/256 of the weight so far: it has the weight of all, and the expiry of
 * one of them, drawn by weight. Whenever the room is full, two neighbours become one in the same
 * way.
 *
 * So up to 512 entries make exact steps, and of more the steps are estimates, off by a few
 * hundredths of the weight; the last step is always exact. The draw is made with a fixed seed: the
 * same entries make the same steps. One thread at a time; cannot fail. */
#ifndef KVD_STORAGE_EXPIRY_STEPS_H
#define KVD_STORAGE_EXPIRY_STEPS_H

#include "storage/random.h"

#include <stdint.h>

#define EXPIRY_STEPS 8
#define EXPIRY_POINTS_MAX 512u /* 8 KiB */

struct expiry_point {
    uint64_t expiry_ms;
    uint64_t weight;
};

/* A zeroed struct is empty. */
struct expiry_steps {
    struct expiry_point points[EXPIRY_POINTS_MAX]; /* the last one may still grow */
    uint32_t count;
    uint64_t weight;      /* of all points */
    uint64_t run_weight;  /* a point that has so much grows no more */
    uint64_t last_ms;     /* the latest expiry */
    struct random random; /* seed 0 */
};

void expiry_steps_add(struct expiry_steps *steps, uint64_t expiry_ms, uint64_t weight);

/* The expiry times by which 1/8, 2/8 ... 8/8 of the weight have expired; zeros when nothing was
 * added. May be called in between. */
void expiry_steps_make(const struct expiry_steps *steps, uint64_t steps_out[EXPIRY_STEPS]);

#endif
