/* commit_catalogue.c: see commit_catalogue.h. */
#include "storage/commit_catalogue.h"

#include "protocol/base/assert.h"
#include "storage/format.h"
#include "storage/load_row.h"
#include "storage/range_row.h"

enum change_kind { CHANGE_SET, CHANGE_DROP };

struct change {
    enum change_kind kind;
    struct slice name; /* borrowed from the commit */
    struct store_namespace_settings settings;
};

/* ---- Filling ----------------------------------------------------------------------------------
 */

static enum status change_take(struct reader *reader, struct change *change_out) {
    struct change change;
    uint8_t kind;

    if (reader_left(reader) == 0) {
        return STATUS_END;
    }
    if (!reader_take_u8(reader, &kind) || !reader_take_block(reader, &change.name) ||
        !reader_take_varint(reader, &change.settings.quota_bytes) ||
        !reader_take_varint(reader, &change.settings.keep_ms) ||
        !reader_take_varint32(reader, &change.settings.keep_versions)) {
        return STATUS_CORRUPT;
    }
    change.kind = (enum change_kind)kind;
    *change_out = change;
    return STATUS_OK;
}

static enum status change_encode(struct buffer *buffer, const struct change *change) {
    enum status status = buffer_append_u8(buffer, (uint8_t)change->kind);

    if (status == STATUS_OK) {
        status = buffer_append_block(buffer, change->name);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, change->settings.quota_bytes);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, change->settings.keep_ms);
    }
    if (status == STATUS_OK) {
        status = buffer_append_varint(buffer, change->settings.keep_versions);
    }
    return status;
}

static enum status change_append(struct store_commit *commit, const struct change *change) {
    struct reader reader = reader_make(buffer_slice(&commit->catalogue));
    size_t mark = buffer_mark(&commit->catalogue);
    struct change other;
    enum status status;

    while (change_take(&reader, &other) == STATUS_OK) {
        if (slice_equal(other.name, change->name)) {
            return STATUS_INVALID;
        }
    }
    status = change_encode(&commit->catalogue, change);
    if (status != STATUS_OK) {
        buffer_rollback(&commit->catalogue, mark);
        return status;
    }
    commit->operations++;
    return STATUS_OK;
}

enum status commit_catalogue_set(struct store_commit *commit, struct slice name,
                                 const struct store_namespace_settings *settings) {
    struct change change = {.kind = CHANGE_SET, .name = name, .settings = *settings};

    return change_append(commit, &change);
}

enum status commit_catalogue_drop(struct store_commit *commit, struct slice name) {
    struct change change = {.kind = CHANGE_DROP, .name = name};

    return change_append(commit, &change);
}

/* ---- Staging ----------------------------------------------------------------------------------
 */

static enum status append_row(struct store_commit *commit, struct slice key,
                              const struct namespace_row *row) {
    uint8_t value[NAMESPACE_ROW_BYTES_MAX];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM, .key = key, .kind = ENTRY_INLINE};

    op.value = slice_make(value, namespace_row_store(value, row));
    commit->names_namespace = true;
    return batch_append(&commit->batch, &op, slice_make(NULL, 0));
}

/* Adds the row of a namespace that no commit has carried yet. */
static enum status stage_pending(struct store_commit *commit, struct namespaces *namespaces,
                                 uint32_t id) {
    uint8_t key[NAMESPACE_KEY_BYTES_MAX];
    size_t key_len = namespaces_pending_key(namespaces, id, key);
    struct namespace_row row = {.id = id};

    return key_len == 0 ? STATUS_OK : append_row(commit, slice_make(key, key_len), &row);
}

/* The namespace that an operation writes to: the row of a load stands for the load. */
static uint32_t namespace_of(const struct batch_op *op) {
    struct load_row row;

    return op->namespace_id == NAMESPACE_SYSTEM && op->kind == ENTRY_INLINE &&
                   load_row_is_key(op->key) && load_row_parse(op->value, &row) == STATUS_OK
               ? row.namespace_id
               : op->namespace_id;
}

/* Checks the namespaces of the operations up to `end`, and adds the rows of new ones. */
static enum status stage_ids(struct store_commit *commit, struct namespaces *namespaces,
                             size_t end) {
    const struct batch *batch = &commit->batch;
    uint32_t last_id = NAMESPACE_SYSTEM;
    enum status status = STATUS_OK;
    uint32_t id;
    size_t at = 0;

    while (at < end && status == STATUS_OK) {
        struct reader reader = reader_make(slice_make(batch->meta.data + at, end - at));
        struct batch_op op;
        status = batch_take(&reader, batch->values.len, &op);
        ASSERT(status == STATUS_OK); /* our own encoding */
        at = end - reader_left(&reader);
        id = namespace_of(&op);
        if (id == last_id || id == NAMESPACE_SYSTEM) {
            continue;
        }
        last_id = id;
        if (!namespaces_is_there(namespaces, last_id)) {
            status = STATUS_NOT_FOUND;
        } else {
            status = stage_pending(commit, namespaces, last_id);
        }
    }
    return status;
}

static enum status stage_set(struct store_commit *commit, struct namespaces *namespaces,
                             const struct change *change) {
    uint8_t key[NAMESPACE_KEY_BYTES_MAX];
    struct namespace_row row = {.settings = change->settings};
    enum status status = namespaces_find(namespaces, change->name, true, &row.id);

    if (status != STATUS_OK) {
        return status;
    }
    return append_row(commit, slice_make(key, namespace_key_store(key, change->name)), &row);
}

/* The range delete of everything in a namespace. */
static enum status append_range(struct store_commit *commit, uint32_t id) {
    struct key_range range = {.namespace_id = id};
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM, .kind = ENTRY_INLINE};
    uint8_t key[RANGE_KEY_BYTES];
    enum status status;

    buffer_clear(&commit->work);
    status = range_row_store(&range, key, &commit->work);
    if (status != STATUS_OK) {
        return status;
    }
    op.key = slice_make(key, sizeof key);
    op.value = buffer_slice(&commit->work);
    return batch_append(&commit->batch, &op, slice_make(NULL, 0));
}

static enum status stage_drop(struct store_commit *commit, struct namespaces *namespaces,
                              const struct change *change) {
    uint8_t key[NAMESPACE_KEY_BYTES_MAX];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM, .kind = ENTRY_TOMBSTONE};
    enum status status;
    uint32_t id;

    status = namespaces_find_there(namespaces, change->name, &id);
    if (status != STATUS_OK) {
        return status;
    }
    op.key = slice_make(key, namespace_key_store(key, change->name));
    status = batch_append(&commit->batch, &op, slice_make(NULL, 0));
    if (status == STATUS_OK) {
        status = append_range(commit, id);
    }
    if (status == STATUS_OK) {
        status = buffer_append(&commit->dropped, &id, sizeof id);
    }
    commit->names_namespace = true;
    return status;
}

/* What drops take away with the rows of names. */
static enum status stage_next_id(struct store_commit *commit, struct namespaces *namespaces) {
    uint8_t value[VARINT32_BYTES_MAX];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM,
                          .key = slice_from_text(NAMESPACE_NEXT_KEY),
                          .kind = ENTRY_INLINE};

    op.value = slice_make(value, varint_store(value, namespaces_next_id(namespaces)));
    return commit->dropped.len == 0 ? STATUS_OK
                                    : batch_append(&commit->batch, &op, slice_make(NULL, 0));
}

static enum status stage_changes(struct store_commit *commit, struct namespaces *namespaces) {
    struct reader reader = reader_make(buffer_slice(&commit->catalogue));
    enum status status = STATUS_OK;
    struct change change;

    while (status == STATUS_OK && change_take(&reader, &change) == STATUS_OK) {
        status = change.kind == CHANGE_SET ? stage_set(commit, namespaces, &change)
                                           : stage_drop(commit, namespaces, &change);
    }
    return status == STATUS_OK ? stage_next_id(commit, namespaces) : status;
}

static bool is_dropped_here(const struct store_commit *commit, uint32_t id) {
    for (size_t i = 0; i < commit->dropped.len; i += sizeof id) {
        if (memcmp(commit->dropped.data + i, &id, sizeof id) == 0) {
            return true;
        }
    }
    return false;
}

/* What a commit writes to a namespace that it drops could never be read. */
static enum status refuse_dropped(const struct store_commit *commit, size_t end) {
    struct reader reader = reader_make(slice_make(commit->batch.meta.data, end));
    struct batch_op op;

    while (commit->dropped.len > 0 &&
           batch_take(&reader, commit->batch.values.len, &op) == STATUS_OK) {
        if (is_dropped_here(commit, op.namespace_id)) {
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

enum status commit_catalogue_stage(struct store_commit *commit, struct namespaces *namespaces) {
    size_t end = commit->batch.meta.len;
    enum status status = STATUS_OK;

    if (commit->catalogue.len == 0 && !namespaces_have_news(namespaces)) {
        return STATUS_OK;
    }
    buffer_clear(&commit->dropped);
    status = stage_ids(commit, namespaces, end); /* rows of new names come before those set here */
    if (status == STATUS_OK) {
        status = stage_changes(commit, namespaces);
    }
    return status == STATUS_OK ? refuse_dropped(commit, end) : status;
}

/* ---- What follows -----------------------------------------------------------------------------
 */

/* Calls back for each row of the catalogue in the batch. */
static void each_row(const struct store_commit *commit, struct namespaces *namespaces,
                     void (*row_cb)(struct namespaces *, const struct namespace_row *)) {
    struct reader reader = reader_make(buffer_slice(&commit->batch.meta));
    struct batch_op op;

    while (batch_take(&reader, commit->batch.values.len, &op) == STATUS_OK) {
        struct namespace_row row;
        struct slice name;
        if (op.namespace_id == NAMESPACE_SYSTEM && op.kind == ENTRY_INLINE &&
            namespace_key_name(op.key, &name) && namespace_row_load(op.value, &row) == STATUS_OK) {
            row_cb(namespaces, &row);
        }
    }
}

static void settle_row(struct namespaces *namespaces, const struct namespace_row *row) {
    namespaces_settle(namespaces, row->id);
}

static void each_dropped(const struct store_commit *commit, struct namespaces *namespaces,
                         void (*id_cb)(struct namespaces *, uint32_t)) {
    for (size_t i = 0; i < commit->dropped.len; i += sizeof(uint32_t)) {
        uint32_t id;
        memcpy(&id, commit->dropped.data + i, sizeof id);
        id_cb(namespaces, id);
    }
}

void commit_catalogue_inserted(const struct store_commit *commit, struct namespaces *namespaces) {
    if (commit->names_namespace) {
        each_row(commit, namespaces, settle_row);
        each_dropped(commit, namespaces, namespaces_drop);
    }
}

void commit_catalogue_visible(const struct store_commit *commit, struct namespaces *namespaces) {
    if (commit->names_namespace) {
        each_row(commit, namespaces, namespaces_apply);
    }
}

void commit_catalogue_answered(const struct store_commit *commit, struct namespaces *namespaces) {
    if (commit->names_namespace) {
        each_dropped(commit, namespaces, namespaces_forget);
    }
}
