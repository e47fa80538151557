/* page.c: see page.h. */
#include "client/page.h"

#include "client/record.h"

enum status page_check(struct kvd *db, const struct kvd_scan_options *options) {
    if (options->prefix.len > 0 && (options->from.len > 0 || options->to.len > 0)) {
        return connection_fail(db, STATUS_INVALID, 0, "a scan has a prefix or a range, not both");
    }
    if (options->cursor.len > WIRE_CURSOR_BYTES_MAX) {
        return connection_fail(db, STATUS_TOO_LARGE, WIRE_CURSOR_BYTES_MAX,
                               "the cursor is too long");
    }
    return STATUS_OK;
}

static uint32_t entries_max(const struct kvd_scan_options *options) {
    uint64_t most = options->page_entries ? options->page_entries : UINT32_MAX;

    if (options->limit > 0 && options->limit < most) {
        most = options->limit;
    }
    return most == UINT32_MAX ? 0 : (uint32_t)most;
}

static struct wire_request make_request(const struct kvd *db,
                                        const struct kvd_scan_options *options) {
    const struct kvd_read_options read = {.deadline_ms = options->deadline_ms,
                                          .verify = options->verify && !options->keys_only,
                                          .at = options->at};
    struct wire_request request = connection_read_request(db, WIRE_SCAN, &read);
    bool has_prefix = options->prefix.len > 0;

    request.range.flags = (uint8_t)((options->reverse ? WIRE_RANGE_REVERSE : 0) |
                                    (options->keys_only ? WIRE_RANGE_KEYS_ONLY : 0) |
                                    (has_prefix ? WIRE_RANGE_PREFIX : 0));
    request.range.limit = entries_max(options);
    request.range.page_bytes = options->page_bytes;
    request.range.from = connection_slice(has_prefix ? options->prefix : options->from);
    request.range.to = connection_slice(options->to);
    request.range.cursor = connection_slice(options->cursor);
    return request;
}

enum status page_request(struct kvd *db, const struct kvd_scan_options *options,
                         struct wire_request *request_out) {
    const struct kvd_scan_options all = {0};
    const struct kvd_scan_options *from = options ? options : &all;

    *request_out = make_request(db, from);
    return page_check(db, from);
}

enum kvd_status kvd_page_next(struct kvd_page *page, struct kvd_entry *entry_out) {
    struct wire_entry entry;
    bool left_out;
    enum status status;

    if (page_left(page) == 0) {
        return KVD_END;
    }
    status = wire_response_next_entry(&page->response, &entry);
    left_out = page_left(page) == 0 && page->response.page.last_bare;
    if (status == STATUS_OK && !left_out) {
        status = record_verify(page->db, page->verify, &entry.record, entry.value);
    }
    if (status != STATUS_OK) {
        return result_public(status);
    }
    entry_out->value_left_out = left_out;
    entry_out->key = kvd_bytes(entry.key.ptr, entry.key.len);
    entry_out->value = kvd_bytes(entry.value.ptr, entry.value.len);
    entry_out->meta = record_meta(&entry.record);
    return KVD_OK;
}
