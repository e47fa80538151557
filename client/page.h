/* page.h: one page of a scan: what is asked for, and the entries that one response brings. For
 * scan.c, which fetches page after page, and for pipelines and asynchronous handles, whose results
 * are single pages. One thread. */
#ifndef KVD_CLIENT_PAGE_H
#define KVD_CLIENT_PAGE_H

#include "protocol/wire.h"

#include <kvd/kvd.h>

struct kvd_page {
    struct kvd *db;                /* borrowed; for the text of an error */
    struct wire_response response; /* OK, of a SCAN; points to what holds the page */
    bool verify;                   /* compare values with their checksums */
};

/* Errors: INVALID (prefix and range), TOO_LARGE (cursor). */
enum status page_check(struct kvd *db, const struct kvd_scan_options *options) MUST_CHECK;

/* The request for the page that `options` (NULL: of all keys) begin with, which it borrows from.
 * Errors: as page_check. */
enum status page_request(struct kvd *db, const struct kvd_scan_options *options,
                         struct wire_request *request_out) MUST_CHECK;

/* Entries that kvd_page_next has not taken yet. */
static inline uint32_t page_left(const struct kvd_page *page) {
    return page->response.page.list.count;
}

/* Where the next page begins; empty if there is none. Borrowed from the page. */
static inline struct kvd_bytes page_cursor(const struct kvd_page *page) {
    const struct wire_page *wire = &page->response.page;

    return wire->at_end ? kvd_bytes(NULL, 0) : kvd_bytes(wire->cursor.ptr, wire->cursor.len);
}

#endif
