/* space_recount.c: see space_recount.h. */
#include "tests/support/space_recount.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/store_state.h"
#include "storage/value_reader.h"

#include <check.h>
#include <string.h>

#define FILES_MAX 4096u

struct count {
    const struct view *view;
    struct segment_share homes[FILES_MAX];
    struct segment_share files[FILES_MAX];
    size_t home_count;
    size_t file_count;
};

static struct segment_share *share_of(struct segment_share *shares, size_t *count,
                                      uint64_t segment) {
    for (size_t i = 0; i < *count; i++) {
        if (shares[i].segment == segment) {
            return &shares[i];
        }
    }
    ck_assert_uint_lt(*count, FILES_MAX);
    shares[*count] = (struct segment_share){.segment = segment};
    return &shares[(*count)++];
}

static void count_entry(struct count *count, const struct entry *entry) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;

    while (entry_refs_next(&refs, &ref)) {
        struct value_ref place;
        struct error error = {0};
        enum status status =
            value_reader_resolve(count->view->version, &ref, READ_WAIT_ALLOWED, &place, &error);
        ck_assert_msg(status == STATUS_OK, "a reference to segment %llu at %llu leads nowhere",
                      (unsigned long long)ref.segment, (unsigned long long)ref.offset);
        segment_share_add(share_of(count->homes, &count->home_count, ref.segment), ref.stored_bytes,
                          entry->alias);
        segment_share_add(share_of(count->files, &count->file_count, place.segment),
                          ref.stored_bytes, entry->alias);
    }
}

static void count_view(struct count *count) {
    struct iterator *iter;
    enum status status = view_iterator_create(count->view, READ_WAIT_ALLOWED, &iter);

    ck_assert_int_eq(status, STATUS_OK);
    status = iterator_seek_first(iter);
    while (status == STATUS_OK) {
        struct entry entry;
        ck_assert_int_eq(entry_load(iter->entry, &entry), STATUS_OK);
        count_entry(count, &entry);
        status = iterator_next(iter);
    }
    ck_assert_int_eq(status, STATUS_END);
    iterator_destroy(iter);
}

static void expect_same(const struct segment_share *counted, const struct segment_share *booked) {
    ck_assert_msg(counted->records == booked->records && counted->bytes == booked->bytes &&
                      counted->alias_records == booked->alias_records &&
                      counted->alias_bytes == booked->alias_bytes,
                  "segment %llu: counted %llu records %llu bytes, %llu aliases; booked %llu, %llu, "
                  "%llu",
                  (unsigned long long)booked->segment, (unsigned long long)counted->records,
                  (unsigned long long)counted->bytes, (unsigned long long)counted->alias_records,
                  (unsigned long long)booked->records, (unsigned long long)booked->bytes,
                  (unsigned long long)booked->alias_records);
}

void recount_accounts(struct store *store) {
    struct view *view = version_set_view(&store->versions);
    struct count *count = memory_alloc_zeroed(sizeof *count);
    struct holder_sums sums;

    ck_assert_ptr_nonnull(count);
    count->view = view;
    count_view(count);
    ck_assert_int_eq(holders_of_view(view, &sums), STATUS_OK);
    ck_assert_uint_eq(sums.lost_shares, 0);
    for (size_t i = 0; i < sums.home_count; i++) {
        expect_same(share_of(count->homes, &count->home_count, sums.homes[i].segment),
                    &sums.homes[i]);
    }
    for (size_t i = 0; i < sums.account_count; i++) {
        const struct segment_account *account = &sums.accounts[i];
        struct segment_share booked = {account->segment, account->records, account->bytes,
                                       account->alias_records, account->alias_bytes};
        expect_same(share_of(count->files, &count->file_count, account->segment), &booked);
    }
    ck_assert_uint_eq(count->home_count, sums.home_count); /* none was counted that is not booked */
    ck_assert_uint_eq(count->file_count, sums.account_count);
    holders_deinit(&sums);
    memory_free(count);
    view_unref(view);
}

/* ---- Files ------------------------------------------------------------------------------------
 */

struct listing {
    const char *beginning;
    const char *ending;
    uint64_t bytes;
    uint32_t files;
};

static enum status list_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct listing *listing = arg;
    size_t len = strlen(name);
    size_t ending = strlen(listing->ending);

    if (strncmp(name, listing->beginning, strlen(listing->beginning)) == 0 && len >= ending &&
        strcmp(name + len - ending, listing->ending) == 0) {
        listing->files++;
        listing->bytes += size_bytes;
    }
    return STATUS_OK;
}

uint64_t recount_disk_bytes(struct env *env, const char *dir) {
    struct listing listing = {.beginning = "", .ending = ""};

    ck_assert_int_eq(env_list(env, dir, list_cb, &listing, NULL), STATUS_OK);
    return listing.bytes;
}

uint64_t recount_manifest_bytes(struct env *env, const char *dir) {
    struct listing listing = {.beginning = "MANIFEST", .ending = ""};

    ck_assert_int_eq(env_list(env, dir, list_cb, &listing, NULL), STATUS_OK);
    return listing.bytes;
}

uint32_t recount_files(struct env *env, const char *dir, const char *ending) {
    struct listing listing = {.beginning = "", .ending = ending};

    ck_assert_int_eq(env_list(env, dir, list_cb, &listing, NULL), STATUS_OK);
    return listing.files;
}

uint32_t recount_segments(struct store *store, int kind, uint64_t *numbers_out, uint32_t room) {
    struct version *version = version_set_take(&store->versions);
    uint32_t count = 0;

    for (uint32_t i = 0; i < version->segment_count; i++) {
        if ((int)version->segments[i]->kind == kind) {
            ck_assert_uint_lt(count, room);
            numbers_out[count++] = version->segments[i]->number;
        }
    }
    version_unref(version);
    return count;
}

uint32_t recount_relocations(struct store *store) {
    struct version *version = version_set_take(&store->versions);
    uint32_t count = version->relocation_count;

    version_unref(version);
    return count;
}
