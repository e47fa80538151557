/* server_plan_test.c: what a configuration means, which opcode goes where, and the ready file. */
#include "server/dispatch.h"
#include "server/plan.h"
#include "server/ready_file.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1024u * 1024)

static struct plan plan_with(const char *key, const char *value, uint64_t descriptors) {
    struct config_override override = {key, value, "test"};
    struct config_input input = {.overrides = &override, .override_count = key ? 1 : 0};
    struct config *config;
    struct error error;
    struct plan plan;

    ck_assert_int_eq(config_load(&input, &config, &error), STATUS_OK);
    plan_make(config, descriptors, 4, &plan);
    config_destroy(config);
    return plan;
}

START_TEST(the_limit_is_for_the_whole_process_and_clients_use_a_quarter_at_most) {
    struct plan plan = plan_with(NULL, NULL, 1 << 20);

    ck_assert_uint_eq(plan.store.memory_limit_bytes, 1024 * MIB);
    ck_assert_uint_eq(plan_with("storage.in_memory", "true", 1 << 20).store.memory_limit_bytes,
                      768 * MIB);
    ck_assert_uint_eq(plan.limits.client_memory_bytes, 256 * MIB);
    ck_assert_uint_eq(plan.limits.wire.value_max, 24 * MIB);
    ck_assert_uint_eq(plan.loop_count, 3);
    ck_assert(!plan.connections_cut);
}
END_TEST

START_TEST(least_memory_makes_smaller_values_and_they_fit) {
    struct plan plan = plan_with("memory_limit", "64MiB", 1 << 20);

    ck_assert_uint_eq(plan.limits.wire.value_max, 4 * MIB);
    ck_assert_uint_gt(plan.limits.wire.frame_max,
                      plan.limits.wire.value_max + plan.limits.wire.key_max);
    ck_assert_uint_le(2 * (uint64_t)plan.limits.wire.frame_max, plan.limits.client_memory_bytes);
    ck_assert_uint_le(plan.limits.output_limit_bytes, plan.limits.client_memory_bytes);
}
END_TEST

START_TEST(rates_and_modes_of_the_store_are_passed_on) {
    struct plan plan = plan_with("storage.max_space_ratio", "1.3", 10000);

    ck_assert_uint_eq(plan.store.space_ratio_percent, 130);
    ck_assert(!plan.store.read_only);
    ck_assert(!plan.store.in_memory);
    plan = plan_with("storage.reclaim_rate", "5MiB", 10000);
    ck_assert_uint_eq(plan.store.reclaim_bytes_per_s, 5u << 20);
    ck_assert_uint_eq(plan_with("storage.scrub_rate", "2MiB", 10000).store.scrub_bytes_per_s,
                      2u << 20);
    ck_assert_uint_eq(plan_with("storage.feed_retention", "3MiB", 10000).store.feed_bytes,
                      3u << 20);
    ck_assert(plan_with("storage.read_only", "true", 10000).store.read_only);
    ck_assert(plan_with("storage.in_memory", "true", 10000).store.in_memory);
}
END_TEST

START_TEST(few_descriptors_mean_few_connections) {
    struct plan plan = plan_with(NULL, NULL, 1000);

    ck_assert(plan.connections_cut);
    ck_assert_uint_eq(
        plan.limits.connections_max + plan.store.open_files_max + PLAN_DESCRIPTORS_OWN, 1000);
    ck_assert_uint_ge(plan_with(NULL, NULL, 10).limits.connections_max, 1);
}
END_TEST

START_TEST(opcode_is_dispatched_exactly_if_the_protocol_serves_it) {
    for (uint32_t opcode = 0; opcode <= UINT16_MAX; opcode++) {
        ck_assert_int_eq(dispatch_find((uint16_t)opcode) != NULL,
                         wire_opcode_served((uint16_t)opcode));
    }
}
END_TEST

START_TEST(commands_have_the_handler_of_their_kind_and_flags_that_are_agreed) {
    for (uint32_t opcode = 0; opcode <= UINT16_MAX; opcode++) {
        const struct command *command = dispatch_find((uint16_t)opcode);
        if (command) {
            bool is_inside = (command->flags & WIRE_FLAG_TRANSACTION) != 0;
            ck_assert_int_eq(command->kind == COMMAND_LOCAL, command->local != NULL);
            ck_assert_int_eq(command->kind == COMMAND_READ ||
                                 (command->kind == COMMAND_WRITE && is_inside),
                             command->read != NULL);
            ck_assert_int_eq(command->kind == COMMAND_WRITE, command->write != NULL);
            ck_assert_int_eq(command->kind == COMMAND_JOB, command->job != NULL);
            ck_assert(!command->no_state || command->always_task);
            ck_assert(command->slot == SERVICE_SLOT_NONE || command->always_task ||
                      command->kind == COMMAND_JOB);
            ck_assert_uint_eq(command->flags & ~SERVICE_FLAGS, 0);
            ck_assert(command->right != RIGHT_NONE || command->kind == COMMAND_LOCAL);
            ck_assert(command->kind == COMMAND_LOCAL || !command->before_hello);
        }
    }
}
END_TEST

struct place {
    char folder[64];
    char path[96];
};

static struct place new_place(void) {
    struct place place = {.folder = "/tmp/kvd-ready-XXXXXX"};

    ck_assert_ptr_nonnull(mkdtemp(place.folder));
    snprintf(place.path, sizeof place.path, "%s/ready", place.folder);
    return place;
}

START_TEST(ready_file_appears_whole_and_for_its_owner_alone) {
    struct place place = new_place();
    struct error error;
    struct stat found;

    for (int i = 0; i < 2; i++) { /* also over an old one */
        ck_assert_int_eq(ready_file_write(place.path, slice_from_text("127.0.0.1:1\n"), &error),
                         STATUS_OK);
        ck_assert_int_eq(stat(place.path, &found), 0);
        ck_assert_int_eq((int)found.st_size, 12);
        ck_assert_uint_eq(found.st_mode & 0777, 0600);
    }
    ready_file_remove(place.path);
    ready_file_remove(place.path);            /* nothing to do */
    ck_assert_int_eq(rmdir(place.folder), 0); /* nothing is left beside it */
}
END_TEST

START_TEST(ready_file_that_cannot_be_written_is_named) {
    char path[PATH_MAX + 1];
    struct error error;

    ck_assert_int_eq(ready_file_write("/nowhere/ready", slice_from_text("x\n"), &error), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.path, "/nowhere/ready"));
    memset(path, 'x', PATH_MAX);
    path[PATH_MAX] = 0;
    ck_assert_int_eq(ready_file_write(path, slice_from_text("x\n"), &error), STATUS_TOO_LARGE);
}
END_TEST

UNIT_MAIN("plan", the_limit_is_for_the_whole_process_and_clients_use_a_quarter_at_most,
          least_memory_makes_smaller_values_and_they_fit, few_descriptors_mean_few_connections,
          rates_and_modes_of_the_store_are_passed_on,
          opcode_is_dispatched_exactly_if_the_protocol_serves_it,
          commands_have_the_handler_of_their_kind_and_flags_that_are_agreed,
          ready_file_appears_whole_and_for_its_owner_alone,
          ready_file_that_cannot_be_written_is_named)
