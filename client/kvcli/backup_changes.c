/* backup_changes.c: incremental backups: what differs between two states of a namespace. See
 * backup_run.h.
 *
 * The server tells the keys that differ; their values are read from the snapshot on a second
 * connection, many at a time. */
#include "client/kvcli/backup_run.h"

#include <string.h>

#define CHANGES_MAX 256u
#define CHANGES_BYTES_MAX ((uint64_t)4 << 20) /* of their keys and values, but for a single one */
#define KEYS_BYTES_MAX ((size_t)CHANGES_MAX * BACKUP_KEY_BYTES_MAX)

struct change {
    size_t key; /* offset in the keys */
    size_t key_len;
    bool removed;
    uint64_t length;
};

struct changes {
    struct backup_run *run;
    struct kvd *values; /* borrowed */
    struct change list[CHANGES_MAX];
    struct kvd_bytes asked[CHANGES_MAX];
    struct kvd_value answers[CHANGES_MAX];
    size_t count;
    uint64_t bytes;
    struct buffer keys;
    bool failed;
};

static struct kvd_bytes key_of(const struct changes *changes, const struct change *change) {
    return kvd_bytes(changes->keys.data + change->key, change->key_len);
}

/* A value that is too long to be asked for together with others: its record is all that is read
 * here. */
static bool write_long(struct changes *changes, struct kvd_bytes key) {
    struct backup_run *run = changes->run;
    const struct kvd_read_options read = {.at = {.snapshot = run->snapshot.id}};
    struct kvd_entry entry = {.key = key, .value_left_out = true};
    enum kvd_status status = kvd_meta(changes->values, key, &read, &entry.meta);

    return status == KVD_OK ? backup_run_value(run, changes->values, &entry)
                            : backup_run_fail_call(run, changes->values, key, status);
}

static bool write_answer(struct changes *changes, struct kvd_bytes key,
                         const struct kvd_value *value) {
    struct kvd_entry entry = {.key = key,
                              .value = kvd_bytes(value->data, (size_t)value->meta.value_len),
                              .meta = value->meta};

    if (value->status == KVD_TOO_LARGE) {
        return write_long(changes, key);
    }
    if (value->status != KVD_OK) {
        return backup_run_fail_call(changes->run, changes->values, key, value->status);
    }
    return backup_run_value(changes->run, changes->values, &entry);
}

static bool ask(struct changes *changes, size_t count) {
    const struct kvd_read_options read = {.verify = true,
                                          .at = {.snapshot = changes->run->snapshot.id}};
    enum kvd_status status =
        count ? kvd_mget(changes->values, changes->asked, count, &read, changes->answers) : KVD_OK;

    return status == KVD_OK ||
           backup_run_fail_call(changes->run, changes->values, kvd_bytes(NULL, 0), status);
}

/* Reads the values of what was collected, and writes it, in its order. */
static bool flush(struct changes *changes) {
    size_t asked = 0;
    size_t next = 0;
    bool good;

    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        if (!change->removed && change->length <= BACKUP_INLINE_BYTES_MAX) {
            changes->asked[asked++] = key_of(changes, change);
        }
    }
    good = ask(changes, asked);
    for (size_t i = 0; i < changes->count && good; i++) {
        const struct change *change = &changes->list[i];
        struct kvd_bytes key = key_of(changes, change);
        if (change->removed) {
            good = backup_run_deletion(changes->run, key);
        } else if (change->length > BACKUP_INLINE_BYTES_MAX) {
            good = write_long(changes, key);
        } else {
            good = write_answer(changes, key, &changes->answers[next++]);
        }
    }
    changes->count = 0;
    changes->bytes = 0;
    buffer_clear(&changes->keys);
    return good;
}

static void collect(const struct kvd_change *change, void *arg) {
    struct changes *changes = arg;
    struct change *slot = &changes->list[changes->count];

    if (changes->failed) {
        return; /* the library asks on; nothing is done with it */
    }
    *slot = (struct change){.key = changes->keys.len,
                            .key_len = change->key.len,
                            .removed = change->kind == KVD_CHANGE_REMOVED,
                            .length = change->after.value_len};
    if (buffer_append(&changes->keys, change->key.ptr, change->key.len) != STATUS_OK) {
        struct error error;
        error_set(&error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "out of memory");
        changes->failed = !backup_run_fail(changes->run, &error);
        return;
    }
    changes->count++;
    changes->bytes += slot->key_len;
    changes->bytes += slot->length <= BACKUP_INLINE_BYTES_MAX ? slot->length : 0;
    if (changes->count == CHANGES_MAX || changes->bytes > CHANGES_BYTES_MAX) {
        changes->failed = !flush(changes);
    }
}

bool backup_run_changes(struct backup_run *run, struct kvd *db, struct kvd *values) {
    struct changes changes = {.run = run, .values = values};
    const struct kvd_state from = {.version = run->since};
    const struct kvd_state to = {.snapshot = run->snapshot.id};
    enum kvd_status status;

    buffer_init(&changes.keys, KEYS_BYTES_MAX);
    status = kvd_diff(db, &from, &to, NULL, collect, &changes);
    if (!changes.failed && status == KVD_GONE) {
        changes.failed = !backup_run_fail_gone(run);
    } else if (!changes.failed && status != KVD_OK) {
        changes.failed = !backup_run_fail_call(run, db, kvd_bytes(NULL, 0), status);
    }
    if (!changes.failed) {
        changes.failed = !flush(&changes);
    }
    for (size_t i = 0; i < CHANGES_MAX; i++) {
        kvd_value_free(&changes.answers[i]);
    }
    buffer_deinit(&changes.keys);
    return !changes.failed;
}
