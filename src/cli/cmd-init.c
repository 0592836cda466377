/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "oci/ref.h"
#include "source/source.h"

#include <string.h>

/* Whether master and image can be understood; the master need not be there yet. */
static bool
init_check(const struct config_new_service *service, bool *ret_master_ok, struct err **err)
{
    struct oci_ref ref = {0};
    if (!oci_ref_parse(service->image, &ref, err))
        return err_wrap(err, "--image");
    bool tagged = ref.tag || ref.digest.text[0];
    oci_ref_free(&ref);
    if (tagged) {
        err_set(err, ERR_USAGE, 0, "--image: '%s' names one image of the store", service->image);
        return err_hint(err, "leave the tag out; each generation gets its own");
    }
    const struct source_database database = {.name = "main", .url = service->master};
    struct source *source = NULL;
    if (!source_open(&database, 1, NULL, &source, err))
        return err_wrap(err, "--master");
    struct source_probe probe = {0};
    ERR_LOCAL(failed);
    *ret_master_ok = source_probe(source, &probe, &failed);
    if (*ret_master_ok)
        source_probe_free(&probe);
    else
        log_warn("the master cannot be read yet: %s", failed->message);
    source_close(source);
    return true;
}

bool
cmd_init(struct cli *cli, struct err **err)
{
    const struct command_line *line = cli->line;
    const struct config_new_service service = {
        .name = command_line_argument(line, 0),
        .master = command_line_text(line, "master"),
        .image = command_line_text(line, "image"),
        .port = (unsigned)command_line_number(line, "port", 0),
        .replicas = (unsigned)command_line_number(line, "replicas", 0),
    };
    bool master_ok = false;
    CLEANUP_FREE char *path = NULL;
    /* A reference to a secret is looked up when the file is read, not now. */
    bool secret = strstr(service.master, "${") != NULL;
    if ((!secret && !init_check(&service, &master_ok, err)) ||
        !config_add_service(command_line_text(line, "config"), &service, &path, err))
        return false;
    cli->json = json_object();
    out_json_text(cli->json, "service", service.name);
    out_json_text(cli->json, "config", path);
    out_json_text(cli->json, "master", service.master);
    out_json_text(cli->json, "image", service.image);
    out_json_bool(cli->json, "master_ok", master_ok);
    buf_printf(&cli->text, "%s: added service %s\n", path, service.name);
    log_note("next: effigy publish %s", service.name);
    return true;
}
