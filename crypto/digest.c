/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <string.h>

#include "base/encode.h"
#include "crypto/openssl_cleanup.h"

struct alg {
    const char *name;
    size_t size;
    const EVP_MD *(*md)(void);
};

static const struct alg algs[] = {
    [DIGEST_NONE] = {"none", 0, NULL},
    [DIGEST_SHA224] = {"sha224", 28, EVP_sha224},
    [DIGEST_SHA256] = {"sha256", 32, EVP_sha256},
    [DIGEST_SHA384] = {"sha384", 48, EVP_sha384},
    [DIGEST_SHA512] = {"sha512", 64, EVP_sha512},
};

static const struct alg *alg_of(enum digest_alg alg)
{
    return (size_t)alg < ARRAY_LEN(algs) ? &algs[alg] : &algs[DIGEST_NONE];
}

size_t digest_size(enum digest_alg alg)
{
    return alg_of(alg)->size;
}

const char *digest_alg_name(enum digest_alg alg)
{
    return alg_of(alg)->name;
}

bool digest_compute(enum digest_alg alg, struct span bytes, struct digest *ret)
{
    OPENSSL_ERRORS_STAY_HERE;
    struct digest made = {.alg = alg};
    unsigned int size = 0;

    if (digest_size(alg) == 0 || EVP_Digest(bytes.ptr, bytes.len, made.bytes, &size, alg_of(alg)->md(), NULL) != 1 ||
        size != digest_size(alg))
        return false;
    *ret = made;
    return true;
}

bool digest_compute_parts(enum digest_alg alg, const struct span *parts, size_t count, struct digest *ret)
{
    OPENSSL_ERRORS_STAY_HERE;
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_freep) = NULL;
    struct digest made = {.alg = alg};
    unsigned int size = 0;

    if (digest_size(alg) == 0)
        return false;
    ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, alg_of(alg)->md(), NULL) != 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (parts[i].len > 0 && EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) != 1)
            return false;
    if (EVP_DigestFinal_ex(ctx, made.bytes, &size) != 1 || size != digest_size(alg))
        return false;
    *ret = made;
    return true;
}

bool digest_parse(struct span text, struct digest *ret)
{
    static const enum digest_alg registered[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
    size_t colon = span_find_byte(text, ':');

    if (colon == SIZE_MAX)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(registered); i++) {
        struct digest digest = {.alg = registered[i]};

        if (!span_eq_str(span_cut(text, 0, colon), digest_alg_name(digest.alg)))
            continue;
        if (!hex_decode(span_cut(text, colon + 1, text.len), digest.bytes, digest_size(digest.alg)))
            return false;
        *ret = digest;
        return true;
    }
    return false;
}

const char *digest_hex(const struct digest *digest, char dst[2 * DIGEST_MAX_BYTES + 1])
{
    hex_encode(span_of(digest->bytes, digest_size(digest->alg)), dst);
    return dst;
}

const char *digest_format(const struct digest *digest, char dst[DIGEST_TEXT_BYTES])
{
    size_t name = strlen(digest_alg_name(digest->alg));

    memcpy(dst, digest_alg_name(digest->alg), name);
    dst[name] = ':';
    hex_encode(span_of(digest->bytes, digest_size(digest->alg)), dst + name + 1);
    return dst;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    size_t size = digest_size(a->alg);

    return size > 0 && a->alg == b->alg && CRYPTO_memcmp(a->bytes, b->bytes, size) == 0;
}

bool digest_matches(const struct digest *digest, struct span bytes)
{
    struct digest made;

    return digest_compute(digest->alg, bytes, &made) && digest_eq(&made, digest);
}
