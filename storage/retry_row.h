/* retry_row.h: what is kept of a commit that carried a retry token: a small row of the system
 * namespace, in that very commit.
 *
 *      key      "retry/" | client, 16 bytes | sequence mod STORE_RETRY_SEQUENCES, u16 big-endian
 *      value    sequence varint | code u8 | version varint | operation varint
 *               | count varint | results, zigzag varints | block: answer of the token
 *
 * The code says how the commit ended (0: OK). With OK, the version is that of the row, and in its
 * place stands the number of the token; a refusal has the version and the operation of its outcome.
 * A newer sequence of the client
 * takes the place of the one STORE_RETRY_SEQUENCES before it, so a client has a bounded number of
 * rows; they expire. Pure functions. */
#ifndef KVD_STORAGE_RETRY_ROW_H
#define KVD_STORAGE_RETRY_ROW_H

#include "protocol/base/buffer.h"
#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "storage/store.h"

#define RETRY_KEY_PREFIX "retry/"
#define RETRY_KEY_PREFIX_BYTES 6
#define RETRY_KEY_BYTES (RETRY_KEY_PREFIX_BYTES + STORE_RETRY_CLIENT_BYTES + 2)
#define RETRY_VALUE_BYTES_MAX (1024u * 1024) /* what does not fit is TOO_LARGE */

struct retry_record {
    uint64_t sequence;
    enum status status;
    uint64_t version;      /* of a refusal's outcome; with OK, the token's number */
    uint32_t operation;    /* of a refusal's outcome */
    uint32_t result_count; /* int64_t each, beside the record */
    struct slice answer;   /* of the token; borrowed; parsed: from the value */
};

void retry_key_store(uint8_t key[RETRY_KEY_BYTES], const struct store_token *token);

/* Whether a commit that ended so is kept. Others (NO_SPACE and the like) may end otherwise when
 * they are tried again. */
bool retry_status_is_kept(enum status status);

/* Appends the value. Errors: TOO_LARGE, NO_MEMORY; rolled back by the caller. */
enum status retry_value_store(const struct retry_record *record, const int64_t *results,
                              struct buffer *value) MUST_CHECK;

/* Takes a value apart; the results are appended to the buffer. Errors: CORRUPT, NO_MEMORY. */
enum status retry_value_parse(struct slice value, struct retry_record *record_out,
                              struct buffer *results) MUST_CHECK;

#endif
