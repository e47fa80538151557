/* store_sim_past.c: the past in the simulated store: snapshots that are kept over many steps and
 * read again, versions that are read while they are kept, retention that comes and goes. */
#include "tests/support/store_sim_state.h"

#include <check.h>

/* Looks at all keys of a namespace (0: of both), and compares. */
static void read_all(struct sim *sim, struct store_read *read, uint32_t space_id) {
    struct model_seen seen[MODEL_KEYS] = {{0}};
    enum status status = STATUS_OK;

    for (uint32_t key = 0; key < MODEL_KEYS && status == STATUS_OK; key++) {
        if (space_id == 0 || sim_space(sim, key) == space_id) {
            status = sim_look(sim, read, key, &seen[key]);
        }
        if (status == STATUS_GONE && read->exact) {
            status = STATUS_OK; /* not a key that this version wrote */
        }
    }
    if (status == STATUS_OK) {
        sim_release(sim, read, seen, sim_compare(sim, read, seen));
    } else if (!sim_may_fail(sim, status)) {
        sim_fail(sim, "reading the past", status);
    }
}

static void open_snapshot(struct sim *sim) {
    struct store_snapshot_info *info = &sim->snapshots[sim->snapshot_count];
    enum status status = store_snapshot_open(sim->store, "simulation", 0, info);

    if (status == STATUS_OK) {
        sim_note(sim, "snapshot at version %llu", (unsigned long long)info->version);
        sim->snapshot_count++;
    } else if (!sim_may_fail(sim, status)) {
        sim_fail(sim, "opening a snapshot", status);
    }
}

static void read_snapshot(struct sim *sim, const struct store_snapshot_info *info) {
    struct store_at at = {STORE_AT_SNAPSHOT, info->id};
    struct store_read read;
    enum status status = store_read_begin_at(sim->store, &at, sim->spaces[0], &read);

    if (status != STATUS_OK) {
        sim_fail(sim, "reading at a snapshot", status);
    }
    ck_assert_uint_eq(read.version, info->version);
    ck_assert_uint_eq(read.now_ms, info->now_ms);
    read_all(sim, &read, 0);
    store_read_end(&read);
}

void sim_random_snapshot(struct sim *sim) {
    uint32_t index;

    if (sim->snapshot_count == 0 ||
        (sim->snapshot_count < SIM_SNAPSHOTS_MAX && random_below(&sim->random, 3) == 0)) {
        open_snapshot(sim);
        return;
    }
    index = (uint32_t)random_below(&sim->random, sim->snapshot_count);
    read_snapshot(sim, &sim->snapshots[index]);
    if (random_below(&sim->random, 4) == 0) {
        ck_assert_int_eq(store_snapshot_close(sim->store, sim->snapshots[index].id), STATUS_OK);
        sim->snapshots[index] = sim->snapshots[--sim->snapshot_count];
    }
}

/* Of the newest commits mostly: the older ones are gone. */
void sim_random_version(struct sim *sim) {
    uint32_t space_id = sim->spaces[random_below(&sim->random, 2)];
    uint64_t back = random_below(&sim->random, random_below(&sim->random, 2) ? 8 : 100);
    struct store_at at = {.kind = STORE_AT_VERSION};
    struct store_read read;
    enum status status;

    if (back >= sim->model.count) {
        return;
    }
    at.value = sim->model.commits[sim->model.count - 1 - back].version;
    status = store_read_begin_at(sim->store, &at, space_id, &read);
    if (status == STATUS_OK) {
        ck_assert_uint_eq(read.version, at.value);
        read_all(sim, &read, space_id);
        store_read_end(&read);
    } else if (status != STATUS_GONE) {
        sim_fail(sim, "reading at a version", status);
    }
}

/* ---- Retention --------------------------------------------------------------------------------
 */

static void set_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct sim *sim = store_commit_arg(commit);

    if (outcome->status != STATUS_OK && !sim->faulty && !sim->abandoned) {
        sim_fail(sim, "setting a retention", outcome->status);
    }
    sim->setting_done = true;
}

void sim_past_collect(struct sim *sim) {
    if (sim->setting && sim->setting_done) {
        store_commit_destroy(sim->setting);
        sim->setting = NULL;
    }
}

void sim_random_retention(struct sim *sim) {
    static const uint64_t choices_ms[] = {0, 1, 1500, 20000};
    struct store_namespace_settings settings = {
        .keep_ms = choices_ms[random_below(&sim->random, 4)],
        .keep_versions = (uint32_t)random_below(&sim->random, 4)};
    enum store_durability durability = (enum store_durability)random_below(&sim->random, 3);
    enum status status;

    if (sim->setting) {
        return;
    }
    status = store_commit_create(sim->store, &sim->setting);
    if (status == STATUS_OK) {
        status = store_commit_namespace_set(sim->setting, slice_from_text(""), &settings);
    }
    sim->setting_done = status != STATUS_OK;
    if (status == STATUS_OK) {
        sim_note(sim, "retention of %llu ms, %u versions", (unsigned long long)settings.keep_ms,
                 settings.keep_versions);
        store_commit_set_arg(sim->setting, sim);
        store_submit(sim->store, &sim->setting, 1, durability, set_cb);
    } else if (!sim_may_fail(sim, status)) {
        sim_fail(sim, "a retention", status);
    }
    sim_past_collect(sim);
}
