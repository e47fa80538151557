/* command_upload.c: UPLOAD_BEGIN, UPLOAD_DATA, UPLOAD_COMMIT and UPLOAD_ABORT, as jobs of their
 * connection. See command.h. */
#include "server/command.h"
#include "server/fill.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

static enum status refuse(struct job_context *context, enum status status, const char *text,
                          uint64_t detail) {
    *context->refusal = (struct wire_refusal){text, WIRE_NO_ITEM, detail};
    return status;
}

static struct upload *find(struct job_context *context, uint64_t id) {
    struct upload *upload = *context->uploads ? uploads_find(*context->uploads, id) : NULL;

    if (upload) {
        upload->used_ms = context->now_ms;
    } else {
        (void)refuse(context, STATUS_NOT_FOUND, "this connection has no such upload", 0);
    }
    return upload;
}

/* ---- UPLOAD_BEGIN */

static enum status have_room(struct job_context *context) {
    if (!*context->uploads) {
        *context->uploads = memory_alloc_zeroed(sizeof **context->uploads);
    }
    if (!*context->uploads) {
        return STATUS_NO_MEMORY;
    }
    return uploads_have_room(*context->uploads)
               ? STATUS_OK
               : refuse(context, STATUS_BUSY, "this connection has 16 uploads already", 0);
}

static enum status begin(struct job_context *context, const struct wire_request *request,
                         struct upload *upload, struct error *error) {
    enum status status =
        fill_namespace(context->service, request, true, &upload->namespace_id, context->refusal);

    buffer_init(&upload->key, request->key.len);
    if (status == STATUS_OK) {
        status = buffer_append(&upload->key, request->key.ptr, request->key.len);
    }
    if (status == STATUS_OK) {
        status = store_upload_begin(context->service->store, upload->namespace_id, request->key,
                                    &upload->store_upload, error);
    }
    return status;
}

enum status command_upload_begin(struct job_context *context, const struct wire_request *request,
                                 struct error *error) {
    struct upload upload = {.id = context->fresh_id, .used_ms = context->now_ms};
    enum status status = have_room(context);

    if (status != STATUS_OK) {
        return status;
    }
    status = begin(context, request, &upload, error);
    if (status == STATUS_OK) {
        status = wire_response_number(context->answer, request->id, upload.id);
    }
    if (status == STATUS_OK) {
        status = uploads_add(*context->uploads, &upload);
        ASSERT(status == STATUS_OK); /* there was room */
        return STATUS_OK;
    }
    store_upload_destroy(upload.store_upload);
    buffer_deinit(&upload.key);
    return status;
}

/* ---- UPLOAD_DATA */

static enum status append(struct job_context *context, const struct wire_request *request,
                          struct upload *upload, struct error *error) {
    uint64_t before = store_upload_bytes(upload->store_upload);
    enum status status;

    if (request->offset != before) {
        return refuse(context, STATUS_INVALID, "the offset is not the number of bytes so far",
                      before);
    }
    if (uploads_bytes(*context->uploads) + request->value.len > UPLOADS_BYTES_MAX) {
        upload->ended = true;
        return refuse(context, STATUS_TOO_LARGE, "the uploads of this connection are too large",
                      UPLOADS_BYTES_MAX);
    }
    status = store_upload_append(upload->store_upload, request->value, error);
    upload->ended = status != STATUS_OK;
    if (status == STATUS_TOO_LARGE) {
        return refuse(context, status, "the value is longer than the longest",
                      STORE_LARGE_BYTES_MAX);
    }
    return status;
}

enum status command_upload_data(struct job_context *context, const struct wire_request *request,
                                struct error *error) {
    struct upload *upload = find(context, request->handle);
    enum status status;

    if (!upload) {
        return STATUS_NOT_FOUND;
    }
    status = append(context, request, upload, error);
    return status == STATUS_OK ? wire_response_number(context->answer, request->id,
                                                      store_upload_bytes(upload->store_upload))
                               : status;
}

/* ---- UPLOAD_COMMIT */

static enum status fill(struct job_context *context, const struct wire_request *request,
                        const struct upload *upload, struct error *error) {
    const struct wire_options *options = &request->options;
    struct store_put put = {
        .namespace_id = upload->namespace_id,
        .key = buffer_slice(&upload->key),
        .ttl_ms = fill_ttl(context->service, options->ttl_ms, options->expire_at_ms),
        .user_flags = request->user_flags,
        .has_checksum = (options->flags & WIRE_FLAG_CHECKSUM) != 0,
        .checksum = options->checksum,
        .condition = fill_condition(options->condition, options->version),
    };
    enum status status = store_upload_finish(upload->store_upload, error);

    if (status == STATUS_OK && put.has_checksum &&
        put.checksum != store_upload_checksum(upload->store_upload)) {
        return STATUS_CHECKSUM;
    }
    return status == STATUS_OK
               ? fill_result(store_commit_upload(context->commit, &put, upload->store_upload),
                             context->refusal)
               : status;
}

/* The upload has ended whatever comes; it is freed when the commit is done, by the next reap. */
enum status command_upload_commit(struct job_context *context, const struct wire_request *request,
                                  struct error *error) {
    struct upload *upload = find(context, request->handle);
    enum status status;

    if (!upload) {
        return STATUS_NOT_FOUND;
    }
    upload->ended = true;
    status = fill(context, request, upload, error);
    return status == STATUS_OK ? STATUS_PENDING : status;
}

/* ---- UPLOAD_ABORT */

enum status command_upload_abort(struct job_context *context, const struct wire_request *request,
                                 struct error *error) {
    struct upload *upload = find(context, request->handle);

    (void)error;
    if (!upload) {
        return STATUS_NOT_FOUND;
    }
    upload->ended = true;
    return wire_response_empty(context->answer, request->id);
}
