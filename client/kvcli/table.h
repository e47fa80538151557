/* table.h: rows with aligned columns, for people at a terminal; scripts get tabs or JSON instead.
 *
 *     table_init(&table, heads, 3); { table_text / table_bytes / ... for each cell }; table_print
 *
 * The rows are kept until they are printed, since the widths are known then. One thread. */
#ifndef KVCLI_TABLE_H
#define KVCLI_TABLE_H

#include "client/kvcli/options.h"
#include "kvd/kvd.h"
#include "protocol/base/buffer.h"

#define TABLE_COLUMNS_MAX 10

struct table {
    const char *const *heads; /* borrowed; one that begins with '>' is aligned to the right */
    size_t columns;
    size_t cells;        /* so far, without the heads */
    struct buffer bytes; /* owned: each cell with a NUL */
    size_t widths[TABLE_COLUMNS_MAX];
    bool failed; /* out of memory */
};

/* Whether people read: standard output is a terminal, and --json was not given. */
bool table_wanted(const struct options *options);

void table_init(struct table *table, const char *const *heads, size_t columns);
void table_deinit(struct table *table);

/* The next cell of the row; behind the last begins another row. Text is escaped (text.h). */
void table_text(struct table *table, const char *text);
void table_key(struct table *table, struct kvd_bytes key);
void table_number(struct table *table, uint64_t number);
void table_bytes(struct table *table, uint64_t bytes); /* "1.5 MiB" */
void table_time(struct table *table, uint64_t ms);     /* since 1970, in local time; "-" for 0 */
void table_duration(struct table *table, uint64_t ms); /* "1.5 h"; "-" for 0 */
void table_us(struct table *table, uint64_t us);       /* "1.5 ms"; "-" for 0 */

/* Prints heads and rows to standard output. Returns CLI_DONE, or prints what failed. */
int table_print(const struct table *table);

/* What table_bytes shows; `room` of 16 is enough. */
void table_bytes_text(char *text, size_t room, uint64_t bytes);

#endif
