/* store_salvage_test.c: each kind of file is destroyed in turn, and what a salvage makes of the
 * rest is compared with what the store had been told: all of it where nothing that counts is lost,
 * never more lost than was destroyed, and never a value that a key did not have. */
#include "tests/unit/salvage_damage.h"

static struct wreck wreck;
static struct found_files files;
static struct places places;

static void begin(void) {
    wreck_build(&wreck);
    files = find_files(&wreck);
    find_places(&wreck, &files, &places);
    wreck_anew(&wreck);
}

/* The new store is what the old one was. */
static void expect_equal(const char *what) {
    struct tally tally = wreck_salvage(&wreck);

    ck_assert_msg(tally.right == tally.live && tally.astray == 0 && tally.old == 0 &&
                      tally.old_labelled == 0,
                  "%s: %u of %u, %s", what, tally.right, tally.live, tally.first);
    ck_assert_uint_eq(tally.disordered, 0);
    ck_assert_msg(wreck.result.entries_lost == 0, "%s: %llu lost", what,
                  (unsigned long long)wreck.result.entries_lost);
    ck_assert(wreck.result.has_order);
}

/* No key is wrong but those whose newest state is marked as spoilt; none of these has an older
 * state instead, unless a label says so. */
static struct tally expect_spoilt_only(const char *what) {
    struct tally tally = wreck_salvage(&wreck);

    ck_assert_msg(tally.astray == 0, "%s: %s", what, tally.first);
    ck_assert_msg(tally.old == 0, "%s: %s", what, tally.first);
    ck_assert(wreck.result.has_order);
    return tally;
}

static void expect_lost(const char *what, const struct tally *tally, uint64_t count) {
    ck_assert_msg(wreck.result.entries_lost == count, "%s: %llu lost, not %llu; %s", what,
                  (unsigned long long)wreck.result.entries_lost, (unsigned long long)count,
                  tally->first);
}

static uint32_t count_of(enum file_kind kind) {
    uint32_t count = 0;

    for (uint32_t i = 0; i < files.count; i++) {
        count += files.list[i].kind == kind;
    }
    return count;
}

/* ---- Nothing is destroyed ---------------------------------------------------------------------
 */

START_TEST(a_sound_store_is_rebuilt_as_it_was) {
    begin();
    ck_assert_uint_ge(count_of(FILE_TABLE), 2);
    ck_assert_uint_ge(count_of(FILE_SEGMENT), 6);
    expect_equal("sound");
    ck_assert_uint_eq(wreck.label_count, 0);
    wreck_anew(&wreck);
    wreck.threads = true;
    expect_equal("sound, with threads");
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_store_that_was_closed_and_one_that_is_empty) {
    wreck_init(&wreck);
    wreck_leave(&wreck);
    wreck_anew(&wreck);
    expect_equal("empty");
    wreck_deinit(&wreck);
    wreck_init(&wreck);
    tell_keys(&wreck, 0, "in", (uint32_t[]){0, 1, 9}, (uint32_t[]){20, 7});
    tell_keys(&wreck, 0, "sep", (uint32_t[]){0, 1, 9}, (uint32_t[]){2000, 7});
    fixture_reopen(&wreck.fixture);
    wreck_leave(&wreck);
    wreck_anew(&wreck);
    expect_equal("closed");
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_salvaged_store_can_be_salvaged) {
    static const struct power_cut none = {.mode = POWER_CUT_NONE};
    struct store_options options;

    begin();
    expect_equal("once");
    env_memory_destroy(wreck.sound);
    ck_assert_int_eq(env_memory_clone(wreck.env, &none, &wreck.sound), STATUS_OK);
    options = wreck_options(&wreck, NEW_DIR);
    ck_assert_int_eq(
        store_salvage(&options, "third", wreck_report_cb, &wreck, &wreck.result, &wreck.error),
        STATUS_OK);
    ck_assert_uint_eq(wreck.result.entries_lost, 0);
    wreck_deinit(&wreck);
}
END_TEST

/* What a kill leaves of a table that was being written, which no edit names yet. */
static void leave_a_begun_table(uint64_t bytes) {
    struct slice text;
    struct env_file *file;

    ck_assert_int_eq(load_file(&wreck, files.list[0].path), STATUS_OK);
    text = slice_make(wreck.bytes.data, (size_t)bytes);
    ck_assert_int_eq(env_create(wreck.env, OLD_DIR "/0000000900.table", &file, NULL), STATUS_OK);
    if (bytes > 0) {
        ck_assert_int_eq(env_append(file, &text, 1, NULL), STATUS_OK);
    }
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
}

START_TEST(what_a_kill_left_of_a_job_is_no_loss) {
    static const uint64_t lengths[] = {0, 20, 48, 5000};

    begin();
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct tally tally;
        wreck_anew(&wreck);
        leave_a_begun_table(lengths[i]);
        expect_equal("a begun table");
        ck_assert_uint_eq(wreck.label_count, 0);
        wreck_anew(&wreck);
        leave_a_begun_table(lengths[i]);
        destroy_all(&wreck, &files, FILE_MANIFEST);
        tally = wreck_salvage(&wreck); /* nobody can tell: labels, and a loss, are no mistake */
        ck_assert_uint_eq(tally.right, tally.live);
        ck_assert_uint_eq(tally.old, 0);
    }
    wreck_deinit(&wreck);
}
END_TEST

/* ---- The manifest -----------------------------------------------------------------------------
 */

START_TEST(without_its_manifest_the_store_is_rebuilt_as_it_was) {
    begin();
    destroy_all(&wreck, &files, FILE_MANIFEST);
    expect_equal("no manifest");
    ck_assert_uint_eq(wreck.label_count, 0);
    wreck_deinit(&wreck);
}
END_TEST

/* In its header, its snapshot, each part of it; at last in the edits behind. */
START_TEST(whatever_byte_of_the_manifest_is_wrong_nothing_is_lost) {
    const struct found_file *manifest;

    begin();
    manifest = &files.list[files.count - 1];
    ck_assert_int_eq(manifest->kind, FILE_MANIFEST);
    for (uint64_t offset = 3; offset < manifest->size_bytes;
         offset += offset < 128 ? 17 : manifest->size_bytes / 60 + 1) {
        char what[64];
        snprintf(what, sizeof what, "manifest, %llu of %llu", (unsigned long long)offset,
                 (unsigned long long)manifest->size_bytes);
        wreck_anew(&wreck);
        flip(&wreck, manifest->path, offset);
        expect_equal(what);
    }
    wreck_anew(&wreck);
    flip(&wreck, manifest->path, manifest->size_bytes - 2); /* looks like an edit cut short */
    expect_equal("the last edit");
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_manifest_that_was_cut_short_loses_nothing) {
    const struct found_file *manifest;

    begin();
    manifest = &files.list[files.count - 1];
    for (uint64_t left = 0; left < 8; left++) {
        wreck_anew(&wreck);
        ck_assert_int_eq(
            env_memory_truncate(wreck.env, manifest->path, manifest->size_bytes * left / 8),
            STATUS_OK);
        expect_equal("a cut manifest");
    }
    wreck_deinit(&wreck);
}
END_TEST

/* ---- Tables -----------------------------------------------------------------------------------
 */

/* One byte, with the manifest and without it; all entries are in blocks that are whole. */
static void expect_harmless(const struct found_file *table, uint64_t offset, const char *what) {
    for (int manifest = 1; manifest >= 0; manifest--) {
        wreck_anew(&wreck);
        flip(&wreck, table->path, offset);
        if (!manifest) {
            destroy_all(&wreck, &files, FILE_MANIFEST);
        }
        expect_equal(what);
    }
}

START_TEST(nothing_is_lost_with_what_surrounds_the_blocks_of_a_table) {
    begin();
    for (uint32_t i = 0; i < files.count; i++) {
        const struct found_file *table = &files.list[i];
        struct table_footer footer;
        if (table->kind != FILE_TABLE) {
            continue;
        }
        footer = find_footer(&wreck, table);
        expect_harmless(table, 2, "magic of a table");
        expect_harmless(table, 26, "number in the header of a table");
        expect_harmless(table, footer.filter.offset + 9, "filter");
        expect_harmless(table, footer.index.offset + 5, "index");
        expect_harmless(table, footer.index.offset + footer.index.stored_bytes - 3,
                        "trailer of the index");
        expect_harmless(table, footer.properties.offset + 9, "properties");
        expect_harmless(table, table->size_bytes - 70, "footer");
        expect_harmless(table, table->size_bytes - 3, "checksum of the footer");
    }
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_table_that_was_cut_short_gives_the_blocks_it_has) {
    begin();
    for (uint32_t i = 0; i < files.count; i++) {
        const struct found_file *table = &files.list[i];
        if (table->kind == FILE_TABLE) {
            struct table_footer footer = find_footer(&wreck, table);
            wreck_anew(&wreck);
            ck_assert_int_eq(env_memory_truncate(wreck.env, table->path, footer.filter.offset),
                             STATUS_OK);
            expect_equal("all data blocks");
            wreck_anew(&wreck);
            facts_spoil_all(&wreck.facts);
            ck_assert_int_eq(env_memory_truncate(wreck.env, table->path, footer.filter.offset / 2),
                             STATUS_OK);
            expect_spoilt_only("half of the data blocks");
        }
    }
    wreck_deinit(&wreck);
}
END_TEST

/* What other tables and the log hold of its keys is older, or must be said to be so. */
START_TEST(a_lost_table_loses_its_entries_and_brings_nothing_back) {
    uint32_t hurt = 0;

    begin();
    for (uint32_t i = 0; i < files.count; i++) {
        if (files.list[i].kind == FILE_TABLE) {
            struct tally tally;
            wreck_anew(&wreck);
            facts_spoil_all(&wreck.facts);
            for (size_t f = 0; f < wreck.facts.count; f++) {
                wreck.facts.list[f].spoilt = !wreck.facts.list[f].unflushed;
            }
            destroy(&wreck, &files.list[i]);
            tally = expect_spoilt_only("a lost table");
            hurt += tally.right < tally.live || tally.right_labelled > 0;
            ck_assert_uint_ge(wreck.result.entries_lost, tally.live - tally.right);
        }
    }
    ck_assert_uint_gt(hurt, 0);
    wreck_deinit(&wreck);
}
END_TEST

/* 200 keys in one table, without any other trace of the inline ones. */
static void begin_with_one_table(uint32_t value_bytes) {
    char key[FACT_KEY_BYTES_MAX];

    wreck_init(&wreck);
    for (uint32_t i = 0; i < 200; i++) {
        tell(&wreck,
             &(struct telling){.key = key_make(key, "k", 100 + i), .bytes = value_bytes + (i & 1)});
    }
    do_flush(&wreck);
    do_compact_and_collect(&wreck);
    wreck_leave(&wreck);
    files = find_files(&wreck);
    find_places(&wreck, &files, &places);
}

/* Among the keys in order those that are not there follow each other. */
static void expect_one_gap(void) {
    struct store_options options = wreck_options(&wreck, NEW_DIR);
    uint32_t edges = 0;
    bool was_there = true;
    struct store *store;
    struct store_read read;

    ck_assert_int_eq(store_open(&options, &store, &wreck.error), STATUS_OK);
    store_read_begin(store, &read);
    for (size_t i = 0; i < wreck.facts.count; i++) {
        struct store_value_info info;
        bool there = store_get(&read, STORE_NAMESPACE_DEFAULT, fact_key(&wreck.facts.list[i]),
                               STORE_WAIT_ALLOWED, NULL, &info, &wreck.error) == STATUS_OK;
        edges += there != was_there;
        was_there = there;
    }
    store_read_end(&read);
    ck_assert_int_eq(store_close(store, &wreck.error), STATUS_OK);
    ck_assert_uint_le(edges, 2);
}

START_TEST(a_damaged_block_loses_the_entries_that_are_in_it) {
    const struct found_file *table;
    struct table_footer footer;
    uint32_t gaps = 0;

    begin_with_one_table(100);
    table = &files.list[0];
    ck_assert_uint_eq(count_of(FILE_TABLE), 1);
    footer = find_footer(&wreck, table);
    for (uint64_t offset = 50; offset < footer.filter.offset; offset += 1000) {
        for (int mode = 0; mode < 3; mode++) { /* found by the index, or searched for */
            struct tally tally;
            wreck_anew(&wreck);
            facts_spoil_all(&wreck.facts);
            flip(&wreck, table->path, offset);
            if (mode == 1) {
                destroy_all(&wreck, &files, FILE_MANIFEST);
            } else if (mode == 2) {
                flip(&wreck, table->path, table->size_bytes - 20);
            }
            tally = expect_spoilt_only("a block");
            ck_assert_uint_eq(tally.old_labelled, 0);
            ck_assert_uint_lt(tally.missing, 60);
            expect_one_gap();
            if (tally.missing > 0) { /* else the log has them all still */
                expect_lost("a block", &tally, tally.missing);
            }
            gaps += tally.missing > 0;
        }
    }
    ck_assert_uint_gt(gaps, 9);
    wreck_deinit(&wreck);
}
END_TEST

/* The records that a lost block referred to are in the segments still: they are not lost, but
 * nothing says that they were not deleted. */
START_TEST(what_a_damaged_block_referred_to_is_found_and_labelled) {
    const struct found_file *table;
    struct tally tally;

    begin_with_one_table(600);
    table = &files.list[0];
    wreck_anew(&wreck);
    facts_spoil_all(&wreck.facts);
    destroy_all(&wreck, &files, FILE_MANIFEST);
    flip(&wreck, table->path, 500);
    tally = expect_spoilt_only("references");
    ck_assert_uint_eq(tally.right, tally.live);
    ck_assert_uint_gt(tally.right_labelled, 0);
    ck_assert_uint_lt(tally.right_labelled, 200);
    wreck_deinit(&wreck);
}
END_TEST

/* ---- Segments ---------------------------------------------------------------------------------
 */

/* Whether commits of the log stand or fall with it; some of them make namespaces, and no keys. */
static bool is_unflushed(const struct place *place) {
    size_t i = 0;

    while (!wreck.facts.list[i].unflushed) {
        i++;
    }
    return place->segment_kind == SEGMENT_COMMIT &&
           place->first_version + place->version_count > wreck.facts.list[i].info.version;
}

static void spoil_place(const struct place *place, uint64_t at) {
    wreck_anew(&wreck);
    flip(&wreck, place->path, place->offset + at);
}

/* At the beginning, in the middle or at the end, in turn. */
static uint64_t choose(const struct place *place, uint32_t turn) {
    return turn % 3 == 0 ? 0 : turn % 3 == 1 ? place->bytes / 2 : place->bytes - 1;
}

/* The tables say what there is, and where: what stands around a value in the log is not needed. */
START_TEST(headers_and_operations_that_are_flushed_are_not_missed) {
    uint32_t tried = 0;

    begin();
    for (uint32_t i = 0; i < places.count; i++) {
        const struct place *place = &places.list[i];
        bool harmless =
            place->kind == PLACE_SEGMENT_HEADER ||
            (place->kind != PLACE_VALUES && !is_unflushed(place) && place->first_version > 0);
        if (harmless && (place->kind == PLACE_SEGMENT_HEADER || i % 7 == 0)) {
            char what[64];
            snprintf(what, sizeof what, "place of kind %d, segment of kind %d, %s", place->kind,
                     place->segment_kind, place->path);
            spoil_place(place, choose(place, i));
            expect_equal(what);
            tried++;
        }
    }
    ck_assert_uint_gt(tried, 20);
    wreck_deinit(&wreck);
}
END_TEST

/* Behind the groups of survivors stands where they came from: without the manifest it is not asked,
 * and with it, records are found by key and version instead. */
START_TEST(relocations_are_not_missed) {
    uint32_t tried = 0;

    begin();
    for (uint32_t i = 0; i < files.count; i++) {
        const struct place *last = NULL;
        for (uint32_t j = 0; j < places.count; j++) {
            last = places.list[j].path == files.list[i].path ? &places.list[j] : last;
        }
        if (!last || last->segment_kind != SEGMENT_SURVIVOR) {
            continue;
        }
        for (uint64_t offset = last->offset + last->bytes; offset < files.list[i].size_bytes;
             offset += 31) {
            wreck_anew(&wreck);
            flip(&wreck, files.list[i].path, offset);
            expect_equal("a relocation");
            tried++;
        }
    }
    ck_assert_uint_gt(tried, 10);
    wreck_deinit(&wreck);
}
END_TEST

/* Nothing vouches for it: without its header it looks like the end of a write that never was. */
static bool is_last_group(const struct place *place) {
    const struct fact *last = &wreck.facts.list[wreck.facts.count - 1];
    return place->kind == PLACE_GROUP_HEADER && place->first_version >= last->info.version;
}

/* The unflushed log: what cannot be read of it may be missing, or be what it was before; all else
 * is as it was told. */
START_TEST(a_damaged_commit_of_the_log_loses_itself_only) {
    uint32_t tried = 0;
    uint32_t hurt = 0;

    begin();
    for (uint32_t i = 0; i < places.count; i++) {
        const struct place *place = &places.list[i];
        if (place->kind != PLACE_VALUES && place->kind != PLACE_SEGMENT_HEADER &&
            is_unflushed(place)) {
            struct tally tally;
            spoil_place(place, choose(place, i));
            facts_spoil_versions(&wreck.facts, place->first_version, place->version_count, false);
            tally = wreck_salvage(&wreck);
            ck_assert_msg(tally.astray == 0, "kind %d at %llu: %s", place->kind,
                          (unsigned long long)place->offset, tally.first);
            ck_assert(wreck.result.has_order);
            if (tally.right < tally.live || tally.old + tally.old_labelled > 0) {
                ck_assert(wreck.result.entries_lost > 0 || is_last_group(place));
                hurt++;
            }
            tried++;
        }
    }
    ck_assert_uint_gt(tried, 40);
    ck_assert_uint_gt(hurt, tried / 2);
    wreck_deinit(&wreck);
}
END_TEST

/* That record is lost, and no older one takes its place. */
START_TEST(a_damaged_value_loses_itself_only) {
    uint32_t lost = 0;

    begin();
    for (uint32_t i = 0; i < places.count; i++) {
        const struct place *place = &places.list[i];
        struct tally tally;
        if (place->kind != PLACE_VALUES || (i % 3 != 0 && place->bytes < LARGE_BYTES / 2)) {
            continue;
        }
        spoil_place(place, choose(place, i));
        if (place->segment_kind == SEGMENT_EXTENT || place->bytes >= LARGE_BYTES / 2) {
            facts_spoil_from(&wreck.facts, LARGE_BYTES);
        } else {
            facts_spoil_versions(&wreck.facts, place->first_version, 1, true);
        }
        tally = expect_spoilt_only("a value");
        ck_assert_uint_eq(tally.old_labelled, 0);
        ck_assert_uint_le(tally.missing, 1);
        expect_lost("a value", &tally, tally.missing);
        lost += tally.missing;
    }
    ck_assert_uint_gt(lost, 10);
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(a_lost_segment_loses_the_values_that_lay_there) {
    uint32_t lost = 0;

    begin();
    for (uint32_t i = 0; i < places.count; i++) {
        const struct place *place = &places.list[i];
        bool is_log = false;
        struct tally tally;
        if (place->kind != PLACE_SEGMENT_HEADER) {
            continue;
        }
        for (uint32_t j = i + 1; j < places.count && places.list[j].path == place->path; j++) {
            is_log |= is_unflushed(&places.list[j]);
        }
        wreck_anew(&wreck);
        ck_assert_int_eq(env_remove(wreck.env, place->path, NULL), STATUS_OK);
        facts_spoil_from(&wreck.facts, THRESHOLD);
        if (is_log) {
            facts_spoil_unflushed(&wreck.facts);
            tally = wreck_salvage(&wreck);
            ck_assert_msg(tally.astray == 0, "%s: %s", place->path, tally.first);
            ck_assert_uint_gt(wreck.result.entries_lost, 0);
        } else {
            tally = expect_spoilt_only(place->path);
            expect_lost(place->path, &tally, tally.missing);
        }
        lost += tally.missing;
    }
    ck_assert_uint_gt(lost, 20);
    wreck_deinit(&wreck);
}
END_TEST

static const struct place *find_log(void) {
    const struct place *log = NULL;

    for (uint32_t i = 0; i < places.count; i++) {
        log = places.list[i].kind == PLACE_META && is_unflushed(&places.list[i]) ? &places.list[i]
                                                                                 : log;
    }
    ck_assert_ptr_nonnull(log);
    return log;
}

START_TEST(a_log_of_which_nothing_can_be_read_is_a_loss) {
    static const uint8_t zeros[1024];
    const struct place *log;
    struct tally tally;

    begin();
    log = find_log();
    for (uint64_t offset = 0; offset + sizeof zeros <= log->offset + log->bytes;
         offset += sizeof zeros) {
        ck_assert_int_eq(
            env_memory_poke(wreck.env, log->path, offset, slice_make(zeros, sizeof zeros)),
            STATUS_OK);
    }
    ck_assert_int_eq(env_memory_truncate(wreck.env, log->path, log->offset & ~UINT64_C(1023)),
                     STATUS_OK);
    facts_spoil_unflushed(&wreck.facts);
    facts_spoil_from(&wreck.facts, THRESHOLD);
    tally = wreck_salvage(&wreck);
    ck_assert_msg(tally.astray == 0, "%s", tally.first);
    ck_assert_uint_lt(tally.right, tally.live);
    ck_assert_uint_gt(wreck.result.entries_lost, 0);
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(tables_alone_give_all_small_values) {
    struct tally tally;

    begin();
    destroy_all(&wreck, &files, FILE_SEGMENT);
    facts_spoil_from(&wreck.facts, THRESHOLD);
    facts_spoil_unflushed(&wreck.facts);
    tally = wreck_salvage(&wreck);
    ck_assert_msg(tally.astray == 0, "%s", tally.first);
    ck_assert_uint_gt(tally.right, 10);
    ck_assert_uint_ge(wreck.result.entries_lost, tally.missing / 2);
    ck_assert(wreck.result.has_order);
    wreck_deinit(&wreck);
}
END_TEST

/* ---- Segments alone ---------------------------------------------------------------------------
 */

static void expect_true_label(const struct label *label) {
    bool found = false;

    ck_assert_uint_lt(label->space, SPACES);
    for (size_t i = 0; i < wreck.facts.count; i++) {
        const struct fact *fact = &wreck.facts.list[i];
        if (fact_is_of(fact, label->space, slice_make(label->key, label->key_len)) &&
            !fact->deleted && fact->info.value_bytes == label->bytes &&
            (fact->info.version == label->version || fact->record_version == label->version)) {
            found = true;
            ck_assert_uint_ge(label->time_ms + 3000, fact->time_ms);
            ck_assert_uint_le(label->time_ms, wreck.facts.now_ms);
        }
    }
    ck_assert_msg(found || label->bytes >= LARGE_BYTES / 2, "a label of %.*s, version %llu",
                  (int)label->key_len, (const char *)label->key,
                  (unsigned long long)label->version);
}

START_TEST(from_segments_alone_every_record_is_stored_or_listed_and_labelled) {
    struct tally tally;
    uint32_t kept = 0;

    begin();
    destroy_all(&wreck, &files, FILE_MANIFEST);
    destroy_all(&wreck, &files, FILE_TABLE);
    tally = wreck_salvage(&wreck);
    ck_assert(!wreck.result.has_order);
    ck_assert_uint_eq(tally.right, tally.right_labelled);
    ck_assert_uint_eq(tally.old, 0);
    ck_assert_uint_gt(tally.right + tally.old_labelled, 20);
    for (uint32_t i = 0; i < wreck.label_count; i++) {
        expect_true_label(&wreck.labels[i]);
        kept += wreck.labels[i].stored;
    }
    ck_assert_uint_eq(kept, wreck.result.entries_kept);
    wreck_deinit(&wreck);
}
END_TEST

/* Each value that a live key had is in some segment, and the newest of a key is stored. */
START_TEST(from_segments_alone_the_newest_value_of_each_key_is_stored) {
    static struct look look;
    struct store_options options;

    begin();
    destroy_all(&wreck, &files, FILE_MANIFEST);
    destroy_all(&wreck, &files, FILE_TABLE);
    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_OK);
    options = wreck_options(&wreck, NEW_DIR);
    look = (struct look){.wreck = &wreck};
    ck_assert_int_eq(store_open(&options, &look.store, &wreck.error), STATUS_OK);
    for (size_t i = 0; i < wreck.facts.count; i++) {
        const struct fact *fact = &wreck.facts.list[i];
        struct store_value_info info;
        struct store_read read;
        enum status status;
        if (fact->space != 0 || !fact_is_live(&wreck.facts, fact) ||
            !fact_is_separated(fact, THRESHOLD) || fact->info.value_bytes >= LARGE_BYTES ||
            facts_newest(&wreck.facts, 0, fact_key(fact)) != fact) {
            continue;
        }
        store_read_begin(look.store, &read);
        status = store_get(&read, STORE_NAMESPACE_DEFAULT, fact_key(fact), STORE_WAIT_ALLOWED, NULL,
                           &info, &wreck.error);
        store_read_end(&read);
        ck_assert_msg(status == STATUS_OK && info.checksum == fact->info.checksum, "%.*s: %s",
                      (int)fact->key_len, (const char *)fact->key, status_name(status));
    }
    ck_assert_int_eq(store_close(look.store, &wreck.error), STATUS_OK);
    wreck_deinit(&wreck);
}
END_TEST

UNIT_MAIN("store salvage", a_sound_store_is_rebuilt_as_it_was,
          a_store_that_was_closed_and_one_that_is_empty, a_salvaged_store_can_be_salvaged,
          what_a_kill_left_of_a_job_is_no_loss, without_its_manifest_the_store_is_rebuilt_as_it_was,
          whatever_byte_of_the_manifest_is_wrong_nothing_is_lost,
          a_manifest_that_was_cut_short_loses_nothing,
          nothing_is_lost_with_what_surrounds_the_blocks_of_a_table,
          a_table_that_was_cut_short_gives_the_blocks_it_has,
          a_lost_table_loses_its_entries_and_brings_nothing_back,
          a_damaged_block_loses_the_entries_that_are_in_it,
          what_a_damaged_block_referred_to_is_found_and_labelled,
          headers_and_operations_that_are_flushed_are_not_missed, relocations_are_not_missed,
          a_damaged_commit_of_the_log_loses_itself_only, a_damaged_value_loses_itself_only,
          a_lost_segment_loses_the_values_that_lay_there,
          a_log_of_which_nothing_can_be_read_is_a_loss, tables_alone_give_all_small_values,
          from_segments_alone_every_record_is_stored_or_listed_and_labelled,
          from_segments_alone_the_newest_value_of_each_key_is_stored)
