/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/request.h"

#include "base/mem.h"
#include "base/str.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#define HINT_VALUES \
    "a parameter is null, true, false, a number, a text, or {\"$base64\": \"...\"} for a blob"
#define HINT_SQL \
    "send the statement as ?sql=..., as a form, as JSON {\"sql\": ...}, or as application/sql"

static int
request_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
request_decode(const char *text, size_t length, char **ret_bytes, size_t *ret_length)
{
    CLEANUP_FREE char *bytes = mem_new(length + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = length - i > 2 ? request_hex(text[i + 1]) : -1;
            int low = length - i > 2 ? request_hex(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        bytes[used++] = c;
    }
    *ret_bytes = steal_ptr(&bytes);
    *ret_length = used;
    return true;
}

static int
request_base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
request_base64(const char *text, size_t length, char **ret_bytes, size_t *ret_length)
{
    if (length % 4)
        return false;
    size_t padding = length ? (size_t)(text[length - 1] == '=') + (text[length - 2] == '=') : 0;
    if (padding && text[length - 1] != '=')
        return false;
    CLEANUP_FREE char *bytes = mem_new(length / 4 * 3 + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i += 4) {
        unsigned group = 0;
        for (size_t k = 0; k < 4; k++) {
            bool pad = i + k >= length - padding;
            int digit = pad ? 0 : request_base64_digit(text[i + k]);
            if (digit < 0)
                return false;
            group = group << 6 | (unsigned)digit;
        }
        bytes[used++] = (char)(group >> 16);
        bytes[used++] = (char)(group >> 8);
        bytes[used++] = (char)group;
    }
    bytes[used -= padding] = '\0'; /* the last group may leave bits behind */
    *ret_bytes = steal_ptr(&bytes);
    *ret_length = used;
    return true;
}

bool
request_sql_is_blank(const char *sql, size_t length)
{
    for (size_t i = 0; i < length;) {
        if (strchr(" \t\r\n\f;", sql[i])) {
            i++;
        } else if (length - i >= 2 && sql[i] == '-' && sql[i + 1] == '-') {
            const char *end = memchr(sql + i, '\n', length - i);
            i = end ? (size_t)(end - sql) + 1 : length;
        } else if (length - i >= 2 && sql[i] == '/' && sql[i + 1] == '*') {
            const char *end = memmem(sql + i + 2, length - i - 2, "*/", 2);
            i = end ? (size_t)(end - sql) + 2 : length;
        } else {
            return false;
        }
    }
    return true;
}

static bool
request_add_param(struct request *request, struct param *param, struct problem *problem)
{
    if (request->count == REQUEST_PARAMS) {
        free(param->name);
        free(param->data);
        return problem_set(problem, 400, "bad-parameters", NULL, "more than %d parameters",
                           REQUEST_PARAMS);
    }
    request->bytes += param->length + (param->name ? strlen(param->name) : 0);
    MEM_RESERVE(request->params, request->count, request->room);
    request->params[request->count++] = *param;
    return true;
}

static bool
request_add_blob(struct request *request, struct param *param, const json_t *value,
                 struct problem *problem)
{
    const json_t *text = json_object_get(value, "$base64");
    param->kind = PARAM_BLOB;
    if (json_object_size(value) != 1 || !json_is_string(text) ||
        !request_base64(json_string_value(text), json_string_length(text), &param->data,
                        &param->length)) {
        free(param->name);
        return problem_set(problem, 400, "bad-parameters", HINT_VALUES,
                           "a parameter is an object that is not {\"$base64\": \"...\"}");
    }
    return request_add_param(request, param, problem);
}

static bool
request_add_json(struct request *request, const char *name, const json_t *value,
                 struct problem *problem)
{
    struct param param = {.name = mem_strdup(name)};
    switch (json_typeof(value)) {
    case JSON_NULL:
        param.kind = PARAM_NULL;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        param.kind = PARAM_INTEGER;
        param.integer = json_is_true(value);
        break;
    case JSON_INTEGER:
        param.kind = PARAM_INTEGER;
        param.integer = json_integer_value(value);
        break;
    case JSON_REAL:
        param.kind = PARAM_REAL;
        param.real = json_real_value(value);
        break;
    case JSON_STRING:
        param.kind = PARAM_TEXT;
        param.length = json_string_length(value);
        param.data = mem_dup(json_string_value(value), param.length + 1);
        break;
    case JSON_OBJECT:
        return request_add_blob(request, &param, value, problem);
    default:
        free(param.name);
        return problem_set(problem, 400, "bad-parameters", HINT_VALUES, "a parameter is an array");
    }
    return request_add_param(request, &param, problem);
}

static bool
request_set_params(struct request *request, const json_t *params, struct problem *problem)
{
    if (json_is_array(params)) {
        for (size_t i = 0; i < json_array_size(params); i++) {
            if (!request_add_json(request, NULL, json_array_get(params, i), problem))
                return false;
        }
        return true;
    }
    if (!json_is_object(params))
        return problem_set(problem, 400, "bad-parameters", "use [1, \"a\"] or {\"name\": \"a\"}",
                           "params is neither a JSON array nor an object");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)params, name, value)
    {
        if (!request_add_json(request, name, value, problem))
            return false;
    }
    return true;
}

static json_t *
request_load_json(const char *text, size_t length, const char *what, struct problem *problem)
{
    json_error_t why;
    json_t *root =
        json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
    if (!root)
        problem_set(problem, 400, "bad-json", NULL, "%s is not JSON: %s (line %d, column %d)", what,
                    why.text, why.line, why.column);
    return root;
}

/* Takes over `sql`, which is freed on failure too. */
static bool
request_set_sql(struct request *request, char *sql, size_t length, struct problem *problem)
{
    if (request->sql) {
        free(sql);
        return problem_set(problem, 400, "bad-request", NULL, "sql is given twice");
    }
    request->sql = sql;
    request->sql_length = length;
    if (memchr(sql, '\0', length))
        return problem_set(problem, 400, "bad-sql", "bind the value as a parameter instead",
                           "the SQL has a NUL character");
    if (!str_is_utf8(sql, length))
        return problem_set(problem, 400, "bad-sql",
                           "bind bytes as a parameter {\"$base64\": \"...\"}",
                           "the SQL is not UTF-8");
    return true;
}

static bool
request_set_format(enum format *format, bool *given, const char *name, size_t length,
                   struct problem *problem)
{
    *given = true;
    if (strlen(name) == length && format_by_name(name, format))
        return true;
    return problem_set(problem, 406, "not-acceptable", "the formats are json, ndjson and csv",
                       "there is no format \"%.40s\"", name);
}

/* One argument of a URL or form; takes over both strings. */
static bool
request_set_argument(struct request *request, bool *has_format, char *name, char *value,
                     size_t length, struct problem *problem)
{
    CLEANUP_FREE char *own_name = name;
    CLEANUP_FREE char *own_value = value;
    if (strcmp(name, "sql") == 0)
        return request_set_sql(request, steal_ptr(&own_value), length, problem);
    if (strcmp(name, "format") == 0)
        return request_set_format(&request->format, has_format, value, length, problem);
    if (strcmp(name, "params") == 0) {
        json_t *params = request_load_json(value, length, "params", problem);
        bool ok = params && request_set_params(request, params, problem);
        json_decref(params);
        return ok;
    }
    struct param param = {.name = steal_ptr(&own_name),
                          .optional = true,
                          .kind = PARAM_TEXT,
                          .data = steal_ptr(&own_value),
                          .length = length};
    return request_add_param(request, &param, problem);
}

static bool
request_parse_form(struct request *request, bool *has_format, const char *text, size_t length,
                   struct problem *problem)
{
    const char *end = text + length;
    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        if (!stop)
            stop = end;
        if (stop > text) {
            const char *equals = memchr(text, '=', (size_t)(stop - text));
            const char *name_end = equals ? equals : stop, *value = equals ? equals + 1 : stop;
            CLEANUP_FREE char *name = NULL;
            CLEANUP_FREE char *bytes = NULL;
            size_t name_length, bytes_length;
            if (!request_decode(text, (size_t)(name_end - text), &name, &name_length) ||
                !request_decode(value, (size_t)(stop - value), &bytes, &bytes_length))
                return problem_set(problem, 400, "bad-request", "write a percent sign as %25",
                                   "a %% in an argument is not followed by two hex digits");
            if (!request_set_argument(request, has_format, steal_ptr(&name), steal_ptr(&bytes),
                                      bytes_length, problem))
                return false;
        }
        text = stop + 1;
    }
    return true;
}

static bool
request_parse_json(struct request *request, bool *has_format, const char *body, size_t length,
                   struct problem *problem)
{
    json_t *root = request_load_json(body, length, "the body", problem);
    if (!root)
        return false;
    bool ok = json_is_object(root) || problem_set(problem, 400, "bad-request", HINT_SQL,
                                                  "the body is JSON, but not an object");
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (!ok)
            break;
        if (strcmp(key, "sql") == 0 && json_is_string(value)) {
            size_t n = json_string_length(value);
            ok = request_set_sql(request, mem_dup(json_string_value(value), n + 1), n, problem);
        } else if (strcmp(key, "params") == 0) {
            ok = json_is_null(value) || request_set_params(request, value, problem);
        } else if (strcmp(key, "format") == 0 && json_is_string(value)) {
            ok = request_set_format(&request->format, has_format, json_string_value(value),
                                    json_string_length(value), problem);
        } else {
            ok = problem_set(problem, 400, "bad-request",
                             "the body's keys are sql (text), params and format (text)",
                             "the body's \"%.80s\" is not known, or not of the right type", key);
        }
    }
    json_decref(root);
    return ok;
}

static bool
request_is_type(const char *content_type, const char *type)
{
    size_t length = strlen(type);
    return strncasecmp(content_type, type, length) == 0 && strchr("; \t", content_type[length]);
}

static bool
request_parse_body(struct request *request, bool *has_format, const struct request_input *input,
                   struct problem *problem)
{
    const char *type = str_or(input->content_type, "");
    if (input->body_length == 0)
        return true;
    if (request_is_type(type, "application/x-www-form-urlencoded"))
        return request_parse_form(request, has_format, input->body, input->body_length, problem);
    if (request_is_type(type, "application/json"))
        return request_parse_json(request, has_format, input->body, input->body_length, problem);
    if (request_is_type(type, "application/sql") || request_is_type(type, "text/plain")) {
        char *sql = mem_new(input->body_length + 1);
        memcpy(sql, input->body, input->body_length);
        return request_set_sql(request, sql, input->body_length, problem);
    }
    return problem_set(
        problem, 415, "unsupported-media-type",
        "use application/json, application/x-www-form-urlencoded, application/sql or text/plain",
        *type ? "the body's content type \"%.80s\" is not known" : "the body has no content type%s",
        type);
}

bool
request_parse(const struct request_input *input, struct request *ret_request,
              struct problem *problem)
{
    struct request request = {0};
    bool has_format = false;
    bool ok = (!input->query || request_parse_form(&request, &has_format, input->query,
                                                   strlen(input->query), problem)) &&
              (!input->body || request_parse_body(&request, &has_format, input, problem));
    if (ok && !request.sql)
        ok = problem_set(problem, 400, "no-sql", HINT_SQL, "there is no SQL in the request");
    if (ok && request_sql_is_blank(request.sql, request.sql_length))
        ok = problem_set(problem, 400, "no-sql", HINT_SQL, "the SQL is empty");
    if (ok && !has_format && !format_by_accept(input->accept, &request.format))
        ok = problem_set(problem, 406, "not-acceptable",
                         "answers are application/json, application/x-ndjson or text/csv",
                         "no form of the answer is acceptable by \"%.120s\"", input->accept);
    if (!ok) {
        request_free(&request);
        return false;
    }
    *ret_request = request;
    return true;
}

void
request_free(struct request *request)
{
    free(request->sql);
    for (size_t i = 0; i < request->count; i++) {
        free(request->params[i].name);
        free(request->params[i].data);
    }
    free(request->params);
    *request = (struct request){0};
}
