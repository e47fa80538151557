/* sizes.c: see sizes.h. */
#include "storage/sizes.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * 1024)

#define DISK_FRACTION 16u /* U, S, J, and a memtable, are at most this part of the file system */
#define RESERVE_FRACTION 5u
#define MEMTABLES 6u /* that share U: the active one, the frozen ones, and one more to come */
#define H_PERCENT_FROM 130u /* below this ratio an eighth for h would leave too little for g */

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high) {
    value = value > low ? value : low;
    return value < high ? value : high;
}

struct sizes_shares sizes_shares(const struct sizes_basis *basis) {
    uint64_t percent = clamp(basis->space_ratio_percent, 110, 1000);
    uint64_t h = percent >= H_PERCENT_FROM ? SIZES_ONE / 8 : (percent - 100) * SIZES_ONE / 400;
    uint64_t g = percent * SIZES_ONE / 100 * SIZES_ONE / (SIZES_ONE + h) - SIZES_ONE;

    return (struct sizes_shares){(uint32_t)h, (uint32_t)g, (uint32_t)((SIZES_ONE + h - 1) / h + 1)};
}

static void derive_log(const struct sizes_basis *basis, uint64_t weight, struct sizes *sizes) {
    uint64_t disk_part = clamp(basis->disk_bytes / DISK_FRACTION, 64 * KIB, UINT64_MAX);

    sizes->unflushed_log_bytes = clamp(weight / 16, 16 * MIB, 512 * MIB);
    sizes->segment_bytes = clamp(weight / 64, 4 * MIB, 256 * MIB);
    sizes->job_bytes = clamp(weight / 64, 4 * MIB, 128 * MIB);
    sizes->manifest_bytes = clamp(weight / 64, 8 * MIB, 64 * MIB);
    if (basis->memtable_bytes > 0) {
        sizes->unflushed_log_bytes = MEMTABLES * basis->memtable_bytes;
        sizes->job_bytes = 2 * basis->memtable_bytes;
    }
    if (basis->segment_bytes > 0) {
        sizes->segment_bytes = basis->segment_bytes;
    }
    sizes->unflushed_log_bytes = clamp(sizes->unflushed_log_bytes, 0, disk_part);
    sizes->segment_bytes = clamp(sizes->segment_bytes, 0, disk_part);
    sizes->job_bytes = clamp(sizes->job_bytes, 0, disk_part);
    sizes->manifest_bytes = clamp(sizes->manifest_bytes, 0, disk_part);
}

static uint64_t memtable_bytes(const struct sizes_basis *basis) {
    uint64_t bytes = basis->memtable_bytes > 0
                         ? basis->memtable_bytes
                         : clamp(basis->memory_limit_bytes / 16, 1 * MIB, 64 * MIB);

    return clamp(bytes, 16 * KIB, clamp(basis->disk_bytes / DISK_FRACTION, 64 * KIB, UINT64_MAX));
}

struct sizes sizes_of(const struct sizes_basis *basis, uint64_t weight) {
    struct sizes_shares shares = sizes_shares(basis);
    struct sizes sizes;

    derive_log(basis, weight, &sizes);
    sizes.memtable_bytes = memtable_bytes(basis);
    sizes.memtable_log_bytes = sizes.unflushed_log_bytes / MEMTABLES;
    sizes.base_bytes = sizes.unflushed_log_bytes / 8;
    sizes.table_bytes = clamp(sizes.job_bytes / 2, 64 * KIB, 32 * MIB);
    sizes.preallocate_bytes = clamp(sizes.segment_bytes / 4, 64 * KIB, 4 * MIB);
    sizes.constant_bytes = 2 * sizes.unflushed_log_bytes +
                           sizes_part(sizes.unflushed_log_bytes, shares.g) +
                           4 * sizes.segment_bytes + 2 * sizes.job_bytes + sizes.manifest_bytes;
    /* A segment of the log, a survivor, the tables of a flush and of a job. */
    sizes.reserve_bytes =
        clamp(2 * sizes.segment_bytes + 2 * sizes.memtable_log_bytes + sizes.job_bytes, 0,
              basis->disk_bytes / RESERVE_FRACTION);
    return sizes;
}
