/* namespaces.c: see namespaces.h. */
#include "storage/namespaces.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/format.h"

#define PREFIX_BYTES (sizeof NAMESPACE_KEY_PREFIX - 1)

struct namespace_name {
    struct namespace_row row;
    bool pending;
    bool dropped;
    uint32_t bytes;
    uint8_t name[];
};

void namespaces_init(struct namespaces *namespaces) {
    *namespaces = (struct namespaces){.next_id = NAMESPACE_DEFAULT + 1};
    mutex_init(&namespaces->mu);
}

void namespaces_deinit(struct namespaces *namespaces) {
    for (uint32_t i = 0; i < namespaces->id_count; i++) {
        memory_free(namespaces->by_id[i]);
    }
    memory_free(namespaces->by_id);
    memory_free(namespaces->names);
    mutex_deinit(&namespaces->mu);
}

/* ---- Codec ------------------------------------------------------------------------------------
 */

static bool settings_are_zero(const struct store_namespace_settings *settings) {
    return settings->quota_bytes == 0 && settings->keep_ms == 0 && settings->keep_versions == 0;
}

size_t namespace_row_store(uint8_t *ptr, const struct namespace_row *row) {
    size_t len = varint_store(ptr, row->id);

    if (!settings_are_zero(&row->settings)) {
        len += varint_store(ptr + len, row->settings.quota_bytes);
        len += varint_store(ptr + len, row->settings.keep_ms);
        len += varint_store(ptr + len, row->settings.keep_versions);
    }
    return len;
}

enum status namespace_row_load(struct slice value, struct namespace_row *row_out) {
    struct reader reader = reader_make(value);
    struct namespace_row row = {0};

    if (!reader_take_varint32(&reader, &row.id)) {
        return STATUS_CORRUPT;
    }
    if (reader_left(&reader) > 0 &&
        (!reader_take_varint(&reader, &row.settings.quota_bytes) ||
         !reader_take_varint(&reader, &row.settings.keep_ms) ||
         !reader_take_varint32(&reader, &row.settings.keep_versions) || reader_left(&reader) > 0)) {
        return STATUS_CORRUPT;
    }
    *row_out = row;
    return STATUS_OK;
}

size_t namespace_key_store(uint8_t key_out[NAMESPACE_KEY_BYTES_MAX], struct slice name) {
    ASSERT(name.len <= NAMESPACE_NAME_BYTES_MAX);
    memcpy(key_out, NAMESPACE_KEY_PREFIX, PREFIX_BYTES);
    if (name.len > 0) {
        memcpy(key_out + PREFIX_BYTES, name.ptr, name.len);
    }
    return PREFIX_BYTES + name.len;
}

bool namespace_key_name(struct slice key, struct slice *name_out) {
    if (key.len < PREFIX_BYTES || memcmp(key.ptr, NAMESPACE_KEY_PREFIX, PREFIX_BYTES) != 0) {
        return false;
    }
    *name_out = slice_make(key.ptr + PREFIX_BYTES, key.len - PREFIX_BYTES);
    return true;
}

/* ---- The two arrays ---------------------------------------------------------------------------
 */

static bool name_is_valid(struct slice name) {
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7F) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAMESPACE_NAME_BYTES_MAX;
}

/* The place of `name`: where it is, or where it belongs. */
static bool find_name_locked(const struct namespaces *namespaces, struct slice name,
                             uint32_t *index_out) {
    uint32_t low = 0;
    uint32_t high = namespaces->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct namespace_name *other = namespaces->names[middle];
        int order = slice_compare(slice_make(other->name, other->bytes), name);
        if (order == 0) {
            *index_out = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index_out = low;
    return false;
}

/* The place of `id`, likewise. */
static bool find_id_locked(const struct namespaces *namespaces, uint32_t id, uint32_t *index_out) {
    uint32_t low = 0;
    uint32_t high = namespaces->id_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (namespaces->by_id[middle]->row.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index_out = low;
    return low < namespaces->id_count && namespaces->by_id[low]->row.id == id;
}

static struct namespace_name *get_locked(const struct namespaces *namespaces, uint32_t id) {
    uint32_t index;
    return find_id_locked(namespaces, id, &index) ? namespaces->by_id[index] : NULL;
}

static enum status grow_locked(struct namespaces *namespaces) {
    uint32_t capacity = namespaces->capacity ? namespaces->capacity * 2 : 8;
    struct namespace_name **array;

    if (namespaces->id_count < namespaces->capacity) {
        return STATUS_OK;
    }
    array = memory_resize(namespaces->names, capacity * sizeof(struct namespace_name *));
    if (!array) {
        return STATUS_NO_MEMORY;
    }
    namespaces->names = array;
    array = memory_resize(namespaces->by_id, capacity * sizeof(struct namespace_name *));
    if (!array) {
        return STATUS_NO_MEMORY; /* one is larger than it says */
    }
    namespaces->by_id = array;
    namespaces->capacity = capacity;
    return STATUS_OK;
}

static void array_insert(struct namespace_name **array, uint32_t *count, uint32_t index,
                         struct namespace_name *added) {
    memmove(&array[index + 1], &array[index], (*count - index) * sizeof(struct namespace_name *));
    array[index] = added;
    (*count)++;
}

static void array_remove(struct namespace_name **array, uint32_t *count, uint32_t index) {
    (*count)--;
    memmove(&array[index], &array[index + 1], (*count - index) * sizeof(struct namespace_name *));
}

/* A new name; it takes the place of one that is dropped. Errors: BUSY, NO_MEMORY, CORRUPT (the id
 * is given already). */
static enum status insert_locked(struct namespaces *namespaces, struct slice name, uint32_t id,
                                 struct namespace_name **added_out) {
    struct namespace_name *added;
    uint32_t id_index;
    uint32_t index;

    if (find_id_locked(namespaces, id, &id_index)) {
        return STATUS_CORRUPT;
    }
    if (namespaces->id_count == NAMESPACES_MAX || id == UINT32_MAX) {
        return STATUS_BUSY;
    }
    if (grow_locked(namespaces) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    added = memory_alloc(sizeof *added + name.len);
    if (!added) {
        return STATUS_NO_MEMORY;
    }
    *added = (struct namespace_name){.row.id = id, .bytes = (uint32_t)name.len};
    memcpy(added->name, name.ptr, name.len);
    array_insert(namespaces->by_id, &namespaces->id_count, id_index, added);
    if (find_name_locked(namespaces, name, &index)) {
        ASSERT(namespaces->names[index]->dropped);
        namespaces->names[index] = added;
    } else {
        array_insert(namespaces->names, &namespaces->count, index, added);
    }
    *added_out = added;
    return STATUS_OK;
}

/* ---- Settings ---------------------------------------------------------------------------------
 */

static void count_locked(struct namespaces *namespaces,
                         const struct store_namespace_settings *settings, bool more) {
    uint32_t by = more ? 1 : UINT32_MAX; /* wraps to one less */

    if (settings->quota_bytes > 0) {
        atomic_fetch_add_explicit(&namespaces->quota_count, by, memory_order_relaxed);
    }
    if (settings->keep_ms > 0 || settings->keep_versions > 1) {
        atomic_fetch_add_explicit(&namespaces->keep_count, by, memory_order_relaxed);
    }
}

static void change_locked(struct namespaces *namespaces, struct store_namespace_settings *settings,
                          const struct store_namespace_settings *wanted) {
    count_locked(namespaces, settings, false);
    *settings = *wanted;
    count_locked(namespaces, settings, true);
}

/* Where the settings of an id are, or NULL. */
static struct store_namespace_settings *settings_locked(struct namespaces *namespaces,
                                                        uint32_t id) {
    struct namespace_name *name = get_locked(namespaces, id);

    if (id == NAMESPACE_DEFAULT) {
        return &namespaces->default_settings;
    }
    return name && !name->dropped ? &name->row.settings : NULL;
}

void namespaces_apply(struct namespaces *namespaces, const struct namespace_row *row) {
    struct store_namespace_settings *settings;

    mutex_lock(&namespaces->mu);
    settings = settings_locked(namespaces, row->id);
    if (settings) {
        change_locked(namespaces, settings, &row->settings);
    }
    mutex_unlock(&namespaces->mu);
}

struct store_namespace_settings namespaces_settings(struct namespaces *namespaces, uint32_t id) {
    struct store_namespace_settings found = {0};
    struct store_namespace_settings *settings;

    mutex_lock(&namespaces->mu);
    settings = settings_locked(namespaces, id);
    if (settings) {
        found = *settings;
    }
    mutex_unlock(&namespaces->mu);
    return found;
}

void namespaces_settings_each(struct namespaces *namespaces, namespaces_settings_cb settings_cb,
                              void *arg) {
    mutex_lock(&namespaces->mu);
    if (!settings_are_zero(&namespaces->default_settings)) {
        settings_cb(arg, NAMESPACE_DEFAULT, &namespaces->default_settings);
    }
    for (uint32_t i = 0; i < namespaces->id_count; i++) {
        const struct namespace_name *name = namespaces->by_id[i];
        if (!name->dropped && !settings_are_zero(&name->row.settings)) {
            settings_cb(arg, name->row.id, &name->row.settings);
        }
    }
    mutex_unlock(&namespaces->mu);
}

void namespaces_each(struct namespaces *namespaces, namespaces_name_cb name_cb, void *arg) {
    struct namespace_row row = {.id = NAMESPACE_DEFAULT};

    mutex_lock(&namespaces->mu);
    row.settings = namespaces->default_settings;
    name_cb(arg, slice_make(NULL, 0), &row);
    for (uint32_t i = 0; i < namespaces->count; i++) {
        const struct namespace_name *name = namespaces->names[i];
        if (!name->dropped && !name->pending) {
            name_cb(arg, slice_make(name->name, name->bytes), &name->row);
        }
    }
    mutex_unlock(&namespaces->mu);
}

/* ---- Names ------------------------------------------------------------------------------------
 */

enum status namespaces_load(struct namespaces *namespaces, struct slice name,
                            const struct namespace_row *row) {
    enum status status = STATUS_CORRUPT;
    struct namespace_name *added;
    uint32_t index;

    if (name.len == 0 && row->id == NAMESPACE_DEFAULT) {
        namespaces_apply(namespaces, row);
        return STATUS_OK;
    }
    if (!name_is_valid(name) || row->id <= NAMESPACE_DEFAULT || row->id == UINT32_MAX) {
        return STATUS_CORRUPT;
    }
    mutex_lock(&namespaces->mu);
    if (!find_name_locked(namespaces, name, &index)) {
        status = insert_locked(namespaces, name, row->id, &added);
    }
    if (status == STATUS_OK) {
        change_locked(namespaces, &added->row.settings, &row->settings);
        if (row->id >= namespaces->next_id) {
            namespaces->next_id = row->id + 1;
        }
    }
    mutex_unlock(&namespaces->mu);
    return status;
}

void namespaces_load_next(struct namespaces *namespaces, uint32_t next_id) {
    mutex_lock(&namespaces->mu);
    if (next_id > namespaces->next_id) {
        namespaces->next_id = next_id;
    }
    mutex_unlock(&namespaces->mu);
}

static enum status create_locked(struct namespaces *namespaces, struct slice name,
                                 uint32_t *id_out) {
    struct namespace_name *added;
    enum status status = insert_locked(namespaces, name, namespaces->next_id, &added);

    if (status == STATUS_OK) {
        added->pending = true;
        *id_out = namespaces->next_id++;
        atomic_fetch_add_explicit(&namespaces->pending_count, 1, memory_order_relaxed);
    }
    return status;
}

enum status namespaces_find(struct namespaces *namespaces, struct slice name, bool create,
                            uint32_t *id_out) {
    enum status status = STATUS_OK;
    uint32_t index;
    bool found;

    if (name.len == 0) {
        *id_out = NAMESPACE_DEFAULT;
        return STATUS_OK;
    }
    if (!name_is_valid(name)) {
        return STATUS_INVALID;
    }
    mutex_lock(&namespaces->mu);
    found = find_name_locked(namespaces, name, &index);
    if (found && !(create && namespaces->names[index]->dropped)) {
        *id_out = namespaces->names[index]->row.id;
    } else {
        status = create ? create_locked(namespaces, name, id_out) : STATUS_NOT_FOUND;
    }
    mutex_unlock(&namespaces->mu);
    return status;
}

enum status namespaces_find_there(struct namespaces *namespaces, struct slice name,
                                  uint32_t *id_out) {
    enum status status = STATUS_NOT_FOUND;
    uint32_t index;

    mutex_lock(&namespaces->mu);
    if (find_name_locked(namespaces, name, &index) && !namespaces->names[index]->dropped) {
        *id_out = namespaces->names[index]->row.id;
        status = STATUS_OK;
    }
    mutex_unlock(&namespaces->mu);
    return status;
}

size_t namespaces_pending_key(struct namespaces *namespaces, uint32_t id,
                              uint8_t key_out[NAMESPACE_KEY_BYTES_MAX]) {
    const struct namespace_name *name;
    size_t bytes = 0;

    if (id <= NAMESPACE_DEFAULT ||
        atomic_load_explicit(&namespaces->pending_count, memory_order_relaxed) == 0) {
        return 0;
    }
    mutex_lock(&namespaces->mu);
    name = get_locked(namespaces, id);
    if (name && name->pending) {
        bytes = namespace_key_store(key_out, slice_make(name->name, name->bytes));
    }
    mutex_unlock(&namespaces->mu);
    return bytes;
}

bool namespaces_is_there(struct namespaces *namespaces, uint32_t id) {
    const struct namespace_name *name;
    bool there;

    if (id == NAMESPACE_DEFAULT ||
        atomic_load_explicit(&namespaces->drop_count, memory_order_relaxed) == 0) {
        return true; /* who has an id has it from here */
    }
    mutex_lock(&namespaces->mu);
    name = get_locked(namespaces, id);
    there = name && !name->dropped;
    mutex_unlock(&namespaces->mu);
    return there;
}

uint32_t namespaces_next_id(struct namespaces *namespaces) {
    uint32_t next_id;

    mutex_lock(&namespaces->mu);
    next_id = namespaces->next_id;
    mutex_unlock(&namespaces->mu);
    return next_id;
}

static void settle_locked(struct namespaces *namespaces, struct namespace_name *name) {
    if (name->pending) {
        name->pending = false;
        atomic_fetch_sub_explicit(&namespaces->pending_count, 1, memory_order_relaxed);
    }
}

void namespaces_settle(struct namespaces *namespaces, uint32_t id) {
    struct namespace_name *name;

    mutex_lock(&namespaces->mu);
    name = get_locked(namespaces, id);
    if (name) {
        settle_locked(namespaces, name);
    }
    mutex_unlock(&namespaces->mu);
}

void namespaces_drop(struct namespaces *namespaces, uint32_t id) {
    static const struct store_namespace_settings none;
    struct namespace_name *name;

    mutex_lock(&namespaces->mu);
    name = get_locked(namespaces, id);
    ASSERT(name && !name->dropped);
    settle_locked(namespaces, name);
    change_locked(namespaces, &name->row.settings, &none);
    name->dropped = true;
    atomic_fetch_add_explicit(&namespaces->drop_count, 1, memory_order_relaxed);
    mutex_unlock(&namespaces->mu);
}

void namespaces_forget(struct namespaces *namespaces, uint32_t id) {
    struct namespace_name *name = NULL;
    uint32_t index;

    mutex_lock(&namespaces->mu);
    if (find_id_locked(namespaces, id, &index)) {
        name = namespaces->by_id[index];
        ASSERT(name->dropped);
        array_remove(namespaces->by_id, &namespaces->id_count, index);
        if (find_name_locked(namespaces, slice_make(name->name, name->bytes), &index) &&
            namespaces->names[index] == name) {
            array_remove(namespaces->names, &namespaces->count, index);
        }
    }
    mutex_unlock(&namespaces->mu);
    memory_free(name);
}

uint32_t namespaces_count(struct namespaces *namespaces) {
    uint32_t count;

    mutex_lock(&namespaces->mu);
    count = namespaces->count;
    mutex_unlock(&namespaces->mu);
    return count;
}
