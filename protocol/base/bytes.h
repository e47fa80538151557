/* bytes.h: integers as bytes, little-endian, and a reader that cannot run past its end.
 *
 * Used for everything on disk and on the wire; no struct is ever cast to bytes. Fixed widths are
 * loaded and stored through memcpy, which compilers turn into one instruction. A varint is LEB128:
 * seven bits a byte, low group first, the top bit set on all bytes but the last; at most 10 bytes,
 * and only the shortest form is accepted, so that one value has one encoding.
 *
 * struct reader walks a borrowed run of bytes. Each take returns false (and takes nothing) when the
 * bytes left do not suffice or are not well formed. */
#ifndef KVD_BASE_BYTES_H
#define KVD_BASE_BYTES_H

#include "protocol/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "kvd runs on little-endian machines; add byte swaps here for others");

#define VARINT32_BYTES_MAX 5
#define VARINT64_BYTES_MAX 10

static inline uint16_t load_u16(const uint8_t *ptr) {
    uint16_t value;
    memcpy(&value, ptr, sizeof value);
    return value;
}

static inline uint32_t load_u32(const uint8_t *ptr) {
    uint32_t value;
    memcpy(&value, ptr, sizeof value);
    return value;
}

static inline uint64_t load_u64(const uint8_t *ptr) {
    uint64_t value;
    memcpy(&value, ptr, sizeof value);
    return value;
}

static inline void store_u16(uint8_t *ptr, uint16_t value) {
    memcpy(ptr, &value, sizeof value);
}

static inline void store_u32(uint8_t *ptr, uint32_t value) {
    memcpy(ptr, &value, sizeof value);
}

static inline void store_u64(uint8_t *ptr, uint64_t value) {
    memcpy(ptr, &value, sizeof value);
}

/* How many bytes `value` takes as a varint: 1 to 10. */
static inline size_t varint_bytes(uint64_t value) {
    size_t bytes = 1;
    while (value >= 0x80) {
        value >>= 7;
        bytes++;
    }
    return bytes;
}

/* Writes `value` at ptr, which must have room for varint_bytes(value); returns the bytes written.
 */
static inline size_t varint_store(uint8_t *ptr, uint64_t value) {
    size_t bytes = 0;
    while (value >= 0x80) {
        ptr[bytes++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    ptr[bytes++] = (uint8_t)value;
    return bytes;
}

struct reader {
    const uint8_t *ptr; /* borrowed, next byte */
    const uint8_t *end; /* one past the last byte */
};

static inline struct reader reader_make(struct slice bytes) {
    return (struct reader){bytes.ptr, bytes.ptr + bytes.len};
}

static inline size_t reader_left(const struct reader *reader) {
    return (size_t)(reader->end - reader->ptr);
}

static inline bool reader_take_u8(struct reader *reader, uint8_t *value_out) {
    if (reader_left(reader) < 1) {
        return false;
    }
    *value_out = *reader->ptr++;
    return true;
}

static inline bool reader_take_u16(struct reader *reader, uint16_t *value_out) {
    if (reader_left(reader) < 2) {
        return false;
    }
    *value_out = load_u16(reader->ptr);
    reader->ptr += 2;
    return true;
}

static inline bool reader_take_u32(struct reader *reader, uint32_t *value_out) {
    if (reader_left(reader) < 4) {
        return false;
    }
    *value_out = load_u32(reader->ptr);
    reader->ptr += 4;
    return true;
}

static inline bool reader_take_u64(struct reader *reader, uint64_t *value_out) {
    if (reader_left(reader) < 8) {
        return false;
    }
    *value_out = load_u64(reader->ptr);
    reader->ptr += 8;
    return true;
}

/* Takes a varint of up to 64 bits in its shortest form. */
static inline bool reader_take_varint(struct reader *reader, uint64_t *value_out) {
    const uint8_t *ptr = reader->ptr;
    uint64_t value = 0;
    unsigned shift;

    for (shift = 0; shift < 64 && ptr < reader->end; shift += 7) {
        uint8_t byte = *ptr++;
        uint64_t group = byte & 0x7F;
        if (shift == 63 && byte > 1) {
            return false; /* more than 64 bits */
        }
        value |= group << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0) {
                return false; /* not the shortest form */
            }
            reader->ptr = ptr;
            *value_out = value;
            return true;
        }
    }
    return false;
}

/* Takes a varint that must fit 32 bits. */
static inline bool reader_take_varint32(struct reader *reader, uint32_t *value_out) {
    struct reader saved = *reader;
    uint64_t value;

    if (!reader_take_varint(reader, &value) || value > UINT32_MAX) {
        *reader = saved;
        return false;
    }
    *value_out = (uint32_t)value;
    return true;
}

/* Takes `len` bytes; the slice borrows from what the reader walks. */
static inline bool reader_take_bytes(struct reader *reader, size_t len, struct slice *bytes_out) {
    if (reader_left(reader) < len) {
        return false;
    }
    *bytes_out = slice_make(reader->ptr, len);
    reader->ptr += len;
    return true;
}

/* Takes a varint length and that many bytes, borrowed as above. */
static inline bool reader_take_block(struct reader *reader, struct slice *bytes_out) {
    struct reader saved = *reader;
    uint64_t len;

    if (!reader_take_varint(reader, &len) || len > reader_left(reader)) {
        *reader = saved;
        return false;
    }
    return reader_take_bytes(reader, (size_t)len, bytes_out);
}

#endif
