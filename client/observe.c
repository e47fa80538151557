/* observe.c: what a server has observed of its work: the slow log, connections, hot keys, why it is
 * slow. */
#include "client/line_text.h"
#include "client/write.h"

#define TEXT_BYTES_MAX 256
#define LINE_BYTES_MAX 4096 /* a longer line is cut */

/* `number`: how many, or of what. */
static enum status look(struct kvd *db, uint16_t opcode, enum wire_look look, uint64_t number,
                        struct wire_response *response_out) {
    struct wire_request request = {.opcode = opcode, .action = (uint8_t)look, .handle = number};

    return write_call(db, &request, response_out);
}

static struct kvd_bytes public_bytes(struct slice bytes) {
    return kvd_bytes(bytes.ptr, bytes.len);
}

/* --- slow log --- */

enum kvd_status kvd_slowlog(struct kvd *db, uint64_t limit, kvd_slow_cb slow_cb, void *arg) {
    struct wire_response response;
    struct wire_slow slow;
    char peer[TEXT_BYTES_MAX];
    char name[TEXT_BYTES_MAX];
    enum status status = look(db, WIRE_SLOWLOG, WIRE_LOOK_LIST, limit, &response);

    while (status == STATUS_OK && wire_response_next_slow(&response, &slow) == STATUS_OK) {
        struct kvd_slow_request public = {
            .number = slow.number,
            .time_ms = slow.time_ms,
            .command = wire_opcode_name(slow.opcode),
            .total_us = slow.total_us,
            .wait_us = slow.phase_us[0],
            .queue_us = slow.phase_us[1],
            .work_us = slow.phase_us[2],
            .commit_us = slow.phase_us[3],
            .held_us = slow.phase_us[4],
            .beside = slow.beside,
            .request_id = slow.id,
            .request_bytes = slow.request_bytes,
            .key_len = slow.key_len,
            .key = public_bytes(slow.key),
            .client_id = slow.client,
            .peer = line_text(slow.peer, peer, sizeof peer),
            .client_name = line_text(slow.name, name, sizeof name),
        };
        slow_cb(&public, arg);
    }
    return result_public(status);
}

enum kvd_status kvd_slowlog_clear(struct kvd *db) {
    struct wire_response response;

    return result_public(look(db, WIRE_SLOWLOG, WIRE_LOOK_CLEAR, 0, &response));
}

/* --- connections --- */

enum kvd_status kvd_clients(struct kvd *db, kvd_client_cb client_cb, void *arg) {
    struct wire_response response;
    struct wire_client client;
    char peer[TEXT_BYTES_MAX];
    char name[TEXT_BYTES_MAX];
    enum status status = look(db, WIRE_CLIENTS, WIRE_LOOK_LIST, 0, &response);

    while (status == STATUS_OK && wire_response_next_client(&response, &client) == STATUS_OK) {
        const struct kvd_client public = {
            .id = client.id,
            .age_ms = client.age_ms,
            .idle_ms = client.idle_ms,
            .requests = client.requests,
            .bytes_in = client.bytes_in,
            .bytes_out = client.bytes_out,
            .queued_bytes = client.queued_bytes,
            .memory_bytes = client.memory_bytes,
            .in_flight = client.in_flight,
            .snapshots = client.snapshots,
            .loop = client.loop,
            .peer = line_text(client.peer, peer, sizeof peer),
            .name = line_text(client.name, name, sizeof name),
        };
        client_cb(&public, arg);
    }
    return result_public(status);
}

enum kvd_status kvd_client_close(struct kvd *db, uint64_t id) {
    struct wire_response response;

    return result_public(look(db, WIRE_CLIENTS, WIRE_LOOK_CLOSE, id, &response));
}

/* --- keys --- */

enum kvd_status kvd_hotkeys(struct kvd *db, uint64_t limit, kvd_hot_key_cb hot_key_cb, void *arg) {
    struct wire_response response;
    struct wire_hot_key hot;
    enum status status = look(db, WIRE_HOTKEYS, WIRE_LOOK_LIST, limit, &response);

    while (status == STATUS_OK && wire_response_next_hot_key(&response, &hot) == STATUS_OK) {
        const struct kvd_hot_key public = {
            .space = public_bytes(hot.space),
            .key = public_bytes(hot.key),
            .key_len = hot.key_len,
            .reads_per_second = (double)hot.reads / 1000,
            .writes_per_second = (double)hot.writes / 1000,
        };
        hot_key_cb(&public, arg);
    }
    return result_public(status);
}

enum kvd_status kvd_hotkeys_clear(struct kvd *db) {
    struct wire_response response;

    return result_public(look(db, WIRE_HOTKEYS, WIRE_LOOK_CLEAR, 0, &response));
}

/* --- why it is slow --- */

enum kvd_status kvd_why_slow(struct kvd *db, kvd_slow_line_cb line_cb, void *arg) {
    struct wire_request request = {.opcode = WIRE_WHY, .payload = slice_from_text("slow")};
    struct wire_response response;
    struct wire_holder line;
    char kind[WIRE_NAME_BYTES_MAX + 1];
    char text[LINE_BYTES_MAX];
    enum status status = write_call(db, &request, &response);

    while (status == STATUS_OK && wire_response_next_holder(&response, &line) == STATUS_OK) {
        line_cb(line_text(line.kind, kind, sizeof kind), line_text(line.holder, text, sizeof text),
                line.bytes, arg);
    }
    return result_public(status);
}
