/* scan.c: walking keys page by page, and counting them.
 *
 * A scan keeps a copy of the body of its page, so that other calls may use the connection between
 * two entries. The cursor of the last page asks for the next; if that fails, it asks again. */
#include "client/record.h"

#include "protocol/base/memory.h"

struct kvd_scan {
    struct kvd *db;                /* borrowed; outlives the scan */
    struct buffer range;           /* owned; from (or prefix) and to, in a row */
    size_t from_len;               /* of `range`; the rest is `to` */
    struct buffer cursor;          /* owned; of the next page; empty before the first */
    struct buffer page;            /* owned; body of the present page */
    struct wire_response response; /* points into `page` */
    uint8_t flags;                 /* enum wire_range_flag */
    bool started;                  /* a page was fetched */
    bool verify;
    uint32_t page_entries;
    uint32_t page_bytes;
    uint32_t deadline_ms;
    struct kvd_state at;
    uint64_t left; /* entries that the limit still allows */
};

static enum status check(struct kvd *db, const struct kvd_scan_options *options) {
    if (options->prefix.len > 0 && (options->from.len > 0 || options->to.len > 0)) {
        return connection_fail(db, STATUS_INVALID, 0, "a scan has a prefix or a range, not both");
    }
    if (options->cursor.len > WIRE_CURSOR_BYTES_MAX) {
        return connection_fail(db, STATUS_TOO_LARGE, WIRE_CURSOR_BYTES_MAX,
                               "the cursor is too long");
    }
    return STATUS_OK;
}

static uint8_t range_flags(const struct kvd_scan_options *options) {
    return (uint8_t)((options->reverse ? WIRE_RANGE_REVERSE : 0) |
                     (options->keys_only ? WIRE_RANGE_KEYS_ONLY : 0) |
                     (options->prefix.len > 0 ? WIRE_RANGE_PREFIX : 0));
}

static enum status keep(struct buffer *buffer, struct kvd_bytes bytes) {
    return bytes.len == 0 ? STATUS_OK : buffer_append(buffer, bytes.ptr, bytes.len);
}

static enum status fill(struct kvd_scan *scan, const struct kvd_scan_options *options) {
    struct kvd_bytes from = options->prefix.len > 0 ? options->prefix : options->from;
    enum status status;

    buffer_init(&scan->range, WIRE_BODY_CEILING);
    buffer_init(&scan->cursor, WIRE_CURSOR_BYTES_MAX);
    buffer_init(&scan->page, WIRE_BODY_CEILING);
    scan->flags = range_flags(options);
    scan->verify = options->verify && !options->keys_only;
    scan->page_entries = options->page_entries;
    scan->page_bytes = options->page_bytes;
    scan->deadline_ms = options->deadline_ms;
    scan->at = options->at;
    scan->left = options->limit ? options->limit : UINT64_MAX;
    scan->from_len = from.len;
    status = keep(&scan->range, from);
    if (status == STATUS_OK) {
        status = keep(&scan->range, options->to);
    }
    return status == STATUS_OK ? keep(&scan->cursor, options->cursor) : status;
}

enum kvd_status kvd_scan_open(struct kvd *db, const struct kvd_scan_options *options,
                              struct kvd_scan **scan_out) {
    const struct kvd_scan_options all = {0};
    const struct kvd_scan_options *from = options ? options : &all;
    struct kvd_scan *scan;
    enum status status = check(db, from);

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
        buffer_deinit(&scan->page);
        memory_free(scan);
    }
}

struct kvd_bytes kvd_scan_cursor(const struct kvd_scan *scan) {
    return kvd_bytes(scan->cursor.data, scan->cursor.len);
}

static struct wire_request page_request(const struct kvd_scan *scan) {
    const struct kvd_read_options options = {
        .deadline_ms = scan->deadline_ms, .verify = scan->verify, .at = scan->at};
    struct wire_request request = connection_read_request(scan->db, WIRE_SCAN, &options);
    struct slice range = buffer_slice(&scan->range);
    uint64_t limit = scan->page_entries ? scan->page_entries : UINT32_MAX;

    limit = limit < scan->left ? limit : scan->left;
    request.range.flags = scan->flags;
    request.range.limit = limit == UINT32_MAX ? 0 : (uint32_t)limit;
    request.range.page_bytes = scan->page_bytes;
    if (range.len > 0) {
        request.range.from = slice_make(range.ptr, scan->from_len);
        request.range.to = slice_make(range.ptr + scan->from_len, range.len - scan->from_len);
    }
    request.range.cursor = buffer_slice(&scan->cursor);
    return request;
}

/* Copies what the response points to, so that it outlives the receive buffer. */
static enum status keep_page(struct kvd_scan *scan, const struct wire_response *response) {
    const struct wire_page *page = &response->page;
    enum status status;

    buffer_clear(&scan->page);
    status = buffer_append(&scan->page, page->list.bytes.ptr, page->list.bytes.len);
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
    scan->response = *response;
    scan->response.page.list.bytes = buffer_slice(&scan->page);
    scan->started = true;
    return status;
}

static enum status fetch(struct kvd_scan *scan) {
    struct wire_request request = page_request(scan);
    struct wire_response response;
    enum status status = connection_begin(scan->db);

    if (status == STATUS_OK) {
        status = connection_call(scan->db, &request, &response);
    }
    return status == STATUS_OK ? keep_page(scan, &response) : status;
}

enum kvd_status kvd_scan_next(struct kvd_scan *scan, struct kvd_entry *entry_out) {
    struct wire_entry entry;
    bool left_out;
    enum status status = STATUS_OK;

    if (scan->left == 0) {
        return KVD_END;
    }
    while (status == STATUS_OK && scan->response.page.list.count == 0) {
        if (scan->started && scan->response.page.at_end) {
            return KVD_END;
        }
        status = fetch(scan);
    }
    if (status == STATUS_OK) {
        status = wire_response_next_entry(&scan->response, &entry);
    }
    left_out = scan->response.page.list.count == 0 && scan->response.page.last_bare;
    if (status == STATUS_OK && !left_out) {
        status = record_verify(scan->db, scan->verify, &entry.record, entry.value);
    }
    if (status != STATUS_OK) {
        return result_public(status);
    }
    scan->left--;
    entry_out->value_left_out = left_out;
    entry_out->key = kvd_bytes(entry.key.ptr, entry.key.len);
    entry_out->value = kvd_bytes(entry.value.ptr, entry.value.len);
    entry_out->meta = record_meta(&entry.record);
    return KVD_OK;
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
    enum status status = check(db, from);

    request.range.flags = range_flags(from) & WIRE_RANGE_PREFIX;
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
