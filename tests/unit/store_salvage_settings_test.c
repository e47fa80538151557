/* store_salvage_settings_test.c: a salvage keeps the namespaces and what is set for them, and does
 * not bring a dropped one back. */
#include "tests/unit/salvage_damage.h"

static struct wreck wreck;
static struct found_files files;

static void begin(void) {
    wreck_build(&wreck);
    files = find_files(&wreck);
    wreck_anew(&wreck);
}

static void settings_cb(void *arg, const struct store_namespace_info *info) {
    uint32_t *found = arg;

    if (slice_equal(info->name, slice_from_text("orders"))) {
        ck_assert_uint_eq(info->settings.quota_bytes, orders_settings.quota_bytes);
        ck_assert_uint_eq(info->settings.keep_ms, orders_settings.keep_ms);
        ck_assert_uint_eq(info->settings.keep_versions, orders_settings.keep_versions);
        *found |= 1;
    } else if (slice_equal(info->name, slice_from_text("late"))) {
        ck_assert_uint_eq(info->settings.keep_versions, 3);
        *found |= 2;
    } else {
        ck_assert_uint_eq(info->name.len, 0); /* the dropped one is not back */
        *found |= 4;
    }
}

static void expect_settings(void) {
    struct store_options options = wreck_options(&wreck, NEW_DIR);
    struct store *store;
    uint32_t found = 0;

    ck_assert_int_eq(wreck_try_salvage(&wreck), STATUS_OK);
    ck_assert_int_eq(store_open(&options, &store, &wreck.error), STATUS_OK);
    ck_assert_int_eq(store_namespace_list(store, settings_cb, &found, &wreck.error), STATUS_OK);
    ck_assert_int_eq(store_close(store, &wreck.error), STATUS_OK);
    ck_assert_uint_eq(found, 7);
}

START_TEST(namespaces_keep_their_settings) {
    begin();
    expect_settings();
    wreck_deinit(&wreck);
}
END_TEST

START_TEST(without_the_manifest_too) {
    begin();
    destroy_all(&wreck, &files, FILE_MANIFEST);
    expect_settings();
    wreck_deinit(&wreck);
}
END_TEST

UNIT_MAIN("store salvage settings", namespaces_keep_their_settings, without_the_manifest_too)
