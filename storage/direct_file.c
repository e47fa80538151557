/* direct_file.c: see direct_file.h. */
#include "storage/direct_file.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

enum status direct_file_open(struct direct_file *direct, struct env *env, const char *path,
                             struct error *error) {
    size_t path_bytes = strlen(path) + 1;
    enum status status;

    ASSERT(!direct->file);
    if (path_bytes > sizeof direct->path) {
        return error_set(error, STATUS_INVALID, 0, path, ERROR_NO_OFFSET, "path is too long");
    }
    memcpy(direct->path, path, path_bytes);
    direct->window_bytes = 0;
    status = env_open(env, path, direct->cached ? ENV_READ_CACHED : ENV_READ_DIRECT, &direct->file,
                      error);
    if (status != STATUS_OK) {
        direct->file = NULL;
        return status;
    }
    status = env_size(direct->file, &direct->size_bytes, error);
    if (status != STATUS_OK) {
        direct_file_close(direct);
    }
    return status;
}

void direct_file_close(struct direct_file *direct) {
    if (direct->file) {
        (void)env_file_close(direct->file, NULL); /* was only read */
        direct->file = NULL;
    }
    direct->size_bytes = 0;
    direct->window_bytes = 0;
}

void direct_file_deinit(struct direct_file *direct) {
    direct_file_close(direct);
    memory_free(direct->window);
    direct->window = NULL;
    direct->window_capacity = 0;
}

static uint64_t align_down(uint64_t offset) {
    return offset - offset % ENV_DIRECT_ALIGN;
}

static uint64_t align_up(uint64_t offset) {
    return align_down(offset + ENV_DIRECT_ALIGN - 1);
}

/* How much to read from `start` so that `needed` bytes are there: more when reads come in a row. */
static size_t read_bytes(const struct direct_file *direct, uint64_t start, size_t needed) {
    uint64_t window_end = direct->window_offset + direct->window_bytes;
    bool in_a_row =
        direct->window_bytes == 0 || (start >= direct->window_offset && start <= window_end);
    uint64_t wanted = in_a_row ? DIRECT_WINDOW_BYTES : DIRECT_JUMP_BYTES;
    uint64_t left = align_up(direct->size_bytes) - start;

    wanted = wanted > needed ? wanted : needed;
    return (size_t)(wanted < left ? wanted : left);
}

static enum status make_room(struct direct_file *direct, size_t bytes, struct error *error) {
    size_t capacity = bytes > DIRECT_WINDOW_BYTES ? bytes : DIRECT_WINDOW_BYTES;
    uint8_t *window;

    if (bytes <= direct->window_capacity) {
        return STATUS_OK;
    }
    window = memory_alloc_aligned(ENV_DIRECT_ALIGN, capacity);
    if (!window) {
        return error_set(error, STATUS_NO_MEMORY, 0, direct->path, ERROR_NO_OFFSET,
                         "%zu bytes to read into", capacity);
    }
    memory_free(direct->window);
    direct->window = window;
    direct->window_capacity = capacity;
    return STATUS_OK;
}

static enum status fill(struct direct_file *direct, uint64_t offset, size_t len,
                        struct error *error) {
    uint64_t start = align_down(offset);
    size_t bytes = read_bytes(direct, start, (size_t)(align_up(offset + len) - start));
    size_t got = 0;
    enum status status;

    direct->window_bytes = 0;
    status = make_room(direct, bytes, error);
    if (status == STATUS_OK) {
        status = env_read(direct->file, start, direct->window, bytes, &got, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    direct->window_offset = start;
    direct->window_bytes = got;
    if (start + got < offset + len) {
        return error_set(error, STATUS_IO, 0, direct->path, start + got,
                         "the file ended before its size");
    }
    return STATUS_OK;
}

enum status direct_file_get(struct direct_file *direct, uint64_t offset, size_t len,
                            struct slice *bytes_out, struct error *error) {
    enum status status;

    ASSERT(direct->file);
    if (offset > direct->size_bytes || len > direct->size_bytes - offset) {
        return STATUS_END;
    }
    if (offset < direct->window_offset ||
        offset + len > direct->window_offset + direct->window_bytes) {
        status = fill(direct, offset, len, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *bytes_out = slice_make(direct->window + (offset - direct->window_offset), len);
    return STATUS_OK;
}
