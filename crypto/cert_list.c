/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates in PEM, one and several. */
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/pem.h"

static const char LABEL[] = "CERTIFICATE";

/* The block in front of text; ret_rest = what is behind it. */
static bool parse_block(struct span text, struct cert **ret, struct span *ret_rest, struct error *err)
{
    struct buf der CLEANUP(buf_free) = BUF_INIT(LIMIT_CERTIFICATE_BYTES);
    struct pem_block block;

    if (!pem_read(text, &block, err))
        return false;
    if (!span_eq_str(block.label, LABEL))
        return error_set(err, REASON_MALFORMED, "want PEM blocks %s only, found another kind", LABEL);
    if (!pem_decode(&block, LIMIT_CERTIFICATE_BYTES, &der, err) || !cert_parse_der(buf_as_span(&der), ret, err))
        return false;
    *ret_rest = block.behind;
    return true;
}

bool cert_parse_pem_first(struct span pem, struct cert **ret, struct error *err)
{
    struct span rest;

    return parse_block(pem, ret, &rest, err);
}

bool certs_add(struct certs *certs, struct cert *cert, struct error *err)
{
    if (!mem_grow(&certs->items, &certs->capacity, certs->count, sizeof(struct cert *), LIMIT_CHAIN_CERTIFICATES)) {
        cert_free(cert);
        return error_set(err, REASON_LIMIT, "more than %d certificates", (int)LIMIT_CHAIN_CERTIFICATES);
    }
    certs->items[certs->count++] = cert;
    return true;
}

bool certs_parse_pem(struct span pem, struct certs *ret, struct error *err)
{
    struct certs made CLEANUP(certs_done) = {.items = NULL};
    struct span rest = pem;

    do {
        struct cert *cert = NULL;

        if (!parse_block(rest, &cert, &rest, err) || !certs_add(&made, cert, err))
            return made.count > 0 ? error_wrap(err, "certificate %zu", made.count + 1) : false;
    } while (span_find(rest, "-----BEGIN ") != SIZE_MAX);
    *ret = made;
    made = (struct certs){.items = NULL}; /* transferred */
    return true;
}

void certs_done(struct certs *certs)
{
    for (size_t i = 0; i < certs->count; i++)
        cert_free(certs->items[i]);
    mem_free(certs->items);
    *certs = (struct certs){.items = NULL};
}
