/* client_call_test.c: each call of libkvd against a server that behaves. */
#include "protocol/base/memory.h"
#include "tests/unit/client_fake.h"

static struct fake fake;
static struct kvd *db;

static void begin(void) {
    fake_start(&fake);
    ck_assert_int_eq(kvd_connect(fake.address, NULL, &db), KVD_OK);
}

static void end(void) {
    kvd_close(db);
    fake_stop(&fake);
}

static void put(const char *key, const char *value) {
    ck_assert_int_eq(kvd_put(db, kvd_text(key), kvd_text(value), NULL, NULL), KVD_OK);
}

static bool holds(const struct kvd_value *value, const char *text) {
    return value->status == KVD_OK && value->meta.value_len == strlen(text) &&
           memcmp(value->data, text, strlen(text)) == 0;
}

START_TEST(a_value_comes_back_in_all_three_ways) {
    struct kvd_write_options options = {.user_flags = 5, .checksum = true};
    struct kvd_read_options verify = {.verify = true};
    struct kvd_value value = {0};
    struct kvd_meta meta;
    uint64_t version;
    char room[5];
    void *data;

    begin();
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text("value"), &options, &version), KVD_OK);
    ck_assert_uint_eq(version, 1);
    ck_assert_uint_eq(fake.last.checksum, checksum_value(slice_from_text("value")));
    ck_assert_int_eq(kvd_get(db, kvd_text("k"), &verify, &value), KVD_OK);
    ck_assert(holds(&value, "value"));
    ck_assert_uint_eq(value.meta.user_flags, 5);
    ck_assert_uint_eq(value.meta.version, 1);
    ck_assert_int_eq(kvd_get_into(db, kvd_text("k"), NULL, room, 5, &meta), KVD_OK);
    ck_assert_mem_eq(room, "value", 5);
    ck_assert_int_eq(kvd_get_into(db, kvd_text("k"), NULL, room, 4, &meta), KVD_TOO_LARGE);
    ck_assert_uint_eq(kvd_error_detail(db), 5);
    ck_assert_int_eq(kvd_get_alloc(db, kvd_text("k"), NULL, &data, NULL), KVD_OK);
    ck_assert_mem_eq(data, "value", 5);
    kvd_free(data);
    kvd_value_free(&value);
    end();
}
END_TEST

START_TEST(absent_keys_and_conditions_are_told) {
    struct kvd_write_options absent = {.condition = KVD_IF_ABSENT};
    struct kvd_value value = {0};
    uint64_t version;

    begin();
    ck_assert_int_eq(kvd_get(db, kvd_text("k"), NULL, &value), KVD_NOT_FOUND);
    ck_assert_int_eq(kvd_exists(db, kvd_text("k"), NULL, NULL), KVD_NOT_FOUND);
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text(""), &absent, NULL), KVD_OK);
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text(""), &absent, NULL), KVD_EXISTS);
    ck_assert_str_eq(kvd_error(db), "the key is there");
    ck_assert_uint_eq(kvd_error_detail(db), 17);
    ck_assert_int_eq(kvd_exists(db, kvd_text("k"), NULL, &version), KVD_OK);
    ck_assert_int_eq(kvd_delete(db, kvd_text("k"), NULL, &version), KVD_OK);
    ck_assert_int_eq(kvd_get(db, kvd_text("k"), NULL, &value), KVD_NOT_FOUND);
    kvd_value_free(&value);
    end();
}
END_TEST

START_TEST(options_reach_the_server) {
    struct kvd_connect_options connect = {.namespace_name = "space",
                                          .durability = KVD_DURABILITY_MEMORY};
    struct kvd_write_options options = {.ttl_ms = 5, .deadline_ms = 6};

    fake_start(&fake);
    ck_assert_int_eq(kvd_connect(fake.address, &connect, &db), KVD_OK);
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text("v"), &options, NULL), KVD_OK);
    ck_assert_uint_eq(fake.last.ttl_ms, 5);
    ck_assert_uint_eq(fake.last.deadline_ms, 6);
    ck_assert_uint_eq(fake.last.durability, WIRE_DURABILITY_MEMORY);
    ck_assert_uint_eq(fake.last.namespace_name.len, 5);
    end();
}
END_TEST

START_TEST(an_option_the_server_did_not_agree_to_is_refused_here) {
    struct kvd_write_options options = {.ttl_ms = 5};
    int before;

    fake_start(&fake);
    fake.agree = WIRE_FLAG_DEADLINE;
    ck_assert_int_eq(kvd_connect(fake.address, NULL, &db), KVD_OK);
    before = fake.reads;
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_text("v"), &options, NULL), KVD_UNSUPPORTED);
    ck_assert_int_eq(fake.reads, before);
    put("k", "v");
    end();
}
END_TEST

START_TEST(many_keys_are_read_in_as_many_requests_as_needed) {
    struct kvd_bytes keys[7];
    struct kvd_value values[7] = {0};
    const char names[] = "abcdefg";

    begin();
    put("a", "1");
    put("d", "2");
    put("g", "");
    for (size_t i = 0; i < 7; i++) {
        keys[i] = kvd_bytes(names + i, 1);
    }
    ck_assert_int_eq(kvd_mget(db, keys, 7, NULL, values), KVD_OK);
    ck_assert(holds(&values[0], "1"));
    ck_assert_int_eq(values[1].status, KVD_NOT_FOUND);
    ck_assert(holds(&values[3], "2"));
    ck_assert(holds(&values[6], ""));
    keys[5].len = 0;
    ck_assert_int_eq(kvd_mget(db, keys, 7, NULL, values), KVD_INVALID);
    ck_assert_uint_eq(kvd_error_item(db), 5);
    for (size_t i = 0; i < 7; i++) {
        kvd_value_free(&values[i]);
    }
    end();
}
END_TEST

START_TEST(a_batch_is_one_commit) {
    struct kvd_write_options flags = {.user_flags = 3};
    struct kvd_batch *batch;
    struct kvd_meta meta;
    uint64_t version;

    begin();
    put("a", "old");
    ck_assert_int_eq(kvd_batch_create(&batch), KVD_OK);
    ck_assert_int_eq(kvd_batch_commit(db, batch, NULL, NULL), KVD_INVALID);
    ck_assert_int_eq(kvd_batch_put(batch, kvd_text("b"), kvd_text("new"), &flags), KVD_OK);
    ck_assert_int_eq(kvd_batch_delete(batch, kvd_text("a"), NULL), KVD_OK);
    ck_assert_int_eq(kvd_batch_delete(batch, kvd_text(""), NULL), KVD_INVALID);
    ck_assert_uint_eq(kvd_batch_count(batch), 2);
    ck_assert_uint_eq(kvd_batch_bytes(batch), 5);
    ck_assert_int_eq(kvd_batch_commit(db, batch, NULL, &version), KVD_OK);
    ck_assert_uint_eq(version, 2);
    ck_assert_int_eq(kvd_exists(db, kvd_text("a"), NULL, NULL), KVD_NOT_FOUND);
    ck_assert_int_eq(kvd_meta(db, kvd_text("b"), NULL, &meta), KVD_OK);
    ck_assert_uint_eq(meta.user_flags, 3);
    ck_assert_uint_eq(meta.value_len, 3);
    kvd_batch_destroy(batch);
    end();
}
END_TEST

/* The keys of a scan, in a row. */
static const char *scanned(const struct kvd_scan_options *options) {
    static char keys[64];
    struct kvd_scan *scan;
    struct kvd_entry entry;
    size_t count = 0;

    ck_assert_int_eq(kvd_scan_open(db, options, &scan), KVD_OK);
    while (kvd_scan_next(scan, &entry) == KVD_OK) {
        ck_assert_int_eq(kvd_ping(db), KVD_OK); /* other calls may come between */
        memcpy(keys + count, entry.key.ptr, entry.key.len);
        count += entry.key.len;
        ck_assert_uint_eq(entry.value.len, options->keys_only ? 0 : 1);
    }
    ck_assert_int_eq(kvd_scan_next(scan, &entry), KVD_END);
    kvd_scan_close(scan);
    keys[count] = '\0';
    return keys;
}

START_TEST(a_scan_walks_its_pages_both_ways) {
    const char names[] = "abcdefg";
    struct kvd_scan_options options = {.verify = true};

    begin();
    ck_assert_str_eq(scanned(&options), "");
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(kvd_put(db, kvd_bytes(names + i, 1), kvd_text("v"), NULL, NULL), KVD_OK);
    }
    ck_assert_str_eq(scanned(&options), "abcdefg");
    options.reverse = true;
    options.keys_only = true;
    ck_assert_str_eq(scanned(&options), "gfedcba");
    options.from = kvd_text("b");
    options.to = kvd_text("f");
    ck_assert_str_eq(scanned(&options), "edcb");
    options.limit = 3;
    ck_assert_str_eq(scanned(&options), "edc");
    options.limit = 1;
    ck_assert_str_eq(scanned(&options), "e");
    end();
}
END_TEST

START_TEST(a_scan_goes_on_from_a_cursor) {
    const char names[] = "abcde";
    struct kvd_scan_options options = {0};
    struct kvd_entry entry;
    struct kvd_scan *scan;

    begin();
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(kvd_put(db, kvd_bytes(names + i, 1), kvd_text("v"), NULL, NULL), KVD_OK);
    }
    ck_assert_int_eq(kvd_scan_open(db, NULL, &scan), KVD_OK);
    ck_assert_uint_eq(kvd_scan_cursor(scan).len, 0);
    ck_assert_int_eq(kvd_scan_next(scan, &entry), KVD_OK);
    options.cursor = kvd_scan_cursor(scan);
    ck_assert_str_eq(scanned(&options), "cde");
    kvd_scan_close(scan);
    end();
}
END_TEST

START_TEST(a_count_adds_its_pages) {
    struct kvd_scan_options prefix = {.prefix = kvd_text("a")};
    struct kvd_scan_options both = {.prefix = kvd_text("a"), .from = kvd_text("b")};
    uint64_t count;

    begin();
    put("a1", "");
    put("a2", "");
    put("a3", "");
    put("b", "");
    ck_assert_int_eq(kvd_count(db, NULL, &count), KVD_OK);
    ck_assert_uint_eq(count, 4);
    ck_assert_int_eq(kvd_count(db, &prefix, &count), KVD_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(kvd_count(db, &both, &count), KVD_INVALID);
    end();
}
END_TEST

static void note_stat(const char *name, const char *value, void *arg) {
    char *all = arg;
    strncat(all, name, 8);
    strncat(all, value, 8);
}

START_TEST(statistics_and_server_info_are_told) {
    struct kvd_server_info info;
    char all[64] = "";

    begin();
    ck_assert_int_eq(kvd_stats(db, NULL, note_stat, all), KVD_OK);
    ck_assert_str_eq(all, "keys3statewell");
    ck_assert_int_eq(kvd_server_info(db, &info), KVD_OK);
    ck_assert_str_eq(info.server_name, "fake");
    ck_assert_uint_eq(info.frame_max, FAKE_FRAME_MAX);
    ck_assert_int_eq(info.durability, KVD_DURABILITY_SYNCED);
    end();
}
END_TEST

START_TEST(a_request_above_frame_max_is_not_sent) {
    static char value[FAKE_FRAME_MAX];

    begin();
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_bytes(value, sizeof value), NULL, NULL),
                     KVD_TOO_LARGE);
    ck_assert_uint_eq(kvd_error_detail(db), FAKE_FRAME_MAX);
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_bytes(value, 90000), NULL, NULL), KVD_OK);
    ck_assert_int_eq(kvd_put(db, kvd_text("k"), kvd_bytes(value, 90001), NULL, NULL),
                     KVD_TOO_LARGE);
    ck_assert_uint_eq(kvd_error_detail(db), 90000);
    end();
}
END_TEST

START_TEST(pages_of_scans_come_in_their_turn_of_a_pipeline) {
    const struct kvd_scan_options both = {.prefix = kvd_text("a"), .from = kvd_text("b")};
    const struct kvd_scan_options bare = {.keys_only = true, .reverse = true};
    struct kvd_scan_options options = {.verify = true, .limit = 2};
    struct kvd_result result;
    struct kvd_entry entry;

    begin();
    for (const char *key = "abc"; *key; key++) {
        ck_assert_int_eq(kvd_pipeline_put(db, kvd_bytes(key, 1), kvd_text("v"), NULL), KVD_OK);
    }
    ck_assert_int_eq(kvd_pipeline_scan(db, &both), KVD_INVALID);
    ck_assert_int_eq(kvd_pipeline_scan(db, &options), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_get(db, kvd_text("c"), NULL), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_scan(db, &bare), KVD_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
        ck_assert_ptr_null(result.page);
    }
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert_int_eq(result.operation, KVD_OPERATION_SCAN);
    ck_assert_int_eq(kvd_page_next(result.page, &entry), KVD_OK);
    ck_assert_mem_eq(entry.key.ptr, "a", 1);
    ck_assert_mem_eq(entry.value.ptr, "v", 1);
    ck_assert_int_eq(kvd_page_next(result.page, &entry), KVD_OK);
    ck_assert_int_eq(kvd_page_next(result.page, &entry), KVD_END);
    ck_assert_uint_gt(result.cursor.len, 0);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert_mem_eq(result.value.ptr, "v", 1);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert_int_eq(kvd_page_next(result.page, &entry), KVD_OK);
    ck_assert_mem_eq(entry.key.ptr, "c", 1);
    ck_assert_uint_eq(entry.value.len, 0);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_END);
    ck_assert_int_eq(kvd_pipeline_scan(db, NULL), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_OK);
    ck_assert_int_eq(kvd_pipeline_next(db, &result), KVD_END);
    end();
}
END_TEST

START_TEST(a_warm_connection_allocates_nothing) {
    struct kvd_value value = {0};
    struct kvd_result result;
    uint64_t before = 0;

    begin();
    for (int i = 0; i < 200; i++) {
        put("k", "value");
        ck_assert_int_eq(kvd_get(db, kvd_text("k"), NULL, &value), KVD_OK);
        ck_assert_int_eq(kvd_pipeline_get(db, kvd_text("k"), NULL), KVD_OK);
        ck_assert_int_eq(kvd_pipeline_put(db, kvd_text("k"), kvd_text("v"), NULL), KVD_OK);
        while (kvd_pipeline_next(db, &result) == KVD_OK) {
            ck_assert_int_eq(result.status, KVD_OK);
        }
        if (i == 100) {
            before = memory_allocation_count();
        }
    }
    ck_assert_uint_eq(memory_allocation_count(), before);
    kvd_value_free(&value);
    end();
}
END_TEST

START_TEST(every_allocation_may_fail) {
    struct kvd_value value = {0};
    enum kvd_status status = KVD_NO_MEMORY;

    fake_start(&fake);
    fake_store(&fake, slice_from_text("k"), slice_from_text("value"), 0);
    fake_must(buffer_reserve(&fake.in, 8192)); /* the fake itself must not meet the failure */
    fake_must(buffer_reserve(&fake.out, 8192));
    for (uint64_t n = 0; status != KVD_OK; n++) {
        ck_assert_uint_lt(n, 100);
        memory_fail_after(n, true);
        status = kvd_connect(fake.address, NULL, &db);
        if (status == KVD_OK) {
            status = kvd_get(db, kvd_text("k"), NULL, &value);
        }
        memory_fail_never();
        ck_assert(status == KVD_OK || status == KVD_NO_MEMORY);
        kvd_close(db);
        kvd_value_free(&value);
    }
    fake_stop(&fake);
}
END_TEST

UNIT_MAIN("client_call", a_value_comes_back_in_all_three_ways, absent_keys_and_conditions_are_told,
          options_reach_the_server, an_option_the_server_did_not_agree_to_is_refused_here,
          many_keys_are_read_in_as_many_requests_as_needed, a_batch_is_one_commit,
          a_scan_walks_its_pages_both_ways, a_scan_goes_on_from_a_cursor, a_count_adds_its_pages,
          statistics_and_server_info_are_told, a_request_above_frame_max_is_not_sent,
          pages_of_scans_come_in_their_turn_of_a_pipeline, a_warm_connection_allocates_nothing,
          every_allocation_may_fail)
