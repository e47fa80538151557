/* states.c: see states.h. */
#include "server/states.h"

#include "protocol/base/assert.h"

_Static_assert((int)WIRE_STATE_NEWEST == (int)STORE_AT_NEWEST, "states are numbered alike");
_Static_assert((int)WIRE_STATE_SNAPSHOT == (int)STORE_AT_SNAPSHOT, "states are numbered alike");
_Static_assert((int)WIRE_STATE_VERSION == (int)STORE_AT_VERSION, "states are numbered alike");
_Static_assert((int)WIRE_STATE_TIME == (int)STORE_AT_TIME, "states are numbered alike");

struct wire_state states_of(const struct wire_request *request) {
    const struct wire_options *options = &request->options;

    switch (options->flags & WIRE_FLAGS_STATE) {
    case WIRE_FLAG_SNAPSHOT:
        return (struct wire_state){WIRE_STATE_SNAPSHOT, options->snapshot};
    case WIRE_FLAG_AT_VERSION:
        return (struct wire_state){WIRE_STATE_VERSION, options->at_version};
    case WIRE_FLAG_AT_TIME:
        return (struct wire_state){WIRE_STATE_TIME, options->at_time_ms};
    default: /* the codec lets no two pass */
        return (struct wire_state){WIRE_STATE_NEWEST, 0};
    }
}

static enum status explain(enum status status, const struct wire_state *state,
                           struct error *error) {
    const char *text;

    switch (status) {
    case STATUS_NOT_FOUND: /* which would say that there is no such key */
        status = STATUS_GONE;
        text = "no such snapshot is open";
        break;
    case STATUS_GONE:
        text = "the namespace does not keep this state any more";
        break;
    case STATUS_INVALID:
        text = state->kind == WIRE_STATE_TIME ? "a time of the future" : "a version of the future";
        break;
    default:
        text = status_text(status);
        break;
    }
    return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "%s", text);
}

enum status states_begin(const struct service *service, const struct wire_request *request,
                         const struct wire_state *state, const struct store_read *present,
                         struct store_read *read_out, struct error *error) {
    const struct store_at at = {(enum store_at_kind)state->kind, state->value};
    uint32_t namespace_id = STORE_NAMESPACE_DEFAULT;
    enum status status = STATUS_OK;

    ASSERT(state->kind <= WIRE_STATE_TIME);
    if (request->options.flags & WIRE_FLAG_NAMESPACE) {
        status =
            store_namespace(service->store, request->options.namespace_name, false, &namespace_id);
    }
    if (state->kind == WIRE_STATE_NEWEST || status == STATUS_NOT_FOUND) {
        store_read_begin_same(present, read_out); /* what does not exist is empty in every state */
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = store_read_begin_at(service->store, &at, namespace_id, read_out);
    }
    return status == STATUS_OK ? STATUS_OK : explain(status, state, error);
}
