/* SPDX-License-Identifier: Apache-2.0 */
/* Who a certificate speaks for: subject alternative names and Fulcio's extensions (sigstore.md 3.3). */
#include <arpa/inet.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/cert_internal.h"
#include "crypto/der.h"

enum { MAX_SANS = 64, NAME_MAX_BYTES = 4096, RAW_EXTENSION_LAST = 6, OTHER_NAME_NUMBER = 7 };

static const uint8_t OID_SAN[] = {0x55, 0x1d, 0x11};
/* 1.3.6.1.4.1.57264.1, followed by the number */
static const uint8_t OID_FULCIO[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01};

/* GeneralName's context tags (RFC 5280 section 4.2.1.6). */
enum { NAME_OTHER = 0xa0, NAME_EMAIL = 0x81, NAME_DNS = 0x82, NAME_URI = 0x86, NAME_IP = 0x87 };

/* Control characters, NUL above all, have no place in an identity: two programs would read it in two ways. */
static bool name_ok(struct span text, bool ascii)
{
    if (text.len > NAME_MAX_BYTES || !text_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f || (ascii && text.ptr[i] > 0x7f))
            return false;
    return true;
}

/* The number behind 1.3.6.1.4.1.57264.1, when it is one byte; 0 for another OID. */
static size_t fulcio_number(struct span oid)
{
    if (oid.len != sizeof(OID_FULCIO) + 1 ||
        !span_eq(span_cut(oid, 0, sizeof(OID_FULCIO)), span_of(OID_FULCIO, sizeof(OID_FULCIO))))
        return 0;
    return oid.ptr[sizeof(OID_FULCIO)] < 0x80 ? oid.ptr[sizeof(OID_FULCIO)] : 0;
}

static bool add_san(struct cert *cert, enum cert_san_kind kind, struct span text, struct error *err)
{
    char *copy;

    if (text.len == 0 || !name_ok(text, kind != CERT_SAN_OTHER))
        return error_set(err, REASON_MALFORMED,
                         "certificate has a subject alternative name that is empty, too long or has "
                         "control characters");
    if (!mem_grow(&cert->sans, &cert->san_capacity, cert->san_count, sizeof(*cert->sans), MAX_SANS))
        return error_set(err, REASON_LIMIT, "certificate has more than %d subject alternative names", (int)MAX_SANS);
    copy = span_dup(text);
    if (!copy)
        return error_oom(err);
    cert->sans[cert->san_count++] = (struct cert_san){.kind = kind, .text = copy};
    return true;
}

static bool add_ip(struct cert *cert, struct span address, struct error *err)
{
    char text[INET6_ADDRSTRLEN];
    int family = address.len == 4 ? AF_INET : AF_INET6;

    if ((address.len != 4 && address.len != 16) || !inet_ntop(family, address.ptr, text, sizeof(text)))
        return error_set(err, REASON_MALFORMED, "certificate has an IP address of %zu bytes as its name", address.len);
    return add_san(cert, CERT_SAN_IP, span_str(text), err);
}

/* OtherName: type id, [0] EXPLICIT value; Fulcio's is a UTF8String. Other types are other programs' names. */
static bool add_other(struct cert *cert, struct span content, struct error *err)
{
    struct reader reader = reader_of(content);
    struct span oid, wrapped, text;

    if (!der_expect(&reader, DER_OID, &oid) || !der_expect(&reader, DER_CONTEXT_0, &wrapped) || !reader_done(&reader))
        return error_set(err, REASON_MALFORMED, "certificate has an OtherName that does not decode");
    if (fulcio_number(oid) != OTHER_NAME_NUMBER)
        return true;
    if (!der_single(wrapped, DER_UTF8_STRING, &text))
        return error_set(err, REASON_MALFORMED, "certificate's user name (OtherName) is not one UTF8String");
    return add_san(cert, CERT_SAN_OTHER, text, err);
}

static bool read_sans(struct cert *cert, struct span value, struct error *err)
{
    struct span list;
    struct reader reader;

    if (!der_single(value, DER_SEQUENCE, &list))
        return error_set(err, REASON_MALFORMED, "certificate's subject alternative names do not decode");
    reader = reader_of(list);
    while (reader.rest.len > 0) {
        struct der_item item;
        bool done = true;

        if (!der_next(&reader, &item))
            return error_set(err, REASON_MALFORMED, "certificate's subject alternative names do not decode");
        switch (item.tag) {
        case NAME_EMAIL:
            done = add_san(cert, CERT_SAN_EMAIL, item.content, err);
            break;
        case NAME_DNS:
            done = add_san(cert, CERT_SAN_DNS, item.content, err);
            break;
        case NAME_URI:
            done = add_san(cert, CERT_SAN_URI, item.content, err);
            break;
        case NAME_IP:
            done = add_ip(cert, item.content, err);
            break;
        case NAME_OTHER:
            done = add_other(cert, item.content, err);
            break;
        default: /* directory names and the like identify nobody here */
            break;
        }
        if (!done)
            return false;
    }
    return true;
}

static bool read_fulcio(struct cert *cert, size_t number, struct span value, struct error *err)
{
    struct span text = value;

    if (number > RAW_EXTENSION_LAST && !der_single(value, DER_UTF8_STRING, &text))
        return error_set(err, REASON_MALFORMED, "certificate extension 1.3.6.1.4.1.57264.1.%zu is not one UTF8String",
                         number);
    if (!name_ok(text, false))
        return error_set(err, REASON_MALFORMED, "certificate extension 1.3.6.1.4.1.57264.1.%zu is no text", number);
    cert->fulcio[number] = span_dup(text);
    return cert->fulcio[number] ? true : error_oom(err);
}

bool cert_read_names(struct cert *cert, struct error *err)
{
    struct reader reader = reader_of(cert->extensions);
    struct cert_extension_item item;

    while (reader.rest.len > 0) {
        size_t number;

        if (!cert_next_extension(&reader, &item))
            return error_set(err, REASON_MALFORMED, "certificate's extensions do not decode");
        number = fulcio_number(item.oid);
        if (span_eq(item.oid, span_of(OID_SAN, sizeof(OID_SAN))) && !read_sans(cert, item.value, err))
            return false;
        if (number > 0 && number < CERT_EXTENSIONS && number != OTHER_NAME_NUMBER &&
            !read_fulcio(cert, number, item.value, err))
            return false;
    }
    /* Which of the two issuers counts differs between verifiers: refuse what could be read in two ways. */
    if (cert->fulcio[1] && cert->fulcio[8] && strcmp(cert->fulcio[1], cert->fulcio[8]) != 0)
        return error_set(err, REASON_MALFORMED,
                         "certificate names two different OIDC issuers (extensions .1.1 and .1.8)");
    return true;
}

size_t cert_san_count(const struct cert *cert)
{
    return cert->san_count;
}

const struct cert_san *cert_san(const struct cert *cert, size_t index)
{
    return index < cert->san_count ? &cert->sans[index] : NULL;
}

const struct cert_san *cert_identity(const struct cert *cert)
{
    static const enum cert_san_kind order[] = {CERT_SAN_URI, CERT_SAN_EMAIL, CERT_SAN_OTHER};

    for (size_t kind = 0; kind < ARRAY_LEN(order); kind++)
        for (size_t i = 0; i < cert->san_count; i++)
            if (cert->sans[i].kind == order[kind])
                return &cert->sans[i];
    return NULL;
}

const char *cert_extension(const struct cert *cert, size_t number)
{
    return number < CERT_EXTENSIONS ? cert->fulcio[number] : NULL;
}

const char *cert_issuer(const struct cert *cert)
{
    return cert->fulcio[8] ? cert->fulcio[8] : cert->fulcio[1];
}
