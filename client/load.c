/* load.c: bulk loads: entries collected as those of a batch, and sent a piece at a time.
 *
 *      piece being filled | one on its way, or being taken in by the server
 *
 * A piece is an ordinary request; its answer is read before the next one is sent, so that both
 * sides work at once and nothing piles up. It says how many entries came before it, so none is
 * missed or comes twice, whatever becomes of a connection. */
#include "client/batch.h"
#include "client/pipeline.h"
#include "client/write.h"

#include "protocol/base/memory.h"

#define PIECE_BYTES (1024u * 1024)

struct kvd_load {
    struct kvd *db;          /* borrowed; outlives the load */
    struct kvd_batch *piece; /* owned: entries that are not sent yet */
    uint64_t sent;           /* entries */
    bool on_its_way;         /* a piece whose answer was not read */
    uint64_t bytes;          /* of keys and values, of all */
    enum status failed;      /* OK, or how the load ended */
    bool over;               /* committed, or the server has forgotten it */
};

static struct wire_request request_of(const struct kvd_load *load, enum wire_load action) {
    return (struct wire_request){
        .opcode = WIRE_BULK_LOAD, .action = (uint8_t)action, .offset = load->sent};
}

static void free_load(struct kvd_load *load) {
    kvd_batch_destroy(load->piece);
    memory_free(load);
}

static enum status begin(struct kvd_load *load) {
    struct wire_request request = connection_read_request(load->db, WIRE_BULK_LOAD, NULL);
    struct wire_response response;

    request.action = WIRE_LOAD_BEGIN;
    return write_call(load->db, &request, &response);
}

enum kvd_status kvd_load_begin(struct kvd *db, struct kvd_load **load_out) {
    struct kvd_load *load = memory_alloc_zeroed(sizeof *load);
    enum status status = STATUS_NO_MEMORY;

    if (load && kvd_batch_create(&load->piece) == KVD_OK) {
        load->db = db;
        status = begin(load);
    } else {
        (void)connection_fail(db, status, 0, "out of memory here");
    }
    if (status == STATUS_OK) {
        *load_out = load;
    } else if (load) {
        free_load(load);
    }
    return result_public(status);
}

static enum kvd_status refuse(struct kvd_load *load) {
    return result_public(connection_fail(load->db, load->over ? STATUS_INVALID : load->failed, 0,
                                         "the load has ended before"));
}

static enum kvd_status take_answer(struct kvd_load *load) {
    struct kvd_result result;

    if (!load->on_its_way) {
        return KVD_OK;
    }
    load->on_its_way = false;
    if (kvd_pipeline_next(load->db, &result) != KVD_OK || result.status == KVD_OK) {
        return KVD_OK;
    }
    /* A piece whose answer is lost has done nothing that lasts. */
    load->failed = result.status == KVD_UNKNOWN ? STATUS_CLOSED : result_inside(result.status);
    return result_public(
        connection_fail(load->db, load->failed, result.detail, "%s", result.error));
}

static enum kvd_status queue_piece(struct kvd_load *load) {
    struct wire_request request = request_of(load, WIRE_LOAD_DATA);
    enum kvd_status status;

    request.list = (struct wire_list){load->piece->count, buffer_slice(&load->piece->items)};
    status = pipeline_queue(load->db, &request);
    if (status == KVD_OK) {
        load->on_its_way = true;
        load->sent += load->piece->count;
        kvd_batch_clear(load->piece);
        status = kvd_pipeline_flush(load->db);
    }
    return status;
}

/* After any failure the load has ended: the server has refused it, or the connection is gone. */
static enum kvd_status send_piece(struct kvd_load *load) {
    enum kvd_status status = take_answer(load);

    if (status != KVD_OK || load->piece->count == 0) {
        return status;
    }
    status = kvd_pipeline_pending(load->db) > 0
                 ? result_public(connection_fail(load->db, STATUS_BUSY, 0,
                                                 "results of a pipeline are unread"))
                 : queue_piece(load);
    if (status != KVD_OK && status != KVD_BUSY) {
        load->failed = result_inside(status);
    }
    return status;
}

static bool has_room(const struct kvd_load *load, uint64_t more) {
    const struct kvd_server_info *info = &load->db->info;
    uint64_t most = info->batch_bytes_max < PIECE_BYTES ? info->batch_bytes_max : PIECE_BYTES;

    return load->piece->count == 0 ||
           (load->piece->count < info->batch_items_max && load->piece->bytes + more <= most);
}

/* Why an entry cannot even be sent. */
static enum status put_failed(enum kvd_status status) {
    return status == KVD_INVALID     ? STATUS_INVALID
           : status == KVD_TOO_LARGE ? STATUS_TOO_LARGE
                                     : STATUS_NO_MEMORY;
}

enum kvd_status kvd_load_put(struct kvd_load *load, struct kvd_bytes key, struct kvd_bytes value,
                             const struct kvd_write_options *options) {
    enum kvd_status status = KVD_OK;

    if (load->failed != STATUS_OK || load->over) {
        return refuse(load);
    }
    if (options && options->condition != KVD_IF_ANY) {
        return result_public(
            connection_fail(load->db, STATUS_INVALID, 0, "a load takes no conditions"));
    }
    if (!has_room(load, key.len + value.len)) {
        status = send_piece(load);
    }
    if (status == KVD_OK) {
        status = kvd_batch_put(load->piece, key, value, options);
        if (status != KVD_OK) {
            return result_public(connection_fail(
                load->db, put_failed(status), 0, "entry %llu of the load cannot be sent: %s",
                (unsigned long long)kvd_load_entries(load) + 1, kvd_status_text(status)));
        }
        load->bytes += key.len + value.len;
    }
    return status;
}

uint64_t kvd_load_entries(const struct kvd_load *load) {
    return load->sent + load->piece->count;
}

uint64_t kvd_load_bytes(const struct kvd_load *load) {
    return load->bytes;
}

enum kvd_status kvd_load_commit(struct kvd_load *load, uint64_t *version_out) {
    struct wire_request request;
    struct wire_response response;
    enum kvd_status sent;
    enum status status;

    if (load->failed != STATUS_OK || load->over) {
        return refuse(load);
    }
    sent = send_piece(load);
    if (sent == KVD_OK) {
        sent = take_answer(load);
    }
    if (sent != KVD_OK) {
        return sent;
    }
    request = request_of(load, WIRE_LOAD_COMMIT);
    status = write_call(load->db, &request, &response);
    load->over = true;
    load->failed = status;
    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

void kvd_load_destroy(struct kvd_load *load) {
    if (!load) {
        return;
    }
    if (!load->over && load->db->transport.fd >= 0) {
        struct wire_request request = request_of(load, WIRE_LOAD_ABORT);
        struct wire_response response;
        char error[CONNECTION_ERROR_BYTES];
        enum status status;
        memcpy(error, load->db->error, sizeof error); /* of the call that failed */
        (void)take_answer(load);
        status = write_call(load->db, &request, &response);
        (void)status; /* the server forgets it with the connection, at the latest */
        memcpy(load->db->error, error, sizeof error);
    }
    free_load(load);
}
