/* SPDX-License-Identifier: Apache-2.0 */
/* TUF metadata files: their form, their keys, their signatures (specification section 4). */
#include <stdio.h>
#include <string.h>

#include "base/canonical.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "verifier/tuf_internal.h"

enum { MAX_SIGNATURES = 64, MAX_KEYS = 64, ED25519_BYTES = 32, P256_POINT_BYTES = 65 };

static const char *const role_names[TUF_ROLES] = {"root", "timestamp", "snapshot", "targets"};
static const char *const role_files[TUF_ROLES] = {"root.json", "timestamp.json", "snapshot.json", "targets.json"};

const char *tuf_role_file(enum tuf_role role)
{
    return role_files[role];
}

void tuf_document_done(struct tuf_document *document)
{
    tree_free(document->tree);
    buf_free(&document->canonical);
    mem_free(document->bytes);
    *document = (struct tuf_document){.bytes = NULL};
}

void tuf_document_move(struct tuf_document *ret, struct tuf_document *from)
{
    tuf_document_done(ret);
    *ret = *from;
    *from = (struct tuf_document){.bytes = NULL}; /* transferred */
}

/* Specification 4.2.1: the part that is common to all roles. Unknown members are part of what is signed, and ignored.
 */
static bool read_common(struct tuf_document *document, enum tuf_role role, struct error *err)
{
    const struct node *root = tree_root(document->tree);
    const struct node *spec, *expires;

    document->signed_part = node_get(root, "signed");
    document->signatures = node_get(root, "signatures");
    if (!node_is(document->signed_part, NODE_MAP) || !node_is(document->signatures, NODE_LIST))
        return error_set(err, REASON_MALFORMED, "%s has no \"signed\" map and \"signatures\" list", document->file);
    if (!node_str_is(node_get(document->signed_part, "_type"), role_names[role]))
        return error_set(err, REASON_MALFORMED, "%s is not metadata of the role %s", document->file,
                         role_names[role]);
    spec = node_get(document->signed_part, "spec_version");
    if (!node_is(spec, NODE_STRING) || !(span_starts(spec->text, "1.") || span_eq_str(spec->text, "1")))
        return error_set(err, REASON_UNSUPPORTED, "%s is not of version 1 of the TUF specification", document->file);
    if (!node_int(node_get(document->signed_part, "version"), false, &document->version) || document->version < 1)
        return error_set(err, REASON_MALFORMED, "%s has no positive version", document->file);
    expires = node_get(document->signed_part, "expires");
    if (!node_is(expires, NODE_STRING) || !time_parse(expires->text, &document->expires, NULL))
        return error_set(err, REASON_MALFORMED, "%s has no date of expiry", document->file);
    return true;
}

bool tuf_document_parse(struct span bytes, enum tuf_role role, const char *file, struct tuf_document *ret,
                        struct error *err)
{
    struct tuf_document made CLEANUP(tuf_document_done) = {.len = bytes.len};

    (void)snprintf(made.file, sizeof(made.file), "%s", file ? file : role_files[role]);
    made.bytes = mem_dup(bytes.ptr, bytes.len);
    if (!made.bytes)
        return error_oom(err);
    if (!json_parse(span_of(made.bytes, made.len), made.file, TREE_NO_PLACES, &made.tree, err) ||
        !read_common(&made, role, err))
        return false;
    made.canonical = (struct buf)BUF_INIT(2 * bytes.len + 64);
    if (!canonical_write(made.signed_part, CANONICAL_OLPC, &made.canonical) || !buf_ok(&made.canonical))
        return error_set(err, REASON_MALFORMED, "%s has numbers that canonical JSON does not know", made.file);
    tuf_document_move(ret, &made);
    return true;
}

/* SubjectPublicKeyInfo of a bare Ed25519 key in hex (RFC 8410 section 4). */
static bool parse_ed25519(struct span hex, struct pubkey **ret, struct error *err)
{
    uint8_t spki[12 + ED25519_BYTES] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

    if (!hex_decode(hex, spki + 12, ED25519_BYTES))
        return error_set(err, REASON_MALFORMED, "Ed25519 key is not 32 bytes of hex");
    return pubkey_parse_der(span_of(spki, sizeof(spki)), ret, err);
}

/*
 * PEM, as the specification (4.2) has it; or the uncompressed point in hex, as the first go-tuf wrote it (roots 1 to 4
 * of Sigstore's; SubjectPublicKeyInfo of RFC 5480 section 2 around it).
 */
static bool parse_p256(struct span text, struct pubkey **ret, struct error *err)
{
    uint8_t spki[26 + P256_POINT_BYTES] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

    if (!hex_decode(text, spki + 26, P256_POINT_BYTES))
        return pubkey_parse_pem(text, ret, err) && pubkey_type(*ret) == KEY_EC_P256;
    return pubkey_parse_der(span_of(spki, sizeof(spki)), ret, err);
}

/*
 * Keys as go-tuf and Sigstore write them. A key that is of another type, or does not parse, is no key: it signs
 * nothing. Pairs of keytype and scheme that do not belong together are refused the same way.
 */
static bool parse_key(const struct node *node, struct pubkey **ret, struct sig_scheme *ret_scheme)
{
    const struct node *type = node_get(node, "keytype");
    const struct node *scheme = node_get(node, "scheme");
    const struct node *value = node_get(node_get(node, "keyval"), "public");
    struct error ignored = ERROR_INIT;

    *ret_scheme = (struct sig_scheme){.kind = SCHEME_EXACT, .hash = DIGEST_SHA256};
    if (!node_is(value, NODE_STRING))
        return false;
    if (node_str_is(type, "ed25519") && node_str_is(scheme, "ed25519")) {
        ret_scheme->hash = DIGEST_NONE;
        return parse_ed25519(value->text, ret, &ignored);
    }
    if ((node_str_is(type, "ecdsa") || node_str_is(type, "ecdsa-sha2-nistp256")) &&
        node_str_is(scheme, "ecdsa-sha2-nistp256"))
        return parse_p256(value->text, ret, &ignored);
    if (node_str_is(type, "rsa") && node_str_is(scheme, "rsassa-pss-sha256")) {
        ret_scheme->rsa_pss = ret_scheme->any_salt = true; /* go-tuf makes the longest salt, others one of 32 bytes */
        return pubkey_parse_pem(value->text, ret, &ignored) && pubkey_type(*ret) == KEY_RSA;
    }
    return false;
}

/* Does one of the document's signatures with this key id verify? Several are tried: a bad one does not hide a good one.
 */
static bool signed_by(const struct tuf_document *document, struct span key_id, const struct pubkey *key,
                      const struct sig_scheme *scheme)
{
    size_t seen = 0;

    for (const struct node *item = document->signatures->child; item && seen < MAX_SIGNATURES;
         item = item->next, seen++) {
        const struct node *id = node_get(item, "keyid");
        const struct node *sig = node_get(item, "sig");
        uint8_t bytes[LIMIT_SIGNATURE_BYTES];
        struct error ignored = ERROR_INIT;

        if (!node_is(id, NODE_STRING) || !node_is(sig, NODE_STRING) || !span_eq(id->text, key_id))
            continue;
        /* sigstore.md 3.9: keys that have not signed yet stand there with an empty string */
        if (sig->text.len == 0 || sig->text.len > 2 * sizeof(bytes) || !hex_decode(sig->text, bytes, sig->text.len / 2))
            continue;
        if (pubkey_verify(key, scheme, buf_as_span(&document->canonical), span_of(bytes, sig->text.len / 2), &ignored))
            return true;
    }
    return false;
}

/*
 * How many different keys of the role have signed. Different by their bytes: key ids need not be hashes of the keys
 * (root 11 of Sigstore's has others), so one key may stand under two ids and counts once.
 */
static int64_t count_signers(const struct node *keys, const struct node *key_ids, const struct tuf_document *document)
{
    struct pubkey *counted[MAX_KEYS] = {NULL};
    int64_t count = 0;
    size_t looked_at = 0;

    for (const struct node *id = key_ids->child; id && looked_at < MAX_KEYS; id = id->next, looked_at++) {
        struct pubkey *key CLEANUP(pubkey_freep) = NULL;
        struct sig_scheme scheme;
        bool again = false;

        if (!node_is(id, NODE_STRING) || !parse_key(node_get_span(keys, id->text), &key, &scheme))
            continue;
        for (int64_t i = 0; i < count; i++)
            again = again || pubkey_eq(counted[i], key);
        if (!again && signed_by(document, id->text, key, &scheme))
            counted[count++] = TAKE_PTR(key);
    }
    for (int64_t i = 0; i < count; i++)
        pubkey_free(counted[i]);
    return count;
}

/* `keys` and `entry` (keyids, threshold) are of `by`, the metadata that says who may sign. */
static bool verify_by(const struct tuf_document *by, const struct node *keys, const struct node *entry,
                      const struct tuf_document *document, struct error *err)
{
    const struct node *key_ids = node_get(entry, "keyids");
    int64_t threshold, count;

    if (!node_is(keys, NODE_MAP) || !node_is(key_ids, NODE_LIST) ||
        !node_int(node_get(entry, "threshold"), false, &threshold) || threshold < 1)
        return error_set(err, REASON_MALFORMED, "%s version %lld names no keys and threshold for %s", by->file,
                         (long long)by->version, document->file);
    count = count_signers(keys, key_ids, document);
    if (count < threshold)
        return error_set(err, REASON_THRESHOLD,
                         "%s version %lld is signed by %lld of the keys in %s version %lld; want %lld", document->file,
                         (long long)document->version, (long long)count, by->file, (long long)by->version,
                         (long long)threshold);
    return true;
}

bool tuf_verify_role(const struct tuf_document *root, enum tuf_role role, const struct tuf_document *document,
                     struct error *err)
{
    return verify_by(root, node_get(root->signed_part, "keys"),
                     node_get(node_get(root->signed_part, "roles"), role_names[role]), document, err);
}

bool tuf_verify_delegated(const struct tuf_document *by, const struct node *delegation,
                          const struct tuf_document *document, struct error *err)
{
    return verify_by(by, node_get(node_get(by->signed_part, "delegations"), "keys"), delegation, document, err);
}

/* The keys themselves are compared, not their ids alone. */
bool tuf_same_role(const struct tuf_document *a, const struct tuf_document *b, enum tuf_role role)
{
    const struct tuf_document *roots[2] = {a, b};
    struct buf forms[2] = {BUF_INIT(LIMIT_TRUST_ROOT_BYTES), BUF_INIT(LIMIT_TRUST_ROOT_BYTES)};
    bool same = true;

    for (int i = 0; i < 2; i++) {
        const struct node *entry = node_get(node_get(roots[i]->signed_part, "roles"), role_names[role]);
        const struct node *ids = node_get(entry, "keyids");

        same = same && entry && canonical_write(entry, CANONICAL_OLPC, &forms[i]);
        for (const struct node *id = ids ? ids->child : NULL; id; id = id->next) {
            const struct node *key = node_get_span(node_get(roots[i]->signed_part, "keys"), id->text);

            same = same && key && canonical_write(key, CANONICAL_OLPC, &forms[i]);
        }
    }
    same = same && buf_ok(&forms[0]) && buf_ok(&forms[1]) && span_eq(buf_as_span(&forms[0]), buf_as_span(&forms[1]));
    buf_free(&forms[0]);
    buf_free(&forms[1]);
    return same;
}

bool tuf_meta_parse(const struct node *entry, bool target, struct tuf_meta *ret, struct error *err)
{
    struct tuf_meta made = {.version = 0, .length = -1, .hashes = node_get(entry, "hashes")};
    const struct node *length = node_get(entry, "length");

    if (!target && (!node_int(node_get(entry, "version"), false, &made.version) || made.version < 1))
        return error_set(err, REASON_MALFORMED, "metadata names a file without its version");
    if (length && (!node_int(length, false, &made.length) || made.length < 0))
        return error_set(err, REASON_MALFORMED, "metadata names a file with a length that is no number");
    if (made.hashes && !node_is(made.hashes, NODE_MAP))
        return error_set(err, REASON_MALFORMED, "metadata names a file with hashes that are no map");
    if (target && (made.length < 0 || !made.hashes))
        return error_set(err, REASON_MALFORMED, "metadata names a target without length and hashes");
    *ret = made;
    return true;
}

bool tuf_meta_find(const struct tuf_document *document, const char *file, struct tuf_meta *ret, struct error *err)
{
    const struct node *entry = node_get(node_get(document->signed_part, "meta"), file);

    if (!node_is(entry, NODE_MAP))
        return error_set(err, REASON_MALFORMED, "%s does not name %s", document->file, file);
    return tuf_meta_parse(entry, false, ret, err) || error_wrap(err, "%s", document->file);
}

/* The hash of this algorithm: absent (DIGEST_NONE), or hex of its length. */
static bool read_hash(const struct tuf_meta *meta, enum digest_alg alg, const char *what, struct digest *ret,
                      struct error *err)
{
    const struct node *hash = node_get(meta->hashes, digest_alg_name(alg));

    *ret = (struct digest){.alg = hash ? alg : DIGEST_NONE};
    if (hash && (!node_is(hash, NODE_STRING) || !hex_decode(hash->text, ret->bytes, digest_size(alg))))
        return error_set(err, REASON_MALFORMED, "%s has a %s in its metadata that is not hex", what,
                         digest_alg_name(alg));
    return true;
}

static const enum digest_alg known_algs[] = {DIGEST_SHA256, DIGEST_SHA512};

bool tuf_meta_check_hashes(const struct tuf_meta *meta, const char *what, struct error *err)
{
    size_t known = 0;

    for (size_t i = 0; i < ARRAY_LEN(known_algs); i++) {
        struct digest digest;

        if (!read_hash(meta, known_algs[i], what, &digest, err))
            return false;
        if (digest.alg != DIGEST_NONE)
            known++;
    }
    if (known == 0)
        return error_set(err, REASON_UNSUPPORTED, "%s has no sha256 or sha512 in its metadata", what);
    return true;
}

bool tuf_meta_matches(const struct tuf_meta *meta, struct span bytes, const char *what, struct error *err)
{
    if (meta->length >= 0 && (uint64_t)meta->length != bytes.len)
        return error_set(err, REASON_DIGEST_MISMATCH, "%s has %zu bytes; its metadata says %lld", what, bytes.len,
                         (long long)meta->length);
    if (!meta->hashes)
        return true;
    if (!tuf_meta_check_hashes(meta, what, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(known_algs); i++) {
        struct digest digest;

        if (!read_hash(meta, known_algs[i], what, &digest, err))
            return false;
        if (digest.alg != DIGEST_NONE && !digest_matches(&digest, bytes))
            return error_set(err, REASON_DIGEST_MISMATCH, "%s does not have the %s that its metadata says", what,
                             digest_alg_name(known_algs[i]));
    }
    return true;
}
