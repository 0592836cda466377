/* SPDX-License-Identifier: Apache-2.0 */
/* Page functions on pages made by hand, and on garbage. */
#include "support.h"

#include "source/sqlite/sqlite-page.h"

#include <string.h>

static const struct sqlite_geometry small = {.page_size = 512, .usable = 504, .page_count = 1000};

static void
put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* An index leaf full of 0xaa where nothing is: two cells, one of them shorter than the 4 bytes that
 * it takes, a free block of 10 bytes, and a fragment of 3 in front of it. */
static void
page_make(uint8_t *page)
{
    memset(page, 0xaa, 512);
    memset(page, 0, 12);
    page[0] = 10;
    put_u16(page + 1, 483); /* free block */
    put_u16(page + 3, 2);
    put_u16(page + 5,
            480); /* fragment 480..482, free block 483..492, cell 493..496, cell 497..503 */
    page[7] = 3;
    put_u16(page + 8, 493);
    put_u16(page + 10, 497);
    put_u16(page + 483, 0);
    put_u16(page + 485, 10);
    memcpy(page + 493, "\x02\x02\x09", 3);
    memcpy(page + 497,
           "\x06\x02\x17"
           "abcd",
           7);
}

static void
test_unused_bytes_become_zero(void **state)
{
    uint8_t page[512];
    uint8_t expected[512] = {0};
    struct sqlite_page_scratch *scratch = mem_new(sizeof *scratch);
    memset(scratch, 0x55, sizeof *scratch);
    bool spills = true;
    page_make(page);
    memcpy(expected, page, 12);
    memcpy(expected + 483, page + 483, 4);
    memcpy(expected + 493,
           "\x02\x02\x09\0\x06\x02\x17"
           "abcd",
           11);
    sqlite_page_clean(&small, 3, page, scratch, &spills);
    assert_memory_equal(page, expected, sizeof page);
    assert_false(spills);
    free(scratch);
}

/* A page that does not add up stays as it is, but for its reserved bytes. */
static void
test_damaged_pages_stay(void **state)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } damage[] = {{7, 2},   {4, 3},   {4, 1},    {8, 0},    {9, 0xff},  {485, 2},
                  {486, 3}, {484, 2}, {6, 0xd0}, {5, 0x03}, {497, 0x7f}};
    struct sqlite_page_scratch *scratch = mem_new(sizeof *scratch);
    for (size_t i = 0; i < ARRAY_LENGTH(damage); i++) {
        uint8_t page[512];
        uint8_t before[512];
        bool spills;
        page_make(page);
        page[damage[i].at] = damage[i].value;
        memcpy(before, page, sizeof before);
        memset(before + 504, 0, 8);
        sqlite_page_clean(&small, 3, page, scratch, &spills);
        assert_memory_equal(page, before, sizeof page);
    }
    /* A free block smaller than its own header, although all adds up. */
    uint8_t page[512];
    uint8_t before[512];
    bool spills;
    page_make(page);
    page[7] = 3 + 8;
    page[486] = 2;
    memset(page + 504, 0, 8);
    memcpy(before, page, sizeof before);
    sqlite_page_clean(&small, 3, page, scratch, &spills);
    assert_memory_equal(page, before, sizeof page);
    free(scratch);
}

static void
test_other_pages_stay(void **state)
{
    struct sqlite_page_scratch *scratch = mem_new(sizeof *scratch);
    uint8_t page[512];
    uint8_t before[512];
    bool spills;
    page_make(page);
    page[0] = 0; /* an overflow page: its first byte is that of a page number */
    memset(page + 504, 0, 8);
    memcpy(before, page, sizeof before);
    sqlite_page_clean(&small, 3, page, scratch, &spills);
    assert_memory_equal(page, before, sizeof page);

    /* With auto_vacuum, page 2 is a pointer map, whose first byte may be that of a b-tree page. */
    struct sqlite_geometry mapped = small;
    mapped.pointer_maps = true;
    mapped.page_count = 52;
    page_make(page);
    memset(page, 5, 1);
    memcpy(before, page, sizeof before);
    memset(before + 250, 0, 512 - 250); /* entries for pages 3 to 52 */
    sqlite_page_clean(&mapped, 2, page, scratch, &spills);
    assert_memory_equal(page, before, sizeof page);
    free(scratch);
}

static void
test_page_roles(void **state)
{
    struct sqlite_geometry geometry = {
        .page_size = 1024, .usable = 1024, .page_count = 2000000, .pointer_maps = true};
    assert_int_equal(sqlite_page_role_of(&geometry, 1), SQLITE_PAGE_ORDINARY);
    assert_int_equal(sqlite_page_role_of(&geometry, 2), SQLITE_PAGE_POINTER_MAP);
    assert_int_equal(sqlite_page_role_of(&geometry, 3), SQLITE_PAGE_ORDINARY);
    assert_int_equal(sqlite_page_role_of(&geometry, 2 + 205), SQLITE_PAGE_POINTER_MAP);
    assert_int_equal(sqlite_page_role_of(&geometry, 1048577), SQLITE_PAGE_LOCK_BYTE);
    /* Where a pointer map would be on the page with the lock byte, it is on the next one. */
    unsigned moved = 0;
    for (unsigned usable = 1024; usable > 768; usable--) {
        geometry.usable = usable;
        if ((1048577 - 2) % (usable / 5 + 1) == 0) {
            moved++;
            assert_int_equal(sqlite_page_role_of(&geometry, 1048577), SQLITE_PAGE_LOCK_BYTE);
            assert_int_equal(sqlite_page_role_of(&geometry, 1048578), SQLITE_PAGE_POINTER_MAP);
        }
    }
    assert_true(moved > 0);
    geometry.pointer_maps = false;
    assert_int_equal(sqlite_page_role_of(&geometry, 2), SQLITE_PAGE_ORDINARY);
}

/* The last byte that fits, and the first that does not, of each kind of cell (file format 1.6). */
static void
test_chains_at_the_limit(void **state)
{
    const struct sqlite_geometry geometry = {.page_size = 512, .usable = 512, .page_count = 10};
    struct sqlite_chain chain;
    uint8_t page[512] = {13};
    put_u16(page + 3, 1);
    put_u16(page + 5, 20);
    put_u16(page + 8, 20);
    memcpy(page + 20, "\x83\x5d\x01", 3); /* payload of 477 = 512 - 35 */
    assert_false(sqlite_page_chain(&geometry, 3, page, 0, &chain));
    memcpy(page + 20, "\x83\x5e\x01", 3);
    memset(page + 23 + 39, 0, 4);
    page[23 + 39 + 3] =
        9; /* 39 bytes stay: with all 478 but the least, the chain would be longer */
    assert_true(sqlite_page_chain(&geometry, 3, page, 0, &chain));
    assert_int_equal(chain.bytes, 478 - 39);
    assert_int_equal(chain.first, 9);
    page[0] = 10; /* index: 102 bytes stay, 103 do not */
    memcpy(page + 20, "\x66", 1);
    assert_false(sqlite_page_chain(&geometry, 3, page, 0, &chain));
    memcpy(page + 20, "\x67", 1);
    memset(page + 21 + 39, 0, 4);
    page[21 + 39 + 3] = 7;
    assert_true(sqlite_page_chain(&geometry, 3, page, 0, &chain));
    assert_int_equal(chain.bytes, 103 - 39);
    assert_int_equal(chain.first, 7);
    assert_false(sqlite_page_chain(&geometry, 3, page, 1, &chain));
}

static void
test_header_problems(void **state)
{
    uint8_t good[100] = "SQLite format 3";
    memcpy(good + 16, "\x10\x00\x01\x01\x00\x40\x20\x20", 8);
    struct sqlite_header header;
    const char *problem = NULL;
    assert_true(sqlite_header_parse(good, sizeof good, &header, &problem));
    assert_int_equal(header.page_size, 4096);
    assert_false(header.wal);
    static const struct {
        unsigned at;
        uint8_t value;
        const char *problem;
    } cases[] = {
        {0, 'X', "is not an SQLite database (or it is encrypted)"},
        {15, 'X', "is not an SQLite database (or it is encrypted)"},
        {16, 0x11, "page size"},
        {16, 0, "page size"},
        {17, 1, "page size"},
        {19, 3, "file format"},
        {18, 0, "file format"},
        {21, 63, "fractions"},
        {22, 33, "fractions"},
        {23, 0, "fractions"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t bad[100];
        memcpy(bad, good, sizeof bad);
        bad[cases[i].at] = cases[i].value;
        assert_false(sqlite_header_parse(bad, sizeof bad, &header, &problem));
        assert_non_null(strstr(problem, cases[i].problem));
    }
    good[16] = 0;
    good[17] = 1;
    assert_true(sqlite_header_parse(good, sizeof good, &header, &problem));
    assert_int_equal(header.page_size, 65536);
    good[16] = 2;
    good[17] = 0;
    good[20] = 33; /* 512 - 33 < 480 */
    assert_false(sqlite_header_parse(good, sizeof good, &header, &problem));
    assert_false(sqlite_header_parse(good, 99, &header, &problem));
    assert_non_null(strstr(problem, "ends within its header"));
    assert_false(sqlite_header_parse(good, 0, &header, &problem));
}

/* Nothing is read or written outside the page (which ASan watches), whatever is in it. */
static void
test_garbage(void **state)
{
    uint64_t seed = 42;
    struct sqlite_page_scratch *scratch = mem_new(sizeof *scratch);
    for (unsigned round = 0; round < 200000; round++) {
        struct sqlite_geometry geometry = {
            .page_size = 512u << random_next(&seed) % 2,
            .page_count = 500,
            .pointer_maps = random_next(&seed) % 2,
        };
        geometry.usable = geometry.page_size - (uint32_t)(random_next(&seed) % 33);
        uint8_t *page = malloc(geometry.page_size);
        for (size_t i = 0; i < geometry.page_size; i += 8) {
            uint64_t word = random_next(&seed);
            memcpy(page + i, &word, 8);
        }
        static const uint8_t types[] = {2, 5, 10, 13};
        page[0] = types[random_next(&seed) % 4];
        if (round % 2) /* near the truth: few cells, near the end */
            memcpy(page + 1, (uint8_t[]){0, 0, 0, (uint8_t)(random_next(&seed) % 4), 1, 0xc0, 0},
                   7);
        uint32_t next;
        uint32_t leaves;
        if (sqlite_trunk_parse(&geometry, page, &next, &leaves) && leaves)
            sqlite_trunk_leaf(page, leaves - 1);
        struct sqlite_chain chain;
        uint32_t cells = sqlite_page_cells(&geometry, 3, page);
        for (uint32_t i = 0; i < cells; i++)
            sqlite_page_chain(&geometry, 3, page, i, &chain);
        bool spills;
        sqlite_page_clean(&geometry, 1 + (uint32_t)(random_next(&seed) % 500), page, scratch,
                          &spills);
        free(page);
    }
    free(scratch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unused_bytes_become_zero),
        cmocka_unit_test(test_damaged_pages_stay),
        cmocka_unit_test(test_other_pages_stay),
        cmocka_unit_test(test_page_roles),
        cmocka_unit_test(test_chains_at_the_limit),
        cmocka_unit_test(test_header_problems),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
