/* write_item.h: one write, as requests and lists describe it, into a transaction.
 *
 * Any thread; the read's own at a time. */
#ifndef KVD_SERVER_WRITE_ITEM_H
#define KVD_SERVER_WRITE_ITEM_H

#include "server/command.h"

/* Applies an item, of any kind but GET, to the transaction of context->read. With what it cannot do
 * nothing has changed. Errors: WOULD_BLOCK; those of store_transaction_put and its like. Where
 * there is more to say, *refusal_out has text and detail: of EXISTS and VERSION_MISMATCH the
 * version that is there. */
enum status write_item_apply(struct read_context *context, uint32_t namespace_id,
                             const struct wire_item *item, struct wire_result *result_out,
                             struct wire_refusal *refusal_out, struct error *error) MUST_CHECK;

#endif
