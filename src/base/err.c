/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err_kind
err_kind_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
        return ERR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EADDRINUSE:
    case EBUSY:
    case EAGAIN:
    case ETXTBSY:
        return ERR_BUSY;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EINTR:
        return ERR_INTERRUPTED;
    default:
        return ERR_IO;
    }
}

const char *
err_kind_name(enum err_kind kind)
{
    switch (kind) {
    case ERR_FAILED:
        return "failed";
    case ERR_USAGE:
        return "usage";
    case ERR_CONFIG:
        return "config";
    case ERR_NOT_FOUND:
        return "not-found";
    case ERR_MASTER:
        return "master";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_BUSY:
        return "busy";
    case ERR_NO_SPACE:
        return "no-space";
    case ERR_PERMISSION:
        return "permission";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_UNHEALTHY:
        return "unhealthy";
    case ERR_DIFFERS:
        return "differs";
    case ERR_MOVED:
        return "moved";
    case ERR_RUNTIME:
        return "runtime";
    case ERR_IO:
        return "io";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_INTERRUPTED:
        return "interrupted";
    }
    return "failed";
}

bool
err_set(struct err **err, enum err_kind kind, int errnum, const char *format, ...)
{
    if (!err)
        return false;
    char *message = NULL;
    va_list args;
    va_start(args, format);
    message = mem_vprintf(format, args);
    va_end(args);
    if (errnum) {
        char *whole = mem_printf("%s: %s", message, strerror(errnum));
        free(message);
        message = whole;
        if (kind == ERR_IO)
            kind = err_kind_of_errno(errnum);
    }
    struct err *fresh = mem_new(sizeof *fresh);
    *fresh = (struct err){.kind = kind, .errnum = errnum, .message = message};
    err_free(*err);
    *err = fresh;
    return false;
}

bool
err_hint(struct err **err, const char *format, ...)
{
    if (!err || !*err)
        return false;
    va_list args;
    va_start(args, format);
    char *hint = mem_vprintf(format, args);
    va_end(args);
    free((*err)->hint);
    (*err)->hint = hint;
    return false;
}

bool
err_wrap(struct err **err, const char *format, ...)
{
    if (!err || !*err)
        return false;
    va_list args;
    va_start(args, format);
    char *what = mem_vprintf(format, args);
    va_end(args);
    char *whole = mem_printf("%s: %s", what, (*err)->message);
    free(what);
    free((*err)->message);
    (*err)->message = whole;
    return false;
}

bool
err_rekind(struct err **err, enum err_kind kind)
{
    if (err && *err)
        (*err)->kind = kind;
    return false;
}

bool
err_move(struct err **dst, struct err **src)
{
    if (dst) {
        err_free(*dst);
        *dst = *src;
    } else {
        err_free(*src);
    }
    *src = NULL;
    return false;
}

void
err_free(struct err *err)
{
    if (!err)
        return;
    free(err->message);
    free(err->hint);
    free(err);
}
