/* salvage_files.c: see salvage_files.h. */
#include "storage/salvage_files.h"

#include "protocol/base/memory.h"

#include <stdlib.h>

#define FILES_FIRST 64u

static enum status list_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct salvage_files *files = arg;
    struct salvage_file file = {.bytes = size_bytes};

    if (!file_name_parse(name, &file.kind, &file.number) || file.kind == FILE_LOCK) {
        return STATUS_OK;
    }
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? 2 * files->capacity : FILES_FIRST;
        struct salvage_file *grown = memory_resize(files->list, capacity * sizeof *grown);
        if (!grown) {
            return STATUS_NO_MEMORY;
        }
        files->list = grown;
        files->capacity = capacity;
    }
    files->list[files->count++] = file;
    return STATUS_OK;
}

static int order(const struct salvage_file *a, enum file_kind kind, uint64_t number) {
    if (a->kind != kind) {
        return a->kind < kind ? -1 : 1;
    }
    return (a->number > number) - (a->number < number);
}

static int order_cb(const void *left, const void *right) {
    const struct salvage_file *b = right;
    return order(left, b->kind, b->number);
}

enum status salvage_files_list(struct salvage_files *files, struct env *env, const char *dir,
                               struct error *error) {
    enum status status;

    *files = (struct salvage_files){.env = env, .dir = dir};
    status = env_list(env, dir, list_cb, files, error);
    if (status == STATUS_NO_MEMORY) {
        return error_set(error, status, 0, dir, ERROR_NO_OFFSET, "listing the files of a store");
    }
    if (status == STATUS_OK && files->count == 0) {
        status = error_set(error, STATUS_NOT_FOUND, 0, dir, ERROR_NO_OFFSET,
                           "there is no file of a store");
    }
    if (status == STATUS_OK) {
        qsort(files->list, files->count, sizeof *files->list, order_cb);
    }
    return status;
}

static void close_segment(struct salvage_open_segment *open) {
    if (open->file) {
        (void)env_file_close(open->file, NULL); /* was only read */
    }
    *open = (struct salvage_open_segment){0};
}

void salvage_files_deinit(struct salvage_files *files) {
    for (uint32_t i = 0; i < SALVAGE_OPEN_SEGMENTS; i++) {
        close_segment(&files->open[i]);
    }
    memory_free(files->list);
    *files = (struct salvage_files){0};
}

const struct salvage_file *salvage_files_find(const struct salvage_files *files,
                                              enum file_kind kind, uint64_t number) {
    size_t low = 0;
    size_t high = files->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int compared = order(&files->list[middle], kind, number);
        if (compared == 0) {
            return &files->list[middle];
        }
        low = compared < 0 ? middle + 1 : low;
        high = compared < 0 ? high : middle;
    }
    return NULL;
}

/* The segment's place among the open ones; else the one unused for longest, closed. */
static struct salvage_open_segment *place_of(struct salvage_files *files, uint64_t segment) {
    struct salvage_open_segment *oldest = &files->open[0];

    for (uint32_t i = 0; i < SALVAGE_OPEN_SEGMENTS; i++) {
        struct salvage_open_segment *open = &files->open[i];
        if (open->file && open->number == segment) {
            return open;
        }
        oldest = open->used < oldest->used ? open : oldest;
    }
    close_segment(oldest);
    return oldest;
}

enum status salvage_files_read(struct salvage_files *files, uint64_t segment, uint64_t offset,
                               size_t len, uint8_t *out) {
    struct salvage_open_segment *open = place_of(files, segment);
    char path[ENV_PATH_MAX];
    size_t got = 0;
    enum status status = STATUS_OK;

    if (!open->file) {
        status = file_path_make(files->dir, FILE_SEGMENT, segment, path);
        if (status == STATUS_OK) {
            status = env_open(files->env, path, ENV_READ_CACHED, &open->file, NULL);
        }
        open->file = status == STATUS_OK ? open->file : NULL;
        open->number = segment;
    }
    open->used = ++files->uses;
    if (status == STATUS_OK) {
        status = env_read(open->file, offset, out, len, &got, NULL);
    }
    return status == STATUS_OK && got < len ? STATUS_CORRUPT : status;
}
