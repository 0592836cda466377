/* SPDX-License-Identifier: Apache-2.0 */
/* The page functions of the SQLite source. Input: 4 bytes (page size, reserved bytes, page number,
 * flags), then the page, padded with zeros. */
#include "source/sqlite/sqlite-page.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
    if (!condition)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sqlite_page_scratch scratch;
    struct sqlite_header header;
    const char *problem = NULL;
    if (sqlite_header_parse(data, size, &header, &problem))
        require(header.page_size >= 512 && header.page_size - header.reserved >= 480);
    else
        require(problem != NULL);
    if (size < 4)
        return 0;
    struct sqlite_geometry geometry = {
        .page_size = 512u << data[0] % 8,
        .page_count = 1000,
        .pointer_maps = data[3] & 1,
    };
    geometry.usable = geometry.page_size - data[1] % 33;
    uint32_t number = 1 + data[2];
    uint8_t *page = calloc(1, geometry.page_size);
    uint8_t *before = malloc(geometry.page_size);
    if (!page || !before)
        abort();
    size -= 4;
    memcpy(page, data + 4, size < geometry.page_size ? size : geometry.page_size);
    memcpy(before, page, geometry.page_size);

    struct sqlite_chain chain;
    uint32_t cells = sqlite_page_cells(&geometry, number, page);
    for (uint32_t i = 0; i < cells; i++) {
        if (sqlite_page_chain(&geometry, number, page, i, &chain))
            require(chain.bytes > 0);
    }
    uint32_t next = 0;
    uint32_t leaves = 0;
    if (sqlite_trunk_parse(&geometry, page, &next, &leaves) && leaves)
        sqlite_trunk_leaf(page, leaves - 1);

    bool spills = false;
    sqlite_page_clean(&geometry, number, page, &scratch, &spills);
    for (uint32_t i = 0; i < geometry.page_size; i++)
        require(page[i] == before[i] || page[i] == 0);
    if (sqlite_page_role_of(&geometry, number) == SQLITE_PAGE_ORDINARY)
        require(memcmp(page, before, number == 1 ? 108 : 8) == 0);
    require(sqlite_page_cells(&geometry, number, page) == cells);
    if (number == 1)
        sqlite_header_settle(page, geometry.page_count);
    free(before);
    free(page);
    return 0;
}
