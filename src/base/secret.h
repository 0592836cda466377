/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that must not be shown. Who reads one from outside names it here; everything that is
 * printed passes through secret_hide(), so that no path that a value takes, an error message of a
 * library for one, shows it.
 */
#ifndef EFFIGY_BASE_SECRET_H
#define EFFIGY_BASE_SECRET_H

#include "base/buf.h"

#define SECRET_LENGTH_MIN \
    4 /* bytes; what is shorter would be found in words that have nothing to do with it */

/* `shown` (such as "${env:NAME}") is printed in the value's place. Not for several threads at once.
 */
void secret_add(const char *value, const char *shown);
void secret_hide(struct buf *text);
void secret_forget_all(void);

#endif
