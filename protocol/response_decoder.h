/* response_decoder.h: what the parts of the response decoder share; internal to protocol/.
 *
 *      response_decode.c   bodies of responses
 *      response_list.c     elements of their lists
 *      response_feed.c     those of a FEED, and what is around them
 *
 * Each take returns false when the bytes do not suffice or are not well formed. Nothing allocates.
 */
#ifndef KVD_PROTOCOL_RESPONSE_DECODER_H
#define KVD_PROTOCOL_RESPONSE_DECODER_H

#include "protocol/response.h"

static inline struct slice decoder_take_rest(struct reader *reader) {
    struct slice rest = slice_make(reader->ptr, reader_left(reader));

    reader->ptr = reader->end;
    return rest;
}

/* The list that the response to this opcode has: in the page of those that have pages. */
static inline struct wire_list *decoder_list_of(struct wire_response *response) {
    bool paged = response->opcode == WIRE_SCAN || response->opcode == WIRE_HISTORY ||
                 response->opcode == WIRE_DIFF || response->opcode == WIRE_FEED;

    return paged ? &response->page.list : &response->list;
}

bool decoder_take_record(struct reader *reader, uint32_t flags, struct wire_record *record);

/* What stands between the flags of a FEED's page and its list's elements; its list's elements. */
bool decoder_take_feed(struct reader *reader, struct wire_response *response);
bool decoder_take_feed_change(struct reader *reader, uint32_t flags,
                              struct wire_feed_change *change);

/* Walks the elements of decoder_list_of(response), which `reader` stands before. */
bool decoder_skip_list(struct reader *reader, struct wire_response *response);

#endif
