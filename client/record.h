/* record.h: from the wire's records and values to those of kvd.h. */
#ifndef KVD_CLIENT_RECORD_H
#define KVD_CLIENT_RECORD_H

#include "client/connection.h"

struct kvd_meta record_meta(const struct wire_record *record);

/* Compares the value with the checksum that came with it, if `verify`. Errors: CHECKSUM, also when
 * the server left the checksum out. */
enum status record_verify(struct kvd *db, bool verify, const struct wire_record *record,
                          struct slice value) MUST_CHECK;

/* Copies a value into the caller's reused memory. Errors: NO_MEMORY. */
enum status record_copy(struct kvd *db, const struct wire_record *record, struct slice bytes,
                        struct kvd_value *value) MUST_CHECK;

#endif
