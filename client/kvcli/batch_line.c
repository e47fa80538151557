/* batch_line.c: see batch_line.h. */
#include "client/kvcli/batch_line.h"

#include "client/kvcli/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct kvd_bytes word_bytes(struct slice word) {
    return kvd_bytes(word.ptr, word.len);
}

/* What a line may say: a verb and so many words. */
struct verb {
    const char *name;
    enum write_kind kind;
    size_t words; /* the verb included */
};

static const struct verb verbs[] = {
    {"put", WRITE_PUT, 3},         {"del", WRITE_DELETE, 2},    {"delrange", WRITE_DELETE_RANGE, 3},
    {"add", WRITE_ADD, 3},         {"append", WRITE_APPEND, 3}, {"touch", WRITE_TOUCH, 3},
    {"persist", WRITE_PERSIST, 2},
};

#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static const struct verb *find_verb(struct slice word) {
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (slice_equal(word, slice_from_text(verbs[i].name))) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* The third word of an add or a touch. */
static bool take_number(struct slice word, struct write_item *item) {
    char text[32];
    char *end;

    if (word.len == 0 || word.len >= sizeof text) {
        return false;
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    if (item->kind == WRITE_TOUCH) {
        return text_parse_duration_ms(text, &item->ttl_ms) == STATUS_OK && item->ttl_ms > 0;
    }
    errno = 0;
    item->amount = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

bool batch_line_understand(const struct slice *words, size_t count, struct write_item *item_out) {
    const struct verb *verb = find_verb(words[0]);

    if (!verb || count != verb->words) {
        return false;
    }
    *item_out = (struct write_item){
        .kind = verb->kind,
        .key = word_bytes(words[1]),
        .value = count == 3 ? word_bytes(words[2]) : kvd_bytes(NULL, 0),
    };
    if (verb->kind == WRITE_ADD || verb->kind == WRITE_TOUCH) {
        item_out->value = kvd_bytes(NULL, 0);
        return words[1].len > 0 && take_number(words[2], item_out);
    }
    return words[1].len > 0 || verb->kind == WRITE_DELETE_RANGE;
}

enum kvd_status batch_line_add(struct kvd_batch *batch, const struct write_item *item,
                               const struct kvd_write_options *options) {
    struct kvd_write_options touch = {.ttl_ms = item->ttl_ms};

    switch (item->kind) {
    case WRITE_PUT:
        return kvd_batch_put(batch, item->key, item->value, options);
    case WRITE_DELETE:
        return kvd_batch_delete(batch, item->key, NULL);
    case WRITE_DELETE_RANGE:
        return kvd_batch_delete_range(batch, item->key, item->value);
    case WRITE_ADD:
        return kvd_batch_add(batch, item->key, item->amount, NULL);
    case WRITE_APPEND:
        return kvd_batch_append(batch, item->key, item->value, NULL);
    case WRITE_TOUCH:
        return kvd_batch_touch(batch, item->key, &touch);
    case WRITE_PERSIST:
        break;
    }
    return kvd_batch_persist(batch, item->key, NULL);
}
