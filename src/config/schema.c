/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include "base/mem.h"

#include <cyaml/cyaml.h>

struct schema {
    cyaml_schema_field_t fields[CONFIG_SECTIONS]
                               [CONFIG_KEYS_MAX + 1]; /* each ends with a NULL key */
    cyaml_schema_value_t records[CONFIG_SECTIONS];    /* one record of a section */
    cyaml_schema_value_t top;
    cyaml_data_t *data;
};

/* Without a log function libcyaml is silent. */
static const cyaml_config_t schema_config = {.mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS};

static size_t
schema_index(const struct config_key *key)
{
    size_t index = 0;
    for (const struct config_key *k = config_keys; k < key; k++)
        index += k->section == key->section;
    return index;
}

static void
schema_build(struct schema *schema)
{
    size_t counts[CONFIG_SECTIONS] = {0};
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        size_t index = counts[key->section]++;
        cyaml_schema_field_t *field = &schema->fields[key->section][index];
        *field = (cyaml_schema_field_t){
            .key = key->name,
            .data_offset = (uint32_t)(index * sizeof(struct schema_slot) +
                                      offsetof(struct schema_slot, value)),
        };
        cyaml_schema_value_t *value = &field->value;
        value->flags = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER;
        if (key->type == CONFIG_LIST) {
            field->count_offset = (uint32_t)(index * sizeof(struct schema_slot) +
                                             offsetof(struct schema_slot, count));
            field->count_size = sizeof(uint64_t);
            value->type = CYAML_SEQUENCE;
            value->flags |= CYAML_FLAG_POINTER_NULL_STR;
            value->sequence.entry = &schema->records[key->opens];
            value->sequence.max = (uint32_t)key->max;
        } else if (key->type == CONFIG_MAPPING) {
            value->type = CYAML_MAPPING;
            value->flags |= CYAML_FLAG_POINTER_NULL_STR;
            value->mapping.fields = schema->fields[key->opens];
        } else {
            value->type = CYAML_STRING;
            value->string.max = CYAML_UNLIMITED;
            value->data_size = sizeof(char);
        }
    }
    for (int section = 0; section < CONFIG_SECTIONS; section++) {
        schema->records[section] = (cyaml_schema_value_t){
            .type = CYAML_MAPPING,
            .data_size = (uint32_t)(counts[section] * sizeof(struct schema_slot)),
            .mapping.fields = schema->fields[section],
        };
    }
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->type == CONFIG_LIST || key->type == CONFIG_MAPPING)
            schema->fields[key->section][schema_index(key)].value.data_size =
                schema->records[key->opens].data_size;
    }
    schema->top = schema->records[CONFIG_TOP];
    schema->top.flags = CYAML_FLAG_POINTER;
}

bool
schema_load(const char *bytes, size_t length, const char *name, struct schema **ret_schema,
            struct err **err)
{
    struct schema *schema = mem_new(sizeof *schema);
    schema_build(schema);
    cyaml_err_t code = cyaml_load_data((const uint8_t *)bytes, length, &schema_config, &schema->top,
                                       &schema->data, NULL);
    if (code == CYAML_OK && schema->data) {
        *ret_schema = schema;
        return true;
    }
    schema_free(schema);
    return err_set(err, ERR_CONFIG, 0, "%s cannot be read: %s", name, cyaml_strerror(code));
}

const struct schema_slot *
schema_top(const struct schema *schema)
{
    return schema->data;
}

const struct schema_slot *
schema_slot(const struct schema_slot *record, const struct config_key *key)
{
    return record + schema_index(key);
}

const struct schema_slot *
schema_record(const struct schema_slot *list, const struct config_key *key, size_t i)
{
    size_t keys = 0;
    for (const struct config_key *k = config_keys; k < config_keys + config_key_count; k++)
        keys += k->section == key->opens;
    return (const struct schema_slot *)list->value + i * keys;
}

void
schema_free(struct schema *schema)
{
    if (!schema)
        return;
    cyaml_free(&schema_config, &schema->top, schema->data, 0);
    free(schema);
}
