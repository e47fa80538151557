/* commit_judge.c: see commit_judge.h. */
#include "storage/commit_judge.h"

#include "storage/ikey.h"

/* What a condition finds: the version of the live entry, or VERSION_NONE. */
static enum status find_version(const struct commit_condition *condition, const struct view *view,
                                uint64_t now_ms, enum read_wait wait, struct view_hit *hit,
                                uint64_t *found_out) {
    uint8_t row[ROW_BYTES_MAX];
    struct slice row_slice =
        slice_make(row, row_store(row, condition->namespace_id, condition->key));
    enum status status = view_find(view, row_slice, VERSION_MAX, wait, hit, NULL);

    *found_out = VERSION_NONE;
    if (status == STATUS_OK && !entry_is_dead(&hit->entry, now_ms)) {
        *found_out = hit->version;
    }
    return status;
}

static enum status compare(const struct store_condition *condition, uint64_t found) {
    switch (condition->kind) {
    case STORE_IF_ABSENT:
        return found == VERSION_NONE ? STATUS_OK : STATUS_EXISTS;
    case STORE_IF_PRESENT:
        return found != VERSION_NONE ? STATUS_OK : STATUS_ABSENT;
    case STORE_IF_VERSION:
        return found == condition->version ? STATUS_OK : STATUS_VERSION_MISMATCH;
    case STORE_ALWAYS:
        break;
    }
    return STATUS_OK;
}

bool commit_judge(struct store_commit *commit, const struct view *view,
                  const struct watermarks *marks, uint64_t now_ms, enum read_wait wait) {
    struct reader reader = reader_make(buffer_slice(&commit->conditions));
    struct commit_condition condition;

    commit->outcome = (struct store_outcome){.status = STATUS_OK};
    commit->waiter.hold = (struct store_hold){0, 0};
    while (commit->outcome.status == STATUS_OK &&
           commit_condition_take(&reader, &condition) == STATUS_OK) {
        struct view_hit hit;
        uint64_t found;
        enum status status = find_version(&condition, view, now_ms, wait, &hit, &found);
        if (status == STATUS_WOULD_BLOCK) {
            return false;
        }
        if (status == STATUS_OK) {
            watermarks_hold_entry(marks, (enum store_durability)hit.entry.durability, hit.version,
                                  &commit->waiter.hold);
            if (hit.version > watermarks_visible(marks) &&
                hit.version > commit->waiter.hold.written_version) {
                commit->waiter.hold.written_version = hit.version; /* of its own group */
            }
            view_hit_release(&hit);
        } else if (status != STATUS_NOT_FOUND) {
            commit->outcome.status = status;
            return true;
        }
        commit->outcome = (struct store_outcome){.status = compare(&condition.condition, found),
                                                 .version = found,
                                                 .operation = condition.operation};
    }
    return true;
}
