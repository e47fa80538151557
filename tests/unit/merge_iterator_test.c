/* merge_iterator_test.c: one walk over many, both ways, with turns, duplicates and failures. */
#include "storage/merge_iterator.h"

#include "tests/unit/iterator_model.h"

/* A child over a model, which can be told to fail at its n-th move. */
struct list_iterator {
    struct iterator base;
    struct model *model; /* owned */
    size_t at;
    const char *name;    /* its entries */
    unsigned *countdown; /* shared by all; 0: never fails */
    enum status failure;
};

static enum status arrive(struct list_iterator *self, size_t at) {
    if (*self->countdown > 0 && --*self->countdown == 0) {
        error_set(&self->base.error, self->failure, 0, self->name, 5, "told to");
        self->base.key = (struct slice){0};
        return self->failure;
    }
    self->at = at;
    self->base.key = (struct slice){0};
    if (at >= self->model->count) {
        return STATUS_END;
    }
    self->base.key = key_slice(&self->model->keys[at]);
    self->base.entry = slice_from_text(self->name);
    return STATUS_OK;
}

static struct list_iterator *self_of(struct iterator *iter) {
    return (struct list_iterator *)iter;
}

static enum status op_seek(struct iterator *iter, struct slice ikey) {
    return arrive(self_of(iter), model_below(self_of(iter)->model, ikey));
}

static enum status op_seek_before(struct iterator *iter, struct slice ikey) {
    return arrive(self_of(iter), model_below(self_of(iter)->model, ikey) - 1);
}

static enum status op_first(struct iterator *iter) {
    return arrive(self_of(iter), 0);
}

static enum status op_last(struct iterator *iter) {
    return arrive(self_of(iter), self_of(iter)->model->count - 1);
}

static enum status op_next(struct iterator *iter) {
    ck_assert_uint_gt(iter->key.len, 0); /* only when it stands somewhere */
    return arrive(self_of(iter), self_of(iter)->at + 1);
}

static enum status op_prev(struct iterator *iter) {
    ck_assert_uint_gt(iter->key.len, 0);
    return arrive(self_of(iter), self_of(iter)->at - 1);
}

static void op_destroy(struct iterator *iter) {
    model_free(self_of(iter)->model);
    memory_free(self_of(iter)->model);
    memory_free(iter);
}

static const struct iterator_ops list_ops = {
    .seek = op_seek,
    .seek_before = op_seek_before,
    .seek_first = op_first,
    .seek_last = op_last,
    .next = op_next,
    .prev = op_prev,
    .destroy = op_destroy,
};

#define CHILDREN_MAX 100
static const char *const names[] = {"newest", "second", "third"};
static struct iterator *children[CHILDREN_MAX];
static size_t child_count;
static unsigned countdown;
static struct model all;

static void start(size_t count) {
    child_count = count;
    for (size_t i = 0; i < count; i++) {
        struct list_iterator *child = memory_alloc_zeroed(sizeof *child);
        child->base.ops = &list_ops;
        child->model = memory_alloc_zeroed(sizeof *child->model);
        child->countdown = &countdown;
        child->failure = STATUS_CORRUPT;
        child->name = i < 3 ? names[i] : "more";
        children[i] = &child->base;
    }
}

static void put(size_t child, const char *word, uint64_t version) {
    struct key key = key_at(word, version);
    model_add(self_of(children[child])->model, &key);
    model_add(&all, &key);
}

static struct iterator *merged(void) {
    struct iterator *merge = NULL;
    for (size_t i = 0; i < child_count; i++) {
        model_sort(self_of(children[i])->model);
    }
    model_sort(&all);
    ck_assert_int_eq(merge_iterator_create(children, child_count, &merge), STATUS_OK);
    return merge;
}

static void end(struct iterator *merge) {
    iterator_destroy(merge);
    model_free(&all);
}

/* Keys spread over the children at random; some in several. */
static struct iterator *merged_at_random(size_t count, uint64_t seed) {
    struct random random = random_make(seed);
    start(count);
    for (unsigned i = 0; i < 300; i++) {
        char word[32];
        numbered_word(word, (unsigned)random_below(&random, 100));
        put(random_below(&random, count), word, 1 + random_below(&random, 3));
    }
    return merged();
}

static void walk_merged_at_random(size_t count, uint64_t seed) {
    struct iterator *merge = merged_at_random(count, seed);
    model_walk(&all, merge, seed, 5000);
    end(merge);
}

START_TEST(random_walks_agree_with_the_model) {
    static const size_t counts[] = {1, 2, 3, 7, 64, CHILDREN_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        walk_merged_at_random(counts[i], 100 + i);
    }
}
END_TEST

START_TEST(no_children_are_an_empty_walk) {
    struct iterator *merge;
    struct key key = key_at("a", 1);
    start(0);
    merge = merged();
    ck_assert_int_eq(iterator_seek_first(merge), STATUS_END);
    ck_assert_int_eq(iterator_seek_last(merge), STATUS_END);
    ck_assert_int_eq(iterator_seek(merge, key_slice(&key)), STATUS_END);
    ck_assert_int_eq(iterator_seek_before(merge, key_slice(&key)), STATUS_END);
    end(merge);
}
END_TEST

static void expect_entry(const struct iterator *iter, const char *word, const char *entry) {
    expect_at(iter, word, 1);
    expect_text(iter->entry, entry);
}

START_TEST(of_equal_keys_the_newest_source_wins_both_ways) {
    struct iterator *merge;
    start(3);
    put(0, "b", 1);
    put(1, "a", 1);
    put(1, "b", 1);
    put(1, "c", 1);
    put(2, "b", 1);
    put(2, "c", 1);
    merge = merged();
    ck_assert_int_eq(iterator_seek_first(merge), STATUS_OK);
    expect_entry(merge, "a", "second");
    ck_assert_int_eq(iterator_next(merge), STATUS_OK);
    expect_entry(merge, "b", "newest");
    ck_assert_int_eq(iterator_next(merge), STATUS_OK);
    expect_entry(merge, "c", "second");
    ck_assert_int_eq(iterator_prev(merge), STATUS_OK);
    expect_entry(merge, "b", "newest");
    ck_assert_int_eq(iterator_prev(merge), STATUS_OK);
    expect_entry(merge, "a", "second");
    ck_assert_int_eq(iterator_prev(merge), STATUS_END);
    ck_assert_int_eq(iterator_seek_last(merge), STATUS_OK);
    expect_entry(merge, "c", "second");
    end(merge);
}
END_TEST

static void walk_until_failure(struct iterator *merge, enum status failure) {
    struct random random = random_make(3);
    enum status status = iterator_seek_first(merge);
    while (status == STATUS_OK) {
        status = random_below(&random, 3) ? iterator_next(merge) : iterator_prev(merge);
        if (status == STATUS_END) {
            status = iterator_seek_last(merge);
        }
    }
    ck_assert_int_eq(status, failure);
    ck_assert_uint_eq(merge->key.len, 0);
}

START_TEST(a_failing_child_fails_the_move_and_the_merge_can_go_on) {
    struct iterator *merge = merged_at_random(5, 8);
    for (unsigned n = 1; n < 100; n++) {
        countdown = n;
        walk_until_failure(merge, STATUS_CORRUPT);
        ck_assert_str_eq(merge->error.text, "told to");
        ck_assert_uint_eq(merge->error.offset, 5);
        model_walk(&all, merge, n, 20);
    }
    end(merge);
}
END_TEST

START_TEST(would_block_is_passed_on) {
    struct iterator *merge = merged_at_random(5, 9);
    for (size_t i = 0; i < 5; i++) {
        self_of(children[i])->failure = STATUS_WOULD_BLOCK;
    }
    for (unsigned n = 1; n < 30; n++) {
        countdown = n;
        walk_until_failure(merge, STATUS_WOULD_BLOCK);
    }
    end(merge);
}
END_TEST

START_TEST(without_memory_the_children_stay_the_callers) {
    struct iterator *merge = NULL;
    start(2);
    for (uint64_t n = 0; n < 2; n++) {
        memory_fail_after(n, false);
        ck_assert_int_eq(merge_iterator_create(children, 2, &merge), STATUS_NO_MEMORY);
    }
    memory_fail_never();
    iterator_destroy(children[0]);
    iterator_destroy(children[1]);
}
END_TEST

UNIT_MAIN("merge_iterator", random_walks_agree_with_the_model, no_children_are_an_empty_walk,
          of_equal_keys_the_newest_source_wins_both_ways,
          a_failing_child_fails_the_move_and_the_merge_can_go_on, would_block_is_passed_on,
          without_memory_the_children_stay_the_callers)
