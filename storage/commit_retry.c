/* commit_retry.c: see commit_retry.h. */
#include "storage/commit_retry.h"

#include "storage/format.h"
#include "storage/retry_row.h"

/* ---- Looking ----------------------------------------------------------------------------------
 */

/* How many results the commit would have. */
static uint32_t results_expected(const struct store_commit *commit) {
    struct reader reader = reader_make(buffer_slice(&commit->deferred));
    struct commit_deferred deferred;
    uint32_t count = 0;

    while (commit_deferred_take(&reader, &deferred) == STATUS_OK) {
        count += deferred.kind != DEFERRED_EXPIRE;
    }
    return count;
}

/* What the first commit was answered, which had `version`. */
static struct store_outcome outcome_of(const struct store_commit *commit,
                                       const struct retry_record *record, uint64_t version) {
    if (record->status != STATUS_OK) {
        return (struct store_outcome){
            .status = record->status, .version = record->version, .operation = record->operation};
    }
    if (commit->refused == STATUS_OK && record->result_count != results_expected(commit)) {
        return (struct store_outcome){.status = STATUS_INVALID}; /* of another request */
    }
    return (struct store_outcome){.status = STATUS_OK,
                                  .version = version,
                                  .number = record->version,
                                  .result_count = record->result_count,
                                  .results = (const int64_t *)(const void *)commit->results.data};
}

static void take_hit(struct store_commit *commit, const struct view_hit *hit) {
    struct retry_record record = {.sequence = 0};
    enum status status;

    buffer_clear(&commit->results);
    status = retry_value_parse(hit->entry.value, &record, &commit->results);
    if (status == STATUS_OK && record.sequence < commit->token.sequence) {
        buffer_clear(&commit->results);
        return; /* of an earlier one, whose place is free now */
    }
    if (status == STATUS_OK && record.sequence > commit->token.sequence) {
        status = STATUS_UNKNOWN; /* so old that its row is gone */
    }
    if (status == STATUS_OK) {
        buffer_clear(&commit->work);
        status = buffer_append(&commit->work, record.answer.ptr, record.answer.len);
    }
    if (status != STATUS_OK) {
        commit->outcome = (struct store_outcome){.status = status};
        return;
    }
    commit->is_repeat = true;
    commit->outcome = outcome_of(commit, &record, hit->version);
    commit->outcome.is_repeat = true;
    commit->outcome.answer = buffer_slice(&commit->work);
    commit->waiter.hold =
        (struct store_hold){.written_version = hit->version, .durable_version = hit->version};
}

bool commit_retry_find(struct store_commit *commit, const struct commit_sight *sight) {
    uint8_t key[RETRY_KEY_BYTES];
    struct view_hit hit;
    enum status status;

    retry_key_store(key, &commit->token);
    status = commit_sight_find(sight, commit, NAMESPACE_SYSTEM, slice_make(key, sizeof key), &hit);
    if (status == STATUS_WOULD_BLOCK) {
        return false;
    }
    commit->is_repeat = false;
    commit->waiter.hold = (struct store_hold){0, 0};
    commit->outcome =
        (struct store_outcome){.status = status == STATUS_NOT_FOUND ? STATUS_OK : status};
    if (status == STATUS_OK) {
        if (!entry_is_dead(&hit.entry, sight->now_ms)) {
            take_hit(commit, &hit);
        }
        view_hit_release(&hit);
    }
    if (commit->outcome.status == STATUS_OK && !commit->is_repeat) {
        commit->outcome.status = commit->refused;
    }
    return true;
}

/* ---- Staging ----------------------------------------------------------------------------------
 */

static enum status append_row(struct store_commit *commit, const struct retry_record *record,
                              uint64_t now_ms) {
    uint8_t key[RETRY_KEY_BYTES];
    struct batch_op op = {.namespace_id = NAMESPACE_SYSTEM,
                          .key = slice_make(key, sizeof key),
                          .kind = ENTRY_INLINE,
                          .expiry_ms = now_ms + STORE_RETRY_WINDOW_MS};
    enum status status;

    retry_key_store(key, &commit->token);
    buffer_clear(&commit->work);
    status = retry_value_store(record, (const int64_t *)(const void *)commit->results.data,
                               &commit->work);
    if (status == STATUS_OK) {
        op.value = buffer_slice(&commit->work);
        status = batch_append(&commit->batch, &op, slice_make(NULL, 0));
    }
    commit->batch.finished = true; /* nobody else has this key */
    return status;
}

enum status commit_retry_stage(struct store_commit *commit, uint64_t now_ms) {
    struct retry_record record = {.sequence = commit->token.sequence,
                                  .status = STATUS_OK,
                                  .version = commit->token.number,
                                  .answer = commit->token.answer,
                                  .result_count =
                                      (uint32_t)(commit->results.len / sizeof(int64_t))};

    return append_row(commit, &record, now_ms);
}

/* Not, that a namespace which it writes to was dropped on the way: the next copy finds another. Nor
 * a conflict, if it is going to be run again. */
static bool is_kept(const struct store_commit *commit) {
    enum status status = commit->outcome.status;
    bool again = status == STATUS_CONFLICT || status == STATUS_TXN_TOO_OLD;

    return retry_status_is_kept(status) && !(again && commit->token.provisional) &&
           (status != STATUS_NOT_FOUND || commit->refused == status || commit->catalogue.len > 0);
}

bool commit_retry_stage_refusal(struct store_commit *commit, uint64_t now_ms) {
    const struct store_outcome *outcome = &commit->outcome;
    struct retry_record record = {.sequence = commit->token.sequence,
                                  .status = outcome->status,
                                  .version = outcome->version,
                                  .operation = outcome->operation};

    if (!commit->has_token || !is_kept(commit)) {
        return false;
    }
    batch_clear(&commit->batch);
    commit->names_namespace = false;
    commit->puts = false;              /* so small a row always has room, as tombstones have */
    commit->durability = STORE_MEMORY; /* nobody waits for it: the next crash ends all copies */
    return append_row(commit, &record, now_ms) == STATUS_OK;
}
