/* segment_writer.c: see segment_writer.h. */
#include "storage/segment_writer.h"

#include "protocol/base/assert.h"
#include "protocol/base/buffer.h"
#include "protocol/base/memory.h"
#include "storage/file_name.h"

#include <stdatomic.h>

/* A meta or values area of at least so many bytes is handed to the kernel as it is; copying less
 * costs about what one more entry in the list of a vectored write does. */
#define STAGE_BYTES_MAX 4096u

/* Per commit: its header (with what was staged before it), its meta, its values. */
#define SLICES_MAX (3 * GROUP_COMMITS_MAX + 2)

#define STAGING_BYTES_MAX                                                                          \
    (SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES +                                                   \
     GROUP_COMMITS_MAX * (COMMIT_HEADER_BYTES + 2 * STAGE_BYTES_MAX))

_Static_assert(SLICES_MAX <= ENV_APPEND_SLICES_MAX, "a group is one append");

struct segment_writer {
    /* constant after create */
    struct env_file *file; /* owned */
    uint64_t number;
    uint64_t preallocate_bytes;
    struct segment_header header; /* but start_sequence, known with the first group */
    uint64_t seed;
    /* owned by the appending thread */
    uint64_t reserved_bytes; /* file length up to which space is reserved */
    bool sealed;
    bool has_section; /* no group may follow */
    struct buffer staging;
    struct slice slices[SLICES_MAX];
    size_t slice_count;
    /* atomic: position: release after append, acquire of a reader who will sync or read up to it;
     * failed: relaxed, a late reader only tries in vain */
    _Atomic uint64_t position;
    _Atomic bool failed;
};

/* Whatever the environment called it, an append or sync that failed is an I/O error for good. */
static enum status fail_for_good(struct segment_writer *writer, struct error *error) {
    atomic_store_explicit(&writer->failed, true, memory_order_relaxed);
    if (error) {
        error->status = STATUS_IO;
    }
    return STATUS_IO;
}

static enum status refuse_failed(const struct segment_writer *writer, struct error *error) {
    if (!atomic_load_explicit(&writer->failed, memory_order_relaxed)) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_LOG_FAILED, 0, NULL, ERROR_NO_OFFSET,
                     "an earlier append or sync of segment %llu failed",
                     (unsigned long long)writer->number);
}

/* ---- create, close ---- */

/* Takes a writer whose file could not be made ready out of the world again. */
static void discard(struct segment_writer *writer, struct env *env, const char *path) {
    (void)env_remove(env, path, NULL); /* what is left is empty, and no manifest names it */
    segment_writer_close(writer);
}

enum status segment_writer_create(const struct segment_writer_options *options,
                                  struct segment_writer **writer_out, struct error *error) {
    char path[ENV_PATH_MAX];
    struct segment_writer *writer;
    enum status status = file_path_make(options->dir, FILE_SEGMENT, options->number, path);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, options->dir, ERROR_NO_OFFSET, "path is too long");
    }
    writer = memory_alloc_zeroed(sizeof *writer);
    if (!writer) {
        return error_set(error, STATUS_NO_MEMORY, 0, path, ERROR_NO_OFFSET, "segment writer");
    }
    writer->number = options->number;
    writer->preallocate_bytes = options->preallocate_bytes;
    writer->header = (struct segment_header){
        .kind = options->kind, .number = options->number, .incarnation = options->incarnation};
    memcpy(writer->header.store_id, options->store_id, STORE_ID_BYTES);
    writer->seed = segment_seed(options->store_id, options->number);
    buffer_init(&writer->staging, STAGING_BYTES_MAX);
    status = env_create(options->env, path, &writer->file, error);
    if (status != STATUS_OK) {
        segment_writer_close(writer);
        return status;
    }
    status = segment_writer_reserve(writer, 0, error);
    if (status == STATUS_OK) {
        status = env_sync_dir(options->env, options->dir, error);
    }
    if (status != STATUS_OK) {
        discard(writer, options->env, path);
        return status;
    }
    *writer_out = writer;
    return STATUS_OK;
}

void segment_writer_close(struct segment_writer *writer) {
    if (!writer) {
        return;
    }
    if (writer->file) {
        (void)env_file_close(writer->file, NULL); /* what counts was synced before */
    }
    buffer_deinit(&writer->staging);
    memory_free(writer);
}

uint64_t segment_writer_position(const struct segment_writer *writer) {
    return atomic_load_explicit(&writer->position, memory_order_acquire);
}

uint64_t segment_writer_number(const struct segment_writer *writer) {
    return writer->number;
}

uint64_t segment_writer_seed(const struct segment_writer *writer) {
    return writer->seed;
}

/* ---- layout and space ---- */

/* Where the next group begins: behind the segment header, which goes out with the first. */
static uint64_t group_offset(const struct segment_writer *writer) {
    uint64_t position = segment_writer_position(writer);
    return position == 0 ? SEGMENT_HEADER_BYTES : position;
}

uint64_t segment_writer_layout(const struct segment_writer *writer, struct log_commit *commits,
                               size_t commit_count) {
    uint64_t start = group_offset(writer);
    uint64_t offset = start + GROUP_HEADER_BYTES;

    ASSERT(commit_count <= GROUP_COMMITS_MAX);
    for (size_t i = 0; i < commit_count; i++) {
        ASSERT(commits[i].meta.len <= COMMIT_BYTES_MAX);
        ASSERT(commits[i].values.len <= COMMIT_BYTES_MAX);
        commits[i].values_offset = offset + COMMIT_HEADER_BYTES + commits[i].meta.len;
        offset = commits[i].values_offset + commits[i].values.len;
    }
    ASSERT(offset - start <= GROUP_BYTES_MAX);
    return offset - segment_writer_position(writer);
}

/* Memory for what of the next `bytes` is copied together, so that their append needs none. */
static enum status reserve_staging(struct segment_writer *writer, uint64_t bytes) {
    uint64_t staged = SEGMENT_HEADER_BYTES + bytes;

    buffer_clear(&writer->staging); /* the last group is written */
    return buffer_reserve(&writer->staging,
                          staged < STAGING_BYTES_MAX ? (size_t)staged : STAGING_BYTES_MAX);
}

enum status segment_writer_reserve(struct segment_writer *writer, uint64_t bytes,
                                   struct error *error) {
    uint64_t needed = segment_writer_position(writer) + bytes;
    uint64_t wanted = writer->reserved_bytes + writer->preallocate_bytes;
    enum status status = reserve_staging(writer, bytes);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "staging of a commit group");
    }
    if (needed <= writer->reserved_bytes && writer->reserved_bytes > 0) {
        return STATUS_OK;
    }
    wanted = wanted > needed ? wanted : needed;
    status = env_preallocate(writer->file, wanted, error);
    if (status == STATUS_NO_SPACE && wanted > needed && needed > 0) {
        wanted = needed; /* no room for a whole step; perhaps for this group */
        status = env_preallocate(writer->file, wanted, error);
    }
    if (status == STATUS_UNSUPPORTED) {
        status = STATUS_OK; /* nothing can be reserved here; a full disk will fail the log */
    }
    if (status == STATUS_OK) {
        writer->reserved_bytes = wanted;
    }
    return status;
}

/* ---- append ---- */

/* Adds bytes that already lie in staging, joined to the slice before where they follow it. */
static void add_staged(struct segment_writer *writer, const uint8_t *ptr, size_t len) {
    struct slice *last = writer->slice_count ? &writer->slices[writer->slice_count - 1] : NULL;

    if (last && last->ptr + last->len == ptr) {
        last->len += len;
        return;
    }
    ASSERT(writer->slice_count < SLICES_MAX);
    writer->slices[writer->slice_count++] = slice_make(ptr, len);
}

static uint8_t *stage(struct segment_writer *writer, size_t len) {
    uint8_t *ptr = writer->staging.data + writer->staging.len;
    ASSERT(len <= writer->staging.capacity - writer->staging.len); /* reserved by assemble */
    writer->staging.len += len;
    add_staged(writer, ptr, len);
    return ptr;
}

static void add_area(struct segment_writer *writer, struct slice area) {
    if (area.len == 0) {
        return;
    }
    if (area.len < STAGE_BYTES_MAX) {
        memcpy(stage(writer, area.len), area.ptr, area.len);
        return;
    }
    ASSERT(writer->slice_count < SLICES_MAX);
    writer->slices[writer->slice_count++] = area;
}

static size_t staging_bytes(const struct log_commit *commits, size_t commit_count) {
    size_t bytes = SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES + commit_count * COMMIT_HEADER_BYTES;
    for (size_t i = 0; i < commit_count; i++) {
        bytes += commits[i].meta.len < STAGE_BYTES_MAX ? commits[i].meta.len : 0;
        bytes += commits[i].values.len < STAGE_BYTES_MAX ? commits[i].values.len : 0;
    }
    return bytes;
}

/* Adds all commits; returns the sum over their headers. `offset` is where the first begins. */
static uint64_t assemble_commits(struct segment_writer *writer, const struct log_commit *commits,
                                 size_t commit_count, uint64_t offset) {
    uint64_t sum = 0;

    for (size_t i = 0; i < commit_count; i++) {
        const struct log_commit *commit = &commits[i];
        struct commit_header header = {.meta_bytes = (uint32_t)commit->meta.len,
                                       .op_count = commit->op_count,
                                       .values_bytes = commit->values.len,
                                       .version = commit->version};
        uint8_t *ptr = stage(writer, COMMIT_HEADER_BYTES);
        ASSERT(commit->values_offset == offset + COMMIT_HEADER_BYTES + commit->meta.len);
        ASSERT(i == 0 || writer->header.kind != SEGMENT_COMMIT ||
               commit->version > commits[i - 1].version);
        commit_header_store(ptr, &header, commit->meta, writer->seed, offset);
        sum = commits_checksum_add(sum, slice_make(ptr, COMMIT_HEADER_BYTES));
        add_area(writer, commit->meta);
        add_area(writer, commit->values);
        offset = commit->values_offset + commit->values.len;
    }
    return sum;
}

/* Makes the list of slices for one group. Errors: NO_MEMORY. */
static enum status assemble(struct segment_writer *writer, const struct group_info *group,
                            const struct log_commit *commits, size_t commit_count, uint64_t bytes) {
    bool first = segment_writer_position(writer) == 0;
    uint64_t offset = group_offset(writer);
    struct group_header header = {.kind = writer->header.kind,
                                  .incarnation = writer->header.incarnation,
                                  .sequence = group->sequence,
                                  .group_bytes = bytes - (first ? SEGMENT_HEADER_BYTES : 0),
                                  .commit_count = (uint32_t)commit_count,
                                  .first_version = commit_count ? commits[0].version : 0,
                                  .synced_through = group->synced_through,
                                  .store_time_ms = group->store_time_ms};
    uint8_t *ptr;
    enum status status;

    buffer_clear(&writer->staging);
    writer->slice_count = 0;
    status = buffer_reserve(&writer->staging, staging_bytes(commits, commit_count));
    if (status != STATUS_OK) {
        return status;
    }
    if (first) {
        writer->header.start_sequence = group->sequence;
        segment_header_store(stage(writer, SEGMENT_HEADER_BYTES), &writer->header);
    }
    ptr = stage(writer, GROUP_HEADER_BYTES);
    header.commits_checksum =
        assemble_commits(writer, commits, commit_count, offset + GROUP_HEADER_BYTES);
    group_header_store(ptr, &header, writer->seed, offset);
    return STATUS_OK;
}

/* By how much the layout given in `commits` makes the segment grow. */
static uint64_t laid_out_bytes(const struct segment_writer *writer,
                               const struct log_commit *commits, size_t commit_count) {
    const struct log_commit *last;

    if (commit_count == 0) {
        return group_offset(writer) + GROUP_HEADER_BYTES - segment_writer_position(writer);
    }
    last = &commits[commit_count - 1];
    return last->values_offset + last->values.len - segment_writer_position(writer);
}

enum status segment_writer_append(struct segment_writer *writer, const struct group_info *group,
                                  const struct log_commit *commits, size_t commit_count,
                                  struct error *error) {
    uint64_t bytes = laid_out_bytes(writer, commits, commit_count);
    enum status status = refuse_failed(writer, error);

    ASSERT(!writer->sealed);
    ASSERT(!writer->has_section);
    ASSERT(commit_count <= GROUP_COMMITS_MAX);
    if (status == STATUS_OK) {
        status = segment_writer_reserve(writer, bytes, error);
    }
    if (status == STATUS_OK) {
        status = assemble(writer, group, commits, commit_count, bytes);
        if (status != STATUS_OK) {
            error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "staging of a commit group");
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = env_append(writer->file, writer->slices, writer->slice_count, error);
    if (status != STATUS_OK) {
        return fail_for_good(writer, error);
    }
    atomic_store_explicit(&writer->position, segment_writer_position(writer) + bytes,
                          memory_order_release);
    return STATUS_OK;
}

enum status segment_writer_append_section(struct segment_writer *writer, struct slice bytes,
                                          struct error *error) {
    enum status status = refuse_failed(writer, error);

    ASSERT(!writer->sealed);
    ASSERT(segment_writer_position(writer) > 0);
    if (status == STATUS_OK) {
        status = segment_writer_reserve(writer, bytes.len, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    writer->has_section = true;
    status = env_append(writer->file, &bytes, 1, error);
    if (status != STATUS_OK) {
        return fail_for_good(writer, error);
    }
    atomic_store_explicit(&writer->position, segment_writer_position(writer) + bytes.len,
                          memory_order_release);
    return STATUS_OK;
}

/* ---- sync, seal ---- */

enum status segment_writer_sync(struct segment_writer *writer, struct error *error) {
    enum status status = refuse_failed(writer, error);

    if (status == STATUS_OK) {
        status = env_sync(writer->file, error);
        if (status != STATUS_OK) {
            return fail_for_good(writer, error);
        }
    }
    return status;
}

enum status segment_writer_seal(struct segment_writer *writer, struct error *error) {
    enum status status = segment_writer_sync(writer, error);

    ASSERT(!writer->sealed);
    if (status == STATUS_OK) {
        writer->sealed = true;
        (void)env_finish(writer->file, NULL); /* only reserved space is at stake; all is synced */
    }
    return status;
}
