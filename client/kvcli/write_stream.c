/* write_stream.c: windows of writes. See write_stream.h.
 *
 * A slot is WAITING (to be queued), QUEUED (its result is owed) or SETTLED. Results come in the
 * order of queueing, and a window is queued only when all of the one before is: so the results that
 * come next always belong to the first slot that is not settled. */
#include "client/kvcli/write_stream.h"

#include "client/kvcli/clock.h"
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <stdio.h>

#define RETRY_PAUSE_MS 100u

enum slot_state { SLOT_WAITING, SLOT_QUEUED, SLOT_SETTLED };

struct write_slot {
    size_t offset; /* of the key in the window's bytes; the value follows */
    size_t key_len;
    size_t value_len;
    uint64_t expire_at_ms;
    uint32_t user_flags;
    enum write_kind kind;
    int64_t amount;
    uint64_t ttl_ms;
    enum slot_state state;
};

static struct kvd_bytes slot_key(const struct write_window *window, const struct write_slot *slot) {
    return kvd_bytes(window->bytes.data + slot->offset, slot->key_len);
}

static struct kvd_bytes slot_value(const struct write_window *window,
                                   const struct write_slot *slot) {
    return kvd_bytes(window->bytes.data + slot->offset + slot->key_len, slot->value_len);
}

/* --- failures --- */

static bool is_loss(enum kvd_status status) {
    switch (status) {
    case KVD_CONNECT:
    case KVD_CLOSED:
    case KVD_TIMEOUT:
    case KVD_UNKNOWN:
    case KVD_SHUTTING_DOWN:
    case KVD_BUSY:
        return true;
    default:
        return false;
    }
}

/* Failures that every further write would meet as well. */
static bool is_general(enum kvd_status status) {
    switch (status) {
    case KVD_NO_SPACE:
    case KVD_READ_ONLY:
    case KVD_LOG_FAILED:
    case KVD_DENIED:
    case KVD_UNSUPPORTED:
    case KVD_PROTOCOL:
    case KVD_NO_MEMORY:
    case KVD_INTERNAL:
        return true;
    default:
        return is_loss(status);
    }
}

void write_stream_count_failure(struct write_stream *stream, int code) {
    stream->totals.failed++;
    stream->code = cli_worse(stream->code, code);
}

static void fail_slot(struct write_stream *stream, struct write_window *window,
                      struct write_slot *slot, enum kvd_status status, const char *error) {
    slot->state = SLOT_SETTLED;
    if (!stream->ended) { /* what ended the stream is said once */
        int code = cli_fail_status(slot_key(window, slot), status, error);
        stream->code = cli_worse(stream->code, code);
    }
    stream->totals.failed++;
    stream->ended |= is_general(status);
}

/* --- queueing --- */

static enum kvd_status queue_slot(struct write_stream *stream, struct write_window *window,
                                  struct write_slot *slot) {
    struct kvd_write_options write = stream->options.write;
    struct kvd *db = stream->cli->db;
    struct kvd_bytes key = slot_key(window, slot);
    struct kvd_bytes value = slot_value(window, slot);

    if (slot->kind == WRITE_PUT) {
        if (slot->expire_at_ms) {
            write.expire_at_ms = slot->expire_at_ms;
            write.ttl_ms = 0;
        }
        write.user_flags = slot->user_flags ? slot->user_flags : write.user_flags;
        return kvd_pipeline_put(db, key, value, &write);
    }
    write.condition = KVD_IF_ANY; /* of puts */
    switch (slot->kind) {
    case WRITE_DELETE:
        return kvd_pipeline_delete(db, key, &write);
    case WRITE_DELETE_RANGE:
        return kvd_pipeline_delete_range(db, key, value, &write);
    case WRITE_ADD:
        return kvd_pipeline_add(db, key, slot->amount, &write);
    case WRITE_APPEND:
        return kvd_pipeline_append(db, key, value, &write);
    case WRITE_TOUCH:
        write.ttl_ms = slot->ttl_ms;
        return kvd_pipeline_touch(db, key, &write);
    case WRITE_PERSIST:
    case WRITE_PUT:
        break;
    }
    return kvd_pipeline_persist(db, key, &write);
}

/* Queues and sends the waiting slots from `first` on, as many as the pipeline takes. Returns the
 * status that stopped it, KVD_OK if none did. */
static enum kvd_status queue_window(struct write_stream *stream, struct write_window *window,
                                    uint32_t first) {
    enum kvd_status status = KVD_OK;

    for (uint32_t i = first; i < window->count && !stream->ended; i++) {
        struct write_slot *slot = &window->slots[i];
        if (slot->state != SLOT_WAITING) {
            continue;
        }
        status = queue_slot(stream, window, slot);
        if (status == KVD_OK) {
            slot->state = SLOT_QUEUED;
        } else if (is_loss(status)) {
            break;
        } else {
            fail_slot(stream, window, slot, status, kvd_error(stream->cli->db));
            status = KVD_OK;
        }
    }
    if (kvd_pipeline_pending(stream->cli->db) > 0) {
        /* a failure to send shows in the results */
        (void)kvd_pipeline_flush(stream->cli->db);
    }
    return status;
}

static bool is_waiting(const struct write_window *window) {
    for (uint32_t i = 0; i < window->count; i++) {
        if (window->slots[i].state == SLOT_WAITING) {
            return true;
        }
    }
    return false;
}

/* --- a server that goes away and comes back --- */

static void drain(struct kvd *db) {
    struct kvd_result result;

    while (kvd_pipeline_next(db, &result) == KVD_OK) {
    }
}

static void wait_again(struct write_window *window, uint32_t first) {
    for (uint32_t i = first; i < window->count; i++) {
        if (window->slots[i].state == SLOT_QUEUED) {
            window->slots[i].state = SLOT_WAITING;
        }
    }
}

/* Waits until the server answers; false when the time for it is over. */
static bool await_server(struct write_stream *stream) {
    uint64_t until_ns = stream->progress_ns + stream->options.retry_ms * 1000000u;

    while (clock_now_ns() < until_ns) {
        clock_sleep_ms(RETRY_PAUSE_MS);
        if (kvd_ping(stream->cli->db) == KVD_OK) {
            stream->totals.resumed++;
            return true;
        }
    }
    return false;
}

/* Slot `index` was lost with all behind it: makes them wait to be sent again, or ends the stream.
 * `error` is copied at once, since it is borrowed from the connection. */
static void recover(struct write_stream *stream, struct write_window *window, uint32_t index,
                    enum kvd_status status, const char *error) {
    struct write_window *other = &stream->windows[window == &stream->windows[0]];
    char text[256];

    snprintf(text, sizeof text, "%s", error);
    drain(stream->cli->db);
    wait_again(window, index);
    wait_again(other, 0);
    if (stream->options.retry_ms == 0 || !await_server(stream)) {
        fail_slot(stream, window, &window->slots[index], status, text);
        stream->ended = true;
    }
}

/* --- results --- */

static void settle_slot(struct write_stream *stream, struct write_window *window, uint32_t index) {
    struct write_slot *slot = &window->slots[index];
    struct kvd_result result;
    enum kvd_status status = kvd_pipeline_next(stream->cli->db, &result);

    ASSERT(status == KVD_OK); /* a result is owed */
    if (is_loss(result.status)) {
        recover(stream, window, index, result.status, result.error);
        return;
    }
    if (result.status == KVD_OK) {
        stream->totals.done++;
        stream->totals.bytes += slot->key_len + slot->value_len;
        stream->progress_ns = clock_now_ns();
        slot->state = SLOT_SETTLED;
    } else if (result.status == KVD_EXISTS) {
        stream->totals.existing++;
        stream->progress_ns = clock_now_ns();
        slot->state = SLOT_SETTLED;
    } else {
        fail_slot(stream, window, slot, result.status, result.error);
    }
}

/* Queues what still waits and reads all results of the window; it is empty afterwards. */
static void settle_window(struct write_stream *stream, struct write_window *window) {
    uint32_t i = 0;

    while (i < window->count && !stream->ended) {
        struct write_slot *slot = &window->slots[i];
        if (slot->state == SLOT_QUEUED) {
            settle_slot(stream, window, i);
        } else if (slot->state == SLOT_WAITING) {
            enum kvd_status status = queue_window(stream, window, i);
            if (slot->state == SLOT_WAITING && !stream->ended) {
                recover(stream, window, i, status, kvd_error(stream->cli->db));
            }
        }
        i += slot->state == SLOT_SETTLED;
    }
    window->count = 0;
    buffer_clear(&window->bytes);
}

/* Settles the slots that are stored already with the same length. A failure here is left to the
 * puts, which meet it too. */
static void skip_existing(struct write_stream *stream, struct write_window *window) {
    struct kvd_result result;
    uint32_t queued = 0;

    while (queued < window->count &&
           kvd_pipeline_meta(stream->cli->db, slot_key(window, &window->slots[queued]), NULL) ==
               KVD_OK) {
        queued++;
    }
    for (uint32_t i = 0; i < queued && kvd_pipeline_next(stream->cli->db, &result) == KVD_OK; i++) {
        struct write_slot *slot = &window->slots[i];
        if (result.status == KVD_OK && result.meta.value_len == slot->value_len &&
            slot->kind == WRITE_PUT) {
            slot->state = SLOT_SETTLED;
            stream->totals.existing++;
        }
    }
    drain(stream->cli->db);
}

/* The filled window goes out; the results of the one before come in; its memory is filled next. */
static void turn(struct write_stream *stream) {
    struct write_window *filled = &stream->windows[stream->filling];
    struct write_window *flying = &stream->windows[!stream->filling];

    if (stream->options.skip_existing || is_waiting(flying)) {
        settle_window(stream, flying);
    }
    if (stream->options.skip_existing && !stream->ended) {
        skip_existing(stream, filled);
    }
    if (!stream->ended) {
        (void)queue_window(stream, filled, 0); /* what is left waiting is queued when settled */
    }
    settle_window(stream, flying);
    stream->filling = !stream->filling;
}

/* --- the caller's side --- */

int write_stream_init(struct write_stream *stream, struct cli *cli,
                      const struct write_stream_options *options) {
    *stream = (struct write_stream){.cli = cli, .options = *options};
    stream->progress_ns = clock_now_ns();
    for (unsigned i = 0; i < 2; i++) {
        struct write_window *window = &stream->windows[i];
        buffer_init(&window->bytes, WINDOW_BYTES_MAX + WINDOW_ITEM_BYTES_MAX);
        window->slots = memory_alloc_array(WINDOW_ITEMS_MAX, sizeof *window->slots);
        if (!window->slots) {
            return cli_fail(CLI_FAILED, "out of memory");
        }
    }
    return CLI_DONE;
}

void write_stream_deinit(struct write_stream *stream) {
    for (unsigned i = 0; i < 2; i++) {
        buffer_deinit(&stream->windows[i].bytes);
        memory_free(stream->windows[i].slots);
        stream->windows[i].slots = NULL;
    }
}

bool write_stream_add(struct write_stream *stream, const struct write_item *item) {
    struct write_window *window = &stream->windows[stream->filling];
    size_t bytes = item->key.len + item->value.len;

    if (window->count == WINDOW_ITEMS_MAX ||
        (window->count > 0 && window->bytes.len + bytes > WINDOW_BYTES_MAX)) {
        turn(stream);
        window = &stream->windows[stream->filling];
    }
    if (stream->ended) {
        return false;
    }
    window->slots[window->count] = (struct write_slot){
        .offset = window->bytes.len,
        .key_len = item->key.len,
        .value_len = item->value.len,
        .expire_at_ms = item->expire_at_ms,
        .user_flags = item->user_flags,
        .kind = item->kind,
        .amount = item->amount,
        .ttl_ms = item->ttl_ms,
        .state = SLOT_WAITING,
    };
    if (buffer_append(&window->bytes, item->key.ptr, item->key.len) != STATUS_OK ||
        buffer_append(&window->bytes, item->value.ptr, item->value.len) != STATUS_OK) {
        write_stream_count_failure(stream, cli_fail(CLI_FAILED, "out of memory"));
        stream->ended = true;
        return false;
    }
    window->count++;
    return true;
}

bool write_stream_settle(struct write_stream *stream) {
    for (unsigned i = 0; i < 2 && !stream->ended; i++) {
        turn(stream);
    }
    return !stream->ended;
}

bool write_stream_await(struct write_stream *stream, enum kvd_status status) {
    stream->ended |= is_general(status) && !is_loss(status);
    return stream->options.retry_ms > 0 && is_loss(status) && await_server(stream);
}

int write_stream_finish(struct write_stream *stream) {
    (void)write_stream_settle(stream);
    drain(stream->cli->db);
    return stream->code;
}
