/* checksum.h: the checksum of values on the wire: XXH3-64, seed 0, of the raw bytes. */
#ifndef KVD_CLIENT_CHECKSUM_H
#define KVD_CLIENT_CHECKSUM_H

#include "protocol/base/slice.h"

uint64_t checksum_value(struct slice value);

#endif
