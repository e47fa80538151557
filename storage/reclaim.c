/* reclaim.c: see reclaim.h. */
#include "storage/reclaim.h"

#include "protocol/base/assert.h"

static void item_remove(struct reclaim *reclaim, struct reclaim_item *item) {
    char path[ENV_PATH_MAX];
    enum status status = file_path_make(reclaim->dir, item->kind, item->number, path);

    if (status == STATUS_OK) {
        status = env_remove(reclaim->env, path, NULL);
    }
    mutex_lock(&reclaim->mu);
    reclaim->removed_files += status == STATUS_OK;
    reclaim->failed_removals += status != STATUS_OK;
    mutex_unlock(&reclaim->mu);
    item->removed_cb(item);
}

static void reclaim_step(struct step *step) {
    struct reclaim *reclaim = (struct reclaim *)((char *)step - offsetof(struct reclaim, step));
    struct reclaim_item *items;

    mutex_lock(&reclaim->mu);
    items = reclaim->items;
    reclaim->items = NULL;
    reclaim->posted = false;
    mutex_unlock(&reclaim->mu);
    while (items) {
        struct reclaim_item *item = items;
        items = item->next;
        item_remove(reclaim, item);
    }
}

void reclaim_init(struct reclaim *reclaim, struct env *env, const char *dir,
                  struct scheduler *scheduler) {
    *reclaim = (struct reclaim){.env = env, .dir = dir, .scheduler = scheduler};
    mutex_init(&reclaim->mu);
    step_init(&reclaim->step, reclaim_step);
}

void reclaim_deinit(struct reclaim *reclaim) {
    ASSERT(reclaim->items == NULL);
    mutex_deinit(&reclaim->mu);
}

void reclaim_push(struct reclaim *reclaim, struct reclaim_item *item) {
    bool post;

    mutex_lock(&reclaim->mu);
    item->next = reclaim->items;
    reclaim->items = item;
    post = !reclaim->posted;
    reclaim->posted = true;
    if (post) {
        scheduler_post(reclaim->scheduler, LANE_BACKGROUND, &reclaim->step);
    }
    mutex_unlock(&reclaim->mu);
}
