/* versions.c: snapshots, the versions of a key, the difference between two states, and the way
 * back.
 */
#include "client/record.h"
#include "client/write.h"

#define OWNER_BYTES_MAX 256

/* --- snapshots --- */

static struct kvd_snapshot snapshot_of(const struct wire_snapshot *snapshot) {
    return (struct kvd_snapshot){.id = snapshot->id,
                                 .version = snapshot->version,
                                 .time_ms = snapshot->time_ms,
                                 .opened_ms = snapshot->opened_ms,
                                 .deadline_ms = snapshot->deadline_ms,
                                 .owner = ""};
}

enum kvd_status kvd_snapshot_open(struct kvd *db, uint64_t lifetime_ms,
                                  struct kvd_snapshot *snapshot_out) {
    struct wire_request request = {.opcode = WIRE_SNAPSHOT_OPEN, .lifetime_ms = lifetime_ms};
    struct wire_response response;
    enum status status = write_call(db, &request, &response);

    if (status == STATUS_OK) {
        *snapshot_out = snapshot_of(&response.snapshot);
    }
    return result_public(status);
}

enum kvd_status kvd_snapshot_close(struct kvd *db, uint64_t id) {
    struct wire_request request = {.opcode = WIRE_SNAPSHOT_CLOSE, .handle = id};
    struct wire_response response;

    return result_public(write_call(db, &request, &response));
}

enum kvd_status kvd_snapshot_list(struct kvd *db, kvd_snapshot_cb snapshot_cb, void *arg) {
    struct wire_request request = {.opcode = WIRE_SNAPSHOT_LIST};
    struct wire_response response;
    struct wire_snapshot wire;
    char owner[OWNER_BYTES_MAX];
    enum status status = write_call(db, &request, &response);

    while (status == STATUS_OK && wire_response_next_snapshot(&response, &wire) == STATUS_OK) {
        struct kvd_snapshot snapshot = snapshot_of(&wire);
        size_t len = wire.owner.len < sizeof owner ? wire.owner.len : sizeof owner - 1;
        if (len > 0) {
            memcpy(owner, wire.owner.ptr, len);
        }
        owner[len] = '\0';
        snapshot.owner = owner;
        snapshot_cb(&snapshot, arg);
    }
    return result_public(status);
}

/* --- history --- */

/* One page; *before becomes where the next one starts. */
static enum status history_page(struct kvd *db, struct wire_request *request, uint32_t *left,
                                bool *end_out, kvd_version_cb version_cb, void *arg) {
    struct wire_response response;
    struct wire_version version;
    enum status status = write_call(db, request, &response);
    uint32_t taken = 0;

    while (status == STATUS_OK && *left > 0 &&
           wire_response_next_version(&response, &version) == STATUS_OK) {
        const struct kvd_version public = {.version = version.version,
                                           .time_ms = version.time_ms,
                                           .deleted = version.deleted,
                                           .meta = record_meta(&version.record)};
        version_cb(&public, arg);
        request->before = version.version;
        *left -= *left != UINT32_MAX;
        taken++;
    }
    *end_out = status == STATUS_OK && (response.page.at_end || taken == 0);
    return status;
}

enum kvd_status kvd_history(struct kvd *db, struct kvd_bytes key,
                            const struct kvd_history_options *options, kvd_version_cb version_cb,
                            void *arg) {
    const struct kvd_history_options all = {0};
    const struct kvd_history_options *from = options ? options : &all;
    const struct kvd_read_options read = {.deadline_ms = from->deadline_ms};
    struct wire_request request = connection_read_request(db, WIRE_HISTORY, &read);
    uint32_t left = from->limit ? from->limit : UINT32_MAX;
    bool end = false;
    enum status status = STATUS_OK;

    request.key = connection_slice(key);
    request.before = from->before;
    while (status == STATUS_OK && !end && left > 0) {
        request.range.limit = left == UINT32_MAX ? 0 : left;
        status = history_page(db, &request, &left, &end, version_cb, arg);
    }
    return result_public(status);
}

/* --- differences --- */

static struct wire_state state_of(const struct kvd_state *state) {
    if (!state) {
        return (struct wire_state){.kind = WIRE_STATE_NEWEST};
    }
    if (state->snapshot != 0) {
        return (struct wire_state){.kind = WIRE_STATE_SNAPSHOT, .value = state->snapshot};
    }
    if (state->version != 0) {
        return (struct wire_state){.kind = WIRE_STATE_VERSION, .value = state->version};
    }
    return state->time_ms != 0
               ? (struct wire_state){.kind = WIRE_STATE_TIME, .value = state->time_ms}
               : (struct wire_state){.kind = WIRE_STATE_NEWEST};
}

static enum status set_bounds(struct kvd *db, struct wire_range *range,
                              const struct kvd_scan_options *options) {
    if (!options) {
        return STATUS_OK;
    }
    if (options->prefix.len > 0 && (options->from.len > 0 || options->to.len > 0)) {
        return connection_fail(db, STATUS_INVALID, 0, "a prefix or a range, not both");
    }
    range->flags = options->prefix.len > 0 ? WIRE_RANGE_PREFIX : 0;
    range->from = connection_slice(options->prefix.len > 0 ? options->prefix : options->from);
    range->to = connection_slice(options->to);
    return STATUS_OK;
}

static void hand_changes(struct wire_response *response, kvd_change_cb change_cb, void *arg) {
    struct wire_change change;

    while (wire_response_next_change(response, &change) == STATUS_OK) {
        const struct kvd_change public = {.kind = (enum kvd_change_kind)change.kind,
                                          .key = kvd_bytes(change.key.ptr, change.key.len),
                                          .before = record_meta(&change.before),
                                          .after = record_meta(&change.after)};
        change_cb(&public, arg);
    }
}

enum kvd_status kvd_diff(struct kvd *db, const struct kvd_state *from, const struct kvd_state *to,
                         const struct kvd_scan_options *range, kvd_change_cb change_cb, void *arg) {
    const struct kvd_read_options options = {.deadline_ms = range ? range->deadline_ms : 0};
    struct wire_request request = connection_read_request(db, WIRE_DIFF, &options);
    struct wire_response response = {0};
    enum status status = set_bounds(db, &request.range, range);

    request.from_state = state_of(from);
    request.to_state = state_of(to);
    while (status == STATUS_OK && !response.page.at_end) {
        status = write_call(db, &request, &response);
        if (status == STATUS_OK) {
            hand_changes(&response, change_cb, arg);
            buffer_clear(&db->scratch);
            status = response.page.at_end ? STATUS_OK
                                          : buffer_append(&db->scratch, response.page.cursor.ptr,
                                                          response.page.cursor.len);
            request.range.cursor = buffer_slice(&db->scratch);
        }
    }
    return result_public(status);
}

enum kvd_status kvd_rewind(struct kvd *db, const struct kvd_state *to,
                           const struct kvd_scan_options *range,
                           const struct kvd_write_options *options, uint64_t *changed_out,
                           uint64_t *version_out) {
    struct wire_request request = connection_write_request(db, WIRE_REWIND, options);
    struct wire_response response;
    enum status status = set_bounds(db, &request.range, range);

    request.to_state = state_of(to);
    if (status == STATUS_OK) {
        status = write_call(db, &request, &response);
    }
    if (status == STATUS_OK && changed_out) {
        *changed_out = response.number;
    }
    if (status == STATUS_OK && version_out) {
        *version_out = response.version;
    }
    return result_public(status);
}
