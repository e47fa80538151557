/* client_fake.h: a server of one thread for the tests of libkvd. It keeps a few keys in a sorted
 * array, speaks through the codec, answers in pages of two, and misbehaves as told:
 *
 *     fake_start(&fake); fake.misbehave.cut_after = 20; ... fake_stop(&fake);
 *
 * The knobs are set while the fake is idle and count from the end of HELLO on. */
#ifndef KVD_TESTS_CLIENT_FAKE_H
#define KVD_TESTS_CLIENT_FAKE_H

#include "client/checksum.h"
#include "protocol/base/memory.h"
#include "protocol/wire.h"
#include "tests/unit/unit.h"

#include <kvd/kvd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FAKE_KEYS_MAX 64
#define FAKE_PAGE 2u
#define FAKE_SMALL 64u
#define FAKE_FRAME_MAX 100000u

struct fake_entry {
    char key[32];
    size_t key_len;
    uint8_t *value; /* owned */
    size_t value_len;
    uint64_t version;
    uint32_t user_flags;
};

struct fake {
    int listener;
    pthread_t thread;
    char address[128];
    struct fake_entry entries[FAKE_KEYS_MAX];
    size_t count;
    uint64_t version;
    struct wire_options last;     /* of the last request */
    struct wire_options executed; /* of the last write that took effect: its repeats do not */
    struct buffer in;
    struct buffer out;
    size_t replied; /* bytes of replies on this connection, HELLO's apart */
    uint32_t agree; /* flags that HELLO agrees to */

    uint64_t feed_last;    /* its feed has the versions 1 to feed_last, a put each */
    uint64_t feed_gap_to;  /* but for those up to here */
    uint32_t feed_wait_ms; /* of the last FEED */

    atomic_int connections;
    atomic_int writes; /* PUT, DELETE, BATCH that took effect */
    atomic_int reads;  /* others that were answered, HELLO apart */

    atomic_long cut_after; /* close after so many bytes of replies; -1 never */
    atomic_int cuts_left;  /* how many connections are cut so */
    atomic_bool silent;    /* take requests, answer none */
    atomic_bool garbage;   /* answer with bytes that are no frame */
    atomic_bool huge;      /* answer with a header that declares 4 GiB */
    atomic_bool wrong_id;  /* answer another id */
    atomic_bool wrong_checksum;
    atomic_bool deny_hello;
    atomic_int refusal;       /* enum status that writes are answered with, */
    atomic_int refusals_left; /* so many of them, */
    atomic_int refusals_skip; /* after so many that are not */
};

static int fake_order(const struct fake_entry *entry, struct slice key) {
    return slice_compare(slice_make(entry->key, entry->key_len), key);
}

static size_t fake_find(const struct fake *fake, struct slice key) {
    size_t i = 0;
    while (i < fake->count && fake_order(&fake->entries[i], key) < 0) {
        i++;
    }
    return i;
}

static bool fake_has(const struct fake *fake, struct slice key) {
    size_t i = fake_find(fake, key);
    return i < fake->count && fake_order(&fake->entries[i], key) == 0;
}

static void fake_remove(struct fake *fake, struct slice key) {
    size_t i = fake_find(fake, key);
    if (fake_has(fake, key)) {
        memory_free(fake->entries[i].value);
        memmove(&fake->entries[i], &fake->entries[i + 1],
                (fake->count - i - 1) * sizeof fake->entries[0]);
        fake->count--;
    }
}

static void fake_store(struct fake *fake, struct slice key, struct slice value, uint32_t flags) {
    struct fake_entry entry = {.key_len = key.len, .value_len = value.len, .user_flags = flags};
    size_t i = fake_find(fake, key);
    if (fake_has(fake, key) && value.len <= FAKE_SMALL) { /* in place: tests count allocations */
        struct fake_entry *old = &fake->entries[i];
        memcpy(old->value, value.ptr, value.len);
        old->value_len = value.len;
        old->user_flags = flags;
        old->version = fake->version;
        return;
    }
    fake_remove(fake, key);
    i = fake_find(fake, key);
    memmove(&fake->entries[i + 1], &fake->entries[i], (fake->count - i) * sizeof fake->entries[0]);
    memcpy(entry.key, key.ptr, key.len);
    entry.value = memory_alloc(value.len + FAKE_SMALL);
    memcpy(entry.value, value.ptr, value.len);
    entry.version = fake->version;
    fake->entries[i] = entry;
    fake->count++;
}

static void fake_must(enum status status) {
    ck_assert_int_eq(status, STATUS_OK);
}

static struct wire_record fake_record(struct fake *fake, const struct fake_entry *entry) {
    return (struct wire_record){
        .version = entry->version,
        .value_len = entry->value_len,
        .user_flags = entry->user_flags,
        .has_checksum = true,
        .checksum = checksum_value(slice_make(entry->value, entry->value_len)) +
                    (fake->wrong_checksum ? 1 : 0),
    };
}

static void fake_put_record(struct fake *fake, const struct fake_entry *entry, uint32_t flags,
                            bool with_value) {
    struct wire_record record = fake_record(fake, entry);
    size_t mark;
    fake_must(wire_record_begin(&fake->out, flags, &mark));
    if (with_value && entry->value_len > 0) {
        fake_must(buffer_append(&fake->out, entry->value, entry->value_len));
    }
    wire_record_finish(&fake->out, mark, flags, &record);
}

static void fake_get(struct fake *fake, const struct wire_request *request, uint32_t flags) {
    size_t mark;
    size_t at = fake_find(fake, request->key);
    if (!fake_has(fake, request->key)) {
        fake_must(wire_response_error(&fake->out, request->id, STATUS_NOT_FOUND, NULL));
    } else if (request->opcode == WIRE_EXISTS) {
        fake_must(wire_response_version(&fake->out, request->id, fake->entries[at].version));
    } else {
        fake_must(wire_response_begin(&fake->out, request->id, STATUS_OK, flags, &mark));
        fake_put_record(fake, &fake->entries[at], flags, request->opcode == WIRE_GET);
        fake_must(wire_response_finish(&fake->out, mark));
    }
}

static void fake_mget(struct fake *fake, struct wire_request *request, uint32_t flags) {
    size_t mark;
    size_t list;
    uint32_t count = 0;
    struct slice key;
    fake_must(wire_response_begin(&fake->out, request->id, STATUS_OK, flags, &mark));
    fake_must(wire_list_begin(&fake->out, &list));
    while (count < FAKE_PAGE && wire_list_next_key(&request->list, &key) == STATUS_OK) {
        count++;
        if (fake_has(fake, key)) {
            fake_must(wire_mget_entry_begin(&fake->out));
            fake_put_record(fake, &fake->entries[fake_find(fake, key)], flags, true);
        } else {
            fake_must(wire_mget_entry_error(&fake->out, STATUS_NOT_FOUND, slice_make(NULL, 0)));
        }
    }
    wire_list_finish(&fake->out, list, count);
    fake_must(wire_response_finish(&fake->out, mark));
}

static bool fake_in_range(const struct fake_entry *entry, const struct wire_range *range) {
    struct slice key = slice_make(entry->key, entry->key_len);
    if (range->flags & WIRE_RANGE_PREFIX) {
        return slice_has_prefix(key, range->from);
    }
    return slice_compare(key, range->from) >= 0 &&
           (range->to.len == 0 || slice_compare(key, range->to) < 0);
}

/* The next entry of the range from `step` on in walking order, or NULL; the cursor is the key to
 * go on with. */
static const struct fake_entry *fake_step(const struct fake *fake, const struct wire_range *range,
                                          size_t *step) {
    bool reverse = (range->flags & WIRE_RANGE_REVERSE) != 0;
    while (*step < fake->count) {
        size_t i = reverse ? fake->count - 1 - *step : *step;
        const struct fake_entry *entry = &fake->entries[i];
        int order = fake_order(entry, range->cursor);
        bool behind = range->cursor.len == 0 || (reverse ? order <= 0 : order >= 0);
        (*step)++;
        if (behind && fake_in_range(entry, range)) {
            return entry;
        }
    }
    return NULL;
}

static void fake_scan(struct fake *fake, const struct wire_request *request, uint32_t flags) {
    const struct wire_range *range = &request->range;
    bool keys_only = (range->flags & WIRE_RANGE_KEYS_ONLY) != 0;
    uint32_t limit = range->limit && range->limit < FAKE_PAGE ? range->limit : FAKE_PAGE;
    const struct fake_entry *entry;
    uint32_t count = 0;
    size_t step = 0;
    size_t mark;
    size_t page;
    fake_must(wire_response_begin(&fake->out, request->id, STATUS_OK, flags, &mark));
    fake_must(wire_page_begin(&fake->out, &page));
    while ((entry = fake_step(fake, range, &step)) != NULL && count < limit) {
        fake_must(wire_scan_entry_begin(&fake->out, slice_make(entry->key, entry->key_len)));
        fake_put_record(fake, entry, flags, !keys_only);
        count++;
    }
    fake_must(wire_page_finish(&fake->out, page, count,
                               entry ? slice_make(entry->key, entry->key_len) : slice_make("", 0),
                               entry == NULL));
    fake_must(wire_response_finish(&fake->out, mark));
}

static void fake_count(struct fake *fake, const struct wire_request *request) {
    const struct fake_entry *entry;
    size_t step = 0;
    uint64_t count = 0;
    while ((entry = fake_step(fake, &request->range, &step)) != NULL && count < FAKE_PAGE) {
        count++;
    }
    fake_must(wire_response_count(
        &fake->out, request->id, count,
        entry ? slice_make(entry->key, entry->key_len) : slice_make("", 0), entry == NULL));
}

static void fake_stats(struct fake *fake, const struct wire_request *request) {
    size_t mark;
    size_t list;
    fake_must(wire_response_begin(&fake->out, request->id, STATUS_OK, 0, &mark));
    fake_must(wire_list_begin(&fake->out, &list));
    fake_must(wire_stats_entry(&fake->out, slice_from_text("keys"), slice_from_text("3")));
    fake_must(wire_stats_entry(&fake->out, slice_from_text("state"), slice_from_text("well")));
    wire_list_finish(&fake->out, list, 2);
    fake_must(wire_response_finish(&fake->out, mark));
}

static void fake_batch(struct fake *fake, struct wire_request *request) {
    struct wire_item item;
    while (wire_list_next_item(&request->list, &item) == STATUS_OK) {
        if (item.kind == WIRE_ITEM_PUT) {
            fake_store(fake, item.key, item.value, item.user_flags);
        } else {
            fake_remove(fake, item.key);
        }
    }
}

static bool fake_is_repeat(const struct fake *fake, const struct wire_options *options) {
    return (options->flags & fake->executed.flags & WIRE_FLAG_RETRY_TOKEN) &&
           options->retry_sequence == fake->executed.retry_sequence &&
           memcmp(options->retry_client, fake->executed.retry_client, WIRE_RETRY_CLIENT_BYTES) == 0;
}

static void fake_write(struct fake *fake, struct wire_request *request) {
    struct wire_refusal refusal = {"the key is there", WIRE_NO_ITEM, 17};
    if (fake->refusals_skip > 0) {
        fake->refusals_skip--;
    } else if (fake->refusals_left > 0) {
        fake->refusals_left--;
        fake_must(wire_response_error(&fake->out, request->id,
                                      (enum status)atomic_load(&fake->refusal), NULL));
        return;
    }
    if (fake_is_repeat(fake, &request->options)) {
        fake_must(wire_response_version(&fake->out, request->id, fake->version));
        return;
    }
    if (request->options.condition == WIRE_CONDITION_ABSENT && fake_has(fake, request->key)) {
        fake_must(wire_response_error(&fake->out, request->id, STATUS_EXISTS, &refusal));
        return;
    }
    fake->version++;
    if (request->opcode == WIRE_PUT) {
        fake_store(fake, request->key, request->value, request->user_flags);
    } else if (request->opcode == WIRE_DELETE) {
        fake_remove(fake, request->key);
    } else {
        fake_batch(fake, request);
    }
    fake->writes++;
    fake->executed = request->options;
    fake_must(wire_response_version(&fake->out, request->id, fake->version));
}

static const struct wire_limits fake_limits = {.frame_max = FAKE_FRAME_MAX,
                                               .key_max = 31,
                                               .value_max = 90000,
                                               .mget_keys_max = 3,
                                               .batch_items_max = 100,
                                               .batch_bytes_max = 90000,
                                               .durability = WIRE_DURABILITY_SYNCED};

static void fake_hello(struct fake *fake, const struct wire_request *request) {
    struct wire_hello hello = {.version = WIRE_VERSION,
                               .features = request->features & fake->agree,
                               .limits = fake_limits,
                               .server_name = slice_from_text("fake")};
    struct wire_refusal refusal = {"no more connections", WIRE_NO_ITEM, 0};
    fake_must(fake->deny_hello ? wire_response_error(&fake->out, request->id, STATUS_BUSY, &refusal)
                               : wire_response_hello(&fake->out, request->id, &hello));
}

/* Version 3 puts "k3" to "value 3". */
static void fake_change(struct fake *fake, uint64_t version) {
    char key[32];
    char value[32];
    struct wire_feed_change change = {
        .kind = WIRE_FEED_PUT, .last = true, .version = version, .time_ms = 1000 + version};
    size_t value_mark = 0;

    snprintf(key, sizeof key, "k%llu", (unsigned long long)version);
    snprintf(value, sizeof value, "value %llu", (unsigned long long)version);
    change.key = slice_from_text(key);
    change.record = (struct wire_record){.version = version,
                                         .value_len = strlen(value),
                                         .has_checksum = true,
                                         .checksum = checksum_value(slice_from_text(value)) +
                                                     (fake->wrong_checksum ? 1u : 0u)};
    fake_must(wire_feed_entry(&fake->out, &change, &value_mark));
    fake_must(buffer_append(&fake->out, value, strlen(value)));
    wire_feed_value_finish(&fake->out, value_mark);
}

static void fake_feed(struct fake *fake, const struct wire_request *request) {
    uint64_t version =
        request->position.version == UINT64_MAX ? fake->feed_last : request->position.version;
    struct wire_feed feed = {.durable_version = fake->feed_last};
    uint32_t count = 0;
    size_t mark;
    size_t page;

    fake->feed_wait_ms = request->wait_ms;
    fake_must(wire_response_begin(&fake->out, request->id, STATUS_OK, WIRE_FLAG_CHECKSUM, &mark));
    fake_must(wire_feed_begin(&fake->out, &page));
    if (version < fake->feed_gap_to) {
        feed.gap_from = version + 1;
        feed.gap_to = fake->feed_gap_to;
        version = fake->feed_gap_to;
    }
    while (feed.gap_from == 0 && version < fake->feed_last && count < FAKE_PAGE) {
        fake_change(fake, ++version);
        count++;
    }
    feed.next.version = version;
    wire_feed_finish(&fake->out, page, count, &feed, version >= fake->feed_last);
    fake_must(wire_response_finish(&fake->out, mark));
}

static void fake_snapshot(struct fake *fake, const struct wire_request *request) {
    const struct wire_snapshot snapshot = {.id = 7, .version = fake->feed_gap_to + 1};

    fake_must(wire_response_snapshot(&fake->out, request->id, &snapshot));
}

static void fake_answer(struct fake *fake, struct wire_request *request) {
    uint32_t flags =
        request->options.flags & WIRE_FLAG_WANT_CHECKSUM ? (uint32_t)WIRE_FLAG_CHECKSUM : 0;
    fake->last = request->options;
    fake->reads += request->opcode == WIRE_HELLO ? 0 : 1;
    switch (request->opcode) {
    case WIRE_HELLO:
        fake_hello(fake, request);
        break;
    case WIRE_PING:
        fake_must(wire_response_ping(&fake->out, request->id, request->payload));
        break;
    case WIRE_MGET:
        fake_mget(fake, request, flags);
        break;
    case WIRE_SCAN:
        fake_scan(fake, request, flags);
        break;
    case WIRE_COUNT:
        fake_count(fake, request);
        break;
    case WIRE_STATS:
        fake_stats(fake, request);
        break;
    case WIRE_FEED:
        fake_feed(fake, request);
        break;
    case WIRE_SNAPSHOT_OPEN:
        fake_snapshot(fake, request);
        break;
    case WIRE_PUT:
    case WIRE_DELETE:
    case WIRE_BATCH:
        fake_write(fake, request);
        break;
    default:
        fake_get(fake, request, flags);
    }
}

/* Damages the replies in fake->out as told. */
static void fake_misbehave(struct fake *fake) {
    if (fake->garbage) {
        memset(fake->out.data, 'x', fake->out.len);
    }
    if (fake->huge) {
        store_u32(fake->out.data + 4, UINT32_MAX);
    }
    if (fake->wrong_id) {
        store_u32(fake->out.data + 8, load_u32(fake->out.data + 8) + 1);
    }
    if (fake->silent) {
        buffer_clear(&fake->out);
    }
}

/* Sends what is in fake->out; false when the connection is to be cut. */
static bool fake_send(struct fake *fake, int fd, bool hello) {
    size_t len = fake->out.len;
    bool cut = false;
    if (!hello && fake->cuts_left > 0 && fake->cut_after >= 0 &&
        fake->replied + len >= (size_t)fake->cut_after) {
        len = (size_t)fake->cut_after - fake->replied;
        fake->cuts_left--;
        cut = true;
    }
    for (size_t sent = 0; sent < len;) {
        ssize_t got = send(fd, fake->out.data + sent, len - sent, MSG_NOSIGNAL);
        if (got <= 0) {
            return false;
        }
        sent += (size_t)got;
    }
    fake->replied += hello ? 0 : len;
    return !cut;
}

/* Answers all whole requests received; false when the connection is to be closed. */
static bool fake_serve_received(struct fake *fake, int fd) {
    struct wire_request request;
    struct wire_refusal refusal;
    struct wire_frame frame;
    size_t wanted;
    const char *reason;
    while (wire_frame_decode(buffer_slice(&fake->in), WIRE_KIND_REQUEST, FAKE_FRAME_MAX, &frame,
                             &wanted, &reason) == STATUS_OK) {
        buffer_clear(&fake->out);
        enum status status =
            wire_request_decode(&frame, &fake_limits, fake->agree, &request, &refusal);
        if (status == STATUS_OK) {
            fake_answer(fake, &request);
        } else {
            fake_must(wire_response_error(&fake->out, frame.id, status, &refusal));
        }
        if (frame.code != WIRE_HELLO) {
            fake_misbehave(fake);
        }
        if (!fake_send(fake, fd, frame.code == WIRE_HELLO)) {
            return false;
        }
        buffer_consume(&fake->in, WIRE_FRAME_HEADER_BYTES + frame.body_len);
    }
    return true;
}

static void fake_serve(struct fake *fake, int fd) {
    uint8_t *room;
    ssize_t got = 0;
    buffer_clear(&fake->in);
    fake->replied = 0;
    do {
        fake_must(buffer_extend(&fake->in, 4096, &room));
        got = recv(fd, room, 4096, 0);
        fake->in.len -= 4096 - (got > 0 ? (size_t)got : 0);
    } while (got > 0 && fake_serve_received(fake, fd));
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

static void *fake_run(void *arg) {
    struct fake *fake = arg;
    int fd;
    while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
        fake->connections++;
        fake_serve(fake, fd);
    }
    return NULL;
}

static inline void fake_start(struct fake *fake) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memset(fake, 0, sizeof *fake);
    fake->cut_after = -1;
    fake->cuts_left = 1;
    fake->agree = WIRE_FLAGS_REQUEST;
    buffer_init(&fake->in, 10u << 20);
    buffer_init(&fake->out, 10u << 20);
    snprintf(name.sun_path, sizeof name.sun_path, "/tmp/kvd-fake-%d", (int)getpid());
    snprintf(fake->address, sizeof fake->address, "unix:%s", name.sun_path);
    unlink(name.sun_path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fake->listener, (const struct sockaddr *)&name, sizeof name), 0);
    ck_assert_int_eq(listen(fake->listener, 8), 0);
    ck_assert_int_eq(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

/* The clients must have closed before. */
static inline void fake_stop(struct fake *fake) {
    shutdown(fake->listener, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    unlink(fake->address + 5);
    while (fake->count > 0) {
        fake_remove(fake, slice_make(fake->entries[0].key, fake->entries[0].key_len));
    }
    buffer_deinit(&fake->in);
    buffer_deinit(&fake->out);
}

#endif
