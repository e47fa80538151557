/* feed_fixture.h: verbs for tests of the change feed, over past_fixture.h: what the feed tells, as
 * a line of text for each change. Included once by a test program.
 *
 *      7 put a=1;       version 7 puts a; `;` ends the commit
 *      9 put big#70000:1c2f...      a value that is long, by length and checksum
 *      9 put t~3                    a value of three bytes that has been superseded
 *      12 del a   12 drop c..f      */
#ifndef KVD_TESTS_FEED_FIXTURE_H
#define KVD_TESTS_FEED_FIXTURE_H

#include "storage/checksum.h"
#include "tests/unit/past_fixture.h"

#include <stdarg.h>

#include "protocol/base/memory.h"

#define FEED_TEXT_MAX (256u * 1024)
#define FEED_SHORT_BYTES 24u

struct feed {
    struct store_feed_position position;
    struct store_feed_result result; /* of the last read */
    uint32_t namespace_id;           /* 0: the default one */
    struct slice name;
    struct slice from;
    struct slice to;
    uint32_t changes_max; /* in a page; 0: no such bound */
    uint64_t piece_bytes; /* of a value, in a page; 0: all */
    uint64_t look_bytes;
    uint32_t changes; /* in this page */
    struct buffer text;
    struct buffer value; /* gathered so far */
};

static inline void feed_init(struct feed *feed, uint64_t version) {
    *feed = (struct feed){.position = {.version = version}};
    buffer_init(&feed->text, FEED_TEXT_MAX);
    buffer_init(&feed->value, UINT64_C(64) << 20);
}

static inline void feed_deinit(struct feed *feed) {
    buffer_deinit(&feed->text);
    buffer_deinit(&feed->value);
}

static inline void feed_say(struct feed *feed, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void feed_say(struct feed *feed, const char *format, ...) {
    char line[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ck_assert_int_lt(len, (int)sizeof line);
    ck_assert_int_eq(buffer_append(&feed->text, line, (size_t)len), STATUS_OK);
}

#define FEED_SLICE(slice) (int)(slice).len, (const char *)(slice).ptr

/* Gathers the value, piece by piece; END while there is more of it to come. */
static inline enum status feed_take_value(struct feed *feed, struct store_feed_change *change) {
    uint64_t piece = feed->piece_bytes ? feed->piece_bytes : UINT64_MAX;
    enum status status;

    ck_assert_uint_eq(change->value_offset, feed->value.len);
    status = store_feed_value(change, change->value_offset, piece, &feed->value, NULL);
    if (status == STATUS_OK && feed->value.len < change->info.value_bytes) {
        change->value_offset = feed->value.len;
        return STATUS_END;
    }
    return status;
}

static inline enum status feed_take_put(struct feed *feed, struct store_feed_change *change) {
    struct slice value;
    enum status status;

    if (change->superseded) {
        feed_say(feed, "put %.*s~%llu", FEED_SLICE(change->key),
                 (unsigned long long)change->info.value_bytes);
        return STATUS_OK;
    }
    status = feed_take_value(feed, change);
    if (status != STATUS_OK) {
        return status;
    }
    value = buffer_slice(&feed->value);
    ck_assert_uint_eq(value.len, change->info.value_bytes);
    ck_assert_uint_eq(checksum_of(value), change->info.checksum);
    ck_assert_uint_eq(change->info.version, change->version);
    if (value.len <= FEED_SHORT_BYTES) {
        feed_say(feed, "put %.*s=%.*s", FEED_SLICE(change->key), FEED_SLICE(value));
    } else {
        feed_say(feed, "put %.*s#%zu:%llx", FEED_SLICE(change->key), value.len,
                 (unsigned long long)change->info.checksum);
    }
    buffer_clear(&feed->value);
    return STATUS_OK;
}

static inline enum status feed_cb(void *arg, struct store_feed_change *change) {
    struct feed *feed = arg;
    size_t mark = buffer_mark(&feed->text);
    enum status status = STATUS_OK;

    if (feed->changes_max > 0 && feed->changes == feed->changes_max) {
        return STATUS_END;
    }
    feed_say(feed, "%llu ", (unsigned long long)change->version);
    switch (change->kind) {
    case STORE_FEED_PUT:
        status = feed_take_put(feed, change);
        break;
    case STORE_FEED_DELETE:
        feed_say(feed, "del %.*s", FEED_SLICE(change->key));
        break;
    case STORE_FEED_DELETE_RANGE:
        feed_say(feed, "drop %.*s..%.*s", FEED_SLICE(change->key), FEED_SLICE(change->to));
        break;
    }
    if (status != STATUS_OK) {
        buffer_rollback(&feed->text, mark);
        return status;
    }
    feed->changes++;
    feed_say(feed, change->last ? ";\n" : "\n");
    return STATUS_OK;
}

/* One page. */
static inline enum status feed_page(struct fixture *fixture, struct feed *feed) {
    struct store_feed_query query = {.namespace_id =
                                         feed->namespace_id ? feed->namespace_id : SPACE,
                                     .name = feed->name,
                                     .from = feed->from,
                                     .to = feed->to,
                                     .position = feed->position,
                                     .look_bytes_max = feed->look_bytes};
    enum status status;

    feed->changes = 0;
    status = store_feed_read(fixture->store, &query, feed_cb, feed, &feed->result, &fixture->error);
    if (status == STATUS_OK) {
        feed->position = feed->result.next;
    }
    return status;
}

/* Page by page up to the end, or a gap. */
static inline void feed_follow(struct fixture *fixture, struct feed *feed) {
    do {
        struct store_feed_position before = feed->position;
        enum status status = feed_page(fixture, feed);
        ck_assert_msg(status == STATUS_OK, "%s: %s (%s)", status_name(status), fixture->error.text,
                      fixture->error.path);
        ck_assert_msg(feed->result.at_end || feed->result.gap_from > 0 ||
                          memcmp(&before, &feed->position, sizeof before) != 0,
                      "a page that leads nowhere");
        ck_assert_uint_le(feed->result.gap_from, feed->result.gap_to);
    } while (!feed->result.at_end && feed->result.gap_from == 0);
}

/* All that the feed tells after a version, freed by the caller with memory_free; no gap. */
static inline char *feed_since(struct fixture *fixture, uint64_t version) {
    struct feed feed;
    char *text;

    feed_init(&feed, version);
    feed_follow(fixture, &feed);
    ck_assert_uint_eq(feed.result.gap_from, 0);
    text = memory_alloc(feed.text.len + 1);
    ck_assert_ptr_nonnull(text);
    if (feed.text.len > 0) {
        memcpy(text, feed.text.data, feed.text.len);
    }
    text[feed.text.len] = '\0';
    feed_deinit(&feed);
    return text;
}

static inline void feed_expect(struct fixture *fixture, uint64_t version, const char *expected) {
    char *text = feed_since(fixture, version);
    ck_assert_str_eq(text, expected);
    memory_free(text);
}

#endif
