/* client_list.c: see client_list.h. */
#include "server/client_list.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define ROOM_SPARE 16u /* for those that come while memory is taken */

struct client_list {
    uv_mutex_t mu;
    /* guarded by mu */
    struct client_record *first;
    uint32_t count;
};

enum status client_list_create(struct client_list **list_out) {
    struct client_list *list = memory_alloc_zeroed(sizeof *list);

    if (!list) {
        return STATUS_NO_MEMORY;
    }
    ASSERT(uv_mutex_init(&list->mu) == 0);
    *list_out = list;
    return STATUS_OK;
}

void client_list_destroy(struct client_list *list) {
    if (list) {
        ASSERT(list->count == 0);
        uv_mutex_destroy(&list->mu);
        memory_free(list);
    }
}

void client_list_add(struct client_list *list, struct client_record *record) {
    if (!list) {
        return;
    }
    uv_mutex_lock(&list->mu);
    record->next = list->first;
    record->link = &list->first;
    if (list->first) {
        list->first->link = &record->next;
    }
    list->first = record;
    list->count++;
    uv_mutex_unlock(&list->mu);
}

void client_list_remove(struct client_list *list, struct client_record *record) {
    if (!list) {
        return;
    }
    uv_mutex_lock(&list->mu);
    ASSERT(record->link != NULL);
    *record->link = record->next;
    if (record->next) {
        record->next->link = record->link;
    }
    record->link = NULL;
    list->count--;
    uv_mutex_unlock(&list->mu);
}

void client_list_name(struct client_list *list, struct client_record *record, const char *name) {
    if (!list) {
        return;
    }
    uv_mutex_lock(&list->mu);
    snprintf(record->name, sizeof record->name, "%s", name);
    uv_mutex_unlock(&list->mu);
}

#define SET(field) atomic_store_explicit(&record->field, figures->field, memory_order_relaxed)
#define GET(field) atomic_load_explicit(&record->field, memory_order_relaxed)

void client_record_update(struct client_record *record, const struct client_figures *figures) {
    SET(read_ms);
    SET(requests);
    SET(bytes_in);
    SET(bytes_out);
    SET(queued_bytes);
    SET(memory_bytes);
    SET(in_flight);
    SET(snapshots);
}

bool client_record_to_close(const struct client_record *record) {
    return GET(to_close);
}

static void copy_locked(const struct client_record *record, struct client_view *view) {
    view->id = record->id;
    view->opened_ms = record->opened_ms;
    view->loop = record->loop;
    memcpy(view->peer, record->peer, sizeof view->peer);
    memcpy(view->name, record->name, sizeof view->name);
    view->figures = (struct client_figures){.read_ms = GET(read_ms),
                                            .requests = GET(requests),
                                            .bytes_in = GET(bytes_in),
                                            .bytes_out = GET(bytes_out),
                                            .queued_bytes = GET(queued_bytes),
                                            .memory_bytes = GET(memory_bytes),
                                            .in_flight = GET(in_flight),
                                            .snapshots = GET(snapshots)};
}

static int by_id(const void *a, const void *b) {
    const struct client_view *left = a;
    const struct client_view *right = b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* Copies all, if there is room; else says how many there are. */
static bool try_copy(struct client_list *list, struct client_view *views, uint32_t room,
                     uint32_t *count_out) {
    uint32_t copied = 0;

    uv_mutex_lock(&list->mu);
    *count_out = list->count;
    for (const struct client_record *record = list->first; record && list->count <= room;
         record = record->next) {
        copy_locked(record, &views[copied++]);
    }
    uv_mutex_unlock(&list->mu);
    return *count_out <= room;
}

enum status client_list_copy(struct client_list *list, struct client_view **views_out,
                             uint32_t *count_out) {
    uint32_t count = 0;
    uint32_t room;
    struct client_view *views;

    do { /* again, if many came meanwhile */
        room = count + ROOM_SPARE;
        views = memory_alloc_zeroed(room * sizeof *views);
        if (!views) {
            return STATUS_NO_MEMORY;
        }
        if (!list || try_copy(list, views, room, &count)) {
            qsort(views, count, sizeof *views, by_id);
            *views_out = views;
            *count_out = count;
            return STATUS_OK;
        }
        memory_free(views);
    } while (true);
}

bool client_list_close(struct client_list *list, uint64_t id) {
    struct client_record *record = NULL;

    if (!list) {
        return false;
    }
    uv_mutex_lock(&list->mu);
    for (record = list->first; record && record->id != id;) {
        record = record->next;
    }
    if (record) {
        atomic_store_explicit(&record->to_close, true, memory_order_relaxed);
    }
    uv_mutex_unlock(&list->mu);
    return record != NULL;
}
