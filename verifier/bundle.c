/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/bundle.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "verifier/proto.h"

enum { HINT_MAX_BYTES = 1024, TIMESTAMP_MAX_BYTES = 64 * 1024 };

static bool parse_version(const struct node *media_type, enum bundle_version *ret, struct error *err)
{
    static const struct {
        const char *name;
        enum bundle_version version;
    } known[] = {
        {"application/vnd.dev.sigstore.bundle+json;version=0.1", BUNDLE_V01},
        {"application/vnd.dev.sigstore.bundle+json;version=0.2", BUNDLE_V02},
        {"application/vnd.dev.sigstore.bundle+json;version=0.3", BUNDLE_V03},
        {"application/vnd.dev.sigstore.bundle.v0.3+json", BUNDLE_V03},
    };
    char clean[100];

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (node_str_is(media_type, known[i].name)) {
            *ret = known[i].version;
            return true;
        }
    }
    return error_set(err, REASON_UNSUPPORTED, "mediaType \"%s\" is no bundle version that we know",
                     text_clean(media_type->text, clean, sizeof(clean)));
}

static bool parse_certificate(struct keep *keep, const struct node *node, struct span *ret, struct error *err)
{
    const struct node *raw;
    const struct field fields[] = {{"rawBytes", NODE_STRING, true, &raw}};

    if (!proto_fields(node, "certificate", fields, 1, err) ||
        !keep_base64(keep, raw->text, BASE64_JSON, LIMIT_CERTIFICATE_BYTES, "certificate", ret, err))
        return false;
    return ret->len > 0 ? true : error_set(err, REASON_MALFORMED, "certificate: empty");
}

/*
 * Only the first certificate is used: intermediates come from the trust root, so a root or an intermediate that the
 * signer puts here cannot help (sigstore.md 2.2). A chain is a form of versions 0.1 and 0.2.
 */
static bool parse_chain(struct keep *keep, const struct node *node, struct bundle *bundle, struct error *err)
{
    const struct node *certificates;
    const struct field fields[] = {{"certificates", NODE_LIST, true, &certificates}};

    if (bundle->version == BUNDLE_V03)
        return error_set(err, REASON_MALFORMED, "x509CertificateChain is not allowed in version 0.3");
    if (!proto_fields(node, "x509CertificateChain", fields, 1, err))
        return false;
    if (certificates->count == 0 || certificates->count > LIMIT_CHAIN_CERTIFICATES)
        return error_set(err, REASON_MALFORMED, "x509CertificateChain: %u certificates", certificates->count);
    if (!parse_certificate(keep, certificates->child, &bundle->certificate, err))
        return false;
    for (const struct node *item = certificates->child->next; item; item = item->next)
        if (!parse_certificate(keep, item, &bundle->chain[bundle->chain_count++], err))
            return false;
    return true;
}

static bool parse_signer(struct keep *keep, const struct node *key, const struct node *certificate,
                         const struct node *chain, struct bundle *bundle, struct error *err)
{
    const struct node *hint;
    const struct field fields[] = {{"hint", NODE_STRING, false, &hint}};

    if ((key != NULL) + (certificate != NULL) + (chain != NULL) != 1)
        return error_set(err, REASON_MALFORMED,
                         "verificationMaterial: exactly one of publicKey, certificate, x509CertificateChain is wanted");
    if (certificate)
        return parse_certificate(keep, certificate, &bundle->certificate, err);
    if (chain)
        return parse_chain(keep, chain, bundle, err);
    if (!proto_fields(key, "publicKey", fields, 1, err))
        return false;
    if (hint && hint->text.len > HINT_MAX_BYTES)
        return error_set(err, REASON_LIMIT, "publicKey.hint: %zu bytes", hint->text.len);
    bundle->has_key = true;
    bundle->hint = hint ? hint->text : span_of(NULL, 0);
    return true;
}

/* Version 0.1 proves logging by the promise, later versions by the proof (sigstore.md 2.1). */
static bool check_entry(const struct bundle *bundle, const struct log_entry *entry, struct error *err)
{
    if (bundle->version == BUNDLE_V01 && entry->set.len == 0)
        return error_set(err, REASON_MALFORMED, "log entry: version 0.1 needs an inclusionPromise");
    if (bundle->version != BUNDLE_V01 && (!entry->has_proof || entry->checkpoint.len == 0))
        return error_set(err, REASON_MALFORMED, "log entry: an inclusionProof with checkpoint is needed");
    for (size_t i = 0; i < bundle->entry_count; i++)
        if (bundle->entries[i].index == entry->index &&
            memcmp(bundle->entries[i].log_id, entry->log_id, LOG_ID_BYTES) == 0)
            return error_set(err, REASON_MALFORMED, "log entry: the same entry twice");
    return true;
}

static bool parse_entries(struct keep *keep, const struct node *list, struct bundle *bundle, struct error *err)
{
    if (!list || list->count == 0)
        return true;
    if (list->count > LIMIT_BUNDLE_LOG_ENTRIES)
        return error_set(err, REASON_LIMIT, "%u log entries, more than %d", list->count, LIMIT_BUNDLE_LOG_ENTRIES);
    bundle->entries = mem_new(list->count, sizeof(*bundle->entries));
    if (!keep_block(keep, bundle->entries, err))
        return false;
    for (const struct node *item = list->child; item; item = item->next) {
        struct log_entry *entry = &bundle->entries[bundle->entry_count];

        if (!logentry_parse_bundle(keep, item, entry, err) || !check_entry(bundle, entry, err))
            return false;
        bundle->entry_count++;
    }
    return true;
}

static bool parse_timestamps(struct keep *keep, const struct node *data, struct bundle *bundle, struct error *err)
{
    const struct node *list, *token;
    const struct field fields[] = {{"rfc3161Timestamps", NODE_LIST, false, &list}};
    const struct field token_fields[] = {{"signedTimestamp", NODE_STRING, true, &token}};

    if (!data)
        return true;
    if (!proto_fields(data, "timestampVerificationData", fields, 1, err))
        return false;
    if (list && list->count > LIMIT_BUNDLE_TIMESTAMPS)
        return error_set(err, REASON_LIMIT, "%u timestamps, more than %d", list->count, LIMIT_BUNDLE_TIMESTAMPS);
    for (const struct node *item = list ? list->child : NULL; item; item = item->next)
        if (!proto_fields(item, "timestamp", token_fields, 1, err) ||
            !keep_base64(keep, token->text, BASE64_JSON, TIMESTAMP_MAX_BYTES, "timestamp",
                         &bundle->timestamps[bundle->timestamp_count++], err))
            return false;
    return true;
}

static bool parse_message(struct keep *keep, const struct node *node, struct bundle *bundle, struct error *err)
{
    static const struct {
        const char *name;
        enum digest_alg alg;
    } algorithms[] = {{"SHA2_256", DIGEST_SHA256}, {"SHA2_384", DIGEST_SHA384}, {"SHA2_512", DIGEST_SHA512}};
    const struct node *digest, *signature, *algorithm, *value;
    const struct field fields[] = {{"messageDigest", NODE_MAP, false, &digest},
                                   {"signature", NODE_STRING, true, &signature}};
    const struct field digest_fields[] = {{"algorithm", NODE_STRING, true, &algorithm},
                                          {"digest", NODE_STRING, true, &value}};
    struct span bytes = span_of(NULL, 0);

    if (!proto_fields(node, "messageSignature", fields, ARRAY_LEN(fields), err) ||
        !keep_base64(keep, signature->text, BASE64_JSON, LIMIT_SIGNATURE_BYTES, "messageSignature.signature",
                     &bundle->message_signature, err))
        return false;
    if (!digest)
        return true;
    if (!proto_fields(digest, "messageDigest", digest_fields, ARRAY_LEN(digest_fields), err) ||
        !keep_base64(keep, value->text, BASE64_JSON, DIGEST_MAX_BYTES, "messageDigest.digest", &bytes, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (node_str_is(algorithm, algorithms[i].name))
            bundle->message_digest.alg = algorithms[i].alg;
    if (bundle->message_digest.alg == DIGEST_NONE || bytes.len != digest_size(bundle->message_digest.alg))
        return error_set(err, REASON_UNSUPPORTED, "messageDigest: not a SHA2_256, SHA2_384 or SHA2_512 digest");
    memcpy(bundle->message_digest.bytes, bytes.ptr, bytes.len);
    return true;
}

static bool parse_content(struct keep *keep, const struct node *dsse, const struct node *message, struct bundle *bundle,
                          struct error *err)
{
    if ((dsse != NULL) == (message != NULL))
        return error_set(err, REASON_MALFORMED, "exactly one of dsseEnvelope and messageSignature is wanted");
    bundle->is_dsse = dsse != NULL;
    return dsse ? dsse_parse(keep, dsse, DSSE_BUNDLE, &bundle->dsse, err) : parse_message(keep, message, bundle, err);
}

static bool parse_members(struct keep *keep, struct span bytes, struct bundle *bundle, struct error *err)
{
    const struct node *root, *media_type, *material, *message, *dsse, *key, *certificate, *chain, *entries, *timestamps;
    const struct field fields[] = {
        {"mediaType", NODE_STRING, true, &media_type}, {"verificationMaterial", NODE_MAP, true, &material},
        {"messageSignature", NODE_MAP, false, &message}, {"dsseEnvelope", NODE_MAP, false, &dsse},
    };
    const struct field material_fields[] = {
        {"publicKey", NODE_MAP, false, &key}, {"certificate", NODE_MAP, false, &certificate},
        {"x509CertificateChain", NODE_MAP, false, &chain}, {"tlogEntries", NODE_LIST, false, &entries},
        {"timestampVerificationData", NODE_MAP, false, &timestamps},
    };

    return keep_json(keep, bytes, "bundle", &root, err) &&
           proto_fields(root, "bundle", fields, ARRAY_LEN(fields), err) &&
           parse_version(media_type, &bundle->version, err) &&
           proto_fields(material, "verificationMaterial", material_fields, ARRAY_LEN(material_fields), err) &&
           parse_signer(keep, key, certificate, chain, bundle, err) && parse_entries(keep, entries, bundle, err) &&
           parse_timestamps(keep, timestamps, bundle, err) && parse_content(keep, dsse, message, bundle, err);
}

bool bundle_parse(struct keep *keep, struct span bytes, struct bundle *ret, struct error *err)
{
    struct bundle bundle = {0};

    if (bytes.len > LIMIT_ATTESTATION_BYTES)
        return error_set(err, REASON_LIMIT, "bundle: %zu bytes, more than %d", bytes.len, LIMIT_ATTESTATION_BYTES);
    if (!parse_members(keep, bytes, &bundle, err))
        return error_wrap(err, "bundle");
    *ret = bundle;
    return true;
}
