/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ref.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define LAYOUT_PREFIX "oci:"
#define REF_LIMIT 4096 /* bytes; PATH_MAX */
#define NAME_LIMIT 255 /* bytes of HOST[:PORT]/NAME that registries and clients agree on */
#define TAG_LIMIT 128

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool
oci_tag_valid(const char *tag)
{
    size_t length = strnlen(tag, TAG_LIMIT + 1);
    return length > 0 && length <= TAG_LIMIT && tag[0] != '.' && tag[0] != '-' &&
           strspn(tag, LOWER UPPER DIGITS "_.-") == length;
}

static bool
ref_refuse(struct err **err, const char *text, const char *why)
{
    err_set(err, ERR_USAGE, 0, "\"%.200s\" is not a reference to an image: %s", text, why);
    return err_hint(err, "write oci:./images/catalogue or oci:./images/catalogue:g1 for a folder, "
                         "registry.example.com/team/catalogue:g1 for a registry");
}

/* Takes "@DIGEST" off the end of *rest, if there is one. */
static bool
ref_take_digest(char *rest, bool always, struct oci_digest *ret_digest)
{
    char *at = strrchr(rest, '@');
    if (!at || (!always && !str_starts(at, "@sha256:")) || strchr(at, '/'))
        return true;
    *at = '\0';
    return oci_digest_parse(at + 1, ret_digest, NULL);
}

static bool
ref_parse_layout(const char *text, char *rest, struct oci_ref *ref, struct err **err)
{
    if (!ref_take_digest(rest, false, &ref->digest))
        return ref_refuse(
            err, text,
            "behind \"@\" there is no digest (sha256: and 64 lower-case hexadecimal digits)");
    char *colon = strrchr(rest, ':');
    if (colon && !strchr(colon, '/')) {
        *colon = '\0';
        if (!oci_tag_valid(colon + 1))
            return ref_refuse(err, text,
                              "what follows the last \":\" is not a tag (letters, digits, \"_\", "
                              "\".\" and \"-\"; "
                              "at most 128; \".\" and \"-\" not in front)");
        ref->tag = mem_strdup(colon + 1);
    }
    if (!rest[0])
        return ref_refuse(err, text, "it names no folder");
    ref->location = mem_strdup(rest);
    return true;
}

/* [a-z0-9]+ joined by ".", "_", "__" or any number of "-" (distribution spec 1.1, "Pulling
 * manifests"). */
static bool
ref_name_component_valid(const char *text, size_t length)
{
    const char *end = text + length;
    for (;;) {
        size_t run = strspn(text, LOWER DIGITS);
        if (run == 0)
            return false;
        text += run;
        if (text >= end)
            return text == end;
        size_t dashes = strspn(text, "-");
        size_t separator = dashes                   ? dashes
                           : *text == '.'           ? 1
                           : str_starts(text, "__") ? 2
                           : *text == '_'           ? 1
                                                    : 0;
        if (separator == 0)
            return false;
        text += separator;
    }
}

static bool
ref_name_valid(const char *name)
{
    for (;;) {
        size_t length = strcspn(name, "/");
        if (length == 0 || !ref_name_component_valid(name, length))
            return false;
        if (!name[length])
            return true;
        name += length + 1;
    }
}

static bool
ref_host_valid(const char *host, size_t length)
{
    CLEANUP_FREE char *copy = mem_strndup(host, length);
    char *rest = copy;
    if (*rest == '[') {
        size_t inside = strspn(rest + 1, DIGITS "abcdefABCDEF:.");
        if (inside < 2 || rest[1 + inside] != ']')
            return false;
        rest += inside + 2;
    } else {
        for (;; rest++) {
            size_t label = strspn(rest, LOWER UPPER DIGITS "-");
            if (label == 0 || rest[0] == '-' || rest[label - 1] == '-')
                return false;
            rest += label;
            if (*rest != '.')
                break;
        }
    }
    uint64_t port;
    return !*rest || (*rest == ':' && str_to_u64(rest + 1, 1, 65535, &port));
}

static bool
ref_parse_registry(const char *text, char *rest, struct oci_ref *ref, struct err **err)
{
    char *slash = strchr(rest, '/');
    if (!slash)
        return ref_refuse(
            err, text,
            "it has neither \"oci:\" in front nor a \"/\" between a registry and a name");
    size_t host = (size_t)(slash - rest);
    bool local = host == strlen("localhost") && strncmp(rest, "localhost", host) == 0;
    if (!local && !memchr(rest, '.', host) && !memchr(rest, ':', host))
        return ref_refuse(err, text,
                          "what stands before the first \"/\" is not a registry's host name");
    if (!ref_host_valid(rest, host))
        return ref_refuse(err, text, "the registry is not HOST or HOST:PORT");
    if (!ref_take_digest(slash, true, &ref->digest))
        return ref_refuse(
            err, text,
            "behind \"@\" there is no digest (sha256: and 64 lower-case hexadecimal digits)");
    char *colon = strrchr(slash, ':');
    if (colon) {
        *colon = '\0';
        if (!oci_tag_valid(colon + 1))
            return ref_refuse(err, text,
                              "what follows the last \":\" is not a tag (letters, digits, \"_\", "
                              "\".\" and \"-\"; "
                              "at most 128; \".\" and \"-\" not in front)");
        ref->tag = mem_strdup(colon + 1);
    }
    if (!ref_name_valid(slash + 1))
        return ref_refuse(err, text,
                          "the name in the registry is not lower-case letters and digits, with "
                          "single \".\", \"_\" or "
                          "\"-\" and \"/\" between them");
    if (strlen(rest) > NAME_LIMIT)
        return ref_refuse(err, text, "the name is longer than 255 bytes");
    ref->location = mem_strdup(rest);
    return true;
}

bool
oci_ref_parse(const char *text, struct oci_ref *ret_ref, struct err **err)
{
    if (strnlen(text, REF_LIMIT) == REF_LIMIT)
        return ref_refuse(err, text, "it is too long");
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == '\x7f')
            return ref_refuse(err, text, "it holds control characters");
    CLEANUP(oci_ref_free) struct oci_ref ref = {0};
    CLEANUP_FREE char *copy = mem_strdup(text);
    bool layout = str_starts(text, LAYOUT_PREFIX);
    ref.transport = layout ? OCI_TRANSPORT_LAYOUT : OCI_TRANSPORT_REGISTRY;
    if (layout ? !ref_parse_layout(text, copy + strlen(LAYOUT_PREFIX), &ref, err)
               : !ref_parse_registry(text, copy, &ref, err))
        return false;
    *ret_ref = ref;
    ref = (struct oci_ref){0};
    return true;
}

char *
oci_ref_format(const struct oci_ref *ref)
{
    bool layout = ref->transport == OCI_TRANSPORT_LAYOUT;
    const char *colon = strrchr(ref->location, ':');
    /* A folder "a:b" would be read back as the folder a with the tag b. */
    bool guard = layout && !ref->tag && colon && !strchr(colon, '/');
    return mem_printf("%s%s%s%s%s%s%s", layout ? LAYOUT_PREFIX : "", ref->location,
                      guard ? "/" : "", ref->tag ? ":" : "", str_or(ref->tag, ""),
                      ref->digest.text[0] ? "@" : "", ref->digest.text);
}

void
oci_ref_free(struct oci_ref *ref)
{
    free(ref->location);
    free(ref->tag);
    *ref = (struct oci_ref){0};
}
