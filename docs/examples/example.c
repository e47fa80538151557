/* example.c: what libkvd can do, in one sitting.
 *
 *     cc example.c $(pkg-config --cflags --libs kvd) -o example && ./example 127.0.0.1:4411
 *
 * It uses keys below "example/" and leaves none behind. Exits with 0 if all went as it should. */
#include <kvd/kvd.h>
#include <stdio.h>
#include <stdlib.h>

/* Stops the program, telling what went wrong, unless the call is done. */
static void must(struct kvd *db, const char *what, enum kvd_status status) {
    if (status != KVD_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, kvd_status_name(status), kvd_error(db));
        exit(EXIT_FAILURE);
    }
}

static void expect(const char *what, bool holds) {
    if (!holds) {
        fprintf(stderr, "%s: not as expected\n", what);
        exit(EXIT_FAILURE);
    }
}

static void single_keys(struct kvd *db) {
    struct kvd_value value = {0}; /* reused: grows, and then no more is allocated */
    struct kvd_write_options write = {.ttl_ms = 60000, .user_flags = 7, .checksum = true};
    struct kvd_read_options read = {.verify = true};
    uint64_t version = 0;

    must(db, "put", kvd_put(db, kvd_text("example/name"), kvd_text("Ada"), &write, &version));
    must(db, "get", kvd_get(db, kvd_text("example/name"), &read, &value));
    expect("get", value.meta.value_len == 3 && memcmp(value.data, "Ada", 3) == 0 &&
                      value.meta.version == version && value.meta.user_flags == 7);
    printf("example/name = %.*s, version %llu\n", (int)value.meta.value_len,
           (const char *)value.data, (unsigned long long)value.meta.version);
    kvd_value_free(&value);
}

/* Replace a value only if nobody else did meanwhile. */
static void compare_and_set(struct kvd *db) {
    struct kvd_write_options write = {.condition = KVD_IF_VERSION};
    struct kvd_meta meta;
    enum kvd_status status;

    must(db, "meta", kvd_meta(db, kvd_text("example/name"), NULL, &meta));
    write.version = meta.version;
    must(db, "put", kvd_put(db, kvd_text("example/name"), kvd_text("Grace"), &write, NULL));
    status = kvd_put(db, kvd_text("example/name"), kvd_text("Edsger"), &write, NULL);
    expect("the second put", status == KVD_VERSION_MISMATCH);
    printf("second put refused: %s\n", kvd_error(db));
}

static void one_commit(struct kvd *db) {
    struct kvd_batch *batch;

    must(db, "batch", kvd_batch_create(&batch));
    must(db, "add", kvd_batch_put(batch, kvd_text("example/a"), kvd_text("1"), NULL));
    must(db, "add", kvd_batch_put(batch, kvd_text("example/b"), kvd_text("2"), NULL));
    must(db, "add", kvd_batch_delete(batch, kvd_text("example/name"), NULL));
    must(db, "commit", kvd_batch_commit(db, batch, NULL, NULL));
    kvd_batch_destroy(batch);
}

static void walk(struct kvd *db) {
    struct kvd_scan_options options = {.prefix = kvd_text("example/"), .reverse = true};
    struct kvd_scan *scan;
    struct kvd_entry entry;
    enum kvd_status status;
    uint64_t walked = 0;
    uint64_t count = 0;

    must(db, "scan", kvd_scan_open(db, &options, &scan));
    while ((status = kvd_scan_next(scan, &entry)) == KVD_OK) {
        printf("%.*s = %.*s\n", (int)entry.key.len, (const char *)entry.key.ptr,
               (int)entry.value.len, (const char *)entry.value.ptr);
        walked++;
    }
    kvd_scan_close(scan);
    expect("the end of the scan", status == KVD_END);
    must(db, "count", kvd_count(db, &options, &count));
    expect("count", count == walked && count == 2);
}

/* A hundred puts and deletes, sent at once. */
static void pipeline(struct kvd *db) {
    struct kvd_result result;
    char key[32];
    int done = 0;

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "example/%03d", i);
        must(db, "queue", kvd_pipeline_put(db, kvd_text(key), kvd_text("x"), NULL));
        must(db, "queue", kvd_pipeline_delete(db, kvd_text(key), NULL));
    }
    while (kvd_pipeline_next(db, &result) == KVD_OK) {
        if (kvd_outcome(result.status) != KVD_OUTCOME_DONE) {
            fprintf(stderr, "request %llu: %s\n", (unsigned long long)result.index, result.error);
            exit(EXIT_FAILURE);
        }
        done++;
    }
    expect("the pipeline", done == 200);
}

int main(int argc, char **argv) {
    struct kvd_connect_options options = {.timeout_ms = 5000, .client_name = "example"};
    enum kvd_status status;
    struct kvd *db;

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST:PORT | unix:PATH\n", argv[0]);
        return 2;
    }
    status = kvd_connect(argv[1], &options, &db); /* db is set in any case: it knows the reason */
    must(db, "connect", status);
    single_keys(db);
    compare_and_set(db);
    one_commit(db);
    walk(db);
    pipeline(db);
    must(db, "delete", kvd_delete(db, kvd_text("example/a"), NULL, NULL));
    must(db, "delete", kvd_delete(db, kvd_text("example/b"), NULL, NULL));
    kvd_close(db);
    return EXIT_SUCCESS;
}
