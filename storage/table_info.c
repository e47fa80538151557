/* table_info.c: see table_info.h. The encoding:
 *
 *      varints  number, file bytes
 *      u64      footer checksum
 *      blocks   smallest, largest internal key
 *      varints  version min, version max, entries, tombstones, expiring, expiry max + 1 (0: never)
 *      varint   share count, then for each: segment (difference to the one before), records, bytes
 */
#include "storage/table_info.h"

#include "protocol/base/checked.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

#define SHARE_BYTES_MIN 3 /* three varints */

void table_info_deinit(struct table_info *info) {
    memory_free(info->shares);
    memory_free(info->memory);
    *info = (struct table_info){0};
}

/* Gives `info` its own copies of two keys and room for its shares. */
static enum status own_parts(struct table_info *info, struct slice smallest, struct slice largest,
                             uint32_t share_count) {
    info->memory = memory_alloc(smallest.len + largest.len);
    info->shares = NULL;
    if (!info->memory) {
        return STATUS_NO_MEMORY;
    }
    if (share_count > 0) {
        info->shares = memory_alloc_array(share_count, sizeof *info->shares);
        if (!info->shares) {
            memory_free(info->memory);
            return STATUS_NO_MEMORY;
        }
    }
    memcpy(info->memory, smallest.ptr, smallest.len);
    memcpy(info->memory + smallest.len, largest.ptr, largest.len);
    info->smallest = slice_make(info->memory, smallest.len);
    info->largest = slice_make(info->memory + smallest.len, largest.len);
    info->share_count = share_count;
    return STATUS_OK;
}

enum status table_info_copy(const struct table_info *info, struct table_info *copy_out) {
    struct table_info copy = *info;
    enum status status = own_parts(&copy, info->smallest, info->largest, info->share_count);

    if (status != STATUS_OK) {
        return status;
    }
    if (copy.share_count > 0) {
        memcpy(copy.shares, info->shares, copy.share_count * sizeof *copy.shares);
    }
    *copy_out = copy;
    return STATUS_OK;
}

static enum status append_varints(struct buffer *buffer, const uint64_t *values, size_t count) {
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = buffer_append_varint(buffer, values[i]);
    }
    return status;
}

static enum status append_shares(struct buffer *buffer, const struct table_info *info) {
    enum status status = buffer_append_varint(buffer, info->share_count);
    uint64_t before = 0;

    for (uint32_t i = 0; i < info->share_count && status == STATUS_OK; i++) {
        const struct segment_share *share = &info->shares[i];
        const uint64_t values[] = {share->segment - before, share->records, share->bytes};
        status = append_varints(buffer, values, 3);
        before = share->segment;
    }
    return status;
}

static enum status append_parts(struct buffer *buffer, const struct table_info *info) {
    const uint64_t place[] = {info->number, info->file_bytes};
    const uint64_t figures[] = {info->version_min, info->version_max, info->entries,
                                info->tombstones,  info->expiring,    info->expiry_max_ms + 1};
    enum status status = append_varints(buffer, place, 2);

    if (status == STATUS_OK) {
        status = buffer_append_u64(buffer, info->footer_checksum);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, info->smallest);
    }
    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, info->largest);
    }
    if (status == STATUS_OK) {
        status = append_varints(buffer, figures, sizeof figures / sizeof figures[0]);
    }
    return status == STATUS_OK ? append_shares(buffer, info) : status;
}

enum status table_info_append(struct buffer *buffer, const struct table_info *info) {
    size_t mark = buffer_mark(buffer);
    enum status status = append_parts(buffer, info);

    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

static bool take_figures(struct reader *reader, struct table_info *info) {
    bool taken = reader_take_varint(reader, &info->version_min) &&
                 reader_take_varint(reader, &info->version_max) &&
                 reader_take_varint(reader, &info->entries) &&
                 reader_take_varint(reader, &info->tombstones) &&
                 reader_take_varint(reader, &info->expiring) &&
                 reader_take_varint(reader, &info->expiry_max_ms);

    info->expiry_max_ms--; /* 0 stands for UINT64_MAX */
    return taken && info->entries > 0 && info->tombstones <= info->entries &&
           info->expiring <= info->entries && info->version_min <= info->version_max;
}

static bool keys_are_valid(struct slice smallest, struct slice largest) {
    return ikey_is_valid(smallest) && ikey_is_valid(largest) &&
           ikey_compare(smallest, largest) <= 0;
}

static bool take_share(struct reader *reader, uint64_t before, struct segment_share *share) {
    uint64_t step;

    return reader_take_varint(reader, &step) && step > 0 &&
           checked_add_u64(before, step, &share->segment) &&
           reader_take_varint(reader, &share->records) && share->records > 0 &&
           reader_take_varint(reader, &share->bytes);
}

static bool take_shares(struct reader *reader, struct table_info *info) {
    uint64_t before = 0;

    info->log_bytes = 0;
    for (uint32_t i = 0; i < info->share_count; i++) {
        struct segment_share *share = &info->shares[i];
        if (!take_share(reader, before, share) ||
            !checked_add_u64(info->log_bytes, share->bytes, &info->log_bytes)) {
            return false;
        }
        before = share->segment;
    }
    return true;
}

enum status table_info_take(struct reader *reader, struct table_info *info_out) {
    struct table_info info = {0};
    struct slice smallest;
    struct slice largest;
    uint32_t share_count;
    enum status status;

    if (!reader_take_varint(reader, &info.number) ||
        !reader_take_varint(reader, &info.file_bytes) ||
        !reader_take_u64(reader, &info.footer_checksum) || !reader_take_block(reader, &smallest) ||
        !reader_take_block(reader, &largest) || !keys_are_valid(smallest, largest) ||
        !take_figures(reader, &info) || !reader_take_varint32(reader, &share_count) ||
        share_count > reader_left(reader) / SHARE_BYTES_MIN) {
        return STATUS_CORRUPT;
    }
    status = own_parts(&info, smallest, largest, share_count);
    if (status != STATUS_OK) {
        return status;
    }
    if (!take_shares(reader, &info)) {
        table_info_deinit(&info);
        return STATUS_CORRUPT;
    }
    *info_out = info;
    return STATUS_OK;
}
