/* view_test.c: what a reader holds stays as it is while views are swapped, and the newest source
 * answers. */
#include "storage/view.h"
#include "tests/unit/open_table.h"

#include "storage/range_row.h"

#define NEWEST VERSION_MAX

static struct open_table disk;
static struct table_cache *cache;
static struct version_files files;
static struct version *version;
static struct watermarks marks;
static struct view_holder holder;

static struct memtable *memtable_new(void) {
    struct memtable *memtable;
    ck_assert_int_eq(memtable_create(16u * 1024, &memtable), STATUS_OK);
    return memtable;
}

static void put_entry(struct memtable *memtable, const char *word, uint64_t at,
                      const struct entry *entry) {
    struct key key = key_at(word, at);
    size_t bytes = memtable_node_bytes(key_row(&key).len, entry_bytes(entry));

    ck_assert_int_eq(memtable_reserve(memtable, bytes, bytes), STATUS_OK);
    memtable_insert(memtable, key_row(&key), at, entry);
}

static void put(struct memtable *memtable, const char *word, uint64_t at, const char *value) {
    const struct entry entry = {.kind = ENTRY_INLINE, .value = slice_from_text(value)};
    put_entry(memtable, word, at, &entry);
}

/* An empty active memtable over an empty version. */
static void start(void) {
    struct memtable *memtable = memtable_new();
    struct view *view;

    open_table_begin(&disk);
    ck_assert_int_eq(table_cache_create(&disk.source, 8, &cache), STATUS_OK);
    files = (struct version_files){.tables = cache};
    watermarks_init(&marks, 0);
    ck_assert_int_eq(version_create_empty(&version), STATUS_OK);
    ck_assert_int_eq(view_create(memtable, NULL, 0, version, &view), STATUS_OK);
    memtable_unref(memtable);
    view_holder_init(&holder, view);
}

static void end(void) {
    view_holder_deinit(&holder);
    version_unref(version);
    watermarks_deinit(&marks);
    table_cache_destroy(cache);
    open_table_end(&disk);
}

static struct view *take(void) {
    uint64_t visible;
    return view_holder_take(&holder, &marks, &visible);
}

/* The holder's own, for the commit thread. */
static struct memtable *active(void) {
    struct view *view = take();
    struct memtable *memtable = view->active;
    view_unref(view);
    return memtable;
}

static enum status freeze(void) {
    struct memtable *fresh = memtable_new();
    enum status status = view_holder_freeze(&holder, fresh);
    memtable_unref(fresh);
    return status;
}

static void install(struct version *next, const struct memtable *flushed) {
    struct view *spare;
    ck_assert_int_eq(view_prepare(&spare), STATUS_OK);
    view_holder_install(&holder, spare, next, flushed);
}

/* Drops the oldest frozen memtable, as a flush does once its table is in. */
static void install_flushed(void) {
    struct view *view = take();
    const struct memtable *oldest = view->frozen[view->frozen_count - 1];
    view_unref(view);
    install(version, oldest);
}

/* A table of one row becomes part of the version; the views keep the one they have. */
static void add_table(uint32_t level, uint64_t number, const char *word, uint64_t at,
                      const char *value) {
    const struct fixture_table how = {.env = disk.env, .number = number};
    struct table_writer *writer = begin_table(&how);
    struct table_info info;
    struct version_edit edit = {0};
    struct version *next;

    add_value(writer, word, at, value);
    info = finish_table(writer);
    ck_assert_int_eq(version_edit_add_table(&edit, level, &info), STATUS_OK);
    ck_assert_int_eq(version_apply(&files, version, &edit, &next), STATUS_OK);
    version_unref(version);
    version = next;
    version_edit_deinit(&edit);
    table_info_deinit(&info);
}

static enum status find(const struct view *view, const char *word, uint64_t at,
                        struct view_hit *hit) {
    struct key key = key_at(word, at);
    return view_find(view, key_row(&key), at, READ_WAIT_ALLOWED, hit, NULL);
}

static void expect_in(const struct view *view, const char *word, uint64_t at, const char *value,
                      enum view_source source) {
    struct view_hit hit;

    ck_assert_int_eq(find(view, word, at, &hit), STATUS_OK);
    expect_text(hit.entry.value, value);
    ck_assert_int_eq(hit.source, source);
    view_hit_release(&hit);
}

static void expect_now(const char *word, uint64_t at, const char *value, enum view_source source) {
    struct view *view = take();
    expect_in(view, word, at, value, source);
    view_unref(view);
}

static void expect_absent(const char *word, uint64_t at) {
    struct view *view = take();
    struct view_hit hit;

    ck_assert_int_eq(find(view, word, at, &hit), STATUS_NOT_FOUND);
    view_hit_release(&hit);
    view_unref(view);
}

static void expect_frozen(uint32_t count) {
    struct view *view = take();
    ck_assert_uint_eq(view->frozen_count, count);
    view_unref(view);
}

START_TEST(an_empty_view_finds_nothing) {
    start();
    expect_absent("a", NEWEST);
    expect_frozen(0);
    end();
}
END_TEST

START_TEST(a_view_comes_with_the_visible_version) {
    struct view *view;
    uint64_t visible = 0;

    start();
    watermarks_raise_visible(&marks, 42);
    view = view_holder_take(&holder, &marks, &visible);
    ck_assert_uint_eq(visible, 42);
    view_unref(view);
    end();
}
END_TEST

START_TEST(no_more_memtables_are_frozen_than_may_wait) {
    start();
    for (uint32_t i = 0; i < VIEW_FROZEN_MAX; i++) {
        expect_frozen(i);
        ck_assert_int_eq(freeze(), STATUS_OK);
    }
    put(active(), "a", 1, "still active");
    ck_assert_int_eq(freeze(), STATUS_BUSY);
    expect_frozen(VIEW_FROZEN_MAX);
    expect_now("a", NEWEST, "still active", VIEW_ACTIVE);
    install_flushed();
    ck_assert_int_eq(freeze(), STATUS_OK);
    expect_now("a", NEWEST, "still active", VIEW_FROZEN);
    end();
}
END_TEST

START_TEST(a_flush_drops_the_oldest_frozen_memtable_and_no_other) {
    start();
    put(active(), "a", 1, "oldest");
    ck_assert_int_eq(freeze(), STATUS_OK);
    put(active(), "b", 2, "newer");
    ck_assert_int_eq(freeze(), STATUS_OK);
    install_flushed();
    expect_frozen(1);
    expect_absent("a", NEWEST);
    expect_now("b", NEWEST, "newer", VIEW_FROZEN);
    install_flushed();
    expect_frozen(0);
    expect_absent("b", NEWEST);
    end();
}
END_TEST

START_TEST(a_compaction_keeps_all_memtables) {
    start();
    put(active(), "a", 1, "frozen");
    ck_assert_int_eq(freeze(), STATUS_OK);
    put(active(), "b", 2, "active");
    add_table(6, 10, "c", 3, "merged");
    install(version, NULL);
    expect_now("a", NEWEST, "frozen", VIEW_FROZEN);
    expect_now("b", NEWEST, "active", VIEW_ACTIVE);
    expect_now("c", NEWEST, "merged", VIEW_TABLE);
    end();
}
END_TEST

START_TEST(a_taken_view_keeps_reading_what_was_there) {
    struct view *taken;
    struct view_hit hit;

    start();
    put(active(), "a", 1, "before");
    ck_assert_int_eq(freeze(), STATUS_OK);
    taken = take();
    add_table(0, 10, "a", 1, "flushed");
    add_table(0, 11, "b", 2, "later");
    install_flushed();
    ck_assert_int_eq(freeze(), STATUS_OK);
    expect_in(taken, "a", NEWEST, "before", VIEW_FROZEN);
    ck_assert_int_eq(find(taken, "b", NEWEST, &hit), STATUS_NOT_FOUND);
    expect_now("a", NEWEST, "flushed", VIEW_TABLE);
    expect_now("b", NEWEST, "later", VIEW_TABLE);
    view_unref(taken);
    end();
}
END_TEST

START_TEST(the_newest_source_that_has_the_row_answers) {
    start();
    add_table(6, 10, "a", 1, "bottom");
    add_table(1, 11, "a", 2, "level 1");
    add_table(0, 12, "a", 3, "older of level 0");
    add_table(0, 13, "a", 4, "newer of level 0");
    install(version, NULL);
    expect_now("a", NEWEST, "newer of level 0", VIEW_TABLE);
    put(active(), "a", 5, "older frozen");
    ck_assert_int_eq(freeze(), STATUS_OK);
    expect_now("a", NEWEST, "older frozen", VIEW_FROZEN);
    put(active(), "a", 6, "newer frozen");
    ck_assert_int_eq(freeze(), STATUS_OK);
    expect_now("a", NEWEST, "newer frozen", VIEW_FROZEN);
    put(active(), "a", 7, "active");
    expect_now("a", NEWEST, "active", VIEW_ACTIVE);
    end();
}
END_TEST

START_TEST(an_old_snapshot_goes_down_to_the_source_that_has_its_version) {
    start();
    add_table(6, 10, "a", 1, "bottom");
    add_table(1, 11, "a", 2, "level 1");
    add_table(0, 12, "a", 3, "older of level 0");
    add_table(0, 13, "a", 4, "newer of level 0");
    install(version, NULL);
    put(active(), "a", 5, "frozen");
    ck_assert_int_eq(freeze(), STATUS_OK);
    put(active(), "a", 6, "active");
    expect_now("a", 6, "active", VIEW_ACTIVE);
    expect_now("a", 5, "frozen", VIEW_FROZEN);
    expect_now("a", 4, "newer of level 0", VIEW_TABLE);
    expect_now("a", 3, "older of level 0", VIEW_TABLE);
    expect_now("a", 2, "level 1", VIEW_TABLE);
    expect_now("a", 1, "bottom", VIEW_TABLE);
    expect_absent("a", 0);
    end();
}
END_TEST

START_TEST(a_tombstone_is_an_answer_and_hides_what_is_below) {
    const struct entry tombstone = {.kind = ENTRY_TOMBSTONE};
    struct view *view;
    struct view_hit hit;

    start();
    add_table(1, 10, "a", 1, "deleted");
    install(version, NULL);
    put_entry(active(), "a", 2, &tombstone);
    view = take();
    ck_assert_int_eq(find(view, "a", NEWEST, &hit), STATUS_OK);
    ck_assert_int_eq(hit.entry.kind, ENTRY_TOMBSTONE);
    ck_assert_uint_eq(hit.version, 2);
    view_hit_release(&hit);
    expect_in(view, "a", 1, "deleted", VIEW_TABLE);
    view_unref(view);
    end();
}
END_TEST

START_TEST(a_table_that_is_not_open_would_block) {
    struct key key = key_at("a", 1);
    struct view *view;
    struct view_hit hit;

    start();
    add_table(0, 10, "a", 1, "cold");
    install(version, NULL);
    view = take();
    ck_assert_int_eq(view_find(view, key_row(&key), 1, READ_WAIT_NEVER, &hit, NULL),
                     STATUS_WOULD_BLOCK);
    view_hit_release(&hit);
    expect_in(view, "a", 1, "cold", VIEW_TABLE);
    view_unref(view);
    end();
}
END_TEST

START_TEST(an_iterator_walks_all_sources_in_order) {
    struct view *view;
    struct iterator *iter;

    start();
    add_table(6, 10, "a", 1, "bottom");
    add_table(6, 11, "d", 2, "bottom");
    add_table(0, 12, "c", 3, "level 0");
    install(version, NULL);
    put(active(), "b", 4, "frozen");
    ck_assert_int_eq(freeze(), STATUS_OK);
    put(active(), "a", 5, "active");
    view = take();
    ck_assert_int_eq(view_iterator_create(view, READ_WAIT_ALLOWED, &iter), STATUS_OK);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_OK);
    expect_at(iter, "a", 5);
    ck_assert_int_eq(iterator_next(iter), STATUS_OK);
    expect_at(iter, "a", 1);
    ck_assert_int_eq(iterator_next(iter), STATUS_OK);
    expect_at(iter, "b", 4);
    ck_assert_int_eq(iterator_next(iter), STATUS_OK);
    expect_at(iter, "c", 3);
    ck_assert_int_eq(iterator_next(iter), STATUS_OK);
    expect_at(iter, "d", 2);
    ck_assert_int_eq(iterator_next(iter), STATUS_END);
    iterator_destroy(iter);
    view_unref(view);
    end();
}
END_TEST

START_TEST(want_of_memory_leaves_the_present_view) {
    struct memtable *fresh;
    struct iterator *iter;
    enum status status = STATUS_NO_MEMORY;
    struct view *view;
    uint64_t n;

    start();
    put(active(), "a", 1, "present");
    fresh = memtable_new();
    memory_fail_after(0, true);
    ck_assert_int_eq(view_holder_freeze(&holder, fresh), STATUS_NO_MEMORY);
    memory_fail_never();
    memtable_unref(fresh);
    expect_now("a", NEWEST, "present", VIEW_ACTIVE);
    add_table(0, 10, "b", 2, "level 0");
    install(version, NULL);
    view = take();
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = view_iterator_create(view, READ_WAIT_ALLOWED, &iter);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 3);
    iterator_destroy(iter);
    view_unref(view);
    end();
}
END_TEST

/* ---- Range deletes ---- */

/* A range delete of the default namespace, as a row of the system namespace. */
static void delete_range(const char *from, const char *to, uint64_t at,
                         enum durability durability) {
    struct key_range range = {NAMESPACE_DEFAULT, slice_from_text(from), slice_from_text(to)};
    struct buffer value = {.cap = RANGE_VALUE_BYTES_MAX};
    uint8_t row[IKEY_NAMESPACE_BYTES + RANGE_KEY_BYTES];
    uint8_t key[RANGE_KEY_BYTES];
    struct entry entry = {.kind = ENTRY_INLINE, .durability = durability};
    size_t bytes;

    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_OK);
    entry.value = buffer_slice(&value);
    bytes = memtable_node_bytes(sizeof row, entry_bytes(&entry));
    ck_assert_int_eq(memtable_reserve(active(), bytes, bytes), STATUS_OK);
    memtable_insert(active(), slice_make(row, row_store(row, 0, slice_make(key, sizeof key))), at,
                    &entry);
    buffer_deinit(&value);
}

static void expect_deleted(const char *word, uint64_t at, uint64_t by, enum durability durability) {
    struct view *view = take();
    struct key key = key_at(word, at);
    struct range_cover cover = view_covering(view, key_row(&key), at);
    struct view_hit hit;

    ck_assert_int_eq(find(view, word, at, &hit), STATUS_OK);
    ck_assert_int_eq(hit.entry.kind, ENTRY_TOMBSTONE);
    ck_assert_int_eq(hit.entry.durability, durability);
    ck_assert_uint_eq(hit.version, by);
    ck_assert_int_eq(hit.source, VIEW_RANGE);
    ck_assert_uint_eq(cover.version, by);
    ck_assert_uint_eq(cover.durability, durability);
    view_hit_release(&hit);
    view_unref(view);
}

static size_t points(void) {
    struct view *view = take();
    size_t count = range_set_points(view->ranges);
    view_unref(view);
    return count;
}

START_TEST(a_range_delete_hides_what_is_older_wherever_it_is) {
    start();
    add_table(1, 9, "b", 1, "in a table");
    install(version, NULL);
    put(active(), "c", 2, "frozen");
    ck_assert_int_eq(freeze(), STATUS_OK);
    put(active(), "d", 3, "active");
    put(active(), "e", 4, "outside");
    delete_range("b", "e", 5, DURABILITY_LOGGED);
    put(active(), "c", 5, "of the same commit");
    put(active(), "d", 6, "newer");
    for (int round = 0; round < 2; round++) {
        enum view_source source = round == 0 ? VIEW_ACTIVE : VIEW_FROZEN;
        expect_deleted("b", NEWEST, 5, DURABILITY_LOGGED);
        expect_deleted("bb", NEWEST, 5, DURABILITY_LOGGED);
        expect_deleted("d", 5, 5, DURABILITY_LOGGED);
        expect_now("c", NEWEST, "of the same commit", source);
        expect_now("d", NEWEST, "newer", source);
        expect_now("e", NEWEST, "outside", source);
        expect_now("b", 4, "in a table", VIEW_TABLE);
        expect_now("c", 4, "frozen", VIEW_FROZEN);
        expect_now("d", 4, "active", source);
        expect_absent("a", NEWEST);
        ck_assert_uint_eq(points(), round == 0 ? 0 : 2);
        ck_assert_int_eq(freeze(), STATUS_OK);
    }
    end();
}
END_TEST

START_TEST(the_newest_range_delete_that_is_seen_counts) {
    start();
    put(active(), "b", 1, "value");
    delete_range("a", "z", 2, DURABILITY_MEMORY);
    ck_assert_int_eq(freeze(), STATUS_OK);
    delete_range("a", "z", 4, DURABILITY_SYNCED);
    delete_range("b", "c", 6, DURABILITY_LOGGED);
    for (int round = 0; round < 2; round++) {
        struct view *view = take();
        struct key key = key_at("b", 1);
        expect_now("b", 1, "value", VIEW_FROZEN);
        expect_deleted("b", 3, 2, DURABILITY_MEMORY);
        expect_deleted("b", 5, 4, DURABILITY_SYNCED);
        expect_deleted("b", NEWEST, 6, DURABILITY_LOGGED);
        ck_assert_uint_eq(view_ending(view, key_row(&key), 1).version, 2);
        ck_assert_uint_eq(view_ending(view, key_row(&key), 2).version, 4);
        ck_assert_uint_eq(view_ending(view, key_row(&key), 4).version, 6);
        ck_assert_uint_eq(view_ending(view, key_row(&key), 6).version, VERSION_NONE);
        view_unref(view);
        ck_assert_int_eq(freeze(), STATUS_OK);
    }
    end();
}
END_TEST

START_TEST(a_taken_view_does_not_see_later_range_deletes) {
    struct view *old;

    start();
    put(active(), "b", 1, "value");
    delete_range("x", "y", 2, DURABILITY_MEMORY);
    ck_assert_int_eq(freeze(), STATUS_OK);
    old = take();
    delete_range("a", "z", 3, DURABILITY_MEMORY);
    ck_assert_int_eq(freeze(), STATUS_OK);
    expect_deleted("b", NEWEST, 3, DURABILITY_MEMORY);
    expect_in(old, "b", 2, "value", VIEW_FROZEN);
    view_unref(old);
    end();
}
END_TEST

START_TEST(a_range_delete_is_forgotten_when_nothing_older_is_left) {
    start();
    add_table(2, 9, "c", 1, "old");
    install(version, NULL);
    delete_range("b", "d", 5, DURABILITY_SYNCED);
    delete_range("x", "y", 6, DURABILITY_SYNCED);
    ck_assert_int_eq(freeze(), STATUS_OK);
    install(version, NULL);
    ck_assert_uint_eq(points(), 4); /* it is in memory alone */
    install_flushed();
    ck_assert_uint_eq(points(), 2);
    expect_deleted("c", NEWEST, 5, DURABILITY_SYNCED);
    version_unref(version);
    ck_assert_int_eq(version_create_empty(&version), STATUS_OK);
    install(version, NULL);
    ck_assert_uint_eq(points(), 0);
    end();
}
END_TEST

START_TEST(a_set_is_made_smaller_by_rules) {
    struct keep_rules rules;

    start();
    add_table(2, 9, "c", 1, "old");
    install(version, NULL);
    delete_range("b", "d", 5, DURABILITY_SYNCED);
    delete_range("c", "d", 6, DURABILITY_SYNCED);
    ck_assert_int_eq(freeze(), STATUS_OK);
    ck_assert_int_eq(keep_rules_init_plain(&rules, 5, 0), STATUS_OK);
    view_holder_prune_ranges(&holder, &rules);
    expect_deleted("c", 5, 5, DURABILITY_SYNCED);
    rules.snapshots[0] = 6;
    memory_fail_after(0, true);
    view_holder_prune_ranges(&holder, &rules);
    memory_fail_never();
    expect_deleted("c", 5, 5, DURABILITY_SYNCED);
    view_holder_prune_ranges(&holder, &rules);
    expect_now("c", 5, "old", VIEW_TABLE); /* nobody reads there any more */
    expect_deleted("c", 6, 6, DURABILITY_SYNCED);
    keep_rules_deinit(&rules);
    end();
}
END_TEST

START_TEST(loaded_range_deletes_are_all_there_are) {
    struct range_delete deletes[] = {
        {{1, slice_from_text("b"), slice_from_text("d")}, 5, DURABILITY_SYNCED},
        {{1, slice_from_text("c"), slice_from_text("e")}, 7, DURABILITY_SYNCED}};

    start();
    ck_assert_int_eq(view_holder_load_ranges(&holder, deletes, 2, NULL), STATUS_OK);
    expect_deleted("b", NEWEST, 5, DURABILITY_SYNCED);
    expect_deleted("d", NEWEST, 7, DURABILITY_SYNCED);
    for (uint64_t n = 0; n < 2; n++) {
        memory_fail_after(n, true);
        ck_assert_int_eq(view_holder_load_ranges(&holder, deletes, 1, NULL), STATUS_NO_MEMORY);
        memory_fail_never();
        expect_deleted("d", NEWEST, 7, DURABILITY_SYNCED);
    }
    ck_assert_int_eq(view_holder_load_ranges(&holder, deletes, 1, NULL), STATUS_OK);
    expect_absent("d", NEWEST);
    end();
}
END_TEST

START_TEST(the_set_knows_everything_up_to_what_was_frozen) {
    struct view *view;

    start();
    add_table(1, 9, "b", 11, "in a table");
    install(version, NULL);
    put(active(), "c", 12, "frozen");
    ck_assert_int_eq(freeze(), STATUS_OK);
    put(active(), "c", 13, "active");
    view = take();
    ck_assert_uint_eq(view_ranges_version(view), 12);
    view_unref(view);
    install_flushed();
    view = take();
    ck_assert_uint_eq(view_ranges_version(view), 11);
    view_unref(view);
    end();
}
END_TEST

START_TEST(want_of_memory_for_a_set_leaves_the_present_view) {
    struct memtable *fresh = memtable_new();
    enum status status = STATUS_NO_MEMORY;
    uint64_t n;

    start();
    delete_range("b", "d", 5, DURABILITY_SYNCED);
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = view_holder_freeze(&holder, fresh);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        expect_deleted("c", NEWEST, 5, DURABILITY_SYNCED);
    }
    ck_assert_uint_gt(n, 6);
    memtable_unref(fresh);
    end();
}
END_TEST

START_TEST(a_view_made_of_frozen_memtables_has_their_range_deletes) {
    struct memtable *frozen[2];
    struct memtable *fresh = memtable_new();
    enum status status = STATUS_NO_MEMORY;
    struct view *view = NULL;
    uint64_t n;

    start();
    put(active(), "c", 1, "old");
    delete_range("b", "d", 5, DURABILITY_SYNCED);
    frozen[1] = active();
    memtable_ref(frozen[1]);
    ck_assert_int_eq(freeze(), STATUS_OK);
    delete_range("x", "z", 6, DURABILITY_SYNCED);
    frozen[0] = active();
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = view_create(fresh, frozen, 2, version, &view);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 10);
    ck_assert_uint_eq(range_set_points(view->ranges), 4);
    view_unref(view);
    memtable_unref(frozen[1]);
    memtable_unref(fresh);
    end();
}
END_TEST

UNIT_MAIN("view", an_empty_view_finds_nothing, a_view_comes_with_the_visible_version,
          no_more_memtables_are_frozen_than_may_wait,
          a_flush_drops_the_oldest_frozen_memtable_and_no_other, a_compaction_keeps_all_memtables,
          a_taken_view_keeps_reading_what_was_there, the_newest_source_that_has_the_row_answers,
          an_old_snapshot_goes_down_to_the_source_that_has_its_version,
          a_tombstone_is_an_answer_and_hides_what_is_below, a_table_that_is_not_open_would_block,
          an_iterator_walks_all_sources_in_order, want_of_memory_leaves_the_present_view,
          a_range_delete_hides_what_is_older_wherever_it_is,
          the_newest_range_delete_that_is_seen_counts,
          a_taken_view_does_not_see_later_range_deletes,
          a_range_delete_is_forgotten_when_nothing_older_is_left, a_set_is_made_smaller_by_rules,
          loaded_range_deletes_are_all_there_are, the_set_knows_everything_up_to_what_was_frozen,
          want_of_memory_for_a_set_leaves_the_present_view,
          a_view_made_of_frozen_memtables_has_their_range_deletes)
