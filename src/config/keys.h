/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all keys of effigy.yaml. The schema for libcyaml, the checks, the defaults, the
 * sample file and effigy.yaml(5) are made from it at run time; a new key is a new row here and a
 * member in config.h.
 */
#ifndef EFFIGY_CONFIG_KEYS_H
#define EFFIGY_CONFIG_KEYS_H

#include "base/err.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_section {
    CONFIG_TOP,     /* struct config */
    CONFIG_SERVICE, /* struct config_service */
    CONFIG_ATTACH,  /* struct config_attach */
    CONFIG_SERVE,   /* struct config_serve */
    CONFIG_SECTIONS,
};

enum config_type {
    CONFIG_STRING,   /* char *; not empty */
    CONFIG_NAME,     /* char *; str_is_name() */
    CONFIG_ADDRESS,  /* char *; an IPv4 or IPv6 address */
    CONFIG_CPUS,     /* char *; a decimal number, "" when unset */
    CONFIG_CHOICE,   /* char *; one of .choices */
    CONFIG_BOOL,     /* bool */
    CONFIG_UNSIGNED, /* uint64_t */
    CONFIG_BYTES,    /* uint64_t, in bytes: "64MiB" */
    CONFIG_DURATION, /* uint64_t, in milliseconds: "30s" */
    CONFIG_LIST,     /* pointer to records of section .opens, and a count */
    CONFIG_MAPPING,  /* a record of section .opens, in place */
};

struct config_key {
    enum config_section section;
    const char *name;
    enum config_type type;
    size_t offset;               /* in the section's struct */
    const char *initial;         /* the default as one would write it; NULL: none */
    const char *doc;             /* whole sentences, plain text */
    const char *example;         /* shown where there is no default */
    bool required, secret;       /* secret: a password inside is never shown */
    uint64_t min, max;           /* UNSIGNED, BYTES, DURATION; LIST: max records */
    const char *zero;            /* what 0 stands for where it is allowed below min */
    const char *const *choices;  /* CHOICE; ends with NULL */
    const char *const *reserved; /* NAME: names that it may not be; ends with NULL */
    enum config_section opens;   /* LIST, MAPPING */
    size_t count_offset;         /* LIST: of its size_t count */
};

#define CONFIG_KEYS_MAX 64
extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* The size of the struct that a section fills, and what one record of it is called in messages. */
size_t config_section_size(enum config_section section);
const char *config_section_noun(enum config_section section); /* "a service" */

/* The row of a key; NULL if there is none. */
const struct config_key *config_key_find(enum config_section section, const char *name);
/* The key of the section that a misspelt one most likely meant; NULL if none is near. */
const char *config_key_nearest(enum config_section section, const char *name);
/* Names of the section's keys, NULL-terminated, into `ret` (config_key_count + 1 of room). */
void config_key_names(enum config_section section, const char **ret);

#endif
