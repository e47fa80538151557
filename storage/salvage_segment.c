/* salvage_segment.c: see salvage_segment.h. */
#include "storage/salvage_segment.h"

#include "protocol/base/memory.h"
#include "storage/file_name.h"

struct walking {
    const struct salvage_segment_callbacks *callbacks;
    struct salvage_segment_result *result;
    struct log_reader reader;
    struct log_group *group; /* owned */
    struct buffer found;     /* uint64_t each: offsets of group headers, ascending */
    bool searched;           /* `found` is filled */
    enum status status;      /* of collecting them */
    struct error *error;
};

/* ---- Damage -----------------------------------------------------------------------------------
 */

static void found_cb(void *arg, uint64_t offset, const struct group_header *header) {
    struct walking *walking = arg;

    (void)header;
    if (walking->status == STATUS_OK) {
        walking->status = buffer_append(&walking->found, &offset, sizeof offset);
    }
}

/* The next group header behind `offset`. Errors: END (there is none), NO_MEMORY. */
static enum status next_group(struct walking *walking, uint64_t offset, uint64_t *next_out) {
    if (!walking->searched) {
        enum status status =
            log_reader_search(&walking->reader, offset + 1, found_cb, walking, walking->error);
        walking->searched = true;
        if (status == STATUS_NO_MEMORY || walking->status != STATUS_OK) {
            return STATUS_NO_MEMORY;
        }
    }
    for (size_t at = 0; at < walking->found.len; at += sizeof *next_out) {
        memcpy(next_out, walking->found.data + at, sizeof *next_out);
        if (*next_out > offset) {
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

/* Without a header of its own the segment is what its first group says. */
static enum status adopt_kind(struct walking *walking) {
    struct log_reader *reader = &walking->reader;
    struct group_header header;
    struct slice bytes;
    enum status status;

    if (reader->limit_bytes < SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES) {
        return STATUS_OK;
    }
    status = direct_file_get(&reader->direct, SEGMENT_HEADER_BYTES, GROUP_HEADER_BYTES, &bytes,
                             walking->error);
    if (status == STATUS_OK &&
        group_header_load(bytes, reader->seed, SEGMENT_HEADER_BYTES, &header) == STATUS_OK) {
        reader->header = (struct segment_header){
            .kind = header.kind, .number = reader->number, .incarnation = header.incarnation};
        reader->state = header.kind == SEGMENT_COMMIT ? LOG_READER_COMMITS : LOG_READER_OTHER;
    }
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- Groups -----------------------------------------------------------------------------------
 */

static enum status walk_commit(struct walking *walking, const struct commit_header *header,
                               uint64_t offset) {
    const struct log_group *group = walking->group;
    struct salvage_commit commit = {.kind = group->header.kind,
                                    .segment = walking->reader.number,
                                    .sequence = group->header.sequence,
                                    .time_ms = group->header.store_time_ms,
                                    .version = header->version,
                                    .values_offset =
                                        offset + COMMIT_HEADER_BYTES + header->meta_bytes,
                                    .values_bytes = header->values_bytes,
                                    .op_count = header->op_count};
    enum status status =
        log_reader_meta(&walking->reader, header, offset, &commit.meta, walking->error);

    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    commit.is_readable = status == STATUS_OK;
    walking->result->commits++;
    walking->result->bad_commits += !commit.is_readable;
    return walking->callbacks->commit_cb(walking->callbacks->arg, &commit);
}

static enum status walk_group(struct walking *walking, uint64_t skipped_bytes) {
    const struct log_group *group = walking->group;
    uint32_t count = group->header.commit_count;
    struct salvage_group told = {.kind = group->header.kind,
                                 .sequence = group->header.sequence,
                                 .first_version = count > 0 ? group->header.first_version : 0,
                                 .next_version =
                                     count > 0 ? group->commits[count - 1].version + 1 : 0,
                                 .skipped_bytes = skipped_bytes};
    uint64_t at = group->offset + GROUP_HEADER_BYTES;
    enum status status = walking->callbacks->group_cb(walking->callbacks->arg, &told);

    walking->result->groups++;
    walking->result->kind = group->header.kind;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = walk_commit(walking, &group->commits[i], at);
        at += commit_bytes(&group->commits[i]);
    }
    return status;
}

/* A group whose own header is whole, and those of its commits are not: it is known what is lost. */
static enum status lose_group(struct walking *walking, const struct group_header *header) {
    struct salvage_group told = {.kind = header->kind,
                                 .sequence = header->sequence,
                                 .first_version = header->first_version,
                                 .next_version = header->first_version + header->commit_count};
    struct salvage_commit commit = {.kind = header->kind,
                                    .segment = walking->reader.number,
                                    .sequence = header->sequence,
                                    .time_ms = header->store_time_ms,
                                    .op_count = 1};
    enum status status = walking->callbacks->group_cb(walking->callbacks->arg, &told);

    for (uint32_t i = 0; i < header->commit_count && status == STATUS_OK; i++) {
        commit.version = header->first_version + i;
        status = walking->callbacks->commit_cb(walking->callbacks->arg, &commit);
    }
    walking->result->commits += header->commit_count;
    walking->result->bad_commits += header->commit_count;
    return status;
}

static void note_skipped(struct walking *walking, uint64_t at, uint64_t bytes) {
    struct salvage_segment_result *result = walking->result;

    result->skipped_at = result->skipped_bytes == 0 ? at : result->skipped_at;
    result->skipped_bytes += bytes;
}

/* From a group that cannot be read to the next place where one may begin. */
static enum status pass_damage(struct walking *walking, uint64_t *offset, uint64_t *good_end) {
    struct group_header header;
    enum status status =
        log_reader_group_header(&walking->reader, *offset, &header, walking->error);

    if (status != STATUS_OK) {
        return status == STATUS_NO_MEMORY ? status : next_group(walking, *offset, offset);
    }
    if (*offset > *good_end) {
        note_skipped(walking, *good_end, *offset - *good_end);
    }
    *offset += header.group_bytes;
    *good_end = *offset;
    return lose_group(walking, &header);
}

static enum status walk_groups(struct walking *walking) {
    uint64_t good_end = SEGMENT_HEADER_BYTES;
    uint64_t offset = SEGMENT_HEADER_BYTES;
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        status = log_reader_group(&walking->reader, offset, walking->group, walking->error);
        if (status == STATUS_OK) {
            if (offset > good_end) {
                note_skipped(walking, good_end, offset - good_end);
            }
            status = walk_group(walking, offset - good_end);
            offset += walking->group->header.group_bytes;
            good_end = offset;
        } else if (status != STATUS_END && status != STATUS_NO_MEMORY) {
            status = pass_damage(walking, &offset, &good_end);
        }
    }
    walking->result->tail_bytes =
        walking->reader.limit_bytes > good_end ? walking->reader.limit_bytes - good_end : 0;
    return status == STATUS_END ? STATUS_OK : status;
}

enum status salvage_segment_walk(const struct salvage_segment *segment,
                                 const struct salvage_segment_callbacks *callbacks,
                                 struct salvage_segment_result *result_out, struct error *error) {
    struct walking walking = {.callbacks = callbacks,
                              .result = result_out,
                              .found = {.cap = SIZE_MAX / 2},
                              .error = error};
    char path[ENV_PATH_MAX];
    enum status status = file_path_make(segment->dir, FILE_SEGMENT, segment->number, path);

    *result_out = (struct salvage_segment_result){0};
    log_reader_init(&walking.reader);
    walking.group = memory_alloc(sizeof *walking.group);
    if (!walking.group) {
        status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        status = log_reader_open(&walking.reader, segment->env, path, segment->number,
                                 segment->store_id, segment->limit_bytes, error);
    }
    if (status == STATUS_OK && walking.reader.state == LOG_READER_TORN) {
        status = adopt_kind(&walking);
    }
    if (status == STATUS_OK && walking.reader.state != LOG_READER_EMPTY) {
        result_out->kind =
            walking.reader.state == LOG_READER_OTHER ? walking.reader.header.kind : SEGMENT_COMMIT;
        status = walk_groups(&walking);
    }
    log_reader_deinit(&walking.reader);
    buffer_deinit(&walking.found);
    memory_free(walking.group);
    return status;
}
