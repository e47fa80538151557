/* feed_walk.c: see feed_walk.h. */
#include "storage/feed_walk.h"

#include "protocol/base/assert.h"
#include "storage/file_name.h"

/* ---- Segments ---------------------------------------------------------------------------------
 */

static bool is_walked(const struct feed_walk *walk, uint32_t index) {
    const struct segment_file *file = walk->version->segments[index];
    return file->kind == SEGMENT_COMMIT && file->number <= walk->end.durable.segment;
}

static enum status corrupt(const struct feed_walk *walk, uint64_t offset, const char *text,
                           struct error *error) {
    return error_set(error, STATUS_CORRUPT, 0, walk->reader.direct.path, offset, "%s", text);
}

/* Opens the segment at `index`. Errors: END (there is no group in it yet). */
static enum status open_segment(struct feed_walk *walk, uint32_t index, struct error *error) {
    const struct segment_file *file = walk->version->segments[index];
    uint64_t limit = atomic_load_explicit(&file->length_bytes, memory_order_acquire);
    char path[ENV_PATH_MAX];
    enum status status = file_path_make(walk->log->dir, FILE_SEGMENT, file->number, path);

    if (file->number == walk->end.durable.segment) {
        limit = walk->end.durable.offset;
    }
    if (status == STATUS_OK) {
        status = log_reader_open(&walk->reader, walk->log->env, path, file->number,
                                 walk->log->store_id, limit, error);
    }
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND
                   ? error_set(error, STATUS_CORRUPT, 0, path, ERROR_NO_OFFSET,
                               "a segment of the log is missing")
                   : status;
    }
    if (walk->reader.limit_bytes < limit) {
        return corrupt(walk, walk->reader.limit_bytes, "the segment is shorter than it was", error);
    }
    if (walk->reader.state == LOG_READER_EMPTY) {
        return STATUS_END;
    }
    return walk->reader.state == LOG_READER_COMMITS
               ? STATUS_OK
               : corrupt(walk, 0, "no header of a commit segment", error);
}

/* The mark at the start of a segment: the version before its first commit. Another segment may be
 * open after it. Errors: END (there is no commit in it). */
static enum status start_of(struct feed_walk *walk, uint32_t index, struct feed_mark *start_out,
                            struct error *error) {
    struct feed_mark start = {.segment = walk->version->segments[index]->number,
                              .offset = SEGMENT_HEADER_BYTES};
    struct group_header header = {.first_version = 0};
    uint64_t offset = SEGMENT_HEADER_BYTES;
    enum status status;

    if (feed_marks_start(&walk->log->marks, start.segment, start_out)) {
        return STATUS_OK;
    }
    status = open_segment(walk, index, error);
    while (status == STATUS_OK && header.first_version == 0) {
        status = log_reader_group_header(&walk->reader, offset, &header, error);
        offset += status == STATUS_OK ? header.group_bytes : 0;
        if (status == STATUS_CORRUPT) {
            return corrupt(walk, offset, "no whole group where one was written", error);
        }
    }
    if (status == STATUS_OK) {
        start.version = header.first_version - 1;
        feed_marks_note(&walk->log->marks, &start);
        *start_out = start;
    }
    return status;
}

/* Takes up the segment at `index` at a mark. */
static enum status enter(struct feed_walk *walk, uint32_t index, const struct feed_mark *mark,
                         struct error *error) {
    enum status status = open_segment(walk, index, error);

    walk->segment_index = index;
    walk->offset = mark->offset;
    walk->passed = mark->version;
    walk->sequence = mark->sequence;
    walk->in_group = false;
    if (status == STATUS_OK && mark->sequence == 0) {
        walk->sequence = walk->reader.header.start_sequence - 1;
    }
    return status;
}

/* Whether nothing is missing between `at` and the open segment, the first one there is behind it,
 * though no group says so. */
static bool follows(const struct feed_walk *walk) {
    return walk->reader.header.start_sequence == 1 ||
           (walk->reader.number == walk->log->opened_segment &&
            walk->at >= walk->log->opened_after);
}

/* ---- Where to begin ---------------------------------------------------------------------------
 */

/* Commits up to `gap_to` are not there, if they ever were. Errors: GONE if `at` is below. */
static enum status tell_gap(struct feed_walk *walk, uint64_t gap_to) {
    walk->gap_to = gap_to;
    return gap_to > walk->at ? STATUS_GONE : STATUS_OK;
}

/* There is no commit between `at` and the end, where the log goes on in a segment without any: what
 * was committed until then is missing. Errors: GONE, else END. */
static enum status end_without_any(struct feed_walk *walk) {
    bool any_since_open = walk->end.version > walk->log->opened_at;
    enum status status =
        tell_gap(walk, any_since_open ? walk->end.version : walk->log->opened_after);

    return status == STATUS_OK ? STATUS_END : status;
}

/* All commits of the log are behind `at`; the first stands in the segment of `start`. */
static enum status begin_at_first(struct feed_walk *walk, uint32_t index,
                                  const struct feed_mark *start, struct error *error) {
    enum status status = enter(walk, index, start, error);

    if (status == STATUS_OK && !follows(walk)) {
        status = tell_gap(walk, start->version);
    }
    return status;
}

/* The last segment that has nothing above `at` before it is the one to begin in. */
static enum status begin(struct feed_walk *walk, struct error *error) {
    struct feed_mark start;
    struct feed_mark first;
    uint32_t first_index = UINT32_MAX;

    for (uint32_t i = walk->version->segment_count; i > 0; i--) {
        enum status status =
            is_walked(walk, i - 1) ? start_of(walk, i - 1, &start, error) : STATUS_END;
        if (status == STATUS_OK && start.version <= walk->at) {
            (void)feed_marks_find(&walk->log->marks, start.segment, walk->at, &start);
            return enter(walk, i - 1, &start, error);
        }
        if (status == STATUS_OK) {
            first_index = i - 1;
            first = start;
        } else if (status != STATUS_END) {
            return status;
        }
    }
    return first_index == UINT32_MAX ? end_without_any(walk)
                                     : begin_at_first(walk, first_index, &first, error);
}

enum status feed_walk_init(struct feed_walk *walk, struct feed_log *log,
                           const struct version *version, const struct feed_end *end,
                           uint64_t after, struct error *error) {
    walk->log = log;
    walk->version = version;
    walk->end = *end;
    walk->segment_index = 0;
    walk->offset = 0;
    walk->sequence = 0;
    walk->passed = 0;
    walk->at = after;
    walk->in_group = false;
    walk->looked_bytes = 0;
    walk->gap_to = 0;
    log_reader_init(&walk->reader);
    walk->reader.direct.cached = true;
    if (version->segment_count > 0) {
        feed_marks_drop_below(&log->marks, version->segments[0]->number);
    }
    return begin(walk, error);
}

static struct feed_mark mark_here(const struct feed_walk *walk) {
    return (struct feed_mark){.segment = walk->version->segments[walk->segment_index]->number,
                              .offset = walk->offset,
                              .version = walk->passed,
                              .sequence = walk->sequence};
}

void feed_walk_deinit(struct feed_walk *walk) {
    struct feed_mark mark;

    if (walk->offset > SEGMENT_HEADER_BYTES) {
        mark = mark_here(walk);
        feed_marks_note_page(&walk->log->marks, &mark);
    }
    log_reader_deinit(&walk->reader);
}

/* ---- On and on --------------------------------------------------------------------------------
 */

/* Goes over to the next segment that has a group. Errors: END (there is none), GONE. */
static enum status next_segment(struct feed_walk *walk, struct error *error) {
    struct feed_mark start = {.offset = SEGMENT_HEADER_BYTES, .version = walk->passed};
    uint64_t sequence = walk->sequence;
    bool is_at_end =
        walk->version->segments[walk->segment_index]->number == walk->end.durable.segment;
    enum status status = STATUS_END;

    for (uint32_t i = walk->segment_index + 1;
         i < walk->version->segment_count && status == STATUS_END; i++) {
        if (is_walked(walk, i)) {
            status = enter(walk, i, &start, error);
        }
    }
    if (status == STATUS_END) {
        return is_at_end ? status : end_without_any(walk);
    }
    if (status != STATUS_OK || walk->sequence == sequence || follows(walk)) {
        return status;
    }
    for (uint32_t i = walk->segment_index; i < walk->version->segment_count; i++) {
        status = is_walked(walk, i) ? start_of(walk, i, &start, error) : STATUS_END;
        if (status == STATUS_OK) {
            status = tell_gap(walk, start.version);
            return status == STATUS_OK ? enter(walk, i, &start, error) : status;
        }
        if (status != STATUS_END) {
            return status;
        }
    }
    return end_without_any(walk);
}

/* Loads the next group. Errors: END, GONE. */
static enum status next_group(struct feed_walk *walk, struct error *error) {
    enum status status = log_reader_group(&walk->reader, walk->offset, &walk->group, error);

    while (status == STATUS_END) {
        status = next_segment(walk, error);
        if (status != STATUS_OK) {
            return status;
        }
        status = log_reader_group(&walk->reader, walk->offset, &walk->group, error);
    }
    if (status == STATUS_CORRUPT ||
        (status == STATUS_OK && walk->group.header.sequence != walk->sequence + 1)) {
        return corrupt(walk, walk->offset, "no whole group where one was written", error);
    }
    walk->in_group = status == STATUS_OK;
    walk->commit_index = 0;
    walk->commit_offset = walk->offset + GROUP_HEADER_BYTES;
    walk->looked_bytes += GROUP_HEADER_BYTES;
    return status;
}

static void leave_group(struct feed_walk *walk) {
    const struct group_header *header = &walk->group.header;
    struct feed_mark mark;

    if (header->commit_count > 0) {
        walk->passed = walk->group.commits[header->commit_count - 1].version;
    }
    walk->offset += header->group_bytes;
    walk->sequence = header->sequence;
    walk->in_group = false;
    mark = mark_here(walk);
    feed_marks_note(&walk->log->marks, &mark);
}

/* The next commit of the group at hand. Errors: END. */
static enum status next_of_group(struct feed_walk *walk, struct feed_commit *commit_out,
                                 struct error *error) {
    while (walk->in_group && walk->commit_index < walk->group.header.commit_count) {
        const struct commit_header *commit = &walk->group.commits[walk->commit_index++];
        uint64_t offset = walk->commit_offset;
        enum status status;

        walk->commit_offset += commit_bytes(commit);
        walk->looked_bytes += COMMIT_HEADER_BYTES;
        if (commit->version <= walk->at) {
            continue;
        }
        walk->looked_bytes += commit->meta_bytes;
        *commit_out =
            (struct feed_commit){.version = commit->version,
                                 .time_ms = walk->group.header.store_time_ms,
                                 .segment = walk->reader.number,
                                 .values_offset = offset + COMMIT_HEADER_BYTES + commit->meta_bytes,
                                 .values_bytes = commit->values_bytes};
        status = log_reader_meta(&walk->reader, commit, offset, &commit_out->meta, error);
        if (status == STATUS_CORRUPT) {
            return corrupt(walk, offset, "a commit that fails its checksum", error);
        }
        walk->at = commit->version;
        return status;
    }
    return STATUS_END;
}

enum status feed_walk_next(struct feed_walk *walk, struct feed_commit *commit_out,
                           struct error *error) {
    enum status status = next_of_group(walk, commit_out, error);

    while (status == STATUS_END) {
        if (walk->in_group) {
            leave_group(walk);
        }
        status = next_group(walk, error);
        if (status != STATUS_OK) {
            return status;
        }
        status = next_of_group(walk, commit_out, error);
    }
    return status;
}
