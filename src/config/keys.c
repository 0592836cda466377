/* SPDX-License-Identifier: Apache-2.0 */
#include "config/keys.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static const char *const choices_compression[] = {"gzip", "none", "zstd", NULL};
static const char *const choices_runtime[] = {"local", NULL};
static const char *const reserved_attach[] = {"main", "temp", NULL};

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND 1000ULL
#define HOUR (3600 * SECOND)

#define TOP(member) .section = CONFIG_TOP, .offset = offsetof(struct config, member)
#define SERVICE(member) .section = CONFIG_SERVICE, .offset = offsetof(struct config_service, member)
#define ATTACH(member) .section = CONFIG_ATTACH, .offset = offsetof(struct config_attach, member)
#define SERVE(member) .section = CONFIG_SERVE, .offset = offsetof(struct config_serve, member)

const struct config_key config_keys[] = {
    {TOP(services), .name = "services", .type = CONFIG_LIST, .required = true, .max = 1000,
     .opens = CONFIG_SERVICE, .count_offset = offsetof(struct config, service_count),
     .doc = "The services: each is one master database and the generations made of it."},

    {SERVICE(name), .name = "name", .type = CONFIG_NAME, .required = true, .example = "catalogue",
     .doc = "The name of the service, as the command line takes it: lower-case letters, digits, "
            "and inside "
            "also '-' and '_', at most 63 of them."},
    {SERVICE(master), .name = "master", .type = CONFIG_STRING, .required = true, .secret = true,
     .example = "sqlite:catalogue.db",
     .doc = "The database that takes the writes: sqlite:PATH. A relative path begins in the folder "
            "of this file."},
    {SERVICE(attach), .name = "attach", .type = CONFIG_LIST, .max = 100, .opens = CONFIG_ATTACH,
     .count_offset = offsetof(struct config_service, attach_count),
     .doc = "More database files that belong to the service. A query names their tables with the "
            "name given "
            "here in front: select * from prices.item."},
    {SERVICE(image), .name = "image", .type = CONFIG_STRING, .required = true,
     .example = "oci:./images/catalogue",
     .doc = "Where the generations are kept: oci:DIR is an OCI image layout in a folder. A "
            "relative path begins "
            "in the folder of this file."},
    {SERVICE(compression), .name = "compression", .type = CONFIG_CHOICE, .initial = "gzip",
     .choices = choices_compression,
     .doc =
         "How layers are compressed. Every container engine reads gzip; zstd is smaller and faster "
         "where "
         "all of them are recent; none is for stores on a file system that compresses by itself."},
    {SERVICE(runtime), .name = "runtime", .type = CONFIG_CHOICE, .initial = "local",
     .choices = choices_runtime,
     .doc = "What starts the replicas: local runs them on this machine with runc."},
    {SERVICE(listen), .name = "listen", .type = CONFIG_ADDRESS, .initial = "127.0.0.1",
     .doc = "The address that the service is published on. 0.0.0.0 is every IPv4 address of the "
            "machine, :: is "
            "every address; there is no authentication, so think before you use these."},
    {SERVICE(port), .name = "port", .type = CONFIG_UNSIGNED, .min = 1, .max = 65535,
     .example = "8080",
     .doc =
         "The TCP port that the service is published on. All replicas answer on it. Without one, "
         "'effigy run' needs --port."},
    {SERVICE(replicas), .name = "replicas", .type = CONFIG_UNSIGNED, .initial = "1", .min = 1,
     .max = 1000, .doc = "How many replicas to run."},
    {SERVICE(memory), .name = "memory", .type = CONFIG_BYTES, .initial = "0", .min = 16 * MIB,
     .max = 1ULL << 50, .zero = "no limit",
     .doc = "How much memory one replica may use, the pages of the database that it holds in the "
            "page cache "
            "included: 256MiB, 2GiB. 0 is no limit."},
    {SERVICE(cpus), .name = "cpus", .type = CONFIG_CPUS, .example = "1.5",
     .doc =
         "How many CPUs one replica may use, as a decimal number. Without it there is no limit."},
    {SERVICE(health_timeout_ms), .name = "health_timeout", .type = CONFIG_DURATION,
     .initial = "30s", .min = SECOND, .max = HOUR,
     .doc = "How long a new replica may take to become healthy. If it does not, the rollout is "
            "undone."},
    {SERVICE(grace_ms), .name = "grace", .type = CONFIG_DURATION, .initial = "10s", .min = 0,
     .max = HOUR,
     .doc =
         "How long a replica that is stopped may go on answering the queries that it has begun."},
    {SERVICE(serve), .name = "serve", .type = CONFIG_MAPPING, .opens = CONFIG_SERVE,
     .doc = "Limits of the server in each replica. They are part of a generation: a change takes "
            "effect with the "
            "next one, which 'effigy publish --force' makes at once."},

    {ATTACH(name), .name = "name", .type = CONFIG_NAME, .required = true, .example = "prices",
     .reserved = reserved_attach,
     .doc = "The name that queries put in front of its tables; not main or temp."},
    {ATTACH(master), .name = "master", .type = CONFIG_STRING, .required = true, .secret = true,
     .example = "sqlite:prices.db", .doc = "The database file: sqlite:PATH."},

    {SERVE(max_rows), .name = "max_rows", .type = CONFIG_UNSIGNED, .initial = "10000", .min = 1,
     .max = 1000000000, .doc = "Rows of one answer."},
    {SERVE(max_bytes), .name = "max_bytes", .type = CONFIG_BYTES, .initial = "16MiB", .min = KIB,
     .max = GIB, .doc = "Bytes of one answer."},
    {SERVE(max_time_ms), .name = "max_time", .type = CONFIG_DURATION, .initial = "5s", .min = 1,
     .max = HOUR, .doc = "Time of one query; it is ended after that."},
    {SERVE(max_heap), .name = "max_heap", .type = CONFIG_BYTES, .initial = "64MiB", .min = MIB,
     .max = 64 * GIB, .doc = "Memory that one query may use for sorting and the like."},
    {SERVE(queue), .name = "queue", .type = CONFIG_UNSIGNED, .initial = "128", .min = 1,
     .max = 65536,
     .doc = "Queries that may wait for a free worker. Further ones are answered with 503 and "
            "Retry-After."},
    {SERVE(workers), .name = "workers", .type = CONFIG_UNSIGNED, .initial = "0", .min = 1,
     .max = 512, .zero = "one per CPU", .doc = "Threads that answer queries. 0 is one per CPU."},
    {SERVE(cache_seconds), .name = "cache_seconds", .type = CONFIG_UNSIGNED, .initial = "0",
     .min = 0, .max = 31536000,
     .doc = "How long caches may keep an answer without asking again, in seconds (Cache-Control: "
            "max-age)."},
    {SERVE(cors), .name = "cors", .type = CONFIG_BOOL, .initial = "false",
     .doc = "Whether pages of other web sites may query the service (Access-Control-Allow-Origin: "
            "*)."},
};
const size_t config_key_count = ARRAY_LENGTH(config_keys);
_Static_assert(ARRAY_LENGTH(config_keys) <= CONFIG_KEYS_MAX, "readers keep one bit per key");

size_t
config_section_size(enum config_section section)
{
    static const size_t sizes[] = {sizeof(struct config), sizeof(struct config_service),
                                   sizeof(struct config_attach), sizeof(struct config_serve)};
    return sizes[section];
}

const char *
config_section_noun(enum config_section section)
{
    static const char *const nouns[] = {"the file", "a service", "an attached database", "'serve'"};
    return nouns[section];
}

const struct config_key *
config_key_find(enum config_section section, const char *name)
{
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section == section && strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

void
config_key_names(enum config_section section, const char **ret)
{
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section == section)
            *ret++ = key->name;
    }
    *ret = NULL;
}

const char *
config_key_nearest(enum config_section section, const char *name)
{
    const char *names[ARRAY_LENGTH(config_keys) + 1];
    config_key_names(section, names);
    return str_nearest(name, names);
}
