/* namespaces.h: names of namespaces, their ids and settings.
 *
 * The catalogue stands in the system namespace:
 *
 *      "namespace/NAME" -> id [quota bytes, keep ms, keep versions]      (varints; the settings are
 *      "namespace-next" -> the lowest id that was never given              left out when all are 0)
 *
 * An empty NAME is the default namespace, whose row is there only for its settings. Ids are never
 * used twice: the second row is written by each drop, as a drop takes the name's row away.
 *
 * In memory it is a sorted array of names and one of ids. The life of a name:
 *
 *      pending   given an id, but no commit has carried its row yet: the first one that uses the id
 *                takes the row along, so the name is in the log before the data
 *      there     the row is in the log
 *      dropped   the commit lane has taken a drop: it refuses the id from then on. Reads still find
 *                the id, and in it what the drop's range delete leaves, so their replies are held
 * as any other; a write makes the name anew, with a new id gone      the drop has been answered
 *
 * Threads: any; those marked so only the commit lane. The mutex is a leaf. */
#ifndef KVD_STORAGE_NAMESPACES_H
#define KVD_STORAGE_NAMESPACES_H

#include "protocol/base/bytes.h"
#include "storage/lock.h"
#include "storage/store.h"

#include <stdatomic.h>

#define NAMESPACES_MAX 65536u
#define NAMESPACE_NAME_BYTES_MAX 255u
#define NAMESPACE_KEY_PREFIX "namespace/"
#define NAMESPACE_KEY_BYTES_MAX (NAMESPACE_NAME_BYTES_MAX + sizeof NAMESPACE_KEY_PREFIX - 1)
#define NAMESPACE_NEXT_KEY "namespace-next"
#define NAMESPACE_ROW_BYTES_MAX (2 * VARINT32_BYTES_MAX + 2 * VARINT64_BYTES_MAX)

/* The value of a catalogue row. */
struct namespace_row {
    uint32_t id;
    struct store_namespace_settings settings;
};

struct namespace_name;

struct namespaces {
    struct mutex mu;
    /* guarded by mu */
    struct namespace_name **by_id; /* owned, and what it points to; ascending by id */
    struct namespace_name **names; /* owned; ascending by name; one a name: the last made */
    uint32_t id_count;
    uint32_t count;
    uint32_t capacity; /* of both arrays */
    uint32_t next_id;
    struct store_namespace_settings default_settings; /* of the default one, which has no entry */
    /* relaxed: 0 lets the common case skip the lock. What they count was made or changed by the
     * reader's own earlier call, or by whoever handed it the commit. */
    _Atomic uint32_t pending_count;
    _Atomic uint32_t drop_count;  /* so far */
    _Atomic uint32_t quota_count; /* namespaces with a quota */
    _Atomic uint32_t keep_count;  /* namespaces that keep versions */
};

void namespaces_init(struct namespaces *namespaces);
void namespaces_deinit(struct namespaces *namespaces);

/* ---- Codec ---- */

/* Writes a catalogue row's value at ptr (NAMESPACE_ROW_BYTES_MAX); returns its length. */
size_t namespace_row_store(uint8_t *ptr, const struct namespace_row *row);

/* Errors: CORRUPT. */
enum status namespace_row_load(struct slice value, struct namespace_row *row_out) MUST_CHECK;

/* Writes the catalogue key of a name (at most NAMESPACE_NAME_BYTES_MAX); returns its length. */
size_t namespace_key_store(uint8_t key_out[NAMESPACE_KEY_BYTES_MAX], struct slice name);

/* Whether a key of the system namespace is a catalogue key; then its name. */
bool namespace_key_name(struct slice key, struct slice *name_out);

/* ---- Names ---- */

/* Puts a name in as read from the catalogue. Errors: CORRUPT (twice, or not valid), NO_MEMORY. */
enum status namespaces_load(struct namespaces *namespaces, struct slice name,
                            const struct namespace_row *row) MUST_CHECK;

/* What "namespace-next" says: no id below it is given. */
void namespaces_load_next(struct namespaces *namespaces, uint32_t next_id);

/* See store_namespace. */
enum status namespaces_find(struct namespaces *namespaces, struct slice name, bool create,
                            uint32_t *id_out) MUST_CHECK;

/* Commit lane: the id that a set or a drop of this name is about: NOT_FOUND when there is none or
 * it is dropped, else as namespaces_find. */
enum status namespaces_find_there(struct namespaces *namespaces, struct slice name,
                                  uint32_t *id_out) MUST_CHECK;

/* If `id` is pending: writes the key of its catalogue row and returns its length; else 0. */
size_t namespaces_pending_key(struct namespaces *namespaces, uint32_t id,
                              uint8_t key_out[NAMESPACE_KEY_BYTES_MAX]);

/* Whether a commit may write to this id: given, and not dropped. */
bool namespaces_is_there(struct namespaces *namespaces, uint32_t id);

/* False lets a commit skip the two above: nothing is pending, nothing was ever dropped. */
static inline bool namespaces_have_news(const struct namespaces *namespaces) {
    return atomic_load_explicit(&namespaces->pending_count, memory_order_relaxed) > 0 ||
           atomic_load_explicit(&namespaces->drop_count, memory_order_relaxed) > 0;
}

/* The value for "namespace-next". */
uint32_t namespaces_next_id(struct namespaces *namespaces);

/* Commit lane: a commit with the row of `id` was inserted: it is not pending any more. */
void namespaces_settle(struct namespaces *namespaces, uint32_t id);

/* Commit lane: a commit that drops `id` was inserted. */
void namespaces_drop(struct namespaces *namespaces, uint32_t id);

/* The drop of `id` was answered. Any thread. */
void namespaces_forget(struct namespaces *namespaces, uint32_t id);

/* ---- Settings ---- */

/* A commit with this row is visible. An id that is dropped is ignored. */
void namespaces_apply(struct namespaces *namespaces, const struct namespace_row *row);

/* Zeros for an unknown id. */
struct store_namespace_settings namespaces_settings(struct namespaces *namespaces, uint32_t id);

static inline bool namespaces_have_quotas(const struct namespaces *namespaces) {
    return atomic_load_explicit(&namespaces->quota_count, memory_order_relaxed) > 0;
}

/* Calls back for each namespace that has any setting, ascending by id, with the mutex held: the
 * callback must be short and call nothing here. */
typedef void (*namespaces_settings_cb)(void *arg, uint32_t id,
                                       const struct store_namespace_settings *settings);
void namespaces_settings_each(struct namespaces *namespaces, namespaces_settings_cb settings_cb,
                              void *arg);

/* Calls back for every namespace that is there, the default one first, then by name, with the mutex
 * held, likewise. `pending` ones are left out. */
typedef void (*namespaces_name_cb)(void *arg, struct slice name, const struct namespace_row *row);
void namespaces_each(struct namespaces *namespaces, namespaces_name_cb name_cb, void *arg);

/* Names, the default one not counted. */
uint32_t namespaces_count(struct namespaces *namespaces);

#endif
