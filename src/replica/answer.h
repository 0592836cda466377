/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an answer while it is being built: a buffer with a ceiling of its own and a share of
 * one budget for all answers that were not yet sent. Appending past either does nothing and sets
 * `cut`, so that writers append freely and look once per row. Allocation failure counts as an empty
 * budget.
 */
#ifndef EFFIGY_REPLICA_ANSWER_H
#define EFFIGY_REPLICA_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_cut { ANSWER_WHOLE = 0, ANSWER_FULL, ANSWER_NO_BUDGET };

struct answer {
    char *data;
    size_t length, room;
    size_t limit; /* length never exceeds it */
    enum answer_cut cut;
};

/* The budget of all answers together, in bytes; 0 (as at start) for none. */
void answer_set_budget(uint64_t bytes);
uint64_t answer_buffered(void); /* bytes of it that are in use */

/* Room for `more` bytes behind the end, or NULL and `cut`; the caller adds to .length what it used.
 */
char *answer_reserve(struct answer *answer, size_t more);
void answer_append(struct answer *answer, const void *bytes, size_t length);
void answer_puts(struct answer *answer, const char *text);
void answer_putc(struct answer *answer, char c);
/* A JSON string, quotes included. False, with nothing appended, if the bytes are not UTF-8. */
bool answer_json_string(struct answer *answer, const char *text, size_t length);
void answer_base64(struct answer *answer, const void *bytes, size_t length);
void answer_integer(struct answer *answer, int64_t value);
/* The shortest decimal form that reads back as the same double; infinities as 9e999, as SQLite has
 * it. */
void answer_real(struct answer *answer, double value);

/* Back to `length` bytes, whole again. */
void answer_rewind(struct answer *answer, size_t length);
void answer_free(struct answer *answer);
/* Gives up a buffer of `room` bytes that was taken out of an answer. */
void answer_release(void *data, size_t room);

#endif
