/* space.c: a long run of overwrites, and what it takes on the disk: worst ratio, write
 * amplification, latency of puts.
 *
 *      space [DIR [DATA_MIB [TIMES [percent of puts to a tenth of the keys]]]]
 *
 * Fills a store with DATA_MIB of mixed values (100 B to 64 KiB, incompressible), overwrites TIMES
 * the volume of it without changing any size, from 4 threads, each waiting for each put (class
 * logged); samples the files of the directory ten times a second. */
#include "protocol/base/memory.h"
#include "storage/random.h"
#include "storage/store.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 4u
#define VALUE_MAX 65536u
#define LATENCIES_MAX (4u << 20)

struct bench {
    struct store *store;
    const char *dir;
    uint32_t keys;
    uint32_t *sizes; /* of each key's value; constant once filled */
    uint64_t live;   /* keys, values, entries and frames */
    uint64_t volume; /* to be overwritten by each client */
    uint32_t skew_percent;
    _Atomic uint64_t written;
    _Atomic uint64_t failed;
    _Atomic uint32_t latency_count;
    uint32_t *latencies; /* microseconds */
    _Atomic bool done;
    double worst;
    double worst_beyond;
    uint64_t worst_bytes;
};

struct client {
    struct bench *bench;
    struct random random;
    sem_t answered;
    enum status status;
    bool fills;
    uint32_t index;
};

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void die(const char *what, enum status status) {
    fprintf(stderr, "space: %s: %s\n", what, status_name(status));
    exit(1);
}

static void done_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct client *client = store_commit_arg(commit);
    client->status = outcome->status;
    sem_post(&client->answered);
}

static void put(struct client *client, uint32_t number) {
    struct bench *bench = client->bench;
    static _Thread_local uint8_t value[VALUE_MAX];
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT};
    struct store_commit *commit;
    uint64_t began;
    uint32_t place;
    char key[24];

    snprintf(key, sizeof key, "key%09u", number);
    for (uint32_t i = 0; i < bench->sizes[number]; i += 8) {
        uint64_t word = random_next(&client->random);
        memcpy(value + i, &word, 8);
    }
    put.key = slice_from_text(key);
    put.value = slice_make(value, bench->sizes[number]);
    if (store_commit_create(bench->store, &commit) != STATUS_OK ||
        store_commit_put(commit, &put) != STATUS_OK) {
        die("put", STATUS_NO_MEMORY);
    }
    store_commit_set_arg(commit, client);
    began = now_us();
    store_submit(bench->store, &commit, 1, STORE_LOGGED, done_cb);
    sem_wait(&client->answered);
    place = atomic_fetch_add(&bench->latency_count, 1);
    if (place < LATENCIES_MAX) {
        bench->latencies[place] = (uint32_t)(now_us() - began);
    }
    if (client->status != STATUS_OK) {
        atomic_fetch_add(&bench->failed, 1);
    }
    atomic_fetch_add(&bench->written, put.value.len + put.key.len);
    store_commit_destroy(commit);
}

static uint32_t pick(struct client *client) {
    bool hot = random_below(&client->random, 100) < client->bench->skew_percent;
    return (uint32_t)random_below(&client->random,
                                  hot ? client->bench->keys / 10 : client->bench->keys);
}

static void *client_run(void *arg) {
    struct client *client = arg;
    struct bench *bench = client->bench;
    uint64_t written = 0;

    for (uint32_t i = client->index; client->fills && i < bench->keys; i += CLIENTS) {
        put(client, i);
    }
    while (!client->fills && written < bench->volume) {
        uint32_t number = pick(client);
        put(client, number);
        written += bench->sizes[number];
    }
    return NULL;
}

static void run_clients(struct bench *bench, bool fills) {
    struct client clients[CLIENTS];
    pthread_t threads[CLIENTS];

    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){
            .bench = bench, .random = {.state = i + 1 + fills * 100}, .fills = fills, .index = i};
        sem_init(&clients[i].answered, 0, 0);
        pthread_create(&threads[i], NULL, client_run, &clients[i]);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        sem_destroy(&clients[i].answered);
    }
}

/* ---- The disk ---- */

static uint64_t files_bytes(const char *dir) {
    DIR *stream = opendir(dir);
    struct dirent *entry;
    uint64_t bytes = 0;

    while (stream && (entry = readdir(stream))) {
        char path[1200];
        struct stat stat_out;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (stat(path, &stat_out) == 0 && S_ISREG(stat_out.st_mode)) {
            uint64_t blocks = (uint64_t)stat_out.st_blocks * 512;
            bytes += blocks > (uint64_t)stat_out.st_size ? blocks : (uint64_t)stat_out.st_size;
        }
    }
    if (stream) {
        closedir(stream);
    }
    return bytes;
}

struct wanted {
    const char *name;
    uint64_t value;
};

static void stat_cb(void *arg, const char *name, uint64_t value) {
    struct wanted *wanted = arg;
    if (strcmp(name, wanted->name) == 0) {
        wanted->value = value;
    }
}

static uint64_t figure(struct bench *bench, const char *name) {
    struct wanted wanted = {.name = name};
    store_stats(bench->store, stat_cb, &wanted);
    return wanted.value;
}

static void *sampler_run(void *arg) {
    struct bench *bench = arg;

    while (!atomic_load(&bench->done)) {
        uint64_t bytes = files_bytes(bench->dir);
        uint64_t constant = figure(bench, "space_constant");
        double ratio = (double)bytes / (double)bench->live;
        double beyond = ((double)bytes - (double)constant) / (double)bench->live;
        if (ratio > bench->worst) {
            bench->worst = ratio;
            bench->worst_bytes = bytes;
        }
        bench->worst_beyond = beyond > bench->worst_beyond ? beyond : bench->worst_beyond;
        usleep(100000);
    }
    return NULL;
}

/* ---- The run ---- */

static void make_sizes(struct bench *bench, uint64_t data_bytes) {
    struct random random = {.state = 7};
    uint32_t capacity = (uint32_t)(data_bytes / 500 + 1000);

    bench->sizes = memory_alloc_array(capacity, sizeof *bench->sizes);
    bench->latencies = memory_alloc_array(LATENCIES_MAX, sizeof *bench->latencies);
    for (uint64_t sum = 0; sum < data_bytes && bench->keys < capacity; bench->keys++) {
        uint64_t kind = random_below(&random, 10);
        uint64_t size = kind < 5   ? 100 + random_below(&random, 900)
                        : kind < 9 ? 1024 + random_below(&random, 7000)
                                   : 8192 + random_below(&random, VALUE_MAX - 8192);
        bench->sizes[bench->keys] = (uint32_t)size & ~7u;
        sum += size;
        bench->live += (size & ~7u) + 12 + 48 + (size >= 1024 ? 96 + 12 : 0);
    }
}

static int order_numbers(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void report(struct bench *bench, double seconds, uint64_t disk_writes) {
    uint32_t count = atomic_load(&bench->latency_count);

    count = count < LATENCIES_MAX ? count : LATENCIES_MAX;
    qsort(bench->latencies, count, sizeof *bench->latencies, order_numbers);
    printf("live %.1f MiB (L), constant %.1f MiB (C), written %.1f MiB in %.1f s, %llu failed\n",
           (double)bench->live / 1048576, (double)figure(bench, "space_constant") / 1048576,
           (double)atomic_load(&bench->written) / 1048576, seconds,
           (unsigned long long)atomic_load(&bench->failed));
    printf("worst files / L %.3f (%.1f MiB), worst (files - C) / L %.3f\n", bench->worst,
           (double)bench->worst_bytes / 1048576, bench->worst_beyond);
    printf("write amplification %.2f\n",
           (double)disk_writes / (double)atomic_load(&bench->written));
    printf("put latency: p50 %u us, p99 %u us, p99.9 %u us, worst %u us; delays %llu, %llu ms\n",
           bench->latencies[count / 2], bench->latencies[count - count / 100 - 1],
           bench->latencies[count - count / 1000 - 1], bench->latencies[count - 1],
           (unsigned long long)figure(bench, "write_delays"),
           (unsigned long long)figure(bench, "write_delay_ms"));
    printf("gc: %llu victims of %.1f MiB, copied %.1f MiB; compaction wrote %.1f MiB\n",
           (unsigned long long)figure(bench, "gc_victims"),
           (double)figure(bench, "gc_victim_bytes") / 1048576,
           (double)figure(bench, "gc_copied_bytes") / 1048576,
           (double)figure(bench, "compaction_output_bytes") / 1048576);
}

/* Bytes that this process has caused to be written. */
static uint64_t io_written(void) {
    FILE *file = fopen("/proc/self/io", "r");
    unsigned long long value = 0;
    char line[128];

    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "wchar: %llu", &value);
    }
    if (file) {
        fclose(file);
    }
    return value;
}

static uint64_t number_of(int argc, char **argv, int index, uint64_t otherwise) {
    return argc > index ? strtoull(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
    struct bench bench = {.dir = argc > 1 ? argv[1] : "/tmp/kvd-space-bench"};
    uint64_t data_bytes = number_of(argc, argv, 2, 256) << 20;
    uint64_t times = number_of(argc, argv, 3, 10);
    struct store_options options;
    struct error error = {0};
    pthread_t sampler;
    uint64_t began;
    uint64_t wrote;
    enum status status;

    bench.skew_percent = (uint32_t)number_of(argc, argv, 4, 50);
    bench.volume = data_bytes * times / CLIENTS;
    make_sizes(&bench, data_bytes);
    store_options_init(&options, bench.dir);
    status = store_open(&options, &bench.store, &error);
    if (status != STATUS_OK) {
        die(error.text, status);
    }
    run_clients(&bench, true);
    atomic_store(&bench.latency_count, 0);
    atomic_store(&bench.written, 0);
    pthread_create(&sampler, NULL, sampler_run, &bench);
    began = now_us();
    wrote = io_written();
    run_clients(&bench, false);
    wrote = io_written() - wrote;
    atomic_store(&bench.done, true);
    pthread_join(sampler, NULL);
    report(&bench, (double)(now_us() - began) / 1e6, wrote);
    status = store_close(bench.store, &error);
    memory_free(bench.sizes);
    memory_free(bench.latencies);
    return status == STATUS_OK ? 0 : 1;
}
