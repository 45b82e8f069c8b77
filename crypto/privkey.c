/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/privkey.h"

#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/der.h"
#include "crypto/openssl_cleanup.h"
#include "crypto/pem.h"

struct privkey {
    EVP_PKEY *pkey;
    OSSL_LIB_CTX *external; /* the key's own context when it is a provider's; NULL = the default one */
    struct pubkey *public_half;
};

void privkey_free(struct privkey *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    OSSL_LIB_CTX_free(key->external);
    pubkey_free(key->public_half);
    mem_free(key);
}

void privkey_freep(struct privkey **key)
{
    privkey_free(*key);
    *key = NULL;
}

const struct pubkey *privkey_public(const struct privkey *key)
{
    return key->public_half;
}

/* The public half in the one form that pubkey_parse_der takes. */
static bool derive_public(struct privkey *key, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    unsigned char *spki CLEANUP(openssl_free_bytes) = NULL;
    int len;

    if (EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_EC && !key->external &&
        EVP_PKEY_set_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") != 1)
        return error_set(err, REASON_UNSUPPORTED, "private key on an unusual curve");
    len = i2d_PUBKEY(key->pkey, &spki);
    if (len <= 0)
        return error_set(err, REASON_UNSUPPORTED, "private key has no public half");
    return pubkey_parse_der(span_of(spki, (size_t)len), &key->public_half, err);
}

static bool verify_own(const struct privkey *key, struct span message, struct span sig, struct error *err)
{
    static const struct sig_scheme scheme = {.kind = SCHEME_COSIGN_KEY};

    return pubkey_verify(key->public_half, &scheme, message, sig, err) ||
           error_set(err, REASON_MALFORMED, "private key's two halves do not belong together");
}

/* A file may hold a public half that is not this private key's; what is signed must verify. */
static bool check_pair(const struct privkey *key, struct error *err)
{
    struct buf sig CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES);

    return privkey_sign(key, span_str("pair"), &sig, err) &&
           verify_own(key, span_str("pair"), buf_as_span(&sig), err);
}

/* Takes pkey over, also on failure. */
static bool wrap(EVP_PKEY *pkey, struct privkey **ret, struct error *err)
{
    struct privkey *key CLEANUP(privkey_freep) = mem_new(1, sizeof(*key));

    if (!key) {
        EVP_PKEY_free(pkey);
        return error_oom(err);
    }
    key->pkey = pkey;
    if (!derive_public(key, err) || !check_pair(key, err))
        return false;
    *ret = TAKE_PTR(key);
    return true;
}

bool privkey_generate(struct privkey **ret, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    if (!pkey)
        return error_set(err, REASON_INTERNAL, "OpenSSL cannot make a P-256 key");
    return wrap(pkey, ret, err);
}

bool privkey_parse_pkcs8(struct span der, struct privkey **ret, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    PKCS8_PRIV_KEY_INFO *info CLEANUP(pkcs8_freep) = NULL;
    const unsigned char *at = der.ptr;
    struct span content;
    EVP_PKEY *pkey;

    if (der.len > LIMIT_KEY_FILE_BYTES || !der_single(der, DER_SEQUENCE, &content))
        return error_set(err, REASON_MALFORMED, "private key is not one DER PrivateKeyInfo (PKCS#8)");
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    if (!info || at != der.ptr + der.len)
        return error_set(err, REASON_MALFORMED, "private key is not one DER PrivateKeyInfo (PKCS#8)");
    pkey = EVP_PKCS82PKEY(info);
    if (!pkey)
        return error_set(err, REASON_UNSUPPORTED, "private key is damaged or of a type that is not supported");
    return wrap(pkey, ret, err);
}

/* SEC1 ECPrivateKey or PKCS#1 RSAPrivateKey. */
static bool parse_bare(int type, struct span der, struct privkey **ret, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    const unsigned char *at = der.ptr;
    struct span content;
    EVP_PKEY *pkey CLEANUP(evp_pkey_freep) = NULL;

    if (der_single(der, DER_SEQUENCE, &content))
        pkey = d2i_PrivateKey(type, NULL, &at, (long)der.len);
    if (!pkey || at != der.ptr + der.len)
        return error_set(err, REASON_MALFORMED, "private key is damaged or of a type that is not supported");
    return wrap(TAKE_PTR(pkey), ret, err);
}

/* `openssl ecparam -genkey` writes the curve in a block of its own first; SEC1 repeats it inside the key. */
static bool read_key_block(struct span pem, struct pem_block *ret, struct error *err)
{
    struct pem_block block;

    if (!pem_read(pem, &block, err))
        return false;
    if (span_eq_str(block.label, "EC PARAMETERS") && span_trim(block.before).len == 0 &&
        !pem_read(block.behind, &block, err))
        return false;
    if (span_trim(block.before).len > 0 || span_trim(block.behind).len > 0)
        return error_set(err, REASON_MALFORMED, "private key file has other text or a second block; want exactly one");
    *ret = block;
    return true;
}

bool privkey_parse_pem(struct span pem, struct privkey **ret, struct error *err)
{
    struct buf der CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct pem_block block;
    char label[80];

    if (!read_key_block(pem, &block, err))
        return false;
    if (span_starts(block.label, "ENCRYPTED") || span_find(block.body, "ENCRYPTED") != SIZE_MAX)
        return error_set(err, REASON_UNSUPPORTED, "private key is encrypted (%s)",
                         text_clean(block.label, label, sizeof(label)));
    if (!pem_decode(&block, LIMIT_KEY_FILE_BYTES, &der, err))
        return false;
    if (span_eq_str(block.label, "PRIVATE KEY"))
        return privkey_parse_pkcs8(buf_as_span(&der), ret, err);
    if (span_eq_str(block.label, "EC PRIVATE KEY"))
        return parse_bare(EVP_PKEY_EC, buf_as_span(&der), ret, err);
    if (span_eq_str(block.label, "RSA PRIVATE KEY"))
        return parse_bare(EVP_PKEY_RSA, buf_as_span(&der), ret, err);
    return error_set(err, REASON_UNSUPPORTED,
                     "want a private key in PEM (PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY), "
                     "found %s",
                     text_clean(block.label, label, sizeof(label)));
}

bool privkey_is_external(struct span pem)
{
    static const char *const own[] = {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"};
    struct error ignored = ERROR_INIT;
    struct pem_block block;

    if (!read_key_block(pem, &block, &ignored) || span_starts(block.label, "ENCRYPTED"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (span_eq_str(block.label, own[i]))
            return false;
    return true;
}

/* A context of its own, so that no provider which a file names comes near what verifies signatures. */
static OSSL_LIB_CTX *configured_context(struct error *err)
{
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    char *file = CONF_get1_default_config_file();

    if (!context)
        (void)error_oom(err);
    if (context && (!file || OSSL_LIB_CTX_load_config(context, file) != 1)) {
        (void)error_set(err, REASON_UNSUPPORTED, "OpenSSL's configuration %s cannot be loaded", file ? file : "");
        OSSL_LIB_CTX_free(context);
        context = NULL;
    }
    OPENSSL_free(file);
    return context;
}

bool privkey_open_external(struct span pem, struct privkey **ret, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    struct privkey *key CLEANUP(privkey_freep) = mem_new(1, sizeof(*key));
    BIO *bio CLEANUP(bio_freep) = NULL;
    struct pem_block block;
    char label[80];

    if (!key)
        return error_oom(err);
    if (pem.len > LIMIT_KEY_FILE_BYTES || !read_key_block(pem, &block, err))
        return error_set(err, REASON_MALFORMED, "private key is not one PEM block");
    key->external = configured_context(err);
    if (!key->external)
        return false;
    bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    key->pkey = bio ? PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, key->external, NULL) : NULL;
    if (!key->pkey)
        return error_set(err, REASON_UNSUPPORTED,
                         "no OpenSSL provider takes %s; does OpenSSL's configuration activate the right one, and is "
                         "the device there that it was made in?",
                         text_clean(block.label, label, sizeof(label)));
    if (!derive_public(key, err))
        return false;
    *ret = TAKE_PTR(key);
    return true;
}

bool privkey_write_pkcs8(const struct privkey *key, struct buf *buf, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    PKCS8_PRIV_KEY_INFO *info CLEANUP(pkcs8_freep) = EVP_PKEY2PKCS8(key->pkey);
    unsigned char *der = NULL;
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;

    if (len <= 0)
        return error_set(err, REASON_INTERNAL, "OpenSSL cannot write the private key");
    buf_append(buf, der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    return buf_ok(buf) ? true : error_oom(err);
}

bool privkey_write_pem(const struct privkey *key, struct buf *buf, struct error *err)
{
    struct buf der CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);

    if (!privkey_write_pkcs8(key, &der, err))
        return false;
    pem_write(buf, "PRIVATE KEY", buf_as_span(&der));
    return buf_ok(buf) ? true : error_oom(err);
}

/* A device signs the digest only: hashing there is slow, and takes places that a TPM has three of. */
static bool sign_outside(const struct privkey *key, struct span message, uint8_t *sig, size_t *len)
{
    EVP_PKEY_CTX *ctx CLEANUP(evp_pkey_ctx_freep) = EVP_PKEY_CTX_new_from_pkey(key->external, key->pkey, NULL);
    struct digest digest;

    return ctx && digest_compute(DIGEST_SHA256, message, &digest) && EVP_PKEY_sign_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
           EVP_PKEY_sign(ctx, sig, len, digest.bytes, digest_size(DIGEST_SHA256)) == 1;
}

static bool sign_here(const struct privkey *key, struct span message, uint8_t *sig, size_t *len)
{
    EVP_MD_CTX *ctx CLEANUP(evp_md_ctx_freep) = EVP_MD_CTX_new();
    const EVP_MD *md = pubkey_type(key->public_half) == KEY_ED25519 ? NULL : EVP_sha256();

    return ctx && EVP_DigestSignInit(ctx, NULL, md, NULL, key->pkey) == 1 &&
           EVP_DigestSign(ctx, sig, len, message.ptr, message.len) == 1;
}

bool privkey_sign(const struct privkey *key, struct span message, struct buf *buf, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    uint8_t sig[LIMIT_SIGNATURE_BYTES];
    size_t len = sizeof(sig);

    if (!(key->external ? sign_outside : sign_here)(key, message, sig, &len))
        return error_set(err, REASON_INTERNAL, "OpenSSL cannot sign with this %s key",
                         pubkey_type_name(key->public_half));
    if (key->external && !verify_own(key, message, span_of(sig, len), err))
        return false;
    buf_append(buf, sig, len);
    return buf_ok(buf) ? true : error_oom(err);
}
