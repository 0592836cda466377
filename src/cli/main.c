/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/exits.h"
#include "cli/help.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static command_run *const verbs[] = {
    [COMMAND_INIT] = cmd_init,     [COMMAND_PUBLISH] = cmd_publish,
    [COMMAND_RUN] = cmd_run,       [COMMAND_STATUS] = cmd_status,
    [COMMAND_LOG] = cmd_log,       [COMMAND_INSPECT] = cmd_inspect,
    [COMMAND_VERIFY] = cmd_verify, [COMMAND_ROLLBACK] = cmd_rollback,
    [COMMAND_UNPIN] = cmd_unpin,   [COMMAND_STOP] = cmd_stop,
    [COMMAND_EXPORT] = cmd_export, [COMMAND_LOGS] = cmd_logs,
    [COMMAND_CONFIG] = cmd_config, [COMMAND_COMPLETION] = cmd_completion,
    [COMMAND_HELP] = cmd_help,     [COMMAND_MAN] = cmd_man,
};
_Static_assert(ARRAY_LENGTH(verbs) == COMMAND_COUNT, "each command of the table has its verb");

/* A closed stdin, stdout or stderr would give its number to the next file that is opened, a
 * database perhaps. Writing to what takes its place fails, and is noticed. */
static void
main_hold_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    }
}

static const char *
main_environment(const char *option, const char *variable)
{
    const char *value = option ? option : getenv(variable);
    return value && *value ? value : NULL;
}

static bool
main_run(struct cli *cli, struct err **err)
{
    const struct command_line *line = cli->line;
    if (line->version) {
        buf_puts(&cli->text, "effigy " EFFIGY_VERSION "\n");
        cli->json = json_object();
        out_json_text(cli->json, "version", EFFIGY_VERSION);
        return true;
    }
    if (line->help) {
        cli->json_wanted = false;
        help_write(&cli->text, line->command);
        return true;
    }
    cli->json_wanted = command_line_flag(line, "json");
    log_set_level(command_line_flag(line, "quiet")     ? LOG_QUIET
                  : command_line_flag(line, "verbose") ? LOG_DEBUG
                                                       : LOG_NOTE);
    cli->runtime.root = main_environment(command_line_text(line, "root"), "EFFIGY_ROOT");
    cli->runtime.run_root =
        main_environment(command_line_text(line, "run-root"), "EFFIGY_RUN_ROOT");
    return verbs[line->command - commands](cli, err);
}

/* Prints the result and the error; returns the exit code. */
static int
main_finish(struct cli *cli, struct err **err)
{
    progress_end();
    if (*err && !(*err)->hint && exit_hint((*err)->kind))
        err_hint(err, "%s", exit_hint((*err)->kind));
    CLEANUP_BUF struct buf out = {0};
    if (cli->json_wanted) {
        if (*err && !cli->json)
            cli->json = json_object();
        if (*err)
            json_object_set_new(cli->json, "error", out_error_json(*err));
        out_json_write(cli->json, &out);
        secret_hide(&out);
    } else {
        buf_puts(&out, buf_text(&cli->text));
        secret_hide(&out);
        out_make_safe(&out);
    }
    ERR_LOCAL(unwritten);
    bool written = out_write(&out, &unwritten);
    struct err *told = *err ? *err : unwritten;
    if (!told)
        return 0;
    /* A reader that has left, as `head` does, knows why. */
    if (told->errnum == EPIPE && (!written || told == *err))
        return told->kind;
    CLEANUP_BUF struct buf text = {0};
    out_error_text(told, &text);
    secret_hide(&text);
    out_make_safe(&text);
    fputs(buf_text(&text), stderr);
    return told->kind;
}

int
main(int argc, char **argv)
{
    main_hold_standard_files();
    if (argc > 1 && strcmp(argv[1], "monitor") == 0)
        return runtime_local_monitor_main(argc - 1, argv + 1);
    stop_install();
    const char *const *words = (const char *const *)argv;
    struct command_line line = {0};
    struct err *err = NULL;
    struct cli cli = {.line = &line, .json_wanted = command_line_wants_json(argc, words)};
    if (command_line_parse(argc, words, &line, &err))
        main_run(&cli, &err);
    int code = main_finish(&cli, &err);
    err_free(err);
    json_decref(cli.json);
    buf_free(&cli.text);
    free(cli.tag);
    config_free(cli.config);
    secret_forget_all();
    return code;
}
