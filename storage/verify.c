/* verify.c: see verify.h. */
#include "storage/verify.h"

#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/gc_walk.h"
#include "storage/ikey.h"
#include "storage/large_value.h"
#include "storage/relocation.h"
#include "storage/table_collector.h"

#include <inttypes.h>
#include <stdio.h>

#define TEXT_BYTES_MAX (ERROR_PATH_MAX + ERROR_TEXT_MAX + 128)

void verify_init(struct verify *verify) {
    verify->result = (struct store_verify_result){0};
    buffer_init(&verify->value, VALUE_BYTES_MAX);
    buffer_init(&verify->scratch, VALUE_BYTES_MAX + EXTENT_SCRATCH_BYTES);
}

void verify_deinit(struct verify *verify) {
    buffer_deinit(&verify->value);
    buffer_deinit(&verify->scratch);
}

void verify_fault(struct verify *verify, const char *name, const char *text) {
    verify->result.faults++;
    verify->report_cb(verify->arg, name, text);
}

/* A failure of reading: a fault of the store, unless it is ours. */
static enum status judge(struct verify *verify, const char *name, enum status status,
                         struct error *error) {
    char text[TEXT_BYTES_MAX];

    if (status == STATUS_OK || status == STATUS_NO_MEMORY || status == STATUS_CANCELLED) {
        return status;
    }
    error->status = status;
    error_format(error, text, (int)sizeof text);
    verify_fault(verify, name, text);
    return STATUS_OK;
}

static bool is_set(const _Atomic bool *flag) {
    return flag && atomic_load_explicit(flag, memory_order_relaxed);
}

static bool is_cancelled(const struct verify *verify) {
    return is_set(verify->cancel) || is_set(verify->stopping);
}

static void file_fault(struct verify *verify, enum file_kind kind, uint64_t number,
                       const char *text) {
    char name[FILE_NAME_BYTES_MAX];

    file_name_make(kind, number, name);
    verify_fault(verify, name, text);
}

/* ---- Values -----------------------------------------------------------------------------------
 */

static enum status verify_extents(struct verify *verify, const struct entry *entry,
                                  struct error *error) {
    const struct large_value_source source = {.version = verify->version,
                                              .compression = verify->compression,
                                              .scratch = &verify->scratch,
                                              .wait = READ_WAIT_ALLOWED};
    struct slice extents = entry->extents;
    struct value_ref extent;
    uint64_t bytes = 0;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && entry_extent_next(&extents, &extent)) {
        if (is_cancelled(verify)) {
            return STATUS_CANCELLED;
        }
        status = large_value_verify_extent(&source, &extent, error);
        bytes += extent.raw_bytes;
        verify->result.values++;
        verify->result.bytes += extent.stored_bytes;
    }
    if (status == STATUS_OK && bytes != entry->large_bytes) {
        return error_set(error, STATUS_CORRUPT, 0, NULL, ERROR_NO_OFFSET,
                         "the extents of a large value have %" PRIu64 " bytes, not %" PRIu64, bytes,
                         entry->large_bytes);
    }
    return status;
}

static enum status verify_reference(struct verify *verify, const struct value_ref *ref,
                                    struct error *error) {
    uint8_t *room;
    enum status status;

    buffer_clear(&verify->value);
    status = buffer_extend(&verify->value, ref->raw_bytes, &room);
    if (status == STATUS_OK) {
        status = value_reader_read(verify->version, ref, READ_WAIT_ALLOWED, room, &verify->scratch,
                                   error);
    }
    verify->result.values++;
    verify->result.bytes += ref->stored_bytes;
    return status;
}

static enum status verify_value(struct verify *verify, const char *name, struct slice entry_bytes) {
    struct error error = {0};
    struct entry entry;
    enum status status = entry_load(entry_bytes, &entry);

    if (status != STATUS_OK) {
        verify_fault(verify, name, "an entry is not well formed");
        return STATUS_OK;
    }
    if (entry.kind == ENTRY_REFERENCE) {
        status = verify_reference(verify, &entry.ref, &error);
    } else if (entry.kind == ENTRY_LARGE) {
        status = verify_extents(verify, &entry, &error);
    }
    return judge(verify, name, status, &error);
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

static bool same_shares(const struct table_info *a, const struct table_info *b) {
    for (uint32_t i = 0; i < a->share_count && a->share_count == b->share_count; i++) {
        const struct segment_share *left = &a->shares[i];
        const struct segment_share *right = &b->shares[i];
        if (left->segment != right->segment || left->records != right->records ||
            left->bytes != right->bytes || left->alias_records != right->alias_records ||
            left->alias_bytes != right->alias_bytes) {
            return false;
        }
    }
    return a->share_count == b->share_count;
}

static bool same_usages(const struct table_info *a, const struct table_info *b) {
    for (uint32_t i = 0; i < a->usage_count; i++) {
        const struct namespace_usage *left = &a->usages[i];
        const struct namespace_usage *right = &b->usages[i];
        if (left->namespace_id != right->namespace_id || left->entries != right->entries ||
            left->tombstones != right->tombstones || left->table_bytes != right->table_bytes ||
            left->log_bytes != right->log_bytes) {
            return false;
        }
    }
    return true;
}

/* What the manifest says of a table, against a recount. */
static void compare_books(struct verify *verify, const char *name, const struct table_info *kept,
                          const struct table_info *counted) {
    if (kept->entries != counted->entries || kept->tombstones != counted->tombstones) {
        verify_fault(verify, name, "the manifest counts other entries than are there");
    }
    if (!slice_equal(kept->smallest, counted->smallest) ||
        !slice_equal(kept->largest, counted->largest)) {
        verify_fault(verify, name, "the manifest knows other first and last keys");
    }
    if (kept->version_min != counted->version_min || kept->version_max != counted->version_max ||
        kept->expiring != counted->expiring || kept->expiry_max_ms != counted->expiry_max_ms) {
        verify_fault(verify, name, "the manifest knows other versions or expiries");
    }
    if (kept->log_bytes != counted->log_bytes || !same_shares(kept, counted)) {
        verify_fault(verify, name, "the account of segments differs from a recount");
    }
    if (kept->usage_count > 0 && /* else it is unknown */
        (kept->usage_count != counted->usage_count || !same_usages(kept, counted))) {
        verify_fault(verify, name, "the account of namespaces differs from a recount");
    }
    if (kept->usage_count > 0 && /* likewise */
        table_info_hidden_weight(kept) != table_info_hidden_weight(counted)) {
        verify_fault(verify, name, "the account of hidden entries differs from a recount");
    }
}

static enum status walk_entries(struct verify *verify, const char *name, struct iterator *iter,
                                struct table_collector *books) {
    enum status status = iterator_seek_first(iter);

    while (status == STATUS_OK) {
        struct slice last = table_collector_last_key(books);
        if (is_cancelled(verify)) {
            return STATUS_CANCELLED;
        }
        if (!ikey_is_valid(iter->key) || (last.len > 0 && ikey_compare(last, iter->key) >= 0)) {
            verify_fault(verify, name, "keys do not ascend");
            return STATUS_OK;
        }
        status = table_collector_add(books, iter->key, iter->entry);
        if (status == STATUS_CORRUPT) {
            verify_fault(verify, name, "an entry is not well formed");
            return STATUS_OK;
        }
        if (status == STATUS_OK) {
            verify->result.entries++;
            status = verify_value(verify, name, iter->entry);
        }
        if (status == STATUS_OK) {
            status = iterator_next(iter);
        }
    }
    return status;
}

static enum status verify_entries(struct verify *verify, const char *name,
                                  const struct table *table, const struct table_info *info) {
    struct table_collector books;
    struct iterator *iter;
    enum status status =
        table_iterator_create(table, READ_WAIT_ALLOWED, TABLE_ITERATOR_SEQUENTIAL, &iter);

    if (status != STATUS_OK) {
        return status;
    }
    table_collector_init(&books, info->number);
    status = walk_entries(verify, name, iter, &books);
    if (status == STATUS_END) {
        struct table_info counted = table_collector_view(&books);
        compare_books(verify, name, info, &counted);
        status = STATUS_OK;
    } else {
        status = judge(verify, name, status, &iter->error);
    }
    table_collector_deinit(&books);
    iterator_destroy(iter);
    return status;
}

enum status verify_table(struct verify *verify, const struct table_file *file) {
    struct table_source source = {
        .env = verify->env, .dir = verify->dir, .compression = verify->compression};
    char name[FILE_NAME_BYTES_MAX];
    struct error error = {0};
    struct table *table;
    enum status status;

    file_name_make(FILE_TABLE, file->info.number, name);
    status =
        is_cancelled(verify) ? STATUS_CANCELLED : table_open(&source, &file->info, &table, &error);
    if (status != STATUS_OK) {
        return judge(verify, name, status, &error);
    }
    verify->result.files++;
    verify->result.bytes += file->info.file_bytes;
    status = verify_entries(verify, name, table, &file->info);
    table_close(table);
    return status;
}

/* ---- Segments ---------------------------------------------------------------------------------
 */

static enum status record_cb(void *arg, const struct gc_record *record) {
    (void)record;
    return is_cancelled(arg) ? STATUS_CANCELLED : STATUS_OK;
}

enum status verify_segment(struct verify *verify, const struct segment_file *file) {
    uint64_t length_bytes = atomic_load_explicit(&file->length_bytes, memory_order_acquire);
    struct gc_walk walk = {.env = verify->env,
                           .dir = verify->dir,
                           .store_id = verify->store_id,
                           .segment = file->number,
                           .length_bytes = length_bytes};
    char name[FILE_NAME_BYTES_MAX];
    struct error error = {0};

    if (length_bytes == 0) {
        return STATUS_OK; /* it is still written to, or empty */
    }
    file_name_make(FILE_SEGMENT, file->number, name);
    verify->result.files++;
    verify->result.bytes += length_bytes;
    return judge(verify, name, gc_walk_records(&walk, record_cb, verify, &error), &error);
}

/* ---- Levels and relocations -------------------------------------------------------------------
 */

static void verify_levels(struct verify *verify) {
    for (uint32_t i = 1; i < LEVELS_MAX; i++) {
        const struct level *level = &verify->version->levels[i];
        for (uint32_t j = 1; j < level->count; j++) {
            if (slice_compare(ikey_row(level->infos[j - 1]->largest),
                              ikey_row(level->infos[j]->smallest)) >= 0) {
                file_fault(verify, FILE_TABLE, level->infos[j]->number,
                           "overlaps the table before it in its level");
            }
        }
    }
}

static enum status entry_cb(void *arg, const struct relocation_entry *entry) {
    (void)entry;
    return is_cancelled(arg) ? STATUS_CANCELLED : STATUS_OK;
}

static enum status verify_relocation(struct verify *verify, const struct relocation *relocation) {
    const struct segment_file *target = version_segment(verify->version, relocation->target);
    char name[FILE_NAME_BYTES_MAX];
    struct error error = {0};

    if (version_segment(verify->version, relocation->home)) {
        file_fault(verify, FILE_SEGMENT, relocation->home, "is there, and said to have moved");
    }
    if (!target) {
        file_fault(verify, FILE_SEGMENT, relocation->target, "is missing, and records moved to it");
        return STATUS_OK;
    }
    file_name_make(FILE_SEGMENT, relocation->target, name);
    verify->result.bytes += relocation->section_bytes;
    return judge(verify, name,
                 relocation_iterate(target->files->segments, relocation, entry_cb, verify, &error),
                 &error);
}

enum status verify_shape(struct verify *verify) {
    enum status status = STATUS_OK;

    verify_levels(verify);
    for (uint32_t i = 0; i < verify->version->relocation_count && status == STATUS_OK; i++) {
        status = verify_relocation(verify, &verify->version->relocations[i]);
    }
    return status;
}

/* ---- Files ------------------------------------------------------------------------------------
 */

struct listing {
    struct verify *verify;
    uint64_t below;
    verify_file_cb file_cb;
    void *arg;
};

static bool version_has(const struct version *version, enum file_kind kind, uint64_t number) {
    if (kind == FILE_SEGMENT) {
        return version_segment(version, number) != NULL;
    }
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            if (version->levels[i].infos[j]->number == number) {
                return true;
            }
        }
    }
    return false;
}

static enum status file_cb(void *arg, const char *name, uint64_t size_bytes) {
    const struct listing *listing = arg;
    enum file_kind kind;
    uint64_t number;

    (void)size_bytes;
    if (!file_name_parse(name, &kind, &number) || (kind != FILE_TABLE && kind != FILE_SEGMENT) ||
        number >= listing->below || version_has(listing->verify->version, kind, number)) {
        return STATUS_OK;
    }
    return listing->file_cb(listing->arg, name);
}

enum status verify_files(struct verify *verify, uint64_t below, verify_file_cb orphan_cb, void *arg,
                         struct error *error) {
    struct listing listing = {.verify = verify, .below = below, .file_cb = orphan_cb, .arg = arg};

    return env_list(verify->env, verify->dir, file_cb, &listing, error);
}

enum status verify_version(struct verify *verify) {
    const struct version *version = verify->version;
    enum status status = verify_shape(verify);

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count && status == STATUS_OK; j++) {
            status = verify_table(verify, version->levels[i].tables[j]);
        }
    }
    for (uint32_t i = 0; i < version->segment_count && status == STATUS_OK; i++) {
        status = verify_segment(verify, version->segments[i]);
    }
    return status;
}
