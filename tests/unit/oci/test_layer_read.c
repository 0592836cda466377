/* SPDX-License-Identifier: Apache-2.0 */
#include "layer-test.h"

#include "oci/layer-compress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>
#include <zlib.h>

/* An entry of a hand-made archive; what is left out is as in an honest one. */
struct item {
    const char *path;
    unsigned type; /* AE_IF*; 0 is a file */
    mode_t mode;   /* 0 is 0644 */
    const char *content, *symlink, *hardlink;
    size_t filler; /* FILE: instead of content */
};

static la_ssize_t
collect(struct archive *archive, void *bytes, const void *data, size_t length)
{
    (void)archive;
    buf_append(bytes, data, length);
    return (la_ssize_t)length;
}

static void
make_tar(struct buf *ret_tar, int (*set_format)(struct archive *), const struct item *items,
         size_t count)
{
    struct archive *archive = archive_write_new();
    set_format(archive);
    archive_write_set_bytes_per_block(archive, 0);
    assert_int_equal(archive_write_open(archive, ret_tar, NULL, collect, NULL), ARCHIVE_OK);
    for (size_t i = 0; i < count; i++) {
        const struct item *item = &items[i];
        size_t size = item->content ? strlen(item->content) : item->filler;
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, item->path);
        archive_entry_set_filetype(entry, item->type ? item->type : AE_IFREG);
        archive_entry_set_perm(entry, item->mode ? item->mode : 0644);
        archive_entry_set_uid(entry, 1234);
        if (item->symlink)
            archive_entry_set_symlink(entry, item->symlink);
        if (item->hardlink)
            archive_entry_set_hardlink(entry, item->hardlink);
        archive_entry_set_size(entry, item->hardlink ? 0 : (la_int64_t)size);
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        static uint8_t filler[65536];
        test_fill(filler, sizeof filler, i);
        for (size_t done = 0; done < size;) {
            size_t n = item->content                 ? size
                       : size - done < sizeof filler ? size - done
                                                     : sizeof filler;
            const void *bytes = item->content ? (const void *)item->content : filler;
            assert_int_equal(archive_write_data(archive, bytes, n), n);
            done += n;
        }
        archive_entry_free(entry);
    }
    archive_write_close(archive);
    archive_write_free(archive);
}

static struct oci_descriptor
put_blob(struct layer_test *test, const char *media_type, const void *bytes, size_t length)
{
    ERR_LOCAL(err);
    struct oci_descriptor blob = {.media_type = mem_strdup(media_type), .size = length};
    assert_no_err(oci_store_put_blob(test->store, bytes, length, &blob.digest, NULL, &err), err);
    return blob;
}

/* Unpacks the bytes into a fresh folder test->folder/outNN (NULL: it was refused with *err). */
static char *
unpack_bytes(struct layer_test *test, const char *media_type, const void *bytes, size_t length,
             const struct oci_digest *diff_id, const struct oci_unpack_limits *limits,
             struct err **err)
{
    static unsigned serial;
    CLEANUP_FREE char *folder = mem_printf("%s/out%u", test->folder, serial++);
    assert_int_equal(mkdir(folder, 0755), 0);
    struct oci_descriptor blob = put_blob(test, media_type, bytes, length);
    bool ok = oci_layer_unpack(test->store, &blob, diff_id, folder, limits, err);
    oci_descriptor_free(&blob);
    return ok ? steal_ptr(&folder) : NULL;
}

static char *
unpack_items(struct layer_test *test, const struct item *items, size_t count,
             const struct oci_unpack_limits *limits, struct err **err)
{
    CLEANUP_BUF struct buf tar = {0};
    make_tar(&tar, archive_write_set_format_pax_restricted, items, count);
    return unpack_bytes(test, OCI_MEDIA_LAYER_TAR, tar.data, tar.length, NULL, limits, err);
}

static void
assert_file(const char *folder, const char *path, mode_t mode, const char *content)
{
    ERR_LOCAL(err);
    CLEANUP_FREE char *full = file_join(folder, path);
    struct stat st;
    assert_int_equal(lstat(full, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
    if (content) {
        CLEANUP_BUF struct buf bytes = {0};
        assert_no_err(file_read(full, 1 << 20, &bytes, &err), err);
        assert_string_equal(buf_text(&bytes), content);
    }
}

/* What a build makes, a walk and an unpack give back. */
static void
test_round_trip(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const size_t size = (3u << 20) + 17;
    CLEANUP_FREE uint8_t *bytes = mem_new(size);
    test_fill(bytes, size, 3);
    CLEANUP_FD int fd = test_memory_file(bytes, size), small_fd = test_memory_file("small", 5);
    char deep[400];
    memset(deep, 'd', sizeof deep);
    memcpy(deep, "data/", 5);
    deep[200] = '/';
    deep[399] = '\0';
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = "data", .mode = 0755},
        {.type = OCI_ENTRY_FILE, .path = "data/big.db", .mode = 0444, .size = size, .fd = fd},
        {.type = OCI_ENTRY_FILE, .path = "data/empty", .mode = 0400, .size = 0, .fd = fd},
        {.type = OCI_ENTRY_SYMLINK, .path = "data/link", .mode = 0777, .target = "../../elsewhere"},
        {.type = OCI_ENTRY_FILE,
         .path = "data/k\xc3\xb6nig",
         .mode = 0755,
         .size = 5,
         .fd = small_fd},
        {.type = OCI_ENTRY_FILE, .path = deep, .mode = 0644, .size = 5, .fd = small_fd},
    };
    static const enum oci_compression compressions[] = {OCI_COMPRESSION_GZIP, OCI_COMPRESSION_NONE,
                                                        OCI_COMPRESSION_ZSTD};
    for (size_t i = 0; i < ARRAY_LENGTH(compressions); i++) {
        struct oci_layer layer;
        assert_no_err(oci_layer_write(test->store, compressions[i], entries, ARRAY_LENGTH(entries),
                                      NULL, &layer, &err),
                      err);
        CLEANUP_FREE char *folder = mem_printf("%s/out-%zu", test->folder, i);
        assert_int_equal(mkdir(folder, 0755), 0);
        assert_no_err(
            oci_layer_unpack(test->store, &layer.descriptor, &layer.diff_id, folder, NULL, &err),
            err);
        CLEANUP_FREE char *big = file_join(folder, "data/big.db");
        CLEANUP_BUF struct buf read = {0};
        assert_no_err(file_read(big, size, &read, &err), err);
        assert_int_equal(read.length, size);
        assert_memory_equal(read.data, bytes, size);
        assert_file(folder, "data", 0755, NULL);
        assert_file(folder, "data/big.db", 0444, NULL);
        assert_file(folder, "data/empty", 0400, "");
        assert_file(folder, "data/k\xc3\xb6nig", 0755, "small");
        assert_file(folder, deep, 0644, "small");
        CLEANUP_FREE char *link = file_join(folder, "data/link");
        char target[64] = "";
        assert_int_equal(readlink(link, target, sizeof target), 15);
        assert_string_equal(target, "../../elsewhere");
        oci_layer_free(&layer);
    }
}

struct seen {
    struct buf text;
    bool read_all, stop;
};

static bool
see(struct oci_layer_walk *walk, const struct oci_walk_entry *entry, void *context,
    struct err **err)
{
    struct seen *seen = context;
    buf_printf(&seen->text, "%d %s %o %llu %s\n", (int)entry->type, entry->path,
               (unsigned)entry->mode, (unsigned long long)entry->size,
               entry->target ? entry->target : "-");
    char bytes[3]; /* smaller than any content, so that it takes several calls */
    ssize_t n = 1;
    while (seen->read_all && n > 0) {
        n = oci_layer_entry_read(walk, bytes, sizeof bytes, err);
        if (n < 0)
            return false;
        buf_append(&seen->text, bytes, (size_t)n);
    }
    return !seen->stop || err_set(err, ERR_DIFFERS, 0, "enough");
}

static void
test_walk(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const struct item items[] = {
        {"./", AE_IFDIR, 0755},
        {"./etc//", AE_IFDIR, 0750},
        {"./etc/name", .content = "effigy\n"},
        {"etc/empty"},
        {"etc/hard", .hardlink = "etc/name"},
        {"etc/soft", AE_IFLNK, .symlink = "/anywhere"},
    };
    int (*const formats[])(struct archive *) = {
        archive_write_set_format_ustar, archive_write_set_format_gnutar,
        archive_write_set_format_pax, archive_write_set_format_v7tar};
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        CLEANUP_BUF struct buf tar = {0};
        make_tar(&tar, formats[i], items, ARRAY_LENGTH(items));
        struct oci_descriptor blob = put_blob(test, OCI_MEDIA_LAYER_TAR, tar.data, tar.length);
        struct seen seen = {.read_all = i % 2 == 0};
        assert_no_err(oci_layer_walk(test->store, &blob, &blob.digest, NULL, see, &seen, &err),
                      err);
        const char *content = seen.read_all ? "effigy\n" : "";
        CLEANUP_FREE char *wanted =
            mem_printf("1 etc 750 0 -\n0 etc/name 644 7 -\n%s0 etc/empty 644 0 -\n"
                       "0 etc/hard 644 0 etc/name\n2 etc/soft 644 0 /anywhere\n",
                       content);
        assert_string_equal(buf_text(&seen.text), wanted);
        buf_free(&seen.text);

        struct seen stopped = {.stop = true};
        ERR_LOCAL(why);
        assert_false(oci_layer_walk(test->store, &blob, NULL, NULL, see, &stopped, &why));
        assert_int_equal(why->kind, ERR_DIFFERS);
        buf_free(&stopped.text);
        oci_descriptor_free(&blob);
    }
}

/* Modes, links and folders without entries of their own. */
static void
test_unpack_details(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const struct item items[] = {
        {"a/b/file", .content = "one", .mode = 04755},
        {"a/b", AE_IFDIR, .mode = 02555},
        {"a/b/later", .content = "two"},
        {"secret", .content = "three", .mode = 0200},
        {"hard", .hardlink = "./a/b/file"},
        {"a/.wh.gone", .content = ""},
        {"link", AE_IFLNK, .symlink = "/etc"},
    };
    CLEANUP_FREE char *out = unpack_items(test, items, ARRAY_LENGTH(items), NULL, &err);
    assert_no_err(out, err);
    assert_file(out, "a", 0755, NULL);
    assert_file(out, "a/b", 0755, NULL);
    assert_file(out, "a/b/file", 0755, "one");
    assert_file(out, "a/b/later", 0644, "two");
    assert_file(out, "secret", 0600, "three");
    assert_file(out, "hard", 0755, "one");
    assert_file(out, "a/.wh.gone", 0644, "");
}

static void
test_hostile(void **state)
{
    struct layer_test *test = *state;
    const struct {
        const char *name;
        struct item items[3];
        const char *message;
    } cases[] = {
        {"a path up", {{"../escaped", .content = "x"}}, "../escaped"},
        {"a path up inside", {{"a/../../escaped", .content = "x"}}, "stay inside"},
        {"an absolute path", {{"/tmp/escaped", .content = "x"}}, "stay inside"},
        {"a file through a link out",
         {{"l", AE_IFLNK, .symlink = ".."}, {"l/escaped", .content = "x"}},
         "l is not a folder"},
        {"a folder through a link out",
         {{"l", AE_IFLNK, .symlink = ".."}, {"l/escaped", AE_IFDIR}},
         "l is not a folder"},
        {"a file through a link inside",
         {{"d", AE_IFDIR}, {"l", AE_IFLNK, .symlink = "d"}, {"l/f"}},
         "l is not a folder"},
        {"a file over a link out",
         {{"l", AE_IFLNK, .symlink = "../escaped"}, {"l", .content = "x"}},
         "twice"},
        {"a folder over a link out",
         {{"l", AE_IFLNK, .symlink = ".."}, {"l", AE_IFDIR, 0700}},
         "twice"},
        {"a hard link out", {{"h", .hardlink = "../canary"}}, "stay inside"},
        {"an absolute hard link", {{"h", .hardlink = "/etc/passwd"}}, "stay inside"},
        {"a hard link through a link",
         {{"l", AE_IFLNK, .symlink = ".."}, {"h", .hardlink = "l/canary"}},
         "not a folder"},
        {"a hard link to a link",
         {{"l", AE_IFLNK, .symlink = "../canary"}, {"h", .hardlink = "l"}},
         "no file"},
        {"a hard link to nothing", {{"h", .hardlink = "nothing"}}, "no file"},
        {"a hard link to a folder", {{"d", AE_IFDIR}, {"h", .hardlink = "d"}}, "no file"},
        {"a character device", {{"dev", AE_IFCHR}}, "devices"},
        {"a block device", {{"dev", AE_IFBLK}}, "devices"},
        {"a pipe", {{"pipe", AE_IFIFO}}, "pipes"},
        {"a file below a file", {{"f", .content = "x"}, {"f/g", .content = "x"}}, "not a folder"},
        {"a file twice", {{"f", .content = "x"}, {"f", .content = "y"}}, "twice"},
        {"a file over a folder", {{"d", AE_IFDIR}, {"d", .content = "y"}}, "twice"},
        {"a file in the folder's own place", {{"./", .content = "x"}}, ""},
    };
    CLEANUP_FREE char *canary = file_join(test->folder, "canary"),
                      *escaped = file_join(test->folder, "escaped");
    assert_true(file_write_atomic(canary, "alive", 5, 0644, NULL));
    struct stat before;
    assert_int_equal(stat(test->folder, &before), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t count = 0;
        while (count < 3 && cases[i].items[count].path)
            count++;
        ERR_LOCAL(err);
        CLEANUP_FREE char *out = unpack_items(test, cases[i].items, count, NULL, &err);
        if (out || err->kind != ERR_CORRUPT || !strstr(err->message, cases[i].message))
            fail_msg("%s: %s", cases[i].name, err ? err->message : "was unpacked");
        assert_false(file_exists(escaped));
        assert_false(file_exists("/tmp/escaped"));
    }
    assert_file(test->folder, "canary", 0644, "alive");
    struct stat after;
    assert_int_equal(stat(canary, &after), 0);
    assert_int_equal(after.st_nlink, 1);
    assert_int_equal(stat(test->folder, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
}

static void
pack(struct buf *ret_bytes, enum oci_compression compression, const char *bytes, size_t length)
{
    struct layer_packer *packer = layer_packer_new();
    for (size_t done = 0; done < length;) {
        size_t n = length - done < OCI_LAYER_BLOCK ? length - done : OCI_LAYER_BLOCK;
        buf_reserve(ret_bytes, layer_packer_room());
        ret_bytes->length += layer_packer_pack(packer, compression, bytes + done, n,
                                               ret_bytes->data + ret_bytes->length);
        done += n;
    }
    layer_packer_free(packer);
}

static void
test_damaged(void **state)
{
    struct layer_test *test = *state;
    const struct item items[] = {
        {"d", AE_IFDIR}, {"d/f", .filler = 3u << 20}, {"g", .content = "end"}};
    CLEANUP_BUF struct buf tar = {0};
    make_tar(&tar, archive_write_set_format_ustar, items, 3);
    static const enum oci_compression compressions[] = {OCI_COMPRESSION_GZIP, OCI_COMPRESSION_NONE,
                                                        OCI_COMPRESSION_ZSTD};
    for (size_t i = 0; i < ARRAY_LENGTH(compressions); i++) {
        const char *media_type = oci_compression_media_type(compressions[i]);
        CLEANUP_BUF struct buf packed = {0};
        if (compressions[i] == OCI_COMPRESSION_NONE)
            buf_append(&packed, tar.data, tar.length);
        else
            pack(&packed, compressions[i], tar.data, tar.length);
        ERR_LOCAL(err);
        struct oci_digest diff_id = oci_digest_of(tar.data, tar.length);
        CLEANUP_FREE char *whole =
            unpack_bytes(test, media_type, packed.data, packed.length, &diff_id, NULL, &err);
        assert_no_err(whole, err);

        struct oci_digest wrong = oci_digest_of("x", 1);
        assert_null(unpack_bytes(test, media_type, packed.data, packed.length, &wrong, NULL, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);
        assert_non_null(strstr(err->message, diff_id.text));

        /* Cut anywhere but where only the padding at the end of the tar is lost. */
        size_t cuts[] = {0, 1, 9, 100, packed.length / 2, packed.length * 9 / 10};
        for (size_t c = 0; c < ARRAY_LENGTH(cuts); c++) {
            assert_null(unpack_bytes(test, media_type, packed.data, cuts[c], NULL, NULL, &err));
            assert_int_equal(err->kind, ERR_CORRUPT);
        }
        if (compressions[i] != OCI_COMPRESSION_NONE) {
            assert_null(
                unpack_bytes(test, media_type, packed.data, packed.length - 1, NULL, NULL, &err));
            assert_int_equal(err->kind, ERR_CORRUPT);
            packed.data[packed.length / 2 + 40] ^= 0x55;
            assert_null(
                unpack_bytes(test, media_type, packed.data, packed.length, &diff_id, NULL, &err));
            assert_int_equal(err->kind, ERR_CORRUPT);
            packed.data[packed.length / 2 + 40] ^= 0x55;
            buf_puts(&packed, "rubbish behind the end");
            assert_null(
                unpack_bytes(test, media_type, packed.data, packed.length, NULL, NULL, &err));
            assert_int_equal(err->kind, ERR_CORRUPT);
        }
    }
    ERR_LOCAL(err);
    assert_null(unpack_bytes(test, "application/x-cpio", tar.data, tar.length, NULL, NULL, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
    assert_null(unpack_bytes(test, OCI_MEDIA_LAYER_GZIP, tar.data, tar.length, NULL, NULL, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
}

static void
test_wrong_blob(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const struct item item = {"f", .content = "data"};
    CLEANUP_BUF struct buf tar = {0};
    make_tar(&tar, archive_write_set_format_ustar, &item, 1);
    struct oci_descriptor blob = put_blob(test, OCI_MEDIA_LAYER_TAR, tar.data, tar.length);
    CLEANUP_FREE char *path = test_blob_path(test, &blob.digest);
    struct seen seen = {0};
    assert_int_equal(chmod(path, 0644), 0);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "DATA", 4, 512), 4);
    assert_false(oci_layer_walk(test->store, &blob, NULL, NULL, see, &seen, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_non_null(strstr(err->message, blob.digest.text));
    buf_free(&seen.text);
    oci_descriptor_free(&blob);
}

/* One big gzip member, as other tools make them, and empty members in between. */
static void
test_foreign_gzip(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const struct item items[] = {{"f", .filler = 9u << 20}, {"g", .content = "end"}};
    CLEANUP_BUF struct buf tar = {0}, packed = {0};
    make_tar(&tar, archive_write_set_format_ustar, items, 2);
    pack(&packed, OCI_COMPRESSION_GZIP, "", 0);
    z_stream zlib = {0};
    assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    zlib.next_in = (uint8_t *)tar.data;
    zlib.avail_in = (unsigned)tar.length;
    buf_reserve(&packed, tar.length);
    zlib.next_out = (uint8_t *)packed.data + packed.length;
    zlib.avail_out = (unsigned)tar.length;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    packed.length += zlib.total_out;
    deflateEnd(&zlib);
    struct oci_digest diff_id = oci_digest_of(tar.data, tar.length);
    CLEANUP_FREE char *out =
        unpack_bytes(test, OCI_MEDIA_LAYER_GZIP, packed.data, packed.length, &diff_id, NULL, &err);
    assert_no_err(out, err);
    assert_file(out, "g", 0644, "end");
}

static void
test_limits(void **state)
{
    struct layer_test *test = *state;
    const struct item items[] = {
        {"a", .filler = 1000}, {"b", .filler = 1000}, {"x/y/z", .filler = 0}};
    const struct {
        struct oci_unpack_limits limits;
        bool ok;
    } cases[] = {{{0}, true},
                 {{.entries = 3, .bytes = 2000}, true},
                 {{.entries = 2}, false},
                 {{.bytes = 1999}, false}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ERR_LOCAL(err);
        CLEANUP_FREE char *out = unpack_items(test, items, 3, &cases[i].limits, &err);
        assert_int_equal(out != NULL, cases[i].ok);
        if (!out)
            assert_int_equal(err->kind, ERR_CORRUPT);
    }
    /* A few kilobytes that want to become 64 MiB, in the archive and behind its end. */
    CLEANUP_BUF struct buf tar = {0}, packed = {0}, tail = {0};
    make_tar(&tar, archive_write_set_format_ustar, &(struct item){"bomb", .filler = 64u << 20}, 1);
    pack(&packed, OCI_COMPRESSION_ZSTD, tar.data, tar.length);
    ERR_LOCAL(err);
    assert_null(unpack_bytes(test, OCI_MEDIA_LAYER_ZSTD, packed.data, packed.length, NULL,
                             &(struct oci_unpack_limits){.bytes = 10000}, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    make_tar(&tail, archive_write_set_format_ustar, items, 1);
    size_t honest = tail.length;
    memset(buf_reserve(&tail, 64u << 20), 0, 64u << 20);
    tail.length += 64u << 20;
    assert_null(unpack_bytes(test, OCI_MEDIA_LAYER_TAR, tail.data, tail.length, NULL, NULL, &err));
    assert_non_null(strstr(err->message, "behind the end"));
    /* A bit of padding is usual, and belongs to the digest. */
    struct oci_digest diff_id = oci_digest_of(tail.data, honest + 20480);
    CLEANUP_FREE char *out =
        unpack_bytes(test, OCI_MEDIA_LAYER_TAR, tail.data, honest + 20480, &diff_id, NULL, &err);
    assert_non_null(out);
}

/* A GNU sparse file: its size lies. */
static void
test_sparse(void **state)
{
    struct layer_test *test = *state;
    CLEANUP_BUF struct buf tar = {0};
    struct archive *archive = archive_write_new();
    archive_write_set_format_pax(archive);
    assert_int_equal(archive_write_open(archive, &tar, NULL, collect, NULL), ARCHIVE_OK);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, "sparse");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    const size_t size = 2u << 20;
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_sparse_add_entry(entry, 1 << 20, 1024);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    CLEANUP_FREE uint8_t *zeros = mem_new(size);
    assert_int_equal(archive_write_data(archive, zeros, size), size);
    archive_entry_free(entry);
    archive_write_close(archive);
    archive_write_free(archive);
    ERR_LOCAL(err);
    assert_null(unpack_bytes(test, OCI_MEDIA_LAYER_TAR, tar.data, tar.length, NULL, NULL, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    if (!strstr(err->message, "sparse"))
        fail_msg("%s", err->message);
}

/* The layer of no files at all that builders like to put in. */
static void
test_empty(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    static const char zeros[1024];
    CLEANUP_FREE char *out =
        unpack_bytes(test, OCI_MEDIA_LAYER_TAR, zeros, sizeof zeros, NULL, NULL, &err);
    assert_no_err(out, err);
    struct oci_layer layer;
    assert_no_err(oci_layer_write(test->store, OCI_COMPRESSION_GZIP, NULL, 0, NULL, &layer, &err),
                  err);
    assert_int_equal(layer.tar_size, 1024);
    assert_string_equal(layer.diff_id.text, oci_digest_of(zeros, sizeof zeros).text);
    oci_layer_free(&layer);
}

#define LAYER_TEST(name) \
    cmocka_unit_test_setup_teardown(name, layer_test_setup, layer_test_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LAYER_TEST(test_round_trip), LAYER_TEST(test_walk),         LAYER_TEST(test_unpack_details),
        LAYER_TEST(test_hostile),    LAYER_TEST(test_damaged),      LAYER_TEST(test_wrong_blob),
        LAYER_TEST(test_limits),     LAYER_TEST(test_foreign_gzip), LAYER_TEST(test_sparse),
        LAYER_TEST(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
