/* store_sim_load.c: bulk loads of a simulated store: to the model they are one commit of a few
 * puts, at the place of their end. */
#include "protocol/base/memory.h"
#include "tests/support/store_sim_state.h"

#include <check.h>

#define COMMITS_MEANWHILE 4u

/* The puts of a load: keys of one namespace, ascending. */
static void choose_puts(struct sim *sim, struct model_commit *load) {
    uint32_t space = sim->spaces[random_below(&sim->random, 2)];
    uint32_t wanted = 1 + (uint32_t)random_below(&sim->random, MODEL_OPS_MAX);

    while (load->op_count < wanted) {
        uint8_t rooms[2][MODEL_KEY_ROOM_BYTES];
        struct model_op op = {.key = (uint32_t)random_below(&sim->random, MODEL_KEYS),
                              .value_bytes = (uint32_t)random_below(&sim->random, 4000),
                              .value_seed = random_next(&sim->random)};
        struct slice key = model_key(op.key, rooms[0]);
        uint32_t at = load->op_count;
        if (sim_space(sim, op.key) != space) {
            continue;
        }
        while (at > 0 && slice_compare(model_key(load->ops[at - 1].key, rooms[1]), key) > 0) {
            at--;
        }
        if (at > 0 && load->ops[at - 1].key == op.key) {
            wanted--; /* once is enough */
            continue;
        }
        memmove(load->ops + at + 1, load->ops + at, (load->op_count - at) * sizeof op);
        load->ops[at] = op;
        load->op_count++;
    }
}

static enum status add(struct sim *sim, struct store_bulk *bulk, struct model_op *op) {
    uint8_t room[MODEL_KEY_ROOM_BYTES];
    struct store_bulk_entry entry = {.key = model_key(op->key, room),
                                     .value = model_value(op, sim->room),
                                     .user_flags = op->value_bytes};

    return store_bulk_add(bulk, &entry, &sim->error);
}

/* Its end is a commit that comes after all that were submitted. */
static void finish(struct sim *sim, struct store_bulk *bulk, const struct model_commit *load) {
    struct model_commit *made;
    size_t index = sim->model.count;
    uint64_t version;
    enum status status;

    sim_wait(sim);
    *model_add(&sim->model) = *load;
    status = store_bulk_finish(bulk, &version, &sim->error);
    sim_note(sim, "a load of %u keys: %s", load->op_count, status_name(status));
    made = &sim->model.commits[index];
    if (status == STATUS_OK) {
        made->fate = MODEL_DONE;
        made->version = version;
        sim_answered(sim, index);
    } else if (!sim->faulty) {
        sim_fail(sim, "a bulk load", status);
    } else if (status != STATUS_LOG_FAILED) {
        made->fate = MODEL_FAILED;
    }
}

void sim_random_load(struct sim *sim) {
    struct model_commit load = {.durability = STORE_SYNCED};
    uint64_t commits = random_below(&sim->random, COMMITS_MEANWHILE);
    struct store_bulk *bulk = NULL;
    enum status status;

    choose_puts(sim, &load);
    status = store_bulk_begin(sim->store, sim_space(sim, load.ops[0].key), &bulk, &sim->error);
    for (uint32_t i = 0; i < load.op_count && status == STATUS_OK; i++) {
        status = add(sim, bulk, &load.ops[i]);
    }
    while (commits-- > 0) {
        sim_random_commit(sim);
        sim_run(sim, sim->steps_max, false);
    }
    if (status == STATUS_OK && random_below(&sim->random, 8) > 0) {
        finish(sim, bulk, &load);
    } else if (status != STATUS_OK && !sim->faulty) {
        sim_fail(sim, "filling a bulk load", status);
    }
    store_bulk_destroy(bulk);
    sim_run(sim, 0, false);
}
