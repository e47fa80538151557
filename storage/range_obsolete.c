/* range_obsolete.c: see range_obsolete.h. */
#include "storage/range_obsolete.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/range_row.h"

/* Whether the table may hold, in these rows, something to be hidden. */
static bool table_needs(const struct table_info *info, struct slice from, struct slice to,
                        uint64_t range_version) {
    return info->version_min < range_version && info->ranges_applied < range_version &&
           slice_compare(ikey_row(info->smallest), to) < 0 &&
           slice_compare(from, ikey_row(info->largest)) <= 0;
}

bool range_is_obsolete(const struct version *version, struct slice from, struct slice to,
                       uint64_t range_version) {
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        const struct level *level = &version->levels[i];
        uint32_t j = i == 0 ? 0 : level_lower_bound(level, from);
        for (; j < level->count; j++) {
            if (table_needs(level->infos[j], from, to, range_version)) {
                return false;
            }
            if (i > 0 && slice_compare(ikey_row(level->infos[j]->smallest), to) >= 0) {
                break;
            }
        }
    }
    return true;
}

bool range_row_is_obsolete(const struct version *version, struct slice key, struct slice value,
                           uint64_t range_version) {
    uint8_t *rows = memory_alloc(2 * (size_t)ROW_BYTES_MAX);
    struct key_range range;
    bool obsolete = false;

    if (rows && range_row_parse(key, value, &range) == STATUS_OK) {
        uint32_t end_namespace = range.namespace_id + (range.to.len == 0);
        uint8_t *to_room = rows + ROW_BYTES_MAX;
        struct slice from = slice_make(rows, row_store(rows, range.namespace_id, range.from));
        struct slice to = slice_make(to_room, row_store(to_room, end_namespace, range.to));
        obsolete = range_is_obsolete(version, from, to, range_version);
    }
    memory_free(rows);
    return obsolete;
}
