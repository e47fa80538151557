/* bench_zipf.h: ranks that follow Zipf's law: rank r of n comes with a chance of r^-0.99 / zeta(n).
 *
 * The exponent is that of Gray et al. 1994 and of YCSB. Their method sums zeta(n) before, and is an
 * approximation; here ranks are drawn by rejection-inversion (Hoermann and Derflinger 1996), which
 * is exact, sums nothing, and lets n grow between two draws: under a hat, the integral of x^-0.99,
 * whose inverse is known. More than nine of ten draws are taken at once.
 *
 * bench_zipf_place gives a rank its place among all keys: a permutation of 0..n-1, the same in
 * every run, so that the frequent ones lie far from each other (YCSB's "scrambled", but no two
 * ranks meet in one key). It mixes the bits of the rank within the smallest power of two that holds
 * n, by steps that can each be undone, again until the result is below n. Pure functions, any
 * thread. */
#ifndef KVCLI_BENCH_ZIPF_H
#define KVCLI_BENCH_ZIPF_H

#include "client/kvcli/bench_random.h"

#define BENCH_ZIPF_EXPONENT 0.99

/* A rank, 0 the most frequent, below `count` (> 0). */
uint64_t bench_zipf_rank(struct bench_random *random, uint64_t count);

/* The place of a rank, both below `count`. */
uint64_t bench_zipf_place(uint64_t rank, uint64_t count);

#endif
