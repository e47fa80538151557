/* watch.c: following what is committed, page by page (kvd/watch.h).
 *
 *      position --FEED--> page: change, change, ... --all handed out--> next position
 *                    \--> gap: SNAPSHOT_OPEN, and on behind its version
 *
 * A page is a copy, so that other calls may use the connection between two changes. What is lost
 * with a connection is asked for again from the same position. */
#include "client/clock.h"
#include "client/record.h"

#include "protocol/base/memory.h"

#define WAIT_MS_MAX 60000u /* of one request; longer waits are several */
#define FROM_NOW UINT64_MAX

struct kvd_watch {
    struct kvd *db;                     /* borrowed; outlives the watch */
    struct buffer range;                /* owned; from (or prefix) and to, in a row */
    size_t from_len;                    /* of `range`; the rest is `to` */
    struct buffer page;                 /* owned; the changes of the present page */
    struct wire_response response;      /* points into `page` */
    struct wire_feed_position position; /* of the present page, until it has been handed out */
    uint64_t version;                   /* all changes up to it were handed out */
    bool has_page;
    bool is_prefix;
    bool skip_gaps;
    uint32_t page_bytes;
    uint32_t snapshot_ms;
};

/* ---- opening */

static enum status keep(struct buffer *buffer, struct kvd_bytes bytes) {
    return bytes.len == 0 ? STATUS_OK : buffer_append(buffer, bytes.ptr, bytes.len);
}

static enum status fill(struct kvd_watch *watch, const struct kvd_watch_options *options) {
    struct kvd_bytes from = options->prefix.len > 0 ? options->prefix : options->from;
    enum status status;

    buffer_init(&watch->range, WIRE_BODY_CEILING);
    buffer_init(&watch->page, WIRE_BODY_CEILING);
    watch->from_len = from.len;
    watch->is_prefix = options->prefix.len > 0;
    watch->skip_gaps = options->skip_gaps;
    watch->page_bytes = options->page_bytes;
    watch->snapshot_ms =
        options->snapshot_ms ? options->snapshot_ms : KVD_WATCH_SNAPSHOT_MS_DEFAULT;
    watch->version = options->from_now ? 0 : options->from_version;
    watch->position.version = options->from_now ? FROM_NOW : options->from_version;
    status = keep(&watch->range, from);
    return status == STATUS_OK ? keep(&watch->range, options->to) : status;
}

enum kvd_status kvd_watch_open(struct kvd *db, const struct kvd_watch_options *options,
                               struct kvd_watch **watch_out) {
    const struct kvd_watch_options all = {0};
    const struct kvd_watch_options *from = options ? options : &all;
    struct kvd_watch *watch;
    enum status status;

    if (from->prefix.len > 0 && (from->from.len > 0 || from->to.len > 0)) {
        return result_public(
            connection_fail(db, STATUS_INVALID, 0, "a watch has a prefix or a range, not both"));
    }
    watch = memory_alloc_zeroed(sizeof *watch);
    status = watch ? fill(watch, from) : STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        kvd_watch_close(watch);
        return result_public(connection_fail(db, status, 0, "out of memory here"));
    }
    watch->db = db;
    *watch_out = watch;
    return KVD_OK;
}

void kvd_watch_close(struct kvd_watch *watch) {
    if (watch) {
        buffer_deinit(&watch->range);
        buffer_deinit(&watch->page);
        memory_free(watch);
    }
}

uint64_t kvd_watch_version(const struct kvd_watch *watch) {
    return watch->version;
}

/* ---- pages */

static struct wire_request feed_request(const struct kvd_watch *watch, uint32_t wait_ms) {
    struct wire_request request = connection_read_request(watch->db, WIRE_FEED, NULL);
    struct slice range = buffer_slice(&watch->range);

    request.position = watch->position;
    request.wait_ms = wait_ms;
    request.range.page_bytes = watch->page_bytes;
    request.range.flags = watch->is_prefix ? WIRE_RANGE_PREFIX : 0;
    if (range.len > 0) {
        request.range.from = slice_make(range.ptr, watch->from_len);
        request.range.to = slice_make(range.ptr + watch->from_len, range.len - watch->from_len);
    }
    return request;
}

/* The server's wait comes on top of what an answer may take. */
static enum status call(struct kvd_watch *watch, uint32_t wait_ms, struct wire_response *response) {
    struct wire_request request = feed_request(watch, wait_ms);
    uint32_t timeout_ms = watch->db->timeout_ms;
    enum status status;

    watch->db->timeout_ms = timeout_ms < UINT32_MAX - wait_ms ? timeout_ms + wait_ms : UINT32_MAX;
    status = connection_call(watch->db, &request, response);
    watch->db->timeout_ms = timeout_ms;
    return status;
}

static enum status fetch(struct kvd_watch *watch, uint32_t wait_ms) {
    struct wire_response response;
    enum status status = connection_begin(watch->db);

    if (status == STATUS_OK) {
        status = call(watch, wait_ms, &response);
    }
    if (status != STATUS_OK) {
        return status;
    }
    buffer_clear(&watch->page);
    status =
        buffer_append(&watch->page, response.page.list.bytes.ptr, response.page.list.bytes.len);
    if (status != STATUS_OK) {
        return connection_fail(watch->db, status, 0, "out of memory here");
    }
    watch->response = response;
    watch->response.page.list.bytes = buffer_slice(&watch->page);
    watch->has_page = true;
    return STATUS_OK;
}

/* All of the page has been handed out. */
static void leave_page(struct kvd_watch *watch) {
    watch->position = watch->response.feed.next;
    watch->has_page = false;
    if (watch->position.version > watch->version) {
        watch->version = watch->position.version;
    }
}

/* ---- gaps */

static enum kvd_status tell_gap(struct kvd_watch *watch, struct kvd_watch_change *change_out) {
    const struct wire_feed *feed = &watch->response.feed;
    struct kvd_watch_change change = {
        .kind = KVD_WATCH_GAP, .version = feed->gap_from, .gap_to = feed->gap_to, .last = true};
    enum kvd_status status = KVD_OK;

    if (!watch->skip_gaps) {
        status = kvd_snapshot_open(watch->db, watch->snapshot_ms, &change.snapshot);
    }
    if (status != KVD_OK) {
        watch->has_page = false; /* asked for, and told, again */
        return status;
    }
    leave_page(watch);
    if (change.snapshot.version > watch->version) {
        watch->version = change.snapshot.version;
        watch->position = (struct wire_feed_position){.version = change.snapshot.version};
    }
    *change_out = change;
    return KVD_OK;
}

/* ---- changes */

static struct kvd_bytes bytes_of(struct slice slice) {
    return kvd_bytes(slice.ptr, slice.len);
}

static enum status take(struct kvd_watch *watch, struct kvd_watch_change *change_out) {
    struct wire_feed_change change;
    enum status status = wire_response_next_feed_change(&watch->response, &change);
    bool is_whole;

    if (status != STATUS_OK) {
        return status;
    }
    is_whole = change.kind == WIRE_FEED_PUT && change.value.len == change.record.value_len;
    if (is_whole) {
        status = record_verify(watch->db, true, &change.record, change.value);
    }
    if (status != STATUS_OK) {
        watch->has_page = false; /* it comes again */
        return status;
    }
    *change_out = (struct kvd_watch_change){.kind = (enum kvd_watch_kind)change.kind,
                                            .version = change.version,
                                            .time_ms = change.time_ms,
                                            .last = change.last,
                                            .key = bytes_of(change.key),
                                            .to = bytes_of(change.to),
                                            .meta = record_meta(&change.record),
                                            .value_offset = change.value_offset,
                                            .value = bytes_of(change.value)};
    return STATUS_OK;
}

/* What follows from having handed it out. */
static void note(struct kvd_watch *watch, const struct kvd_watch_change *change) {
    if (change->last) {
        watch->version = change->version;
        watch->position = (struct wire_feed_position){.version = change->version};
    }
    if (watch->response.page.list.count == 0 && !watch->response.page.at_end) {
        leave_page(watch);
    }
}

/* Whether the page has something to hand out. */
static bool has_more(const struct kvd_watch *watch) {
    return watch->has_page &&
           (watch->response.page.list.count > 0 || watch->response.feed.gap_from > 0);
}

/* Fetches pages until there is something to hand out. Errors: END when the time is over. */
static enum status look(struct kvd_watch *watch, uint32_t wait_ms) {
    int64_t until_ms = clock_now_ms() + wait_ms;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && !has_more(watch)) {
        int64_t left_ms = until_ms - clock_now_ms();
        bool was_end = watch->has_page && watch->response.page.at_end;
        if (watch->has_page) {
            leave_page(watch);
        }
        if (was_end && left_ms <= 0) {
            return STATUS_END;
        }
        left_ms = left_ms > WAIT_MS_MAX ? WAIT_MS_MAX : left_ms;
        status = fetch(watch, left_ms > 0 ? (uint32_t)left_ms : 0);
    }
    return status;
}

enum kvd_status kvd_watch_next(struct kvd_watch *watch, uint32_t wait_ms,
                               struct kvd_watch_change *change_out) {
    enum status status = look(watch, wait_ms);

    if (status == STATUS_OK && watch->response.page.list.count == 0) {
        return tell_gap(watch, change_out);
    }
    if (status == STATUS_OK) {
        status = take(watch, change_out);
    }
    if (status == STATUS_OK) {
        note(watch, change_out);
    }
    return result_public(status);
}
