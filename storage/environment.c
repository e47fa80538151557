/* environment.c: see environment.h. */
#include "storage/environment.h"

#include "storage/env_memory.h"
#include "storage/env_posix.h"

static uint64_t clock_cb(void *arg) {
    return env_monotonic_ns(arg);
}

static enum status open_in_memory(const struct store_options *options,
                                  struct environment *environment) {
    struct env_memory_options memory = {.space_bytes = options->memory_limit_bytes -
                                                       environment_memory_left(options),
                                        .monotonic_ns_cb = clock_cb};
    enum status status = env_posix_create(&environment->clocks);

    if (status != STATUS_OK) {
        return status;
    }
    memory.wall_clock_ms = env_wall_clock_ms(environment->clocks);
    memory.monotonic_arg = environment->clocks;
    status = env_memory_create(&memory, &environment->owned);
    if (status != STATUS_OK) {
        env_posix_destroy(environment->clocks);
    }
    return status;
}

enum status environment_open(const struct store_options *options,
                             struct environment *environment_out) {
    struct environment environment = {.env = options->env};
    enum status status = STATUS_OK;

    if (!options->env) {
        status = options->in_memory ? open_in_memory(options, &environment)
                                    : env_posix_create(&environment.owned);
        environment.env = environment.owned;
    }
    if (status == STATUS_OK) {
        *environment_out = environment;
    }
    return status;
}

void environment_close(struct environment *environment) {
    if (environment->clocks) {
        env_memory_destroy(environment->owned);
        env_posix_destroy(environment->clocks);
    } else if (environment->owned) {
        env_posix_destroy(environment->owned);
    }
    *environment = (struct environment){0};
}

uint64_t environment_memory_left(const struct store_options *options) {
    return options->in_memory && !options->env ? options->memory_limit_bytes / 4
                                               : options->memory_limit_bytes;
}
