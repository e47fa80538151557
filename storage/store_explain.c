/* store_explain.c: how a lookup of one key goes, told step by step.
 *
 * Visits the same places in the same order as view_find and says of each what it answered: which
 * memtable, level, table, filter, block, and then where the value's bytes came from. It really
 * reads: so it also says what was cached and what the disk had to give, and how long each took. */
#include "protocol/base/assert.h"
#include "storage/ikey.h"
#include "storage/store_state.h"

#include <inttypes.h>
#include <stdio.h>

#define TEXT_BYTES_MAX 400

struct explain {
    struct store_read *read;
    struct table_target target;
    store_report_cb report_cb;
    void *arg;
    struct error *error;
    char text[TEXT_BYTES_MAX];
    bool found;
    uint64_t entry_version;
    struct entry entry; /* slices are not used after its holder is let go */
};

static uint64_t now_us(const struct explain *explain) {
    return env_monotonic_ns(explain->read->store->env) / 1000;
}

static void say(struct explain *explain, const char *name) {
    explain->report_cb(explain->arg, name, explain->text);
}

#define TELL(explain, name, ...)                                                                   \
    (snprintf((explain)->text, sizeof(explain)->text, __VA_ARGS__), say(explain, name))

/* ---- What was found ---------------------------------------------------------------------------
 */

static const char *kind_text(const struct entry *entry, uint64_t now_ms) {
    switch (entry->kind) {
    case ENTRY_TOMBSTONE:
        return "a deletion";
    case ENTRY_INLINE:
        return entry_is_dead(entry, now_ms) ? "a value that has expired" : "the value itself";
    case ENTRY_REFERENCE:
    case ENTRY_LARGE:
        return entry_is_dead(entry, now_ms) ? "a value that has expired" : "a reference to the log";
    }
    return "an entry";
}

static void take_entry(struct explain *explain, struct slice bytes, uint64_t version) {
    enum status status = entry_load(bytes, &explain->entry);

    explain->found = status == STATUS_OK;
    explain->entry_version = version;
}

/* ---- Memtables --------------------------------------------------------------------------------
 */

static void explain_memtable(struct explain *explain, const struct memtable *memtable,
                             const char *name) {
    struct memtable_hit hit;

    if (!memtable_get(memtable, &explain->target, &hit)) {
        TELL(explain, name, "%" PRIu64 " entries; its hash has no such row",
             memtable_entries(memtable));
        return;
    }
    take_entry(explain, hit.entry, hit.version);
    TELL(explain, name, "%" PRIu64 " entries; holds version %" PRIu64 ": %s",
         memtable_entries(memtable), hit.version,
         kind_text(&explain->entry, explain->read->now_ms));
}

static void explain_memtables(struct explain *explain) {
    const struct view *view = explain->read->view;
    char name[32];

    explain_memtable(explain, view->active, "memtable");
    for (uint32_t i = 0; i < view->frozen_count && !explain->found; i++) {
        snprintf(name, sizeof name, "frozen memtable %" PRIu32, i + 1);
        explain_memtable(explain, view->frozen[i], name);
    }
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

static void tell_table(struct explain *explain, const char *name, const struct table_file *file,
                       const struct table_trace *trace, uint64_t took_us) {
    if (trace->filter_negative) {
        TELL(explain, name, "table %" PRIu64 ": its filter says no, %" PRIu64 " us",
             file->info.number, took_us);
    } else if (!explain->found) {
        TELL(explain, name,
             "table %" PRIu64 ": the filter says maybe; block at %" PRIu64
             " (%s) has no such row, %" PRIu64 " us",
             file->info.number, trace->block_offset, trace->block_cached ? "cached" : "read",
             took_us);
    } else {
        TELL(explain, name,
             "table %" PRIu64 ": block at %" PRIu64 " (%s) holds version %" PRIu64 ": %s, %" PRIu64
             " us",
             file->info.number, trace->block_offset, trace->block_cached ? "cached" : "read",
             explain->entry_version, kind_text(&explain->entry, explain->read->now_ms), took_us);
    }
}

static enum status explain_table(struct explain *explain, const struct table_file *file,
                                 const char *name) {
    uint64_t started_us = now_us(explain);
    struct table_trace trace = {0};
    struct table_hit hit = {0};
    struct table *table;
    enum status status =
        table_handle_pin(file->handle, &file->info, READ_WAIT_ALLOWED, &table, explain->error);

    if (status != STATUS_OK) {
        return status;
    }
    status = table_get(table, READ_WAIT_ALLOWED, &explain->target, &hit, &trace, explain->error);
    table_unpin(table);
    if (status == STATUS_OK) {
        take_entry(explain, hit.entry, hit.version);
        table_hit_release(&hit);
    }
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        tell_table(explain, name, file, &trace, now_us(explain) - started_us);
        return STATUS_OK;
    }
    return status;
}

static enum status explain_level_0(struct explain *explain) {
    const struct level *level = &explain->read->view->version->levels[0];
    uint32_t outside = 0;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < level->count && !explain->found && status == STATUS_OK; i++) {
        const struct table_info *info = level->infos[i];
        if (slice_compare(explain->target.row, ikey_row(info->smallest)) < 0 ||
            slice_compare(explain->target.row, ikey_row(info->largest)) > 0) {
            outside++;
        } else {
            status = explain_table(explain, level->tables[i], "level 0");
        }
    }
    if (outside > 0) {
        TELL(explain, "level 0", "%" PRIu32 " more tables, whose keys lie elsewhere", outside);
    }
    return status;
}

static enum status explain_levels(struct explain *explain) {
    const struct version *version = explain->read->view->version;
    char name[16];
    enum status status = explain->found ? STATUS_OK : explain_level_0(explain);

    for (uint32_t i = 1; i < LEVELS_MAX && !explain->found && status == STATUS_OK; i++) {
        const struct table_file *file = level_find(&version->levels[i], explain->target.row);
        snprintf(name, sizeof name, "level %" PRIu32, i);
        if (file) {
            status = explain_table(explain, file, name);
        } else if (version->levels[i].count > 0) {
            TELL(explain, name, "%" PRIu32 " tables; none has the key in its range",
                 version->levels[i].count);
        }
    }
    return status;
}

/* ---- The value --------------------------------------------------------------------------------
 */

static void tell_place(struct explain *explain, const struct value_ref *ref) {
    const struct version *version = explain->read->view->version;
    const struct relocation *relocation = NULL;
    const char *stored = ref->compressed ? "zstd" : "as they are";

    if (version_resolve(version, ref->segment, &relocation) == SEGMENT_RELOCATED) {
        TELL(explain, "value",
             "in segment %" PRIu64 ", to which the log cleaning moved what lay in segment %" PRIu64
             " at %" PRIu64 "; %" PRIu32 " bytes stored %s",
             relocation->target, ref->segment, ref->offset, ref->stored_bytes, stored);
    } else {
        TELL(explain, "value", "in segment %" PRIu64 " at %" PRIu64 "; %" PRIu32 " bytes stored %s",
             ref->segment, ref->offset, ref->stored_bytes, stored);
    }
}

static void tell_value_place(struct explain *explain) {
    switch (explain->entry.kind) {
    case ENTRY_REFERENCE:
        tell_place(explain, &explain->entry.ref);
        break;
    case ENTRY_LARGE:
        TELL(explain, "value", "%" PRIu64 " bytes in %" PRIu32 " extents",
             explain->entry.large_bytes, explain->entry.extent_count);
        break;
    case ENTRY_INLINE:
        TELL(explain, "value", "beside the key, %zu bytes", explain->entry.value.len);
        break;
    case ENTRY_TOMBSTONE:
        break;
    }
}

/* Reads it as a get does, first without waiting: so it is known whether memory had it all. */
static enum status read_value(struct explain *explain, uint32_t namespace_id, struct slice key) {
    struct buffer value = {.cap = VALUE_BYTES_MAX};
    uint64_t started_us = now_us(explain);
    struct store_value_info info;
    enum status status = store_get(explain->read, namespace_id, key, STORE_WAIT_NEVER, &value,
                                   &info, explain->error);
    bool waited = status == STATUS_WOULD_BLOCK;

    if (waited) {
        started_us = now_us(explain);
        status = store_get(explain->read, namespace_id, key, STORE_WAIT_ALLOWED, &value, &info,
                           explain->error);
    }
    if (status == STATUS_OK) {
        TELL(explain, "read", "%zu bytes copied and verified, %s, %" PRIu64 " us", value.len,
             waited ? "waiting for the disk" : "all from memory", now_us(explain) - started_us);
    } else if (status == STATUS_TOO_LARGE) {
        TELL(explain, "read", "too long to be read at once: read it in ranges");
        status = STATUS_OK;
    }
    buffer_deinit(&value);
    return status;
}

enum status store_explain(struct store_read *read, uint32_t namespace_id, struct slice key,
                          store_report_cb report_cb, void *arg, struct error *error) {
    uint8_t row[ROW_BYTES_MAX];
    struct explain explain = {.read = read, .report_cb = report_cb, .arg = arg, .error = error};
    struct range_cover cover;
    enum status status;

    if (key.len > KEY_BYTES_MAX) {
        return error_set(error, STATUS_TOO_LARGE, 0, NULL, ERROR_NO_OFFSET, "key of %zu bytes",
                         key.len);
    }
    explain.target =
        table_target_make(slice_make(row, row_store(row, namespace_id, key)), read->version);
    TELL(&explain, "state", "version %" PRIu64 ", namespace %" PRIu32, read->version, namespace_id);
    explain_memtables(&explain);
    status = explain_levels(&explain);
    if (status != STATUS_OK) {
        return status;
    }
    cover = view_covering(read->view, explain.target.row, read->version);
    if (cover.version != VERSION_NONE &&
        (!explain.found || cover.version > explain.entry_version)) {
        TELL(&explain, "range delete", "of version %" PRIu64 " hides everything older",
             cover.version);
        explain.found = false;
    }
    if (!explain.found || entry_is_dead(&explain.entry, read->now_ms)) {
        TELL(&explain, "result", "no such key");
        return STATUS_OK;
    }
    tell_value_place(&explain);
    return read_value(&explain, namespace_id, key);
}
