/* space_promise.c: see space_promise.h. */
#include "storage/space_promise.h"

#include "protocol/base/memory.h"

void space_promise_init(struct space_promise *promise, const struct sizes_basis *basis,
                        struct version_set *versions) {
    *promise = (struct space_promise){
        .basis = *basis, .shares = sizes_shares(basis), .versions = versions};
    frame_book_init(&promise->frames);
    mutex_init(&promise->mu);
    promise->seen.installs = UINT64_MAX; /* no terms yet */
    promise->terms.sizes = sizes_of(basis, 0);
    atomic_init(&promise->above_room, UINT64_MAX);
}

void space_promise_deinit(struct space_promise *promise) {
    mutex_deinit(&promise->mu);
    frame_book_deinit(&promise->frames);
}

/* ---- Terms ------------------------------------------------------------------------------------
 */

/* What a look at the segments goes by. */
struct look {
    uint64_t replay_segment;
    uint64_t *pinned; /* owned */
    size_t pinned_count;
};

static void add_segments(const struct holder_sums *sums, const struct look *look,
                         struct space_terms *terms) {
    for (size_t i = 0; i < sums->account_count; i++) {
        const struct segment_account *account = &sums->accounts[i];
        uint64_t dead = segment_account_unreferenced(account);
        bool flushed = account->kind != SEGMENT_COMMIT || account->segment < look->replay_segment;
        if (!account->sealed || !flushed) {
            continue; /* part of U */
        }
        terms->segment_bytes += account->file_bytes;
        terms->referenced_bytes += account->bytes + account->alias_bytes;
        terms->frame_bytes += account->frame_bytes;
        if (account->damaged) {
            terms->damaged_bytes += dead;
        } else if (segment_pins_list_has(look->pinned, look->pinned_count, account->segment)) {
            terms->pinned_bytes += dead;
            terms->feed_bytes += account->kind == SEGMENT_COMMIT ? dead : 0;
        } else {
            terms->unreferenced_bytes += dead;
        }
    }
}

static void add_levels(const struct version *version, struct space_terms *terms) {
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        const struct level *level = &version->levels[i];
        terms->table_bytes += level->file_bytes;
        terms->weight_tables += level->weight;
        for (uint32_t j = 0; j < level->count; j++) {
            terms->weight_hidden += table_info_hidden_weight(level->infos[j]);
        }
        if (i > 0 && level->count > 0) {          /* in level 0 a row may stand more than once */
            terms->weight_bottom = level->weight; /* the lowest stays */
        }
    }
    terms->weight_above = terms->weight_tables - terms->weight_bottom;
}

static uint64_t memtables_weight(const struct view *view) {
    uint64_t weight = memtable_log_bytes(view->active);

    for (uint32_t i = 0; i < view->frozen_count; i++) {
        weight += memtable_log_bytes(view->frozen[i]);
    }
    return weight;
}

static void derive(const struct space_promise *promise, struct space_terms *terms) {
    terms->weight_tables += terms->frame_bytes;
    terms->sizes = sizes_of(&promise->basis, terms->weight_tables + terms->weight_memtables);
    terms->unreferenced_limit =
        sizes_part(terms->weight_tables, promise->shares.g) + terms->sizes.segment_bytes;
    terms->above_limit =
        sizes_part(terms->weight_bottom, promise->shares.h) + terms->sizes.unflushed_log_bytes;
    terms->live_estimate = terms->weight_bottom + terms->frame_bytes;
}

static struct space_seen see(struct space_promise *promise) {
    struct space_seen seen = {
        .installs = atomic_load_explicit(&promise->versions->installs, memory_order_relaxed)};
    struct view *view = version_set_view(promise->versions);

    seen.memtable_entries = memtable_entries(view->active);
    for (uint32_t i = 0; i < view->frozen_count; i++) {
        seen.memtable_entries += memtable_entries(view->frozen[i]);
    }
    seen.memtable_log_bytes = memtables_weight(view);
    seen.pinned_count = segment_pins_count(&promise->versions->pins);
    view_unref(view);
    return seen;
}

static bool is_same(const struct space_seen *a, const struct space_seen *b) {
    return a->installs == b->installs && a->memtable_entries == b->memtable_entries &&
           a->memtable_log_bytes == b->memtable_log_bytes && a->pinned_count + b->pinned_count == 0;
}

static enum status take_terms(struct space_promise *promise, struct space_terms *terms) {
    struct look look = {.replay_segment = version_set_replay_segment(promise->versions)};
    struct holder_sums sums;
    struct view *view;
    enum status status = version_set_kept(promise->versions, &look.pinned, &look.pinned_count);

    if (status != STATUS_OK) {
        return status;
    }
    view = version_set_view(promise->versions);
    status = holders_of_view(view, &sums);
    if (status == STATUS_OK) {
        frame_book_apply(&promise->frames, &sums);
        add_segments(&sums, &look, terms);
        add_levels(view->version, terms);
        terms->weight_memtables = memtables_weight(view);
        derive(promise, terms);
        holders_deinit(&sums);
    }
    view_unref(view);
    memory_free(look.pinned);
    return status;
}

static void update(struct space_promise *promise, const struct space_seen *seen) {
    struct space_terms terms = {0};
    uint64_t room;

    if (take_terms(promise, &terms) != STATUS_OK) {
        return;
    }
    room = terms.above_limit > terms.weight_above ? terms.above_limit - terms.weight_above : 0;
    mutex_lock(&promise->mu);
    promise->terms = terms;
    promise->seen = *seen;
    atomic_store_explicit(&promise->log_is_full,
                          terms.unreferenced_bytes > terms.unreferenced_limit,
                          memory_order_relaxed);
    atomic_store_explicit(&promise->above_room, room, memory_order_relaxed);
    atomic_store_explicit(&promise->weight, terms.weight_tables + terms.weight_memtables,
                          memory_order_relaxed);
    mutex_unlock(&promise->mu);
}

void space_promise_update(struct space_promise *promise) {
    struct space_seen seen = see(promise); /* first: what changes meanwhile is seen again */

    update(promise, &seen);
}

void space_promise_refresh(struct space_promise *promise) {
    struct space_seen seen = see(promise);
    bool same;

    mutex_lock(&promise->mu);
    same = is_same(&seen, &promise->seen);
    mutex_unlock(&promise->mu);
    if (!same) {
        update(promise, &seen);
    }
}

/* ---- Answers ----------------------------------------------------------------------------------
 */

struct sizes space_promise_sizes(const struct space_promise *promise) {
    return sizes_of(&promise->basis, atomic_load_explicit(&promise->weight, memory_order_relaxed));
}

struct space_terms space_promise_terms(struct space_promise *promise) {
    struct space_terms terms;

    mutex_lock(&promise->mu);
    terms = promise->terms;
    mutex_unlock(&promise->mu);
    return terms;
}

enum space_need space_promise_need(struct space_promise *promise) {
    struct space_terms terms = space_promise_terms(promise);

    if (terms.unreferenced_bytes > terms.unreferenced_limit) {
        return SPACE_NEEDS_GC_NOW;
    }
    if (terms.unreferenced_bytes > terms.unreferenced_limit / 4 * 3) {
        return SPACE_NEEDS_GC;
    }
    return terms.unreferenced_bytes > sizes_part(terms.weight_tables, promise->shares.g) / 2
               ? SPACE_NEEDS_IDLE_GC
               : SPACE_NEEDS_NOTHING;
}
