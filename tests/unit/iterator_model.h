/* iterator_model.h: a sorted array of keys beside an iterator that should walk just these. Random
 * moves are made on both and must agree. */
#ifndef KVD_TESTS_ITERATOR_MODEL_H
#define KVD_TESTS_ITERATOR_MODEL_H

#include "storage/random.h"
#include "tests/unit/table_fixture.h"

#define MODEL_NOWHERE SIZE_MAX

struct model {
    struct key *keys; /* owned; ascending, each once */
    size_t count;
    size_t room;
};

static inline void model_add(struct model *model, const struct key *key) {
    if (model->count == model->room) {
        model->room = model->room ? 2 * model->room : 64;
        model->keys = memory_resize(model->keys, model->room * sizeof *model->keys);
        ck_assert_ptr_nonnull(model->keys);
    }
    model->keys[model->count++] = *key;
}

static inline int model_compare(const void *a, const void *b) {
    return ikey_compare(key_slice((const struct key *)a), key_slice((const struct key *)b));
}

/* Sorts the keys and drops duplicates. */
static inline void model_sort(struct model *model) {
    size_t kept = 0;
    if (model->count > 0) {
        qsort(model->keys, model->count, sizeof *model->keys, model_compare);
    }
    for (size_t i = 0; i < model->count; i++) {
        if (kept == 0 || model_compare(&model->keys[kept - 1], &model->keys[i]) != 0) {
            model->keys[kept++] = model->keys[i];
        }
    }
    model->count = kept;
}

static inline void model_free(struct model *model) {
    memory_free(model->keys);
    *model = (struct model){0};
}

/* How many keys are < ikey. */
static inline size_t model_below(const struct model *model, struct slice ikey) {
    size_t below = 0;
    while (below < model->count && ikey_compare(key_slice(&model->keys[below]), ikey) < 0) {
        below++;
    }
    return below;
}

/* Makes one random move on both; returns where the model stands then. */
static inline size_t model_move(const struct model *model, struct iterator *iter, size_t at,
                                struct random *random) {
    uint64_t move = random_below(random, 16);
    struct key key = key_at("absent", 5);
    size_t expected;
    enum status status;

    if (model->count > 0 && random_below(random, 4) != 0) {
        key = model->keys[random_below(random, model->count)];
    }
    if (at != MODEL_NOWHERE && move < 6) {
        expected = at + 1;
        status = iterator_next(iter);
    } else if (at != MODEL_NOWHERE && move < 12) {
        expected = at - 1; /* wraps before the first, and is no place either */
        status = iterator_prev(iter);
    } else if (move == 12) {
        expected = 0;
        status = iterator_seek_first(iter);
    } else if (move == 13) {
        expected = model->count - 1;
        status = iterator_seek_last(iter);
    } else if (move == 14) {
        expected = model_below(model, key_slice(&key));
        status = iterator_seek(iter, key_slice(&key));
    } else {
        expected = model_below(model, key_slice(&key)) - 1;
        status = iterator_seek_before(iter, key_slice(&key));
    }
    if (expected >= model->count) {
        ck_assert_int_eq(status, STATUS_END);
        return MODEL_NOWHERE;
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert(slice_equal(iter->key, key_slice(&model->keys[expected])));
    return expected;
}

static inline void model_walk(const struct model *model, struct iterator *iter, uint64_t seed,
                              unsigned moves) {
    struct random random = random_make(seed);
    size_t at = MODEL_NOWHERE;

    for (unsigned i = 0; i < moves; i++) {
        at = model_move(model, iter, at, &random);
    }
}

#endif
