/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the driver `local` share: a world per test (an image store, two prepared
 * images, a runtime), a client, and running everything both as root and as an ordinary user. A
 * function that cannot do its work fails the test.
 */
#ifndef EFFIGY_TEST_RUNTIME_SUPPORT_H
#define EFFIGY_TEST_RUNTIME_SUPPORT_H

#include "oci/layer.h"
#include "runtime/runtime.h"

extern int server_fd; /* the server's program; opened at the start, as it may lie where an ordinary
                         user cannot look */
uint64_t server_size(void);

struct world {
    char *dir;
    struct oci_store *store;
    struct runtime *runtime;
    struct oci_descriptor images[3]; /* generations 1 and 2; [0] is unused */
};
/* Makes the image of a generation, with make_image(). */
typedef void world_images_fn(struct world *world, unsigned generation);

/* The whole of main(). argv[1] is the server's program; but the driver starts monitors from the
 * program that it is in, which here is the test, and then argv[1] is the monitor's verb. 77
 * (skipped) without runc. */
int support_main(int argc, char **argv, const char *name, world_images_fn *images,
                 int (*run)(const char *name));

int setup(void **state);
/* Stops everything, and checks that nothing is left: no folder, process or mount. */
int teardown(void **state);
void open_runtime(struct world *world);
void make_image(struct world *world, unsigned generation, const struct oci_layer_entry *low,
                size_t low_count, const struct oci_layer_entry *high, size_t high_count);
int text_fd(const char *text); /* a nameless file */
size_t count_entries(const char *parent, const char *name);

unsigned free_port(void);
/* The service "shop": /server MODE in the image (mode NULL: no argument), published at 127.0.0.1.
 */
bool try_start(struct world *world, unsigned generation, const char *mode, unsigned port,
               struct runtime_replica *replica, struct err **err);
struct runtime_replica start(struct world *world, unsigned generation, const char *mode,
                             unsigned port);
void wait_healthy(struct world *world, const char *id);
void wait_state(struct world *world, const char *id, enum runtime_state state,
                unsigned restarts); /* at least */
void stop(struct world *world, const char *id);
struct runtime_replica look(struct world *world, const char *id); /* as it is now; to be freed */
/* (Its parent, init where its monitor was killed, may not have reaped it yet.) */
bool has_ended(pid_t pid);

int dial(const char *name); /* -1 if refused */
/* One GET; the beginning of the answer's body goes to ret_body. */
bool get_once(const char *name, const char *path, char ret_body[64]);
/* Two replicas behind one port are replaced, three times over, while clients read `path` without a
 * pause; the answers must name the generation, "g1" or "g2". None may fail. */
void replace_under_load(struct world *world, const char *mode, const char *path);

#endif
