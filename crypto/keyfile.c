/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keyfile.h"

#include <openssl/rand.h>
#include <sodium.h>
#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/tree.h"
#include "crypto/openssl_cleanup.h"
#include "crypto/pem.h"

static const char LABEL[] = "ENCRYPTED SIGSTORE PRIVATE KEY";
static const char OLD_LABEL[] = "ENCRYPTED COSIGN PRIVATE KEY";
static const char KDF[] = "scrypt";
static const char CIPHER[] = "nacl/secretbox";

enum { SALT_BYTES = 32, COST_R = 8, COST_P = 1, COST_N_WRITTEN = 65536, SALT_MAX_BYTES = 64 };

/* The JSON's parts, decoded. */
struct sealed {
    uint32_t cost_n;
    struct buf salt;
    struct buf nonce;
    struct buf ciphertext;
};

static void sealed_done(struct sealed *sealed)
{
    buf_free(&sealed->salt);
    buf_free(&sealed->nonce);
    buf_free(&sealed->ciphertext);
}

static bool malformed(struct error *err, const char *what)
{
    return error_set(err, REASON_MALFORMED, "encrypted private key: %s", what);
}

/* Costs that cosign has used since its first release; anything else is refused, above all what is expensive. */
static bool read_cost(const struct node *params, uint32_t *ret, struct error *err)
{
    const struct node *n_node, *r_node, *p_node;
    const struct field fields[] = {
        {"N", NODE_NUMBER, true, &n_node}, {"r", NODE_NUMBER, true, &r_node}, {"p", NODE_NUMBER, true, &p_node}};
    int64_t n, r, p;

    if (!node_fields(params, "kdf.params", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err))
        return false;
    if (!node_int(n_node, false, &n) || !node_int(r_node, false, &r) || !node_int(p_node, false, &p))
        return malformed(err, "scrypt's parameters are not integers");
    if ((n != 32768 && n != 65536 && n != 131072) || r != COST_R || p != COST_P)
        return error_set(err, REASON_UNSUPPORTED,
                         "encrypted private key: scrypt parameters N %lld, r %lld, p %lld are none that "
                         "cosign uses",
                         (long long)n, (long long)r, (long long)p);
    *ret = (uint32_t)n;
    return true;
}

static bool read_bytes_member(const struct node *node, size_t min, size_t max, struct buf *ret)
{
    ret->max = max;
    return base64_decode(node->text, BASE64_STD, ret) && ret->len >= min;
}

static bool read_sealed(const struct node *root, struct sealed *ret, struct error *err)
{
    const struct node *kdf, *cipher, *ciphertext, *kdf_name, *params, *salt, *cipher_name, *nonce;
    const struct field top[] = {{"kdf", NODE_MAP, true, &kdf},
                                {"cipher", NODE_MAP, true, &cipher},
                                {"ciphertext", NODE_STRING, true, &ciphertext}};
    const struct field kdf_fields[] = {{"name", NODE_STRING, true, &kdf_name},
                                       {"params", NODE_MAP, true, &params},
                                       {"salt", NODE_STRING, true, &salt}};
    const struct field cipher_fields[] = {{"name", NODE_STRING, true, &cipher_name},
                                          {"nonce", NODE_STRING, true, &nonce}};

    if (!node_fields(root, "encrypted private key", top, ARRAY_LEN(top), false, REASON_MALFORMED, err) ||
        !node_fields(kdf, "kdf", kdf_fields, ARRAY_LEN(kdf_fields), false, REASON_MALFORMED, err) ||
        !node_fields(cipher, "cipher", cipher_fields, ARRAY_LEN(cipher_fields), false, REASON_MALFORMED, err))
        return false;
    if (!node_str_is(kdf_name, KDF) || !node_str_is(cipher_name, CIPHER))
        return error_set(err, REASON_UNSUPPORTED, "encrypted private key: not scrypt with nacl/secretbox");
    if (!read_cost(params, &ret->cost_n, err))
        return false;
    if (!read_bytes_member(salt, 8, SALT_MAX_BYTES, &ret->salt) ||
        !read_bytes_member(nonce, crypto_secretbox_NONCEBYTES, crypto_secretbox_NONCEBYTES, &ret->nonce) ||
        !read_bytes_member(ciphertext, crypto_secretbox_MACBYTES + 1, LIMIT_KEY_FILE_BYTES, &ret->ciphertext))
        return malformed(err, "salt, nonce or ciphertext is not base64 of the right length");
    return true;
}

static bool derive(struct span password, struct span salt, uint32_t cost_n, uint8_t key[crypto_secretbox_KEYBYTES],
                   struct error *err)
{
    if (crypto_pwhash_scryptsalsa208sha256_ll(password.ptr, password.len, salt.ptr, salt.len, cost_n, COST_R, COST_P,
                                              key, crypto_secretbox_KEYBYTES) != 0)
        return error_set(err, REASON_INTERNAL, "scrypt failed: is there memory for %u MiB?", cost_n / 1024);
    return true;
}

static bool open_sealed(const struct sealed *sealed, struct span password, struct buf *ret, struct error *err)
{
    uint8_t key[crypto_secretbox_KEYBYTES];
    uint8_t *place;
    bool opened;

    place = buf_reserve(ret, sealed->ciphertext.len - crypto_secretbox_MACBYTES);
    if (!place)
        return error_oom(err);
    if (!derive(password, buf_as_span(&sealed->salt), sealed->cost_n, key, err))
        return false;
    opened =
        crypto_secretbox_open_easy(place, sealed->ciphertext.ptr, sealed->ciphertext.len, sealed->nonce.ptr, key) == 0;
    explicit_bzero(key, sizeof(key));
    if (!opened)
        return error_set(err, REASON_BAD_REQUEST,
                         "private key cannot be decrypted: wrong password, or the file is damaged");
    return true;
}

/* Exactly one block, of either label. */
static bool read_pem(struct span pem, struct buf *ret, struct error *err)
{
    struct error first = ERROR_INIT;
    struct pem_block block;

    if (pem_read(pem, &block, &first) && span_eq_str(block.label, OLD_LABEL))
        return pem_single(pem, OLD_LABEL, LIMIT_KEY_FILE_BYTES, ret, err);
    return pem_single(pem, LABEL, LIMIT_KEY_FILE_BYTES, ret, err);
}

bool keyfile_decrypt(struct span pem, struct span password, struct privkey **ret, struct error *err)
{
    struct buf json CLEANUP(buf_free) = BUF_INIT(0);
    struct buf der CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct sealed sealed CLEANUP(sealed_done) = {.cost_n = 0};
    struct tree *tree CLEANUP(tree_freep) = NULL;

    if (!read_pem(pem, &json, err) ||
        !json_parse(buf_as_span(&json), "encrypted private key", TREE_NO_PLACES, &tree, err) ||
        !read_sealed(tree_root(tree), &sealed, err) || !open_sealed(&sealed, password, &der, err))
        return false;
    return privkey_parse_pkcs8(buf_as_span(&der), ret, err);
}

static void write_json(struct buf *json, struct span salt, struct span nonce, struct span ciphertext)
{
    struct json_out out = json_out_to(json);

    json_open_map(&out, NULL);
    json_open_map(&out, "kdf");
    json_put_str(&out, "name", KDF);
    json_open_map(&out, "params");
    json_put_int(&out, "N", COST_N_WRITTEN);
    json_put_int(&out, "r", COST_R);
    json_put_int(&out, "p", COST_P);
    json_close_map(&out);
    json_put_base64(&out, "salt", salt);
    json_close_map(&out);
    json_open_map(&out, "cipher");
    json_put_str(&out, "name", CIPHER);
    json_put_base64(&out, "nonce", nonce);
    json_close_map(&out);
    json_put_base64(&out, "ciphertext", ciphertext);
    json_close_map(&out);
}

bool keyfile_encrypt(const struct privkey *key, struct span password, struct buf *buf, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    struct buf der CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct buf sealed CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct buf json CLEANUP(buf_free) = BUF_INIT(2 * LIMIT_KEY_FILE_BYTES);
    uint8_t salt[SALT_BYTES], nonce[crypto_secretbox_NONCEBYTES], box_key[crypto_secretbox_KEYBYTES];
    uint8_t *place;
    int done;

    if (!privkey_write_pkcs8(key, &der, err))
        return false;
    place = buf_reserve(&sealed, der.len + crypto_secretbox_MACBYTES);
    if (!place)
        return error_oom(err);
    if (RAND_bytes(salt, sizeof(salt)) != 1 || RAND_bytes(nonce, sizeof(nonce)) != 1)
        return error_set(err, REASON_INTERNAL, "no random numbers");
    if (!derive(password, span_of(salt, sizeof(salt)), COST_N_WRITTEN, box_key, err))
        return false;
    done = crypto_secretbox_easy(place, der.ptr, der.len, nonce, box_key);
    explicit_bzero(box_key, sizeof(box_key));
    if (done != 0)
        return error_set(err, REASON_INTERNAL, "libsodium cannot encrypt");
    write_json(&json, span_of(salt, sizeof(salt)), span_of(nonce, sizeof(nonce)), buf_as_span(&sealed));
    if (!buf_ok(&json))
        return error_oom(err);
    pem_write(buf, LABEL, buf_as_span(&json));
    return buf_ok(buf) ? true : error_oom(err);
}
