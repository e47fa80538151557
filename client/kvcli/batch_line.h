/* batch_line.h: one write, as a line of words says it: put KEY VALUE, del KEY, delrange FROM TO,
 * add KEY NUMBER, append KEY BYTES, touch KEY TIME, persist KEY. One thread. */
#ifndef KVCLI_BATCH_LINE_H
#define KVCLI_BATCH_LINE_H

#include "client/kvcli/write_stream.h"
#include "protocol/base/slice.h"

#define BATCH_LINE_WORDS_MAX 3 /* put KEY VALUE */

/* Understands the words of one line; the item borrows from them. False if they are no write. */
bool batch_line_understand(const struct slice *words, size_t count, struct write_item *item_out);

/* Adds it to a batch; `options` are of puts, and may be NULL. Errors: as kvd_batch_put. */
enum kvd_status batch_line_add(struct kvd_batch *batch, const struct write_item *item,
                               const struct kvd_write_options *options);

#endif
