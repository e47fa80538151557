/* env_names.c: see env_names.h. */
#include "storage/env_names.h"

#include "protocol/base/memory.h"

#include <stdio.h>
#include <string.h>

void env_names_deinit(struct env_names *names) {
    for (uint32_t i = 0; i < names->count; i++) {
        env_node_unref(names->list[i].now);
        env_node_unref(names->list[i].durable);
        memory_free(names->list[i].path);
    }
    for (uint32_t i = 0; i < names->dir_count; i++) {
        memory_free(names->dirs[i]);
    }
    memory_free(names->list);
    memory_free(names->dirs);
    *names = (struct env_names){0};
}

enum status env_names_tidy(const char *path, char *path_out) {
    size_t len = 0;
    while (path[0] == '.' && path[1] == '/' && path[2] != '\0') {
        path += 2;
    }
    if (path[0] == '\0' || strnlen(path, ENV_PATH_MAX) >= ENV_PATH_MAX) {
        return STATUS_INVALID;
    }
    for (; *path; path++) {
        if (*path != '/' || len == 0 || path_out[len - 1] != '/') {
            path_out[len++] = *path;
        }
    }
    if (len > 1 && path_out[len - 1] == '/') {
        len--;
    }
    path_out[len] = '\0';
    return STATUS_OK;
}

static char *copy_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = memory_alloc(bytes);
    if (copy) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

/* Length of the directory part: "a/b" 1, "/b" 1, "b" 0. */
static size_t dir_len(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return 0;
    }
    return slash == path ? 1 : (size_t)(slash - path);
}

/* The part behind the directory `dir`, or NULL when the path is not directly in it. */
static const char *name_in_dir(const char *path, const char *dir) {
    size_t len = dir_len(path);
    if (strcmp(dir, ".") == 0) {
        return len == 0 ? path : NULL;
    }
    if (len != strlen(dir) || strncmp(path, dir, len) != 0) {
        return NULL;
    }
    return strrchr(path, '/') + 1;
}

static bool has_dir(const struct env_names *names, const char *dir, size_t len) {
    if (len == 0 || (len == 1 && (dir[0] == '.' || dir[0] == '/'))) {
        return true;
    }
    for (uint32_t i = 0; i < names->dir_count; i++) {
        if (strlen(names->dirs[i]) == len && strncmp(names->dirs[i], dir, len) == 0) {
            return true;
        }
    }
    return false;
}

bool env_names_has_dir(const struct env_names *names, const char *dir) {
    return has_dir(names, dir, strlen(dir));
}

bool env_names_has_parent(const struct env_names *names, const char *path) {
    return has_dir(names, path, dir_len(path));
}

/* Makes room for one more element in a growing array. */
static bool grow(void **array, uint32_t count, uint32_t *capacity, size_t element_bytes) {
    uint32_t wanted = *capacity ? 2 * *capacity : 8;
    void *bigger;
    if (count < *capacity) {
        return true;
    }
    bigger = memory_resize(*array, wanted * element_bytes);
    if (bigger) {
        *array = bigger;
        *capacity = wanted;
    }
    return bigger != NULL;
}

enum status env_names_add_dir(struct env_names *names, const char *dir) {
    void *dirs = names->dirs;
    char *copy;
    if (!grow(&dirs, names->dir_count, &names->dir_capacity, sizeof *names->dirs)) {
        return STATUS_NO_MEMORY;
    }
    names->dirs = dirs;
    copy = copy_text(dir);
    if (!copy) {
        return STATUS_NO_MEMORY;
    }
    names->dirs[names->dir_count++] = copy;
    return STATUS_OK;
}

struct env_name *env_names_find(struct env_names *names, const char *path) {
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i].path, path) == 0) {
            return &names->list[i];
        }
    }
    return NULL;
}

struct env_name *env_names_find_or_add(struct env_names *names, const char *path) {
    struct env_name *name = env_names_find(names, path);
    void *list = names->list;
    char *copy;

    if (name) {
        return name;
    }
    if (!grow(&list, names->count, &names->capacity, sizeof *names->list)) {
        return NULL;
    }
    names->list = list;
    copy = copy_text(path);
    if (!copy) {
        return NULL;
    }
    names->list[names->count] = (struct env_name){.path = copy};
    return &names->list[names->count++];
}

void env_names_sweep(struct env_names *names) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->list[i].now || names->list[i].durable) {
            names->list[kept++] = names->list[i];
        } else {
            memory_free(names->list[i].path);
        }
    }
    names->count = kept;
}

void env_names_sync_dir(struct env_names *names, const char *dir) {
    for (uint32_t i = 0; i < names->count; i++) {
        struct env_name *name = &names->list[i];
        if (name_in_dir(name->path, dir) && name->durable != name->now) {
            env_node_unref(name->durable);
            name->durable = name->now ? env_node_ref(name->now) : NULL;
        }
    }
    env_names_sweep(names);
}

bool env_names_next_in_dir(const struct env_names *names, const char *dir, const char *after,
                           struct listed *listed_out) {
    const struct env_name *best = NULL;
    const char *best_name = NULL;
    for (uint32_t i = 0; i < names->count; i++) {
        const struct env_name *name = &names->list[i];
        const char *text = name->now ? name_in_dir(name->path, dir) : NULL;
        if (text && strcmp(text, after) > 0 && (!best || strcmp(text, best_name) < 0)) {
            best = name;
            best_name = text;
        }
    }
    if (best) {
        (void)snprintf(listed_out->name, sizeof listed_out->name, "%s", best_name);
        listed_out->size_bytes = best->now->size_bytes;
    }
    return best != NULL;
}
