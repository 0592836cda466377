/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server.h"

#include "bake/bake.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/manifest.h"

#include <limits.h>
#include <string.h>

#ifndef EFFIGY_SERVER_DIR
#define EFFIGY_SERVER_DIR "/usr/lib/effigy"
#endif

static int
server_compare(const void *a, const void *b)
{
    const struct server *x = a, *y = b;
    const char *host = oci_platform_host_architecture();
    int x_host = strcmp(x->architecture, host) == 0, y_host = strcmp(y->architecture, host) == 0;
    return x_host != y_host ? y_host - x_host : strcmp(x->architecture, y->architecture);
}

static void
server_add(struct server_list *list, const char *architecture, char *file)
{
    list->servers = mem_grow(list->servers, list->count + 1, sizeof *list->servers);
    list->servers[list->count++] =
        (struct server){.architecture = mem_strdup(architecture), .file = file};
}

static bool
server_scan(const char *folder, struct server_list *list)
{
    CLEANUP_DIR DIR *dir = opendir(folder);
    if (!dir)
        return false;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        char *file = mem_printf("%s/%s/%s", folder, entry->d_name, BAKE_SERVER_PATH);
        if (access(file, R_OK) == 0)
            server_add(list, entry->d_name, file);
        else
            free(file);
    }
    if (!list->count)
        return false;
    qsort(list->servers, list->count, sizeof *list->servers, server_compare);
    return true;
}

static char *
server_program_dir(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return mem_strdup(".");
    path[length] = '\0';
    return file_dirname(path);
}

bool
server_find(const char *folder, struct server_list *ret_list, struct err **err)
{
    struct server_list list = {0};
    const char *host = oci_platform_host_architecture();
    CLEANUP_FREE char *program = server_program_dir();
    CLEANUP_FREE char *beside = mem_printf("%s/../lib/effigy", program);
    CLEANUP_FREE char *built = mem_printf("%s/../replica/%s", program, BAKE_SERVER_PATH);
    if (!folder)
        folder = getenv("EFFIGY_LIBDIR");
    if (folder && *folder) {
        server_scan(folder, &list);
    } else if (access(built, R_OK) == 0) {
        server_add(&list, host, steal_ptr(&built));
    } else if (!server_scan(beside, &list)) {
        server_scan(EFFIGY_SERVER_DIR, &list);
    }
    if (list.count && strcmp(list.servers[0].architecture, host) == 0) {
        *ret_list = list;
        return true;
    }
    server_list_free(&list);
    err_set(err, ERR_NOT_FOUND, 0, "cannot find the replica server %s/%s/%s",
            folder && *folder ? folder : EFFIGY_SERVER_DIR, host, BAKE_SERVER_PATH);
    return err_hint(err,
                    "it is installed with effigy; if it is elsewhere, set EFFIGY_LIBDIR to the "
                    "folder that has %s/%s",
                    host, BAKE_SERVER_PATH);
}

void
server_list_free(struct server_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->servers[i].architecture);
        free(list->servers[i].file);
    }
    free(list->servers);
    *list = (struct server_list){0};
}
