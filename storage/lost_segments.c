/* lost_segments.c: see lost_segments.h. */
#include "storage/lost_segments.h"

#include "storage/file_name.h"
#include "storage/log_reader.h"

struct search {
    struct env *env;
    const char *dir;
    const struct manifest_state *state;
    uint64_t replay_segment;
    struct log_reader reader;
    struct error *error;
};

/* Whether the segment begins as a commit segment of this store that was appended to. */
static enum status look(struct search *search, const char *path, uint64_t number, bool *lost_out) {
    enum status status = log_reader_open(&search->reader, search->env, path, number,
                                         search->state->store_id, UINT64_MAX, search->error);

    *lost_out = status == STATUS_OK && search->reader.state == LOG_READER_COMMITS;
    log_reader_close(&search->reader);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status file_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct search *search = arg;
    char path[ENV_PATH_MAX];
    enum file_kind kind;
    uint64_t number;
    bool lost;
    enum status status;

    if (!file_name_parse(name, &kind, &number) || kind != FILE_SEGMENT || size_bytes == 0 ||
        number < search->replay_segment || manifest_state_segment(search->state, number)) {
        return STATUS_OK;
    }
    status = file_path_join(search->dir, name, path);
    if (status == STATUS_OK) {
        status = look(search, path, number, &lost);
    }
    if (status == STATUS_OK && lost) {
        status = error_set(search->error, STATUS_CORRUPT, 0, path, ERROR_NO_OFFSET,
                           "holds commits, but the manifest does not know it: the manifest has "
                           "lost its end; nothing was changed; restore a backup");
    }
    return status;
}

enum status lost_segments_check(struct env *env, const char *dir,
                                const struct manifest_state *state, struct error *error) {
    struct search search = {.env = env,
                            .dir = dir,
                            .state = state,
                            .replay_segment = manifest_state_get(state, EDIT_REPLAY_SEGMENT),
                            .error = error};
    enum status status;

    log_reader_init(&search.reader);
    status = env_list(env, dir, file_cb, &search, error);
    log_reader_deinit(&search.reader);
    return status;
}
