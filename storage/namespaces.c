/* namespaces.c: see namespaces.h. */
#include "storage/namespaces.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/format.h"

#define PREFIX_BYTES (sizeof NAMESPACE_KEY_PREFIX - 1)

struct namespace_name {
    uint32_t id;
    bool pending;
    uint32_t bytes;
    uint8_t name[];
};

void namespaces_init(struct namespaces *namespaces) {
    *namespaces = (struct namespaces){.next_id = NAMESPACE_DEFAULT + 1};
    mutex_init(&namespaces->mu);
}

void namespaces_deinit(struct namespaces *namespaces) {
    for (uint32_t i = 0; i < namespaces->count; i++) {
        memory_free(namespaces->names[i]);
    }
    memory_free(namespaces->names);
    mutex_deinit(&namespaces->mu);
}

static bool name_is_valid(struct slice name) {
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7F) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAMESPACE_NAME_BYTES_MAX;
}

/* The place of `name`: where it is, or where it belongs. */
static bool find_locked(const struct namespaces *namespaces, struct slice name,
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

static enum status grow_locked(struct namespaces *namespaces) {
    uint32_t capacity = namespaces->capacity ? namespaces->capacity * 2 : 8;
    struct namespace_name **names;

    if (namespaces->count < namespaces->capacity) {
        return STATUS_OK;
    }
    names = memory_resize(namespaces->names, capacity * sizeof(struct namespace_name *));
    if (!names) {
        return STATUS_NO_MEMORY;
    }
    namespaces->names = names;
    namespaces->capacity = capacity;
    return STATUS_OK;
}

static enum status insert_locked(struct namespaces *namespaces, uint32_t index, struct slice name,
                                 uint32_t id, bool pending) {
    struct namespace_name *added;

    if (namespaces->count == NAMESPACES_MAX) {
        return STATUS_BUSY;
    }
    if (grow_locked(namespaces) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    added = memory_alloc(sizeof *added + name.len);
    if (!added) {
        return STATUS_NO_MEMORY;
    }
    *added = (struct namespace_name){.id = id, .pending = pending, .bytes = (uint32_t)name.len};
    memcpy(added->name, name.ptr, name.len);
    memmove(&namespaces->names[index + 1], &namespaces->names[index],
            (namespaces->count - index) * sizeof(struct namespace_name *));
    namespaces->names[index] = added;
    namespaces->count++;
    return STATUS_OK;
}

enum status namespaces_load(struct namespaces *namespaces, struct slice name, uint32_t id) {
    enum status status = STATUS_CORRUPT;
    uint32_t index;

    if (!name_is_valid(name) || id <= NAMESPACE_DEFAULT || id == UINT32_MAX) {
        return STATUS_CORRUPT;
    }
    mutex_lock(&namespaces->mu);
    if (!find_locked(namespaces, name, &index)) {
        status = insert_locked(namespaces, index, name, id, false);
    }
    if (status == STATUS_OK && id >= namespaces->next_id) {
        namespaces->next_id = id + 1;
    }
    mutex_unlock(&namespaces->mu);
    return status;
}

enum status namespaces_find(struct namespaces *namespaces, struct slice name, bool create,
                            uint32_t *id_out) {
    enum status status = STATUS_OK;
    uint32_t index;

    if (name.len == 0) {
        *id_out = NAMESPACE_DEFAULT;
        return STATUS_OK;
    }
    if (!name_is_valid(name)) {
        return STATUS_INVALID;
    }
    mutex_lock(&namespaces->mu);
    if (!find_locked(namespaces, name, &index)) {
        status = create ? insert_locked(namespaces, index, name, namespaces->next_id, true)
                        : STATUS_NOT_FOUND;
        if (status == STATUS_OK) {
            namespaces->next_id++;
            atomic_fetch_add_explicit(&namespaces->pending_count, 1, memory_order_relaxed);
        }
    }
    if (status == STATUS_OK) {
        *id_out = namespaces->names[index]->id;
    }
    mutex_unlock(&namespaces->mu);
    return status;
}

size_t namespaces_pending_key(struct namespaces *namespaces, uint32_t id,
                              uint8_t key_out[NAMESPACE_KEY_BYTES_MAX]) {
    size_t bytes = 0;

    if (id <= NAMESPACE_DEFAULT ||
        atomic_load_explicit(&namespaces->pending_count, memory_order_relaxed) == 0) {
        return 0;
    }
    mutex_lock(&namespaces->mu);
    for (uint32_t i = 0; i < namespaces->count; i++) {
        const struct namespace_name *name = namespaces->names[i];
        if (name->id == id && name->pending) {
            memcpy(key_out, NAMESPACE_KEY_PREFIX, PREFIX_BYTES);
            memcpy(key_out + PREFIX_BYTES, name->name, name->bytes);
            bytes = PREFIX_BYTES + name->bytes;
            break;
        }
    }
    mutex_unlock(&namespaces->mu);
    return bytes;
}

void namespaces_settle(struct namespaces *namespaces, struct slice key) {
    struct slice name = slice_make(key.ptr + PREFIX_BYTES, key.len - PREFIX_BYTES);
    uint32_t index;

    ASSERT(key.len > PREFIX_BYTES);
    mutex_lock(&namespaces->mu);
    if (find_locked(namespaces, name, &index) && namespaces->names[index]->pending) {
        namespaces->names[index]->pending = false;
        atomic_fetch_sub_explicit(&namespaces->pending_count, 1, memory_order_relaxed);
    }
    mutex_unlock(&namespaces->mu);
}

uint32_t namespaces_count(struct namespaces *namespaces) {
    uint32_t count;

    mutex_lock(&namespaces->mu);
    count = namespaces->count;
    mutex_unlock(&namespaces->mu);
    return count;
}
