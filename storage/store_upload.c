/* store_upload.c: the part of the door through which large values come in. */
#include "storage/store_state.h"
#include "storage/upload.h"

#define MIB (UINT64_C(1024) * 1024)
#define SCARCE_MEMORY_BYTES                                                                        \
    (256 * MIB) /* below, a few full extents are a part of it that counts                          \
                 */

_Static_assert(STORE_LARGE_BYTES_MAX == LARGE_BYTES_MAX, "what the door says is what is stored");

static struct upload_context context_of(struct store *store) {
    return (struct upload_context){.log = &store->log,
                                   .views = &store->views,
                                   .space = &store->space,
                                   .scheduler = store->scheduler,
                                   .compression = store->policy.compression,
                                   .segment_bytes_min = store->sizes.segment_bytes_min,
                                   .segment_bytes_max = store->sizes.segment_bytes_max,
                                   .memory_is_scarce =
                                       store->options.memory_limit_bytes < SCARCE_MEMORY_BYTES};
}

enum status store_upload_begin(struct store *store, uint32_t namespace_id, struct slice key,
                               struct store_upload **upload_out, struct error *error) {
    struct upload_context context;
    enum status status = STATUS_OK;

    if (store->options.read_only) {
        status = STATUS_READ_ONLY;
    } else if (namespace_id == NAMESPACE_SYSTEM) {
        status = STATUS_INVALID;
    } else if (key.len > KEY_BYTES_MAX) {
        status = STATUS_TOO_LARGE;
    } else if (commit_log_failed(&store->log)) {
        status = STATUS_LOG_FAILED;
    } else if (space_guard_is_low(&store->space, 0)) {
        status = STATUS_NO_SPACE;
    }
    if (status == STATUS_OK) {
        context = context_of(store);
        status = upload_create(&context, namespace_id, key, upload_out);
    }
    return status == STATUS_OK ? status
                               : error_set(error, status, 0, NULL, ERROR_NO_OFFSET,
                                           "beginning an upload: %s", status_text(status));
}

enum status store_upload_append(struct store_upload *upload, struct slice bytes,
                                struct error *error) {
    return upload_append(upload, bytes, error);
}

uint64_t store_upload_bytes(const struct store_upload *upload) {
    return upload->bytes;
}

uint64_t store_upload_checksum(const struct store_upload *upload) {
    return checksum_end(&upload->checksum);
}

uint64_t store_upload_memory(const struct store_upload *upload) {
    return upload_memory(upload);
}

enum status store_upload_finish(struct store_upload *upload, struct error *error) {
    return upload_finish(upload, error);
}

void store_upload_destroy(struct store_upload *upload) {
    upload_destroy(upload);
}

/* A value of no bytes has no extents: it is an ordinary one. */
static enum status commit_empty(struct store_commit *commit, const struct store_put *put) {
    struct store_put empty = *put;

    empty.value = slice_make(NULL, 0);
    return commit_request_put(commit, &empty, store_clock_now_ms(&commit->store->clock));
}

enum status store_commit_upload(struct store_commit *commit, const struct store_put *put,
                                struct store_upload *upload) {
    struct entry large;
    enum status status;

    if (!upload->finished || put->namespace_id != upload->namespace_id ||
        !slice_equal(put->key, buffer_slice(&upload->key))) {
        return STATUS_INVALID;
    }
    if (upload->bytes == 0) {
        return commit_empty(commit, put);
    }
    large = upload_entry(upload);
    status =
        commit_request_put_large(commit, put, &large, store_clock_now_ms(&commit->store->clock));
    upload->named |= status == STATUS_OK;
    return status;
}
