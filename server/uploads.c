/* uploads.c: see uploads.h. */
#include "server/uploads.h"

bool uploads_are_any(const struct uploads *uploads) {
    return uploads->count > 0 || uploads->load.store_bulk;
}

bool uploads_have_room(const struct uploads *uploads) {
    return uploads->count < UPLOADS_MAX;
}

enum status uploads_add(struct uploads *uploads, const struct upload *upload) {
    struct upload *item;

    if (!uploads_have_room(uploads)) {
        return STATUS_BUSY;
    }
    item = &uploads->items[uploads->count];
    *item = *upload;
    uploads->count++;
    return STATUS_OK;
}

struct upload *uploads_find(struct uploads *uploads, uint64_t id) {
    for (uint32_t i = 0; i < uploads->count; i++) {
        if (uploads->items[i].id == id && !uploads->items[i].ended) {
            return &uploads->items[i];
        }
    }
    return NULL;
}

uint64_t uploads_bytes(const struct uploads *uploads) {
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < uploads->count; i++) {
        bytes += store_upload_bytes(uploads->items[i].store_upload);
    }
    return bytes;
}

uint64_t uploads_memory(const struct uploads *uploads) {
    uint64_t bytes = sizeof *uploads;

    for (uint32_t i = 0; i < uploads->count; i++) {
        const struct upload *upload = &uploads->items[i];
        bytes += store_upload_memory(upload->store_upload) + upload->key.capacity;
    }
    return uploads->load.store_bulk ? bytes + store_bulk_memory(uploads->load.store_bulk) : bytes;
}

static bool is_idle(uint64_t used_ms, uint64_t now_ms) {
    return now_ms > used_ms && now_ms - used_ms >= UPLOADS_IDLE_MS;
}

static bool is_over(const struct upload *upload, uint64_t now_ms) {
    return upload->ended || is_idle(upload->used_ms, now_ms);
}

static bool load_is_over(const struct load *load, uint64_t now_ms) {
    return load->store_bulk && (load->ended || is_idle(load->used_ms, now_ms));
}

bool uploads_need_reap(const struct uploads *uploads, uint64_t now_ms) {
    for (uint32_t i = 0; i < uploads->count; i++) {
        if (is_over(&uploads->items[i], now_ms)) {
            return true;
        }
    }
    return load_is_over(&uploads->load, now_ms);
}

static void free_load(struct load *load) {
    store_bulk_destroy(load->store_bulk);
    *load = (struct load){NULL};
}

static void free_upload(struct upload *upload) {
    store_upload_destroy(upload->store_upload);
    buffer_deinit(&upload->key);
}

void uploads_reap(struct uploads *uploads, uint64_t now_ms) {
    uint32_t kept = 0;

    for (uint32_t i = 0; i < uploads->count; i++) {
        if (is_over(&uploads->items[i], now_ms)) {
            free_upload(&uploads->items[i]);
        } else {
            uploads->items[kept++] = uploads->items[i];
        }
    }
    uploads->count = kept;
    if (load_is_over(&uploads->load, now_ms)) {
        free_load(&uploads->load);
    }
}

void uploads_clear(struct uploads *uploads) {
    for (uint32_t i = 0; i < uploads->count; i++) {
        free_upload(&uploads->items[i]);
    }
    uploads->count = 0;
    free_load(&uploads->load);
}
