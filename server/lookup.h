/* lookup.h: one key's record and value, as every command that reads answers them.
 *
 * The value travels once: the store appends it to the answer, directly behind the place that was
 * left for its record. Any thread. */
#ifndef KVD_SERVER_LOOKUP_H
#define KVD_SERVER_LOOKUP_H

#include "server/command.h"

struct lookup {
    uint32_t namespace_id;
    struct slice key;
    uint32_t flags;  /* of the answer: lookup_flags */
    bool with_value; /* the value is wanted, not only its record */
};

/* The id of the request's namespace. Errors: NOT_FOUND, INVALID, NO_MEMORY. */
enum status lookup_namespace(struct read_context *context, const struct wire_request *request,
                             uint32_t *namespace_id_out) MUST_CHECK;

/* The flags of the answer: whether its records carry checksums. */
uint32_t lookup_flags(const struct wire_request *request);

struct wire_record lookup_record(const struct store_value_info *info, uint32_t flags);

/* Appends record and value. On errors (of store_get; TOO_LARGE for a value above value_max) the
 * caller rolls the answer back. */
enum status lookup_append(struct read_context *context, const struct lookup *lookup,
                          struct buffer *answer, struct error *error) MUST_CHECK;

#endif
