/* store.h: the one door of the storage engine.
 *
 * A store is a durable, ordered map from (namespace, key) to value, in one directory. Every commit
 * has a version; versions ascend. This is how a caller uses it:
 *
 *   read:    store_read_begin pins what is visible now; store_get and store_cursor_* copy values
 *            into the caller's buffer; store_read_end lets go. No function here returns a pointer
 *            into the store: what was copied is the caller's, what was not is not reachable.
 *   write:   a store_commit is filled with operations, submitted, and completed by a callback once
 *            it has reached the durability asked for.
 *   wait:    on a thread that must not wait for a disk, read with STORE_WAIT_NEVER; on WOULD_BLOCK
 *            post the same read as a store_task, which runs on an I/O thread, and pass
 *            STORE_WAIT_ALLOWED there.
 *   hold:    a read may see commits that a crash could still undo. It says so in store_hold; its
 *            answer must not leave before store_hold_passed, or before the callback of a
 *            store_waiter. So no answer shows what a crash of the promised kind takes back.
 *
 * Threads: all functions may be called from any thread, except that one store_read, store_cursor or
 * store_commit belongs to one thread at a time. Callbacks run on the engine's threads and may only
 * post to a mailbox: they must not call back into the store, block, or take locks held while
 * calling it.
 *
 * Failures: CORRUPT and IO name file and offset in struct error. After a failed write or sync of
 * the log or the manifest the store answers commits with LOG_FAILED until it is reopened; commits
 * that were waiting then complete with UNKNOWN; reads go on. */
#ifndef KVD_STORAGE_STORE_H
#define KVD_STORAGE_STORE_H

#include "storage/door/bulk.h"
#include "storage/door/commits.h"
#include "storage/door/feed.h"
#include "storage/door/maintenance.h"
#include "storage/door/opening.h"
#include "storage/door/reads.h"
#include "storage/door/transactions.h"

#endif
