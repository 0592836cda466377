/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests, indexes and image configurations (OCI image spec 1.1: manifest.md, image-index.md,
 * config.md, annotations.md). Parsing is pure and bounded; what is not understood is ignored, as
 * the specification asks, except where it would make a difference (a config without rootfs is
 * refused). Serialising is deterministic: fixed key order, annotations and labels sorted, no white
 * space. Docker schema 2 media types are read as the OCI types that they correspond to.
 */
#ifndef EFFIGY_OCI_MANIFEST_H
#define EFFIGY_OCI_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"
#include "oci/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OCI_MANIFEST_LIMIT (4u << 20) /* bytes; the distribution spec's floor for registries */
#define OCI_CONFIG_LIMIT (4u << 20)
#define OCI_LAYERS_LIMIT 127 /* what overlayfs and Docker allow */

#define OCI_MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_MEDIA_LAYER_TAR "application/vnd.oci.image.layer.v1.tar"
#define OCI_MEDIA_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_MEDIA_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"

/* A list of key=value, kept sorted by key. Zero-initialise it. */
struct oci_pair {
    char *key, *value;
};
struct oci_map {
    struct oci_pair *pairs;
    size_t count, room;
};
void oci_map_set(struct oci_map *map, const char *key,
                 const char *value);                                 /* NULL removes the key */
const char *oci_map_get(const struct oci_map *map, const char *key); /* or NULL */
void oci_map_copy(struct oci_map *dst, const struct oci_map *src);
void oci_map_free(struct oci_map *map);

struct oci_platform {
    char *os;           /* "linux"; NULL where there is none */
    char *architecture; /* GOARCH: "amd64", "arm64" */
};
/* The GOARCH name of the machine this was built for. */
const char *oci_platform_host_architecture(void);

struct oci_descriptor {
    char *media_type;
    struct oci_digest digest;
    uint64_t size; /* bytes of the blob */
    struct oci_map annotations;
    struct oci_platform platform; /* in indexes only */
};
void oci_descriptor_copy(struct oci_descriptor *dst, const struct oci_descriptor *src);
void oci_descriptor_free(struct oci_descriptor *descriptor); /* the fields */

struct oci_manifest {
    struct oci_descriptor config;
    struct oci_descriptor *layers; /* lowest first */
    size_t layer_count;
    struct oci_map annotations;
};
bool oci_manifest_parse(const char *bytes, size_t length, struct oci_manifest *ret_manifest,
                        struct err **err);
char *oci_manifest_format(const struct oci_manifest *manifest); /* JSON; to be freed */
void oci_manifest_free(struct oci_manifest *manifest);

struct oci_index {
    struct oci_descriptor *manifests;
    size_t count;
    struct oci_map annotations;
};
bool oci_index_parse(const char *bytes, size_t length, struct oci_index *ret_index,
                     struct err **err);
char *oci_index_format(const struct oci_index *index);
void oci_index_free(struct oci_index *index);

struct oci_history {
    char *created; /* RFC 3339 */
    char *created_by;
    char *comment;
    bool empty_layer;
};
struct oci_config {
    char *created; /* RFC 3339 */
    char *architecture, *os;
    char **env;        /* NULL-terminated "NAME=value"; or NULL */
    char **entrypoint; /* NULL-terminated; or NULL */
    char **cmd;        /* NULL-terminated; or NULL */
    char *user;
    char *working_dir;
    char *stop_signal;
    char **exposed_ports; /* NULL-terminated "8080/tcp"; or NULL */
    char **volumes;       /* NULL-terminated; read, never written by us; or NULL */
    struct oci_map labels;
    struct oci_digest *diff_ids; /* one a layer, of the uncompressed tar, lowest first */
    size_t diff_id_count;
    struct oci_history *history;
    size_t history_count;
};
bool oci_config_parse(const char *bytes, size_t length, struct oci_config *ret_config,
                      struct err **err);
char *oci_config_format(const struct oci_config *config);
void oci_config_free(struct oci_config *config);

#endif
