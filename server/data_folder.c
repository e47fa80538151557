/* data_folder.c: see data_folder.h. */
#include "server/data_folder.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>

static bool ends_with(const char *name, const char *end) {
    size_t name_len = strlen(name);
    size_t end_len = strlen(end);

    return name_len >= end_len && strcmp(name + name_len - end_len, end) == 0;
}

/* Names as docs/storage-format.md gives them. */
static bool is_of_store(const char *name) {
    return strcmp(name, "LOCK") == 0 || strncmp(name, "MANIFEST-", 9) == 0 ||
           ends_with(name, ".table") || ends_with(name, ".segment");
}

static bool is_nothing(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

enum status data_folder_check(const char *dir, struct error *error) {
    DIR *folder = opendir(dir);
    char stranger[64] = "";
    bool is_ours = false;
    const struct dirent *entry;

    if (!folder) {
        return STATUS_OK;
    }
    while (!is_ours && (entry = readdir(folder)) != NULL) {
        is_ours = is_of_store(entry->d_name);
        if (!is_nothing(entry->d_name)) {
            size_t len = strnlen(entry->d_name, sizeof stranger - 1);
            memcpy(stranger, entry->d_name, len);
            stranger[len] = '\0';
        }
    }
    (void)closedir(folder);
    if (is_ours || stranger[0] == '\0') {
        return STATUS_OK;
    }
    return error_set(
        error, STATUS_INVALID, 0, dir, ERROR_NO_OFFSET,
        "the folder has files, such as '%s', and none of a kvd store; give an empty or "
        "new folder",
        stranger);
}
