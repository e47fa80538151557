/* commit_judge.c: see commit_judge.h. */
#include "storage/commit_judge.h"

#include "storage/ikey.h"
#include "storage/rewind_basis.h"
#include "storage/transaction.h"

/* The answer to `version`, which was found, waits for what it rests on. */
static void hold_found(const struct commit_sight *sight, struct store_commit *commit,
                       enum durability durability, uint64_t version) {
    struct store_hold *hold = &commit->waiter.hold;

    watermarks_hold_entry(sight->marks, (enum store_durability)durability, version, hold);
    if (version > watermarks_visible(sight->marks) && version > hold->written_version) {
        hold->written_version = version; /* of its own group */
    }
}

enum status commit_sight_find(const struct commit_sight *sight, struct store_commit *commit,
                              uint32_t namespace_id, struct slice key, struct view_hit *hit_out) {
    uint8_t row[ROW_BYTES_MAX];
    struct slice row_slice = slice_make(row, row_store(row, namespace_id, key));
    enum status status = view_find(sight->view, row_slice, VERSION_MAX, sight->wait, hit_out, NULL);

    if (status != STATUS_OK) {
        return status;
    }
    hold_found(sight, commit, hit_out->entry.durability, hit_out->version);
    return STATUS_OK;
}

/* What a condition finds: the version of the live entry, or VERSION_NONE. */
static enum status find_version(const struct commit_sight *sight, struct store_commit *commit,
                                const struct commit_condition *condition, uint64_t *found_out) {
    struct view_hit hit;
    enum status status =
        commit_sight_find(sight, commit, condition->namespace_id, condition->key, &hit);

    *found_out = VERSION_NONE;
    if (status == STATUS_OK) {
        *found_out = entry_is_dead(&hit.entry, sight->now_ms) ? VERSION_NONE : hit.version;
        view_hit_release(&hit);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
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

/* Whether what the transaction has read is still so. The loser is told who won. */
static enum status judge_transaction(struct store_commit *commit,
                                     const struct commit_sight *sight) {
    struct store_transaction *txn = commit->transaction;
    struct transaction_reads question = {.reads = &txn->reads,
                                         .version = txn->version,
                                         .view = sight->view,
                                         .window = sight->window,
                                         .now_ms = sight->now_ms};
    enum status status = transaction_judge(&question, &txn->conflict);

    txn->has_conflict = status == STATUS_CONFLICT;
    if (status == STATUS_CONFLICT) {
        hold_found(sight, commit, (enum durability)txn->conflict.durability, txn->conflict.version);
    }
    return status;
}

bool commit_judge(struct store_commit *commit, const struct commit_sight *sight) {
    struct reader reader = reader_make(buffer_slice(&commit->conditions));
    struct commit_condition condition;

    commit->outcome = (struct store_outcome){
        .status = rewind_basis_judge(buffer_slice(&commit->basis), sight->view)};
    commit->waiter.hold = (struct store_hold){0, 0};
    if (commit->transaction && commit->outcome.status == STATUS_OK) {
        commit->outcome.status = judge_transaction(commit, sight);
        commit->outcome.version =
            commit->outcome.status == STATUS_CONFLICT ? commit->transaction->conflict.version : 0;
    }
    while (commit->outcome.status == STATUS_OK &&
           commit_condition_take(&reader, &condition) == STATUS_OK) {
        uint64_t found;
        enum status status = find_version(sight, commit, &condition, &found);
        if (status == STATUS_WOULD_BLOCK) {
            return false;
        }
        if (status != STATUS_OK) {
            commit->outcome.status = status;
            return true;
        }
        commit->outcome = (struct store_outcome){.status = compare(&condition.condition, found),
                                                 .version = found,
                                                 .operation = condition.operation};
    }
    return true;
}
