/* holders.c: see holders.h. */
#include "storage/holders.h"

#include "protocol/base/memory.h"

#include <stdlib.h>

/* ---- Homes
 * ------------------------------------------------------------------------------------
 */

static int order_shares(const void *left, const void *right) {
    const struct segment_share *a = left;
    const struct segment_share *b = right;
    return (a->segment > b->segment) - (a->segment < b->segment);
}

static int order_accounts(const void *left, const void *right) {
    const struct segment_account *a = left;
    const struct segment_account *b = right;
    return (a->segment > b->segment) - (a->segment < b->segment);
}

static struct segment_share *find_home(const struct holder_sums *sums, uint64_t home) {
    struct segment_share wanted = {.segment = home};
    return sums->home_count > 0
               ? bsearch(&wanted, sums->homes, sums->home_count, sizeof wanted, order_shares)
               : NULL;
}

static struct segment_account *find_account(const struct holder_sums *sums, uint64_t segment) {
    struct segment_account wanted = {.segment = segment};
    return sums->account_count > 0 ? bsearch(&wanted, sums->accounts, sums->account_count,
                                             sizeof wanted, order_accounts)
                                   : NULL;
}

/* A home, with zeros so far, for each segment and each relocation: both ascend,
 * and none is both. */
static enum status make_homes(const struct version *version, struct holder_sums *sums) {
    size_t count = (size_t)version->segment_count + version->relocation_count;
    uint32_t segment = 0;
    uint32_t relocation = 0;

    if (count == 0) {
        return STATUS_OK;
    }
    sums->homes = memory_alloc_zeroed(count * sizeof *sums->homes);
    if (!sums->homes) {
        return STATUS_NO_MEMORY;
    }
    sums->home_count = count;
    for (size_t i = 0; i < count; i++) {
        bool takes_segment =
            relocation == version->relocation_count ||
            (segment < version->segment_count &&
             version->segments[segment]->number < version->relocations[relocation].home);
        sums->homes[i].segment = takes_segment ? version->segments[segment++]->number
                                               : version->relocations[relocation++].home;
    }
    return STATUS_OK;
}

/* Adds a holder's books; returns how many shares have no home. */
static size_t add_shares(struct holder_sums *sums, const struct segment_share *shares,
                         size_t count) {
    size_t lost = 0;

    for (size_t i = 0; i < count; i++) {
        struct segment_share *home = find_home(sums, shares[i].segment);
        if (!home) {
            lost++;
            continue;
        }
        home->records += shares[i].records;
        home->bytes += shares[i].bytes;
        home->alias_records += shares[i].alias_records;
        home->alias_bytes += shares[i].alias_bytes;
    }
    return lost;
}

static void add_tables(struct holder_sums *sums, const struct version *version) {
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        for (uint32_t j = 0; j < version->levels[i].count; j++) {
            const struct table_info *info = version->levels[i].infos[j];
            sums->lost_shares += add_shares(sums, info->shares, info->share_count);
        }
    }
}

/* A memtable may know a segment that is newer than the version. */
static enum status add_memtable(struct holder_sums *sums, struct memtable *memtable) {
    struct segment_share *shares;
    size_t count;
    enum status status = memtable_copy_shares(memtable, &shares, &count);

    if (status == STATUS_OK) {
        (void)add_shares(sums, shares, count);
        memory_free(shares);
    }
    return status;
}

static enum status add_memtables(struct holder_sums *sums, const struct view *view,
                                 const struct memtable *flushed) {
    enum status status = add_memtable(sums, view->active);

    for (uint32_t i = 0; i < view->frozen_count && status == STATUS_OK; i++) {
        if (view->frozen[i] != flushed) {
            status = add_memtable(sums, view->frozen[i]);
        }
    }
    return status;
}

/* ---- Files
 * ------------------------------------------------------------------------------------
 */

static void add_home(struct segment_account *account, const struct segment_share *home) {
    account->records += home->records;
    account->bytes += home->bytes;
    account->alias_records += home->alias_records;
    account->alias_bytes += home->alias_bytes;
}

static enum status make_accounts(const struct version *version, struct holder_sums *sums) {
    if (version->segment_count == 0) {
        return STATUS_OK;
    }
    sums->accounts = memory_alloc_zeroed(version->segment_count * sizeof *sums->accounts);
    if (!sums->accounts) {
        return STATUS_NO_MEMORY;
    }
    sums->account_count = version->segment_count;
    for (uint32_t i = 0; i < version->segment_count; i++) {
        const struct segment_file *file = version->segments[i];
        struct segment_account *account = &sums->accounts[i];
        struct segment_share home = holders_home(sums, file->number);
        account->segment = file->number;
        account->kind = file->kind;
        account->file_bytes = atomic_load_explicit(&file->length_bytes, memory_order_acquire);
        account->sealed = account->file_bytes > 0;
        account->damaged = atomic_load_explicit(&file->damaged, memory_order_acquire);
        add_home(account, &home);
    }
    for (uint32_t i = 0; i < version->relocation_count; i++) {
        struct segment_account *account = find_account(sums, version->relocations[i].target);
        struct segment_share home = holders_home(sums, version->relocations[i].home);
        if (account) {
            account->relocations++;
            add_home(account, &home);
        }
    }
    return STATUS_OK;
}

enum status holders_sum(const struct version *version, const struct view *view,
                        const struct memtable *flushed, struct holder_sums *sums_out) {
    enum status status;

    *sums_out = (struct holder_sums){0};
    status = make_homes(version, sums_out);
    if (status == STATUS_OK) {
        add_tables(sums_out, version);
        status = view ? add_memtables(sums_out, view, flushed) : STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = make_accounts(version, sums_out);
    }
    if (status != STATUS_OK) {
        holders_deinit(sums_out);
    }
    return status;
}

enum status holders_of_view(const struct view *view, struct holder_sums *sums_out) {
    return holders_sum(view->version, view, NULL, sums_out);
}

void holders_deinit(struct holder_sums *sums) {
    memory_free(sums->homes);
    memory_free(sums->accounts);
    *sums = (struct holder_sums){0};
}

struct segment_share holders_home(const struct holder_sums *sums, uint64_t home) {
    const struct segment_share *found = find_home(sums, home);
    return found ? *found : (struct segment_share){.segment = home};
}

const struct segment_account *holders_account(const struct holder_sums *sums, uint64_t segment) {
    return find_account(sums, segment);
}

/* ---- Dropping
 * ---------------------------------------------------------------------------------
 */

static bool is_held(const struct holder_sums *sums, uint64_t home,
                    const struct holders_question *question) {
    struct segment_share share = holders_home(sums, home);

    return share.records > 0 || share.alias_records > 0 ||
           segment_pins_list_has(question->pinned, question->pinned_count, home);
}

static bool edit_adds_relocation(const struct version_edit *edit, uint64_t home) {
    for (uint32_t i = 0; i < edit->relocations_added_count; i++) {
        if (edit->relocations_added[i].home == home) {
            return true;
        }
    }
    return false;
}

static bool edit_adds_segment(const struct version_edit *edit, uint64_t number) {
    for (uint32_t i = 0; i < edit->segments_added_count; i++) {
        if (edit->segments_added[i].number == number) {
            return true;
        }
    }
    return false;
}

/* Drops relocations; the others are counted in the accounts of their targets.
 */
static enum status drop_relocations(const struct holders_question *question,
                                    const struct holder_sums *sums, struct version_edit *edit) {
    const struct version *next = question->next;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < next->relocation_count && status == STATUS_OK; i++) {
        const struct relocation *relocation = &next->relocations[i];
        if (!is_held(sums, relocation->home, question) &&
            !edit_adds_relocation(edit, relocation->home)) {
            struct segment_account *account = find_account(sums, relocation->target);
            status = version_edit_remove_relocation(edit, relocation->home);
            if (account) {
                account->relocations--;
            }
        }
    }
    return status;
}

/* A segment without a single group is sealed with the length 0. */
static bool is_sealed(const struct holders_question *question, uint64_t number) {
    const struct manifest_segment *segment = manifest_state_segment(question->state, number);
    return segment && segment->sealed;
}

static enum status drop_segments(const struct holders_question *question,
                                 const struct holder_sums *sums, struct version_edit *edit) {
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sums->account_count && status == STATUS_OK; i++) {
        const struct segment_account *account = &sums->accounts[i];
        bool flushed =
            account->kind != SEGMENT_COMMIT || account->segment < question->replay_segment;
        if (flushed && account->relocations == 0 && is_sealed(question, account->segment) &&
            !is_held(sums, account->segment, question) &&
            !edit_adds_segment(edit, account->segment)) {
            status = version_edit_remove_segment(edit, account->segment);
        }
    }
    return status;
}

enum status holders_drop_unheld(const struct holders_question *question,
                                struct version_edit *edit) {
    struct holder_sums sums;
    enum status status = holders_sum(question->next, question->view, question->flushed, &sums);

    if (status == STATUS_OK) {
        status = drop_relocations(question, &sums, edit);
    }
    if (status == STATUS_OK) {
        status = drop_segments(question, &sums, edit);
    }
    holders_deinit(&sums);
    return status;
}
