/* gc_walk.c: see gc_walk.h. */
#include "storage/gc_walk.h"

#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/ikey.h"
#include "storage/log_reader.h"
#include "storage/relocation_format.h"

/* A walk under way. */
struct walking {
    const struct gc_walk *walk;
    gc_record_cb record_cb;
    void *arg;
    struct log_reader reader;
    struct log_group *group; /* owned */
    uint8_t *row;            /* owned; ROW_BYTES_MAX */
};

static enum status damaged(const struct walking *walking, uint64_t offset, const char *what,
                           struct error *error) {
    return error_set(error, STATUS_CORRUPT, 0, walking->reader.direct.path, offset, "%s", what);
}

static enum status visit(struct walking *walking, const struct batch_op *op, uint64_t version,
                         uint64_t values_offset) {
    struct gc_record record = {.version = version, .op = *op};

    record.row = slice_make(walking->row, row_store(walking->row, op->namespace_id, op->key));
    record.ref = (struct value_ref){.segment = walking->walk->segment,
                                    .offset = values_offset + op->values_offset,
                                    .raw_bytes = op->raw_bytes,
                                    .stored_bytes = op->stored_bytes,
                                    .checksum = op->checksum,
                                    .compressed = op->compressed};
    return walking->record_cb(walking->arg, &record);
}

static enum status walk_commit(struct walking *walking, const struct commit_header *commit,
                               uint64_t offset, struct error *error) {
    uint64_t values_offset = offset + COMMIT_HEADER_BYTES + commit->meta_bytes;
    struct slice meta;
    struct reader ops;
    struct batch_op op;
    uint32_t op_count = 0;
    enum status status = log_reader_meta(&walking->reader, commit, offset, &meta, error);

    if (status != STATUS_OK) {
        return status == STATUS_CORRUPT ? damaged(walking, offset, "a commit is damaged", error)
                                        : status;
    }
    ops = reader_make(meta);
    while ((status = batch_take(&ops, commit->values_bytes, &op)) == STATUS_OK) {
        op_count++;
        status = batch_op_has_value(&op) ? visit(walking, &op, commit->version, values_offset)
                                         : STATUS_OK;
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (status != STATUS_END || op_count != commit->op_count) {
        return damaged(walking, offset, "the operations of a commit are damaged", error);
    }
    return STATUS_OK;
}

#define PAGE_BYTES_MIN (RELOCATION_HEADER_BYTES + RELOCATION_ENTRY_BYTES)

/* Whether the groups end here and relocation sections begin. */
static bool sections_begin(struct walking *walking, uint64_t offset) {
    struct direct_file *direct = &walking->reader.direct;
    uint64_t left = walking->walk->length_bytes - offset;
    struct relocation_part part;
    struct slice bytes;
    size_t len;

    if (left < PAGE_BYTES_MIN ||
        direct_file_get(direct, offset, PAGE_BYTES_MIN, &bytes, NULL) != STATUS_OK) {
        return false;
    }
    len = relocation_page_maybe(bytes);
    return len > 0 && len <= left &&
           direct_file_get(direct, offset, len, &bytes, NULL) == STATUS_OK &&
           relocation_page_load(bytes, walking->reader.seed, offset, &part) == STATUS_OK;
}

static enum status walk_group(struct walking *walking, uint64_t offset, struct error *error) {
    struct log_group *group = walking->group;
    uint64_t at = offset + GROUP_HEADER_BYTES;
    enum status status = log_reader_group(&walking->reader, offset, group, error);

    if (status == STATUS_CORRUPT) {
        return sections_begin(walking, offset)
                   ? STATUS_END
                   : damaged(walking, offset, "a group of commits is damaged", error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < group->header.commit_count; i++) {
        status = walk_commit(walking, &group->commits[i], at, error);
        at += commit_bytes(&group->commits[i]);
    }
    return status;
}

static enum status walk_groups(struct walking *walking, struct error *error) {
    uint64_t offset = SEGMENT_HEADER_BYTES;
    enum status status = STATUS_OK;

    if (walking->reader.state == LOG_READER_TORN) {
        return damaged(walking, 0, "the header of a segment is damaged", error);
    }
    while (status == STATUS_OK) {
        status = walk_group(walking, offset, error);
        offset += status == STATUS_OK ? walking->group->header.group_bytes : 0;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

enum status gc_walk_records(const struct gc_walk *walk, gc_record_cb record_cb, void *arg,
                            struct error *error) {
    struct walking walking = {.walk = walk, .record_cb = record_cb, .arg = arg};
    char path[ENV_PATH_MAX];
    enum status status = file_path_make(walk->dir, FILE_SEGMENT, walk->segment, path);

    log_reader_init(&walking.reader);
    walking.group = memory_alloc(sizeof *walking.group);
    walking.row = memory_alloc(ROW_BYTES_MAX);
    if (!walking.group || !walking.row) {
        status = error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "walking a segment");
    }
    if (status == STATUS_OK) {
        status = log_reader_open(&walking.reader, walk->env, path, walk->segment, walk->store_id,
                                 walk->length_bytes, error);
        status = status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status; /* it should be there */
    }
    if (status == STATUS_OK) {
        status = walk_groups(&walking, error);
    }
    log_reader_deinit(&walking.reader);
    memory_free(walking.group);
    memory_free(walking.row);
    return status;
}
