/* write.c: the calls that write: put, delete, add, append, touch, persist. */
#include "client/write.h"

#include "client/checksum.h"

struct wire_request write_put_request(const struct kvd *db, struct kvd_bytes key,
                                      struct kvd_bytes value,
                                      const struct kvd_write_options *options) {
    struct wire_request request = connection_write_request(db, WIRE_PUT, options);

    request.key = connection_slice(key);
    request.value = connection_slice(value);
    if (options && options->checksum) {
        request.options.flags |= WIRE_FLAG_CHECKSUM;
        request.options.checksum = checksum_value(request.value);
    }
    return request;
}

struct wire_request write_key_request(const struct kvd *db, uint16_t opcode, struct kvd_bytes key,
                                      struct kvd_bytes bytes,
                                      const struct kvd_write_options *options) {
    struct wire_request request = connection_write_request(db, opcode, options);

    request.key = connection_slice(key);
    request.value = connection_slice(bytes);
    return request;
}

struct wire_request write_range_request(const struct kvd *db, struct kvd_bytes from,
                                        struct kvd_bytes to,
                                        const struct kvd_write_options *options) {
    struct wire_request request = connection_write_request(db, WIRE_DELETE_RANGE, options);

    request.range.from = connection_slice(from);
    request.range.to = connection_slice(to);
    return request;
}

enum status write_call(struct kvd *db, struct wire_request *request,
                       struct wire_response *response_out) {
    enum status status = connection_begin(db);

    return status == STATUS_OK ? connection_call(db, request, response_out) : status;
}

static enum kvd_status commit(struct kvd *db, struct wire_request *request, uint64_t *version_out) {
    struct wire_response response;
    enum status status = write_call(db, request, &response);

    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

enum kvd_status kvd_put(struct kvd *db, struct kvd_bytes key, struct kvd_bytes value,
                        const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request = write_put_request(db, key, value, options);

    return commit(db, &request, version_out);
}

enum kvd_status kvd_delete(struct kvd *db, struct kvd_bytes key,
                           const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request =
        write_key_request(db, WIRE_DELETE, key, kvd_bytes(NULL, 0), options);

    return commit(db, &request, version_out);
}

enum kvd_status kvd_delete_range(struct kvd *db, struct kvd_bytes from, struct kvd_bytes to,
                                 const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request = write_range_request(db, from, to, options);

    return commit(db, &request, version_out);
}

enum kvd_status kvd_delete_prefix(struct kvd *db, struct kvd_bytes prefix,
                                  const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request = write_range_request(db, prefix, kvd_bytes(NULL, 0), options);

    if (prefix.len == 0) {
        return result_public(
            connection_fail(db, STATUS_INVALID, 0, "an empty prefix: that would be every key"));
    }
    request.range.flags = WIRE_RANGE_PREFIX;
    return commit(db, &request, version_out);
}

enum kvd_status kvd_add(struct kvd *db, struct kvd_bytes key, int64_t amount,
                        const struct kvd_write_options *options, int64_t *sum_out,
                        uint64_t *version_out) {
    struct wire_request request = write_key_request(db, WIRE_ADD, key, kvd_bytes(NULL, 0), options);
    struct wire_response response;
    enum status status;

    request.amount = amount;
    status = write_call(db, &request, &response);
    if (status == STATUS_OK && sum_out) {
        *sum_out = response.sum;
    }
    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

enum kvd_status kvd_append(struct kvd *db, struct kvd_bytes key, struct kvd_bytes bytes,
                           const struct kvd_write_options *options, uint64_t *length_out,
                           uint64_t *version_out) {
    struct wire_request request = write_key_request(db, WIRE_APPEND, key, bytes, options);
    struct wire_response response;
    enum status status = write_call(db, &request, &response);

    if (status == STATUS_OK && length_out) {
        *length_out = response.number;
    }
    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}

enum kvd_status kvd_touch(struct kvd *db, struct kvd_bytes key,
                          const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request =
        write_key_request(db, WIRE_TOUCH, key, kvd_bytes(NULL, 0), options);

    return commit(db, &request, version_out);
}

enum kvd_status kvd_persist(struct kvd *db, struct kvd_bytes key,
                            const struct kvd_write_options *options, uint64_t *version_out) {
    struct wire_request request =
        write_key_request(db, WIRE_PERSIST, key, kvd_bytes(NULL, 0), options);

    return commit(db, &request, version_out);
}
