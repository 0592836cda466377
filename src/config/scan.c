/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scan.h"

#include "base/mem.h"
#include "base/str.h"
#include "config/value.h"

#include <string.h>
#include <yaml.h>

struct scanner {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; zeroed at first, which is YAML_NO_EVENT */
    const char *bytes, *name;
    size_t length;
    struct config_scan *result;
    struct err **err;
};

static bool scan_mapping(struct scanner *s, enum config_section section, size_t service,
                         size_t item);

static bool __attribute__((format(printf, 3, 4)))
scan_fail(struct scanner *s, yaml_mark_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    return err_set(s->err, ERR_CONFIG, 0, "%s:%zu:%zu: %s", s->name, at.line + 1, at.column + 1,
                   text);
}

static bool
scan_syntax_error(struct scanner *s)
{
    yaml_mark_t at = s->parser.problem_mark;
    const char *problem = str_or(s->parser.problem, "it cannot be read");
    if (s->parser.error == YAML_READER_ERROR)
        return err_set(s->err, ERR_CONFIG, 0, "%s: %s at byte %zu", s->name, problem,
                       s->parser.problem_offset);
    if (s->parser.context)
        scan_fail(s, at, "%s %s", s->parser.context, problem);
    else
        scan_fail(s, at, "%s", problem);
    if (at.index < s->length && s->bytes[at.index] == '\t')
        return err_hint(s->err, "YAML is indented with spaces; there is a tab here");
    return err_hint(s->err, "'effigy config sample' prints a file in the right form");
}

/* Moves to the next event. */
static bool
scan_next(struct scanner *s)
{
    yaml_event_delete(&s->event);
    if (!yaml_parser_parse(&s->parser, &s->event))
        return scan_syntax_error(s);
    yaml_mark_t at = s->event.start_mark;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (s->event.type) {
    case YAML_ALIAS_EVENT:
        anchor = s->event.data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = s->event.data.scalar.anchor;
        tag = s->event.data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = s->event.data.sequence_start.anchor;
        tag = s->event.data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = s->event.data.mapping_start.anchor;
        tag = s->event.data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (!anchor && !tag)
        return true;
    scan_fail(s, at,
              anchor ? "anchors (&) and aliases (*) are not allowed" : "tags (!) are not allowed");
    return err_hint(s->err,
                    "write the value itself; one that begins with &, * or ! goes in quotes");
}

static void
scan_mark(struct scanner *s, const struct config_key *key, size_t service, size_t item,
          yaml_mark_t at)
{
    struct config_scan *r = s->result;
    MEM_RESERVE(r->marks, r->mark_count, r->mark_room);
    r->marks[r->mark_count++] =
        (struct config_mark){key, service, item, (unsigned)at.line + 1, (unsigned)at.column + 1};
}

/* `key:` with nothing behind it, as when all that is below was commented out. */
static bool
scan_is_null(const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *text = (const char *)event->data.scalar.value;
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static bool
scan_scalar(struct scanner *s, const struct config_key *key, size_t service, size_t item)
{
    yaml_mark_t at = s->event.start_mark;
    if (s->event.type != YAML_SCALAR_EVENT) {
        CLEANUP_FREE char *wanted = config_value_describe(key);
        return scan_fail(s, at, "%s: a list or a group of keys stands where %s belongs", key->name,
                         wanted);
    }
    const char *text = (const char *)s->event.data.scalar.value;
    if (scan_is_null(&s->event)) {
        scan_fail(s, at, "%s has no value", key->name);
        return err_hint(s->err, "give it one, or remove the line%s",
                        key->required ? "" : " to have the default");
    }
    if (!config_text_is_plain(text, s->event.data.scalar.length))
        return scan_fail(s, at, "%s: the value holds a line break or another control character",
                         key->name);
    scan_mark(s, key, service, item, at);
    return true;
}

static bool
scan_list(struct scanner *s, const struct config_key *key, size_t service)
{
    if (scan_is_null(&s->event))
        return true;
    if (s->event.type != YAML_SEQUENCE_START_EVENT) {
        scan_fail(s, s->event.start_mark, "%s must be a list", key->name);
        return err_hint(s->err, "each of its entries begins with '- name: ...'");
    }
    bool top = key->section == CONFIG_TOP;
    if (top && s->event.data.sequence_start.style != YAML_FLOW_SEQUENCE_STYLE)
        s->result->list_indent = (unsigned)s->event.start_mark.column;
    for (size_t i = 0;; i++) {
        if (!scan_next(s))
            return false;
        if (s->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        yaml_mark_t at = s->event.start_mark;
        if (i >= key->max)
            return scan_fail(s, at, "%s has more than %llu entries", key->name,
                             (unsigned long long)key->max);
        if (s->event.type != YAML_MAPPING_START_EVENT) {
            scan_fail(s, at, "%s: an entry is not a group of keys", key->name);
            return err_hint(s->err, "each entry begins with '- name: ...'");
        }
        scan_mark(s, key, top ? i : service, top ? 0 : i, at);
        if (!scan_mapping(s, key->opens, top ? i : service, top ? 0 : i))
            return false;
    }
}

static bool
scan_value(struct scanner *s, const struct config_key *key, size_t service, size_t item)
{
    if (key->type == CONFIG_LIST)
        return scan_list(s, key, service);
    if (key->type != CONFIG_MAPPING)
        return scan_scalar(s, key, service, item);
    if (scan_is_null(&s->event))
        return true;
    if (s->event.type != YAML_MAPPING_START_EVENT)
        return scan_fail(s, s->event.start_mark, "%s must be a group of keys", key->name);
    return scan_mapping(s, key->opens, service, item);
}

static bool
scan_unknown_key(struct scanner *s, enum config_section section, const char *text)
{
    CLEANUP_FREE char *shown = config_quote(text);
    scan_fail(s, s->event.start_mark, "unknown key %s in %s", shown, config_section_noun(section));
    const char *nearest = config_key_nearest(section, text);
    if (nearest)
        return err_hint(s->err, "did you mean '%s'?", nearest);
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (strcmp(key->name, text) == 0)
            return err_hint(s->err, "'%s' belongs into %s", text,
                            config_section_noun(key->section));
    }
    const char *names[CONFIG_KEYS_MAX + 1];
    CLEANUP_BUF struct buf list = {0};
    config_key_names(section, names);
    for (size_t i = 0; names[i]; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    return err_hint(s->err, "the keys are %s", buf_text(&list));
}

static bool
scan_mapping(struct scanner *s, enum config_section section, size_t service, size_t item)
{
    yaml_mark_t begin = s->event.start_mark;
    uint64_t seen = 0;
    for (;;) {
        if (!scan_next(s))
            return false;
        if (s->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (s->event.type != YAML_SCALAR_EVENT)
            return scan_fail(s, s->event.start_mark, "a key must be a word, not a list or a group");
        const char *text = (const char *)s->event.data.scalar.value;
        const struct config_key *key = config_key_find(section, text);
        if (!key || strlen(text) != s->event.data.scalar.length)
            return scan_unknown_key(s, section, text);
        uint64_t bit = 1ULL << (key - config_keys);
        if (seen & bit) {
            scan_fail(s, s->event.start_mark, "the key '%s' is given twice in %s", key->name,
                      config_section_noun(section));
            return err_hint(s->err, "keep one of the two lines");
        }
        seen |= bit;
        if (!scan_next(s) || !scan_value(s, key, service, item))
            return false;
    }
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section != section || !key->required || (seen & (1ULL << (key - config_keys))))
            continue;
        scan_fail(s, begin, "%s has no '%s'", config_section_noun(section), key->name);
        return key->example
                   ? err_hint(s->err, "for example: %s: %s", key->name, key->example)
                   : err_hint(s->err, "'effigy config sample' prints a file in the right form");
    }
    return true;
}

static bool
scan_document(struct scanner *s)
{
    if (!scan_next(s)) /* the start of the stream */
        return false;
    if (!scan_next(s))
        return false;
    s->result->empty = s->event.type == YAML_STREAM_END_EVENT;
    if (s->result->empty)
        return true;
    if (!scan_next(s))
        return false;
    if (scan_is_null(&s->event)) {
        s->result->empty = true;
    } else if (s->event.type != YAML_MAPPING_START_EVENT) {
        scan_fail(s, s->event.start_mark, "the file must begin with 'services:'");
        return err_hint(s->err, "'effigy config sample' prints a file in the right form");
    } else if (!scan_mapping(s, CONFIG_TOP, 0, 0)) {
        return false;
    }
    if (!scan_next(s) || !scan_next(s)) /* the end of the document */
        return false;
    if (s->event.type == YAML_STREAM_END_EVENT)
        return true;
    scan_fail(s, s->event.start_mark, "a second document begins here");
    return err_hint(s->err, "put all services below one 'services:' and remove the '---'");
}

bool
config_scan(const char *bytes, size_t length, const char *name, struct config_scan *ret_scan,
            struct err **err)
{
    struct config_scan result = {.list_indent = 2};
    struct scanner s = {
        .bytes = bytes, .length = length, .name = name, .result = &result, .err = err};
    if (!yaml_parser_initialize(&s.parser))
        return err_set(err, ERR_NO_SPACE, 0, "no memory to read %s", name);
    yaml_parser_set_input_string(&s.parser, (const unsigned char *)bytes, length);
    bool ok = scan_document(&s);
    yaml_event_delete(&s.event);
    yaml_parser_delete(&s.parser);
    if (!ok) {
        config_scan_free(&result);
        return false;
    }
    *ret_scan = result;
    return true;
}

void
config_scan_free(struct config_scan *scan)
{
    free(scan->marks);
    *scan = (struct config_scan){0};
}

const struct config_mark *
config_scan_mark(const struct config_scan *scan, const struct config_key *key, size_t service,
                 size_t item)
{
    for (size_t i = 0; i < scan->mark_count; i++) {
        const struct config_mark *mark = &scan->marks[i];
        if (mark->key == key && mark->service == service && mark->item == item)
            return mark;
    }
    return NULL;
}
