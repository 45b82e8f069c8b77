/* SPDX-License-Identifier: Apache-2.0 */
/* Trust that policy.json spells out, as a trusted_root.json (sigstore.md 3.1): one form of trust for the verifier. */
#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/policy_json.h"

static const char begin_mark[] = "-----BEGIN CERTIFICATE-----", end_mark[] = "-----END CERTIFICATE-----";

/* The base64 of the next certificate, without line breaks, into ret; an empty ret at the end. */
static bool next_certificate(struct span *pem, struct buf *ret, struct error *err)
{
    struct buf der CLEANUP(buf_free) = BUF_INIT(LIMIT_CERTIFICATE_BYTES);
    struct span text = span_trim(*pem), body;
    size_t end;

    buf_clear(ret);
    *pem = text;
    if (text.len == 0)
        return true;
    if (!span_starts(text, begin_mark))
        return error_set(err, REASON_POLICY_ERROR, "wanted PEM certificates");
    body = span_cut(text, sizeof(begin_mark) - 1, SIZE_MAX);
    end = span_find(body, end_mark);
    if (end == SIZE_MAX || !base64_decode(span_cut(body, 0, end), BASE64_PEM, &der) || !buf_ok(&der))
        return error_set(err, REASON_POLICY_ERROR, "a PEM certificate does not decode");
    base64_encode(buf_as_span(&der), ret);
    *pem = span_cut(body, end + sizeof(end_mark) - 1, SIZE_MAX);
    return buf_ok(ret) || error_oom(err);
}

static void put_certificate(struct json_out *out, const struct buf *base64)
{
    json_open_map(out, NULL);
    json_put_span(out, "rawBytes", buf_as_span(base64));
    json_close_map(out);
}

/* Always: PEM has no windows of its own beside the certificates' dates. */
static void put_window(struct json_out *out)
{
    json_open_map(out, "validFor");
    json_put_str(out, "start", "1970-01-01T00:00:00Z");
    json_close_map(out);
}

/* certChain: the intermediates, then the anchor. */
static bool put_authority(struct json_out *out, const struct buf *anchor, struct span intermediates, struct error *err)
{
    struct buf certificate CLEANUP(buf_free) = BUF_INIT(2 * LIMIT_CERTIFICATE_BYTES);

    json_open_map(out, NULL);
    json_put_str(out, "uri", "policy.json");
    json_open_map(out, "certChain");
    json_open_list(out, "certificates");
    for (;;) {
        if (!next_certificate(&intermediates, &certificate, err))
            return false;
        if (certificate.len == 0)
            break;
        put_certificate(out, &certificate);
    }
    put_certificate(out, anchor);
    json_close_list(out);
    json_close_map(out);
    put_window(out);
    json_close_map(out);
    return true;
}

static bool put_log(struct json_out *out, const struct pubkey *key, struct error *err)
{
    enum digest_alg hash;
    const char *details = pubkey_ecdsa_details(key, &hash);

    /* The format allows ECDSA only (containers-policy.json(5), rekorPublicKey). */
    if (details == NULL)
        return error_set(err, REASON_POLICY_ERROR, "a log's key must be ECDSA, not %s", pubkey_type_name(key));
    json_open_map(out, NULL);
    json_put_str(out, "baseUrl", "https://policy.json.invalid");
    json_put_str(out, "hashAlgorithm", "SHA2_256");
    json_open_map(out, "publicKey");
    json_put_base64(out, "rawBytes", pubkey_spki(key));
    json_put_str(out, "keyDetails", details);
    put_window(out);
    json_close_map(out);
    json_open_map(out, "logId");
    json_put_str(out, "keyId", pubkey_hint(key)); /* base64(SHA-256(SPKI)): what Rekor v1 calls its log id */
    json_close_map(out);
    json_close_map(out);
    return true;
}

bool own_root_write(const struct own_root *root, struct buf *ret, struct error *err)
{
    struct buf text CLEANUP(buf_free) = BUF_INIT(LIMIT_TRUST_ROOT_BYTES);
    struct buf anchor CLEANUP(buf_free) = BUF_INIT(2 * LIMIT_CERTIFICATE_BYTES);
    struct json_out out = json_out_to(&text);
    struct span roots = root->roots;

    json_open_map(&out, NULL);
    json_put_str(&out, "mediaType", "application/vnd.dev.sigstore.trustedroot+json;version=0.1");
    json_open_list(&out, "tlogs");
    for (size_t i = 0; i < root->log_key_count; i++) {
        if (!put_log(&out, root->log_keys[i], err))
            return false;
    }
    json_close_list(&out);
    json_open_list(&out, "certificateAuthorities");
    for (;;) {
        if (!next_certificate(&roots, &anchor, err))
            return false;
        if (anchor.len == 0)
            break;
        if (!put_authority(&out, &anchor, root->intermediates, err))
            return false;
    }
    json_close_list(&out);
    json_close_map(&out);
    if (!buf_ok(&text))
        return error_set(err, REASON_POLICY_ERROR, "the certificates are too large");
    *ret = text;
    text = (struct buf){0};
    return true;
}
