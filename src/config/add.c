/* SPDX-License-Identifier: Apache-2.0 */
#include "config/add.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config-internal.h"
#include "config/document.h"
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Paths on the command line begin in the working folder, those in the file in the file's folder.
 * Where these are not the same, a relative path is made absolute. `prefix` NULL: any "scheme:". */
static char *
add_locate(const char *url, const char *prefix, const char *working)
{
    const char *colon = strchr(url, ':');
    if (!working || !colon || colon[1] == '/' || !colon[1] || (prefix && !str_starts(url, prefix)))
        return mem_strdup(url);
    const char *path = colon + 1;
    while (str_starts(path, "./"))
        path += 2;
    return mem_printf("%.*s%s/%s", (int)(colon + 1 - url), url, working, path);
}

/* NULL if `dir` is the working folder, else the latter's path. */
static char *
add_working_folder(const char *dir)
{
    CLEANUP_FREE char *working = realpath(".", NULL), *real = realpath(dir, NULL);
    if (!working || (real && strcmp(working, real) == 0))
        return NULL;
    return steal_ptr(&working);
}

bool
config_add_text(const char *bytes, size_t length, const char *name, const char *base_dir,
                const struct config_new_service *service, struct buf *ret_text, struct err **err)
{
    struct config_scan scan = {0};
    CLEANUP_CONFIG struct config *before = NULL, *after = NULL;
    if (!str_is_utf8(bytes, length))
        return err_set(err, ERR_CONFIG, 0, "%s is not UTF-8 text", name);
    if (!config_scan(bytes, length, name, &scan, err))
        return false;
    bool empty = scan.empty;
    unsigned indent = scan.list_indent;
    config_scan_free(&scan);
    if (!empty && !config_parse(bytes, length, name, base_dir, &before, err))
        return false;
    for (size_t i = 0; before && i < before->service_count; i++) {
        if (strcmp(before->services[i].name, service->name) != 0)
            continue;
        err_set(err, ERR_USAGE, 0, "there is a service '%s' in %s already", service->name, name);
        return err_hint(err, "choose another name, or edit the file");
    }
    CLEANUP_BUF struct buf text = {0}, block = {0};
    config_write_service(service, indent, empty, &block);
    buf_append(&text, bytes, length);
    if (length && bytes[length - 1] != '\n')
        buf_putc(&text, '\n');
    if (!length)
        config_write_header(&text);
    buf_puts(&text, empty ? "\nservices:\n" : "\n");
    buf_puts(&text, buf_text(&block));

    /* Only a file in which the list of services ends the file can be appended to; reading the
     * result shows it. */
    bool right = config_parse(buf_text(&text), text.length, name, base_dir, &after, NULL) &&
                 after->service_count == (before ? before->service_count : 0) + 1 &&
                 strcmp(after->services[after->service_count - 1].name, service->name) == 0;
    if (right && before && before->service_count) {
        CLEANUP_BUF struct buf was = {0}, is = {0};
        config_write_effective(before, &was);
        config_write_effective(after, &is);
        right = str_starts(buf_text(&is), buf_text(&was));
    }
    if (!right) {
        err_set(err, ERR_CONFIG, 0,
                "the service cannot be added to %s, because the list of services does not end the "
                "file or is written in brackets",
                name);
        return err_hint(err, "add this to the list of services by hand:\n%s", buf_text(&block));
    }
    *ret_text = text;
    text = (struct buf){0};
    return true;
}

bool
config_add_service(const char *path, const struct config_new_service *service, char **ret_path,
                   struct err **err)
{
    if (!str_is_name(service->name)) {
        CLEANUP_FREE char *shown = config_quote(service->name);
        err_set(err, ERR_USAGE, 0, "%s is no name for a service", shown);
        return err_hint(err, "a name has lower-case letters and digits, inside also '-' and '_', "
                             "at most 63 of them");
    }
    if (!config_text_is_plain(service->master, strlen(service->master)) ||
        !config_text_is_plain(service->image, strlen(service->image)))
        return err_set(err, ERR_USAGE, 0, "the master or the image holds a control character");
    const char *variable = getenv("EFFIGY_CONFIG");
    if (!path)
        path = variable && *variable ? variable : "effigy.yaml";

    /* A link stays a link: what it leads to is replaced. */
    CLEANUP_FREE char *real = realpath(path, NULL);
    CLEANUP_FREE char *target = real ? mem_strdup(real) : mem_strdup(path);
    CLEANUP_FREE char *folder = file_dirname(target), *dir = file_dirname(path);
    CLEANUP_FD int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        return err_set(err, ERR_IO, errno, "cannot open the folder %s", folder);
    while (flock(lock, LOCK_EX) < 0) { /* two that add at the same time would lose one of the two */
        if (errno != EINTR)
            return err_set(err, ERR_IO, errno, "cannot lock the folder %s", folder);
    }

    CLEANUP_BUF struct buf bytes = {0}, text = {0};
    struct stat st;
    bool exists = stat(target, &st) == 0;
    ERR_LOCAL(failed);
    if (exists && !file_read(target, CONFIG_FILE_LIMIT, &bytes, &failed)) {
        if (failed->kind == ERR_CORRUPT)
            err_rekind(&failed, ERR_CONFIG);
        return err_move(err, &failed);
    }
    CLEANUP_FREE char *working = add_working_folder(dir);
    CLEANUP_FREE char *master = add_locate(service->master, NULL, working);
    CLEANUP_FREE char *image = add_locate(service->image, "oci:", working);
    struct config_new_service located = *service;
    located.master = master;
    located.image = image;
    if (!config_add_text(buf_text(&bytes), bytes.length, path, dir, &located, &text, err))
        return false;
    if (!file_write_atomic(target, buf_text(&text), text.length, exists ? st.st_mode & 07777 : 0644,
                           err))
        return false;
    if (ret_path)
        *ret_path = mem_strdup(path);
    return true;
}
