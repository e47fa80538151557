/* table_info.c: see table_info.h. The encoding:
 *
 *      varints  number, file bytes
 *      u64      footer checksum
 *      blocks   smallest, largest internal key
 *      varints  version min, version max, entries, tombstones, expiring, expiry max + 1 (0: never)
 *      varint   share count, then for each: segment (difference to the one before), records, bytes
 *
 * and, since format 2:
 *
 *      varint   count of shares with aliases, then for each: index in the shares, records, bytes
 *      varint   usage count, then for each: namespace (difference to the one before; the first as
 * it is), entries, tombstones, table bytes, log bytes
 *      varints  expiring weight, and if it is not 0 the expiry steps (differences)
 *      varint   ranges applied
 *      varint   count of buckets of hidden entries, then for each: version min, hider max
 * (difference to it), newer min, entries, weight */
#include "storage/table_info.h"

#include "protocol/base/checked.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

#define SHARE_BYTES_MIN 3 /* three varints */

#define ALIAS_BYTES_MIN 3 /* likewise */
#define USAGE_BYTES_MIN 5
#define HIDDEN_BYTES_MIN 5

void table_info_deinit(struct table_info *info) {
    memory_free(info->shares);
    memory_free(info->usages);
    memory_free(info->hidden);
    memory_free(info->memory);
    *info = (struct table_info){0};
}

/* An array of its own; NULL for none. Errors: NO_MEMORY. */
static enum status array_make(uint32_t count, size_t element_bytes, void **array_out) {
    *array_out = count > 0 ? memory_alloc_array(count, element_bytes) : NULL;
    return count > 0 && !*array_out ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status own_shares(struct table_info *info, uint32_t count) {
    void *array;
    enum status status = array_make(count, sizeof *info->shares, &array);

    info->shares = array;
    info->share_count = count;
    return status;
}

static enum status own_usages(struct table_info *info, uint32_t count) {
    void *array;
    enum status status = array_make(count, sizeof *info->usages, &array);

    info->usages = array;
    info->usage_count = count;
    return status;
}

static enum status own_hidden(struct table_info *info, uint32_t count) {
    void *array;
    enum status status = array_make(count, sizeof *info->hidden, &array);

    info->hidden = array;
    info->hidden_count = count;
    return status;
}

/* Gives `info` its own copies of two keys, and no arrays yet. */
static enum status own_keys(struct table_info *info, struct slice smallest, struct slice largest) {
    info->shares = NULL;
    info->usages = NULL;
    info->hidden = NULL;
    info->memory = memory_alloc(smallest.len + largest.len);
    if (!info->memory) {
        return STATUS_NO_MEMORY;
    }
    memcpy(info->memory, smallest.ptr, smallest.len);
    memcpy(info->memory + smallest.len, largest.ptr, largest.len);
    info->smallest = slice_make(info->memory, smallest.len);
    info->largest = slice_make(info->memory + smallest.len, largest.len);
    return STATUS_OK;
}

uint64_t table_info_hidden_weight(const struct table_info *info) {
    uint64_t weight = 0;

    for (uint32_t i = 0; i < info->hidden_count; i++) {
        weight += info->hidden[i].weight;
    }
    return weight;
}

enum status table_info_copy(const struct table_info *info, struct table_info *copy_out) {
    struct table_info copy = *info;
    enum status status = own_keys(&copy, info->smallest, info->largest);

    if (status == STATUS_OK) {
        status = own_shares(&copy, info->share_count);
    }
    if (status == STATUS_OK) {
        status = own_usages(&copy, info->usage_count);
    }
    if (status == STATUS_OK) {
        status = own_hidden(&copy, info->hidden_count);
    }
    if (status != STATUS_OK) {
        table_info_deinit(&copy);
        return status;
    }
    if (copy.share_count > 0) {
        memcpy(copy.shares, info->shares, copy.share_count * sizeof *copy.shares);
    }
    if (copy.usage_count > 0) {
        memcpy(copy.usages, info->usages, copy.usage_count * sizeof *copy.usages);
    }
    if (copy.hidden_count > 0) {
        memcpy(copy.hidden, info->hidden, copy.hidden_count * sizeof *copy.hidden);
    }
    *copy_out = copy;
    return STATUS_OK;
}

/* ---- encoding ---- */

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

static enum status append_aliases(struct buffer *buffer, const struct table_info *info) {
    uint32_t count = 0;
    enum status status;

    for (uint32_t i = 0; i < info->share_count; i++) {
        count += info->shares[i].alias_records > 0;
    }
    status = buffer_append_varint(buffer, count);
    for (uint32_t i = 0; i < info->share_count && status == STATUS_OK; i++) {
        const struct segment_share *share = &info->shares[i];
        const uint64_t values[] = {i, share->alias_records, share->alias_bytes};
        status = share->alias_records > 0 ? append_varints(buffer, values, 3) : STATUS_OK;
    }
    return status;
}

static enum status append_usages(struct buffer *buffer, const struct table_info *info) {
    enum status status = buffer_append_varint(buffer, info->usage_count);
    uint32_t before = 0;

    for (uint32_t i = 0; i < info->usage_count && status == STATUS_OK; i++) {
        const struct namespace_usage *usage = &info->usages[i];
        const uint64_t values[] = {usage->namespace_id - before, usage->entries, usage->tombstones,
                                   usage->table_bytes, usage->log_bytes};
        status = append_varints(buffer, values, 5);
        before = usage->namespace_id;
    }
    return status;
}

static enum status append_expiry(struct buffer *buffer, const struct table_info *info) {
    enum status status = buffer_append_varint(buffer, info->expiring_weight);
    uint64_t before = 0;

    for (uint32_t i = 0; i < EXPIRY_STEPS && info->expiring_weight > 0 && status == STATUS_OK;
         i++) {
        status = buffer_append_varint(buffer, info->expiry_steps[i] - before);
        before = info->expiry_steps[i];
    }
    return status;
}

static enum status append_hidden(struct buffer *buffer, const struct table_info *info) {
    enum status status = buffer_append_varint(buffer, info->hidden_count);

    for (uint32_t i = 0; i < info->hidden_count && status == STATUS_OK; i++) {
        const struct hidden_bucket *bucket = &info->hidden[i];
        const uint64_t values[] = {bucket->version_min, bucket->hider_max - bucket->version_min,
                                   bucket->newer_min, bucket->entries, bucket->weight};
        status = append_varints(buffer, values, 5);
    }
    return status;
}

/* What format 1 does not have. */
static enum status append_newer(struct buffer *buffer, const struct table_info *info) {
    enum status status = append_aliases(buffer, info);

    if (status == STATUS_OK) {
        status = append_usages(buffer, info);
    }
    if (status == STATUS_OK) {
        status = append_expiry(buffer, info);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, info->ranges_applied);
    }
    return status == STATUS_OK ? append_hidden(buffer, info) : status;
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
    if (status == STATUS_OK) {
        status = append_shares(buffer, info);
    }
    return status == STATUS_OK ? append_newer(buffer, info) : status;
}

enum status table_info_append(struct buffer *buffer, const struct table_info *info) {
    size_t mark = buffer_mark(buffer);
    enum status status = append_parts(buffer, info);

    if (status != STATUS_OK) {
        buffer_rollback(buffer, mark);
    }
    return status;
}

/* ---- decoding ---- */

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

    *share = (struct segment_share){0};
    return reader_take_varint(reader, &step) && step > 0 &&
           checked_add_u64(before, step, &share->segment) &&
           reader_take_varint(reader, &share->records) && reader_take_varint(reader, &share->bytes);
}

/* A count of elements of which none is shorter than `bytes_min`. */
static bool take_count(struct reader *reader, size_t bytes_min, uint32_t *count_out) {
    return reader_take_varint32(reader, count_out) && *count_out <= reader_left(reader) / bytes_min;
}

static enum status take_shares(struct reader *reader, struct table_info *info) {
    uint64_t before = 0;
    uint32_t count;
    enum status status;

    if (!take_count(reader, SHARE_BYTES_MIN, &count)) {
        return STATUS_CORRUPT;
    }
    status = own_shares(info, count);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct segment_share *share = &info->shares[i];
        if (!take_share(reader, before, share) ||
            !checked_add_u64(info->log_bytes, share->bytes, &info->log_bytes)) {
            return STATUS_CORRUPT;
        }
        before = share->segment;
    }
    return status;
}

static enum status take_aliases(struct reader *reader, struct table_info *info) {
    uint32_t count;
    uint32_t next = 0; /* the least index that may come */

    if (!take_count(reader, ALIAS_BYTES_MIN, &count)) {
        return STATUS_CORRUPT;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct segment_share *share;
        uint32_t index;
        if (!reader_take_varint32(reader, &index) || index < next || index >= info->share_count) {
            return STATUS_CORRUPT;
        }
        share = &info->shares[index];
        if (!reader_take_varint(reader, &share->alias_records) || share->alias_records == 0 ||
            !reader_take_varint(reader, &share->alias_bytes) ||
            !checked_add_u64(info->log_bytes, share->alias_bytes, &info->log_bytes)) {
            return STATUS_CORRUPT;
        }
        next = index + 1;
    }
    return STATUS_OK;
}

static bool take_usage(struct reader *reader, bool first, uint32_t before,
                       struct namespace_usage *usage) {
    uint32_t step;

    if (!reader_take_varint32(reader, &step) || (!first && step == 0) ||
        step > UINT32_MAX - before) {
        return false;
    }
    usage->namespace_id = before + step;
    return reader_take_varint(reader, &usage->entries) && usage->entries > 0 &&
           reader_take_varint(reader, &usage->tombstones) && usage->tombstones <= usage->entries &&
           reader_take_varint(reader, &usage->table_bytes) &&
           reader_take_varint(reader, &usage->log_bytes);
}

static enum status take_usages(struct reader *reader, struct table_info *info) {
    uint32_t count;
    uint32_t before = 0;
    uint64_t entries = 0;
    enum status status;

    if (!take_count(reader, USAGE_BYTES_MIN, &count)) {
        return STATUS_CORRUPT;
    }
    status = own_usages(info, count);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!take_usage(reader, i == 0, before, &info->usages[i]) ||
            !checked_add_u64(entries, info->usages[i].entries, &entries)) {
            return STATUS_CORRUPT;
        }
        before = info->usages[i].namespace_id;
    }
    return status == STATUS_OK && count > 0 && entries != info->entries ? STATUS_CORRUPT : status;
}

static bool take_expiry(struct reader *reader, struct table_info *info) {
    uint64_t before = 0;

    if (!reader_take_varint(reader, &info->expiring_weight)) {
        return false;
    }
    for (uint32_t i = 0; i < EXPIRY_STEPS && info->expiring_weight > 0; i++) {
        uint64_t step;
        if (!reader_take_varint(reader, &step) ||
            !checked_add_u64(before, step, &info->expiry_steps[i])) {
            return false;
        }
        before = info->expiry_steps[i];
    }
    return true;
}

static bool take_bucket(struct reader *reader, struct hidden_bucket *bucket) {
    uint64_t step;

    return reader_take_varint(reader, &bucket->version_min) && reader_take_varint(reader, &step) &&
           step > 0 && checked_add_u64(bucket->version_min, step, &bucket->hider_max) &&
           reader_take_varint(reader, &bucket->newer_min) && bucket->newer_min > 0 &&
           reader_take_varint(reader, &bucket->entries) && bucket->entries > 0 &&
           reader_take_varint(reader, &bucket->weight);
}

static enum status take_hidden(struct reader *reader, struct table_info *info) {
    uint64_t entries = 0;
    uint32_t count;
    enum status status;

    if (!take_count(reader, HIDDEN_BYTES_MIN, &count)) {
        return STATUS_CORRUPT;
    }
    status = own_hidden(info, count);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!take_bucket(reader, &info->hidden[i]) ||
            !checked_add_u64(entries, info->hidden[i].entries, &entries)) {
            return STATUS_CORRUPT;
        }
    }
    return status == STATUS_OK && entries >= info->entries ? STATUS_CORRUPT : status;
}

static enum status take_newer(struct reader *reader, struct table_info *info) {
    enum status status = take_aliases(reader, info);

    if (status == STATUS_OK) {
        status = take_usages(reader, info);
    }
    if (status == STATUS_OK &&
        (!take_expiry(reader, info) || !reader_take_varint(reader, &info->ranges_applied))) {
        status = STATUS_CORRUPT;
    }
    return status == STATUS_OK ? take_hidden(reader, info) : status;
}

/* Whether something is held of each segment that is named. */
static bool shares_are_valid(const struct table_info *info) {
    for (uint32_t i = 0; i < info->share_count; i++) {
        if (info->shares[i].records == 0 && info->shares[i].alias_records == 0) {
            return false;
        }
    }
    return true;
}

static enum status take_lists(struct reader *reader, struct table_info *info) {
    enum status status = take_shares(reader, info);

    if (status == STATUS_OK && reader_left(reader) > 0) {
        status = take_newer(reader, info);
    }
    return status == STATUS_OK && !shares_are_valid(info) ? STATUS_CORRUPT : status;
}

enum status table_info_take(struct reader *reader, struct table_info *info_out) {
    struct table_info info = {0};
    struct slice smallest;
    struct slice largest;
    enum status status;

    if (!reader_take_varint(reader, &info.number) ||
        !reader_take_varint(reader, &info.file_bytes) ||
        !reader_take_u64(reader, &info.footer_checksum) || !reader_take_block(reader, &smallest) ||
        !reader_take_block(reader, &largest) || !keys_are_valid(smallest, largest) ||
        !take_figures(reader, &info)) {
        return STATUS_CORRUPT;
    }
    status = own_keys(&info, smallest, largest);
    if (status == STATUS_OK) {
        status = take_lists(reader, &info);
    }
    if (status != STATUS_OK) {
        table_info_deinit(&info);
        return status;
    }
    *info_out = info;
    return STATUS_OK;
}
