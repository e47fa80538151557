/* command_feed.c: FEED: a page of what was committed. See command.h.
 *
 * A value that does not fit what is left of a page waits for the next one; one that fits none comes
 * in parts, as long as a page each. So a page takes no more memory than was asked for, whatever is
 * in the log, and between two pages the server remembers nothing of the reader. */
#include "server/command.h"
#include "server/lookup.h"
#include "server/page_range.h"

#define PAGE_BYTES_DEFAULT (256u * 1024)
#define PAGE_BYTES_MIN 4096u
#define LOOK_BYTES_MAX (UINT64_C(4) * 1024 * 1024) /* of the log, for one turn on an I/O thread */
#define ENTRY_BYTES 80u                            /* about what is around key and value */

struct page {
    struct buffer *answer;
    size_t start;
    size_t bytes_max;
    uint32_t count;
    struct error *error;
};

static const uint8_t kinds[] = {
    [STORE_FEED_PUT] = WIRE_FEED_PUT,
    [STORE_FEED_DELETE] = WIRE_FEED_DELETE,
    [STORE_FEED_DELETE_RANGE] = WIRE_FEED_DELETE_RANGE,
};

static struct wire_feed_change change_of(const struct store_feed_change *found) {
    struct wire_feed_change change = {.kind = kinds[found->kind],
                                      .last = found->last,
                                      .version = found->version,
                                      .time_ms = found->time_ms,
                                      .key = found->key,
                                      .to = found->to};

    if (found->kind == STORE_FEED_PUT) {
        change.kind = found->superseded ? WIRE_FEED_SUPERSEDED : WIRE_FEED_PUT;
        change.record = lookup_record(&found->info, WIRE_FLAG_CHECKSUM);
        change.value_offset = found->value_offset < found->info.value_bytes
                                  ? found->value_offset
                                  : found->info.value_bytes;
    }
    return change;
}

/* Of the value, what the page at hand may have. */
static uint64_t part_of(const struct page *page, const struct wire_feed_change *change) {
    uint64_t left = change->record.value_len - change->value_offset;

    return left < page->bytes_max ? left : page->bytes_max;
}

/* What the change takes, all of it. */
static uint64_t bytes_of(const struct wire_feed_change *change) {
    uint64_t bytes = ENTRY_BYTES + change->key.len + change->to.len;

    return change->kind == WIRE_FEED_PUT ? bytes + change->record.value_len - change->value_offset
                                         : bytes;
}

/* Appends as much of the value as a page may have. END when that is not all. */
static enum status append_value(struct page *page, struct store_feed_change *found,
                                const struct wire_feed_change *change, size_t value_mark) {
    uint64_t part = part_of(page, change);
    enum status status =
        store_feed_value(found, change->value_offset, part, page->answer, page->error);

    if (status != STATUS_OK) {
        return status;
    }
    wire_feed_value_finish(page->answer, value_mark);
    found->value_offset = change->value_offset + part;
    return found->value_offset == change->record.value_len ? STATUS_OK : STATUS_END;
}

static enum status change_cb(void *arg, struct store_feed_change *found) {
    struct page *page = arg;
    struct wire_feed_change change = change_of(found);
    size_t used = page->answer->len - page->start;
    size_t value_mark = 0;
    enum status status;

    if (page->count > 0 && used + bytes_of(&change) > page->bytes_max) {
        return STATUS_END;
    }
    if (change.kind == WIRE_FEED_PUT &&
        change.value_offset + part_of(page, &change) < change.record.value_len) {
        change.last = false; /* the rest of the value follows */
    }
    status = wire_feed_entry(page->answer, &change, &value_mark);
    if (status == STATUS_OK && change.kind == WIRE_FEED_PUT) {
        status = append_value(page, found, &change, value_mark);
    }
    page->count += status == STATUS_OK || status == STATUS_END;
    return status;
}

static size_t page_bytes(const struct read_context *context, const struct wire_request *request) {
    uint32_t max = context->service->limits.wire.scan_page_bytes_max;
    uint32_t wanted = request->range.page_bytes ? request->range.page_bytes : PAGE_BYTES_DEFAULT;

    wanted = wanted < PAGE_BYTES_MIN ? PAGE_BYTES_MIN : wanted;
    return wanted < max ? wanted : max;
}

/* The last version of all stands for what is durable now. */
static struct store_feed_position position_of(const struct read_context *context,
                                              const struct wire_request *request) {
    if (request->position.version == UINT64_MAX) {
        return (struct store_feed_position){store_durable_version(context->service->store), 0, 0};
    }
    return (struct store_feed_position){request->position.version, request->position.skip,
                                        request->position.value_offset};
}

static enum status read_feed(struct read_context *context, const struct wire_request *request,
                             struct page *page, struct store_feed_result *result) {
    struct feed_look *look = context->look;
    struct store_feed_query query = {.look_bytes_max = LOOK_BYTES_MAX,
                                     .position = look->resumed ? look->position
                                                               : position_of(context, request)};
    struct store_range range;
    uint8_t *prefix_end;
    enum status status = buffer_extend(context->scratch, request->range.from.len + 1, &prefix_end);

    if (status != STATUS_OK) {
        return status;
    }
    range = page_range_whole(&request->range, STORE_NAMESPACE_DEFAULT, prefix_end);
    query.name = request->options.namespace_name;
    query.namespace_id = STORE_NAMESPACE_DEFAULT; /* without a name */
    query.from = range.from;
    query.to = range.to;
    status = store_feed_read(context->service->store, &query, change_cb, page, result, page->error);
    look->resumed = true;
    look->position = result->next;
    look->durable_version = result->durable_version;
    look->waits = status == STATUS_OK && page->count == 0 && result->gap_from == 0;
    return status;
}

enum status command_feed(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) {
    struct page page = {.answer = answer,
                        .start = answer->len,
                        .bytes_max = page_bytes(context, request),
                        .error = error};
    struct store_feed_result result;
    struct wire_feed feed;
    size_t mark;
    size_t page_mark;
    enum status status =
        wire_response_begin(answer, request->id, STATUS_OK, WIRE_FLAG_CHECKSUM, &mark);

    if (status == STATUS_OK) {
        status = wire_feed_begin(answer, &page_mark);
    }
    if (status == STATUS_OK) {
        status = read_feed(context, request, &page, &result);
    }
    if (status != STATUS_OK) {
        return status;
    }
    feed = (struct wire_feed){
        .next = {result.next.version, result.next.skip, result.next.value_offset},
        .durable_version = result.durable_version,
        .gap_from = result.gap_from,
        .gap_to = result.gap_to};
    wire_feed_finish(answer, page_mark, page.count, &feed, result.at_end);
    return wire_response_finish(answer, mark);
}
