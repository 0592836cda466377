/* SPDX-License-Identifier: Apache-2.0 */
#include "config/roff.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define ROFF_RELEASE_DATE "2026-11-23"

void
roff_text(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool line_start = out->length == 0 || out->data[out->length - 1] == '\n';
        switch (*p) {
        case '\\':
            buf_puts(out, "\\e");
            break;
        case '\'':
            buf_puts(out, "\\(aq");
            break;
        case '`':
            buf_puts(out, "\\(ga");
            break;
        case '~':
            buf_puts(out, "\\(ti");
            break;
        case '^':
            buf_puts(out, "\\(ha");
            break;
        case '-':
            /* Inside a word it is a hyphen, anywhere else the minus that one types. */
            buf_puts(out, p > text && isalpha((unsigned char)p[-1]) && isalpha((unsigned char)p[1])
                              ? "-"
                              : "\\-");
            break;
        case '.':
            buf_puts(out, line_start ? "\\&." : ".");
            break;
        default:
            buf_putc(out, *p);
        }
    }
}

void
roff_title(struct buf *out, const char *name, const char *section)
{
    CLEANUP_FREE char *date = mem_strdup(ROFF_RELEASE_DATE);
    int64_t epoch;
    if (clock_source_date(-1, &epoch, NULL) && epoch >= 0) {
        free(date);
        date = clock_rfc3339(epoch);
        date[strcspn(date, "T")] = '\0';
    }
    buf_puts(out, ".TH ");
    for (const char *p = name; *p; p++) {
        if (*p == '-')
            buf_puts(out, "\\-");
        else
            buf_putc(out, (char)toupper((unsigned char)*p));
    }
    buf_printf(out, " %s %s \"Effigy %s\" \"Effigy\"\n", section, date, EFFIGY_VERSION);
}

void
roff_section(struct buf *out, const char *title)
{
    buf_printf(out, ".SH %s\n", title);
}

/* mandoc finds a .PP right behind a .SH superfluous. */
static void
roff_break(struct buf *out)
{
    const char *text = buf_text(out), *line = text;
    if (out->length > 1) {
        const char *before = memrchr(text, '\n', out->length - 1);
        line = before ? before + 1 : text;
    }
    if (!str_starts(line, ".SH"))
        buf_puts(out, ".PP\n");
}

void
roff_paragraph(struct buf *out, const char *text)
{
    roff_break(out);
    roff_text(out, text);
    buf_putc(out, '\n');
}

void
roff_item(struct buf *out, const char *tag, const char *rest, const char *text)
{
    buf_puts(out, ".TP\n\\fB");
    roff_text(out, tag);
    buf_puts(out, "\\fR");
    if (rest && *rest) {
        buf_putc(out, ' ');
        roff_text(out, rest);
    }
    buf_putc(out, '\n');
    roff_text(out, text);
    buf_putc(out, '\n');
}

void
roff_example(struct buf *out, const char *lines)
{
    roff_break(out);
    buf_puts(out, ".RS 4\n.nf\n");
    roff_text(out, lines);
    if (out->data[out->length - 1] != '\n')
        buf_putc(out, '\n');
    buf_puts(out, ".fi\n.RE\n");
}
