/* commit_catalogue.h: what a commit does to the catalogue of namespaces (namespaces.h).
 *
 *      filled:    the names to set and to drop, in commit->catalogue
 *      staged:    on the commit lane: ids are looked up, or given, and the rows are added to the
 * batch; so is the row of each new namespace that the commit writes to, unless an earlier commit
 * has carried it. Ids that are dropped are refused. inserted, visible, answered: the names follow
 *
 * Two sets, or a set and a drop, of one name so happen in the order of their commits, whatever
 * their threads had looked up before. Commit lane, where not said otherwise. */
#ifndef KVD_STORAGE_COMMIT_CATALOGUE_H
#define KVD_STORAGE_COMMIT_CATALOGUE_H

#include "storage/commit_request.h"
#include "storage/namespaces.h"

/* See store.h; the owner's thread. Errors: INVALID also when the name occurs twice. */
enum status commit_catalogue_set(struct store_commit *commit, struct slice name,
                                 const struct store_namespace_settings *settings) MUST_CHECK;
enum status commit_catalogue_drop(struct store_commit *commit, struct slice name) MUST_CHECK;

/* Adds the rows to the batch. Errors: NOT_FOUND (a namespace that was dropped), INVALID (it drops
 * one that it also writes to), BUSY (too many namespaces), TOO_LARGE, NO_MEMORY: the commit fails.
 */
enum status commit_catalogue_stage(struct store_commit *commit,
                                   struct namespaces *namespaces) MUST_CHECK;

/* The commit is in the memtable: names are not pending any more, or dropped. */
void commit_catalogue_inserted(const struct store_commit *commit, struct namespaces *namespaces);

/* It is visible: settings hold. */
void commit_catalogue_visible(const struct store_commit *commit, struct namespaces *namespaces);

/* It is answered: what it dropped is gone. Any thread. */
void commit_catalogue_answered(const struct store_commit *commit, struct namespaces *namespaces);

#endif
