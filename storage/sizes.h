/* sizes.h: how large the parts of a store are: formulas over its weight, its file system and its
 * options, so that a small store on a small disk is small. docs/space.md has the reasons.
 *
 *      U  unflushed log                clamp(weight / 16, 16 MiB, 512 MiB), at most disk / 16
 *      S  a segment                    clamp(weight / 64,  4 MiB, 256 MiB), at most disk / 16
 *      J  what a job writes at once    clamp(weight / 64,  4 MiB, 128 MiB), at most disk / 16
 *      M  manifest                     clamp(weight / 64,  8 MiB,  64 MiB)
 *      C  = (2 + g) U + 4 S + 2 J + M  what a store may take beyond its data
 *
 * The ratio r that is promised is split in two: (1 + g)(1 + h) = r. h bounds what is hidden above
 * the bottom level, g what is unreferenced in the log. Pure functions. */
#ifndef KVD_STORAGE_SIZES_H
#define KVD_STORAGE_SIZES_H

#include <stdint.h>

/* What the sizes follow from besides the weight. Constant after open. */
struct sizes_basis {
    uint64_t disk_bytes;          /* of the file system */
    uint64_t memory_limit_bytes;  /* of the engine */
    uint64_t memtable_bytes;      /* for tests; 0: derived */
    uint64_t segment_bytes;       /* for tests; 0: derived */
    uint32_t space_ratio_percent; /* r, 110 to 1000 */
};

struct sizes {
    uint64_t unflushed_log_bytes; /* U */
    uint64_t segment_bytes;       /* S */
    uint64_t job_bytes;           /* J */
    uint64_t manifest_bytes;      /* M */
    uint64_t constant_bytes;      /* C */
    uint64_t memtable_bytes;      /* a memtable is frozen at so many bytes in memory, */
    uint64_t memtable_log_bytes;  /* or when its commits take so many in the log */
    uint64_t table_bytes;         /* a table ends at so many */
    uint64_t base_bytes;          /* least weight of a level; level 0 is merged from 4 times so much
                                     on */
    uint64_t preallocate_bytes;   /* of the log, at a time */
    uint64_t reserve_bytes;       /* of the disk, for what must go on when it is full */
};

/* h and g in 1/65536. */
#define SIZES_ONE 65536u
struct sizes_shares {
    uint32_t h;
    uint32_t g;
    uint32_t fan_out; /* of levels, so that those above the bottom sum up to h of it */
};

struct sizes sizes_of(const struct sizes_basis *basis, uint64_t weight);
struct sizes_shares sizes_shares(const struct sizes_basis *basis);

/* part / 65536 of bytes, without overflow. */
static inline uint64_t sizes_part(uint64_t bytes, uint32_t part) {
    return bytes / SIZES_ONE * part + bytes % SIZES_ONE * part / SIZES_ONE;
}

#endif
