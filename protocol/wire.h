/* wire.h: the door of protocol/: the wire format, version 1, as a pure codec.
 *
 *      received bytes -> wire_frame_decode -> wire_request_decode  -> struct wire_request (server)
 *                                         \-> wire_response_decode -> struct wire_response (client)
 *      struct wire_request -> wire_request_encode -> buffer (client) wire_response_*,
 * wire_record_*, wire_page_* -> buffer                                (server)
 *
 * No I/O, no clock, no allocation but the growth of the caller's buffer; decoded slices borrow from
 * the received bytes. Checksums are plain numbers here: who holds the value computes them. The
 * format is specified in docs/protocol.md; frame.h has header, opcodes, flags and statuses,
 * request.h and response.h the bodies.
 *
 * Names start with wire_, so that they never meet those of the store. */
#ifndef KVD_PROTOCOL_WIRE_H
#define KVD_PROTOCOL_WIRE_H

#include "protocol/frame.h"    /* header, opcodes, flags, statuses */
#include "protocol/request.h"  /* requests, limits, lists */
#include "protocol/response.h" /* responses, records, pages */

#endif
