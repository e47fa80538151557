/* ikey.h: internal keys: what the tree is sorted by.
 *
 *      +-----------------+--------------+--------------------------+
 *      | namespace, be32 | user key     | complement of version, be64 |
 *      +-----------------+--------------+--------------------------+
 *      '------- row key (compared bytewise) ------'
 *
 * Rows ascend bytewise; within a row versions descend, so that the newest comes first and a seek to
 * (row, v) lands on the newest entry with version <= v. (The design of leveldb's internal key.)
 * Big-endian here, unlike everything else on disk, so that memcmp orders. Pure functions. */
#ifndef KVD_STORAGE_IKEY_H
#define KVD_STORAGE_IKEY_H

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "protocol/base/slice.h"
#include "storage/format.h"

#define IKEY_NAMESPACE_BYTES 4
#define IKEY_VERSION_BYTES 8
#define IKEY_BYTES_MIN (IKEY_NAMESPACE_BYTES + IKEY_VERSION_BYTES)
#define IKEY_BYTES_MAX (IKEY_BYTES_MIN + KEY_BYTES_MAX)
#define ROW_BYTES_MAX (IKEY_NAMESPACE_BYTES + KEY_BYTES_MAX)

/* Writes the row key of (namespace, user key) at ptr, which has room for ROW_BYTES_MAX or the exact
 * size; returns its length. */
static inline size_t row_store(uint8_t *ptr, uint32_t namespace_id, struct slice user_key) {
    uint32_t big_endian = __builtin_bswap32(namespace_id);
    memcpy(ptr, &big_endian, sizeof big_endian);
    if (user_key.len > 0) {
        memcpy(ptr + IKEY_NAMESPACE_BYTES, user_key.ptr, user_key.len);
    }
    return IKEY_NAMESPACE_BYTES + user_key.len;
}

static inline uint32_t row_namespace(struct slice row) {
    uint32_t big_endian;
    ASSERT(row.len >= IKEY_NAMESPACE_BYTES);
    memcpy(&big_endian, row.ptr, sizeof big_endian);
    return __builtin_bswap32(big_endian);
}

static inline struct slice row_user_key(struct slice row) {
    ASSERT(row.len >= IKEY_NAMESPACE_BYTES);
    return slice_make(row.ptr + IKEY_NAMESPACE_BYTES, row.len - IKEY_NAMESPACE_BYTES);
}

static inline void ikey_version_store(uint8_t *ptr, uint64_t version) {
    uint64_t big_endian = __builtin_bswap64(~version);
    memcpy(ptr, &big_endian, sizeof big_endian);
}

/* Writes row + version at ptr (room for row.len + 8); returns the length. */
static inline size_t ikey_store(uint8_t *ptr, struct slice row, uint64_t version) {
    memcpy(ptr, row.ptr, row.len);
    ikey_version_store(ptr + row.len, version);
    return row.len + IKEY_VERSION_BYTES;
}

/* Whether bytes from disk can be an internal key at all; check before the functions below. */
static inline bool ikey_is_valid(struct slice ikey) {
    return ikey.len >= IKEY_BYTES_MIN && ikey.len <= IKEY_BYTES_MAX;
}

static inline struct slice ikey_row(struct slice ikey) {
    ASSERT(ikey.len >= IKEY_BYTES_MIN);
    return slice_make(ikey.ptr, ikey.len - IKEY_VERSION_BYTES);
}

static inline uint64_t ikey_version(struct slice ikey) {
    uint64_t big_endian;
    ASSERT(ikey.len >= IKEY_BYTES_MIN);
    memcpy(&big_endian, ikey.ptr + ikey.len - IKEY_VERSION_BYTES, sizeof big_endian);
    return ~__builtin_bswap64(big_endian);
}

/* The order of the tree: row ascending, then version descending. */
static inline int ikey_compare(struct slice a, struct slice b) {
    int order = slice_compare(ikey_row(a), ikey_row(b));
    if (order != 0) {
        return order;
    }
    return memcmp(a.ptr + a.len - IKEY_VERSION_BYTES, b.ptr + b.len - IKEY_VERSION_BYTES,
                  IKEY_VERSION_BYTES);
}

#endif
