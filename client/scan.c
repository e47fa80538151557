/* scan.c: walking keys page by page, and counting them.
 *
 * A scan keeps a copy of the body of its page, so that other calls may use the connection between
 * two entries. The cursor of the last page asks for the next; if that fails, it asks again. */
#include "client/connection.h"

#include "protocol/base/memory.h"

struct kvd_scan {
    struct kvd *db;                  /* borrowed; outlives the scan */
    struct buffer range;             /* owned; from (or prefix) and to, in a row */
    struct buffer cursor;            /* owned; of the next page; empty before the first */
    struct buffer body;              /* owned; of the present page */
    struct kvd_scan_options options; /* of the next page; point into `range` and `cursor` */
    struct kvd_page page;            /* points into `body` */
    bool started;                    /* a page was fetched */
    uint64_t left;                   /* entries that the limit still allows */
};

static enum status keep(struct buffer *buffer, struct kvd_bytes bytes) {
    return bytes.len == 0 ? STATUS_OK : buffer_append(buffer, bytes.ptr, bytes.len);
}

static enum status fill(struct kvd_scan *scan, const struct kvd_scan_options *options) {
    struct kvd_scan_options *own = &scan->options;
    struct kvd_bytes *first = options->prefix.len > 0 ? &own->prefix : &own->from;
    enum status status;

    buffer_init(&scan->range, WIRE_BODY_CEILING);
    buffer_init(&scan->cursor, WIRE_CURSOR_BYTES_MAX);
    buffer_init(&scan->body, WIRE_BODY_CEILING);
    scan->left = options->limit ? options->limit : UINT64_MAX;
    *own = *options;
    status = keep(&scan->range, *first);
    if (status == STATUS_OK) {
        status = keep(&scan->range, own->to);
    }
    if (status == STATUS_OK) {
        status = keep(&scan->cursor, own->cursor);
    }
    if (status == STATUS_OK && scan->range.len > 0) {
        first->ptr = scan->range.data;
        own->to.ptr = scan->range.data + first->len;
    }
    return status;
}

enum kvd_status kvd_scan_open(struct kvd *db, const struct kvd_scan_options *options,
                              struct kvd_scan **scan_out) {
    const struct kvd_scan_options all = {0};
    const struct kvd_scan_options *from = options ? options : &all;
    struct kvd_scan *scan;
    enum status status = page_check(db, from);

    if (status != STATUS_OK) {
        return result_public(status);
    }
    scan = memory_alloc_zeroed(sizeof *scan);
    status = scan ? fill(scan, from) : STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        kvd_scan_close(scan);
        return result_public(connection_fail(db, status, 0, "out of memory here"));
    }
    scan->db = db;
    *scan_out = scan;
    return KVD_OK;
}

void kvd_scan_close(struct kvd_scan *scan) {
    if (scan) {
        buffer_deinit(&scan->range);
        buffer_deinit(&scan->cursor);
        buffer_deinit(&scan->body);
        memory_free(scan);
    }
}

struct kvd_bytes kvd_scan_cursor(const struct kvd_scan *scan) {
    return kvd_bytes(scan->cursor.data, scan->cursor.len);
}

/* Copies what the response points to, so that it outlives the receive buffer. */
static enum status keep_page(struct kvd_scan *scan, const struct wire_response *response) {
    const struct wire_page *page = &response->page;
    enum status status;

    buffer_clear(&scan->body);
    status = buffer_append(&scan->body, page->list.bytes.ptr, page->list.bytes.len);
    if (status == STATUS_OK) {
        status = buffer_reserve(&scan->cursor, page->cursor.len);
    }
    if (status != STATUS_OK) {
        return connection_fail(scan->db, status, 0, "out of memory here");
    }
    buffer_clear(&scan->cursor);
    if (page->cursor.len > 0) {
        status = buffer_append(&scan->cursor, page->cursor.ptr, page->cursor.len);
    }
    scan->page = (struct kvd_page){.db = scan->db,
                                   .response = *response,
                                   .verify = scan->options.verify && !scan->options.keys_only};
    scan->page.response.page.list.bytes = buffer_slice(&scan->body);
    scan->started = true;
    return status;
}

static enum status fetch(struct kvd_scan *scan) {
    struct wire_request request;
    struct wire_response response;
    enum status status = connection_begin(scan->db);

    scan->options.limit = scan->left;
    scan->options.cursor = kvd_scan_cursor(scan);
    if (status == STATUS_OK) {
        status = page_request(scan->db, &scan->options, &request);
    }
    if (status == STATUS_OK) {
        status = connection_call(scan->db, &request, &response);
    }
    return status == STATUS_OK ? keep_page(scan, &response) : status;
}

enum kvd_status kvd_scan_next(struct kvd_scan *scan, struct kvd_entry *entry_out) {
    enum status status = STATUS_OK;
    enum kvd_status taken;

    if (scan->left == 0) {
        return KVD_END;
    }
    while (status == STATUS_OK && page_left(&scan->page) == 0) {
        if (scan->started && scan->page.response.page.at_end) {
            return KVD_END;
        }
        status = fetch(scan);
    }
    if (status != STATUS_OK) {
        return result_public(status);
    }
    taken = kvd_page_next(&scan->page, entry_out);
    scan->left -= taken == KVD_OK;
    return taken;
}

/* --- count --- */

enum kvd_status kvd_count(struct kvd *db, const struct kvd_scan_options *options,
                          uint64_t *count_out) {
    const struct kvd_scan_options all = {0};
    const struct kvd_scan_options *from = options ? options : &all;
    const struct kvd_read_options read = {.deadline_ms = from->deadline_ms, .at = from->at};
    struct wire_request request = connection_read_request(db, WIRE_COUNT, &read);
    struct wire_response response = {0};
    uint64_t count = 0;
    enum status status = page_check(db, from);

    request.range.flags = from->prefix.len > 0 ? WIRE_RANGE_PREFIX : 0;
    request.range.from = connection_slice(from->prefix.len > 0 ? from->prefix : from->from);
    request.range.to = connection_slice(from->to);
    if (status == STATUS_OK) {
        status = connection_begin(db);
    }
    while (status == STATUS_OK && !response.page.at_end) {
        status = connection_call(db, &request, &response);
        if (status == STATUS_OK) {
            count += response.page.count;
            buffer_clear(&db->scratch);
            status = response.page.at_end ? STATUS_OK
                                          : buffer_append(&db->scratch, response.page.cursor.ptr,
                                                          response.page.cursor.len);
            request.range.cursor = buffer_slice(&db->scratch);
        }
    }
    if (status == STATUS_OK) {
        *count_out = count;
    }
    return result_public(status);
}
