/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What could not be settled while the pages streamed by, because it takes more than one page to
 * know it: the free list, and the ends of overflow chains. Then the checks.
 */
#include "source/sqlite/sqlite-internal.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"

#include <string.h>

struct settling {
    const struct sqlite_copy *copy;
    const struct source_file *file;
    const struct source_sink *sink;
    size_t index;
    uint8_t *free_pages; /* one bit per page */
    uint8_t *page;       /* room for one */
    uint8_t *other;      /* for another */
    uint8_t *zeros;
    uint32_t since_check;
};

static bool
settling_in_range(const struct settling *settling, uint32_t number)
{
    return number >= 2 && number <= settling->copy->geometry.page_count &&
           sqlite_page_role_of(&settling->copy->geometry, number) == SQLITE_PAGE_ORDINARY;
}

static bool
bit_get(const uint8_t *bits, uint32_t number)
{
    return bits[(number - 1) >> 3] >> ((number - 1) & 7) & 1;
}

static void
bit_set(uint8_t *bits, uint32_t number)
{
    bits[(number - 1) >> 3] |= (uint8_t)(1u << ((number - 1) & 7));
}

static bool
page_read(struct settling *settling, uint32_t number, uint8_t *page, struct err **err)
{
    if (++settling->since_check >= 1024) {
        settling->since_check = 0;
        if (!stop_check(err))
            return false;
    }
    uint32_t size = settling->copy->geometry.page_size;
    return file_pread_all(settling->file->fd, page, size, (uint64_t)(number - 1) * size,
                          "the snapshot", err);
}

/* Writes bytes [from, page_size) of a page that were changed. */
static bool
page_write(struct settling *settling, uint32_t number, const uint8_t *page, uint32_t from,
           struct err **err)
{
    uint32_t size = settling->copy->geometry.page_size;
    uint64_t offset = (uint64_t)(number - 1) * size + from;
    if (!file_pwrite_all(settling->file->fd, page + from, size - from, offset, "the snapshot", err))
        return false;
    if (settling->sink->touched)
        settling->sink->touched(settling->sink->context, settling->index, offset, size - from);
    return true;
}

static bool
page_replace(struct settling *settling, uint32_t number, const uint8_t *page, struct err **err)
{
    if (!page_read(settling, number, settling->other, err))
        return false;
    return memcmp(settling->other, page, settling->copy->geometry.page_size) == 0 ||
           page_write(settling, number, page, 0, err);
}

/* Marks all pages of the free list. *ret_count is how many there are, 0 if the list is damaged. */
static bool
free_list_walk(struct settling *settling, const struct sqlite_header *header, uint32_t *ret_count,
               struct err **err)
{
    uint32_t count = 0;
    uint32_t trunk = header->free_trunk;
    *ret_count = 0;
    while (trunk) {
        uint32_t leaves = 0;
        if (!settling_in_range(settling, trunk) || bit_get(settling->free_pages, trunk))
            return true;
        bit_set(settling->free_pages, trunk);
        if (!page_read(settling, trunk, settling->page, err))
            return false;
        if (!sqlite_trunk_parse(&settling->copy->geometry, settling->page, &trunk, &leaves))
            return true;
        for (uint32_t i = 0; i < leaves; i++) {
            uint32_t leaf = sqlite_trunk_leaf(settling->page, i);
            if (!settling_in_range(settling, leaf) || bit_get(settling->free_pages, leaf))
                return true;
            bit_set(settling->free_pages, leaf);
        }
        count += 1 + leaves;
    }
    if (count == header->free_count)
        *ret_count = count;
    return true;
}

static uint32_t
free_page_next(const struct settling *settling, uint32_t number)
{
    while (number <= settling->copy->geometry.page_count && !bit_get(settling->free_pages, number))
        number++;
    return number;
}

/* Free pages hold nothing, and in what order the list has them is history: it is made anew, in the
 * order of the file, and all that it does not need is zero. A damaged list is left to the check. */
static bool
free_list_settle(struct settling *settling, struct err **err)
{
    const struct sqlite_geometry *geometry = &settling->copy->geometry;
    struct sqlite_header header;
    const char *problem = NULL;
    uint32_t left = 0;
    if (!page_read(settling, 1, settling->page, err))
        return false;
    if (!sqlite_header_parse(settling->page, geometry->page_size, &header, &problem))
        return err_set(err, ERR_CORRUPT, 0, "the snapshot %s", problem);
    if (!free_list_walk(settling, &header, &left, err))
        return false;
    if (!left)
        return true;
    uint32_t trunk = free_page_next(settling, 2);
    if (trunk != header.free_trunk) {
        if (!page_read(settling, 1, settling->page, err))
            return false;
        sqlite_header_free_trunk(settling->page, trunk);
        if (!page_write(settling, 1, settling->page, 0, err))
            return false;
    }
    while (left) {
        uint32_t leaves =
            left - 1 < sqlite_trunk_room(geometry) ? left - 1 : sqlite_trunk_room(geometry);
        uint32_t number = trunk;
        memset(settling->page, 0, geometry->page_size);
        for (uint32_t i = 0; i < leaves; i++) {
            number = free_page_next(settling, number + 1);
            sqlite_trunk_put(settling->page, 2 + i, number);
            if (!page_replace(settling, number, settling->zeros, err))
                return false;
        }
        left -= 1 + leaves;
        uint32_t next = left ? free_page_next(settling, number + 1) : 0;
        sqlite_trunk_put(settling->page, 0, next);
        sqlite_trunk_put(settling->page, 1, leaves);
        if (!page_replace(settling, trunk, settling->page, err))
            return false;
        trunk = next;
    }
    return true;
}

/* Zeroes what follows the payload in the last page of a chain. */
static bool
chain_settle(struct settling *settling, const struct sqlite_chain *chain, uint64_t *hops,
             struct err **err)
{
    const struct sqlite_geometry *geometry = &settling->copy->geometry;
    uint32_t room = geometry->usable - 4;
    uint32_t number = chain->first;
    uint32_t left = chain->bytes;
    for (;; left -= room) {
        if (!settling_in_range(settling, number) || bit_get(settling->free_pages, number) || !*hops)
            return true; /* the check will tell */
        --*hops;
        if (!page_read(settling, number, settling->other, err))
            return false;
        if (left <= room)
            break;
        number = sqlite_get_u32(settling->other);
    }
    uint32_t used = 4 + left;
    if (memcmp(settling->other + used, settling->zeros, geometry->page_size - used) == 0)
        return true;
    return page_write(settling, number, settling->zeros, used, err);
}

static bool
chains_settle(struct settling *settling, struct err **err)
{
    const struct sqlite_geometry *geometry = &settling->copy->geometry;
    /* Each overflow page belongs to one chain: more hops than pages means that it is damaged. */
    uint64_t hops = geometry->page_count;
    for (uint32_t number = 1; number <= geometry->page_count; number++) {
        if (!bit_get(settling->copy->spilling, number) || bit_get(settling->free_pages, number))
            continue;
        if (!page_read(settling, number, settling->page, err))
            return false;
        uint32_t cells = sqlite_page_cells(geometry, number, settling->page);
        for (uint32_t i = 0; i < cells; i++) {
            struct sqlite_chain chain;
            if (sqlite_page_chain(geometry, number, settling->page, i, &chain) &&
                !chain_settle(settling, &chain, &hops, err))
                return false;
        }
    }
    return true;
}

bool
sqlite_source_settle(struct source *head, struct source_snapshot *shown,
                     const struct source_sink *sink, struct err **err)
{
    struct sqlite_source *source = (struct sqlite_source *)head;
    struct sqlite_snapshot *snapshot = (struct sqlite_snapshot *)shown;
    for (size_t i = 0; i < shown->count; i++) {
        const struct sqlite_copy *copy = &snapshot->copies[i];
        CLEANUP_FREE uint8_t *pages = mem_new_array(3, copy->geometry.page_size);
        CLEANUP_FREE uint8_t *free_pages = mem_new(copy->geometry.page_count / 8 + 1);
        struct settling settling = {
            .copy = copy,
            .file = &shown->files[i],
            .sink = sink,
            .index = i,
            .free_pages = free_pages,
            .page = pages,
            .other = pages + copy->geometry.page_size,
            .zeros = pages + 2 * copy->geometry.page_size,
        };
        if (!free_list_settle(&settling, err) || !chains_settle(&settling, err))
            return err_wrap(err, "cannot settle the snapshot of %s", source->masters[i].path);
    }
    if (sink->sealed)
        sink->sealed(sink->context);
    for (size_t i = 0; i < shown->count; i++) {
        CLEANUP_FREE char *what = mem_printf("the snapshot of %s", source->masters[i].path);
        if (!sqlite_check_fd(shown->files[i].fd, what, err))
            return false;
    }
    return true;
}
