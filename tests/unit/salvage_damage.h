/* salvage_damage.h: what tests of salvage destroy: files found by kind, bytes flipped, and the
 * places of a segment where headers, operations and values stand. Over salvage_fixture.h; included
 * once by a test program. */
#ifndef KVD_TESTS_SALVAGE_DAMAGE_H
#define KVD_TESTS_SALVAGE_DAMAGE_H

#include "storage/log_format.h"
#include "storage/table_format.h"
#include "tests/unit/salvage_fixture.h"

#define FILES_MAX 64u
#define PLACES_MAX 4096u

struct found_file {
    enum file_kind kind;
    uint64_t number;
    uint64_t size_bytes;
    char path[64];
};

struct found_files {
    struct found_file list[FILES_MAX]; /* tables, segments and manifests; by kind, then number */
    uint32_t count;
};

static inline enum status find_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct found_files *files = arg;
    struct found_file file = {.size_bytes = size_bytes};
    uint32_t at = files->count;

    if (!file_name_parse(name, &file.kind, &file.number) || file.kind == FILE_LOCK) {
        return STATUS_OK;
    }
    ck_assert_uint_lt(files->count, FILES_MAX);
    snprintf(file.path, sizeof file.path, OLD_DIR "/%s", name);
    for (; at > 0 &&
           (files->list[at - 1].kind > file.kind ||
            (files->list[at - 1].kind == file.kind && files->list[at - 1].number > file.number));
         at--) {
        files->list[at] = files->list[at - 1];
    }
    files->list[at] = file;
    files->count++;
    return STATUS_OK;
}

/* Those of the sound disk. */
static inline struct found_files find_files(const struct wreck *wreck) {
    struct found_files files = {.count = 0};

    ck_assert_int_eq(env_list(wreck->sound, OLD_DIR, find_cb, &files, NULL), STATUS_OK);
    return files;
}

static inline void destroy(struct wreck *wreck, const struct found_file *file) {
    ck_assert_int_eq(env_remove(wreck->env, file->path, NULL), STATUS_OK);
}

static inline void destroy_all(struct wreck *wreck, const struct found_files *files,
                               enum file_kind kind) {
    for (uint32_t i = 0; i < files->count; i++) {
        if (files->list[i].kind == kind) {
            destroy(wreck, &files->list[i]);
        }
    }
}

static inline void read_bytes(struct env *env, const char *path, uint64_t offset, uint8_t *bytes,
                              size_t len) {
    struct env_file *file;
    size_t got;

    ck_assert_int_eq(env_open(env, path, ENV_READ_CACHED, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_read(file, offset, bytes, len, &got, NULL), STATUS_OK);
    ck_assert_uint_eq(got, len);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
}

static inline void flip(struct wreck *wreck, const char *path, uint64_t offset) {
    uint8_t byte;

    read_bytes(wreck->env, path, offset, &byte, 1);
    byte ^= 0x10;
    ck_assert_int_eq(env_memory_poke(wreck->env, path, offset, slice_make(&byte, 1)), STATUS_OK);
}

/* ---- Segments ----
 */

enum place_kind {
    PLACE_SEGMENT_HEADER,
    PLACE_GROUP_HEADER,
    PLACE_COMMIT_HEADER,
    PLACE_META,
    PLACE_VALUES,
    PLACE_KINDS
};

struct place {
    enum place_kind kind;
    enum segment_kind segment_kind;
    const char *path; /* borrowed from the files */
    uint64_t offset;
    uint64_t bytes;
    uint64_t first_version; /* of the commits that stand or fall with it */
    uint64_t version_count;
};

struct places {
    struct place list[PLACES_MAX];
    uint32_t count;
};

static inline void add_place(struct places *places, const struct place *place, uint64_t bytes) {
    ck_assert_uint_lt(places->count, PLACES_MAX);
    places->list[places->count] = *place;
    places->list[places->count++].bytes = bytes;
}

/* One commit; returns its length. */
static inline uint64_t find_commit_places(struct places *places, struct place place,
                                          const uint8_t *ptr) {
    uint32_t meta_bytes = load_u32(ptr);
    uint64_t values_bytes = load_u64(ptr + 8);

    place.first_version = load_u64(ptr + 16);
    place.version_count = 1;
    place.kind = PLACE_META;
    place.offset += COMMIT_HEADER_BYTES;
    add_place(places, &place, meta_bytes);
    if (values_bytes > 0) {
        place.kind = PLACE_VALUES;
        place.offset += meta_bytes;
        add_place(places, &place, values_bytes);
    }
    return COMMIT_HEADER_BYTES + meta_bytes + values_bytes;
}

/* A group and what is in it; returns its length. */
static inline uint64_t find_group_places(struct places *places, struct place place,
                                         const uint8_t *ptr) {
    uint32_t commits = load_u32(ptr + 24);
    uint64_t at = GROUP_HEADER_BYTES;

    place.first_version = load_u64(ptr + 32);
    place.version_count = commits;
    place.kind = PLACE_GROUP_HEADER;
    add_place(places, &place, GROUP_HEADER_BYTES);
    for (uint32_t i = 0; i < commits; i++) {
        struct place commit = place;
        commit.offset += at;
        commit.kind = PLACE_COMMIT_HEADER;
        add_place(places, &commit, COMMIT_HEADER_BYTES);
        at += find_commit_places(places, commit, ptr + at);
    }
    ck_assert_uint_eq(at, load_u64(ptr + 16));
    return at;
}

/* All places of all segments of the sound disk. `files` must live as long. */
static inline void find_places(struct wreck *wreck, const struct found_files *files,
                               struct places *places) {
    struct env *env = wreck->env;

    places->count = 0;
    wreck->env = wreck->sound;
    for (uint32_t i = 0; i < files->count; i++) {
        const struct found_file *file = &files->list[i];
        struct place place = {.path = file->path};
        const uint8_t *ptr;
        if (file->kind != FILE_SEGMENT || file->size_bytes == 0) {
            continue;
        }
        ck_assert_int_eq(load_file(wreck, file->path), STATUS_OK);
        ptr = wreck->bytes.data;
        place.segment_kind = (enum segment_kind)load_u32(ptr + 16);
        add_place(places, &place, SEGMENT_HEADER_BYTES);
        for (place.offset = SEGMENT_HEADER_BYTES;
             place.offset + GROUP_HEADER_BYTES <= file->size_bytes &&
             load_u32(ptr + place.offset) == GROUP_MAGIC;) {
            place.offset += find_group_places(places, place, ptr + place.offset);
        }
    }
    wreck->env = env;
}

/* Where the blocks of a table that are not data begin and end. */
static inline struct table_footer find_footer(const struct wreck *wreck,
                                              const struct found_file *file) {
    uint8_t bytes[TABLE_FOOTER_BYTES];

    read_bytes(wreck->sound, file->path, file->size_bytes - sizeof bytes, bytes, sizeof bytes);
    return (struct table_footer){
        .filter = {load_u64(bytes), load_u32(bytes + 8)},
        .index = {load_u64(bytes + 12), load_u32(bytes + 20)},
        .properties = {load_u64(bytes + 24), load_u32(bytes + 32)},
    };
}

#endif
