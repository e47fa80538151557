/* keep_rules.c: see keep_rules.h. */
#include "storage/keep_rules.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/format.h"

enum status keep_rules_init(struct keep_rules *rules, size_t snapshot_capacity,
                            size_t namespace_capacity) {
    *rules = (struct keep_rules){.durable_version = UINT64_MAX,
                                 .snapshot_capacity = snapshot_capacity,
                                 .namespace_capacity = namespace_capacity};
    ASSERT(snapshot_capacity > 0);
    if (snapshot_capacity == 1) {
        rules->snapshots = &rules->own[0];
        rules->snapshots_ms = &rules->own[1];
    } else {
        rules->snapshots = memory_alloc_array(snapshot_capacity, sizeof *rules->snapshots);
        rules->snapshots_ms = memory_alloc_array(snapshot_capacity, sizeof *rules->snapshots_ms);
    }
    if (namespace_capacity > 0) {
        rules->namespaces = memory_alloc_array(namespace_capacity, sizeof *rules->namespaces);
    }
    if (!rules->snapshots || !rules->snapshots_ms ||
        (namespace_capacity > 0 && !rules->namespaces)) {
        keep_rules_deinit(rules);
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

enum status keep_rules_init_plain(struct keep_rules *rules, uint64_t visible, uint64_t now_ms) {
    enum status status = keep_rules_init(rules, 1, 0);

    if (status == STATUS_OK) {
        keep_rules_add_snapshot(rules, visible);
        rules->now_ms = now_ms;
    }
    return status;
}

void keep_rules_deinit(struct keep_rules *rules) {
    if (rules->snapshots != &rules->own[0]) {
        memory_free(rules->snapshots);
        memory_free(rules->snapshots_ms);
    }
    memory_free(rules->namespaces);
    *rules = (struct keep_rules){0};
}

void keep_rules_add_snapshot(struct keep_rules *rules, uint64_t version) {
    keep_rules_add_snapshot_at(rules, version, UINT64_MAX);
}

void keep_rules_add_snapshot_at(struct keep_rules *rules, uint64_t version, uint64_t time_ms) {
    if (rules->snapshot_count > 0) {
        uint64_t last = rules->snapshots[rules->snapshot_count - 1];
        ASSERT(last <= version);
        if (last == version && time_ms >= rules->snapshots_ms[rules->snapshot_count - 1]) {
            return;
        }
        rules->snapshot_count -= last == version;
    }
    ASSERT(rules->snapshot_count < rules->snapshot_capacity);
    rules->snapshots[rules->snapshot_count] = version;
    rules->snapshots_ms[rules->snapshot_count++] = time_ms;
    for (size_t i = rules->snapshot_count - 1; i > 0 && rules->snapshots_ms[i - 1] > time_ms; i--) {
        rules->snapshots_ms[i - 1] = time_ms; /* it sees what those before it see */
    }
}

void keep_rules_add_namespace(struct keep_rules *rules, const struct keep_namespace *keep) {
    ASSERT(rules->namespace_count < rules->namespace_capacity);
    if (rules->namespace_count > 0) {
        ASSERT(rules->namespaces[rules->namespace_count - 1].namespace_id < keep->namespace_id);
    }
    rules->namespaces[rules->namespace_count++] = *keep;
}

static const struct keep_namespace keeps_nothing = {.keep_since_version = UINT64_MAX,
                                                    .keep_since_ms = UINT64_MAX};

struct keep_namespace keep_rules_namespace(const struct keep_rules *rules, uint32_t namespace_id) {
    struct keep_namespace none = keeps_nothing;
    size_t low = 0;
    size_t high = rules->namespace_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rules->namespaces[middle].namespace_id < namespace_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < rules->namespace_count && rules->namespaces[low].namespace_id == namespace_id) {
        return rules->namespaces[low];
    }
    none.namespace_id = namespace_id;
    return none;
}

static uint64_t least(uint64_t left, uint64_t right) {
    return left < right ? left : right;
}

/* The first snapshot that sees `version`: an index up to their count. */
static size_t first_to_see(const struct keep_rules *rules, uint64_t version) {
    size_t low = 0;
    size_t high = rules->snapshot_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rules->snapshots[middle] < version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint64_t keep_rules_expiry_ms(const struct keep_rules *rules, const struct keep_namespace *keep,
                              uint64_t version) {
    size_t first = first_to_see(rules, version);
    uint64_t time_ms = least(rules->now_ms, keep->keep_since_ms);

    return first < rules->snapshot_count ? least(time_ms, rules->snapshots_ms[first]) : time_ms;
}

uint64_t keep_rules_settled_version(const struct keep_rules *rules,
                                    const struct keep_namespace *keep, uint64_t least_version) {
    size_t first = first_to_see(rules, least_version);

    return first < rules->snapshot_count ? least(rules->snapshots[first], keep->keep_since_version)
                                         : 0; /* newer than the rules: nothing is known */
}

static void keep_strictest(struct keep_namespace *all, const struct keep_namespace *keep) {
    all->keep_since_version = least(all->keep_since_version, keep->keep_since_version);
    all->keep_since_ms = least(all->keep_since_ms, keep->keep_since_ms);
    if (keep->keep_versions > all->keep_versions) {
        all->keep_versions = keep->keep_versions;
    }
}

struct keep_span keep_rules_span(const struct keep_rules *rules, uint32_t first_namespace,
                                 uint32_t last_namespace, uint64_t least_version) {
    struct keep_span span = {
        .settled_version = keep_rules_settled_version(rules, &keeps_nothing, least_version),
        .expiry_ms = keep_rules_expiry_ms(rules, &keeps_nothing, least_version),
        .keep = keeps_nothing};

    for (size_t i = 0; i < rules->namespace_count; i++) {
        const struct keep_namespace *keep = &rules->namespaces[i];
        if (first_namespace == NAMESPACE_SYSTEM ||
            (keep->namespace_id >= first_namespace && keep->namespace_id <= last_namespace)) {
            span.settled_version = least(span.settled_version, keep->keep_since_version);
            span.expiry_ms = least(span.expiry_ms, keep->keep_since_ms);
            span.keeps_older = span.keeps_older || keep->keep_versions > 1;
            keep_strictest(&span.keep, keep);
        }
    }
    return span;
}

static bool keeps_alike(const struct keep_namespace *left, const struct keep_namespace *right) {
    return left->keep_versions == right->keep_versions &&
           left->keep_since_version == right->keep_since_version &&
           left->keep_since_ms == right->keep_since_ms;
}

bool keep_rules_is_border(const struct keep_rules *rules, uint32_t namespace_id,
                          uint32_t next_namespace) {
    struct keep_namespace first = keep_rules_namespace(rules, namespace_id);
    struct keep_namespace last = keep_rules_namespace(rules, next_namespace);

    if (namespace_id == next_namespace || rules->namespace_count == 0) {
        return false;
    }
    if (namespace_id == NAMESPACE_SYSTEM || !keeps_alike(&first, &last)) {
        return true;
    }
    for (size_t i = 0; i < rules->namespace_count; i++) {
        const struct keep_namespace *keep = &rules->namespaces[i];
        if (keep->namespace_id > namespace_id && keep->namespace_id < next_namespace &&
            !keeps_alike(&first, keep)) {
            return true;
        }
    }
    return false;
}

/* Whether some snapshot sees `version` but not `hider`: version <= s < hider. */
static bool snapshot_between(const struct keep_rules *rules, uint64_t version, uint64_t hider) {
    size_t first = first_to_see(rules, version);

    return first < rules->snapshot_count && rules->snapshots[first] < hider;
}

static bool count_is_reached(const struct keep_namespace *keep, uint64_t newer) {
    return newer >= (keep->keep_versions > 1 ? keep->keep_versions : 1);
}

bool keep_rules_hidden_goes(const struct keep_rules *rules, const struct keep_namespace *keep,
                            uint64_t version, uint64_t hider, uint64_t newer) {
    return !snapshot_between(rules, version, hider) && hider <= keep->keep_since_version &&
           count_is_reached(keep, newer);
}

uint64_t keep_rules_group(const struct keep_rules *rules, const struct keep_namespace *keep,
                          uint64_t version, uint64_t hider, uint64_t newer) {
    uint64_t first = first_to_see(rules, version);
    uint64_t end = first_to_see(rules, hider);
    uint64_t by_count = count_is_reached(keep, newer) ? UINT16_MAX : newer % UINT16_MAX;

    return first << 40 | end << 16 | by_count;
}

bool keep_rules_rest_goes(const struct keep_rules *rules, const struct keep_namespace *keep,
                          uint64_t version, uint32_t newer) {
    return keep_rules_rest_goes_from(rules, keep, 0, version, newer);
}

bool keep_rules_rest_goes_from(const struct keep_rules *rules, const struct keep_namespace *keep,
                               uint64_t least_version, uint64_t version, uint32_t newer) {
    return version <= keep_rules_settled_version(rules, keep, least_version) &&
           count_is_reached(keep, newer + 1);
}
