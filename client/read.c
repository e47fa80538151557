/* read.c: the calls that ask: ping, get, mget, exists, meta. */
#include "client/record.h"

#include "protocol/base/memory.h"

static const char ping_text[] = "kvd";

static bool wants_verify(const struct kvd_read_options *options) {
    return options && options->verify;
}

enum kvd_status kvd_ping(struct kvd *db) {
    struct wire_request request = {.opcode = WIRE_PING, .payload = slice_from_text(ping_text)};
    struct wire_response response;
    enum status status = connection_begin(db);

    if (status == STATUS_OK) {
        status = connection_call(db, &request, &response);
    }
    if (status == STATUS_OK && !slice_equal(response.payload, request.payload)) {
        connection_drop(db);
        status = connection_fail(db, STATUS_PROTOCOL, 0, "the echo of a ping differs");
    }
    return result_public(status);
}

/* --- one key --- */

static enum status call_key(struct kvd *db, uint16_t opcode, struct kvd_bytes key,
                            const struct kvd_read_options *options,
                            struct wire_response *response) {
    struct wire_request request = connection_read_request(db, opcode, options);
    enum status status = connection_begin(db);

    request.key = connection_slice(key);
    return status == STATUS_OK ? connection_call(db, &request, response) : status;
}

static enum status get(struct kvd *db, struct kvd_bytes key, const struct kvd_read_options *options,
                       struct wire_response *response) {
    enum status status = call_key(db, WIRE_GET, key, options, response);

    if (status == STATUS_OK) {
        status = record_verify(db, wants_verify(options), &response->record, response->payload);
    }
    return status;
}

enum kvd_status kvd_get(struct kvd *db, struct kvd_bytes key,
                        const struct kvd_read_options *options, struct kvd_value *value) {
    struct wire_response response;
    enum status status = get(db, key, options, &response);

    if (status == STATUS_OK) {
        status = record_copy(db, &response.record, response.payload, value);
    }
    value->status = result_public(status);
    return value->status;
}

enum kvd_status kvd_get_into(struct kvd *db, struct kvd_bytes key,
                             const struct kvd_read_options *options, void *data, size_t room,
                             struct kvd_meta *meta_out) {
    struct wire_response response;
    enum status status = get(db, key, options, &response);

    if (status == STATUS_OK && meta_out) {
        *meta_out = record_meta(&response.record);
    }
    if (status == STATUS_OK && response.payload.len > room) {
        status = connection_fail(db, STATUS_TOO_LARGE, response.payload.len,
                                 "the value has %zu bytes, the caller's memory %zu",
                                 response.payload.len, room);
    }
    if (status == STATUS_OK && response.payload.len > 0) {
        memcpy(data, response.payload.ptr, response.payload.len);
    }
    return result_public(status);
}

enum kvd_status kvd_get_alloc(struct kvd *db, struct kvd_bytes key,
                              const struct kvd_read_options *options, void **data_out,
                              struct kvd_meta *meta_out) {
    struct wire_response response;
    enum status status = get(db, key, options, &response);
    void *data;

    if (status != STATUS_OK) {
        return result_public(status);
    }
    data = memory_alloc(response.payload.len ? response.payload.len : 1);
    if (!data) {
        return result_public(connection_fail(db, STATUS_NO_MEMORY, response.payload.len,
                                             "out of memory here for a value of %zu bytes",
                                             response.payload.len));
    }
    if (response.payload.len > 0) {
        memcpy(data, response.payload.ptr, response.payload.len);
    }
    *data_out = data;
    if (meta_out) {
        *meta_out = record_meta(&response.record);
    }
    return KVD_OK;
}

enum kvd_status kvd_exists(struct kvd *db, struct kvd_bytes key,
                           const struct kvd_read_options *options, uint64_t *version_out) {
    struct wire_response response;
    enum status status = call_key(db, WIRE_EXISTS, key, options, &response);

    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

enum kvd_status kvd_meta(struct kvd *db, struct kvd_bytes key,
                         const struct kvd_read_options *options, struct kvd_meta *meta_out) {
    struct wire_response response;
    enum status status = call_key(db, WIRE_META, key, options, &response);

    if (status == STATUS_OK) {
        *meta_out = record_meta(&response.record);
    }
    return result_public(status);
}

/* --- many keys --- */

/* Puts as many keys as one request may carry into db->scratch. */
static enum status list_keys(struct kvd *db, const struct kvd_bytes *keys, size_t count,
                             uint32_t *listed_out) {
    uint64_t keys_max = db->info.mget_keys_max ? db->info.mget_keys_max : 1;
    size_t bytes_max = db->info.frame_max > 4096 ? (size_t)db->info.frame_max - 4096 : 0;
    uint32_t listed = 0;
    enum status status = STATUS_OK;

    buffer_clear(&db->scratch);
    while (status == STATUS_OK && listed < count && listed < keys_max) {
        if (listed > 0 && db->scratch.len + keys[listed].len > bytes_max) {
            break;
        }
        status = wire_list_add_key(&db->scratch, connection_slice(keys[listed]));
        listed++;
    }
    *listed_out = listed;
    return status == STATUS_OK ? status : connection_fail(db, status, 0, "out of memory here");
}

static enum status keep_entry(struct kvd *db, const struct wire_entry *entry, bool verify,
                              struct kvd_value *value) {
    enum status status = entry->status;

    if (status == STATUS_OK) {
        status = record_verify(db, verify, &entry->record, entry->value);
    }
    if (status == STATUS_OK) {
        status = record_copy(db, &entry->record, entry->value, value);
    }
    value->status = result_public(status);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* Asks for the first keys; *answered_out of them have their value. */
static enum status mget_some(struct kvd *db, const struct kvd_bytes *keys, size_t count,
                             const struct kvd_read_options *options, struct kvd_value *values,
                             size_t *answered_out) {
    struct wire_request request = connection_read_request(db, WIRE_MGET, options);
    struct wire_response response;
    struct wire_entry entry;
    size_t answered = 0;
    enum status status = list_keys(db, keys, count, &request.list.count);

    if (status != STATUS_OK) {
        return status;
    }
    request.list.bytes = buffer_slice(&db->scratch);
    status = connection_call(db, &request, &response);
    if (status != STATUS_OK) {
        return status;
    }
    if (response.list.count == 0 || response.list.count > request.list.count) {
        connection_drop(db);
        return connection_fail(db, STATUS_PROTOCOL, 0, "%u answers to an MGET of %u keys",
                               response.list.count, request.list.count);
    }
    while (status == STATUS_OK && wire_response_next_entry(&response, &entry) == STATUS_OK) {
        status = keep_entry(db, &entry, wants_verify(options), &values[answered++]);
    }
    *answered_out = answered;
    return status;
}

enum kvd_status kvd_mget(struct kvd *db, const struct kvd_bytes *keys, size_t count,
                         const struct kvd_read_options *options, struct kvd_value *values) {
    enum status status = connection_begin(db);

    if (status == STATUS_OK && count > 0) { /* the limits decide how many keys go at once */
        status = connection_ready(db, connection_deadline(db), false);
    }
    for (size_t done = 0; status == STATUS_OK && done < count;) {
        size_t answered = 0;
        status = mget_some(db, keys + done, count - done, options, values + done, &answered);
        if (status != STATUS_OK && db->error_item != KVD_NO_ITEM) {
            db->error_item += (uint32_t)done;
        }
        done += answered;
    }
    return result_public(status);
}
