/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress of one long piece of work: on a terminal one line that is redrawn (bytes, rate, time
 * left), otherwise a plain line every few seconds. Nothing is shown for work that ends within half
 * a second. progress_add() may be called from several threads and is cheap (an atomic addition); a
 * thread of this module does the drawing.
 */
#ifndef EFFIGY_BASE_PROGRESS_H
#define EFFIGY_BASE_PROGRESS_H

#include <stdint.h>

/* Starts showing `label`; total is in bytes, 0 where it is not known. One at a time: a second start
 * ends the first. */
void progress_start(const char *label, uint64_t total);
void progress_set_total(uint64_t total);
void progress_add(uint64_t bytes);
void progress_set(uint64_t bytes); /* absolute; also backwards, when work starts again */
void progress_end(void);
/* Takes the progress line off the terminal, so that something else can be printed. */
void progress_clear(void);

#endif
