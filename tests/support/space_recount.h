/* space_recount.h: what holds which segment, counted by walking every entry of every table and
 * memtable, to compare the accounts (holders.h) with; and the bytes that are really on the disk. */
#ifndef KVD_TESTS_SPACE_RECOUNT_H
#define KVD_TESTS_SPACE_RECOUNT_H

#include "storage/env.h"
#include "storage/store.h"

/* Fails the test where an account differs from the count, a reference leads nowhere, or a file in
 * the directory is unknown to the store. Nothing may be running. */
void recount_accounts(struct store *store);

/* All files of the directory. */
uint64_t recount_disk_bytes(struct env *env, const char *dir);

uint64_t recount_manifest_bytes(struct env *env, const char *dir);

/* Files of one kind: the ending of the name ("segment"). */
uint32_t recount_files(struct env *env, const char *dir, const char *ending);

/* The numbers of live segments of a kind, ascending; returns how many there are. */
uint32_t recount_segments(struct store *store, int kind, uint64_t *numbers_out, uint32_t room);

/* The number of relocations. */
uint32_t recount_relocations(struct store *store);

#endif
