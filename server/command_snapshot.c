/* command_snapshot.c: SNAPSHOT_OPEN, SNAPSHOT_CLOSE and SNAPSHOT_LIST. See command.h.
 *
 * A snapshot without a lifetime ends with its connection: the session remembers its id, and
 * whoever closes the connection calls session_snapshots_close. */
#include "server/command.h"

/* Lifetimes are added to the present time: a bound that no sum overflows, 1,000 years. */
#define LIFETIME_MS_MAX (UINT64_C(1000) * 366 * 86400 * 1000)

enum status command_snapshot_open(const struct service *service, struct session *session,
                                  const struct wire_request *request, struct buffer *answer,
                                  struct wire_refusal *refusal_out) {
    struct store_snapshot_info info;
    struct wire_snapshot snapshot;
    bool with_connection = request->lifetime_ms == 0;
    enum status status;

    if (request->lifetime_ms > LIFETIME_MS_MAX) {
        refusal_out->text = "the lifetime is above 1,000 years";
        return STATUS_INVALID;
    }
    if (with_connection && session->snapshot_count == SESSION_SNAPSHOTS_MAX) {
        refusal_out->text = "this connection has 64 snapshots open already";
        return STATUS_BUSY;
    }
    status = store_snapshot_open(service->store, session->owner, request->lifetime_ms, &info);
    if (status != STATUS_OK) {
        refusal_out->text = status == STATUS_BUSY ? "too many snapshots are open" : NULL;
        return status;
    }
    snapshot = (struct wire_snapshot){
        .id = info.id,
        .version = info.version,
        .time_ms = info.now_ms,
        .deadline_ms = info.deadline_ms == UINT64_MAX ? 0 : info.deadline_ms,
    };
    if (with_connection) {
        session->snapshots[session->snapshot_count++] = info.id;
    }
    return wire_response_snapshot(answer, request->id, &snapshot);
}

/* Forgets it, if this connection remembers it. */
static void forget(struct session *session, uint64_t id) {
    for (uint32_t i = 0; i < session->snapshot_count; i++) {
        if (session->snapshots[i] == id) {
            session->snapshots[i] = session->snapshots[--session->snapshot_count];
            return;
        }
    }
}

enum status command_snapshot_close(const struct service *service, struct session *session,
                                   const struct wire_request *request, struct buffer *answer,
                                   struct wire_refusal *refusal_out) {
    enum status status = store_snapshot_close(service->store, request->handle);

    forget(session, request->handle);
    if (status != STATUS_OK) {
        refusal_out->text = status == STATUS_NOT_FOUND ? "no such snapshot is open" : NULL;
        return status;
    }
    return wire_response_empty(answer, request->id);
}

void command_snapshots_end(const struct service *service, struct session *session) {
    while (session->snapshot_count > 0) {
        enum status status =
            store_snapshot_close(service->store, session->snapshots[--session->snapshot_count]);
        (void)status; /* another connection may have closed it */
    }
}

/* ---- SNAPSHOT_LIST */

struct listing {
    struct buffer *answer;
    uint32_t count;
    enum status status; /* the first failure */
};

static void list_cb(void *arg, const struct store_snapshot_info *info) {
    struct listing *listing = arg;
    const struct wire_snapshot snapshot = {
        .id = info->id,
        .version = info->version,
        .time_ms = info->now_ms,
        .opened_ms = info->opened_ms,
        .deadline_ms = info->deadline_ms == UINT64_MAX ? 0 : info->deadline_ms,
        .owner = slice_from_text(info->owner),
    };

    if (listing->status == STATUS_OK) {
        listing->status = wire_snapshot_entry(listing->answer, &snapshot);
        listing->count += listing->status == STATUS_OK;
    }
}

enum status command_snapshot_list(struct read_context *context, const struct wire_request *request,
                                  struct buffer *answer, struct error *error) {
    struct listing listing = {.answer = answer, .status = STATUS_OK};
    size_t mark;
    size_t list_mark;
    enum status status = wire_response_begin(answer, request->id, STATUS_OK, 0, &mark);

    (void)error;
    if (status == STATUS_OK) {
        status = wire_list_begin(answer, &list_mark);
    }
    if (status != STATUS_OK) {
        return status;
    }
    store_snapshot_list(context->service->store, list_cb, &listing);
    if (listing.status != STATUS_OK) {
        return listing.status;
    }
    wire_list_finish(answer, list_mark, listing.count);
    return wire_response_finish(answer, mark);
}
