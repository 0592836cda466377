/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer-compress.h"

#include "base/mem.h"

#include <libdeflate.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define PACK_LEVEL 1
#define UNPACK_ROOM (2 * OCI_LAYER_BLOCK)
#define ZSTD_WINDOW_LOG_LIMIT 25 /* 32 MiB: more than any level below --ultra asks for */

struct layer_packer {
    struct libdeflate_compressor *deflate;
    ZSTD_CCtx *zstd;
};

struct layer_packer *
layer_packer_new(void)
{
    return mem_new(sizeof(struct layer_packer));
}

void
layer_packer_free(struct layer_packer *packer)
{
    if (!packer)
        return;
    libdeflate_free_compressor(packer->deflate);
    ZSTD_freeCCtx(packer->zstd);
    free(packer);
}

size_t
layer_packer_room(void)
{
    size_t gzip = libdeflate_gzip_compress_bound(NULL, OCI_LAYER_BLOCK),
           zstd = ZSTD_compressBound(OCI_LAYER_BLOCK);
    return gzip > zstd ? gzip : zstd;
}

static void
pack_need(bool ok, const char *library)
{
    if (!ok) {
        fprintf(stderr, "effigy: %s cannot compress (out of memory?)\n", library);
        abort();
    }
}

size_t
layer_packer_pack(struct layer_packer *packer, enum oci_compression compression, const void *bytes,
                  size_t length, void *out)
{
    if (compression == OCI_COMPRESSION_GZIP) {
        if (!packer->deflate)
            packer->deflate = libdeflate_alloc_compressor(PACK_LEVEL);
        pack_need(packer->deflate, "libdeflate");
        size_t packed =
            libdeflate_gzip_compress(packer->deflate, bytes, length, out, layer_packer_room());
        pack_need(packed > 0, "libdeflate");
        return packed;
    }
    if (!packer->zstd)
        packer->zstd = ZSTD_createCCtx();
    pack_need(packer->zstd, "libzstd");
    size_t packed =
        ZSTD_compressCCtx(packer->zstd, out, layer_packer_room(), bytes, length, PACK_LEVEL);
    pack_need(!ZSTD_isError(packed), "libzstd");
    return packed;
}

struct layer_unpacker {
    enum oci_compression compression;
    layer_read_fn *read;
    void *context;
    uint8_t *in, *out; /* UNPACK_ROOM each */
    size_t begin, end; /* what is left of the input: in[begin, end) */
    bool at_eof;       /* of the input */
    bool in_member;    /* in the middle of a gzip member or zstd frame */
    bool any_member;
    struct libdeflate_decompressor *deflate;
    z_stream zlib;
    ZSTD_DStream *zstd;
};

struct layer_unpacker *
layer_unpacker_new(enum oci_compression compression, layer_read_fn *read, void *context)
{
    struct layer_unpacker *unpacker = mem_new(sizeof *unpacker);
    *unpacker =
        (struct layer_unpacker){.compression = compression, .read = read, .context = context};
    unpacker->in = mem_new(UNPACK_ROOM);
    unpacker->out = mem_new(UNPACK_ROOM);
    if (compression == OCI_COMPRESSION_GZIP) {
        unpacker->deflate = libdeflate_alloc_decompressor();
        pack_need(unpacker->deflate && inflateInit2(&unpacker->zlib, 16 + MAX_WBITS) == Z_OK,
                  "zlib");
    } else if (compression == OCI_COMPRESSION_ZSTD) {
        unpacker->zstd = ZSTD_createDStream();
        pack_need(unpacker->zstd, "libzstd");
        ZSTD_DCtx_setParameter(unpacker->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_LIMIT);
    }
    return unpacker;
}

void
layer_unpacker_free(struct layer_unpacker *unpacker)
{
    if (!unpacker)
        return;
    if (unpacker->deflate) {
        libdeflate_free_decompressor(unpacker->deflate);
        inflateEnd(&unpacker->zlib);
    }
    ZSTD_freeDStream(unpacker->zstd);
    free(unpacker->in);
    free(unpacker->out);
    free(unpacker);
}

/* Reads on until `wanted` bytes of input are there, or all that there are. */
static bool
unpacker_fill(struct layer_unpacker *unpacker, size_t wanted, struct err **err)
{
    if (unpacker->at_eof || unpacker->end - unpacker->begin >= wanted)
        return true;
    memmove(unpacker->in, unpacker->in + unpacker->begin, unpacker->end - unpacker->begin);
    unpacker->end -= unpacker->begin;
    unpacker->begin = 0;
    while (unpacker->end < wanted) {
        ssize_t n = unpacker->read(unpacker->context, unpacker->in + unpacker->end,
                                   UNPACK_ROOM - unpacker->end, err);
        if (n < 0)
            return false;
        if (n == 0) {
            unpacker->at_eof = true;
            break;
        }
        unpacker->end += (size_t)n;
    }
    return true;
}

static bool
unpacker_cut(struct err **err)
{
    return err_set(err, ERR_CORRUPT, 0, "the compressed data end too early");
}

/* A member that is whole in the input and small is inflated at once, three times as fast as zlib
 * does it; all of ours are. */
static bool
gzip_member(struct layer_unpacker *unpacker, size_t *ret_length)
{
    size_t used = 0, length = 0;
    if (libdeflate_gzip_decompress_ex(unpacker->deflate, unpacker->in + unpacker->begin,
                                      unpacker->end - unpacker->begin, unpacker->out, UNPACK_ROOM,
                                      &used, &length) != LIBDEFLATE_SUCCESS)
        return false;
    unpacker->begin += used;
    *ret_length = length;
    return true;
}

static bool
gzip_next(struct layer_unpacker *unpacker, size_t *ret_length, struct err **err)
{
    if (!unpacker->in_member) {
        if (!unpacker_fill(unpacker, layer_packer_room(), err))
            return false;
        if (unpacker->begin == unpacker->end)
            return unpacker->any_member || unpacker_cut(err);
        unpacker->any_member = true;
        if (gzip_member(unpacker, ret_length))
            return true;
        inflateReset(&unpacker->zlib);
        unpacker->in_member = true;
    }
    if (!unpacker_fill(unpacker, 1, err))
        return false;
    if (unpacker->begin == unpacker->end)
        return unpacker_cut(err);
    z_stream *zlib = &unpacker->zlib;
    zlib->next_in = unpacker->in + unpacker->begin;
    zlib->avail_in = (unsigned)(unpacker->end - unpacker->begin);
    zlib->next_out = unpacker->out;
    zlib->avail_out = UNPACK_ROOM;
    int result = inflate(zlib, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return err_set(err, ERR_CORRUPT, 0, "the gzip data are damaged (%s)",
                       zlib->msg ? zlib->msg : zError(result));
    unpacker->begin = unpacker->end - zlib->avail_in;
    unpacker->in_member = result != Z_STREAM_END;
    *ret_length = UNPACK_ROOM - zlib->avail_out;
    return true;
}

static bool
zstd_next(struct layer_unpacker *unpacker, size_t *ret_length, struct err **err)
{
    if (!unpacker_fill(unpacker, 1, err))
        return false;
    bool ended = unpacker->begin == unpacker->end;
    if (ended && !unpacker->in_member)
        return unpacker->any_member || unpacker_cut(err);
    unpacker->any_member = true;
    ZSTD_inBuffer in = {unpacker->in + unpacker->begin, unpacker->end - unpacker->begin, 0};
    ZSTD_outBuffer out = {unpacker->out, UNPACK_ROOM, 0};
    size_t result = ZSTD_decompressStream(unpacker->zstd, &out, &in);
    if (ZSTD_isError(result))
        return err_set(err, ERR_CORRUPT, 0, "the zstd data are damaged (%s)",
                       ZSTD_getErrorName(result));
    if (ended && out.pos == 0 && result != 0)
        return unpacker_cut(err);
    unpacker->begin += in.pos;
    unpacker->in_member = result != 0;
    *ret_length = out.pos;
    return true;
}

ssize_t
layer_unpacker_next(struct layer_unpacker *unpacker, const void **ret_bytes, struct err **err)
{
    *ret_bytes = unpacker->out;
    if (unpacker->compression == OCI_COMPRESSION_NONE)
        return unpacker->read(unpacker->context, unpacker->out, UNPACK_ROOM, err);
    size_t length = 0;
    do {
        bool ok = unpacker->compression == OCI_COMPRESSION_GZIP ? gzip_next(unpacker, &length, err)
                                                                : zstd_next(unpacker, &length, err);
        if (!ok)
            return -1;
    } while (!length &&
             !(unpacker->at_eof && unpacker->begin == unpacker->end && !unpacker->in_member));
    return (ssize_t)length;
}
