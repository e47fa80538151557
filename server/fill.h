/* fill.h: what commands that fill a commit have in common: conditions, expiries, namespaces.
 *
 * Any thread. */
#ifndef KVD_SERVER_FILL_H
#define KVD_SERVER_FILL_H

#include "server/command.h"

struct store_condition fill_condition(uint8_t kind, uint64_t version);

/* The store counts from now. A moment that has passed already is the next one: the key reads as
 * absent a millisecond later. 0 for neither. */
uint64_t fill_ttl(const struct service *service, uint64_t ttl_ms, uint64_t expire_at_ms);

/* The id of the request's namespace, which is made if it is new and `create`. Errors: NOT_FOUND
 * (without create), INVALID, BUSY, NO_MEMORY; the reason in *refusal_out. */
enum status fill_namespace(const struct service *service, const struct wire_request *request,
                           bool create, uint32_t *namespace_id_out,
                           struct wire_refusal *refusal_out) MUST_CHECK;

/* How a condition is judged on a key of a namespace that does not exist. */
enum status fill_without_namespace(uint8_t condition) MUST_CHECK;

/* Pass a status of the store on, and say what INVALID is about: an expiry, or a range. */
enum status fill_result(enum status status, struct wire_refusal *refusal_out) MUST_CHECK;
enum status fill_range_result(enum status status, struct wire_refusal *refusal_out) MUST_CHECK;

/* Puts the retry token of the request, if it has one, on the filled commit. `number` is what the
 * answer tells beside the outcome. */
void fill_token(struct store_commit *commit, const struct wire_options *options, uint64_t number);

/* A request that came to nothing, for `status`: if it has a token and the reason may be that it was
 * done before, the commit is emptied and made to ask for that, and is to be submitted. */
bool fill_refusal(struct store_commit *commit, const struct wire_request *request,
                  enum status status);

/* The token of a request that has one. */
struct store_token fill_token_of(const struct wire_options *options);

#endif
