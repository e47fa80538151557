/* plan.c: see plan.h. */
#include "server/plan.h"

#define MIB (1024u * 1024)
#define VALUE_BYTES_MAX (24u * MIB)   /* three quarters of the output limit: an answer fits it */
#define FRAME_MARGIN_BYTES (1u * MIB) /* beside a value: the longest key, fields, half a list */
#define STORE_FILES_MAX 1024u
#define CLIENTS_FRACTION 4u /* of the memory: what clients may use at most */

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* A quarter for the engine's files, up to what it has use for. */
static uint32_t store_files(uint64_t descriptors) {
    return (uint32_t)smaller(descriptors / 4, STORE_FILES_MAX);
}

/* The whole limit: the engine's block cache is what the rest of the process leaves of it, clients
 * included (memory_budget.h). But files in memory cannot give way to clients. */
static uint64_t store_memory(const struct store_options *store, uint64_t memory_bytes) {
    return store->in_memory ? memory_bytes - memory_bytes / CLIENTS_FRACTION : memory_bytes;
}

static void plan_connections(const struct config *config, uint64_t descriptors, struct plan *plan) {
    uint64_t wanted = config_number(config, CONFIG_SERVER_CONNECTIONS_MAX);
    uint64_t taken = PLAN_DESCRIPTORS_OWN + plan->store.open_files_max;
    uint64_t left = descriptors > taken ? descriptors - taken : 1;

    plan->connections_cut = wanted > left;
    plan->connections_possible = (uint32_t)smaller(UINT32_MAX, left);
    plan->limits.connections_max = (uint32_t)smaller(wanted, left);
}

static void plan_limits(const struct config *config, uint64_t client_bytes, struct limits *limits) {
    uint32_t value_max = (uint32_t)smaller(VALUE_BYTES_MAX, client_bytes / 4);

    limits_init(limits);
    limits->client_memory_bytes = client_bytes;
    limits->output_limit_bytes =
        smaller(config_number(config, CONFIG_SERVER_OUTPUT_LIMIT), client_bytes);
    limits->write_bytes_max = 2 * (size_t)value_max;
    limits->wire.value_max = value_max;
    limits->wire.batch_bytes_max = value_max;
    limits->wire.frame_max = value_max + FRAME_MARGIN_BYTES;
    limits->wire.transaction_bytes =
        smaller(config_number(config, CONFIG_SERVER_TRANSACTION_SIZE),
                smaller(STORE_TRANSACTION_BYTES_MAX, client_bytes / 2));
    limits->wire.transaction_idle_ms =
        (uint32_t)config_number(config, CONFIG_SERVER_TRANSACTION_IDLE);
    limits->wire.transaction_age_ms =
        (uint32_t)config_number(config, CONFIG_SERVER_TRANSACTION_AGE);
    limits->wire.memory_bytes = config_number(config, CONFIG_MEMORY_LIMIT);
    limits->wire.requests_max =
        (uint32_t)config_number(config, CONFIG_SERVER_REQUESTS_IN_FLIGHT_MAX);
}

void plan_make(const struct config *config, uint64_t descriptors, uint32_t processors,
               struct plan *plan_out) {
    uint64_t memory_bytes = config_number(config, CONFIG_MEMORY_LIMIT);
    struct plan *plan = plan_out;

    *plan = (struct plan){.loop_count = config_loop_count(config, processors)};
    store_options_init(&plan->store, config_text(config, CONFIG_STORAGE_DIR));
    plan->store.value_threshold = (uint32_t)config_number(config, CONFIG_STORAGE_VALUE_THRESHOLD);
    plan->store.compress =
        config_number(config, CONFIG_STORAGE_COMPRESSION) == CONFIG_COMPRESSION_ZSTD;
    plan->store.space_ratio_percent =
        (uint32_t)(config_real(config, CONFIG_STORAGE_MAX_SPACE_RATIO) * 100 + 0.5);
    plan->store.reclaim_bytes_per_s = config_number(config, CONFIG_STORAGE_RECLAIM_RATE);
    plan->store.feed_bytes = config_number(config, CONFIG_STORAGE_FEED_RETENTION);
    plan->store.scrub_bytes_per_s = config_number(config, CONFIG_STORAGE_SCRUB_RATE);
    plan->store.read_only = config_number(config, CONFIG_STORAGE_READ_ONLY) != 0;
    plan->store.in_memory = config_number(config, CONFIG_STORAGE_IN_MEMORY) != 0;
    plan->store.memory_limit_bytes = store_memory(&plan->store, memory_bytes);
    plan->store.open_files_max = store_files(descriptors);
    plan_limits(config, memory_bytes / CLIENTS_FRACTION, &plan->limits);
    plan->store.append_bytes_max = plan->limits.wire.value_max;
    plan_connections(config, descriptors, plan);
}
