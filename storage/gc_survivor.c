/* gc_survivor.c: see gc_survivor.h. */
#include "storage/gc_survivor.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/file_name.h"

#include <stdlib.h>

#define MOVES_FIRST 64
#define BATCH_KEPT_BYTES (16u * 1024) /* of each batch's buffers, between groups */

/* ---- Moves ------------------------------------------------------------------------------------
 */

void gc_moves_deinit(struct gc_moves *moves) {
    memory_free(moves->entries);
    *moves = (struct gc_moves){0};
}

enum status gc_moves_add(struct gc_moves *moves, uint64_t old_offset, uint64_t new_offset) {
    if (moves->count == moves->capacity) {
        size_t capacity = moves->capacity ? 2 * moves->capacity : MOVES_FIRST;
        struct relocation_entry *grown =
            memory_resize(moves->entries, capacity * sizeof *moves->entries);
        if (!grown) {
            return STATUS_NO_MEMORY;
        }
        moves->entries = grown;
        moves->capacity = capacity;
    }
    moves->entries[moves->count++] = (struct relocation_entry){old_offset, new_offset};
    return STATUS_OK;
}

static int order_by_old(const void *left, const void *right) {
    const struct relocation_entry *a = left;
    const struct relocation_entry *b = right;
    return (a->old_offset > b->old_offset) - (a->old_offset < b->old_offset);
}

void gc_moves_sort(struct gc_moves *moves) {
    if (moves->count > 1) {
        qsort(moves->entries, moves->count, sizeof *moves->entries, order_by_old);
    }
}

bool gc_moves_find(const struct gc_moves *moves, uint64_t old_offset, uint64_t *new_offset_out) {
    struct relocation_entry wanted = {.old_offset = old_offset};
    const struct relocation_entry *found =
        moves->count > 0
            ? bsearch(&wanted, moves->entries, moves->count, sizeof wanted, order_by_old)
            : NULL;

    if (found) {
        *new_offset_out = found->new_offset;
    }
    return found != NULL;
}

/* ---- Creating ---------------------------------------------------------------------------------
 */

/* A record of the waiting group. */
struct waiting {
    struct gc_moves *moves; /* borrowed */
    size_t move;
    uint32_t commit;
    uint64_t delta; /* in the values of its commit */
};

struct gc_survivor {
    struct env *env; /* borrowed */
    char path[ENV_PATH_MAX];
    uint64_t store_time_ms;
    struct segment_writer *writer; /* owned */
    uint64_t sequence;
    /* the waiting group */
    struct batch batches[GROUP_COMMITS_MAX];
    struct log_commit commits[GROUP_COMMITS_MAX];
    uint32_t commit_count;
    uint64_t group_bytes;
    struct waiting *waiting; /* owned */
    size_t waiting_count;
    size_t waiting_capacity;
};

enum status gc_survivor_create(const struct gc_survivor_options *options,
                               struct gc_survivor **survivor_out, struct error *error) {
    struct segment_writer_options writer = {.env = options->env,
                                            .dir = options->dir,
                                            .number = options->number,
                                            .kind = SEGMENT_SURVIVOR,
                                            .incarnation = options->incarnation,
                                            .preallocate_bytes = options->expected_bytes};
    struct gc_survivor *survivor = memory_alloc_zeroed(sizeof *survivor);
    enum status status;

    if (!survivor) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "a survivor segment");
    }
    survivor->env = options->env;
    survivor->store_time_ms = options->store_time_ms;
    for (uint32_t i = 0; i < GROUP_COMMITS_MAX; i++) {
        batch_init(&survivor->batches[i]);
    }
    memcpy(writer.store_id, options->store_id, STORE_ID_BYTES);
    status = file_path_make(options->dir, FILE_SEGMENT, options->number, survivor->path);
    if (status == STATUS_OK) {
        status = segment_writer_create(&writer, &survivor->writer, error);
    }
    if (status != STATUS_OK) {
        memory_free(survivor);
        return status;
    }
    *survivor_out = survivor;
    return STATUS_OK;
}

void gc_survivor_destroy(struct gc_survivor *survivor, bool keep) {
    if (!survivor) {
        return;
    }
    segment_writer_close(survivor->writer);
    if (!keep) {
        (void)env_remove(survivor->env, survivor->path, NULL); /* else the next open does it */
    }
    for (uint32_t i = 0; i < GROUP_COMMITS_MAX; i++) {
        batch_deinit(&survivor->batches[i]);
    }
    memory_free(survivor->waiting);
    memory_free(survivor);
}

uint64_t gc_survivor_bytes(const struct gc_survivor *survivor) {
    return segment_writer_position(survivor->writer);
}

uint64_t gc_survivor_number(const struct gc_survivor *survivor) {
    return segment_writer_number(survivor->writer);
}

/* ---- Groups -----------------------------------------------------------------------------------
 */

/* Batches of large records are not kept large. */
static void clear_batch(struct batch *batch) {
    if (batch->values.capacity + batch->meta.capacity > BATCH_KEPT_BYTES) {
        batch_deinit(batch);
        batch_init(batch);
    } else {
        batch_clear(batch);
    }
}

static void place_waiting(struct gc_survivor *survivor) {
    for (size_t i = 0; i < survivor->waiting_count; i++) {
        const struct waiting *waiting = &survivor->waiting[i];
        waiting->moves->entries[waiting->move].new_offset =
            survivor->commits[waiting->commit].values_offset + waiting->delta;
    }
    for (uint32_t i = 0; i < survivor->commit_count; i++) {
        clear_batch(&survivor->batches[i]);
    }
    survivor->waiting_count = 0;
    survivor->commit_count = 0;
    survivor->group_bytes = 0;
}

enum status gc_survivor_flush(struct gc_survivor *survivor, struct error *error) {
    struct group_info group = {.sequence = survivor->sequence + 1,
                               .store_time_ms = survivor->store_time_ms};
    enum status status;

    if (survivor->commit_count == 0) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < survivor->commit_count; i++) {
        struct batch *batch = &survivor->batches[i];
        survivor->commits[i].meta = buffer_slice(&batch->meta);
        survivor->commits[i].values = buffer_slice(&batch->values);
        survivor->commits[i].op_count = batch->op_count;
    }
    (void)segment_writer_layout(survivor->writer, survivor->commits, survivor->commit_count);
    status = segment_writer_append(survivor->writer, &group, survivor->commits,
                                   survivor->commit_count, error);
    if (status == STATUS_OK) {
        survivor->sequence++;
        place_waiting(survivor);
    }
    return status;
}

/* The commit that takes a record of this version: the last one, or a new one. */
static uint32_t commit_for(struct gc_survivor *survivor, uint64_t version) {
    uint32_t last = survivor->commit_count;

    if (last > 0 && survivor->commits[last - 1].version == version) {
        return last - 1;
    }
    ASSERT(last < GROUP_COMMITS_MAX);
    survivor->commits[last] = (struct log_commit){.version = version};
    survivor->commit_count++;
    return last;
}

static enum status wait_for_place(struct gc_survivor *survivor, const struct waiting *waiting) {
    if (survivor->waiting_count == survivor->waiting_capacity) {
        size_t capacity = survivor->waiting_capacity ? 2 * survivor->waiting_capacity : MOVES_FIRST;
        struct waiting *grown = memory_resize(survivor->waiting, capacity * sizeof *grown);
        if (!grown) {
            return STATUS_NO_MEMORY;
        }
        survivor->waiting = grown;
        survivor->waiting_capacity = capacity;
    }
    survivor->waiting[survivor->waiting_count++] = *waiting;
    return STATUS_OK;
}

static enum status add(struct gc_survivor *survivor, const struct gc_record *record,
                       struct slice stored, struct gc_moves *moves) {
    uint32_t commit = commit_for(survivor, record->version);
    struct batch *batch = &survivor->batches[commit];
    struct waiting waiting = {
        .moves = moves, .move = moves->count, .commit = commit, .delta = batch->values.len};
    size_t before = batch->meta.len + batch->values.len;
    enum status status = batch_append(batch, &record->op, stored);

    if (status == STATUS_OK) {
        survivor->group_bytes += batch->meta.len + batch->values.len - before;
        status = gc_moves_add(moves, record->ref.offset, 0);
    }
    return status == STATUS_OK ? wait_for_place(survivor, &waiting) : status;
}

enum status gc_survivor_add(struct gc_survivor *survivor, const struct gc_record *record,
                            struct slice stored, struct gc_moves *moves, struct error *error) {
    bool full = survivor->commit_count == GROUP_COMMITS_MAX ||
                survivor->group_bytes + stored.len > GC_GROUP_BYTES;
    enum status status = full ? gc_survivor_flush(survivor, error) : STATUS_OK;

    if (status != STATUS_OK) {
        return status;
    }
    status = add(survivor, record, stored, moves);
    return status == STATUS_OK
               ? status
               : error_set(error, status, 0, survivor->path, ERROR_NO_OFFSET, "adding a record");
}

/* ---- The end ----------------------------------------------------------------------------------
 */

enum status gc_survivor_section(struct gc_survivor *survivor, uint64_t home,
                                const struct relocation_entry *entries, size_t count,
                                struct version_edit *edit, struct error *error) {
    struct relocation relocation;
    enum status status;

    ASSERT(survivor->commit_count == 0); /* flushed */
    status = relocation_section_append(survivor->writer, home, entries, count, &relocation, error);
    if (status == STATUS_OK) {
        status = version_edit_add_relocation(edit, &relocation);
    }
    return status;
}

enum status gc_survivor_finish(struct gc_survivor *survivor, struct version_edit *edit,
                               struct error *error) {
    enum status status = segment_writer_seal(survivor->writer, error);

    ASSERT(survivor->commit_count == 0);
    if (status == STATUS_OK) {
        status = version_edit_add_segment(edit, gc_survivor_number(survivor), SEGMENT_SURVIVOR);
    }
    if (status == STATUS_OK) {
        status = version_edit_seal_segment(edit, gc_survivor_number(survivor),
                                           gc_survivor_bytes(survivor));
    }
    return status;
}
