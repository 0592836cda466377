/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exits.h"

#include <stddef.h>

const struct exit_code exit_codes[] = {
    {ERR_FAILED, "Something failed that has no code of its own."},
    {ERR_USAGE, "The command line is wrong."},
    {ERR_CONFIG, "effigy.yaml is wrong.",
     "see effigy.yaml(5); `effigy config sample` prints every key with its meaning"},
    {ERR_NOT_FOUND, "A service, generation, image or file that was named does not exist."},
    {ERR_MASTER, "The master cannot be reached, read or used.",
     "check the master's path and permissions in effigy.yaml"},
    {ERR_CORRUPT, "A database, image or file is damaged or was tampered with.",
     "put the damaged file back from a copy; `effigy verify` checks a generation, `effigy publish "
     "--force` makes a new one"},
    {ERR_BUSY, "Someone else holds a lock, a port or a name; trying again later may work.",
     "try again in a moment"},
    {ERR_NO_SPACE, "No space, quota or memory is left.",
     "make room or name another place, and run it again; nothing was half-done"},
    {ERR_PERMISSION, "The operating system forbids it.",
     "run it as a user who may write there, or change the permissions"},
    {ERR_UNSUPPORTED, "A version, feature or format that this program does not handle."},
    {ERR_UNHEALTHY, "A replica did not become or stay healthy.",
     "`effigy logs NAME` shows what the replicas wrote"},
    {ERR_DIFFERS, "verify: the content differs although the master has not moved."},
    {ERR_MOVED, "verify: the content differs and the master has moved since."},
    {ERR_RUNTIME, "The container runtime failed.",
     "`runc --version` must work for this user; see docs/operations.md"},
    {ERR_IO, "Reading or writing failed.",
     "look at the disk and at the kernel's log; running it again is safe"},
    {ERR_TIMEOUT, "It took longer than allowed.", "try again, or allow more time in effigy.yaml"},
    {ERR_INTERRUPTED, "Interrupted by SIGINT or SIGTERM."},
    {0, NULL, NULL},
};

const char *
exit_hint(enum err_kind kind)
{
    for (const struct exit_code *code = exit_codes; code->text; code++) {
        if (code->kind == kind)
            return code->hint;
    }
    return NULL;
}
