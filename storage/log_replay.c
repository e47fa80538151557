/* log_replay.c: see log_replay.h, whose five steps are the five sections here. */
#include "storage/log_replay.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/log_reader.h"

#define DAMAGED                                                                                    \
    "damaged below what is known to be durable: acknowledged data is lost; nothing was changed; "  \
    "restore a backup, or salvage what is readable"

struct replay {
    const struct log_replay_options *options; /* borrowed */
    struct log_replay_segment *segments;      /* borrowed */
    size_t segment_count;
    struct log_replay_result result; /* frontier is raised as it becomes known */
    struct log_reader reader;
    struct log_group group;
    bool any_group;      /* one was walked over */
    bool damaged;        /* a bad record was met; nothing behind it counts */
    size_t damage_index; /* segment and offset of that record */
    uint64_t damage_offset;
    size_t last_index; /* last segment with groups, when any_group */
    struct error *error;
};

static void raise_frontier(struct replay *replay, struct log_position position) {
    if (log_position_compare(position, replay->result.frontier) > 0) {
        replay->result.frontier = position;
    }
}

static enum status corrupt_at(struct replay *replay, uint64_t number, uint64_t offset,
                              const char *text) {
    char path[ENV_PATH_MAX];
    if (file_path_make(replay->options->dir, FILE_SEGMENT, number, path) != STATUS_OK) {
        path[0] = '\0'; /* cannot be: it was opened by this name */
    }
    return error_set(replay->error, STATUS_CORRUPT, 0, path, offset, "%s", text);
}

/* ---- (1) walking over the headers ---- */

/* Opens a segment; one that is missing and may be is like an empty one. */
static enum status open_segment(struct replay *replay, const struct log_replay_segment *segment) {
    const struct log_replay_options *options = replay->options;
    char path[ENV_PATH_MAX];
    uint64_t limit = segment->sealed ? segment->sealed_bytes : UINT64_MAX;
    enum status status = file_path_make(options->dir, FILE_SEGMENT, segment->number, path);

    if (status != STATUS_OK) {
        return error_set(replay->error, status, 0, options->dir, ERROR_NO_OFFSET,
                         "path is too long");
    }
    status = log_reader_open(&replay->reader, options->env, path, segment->number,
                             options->store_id, limit, replay->error);
    if (status == STATUS_NOT_FOUND && segment->known) {
        return corrupt_at(replay, segment->number, ERROR_NO_OFFSET,
                          "a segment that the manifest names is missing; restore a backup");
    }
    if (status == STATUS_NOT_FOUND) {
        log_reader_close(&replay->reader);
        return STATUS_OK;
    }
    if (status == STATUS_OK && segment->sealed &&
        replay->reader.limit_bytes < segment->sealed_bytes) {
        return corrupt_at(replay, segment->number, replay->reader.limit_bytes,
                          "the segment is shorter than the manifest says; " DAMAGED);
    }
    return status;
}

static void note_damage(struct replay *replay, size_t index, uint64_t offset) {
    replay->damaged = true;
    replay->damage_index = index;
    replay->damage_offset = offset;
}

/* A valid segment header went out with the first group, when all before was durable (R3). */
static enum status check_start(struct replay *replay) {
    uint64_t start_sequence = replay->reader.header.start_sequence;

    raise_frontier(replay, (struct log_position){replay->reader.number, 0});
    if (replay->any_group && start_sequence != replay->result.last_sequence + 1) {
        const struct log_replay_segment *before = &replay->segments[replay->last_index];
        return corrupt_at(replay, before->number, before->end_bytes,
                          "groups are missing between here and the next segment; " DAMAGED);
    }
    if (start_sequence == 0 || start_sequence - 1 > replay->result.last_sequence) {
        return corrupt_at(replay, replay->reader.number, 0,
                          "groups are missing before this segment; " DAMAGED);
    }
    replay->result.last_sequence = start_sequence - 1;
    return STATUS_OK;
}

/* Walks the groups of the open segment; *end_out is where they end. Errors: CORRUPT for a bad
 * record there. */
static enum status walk_groups(struct replay *replay, size_t index, uint64_t *end_out) {
    uint64_t offset = SEGMENT_HEADER_BYTES;
    enum status status;

    for (;;) {
        struct group_header header;
        status = log_reader_group_header(&replay->reader, offset, &header, replay->error);
        if (status == STATUS_OK && header.sequence != replay->result.last_sequence + 1) {
            status = STATUS_CORRUPT;
        }
        if (status != STATUS_OK) {
            return status == STATUS_END ? STATUS_OK : status;
        }
        raise_frontier(replay, header.synced_through);
        replay->any_group = true;
        replay->last_index = index;
        replay->result.last_sequence = header.sequence;
        offset += header.group_bytes;
        *end_out = offset;
    }
}

/* ---- (2) what lies behind a bad record ---- */

struct search {
    struct replay *replay;
    uint64_t found;
};

static void found_cb(void *arg, uint64_t offset, const struct group_header *header) {
    struct search *search = arg;
    (void)offset;
    search->found++;
    raise_frontier(search->replay, header->synced_through);
}

/* Searches the open segment; *found_out is the number of groups. */
static enum status search_from(struct replay *replay, uint64_t offset, uint64_t *found_out) {
    struct search search = {.replay = replay};
    enum status status =
        log_reader_search(&replay->reader, offset, found_cb, &search, replay->error);
    *found_out = search.found;
    return status;
}

/* A segment behind the bad record: a group in it says that all before it was durable. */
static enum status search_later(struct replay *replay) {
    uint64_t found = replay->reader.state == LOG_READER_COMMITS; /* see check_start */
    enum status status = STATUS_OK;

    if (!found) {
        status = search_from(replay, 0, &found);
    }
    if (status == STATUS_OK && found > 0) {
        raise_frontier(replay, (struct log_position){replay->reader.number, 0});
    }
    return status;
}

/* A segment without a valid header. If no group of a commit segment is in it, it may be of another
 * kind, interrupted; if it was one, the sequence of the next segment tells. */
static enum status search_torn(struct replay *replay, size_t index) {
    uint64_t found = 0;
    enum status status = search_from(replay, 0, &found);

    if (status == STATUS_OK && found > 0) {
        note_damage(replay, index, 0);
    }
    return status;
}

static enum status walk_commits(struct replay *replay, size_t index) {
    struct log_replay_segment *segment = &replay->segments[index];
    uint64_t found;
    enum status status = check_start(replay);

    if (status != STATUS_OK) {
        return status;
    }
    status = walk_groups(replay, index, &segment->end_bytes);
    segment->cut_bytes = replay->reader.limit_bytes - segment->end_bytes;
    if (status == STATUS_CORRUPT) {
        uint64_t bad = segment->end_bytes ? segment->end_bytes : SEGMENT_HEADER_BYTES;
        note_damage(replay, index, bad);
        status = search_from(replay, bad, &found);
    }
    return status;
}

/* Walks one segment, the next in order. */
static enum status walk_segment(struct replay *replay, size_t index) {
    struct log_replay_segment *segment = &replay->segments[index];
    enum status status = open_segment(replay, segment);

    if (status != STATUS_OK) {
        return status;
    }
    segment->commits = replay->reader.state == LOG_READER_COMMITS;
    segment->end_bytes = 0;
    segment->cut_bytes = replay->reader.limit_bytes;
    switch (replay->reader.state) {
    case LOG_READER_EMPTY:
        return STATUS_OK;
    case LOG_READER_OTHER:
        segment->cut_bytes = 0;
        return segment->known ? corrupt_at(replay, segment->number, 0,
                                           "no commit segment, though the manifest says so")
                              : STATUS_OK;
    case LOG_READER_TORN:
        return replay->damaged ? search_later(replay) : search_torn(replay, index);
    case LOG_READER_COMMITS:
        return replay->damaged ? search_later(replay) : walk_commits(replay, index);
    }
    return STATUS_OK;
}

/* Whether the frontier lies behind where the groups of its segment, or of an earlier one, end. */
static enum status check_frontier(struct replay *replay) {
    struct log_position frontier = replay->result.frontier;

    if (replay->damaged) {
        uint64_t number = replay->segments[replay->damage_index].number;
        struct log_position bad = {number, replay->damage_offset};
        if (log_position_compare(frontier, bad) > 0) {
            return corrupt_at(replay, number, replay->damage_offset, DAMAGED);
        }
    }
    for (size_t i = 0; i < replay->segment_count; i++) {
        const struct log_replay_segment *segment = &replay->segments[i];
        if (segment->number == frontier.segment && frontier.offset > segment->end_bytes &&
            frontier.offset > SEGMENT_HEADER_BYTES) {
            return corrupt_at(replay, segment->number, segment->end_bytes,
                              "ends before what is known to be durable; " DAMAGED);
        }
    }
    return STATUS_OK;
}

static enum status walk(struct replay *replay) {
    enum status status = STATUS_OK;

    for (size_t i = 0; i < replay->segment_count && status == STATUS_OK; i++) {
        const struct log_replay_segment *segment = &replay->segments[i];
        ASSERT(i == 0 || segment->number > segment[-1].number);
        if (segment->sealed && segment->sealed_bytes > 0) {
            raise_frontier(replay, (struct log_position){segment->number, segment->sealed_bytes});
        }
        status = walk_segment(replay, i);
    }
    return status == STATUS_OK ? check_frontier(replay) : status;
}

/* ---- (3) groups that nothing vouches for ---- */

/* The log ends at `offset` of the open segment, the last with groups. Step (1) found a group there,
 * unless the frontier, where step (3) begins, is no border between groups. */
static enum status cut_at(struct replay *replay, uint64_t offset) {
    struct log_replay_segment *segment = &replay->segments[replay->last_index];
    struct group_header header;
    uint64_t end_bytes = offset == SEGMENT_HEADER_BYTES ? 0 : offset;
    enum status status;

    status = log_reader_group_header(&replay->reader, offset, &header, replay->error);
    if (status == STATUS_CORRUPT || status == STATUS_END) {
        return corrupt_at(replay, segment->number, offset,
                          "known to be durable up to here, but no group begins here");
    }
    if (status != STATUS_OK) {
        return status;
    }
    segment->cut_bytes += segment->end_bytes - end_bytes;
    segment->end_bytes = end_bytes;
    return STATUS_OK;
}

/* All groups before the last segment with groups are vouched for by that segment. */
static enum status verify_tail(struct replay *replay) {
    const struct log_replay_segment *segment = &replay->segments[replay->last_index];
    struct log_position frontier = replay->result.frontier;
    uint64_t offset = SEGMENT_HEADER_BYTES;
    enum status status;

    if (!replay->any_group || frontier.segment > segment->number) {
        return STATUS_OK;
    }
    if (frontier.segment == segment->number && frontier.offset > offset) {
        offset = frontier.offset;
    }
    status = offset < segment->end_bytes ? open_segment(replay, segment) : STATUS_OK;
    while (status == STATUS_OK && offset < segment->end_bytes) {
        status = log_reader_group(&replay->reader, offset, &replay->group, replay->error);
        if (status == STATUS_OK) {
            status = log_reader_verify_group(&replay->reader, &replay->group,
                                             replay->options->compression, replay->error);
        }
        if (status == STATUS_CORRUPT) {
            return cut_at(replay, offset);
        }
        offset += replay->group.header.group_bytes;
    }
    return status;
}

/* ---- (4) what was read becomes durable ---- */

/* What a killed process appended may be in a cache of the disk only. */
static enum status sync_segments(struct replay *replay) {
    bool any = false;

    for (size_t i = 0; i < replay->segment_count; i++) {
        const struct log_replay_segment *segment = &replay->segments[i];
        enum status status;
        if (segment->sealed || segment->end_bytes == 0) {
            continue;
        }
        status = open_segment(replay, segment);
        if (status == STATUS_OK) {
            status = env_sync(replay->reader.direct.file, replay->error);
        }
        if (status != STATUS_OK) {
            return status;
        }
        any = true;
    }
    return any ? env_sync_dir(replay->options->env, replay->options->dir, replay->error)
               : STATUS_OK;
}

/* ---- (5) handing out ---- */

static enum status check_version(struct replay *replay, uint64_t version, uint64_t offset) {
    uint64_t ceiling = replay->options->version_ceiling;

    if (version <= replay->result.last_version) {
        return corrupt_at(replay, replay->reader.number, offset, "versions do not ascend");
    }
    if (version > VERSION_MAX || (ceiling != 0 && version >= ceiling)) {
        return corrupt_at(replay, replay->reader.number, offset,
                          "a version is beyond what the manifest allows; is it an older one?");
    }
    replay->result.last_version = version;
    return STATUS_OK;
}

static enum status hand_out_commit(struct replay *replay, const struct commit_header *header,
                                   uint64_t offset) {
    struct log_replay_commit commit = {.version = header->version,
                                       .segment = replay->reader.number,
                                       .values_offset =
                                           offset + COMMIT_HEADER_BYTES + header->meta_bytes,
                                       .values_bytes = header->values_bytes,
                                       .op_count = header->op_count,
                                       .store_time_ms = replay->group.header.store_time_ms,
                                       .sequence = replay->group.header.sequence};
    enum status status = check_version(replay, header->version, offset);

    if (status != STATUS_OK) {
        return status;
    }
    status = log_reader_meta(&replay->reader, header, offset, &commit.meta, replay->error);
    if (status == STATUS_CORRUPT) {
        return corrupt_at(replay, replay->reader.number, offset, DAMAGED);
    }
    if (status == STATUS_OK) {
        status = replay->options->commit_cb(replay->options->arg, &commit, replay->error);
        replay->result.commits++;
    }
    return status;
}

static enum status hand_out_group(struct replay *replay, uint64_t offset) {
    const struct group_header *header = &replay->group.header;
    uint64_t at = offset + GROUP_HEADER_BYTES;
    enum status status = log_reader_group(&replay->reader, offset, &replay->group, replay->error);

    if (status == STATUS_CORRUPT || status == STATUS_END) {
        return corrupt_at(replay, replay->reader.number, offset, DAMAGED);
    }
    for (uint32_t i = 0; i < header->commit_count && status == STATUS_OK; i++) {
        status = hand_out_commit(replay, &replay->group.commits[i], at);
        at += commit_bytes(&replay->group.commits[i]);
    }
    replay->result.groups++;
    replay->result.last_sequence = header->sequence;
    if (header->store_time_ms > replay->result.last_store_time_ms) {
        replay->result.last_store_time_ms = header->store_time_ms;
    }
    return status;
}

static enum status hand_out(struct replay *replay) {
    enum status status = STATUS_OK;

    for (size_t i = 0; i < replay->segment_count && status == STATUS_OK; i++) {
        const struct log_replay_segment *segment = &replay->segments[i];
        uint64_t offset = SEGMENT_HEADER_BYTES;
        replay->result.cut_bytes += segment->sealed ? 0 : segment->cut_bytes;
        if (segment->end_bytes == 0) {
            continue;
        }
        status = open_segment(replay, segment);
        while (status == STATUS_OK && offset < segment->end_bytes) {
            status = hand_out_group(replay, offset);
            offset += replay->group.header.group_bytes;
        }
        replay->result.end = (struct log_position){segment->number, segment->end_bytes};
    }
    return status;
}

enum status log_replay(const struct log_replay_options *options,
                       struct log_replay_segment *segments, size_t segment_count,
                       struct log_replay_result *result_out, struct error *error) {
    struct replay *replay = memory_alloc_zeroed(sizeof *replay);
    enum status status;

    if (!replay) {
        return error_set(error, STATUS_NO_MEMORY, 0, options->dir, ERROR_NO_OFFSET, "log replay");
    }
    replay->options = options;
    replay->segments = segments;
    replay->segment_count = segment_count;
    replay->error = error;
    replay->result.frontier = options->durable;
    replay->result.last_sequence = options->last_sequence;
    log_reader_init(&replay->reader);
    status = walk(replay);
    if (status == STATUS_OK) {
        status = verify_tail(replay);
    }
    if (status == STATUS_OK) {
        status = sync_segments(replay);
    }
    replay->result.last_sequence = 0; /* a cut may have lowered it; counted anew */
    if (status == STATUS_OK) {
        status = hand_out(replay);
    }
    if (status == STATUS_OK) {
        if (replay->result.last_sequence < options->last_sequence) {
            replay->result.last_sequence = options->last_sequence;
        }
        *result_out = replay->result;
    }
    log_reader_deinit(&replay->reader);
    memory_free(replay);
    return status;
}
