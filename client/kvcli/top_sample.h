/* top_sample.h: a server's statistics at one moment: names and numbers, as they came. One thread.
 */
#ifndef KVCLI_TOP_SAMPLE_H
#define KVCLI_TOP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_SAMPLE_LINES_MAX 1024u /* a server has some 200; more are left out */
#define TOP_NAME_BYTES_MAX 64u     /* with its NUL; longer names are left out */

struct top_line {
    char name[TOP_NAME_BYTES_MAX];
    uint64_t value;
};

struct top_sample {
    uint64_t at_ns; /* of the monotonic clock */
    uint64_t at_ms; /* since 1970 */
    size_t count;
    struct top_line lines[TOP_SAMPLE_LINES_MAX];
};

/* Empties it, for the present moment. */
void top_sample_begin(struct top_sample *sample);

/* A kvd_stat_cb: adds a line to the struct top_sample that `arg` is, if its value is a number. */
void top_sample_add(const char *name, const char *value, void *arg);

/* False if there is no such line. */
bool top_sample_find(const struct top_sample *sample, const char *name, uint64_t *value_out);

#endif
