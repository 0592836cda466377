/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server in the images of the runtime's tests: small, static, and able to misbehave. Takes its
 * sockets as sd_listen_fds(3) says, answers GET /-/readyz, and anything else with the content of
 * the file /generation. On SIGTERM it closes the listening sockets, answers what still comes on
 * open connections, and ends.
 *
 *   server ok          as above
 *   server exit        prints a line and ends with exit code 3
 *   server unready     answers /-/readyz with 503
 *   server stubborn    ignores SIGTERM
 *   server sick        ready at first; after a GET of /sicken no more
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static atomic_bool draining, is_sick;
static atomic_int connections;
static char generation[64];

static bool
answer(int fd, const char *request)
{
    bool is_health = strncmp(request, "GET /-/readyz ", 14) == 0;
    if (strncmp(request, "GET /sicken ", 12) == 0)
        is_sick = true;
    const char *body = is_health && is_sick ? "sick" : generation;
    bool last = draining || strstr(request, "Connection: close");
    char reply[512];
    int length = snprintf(reply, sizeof reply, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s",
                          is_health && is_sick ? "503 Sick" : "200 OK", strlen(body),
                          last ? "Connection: close\r\n" : "", body);
    return send(fd, reply, (size_t)length, MSG_NOSIGNAL) == length && !last;
}

static void *
serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char request[4096];
    size_t length = 0;
    for (int idle_ms = 0; idle_ms < (draining ? 500 : 30000);) {
        struct pollfd input = {.fd = fd, .events = POLLIN};
        if (poll(&input, 1, 50) == 0) {
            idle_ms += 50;
            continue;
        }
        ssize_t n = recv(fd, request + length, sizeof request - 1 - length, 0);
        if (n <= 0)
            break;
        length += (size_t)n;
        request[length] = '\0';
        if (!strstr(request, "\r\n\r\n"))
            continue;
        if (!answer(fd, request))
            break;
        length = 0;
        idle_ms = 0;
    }
    close(fd);
    connections--;
    return NULL;
}

static void
take(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    pthread_t thread;
    if (fd < 0)
        return;
    connections++;
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
        pthread_detach(thread);
}

int
main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "ok";
    const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID"),
               *names = getenv("LISTEN_FDNAMES");
    if (!fds || strcmp(fds, "2") || !pid || atoi(pid) != getpid() || !names ||
        strcmp(names, "published:private"))
        return 4;
    if (strcmp(mode, "exit") == 0) {
        fprintf(stderr, "cannot open the data: they are on holiday\n");
        return 3;
    }
    is_sick = strcmp(mode, "unready") == 0;
    int file = open("/generation", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, generation, sizeof generation - 1) <= 0)
        return 5;
    if (open("/written", O_WRONLY | O_CREAT, 0600) >= 0 ||
        open("/dev/written", O_WRONLY | O_CREAT, 0600) >= 0)
        return 6;
    printf("serving %s\n", generation);
    fflush(stdout);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct pollfd polled[] = {{.fd = 3, .events = POLLIN},
                              {.fd = 4, .events = POLLIN},
                              {.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN}};
    bool is_stubborn = strcmp(mode, "stubborn") == 0;
    for (;;) {
        if (poll(polled, is_stubborn ? 2 : 3, -1) < 0 && errno != EINTR)
            return 7;
        if (polled[2].revents)
            break;
        for (int i = 0; i < 2; i++) {
            if (polled[i].revents)
                take(polled[i].fd);
        }
    }
    close(3);
    close(4);
    draining = true;
    while (connections)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    printf("drained\n");
    return 0;
}
