/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as this folder reads and writes it. `what` names the document in messages. */
#ifndef EFFIGY_OCI_MANIFEST_INTERNAL_H
#define EFFIGY_OCI_MANIFEST_INTERNAL_H

#include "oci/manifest.h"

#include <jansson.h>

/* Parses a JSON object of at most `limit` bytes, without duplicate keys; ERR_CORRUPT otherwise. */
json_t *oci_json_load(const char *bytes, size_t length, size_t limit, const char *what,
                      struct err **err);
/* Without white space, keys in the order in which they were set; to be freed. */
char *oci_json_dump(const json_t *json);

/* The member `key` of an object, borrowed. An absent or null member gives NULL, or ERR_CORRUPT if
 * it is required; so does one of another type. JSON_TRUE stands for both booleans. */
enum oci_json_need {
    OCI_JSON_OPTIONAL,
    OCI_JSON_REQUIRED,
};
bool oci_json_get(const json_t *object, const char *key, json_type type, enum oci_json_need need,
                  const char *what, json_t **ret_member, struct err **err);
/* The same for strings; a copy, to be freed. */
bool oci_json_get_text(const json_t *object, const char *key, enum oci_json_need need,
                       const char *what, char **ret_text, struct err **err);
/* An object of strings, as annotations and labels are. */
bool oci_json_get_map(const json_t *object, const char *key, const char *what,
                      struct oci_map *ret_map, struct err **err);

/* Nothing is set where text is NULL or the map is empty. What is not UTF-8 cannot stand in JSON:
 * its bytes become "?". */
void oci_json_set_text(json_t *object, const char *key, const char *text);
void oci_json_set_map(json_t *object, const char *key, const struct oci_map *map);
json_t *oci_json_text(const char *text);

bool oci_descriptor_from_json(const json_t *json, const char *what,
                              struct oci_descriptor *ret_descriptor, struct err **err);
json_t *oci_descriptor_to_json(const struct oci_descriptor *descriptor);
/* The OCI media type that a Docker schema 2 type corresponds to; any other as it is. */
const char *oci_media_type_map(const char *media_type);
/* The media type that a manifest or index says it has, or else shows by its members. NULL if
 * neither. */
char *oci_media_type_sniff(const json_t *document);

#endif
