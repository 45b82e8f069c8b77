/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/timestamp.h"

#include "base/clock.h"
#include "crypto/cert_internal.h"
#include "crypto/der.h"
#include "crypto/digest.h"
#include "crypto/openssl_cleanup.h"

enum { TST_VERSION = 1, GENERALIZED_TIME_SECONDS = 14 /* YYYYMMDDHHMMSS */, MAX_EMBEDDED = 16 };

/* A parsed response: what it says, before anything is verified. */
struct stamp {
    TS_RESP *response;
    PKCS7 *token;       /* borrowed from response */
    int64_t time_ms;    /* genTime, fractions below a millisecond dropped */
};

static void stamp_done(struct stamp *stamp)
{
    ts_resp_freep(&stamp->response);
}

static bool digits(struct span text, size_t at, size_t count, int *ret)
{
    uint64_t value = 0;

    for (size_t i = at; i < at + count; i++) {
        uint8_t digit = (uint8_t)(text.ptr[i] - '0');

        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *ret = (int)value;
    return true;
}

/* RFC 3161 section 2.4.2: YYYYMMDDhhmmss[.s...]Z, no trailing zeros in the fraction. */
static bool parse_time(struct span text, int64_t *ret_ms)
{
    int year, month, day, hour, minute, second;
    int64_t seconds, millis = 0;
    int64_t scale = 100;

    if (text.len < GENERALIZED_TIME_SECONDS + 1 || text.ptr[text.len - 1] != 'Z')
        return false;
    if (!digits(text, 0, 4, &year) || !digits(text, 4, 2, &month) || !digits(text, 6, 2, &day) ||
        !digits(text, 8, 2, &hour) || !digits(text, 10, 2, &minute) || !digits(text, 12, 2, &second) ||
        !time_from_civil(year, month, day, hour, minute, second, &seconds))
        return false;
    for (size_t i = GENERALIZED_TIME_SECONDS + 1; i < text.len - 1; i++) {
        int digit;

        if (!digits(text, i, 1, &digit))
            return false;
        millis += digit * scale;
        scale /= 10;
    }
    if (text.len > GENERALIZED_TIME_SECONDS + 1 &&
        (text.ptr[GENERALIZED_TIME_SECONDS] != '.' || text.len == GENERALIZED_TIME_SECONDS + 2 ||
         text.ptr[text.len - 2] == '0'))
        return false;
    *ret_ms = seconds * 1000 + millis;
    return true;
}

static bool check_status(TS_RESP *response, struct error *err)
{
    TS_STATUS_INFO *status = TS_RESP_get_status_info(response);

    if (!status || ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(status)) != TS_STATUS_GRANTED ||
        TS_STATUS_INFO_get0_failure_info(status))
        return error_set(err, REASON_NO_TIMESTAMP, "time-stamp response is not \"granted\"");
    return true;
}

/* TimeStampResp (RFC 3161 section 2.4.2): granted, version 1, a time, and nothing behind it. */
static bool parse(struct span bytes, struct stamp *ret, struct error *err)
{
    const unsigned char *at = bytes.ptr;
    const ASN1_GENERALIZEDTIME *time;
    TS_TST_INFO *info;

    if (bytes.len > TIMESTAMP_MAX_BYTES)
        return error_set(err, REASON_LIMIT, "time-stamp of more than %d bytes", (int)TIMESTAMP_MAX_BYTES);
    if (!der_is_strict(bytes))
        return error_set(err, REASON_MALFORMED, "time-stamp is not one DER TimeStampResp");
    ret->response = d2i_TS_RESP(NULL, &at, (long)bytes.len);
    if (!ret->response || at != bytes.ptr + bytes.len)
        return error_set(err, REASON_MALFORMED, "time-stamp is not one DER TimeStampResp");
    if (!check_status(ret->response, err))
        return false;
    ret->token = TS_RESP_get_token(ret->response);
    info = TS_RESP_get_tst_info(ret->response);
    if (!ret->token || !info || TS_TST_INFO_get_version(info) != TST_VERSION)
        return error_set(err, REASON_MALFORMED, "time-stamp response has no token of version 1");
    time = TS_TST_INFO_get_time(info);
    if (!time || !parse_time(span_of(ASN1_STRING_get0_data(time), (size_t)ASN1_STRING_length(time)), &ret->time_ms))
        return error_set(err, REASON_MALFORMED, "time-stamp's time is not a GeneralizedTime in UTC");
    return true;
}

static enum digest_alg digest_of(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;

    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    switch (OBJ_obj2nid(object)) {
    case NID_sha256:
        return DIGEST_SHA256;
    case NID_sha384:
        return DIGEST_SHA384;
    case NID_sha512:
        return DIGEST_SHA512;
    default:
        return DIGEST_NONE;
    }
}

/* Does the time-stamp speak of these bytes? */
static bool check_imprint(const struct stamp *stamp, struct span signed_bytes, struct error *err)
{
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(TS_RESP_get_tst_info(stamp->response));
    ASN1_OCTET_STRING *hash = TS_MSG_IMPRINT_get_msg(imprint);
    enum digest_alg alg = digest_of(TS_MSG_IMPRINT_get_algo(imprint));
    struct digest made;

    if (alg == DIGEST_NONE)
        return error_set(err, REASON_NO_TIMESTAMP, "time-stamp's message hash is not SHA-256, SHA-384 or SHA-512");
    if (!digest_compute(alg, signed_bytes, &made))
        return error_set(err, REASON_INTERNAL, "%s is not available", digest_alg_name(alg));
    if (!span_eq(span_of(ASN1_STRING_get0_data(hash), (size_t)ASN1_STRING_length(hash)),
                 span_of(made.bytes, digest_size(alg))))
        return error_set(err, REASON_NO_TIMESTAMP, "time-stamp is over other bytes than this signature");
    return true;
}

/* The signature algorithm must name the digest that the token names (OpenSSL goes by the digest alone). */
static bool signature_fits(const X509_ALGOR *signature, enum digest_alg digest)
{
    const ASN1_OBJECT *object = NULL;
    int digest_nid = NID_undef, key_nid = NID_undef, nid;

    X509_ALGOR_get0(&object, NULL, NULL, signature);
    nid = OBJ_obj2nid(object);
    if (nid == NID_rsaEncryption) /* RFC 3370 section 3.2: the usual way to name PKCS#1 v1.5 in CMS */
        return true;
    if (OBJ_find_sigid_algs(nid, &digest_nid, &key_nid) != 1)
        return false;
    return (key_nid == NID_X9_62_id_ecPublicKey || key_nid == NID_rsaEncryption) &&
           digest_nid == (digest == DIGEST_SHA256 ? NID_sha256 : digest == DIGEST_SHA384 ? NID_sha384 : NID_sha512);
}

/* CMS: exactly one signer, and no weak hash (TS_RESP_verify_signature takes what the token says). */
static bool check_signer_info(const struct stamp *stamp, struct error *err)
{
    STACK_OF(PKCS7_SIGNER_INFO) *infos = PKCS7_get_signer_info(stamp->token);
    X509_ALGOR *digest = NULL;
    X509_ALGOR *signature = NULL;

    if (!infos || sk_PKCS7_SIGNER_INFO_num(infos) != 1)
        return error_set(err, REASON_NO_TIMESTAMP, "time-stamp token does not have exactly one signer");
    PKCS7_SIGNER_INFO_get0_algs(sk_PKCS7_SIGNER_INFO_value(infos, 0), NULL, &digest, &signature);
    if (digest_of(digest) == DIGEST_NONE || !signature_fits(signature, digest_of(digest)))
        return error_set(err, REASON_NO_TIMESTAMP,
                         "time-stamp token's signature is not ECDSA or RSA over SHA-256, SHA-384 or "
                         "SHA-512");
    if (sk_X509_num(stamp->token->d.sign->cert) > MAX_EMBEDDED)
        return error_set(err, REASON_LIMIT, "time-stamp token brings more than %d certificates", (int)MAX_EMBEDDED);
    return true;
}

/* The authority's certificates that OpenSSL may need: its leaf and intermediates. */
static STACK_OF(X509) *helpers_of(const struct timestamp_authority *authority)
{
    STACK_OF(X509) *stack CLEANUP(x509_stack_freep) = sk_X509_new_null();

    if (stack && authority->leaf && sk_X509_push(stack, authority->leaf->x509) <= 0)
        x509_stack_freep(&stack);
    for (size_t i = 0; stack && i < authority->pool.intermediate_count; i++)
        if (sk_X509_push(stack, authority->pool.intermediates[i]->x509) <= 0)
            x509_stack_freep(&stack);
    return TAKE_PTR(stack);
}

/* The signer's certificate: embedded, or the authority's own. */
static bool find_signer(const struct stamp *stamp, const struct timestamp_authority *authority, STACK_OF(X509) *helpers,
                        struct cert **ret, struct error *err)
{
    STACK_OF(X509) *signers CLEANUP(x509_stack_freep) = NULL;
    unsigned char *der CLEANUP(openssl_free_bytes) = NULL;
    struct cert *cert CLEANUP(cert_freep) = NULL;
    int len;

    if (sk_X509_num(stamp->token->d.sign->cert) > 0)
        signers = PKCS7_get0_signers(stamp->token, NULL, 0);
    if (!signers)
        signers = PKCS7_get0_signers(stamp->token, helpers, 0);
    if (!signers || sk_X509_num(signers) != 1)
        return error_set(err, REASON_NO_TIMESTAMP,
                         "time-stamp token is by an authority whose certificate is not known");
    len = i2d_X509(sk_X509_value(signers, 0), &der);
    if (len <= 0)
        return error_oom(err);
    if (!cert_parse_der(span_of(der, (size_t)len), &cert, err))
        return error_wrap(err, "time-stamp token's certificate");
    /* sigstore.md 3.8: where the trust root names the leaf, an embedded certificate must be that one */
    if (authority->leaf && !cert_eq(authority->leaf, cert))
        return error_set(err, REASON_NO_TIMESTAMP,
                         "time-stamp token is signed by another certificate than the trusted authority's");
    *ret = TAKE_PTR(cert);
    return true;
}

/*
 * The token's own signature, the digest of its content, and that the signed attributes name this signer's certificate
 * (ESS signingCertificate, RFC 5816). The chain was verified before, at the right time; here it only has to be found.
 */
static bool verify_signature(const struct stamp *stamp, const struct timestamp_authority *authority,
                             STACK_OF(X509) * helpers, struct error *err)
{
    X509_STORE *store CLEANUP(x509_store_freep) = X509_STORE_new();
    X509 *signer CLEANUP(x509_freep) = NULL;

    if (!store || X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME) != 1)
        return error_oom(err);
    for (size_t i = 0; i < authority->pool.anchor_count; i++)
        if (X509_STORE_add_cert(store, authority->pool.anchors[i]->x509) != 1)
            return error_oom(err);
    if (TS_RESP_verify_signature(stamp->token, helpers, store, &signer) != 1)
        return error_set(err, REASON_NO_TIMESTAMP, "time-stamp token's signature does not verify");
    return true;
}

static bool verify_with(const struct stamp *stamp, const struct timestamp_authority *authority, struct error *err)
{
    STACK_OF(X509) *helpers CLEANUP(x509_stack_freep) = helpers_of(authority);
    struct cert *signer CLEANUP(cert_freep) = NULL;

    if (!helpers)
        return error_oom(err);
    if (!time_window_has(&authority->window, stamp->time_ms))
        return error_set(err, REASON_NO_TIMESTAMP, "time-stamp's time is outside its authority's validity");
    if (!find_signer(stamp, authority, helpers, &signer, err))
        return false;
    /* At the time that the token states: the authority's certificate may have expired since (RFC 3161 section 4). */
    if (!cert_verify_chain(signer, &authority->pool, CERT_PURPOSE_TIME_STAMPING, stamp->time_ms / 1000, NULL, err)) {
        err->reason = REASON_NO_TIMESTAMP;
        return error_wrap(err, "time-stamp authority");
    }
    return verify_signature(stamp, authority, helpers, err);
}

bool timestamp_verify(struct span response, struct span signed_bytes, const struct timestamp_authority *authorities,
                      size_t count, size_t *ret_authority, int64_t *ret_time_ms, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    struct stamp stamp CLEANUP(stamp_done) = {.response = NULL};

    if (!parse(response, &stamp, err) || !check_imprint(&stamp, signed_bytes, err) || !check_signer_info(&stamp, err))
        return false;
    (void)error_set(err, REASON_NO_TIMESTAMP, "no time-stamp authority is trusted");
    for (size_t i = 0; i < count; i++) {
        if (!verify_with(&stamp, &authorities[i], err))
            continue;
        *ret_authority = i;
        *ret_time_ms = stamp.time_ms;
        return true;
    }
    return false;
}
