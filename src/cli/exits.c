/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exits.h"

#include <stddef.h>

const struct exit_code exit_codes[] = {
    {ERR_FAILED, "Something failed that has no code of its own."},
    {ERR_USAGE, "The command line is wrong."},
    {ERR_CONFIG, "effigy.yaml is wrong."},
    {ERR_NOT_FOUND, "A service, generation, image or file that was named does not exist."},
    {ERR_MASTER, "The master cannot be reached, read or used."},
    {ERR_CORRUPT, "A database, image or file is damaged or was tampered with."},
    {ERR_BUSY, "Someone else holds a lock, a port or a name; trying again later may work."},
    {ERR_NO_SPACE, "No space, quota or memory is left."},
    {ERR_PERMISSION, "The operating system forbids it."},
    {ERR_UNSUPPORTED, "A version, feature or format that this program does not handle."},
    {ERR_UNHEALTHY, "A replica did not become or stay healthy."},
    {ERR_DIFFERS, "verify: the content differs although the master has not moved."},
    {ERR_MOVED, "verify: the content differs and the master has moved since."},
    {ERR_RUNTIME, "The container runtime failed."},
    {ERR_IO, "Reading or writing failed."},
    {ERR_TIMEOUT, "It took longer than allowed."},
    {ERR_INTERRUPTED, "Interrupted by SIGINT or SIGTERM."},
    {0, NULL},
};
