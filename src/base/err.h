/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors.
 *
 * A function that can fail returns bool (or a pointer) and takes `struct err **err` last. On
 * failure it returns false (or NULL) and sets *err to a new error, which the caller frees with
 * err_free() or passes on, usually wrapped in what it was itself trying to do. On success *err is
 * left alone. No library function prints or exits; only src/cli turns an error into a message and
 * an exit code.
 *
 * The message is for the user: what was tried, on what, and why it failed, without a capital letter
 * or a full stop ("cannot open catalogue.db: No such file or directory"). The hint, where there is
 * one, says what to do about it.
 *
 * err may be NULL where the caller does not care; nothing is then allocated.
 */
#ifndef EFFIGY_BASE_ERR_H
#define EFFIGY_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/* The value of a kind is the exit code of the command line: scripts rely on it, so a number is
 * never given a new meaning. docs/operations.md lists them; a test compares the two. */
enum err_kind {
    ERR_FAILED = 1,    /* anything that has no kind of its own; a bug if it says nothing useful */
    ERR_USAGE = 2,     /* the command line is wrong */
    ERR_CONFIG = 3,    /* effigy.yaml is wrong */
    ERR_NOT_FOUND = 4, /* a service, generation, image or file that was named does not exist */
    ERR_MASTER = 5,    /* the master cannot be reached, read or used */
    ERR_CORRUPT = 6,   /* a database, image or file is damaged or was tampered with */
    ERR_BUSY = 7,     /* someone else holds a lock, a port or a name; trying again later may work */
    ERR_NO_SPACE = 8, /* no space, quota or memory is left */
    ERR_PERMISSION = 9,    /* the operating system forbids it */
    ERR_UNSUPPORTED = 10,  /* a version, feature or format that this build does not handle */
    ERR_UNHEALTHY = 11,    /* a replica did not become or stay healthy */
    ERR_DIFFERS = 12,      /* verify: the content differs although the master has not moved */
    ERR_MOVED = 13,        /* verify: the content differs and the master has moved since */
    ERR_RUNTIME = 14,      /* the container runtime failed */
    ERR_IO = 15,           /* reading or writing failed */
    ERR_TIMEOUT = 16,      /* it took longer than allowed */
    ERR_INTERRUPTED = 130, /* SIGINT or SIGTERM */
};

struct err {
    enum err_kind kind;
    int errnum;    /* errno, or 0 */
    char *message; /* never NULL */
    char *hint;    /* or NULL */
};

/* Sets *err. With errnum != 0, ": <strerror(errnum)>" is appended to the message, and a kind of
 * ERR_IO is made more exact by err_kind_of_errno(). Always returns false, so that one can write
 * `return err_set(err, ...)`. An *err that is already set is freed and replaced. */
bool err_set(struct err **err, enum err_kind kind, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Gives the error a hint (replaces an earlier one). Returns false. */
bool err_hint(struct err **err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<what was being done>: " in front of the message. Returns false. */
bool err_wrap(struct err **err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Changes the kind of an error that is set. Returns false. */
bool err_rekind(struct err **err, enum err_kind kind);

/* ENOSPC is ERR_NO_SPACE, EACCES is ERR_PERMISSION, and so on; ERR_IO where nothing fits better. */
enum err_kind err_kind_of_errno(int errnum);

/* A short stable name of the kind, as --json prints it: "usage", "not-found", ... */
const char *err_kind_name(enum err_kind kind);

void err_free(struct err *err);

static inline void
err_cleanup(struct err **err)
{
    err_free(*err);
}
/* `ERR_LOCAL(e);` declares a local error that is freed with its scope. */
#define ERR_LOCAL(name) __attribute__((cleanup(err_cleanup))) struct err *name = NULL

/* Hands *src over to *dst, which takes ownership. Returns false. */
bool err_move(struct err **dst, struct err **src);

#endif
