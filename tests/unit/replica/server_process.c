/* SPDX-License-Identifier: Apache-2.0 */
#include "server_process.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#define CLIENT_PATIENCE_MS 30000

static void
server_make_files(struct server_process *server)
{
    strcpy(server->dir, "/tmp/effigy-serve-XXXXXX");
    assert_non_null(mkdtemp(server->dir));
    CLEANUP_FREE char *path = mem_printf("%s/shop.db", server->dir);
    sqlite3 *handle = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    sqlite3_exec(
        handle,
        "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, picture BLOB);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000)"
        " INSERT INTO item SELECT i, 'item ' || i, i / 4.0, NULL FROM n;"
        "UPDATE item SET picture=x'00ff' WHERE id=7; CREATE INDEX item_name ON item(name); ANALYZE",
        NULL, NULL, &message);
    assert_null(message);
    sqlite3_close(handle);
    CLEANUP_FREE char *identity = mem_printf("%s/generation.json", server->dir);
    CLEANUP_FREE char *json =
        mem_printf("{\"service\":\"shop\",\"generation\":\"g2\",\"parent\":\"g1\",\"position\":"
                   "\"17\",\"engine\":"
                   "\"sqlite\","
                   "\"created\":\"2026-01-31T12:00:00Z\",\"engine_version\":\"3\",\"format\":\"1\","
                   "\"databases\":["
                   "{\"name\":\"shop\",\"file\":\"%s\",\"digest\":\"sha256:1234\"}]}",
                   path);
    assert_true(file_write_atomic(identity, json, strlen(json), 0644, NULL));
}

/* A listening socket on a port that the kernel chooses, as descriptor 3 of the child: no port is
 * ever raced for, and connections wait in it until the server is there. */
static int
server_listen(struct server_process *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4096), 0);
    getsockname(fd, (struct sockaddr *)&address, &length);
    server->port = ntohs(address.sin_port);
    return fd;
}

static void
server_exec(const char *const *settings)
{
    for (; settings && *settings; settings++)
        putenv((char *)*settings);
    const char *path = getenv("EFFIGY_SERVE");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(path, path, (char *)NULL);
    _exit(127);
}

void
server_start(struct server_process *server, const char *const *settings)
{
    server_make_files(server);
    int listener = server_listen(server);
    CLEANUP_FREE char *identity = mem_printf("EFFIGY_IDENTITY=%s/generation.json", server->dir);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        CLEANUP_FREE char *pid = mem_printf("LISTEN_PID=%d", (int)getpid());
        if (listener == 3)
            fcntl(3, F_SETFD, 0);
        else
            dup2(listener, 3);
        putenv(identity);
        putenv(pid);
        putenv("LISTEN_FDS=1");
        putenv("LISTEN_FDNAMES=published");
        server_exec(settings);
    }
    close(listener);
    struct response response = server_get(server, "/-/readyz");
    assert_int_equal(response.status, 200);
    response_free(&response);
}

int
server_wait(struct server_process *server)
{
    int status = 0;
    waitpid(server->pid, &status, 0);
    assert_true(file_remove_tree(server->dir, NULL));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
server_stop(struct server_process *server)
{
    kill(server->pid, SIGTERM);
    return server_wait(server);
}

int
server_run_to_failure(const char *const *settings, char *ret_text, size_t room)
{
    int ends[2], status = 0;
    size_t used = 0;
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 2);
        server_exec(settings);
    }
    close(ends[1]);
    while (used + 1 < room && (n = read(ends[0], ret_text + used, room - used - 1)) > 0)
        used += (size_t)n;
    ret_text[used] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void
response_free(struct response *response)
{
    free(response->head);
    free(response->body);
    *response = (struct response){0};
}

const char *
response_header(const struct response *response, const char *name)
{
    static char value[512];
    size_t length = strlen(name);
    for (const char *line = strchr(response->head, '\n'); line; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, length) == 0 && line[1 + length] == ':') {
            const char *start = line + length + 2 + strspn(line + length + 2, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(start, "\r\n"), start);
            return value;
        }
    }
    return NULL;
}

int
client_connect(const struct server_process *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void
client_write(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server may refuse before it has all; reading shows it */
        bytes += n;
        length -= (size_t)n;
    }
}

void
client_printf(int fd, const char *format, ...)
{
    CLEANUP_BUF struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    client_write(fd, text.data, text.length);
}

static bool
client_more(int fd, struct buf *bytes)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    if (poll(&poller, 1, CLIENT_PATIENCE_MS) != 1)
        fail_msg("no answer within %d ms", CLIENT_PATIENCE_MS);
    char *end = buf_reserve(bytes, 65536);
    ssize_t n = read(fd, end, 65536);
    if (n <= 0)
        return false;
    bytes->length += (size_t)n;
    bytes->data[bytes->length] = '\0';
    return true;
}

struct response
client_read(int fd, bool head_only)
{
    CLEANUP_BUF struct buf bytes = {0};
    struct response response = {0};
    char *end;
    while (!(end = strstr(buf_text(&bytes), "\r\n\r\n"))) {
        if (!client_more(fd, &bytes))
            return response;
    }
    size_t head = (size_t)(end - bytes.data) + 4;
    response.head = mem_strndup(bytes.data, head - 2);
    response.status = atoi(response.head + 9);
    const char *length = response_header(&response, "Content-Length");
    response.length = length && !head_only ? strtoul(length, NULL, 10) : 0;
    while (bytes.length < head + response.length) {
        if (!client_more(fd, &bytes)) {
            response_free(&response);
            return response;
        }
    }
    response.body = mem_new(response.length + 1);
    memcpy(response.body, bytes.data + head, response.length);
    return response;
}

struct response
server_request(const struct server_process *server, const char *method, const char *target,
               const char *headers, const char *body, size_t length)
{
    int fd = client_connect(server);
    assert_true(fd >= 0);
    client_printf(fd, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", method, target,
                  headers);
    if (body)
        client_printf(fd, "Content-Length: %zu\r\n", length);
    client_write(fd, "\r\n", 2);
    client_write(fd, body, body ? length : 0);
    struct response response = client_read(fd, strcmp(method, "HEAD") == 0);
    close(fd);
    return response;
}

struct response
server_get(const struct server_process *server, const char *target)
{
    return server_request(server, "GET", target, "", NULL, 0);
}

char *
url_escape(const char *text)
{
    struct buf escaped = {0};
    for (; *text; text++) {
        if (isalnum((unsigned char)*text))
            buf_putc(&escaped, *text);
        else
            buf_printf(&escaped, "%%%02X", (unsigned char)*text);
    }
    return buf_steal(&escaped);
}

struct response
server_query(const struct server_process *server, const char *sql, const char *more)
{
    CLEANUP_FREE char *escaped = url_escape(sql);
    CLEANUP_FREE char *target = mem_printf("/query?sql=%s%s", escaped, more ? more : "");
    return server_get(server, target);
}

double
server_metric(const struct server_process *server, const char *name)
{
    struct response response = server_get(server, "/-/metrics");
    CLEANUP_FREE char *key = mem_printf("\n%s ", name);
    const char *line = strstr(response.body, key);
    double value = line ? strtod(line + strlen(key), NULL) : -1;
    response_free(&response);
    return value;
}
