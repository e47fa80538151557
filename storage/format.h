/* format.h: every magic number, version, size and limit that stands on disk.
 *
 * docs/storage-format.md is the prose of this file. A change here bumps FORMAT_VERSION or adds a
 * feature bit, and leaves a golden store of the old format in tests/golden. */
#ifndef KVD_STORAGE_FORMAT_H
#define KVD_STORAGE_FORMAT_H

#include <stdint.h>

/* What is written. Version 1 is read as well: it has no aliases, large values, relocations or usage
 * figures of tables. */
#define FORMAT_VERSION 2u

/* First eight bytes of each file, little-endian: "kvd" + kind + four characters. */
#define SEGMENT_MAGIC UINT64_C(0x31676553646B7621)
#define TABLE_MAGIC UINT64_C(0x316C6254646B7621)
#define MANIFEST_MAGIC UINT64_C(0x31666E4D646B7621)

/* Feature bits in every file header. A reader that does not know a bit: compatible: reads on;
 * read-only compatible: opens the store read-only at most; incompatible: refuses with NEWER_FORMAT
 * and touches nothing. None is defined yet. */
#define FEATURES_COMPATIBLE_KNOWN UINT32_C(0)
#define FEATURES_READ_ONLY_KNOWN UINT32_C(0)
#define FEATURES_INCOMPATIBLE_KNOWN UINT32_C(0)

#define KEY_BYTES_MAX 65535u                /* user key, 64 KiB - 1 */
#define VALUE_BYTES_MAX (24u * 1024 * 1024) /* one value in one frame; longer ones are streamed */
#define COMMIT_BYTES_MAX (64u * 1024 * 1024)
#define COMMIT_OPS_MAX (1u << 20)

/* A value longer than VALUE_BYTES_MAX is a list of extents, each one record of the log: blocks, and
 * behind them an index with the stored length and checksum of each block. */
#define LARGE_BYTES_MAX (UINT64_C(16) * 1024 * 1024 * 1024)
#define EXTENT_BLOCK_BYTES (64u * 1024)         /* raw; verified and read alone */
#define EXTENT_RAW_BYTES_MAX (4u * 1024 * 1024) /* of the last extent it may be less */
#define EXTENT_BLOCKS_MAX (EXTENT_RAW_BYTES_MAX / EXTENT_BLOCK_BYTES)
#define EXTENT_INDEX_ENTRY_BYTES 12u /* stored length u32, checksum u64 of the raw block */
#define EXTENT_STORED_BYTES_MAX                                                                    \
    (EXTENT_RAW_BYTES_MAX + EXTENT_BLOCKS_MAX * EXTENT_INDEX_ENTRY_BYTES)
#define LARGE_EXTENTS_MAX 5120u /* the first ones may be shorter, where memory is scarce */

_Static_assert(LARGE_BYTES_MAX / EXTENT_RAW_BYTES_MAX <= LARGE_EXTENTS_MAX,
               "the longest value fits the list of its extents");

#define NAMESPACE_SYSTEM 0u  /* kvd's own keys */
#define NAMESPACE_DEFAULT 1u /* what requests without a namespace mean */

#define VERSION_NONE UINT64_C(0)
#define VERSION_MAX ((UINT64_C(1) << 56) - 1)

#define LEVELS_MAX 7

#endif
