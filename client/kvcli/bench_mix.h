/* bench_mix.h: the kinds of requests of a benchmark, and the mixes of YCSB (Cooper et al. 2010).
 *
 *      A  half reads, half updates                  zipfian     a session store
 *      B  95 % reads, 5 % updates                   zipfian     tags on photographs
 *      C  reads only                                zipfian     a cache of profiles
 *      D  95 % reads of the latest, 5 % inserts     latest      status messages
 *      E  95 % scans of 1 to 100, 5 % inserts       zipfian     threads of messages
 *      F  half reads, half read-modify-writes       zipfian     records of users
 *
 * An update replaces a whole value. Pure data and functions, any thread. */
#ifndef KVCLI_BENCH_MIX_H
#define KVCLI_BENCH_MIX_H

#include "client/kvcli/bench_random.h"

#include <stdbool.h>

enum bench_distribution { BENCH_UNIFORM, BENCH_ZIPFIAN, BENCH_LATEST };

enum bench_kind {
    BENCH_GET,
    BENCH_PUT,    /* of a key that is loaded */
    BENCH_INSERT, /* a put of a key that never was */
    BENCH_SCAN,   /* of 1 to BENCH_SCAN_MAX entries from a key on, evenly; one page */
    BENCH_MODIFY, /* a get, and when it is answered a put of the same key */
    BENCH_KINDS
};

#define BENCH_SCAN_MAX 100u

struct bench_mix {
    uint8_t percent[BENCH_KINDS]; /* their sum is 100 */
};

struct bench_workload {
    const char *name;
    struct bench_mix mix;
    enum bench_distribution distribution;
};

/* One of YCSB's, "A" or "a" to "F"; NULL for other names. */
const struct bench_workload *bench_workload_find(const char *name);

/* "get", "put", "insert", "scan" or "modify". */
const char *bench_kind_name(enum bench_kind kind);

/* "uniform", "zipfian" or "latest"; BENCH_DISTRIBUTIONS of them. */
#define BENCH_DISTRIBUTIONS 3
const char *bench_distribution_name(enum bench_distribution distribution);

/* The kind of the next request. */
enum bench_kind bench_mix_pick(const struct bench_mix *mix, struct bench_random *random);

#endif
