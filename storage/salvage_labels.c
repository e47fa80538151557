/* salvage_labels.c: see salvage_labels.h. */
#include "storage/salvage_labels.h"

#include "storage/file_name.h"

#include <inttypes.h>
#include <stdio.h>

#define WRITE_BYTES (64u * 1024)
#define TITLES "# namespace\tkey\tversion\ttime ms\tbytes\twhy\n"

void salvage_labels_init(struct salvage_labels *labels, struct env *env, const char *dir) {
    *labels = (struct salvage_labels){.env = env, .dir = dir};
    buffer_init(&labels->text, SIZE_MAX / 2);
}

void salvage_labels_deinit(struct salvage_labels *labels) {
    if (labels->file) {
        (void)env_file_close(labels->file, NULL); /* synced before, or of no use */
    }
    buffer_deinit(&labels->text);
    *labels = (struct salvage_labels){0};
}

static enum status create(struct salvage_labels *labels, struct error *error) {
    char path[ENV_PATH_MAX];
    enum status status = file_path_join(labels->dir, SALVAGE_LABELS_NAME, path);

    if (status == STATUS_OK) {
        status = env_create(labels->env, path, &labels->file, error);
        labels->file = status == STATUS_OK ? labels->file : NULL;
    }
    return status == STATUS_OK ? buffer_append(&labels->text, TITLES, sizeof TITLES - 1) : status;
}

static enum status write_out(struct salvage_labels *labels, struct error *error) {
    struct slice bytes = buffer_slice(&labels->text);
    enum status status = bytes.len > 0 ? env_append(labels->file, &bytes, 1, error) : STATUS_OK;

    buffer_clear(&labels->text);
    return status;
}

static enum status append_escaped(struct buffer *text, struct slice bytes) {
    enum status status = STATUS_OK;

    for (size_t i = 0; i < bytes.len && status == STATUS_OK; i++) {
        uint8_t byte = bytes.ptr[i];
        char escaped[8];
        int len = byte == '\\'                  ? snprintf(escaped, sizeof escaped, "\\\\")
                  : byte == '\t'                ? snprintf(escaped, sizeof escaped, "\\t")
                  : byte == '\n'                ? snprintf(escaped, sizeof escaped, "\\n")
                  : byte == '\r'                ? snprintf(escaped, sizeof escaped, "\\r")
                  : byte < 0x20 || byte >= 0x7F ? snprintf(escaped, sizeof escaped, "\\x%02x", byte)
                                                : snprintf(escaped, sizeof escaped, "%c", byte);
        status = buffer_append(text, escaped, (size_t)len);
    }
    return status;
}

static enum status append_label(struct buffer *text, const struct salvage_label *label) {
    char rest[256];
    int len = snprintf(rest, sizeof rest, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\n",
                       label->version, label->time_ms, label->bytes, label->why);
    enum status status = append_escaped(text, label->namespace_name);

    if (status == STATUS_OK) {
        status = buffer_append_u8(text, '\t');
    }
    if (status == STATUS_OK) {
        status = append_escaped(text, label->key);
    }
    return status == STATUS_OK ? buffer_append(text, rest, (size_t)len) : status;
}

enum status salvage_labels_add(struct salvage_labels *labels, const struct salvage_label *label,
                               struct error *error) {
    enum status status = labels->file ? STATUS_OK : create(labels, error);

    if (status == STATUS_OK) {
        status = append_label(&labels->text, label);
        labels->lines++;
    }
    if (status == STATUS_OK && labels->text.len >= WRITE_BYTES) {
        status = write_out(labels, error);
    }
    return status;
}

enum status salvage_labels_finish(struct salvage_labels *labels, struct error *error) {
    enum status status = STATUS_OK;

    if (labels->file) {
        status = write_out(labels, error);
    }
    if (status == STATUS_OK && labels->file) {
        status = env_sync(labels->file, error);
    }
    return status == STATUS_OK && labels->file ? env_sync_dir(labels->env, labels->dir, error)
                                               : status;
}
