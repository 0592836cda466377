/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/local/listener.h"
#include "runtime/local/monitor.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define NOBODY 65534
#define HEALTHY_MS 15000

int server_fd;

static world_images_fn *make_images;

static struct oci_layer
write_layer(struct world *world, const struct oci_layer_entry *entries, size_t count)
{
    struct oci_layer layer = {0};
    ERR_LOCAL(err);
    if (!oci_layer_write(world->store, OCI_COMPRESSION_GZIP, entries, count, NULL, &layer, &err))
        fail_msg("%s", err->message);
    return layer;
}

int
text_fd(const char *text)
{
    int fd = memfd_create("text", MFD_CLOEXEC);
    assert_true(fd >= 0 && file_write_all(fd, text, strlen(text), "a memfd", NULL));
    return fd;
}

void
make_image(struct world *world, unsigned generation, const struct oci_layer_entry *low,
           size_t low_count, const struct oci_layer_entry *high, size_t high_count)
{
    struct oci_layer layers[2] = {write_layer(world, low, low_count),
                                  write_layer(world, high, high_count)};
    struct oci_digest diff_ids[2] = {layers[0].diff_id, layers[1].diff_id};
    struct oci_config config = {.architecture = (char *)(uintptr_t)oci_platform_host_architecture(),
                                .os = (char[]){"linux"},
                                .diff_ids = diff_ids,
                                .diff_id_count = 2};
    oci_map_set(&config.labels, "io.effigy.service", "shop");
    CLEANUP_FREE char *config_text = oci_config_format(&config);
    oci_map_free(&config.labels);
    struct oci_descriptor both[2] = {layers[0].descriptor, layers[1].descriptor};
    struct oci_manifest manifest = {
        .config = {.media_type = (char[]){OCI_MEDIA_CONFIG}, .size = strlen(config_text)},
        .layers = both,
        .layer_count = 2};
    assert_true(oci_store_put_blob(world->store, config_text, strlen(config_text),
                                   &manifest.config.digest, NULL, NULL));
    CLEANUP_FREE char *manifest_text = oci_manifest_format(&manifest);
    assert_true(oci_store_put_manifest(world->store, OCI_MEDIA_MANIFEST, manifest_text,
                                       strlen(manifest_text), &world->images[generation], NULL,
                                       NULL));
    oci_layer_free(&layers[0]);
    oci_layer_free(&layers[1]);
}

uint64_t
server_size(void)
{
    struct stat st;
    assert_int_equal(fstat(server_fd, &st), 0);
    return (uint64_t)st.st_size;
}

/* --- the world of one test
 * -------------------------------------------------------------------------------- */

void
open_runtime(struct world *world)
{
    CLEANUP_FREE char *root = file_join(world->dir, "root"), *run = file_join(world->dir, "run");
    const struct runtime_options options = {root, run};
    ERR_LOCAL(err);
    if (!runtime_open("local", &options, &world->runtime, &err))
        fail_msg("%s", err->message);
}

int
setup(void **state)
{
    struct world *world = mem_new(sizeof *world);
    world->dir = mem_strdup("/tmp/effigy-local.XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    CLEANUP_FREE char *images = file_join(world->dir, "images");
    CLEANUP(oci_ref_free)
    struct oci_ref ref = {.transport = OCI_TRANSPORT_LAYOUT, .location = mem_strdup(images)};
    assert_true(oci_store_open(&ref, OCI_STORE_CREATE, &world->store, NULL));
    assert_true(oci_store_lock(world->store, NULL));
    make_images(world, 1);
    make_images(world, 2);
    open_runtime(world);
    ERR_LOCAL(err);
    for (int i = 1; i <= 2; i++) {
        if (!runtime_prepare(world->runtime, world->store, &world->images[i], &err))
            fail_msg("%s", err->message);
    }
    *state = world;
    return 0;
}

/* Does any process or mount still know of this test? */
static bool
is_mentioned(const char *dir)
{
    CLEANUP_BUF struct buf mounts = {0};
    if (file_read("/proc/self/mountinfo", 1 << 20, &mounts, NULL) && strstr(buf_text(&mounts), dir))
        return true;
    CLEANUP_DIR DIR *processes = opendir("/proc");
    for (struct dirent *process; (process = readdir(processes));) {
        CLEANUP_FREE char *path = mem_printf("/proc/%s/cmdline", process->d_name);
        CLEANUP_BUF struct buf line = {0};
        if (!isdigit((unsigned char)process->d_name[0]) || !file_read(path, 65536, &line, NULL))
            continue;
        for (size_t i = 0; i < line.length; i += strlen(line.data + i) + 1) {
            if (strstr(line.data + i, dir))
                return true;
        }
    }
    return false;
}

size_t
count_entries(const char *parent, const char *name)
{
    CLEANUP_FREE char *path = file_join(parent, name);
    CLEANUP_DIR DIR *dir = opendir(path);
    size_t count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    return count;
}

int
teardown(void **state)
{
    struct world *world = *state;
    struct runtime_replica *replicas;
    size_t count;
    assert_true(runtime_list(world->runtime, NULL, &replicas, &count, NULL));
    for (size_t i = 0; i < count; i++) {
        ERR_LOCAL(err);
        if (!runtime_stop(world->runtime, replicas[i].id, 2000, &err))
            fail_msg("%s", err->message);
    }
    runtime_replicas_free(replicas, count);
    assert_int_equal(count_entries(world->dir, "run/replicas"), 0);
    assert_int_equal(count_entries(world->dir, "run/runc"), 0);
    for (int i = 0; i < 100 && is_mentioned(world->dir); i++)
        clock_sleep_ms(10);
    assert_false(is_mentioned(world->dir));
    runtime_close(world->runtime);
    oci_store_close(world->store);
    for (int i = 1; i <= 2; i++)
        oci_descriptor_free(&world->images[i]);
    assert_true(file_remove_tree(world->dir, NULL));
    free(world->dir);
    free(world);
    return 0;
}

unsigned
free_port(void)
{
    CLEANUP_FD int fd = listener_bind("127.0.0.1:0", NULL);
    CLEANUP_FREE char *name = listener_name_of(fd);
    return (unsigned)atoi(strrchr(name, ':') + 1);
}

bool
try_start(struct world *world, unsigned generation, const char *mode, unsigned port,
          struct runtime_replica *replica, struct err **err)
{
    const char *const argv[] = {"/server", mode, NULL};
    const struct source_replica how = {argv, 8080, "/-/readyz", true, true};
    const struct runtime_spec spec = {.service = "shop",
                                      .generation = generation,
                                      .store = world->store,
                                      .manifest = &world->images[generation],
                                      .replica = &how,
                                      .listen_address = "127.0.0.1",
                                      .listen_port = port};
    return runtime_start(world->runtime, &spec, replica, err);
}

struct runtime_replica
start(struct world *world, unsigned generation, const char *mode, unsigned port)
{
    struct runtime_replica replica;
    ERR_LOCAL(err);
    if (!try_start(world, generation, mode, port, &replica, &err))
        fail_msg("%s", err->message);
    return replica;
}

void
wait_healthy(struct world *world, const char *id)
{
    ERR_LOCAL(err);
    if (!runtime_wait_healthy(world->runtime, id, HEALTHY_MS, &err))
        fail_msg("%s", err->message);
}

void
stop(struct world *world, const char *id)
{
    ERR_LOCAL(err);
    if (!runtime_stop(world->runtime, id, 5000, &err))
        fail_msg("%s", err->message);
}

struct runtime_replica
look(struct world *world, const char *id)
{
    struct runtime_replica *replicas, found = {0};
    size_t count;
    assert_true(runtime_list(world->runtime, "shop", &replicas, &count, NULL));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(replicas[i].id, id) == 0) {
            found = replicas[i];
            replicas[i] = (struct runtime_replica){0};
        }
    }
    runtime_replicas_free(replicas, count);
    assert_non_null(found.id);
    return found;
}

bool
has_ended(pid_t pid)
{
    CLEANUP_FREE char *path = mem_printf("/proc/%d/stat", pid);
    CLEANUP_BUF struct buf stat = {0};
    return !file_read(path, 4096, &stat, NULL) || strstr(buf_text(&stat), ") Z ");
}

void
wait_state(struct world *world, const char *id, enum runtime_state state, unsigned restarts)
{
    for (int i = 0; i < 1500; i++) {
        CLEANUP(runtime_replica_free) struct runtime_replica replica = look(world, id);
        if (replica.state == state && replica.restarts >= restarts)
            return;
        clock_sleep_ms(10);
    }
    fail_msg("%s does not become %s", id, runtime_state_name(state));
}

/* --- a client
 * --------------------------------------------------------------------------------------------- */

int
dial(const char *name)
{
    struct sockaddr_storage address;
    socklen_t length;
    assert_true(listener_parse(name, &address, &length));
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, length) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One GET; the body goes to ret_body. *ret_last says whether the server closes the connection. */
static bool
get(int fd, const char *path, bool keep, char ret_body[64], bool *ret_last)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path,
                          keep ? "" : "Connection: close\r\n");
    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length)
        return false;
    size_t got = 0;
    for (;;) {
        ssize_t n = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
        text[got] = '\0';
        const char *body = strstr(text, "\r\n\r\n"), *size = strstr(text, "Content-Length: ");
        if (!body || !size || strlen(body + 4) < (size_t)atoi(size + 16))
            continue;
        snprintf(ret_body, 64, "%s", body + 4);
        *ret_last = strstr(text, "Connection: close") != NULL;
        return str_starts(text, "HTTP/1.1 200 ");
    }
}

bool
get_once(const char *name, const char *path, char ret_body[64])
{
    CLEANUP_FD int fd = dial(name);
    bool last;
    return fd >= 0 && get(fd, path, false, ret_body, &last);
}

struct reader {
    pthread_t thread;
    const char *name, *path;
    bool keeps; /* the connection */
    atomic_bool ends;
    unsigned reads, failures, by_generation[3];
    char why[128]; /* the last failure */
};

static void *
reader_run(void *argument)
{
    struct reader *reader = argument;
    CLEANUP_FD int fd = -1;
    while (!reader->ends) {
        char body[64];
        bool last = true, was_used = fd >= 0;
        errno = 0;
        if (fd < 0)
            fd = dial(reader->name);
        if (fd >= 0 && get(fd, reader->path, reader->keeps, body, &last)) {
            reader->reads++;
            reader->by_generation[strstr(body, "g2") ? 2 : 1]++;
        } else {
            snprintf(reader->why, sizeof reader->why, "at %.3f, %s: %s", clock_seconds(),
                     fd < 0     ? "connecting"
                     : was_used ? "on a used connection"
                                : "on a new connection",
                     strerror(errno));
            reader->failures++;
            last = true;
        }
        if (last && fd >= 0)
            close(steal_fd(&fd));
    }
    return NULL;
}

/* --- replacing under load
 * ------------------------------------------------------------------------------- */

void
replace_under_load(struct world *world, const char *mode, const char *path)
{
    unsigned port = free_port();
    CLEANUP_FREE char *published = mem_printf("127.0.0.1:%u", port);
    struct runtime_replica running[2] = {start(world, 1, mode, port), start(world, 1, mode, port)};
    wait_healthy(world, running[0].id);
    wait_healthy(world, running[1].id);
    static struct reader readers[6]; /* not on the stack, which a failure unwinds */
    memset(readers, 0, sizeof readers);
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++) {
        readers[i].name = published;
        readers[i].path = path;
        readers[i].keeps = i % 2;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]), 0);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (int i = 0; i < 2; i++) {
            struct runtime_replica next = start(world, round % 2 ? 1 : 2, mode, port);
            wait_healthy(world, next.id);
            double begin = clock_seconds();
            stop(world, running[i].id);
            assert_true(clock_seconds() - begin <
                        2.5); /* it drained, and was not killed after the grace period */
            runtime_replica_free(&running[i]);
            running[i] = next;
        }
        clock_sleep_ms(100);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++)
        readers[i].ends = true;
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++)
        pthread_join(readers[i].thread, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++) {
        print_message("reader %zu%s: %u of g1, %u of g2, %u failed %s\n", i,
                      readers[i].keeps ? " (kept)" : "", readers[i].by_generation[1],
                      readers[i].by_generation[2], readers[i].failures, readers[i].why);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++) {
        assert_int_equal(readers[i].failures, 0);
        assert_true(readers[i].by_generation[1] > 0 && readers[i].by_generation[2] > 0);
    }
    struct runtime_replica *replicas;
    size_t count;
    assert_true(runtime_list(world->runtime, NULL, &replicas, &count, NULL));
    assert_int_equal(count, 2);
    assert_true(replicas[0].started_ns < replicas[1].started_ns);
    assert_string_not_equal(replicas[0].address, replicas[1].address);
    runtime_replicas_free(replicas, count);
    runtime_replica_free(&running[0]);
    runtime_replica_free(&running[1]);
}

/* --- as root and as nobody
 * -------------------------------------------------------------------------------- */

static bool
has_user_namespaces(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(setresuid(NOBODY, NOBODY, NOBODY) == 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0
                  ? 0
                  : 1);
    int status;
    return waitpid(child, &status, 0) == child && status == 0;
}

static int
run_as_nobody(int (*run)(const char *name), const char *name)
{
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0)
            _exit(1);
        /* As an ordinary login has it. */
        setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
        unsetenv("XDG_RUNTIME_DIR");
        char whole[64];
        snprintf(whole, sizeof whole, "%s, as nobody", name);
        exit(run(whole));
    }
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int
support_main(int argc, char **argv, const char *name, world_images_fn *images,
             int (*run)(const char *name))
{
    if (argc == 3 && strcmp(argv[1], MONITOR_VERB) == 0)
        return runtime_local_monitor_main(argc, argv);
    server_fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (server_fd < 0)
        return 2;
    make_images = images;
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
    if (!proc_exists("runc") && access("/usr/sbin/runc", X_OK) < 0) {
        fprintf(stderr, "skipped: runc is not installed\n");
        return 77;
    }
    int failed = run(name);
    if (geteuid() == 0 && has_user_namespaces())
        failed += run_as_nobody(run, name);
    else
        fprintf(stderr, "skipped as an ordinary user: this kernel gives it no user namespaces\n");
    return failed ? 1 : 0;
}
