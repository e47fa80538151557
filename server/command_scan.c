/* command_scan.c: SCAN and COUNT, a walk over a range, a page at a time. See command.h.
 *
 * The cursor that the client gets is a format byte and the last key of its page (page_range.h).
 * While walking, scratch holds
 *
 *      | format | last key in the page | present key |
 *
 * whose first two parts are the cursor of the next page. */
#include "server/command.h"
#include "server/lookup.h"
#include "server/page_range.h"

#include "protocol/base/assert.h"

#include <uv.h>

#define SCAN_SHORT_ENTRIES 64u        /* up to here a scan stays on the loop: well below 1 ms */
#define SCAN_SHORT_BYTES (64u * 1024) /* likewise */
#define COUNT_ENTRIES_MAX 1000000u    /* walked for one page */
#define PAGE_NS_MAX 20000000ull /* then others get their turn; a page pins its view no longer */
#define PAGE_CLOCK_ENTRIES 256u /* entries between two looks at the clock */

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

bool command_count_is_long(const struct wire_request *request) {
    (void)request;
    return true;
}

/* Errors: INVALID for a cursor that is none of ours; those of lookup_namespace and
 * store_cursor_open. */
static enum status walk_begin(struct walk *walk, struct read_context *context,
                              const struct wire_request *request, struct error *error) {
    struct store_range range;
    enum status status = lookup_namespace(context, request, &walk->namespace_id);

    if (status == STATUS_NOT_FOUND) { /* it reads as empty */
        walk->namespace_id = PAGE_NAMESPACE_NONE;
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        status =
            page_range_make(&request->range, walk->namespace_id,
                            context->service->limits.wire.key_max, walk->scratch, &range, error);
    }
    if (status == STATUS_OK) {
        status = store_cursor_open(context->read, &range, context->wait, &walk->cursor);
    }
    buffer_clear(walk->scratch);
    return status == STATUS_OK ? buffer_append_u8(walk->scratch, PAGE_CURSOR_FORMAT) : status;
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
    bool last_bare; /* the last value is too long for any frame, and left out */
    size_t mark;
    size_t bytes_max;
};

/* Appends the entry at which the walk stands; its value unless only keys are wanted, or it is bare.
 */
static enum status append_entry(struct page *page, const struct store_value_info *info,
                                struct buffer *answer, struct error *error) {
    struct wire_record record = lookup_record(info, page->flags);
    size_t record_mark;
    enum status status = wire_scan_entry_begin(answer, walk_key(&page->walk));

    if (status == STATUS_OK) {
        status = wire_record_begin(answer, page->flags, &record_mark);
    }
    if (status == STATUS_OK && !page->keys_only && !page->last_bare) {
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
        page->last_bare = status == STATUS_OK && !page->keys_only &&
                          info.value_bytes > context->service->limits.wire.value_max;
        if (status == STATUS_OK) {
            status = append_entry(page, &info, answer, error);
        }
        if (status == STATUS_TOO_LARGE && page->walk.entries > 0) {
            buffer_rollback(answer, mark);
            page->last_bare = false;
            status = STATUS_OK;
            break;
        }
        if (status != STATUS_OK) {
            break;
        }
        has_room = walk_take(&page->walk) && !page->last_bare &&
                   answer->len - page->mark < page->bytes_max;
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
    if (status == STATUS_OK && page.last_bare) {
        wire_page_set_last_bare(answer, page_mark);
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
