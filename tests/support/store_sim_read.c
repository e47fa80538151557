/* store_sim_read.c: the reads of store_sim.h: each is compared with the model, and its reply held
 * back as the store says. */
#include "tests/support/store_sim_state.h"

#include "storage/checksum.h"

#include <check.h>
#include <stdio.h>

static void held_cb(struct store_waiter *store_waiter, enum status status) {
    struct sim_waiter *waiter = (struct sim_waiter *)store_waiter;

    ck_assert(!waiter->done);
    waiter->done = true;
    if (status == STATUS_OK) {
        sim_answered(waiter->sim, waiter->decided_by);
    }
}

void sim_release(struct sim *sim, struct store_read *read, const struct model_seen *seen,
                 size_t prefix) {
    struct store_hold hold = store_read_hold_take(read);
    bool passed = store_hold_passed(sim->store, &hold);

    for (uint32_t key = 0; key < MODEL_KEYS; key++) {
        struct sim_waiter *waiter;
        size_t index;
        if (!seen[key].looked || !model_find(&sim->model, key, prefix, &index)) {
            continue;
        }
        if (passed) {
            sim_answered(sim, index);
            continue;
        }
        waiter = sim_take_waiter(sim);
        *waiter = (struct sim_waiter){.sim = sim, .decided_by = index, .next = sim->waiters};
        waiter->waiter.hold = hold;
        waiter->waiter.done_cb = held_cb;
        sim->waiters = waiter;
        store_hold_wait(sim->store, &waiter->waiter);
    }
}

size_t sim_compare(struct sim *sim, const struct store_read *read, const struct model_seen *seen) {
    size_t low;
    size_t high;
    size_t prefix;

    model_bounds(&sim->model, read->version, &low, &high);
    prefix = model_match(&sim->model, seen, read->now_ms, low, high, false);
    if (prefix == MODEL_NONE) {
        for (uint32_t key = 0; key < MODEL_KEYS; key++) {
            size_t index = 0;
            const struct model_op *op = model_find(&sim->model, key, high, &index);
            if (seen[key].looked) {
                fprintf(stderr,
                        "key %u: seen %d of %u bytes, version %llu; at most: commit %zu, %s of %u "
                        "bytes, version %llu, expiry %lld ms from now\n",
                        key, seen[key].present, seen[key].value_bytes,
                        (unsigned long long)seen[key].version, index,
                        !op           ? "none"
                        : op->deletes ? "delete"
                                      : "put",
                        op ? op->value_bytes : 0,
                        op ? (unsigned long long)sim->model.commits[index].version : 0,
                        op && op->expiry_ms ? (long long)(op->expiry_ms - read->now_ms) : 0);
            }
        }
        fprintf(stderr, "prefixes %zu to %zu, at version %llu\n", low, high,
                (unsigned long long)read->version);
        sim_fail(sim, "a read shows no state that there was", STATUS_INTERNAL);
    }
    return prefix;
}

bool sim_may_fail(struct sim *sim, enum status status) {
    bool may = sim->faulty && (status == STATUS_IO || status == STATUS_NO_MEMORY ||
                               status == STATUS_CORRUPT || status == STATUS_NO_SPACE);
    sim->open_error_reads += may;
    return may;
}

enum status sim_look(struct sim *sim, struct store_read *read, uint32_t key,
                     struct model_seen *seen) {
    uint8_t room[MODEL_KEY_ROOM_BYTES];
    struct store_value_info info = {0};
    enum status status;

    buffer_clear(&sim->buffer);
    status = store_get(read, sim_space(sim, key), model_key(key, room), STORE_WAIT_ALLOWED,
                       &sim->buffer, &info, &sim->error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    *seen = (struct model_seen){.looked = true, .present = status == STATUS_OK};
    if (seen->present) {
        seen->value_bytes = (uint32_t)info.value_bytes;
        seen->checksum = checksum_of(buffer_slice(&sim->buffer));
        seen->version = info.version;
        if (info.value_bytes != sim->buffer.len || info.checksum != seen->checksum ||
            info.user_flags != info.value_bytes) {
            sim_fail(sim, "what is said of a value is not true", STATUS_INTERNAL);
        }
    }
    return STATUS_OK;
}

void sim_get(struct sim *sim, uint32_t key) {
    struct model_seen seen[MODEL_KEYS] = {{0}};
    struct store_read read;
    enum status status;

    store_read_begin(sim->store, &read);
    status = sim_look(sim, &read, key, &seen[key]);
    if (status == STATUS_OK) {
        sim_release(sim, &read, seen, sim_compare(sim, &read, seen));
    } else if (!sim_may_fail(sim, status)) {
        sim_fail(sim, "get", status);
    }
    store_read_end(&read);
}

static uint32_t key_of(struct sim *sim, uint32_t space_id, struct slice name) {
    uint8_t room[MODEL_KEY_ROOM_BYTES];

    for (uint32_t key = 0; key < MODEL_KEYS; key++) {
        if (sim_space(sim, key) == space_id && slice_equal(model_key(key, room), name)) {
            return key;
        }
    }
    sim_fail(sim, "a scan shows a key that was never put", STATUS_INTERNAL);
    return 0;
}

/* Takes what the cursor stands at. */
static enum status take(struct sim *sim, struct store_cursor *cursor,
                        const struct store_range *range, struct model_seen *seen,
                        const struct store_value_info *info, struct slice name) {
    struct buffer value = {.cap = MODEL_VALUE_BYTES_MAX};
    uint32_t key = key_of(sim, range->namespace_id, name);
    bool with_value = random_below(&sim->random, 2);
    enum status status = with_value ? store_cursor_value(cursor, &value, &sim->error) : STATUS_OK;

    if (status == STATUS_OK && with_value && checksum_of(buffer_slice(&value)) != info->checksum) {
        sim_fail(sim, "a cursor gives another value", STATUS_INTERNAL);
    }
    if (!seen[key].looked || seen[key].present) {
        sim_fail(sim, "a scan shows a key twice, or outside of its range", STATUS_INTERNAL);
    }
    seen[key].present = true;
    seen[key].value_bytes = (uint32_t)info->value_bytes;
    seen[key].checksum = info->checksum;
    seen[key].version = info->version;
    buffer_deinit(&value);
    return status;
}

static enum status scan(struct sim *sim, struct store_read *read, const struct store_range *range,
                        struct model_seen *seen) {
    struct buffer before = {.cap = MODEL_KEY_ROOM_BYTES};
    struct buffer name = {.cap = MODEL_KEY_ROOM_BYTES};
    struct store_cursor *cursor = NULL;
    enum status status = store_cursor_open(read, range, STORE_WAIT_ALLOWED, &cursor);

    while (status == STATUS_OK) {
        struct store_value_info info;
        buffer_clear(&name);
        status = store_cursor_next(cursor, &name, &info, &sim->error);
        if (status != STATUS_OK) {
            break;
        }
        if (before.len > 0) {
            int order = slice_compare(buffer_slice(&before), buffer_slice(&name));
            ck_assert(range->reverse ? order > 0 : order < 0);
        }
        buffer_clear(&before);
        status = buffer_append(&before, name.data, name.len);
        if (status != STATUS_OK) {
            break;
        }
        status = take(sim, cursor, range, seen, &info, buffer_slice(&name));
    }
    store_cursor_close(cursor);
    buffer_deinit(&before);
    buffer_deinit(&name);
    return status == STATUS_END ? STATUS_OK : status;
}

static bool is_inside(struct slice name, const struct store_range *range) {
    return slice_compare(name, range->from) >= 0 &&
           (range->to.len == 0 || slice_compare(name, range->to) < 0);
}

void sim_random_scan(struct sim *sim) {
    struct model_seen seen[MODEL_KEYS] = {{0}};
    uint8_t rooms[3][MODEL_KEY_ROOM_BYTES];
    struct store_range range = {.namespace_id = sim->spaces[random_below(&sim->random, 2)],
                                .reverse = random_below(&sim->random, 2)};
    struct store_read read;
    enum status status;

    if (random_below(&sim->random, 2)) {
        range.from = model_key((uint32_t)random_below(&sim->random, MODEL_KEYS), rooms[0]);
    }
    if (random_below(&sim->random, 2)) {
        range.to = model_key((uint32_t)random_below(&sim->random, MODEL_KEYS), rooms[1]);
    }
    for (uint32_t key = 0; key < MODEL_KEYS; key++) {
        seen[key].looked = sim_space(sim, key) == range.namespace_id &&
                           is_inside(model_key(key, rooms[2]), &range);
    }
    store_read_begin(sim->store, &read);
    status = scan(sim, &read, &range, seen);
    if (status == STATUS_OK) {
        sim_release(sim, &read, seen, sim_compare(sim, &read, seen));
    } else if (!sim_may_fail(sim, status)) {
        sim_fail(sim, "scan", status);
    }
    store_read_end(&read);
}

/* After opening: which commits are there? Compares gets and scans with each other, too. */
void sim_check_all(struct sim *sim) {
    struct model_seen seen[MODEL_KEYS] = {{0}};
    struct store_read read;
    enum status status = STATUS_OK;
    size_t prefix;
    size_t low = sim->model.must_prefix > sim->model.synced_prefix ? sim->model.must_prefix
                                                                   : sim->model.synced_prefix;

    store_read_begin(sim->store, &read);
    for (uint32_t key = 0; key < MODEL_KEYS && status == STATUS_OK; key++) {
        status = sim_look(sim, &read, key, &seen[key]);
    }
    if (status != STATUS_OK) {
        if (!sim_may_fail(sim, status)) {
            sim_fail(sim, "reading all after opening", status);
        }
        store_read_end(&read);
        return;
    }
    prefix = model_match(&sim->model, seen, read.now_ms, low, sim->model.count, true);
    if (prefix == MODEL_NONE) {
        fprintf(stderr, "at least %zu commits must be there, of %zu\n", low, sim->model.count);
        (void)sim_compare(sim, &read, seen); /* says what was seen */
        sim_fail(sim, "after opening, what was acknowledged is not there", STATUS_INTERNAL);
    }
    sim_note(sim, "opened: %zu commits are there", prefix);
    model_settle(&sim->model, prefix);
    store_read_end(&read);
}
