/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sct.h"

#include "base/limits.h"
#include "crypto/cert_internal.h"
#include "crypto/der.h"
#include "crypto/digest.h"

/* 1.3.6.1.4.1.11129.2.4.2 */
static const uint8_t OID_SCT_LIST[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02};

/* Numbers of RFC 6962 section 3.2 and RFC 5246 section 7.4.1.4.1. */
enum {
    SCT_VERSION_1 = 0,
    SCT_CERTIFICATE_TIMESTAMP = 0,
    SCT_PRECERT_ENTRY = 1,
    TLS_HASH_SHA256 = 4,
    TLS_SIGNATURE_RSA = 1,
    TLS_SIGNATURE_ECDSA = 3,
};

struct sct {
    uint8_t version;
    struct span log_id;
    uint64_t timestamp_ms;
    struct span extensions;
    uint8_t hash, algorithm;
    struct span signature;
};

/* All extensions but the SCT list, byte by byte in their order; the list's value goes to ret_value. */
static bool copy_extensions(struct span list, struct buf *ret, struct span *ret_value)
{
    struct reader reader = reader_of(list);
    struct cert_extension_item item;
    bool found = false;

    while (reader.rest.len > 0) {
        if (!cert_next_extension(&reader, &item))
            return false;
        if (!span_eq(item.oid, span_of(OID_SCT_LIST, sizeof(OID_SCT_LIST)))) {
            buf_span(ret, item.whole);
            continue;
        }
        if (found)
            return false;
        found = true;
        *ret_value = item.value;
    }
    return found && ret->len > 0;
}

/* [3] EXPLICIT SEQUENCE OF Extension, its lengths made new. */
static bool put_extensions(struct span wrapped, struct buf *tbs, struct span *ret_value)
{
    struct buf kept CLEANUP(buf_free) = BUF_INIT(LIMIT_CERTIFICATE_BYTES);
    struct buf list CLEANUP(buf_free) = BUF_INIT(LIMIT_CERTIFICATE_BYTES);
    struct span content;

    if (!der_single(wrapped, DER_SEQUENCE, &content) || !copy_extensions(content, &kept, ret_value))
        return false;
    der_put(&list, DER_SEQUENCE, buf_as_span(&kept));
    der_put(tbs, DER_CONTEXT_0 + 3, buf_as_span(&list));
    return buf_ok(&kept) && buf_ok(&list);
}

bool sct_precertificate(struct span cert_der, struct buf *ret, struct span *ret_list, struct error *err)
{
    struct buf kept CLEANUP(buf_free) = BUF_INIT(LIMIT_CERTIFICATE_BYTES);
    struct span certificate, tbs, value;
    struct reader reader;
    bool found = false;

    if (!der_single(cert_der, DER_SEQUENCE, &certificate))
        return error_set(err, REASON_MALFORMED, "certificate is not strict DER");
    reader = reader_of(certificate);
    if (!der_expect(&reader, DER_SEQUENCE, &tbs))
        return error_set(err, REASON_MALFORMED, "certificate is not strict DER");
    reader = reader_of(tbs);
    while (reader.rest.len > 0) {
        struct der_item item;

        if (!der_next(&reader, &item))
            return error_set(err, REASON_MALFORMED, "certificate is not strict DER");
        if (item.tag != DER_CONTEXT_0 + 3) {
            buf_span(&kept, item.whole);
            continue;
        }
        if (found || !put_extensions(item.content, &kept, &value))
            return error_set(err, REASON_UNTRUSTED_CHAIN,
                             "certificate has no embedded SCT (certificate transparency), or "
                             "more than one list of them");
        found = true;
    }
    if (!found)
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate has no embedded SCT (certificate transparency)");
    der_put(ret, DER_SEQUENCE, buf_as_span(&kept));
    if (!buf_ok(&kept) || !buf_ok(ret))
        return error_oom(err);
    *ret_list = value;
    return true;
}

/* SignedCertificateTimestampList (RFC 6962 section 3.3): an OCTET STRING in the extension's OCTET STRING. */
static bool open_list(struct span value, struct reader *ret)
{
    struct span list;
    struct reader reader;
    struct span content;

    if (!der_single(value, DER_OCTET_STRING, &list))
        return false;
    reader = reader_of(list);
    content = read_bytes(&reader, read_u16(&reader));
    if (!reader_done(&reader) || content.len == 0)
        return false;
    *ret = reader_of(content);
    return true;
}

/* One SerializedSCT. A version that is not known has another form: then only `version` is filled in. */
static bool next_sct(struct reader *list, struct sct *ret)
{
    struct reader reader = reader_of(read_bytes(list, read_u16(list)));

    if (list->failed)
        return false;
    *ret = (struct sct){.version = read_u8(&reader)};
    if (ret->version != SCT_VERSION_1)
        return !reader.failed;
    ret->log_id = read_bytes(&reader, TLOG_ID_BYTES);
    ret->timestamp_ms = read_u64(&reader);
    ret->extensions = read_bytes(&reader, read_u16(&reader));
    ret->hash = read_u8(&reader);
    ret->algorithm = read_u8(&reader);
    ret->signature = read_bytes(&reader, read_u16(&reader));
    return reader_done(&reader);
}

/* digitally-signed struct of RFC 6962 section 3.2, for a precertificate. */
static void put_signed(struct buf *buf, const struct sct *sct, const struct digest *issuer_key_hash, struct span tbs)
{
    buf_byte(buf, SCT_VERSION_1);
    buf_byte(buf, SCT_CERTIFICATE_TIMESTAMP);
    buf_u64(buf, sct->timestamp_ms);
    buf_u16(buf, SCT_PRECERT_ENTRY);
    buf_append(buf, issuer_key_hash->bytes, digest_size(issuer_key_hash->alg));
    buf_u24(buf, (uint32_t)tbs.len);
    buf_span(buf, tbs);
    buf_u16(buf, (uint16_t)sct->extensions.len);
    buf_span(buf, sct->extensions);
}

static bool algorithm_fits(const struct sct *sct, const struct pubkey *key)
{
    enum key_type type = pubkey_type(key);

    if (sct->hash != TLS_HASH_SHA256)
        return false;
    if (sct->algorithm == TLS_SIGNATURE_RSA)
        return type == KEY_RSA;
    return sct->algorithm == TLS_SIGNATURE_ECDSA && (type == KEY_EC_P256 || type == KEY_EC_P384 || type == KEY_EC_P521);
}

static bool verify_one(const struct sct *sct, const struct sct_log *log, const struct digest *issuer_key_hash,
                       struct span tbs, struct error *err)
{
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(2 * LIMIT_CERTIFICATE_BYTES);
    const struct sig_scheme scheme = {.kind = SCHEME_EXACT, .hash = DIGEST_SHA256};
    struct error why = ERROR_INIT;

    if (sct->timestamp_ms > INT64_MAX || !time_window_has(&log->window, (int64_t)sct->timestamp_ms))
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate's SCT is outside the time of its log's key");
    if (!algorithm_fits(sct, log->key))
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate's SCT is of another algorithm than its log's key");
    put_signed(&bytes, sct, issuer_key_hash, tbs);
    if (!buf_ok(&bytes))
        return error_oom(err);
    if (!pubkey_verify(log->key, &scheme, buf_as_span(&bytes), sct->signature, &why))
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate's SCT does not verify");
    return true;
}

static const struct sct_log *find_log(const struct sct *sct, const struct sct_log *logs, size_t count, size_t from)
{
    for (size_t i = from; i < count; i++)
        if (tlog_id_eq(&logs[i].id, sct->log_id))
            return &logs[i];
    return NULL;
}

/* A log may stand several times in a trust root, with different windows: each is tried. */
static bool verify_with_logs(const struct sct *sct, const struct sct_log *logs, size_t count,
                             const struct digest *issuer_hash, struct span tbs, size_t *ret_log, struct error *err)
{
    const struct sct_log *log = NULL;

    for (size_t from = 0; (log = find_log(sct, logs, count, from)) != NULL; from = (size_t)(log - logs) + 1) {
        if (!verify_one(sct, log, issuer_hash, tbs, err))
            continue;
        *ret_log = (size_t)(log - logs);
        return true;
    }
    return false;
}

bool sct_verify(const struct cert *leaf, const struct cert *issuer, const struct sct_log *logs, size_t log_count,
                size_t *ret_log, struct error *err)
{
    struct buf tbs CLEANUP(buf_free) = BUF_INIT(LIMIT_CERTIFICATE_BYTES);
    struct digest issuer_hash;
    struct span value;
    struct reader list;

    if (!issuer)
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate has no issuer to verify its SCT with");
    if (!sct_precertificate(cert_der(leaf), &tbs, &value, err))
        return false;
    if (!digest_compute(DIGEST_SHA256, cert_spki(issuer), &issuer_hash))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    if (!open_list(value, &list))
        return error_set(err, REASON_MALFORMED, "certificate's list of SCTs does not decode");
    (void)error_set(err, REASON_UNTRUSTED_CHAIN, "none of the certificate's SCTs is by a known log");
    for (size_t i = 0; list.rest.len > 0; i++) {
        struct sct sct;
        size_t log;

        if (i == SCT_MAX)
            return error_set(err, REASON_LIMIT, "certificate has more than %d SCTs", (int)SCT_MAX);
        if (!next_sct(&list, &sct))
            return error_set(err, REASON_MALFORMED, "certificate's list of SCTs does not decode");
        if (sct.version != SCT_VERSION_1 ||
            !verify_with_logs(&sct, logs, log_count, &issuer_hash, buf_as_span(&tbs), &log, err))
            continue;
        if (ret_log)
            *ret_log = log;
        return true;
    }
    return false;
}
