/* restore_space.h: the writes of one namespace of a backup. */
#ifndef KVCLI_RESTORE_SPACE_H
#define KVCLI_RESTORE_SPACE_H

#include "client/kvcli/backup_reader.h"
#include "client/kvcli/write_stream.h"

struct restore_totals {
    uint64_t keys;
    uint64_t bytes;
    uint64_t deleted;
    uint64_t expired; /* left out */
    uint64_t resumed;
};

/* What becomes of the pieces of a long value. */
enum restore_long { RESTORE_LEFT_OUT, RESTORE_GATHERED, RESTORE_UPLOADED };

struct restore_space {
    struct options options; /* of the command, with the namespace that is written to */
    struct cli cli;         /* connected to it */
    struct write_stream stream;
    uint64_t value_max; /* of the server */
    uint64_t now_ms;    /* what expires before has expired */
    bool upserts;       /* keys may be there: what has expired is deleted */
    enum restore_long long_mode;
    struct kvd_upload *upload; /* owned */
    struct backup_entry entry; /* the long one at hand, but for its slices */
    struct buffer key;         /* owned: its */
    struct buffer value;       /* owned: gathered */
    struct restore_totals totals;
};

/* Connects. Returns the exit code; failures are printed. end is due in any case. */
int restore_space_begin(struct restore_space *space, const struct cli *cli, const char *name,
                        bool upserts);

/* Whether it has no keys: CLI_DONE, or printed. */
int restore_space_check_empty(struct restore_space *space);

/* Deletes all keys. Returns the exit code; failures are printed. */
int restore_space_clear(struct restore_space *space);

/* Takes an item that is ENTRY, PIECE or VALUE_END. False when the stream has ended: stop. */
bool restore_space_take(struct restore_space *space, const struct backup_item *item);

/* Waits for all writes, adds what was done to the totals. Returns the exit code of all; failures
 * are printed. */
int restore_space_end(struct restore_space *space, struct restore_totals *totals);

#endif
