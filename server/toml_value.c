/* toml_value.c: the tree that a TOML document becomes. */
#include "server/toml_value.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"

#include <stdalign.h>
#include <string.h>

/* A configuration fits a few chunks; what is larger gets a chunk of its own. */
#define CHUNK_BYTES 4096
#define BUCKETS_FIRST 8

struct chunk {
    struct chunk *next;
    size_t used;
    size_t capacity;
    alignas(max_align_t) uint8_t bytes[];
};

struct toml_document {
    struct chunk *chunks; /* owned; the newest first */
    struct toml_table root;
};

enum status toml_document_create(struct toml_document **document_out) {
    struct toml_document *document = memory_alloc_zeroed(sizeof *document);

    if (!document) {
        return STATUS_NO_MEMORY;
    }
    document->root.maker = TOML_BY_HEADER;
    *document_out = document;
    return STATUS_OK;
}

void toml_document_destroy(struct toml_document *document) {
    struct chunk *chunk = document ? document->chunks : NULL;

    while (chunk) {
        struct chunk *next = chunk->next;
        memory_free(chunk);
        chunk = next;
    }
    memory_free(document);
}

const struct toml_table *toml_document_root(const struct toml_document *document) {
    return &document->root;
}

struct toml_table *toml_document_root_mutable(struct toml_document *document) {
    return &document->root;
}

static bool add_chunk(struct toml_document *document, size_t bytes_min) {
    size_t capacity = bytes_min > CHUNK_BYTES ? bytes_min : CHUNK_BYTES;
    struct chunk *chunk;
    size_t total;

    if (!checked_add_size(sizeof *chunk, capacity, &total)) {
        return false;
    }
    chunk = memory_alloc(total);
    if (!chunk) {
        return false;
    }
    chunk->next = document->chunks;
    chunk->used = 0;
    chunk->capacity = capacity;
    document->chunks = chunk;
    return true;
}

/* Zeroed memory that lives as long as the document, or NULL. */
static void *take(struct toml_document *document, size_t bytes) {
    const size_t unit = alignof(max_align_t);
    struct chunk *chunk = document->chunks;
    size_t rounded;
    void *ptr;

    if (!checked_add_size(bytes, unit - 1, &rounded)) {
        return NULL;
    }
    rounded -= rounded % unit;
    if (!chunk || chunk->capacity - chunk->used < rounded) {
        if (!add_chunk(document, rounded)) {
            return NULL;
        }
        chunk = document->chunks;
    }
    ptr = chunk->bytes + chunk->used;
    chunk->used += rounded;
    memset(ptr, 0, rounded);
    return ptr;
}

enum status toml_text_copy(struct toml_document *document, struct slice text,
                           struct slice *copy_out) {
    size_t bytes;
    uint8_t *copy;

    if (!checked_add_size(text.len, 1, &bytes)) {
        return STATUS_NO_MEMORY;
    }
    copy = take(document, bytes);
    if (!copy) {
        return STATUS_NO_MEMORY;
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    *copy_out = slice_make(copy, text.len);
    return STATUS_OK;
}

enum status toml_table_create(struct toml_document *document, enum toml_maker maker, unsigned depth,
                              struct toml_table **table_out) {
    struct toml_table *table = take(document, sizeof *table);

    if (!table) {
        return STATUS_NO_MEMORY;
    }
    table->maker = maker;
    table->depth = depth;
    *table_out = table;
    return STATUS_OK;
}

enum status toml_array_create(struct toml_document *document, unsigned depth,
                              struct toml_array **array_out) {
    struct toml_array *array = take(document, sizeof *array);

    if (!array) {
        return STATUS_NO_MEMORY;
    }
    array->depth = depth;
    *array_out = array;
    return STATUS_OK;
}

/* FNV-1a: keys are few, short, and written by the operator. */
static uint32_t hash_key(struct slice key) {
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ key.ptr[i]) * 16777619u;
    }
    return hash;
}

static void place(struct toml_table *table, struct toml_entry *entry) {
    struct toml_entry **bucket = &table->buckets[entry->hash & (table->bucket_count - 1)];

    entry->same_place = *bucket;
    *bucket = entry;
}

/* Doubles the buckets; the old ones stay in their chunk until the document goes. */
static bool grow_buckets(struct toml_document *document, struct toml_table *table) {
    size_t bucket_count = table->bucket_count ? table->bucket_count * 2 : BUCKETS_FIRST;
    struct toml_entry **buckets;
    size_t bytes;

    if (!checked_multiply_size(bucket_count, sizeof(struct toml_entry *), &bytes)) {
        return false;
    }
    buckets = take(document, bytes);
    if (!buckets) {
        return false;
    }
    table->buckets = buckets;
    table->bucket_count = bucket_count;
    for (struct toml_entry *entry = table->first; entry; entry = entry->next) {
        place(table, entry);
    }
    return true;
}

enum status toml_table_add(struct toml_document *document, struct toml_table *table,
                           const struct toml_entry *entry) {
    struct toml_entry *added;

    ASSERT(!toml_table_find(table, entry->key));
    if (table->count >= table->bucket_count && !grow_buckets(document, table)) {
        return STATUS_NO_MEMORY;
    }
    added = take(document, sizeof *added);
    if (!added) {
        return STATUS_NO_MEMORY;
    }
    *added = *entry;
    added->hash = hash_key(entry->key);
    added->next = NULL;
    place(table, added);
    if (table->last) {
        table->last->next = added;
    } else {
        table->first = added;
    }
    table->last = added;
    table->count++;
    return STATUS_OK;
}

enum status toml_array_add(struct toml_document *document, struct toml_array *array,
                           const struct toml_value *value) {
    struct toml_item *item = take(document, sizeof *item);

    if (!item) {
        return STATUS_NO_MEMORY;
    }
    item->value = *value;
    if (array->last) {
        array->last->next = item;
    } else {
        array->first = item;
    }
    array->last = item;
    array->count++;
    return STATUS_OK;
}

struct toml_entry *toml_table_find(const struct toml_table *table, struct slice key) {
    struct toml_entry *entry;
    uint32_t hash;

    if (table->bucket_count == 0) {
        return NULL;
    }
    hash = hash_key(key);
    entry = table->buckets[hash & (table->bucket_count - 1)];
    while (entry && !(entry->hash == hash && slice_equal(entry->key, key))) {
        entry = entry->same_place;
    }
    return entry;
}

const char *toml_type_name(enum toml_type type) {
    static const char *const names[] = {
        [TOML_STRING] = "a string",
        [TOML_INTEGER] = "an integer",
        [TOML_FLOAT] = "a float",
        [TOML_BOOL] = "a boolean",
        [TOML_OFFSET_DATE_TIME] = "a date with time and offset",
        [TOML_LOCAL_DATE_TIME] = "a date with time",
        [TOML_LOCAL_DATE] = "a date",
        [TOML_LOCAL_TIME] = "a time",
        [TOML_ARRAY] = "an array",
        [TOML_TABLE] = "a table",
    };
    return names[type];
}
