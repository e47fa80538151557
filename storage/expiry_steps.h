/* expiry_steps.h: when the expiring entries of a table have expired, by eighths of their weight, in
 * a fixed amount of memory.
 *
 *      points:  (expiry, weight) in the order of their coming; when the room is full they are
 * sorted, and neighbours are joined two by two, at the later expiry
 *
 * So a step is never too early, and late by at most what lies between joined neighbours. One thread
 * at a time; cannot fail. */
#ifndef KVD_STORAGE_EXPIRY_STEPS_H
#define KVD_STORAGE_EXPIRY_STEPS_H

#include <stdint.h>

#define EXPIRY_STEPS 8
#define EXPIRY_POINTS_MAX 512u /* 8 KiB; after a join at least 256 are left, 32 for each step */

struct expiry_point {
    uint64_t expiry_ms;
    uint64_t weight;
};

/* A zeroed struct is empty. */
struct expiry_steps {
    struct expiry_point points[EXPIRY_POINTS_MAX];
    uint32_t count;
    uint64_t weight; /* of all points */
};

void expiry_steps_add(struct expiry_steps *steps, uint64_t expiry_ms, uint64_t weight);

/* The expiry times by which 1/8, 2/8 ... 8/8 of the weight have expired; zeros when nothing was
 * added. May be called in between; the points are sorted by it. */
void expiry_steps_make(struct expiry_steps *steps, uint64_t steps_out[EXPIRY_STEPS]);

#endif
