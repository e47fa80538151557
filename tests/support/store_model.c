/* store_model.c: see store_model.h. */
#include "tests/support/store_model.h"

#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "tests/support/store_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define LONG_KEY_BYTES 900u

void model_init(struct model *model) {
    *model = (struct model){0};
    model->commits = memory_alloc_array(MODEL_COMMITS_MAX, sizeof *model->commits);
    ck_assert_ptr_nonnull(model->commits);
}

void model_deinit(struct model *model) {
    memory_free(model->commits);
    *model = (struct model){0};
}

struct slice model_key(uint32_t key, uint8_t *room) {
    size_t pad = key % 10 == 9 ? LONG_KEY_BYTES : 0;

    memset(room, 'p', pad);
    snprintf((char *)room + pad, MODEL_KEY_ROOM_BYTES - pad, "key%02u", key);
    return slice_make(room, pad + 5);
}

struct slice model_value(struct model_op *op, uint8_t *room) {
    struct slice value = slice_make(room, op->value_bytes);

    fixture_fill(room, op->value_bytes, op->value_seed);
    op->checksum = checksum_of(value);
    return value;
}

struct model_commit *model_add(struct model *model) {
    struct model_commit *commit = &model->commits[model->count++];

    ck_assert_uint_lt(model->count, MODEL_COMMITS_MAX);
    *commit = (struct model_commit){0};
    return commit;
}

const struct model_op *model_find(const struct model *model, uint32_t key, size_t prefix,
                                  size_t *commit_out) {
    for (size_t i = prefix; i > 0; i--) {
        const struct model_commit *commit = &model->commits[i - 1];
        for (uint32_t j = commit->op_count; j > 0 && commit->fate != MODEL_FAILED; j--) {
            if (model_op_is_on(&commit->ops[j - 1], key)) {
                *commit_out = i - 1;
                return &commit->ops[j - 1];
            }
        }
    }
    return NULL;
}

void model_answered(struct model *model, size_t index) {
    enum store_durability durability = model->commits[index].durability;

    if (durability == STORE_SYNCED && index + 1 > model->synced_prefix) {
        model->synced_prefix = index + 1;
    }
    if (durability >= STORE_LOGGED && index + 1 > model->logged_prefix) {
        model->logged_prefix = index + 1;
    }
}

static bool shows(const struct model_seen *seen, const struct model_op *op,
                  const struct model_commit *commit, uint64_t now_ms) {
    if (!seen->looked) {
        return true;
    }
    if (!op || op->deletes || (op->expiry_ms != 0 && op->expiry_ms <= now_ms)) {
        return !seen->present;
    }
    return seen->present && seen->checksum == op->checksum &&
           seen->value_bytes == op->value_bytes &&
           (commit->version == 0 || commit->version == seen->version);
}

/* A read that is right about some keys, and wrong about others. */
struct matching {
    const struct model_seen *seen;
    uint64_t now_ms;
    bool right[MODEL_KEYS];
    uint32_t wrong;
};

static void apply(struct matching *matching, const struct model_commit *commit,
                  const struct model_op *op) {
    for (uint32_t key = 0; key < MODEL_KEYS; key++) {
        if (model_op_is_on(op, key)) {
            matching->wrong -= !matching->right[key];
            matching->right[key] = shows(&matching->seen[key], op, commit, matching->now_ms);
            matching->wrong += !matching->right[key];
        }
    }
}

size_t model_match(const struct model *model, const struct model_seen seen[MODEL_KEYS],
                   uint64_t now_ms, size_t low, size_t high, bool longest) {
    struct matching matching = {.seen = seen, .now_ms = now_ms};
    size_t found = MODEL_NONE;

    for (uint32_t key = 0; key < MODEL_KEYS; key++) {
        matching.right[key] = shows(&seen[key], NULL, NULL, now_ms);
        matching.wrong += !matching.right[key];
    }
    for (size_t prefix = 0; prefix <= high; prefix++) {
        const struct model_commit *commit = &model->commits[prefix];
        if (prefix >= low && matching.wrong == 0 && (longest || found == MODEL_NONE)) {
            found = prefix;
        }
        if (prefix == high || commit->fate == MODEL_FAILED) {
            continue;
        }
        for (uint32_t j = 0; j < commit->op_count; j++) {
            apply(&matching, commit, &commit->ops[j]);
        }
    }
    return found;
}

void model_bounds(const struct model *model, uint64_t version, size_t *low_out, size_t *high_out) {
    *low_out = 0;
    *high_out = model->count;
    for (size_t i = 0; i < model->count; i++) {
        uint64_t of_commit = model->commits[i].version;
        if (of_commit != 0 && of_commit <= version) {
            *low_out = i + 1;
        }
        if (of_commit > version) {
            *high_out = i;
            break;
        }
    }
}

void model_settle(struct model *model, size_t prefix) {
    model->count = prefix;
    for (size_t i = 0; i < prefix; i++) {
        if (model->commits[i].fate == MODEL_PENDING) {
            model->commits[i].fate = MODEL_DONE;
        }
    }
    model->synced_prefix = prefix; /* recovery has made it durable */
    model->logged_prefix = prefix;
    model->must_prefix = prefix;
}
