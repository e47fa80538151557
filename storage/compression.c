/* compression.c: see compression.h. Contexts allocate through memory.h, so that tests can make each
 * of their allocations fail. */
#include "storage/compression.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/lock.h"

#define ZSTD_STATIC_LINKING_ONLY 1 /* for contexts with an allocator of our own */
#include <zstd.h>
#include <zstd_errors.h>

struct compression {
    struct mutex mu;
    ZSTD_CCtx *writers[COMPRESSION_CONTEXTS_KEPT] GUARDED_BY(mu); /* owned */
    ZSTD_DCtx *readers[COMPRESSION_CONTEXTS_KEPT] GUARDED_BY(mu); /* owned */
    unsigned writer_count GUARDED_BY(mu);
    unsigned reader_count GUARDED_BY(mu);
};

static void *context_alloc(void *opaque, size_t bytes) {
    (void)opaque;
    return memory_alloc(bytes);
}

static void context_free(void *opaque, void *ptr) {
    (void)opaque;
    memory_free(ptr);
}

static ZSTD_customMem context_memory(void) {
    return (ZSTD_customMem){context_alloc, context_free, NULL};
}

enum status compression_create(struct compression **compression_out) {
    struct compression *compression = memory_alloc_zeroed(sizeof *compression);

    if (!compression) {
        return STATUS_NO_MEMORY;
    }
    mutex_init(&compression->mu);
    *compression_out = compression;
    return STATUS_OK;
}

void compression_destroy(struct compression *compression) {
    if (!compression) {
        return;
    }
    for (unsigned i = 0; i < compression->writer_count; i++) {
        ZSTD_freeCCtx(compression->writers[i]);
    }
    for (unsigned i = 0; i < compression->reader_count; i++) {
        ZSTD_freeDCtx(compression->readers[i]);
    }
    mutex_deinit(&compression->mu);
    memory_free(compression);
}

static ZSTD_CCtx *writer_create(void) {
    ZSTD_CCtx *writer = ZSTD_createCCtx_advanced(context_memory());

    if (writer) {
        size_t result = ZSTD_CCtx_setParameter(writer, ZSTD_c_compressionLevel, COMPRESSION_LEVEL);
        ASSERT(!ZSTD_isError(result));
    }
    return writer;
}

static ZSTD_CCtx *writer_take(struct compression *compression) {
    ZSTD_CCtx *writer = NULL;

    mutex_lock(&compression->mu);
    if (compression->writer_count > 0) {
        writer = compression->writers[--compression->writer_count];
    }
    mutex_unlock(&compression->mu);
    return writer ? writer : writer_create();
}

static void writer_give(struct compression *compression, ZSTD_CCtx *writer) {
    bool kept = false;

    mutex_lock(&compression->mu);
    if (compression->writer_count < COMPRESSION_CONTEXTS_KEPT) {
        compression->writers[compression->writer_count++] = writer;
        kept = true;
    }
    mutex_unlock(&compression->mu);
    if (!kept) {
        ZSTD_freeCCtx(writer);
    }
}

static ZSTD_DCtx *reader_take(struct compression *compression) {
    ZSTD_DCtx *reader = NULL;

    mutex_lock(&compression->mu);
    if (compression->reader_count > 0) {
        reader = compression->readers[--compression->reader_count];
    }
    mutex_unlock(&compression->mu);
    return reader ? reader : ZSTD_createDCtx_advanced(context_memory());
}

static void reader_give(struct compression *compression, ZSTD_DCtx *reader) {
    bool kept = false;

    mutex_lock(&compression->mu);
    if (compression->reader_count < COMPRESSION_CONTEXTS_KEPT) {
        compression->readers[compression->reader_count++] = reader;
        kept = true;
    }
    mutex_unlock(&compression->mu);
    if (!kept) {
        ZSTD_freeDCtx(reader);
    }
}

static enum status status_of(size_t result, enum status otherwise) {
    if (!ZSTD_isError(result)) {
        return STATUS_OK;
    }
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? STATUS_NO_MEMORY : otherwise;
}

enum status compression_compress(struct compression *compression, struct slice raw, uint8_t *out,
                                 size_t *stored_bytes_out) {
    ZSTD_CCtx *writer;
    size_t result;

    if (raw.len < 8) {
        return STATUS_TOO_LARGE; /* a frame alone takes more */
    }
    writer = writer_take(compression);
    if (!writer) {
        return STATUS_NO_MEMORY;
    }
    result = ZSTD_compress2(writer, out, compression_room(raw.len), raw.ptr, raw.len);
    writer_give(compression, writer);
    if (!ZSTD_isError(result)) {
        *stored_bytes_out = result;
    }
    return status_of(result, STATUS_TOO_LARGE);
}

enum status compression_decompress(struct compression *compression, struct slice stored,
                                   uint8_t *out, size_t raw_bytes) {
    ZSTD_DCtx *reader = reader_take(compression);
    size_t result;

    if (!reader) {
        return STATUS_NO_MEMORY;
    }
    result = ZSTD_decompressDCtx(reader, out, raw_bytes, stored.ptr, stored.len);
    reader_give(compression, reader);
    if (!ZSTD_isError(result) && result != raw_bytes) {
        return STATUS_CORRUPT;
    }
    return status_of(result, STATUS_CORRUPT);
}
