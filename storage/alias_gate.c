/* alias_gate.c: see alias_gate.h. */
#include "storage/alias_gate.h"

#include "protocol/base/assert.h"

void alias_gate_init(struct alias_gate *gate) {
    *gate = (struct alias_gate){.entered = false};
    mutex_init(&gate->mu);
}

void alias_gate_deinit(struct alias_gate *gate) {
    ASSERT(!gate->entered);
    ASSERT(!gate->closed);
    mutex_deinit(&gate->mu);
}

bool alias_gate_enter(struct alias_gate *gate) {
    bool free;

    mutex_lock(&gate->mu);
    ASSERT(!gate->entered);
    free = !gate->closed;
    gate->entered = free;
    mutex_unlock(&gate->mu);
    return free;
}

void alias_gate_leave(struct alias_gate *gate) {
    mutex_lock(&gate->mu);
    ASSERT(gate->entered);
    gate->entered = false;
    mutex_unlock(&gate->mu);
}

bool alias_gate_close_for_drop(struct alias_gate *gate) {
    bool free;

    mutex_lock(&gate->mu);
    ASSERT(!gate->closed);
    free = !gate->entered;
    gate->closed = free;
    mutex_unlock(&gate->mu);
    return free;
}

void alias_gate_open(struct alias_gate *gate) {
    mutex_lock(&gate->mu);
    ASSERT(gate->closed);
    gate->closed = false;
    mutex_unlock(&gate->mu);
}
