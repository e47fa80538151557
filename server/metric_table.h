/* metric_table.h: what figures are called for Prometheus, and what they mean.
 *
 * A row says for one figure of stats.h, or for all that match it with one '*', what it is called
 * there. Rows of one name stand together and differ in their labels. A new figure needs a row
 * here; a test names those that have none. docs/metrics.md lists what comes out. Static storage. */
#ifndef KVD_SERVER_METRIC_TABLE_H
#define KVD_SERVER_METRIC_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct metric_row {
    const char *figure;
    const char *name; /* "kvd_..."; a counter's ends with _total. NULL: not shown */
    /* "reason=\"time\"", or NULL. A '*' stands for what that of `figure` stood for. */
    const char *labels;
    uint32_t divisor; /* the figure through it is in the unit of the name: a power of 10 */
    const char *help; /* in the first row of a name, else "" */
};

uint32_t metric_table_count(void);
const struct metric_row *metric_table_row(uint32_t index);

/* The first row that matches a figure, or metric_table_count(); *star_out is what '*' stands for,
 * a part of `figure` of *star_len_out bytes. */
uint32_t metric_table_find(const char *figure, const char **star_out, size_t *star_len_out);

#endif
