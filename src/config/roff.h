/* SPDX-License-Identifier: Apache-2.0 */
/* Writing man(7) pages. Text is plain; everything that means something to roff is escaped here. */
#ifndef EFFIGY_CONFIG_ROFF_H
#define EFFIGY_CONFIG_ROFF_H

#include "base/buf.h"

/* .TH; the page is dated with SOURCE_DATE_EPOCH where that is set, else with the release. */
void roff_title(struct buf *out, const char *name, const char *section);
void roff_section(struct buf *out, const char *title);  /* .SH */
void roff_paragraph(struct buf *out, const char *text); /* .PP and the text */
void roff_item(struct buf *out, const char *tag, const char *rest,
               const char *text);                      /* .TP; tag is bold */
void roff_example(struct buf *out, const char *lines); /* as it is, indented */
void roff_text(struct buf *out, const char *text);     /* escaped, nothing else */

#endif
