/* command_scan.c: SCAN and COUNT, a walk over a range, a page at a time. See command.h.
 *
 * The cursor that the client gets is a format byte and the last key of its page; so it needs no
 * memory here, and lives as long as the client likes. While walking, scratch holds
 *
 *      | format | last key in the page | present key |
 *
 * whose first two parts are the cursor of the next page. */
#include "server/command.h"
#include "server/lookup.h"

#include "protocol/base/assert.h"

#include <uv.h>

#define SCAN_SHORT_ENTRIES 64u        /* up to here a scan stays on the loop: well below 1 ms */
#define SCAN_SHORT_BYTES (64u * 1024) /* likewise */
#define COUNT_ENTRIES_MAX 1000000u    /* walked for one page */
#define PAGE_NS_MAX 1000000000ull     /* a page pins its view no longer */
#define PAGE_CLOCK_ENTRIES 256u       /* entries between two looks at the clock */
#define CURSOR_FORMAT 1u

struct walk {
    struct store_cursor *cursor; /* owned */
    struct buffer *scratch;      /* borrowed; see above */
    size_t last_len;             /* of the last key in the page */
    uint64_t entries;            /* in the page */
    uint64_t entries_max;
    uint64_t started_ns;
    uint32_t namespace_id;
};

bool command_scan_is_long(const struct wire_request *request) {
    const struct wire_range *range = &request->range;

    return range->limit == 0 || range->limit > SCAN_SHORT_ENTRIES || range->page_bytes == 0 ||
           range->page_bytes > SCAN_SHORT_BYTES;
}

/* The range to walk: a cursor replaces the bound at which the page before ended. What is made anew
 * lies in scratch, which has room for a prefix and a key. */
static struct store_range bounds_of(const struct wire_range *range, uint32_t namespace_id,
                                    struct slice last_key, struct buffer *scratch) {
    struct store_range bounds = {
        .namespace_id = namespace_id, .from = range->from, .to = range->to};
    uint8_t *next = scratch->data;

    if (range->flags & WIRE_RANGE_PREFIX) {
        bounds = store_range_prefix(namespace_id, range->from, next);
        next += range->from.len;
    }
    bounds.reverse = (range->flags & WIRE_RANGE_REVERSE) != 0;
    if (last_key.len > 0 && bounds.reverse) {
        bounds.to = last_key;
    } else if (last_key.len > 0) { /* the smallest key behind it */
        memcpy(next, last_key.ptr, last_key.len);
        next[last_key.len] = 0;
        bounds.from = slice_make(next, last_key.len + 1);
    }
    return bounds;
}

static enum status last_key_of(const struct wire_range *range, struct slice *last_key_out,
                               struct error *error) {
    if (range->cursor.len > 0 && (range->cursor.len < 2 || range->cursor.ptr[0] != CURSOR_FORMAT)) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "the cursor was not made by this server");
    }
    *last_key_out = range->cursor.len == 0
                        ? slice_make(NULL, 0)
                        : slice_make(range->cursor.ptr + 1, range->cursor.len - 1);
    return STATUS_OK;
}

/* Errors: INVALID for a cursor that is none of ours; NOT_FOUND (the namespace); those of
 * store_cursor_open. */
#define NAMESPACE_OF_NONE UINT32_MAX /* the store gives it to no name: no key is in it */

static enum status walk_begin(struct walk *walk, struct read_context *context,
                              const struct wire_request *request, struct error *error) {
    const struct wire_range *range = &request->range;
    struct slice last_key = slice_make(NULL, 0);
    struct store_range bounds;
    enum status status = last_key_of(range, &last_key, error);

    if (status == STATUS_OK) {
        status = lookup_namespace(context, request, &walk->namespace_id);
        if (status == STATUS_NOT_FOUND) { /* it reads as empty */
            walk->namespace_id = NAMESPACE_OF_NONE;
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK) {
        buffer_clear(walk->scratch);
        status = buffer_reserve(walk->scratch, range->from.len + last_key.len + 1);
    }
    if (status == STATUS_OK) {
        bounds = bounds_of(range, walk->namespace_id, last_key, walk->scratch);
        status = store_cursor_open(context->read, &bounds, context->wait, &walk->cursor);
    }
    return status == STATUS_OK ? buffer_append_u8(walk->scratch, CURSOR_FORMAT) : status;
}

/* Moves to the next key. Errors: END; those of store_cursor_next. */
static enum status walk_next(struct walk *walk, struct store_value_info *info_out,
                             struct error *error) {
    return store_cursor_next(walk->cursor, walk->scratch, info_out, error);
}

static struct slice walk_key(const struct walk *walk) {
    size_t start = 1 + walk->last_len;

    return slice_make(walk->scratch->data + start, walk->scratch->len - start);
}

/* Takes the present key into the page. Returns whether the page has room for more. */
static bool walk_take(struct walk *walk) {
    struct slice key = walk_key(walk);

    memmove(walk->scratch->data + 1, key.ptr, key.len);
    walk->scratch->len = 1 + key.len;
    walk->last_len = key.len;
    walk->entries++;
    if (walk->entries % PAGE_CLOCK_ENTRIES == 0 && uv_hrtime() - walk->started_ns > PAGE_NS_MAX) {
        return false;
    }
    return walk->entries < walk->entries_max;
}

/* The cursor of the next page; empty at the end. */
static struct slice walk_cursor(const struct walk *walk, bool at_end) {
    ASSERT(at_end || walk->last_len > 0);
    return at_end ? slice_make(NULL, 0) : slice_make(walk->scratch->data, 1 + walk->last_len);
}

static uint64_t smaller(uint64_t wanted, uint64_t max) {
    return wanted != 0 && wanted < max ? wanted : max;
}

struct page {
    struct walk walk;
    uint32_t flags; /* of the answer */
    bool keys_only;
    size_t mark;
    size_t bytes_max;
};

/* Appends the entry at which the walk stands. */
static enum status append_entry(struct page *page, struct read_context *context,
                                const struct store_value_info *info, struct buffer *answer,
                                struct error *error) {
    struct lookup lookup = {.namespace_id = page->walk.namespace_id,
                            .key = walk_key(&page->walk),
                            .flags = page->flags,
                            .with_value = !page->keys_only};
    struct wire_record record = lookup_record(info, 0);
    size_t record_mark;
    enum status status = wire_scan_entry_begin(answer, lookup.key);

    if (status != STATUS_OK) {
        return status;
    }
    if (page->flags != 0) { /* the cursor does not know every checksum */
        return lookup_append(context, &lookup, answer, error);
    }
    status = wire_record_begin(answer, page->flags, &record_mark);
    if (status == STATUS_OK && !page->keys_only) {
        status = store_cursor_value(page->walk.cursor, answer, error);
    }
    if (status == STATUS_OK) {
        wire_record_finish(answer, record_mark, page->flags, &record);
    }
    return status;
}

/* Fills the page. *at_end_out is whether the range ended before the page did. */
static enum status fill_page(struct page *page, struct read_context *context, struct buffer *answer,
                             bool *at_end_out, struct error *error) {
    struct store_value_info info;
    bool has_room = true;
    enum status status = STATUS_OK;

    while (has_room) {
        size_t mark = buffer_mark(answer);
        status = walk_next(&page->walk, &info, error);
        if (status == STATUS_OK && page->walk.entries > 0 && !page->keys_only &&
            mark - page->mark + info.value_bytes > page->bytes_max) {
            break;
        }
        if (status == STATUS_OK) {
            status = append_entry(page, context, &info, answer, error);
        }
        if (status == STATUS_TOO_LARGE && page->walk.entries > 0) {
            buffer_rollback(answer, mark);
            status = STATUS_OK;
            break;
        }
        if (status != STATUS_OK) {
            break;
        }
        has_room = walk_take(&page->walk) && answer->len - page->mark < page->bytes_max;
    }
    *at_end_out = status == STATUS_END;
    return *at_end_out ? STATUS_OK : status;
}

enum status command_scan(struct read_context *context, const struct wire_request *request,
                         struct buffer *answer, struct error *error) {
    const struct wire_limits *limits = &context->service->limits.wire;
    struct page page = {
        .walk = {.scratch = context->scratch,
                 .started_ns = uv_hrtime(),
                 .entries_max = smaller(request->range.limit, limits->scan_entries_max)},
        .flags = lookup_flags(request),
        .keys_only = (request->range.flags & WIRE_RANGE_KEYS_ONLY) != 0,
        .bytes_max = (size_t)smaller(request->range.page_bytes, limits->scan_page_bytes_max),
    };
    size_t page_mark;
    bool at_end = false;
    enum status status = walk_begin(&page.walk, context, request, error);

    if (status == STATUS_OK) {
        status = wire_response_begin(answer, request->id, STATUS_OK, page.flags, &page.mark);
    }
    if (status == STATUS_OK) {
        status = wire_page_begin(answer, &page_mark);
    }
    if (status == STATUS_OK) {
        status = fill_page(&page, context, answer, &at_end, error);
    }
    if (status == STATUS_OK) {
        status = wire_page_finish(answer, page_mark, (uint32_t)page.walk.entries,
                                  walk_cursor(&page.walk, at_end), at_end);
    }
    store_cursor_close(page.walk.cursor);
    return status == STATUS_OK ? wire_response_finish(answer, page.mark) : status;
}

enum status command_count(struct read_context *context, const struct wire_request *request,
                          struct buffer *answer, struct error *error) {
    struct walk walk = {.scratch = context->scratch,
                        .started_ns = uv_hrtime(),
                        .entries_max = smaller(request->range.limit, COUNT_ENTRIES_MAX)};
    bool has_room = true;
    enum status status = walk_begin(&walk, context, request, error);

    while (status == STATUS_OK && has_room) {
        status = walk_next(&walk, NULL, error);
        has_room = status == STATUS_OK && walk_take(&walk);
    }
    store_cursor_close(walk.cursor);
    if (status != STATUS_OK && status != STATUS_END) {
        return status;
    }
    return wire_response_count(answer, request->id, walk.entries,
                               walk_cursor(&walk, status == STATUS_END), status == STATUS_END);
}
