/* SPDX-License-Identifier: Apache-2.0 */
#include "config/document.h"

#include "base/mem.h"
#include "base/str.h"
#include "config/config-internal.h"
#include "config/roff.h"
#include "config/value.h"

#include <ctype.h>
#include <string.h>

#define WIDTH 78 /* of the comments */

/* A scalar as YAML: plain where that cannot be misread, else in single quotes. */
static void
write_scalar(struct buf *out, const char *text)
{
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,=%@:-";
    size_t length = strlen(text);
    bool plain = length && !text[strspn(text, safe)] &&
                 (isalnum((unsigned char)*text) || strchr("_./", *text)) &&
                 text[length - 1] != ':' && strcmp(text, "null") != 0 && !str_starts(text, "...");
    if (plain) {
        buf_puts(out, text);
        return;
    }
    buf_putc(out, '\'');
    for (; *text; text++)
        buf_puts(out, *text == '\'' ? "''" : (char[]){*text, '\0'});
    buf_putc(out, '\'');
}

static void
write_comment(struct buf *out, const char *text, unsigned indent)
{
    size_t width = WIDTH - indent - 2;
    while (*text) {
        size_t length = strlen(text);
        if (length > width) {
            for (length = width; length && text[length] != ' '; length--)
                ;
            if (!length)
                length = strcspn(text, " ");
        }
        buf_printf(out, "# %.*s\n", (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}

/* Each line of text, behind `first` up to the first one that is no comment and that one, then
 * behind `rest`. */
static void
write_lines(struct buf *out, const char *text, const char *comment, const char *first,
            const char *rest)
{
    bool begun = false;
    while (*text) {
        size_t length = strcspn(text, "\n");
        const char *prefix = begun ? rest : *text == '#' ? comment : first;
        if (length)
            buf_printf(out, "%s%.*s\n", prefix, (int)length, text);
        else
            buf_putc(out, '\n');
        begun = begun || (length && *text != '#');
        text += length + (text[length] == '\n');
    }
}

/* The value that a new service gives to a key; NULL if it gives none. To be freed. */
static char *
service_given(const struct config_new_service *service, const struct config_key *key)
{
    if (!service || key->section != CONFIG_SERVICE)
        return NULL;
    const struct {
        const char *name, *text;
        unsigned number;
    } given[] = {
        {"name", service->name, 0},
        {"master", service->master, 0},
        {"image", service->image, 0},
        {"port", NULL, service->port},
        {"replicas", NULL, service->replicas},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(given); i++) {
        if (strcmp(given[i].name, key->name) == 0 && (given[i].text || given[i].number))
            return given[i].text ? mem_strdup(given[i].text) : mem_printf("%u", given[i].number);
    }
    return NULL;
}

/* The keys of a section. Those that are neither required nor given are commented out, unless `live`
 * (because all of it is inside something that is commented out), and left out without `full`. */
static void
write_section(struct buf *out, enum config_section section,
              const struct config_new_service *service, bool live, bool full, unsigned indent)
{
    bool first = true;
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section != section)
            continue;
        CLEANUP_FREE char *given = service_given(service, key);
        bool commented = !live && !given && !key->required;
        if (commented && !full)
            continue;
        if (!first && section == CONFIG_SERVICE && full)
            buf_putc(out, '\n');
        first = false;
        write_comment(out, key->doc, indent);
        CLEANUP_BUF struct buf entry = {0};
        buf_printf(&entry, "%s:", key->name);
        if (key->type == CONFIG_LIST || key->type == CONFIG_MAPPING) {
            CLEANUP_BUF struct buf inner = {0};
            write_section(&inner, key->opens, NULL, true, full, indent + 4);
            bool list = key->type == CONFIG_LIST;
            buf_putc(&entry, '\n');
            write_lines(&entry, buf_text(&inner), "  ", list ? "  - " : "  ", list ? "    " : "  ");
        } else {
            buf_putc(&entry, ' ');
            write_scalar(&entry, given ? given : key->example ? key->example : key->initial);
            buf_putc(&entry, '\n');
        }
        const char *prefix = commented ? "#" : "";
        write_lines(out, buf_text(&entry), prefix, prefix, prefix);
    }
}

void
config_write_service(const struct config_new_service *service, unsigned indent, bool full,
                     struct buf *out)
{
    CLEANUP_BUF struct buf text = {0};
    write_section(&text, CONFIG_SERVICE, service, false, full, indent + 2);
    CLEANUP_FREE char *spaces = mem_printf("%*s", (int)indent, "");
    CLEANUP_FREE char *first = mem_printf("%s- ", spaces);
    CLEANUP_FREE char *rest = mem_printf("%s  ", spaces);
    write_lines(out, buf_text(&text), spaces, first, rest);
}

void
config_write_header(struct buf *out)
{
    buf_puts(
        out,
        "# The services that Effigy publishes. effigy.yaml(5) describes every key.\n"
        "# A line such as '#port: 8080' shows a default or an example; remove the # to change it.\n"
        "# Secrets stay outside: ${env:NAME} is an environment variable, ${file:PATH} a file.\n");
}

void
config_write_sample(struct buf *out)
{
    const struct config_key *keys[] = {config_key_find(CONFIG_SERVICE, "name"),
                                       config_key_find(CONFIG_SERVICE, "master"),
                                       config_key_find(CONFIG_SERVICE, "image")};
    struct config_new_service service = {
        .name = keys[0]->example, .master = keys[1]->example, .image = keys[2]->example};
    config_write_header(out);
    buf_puts(out, "\nservices:\n");
    config_write_service(&service, 2, true, out);
}

/* "scheme://user:password@host" with *** for the password. */
static char *
hide_password(const char *url)
{
    const char *authority = strstr(url, "://");
    const char *end = authority ? authority + 3 + strcspn(authority + 3, "/?#") : NULL;
    const char *at = authority ? memrchr(authority, '@', (size_t)(end - authority)) : NULL;
    const char *colon = at ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;
    return colon ? mem_printf("%.*s:***%s", (int)(colon - url), url, at) : mem_strdup(url);
}

char *
config_value_shown(const struct config *config, const struct config_key *key, const void *record,
                   size_t service, size_t item)
{
    const struct config_whole *whole = (const struct config_whole *)config;
    CLEANUP_FREE char *text = NULL;
    for (size_t i = 0; i < whole->written_count && !text; i++) {
        const struct config_written *written = &whole->written[i];
        if (written->key == key && written->service == service && written->item == item)
            text = mem_strdup(written->text);
    }
    if (!text)
        text = config_value_format(key, record);
    return key->secret ? hide_password(text) : steal_ptr(&text);
}

static void
write_effective(const struct config *config, enum config_section section, const void *record,
                size_t service, size_t item, struct buf *out)
{
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section != section)
            continue;
        const char *member = (const char *)record + key->offset;
        CLEANUP_BUF struct buf inner = {0};
        if (key->type == CONFIG_LIST) {
            size_t count = *(const size_t *)((const char *)record + key->count_offset);
            for (size_t i = 0; i < count; i++) {
                bool top = section == CONFIG_TOP;
                CLEANUP_BUF struct buf entry = {0};
                write_effective(config, key->opens,
                                *(char *const *)member + i * config_section_size(key->opens),
                                top ? i : service, top ? 0 : i, &entry);
                write_lines(&inner, buf_text(&entry), "  ", "  - ", "    ");
            }
            if (count)
                buf_printf(out, "%s:\n%s", key->name, buf_text(&inner));
        } else if (key->type == CONFIG_MAPPING) {
            CLEANUP_BUF struct buf entry = {0};
            write_effective(config, key->opens, member, service, item, &entry);
            write_lines(&inner, buf_text(&entry), "  ", "  ", "  ");
            buf_printf(out, "%s:\n%s", key->name, buf_text(&inner));
        } else {
            CLEANUP_FREE char *text = config_value_shown(config, key, record, service, item);
            if (!*text)
                continue;
            buf_printf(out, "%s: ", key->name);
            write_scalar(out, text);
            buf_putc(out, '\n');
        }
    }
}

void
config_write_effective(const struct config *config, struct buf *out)
{
    if (!config->service_count)
        buf_puts(out, "services: []\n");
    else
        write_effective(config, CONFIG_TOP, config, 0, 0, out);
}

static void
man_keys(struct buf *out, enum config_section section)
{
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section != section)
            continue;
        CLEANUP_FREE char *wanted = config_value_describe(key);
        CLEANUP_FREE char *initial =
            key->initial ? mem_printf("; default: %s", key->initial) : mem_strdup("");
        CLEANUP_FREE char *what =
            mem_printf("(%s%s%s)", wanted, initial, key->required ? "; required" : "");
        roff_item(out, key->name, what, key->doc);
    }
}

void
config_write_man(struct buf *out)
{
    roff_title(out, "effigy.yaml", "5");
    roff_section(out, "NAME");
    buf_puts(out, "effigy.yaml \\- the services of Effigy\n");
    roff_section(out, "DESCRIPTION");
    roff_paragraph(
        out,
        "effigy.yaml lists the services that effigy(1) publishes and runs. It is the file that "
        "--config names, else the one that the environment variable EFFIGY_CONFIG names, else "
        "effigy.yaml in the working folder, else /etc/effigy/effigy.yaml. Relative paths in it "
        "begin in the folder that holds it.");
    roff_paragraph(out, "The file is YAML in UTF-8, of at most 1 MiB. Unknown and repeated keys "
                        "are refused, and so "
                        "are anchors, aliases, tags and a second document.");
    roff_paragraph(out,
                   "'effigy init' adds a service, 'effigy config' shows all values in force, and "
                   "'effigy config sample' prints a commented file with every key.");
    roff_section(out, "KEYS");
    man_keys(out, CONFIG_TOP);
    roff_section(out, "KEYS OF A SERVICE");
    man_keys(out, CONFIG_SERVICE);
    roff_section(out, "KEYS OF AN ATTACHED DATABASE");
    man_keys(out, CONFIG_ATTACH);
    roff_section(out, "KEYS OF SERVE");
    man_keys(out, CONFIG_SERVE);
    roff_section(out, "VALUES");
    roff_item(out, "Sizes", NULL,
              "A whole number of bytes, or one with a unit: KiB, MiB, GiB or TiB, which are "
              "powers of 1024. K, KB and so on mean the same.");
    roff_item(out, "Times", NULL,
              "A whole number of seconds, or one with a unit: ms, s, m, h or d.");
    roff_item(out, "${env:NAME}", NULL,
              "Inside any value: what the environment variable NAME holds. It is an error "
              "if it is not set.");
    roff_item(out, "${file:PATH}", NULL,
              "Inside any value: what the file holds, without the line break at its end; "
              "one line of at most 64 KiB. What a reference stands for is never printed "
              "in a message and is not looked at for further references.");
    roff_item(out, "$${", NULL, "The characters ${ themselves.");
    roff_section(out, "EXAMPLE");
    roff_example(out, "services:\n"
                      "  - name: catalogue\n"
                      "    master: sqlite:catalogue.db\n"
                      "    attach:\n"
                      "      - name: prices\n"
                      "        master: sqlite:prices.db\n"
                      "    image: oci:./images/catalogue\n"
                      "    port: 8080\n"
                      "    replicas: 2\n"
                      "    serve:\n"
                      "      max_rows: 1000\n"
                      "      max_time: 500ms\n");
    roff_section(out, "SEE ALSO");
    buf_puts(out, ".BR effigy (1),\n.BR effigy\\-init (1),\n.BR effigy\\-config (1)\n");
}
