/* salvage_fixture.h: salvages the wreck of salvage_life.h, opens and verifies the new store, and
 * compares it with what the old one had been told. The old one must not change by a byte. Included
 * once by a test program. */
#ifndef KVD_TESTS_SALVAGE_FIXTURE_H
#define KVD_TESTS_SALVAGE_FIXTURE_H

#include "tests/unit/salvage_life.h"

/* ---- Salvage and its result -------------------------------------------------------------------
 */

/* Into wreck->bytes. */
static inline enum status load_file(struct wreck *wreck, const char *path) {
    struct env_file *file;
    uint64_t bytes;
    uint8_t *start;
    size_t got;

    buffer_clear(&wreck->bytes);
    if (env_open(wreck->env, path, ENV_READ_CACHED, &file, NULL) != STATUS_OK) {
        return STATUS_NOT_FOUND;
    }
    ck_assert_int_eq(env_size(file, &bytes, NULL), STATUS_OK);
    if (bytes > 0) {
        ck_assert_int_eq(buffer_extend(&wreck->bytes, (size_t)bytes, &start), STATUS_OK);
        ck_assert_int_eq(env_read(file, 0, start, (size_t)bytes, &got, NULL), STATUS_OK);
        ck_assert_uint_eq(got, bytes);
    }
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    return STATUS_OK;
}

struct folder_sum {
    struct wreck *wreck;
    uint64_t sum;
};

static inline enum status folder_sum_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct folder_sum *sum = arg;
    char path[ENV_PATH_MAX];

    (void)size_bytes;
    if (strcmp(name, "LOCK") != 0) {
        ck_assert_int_eq(file_path_join(OLD_DIR, name, path), STATUS_OK);
        ck_assert_int_eq(load_file(sum->wreck, path), STATUS_OK);
        sum->sum += checksum_seeded(buffer_slice(&sum->wreck->bytes),
                                    checksum_of(slice_from_text(name))); /* in no order */
    }
    return STATUS_OK;
}

/* Another number if any byte, name or length is another. */
static inline uint64_t folder_sum(struct wreck *wreck) {
    struct folder_sum sum = {.wreck = wreck};

    ck_assert_int_eq(env_list(wreck->env, OLD_DIR, folder_sum_cb, &sum, NULL), STATUS_OK);
    return sum.sum;
}

static inline void wreck_report_cb(void *arg, const char *name, const char *text) {
    struct wreck *wreck = arg;

    ck_assert_ptr_nonnull(name);
    ck_assert_ptr_null(strchr(text, '\n'));
    wreck->report_lines++;
    if (getenv("SALVAGE_LOG")) {
        fprintf(stderr, "%-28s %s\n", name, text);
    }
}

static inline struct store_options wreck_options(struct wreck *wreck, const char *dir) {
    struct store_options options = wreck->fixture.options;

    options.dir = dir;
    options.env = wreck->env;
    options.scheduler = wreck->threads ? NULL : wreck->scheduler;
    return options;
}

/* Whether it is there. */
static inline bool is_folder(const struct wreck *wreck, const char *dir) {
    struct env_file *file;
    char path[ENV_PATH_MAX];
    enum status status;

    ck_assert_int_eq(file_path_join(dir, "probe", path), STATUS_OK);
    status = env_create(wreck->env, path, &file, NULL);
    if (status == STATUS_OK) {
        ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
        ck_assert_int_eq(env_remove(wreck->env, path, NULL), STATUS_OK);
    }
    return status == STATUS_OK;
}

/* What was there is not touched, whatever comes of it. */
static inline enum status wreck_try_salvage(struct wreck *wreck) {
    struct store_options options = wreck_options(wreck, OLD_DIR);
    uint64_t before = folder_sum(wreck);
    enum status status;

    wreck->error = (struct error){0};
    wreck->result = (struct store_salvage_result){0};
    wreck->report_lines = 0;
    options.env = wreck->faulty ? wreck->faulty : wreck->env;
    if (wreck->fail_after != UINT64_MAX) {
        memory_fail_after(wreck->fail_after, wreck->fail_for_ever);
    }
    status =
        store_salvage(&options, NEW_DIR, wreck_report_cb, wreck, &wreck->result, &wreck->error);
    memory_fail_never();
    ck_assert_uint_eq(folder_sum(wreck), before);
    return status;
}

/* SPACES: none of ours. */
static inline uint32_t space_of_name(const struct wreck *wreck, const char *name, size_t len) {
    char text[STORE_NAMESPACE_NAME_MAX + 1];
    uint32_t space = 0;
    char made[32];

    snprintf(text, sizeof text, "%.*s", (int)len, len > 0 ? name : "");
    for (; space < SPACES; space++) {
        snprintf(made, sizeof made, "salvaged-%u", wreck->ids[space]);
        if (strcmp(text, space_names[space]) == 0 || strcmp(text, made) == 0) {
            break;
        }
    }
    return space;
}

static inline uint8_t unescape(const char **text) {
    static const char letters[] = "\\\\n\nt\tr\r";
    unsigned byte = 0;

    if (**text != '\\') {
        return (uint8_t)*(*text)++;
    }
    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if ((*text)[1] == letters[i]) {
            *text += 2;
            return (uint8_t)letters[i + 1];
        }
    }
    ck_assert_msg((*text)[1] == 'x', "another escape: %.8s", *text);
    ck_assert_int_eq(sscanf(*text + 2, "%2x", &byte), 1);
    *text += 4;
    return (uint8_t)byte;
}

/* namespace, key, version, time, bytes, why */
static inline void read_label(struct wreck *wreck, const char *line, size_t len) {
    struct label label = {0};
    unsigned long long numbers[3];
    const char *key = memchr(line, '\t', len);
    const char *rest = key ? strchr(key + 1, '\t') : NULL;

    ck_assert_msg(rest && rest < line + len, "columns: %.*s", (int)len, line);
    if (sscanf(rest, "%llu%llu%llu", &numbers[0], &numbers[1], &numbers[2]) != 3) {
        ck_assert_msg(wreck->label_count == 0, "numbers: %.*s", (int)len, line); /* titles */
        return;
    }
    label.space = space_of_name(wreck, line, (size_t)(key - line));
    for (key++; key < rest;) {
        ck_assert_uint_lt(label.key_len, FACT_KEY_BYTES_MAX);
        label.key[label.key_len++] = unescape(&key);
    }
    label.version = numbers[0];
    label.time_ms = numbers[1];
    label.bytes = numbers[2];
    label.stored = !memmem(line, len, "not stored", strlen("not stored"));
    ck_assert_uint_lt(wreck->label_count, LABELS_MAX);
    wreck->labels[wreck->label_count++] = label;
}

static inline void read_labels(struct wreck *wreck) {
    const char *line;
    const char *end;

    wreck->label_count = 0;
    if (load_file(wreck, NEW_DIR "/SALVAGE.tsv") != STATUS_OK) {
        return;
    }
    ck_assert_int_eq(buffer_append_u8(&wreck->bytes, 0), STATUS_OK);
    line = (const char *)wreck->bytes.data;
    for (; (end = strchr(line, '\n')); line = end + 1) {
        if (line[0] != '#') {
            read_label(wreck, line, (size_t)(end - line));
        }
    }
    ck_assert_str_eq(line, ""); /* the last line ended, and no NUL stands between */
}

/* NULL: it has none, or only ones of older versions that were not stored. */
static inline const struct label *label_of(const struct wreck *wreck, uint32_t space,
                                           struct slice key) {
    for (uint32_t i = 0; i < wreck->label_count; i++) {
        const struct label *label = &wreck->labels[i];
        if (label->stored && label->space == space &&
            slice_equal(slice_make(label->key, label->key_len), key)) {
            return label;
        }
    }
    return NULL;
}

/* ---- Comparison -------------------------------------------------------------------------------
 */

struct look {
    struct wreck *wreck;
    struct store *store;
    struct tally tally;
    bool seen[FACTS_MAX];
    uint64_t versions[FACTS_MAX]; /* of what is right, in the new store; 0: it is not */
};

static inline void look_at_wrong(struct look *look, const struct fact *newest, const char *what) {
    look->tally.astray += !newest->spoilt;
    if (!look->tally.first[0] || !newest->spoilt) {
        snprintf(look->tally.first, sizeof look->tally.first, "%s '%s'/%.*s of version %llu%s",
                 what, space_names[newest->space], (int)newest->key_len, (const char *)newest->key,
                 (unsigned long long)newest->info.version, newest->deleted ? ", deleted" : "");
    }
}

static inline void look_at(struct look *look, uint32_t space, struct slice key,
                           const struct store_value_info *info) {
    struct facts *facts = &look->wreck->facts;
    const struct fact *newest = facts_newest(facts, space, key);
    bool labelled = label_of(look->wreck, space, key) != NULL;

    ck_assert_msg(newest, "a key that never was: %.*s", (int)key.len, (const char *)key.ptr);
    ck_assert(!look->seen[newest - facts->list]);
    look->seen[newest - facts->list] = true;
    if (fact_equals(newest, info)) {
        look->tally.right++;
        look->versions[newest - facts->list] = info->version;
        look->tally.right_labelled += labelled;
        return;
    }
    ck_assert_msg(facts_knew(facts, newest, info),
                  "a value that it never had: '%s'/%.*s: %llu bytes, expiry %llu, flags %u",
                  space_names[space], (int)key.len, (const char *)key.ptr,
                  (unsigned long long)info->value_bytes, (unsigned long long)info->expiry_ms,
                  info->user_flags);
    look->tally.old += !labelled;
    look->tally.old_labelled += labelled;
    look_at_wrong(look, newest, labelled ? "old, labelled" : "old");
}

static inline void look_through(struct look *look, uint32_t id, uint32_t space) {
    struct store_range range = {.namespace_id = id};
    struct buffer key = {.cap = KIB_64};
    struct store_value_info info;
    struct store_cursor *cursor;
    struct store_read read;
    struct error error = {0};
    enum status status;

    store_read_begin(look->store, &read);
    ck_assert_int_eq(store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor), STATUS_OK);
    while ((status = store_cursor_next(cursor, &key, &info, &error)) == STATUS_OK) {
        buffer_clear(&look->wreck->bytes);
        status = store_cursor_value(cursor, &look->wreck->bytes, &error);
        ck_assert_msg(status == STATUS_OK, "%s: %s", status_name(status), error.text);
        ck_assert_uint_eq(info.value_bytes, look->wreck->bytes.len);
        ck_assert_uint_eq(info.checksum, checksum_of(buffer_slice(&look->wreck->bytes)));
        look_at(look, space, buffer_slice(&key), &info);
        buffer_clear(&key);
    }
    ck_assert_int_eq(status, STATUS_END);
    store_cursor_close(cursor);
    store_read_end(&read);
    buffer_deinit(&key);
}

static inline void look_at_space_cb(void *arg, const struct store_namespace_info *info) {
    struct look *look = arg;
    uint32_t space = space_of_name(look->wreck, (const char *)info->name.ptr, info->name.len);

    ck_assert_msg(space < SPACES, "a namespace that never was: %.*s", (int)info->name.len,
                  (const char *)info->name.ptr);
    look_through(look, info->id, space);
}

static inline void look_for_missing(struct look *look) {
    struct facts *facts = &look->wreck->facts;

    for (size_t i = 0; i < facts->count; i++) {
        struct fact *fact = &facts->list[i];
        if (fact_is_live(facts, fact) && facts_newest(facts, fact->space, fact_key(fact)) == fact) {
            look->tally.live++;
            if (!look->seen[i]) {
                look->tally.missing++;
                look_at_wrong(look, fact, "missing");
            }
        }
    }
}

/* What was written later has the greater version again. */
static inline void look_at_order(struct look *look) {
    uint64_t last = 0;

    for (size_t i = 0; i < look->wreck->facts.count; i++) {
        if (look->versions[i] != 0) {
            look->tally.disordered += look->versions[i] < last;
            last = look->versions[i];
        }
    }
}

static inline void verify_report_cb(void *arg, const char *name, const char *text) {
    (void)arg;
    ck_abort_msg("the salvaged store: %s: %s", name, text);
}

/* Opens what was made, verifies it, and compares. */
static inline struct tally wreck_look(struct wreck *wreck) {
    static struct look look;
    struct store_options options = wreck_options(wreck, NEW_DIR);
    struct store_verify_result verified;
    enum status status;

    look = (struct look){.wreck = wreck};
    read_labels(wreck);
    options.scheduler = wreck->scheduler;
    wreck->error = (struct error){0};
    status = store_open(&options, &look.store, &wreck->error);
    ck_assert_msg(status == STATUS_OK, "open: %s: %s", status_name(status), wreck->error.text);
    scheduler_drain(wreck->scheduler);
    ck_assert_int_eq(
        store_verify(look.store, NULL, verify_report_cb, NULL, &verified, &wreck->error),
        STATUS_OK);
    ck_assert_int_eq(store_namespace_list(look.store, look_at_space_cb, &look, &wreck->error),
                     STATUS_OK);
    ck_assert_int_eq(store_close(look.store, &wreck->error), STATUS_OK);
    look_for_missing(&look);
    look_at_order(&look);
    ck_assert_uint_eq(wreck->result.entries_kept,
                      look.tally.right + look.tally.old + look.tally.old_labelled);
    return look.tally;
}

static inline struct tally wreck_salvage(struct wreck *wreck) {
    enum status status = wreck_try_salvage(wreck);

    ck_assert_msg(status == STATUS_OK, "salvage: %s: %s", status_name(status), wreck->error.text);
    ck_assert_uint_gt(wreck->report_lines, 0);
    ck_assert_uint_gt(wreck->result.files_read, 0);
    return wreck_look(wreck);
}

#endif
