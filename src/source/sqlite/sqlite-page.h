/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of an SQLite database file (https://www.sqlite.org/fileformat2.html), as pure functions
 * over their bytes: what is in use and what is not. Nothing here trusts a page; one whose structure
 * does not add up is left exactly as it is, for the integrity check to name.
 *
 * Settling rests on a page telling its own kind. The first byte of a b-tree page is 2, 5, 10 or 13;
 * an overflow page and a trunk page of the free list begin with a page number, whose first byte is
 * 0 or 1 while there are fewer than SQLITE_PAGES_LIMIT pages; pointer-map pages and the lock-byte
 * page are at places that can be computed. Only a leaf of the free list can be anything, and it
 * becomes zeros.
 */
#ifndef EFFIGY_SOURCE_SQLITE_PAGE_H
#define EFFIGY_SOURCE_SQLITE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQLITE_HEADER_BYTES 100
#define SQLITE_PAGE_SIZE_MIN 512
#define SQLITE_PAGE_SIZE_MAX 65536
#define SQLITE_PAGES_LIMIT 0x02000000u
#define SQLITE_LOCK_BYTE 0x40000000u /* the page that holds this byte is never used */

/* Constants that a settled header has, whatever the master's has. */
#define SQLITE_SETTLED_COUNTER 1u       /* change counter, version-valid-for, schema cookie */
#define SQLITE_SETTLED_VERSION 3040001u /* SQLITE_VERSION_NUMBER of the last writer */

struct sqlite_header {
    uint32_t page_size;
    uint32_t reserved; /* bytes at the end of each page that SQLite does not use */
    bool wal;
    uint32_t change_counter;
    uint32_t page_count; /* as the header has it; may be stale */
    uint32_t free_trunk; /* page number, 0: no free pages */
    uint32_t free_count;
    bool pointer_maps; /* auto_vacuum is full or incremental */
};

/* Reads the first 100 bytes of a file. On failure *ret_problem is a constant text that fits behind
 * "<file> " in a message. */
bool sqlite_header_parse(const uint8_t *bytes, size_t length, struct sqlite_header *ret_header,
                         const char **ret_problem);
/* Sets whatever depends on the file's history and not on its content. */
void sqlite_header_settle(uint8_t *page1, uint32_t page_count);

struct sqlite_geometry {
    uint32_t page_size;
    uint32_t usable; /* page_size less the reserved bytes */
    uint32_t page_count;
    bool pointer_maps;
};

enum sqlite_page_role {
    SQLITE_PAGE_ORDINARY, /* b-tree, overflow or free */
    SQLITE_PAGE_LOCK_BYTE,
    SQLITE_PAGE_POINTER_MAP,
};
enum sqlite_page_role sqlite_page_role_of(const struct sqlite_geometry *geometry, uint32_t number);

/* Where each cell of the page at hand begins; belongs to sqlite_page_clean(). */
struct sqlite_page_scratch {
    uint16_t extent[SQLITE_PAGE_SIZE_MAX];
};

/* Zeroes what page `number` (from 1) does not use: in b-tree pages the gap between the cell
 * pointers and the cells, free blocks and fragments; in pointer maps the entries of pages that are
 * not there; in every page the reserved bytes, which the SQLite that reads a replica ignores.
 * *ret_spills: it is a b-tree page with cells that go on in overflow pages. */
void sqlite_page_clean(const struct sqlite_geometry *geometry, uint32_t number, uint8_t *page,
                       struct sqlite_page_scratch *scratch, bool *ret_spills);

/* The overflow chain of a cell. */
struct sqlite_chain {
    uint32_t first; /* page number */
    uint32_t bytes; /* of the payload that lie in the chain */
};
uint32_t sqlite_page_cells(const struct sqlite_geometry *geometry, uint32_t number,
                           const uint8_t *page);
/* False where cell `index` has no overflow chain, or makes no sense. */
bool sqlite_page_chain(const struct sqlite_geometry *geometry, uint32_t number, const uint8_t *page,
                       uint32_t index, struct sqlite_chain *ret_chain);

/* A trunk page of the free list: the next trunk (0: the last) and how many leaves it names. False
 * if it makes no sense. */
bool sqlite_trunk_parse(const struct sqlite_geometry *geometry, const uint8_t *page,
                        uint32_t *ret_next, uint32_t *ret_leaves);
uint32_t sqlite_trunk_leaf(const uint8_t *page, uint32_t index);
/* How many leaves a trunk may name in files that old versions read too (file format 1.5). */
uint32_t sqlite_trunk_room(const struct sqlite_geometry *geometry);
/* Its 32-bit words: 0 the next trunk, 1 the number of leaves, then the leaves. */
void sqlite_trunk_put(uint8_t *page, uint32_t word, uint32_t value);
/* In page 1: the first trunk. */
void sqlite_header_free_trunk(uint8_t *page1, uint32_t number);

uint32_t sqlite_get_u32(const uint8_t *bytes);
uint32_t sqlite_get_u16(const uint8_t *bytes);

#endif
