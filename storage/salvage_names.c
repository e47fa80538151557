/* salvage_names.c: see salvage_names.h. */
#include "storage/salvage_names.h"

#include "protocol/base/memory.h"
#include "storage/format.h"

#include <stdio.h>

#define NAMES_FIRST 16u

void salvage_names_deinit(struct salvage_names *names) {
    memory_free(names->list);
    *names = (struct salvage_names){0};
}

static size_t lower_bound(const struct salvage_names *names, uint32_t old_id) {
    size_t low = 0;
    size_t high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool is_before = names->list[middle].old_id < old_id;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    return low;
}

static enum status insert(struct salvage_names *names, size_t at, uint32_t old_id) {
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? 2 * names->capacity : NAMES_FIRST;
        struct salvage_name *grown = memory_resize(names->list, capacity * sizeof *grown);
        if (!grown) {
            return STATUS_NO_MEMORY;
        }
        names->list = grown;
        names->capacity = capacity;
    }
    memmove(names->list + at + 1, names->list + at, (names->count - at) * sizeof *names->list);
    names->list[at] = (struct salvage_name){.old_id = old_id};
    names->count++;
    return STATUS_OK;
}

enum status salvage_names_find(struct salvage_names *names, uint32_t old_id,
                               struct salvage_name **name_out) {
    size_t at = lower_bound(names, old_id);
    bool is_there = at < names->count && names->list[at].old_id == old_id;
    enum status status = is_there ? STATUS_OK : insert(names, at, old_id);

    if (status != STATUS_OK) {
        return status;
    }
    *name_out = &names->list[at];
    if (!is_there && old_id != NAMESPACE_DEFAULT) {
        (*name_out)->text_len =
            (size_t)snprintf((*name_out)->text, sizeof(*name_out)->text, "salvaged-%u", old_id);
    }
    return STATUS_OK;
}

enum status salvage_names_take(struct salvage_names *names, struct slice key, struct slice value) {
    struct namespace_row row;
    struct salvage_name *name;
    struct slice text;
    enum status status;

    if (!namespace_key_name(key, &text) || namespace_row_load(value, &row) != STATUS_OK ||
        text.len > sizeof name->text) {
        return STATUS_OK;
    }
    status = salvage_names_find(names, row.id, &name);
    if (status == STATUS_OK) {
        name->is_known = true;
        name->settings = row.settings;
        name->text_len = text.len;
        memcpy(name->text, text.ptr, text.len);
    }
    return status;
}
