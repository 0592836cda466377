/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effigy.yaml. The keys, their types, defaults and documentation are one table (config/keys.h),
 * from which the schema for libcyaml, the sample file and the man page are made. Paths are taken
 * from the folder that holds the file.
 */
#ifndef EFFIGY_CONFIG_CONFIG_H
#define EFFIGY_CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE_LIMIT (1u << 20) /* bytes */

struct config_attach {
    char *name;   /* the schema name in queries */
    char *master; /* "sqlite:PATH" */
};

/* The limits of one query and of the server, as the replica's environment has them. */
struct config_serve {
    uint64_t max_rows;      /* rows of one answer */
    uint64_t max_bytes;     /* bytes of one answer */
    uint64_t max_time_ms;   /* time of one query */
    uint64_t max_heap;      /* bytes of memory of one query */
    uint64_t queue;         /* queries that may wait; behind it 503 */
    uint64_t workers;       /* 0: one per CPU */
    uint64_t cache_seconds; /* Cache-Control: max-age */
    bool cors;              /* Access-Control-Allow-Origin: * */
};

struct config_service {
    char *name;
    char *master; /* "sqlite:PATH" */
    struct config_attach *attach;
    size_t attach_count;
    char *image;       /* "oci:DIR" */
    char *compression; /* "gzip" */
    char *runtime;     /* "local" */
    char *listen;      /* "127.0.0.1" */
    uint64_t port;     /* published; 0: none given */
    uint64_t replicas;
    uint64_t memory; /* bytes a replica may use; 0: no limit */
    char *cpus;      /* "1.5"; "" for no limit */
    uint64_t health_timeout_ms;
    uint64_t grace_ms;
    struct config_serve serve;
};

struct config {
    char *path;     /* of the file */
    char *base_dir; /* its folder */
    struct config_service *services;
    size_t service_count;
};

/* NULL: $EFFIGY_CONFIG, else ./effigy.yaml, else /etc/effigy/effigy.yaml. ERR_NOT_FOUND or
 * ERR_CONFIG, with the line where it can be known. ${env:NAME} and ${file:PATH} inside values are
 * replaced; those values never appear in a message. */
bool config_load(const char *path, struct config **ret_config, struct err **err);
/* The same, from memory; `name` is for messages. Pure but for ${env:} and ${file:}. */
bool config_parse(const char *bytes, size_t length, const char *name, const char *base_dir,
                  struct config **ret_config, struct err **err);
void config_free(struct config *config);
static inline void
config_cleanup(struct config **config)
{
    config_free(*config);
}
#define CLEANUP_CONFIG __attribute__((cleanup(config_cleanup)))
/* ERR_NOT_FOUND names the nearest one that there is. */
const struct config_service *config_service(const struct config *config, const char *name,
                                            struct err **err);

/* Appends a commented service to the file (which is made if it is not there; `path` as in
 * config_load). What was in the file stays as it was. ERR_USAGE if there is a service of that name.
 */
struct config_new_service {
    const char *name, *master, *image;
    unsigned port, replicas; /* 0: the default */
};
bool config_add_service(const char *path, const struct config_new_service *service, char **ret_path,
                        struct err **err);

/* The whole table as a commented sample file, as roff for effigy.yaml(5), and as a list of keys;
 * appended. */
void config_write_sample(struct buf *out);
void config_write_man(struct buf *out);

#endif
