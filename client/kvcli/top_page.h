/* top_page.h: a report as lines of text, for a screen or a pipe. Pure functions over memory. */
#ifndef KVCLI_TOP_PAGE_H
#define KVCLI_TOP_PAGE_H

#include "client/kvcli/top_report.h"
#include "protocol/base/status.h"

#define TOP_PAGE_LINES_MAX 192u
#define TOP_PAGE_LINE_BYTES_MAX 160u /* with its NUL; what is longer is cut */

struct top_page {
    size_t count;
    char lines[TOP_PAGE_LINES_MAX][TOP_PAGE_LINE_BYTES_MAX];
    bool is_head[TOP_PAGE_LINES_MAX]; /* heads stand out, where there are colours */
};

/* Fills the page; `address` is of the server. Of the commands, the most frequent are shown, so that
 * all else fits into `rows` too, if anything can; 0: all. */
void top_page_fill(struct top_page *page, const struct top_report *report, const char *address,
                   size_t rows);

/* The bytes of text[0..) that fit into `columns`, a column for each UTF-8 sequence. */
size_t top_page_cut(const char *text, size_t columns);

#endif
