/* store_why_space.c: every byte of the store's directory, and who keeps it.
 *
 *      segment    = records (alive, kept by a snapshot, by retention, dead) + what is around them
 *      the rest   = of unflushed segments: the log of what is in memory; of survivors: relocations;
 *                   of others: frames of live records, and what log cleaning can free
 *      table, manifest, other files: their size
 *
 * A file that the newest version does not have is kept by a reader that has not ended, or is being
 * written by a job. The sum is the sum of the sizes of the files: what is not known otherwise is
 * what is left. */
#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/space_walk.h"
#include "storage/store_state.h"

#include <inttypes.h>
#include <stdio.h>

#define HOLDER_BYTES_MAX 400

enum part {
    PART_LIVE,
    PART_DEAD,
    PART_DEAD_LOG,
    PART_FRAMES,
    PART_RELOCATIONS,
    PART_MEMORY_LOG,
    PART_TABLES,
    PART_MANIFEST,
    PART_DAMAGED,
    PART_UPLOADS,
    PART_FEED,
    PART_PENDING,
    PART_OTHER,
    PART_COUNT
};

static const char *const part_names[PART_COUNT] = {
    [PART_LIVE] = "live values in the log",
    [PART_DEAD] = "dead values, until compaction has seen them",
    [PART_DEAD_LOG] = "dead bytes of the log, until it is cleaned",
    [PART_FRAMES] = "headers and keys around values in the log",
    [PART_RELOCATIONS] = "maps of moved values",
    [PART_MEMORY_LOG] = "log of what is in memory",
    [PART_TABLES] = "tables",
    [PART_MANIFEST] = "manifest",
    [PART_DAMAGED] = "damaged segments, left by log cleaning",
    [PART_UPLOADS] = "uploads and bulk loads under way",
    [PART_FEED] = "log that is kept for the feed",
    [PART_PENDING] = "files of readers that have not ended, or of jobs under way",
    [PART_OTHER] = "other files",
};

struct why {
    struct store *store;
    struct view *view;       /* a reference */
    struct keep_rules rules; /* owned */
    struct space_walk walk;  /* owned */
    struct holder_sums sums; /* owned */
    uint64_t *pinned;        /* owned: segments of uploads, and those kept for the feed */
    size_t pinned_count;
    uint64_t replay_segment;
    uint64_t parts[PART_COUNT];
};

/* ---- Files ------------------------------------------------------------------------------------
 */

static bool find_segment(const struct version *version, uint64_t number, uint32_t *index_out) {
    for (uint32_t i = 0; i < version->segment_count; i++) {
        if (version->segments[i]->number == number) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

static bool has_table(const struct version *version, uint64_t number) {
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            if (version->levels[i].infos[j]->number == number) {
                return true;
            }
        }
    }
    return false;
}

static uint64_t relocations_in(const struct version *version, uint64_t segment) {
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < version->relocation_count; i++) {
        if (version->relocations[i].target == segment) {
            bytes += version->relocations[i].section_bytes;
        }
    }
    return bytes;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* What is around the records of a segment; the walk has counted the records themselves. */
static void take_segment(struct why *why, const struct segment_file *file, uint32_t index,
                         uint64_t size_bytes) {
    const struct segment_account *account = holders_account(&why->sums, file->number);
    uint64_t records = smaller(why->walk.segment_bytes[index], size_bytes);
    uint64_t rest = size_bytes - records;
    uint64_t maps = smaller(relocations_in(why->view->version, file->number), rest);
    uint64_t frames = account ? smaller(account->frame_bytes, rest - maps) : 0;

    if (atomic_load_explicit(&file->damaged, memory_order_acquire)) {
        why->parts[PART_DAMAGED] += rest;
    } else if (file->kind == SEGMENT_COMMIT && file->number >= why->replay_segment) {
        why->parts[PART_MEMORY_LOG] += rest;
    } else if (segment_pins_list_has(why->pinned, why->pinned_count, file->number)) {
        why->parts[file->kind == SEGMENT_COMMIT ? PART_FEED : PART_UPLOADS] += rest;
    } else {
        why->parts[PART_RELOCATIONS] += maps;
        why->parts[PART_FRAMES] += frames;
        why->parts[PART_DEAD_LOG] += rest - maps - frames;
    }
}

static void take_unknown_segment(struct why *why, uint64_t number, uint64_t size_bytes) {
    const struct version *version = why->view->version;
    bool is_newer = version->segment_count == 0 ||
                    number > version->segments[version->segment_count - 1]->number;

    if (segment_pins_list_has(why->pinned, why->pinned_count, number)) {
        why->parts[PART_UPLOADS] += size_bytes;
    } else {
        why->parts[is_newer ? PART_MEMORY_LOG : PART_PENDING] += size_bytes;
    }
}

static enum part table_part(const struct why *why, uint64_t number) {
    if (has_table(why->view->version, number)) {
        return PART_TABLES;
    }
    return segment_pins_list_has(why->pinned, why->pinned_count, number) ? PART_UPLOADS
                                                                         : PART_PENDING;
}

static enum status file_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct why *why = arg;
    enum file_kind kind;
    uint64_t number;
    uint32_t index;

    if (!file_name_parse(name, &kind, &number)) {
        why->parts[PART_OTHER] += size_bytes;
        return STATUS_OK;
    }
    switch (kind) {
    case FILE_SEGMENT:
        if (find_segment(why->view->version, number, &index)) {
            take_segment(why, why->view->version->segments[index], index, size_bytes);
        } else {
            take_unknown_segment(why, number, size_bytes);
        }
        break;
    case FILE_TABLE:
        why->parts[table_part(why, number)] += size_bytes;
        break;
    case FILE_MANIFEST:
        why->parts[PART_MANIFEST] += size_bytes;
        break;
    case FILE_LOCK:
        why->parts[PART_OTHER] += size_bytes;
        break;
    }
    return STATUS_OK;
}

/* ---- Telling ----------------------------------------------------------------------------------
 */

static void tell_snapshots(const struct why *why, store_space_cb space_cb, void *arg) {
    uint64_t now_ms = store_clock_now_ms(&why->store->clock);
    char holder[HOLDER_BYTES_MAX];

    for (size_t i = 0; i + 1 < why->rules.snapshot_count; i++) {
        struct store_snapshot_info info = {.version = why->rules.snapshots[i]};
        uint64_t version = info.version;
        if (why->walk.snapshot_bytes[i] == 0) {
            continue;
        }
        if (snapshots_next(&why->store->snapshots, version, 0, &info) && info.version == version) {
            snprintf(holder, sizeof holder,
                     "snapshot %" PRIu64 " of %s, version %" PRIu64 ", open for %" PRIu64 " s",
                     info.id, info.owner, version, (now_ms - info.opened_ms) / 1000);
        } else {
            snprintf(holder, sizeof holder, "a snapshot of version %" PRIu64 ", just closed",
                     version);
        }
        space_cb(arg, "values that a snapshot keeps", holder, why->walk.snapshot_bytes[i]);
    }
}

struct name_search {
    uint32_t id;
    char *name_out;
    size_t room;
};

static void name_cb(void *arg, struct slice name, const struct namespace_row *row) {
    const struct name_search *search = arg;

    if (row->id == search->id) {
        snprintf(search->name_out, search->room, "namespace %.*s",
                 (int)(name.len > 0 ? name.len : 9),
                 name.len > 0 ? (const char *)name.ptr : "(default)");
    }
}

static void tell_retention(const struct why *why, store_space_cb space_cb, void *arg) {
    char holder[HOLDER_BYTES_MAX];

    for (size_t i = 0; i < why->rules.namespace_count; i++) {
        struct name_search search = {why->rules.namespaces[i].namespace_id, holder, sizeof holder};
        if (why->walk.retention_bytes[i] > 0) {
            snprintf(holder, sizeof holder, "namespace number %" PRIu32, search.id);
            namespaces_each(&why->store->namespaces, name_cb, &search);
            space_cb(arg, "values that retention keeps", holder, why->walk.retention_bytes[i]);
        }
    }
}

static void tell(const struct why *why, store_space_cb space_cb, void *arg) {
    for (size_t i = 0; i < PART_COUNT; i++) {
        if (why->parts[i] > 0) {
            space_cb(arg, part_names[i], i == PART_FEED ? "feed" : "", why->parts[i]);
        }
    }
    tell_snapshots(why, space_cb, arg);
    tell_retention(why, space_cb, arg);
}

/* ---- The door ---------------------------------------------------------------------------------
 */

static enum status gather(struct why *why, struct error *error) {
    struct store *store = why->store;
    struct manifest_state state;
    struct version *version;
    uint64_t visible;
    enum status status = version_set_capture(&store->versions, &state, &version);

    if (status != STATUS_OK) {
        return status;
    }
    why->replay_segment = manifest_state_get(&state, EDIT_REPLAY_SEGMENT);
    version_unref(version);
    manifest_state_deinit(&state);
    status = version_set_kept(&store->versions, &why->pinned, &why->pinned_count);
    why->view = view_holder_take(&store->views, &store->marks, &visible);
    if (status == STATUS_OK) {
        status = snapshots_take_rules(&store->snapshots, &why->rules);
    }
    if (status == STATUS_OK) {
        status = holders_of_view(why->view, &why->sums);
    }
    if (status == STATUS_OK) {
        frame_book_apply(&store->promise.frames, &why->sums);
    }
    return status == STATUS_OK ? space_walk_run(&why->walk, why->view, &why->rules, error) : status;
}

enum status store_why_space(struct store *store, store_space_cb space_cb, void *arg,
                            struct error *error) {
    struct why why = {.store = store};
    enum status status = gather(&why, error);

    if (status == STATUS_OK) {
        why.parts[PART_LIVE] = why.walk.live_bytes;
        why.parts[PART_DEAD] = why.walk.dead_bytes;
        status = env_list(store->env, store->dir, file_cb, &why, error);
    }
    if (status == STATUS_OK) {
        tell(&why, space_cb, arg);
    }
    space_walk_deinit(&why.walk);
    holders_deinit(&why.sums);
    keep_rules_deinit(&why.rules);
    memory_free(why.pinned);
    if (why.view) {
        view_unref(why.view);
    }
    return status;
}
