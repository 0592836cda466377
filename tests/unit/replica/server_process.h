/* SPDX-License-Identifier: Apache-2.0 */
/* A real effigy-serve over a small database, as a child process, and a plain HTTP client to talk to
 * it. */
#ifndef EFFIGY_TEST_SERVER_PROCESS_H
#define EFFIGY_TEST_SERVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct server_process {
    char dir[32];
    pid_t pid;
    unsigned short port;
};

/* Starts it with the settings ("EFFIGY_QUEUE=2", ...; ends with NULL) and waits until it is ready.
 */
void server_start(struct server_process *server, const char *const *settings);
/* SIGTERM; returns the exit code and removes the files. */
int server_stop(struct server_process *server);
/* Waits for the end that somebody else brings about. */
int server_wait(struct server_process *server);
/* Runs it where it is expected to fail; the exit code, and what it says in ret_text. */
int server_run_to_failure(const char *const *settings, char *ret_text, size_t room);

struct response {
    int status;
    char *head; /* status line and headers */
    char *body;
    size_t length;
};
void response_free(struct response *response);
/* The header's value, or NULL; in a buffer that the next call reuses. */
const char *response_header(const struct response *response, const char *name);

int client_connect(const struct server_process *server);
void client_write(int fd, const char *bytes, size_t length);
void client_printf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reads one response, with its Content-Length (none with `head_only`). status 0: the connection
 * ended first.
 */
struct response client_read(int fd, bool head_only);

/* One request on a connection of its own. `headers` are whole lines with CRLF. */
struct response server_request(const struct server_process *server, const char *method,
                               const char *target, const char *headers, const char *body,
                               size_t length);
struct response server_get(const struct server_process *server, const char *target);
/* GET /query of the SQL, and whatever is to follow it in the URL ("&id=7"). */
struct response server_query(const struct server_process *server, const char *sql,
                             const char *more);
/* The value of one line of /-/metrics. */
double server_metric(const struct server_process *server, const char *name);

/* %XX for all but letters and digits; to be freed. */
char *url_escape(const char *text);

#endif
