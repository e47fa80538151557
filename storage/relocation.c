/* relocation.c: see relocation.h. */
#include "storage/relocation.h"

#include "protocol/base/assert.h"
#include "protocol/base/bytes.h"
#include "protocol/base/memory.h"

#define PAGES_AT_ONCE 64u /* appended: 256 KiB, so that a long section takes no long buffer */

/* ---- writing ---- */

struct section_writer {
    struct segment_writer *writer; /* borrowed */
    uint64_t home;
    uint64_t *firsts; /* owned: first old offset of each page */
    uint32_t page_count;
    struct buffer piece; /* pages that are not appended yet */
};

static enum status piece_append(struct section_writer *section, struct error *error) {
    enum status status = STATUS_OK;

    if (section->piece.len > 0) {
        status =
            segment_writer_append_section(section->writer, buffer_slice(&section->piece), error);
        buffer_clear(&section->piece);
    }
    return status;
}

/* Room in the piece for `bytes`, which will lie in the segment at *offset_out. */
static enum status piece_extend(struct section_writer *section, size_t bytes, uint8_t **ptr_out,
                                uint64_t *offset_out, struct error *error) {
    enum status status = STATUS_OK;

    if (section->piece.len + bytes > PAGES_AT_ONCE * RELOCATION_PAGE_BYTES) {
        status = piece_append(section, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    *offset_out = segment_writer_position(section->writer) + section->piece.len;
    status = buffer_extend(&section->piece, bytes, ptr_out);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "a relocation");
}

static enum status append_page(struct section_writer *section,
                               const struct relocation_entry *entries, uint32_t count,
                               struct error *error) {
    size_t bytes = RELOCATION_HEADER_BYTES + count * (size_t)RELOCATION_ENTRY_BYTES;
    uint64_t offset;
    uint8_t *ptr;
    enum status status = piece_extend(section, bytes, &ptr, &offset, error);

    if (status == STATUS_OK) {
        section->firsts[section->page_count++] = entries[0].old_offset;
        (void)relocation_page_store(ptr, section->home, entries, count,
                                    segment_writer_seed(section->writer), offset);
    }
    return status;
}

static enum status append_pages(struct section_writer *section,
                                const struct relocation_entry *entries, uint64_t count,
                                struct error *error) {
    enum status status = STATUS_OK;

    for (uint64_t i = 0; i < count && status == STATUS_OK; i += RELOCATION_PAGE_ENTRIES) {
        uint64_t left = count - i;
        ASSERT(i == 0 || entries[i - 1].old_offset < entries[i].old_offset);
        status = append_page(
            section, &entries[i],
            left < RELOCATION_PAGE_ENTRIES ? (uint32_t)left : RELOCATION_PAGE_ENTRIES, error);
    }
    return status;
}

static enum status append_index(struct section_writer *section, uint64_t count,
                                struct error *error) {
    uint64_t offset;
    uint8_t *ptr;
    enum status status =
        piece_extend(section, (size_t)relocation_index_bytes(count), &ptr, &offset, error);

    if (status == STATUS_OK) {
        (void)relocation_index_store(ptr, section->home, section->firsts, section->page_count,
                                     segment_writer_seed(section->writer), offset);
        status = piece_append(section, error);
    }
    return status;
}

enum status relocation_section_append(struct segment_writer *writer, uint64_t home,
                                      const struct relocation_entry *entries, uint64_t count,
                                      struct relocation *relocation_out, struct error *error) {
    struct section_writer section = {.writer = writer, .home = home};
    struct relocation relocation = {.home = home,
                                    .target = segment_writer_number(writer),
                                    .section_offset = segment_writer_position(writer),
                                    .section_bytes = relocation_section_bytes(count),
                                    .entries = count};
    enum status status;

    ASSERT(relocation_is_valid(&relocation));
    buffer_init(&section.piece, SIZE_MAX);
    section.firsts = memory_alloc_array(relocation_page_count(count), sizeof *section.firsts);
    if (!section.firsts) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET, "a relocation");
    }
    status = append_pages(&section, entries, count, error);
    if (status == STATUS_OK) {
        status = append_index(&section, count, error);
    }
    buffer_deinit(&section.piece);
    memory_free(section.firsts);
    if (status == STATUS_OK) {
        ASSERT(segment_writer_position(writer) ==
               relocation.section_offset + relocation.section_bytes);
        *relocation_out = relocation;
    }
    return status;
}

/* ---- reading ---- */

/* A page or the index: where it lies, and what it must be. */
struct part_place {
    uint64_t offset;
    uint64_t bytes;
    bool is_index;
};

static struct part_place index_place(const struct relocation *relocation) {
    uint64_t bytes = relocation_index_bytes(relocation->entries);

    return (struct part_place){relocation->section_offset + relocation->section_bytes - bytes,
                               bytes, true};
}

static struct part_place page_place(const struct relocation *relocation, uint64_t page) {
    return (struct part_place){relocation->section_offset + page * RELOCATION_PAGE_BYTES,
                               relocation_page_bytes(relocation->entries, page), false};
}

_Static_assert(RELOCATION_HEADER_BYTES + RELOCATION_PAGE_ENTRIES * RELOCATION_ENTRY_BYTES ==
                   RELOCATION_PAGE_BYTES,
               "a full page has no gap, so pages follow each other at its size");

/* Reads and verifies a part of a section. */
struct part_request {
    const struct relocation *relocation; /* borrowed */
    struct part_place place;
    enum read_wait wait;
};

static enum status part_read(struct segment *segment, const struct part_request *request,
                             uint8_t *out, struct relocation_part *part_out, struct error *error) {
    const struct segment_header *header = segment_header(segment);
    const struct part_place *place = &request->place;
    uint64_t seed = segment_seed(header->store_id, header->number);
    struct slice bytes = slice_make(out, (size_t)place->bytes);
    enum status status =
        segment_read_bytes(segment, place->offset, bytes.len, request->wait, out, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = place->is_index ? relocation_index_load(bytes, seed, place->offset, part_out)
                             : relocation_page_load(bytes, seed, place->offset, part_out);
    if (status == STATUS_OK && part_out->home != request->relocation->home) {
        status = STATUS_CORRUPT; /* whole, but of another section */
    }
    return status == STATUS_OK ? STATUS_OK
                               : segment_fail(segment, status, place->offset,
                                              place->is_index ? "index of a relocation is damaged"
                                                              : "page of a relocation is damaged",
                                              error);
}

/* Reads a part into a new block. */
static enum status block_read(const struct relocation_source *source,
                              const struct part_request *request, struct cached_block **block_out,
                              struct error *error) {
    uint64_t target = request->relocation->target;
    struct cached_block *block = cached_block_create((size_t)request->place.bytes);
    struct segment_handle *handle;
    struct relocation_part part;
    enum status status;

    if (!block) {
        return segment_cache_fail(source->segments, target, request->place.offset, STATUS_NO_MEMORY,
                                  "reading a relocation", error);
    }
    status = segment_cache_pin(source->segments, target, request->wait, &handle, error);
    if (status == STATUS_OK) {
        status = part_read(segment_handle_get(handle), request, block->data, &part, error);
        segment_cache_unpin(source->segments, handle);
    }
    if (status != STATUS_OK) {
        cached_block_unref(block);
        return status;
    }
    block->len = (uint32_t)request->place.bytes;
    *block_out = block;
    return STATUS_OK;
}

/* The part as a block, which the caller lets go. */
static enum status block_pin(const struct relocation_source *source,
                             const struct part_request *request, struct cached_block **block_out,
                             struct error *error) {
    uint64_t target = request->relocation->target;
    uint64_t offset = request->place.offset;
    enum status status;

    *block_out = source->blocks ? block_cache_find(source->blocks, target, offset) : NULL;
    if (*block_out) {
        return STATUS_OK;
    }
    status = block_read(source, request, block_out, error);
    if (status == STATUS_OK && source->blocks) {
        block_cache_insert(source->blocks, target, offset, *block_out);
    }
    return status;
}

static struct relocation_part block_part(const struct cached_block *block) {
    return relocation_part_of(slice_make(block->data, block->len));
}

/* The page that may have the offset, by the index. */
static enum status find_page(const struct relocation_source *source,
                             const struct relocation *relocation, uint64_t old_offset,
                             enum read_wait wait, uint32_t *page_out, struct error *error) {
    struct part_request request = {relocation, index_place(relocation), wait};
    struct cached_block *block;
    struct relocation_part part;
    enum status status = block_pin(source, &request, &block, error);

    if (status == STATUS_OK) {
        part = block_part(block);
        status = relocation_part_page(&part, old_offset, page_out);
        cached_block_unref(block);
    }
    return status;
}

enum status relocation_find(const struct relocation_source *source,
                            const struct relocation *relocation, uint64_t old_offset,
                            enum read_wait wait, uint64_t *new_offset_out, struct error *error) {
    struct part_request request = {.relocation = relocation, .wait = wait};
    struct cached_block *block;
    struct relocation_part part;
    uint32_t page;
    enum status status = find_page(source, relocation, old_offset, wait, &page, error);

    if (status == STATUS_OK) {
        request.place = page_place(relocation, page);
        status = block_pin(source, &request, &block, error);
    }
    if (status == STATUS_OK) {
        part = block_part(block);
        status = relocation_part_find(&part, old_offset, new_offset_out);
        cached_block_unref(block);
    }
    if (status == STATUS_NOT_FOUND) { /* which would read as: no such key */
        status = segment_cache_fail(source->segments, relocation->target,
                                    relocation->section_offset, STATUS_CORRUPT,
                                    "a relocation does not have a record that is sought", error);
    }
    return status;
}

/* ---- iterating ---- */

struct walk {
    struct segment *segment;             /* borrowed */
    const struct relocation *relocation; /* borrowed */
    relocation_entry_cb entry_cb;
    void *arg;
    struct relocation_part index; /* in memory of the caller */
    uint64_t last;                /* old offset of the entry before */
    bool begun;
};

static enum status walk_entries(struct walk *walk, const struct relocation_part *page) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < page->count && status == STATUS_OK; i++) {
        struct relocation_entry entry = relocation_part_entry(page, i);
        if (walk->begun && entry.old_offset <= walk->last) {
            return STATUS_CORRUPT;
        }
        walk->begun = true;
        walk->last = entry.old_offset;
        status = walk->entry_cb(walk->arg, &entry);
    }
    return status;
}

static enum status walk_page(struct walk *walk, uint32_t number, struct error *error) {
    uint8_t bytes[RELOCATION_PAGE_BYTES];
    struct part_request request = {walk->relocation, page_place(walk->relocation, number),
                                   READ_WAIT_ALLOWED};
    struct relocation_part page;
    enum status status = part_read(walk->segment, &request, bytes, &page, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (page.first != load_u64(walk->index.body.ptr + number * sizeof(uint64_t))) {
        status = STATUS_CORRUPT;
    } else {
        status = walk_entries(walk, &page);
    }
    return status == STATUS_CORRUPT ? segment_fail(walk->segment, status, request.place.offset,
                                                   "pages of a relocation are out of order", error)
                                    : status;
}

static enum status walk_pages(struct walk *walk, struct error *error) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < walk->index.count && status == STATUS_OK; i++) {
        status = walk_page(walk, i, error);
    }
    return status;
}

/* With the index in memory of its own. */
static enum status walk_section(struct walk *walk, struct error *error) {
    struct part_request request = {walk->relocation, index_place(walk->relocation),
                                   READ_WAIT_ALLOWED};
    uint8_t *bytes = memory_alloc((size_t)request.place.bytes);
    enum status status;

    if (!bytes) {
        return segment_fail(walk->segment, STATUS_NO_MEMORY, request.place.offset,
                            "reading a relocation", error);
    }
    status = part_read(walk->segment, &request, bytes, &walk->index, error);
    if (status == STATUS_OK) {
        status = walk_pages(walk, error);
    }
    memory_free(bytes);
    return status;
}

enum status relocation_iterate(struct segment_cache *segments, const struct relocation *relocation,
                               relocation_entry_cb entry_cb, void *arg, struct error *error) {
    struct walk walk = {.relocation = relocation, .entry_cb = entry_cb, .arg = arg};
    struct segment_handle *handle;
    enum status status =
        segment_cache_pin(segments, relocation->target, READ_WAIT_ALLOWED, &handle, error);

    if (status == STATUS_OK) {
        walk.segment = segment_handle_get(handle);
        status = walk_section(&walk, error);
        segment_cache_unpin(segments, handle);
    }
    return status;
}
