/* load_row.h: what is written of a bulk load beside its tables and segments: one small row of the
 * system namespace.
 *
 *      key      "load"
 *      value    state u8 | namespace varint | version varint
 *
 * - LOAD_BEGUN: in the log before the edit that installs the tables. Should a crash come before the
 *   next row, the next open writes it.
 * - LOAD_ENDED: a commit of the version of the load: it makes it visible, and tells the feed that
 *   there is something which stands in no commit. Of a later version, if the next open wrote it.
 * - LOAD_NONE: nothing came of it.
 *
 * Pure functions. */
#ifndef KVD_STORAGE_LOAD_ROW_H
#define KVD_STORAGE_LOAD_ROW_H

#include "protocol/base/bytes.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdbool.h>

/* By so much is the version of a load above those of its begin: more than there are commits while
 * one is under way. */
#define LOAD_VERSIONS_ASIDE (UINT64_C(1) << 32)

#define LOAD_ROW_KEY "load"
#define LOAD_ROW_BYTES_MAX (1 + VARINT32_BYTES_MAX + VARINT64_BYTES_MAX)

enum load_state { LOAD_NONE, LOAD_BEGUN, LOAD_ENDED };

struct load_row {
    enum load_state state;
    uint32_t namespace_id; /* that is loaded into */
    uint64_t version;      /* of all entries of the load */
};

/* Whether a key of the system namespace is that of the row. */
bool load_row_is_key(struct slice key);

/* Writes the value at ptr (LOAD_ROW_BYTES_MAX); returns its length. */
size_t load_row_store(uint8_t *ptr, const struct load_row *row);

/* Errors: CORRUPT. */
enum status load_row_parse(struct slice value, struct load_row *row_out) MUST_CHECK;

#endif
