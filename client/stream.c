/* stream.c: values in pieces: a part of one, one of any length on its way out, and on its way in.
 *
 * A piece is an ordinary request and its answer, so a slow side slows the other one down and
 * nothing piles up. On its way out all pieces are of one state: a snapshot that is opened for it.
 */
#include "client/record.h"
#include "client/write.h"

#include "protocol/base/memory.h"

#include <xxhash.h>

#define PIECE_BYTES (1024u * 1024)
#define SNAPSHOT_LIFETIME_MS (24u * 3600 * 1000) /* should this process die in the middle */

struct kvd_upload {
    struct kvd *db; /* borrowed; outlives the upload */
    uint64_t id;
    uint64_t bytes;
    XXH3_state_t *checksum; /* owned */
    bool over;              /* committed, or the server has forgotten it */
};

/* The most that one piece may have on this connection. */
static uint64_t piece_max(const struct kvd *db) {
    uint64_t most = db->info.value_max;
    return most < PIECE_BYTES ? most : PIECE_BYTES;
}

/* --- out --- */

static enum status get_range(struct kvd *db, struct kvd_bytes key, uint64_t offset, uint64_t length,
                             const struct kvd_read_options *options,
                             struct wire_response *response_out) {
    struct wire_request request = connection_read_request(db, WIRE_GET_RANGE, options);

    request.options.flags &= ~(uint32_t)WIRE_FLAG_WANT_CHECKSUM;
    request.key = connection_slice(key);
    request.offset = offset;
    request.length = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
    return write_call(db, &request, response_out);
}

enum kvd_status kvd_get_range(struct kvd *db, struct kvd_bytes key, struct kvd_part *part,
                              const struct kvd_read_options *options, struct kvd_value *value) {
    struct wire_response response;
    enum status status = get_range(db, key, part->offset, part->length, options, &response);

    if (status == STATUS_OK) {
        status = record_copy(db, &response.record, response.payload, value);
    }
    if (status == STATUS_OK) {
        part->length = response.payload.len;
    }
    value->status = result_public(status);
    return value->status;
}

struct outflow {
    struct kvd_read_options options;
    struct kvd_meta meta;
    XXH3_state_t *checksum; /* owned; NULL: not asked for */
    kvd_sink_cb sink_cb;
    void *arg;
};

static enum status flow_out(struct kvd *db, struct kvd_bytes key, struct outflow *flow) {
    uint64_t offset = 0;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && offset < flow->meta.value_len) {
        struct wire_response response;
        status = get_range(db, key, offset, piece_max(db), &flow->options, &response);
        if (status != STATUS_OK) {
            break;
        }
        if (response.payload.len == 0) {
            connection_drop(db);
            return connection_fail(db, STATUS_PROTOCOL, 0, "a piece of a value is empty");
        }
        offset += response.payload.len;
        if (flow->checksum) {
            XXH3_64bits_update(flow->checksum, response.payload.ptr, response.payload.len);
        }
        if (!flow->sink_cb(kvd_bytes(response.payload.ptr, response.payload.len), flow->arg)) {
            status = connection_fail(db, STATUS_CANCELLED, 0, "the receiver took no more");
        }
    }
    if (status == STATUS_OK && flow->checksum &&
        XXH3_64bits_digest(flow->checksum) != flow->meta.checksum) {
        status = connection_fail(db, STATUS_CHECKSUM, 0,
                                 "the value of %llu bytes does not match its checksum",
                                 (unsigned long long)flow->meta.value_len);
    }
    return status;
}

/* The value's length and checksum, at the state that is read. */
static enum status look(struct kvd *db, struct kvd_bytes key, struct outflow *flow) {
    struct wire_request request = connection_read_request(db, WIRE_META, &flow->options);
    struct wire_response response;
    enum status status;

    request.key = connection_slice(key);
    status = write_call(db, &request, &response);
    if (status == STATUS_OK) {
        flow->meta = record_meta(&response.record);
    }
    if (status == STATUS_OK && flow->options.verify) {
        flow->checksum = XXH3_createState();
        status = flow->checksum ? STATUS_OK
                                : connection_fail(db, STATUS_NO_MEMORY, 0, "out of memory here");
    }
    if (status == STATUS_OK && flow->checksum) {
        XXH3_64bits_reset(flow->checksum);
    }
    return status;
}

static bool is_newest(const struct kvd_state *state) {
    return state->snapshot == 0 && state->version == 0 && state->time_ms == 0;
}

enum kvd_status kvd_get_stream(struct kvd *db, struct kvd_bytes key,
                               const struct kvd_read_options *options, struct kvd_meta *meta_out,
                               kvd_sink_cb sink_cb, void *arg) {
    struct outflow flow = {.sink_cb = sink_cb, .arg = arg};
    struct kvd_snapshot snapshot = {0};
    enum kvd_status opened = KVD_OK;
    enum status status = STATUS_OK;

    flow.options = options ? *options : flow.options;
    if (is_newest(&flow.options.at)) {
        opened = kvd_snapshot_open(db, SNAPSHOT_LIFETIME_MS, &snapshot);
        flow.options.at.snapshot = snapshot.id;
    }
    if (opened != KVD_OK) {
        return opened;
    }
    status = look(db, key, &flow);
    if (status == STATUS_OK && meta_out) {
        *meta_out = flow.meta;
    }
    if (status == STATUS_OK) {
        status = flow_out(db, key, &flow);
    }
    if (snapshot.id != 0 && status != STATUS_CLOSED && status != STATUS_TIMEOUT) {
        char error[CONNECTION_ERROR_BYTES];
        memcpy(error, db->error, sizeof error); /* what went wrong is more than how it ends */
        (void)kvd_snapshot_close(db, snapshot.id);
        memcpy(db->error, error, sizeof error);
    }
    XXH3_freeState(flow.checksum);
    return result_public(status);
}

/* --- in --- */

enum kvd_status kvd_upload_begin(struct kvd *db, struct kvd_bytes key,
                                 struct kvd_upload **upload_out) {
    struct wire_request request =
        write_key_request(db, WIRE_UPLOAD_BEGIN, key, kvd_bytes(NULL, 0), NULL);
    struct kvd_upload *upload = memory_alloc_zeroed(sizeof *upload);
    struct wire_response response;
    enum status status;

    if (upload) {
        upload->checksum = XXH3_createState();
    }
    if (!upload || !upload->checksum) {
        memory_free(upload);
        return result_public(connection_fail(db, STATUS_NO_MEMORY, 0, "out of memory here"));
    }
    XXH3_64bits_reset(upload->checksum);
    request.options.flags &= ~(uint32_t)WIRE_FLAG_DURABILITY; /* that is the commit's */
    status = write_call(db, &request, &response);
    if (status != STATUS_OK) {
        XXH3_freeState(upload->checksum);
        memory_free(upload);
        return result_public(status);
    }
    upload->db = db;
    upload->id = response.number;
    *upload_out = upload;
    return KVD_OK;
}

static enum status send_piece(struct kvd_upload *upload, struct slice piece) {
    struct wire_request request = {
        .opcode = WIRE_UPLOAD_DATA, .handle = upload->id, .offset = upload->bytes, .value = piece};
    struct wire_response response;
    enum status status = write_call(upload->db, &request, &response);

    if (status == STATUS_OK) {
        XXH3_64bits_update(upload->checksum, piece.ptr, piece.len);
        upload->bytes += piece.len;
    }
    return status;
}

enum kvd_status kvd_upload_write(struct kvd_upload *upload, struct kvd_bytes bytes) {
    struct slice rest = connection_slice(bytes);
    enum status status = STATUS_OK;

    while (status == STATUS_OK && rest.len > 0) {
        size_t most = (size_t)piece_max(upload->db);
        size_t len = rest.len < most ? rest.len : most;
        status = send_piece(upload, slice_make(rest.ptr, len));
        rest = slice_make(rest.ptr + len, rest.len - len);
    }
    return result_public(status);
}

enum kvd_status kvd_upload_commit(struct kvd_upload *upload,
                                  const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request = connection_write_request(upload->db, WIRE_UPLOAD_COMMIT, options);
    struct wire_response response;
    enum status status;

    request.options.flags &= ~(uint32_t)WIRE_FLAG_NAMESPACE; /* that of its begin */
    request.options.flags |= WIRE_FLAG_CHECKSUM;
    request.options.checksum = XXH3_64bits_digest(upload->checksum);
    request.handle = upload->id;
    status = write_call(upload->db, &request, &response);
    upload->over = status == STATUS_OK || status == STATUS_UNKNOWN;
    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

void kvd_upload_destroy(struct kvd_upload *upload) {
    if (!upload) {
        return;
    }
    if (!upload->over && upload->db->transport.fd >= 0) {
        struct wire_request request = {.opcode = WIRE_UPLOAD_ABORT, .handle = upload->id};
        struct wire_response response;
        char error[CONNECTION_ERROR_BYTES];
        memcpy(error, upload->db->error, sizeof error); /* of the call that failed */
        enum status status = write_call(upload->db, &request, &response);
        (void)status; /* the server forgets it with the connection, at the latest */
        memcpy(upload->db->error, error, sizeof error);
    }
    XXH3_freeState(upload->checksum);
    memory_free(upload);
}
