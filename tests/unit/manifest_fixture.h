/* manifest_fixture.h: tables and edits for the tests of the manifest's rooms. */
#ifndef KVD_TESTS_UNIT_MANIFEST_FIXTURE_H
#define KVD_TESTS_UNIT_MANIFEST_FIXTURE_H

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/manifest_state.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static const uint8_t fixture_store_id[STORE_ID_BYTES] = {0xA0, 1, 2, 3, 4, 5, 6, 7,
                                                         8,    9, 1, 2, 3, 4, 5, 6};

/* A table of the keys "NNNN" from `first` to `last`, with one share; to be freed. */
static inline struct table_info table_make(uint64_t number, unsigned first, unsigned last) {
    struct segment_share share = {.segment = 3, .records = number, .bytes = 10 * number};
    uint8_t keys[2][64];
    struct table_info info = {.number = number,
                              .file_bytes = 1000 + number,
                              .footer_checksum = number * 77,
                              .version_min = 1,
                              .version_max = 9,
                              .entries = 2,
                              .expiry_max_ms = UINT64_MAX,
                              .log_bytes = share.bytes,
                              .shares = &share,
                              .share_count = 1};
    struct table_info copy;
    for (int i = 0; i < 2; i++) {
        char key[16];
        uint8_t row[32];
        struct slice *slice = i ? &info.largest : &info.smallest;
        size_t row_bytes;
        snprintf(key, sizeof key, "%04u", i ? last : first);
        row_bytes = row_store(row, NAMESPACE_DEFAULT, slice_from_text(key));
        slice->len = ikey_store(keys[i], slice_make(row, row_bytes), i ? 1 : 9);
        slice->ptr = keys[i];
    }
    ck_assert_int_eq(table_info_copy(&info, &copy), STATUS_OK);
    return copy;
}

static inline void add_table(struct version_edit *edit, uint32_t level, uint64_t number,
                             unsigned first, unsigned last) {
    struct table_info info = table_make(number, first, last);
    ck_assert_int_eq(version_edit_add_table(edit, level, &info), STATUS_OK);
    table_info_deinit(&info);
}

static inline void remove_table(struct version_edit *edit, uint32_t level, uint64_t number) {
    ck_assert_int_eq(version_edit_remove_table(edit, level, number), STATUS_OK);
}

static inline void add_segment(struct version_edit *edit, uint64_t number) {
    ck_assert_int_eq(version_edit_add_segment(edit, number, SEGMENT_COMMIT), STATUS_OK);
}

static inline void seal_segment(struct version_edit *edit, uint64_t number, uint64_t bytes) {
    ck_assert_int_eq(version_edit_seal_segment(edit, number, bytes), STATUS_OK);
}

static inline void remove_segment(struct version_edit *edit, uint64_t number) {
    ck_assert_int_eq(version_edit_remove_segment(edit, number), STATUS_OK);
}

/* A relocation of three records. */
static inline void add_relocation(struct version_edit *edit, uint64_t home, uint64_t target) {
    struct relocation relocation = {.home = home,
                                    .target = target,
                                    .section_offset = 5000,
                                    .section_bytes = relocation_section_bytes(3),
                                    .entries = 3};
    ck_assert_int_eq(version_edit_add_relocation(edit, &relocation), STATUS_OK);
}

/* The state as text, to compare. At most `text_bytes` are written. */
static inline void state_describe(const struct manifest_state *state, char *text,
                                  size_t text_bytes) {
    size_t len = 0;
    text[0] = '\0';
    for (unsigned level = 0; level < LEVELS_MAX; level++) {
        for (uint32_t i = 0; i < state->levels[level].count; i++) {
            const struct table_info *info = &state->levels[level].tables[i];
            len += (size_t)snprintf(text + len, text_bytes - len, "L%u:%llu(%.4s-%.4s,%llu) ",
                                    level, (unsigned long long)info->number,
                                    (const char *)info->smallest.ptr + IKEY_NAMESPACE_BYTES,
                                    (const char *)info->largest.ptr + IKEY_NAMESPACE_BYTES,
                                    (unsigned long long)info->shares[0].bytes);
        }
    }
    for (uint32_t i = 0; i < state->segment_count; i++) {
        const struct manifest_segment *segment = &state->segments[i];
        len += (size_t)snprintf(text + len, text_bytes - len, "S%llu%s%s%llu ",
                                (unsigned long long)segment->number, segment->damaged ? "!" : "",
                                segment->sealed ? "=" : "~",
                                (unsigned long long)segment->length_bytes);
    }
    for (uint32_t i = 0; i < state->relocation_count; i++) {
        const struct relocation *relocation = &state->relocations[i];
        len += (size_t)snprintf(
            text + len, text_bytes - len, "R%llu>%llu@%llu ", (unsigned long long)relocation->home,
            (unsigned long long)relocation->target, (unsigned long long)relocation->section_offset);
    }
    for (unsigned i = 0; i < EDIT_SCALARS; i++) {
        if (i == EDIT_NEXT_FILE_NUMBER) {
            continue; /* raised by a load, above the files of the directory */
        }
        len += (size_t)snprintf(text + len, text_bytes - len, "%llu,",
                                (unsigned long long)state->scalars[i]);
    }
    snprintf(text + len, text_bytes - len, "d%llu:%llu",
             (unsigned long long)state->log_durable.segment,
             (unsigned long long)state->log_durable.offset);
}

#define DESCRIPTION_MAX 16384

#endif
