/* states.h: read transactions on the state that a request asks for.
 *
 * A request without a flag of WIRE_FLAGS_STATE reads the newest state, and shares the transaction
 * of its turn. Any thread; nothing here waits for a disk. */
#ifndef KVD_SERVER_STATES_H
#define KVD_SERVER_STATES_H

#include "server/service.h"

/* The state that the flags of a request ask for; kind NEWEST if none does. */
struct wire_state states_of(const struct wire_request *request);

/* Begins a read for the namespace of the request. For the newest state it is the one of `present`.
 * Errors: GONE (no such snapshot, or not kept any more), INVALID, NO_MEMORY, with the reason in
 * *error. */
enum status states_begin(const struct service *service, const struct wire_request *request,
                         const struct wire_state *state, const struct store_read *present,
                         struct store_read *read_out, struct error *error) MUST_CHECK;

#endif
