/* backup_fuzz.c: blocks of any kind and content, each sealed as it should be: reading such a backup
 * from its start, and looking up keys in it, ends, and never leaves the bytes. The input is a list
 * of blocks: kind u8, content block. Bits of the first byte: 0x01 the backup has a version that it
 * continues; 0x02 then: it marks namespaces that are new. */
#include "client/kvcli/backup_lookup.h"
#include "client/kvcli/backup_reader.h"

#include <stdlib.h>

#define FILE_BYTES_MAX ((size_t)4 << 20)
#define STEPS_MAX 10000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status read_from(void *arg, uint64_t offset, void *data, size_t len, size_t *got_out,
                             struct error *error) {
    const struct buffer *file = arg;
    size_t left = offset < file->len ? file->len - (size_t)offset : 0;

    (void)error;
    *got_out = len < left ? len : left;
    if (*got_out > 0) {
        memcpy(data, file->data + offset, *got_out);
    }
    return STATUS_OK;
}

/* Seals the blocks of the input into a file. */
static enum status make_file(struct reader *input, struct buffer *file) {
    struct backup_header header = {.version = 9};
    struct backup_block_head head = {.number = 0};
    struct backup_codec codec;
    struct slice content;
    struct slice bytes;
    uint8_t kind;
    enum status status;

    if (!reader_take_u8(input, &kind)) {
        return STATUS_END;
    }
    header.since = kind & 1;
    header.marks_new = (kind & 3) == 3;
    backup_codec_init(&codec, 0);
    status = backup_header_append(file, &header, &codec.seed);
    while (status == STATUS_OK && reader_take_u8(input, &kind) &&
           reader_take_block(input, &content)) {
        head.kind = kind % (BACKUP_END + 1u);
        head.offset = file->len;
        status = backup_block_seal(&codec, &head, content, &bytes);
        if (status == STATUS_OK) {
            status = buffer_append(file, bytes.ptr, bytes.len);
        }
        head.number++;
    }
    backup_codec_deinit(&codec);
    return status;
}

static void read_all(const struct backup_source *source) {
    struct backup_reader *reader = NULL;
    struct backup_item item = {0};
    struct error error;
    uint64_t sum = 0;
    enum status status = backup_reader_create(source, &reader, &error);

    while (status == STATUS_OK && item.event != BACKUP_EVENT_END) {
        status = backup_reader_next(reader, &item, &error);
        for (size_t i = 0; status == STATUS_OK && i < item.entry.value.len; i++) {
            sum += item.entry.value.ptr[i];
        }
    }
    backup_reader_destroy(reader);
    if (sum == UINT64_MAX) {
        abort();
    }
}

static enum status take_piece(void *arg, struct slice piece) {
    uint64_t *sum = arg;

    *sum += piece.len;
    return STATUS_OK;
}

static void walk(struct backup_lookup *lookup, struct slice from, bool reverse) {
    struct backup_entry entry;
    struct error error;
    uint64_t sum = 0;
    uint64_t checksum;
    enum status status = backup_lookup_seek(lookup, from, reverse, &entry, &error);

    for (uint32_t steps = 0; status == STATUS_OK && steps < STEPS_MAX; steps++) {
        if (entry.is_long &&
            backup_lookup_long(lookup, take_piece, &sum, &checksum, &error) == STATUS_OK &&
            sum < entry.length) {
            abort();
        }
        status = reverse ? backup_lookup_prev(lookup, &entry, &error)
                         : backup_lookup_next(lookup, &entry, &error);
    }
}

static void look_up(const struct backup_source *source, struct slice key) {
    struct backup_lookup *lookup = NULL;
    struct error error;

    if (backup_lookup_create(source, &lookup, &error) == STATUS_OK &&
        backup_lookup_use(lookup, "", &error) == STATUS_OK) {
        walk(lookup, key, false);
        walk(lookup, key, true);
        walk(lookup, slice_make(NULL, 0), true);
    }
    backup_lookup_destroy(lookup);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader input = reader_make(slice_make(data, size));
    struct buffer file;

    buffer_init(&file, FILE_BYTES_MAX);
    if (make_file(&input, &file) == STATUS_OK) {
        struct backup_source source = {read_from, &file, "file", file.len};
        read_all(&source);
        look_up(&source, slice_make(data, size < 5 ? size : 5));
    }
    buffer_deinit(&file);
    return 0;
}
