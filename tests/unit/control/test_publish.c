/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing, the list of generations, verifying and exporting, on a real SQLite master and a real
 * image layout. What needs running replicas is in tests/e2e. */
#include "control/publish.h"
#include "control/server.h"
#include "control/service.h"
#include "control/status.h"
#include "control/verify.h"
#include "unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

struct scene {
    char *folder, *master, *images;
    struct config *config;
    const struct config_service *service;
};

static void
sql(const char *path, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    sqlite3_close(db);
}

static int
scene_setup(void **state)
{
    void *folder;
    if (unit_folder_setup(&folder) < 0)
        return -1;
    struct scene *scene = mem_new(sizeof *scene);
    scene->folder = folder;
    scene->master = file_join(folder, "shop.db");
    scene->images = file_join(folder, "images");
    /* A stand-in for the server's file is enough here: nothing runs it. */
    const char *host = oci_platform_host_architecture();
    CLEANUP_FREE char *server_dir = mem_printf("%s/lib/%s", scene->folder, host);
    CLEANUP_FREE char *server = mem_printf("%s/effigy-serve", server_dir);
    CLEANUP_FREE char *lib = mem_printf("%s/lib", scene->folder);
    file_make_dirs(server_dir, 0755, NULL);
    file_write_atomic(server,
                      "\x7f"
                      "ELF",
                      4, 0755, NULL);
    setenv("EFFIGY_LIBDIR", lib, 1);
    sql(scene->master, "create table item(id integer primary key, name text); insert into "
                       "item(name) values('crown'),('orb')");
    const char *yaml = "services:\n"
                       "  - name: shop\n"
                       "    master: sqlite:shop.db\n"
                       "    image: oci:images\n";
    ERR_LOCAL(err);
    if (!config_parse(yaml, strlen(yaml), "effigy.yaml", scene->folder, &scene->config, &err))
        fail_msg("%s", err->message);
    scene->service = config_service(scene->config, "shop", NULL);
    *state = scene;
    return scene->service ? 0 : -1;
}

static int
scene_teardown(void **state)
{
    struct scene *scene = *state;
    config_free(scene->config);
    void *folder = scene->folder;
    free(scene->master);
    free(scene->images);
    free(scene);
    return unit_folder_teardown(&folder);
}

static struct publish_result
must_publish(struct scene *scene, bool force)
{
    struct publish_options options = {.force = force};
    struct publish_result result = {0};
    ERR_LOCAL(err);
    assert_ok(publish(scene->config, scene->service, &options, &result, &err), err);
    return result;
}

static void
the_same_state_gives_no_new_generation(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    assert_true(first.changed);
    assert_true(first.latest_moved);
    assert_int_equal(first.generation.number, 1);
    assert_true(first.bytes_written > 0);
    assert_int_equal(first.bytes_data % 512, 0);
    struct publish_result second = must_publish(scene, false);
    assert_false(second.changed);
    assert_int_equal(second.generation.number, 1);
    assert_int_equal(second.bytes_written, 0);
    assert_int_equal(second.bytes_data, first.bytes_data);
    /* A commit that leaves the content as it was moves the position but is no change. */
    sql(scene->master, "insert into item values(77, 'x'); delete from item where id = 77");
    struct publish_result third = must_publish(scene, false);
    assert_false(third.changed);
    assert_int_equal(third.bytes_written, 0);
    assert_true(third.seconds_snapshot > 0);
    /* That is remembered: nobody has to look at this position again, and nothing is stale. */
    struct publish_result again = must_publish(scene, false);
    assert_false(again.changed);
    assert_true(again.seconds_snapshot == 0);
    publish_result_free(&again);
    struct status status;
    struct runtime_options nowhere = {.root = scene->folder, .run_root = scene->images};
    ERR_LOCAL(err);
    assert_ok(status_read(scene->config, scene->service, &nowhere, &status, &err), err);
    assert_false(status.newest_behind);
    status_free(&status);
    sql(scene->master, "insert into item(name) values('sceptre')");
    struct publish_result fourth = must_publish(scene, false);
    assert_true(fourth.changed);
    assert_int_equal(fourth.generation.number, 2);
    assert_string_equal(fourth.generation.parent, "g1");
    assert_string_equal(fourth.generation.parent_digest, first.generation.top.digest.text);
    publish_result_free(&first);
    publish_result_free(&second);
    publish_result_free(&third);
    publish_result_free(&fourth);
}

/* With servers for two architectures the tags name an index of two images that share everything but
 * the server. */
static void
one_index_carries_the_images_of_all_architectures(void **state)
{
    struct scene *scene = *state;
    const char *host = oci_platform_host_architecture();
    const char *other = strcmp(host, "arm64") == 0 ? "amd64" : "arm64";
    CLEANUP_FREE char *dir = mem_printf("%s/lib/%s", scene->folder, other);
    CLEANUP_FREE char *server = mem_printf("%s/effigy-serve", dir);
    ERR_LOCAL(err);
    assert_ok(file_make_dirs(dir, 0755, &err), err);
    assert_ok(file_write_atomic(server,
                                "\x7f"
                                "ELF of another kind",
                                20, 0755, &err),
              err);
    struct publish_result result = must_publish(scene, false);
    assert_string_equal(result.generation.top.media_type, OCI_MEDIA_INDEX);
    struct oci_store *store = NULL;
    assert_ok(service_open_store(scene->config, scene->service, OCI_STORE_READ, &store, &err), err);
    struct oci_descriptor image[2] = {0};
    struct oci_manifest manifest[2] = {0};
    assert_ok(oci_store_resolve(store, "g1", host, &image[0], &manifest[0], &err), err);
    assert_ok(oci_store_resolve(store, "g1", other, &image[1], &manifest[1], &err), err);
    assert_string_equal(image[0].digest.text, result.generation.image.digest.text);
    assert_int_equal(manifest[0].layer_count, 3);
    assert_int_equal(manifest[1].layer_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            oci_digest_equal(&manifest[0].layers[i].digest, &manifest[1].layers[i].digest), i > 0);
    for (size_t i = 0; i < 2; i++) {
        oci_descriptor_free(&image[i]);
        oci_manifest_free(&manifest[i]);
    }
    oci_store_close(store);
    struct verify_result verified;
    assert_ok(verify(scene->config, scene->service, "g1", true, &verified, &err), err);
    assert_int_equal(verified.blobs,
                     9); /* an index, two manifests, two configs, two servers, data and identity */
    verify_result_free(&verified);
    struct publish_result again = must_publish(scene, false);
    assert_false(again.changed);
    publish_result_free(&result);
    publish_result_free(&again);
}

static void
force_gives_a_new_generation_of_the_same_layers(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    struct publish_result second = must_publish(scene, true);
    assert_true(second.changed);
    assert_int_equal(second.generation.number, 2);
    assert_int_equal(second.generation.file_count, 1);
    assert_string_equal(second.generation.files[0].layer.descriptor.digest.text,
                        first.generation.files[0].layer.descriptor.digest.text);
    publish_result_free(&first);
    publish_result_free(&second);
}

static void
generations_are_listed_in_order_and_tags_of_others_left_alone(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 12; i++) {
        struct publish_result result = must_publish(scene, true);
        publish_result_free(&result);
    }
    struct oci_store *store = NULL;
    ERR_LOCAL(err);
    assert_ok(service_open_store(scene->config, scene->service, OCI_STORE_CREATE, &store, &err),
              err);
    assert_ok(oci_store_lock(store, &err), err);
    struct generation ninth;
    assert_ok(generation_read(store, "g9", &ninth, &err), err);
    struct oci_tag_change change = {.name = "keep-this", .descriptor = &ninth.top};
    assert_ok(oci_store_set_tags(store, &change, 1, &err), err);
    generation_free(&ninth);
    struct generation *list;
    size_t count;
    assert_ok(generation_list(store, &list, &count, &err), err);
    assert_int_equal(count, 12);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list[i].number, i + 1);
        assert_int_equal(list[i].latest, i == 11);
        assert_false(list[i].pinned);
    }
    generation_list_free(list, count);
    struct generation none;
    assert_false(generation_read(store, "g13", &none, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err->hint, "g12"));
    oci_store_close(store);
}

static void
tags_of_generations(void **state)
{
    unsigned number = 0;
    assert_true(generation_tag_parse("g12", &number));
    assert_int_equal(number, 12);
    static const char *const bad[] = {"g", "g0", "g01", "12", "G1", "g1x", "g-1", "latest", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(generation_tag_parse(bad[i], &number));
}

static void
an_image_of_another_service_is_refused(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    publish_result_free(&first);
    const char *yaml =
        "services:\n  - name: other\n    master: sqlite:shop.db\n    image: oci:images\n";
    struct config *config;
    ERR_LOCAL(err);
    assert_ok(config_parse(yaml, strlen(yaml), "effigy.yaml", scene->folder, &config, &err), err);
    struct publish_options options = {0};
    struct publish_result result;
    assert_false(publish(config, config_service(config, "other", NULL), &options, &result, &err));
    assert_int_equal(err->kind, ERR_CONFIG);
    config_free(config);
}

static void
a_second_publisher_is_turned_away(void **state)
{
    struct scene *scene = *state;
    struct oci_store *store = NULL;
    ERR_LOCAL(err);
    assert_ok(service_open_store(scene->config, scene->service, OCI_STORE_CREATE, &store, &err),
              err);
    assert_ok(oci_store_lock(store, &err), err);
    struct publish_options options = {0};
    struct publish_result result;
    assert_false(publish(scene->config, scene->service, &options, &result, &err));
    assert_int_equal(err->kind, ERR_BUSY);
    oci_store_close(store);
    struct source *source = NULL;
    assert_ok(service_open_source(scene->config, scene->service, &source, &err), err);
    assert_ok(source_lock(source, &err), err);
    assert_false(publish(scene->config, scene->service, &options, &result, &err));
    assert_int_equal(err->kind, ERR_BUSY);
    source_close(source);
    struct publish_result first = must_publish(scene, false);
    publish_result_free(&first);
}

static void
a_missing_master_leaves_no_folder(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(unlink(scene->master), 0);
    struct publish_options options = {0};
    struct publish_result result;
    ERR_LOCAL(err);
    assert_false(publish(scene->config, scene->service, &options, &result, &err));
    assert_int_equal(err->kind, ERR_MASTER);
    assert_non_null(err->hint);
    assert_false(file_exists(scene->images));
}

static void
verify_sees_the_master_move(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    publish_result_free(&first);
    struct verify_result result;
    ERR_LOCAL(err);
    assert_ok(verify(scene->config, scene->service, NULL, true, &result, &err), err);
    assert_true(result.equal);
    /* manifest, config and three layers */
    assert_int_equal(result.blobs, 5);
    verify_result_free(&result);
    sql(scene->master,
        "delete from item where id = 1; create table extra(x); insert into extra values(1)");
    assert_false(verify(scene->config, scene->service, "g1", true, &result, &err));
    assert_int_equal(err->kind, ERR_MOVED);
    assert_false(result.equal);
    assert_true(result.master_moved);
    assert_int_equal(result.difference_count, 3); /* the schema, extra and item */
    assert_string_equal(result.differences[0].table, "");
    assert_string_equal(result.differences[1].table, "extra");
    assert_true(result.differences[1].only_master);
    assert_string_equal(result.differences[2].table, "item");
    assert_int_equal(result.differences[2].rows_image, 2);
    assert_int_equal(result.differences[2].rows_master, 1);
    verify_result_free(&result);
}

/* Every blob of the image, damaged in the middle, is found out, and so is a missing one. */
static void
verify_finds_every_damaged_blob(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    publish_result_free(&first);
    CLEANUP_FREE char *blobs = file_join(scene->images, "blobs/sha256");
    CLEANUP_DIR DIR *dir = opendir(blobs);
    assert_non_null(dir);
    unsigned damaged = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) != 64)
            continue;
        CLEANUP_FREE char *path = file_join(blobs, entry->d_name);
        CLEANUP_BUF struct buf bytes = {0};
        ERR_LOCAL(err);
        assert_ok(file_read(path, 1 << 24, &bytes, &err), err);
        chmod(path, 0644);
        struct verify_result result;
        bytes.data[bytes.length / 2] ^= 1;
        assert_ok(file_write_atomic(path, bytes.data, bytes.length, 0644, &err), err);
        assert_false(verify(scene->config, scene->service, "g1", false, &result, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);
        verify_result_free(&result);
        bytes.data[bytes.length / 2] ^= 1;
        assert_int_equal(unlink(path), 0);
        assert_false(verify(scene->config, scene->service, "g1", false, &result, &err));
        verify_result_free(&result);
        err_free(steal_ptr(&err));
        assert_ok(file_write_atomic(path, bytes.data, bytes.length, 0644, &err), err);
        assert_ok(verify(scene->config, scene->service, "g1", false, &result, &err), err);
        verify_result_free(&result);
        damaged++;
    }
    assert_int_equal(damaged, 5);
}

/* A blob that rotted is replaced by force, though one of its name and size is there. */
static void
force_repairs_a_damaged_blob(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    CLEANUP_FREE char *blobs = file_join(scene->images, "blobs/sha256");
    CLEANUP_FREE char *path =
        file_join(blobs, oci_digest_hex(&first.generation.files[0].layer.descriptor.digest));
    publish_result_free(&first);
    CLEANUP_BUF struct buf bytes = {0};
    ERR_LOCAL(err);
    assert_ok(file_read(path, 1 << 24, &bytes, &err), err);
    bytes.data[bytes.length / 2] ^= 1;
    assert_ok(file_write_atomic(path, bytes.data, bytes.length, 0644, &err), err);
    struct publish_result second = must_publish(scene, true);
    assert_int_equal(second.generation.number, 2);
    publish_result_free(&second);
    struct verify_result result;
    assert_ok(verify(scene->config, scene->service, "g2", true, &result, &err), err);
    verify_result_free(&result);
}

static void
change_tags(struct scene *scene, const struct oci_tag_change *changes, size_t count)
{
    struct oci_store *store = NULL;
    ERR_LOCAL(err);
    assert_ok(service_open_store(scene->config, scene->service, OCI_STORE_CREATE, &store, &err),
              err);
    assert_ok(oci_store_lock(store, &err), err);
    assert_ok(oci_store_set_tags(store, changes, count, &err), err);
    oci_store_close(store);
}

/* Whoever removes tags of generations changes neither what is pinned nor which numbers were given.
 */
static void
removed_tags_free_neither_pin_nor_number(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    change_tags(
        scene,
        (struct oci_tag_change[]){{GENERATION_TAG_PINNED, &first.generation.top}, {"g1", NULL}}, 2);
    publish_result_free(&first);
    struct publish_result second = must_publish(scene, true);
    assert_int_equal(second.generation.number, 2);
    assert_false(second.latest_moved);
    publish_result_free(&second);
}

static void
export_gives_the_files_back_all_or_nothing(void **state)
{
    struct scene *scene = *state;
    struct publish_result first = must_publish(scene, false);
    publish_result_free(&first);
    CLEANUP_FREE char *folder = file_join(scene->folder, "out/deep");
    char **files = NULL;
    ERR_LOCAL(err);
    assert_ok(export_files(scene->config, scene->service, "g1", folder, &files, &err), err);
    assert_null(files[1]);
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(files[0], &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "select group_concat(name) from item", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "crown,orb");
    sqlite3_finalize(statement);
    sqlite3_close(db);
    char **again = NULL;
    assert_false(export_files(scene->config, scene->service, "g1", folder, &again, &err));
    assert_int_equal(err->kind, ERR_USAGE);
    free(files[0]);
    free(files);
    /* No working folder is left. */
    CLEANUP_DIR DIR *dir = opendir(folder);
    unsigned entries = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    assert_int_equal(entries, 1);
}

static void
status_is_a_result_even_when_the_master_is_away(void **state)
{
    struct scene *scene = *state;
    CLEANUP_FREE char *root = file_join(scene->folder, "root");
    CLEANUP_FREE char *run_root = file_join(scene->folder, "run");
    struct runtime_options options = {.root = root, .run_root = run_root};
    struct status status;
    ERR_LOCAL(err);
    assert_ok(status_read(scene->config, scene->service, &options, &status, &err), err);
    assert_true(status.master_ok);
    assert_false(status.has_newest);
    status_free(&status);
    struct publish_result first = must_publish(scene, false);
    publish_result_free(&first);
    assert_ok(status_read(scene->config, scene->service, &options, &status, &err), err);
    assert_true(status.has_newest);
    assert_int_equal(status.latest.number, 1);
    assert_false(status.newest_behind);
    assert_true(status.newest_staleness_seconds == 0);
    status_free(&status);
    sql(scene->master, "insert into item(name) values('sword')");
    assert_ok(status_read(scene->config, scene->service, &options, &status, &err), err);
    assert_true(status.newest_behind);
    assert_true(status.newest_staleness_seconds >= 0);
    status_free(&status);
    assert_int_equal(unlink(scene->master), 0);
    assert_ok(status_read(scene->config, scene->service, &options, &status, &err), err);
    assert_false(status.master_ok);
    assert_non_null(strstr(status.master_error, "shop.db"));
    assert_int_equal(status.newest.number, 1);
    status_free(&status);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_same_state_gives_no_new_generation),
        SCENE_TEST(one_index_carries_the_images_of_all_architectures),
        SCENE_TEST(force_gives_a_new_generation_of_the_same_layers),
        SCENE_TEST(generations_are_listed_in_order_and_tags_of_others_left_alone),
        cmocka_unit_test(tags_of_generations),
        SCENE_TEST(an_image_of_another_service_is_refused),
        SCENE_TEST(a_second_publisher_is_turned_away),
        SCENE_TEST(a_missing_master_leaves_no_folder),
        SCENE_TEST(verify_sees_the_master_move),
        SCENE_TEST(verify_finds_every_damaged_blob),
        SCENE_TEST(force_repairs_a_damaged_blob),
        SCENE_TEST(removed_tags_free_neither_pin_nor_number),
        SCENE_TEST(export_gives_the_files_back_all_or_nothing),
        SCENE_TEST(status_is_a_result_even_when_the_master_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
