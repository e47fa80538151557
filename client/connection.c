/* connection.c: see connection.h. */
#include "client/connection.h"

#include "client/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define RETRY_PAUSE_MS_MIN 10u /* between two tries, and twice as long each time */
#define RETRY_PAUSE_MS_MAX 1000u

enum status connection_fail(struct kvd *db, enum status status, uint64_t detail, const char *format,
                            ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(db->error, sizeof db->error, format, args);
    va_end(args);
    db->error_detail = detail;
    db->error_item = KVD_NO_ITEM;
    return status;
}

enum status connection_begin(struct kvd *db) {
    db->error[0] = '\0';
    db->error_detail = 0;
    db->error_item = KVD_NO_ITEM;
    db->has_conflict = false;
    if (db->pipeline.head != db->pipeline.tail) {
        return connection_fail(db, STATUS_BUSY, 0, "results of a pipeline are not read yet");
    }
    return STATUS_OK;
}

void connection_drop(struct kvd *db) {
    transport_close(&db->transport);
}

int64_t connection_deadline(const struct kvd *db) {
    return clock_now_ms() + db->timeout_ms;
}

bool connection_is_write(uint16_t opcode) {
    switch ((enum wire_opcode)opcode) {
    case WIRE_HELLO:
    case WIRE_PING:
    case WIRE_GET:
    case WIRE_MGET:
    case WIRE_EXISTS:
    case WIRE_META:
    case WIRE_SCAN:
    case WIRE_COUNT:
    case WIRE_GET_RANGE:
    case WIRE_HISTORY:
    case WIRE_DIFF:
    case WIRE_SNAPSHOT_LIST:
    case WIRE_STATS:
    case WIRE_WHY:
    case WIRE_EXPLAIN:
    case WIRE_NAMESPACE_LIST:
    case WIRE_TXN_BEGIN: /* one that was lost ended with its connection */
    case WIRE_TXN_ABORT:
    case WIRE_FEED:
    case WIRE_SLOWLOG:
    case WIRE_CLIENTS:
    case WIRE_HOTKEYS:
    case WIRE_CONFIG:
        return false;
    default: /* and all that is not harmless to repeat */
        return true;
    }
}

/* --- HELLO --- */

static enum kvd_durability public_durability(uint8_t durability) {
    return durability <= WIRE_DURABILITY_SYNCED ? (enum kvd_durability)durability
                                                : KVD_DURABILITY_DEFAULT;
}

static void keep_hello(struct kvd *db, const struct wire_hello *hello) {
    const struct wire_limits *limits = &hello->limits;

    db->agreed = (uint32_t)(hello->features & WIRE_FLAGS_REQUEST);
    db->info = (struct kvd_server_info){
        .protocol_version = hello->version,
        .features = hello->features,
        .frame_max = limits->frame_max,
        .key_max = limits->key_max,
        .value_max = limits->value_max,
        .requests_max = limits->requests_max,
        .mget_keys_max = limits->mget_keys_max,
        .batch_items_max = limits->batch_items_max,
        .batch_bytes_max = limits->batch_bytes_max,
        .scan_entries_max = limits->scan_entries_max,
        .scan_page_bytes_max = limits->scan_page_bytes_max,
        .transactions_max = limits->transactions_max,
        .transaction_bytes = limits->transaction_bytes,
        .transaction_age_ms = limits->transaction_age_ms,
        .transaction_idle_ms = limits->transaction_idle_ms,
        .memory_bytes = limits->memory_bytes,
        .durability = public_durability(limits->durability),
    };
    if (hello->server_name.len > 0) { /* at most 255 bytes, checked by the codec */
        memcpy(db->info.server_name, hello->server_name.ptr, hello->server_name.len);
    }
}

enum status connection_hello_judge(struct kvd *db, const struct wire_response *response) {
    char text[CONNECTION_ERROR_BYTES / 2];

    if (response->status != STATUS_OK) {
        connection_describe(response, text, sizeof text);
        return connection_fail(db, response->status, response->error.detail, "%s refused HELLO: %s",
                               db->address, text);
    }
    if (response->hello.version != WIRE_VERSION) {
        return connection_fail(db, STATUS_PROTOCOL, 0, "%s chose protocol version %u", db->address,
                               response->hello.version);
    }
    keep_hello(db, &response->hello);
    if (db->retry_ms > 0 && !(db->agreed & WIRE_FLAG_RETRY_TOKEN)) {
        return connection_fail(db, STATUS_UNSUPPORTED, 0, "%s has no retry tokens", db->address);
    }
    if (db->namespace_name[0] && !(db->agreed & WIRE_FLAG_NAMESPACE)) {
        return connection_fail(db, STATUS_UNSUPPORTED, 0, "%s has no namespaces", db->address);
    }
    return STATUS_OK;
}

enum status connection_hello_encode(struct kvd *db, uint32_t *id_out) {
    struct wire_request request = {
        .opcode = WIRE_HELLO,
        .id = db->next_id++,
        .version_min = WIRE_VERSION,
        .version_max = WIRE_VERSION,
        .features = WIRE_FLAGS_REQUEST,
        .payload = slice_from_text(db->client_name),
    };
    enum status status = wire_request_encode(&db->transport.out, &request);

    db->info.frame_max = WIRE_HELLO_BODY_MAX;
    *id_out = request.id;
    return status == STATUS_OK ? status : connection_fail(db, status, 0, "out of memory here");
}

static enum status say_hello(struct kvd *db, int64_t deadline_ms) {
    struct wire_response response = {.status = STATUS_INTERNAL};
    struct pending asked = {.opcode = WIRE_HELLO};
    enum status status = connection_hello_encode(db, &asked.id);

    if (status != STATUS_OK) {
        return status;
    }
    status = transport_flush(&db->transport, deadline_ms);
    if (status != STATUS_OK) {
        return connection_fail(db, status, 0, "%s: %s", db->address, db->transport.error);
    }
    status = connection_receive(db, &asked, deadline_ms, &response);
    return status == STATUS_OK ? connection_hello_judge(db, &response) : status;
}

enum status connection_ready(struct kvd *db, int64_t deadline_ms, bool fresh) {
    enum status status;

    if (db->transport.fd >= 0 && fresh && transport_is_stale(&db->transport)) {
        connection_drop(db);
    }
    if (db->transport.fd >= 0) {
        return STATUS_OK;
    }
    status = transport_open(&db->transport, db->address, deadline_ms);
    if (status != STATUS_OK) {
        return connection_fail(db, status, 0, "%s: %s", db->address, db->transport.error);
    }
    status = say_hello(db, deadline_ms);
    if (status != STATUS_OK) {
        connection_drop(db);
    }
    return status == STATUS_CLOSED ? STATUS_CONNECT : status;
}

/* --- requests --- */

static void set_namespace(const struct kvd *db, struct wire_options *wire) {
    if (db->namespace_name[0]) {
        wire->flags |= WIRE_FLAG_NAMESPACE;
        wire->namespace_name = slice_from_text(db->namespace_name);
    }
}

static void set_deadline(uint32_t deadline_ms, struct wire_options *wire) {
    if (deadline_ms != 0) {
        wire->flags |= WIRE_FLAG_DEADLINE;
        wire->deadline_ms = deadline_ms;
    }
}

static void set_token(struct wire_options *wire, const struct kvd_retry_token *token) {
    wire->flags |= WIRE_FLAG_RETRY_TOKEN;
    memcpy(wire->retry_client, token->client, sizeof wire->retry_client);
    wire->retry_sequence = token->sequence;
}

void connection_set_state(struct wire_options *wire, const struct kvd_state *state) {
    if (state->snapshot != 0) {
        wire->flags |= WIRE_FLAG_SNAPSHOT;
        wire->snapshot = state->snapshot;
    }
    if (state->version != 0) {
        wire->flags |= WIRE_FLAG_AT_VERSION;
        wire->at_version = state->version;
    }
    if (state->time_ms != 0) {
        wire->flags |= WIRE_FLAG_AT_TIME;
        wire->at_time_ms = state->time_ms;
    }
    if (state->transaction != 0) {
        wire->flags |= WIRE_FLAG_TRANSACTION;
        wire->transaction = state->transaction;
    }
}

struct wire_request connection_read_request(const struct kvd *db, uint16_t opcode,
                                            const struct kvd_read_options *options) {
    struct wire_request request = {.opcode = opcode};

    set_namespace(db, &request.options);
    if (options) {
        set_deadline(options->deadline_ms, &request.options);
        connection_set_state(&request.options, &options->at);
        if (options->verify && opcode != WIRE_EXISTS) {
            request.options.flags |= WIRE_FLAG_WANT_CHECKSUM;
        }
    }
    return request;
}

static bool takes_condition(uint16_t opcode) {
    return opcode == WIRE_PUT || opcode == WIRE_DELETE || opcode == WIRE_ADD ||
           opcode == WIRE_APPEND || opcode == WIRE_TOUCH || opcode == WIRE_PERSIST ||
           opcode == WIRE_UPLOAD_COMMIT;
}

static bool takes_expiry(uint16_t opcode) {
    return opcode == WIRE_PUT || opcode == WIRE_TOUCH || opcode == WIRE_UPLOAD_COMMIT;
}

struct wire_request connection_write_request(const struct kvd *db, uint16_t opcode,
                                             const struct kvd_write_options *options) {
    static const struct kvd_write_options none;
    const struct kvd_write_options *from = options ? options : &none;
    enum kvd_durability durability = from->durability ? from->durability : db->durability;
    struct wire_request request = {.opcode = opcode};
    struct wire_options *wire = &request.options;

    set_namespace(db, wire);
    set_deadline(from->deadline_ms, wire);
    if (from->transaction != 0 && opcode != WIRE_TXN_COMMIT) {
        wire->flags |= WIRE_FLAG_TRANSACTION;
        wire->transaction = from->transaction;
    } else if (durability != KVD_DURABILITY_DEFAULT) {
        wire->flags |= WIRE_FLAG_DURABILITY;
        wire->durability = (uint8_t)durability;
    }
    if (from->token) {
        set_token(wire, from->token);
    }
    if (!takes_condition(opcode)) {
        return request;
    }
    if (from->condition != KVD_IF_ANY) {
        wire->flags |= WIRE_FLAG_CONDITION;
        wire->condition = (uint8_t)from->condition;
        wire->version = from->version;
    }
    if (takes_expiry(opcode) && from->ttl_ms != 0) {
        wire->flags |= WIRE_FLAG_TTL;
        wire->ttl_ms = from->ttl_ms;
    }
    if (takes_expiry(opcode) && from->expire_at_ms != 0) {
        wire->flags |= WIRE_FLAG_EXPIRE_AT;
        wire->expire_at_ms = from->expire_at_ms;
    }
    request.user_flags = from->user_flags;
    return request;
}

enum status connection_admits(struct kvd *db, uint32_t flags, size_t body_len) {
    uint32_t strange = flags & ~db->agreed;

    if (strange != 0) {
        return connection_fail(db, STATUS_UNSUPPORTED, strange,
                               "the server has not agreed to the options asked for (flags %#x)",
                               strange);
    }
    if (body_len > db->info.frame_max) {
        return connection_fail(db, STATUS_TOO_LARGE, db->info.frame_max,
                               "the request is longer than the server's frame_max of %llu bytes",
                               (unsigned long long)db->info.frame_max);
    }
    return STATUS_OK;
}

enum status connection_encode(struct kvd *db, struct wire_request *request) {
    struct buffer *out = &db->transport.out;
    size_t mark = buffer_mark(out);
    size_t body_len = SIZE_MAX; /* of what cannot even be encoded */
    enum status status = connection_admits(db, request->options.flags, 0);

    if (status != STATUS_OK) {
        return status;
    }
    request->id = db->next_id++;
    status = wire_request_encode(out, request);
    if (status == STATUS_NO_MEMORY) {
        return connection_fail(db, status, 0, "out of memory here");
    }
    if (status == STATUS_OK) {
        body_len = out->len - mark - WIRE_FRAME_HEADER_BYTES;
    }
    status = connection_admits(db, 0, body_len);
    if (status != STATUS_OK) {
        buffer_rollback(out, mark);
    }
    return status;
}

/* --- responses --- */

void connection_describe(const struct wire_response *response, char *text_out, size_t room) {
    struct slice text = response->error.text;

    if (text.len == 0) {
        text = slice_from_text(status_text(response->status));
    }
    snprintf(text_out, room, "%.*s", (int)(text.len < room ? text.len : room),
             (const char *)text.ptr);
}

enum status connection_decode(struct kvd *db, const struct wire_frame *frame,
                              const struct pending *asked, struct wire_response *response_out) {
    const char *reason = "";
    enum status status =
        wire_response_decode(frame, asked->opcode, asked->keys_only, response_out, &reason);

    if (status != STATUS_OK) {
        return connection_fail(db, status, 0, "%s: answer to %s: %s", db->address,
                               wire_opcode_name(asked->opcode), reason);
    }
    if (frame->id != asked->id) { /* with id 0, a server says what was wrong with the stream */
        char text[CONNECTION_ERROR_BYTES / 2] = "";
        connection_describe(response_out, text, sizeof text);
        return connection_fail(db, STATUS_PROTOCOL, 0, "%s answered request %u instead of %u: %s",
                               db->address, frame->id, asked->id, text);
    }
    return STATUS_OK;
}

enum status connection_receive(struct kvd *db, const struct pending *asked, int64_t deadline_ms,
                               struct wire_response *response_out) {
    struct wire_frame frame;
    enum status status =
        transport_next_frame(&db->transport, (uint32_t)db->info.frame_max, deadline_ms, &frame);

    if (status != STATUS_OK) {
        status = status == STATUS_TOO_LARGE ? STATUS_PROTOCOL : status;
        return connection_fail(db, status, 0, "%s: %s", db->address, db->transport.error);
    }
    return connection_decode(db, &frame, asked, response_out);
}

/* Sends and waits. *whole_out tells whether the whole request may have reached the server. */
static enum status exchange(struct kvd *db, struct wire_request *request, int64_t deadline_ms,
                            bool *whole_out, struct wire_response *response) {
    struct transport *transport = &db->transport;
    enum status status = connection_encode(db, request);
    uint64_t end = transport_queued(transport);

    if (status != STATUS_OK) {
        return status;
    }
    status = transport_flush(transport, deadline_ms);
    *whole_out = transport_sent(transport) >= end;
    if (status != STATUS_OK && transport->in.len == transport->in_taken) {
        connection_fail(db, status, 0, "%s: %s", db->address, transport->error);
    } else {
        const struct pending asked = {
            .id = request->id,
            .opcode = request->opcode,
            .keys_only = (request->range.flags & WIRE_RANGE_KEYS_ONLY) != 0,
        };
        status = connection_receive(db, &asked, deadline_ms, response);
    }
    if (status != STATUS_OK) {
        connection_drop(db);
    }
    return status;
}

/* A write whose answer was lost is unknown; the text keeps the reason. One inside a transaction is
 * lost, for the transaction ended with the connection. */
static enum status judge_loss(struct kvd *db, const struct wire_request *request,
                              enum status status) {
    char reason[CONNECTION_ERROR_BYTES / 2];

    snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, db->error);
    if (request->options.flags & WIRE_FLAG_TRANSACTION) {
        return connection_fail(db, STATUS_GONE, 0,
                               "the transaction ended with its connection (%s): %s",
                               status_name(status), reason);
    }
    return connection_fail(db, STATUS_UNKNOWN, 0, "the answer was lost (%s): %s",
                           status_name(status), reason);
}

static enum status keep_refusal(struct kvd *db, const struct wire_response *response) {
    if (response->status != STATUS_OK) {
        connection_describe(response, db->error, sizeof db->error);
        db->error_detail = response->error.detail;
        db->error_item = response->error.item;
        db->conflict = response->error.conflict;
        db->has_conflict = response->status == STATUS_CONFLICT;
    }
    return response->status;
}

/* --- repeating --- */

/* Whether a write is a commit, which can be repeated with a token. One inside a transaction is
 * none: that ends with the connection. */
static bool takes_token(const struct wire_request *request) {
    uint16_t opcode = request->opcode;

    if (request->options.flags & WIRE_FLAG_TRANSACTION) {
        return false;
    }
    return takes_condition(opcode) || opcode == WIRE_BATCH || opcode == WIRE_DELETE_RANGE ||
           opcode == WIRE_REWIND || opcode == WIRE_NAMESPACE_CREATE ||
           opcode == WIRE_NAMESPACE_DROP || opcode == WIRE_TXN_COMMIT || opcode == WIRE_TRANSACT;
}

/* Whether an answer tells what became of all copies of a write: the server remembers these. */
static bool is_settled(enum status answer) {
    switch (answer) {
    case STATUS_OK:
    case STATUS_EXISTS:
    case STATUS_ABSENT:
    case STATUS_VERSION_MISMATCH:
    case STATUS_NOT_FOUND:
    case STATUS_INVALID:
    case STATUS_TOO_LARGE:
    case STATUS_OVERFLOW:
    case STATUS_QUOTA:
    case STATUS_GONE:
    case STATUS_CONFLICT:
    case STATUS_TXN_TOO_OLD:
        return true;
    default:
        return false;
    }
}

/* Whether the next try may find a server. */
static bool may_pass(enum status status) {
    return status == STATUS_CONNECT || status == STATUS_CLOSED || status == STATUS_TIMEOUT ||
           status == STATUS_SHUTTING_DOWN;
}

static void rest(uint32_t ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&time, NULL); /* a signal shortens it */
}

/* What is known of a write that is tried again and again. */
struct trying {
    bool answered; /* the last try was, else the status is what went wrong */
    bool unknown;  /* a copy may have been executed, and its answer is lost */
};

static enum status try_once(struct kvd *db, struct wire_request *request, struct trying *trying,
                            struct wire_response *response) {
    int64_t deadline_ms = connection_deadline(db);
    bool whole = false;
    enum status status = connection_ready(db, deadline_ms, true);

    if (status == STATUS_OK) {
        status = exchange(db, request, deadline_ms, &whole, response);
    }
    trying->answered = status == STATUS_OK;
    if (trying->answered) {
        status = keep_refusal(db, response);
    }
    trying->unknown |=
        trying->answered ? status == STATUS_UNKNOWN || status == STATUS_INTERNAL : whole;
    return status;
}

/* Once a copy may have been executed, only what the server remembers is an answer. */
static bool is_over(const struct trying *trying, enum status status) {
    return (trying->answered && is_settled(status)) || (!trying->unknown && !may_pass(status));
}

/* A write until it is answered. */
static enum status call_until_answered(struct kvd *db, struct wire_request *request,
                                       struct wire_response *response) {
    int64_t until_ms = clock_awake_or_not_ms() + db->retry_ms;
    uint32_t pause_ms = RETRY_PAUSE_MS_MIN;
    struct trying trying = {false, false};
    enum status status;

    if (!(request->options.flags & WIRE_FLAG_RETRY_TOKEN)) {
        db->last_token.sequence++;
        set_token(&request->options, &db->last_token);
    }
    while (!is_over(&trying, status = try_once(db, request, &trying, response))) {
        int64_t left_ms = until_ms - clock_awake_or_not_ms();
        if (left_ms <= 0) {
            return trying.unknown ? judge_loss(db, request, status) : status;
        }
        rest(left_ms < pause_ms ? (uint32_t)left_ms : pause_ms);
        pause_ms = pause_ms < RETRY_PAUSE_MS_MAX / 2 ? 2 * pause_ms : RETRY_PAUSE_MS_MAX;
    }
    return status;
}

enum status connection_call(struct kvd *db, struct wire_request *request,
                            struct wire_response *response_out) {
    bool is_write = connection_is_write(request->opcode);
    int64_t deadline_ms = connection_deadline(db);
    enum status status = STATUS_CLOSED;

    if (db->retry_ms > 0 && takes_token(request)) {
        return call_until_answered(db, request, response_out);
    }

    for (int attempt = 0; attempt < 2; attempt++) {
        bool whole = false;
        status = connection_ready(db, deadline_ms, is_write);
        if (status != STATUS_OK) {
            return status;
        }
        status = exchange(db, request, deadline_ms, &whole, response_out);
        if (status == STATUS_OK) {
            return keep_refusal(db, response_out);
        }
        if (is_write && whole) {
            return judge_loss(db, request, status);
        }
        if (is_write || status != STATUS_CLOSED) {
            return status;
        }
    }
    return status;
}
