/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/cert_internal.h"
#include "crypto/der.h"
#include "crypto/digest.h"
#include "crypto/openssl_cleanup.h"

enum { SUBJECT_TEXT_BYTES = 256, SERIAL_MAX_BYTES = 64 };

bool cert_next_extension(struct reader *reader, struct cert_extension_item *ret)
{
    struct cert_extension_item made = {.critical = false};
    struct der_item item;
    struct reader inner;
    struct span flag;

    if (!der_next(reader, &item) || item.tag != DER_SEQUENCE)
        goto malformed;
    made.whole = item.whole;
    inner = reader_of(item.content);
    if (!der_expect(&inner, DER_OID, &made.oid))
        goto malformed;
    if (der_peek(&inner, DER_BOOLEAN)) {
        /* DER: TRUE is ff, and the default FALSE is not written (X.690 sections 11.1 and 11.5); some CAs write it */
        if (!der_expect(&inner, DER_BOOLEAN, &flag) || flag.len != 1 || (flag.ptr[0] != 0xff && flag.ptr[0] != 0))
            goto malformed;
        made.critical = flag.ptr[0] == 0xff;
    }
    if (!der_expect(&inner, DER_OCTET_STRING, &made.value) || !reader_done(&inner))
        goto malformed;
    *ret = made;
    return true;
malformed:
    reader->failed = true;
    return false;
}

/* RFC 5280 section 4.2: a certificate has no two extensions of one kind. */
static bool check_extensions(struct span list)
{
    struct reader outer = reader_of(list);
    struct cert_extension_item one;
    struct cert_extension_item other;
    size_t count = 0;

    while (outer.rest.len > 0) {
        struct reader inner;

        if (!cert_next_extension(&outer, &one) || ++count > 64)
            return false;
        inner = outer;
        while (inner.rest.len > 0)
            if (!cert_next_extension(&inner, &other) || span_eq(one.oid, other.oid))
                return false;
    }
    return true;
}

static bool set_serial(struct cert *cert, struct span number, struct error *err)
{
    char hex[2 * SERIAL_MAX_BYTES + 1] = "0";
    const char *start = hex;

    if (number.len > SERIAL_MAX_BYTES)
        return error_set(err, REASON_LIMIT, "certificate serial number of %zu bytes", number.len);
    if (number.len > 0)
        hex_encode(number, hex);
    if (start[0] == '0' && start[1] != '\0')
        start++;
    cert->serial = mem_strdup(start);
    return cert->serial ? true : error_oom(err);
}

/* Skips the optional unique identifiers (tags [1] and [2]) and takes the list out of [3] EXPLICIT. */
static bool read_tail(struct reader *tbs, struct span *ret_extensions)
{
    struct span wrapped;
    struct der_item item;

    *ret_extensions = span_of(NULL, 0);
    while (der_peek(tbs, 0x81) || der_peek(tbs, 0x82))
        if (!der_next(tbs, &item))
            return false;
    if (tbs->rest.len == 0)
        return reader_done(tbs);
    return der_expect(tbs, DER_CONTEXT_0 + 3, &wrapped) && reader_done(tbs) &&
           der_single(wrapped, DER_SEQUENCE, ret_extensions) && ret_extensions->len > 0 &&
           check_extensions(*ret_extensions);
}

/* TBSCertificate (RFC 5280 section 4.1), in order. */
static bool read_tbs(struct cert *cert, struct error *err)
{
    struct reader outer = reader_of(span_of(cert->der, cert->der_len));
    struct reader tbs;
    struct span content, skipped, serial;
    struct der_item spki;

    if (!der_expect(&outer, DER_SEQUENCE, &content) || !reader_done(&outer))
        goto malformed;
    outer = reader_of(content);
    if (!der_expect(&outer, DER_SEQUENCE, &content) || !der_expect(&outer, DER_SEQUENCE, &skipped) ||
        !der_expect(&outer, DER_BIT_STRING, &skipped) || !reader_done(&outer))
        goto malformed;
    tbs = reader_of(content);
    if (der_peek(&tbs, DER_CONTEXT_0) && !der_expect(&tbs, DER_CONTEXT_0, &skipped)) /* version */
        goto malformed;
    if (!der_expect_unsigned(&tbs, &serial) || !der_expect(&tbs, DER_SEQUENCE, &skipped) /* signature algorithm */ ||
        !der_expect(&tbs, DER_SEQUENCE, &skipped) /* issuer */ ||
        !der_expect(&tbs, DER_SEQUENCE, &skipped) /* validity */ ||
        !der_expect(&tbs, DER_SEQUENCE, &skipped) /* subject */ || !der_next(&tbs, &spki) || spki.tag != DER_SEQUENCE ||
        !read_tail(&tbs, &cert->extensions))
        goto malformed;
    cert->spki = spki.whole;
    return set_serial(cert, serial, err);
malformed:
    return error_set(err, REASON_MALFORMED, "certificate is not strict DER");
}

static bool read_time(const ASN1_TIME *from, int64_t *ret)
{
    struct tm parts;

    return from && ASN1_TIME_to_tm(from, &parts) == 1 &&
           time_from_civil(parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                           parts.tm_sec, ret);
}

static bool set_subject(struct cert *cert, struct error *err)
{
    BIO *bio CLEANUP(bio_freep) = BIO_new(BIO_s_mem());
    char clean[SUBJECT_TEXT_BYTES];
    char *text = NULL;
    long len;

    if (!bio ||
        X509_NAME_print_ex(bio, X509_get_subject_name(cert->x509), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return error_oom(err);
    len = BIO_get_mem_data(bio, &text);
    cert->subject = mem_strdup(text_clean(span_of(text, len > 0 ? (size_t)len : 0), clean, sizeof(clean)));
    return cert->subject ? true : error_oom(err);
}

/* What OpenSSL makes of it. */
static bool read_x509(struct cert *cert, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    const unsigned char *at = cert->der;
    uint32_t flags;

    cert->x509 = d2i_X509(NULL, &at, (long)cert->der_len);
    if (!cert->x509 || at != cert->der + cert->der_len)
        return error_set(err, REASON_MALFORMED, "certificate does not decode");
    flags = X509_get_extension_flags(cert->x509); /* decodes the extensions as a side effect */
    if ((flags & (EXFLAG_INVALID | EXFLAG_SET)) != EXFLAG_SET)
        return error_set(err, REASON_MALFORMED, "certificate has an extension that does not decode");
    cert->is_ca = (flags & EXFLAG_CA) != 0;
    if (!read_time(X509_get0_notBefore(cert->x509), &cert->not_before) ||
        !read_time(X509_get0_notAfter(cert->x509), &cert->not_after))
        return error_set(err, REASON_MALFORMED, "certificate's validity is not a time");
    return set_subject(cert, err);
}

static bool set_fingerprint(struct cert *cert, struct error *err)
{
    struct digest digest;

    if (!digest_compute(DIGEST_SHA256, cert_der(cert), &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    hex_encode(span_of(digest.bytes, digest_size(DIGEST_SHA256)), cert->fingerprint);
    return true;
}

bool cert_parse_der(struct span der, struct cert **ret, struct error *err)
{
    struct cert *cert CLEANUP(cert_freep) = NULL;
    struct error ignored = ERROR_INIT;

    if (der.len > LIMIT_CERTIFICATE_BYTES)
        return error_set(err, REASON_LIMIT, "certificate of more than %d bytes", (int)LIMIT_CERTIFICATE_BYTES);
    cert = mem_new(1, sizeof(*cert));
    if (!cert)
        return error_oom(err);
    cert->refs = 1;
    cert->der = mem_dup(der.ptr, der.len);
    cert->der_len = der.len;
    if (!cert->der)
        return error_oom(err);
    if (!read_tbs(cert, err) || !read_x509(cert, err) || !cert_read_names(cert, err) || !set_fingerprint(cert, err))
        return false;
    /* A CA's key of another type (an RSA 1024 root, say) matters only when something is verified with it. */
    if (!pubkey_parse_der(cert->spki, &cert->key, &ignored))
        cert->key = NULL;
    *ret = TAKE_PTR(cert);
    return true;
}

struct cert *cert_ref(struct cert *cert)
{
    if (cert)
        cert->refs++;
    return cert;
}

void cert_free(struct cert *cert)
{
    if (!cert || --cert->refs > 0)
        return;
    X509_free(cert->x509);
    pubkey_free(cert->key);
    for (size_t i = 0; i < cert->san_count; i++)
        mem_free(cert->sans[i].text);
    mem_free(cert->sans);
    for (size_t i = 0; i < CERT_EXTENSIONS; i++)
        mem_free(cert->fulcio[i]);
    mem_free(cert->subject);
    mem_free(cert->serial);
    mem_free(cert->der);
    mem_free(cert);
}

void cert_freep(struct cert **cert)
{
    cert_free(*cert);
    *cert = NULL;
}

struct span cert_der(const struct cert *cert)
{
    return span_of(cert->der, cert->der_len);
}

const struct pubkey *cert_key(const struct cert *cert)
{
    return cert->key;
}

struct span cert_spki(const struct cert *cert)
{
    return cert->spki;
}

const char *cert_subject(const struct cert *cert)
{
    return cert->subject;
}

const char *cert_serial(const struct cert *cert)
{
    return cert->serial;
}

const char *cert_fingerprint(const struct cert *cert)
{
    return cert->fingerprint;
}

int64_t cert_not_before(const struct cert *cert)
{
    return cert->not_before;
}

int64_t cert_not_after(const struct cert *cert)
{
    return cert->not_after;
}

bool cert_valid_at(const struct cert *cert, int64_t at)
{
    return at >= cert->not_before && at <= cert->not_after;
}

bool cert_is_ca(const struct cert *cert)
{
    return cert->is_ca;
}

bool cert_eq(const struct cert *a, const struct cert *b)
{
    return span_eq(cert_der(a), cert_der(b));
}
