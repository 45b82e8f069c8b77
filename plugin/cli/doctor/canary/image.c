/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/doctor/canary/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/mem.h"

enum { NONCE_BYTES = 10, BLOB_MAX_BYTES = 16 * 1024, TAR_BLOCK_BYTES = 512 };

void canary_image_done(struct canary_image *image)
{
    buf_free(&image->manifest.bytes);
    buf_free(&image->config.bytes);
    buf_free(&image->layer.bytes);
}

/* The image's platform must be this machine's, or containerd finds nothing in it to pull. */
static const char *architecture(void)
{
    static const struct {
        const char *machine, *name;
    } table[] = {
        { "x86_64", "amd64" }, { "aarch64", "arm64" },  { "armv7l", "arm" },    { "armv6l", "arm" },
        { "i686", "386" },     { "ppc64le", "ppc64le" }, { "s390x", "s390x" },   { "riscv64", "riscv64" },
        { "mips64", "mips64le" }, { "loongarch64", "loong64" },
    };
    struct utsname system;

    if (uname(&system) == 0)
        for (size_t i = 0; i < ARRAY_LEN(table); i++)
            if (strcmp(system.machine, table[i].machine) == 0)
                return table[i].name;
    return "amd64";
}

static bool seal(struct canary_blob *blob, struct error *err)
{
    struct digest digest;

    if (!buf_ok(&blob->bytes))
        return error_oom(err);
    if (!digest_compute(DIGEST_SHA256, buf_as_span(&blob->bytes), &digest))
        return error_set(err, REASON_INTERNAL, "no digest of the canary");
    digest_format(&digest, blob->digest);
    return true;
}

/* A number as ustar has it: octal digits, a NUL behind them. */
static void put_octal(char *field, size_t size, unsigned int value)
{
    snprintf(field, size, "%0*o", (int)size - 1, value);
}

/* POSIX ustar: name 0, mode 100, uid 108, gid 116, size 124, mtime 136, checksum 148, type 156, magic 257. */
static void put_tar(struct buf *tar, const char *name, struct span content)
{
    char block[TAR_BLOCK_BYTES] = { 0 };
    unsigned int sum = 0;
    static const char zero[TAR_BLOCK_BYTES];

    snprintf(block, 100, "%s", name);
    put_octal(block + 100, 8, 0444);
    put_octal(block + 108, 8, 0);
    put_octal(block + 116, 8, 0);
    put_octal(block + 124, 12, (unsigned int)content.len);
    put_octal(block + 136, 12, 0);
    memset(block + 148, ' ', 8);
    block[156] = '0';
    memcpy(block + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(block); i++)
        sum += (unsigned char)block[i];
    put_octal(block + 148, 7, sum);
    buf_append(tar, block, sizeof(block));
    buf_span(tar, content);
    buf_append(tar, zero, TAR_BLOCK_BYTES - content.len % TAR_BLOCK_BYTES);
    buf_append(tar, zero, sizeof(zero));
    buf_append(tar, zero, sizeof(zero));
}

static bool make_layer(struct canary_image *image, const char *nonce, struct error *err)
{
    char text[200];

    snprintf(text, sizeof(text), "An unsigned image of \"pullguard doctor --canary\". It should not be here. %s\n",
             nonce);
    put_tar(&image->layer.bytes, "pullguard-canary", span_str(text));
    return seal(&image->layer, err);
}

static bool make_config(struct canary_image *image, struct error *err)
{
    struct json_out out = json_out_to(&image->config.bytes);

    json_open_map(&out, NULL);
    json_put_str(&out, "architecture", architecture());
    json_put_str(&out, "os", "linux");
    json_open_map(&out, "config");
    json_close_map(&out);
    json_open_map(&out, "rootfs");
    json_put_str(&out, "type", "layers");
    json_open_list(&out, "diff_ids");
    json_put_str(&out, NULL, image->layer.digest); /* the layer is not compressed */
    json_close_list(&out);
    json_close_map(&out);
    json_open_list(&out, "history");
    json_open_map(&out, NULL);
    json_put_str(&out, "created_by", "pullguard doctor --canary");
    json_close_map(&out);
    json_close_list(&out);
    json_close_map(&out);
    return seal(&image->config, err);
}

static void put_descriptor(struct json_out *out, const char *key, const char *type, const struct canary_blob *blob)
{
    json_open_map(out, key);
    json_put_str(out, "mediaType", type);
    json_put_str(out, "digest", blob->digest);
    json_put_int(out, "size", (int64_t)blob->bytes.len);
    json_close_map(out);
}

static bool make_manifest(struct canary_image *image, struct error *err)
{
    struct json_out out = json_out_to(&image->manifest.bytes);

    json_open_map(&out, NULL);
    json_put_int(&out, "schemaVersion", 2);
    json_put_str(&out, "mediaType", "application/vnd.oci.image.manifest.v1+json");
    put_descriptor(&out, "config", "application/vnd.oci.image.config.v1+json", &image->config);
    json_open_list(&out, "layers");
    put_descriptor(&out, NULL, "application/vnd.oci.image.layer.v1.tar", &image->layer);
    json_close_list(&out);
    json_close_map(&out);
    return seal(&image->manifest, err);
}

bool canary_image_make(const char *name, uint16_t port, struct canary_image *ret, struct error *err)
{
    uint8_t random[NONCE_BYTES];
    char nonce[2 * NONCE_BYTES + 1];

    ret->manifest.bytes = ret->config.bytes = ret->layer.bytes = (struct buf)BUF_INIT(BLOB_MAX_BYTES);
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_errno(err, REASON_INTERNAL, errno, "random bytes");
    hex_encode(span_of(random, sizeof(random)), nonce);
    snprintf(ret->repository, sizeof(ret->repository), "pullguard-canary/%s-%s", name, nonce);
    snprintf(ret->reference, sizeof(ret->reference), "127.0.0.1:%u/%s:" CANARY_TAG, port, ret->repository);
    return make_layer(ret, nonce, err) && make_config(ret, err) && make_manifest(ret, err);
}
