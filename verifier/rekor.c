/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/rekor.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/tree.h"

enum { VERIFIER_MAX_BYTES = 64 * 1024 };

static bool mismatch(struct error *err, const char *what)
{
    return error_set(err, REASON_NO_LOG_ENTRY, "log entry: its %s is not the one here", what);
}

bool rekor_entry_is_v2(const struct log_entry *entry)
{
    return span_eq_str(entry->kind, "hashedrekord") && span_eq_str(entry->version, "0.0.2");
}

/* {algorithm, value} = the digest of bytes (or the digest already known). */
static bool check_hash(const struct node *node, struct span bytes, const struct digest *known, const char *what,
                       struct error *err)
{
    const struct node *algorithm, *value;
    const struct field fields[] = {{"algorithm", NODE_STRING, true, &algorithm}, {"value", NODE_STRING, true, &value}};
    static const enum digest_alg allowed[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
    char hex[2 * DIGEST_MAX_BYTES + 1];
    struct digest digest = {0};

    if (!node_fields(node, what, fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (node_str_is(algorithm, digest_alg_name(allowed[i])))
            digest.alg = allowed[i];
    if (digest.alg == DIGEST_NONE)
        return error_set(err, REASON_UNSUPPORTED, "log entry: %s is of an unknown algorithm", what);
    if (known) {
        if (known->alg != digest.alg)
            return mismatch(err, what);
        digest = *known;
    } else if (!digest_compute(digest.alg, bytes, &digest)) {
        return error_set(err, REASON_INTERNAL, "log entry: digest");
    }
    return node_str_is(value, digest_hex(&digest, hex)) ? true : mismatch(err, what);
}

/* base64 text equal to bytes. */
static bool check_base64(const struct node *node, struct span bytes, const char *what, struct error *err)
{
    struct buf buf CLEANUP(buf_free) = BUF_INIT(VERIFIER_MAX_BYTES);

    if (!node_is(node, NODE_STRING) || !base64_decode(node->text, BASE64_STD, &buf))
        return error_set(err, REASON_MALFORMED, "log entry: %s is not base64", what);
    return span_eq(buf_as_span(&buf), bytes) ? true : mismatch(err, what);
}

/* base64 of PEM of our certificate (whole) or key. */
static bool check_signer(const struct node *node, const struct rekor_subject *subject, struct error *err)
{
    struct buf pem CLEANUP(buf_free) = BUF_INIT(VERIFIER_MAX_BYTES);
    struct cert *cert CLEANUP(cert_freep) = NULL;
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;

    if (!node_is(node, NODE_STRING) || !base64_decode(node->text, BASE64_STD, &pem))
        return error_set(err, REASON_MALFORMED, "log entry: verifier is not base64");
    if (subject->cert) {
        if (!cert_parse_pem_first(buf_as_span(&pem), &cert, err))
            return mismatch(err, "certificate");
        return cert_eq(cert, subject->cert) ? true : mismatch(err, "certificate");
    }
    if (!pubkey_parse_pem(span_trim(buf_as_span(&pem)), &key, err))
        return mismatch(err, "key");
    return pubkey_eq(key, subject->key) ? true : mismatch(err, "key");
}

static bool check_hashedrekord(const struct node *spec, const struct rekor_subject *subject, struct error *err)
{
    const struct node *data, *signature, *hash, *content, *public_key, *key_content;
    const struct field fields[] = {{"data", NODE_MAP, true, &data}, {"signature", NODE_MAP, true, &signature}};
    const struct field data_fields[] = {{"hash", NODE_MAP, true, &hash}};
    const struct field signature_fields[] = {
        {"content", NODE_STRING, true, &content},
        {"publicKey", NODE_MAP, true, &public_key},
    };
    const struct field key_fields[] = {{"content", NODE_STRING, true, &key_content}};

    return node_fields(spec, "spec", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err) &&
           node_fields(data, "data", data_fields, 1, false, REASON_MALFORMED, err) &&
           node_fields(signature, "signature", signature_fields, 2, false, REASON_MALFORMED, err) &&
           node_fields(public_key, "publicKey", key_fields, 1, false, REASON_MALFORMED, err) &&
           check_hash(hash, subject->message, subject->digest, "hash", err) &&
           check_base64(content, subject->signature, "signature", err) && check_signer(key_content, subject, err);
}

/* The hash of the stored envelope: only the legacy layout has the very bytes that were logged (sigstore.md 1.5). */
static bool check_envelope_hash(const struct node *hash, const struct rekor_subject *subject, struct error *err)
{
    return subject->is_legacy ? check_hash(hash, subject->envelope, NULL, "envelope hash", err) : true;
}

static bool check_dsse(const struct node *spec, const struct rekor_subject *subject, struct error *err)
{
    const struct node *envelope_hash, *payload_hash, *signatures, *signature, *verifier;
    const struct field fields[] = {
        {"envelopeHash", NODE_MAP, true, &envelope_hash},
        {"payloadHash", NODE_MAP, true, &payload_hash},
        {"signatures", NODE_LIST, true, &signatures},
    };
    const struct field signature_fields[] = {
        {"signature", NODE_STRING, true, &signature},
        {"verifier", NODE_STRING, true, &verifier},
    };

    if (!subject->is_dsse)
        return mismatch(err, "kind");
    if (!node_fields(spec, "spec", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err) ||
        !check_envelope_hash(envelope_hash, subject, err) ||
        !check_hash(payload_hash, subject->payload, NULL, "payload hash", err))
        return false;
    (void)mismatch(err, "signature");
    for (const struct node *item = signatures->child; item; item = item->next)
        if (node_fields(item, "signature", signature_fields, 2, false, REASON_MALFORMED, err) &&
            check_base64(signature, subject->signature, "signature", err) && check_signer(verifier, subject, err))
            return true;
    return false;
}

/* The signature stands in base64 of base64 here. */
static bool check_base64_twice(const struct node *node, struct span bytes, struct error *err)
{
    struct buf outer CLEANUP(buf_free) = BUF_INIT(VERIFIER_MAX_BYTES);
    struct buf inner CLEANUP(buf_free) = BUF_INIT(VERIFIER_MAX_BYTES);

    if (!node_is(node, NODE_STRING) || !base64_decode(node->text, BASE64_STD, &outer) ||
        !base64_decode(buf_as_span(&outer), BASE64_STD, &inner))
        return error_set(err, REASON_MALFORMED, "log entry: signature is not base64");
    return span_eq(buf_as_span(&inner), bytes) ? true : mismatch(err, "signature");
}

static bool check_intoto_envelope(const struct node *envelope, const struct rekor_subject *subject, struct error *err)
{
    const struct node *signatures, *sig, *public_key;
    const struct field fields[] = {{"signatures", NODE_LIST, true, &signatures}};
    const struct field signature_fields[] = {
        {"sig", NODE_STRING, true, &sig},
        {"publicKey", NODE_STRING, true, &public_key},
    };

    if (!node_fields(envelope, "envelope", fields, 1, true, REASON_MALFORMED, err))
        return false;
    (void)mismatch(err, "signature");
    for (const struct node *item = signatures->child; item; item = item->next)
        if (node_fields(item, "signature", signature_fields, 2, true, REASON_MALFORMED, err) &&
            check_base64_twice(sig, subject->signature, err) && check_signer(public_key, subject, err))
            return true;
    return false;
}

static bool check_intoto(const struct node *spec, bool first_version, const struct rekor_subject *subject,
                         struct error *err)
{
    const struct node *content, *public_key, *envelope, *hash, *payload_hash;
    const struct field fields[] = {{"content", NODE_MAP, true, &content},
                                   {"publicKey", NODE_STRING, false, &public_key}};
    const struct field content_fields[] = {
        {"envelope", FIELD_ANY, false, &envelope},
        {"hash", NODE_MAP, false, &hash},
        {"payloadHash", NODE_MAP, false, &payload_hash},
    };

    if (!subject->is_dsse)
        return mismatch(err, "kind");
    if (!node_fields(spec, "spec", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err) ||
        !node_fields(content, "content", content_fields, ARRAY_LEN(content_fields), false, REASON_MALFORMED, err))
        return false;
    if (payload_hash && !check_hash(payload_hash, subject->payload, NULL, "payload hash", err))
        return false;
    if (first_version) {
        /* 0.0.1 has no signature: only the hash of the whole envelope ties it to ours. */
        if (!subject->is_legacy || !hash)
            return error_set(err, REASON_UNSUPPORTED, "log entry: intoto 0.0.1 proves nothing about a bundle");
        return check_envelope_hash(hash, subject, err) && check_signer(public_key, subject, err);
    }
    if (hash && !check_envelope_hash(hash, subject, err))
        return false;
    if (!payload_hash)
        return error_set(err, REASON_MALFORMED, "log entry: payloadHash is missing");
    return check_intoto_envelope(envelope, subject, err);
}

bool rekor_check_body(struct keep *keep, const struct log_entry *entry, const struct rekor_subject *subject,
                      struct error *err)
{
    const struct node *root, *version, *kind, *spec;
    const struct field fields[] = {
        {"apiVersion", NODE_STRING, true, &version},
        {"kind", NODE_STRING, true, &kind},
        {"spec", NODE_MAP, true, &spec},
    };

    if (!keep_json(keep, entry->body, "log entry", &root, err) ||
        !node_fields(root, "log entry", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err))
        return false;
    /* client-spec 4.4; sigstore-go lets a difference pass. Legacy annotations name no kind. */
    if ((entry->kind.len > 0 && !span_eq(entry->kind, kind->text)) ||
        (entry->version.len > 0 && !span_eq(entry->version, version->text)))
        return error_set(err, REASON_NO_LOG_ENTRY, "log entry: kindVersion is not the body's");
    if (node_str_is(kind, "hashedrekord") && node_str_is(version, "0.0.1"))
        return check_hashedrekord(spec, subject, err);
    if (node_str_is(kind, "dsse") && node_str_is(version, "0.0.1"))
        return check_dsse(spec, subject, err);
    if (node_str_is(kind, "intoto") && (node_str_is(version, "0.0.1") || node_str_is(version, "0.0.2")))
        return check_intoto(spec, node_str_is(version, "0.0.1"), subject, err);
    return error_set(err, REASON_UNSUPPORTED,
                     "log entry: its kind is none of hashedrekord, dsse, intoto of a known version");
}
