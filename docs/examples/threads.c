/* threads.c: eight threads count together, on three connections of a pool.
 *
 *     cc threads.c $(pkg-config --cflags --libs kvd) -pthread -o threads && ./threads
 * 127.0.0.1:4411
 *
 * It uses the key "threads/counter" and leaves none behind. Exits with 0 if all went as it should.
 */
#include <kvd/kvd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 8
#define COUNTS 100

static void *count(void *arg) {
    struct kvd_pool *pool = arg;

    for (int i = 0; i < COUNTS; i++) {
        struct kvd *db;
        enum kvd_status status = kvd_pool_borrow(pool, 5000, &db);
        if (status == KVD_OK) {
            status = kvd_add(db, kvd_text("threads/counter"), 1, NULL, NULL, NULL);
            kvd_pool_return(pool, db);
        }
        if (status != KVD_OK) {
            fprintf(stderr, "count: %s\n", kvd_status_name(status));
            exit(EXIT_FAILURE);
        }
    }
    return NULL;
}

/* The counter, and it is gone. */
static long take_counter(struct kvd_pool *pool) {
    char text[32] = "";
    struct kvd *db;

    if (kvd_pool_borrow(pool, 0, &db) != KVD_OK) {
        return -1;
    }
    kvd_get_into(db, kvd_text("threads/counter"), NULL, text, sizeof text - 1, NULL);
    kvd_delete(db, kvd_text("threads/counter"), NULL, NULL);
    kvd_pool_return(pool, db);
    return strtol(text, NULL, 10);
}

int main(int argc, char **argv) {
    struct kvd_pool_options options = {.connections_min = 1, .connections_max = 3};
    struct kvd_pool_stats stats;
    struct kvd_pool *pool;
    pthread_t threads[THREADS];
    char error[256];
    long counted;

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST:PORT | unix:PATH\n", argv[0]);
        return 2;
    }
    if (kvd_pool_create(argv[1], &options, &pool) != KVD_OK) {
        kvd_pool_error(pool, error, sizeof error);
        fprintf(stderr, "%s\n", error);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, count, pool);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    counted = take_counter(pool);
    kvd_pool_stats(pool, &stats);
    printf("counted to %ld on %u connections\n", counted, stats.connections);
    kvd_pool_destroy(pool);
    return counted == THREADS * COUNTS && stats.connections <= 3 ? EXIT_SUCCESS : EXIT_FAILURE;
}
