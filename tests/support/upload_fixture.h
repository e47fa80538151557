/* upload_fixture.h: large values for store_fixture.h: content that any part of can be made anew, so
 * that no test holds a large value, and verbs that upload it. */
#ifndef KVD_TESTS_UPLOAD_FIXTURE_H
#define KVD_TESTS_UPLOAD_FIXTURE_H

#include "tests/support/store_fixture.h"

/* Bytes [offset, offset + len) of the content that `seed` stands for. Every third 64 KiB does not
 * compress. */
void upload_fill(uint8_t *bytes, size_t len, uint64_t offset, uint64_t seed);

/* Begins and appends `bytes` of it, in uneven pieces; not finished. */
struct store_upload *upload_start(struct fixture *fixture, const char *key, uint64_t bytes,
                                  uint64_t seed);

/* The same, but what fails is returned, with fixture->error. *upload_out: to be destroyed if not
 * NULL. */
enum status upload_try(struct fixture *fixture, const char *key, uint64_t bytes, uint64_t seed,
                       struct store_upload **upload_out);

/* Names the value of a finished upload by a commit. */
struct store_outcome upload_commit(struct fixture *fixture, const char *key,
                                   struct store_upload *upload, struct store_condition condition);

/* All of it, as one verb; fails the test if anything does. */
void upload_put(struct fixture *fixture, const char *key, uint64_t bytes, uint64_t seed);

/* Reads it range by range and compares; info too. */
void upload_expect(struct fixture *fixture, const char *key, uint64_t bytes, uint64_t seed);

/* A range, into fixture->value. */
enum status upload_get_range(struct fixture *fixture, const char *key, uint64_t offset,
                             uint64_t length, enum store_wait wait);

/* How many segment files are in the store's directory. */
uint32_t upload_segment_files(struct fixture *fixture);

#endif
