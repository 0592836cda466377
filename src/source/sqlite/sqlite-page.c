/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlite/sqlite-page.h"

#include <string.h>

enum {
    PAGE_INDEX_INTERIOR = 2,
    PAGE_TABLE_INTERIOR = 5,
    PAGE_INDEX_LEAF = 10,
    PAGE_TABLE_LEAF = 13,
};

uint32_t
sqlite_get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

uint32_t
sqlite_get_u16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static void
put_u32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

bool
sqlite_header_parse(const uint8_t *bytes, size_t length, struct sqlite_header *ret_header,
                    const char **ret_problem)
{
    static const char magic[16] = "SQLite format 3";
    size_t compared = length < sizeof magic ? length : sizeof magic;
    if (!length || memcmp(bytes, magic, compared) != 0) {
        *ret_problem = "is not an SQLite database (or it is encrypted)";
        return false;
    }
    if (length < SQLITE_HEADER_BYTES) {
        *ret_problem = "is not a whole SQLite database: it ends within its header";
        return false;
    }
    uint32_t page_size = sqlite_get_u16(bytes + 16);
    if (page_size == 1)
        page_size = SQLITE_PAGE_SIZE_MAX;
    if (page_size < SQLITE_PAGE_SIZE_MIN || page_size & (page_size - 1)) {
        *ret_problem =
            "has a damaged header: its page size is not a power of two from 512 to 65536";
        return false;
    }
    if (bytes[19] > 2 || !bytes[18] || !bytes[19]) {
        *ret_problem = "has a file format that this build of SQLite does not read";
        return false;
    }
    uint32_t reserved = bytes[20];
    if (page_size - reserved < 480 || bytes[21] != 64 || bytes[22] != 32 || bytes[23] != 32) {
        *ret_problem =
            "has a damaged header: its payload fractions or reserved bytes are impossible";
        return false;
    }
    *ret_header = (struct sqlite_header){
        .page_size = page_size,
        .reserved = reserved,
        .wal = bytes[19] == 2,
        .change_counter = sqlite_get_u32(bytes + 24),
        .page_count = sqlite_get_u32(bytes + 28),
        .free_trunk = sqlite_get_u32(bytes + 32),
        .free_count = sqlite_get_u32(bytes + 36),
        .pointer_maps = sqlite_get_u32(bytes + 52) != 0,
    };
    return true;
}

void
sqlite_header_settle(uint8_t *page1, uint32_t page_count)
{
    page1[18] = page1[19] = 1; /* a reader must not look for a write-ahead log */
    put_u32(page1 + 24, SQLITE_SETTLED_COUNTER);
    put_u32(page1 + 28, page_count);
    put_u32(page1 + 40, SQLITE_SETTLED_COUNTER);
    put_u32(page1 + 48, 0); /* default_cache_size: a habit of the master's, not content */
    memset(page1 + 72, 0, 20);
    put_u32(page1 + 92, SQLITE_SETTLED_COUNTER);
    put_u32(page1 + 96, SQLITE_SETTLED_VERSION);
}

enum sqlite_page_role
sqlite_page_role_of(const struct sqlite_geometry *geometry, uint32_t number)
{
    uint32_t lock_byte = SQLITE_LOCK_BYTE / geometry->page_size + 1;
    if (number == lock_byte)
        return SQLITE_PAGE_LOCK_BYTE;
    if (!geometry->pointer_maps || number < 2)
        return SQLITE_PAGE_ORDINARY;
    uint32_t span = geometry->usable / 5 + 1;
    uint32_t map = (number - 2) / span * span + 2;
    if (map == lock_byte)
        map++;
    return map == number ? SQLITE_PAGE_POINTER_MAP : SQLITE_PAGE_ORDINARY;
}

/* A b-tree page's header and cell pointers, which are known to lie inside the page. */
struct tree_page {
    uint8_t type;
    uint32_t header;   /* where the page's header is */
    uint32_t cells;    /* how many */
    uint32_t pointers; /* where their pointers begin */
    uint32_t gap;      /* and end */
    uint32_t content;  /* where the cells' area begins */
};

static bool
tree_page_parse(const struct sqlite_geometry *geometry, uint32_t number, const uint8_t *page,
                struct tree_page *ret)
{
    if (sqlite_page_role_of(geometry, number) != SQLITE_PAGE_ORDINARY)
        return false;
    struct tree_page tree = {.header = number == 1 ? SQLITE_HEADER_BYTES : 0};
    const uint8_t *header = page + tree.header;
    tree.type = header[0];
    bool interior = tree.type == PAGE_INDEX_INTERIOR || tree.type == PAGE_TABLE_INTERIOR;
    if (!interior && tree.type != PAGE_INDEX_LEAF && tree.type != PAGE_TABLE_LEAF)
        return false;
    tree.cells = sqlite_get_u16(header + 3);
    tree.pointers = tree.header + (interior ? 12 : 8);
    tree.gap = tree.pointers + 2 * tree.cells;
    tree.content = sqlite_get_u16(header + 5);
    if (!tree.content)
        tree.content = 65536;
    if (tree.gap > tree.content || tree.content > geometry->usable)
        return false;
    *ret = tree;
    return true;
}

/* The SQLite varint at *at: big-endian groups of 7 bits, a ninth byte has all 8. */
static bool
varint_read(const uint8_t *page, uint32_t end, uint32_t *at, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int i = 0; i < 9; i++) {
        if (*at >= end)
            return false;
        uint8_t byte = page[(*at)++];
        if (i == 8) {
            *ret_value = value << 8 | byte;
            return true;
        }
        value = value << 7 | (byte & 0x7f);
        if (!(byte & 0x80))
            break;
    }
    *ret_value = value;
    return true;
}

struct cell {
    uint32_t size; /* bytes in the page */
    struct sqlite_chain chain;
};

static bool
cell_parse(const struct sqlite_geometry *geometry, uint8_t type, const uint8_t *page,
           uint32_t offset, struct cell *ret_cell)
{
    const uint32_t usable = geometry->usable;
    uint32_t at = offset;
    uint64_t payload = 0;
    uint64_t rowid = 0;
    struct cell cell = {0};
    if (type == PAGE_INDEX_INTERIOR || type == PAGE_TABLE_INTERIOR)
        at += 4;
    if (type != PAGE_TABLE_INTERIOR && !varint_read(page, usable, &at, &payload))
        return false;
    if ((type == PAGE_TABLE_LEAF || type == PAGE_TABLE_INTERIOR) &&
        !varint_read(page, usable, &at, &rowid))
        return false;
    if (payload > INT32_MAX)
        return false;
    uint32_t most = type == PAGE_TABLE_LEAF ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    uint32_t local = (uint32_t)payload;
    if (local > most) {
        uint32_t least = (usable - 12) * 32 / 255 - 23;
        local = least + ((uint32_t)payload - least) % (usable - 4);
        if (local > most)
            local = least;
        cell.chain.bytes = (uint32_t)payload - local;
    }
    at += local;
    if (cell.chain.bytes) {
        if (at + 4 > usable)
            return false;
        cell.chain.first = sqlite_get_u32(page + at);
        at += 4;
    }
    if (at > usable)
        return false;
    cell.size = at - offset;
    *ret_cell = cell;
    return true;
}

/* A cell takes at least 4 bytes, so that a free block fits in its place. */
static uint32_t
cell_room(const struct cell *cell)
{
    return cell->size < 4 ? 4 : cell->size;
}

/* Adds up cells, free blocks and fragments: do they fill the cells' area exactly? */
static bool
tree_page_adds_up(const struct sqlite_geometry *geometry, const struct tree_page *tree,
                  const uint8_t *page, bool *ret_spills, bool *ret_padded)
{
    uint64_t used = page[tree->header + 7];
    for (uint32_t i = 0; i < tree->cells; i++) {
        uint32_t offset = sqlite_get_u16(page + tree->pointers + 2 * i);
        struct cell cell;
        if (offset < tree->content || !cell_parse(geometry, tree->type, page, offset, &cell) ||
            offset + cell_room(&cell) > geometry->usable)
            return false;
        used += cell_room(&cell);
        *ret_spills |= cell.chain.bytes != 0;
        *ret_padded |= cell.size < 4;
    }
    uint32_t least = tree->content;
    for (uint32_t block = sqlite_get_u16(page + tree->header + 1); block;
         block = sqlite_get_u16(page + block)) {
        if (block < least || block + 4 > geometry->usable)
            return false;
        uint32_t size = sqlite_get_u16(page + block + 2);
        if (size < 4 || block + size > geometry->usable)
            return false;
        used += size;
        least = block + size;
    }
    return used == geometry->usable - tree->content;
}

static void
tree_page_clean(const struct sqlite_geometry *geometry, const struct tree_page *tree, uint8_t *page,
                bool padded, struct sqlite_page_scratch *scratch)
{
    memset(page + tree->gap, 0, tree->content - tree->gap);
    uint32_t block = sqlite_get_u16(page + tree->header + 1);
    bool fragments = page[tree->header + 7] != 0;
    if (!padded && !block && !fragments)
        return;
    uint16_t *extent = scratch->extent;
    if (fragments)
        memset(extent, 0, geometry->usable * sizeof *extent);
    /* Blocks before cells: their order and bounds were checked, and nothing done here to a cell
     * that overlaps one (in a damaged page) may change their headers before they are read. */
    for (; block; block = sqlite_get_u16(page + block)) {
        uint32_t size = sqlite_get_u16(page + block + 2);
        extent[block] = (uint16_t)size;
        memset(page + block + 4, 0, size - 4);
    }
    for (uint32_t i = 0; (fragments || padded) && i < tree->cells; i++) {
        uint32_t offset = sqlite_get_u16(page + tree->pointers + 2 * i);
        struct cell cell;
        if (!cell_parse(geometry, tree->type, page, offset, &cell))
            continue;
        extent[offset] = (uint16_t)cell_room(&cell);
        if (cell.size < 4)
            memset(page + offset + cell.size, 0, 4 - cell.size);
    }
    for (uint32_t at = tree->content; fragments && at < geometry->usable;) {
        if (!extent[at])
            page[at++] = 0;
        else
            at += extent[at];
    }
}

void
sqlite_page_clean(const struct sqlite_geometry *geometry, uint32_t number, uint8_t *page,
                  struct sqlite_page_scratch *scratch, bool *ret_spills)
{
    *ret_spills = false;
    if (geometry->usable < geometry->page_size)
        memset(page + geometry->usable, 0, geometry->page_size - geometry->usable);
    if (sqlite_page_role_of(geometry, number) == SQLITE_PAGE_POINTER_MAP) {
        uint64_t used =
            number < geometry->page_count ? (uint64_t)(geometry->page_count - number) * 5 : 0;
        if (used > geometry->usable / 5 * 5)
            used = geometry->usable / 5 * 5;
        memset(page + used, 0, geometry->usable - used);
        return;
    }
    struct tree_page tree;
    bool spills = false;
    bool padded = false;
    if (!tree_page_parse(geometry, number, page, &tree) ||
        !tree_page_adds_up(geometry, &tree, page, &spills, &padded))
        return;
    tree_page_clean(geometry, &tree, page, padded, scratch);
    *ret_spills = spills;
}

uint32_t
sqlite_page_cells(const struct sqlite_geometry *geometry, uint32_t number, const uint8_t *page)
{
    struct tree_page tree;
    return tree_page_parse(geometry, number, page, &tree) ? tree.cells : 0;
}

bool
sqlite_page_chain(const struct sqlite_geometry *geometry, uint32_t number, const uint8_t *page,
                  uint32_t index, struct sqlite_chain *ret_chain)
{
    struct tree_page tree;
    if (!tree_page_parse(geometry, number, page, &tree) || index >= tree.cells)
        return false;
    uint32_t offset = sqlite_get_u16(page + tree.pointers + 2 * index);
    struct cell cell;
    if (offset < tree.content || !cell_parse(geometry, tree.type, page, offset, &cell) ||
        !cell.chain.bytes)
        return false;
    *ret_chain = cell.chain;
    return true;
}

bool
sqlite_trunk_parse(const struct sqlite_geometry *geometry, const uint8_t *page, uint32_t *ret_next,
                   uint32_t *ret_leaves)
{
    uint32_t leaves = sqlite_get_u32(page + 4);
    if (leaves > geometry->usable / 4 - 2)
        return false;
    *ret_next = sqlite_get_u32(page);
    *ret_leaves = leaves;
    return true;
}

uint32_t
sqlite_trunk_leaf(const uint8_t *page, uint32_t index)
{
    return sqlite_get_u32(page + 8 + 4 * index);
}

uint32_t
sqlite_trunk_room(const struct sqlite_geometry *geometry)
{
    return geometry->usable / 4 - 8;
}

void
sqlite_trunk_put(uint8_t *page, uint32_t word, uint32_t value)
{
    put_u32(page + 4 * word, value);
}

void
sqlite_header_free_trunk(uint8_t *page1, uint32_t number)
{
    put_u32(page1 + 32, number);
}
