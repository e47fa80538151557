/* snapshots.c: see snapshots.h. */
#include "storage/snapshots.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <string.h>

#define ITEMS_FIRST 16u
#define FLOORS_FIRST 8u
#define ID_BITS 40 /* for the snapshots of one incarnation; half of them for where they begin */

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

void snapshots_init(struct snapshots *snapshots, const struct snapshots_options *options) {
    *snapshots = (struct snapshots){.options = *options};
    mutex_init(&snapshots->mu);
    snapshots->next_deadline_ms = UINT64_MAX;
    snapshots->common.version = watermarks_visible(options->marks);
    snapshots->common.ms = most(store_clock_now_ms(options->clock), 1);
    snapshots->next_id = (options->incarnation << ID_BITS) +
                         (snapshots->common.ms & ((UINT64_C(1) << (ID_BITS - 1)) - 1)) + 1;
}

void snapshots_deinit(struct snapshots *snapshots) {
    memory_free(snapshots->items);
    memory_free(snapshots->keys);
    memory_free(snapshots->floors);
    memory_free(snapshots->wishes);
    mutex_deinit(&snapshots->mu);
    *snapshots = (struct snapshots){0};
}

/* Room for one more element behind `count`; NULL: none. */
static void *grow(void *array, size_t count, size_t *capacity, size_t first, size_t element_bytes) {
    size_t wanted = *capacity == 0 ? first : 2 * *capacity;
    void *grown;

    if (count < *capacity) {
        return array;
    }
    grown = memory_resize(array, wanted * element_bytes);
    if (grown) {
        *capacity = wanted;
    }
    return grown;
}

/* ---- The list ---------------------------------------------------------------------------------
 */

static size_t key_position_locked(const struct snapshots *snapshots, uint64_t id)
    REQUIRES(snapshots->mu) {
    size_t low = 0;
    size_t high = snapshots->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshots->keys[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void remove_locked(struct snapshots *snapshots, size_t at) REQUIRES(snapshots->mu) {
    size_t key = key_position_locked(snapshots, snapshots->items[at].id);

    snapshots->count--;
    memmove(snapshots->items + at, snapshots->items + at + 1,
            (snapshots->count - at) * sizeof *snapshots->items);
    memmove(snapshots->keys + key, snapshots->keys + key + 1,
            (snapshots->count - key) * sizeof *snapshots->keys);
}

static void drop_expired_locked(struct snapshots *snapshots, uint64_t now_ms)
    REQUIRES(snapshots->mu) {
    uint64_t next_ms = UINT64_MAX;

    if (now_ms < snapshots->next_deadline_ms) {
        return;
    }
    for (size_t i = snapshots->count; i > 0; i--) {
        uint64_t deadline_ms = snapshots->items[i - 1].deadline_ms;
        if (deadline_ms <= now_ms) {
            remove_locked(snapshots, i - 1);
        } else {
            next_ms = least(next_ms, deadline_ms);
        }
    }
    snapshots->next_deadline_ms = next_ms;
}

/* The first item behind (version, id). */
static size_t position_locked(const struct snapshots *snapshots, uint64_t version, uint64_t id)
    REQUIRES(snapshots->mu) {
    size_t low = 0;
    size_t high = snapshots->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct store_snapshot_info *item = &snapshots->items[middle];
        if (item->version < version || (item->version == version && item->id <= id)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Its place in the list; false when there is none. */
static bool find_locked(const struct snapshots *snapshots, uint64_t id, size_t *at_out)
    REQUIRES(snapshots->mu) {
    size_t key = key_position_locked(snapshots, id);

    if (key == snapshots->count || snapshots->keys[key].id != id) {
        return false;
    }
    *at_out = position_locked(snapshots, snapshots->keys[key].version, id) - 1;
    ASSERT(snapshots->items[*at_out].id == id);
    return true;
}

/* A snapshot of exactly that version, or NULL. */
static const struct store_snapshot_info *registered_locked(const struct snapshots *snapshots,
                                                           uint64_t version)
    REQUIRES(snapshots->mu) {
    size_t at = version > 0 ? position_locked(snapshots, version - 1, UINT64_MAX) : 0;

    return at < snapshots->count && snapshots->items[at].version == version ? &snapshots->items[at]
                                                                            : NULL;
}

/* Gives it its id and puts it in. Errors: BUSY, NO_MEMORY. */
static enum status insert_locked(struct snapshots *snapshots, struct store_snapshot_info *item,
                                 const char *owner) REQUIRES(snapshots->mu) {
    struct store_snapshot_info *items;
    struct snapshots_key *keys;
    size_t at;

    if (snapshots->count >= SNAPSHOTS_MAX) {
        return STATUS_BUSY;
    }
    items =
        grow(snapshots->items, snapshots->count, &snapshots->capacity, ITEMS_FIRST, sizeof *items);
    snapshots->items = items ? items : snapshots->items;
    keys = grow(snapshots->keys, snapshots->count, &snapshots->key_capacity, ITEMS_FIRST,
                sizeof *keys);
    snapshots->keys = keys ? keys : snapshots->keys;
    if (!items || !keys) {
        return STATUS_NO_MEMORY;
    }
    item->id = snapshots->next_id++;
    memcpy(item->owner, owner, strnlen(owner, STORE_OWNER_BYTES_MAX));
    at = position_locked(snapshots, item->version, item->id);
    memmove(items + at + 1, items + at, (snapshots->count - at) * sizeof *items);
    items[at] = *item;
    keys[snapshots->count++] = (struct snapshots_key){item->id, item->version};
    snapshots->next_deadline_ms = least(snapshots->next_deadline_ms, item->deadline_ms);
    return STATUS_OK;
}

enum status snapshots_open(struct snapshots *snapshots, const char *owner, uint64_t lifetime_ms,
                           struct store_snapshot_info *info_out) {
    struct store_snapshot_info item = {.deadline_ms = UINT64_MAX};
    enum status status;

    mutex_lock(&snapshots->mu);
    item.now_ms = store_clock_now_ms(snapshots->options.clock);
    item.opened_ms = item.now_ms;
    item.version = watermarks_visible(snapshots->options.marks);
    if (lifetime_ms > 0 && lifetime_ms < UINT64_MAX - item.now_ms) {
        item.deadline_ms = item.now_ms + lifetime_ms;
    }
    drop_expired_locked(snapshots, item.now_ms);
    status = insert_locked(snapshots, &item, owner ? owner : "");
    mutex_unlock(&snapshots->mu);
    if (status == STATUS_OK) {
        *info_out = item;
    }
    return status;
}

enum status snapshots_close(struct snapshots *snapshots, uint64_t id) {
    bool found;
    size_t at;

    mutex_lock(&snapshots->mu);
    drop_expired_locked(snapshots, store_clock_now_ms(snapshots->options.clock));
    found = find_locked(snapshots, id, &at);
    if (found) {
        remove_locked(snapshots, at);
    }
    mutex_unlock(&snapshots->mu);
    return found ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status snapshots_find(struct snapshots *snapshots, uint64_t id,
                           struct store_snapshot_info *info_out) {
    bool found;
    size_t at;

    mutex_lock(&snapshots->mu);
    drop_expired_locked(snapshots, store_clock_now_ms(snapshots->options.clock));
    found = find_locked(snapshots, id, &at);
    if (found) {
        *info_out = snapshots->items[at];
    }
    mutex_unlock(&snapshots->mu);
    return found ? STATUS_OK : STATUS_NOT_FOUND;
}

bool snapshots_next(struct snapshots *snapshots, uint64_t version, uint64_t id,
                    struct store_snapshot_info *info_out) {
    size_t at;
    bool found;

    mutex_lock(&snapshots->mu);
    drop_expired_locked(snapshots, store_clock_now_ms(snapshots->options.clock));
    at = position_locked(snapshots, version, id);
    found = at < snapshots->count;
    if (found) {
        *info_out = snapshots->items[at];
    }
    mutex_unlock(&snapshots->mu);
    return found;
}

void snapshots_read_stats(struct snapshots *snapshots, struct snapshots_stats *stats_out) {
    uint64_t now_ms = store_clock_now_ms(snapshots->options.clock);

    *stats_out = (struct snapshots_stats){0};
    mutex_lock(&snapshots->mu);
    drop_expired_locked(snapshots, now_ms);
    stats_out->open = snapshots->count;
    if (snapshots->count > 0) {
        const struct store_snapshot_info *oldest = &snapshots->items[0];
        stats_out->oldest_version = oldest->version;
        stats_out->oldest_age_ms = now_ms > oldest->opened_ms ? now_ms - oldest->opened_ms : 0;
    }
    mutex_unlock(&snapshots->mu);
}

/* ---- The floor --------------------------------------------------------------------------------
 */

/* The first floor of a namespace with an id >= namespace_id. */
static size_t floor_position_locked(const struct snapshots *snapshots, uint32_t namespace_id)
    REQUIRES(snapshots->mu) {
    size_t low = 0;
    size_t high = snapshots->floor_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshots->floors[middle].namespace_id < namespace_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct snapshots_floor floor_locked(const struct snapshots *snapshots, uint32_t namespace_id)
    REQUIRES(snapshots->mu) {
    size_t at = floor_position_locked(snapshots, namespace_id);

    return at < snapshots->floor_count && snapshots->floors[at].namespace_id == namespace_id
               ? snapshots->floors[at]
               : snapshots->common;
}

/* Adds the floor of a namespace that has none of its own. */
static enum status floor_add_locked(struct snapshots *snapshots,
                                    const struct snapshots_floor *floor) REQUIRES(snapshots->mu) {
    size_t at = floor_position_locked(snapshots, floor->namespace_id);
    struct snapshots_floor *floors = grow(snapshots->floors, snapshots->floor_count,
                                          &snapshots->floor_capacity, FLOORS_FIRST, sizeof *floors);

    if (!floors) {
        return STATUS_NO_MEMORY;
    }
    snapshots->floors = floors;
    memmove(floors + at + 1, floors + at, (snapshots->floor_count - at) * sizeof *floors);
    floors[at] = *floor;
    snapshots->floor_count++;
    return STATUS_OK;
}

enum status snapshots_load_floor(struct snapshots *snapshots, uint32_t namespace_id,
                                 uint64_t version) {
    struct time_index *times = snapshots->options.times;
    uint64_t now_ms = store_clock_now_ms(snapshots->options.clock);
    struct store_namespace_settings settings =
        namespaces_settings(snapshots->options.namespaces, namespace_id);
    struct snapshots_floor floor = {.namespace_id = namespace_id,
                                    .ms = now_ms > settings.keep_ms ? now_ms - settings.keep_ms : 0,
                                    .keep_ms = settings.keep_ms,
                                    .keep_versions = settings.keep_versions};
    struct time_mark within;
    struct time_mark set;
    enum status status;

    if (settings.keep_ms == 0) {
        return STATUS_OK; /* as all others */
    }
    mutex_lock(&snapshots->mu);
    floor.version =
        time_index_from(times, floor.ms, &within) && time_index_showing(times, version, &set, NULL)
            ? most(within.version, set.version)
            : snapshots->common.version;
    status = floor_add_locked(snapshots, &floor);
    mutex_unlock(&snapshots->mu);
    return status;
}

enum status snapshots_admit(struct snapshots *snapshots, uint32_t namespace_id, uint64_t version,
                            uint64_t *now_ms_out) {
    const struct store_snapshot_info *registered;
    struct snapshots_floor floor;
    enum status status = STATUS_OK;
    struct time_mark then;

    if (!time_index_showing(snapshots->options.times, version, &then, NULL)) {
        then.ms = store_clock_now_ms(snapshots->options.clock);
    }
    mutex_lock(&snapshots->mu);
    drop_expired_locked(snapshots, store_clock_now_ms(snapshots->options.clock));
    registered = registered_locked(snapshots, version);
    floor = floor_locked(snapshots, namespace_id);
    if (registered) {
        *now_ms_out = registered->now_ms;
    } else if (version >= floor.version) {
        *now_ms_out = most(then.ms, floor.ms);
    } else {
        status = STATUS_GONE;
    }
    mutex_unlock(&snapshots->mu);
    return status;
}

enum status snapshots_hold(struct snapshots *snapshots, uint32_t namespace_id, uint64_t version,
                           const char *owner, uint64_t *id_out) {
    struct store_snapshot_info item = {.version = version, .deadline_ms = UINT64_MAX};
    enum status status = STATUS_GONE;

    mutex_lock(&snapshots->mu);
    item.now_ms = store_clock_now_ms(snapshots->options.clock);
    item.opened_ms = item.now_ms;
    drop_expired_locked(snapshots, item.now_ms);
    if (registered_locked(snapshots, version) ||
        version >= floor_locked(snapshots, namespace_id).version) {
        status = insert_locked(snapshots, &item, owner);
    }
    mutex_unlock(&snapshots->mu);
    if (status == STATUS_OK) {
        *id_out = item.id;
    }
    return status;
}

/* ---- Rules ------------------------------------------------------------------------------------
 */

/* Gathering the retention of all namespaces. */
struct gathering {
    struct snapshots *snapshots;
    size_t count;
    enum status status;
};

static void gather_cb(void *arg, uint32_t id, const struct store_namespace_settings *settings) {
    struct gathering *gathering = arg;
    struct snapshots *snapshots = gathering->snapshots;
    struct snapshots_wish *wishes;

    if (gathering->status != STATUS_OK ||
        (settings->keep_ms == 0 && settings->keep_versions <= 1)) {
        return;
    }
    wishes = grow(snapshots->wishes, gathering->count, &snapshots->wish_capacity, FLOORS_FIRST,
                  sizeof *wishes);
    if (!wishes) {
        gathering->status = STATUS_NO_MEMORY;
        return;
    }
    snapshots->wishes = wishes;
    wishes[gathering->count++] = (struct snapshots_wish){
        .namespace_id = id, .keep_versions = settings->keep_versions, .keep_ms = settings->keep_ms};
}

/* Makes a floor of its own for each namespace that has got retention since: where it stands. */
static enum status floors_add_locked(struct snapshots *snapshots, size_t wish_count)
    REQUIRES(snapshots->mu) {
    enum status status = STATUS_OK;

    for (size_t i = 0; i < wish_count && status == STATUS_OK; i++) {
        uint32_t id = snapshots->wishes[i].namespace_id;
        size_t at = floor_position_locked(snapshots, id);
        if (at == snapshots->floor_count || snapshots->floors[at].namespace_id != id) {
            struct snapshots_floor floor = snapshots->common;
            floor.namespace_id = id;
            status = floor_add_locked(snapshots, &floor);
        }
    }
    return status;
}

/* Takes the wishes over; the lesser ones only if what set them is `settled`. A floor without
 * retention goes: the common one holds, which is not below it. */
static void floors_wish_locked(struct snapshots *snapshots, size_t wish_count, bool settled)
    REQUIRES(snapshots->mu) {
    size_t kept = 0;
    size_t i = 0;

    for (size_t at = 0; at < snapshots->floor_count; at++) {
        struct snapshots_floor floor = snapshots->floors[at];
        struct snapshots_wish wish = {0};
        while (i < wish_count && snapshots->wishes[i].namespace_id < floor.namespace_id) {
            i++;
        }
        if (i < wish_count && snapshots->wishes[i].namespace_id == floor.namespace_id) {
            wish = snapshots->wishes[i];
        }
        floor.keep_ms = settled ? wish.keep_ms : most(wish.keep_ms, floor.keep_ms);
        floor.keep_versions = settled || wish.keep_versions > floor.keep_versions
                                  ? wish.keep_versions
                                  : floor.keep_versions;
        if (floor.keep_ms > 0 || floor.keep_versions > 1) {
            snapshots->floors[kept++] = floor;
        }
    }
    snapshots->floor_count = kept;
}

static struct keep_namespace keep_of(struct snapshots *snapshots,
                                     const struct snapshots_floor *floor, uint64_t now_ms) {
    struct keep_namespace keep = {.namespace_id = floor->namespace_id,
                                  .keep_versions = floor->keep_versions,
                                  .keep_since_version = UINT64_MAX,
                                  .keep_since_ms = UINT64_MAX};
    struct time_mark mark;

    if (floor->keep_ms > 0) {
        keep.keep_since_ms = now_ms > floor->keep_ms ? now_ms - floor->keep_ms : 0;
        keep.keep_since_version =
            time_index_until(snapshots->options.times, keep.keep_since_ms, &mark) ? mark.version
                                                                                  : 0;
    }
    return keep;
}

static void floor_raise(struct snapshots_floor *floor, uint64_t version, uint64_t ms) {
    floor->version = most(floor->version, version);
    floor->ms = most(floor->ms, ms);
}

/* Fills the rules, and publishes what they let go. */
static enum status give_rules_locked(struct snapshots *snapshots, uint64_t visible, uint64_t now_ms,
                                     struct keep_rules *rules) REQUIRES(snapshots->mu) {
    enum status status = keep_rules_init(rules, snapshots->count + 1, snapshots->floor_count);

    if (status != STATUS_OK) {
        return status;
    }
    rules->now_ms = now_ms;
    for (size_t i = 0; i < snapshots->count; i++) {
        keep_rules_add_snapshot_at(rules, snapshots->items[i].version, snapshots->items[i].now_ms);
    }
    keep_rules_add_snapshot(rules, visible);
    for (size_t i = 0; i < snapshots->floor_count; i++) {
        struct keep_namespace keep = keep_of(snapshots, &snapshots->floors[i], now_ms);
        keep_rules_add_namespace(rules, &keep);
        floor_raise(&snapshots->floors[i], least(visible, keep.keep_since_version),
                    least(now_ms, keep.keep_since_ms));
    }
    floor_raise(&snapshots->common, visible, now_ms);
    return STATUS_OK;
}

enum status snapshots_take_rules(void *arg, struct keep_rules *rules_out) {
    struct snapshots *snapshots = arg;
    const struct watermarks *marks = snapshots->options.marks;
    struct gathering gathering = {.snapshots = snapshots};
    uint64_t visible;
    uint64_t now_ms;
    enum status status;

    mutex_lock(&snapshots->mu);
    now_ms = store_clock_now_ms(snapshots->options.clock);
    drop_expired_locked(snapshots, now_ms);
    namespaces_settings_each(snapshots->options.namespaces, gather_cb, &gathering);
    visible = watermarks_visible(marks); /* includes what set the wishes: they are applied after */
    status = gathering.status;
    if (status == STATUS_OK) {
        status = floors_add_locked(snapshots, gathering.count);
    }
    if (status == STATUS_OK) {
        floors_wish_locked(snapshots, gathering.count, watermarks_durable(marks) >= visible);
        status = give_rules_locked(snapshots, visible, now_ms, rules_out);
    }
    mutex_unlock(&snapshots->mu);
    return status;
}
