/* page_range.h: the range of keys that a page is made of, and the cursor from page to page.
 *
 * The cursor that the client gets is a format byte and the last key of its page; so it needs no
 * memory here, and lives as long as the client likes. Any thread. */
#ifndef KVD_SERVER_PAGE_RANGE_H
#define KVD_SERVER_PAGE_RANGE_H

#include "protocol/wire.h"
#include "storage/store.h"

#define PAGE_CURSOR_FORMAT 1u /* the first byte of a cursor */

/* The namespace of a name that does not exist: the store gives the id to none, so no key is in it.
 */
#define PAGE_NAMESPACE_NONE UINT32_MAX

/* The range of a whole request, without its cursor. With a prefix its end is put into
 * prefix_out, which has room for range->from.len bytes. */
struct store_range page_range_whole(const struct wire_range *range, uint32_t namespace_id,
                                    uint8_t *prefix_out);

/* The range to walk for a page: a cursor replaces the bound at which the page before ended. What is
 * made anew lies in `scratch`, which is cleared before; key_max is the length of the longest keys.
 * Errors: INVALID for a cursor that is none of ours; those of buffer_reserve. */
enum status page_range_make(const struct wire_range *range, uint32_t namespace_id, uint32_t key_max,
                            struct buffer *scratch, struct store_range *range_out,
                            struct error *error) MUST_CHECK;

#endif
