/* shell_history.c: see shell_history.h. */
#include "client/kvcli/shell_history.h"

#include "client/kvcli/line_reader.h"
#include "client/kvcli/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX ((size_t)1 << 20)
#define FILE_BYTES_MAX ((size_t)64 << 20)
#define FILE_MODE 0600

void shell_history_init(struct shell_history *history) {
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int len = -1;

    if (state && state[0] == '/') {
        len = snprintf(history->path, sizeof history->path, "%s/kvcli_history", state);
    } else if (home && home[0]) {
        len = snprintf(history->path, sizeof history->path, "%s/.kvcli_history", home);
    }
    if (len < 0 || (size_t)len >= sizeof history->path) {
        history->path[0] = '\0';
    }
}

static bool append_escaped(struct buffer *out, struct slice line) {
    enum status status = STATUS_OK;

    while (status == STATUS_OK && line.len > 0) {
        char text[TEXT_ESCAPED_BYTES_MAX];
        size_t taken;
        size_t len = text_escape_step(line, text, &taken);
        status = buffer_append(out, text, len);
        line = slice_make(line.ptr + taken, line.len - taken);
    }
    return status == STATUS_OK && buffer_append_u8(out, '\n') == STATUS_OK;
}

static bool write_file(const char *path, int flags, struct slice bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, FILE_MODE);
    bool done = fd >= 0 && fchmod(fd, FILE_MODE) == 0 &&
                write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len;

    if (fd >= 0) {
        done = close(fd) == 0 && done;
    }
    return done;
}

bool shell_history_add(struct shell_history *history, struct slice line) {
    struct buffer escaped;
    bool done;

    if (line.len == 0 || line.ptr[0] == ' ' || !history->path[0]) {
        return false;
    }
    buffer_init(&escaped, SIZE_MAX);
    done = append_escaped(&escaped, line) &&
           write_file(history->path, O_APPEND, buffer_slice(&escaped));
    buffer_deinit(&escaped);
    return done;
}

/* Reads the file; counts its lines. */
static uint64_t count_lines(const char *path) {
    struct line_reader reader;
    char *line;
    size_t len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return 0;
    }
    line_reader_init(&reader, fd, LINE_BYTES_MAX);
    while (line_reader_next(&reader, &line, &len) == STATUS_OK) {
    }
    line_reader_deinit(&reader);
    close(fd);
    return reader.number;
}

/* Replaces a file that has grown far by its latest lines. */
static void cut(const char *path, struct slice kept) {
    char name[SHELL_HISTORY_PATH_MAX + 8];

    snprintf(name, sizeof name, "%s.new", path);
    if (!write_file(name, O_TRUNC, kept) || rename(name, path) != 0) {
        unlink(name);
    }
}

void shell_history_load(struct shell_history *history, void (*take)(void *arg, struct slice line),
                        void *arg) {
    struct line_reader reader;
    struct buffer kept;
    char *line;
    size_t len;
    bool whole = true;
    uint64_t count = history->path[0] ? count_lines(history->path) : 0;
    uint64_t left_out = count > SHELL_HISTORY_LINES_MAX ? count - SHELL_HISTORY_LINES_MAX : 0;
    int fd = count > 0 ? open(history->path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        return;
    }
    line_reader_init(&reader, fd, LINE_BYTES_MAX);
    buffer_init(&kept, FILE_BYTES_MAX);
    while (line_reader_next(&reader, &line, &len) == STATUS_OK) {
        if (reader.number <= left_out) {
            continue;
        }
        whole = whole && buffer_append(&kept, line, len) == STATUS_OK &&
                buffer_append_u8(&kept, '\n') == STATUS_OK;
        if (text_unescape(line, len, &len) == STATUS_OK) {
            take(arg, slice_make(line, len));
        }
    }
    if (left_out > SHELL_HISTORY_LINES_MAX && whole) {
        cut(history->path, buffer_slice(&kept));
    }
    buffer_deinit(&kept);
    line_reader_deinit(&reader);
    close(fd);
}
