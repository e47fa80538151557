/* snapshots_test.c: the registry: what its rules keep, and which versions it lets readers into. */
#include "storage/snapshots.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/env_memory.h"
#include "storage/format.h"

#include <pthread.h>
#include <stdatomic.h>

#define SPACE NAMESPACE_DEFAULT
#define OTHER 77u

struct registry {
    struct env *env;
    struct store_clock clock;
    struct watermarks marks;
    struct namespaces namespaces;
    struct time_index times;
    struct snapshots snapshots;
};

static void make(struct registry *registry, uint64_t visible) {
    struct env_memory_options env_options = {0};
    struct snapshots_options options = {.marks = &registry->marks,
                                        .clock = &registry->clock,
                                        .namespaces = &registry->namespaces,
                                        .times = &registry->times};

    ck_assert_int_eq(env_memory_create(&env_options, &registry->env), STATUS_OK);
    store_clock_init(&registry->clock, registry->env, 0);
    watermarks_init(&registry->marks, visible);
    namespaces_init(&registry->namespaces);
    ck_assert_int_eq(time_index_init(&registry->times), STATUS_OK);
    snapshots_init(&registry->snapshots, &options);
}

/* The registry of the same store, opened once more at the same moment. */
static void remake(struct registry *registry) {
    struct snapshots_options options = registry->snapshots.options;

    options.incarnation++;
    snapshots_deinit(&registry->snapshots);
    snapshots_init(&registry->snapshots, &options);
}

static void unmake(struct registry *registry) {
    snapshots_deinit(&registry->snapshots);
    time_index_deinit(&registry->times);
    namespaces_deinit(&registry->namespaces);
    watermarks_deinit(&registry->marks);
    env_memory_destroy(registry->env);
}

/* A commit is visible, and durable or not. */
static void reach(struct registry *registry, uint64_t version, bool durable) {
    watermarks_raise_visible(&registry->marks, version);
    watermarks_raise_written(&registry->marks, version);
    if (durable) {
        watermarks_raise_durable(&registry->marks, version);
    }
    time_index_note(&registry->times, store_clock_now_ms(&registry->clock), version);
}

static void pass_ms(struct registry *registry, uint64_t ms) {
    env_memory_advance_clock(registry->env, ms * 1000000);
}

static void keep(struct registry *registry, uint64_t keep_ms) {
    struct namespace_row row = {.id = SPACE, .settings = {.keep_ms = keep_ms}};
    namespaces_apply(&registry->namespaces, &row);
}

static uint64_t open_one(struct registry *registry) {
    struct store_snapshot_info info;
    ck_assert_int_eq(snapshots_open(&registry->snapshots, "x", 0, &info), STATUS_OK);
    return info.id;
}

static void take(struct registry *registry, struct keep_rules *rules) {
    ck_assert_int_eq(snapshots_take_rules(&registry->snapshots, rules), STATUS_OK);
}

static void let_go(struct registry *registry) {
    struct keep_rules rules;

    take(registry, &rules);
    keep_rules_deinit(&rules);
}

static enum status admit(struct registry *registry, uint32_t namespace_id, uint64_t version) {
    uint64_t now_ms;
    return snapshots_admit(&registry->snapshots, namespace_id, version, &now_ms);
}

/* Whether a job may drop an entry of version `old` that one of version `hider` hides. */
static bool may_drop(const struct keep_rules *rules, uint64_t old, uint64_t hider) {
    struct keep_namespace space = keep_rules_namespace(rules, SPACE);
    return keep_rules_hidden_goes(rules, &space, old, hider, 1);
}

START_TEST(a_snapshot_opened_before_the_rules_is_in_them) {
    struct registry registry;
    struct keep_rules rules;

    make(&registry, 100);
    (void)open_one(&registry);
    reach(&registry, 110, true);
    take(&registry, &rules);
    ck_assert_uint_eq(keep_rules_visible(&rules), 110);
    ck_assert(!may_drop(&rules, 90, 101)); /* the snapshot sees it */
    ck_assert(may_drop(&rules, 90, 100));  /* it does not */
    ck_assert(may_drop(&rules, 102, 110)); /* nobody does */
    keep_rules_deinit(&rules);
    unmake(&registry);
}
END_TEST

START_TEST(a_snapshot_opened_after_the_rules_sees_nothing_that_they_let_go) {
    struct store_snapshot_info info;
    struct registry registry;
    struct keep_rules rules;

    make(&registry, 100);
    take(&registry, &rules);
    for (uint64_t visible = 100; visible <= 101; visible++) {
        reach(&registry, visible, true);
        ck_assert_int_eq(snapshots_open(&registry.snapshots, "x", 0, &info), STATUS_OK);
        ck_assert_uint_eq(info.version, visible);
        for (uint64_t hider = 1; hider <= 100; hider++) { /* no input of the job is newer */
            bool sees = info.version < hider;
            ck_assert(!sees || !may_drop(&rules, hider - 1, hider));
        }
    }
    keep_rules_deinit(&rules);
    unmake(&registry);
}
END_TEST

START_TEST(rules_raise_the_floor_and_a_registered_version_stays_readable) {
    struct registry registry;
    uint64_t id;

    make(&registry, 100);
    id = open_one(&registry);
    reach(&registry, 120, true);
    ck_assert_int_eq(admit(&registry, SPACE, 99), STATUS_GONE); /* of before the opening */
    ck_assert_int_eq(admit(&registry, SPACE, 110), STATUS_OK);
    let_go(&registry);
    ck_assert_int_eq(admit(&registry, SPACE, 100), STATUS_OK);
    ck_assert_int_eq(admit(&registry, SPACE, 101), STATUS_GONE);
    ck_assert_int_eq(admit(&registry, SPACE, 119), STATUS_GONE);
    ck_assert_int_eq(admit(&registry, SPACE, 120), STATUS_OK);
    ck_assert_int_eq(snapshots_close(&registry.snapshots, id), STATUS_OK);
    ck_assert_int_eq(admit(&registry, SPACE, 100), STATUS_GONE);
    unmake(&registry);
}
END_TEST

START_TEST(retention_keeps_the_floor_down_for_its_namespace_alone) {
    struct registry registry;
    struct keep_rules rules;

    make(&registry, 100);
    keep(&registry, 10000);
    for (uint64_t version = 101; version <= 130; version++) {
        pass_ms(&registry, 1000);
        reach(&registry, version, true);
    }
    take(&registry, &rules); /* 10 seconds ago 120 was the newest */
    ck_assert(may_drop(&rules, 110, 120));
    ck_assert(!may_drop(&rules, 110, 121));
    ck_assert_int_eq(admit(&registry, SPACE, 119), STATUS_GONE);
    ck_assert_int_eq(admit(&registry, SPACE, 120), STATUS_OK);
    ck_assert_int_eq(admit(&registry, OTHER, 129), STATUS_GONE);
    keep_rules_deinit(&rules);
    unmake(&registry);
}
END_TEST

START_TEST(the_floor_does_not_fall_when_the_retention_grows_or_ends) {
    struct registry registry;

    make(&registry, 100);
    for (uint64_t version = 101; version <= 130; version++) {
        pass_ms(&registry, 1000);
        reach(&registry, version, true);
    }
    keep(&registry, 10000);
    let_go(&registry);
    keep(&registry, 20000);
    let_go(&registry);
    ck_assert_int_eq(admit(&registry, SPACE, 119), STATUS_GONE);
    ck_assert_int_eq(admit(&registry, SPACE, 120), STATUS_OK);
    keep(&registry, 0);
    let_go(&registry);
    ck_assert_int_eq(admit(&registry, SPACE, 129), STATUS_GONE);
    keep(&registry, 20000);
    let_go(&registry);
    ck_assert_int_eq(admit(&registry, SPACE, 129), STATUS_GONE);
    unmake(&registry);
}
END_TEST

START_TEST(a_retention_ends_only_when_a_crash_cannot_bring_it_back) {
    struct registry registry;
    struct keep_rules rules;

    make(&registry, 100);
    keep(&registry, 10000);
    reach(&registry, 101, true);
    let_go(&registry);
    keep(&registry, 0);
    reach(&registry, 102, false); /* the commit that ended it */
    take(&registry, &rules);
    ck_assert(!may_drop(&rules, 99, 102));
    keep_rules_deinit(&rules);
    watermarks_raise_durable(&registry.marks, 102);
    take(&registry, &rules);
    ck_assert(may_drop(&rules, 99, 102));
    keep_rules_deinit(&rules);
    unmake(&registry);
}
END_TEST

START_TEST(what_expires_later_is_kept_for_a_snapshot_and_for_the_retention) {
    struct keep_namespace space;
    struct registry registry;
    struct keep_rules rules;
    uint64_t start_ms;

    make(&registry, 100);
    start_ms = store_clock_now_ms(&registry.clock);
    (void)open_one(&registry);
    pass_ms(&registry, 5000);
    take(&registry, &rules);
    space = keep_rules_namespace(&rules, SPACE);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &space, 50), start_ms);
    keep_rules_deinit(&rules);
    keep(&registry, 2000);
    take(&registry, &rules);
    space = keep_rules_namespace(&rules, SPACE);
    ck_assert_uint_eq(keep_rules_expiry_ms(&rules, &space, 101), start_ms + 3000);
    keep_rules_deinit(&rules);
    unmake(&registry);
}
END_TEST

START_TEST(a_version_of_the_past_can_be_held_only_while_all_of_it_is_there) {
    struct registry registry;
    struct keep_rules rules;
    uint64_t id;

    make(&registry, 100);
    reach(&registry, 120, true);
    ck_assert_int_eq(snapshots_hold(&registry.snapshots, SPACE, 110, "rewind", &id), STATUS_OK);
    reach(&registry, 130, true);
    take(&registry, &rules);
    ck_assert(!may_drop(&rules, 105, 115));
    keep_rules_deinit(&rules);
    ck_assert_int_eq(snapshots_close(&registry.snapshots, id), STATUS_OK);
    ck_assert_int_eq(snapshots_hold(&registry.snapshots, SPACE, 110, "rewind", &id), STATUS_GONE);
    unmake(&registry);
}
END_TEST

/* A hold is of an old version and a late time: what a newer snapshot sees must not expire by it. */
START_TEST(times_of_the_rules_ascend_with_their_versions) {
    struct registry registry;
    struct keep_rules rules;
    uint64_t id;

    make(&registry, 100);
    reach(&registry, 120, true);
    (void)open_one(&registry);
    pass_ms(&registry, 1000);
    ck_assert_int_eq(snapshots_hold(&registry.snapshots, SPACE, 110, "rewind", &id), STATUS_OK);
    take(&registry, &rules);
    ck_assert_uint_eq(rules.snapshot_count, 2); /* visible is 120 too */
    ck_assert_uint_le(rules.snapshots_ms[0], rules.snapshots_ms[1]);
    keep_rules_deinit(&rules);
    unmake(&registry);
}
END_TEST

START_TEST(there_are_at_most_so_many_snapshots) {
    struct store_snapshot_info info = {0};
    struct registry registry;
    uint64_t first = 0;
    size_t count = 0;

    make(&registry, 100);
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        uint64_t id = open_one(&registry);
        first = i == 0 ? id : first;
    }
    ck_assert_int_eq(snapshots_open(&registry.snapshots, "x", 0, &info), STATUS_BUSY);
    ck_assert_int_eq(snapshots_close(&registry.snapshots, first + 7), STATUS_OK);
    ck_assert_int_eq(snapshots_find(&registry.snapshots, first + 7, &info), STATUS_NOT_FOUND);
    ck_assert_int_eq(snapshots_find(&registry.snapshots, first + 8, &info), STATUS_OK);
    (void)open_one(&registry);
    info = (struct store_snapshot_info){0};
    while (snapshots_next(&registry.snapshots, info.version, info.id, &info)) {
        count++;
    }
    ck_assert_uint_eq(count, SNAPSHOTS_MAX);
    unmake(&registry);
}
END_TEST

START_TEST(rules_without_memory_publish_nothing) {
    struct registry registry;
    struct keep_rules rules = {0};
    enum status status = STATUS_NO_MEMORY;

    make(&registry, 100);
    reach(&registry, 120, true);
    keep(&registry, 10000);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        ck_assert_uint_lt(n, 20);
        ck_assert_int_eq(admit(&registry, OTHER, 110), STATUS_OK);
        memory_fail_after(n, false);
        status = snapshots_take_rules(&registry.snapshots, &rules);
        memory_fail_never();
    }
    keep_rules_deinit(&rules);
    ck_assert_int_eq(admit(&registry, OTHER, 110), STATUS_GONE);
    unmake(&registry);
}
END_TEST

/* ---- Beside each other ------------------------------------------------------------------------
 */

struct beside {
    struct registry registry;
    _Atomic bool stop;
};

static void *jobs(void *arg) {
    struct beside *beside = arg;

    while (!atomic_load(&beside->stop)) {
        let_go(&beside->registry);
    }
    return NULL;
}

static void *commits(void *arg) {
    struct beside *beside = arg;

    for (uint64_t version = 101; !atomic_load(&beside->stop); version++) {
        reach(&beside->registry, version, true);
    }
    return NULL;
}

START_TEST(jobs_commits_and_snapshots_beside_each_other) {
    struct beside beside = {.stop = false};
    pthread_t threads[2];

    make(&beside.registry, 100);
    ck_assert_int_eq(pthread_create(&threads[0], NULL, jobs, &beside), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, commits, &beside), 0);
    for (int i = 0; i < 2000; i++) {
        struct store_snapshot_info info;
        ck_assert_int_eq(snapshots_open(&beside.registry.snapshots, "x", 0, &info), STATUS_OK);
        ck_assert_int_eq(admit(&beside.registry, SPACE, info.version), STATUS_OK);
        ck_assert_int_eq(snapshots_close(&beside.registry.snapshots, info.id), STATUS_OK);
    }
    atomic_store(&beside.stop, true);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    unmake(&beside.registry);
}
END_TEST

/* More were opened than milliseconds have passed. */
START_TEST(ids_of_before_a_restart_do_not_come_again) {
    struct registry registry;
    struct store_snapshot_info info;
    uint64_t last = 0;

    make(&registry, 10);
    for (uint32_t i = 0; i < 5000; i++) {
        last = open_one(&registry);
    }
    remake(&registry);
    for (uint32_t i = 0; i < 6000; i++) {
        ck_assert_uint_gt(open_one(&registry), last);
    }
    ck_assert_int_eq(snapshots_find(&registry.snapshots, last, &info), STATUS_NOT_FOUND);
    unmake(&registry);
}
END_TEST

UNIT_MAIN("snapshots", a_snapshot_opened_before_the_rules_is_in_them,
          a_snapshot_opened_after_the_rules_sees_nothing_that_they_let_go,
          rules_raise_the_floor_and_a_registered_version_stays_readable,
          retention_keeps_the_floor_down_for_its_namespace_alone,
          the_floor_does_not_fall_when_the_retention_grows_or_ends,
          a_retention_ends_only_when_a_crash_cannot_bring_it_back,
          what_expires_later_is_kept_for_a_snapshot_and_for_the_retention,
          a_version_of_the_past_can_be_held_only_while_all_of_it_is_there,
          times_of_the_rules_ascend_with_their_versions, there_are_at_most_so_many_snapshots,
          rules_without_memory_publish_nothing, jobs_commits_and_snapshots_beside_each_other,
          ids_of_before_a_restart_do_not_come_again)
