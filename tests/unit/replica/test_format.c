/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/format.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The answer of a whole statement, to be freed. */
static struct answer
format_all(enum format format, const char *sql)
{
    const struct format_writer *writer = format_writers[format];
    struct format_state state = {0};
    struct answer answer = {.limit = 1 << 20};
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    uint64_t rows = 0;
    assert_int_equal(sqlite3_open(":memory:", &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    writer->begin(&answer, &state, statement, "g7");
    for (; sqlite3_step(statement) == SQLITE_ROW; rows++)
        writer->row(&answer, &state, statement, rows == 0);
    writer->end(&answer, rows, false);
    format_state_free(&state);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    answer_putc(&answer, '\0');
    assert_int_equal(answer.cut, ANSWER_WHOLE);
    return answer;
}

static void
assert_format(enum format format, const char *sql, const char *expected)
{
    struct answer answer = format_all(format, sql);
    assert_string_equal(answer.data, expected);
    answer_free(&answer);
}

static void
test_json(void **state)
{
    assert_format(FORMAT_JSON,
                  "SELECT 1 AS a, 'x\"y' AS \"b\"\"c\" UNION ALL SELECT 9223372036854775807, NULL",
                  "{\"generation\":\"g7\",\"columns\":[\"a\",\"b\\\"c\"],\"rows\":[[1,\"x\\\"y\"],"
                  "[9223372036854775807,null]],\"truncated\":false,\"row_count\":2}\n");
    assert_format(FORMAT_JSON, "SELECT 1 AS a WHERE 0",
                  "{\"generation\":\"g7\",\"columns\":[\"a\"],\"rows\":[],\"truncated\":false,"
                  "\"row_count\":0}\n");
    assert_format(FORMAT_JSON, "SELECT x'00ff' AS b, 1.0 AS r, CAST(x'61ff' AS TEXT) AS t",
                  "{\"generation\":\"g7\",\"columns\":[\"b\",\"r\",\"t\"],\"rows\":[[{\"$base64\":"
                  "\"AP8=\"},1.0,"
                  "{\"$base64\":\"Yf8=\"}]],\"truncated\":false,\"row_count\":1}\n");
}

static void
test_ndjson_names_are_unique(void **state)
{
    assert_format(FORMAT_NDJSON,
                  "SELECT 1 AS a, 2 AS a, 3 AS b, 4 AS a UNION ALL SELECT NULL, 'x', x'', 2.5",
                  "{\"a\":1,\"a:1\":2,\"b\":3,\"a:2\":4}\n"
                  "{\"a\":null,\"a:1\":\"x\",\"b\":{\"$base64\":\"\"},\"a:2\":2.5}\n");
    assert_format(FORMAT_NDJSON, "SELECT 1 AS a WHERE 0", "");
    assert_format(FORMAT_NDJSON,
                  "SELECT 1 AS 'a:1', 2 AS a, 3 AS a, 4 AS 'a:1', 5 AS 'a:3', 6 AS a, 7 AS 'a:2'",
                  "{\"a:1\":1,\"a\":2,\"a:2\":3,\"a:1:1\":4,\"a:3\":5,\"a:4\":6,\"a:2:1\":7}\n");
}

/* As many columns as SQLite allows, all of one name: minutes if each is compared with all others.
 */
static void
test_ndjson_of_many_equal_names(void **state)
{
    enum { COLUMNS = 2000 };
    CLEANUP_BUF struct buf sql = {0}, expected = {0};
    for (int i = 0; i < COLUMNS; i++) {
        buf_puts(&sql, i ? ",1 AS a" : "SELECT 1 AS a");
        if (i)
            buf_printf(&expected, ",\"a:%d\":1", i);
        else
            buf_puts(&expected, "{\"a\":1");
    }
    buf_puts(&expected, "}\n");
    double begin = clock_seconds();
    assert_format(FORMAT_NDJSON, buf_text(&sql), buf_text(&expected));
    assert_true(clock_seconds() - begin < 2);
}

static void
test_csv(void **state)
{
    assert_format(FORMAT_CSV,
                  "SELECT 'a,b' AS \"x,y\", 'say \"hi\"' AS q, NULL AS n, '' AS e, 'l' || char(10) "
                  "AS l, 7 AS i",
                  "\"x,y\",q,n,e,l,i\r\n\"a,b\",\"say \"\"hi\"\"\",,\"\",\"l\n\",7\r\n");
    assert_format(FORMAT_CSV, "SELECT x'0102' AS b, 1.5 AS r", "b,r\r\nAQI=,1.5\r\n");
}

static void
assert_accepts(const char *accept, int expected)
{
    enum format format = FORMAT_COUNT;
    bool ok = format_by_accept(accept, &format);
    assert_int_equal(ok ? (int)format : -1, expected);
}

static void
test_negotiation(void **state)
{
    assert_accepts(NULL, FORMAT_JSON);
    assert_accepts("", FORMAT_JSON);
    assert_accepts("*/*", FORMAT_JSON);
    assert_accepts("text/csv", FORMAT_CSV);
    assert_accepts("TEXT/CSV;charset=utf-8", FORMAT_CSV);
    assert_accepts("text/*", FORMAT_CSV);
    assert_accepts("application/x-ndjson", FORMAT_NDJSON);
    assert_accepts("application/jsonl", FORMAT_NDJSON);
    assert_accepts("application/json;q=0.5, text/csv", FORMAT_CSV);
    assert_accepts("text/csv;q=0.5, application/json;q=0.9", FORMAT_JSON);
    assert_accepts("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FORMAT_JSON);
    assert_accepts("application/json;q=0, */*;q=0.1", FORMAT_NDJSON); /* the exact range decides */
    assert_accepts("text/html", -1);
    assert_accepts("image/*;q=1", -1);
    assert_accepts("*/*;q=0", -1);
    assert_accepts(",,;q=,/", -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_ndjson_names_are_unique),
        cmocka_unit_test(test_ndjson_of_many_equal_names),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_negotiation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
