/* client_farm.h: many fakes behind one address, a thread for each connection, for tests of programs
 * that have several. Each connection has keys of its own.
 *
 *     farm_start(&farm); ... farm_cut(&farm) ends all connections; ... farm_stop(&farm); */
#ifndef KVD_TESTS_CLIENT_FARM_H
#define KVD_TESTS_CLIENT_FARM_H

#include "tests/unit/client_fake.h"

#define FARM_CONNECTIONS_MAX 64

struct farm_plot {
    struct farm *farm;
    pthread_t thread;
    int fd;
};

struct farm {
    char address[128];
    int listener;
    pthread_t thread;
    atomic_bool silent; /* of the connections that are opened from now on */

    pthread_mutex_t mu;
    struct farm_plot plots[FARM_CONNECTIONS_MAX]; /* guarded by mu */
    int opened;                                   /* guarded by mu */
    int alive;                                    /* guarded by mu */
};

static void *farm_tend_plot(void *arg) {
    struct farm_plot *plot = arg;
    struct fake fake = {.cut_after = -1, .agree = WIRE_FLAGS_REQUEST};

    fake.silent = plot->farm->silent;
    buffer_init(&fake.in, 10u << 20);
    buffer_init(&fake.out, 10u << 20);
    fake_serve(&fake, dup(plot->fd)); /* closes the copy: the number stays ours for farm_cut */
    while (fake.count > 0) {
        fake_remove(&fake, slice_make(fake.entries[0].key, fake.entries[0].key_len));
    }
    buffer_deinit(&fake.in);
    buffer_deinit(&fake.out);
    pthread_mutex_lock(&plot->farm->mu);
    plot->farm->alive--;
    pthread_mutex_unlock(&plot->farm->mu);
    return NULL;
}

static void *farm_run(void *arg) {
    struct farm *farm = arg;
    int fd;

    while ((fd = accept(farm->listener, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&farm->mu);
        ck_assert_int_lt(farm->opened, FARM_CONNECTIONS_MAX);
        struct farm_plot *plot = &farm->plots[farm->opened++];
        farm->alive++;
        plot->farm = farm;
        plot->fd = fd;
        ck_assert_int_eq(pthread_create(&plot->thread, NULL, farm_tend_plot, plot), 0);
        pthread_mutex_unlock(&farm->mu);
    }
    return NULL;
}

static void farm_start(struct farm *farm) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    memset(farm, 0, sizeof *farm);
    pthread_mutex_init(&farm->mu, NULL);
    snprintf(name.sun_path, sizeof name.sun_path, "/tmp/kvd-farm-%d", (int)getpid());
    snprintf(farm->address, sizeof farm->address, "unix:%s", name.sun_path);
    unlink(name.sun_path);
    farm->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(farm->listener, (const struct sockaddr *)&name, sizeof name), 0);
    ck_assert_int_eq(listen(farm->listener, 64), 0);
    ck_assert_int_eq(pthread_create(&farm->thread, NULL, farm_run, farm), 0);
}

static int farm_alive(struct farm *farm) {
    int alive;

    pthread_mutex_lock(&farm->mu);
    alive = farm->alive;
    pthread_mutex_unlock(&farm->mu);
    return alive;
}

/* Ends all connections, and waits until they have ended. */
static void farm_cut(struct farm *farm) {
    pthread_mutex_lock(&farm->mu);
    for (int i = 0; i < farm->opened; i++) {
        shutdown(farm->plots[i].fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&farm->mu);
    while (farm_alive(farm) > 0) {
        usleep(1000);
    }
}

static void farm_stop(struct farm *farm) {
    shutdown(farm->listener, SHUT_RDWR);
    pthread_join(farm->thread, NULL);
    farm_cut(farm);
    for (int i = 0; i < farm->opened; i++) {
        pthread_join(farm->plots[i].thread, NULL);
        close(farm->plots[i].fd);
    }
    close(farm->listener);
    unlink(farm->address + 5);
    pthread_mutex_destroy(&farm->mu);
}

#endif
