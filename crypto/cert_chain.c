/* SPDX-License-Identifier: Apache-2.0 */
/* Chains: from a leaf to an anchor that the caller trusts, at a time that the caller names. */
#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "crypto/cert_internal.h"
#include "crypto/openssl_cleanup.h"

/*
 * OpenSSL's level 2: at least 112 bits, which excludes MD5 and SHA-1 signatures and RSA below 2048 in everything but
 * the anchor's own signature (which nobody checks).
 */
enum { SECURITY_LEVEL = 2 };

/*
 * Times are checked here and not by OpenSSL, which counts the last second of a validity as expired. Certificates that
 * are not valid at the time are left out of the pool, so that every chain that is found is valid as a whole.
 */
static bool usable(const struct cert *cert, const int64_t *at)
{
    return !at || cert_valid_at(cert, *at);
}

static X509_STORE *make_store(const struct cert_pool *pool, const int64_t *at)
{
    X509_STORE *store CLEANUP(x509_store_freep) = X509_STORE_new();

    for (size_t i = 0; store && i < pool->anchor_count; i++)
        if (usable(pool->anchors[i], at) && X509_STORE_add_cert(store, pool->anchors[i]->x509) != 1)
            x509_store_freep(&store);
    return TAKE_PTR(store);
}

static STACK_OF(X509) *make_stack(const struct cert_pool *pool, const int64_t *at)
{
    STACK_OF(X509) *stack CLEANUP(x509_stack_freep) = sk_X509_new_null();

    for (size_t i = 0; stack && i < pool->intermediate_count; i++)
        if (usable(pool->intermediates[i], at) && sk_X509_push(stack, pool->intermediates[i]->x509) <= 0)
            x509_stack_freep(&stack);
    return TAKE_PTR(stack);
}

/* Depth, level and flags are all set by hand, and nothing reads the clock. */
static bool set_parameters(X509_STORE_CTX *ctx)
{
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_depth(parameters, LIMIT_CHAIN_CERTIFICATES);
    X509_VERIFY_PARAM_set_auth_level(parameters, SECURITY_LEVEL);
    /* PARTIAL_CHAIN: an anchor need not be a root (sigstore.md 3.1). */
    return X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST |
                                                       X509_V_FLAG_NO_CHECK_TIME) == 1;
}

static bool has_usage(const EXTENDED_KEY_USAGE *usages, int nid)
{
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
        if (OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i)) == nid)
            return true;
    return false;
}

/* RFC 5280 section 4.2.1.12, and RFC 3161 section 2.3 for time stamping. */
static bool check_usage(X509 *x509, bool leaf, enum cert_purpose purpose, struct error *err)
{
    int wanted = purpose == CERT_PURPOSE_TIME_STAMPING ? NID_time_stamp : NID_code_sign;
    EXTENDED_KEY_USAGE *usages CLEANUP(eku_freep) = NULL;
    int critical = -1;

    if (purpose == CERT_PURPOSE_ANY)
        return true;
    usages = X509_get_ext_d2i(x509, NID_ext_key_usage, &critical, NULL);
    if (!usages && critical != -1)
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate's extended key usage does not decode");
    if (!leaf) {
        if (!usages || has_usage(usages, wanted) || has_usage(usages, NID_anyExtendedKeyUsage))
            return true;
        return error_set(err, REASON_UNTRUSTED_CHAIN, "a certificate authority in the chain is not for this purpose");
    }
    /* "If the extension is present", it limits the key; without it nothing does, unless the application asks for it. */
    if (purpose == CERT_PURPOSE_UNRESTRICTED && (!usages || has_usage(usages, NID_anyExtendedKeyUsage)))
        return true;
    if (!usages || !has_usage(usages, wanted))
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate is not for %s (extended key usage)",
                         wanted == NID_code_sign ? "code signing" : "time stamping");
    if (purpose == CERT_PURPOSE_TIME_STAMPING && (critical != 1 || sk_ASN1_OBJECT_num(usages) != 1))
        return error_set(err, REASON_UNTRUSTED_CHAIN,
                         "time-stamping certificate's extended key usage must be critical and "
                         "name nothing else");
    return true;
}

static bool check_leaf(const struct cert *leaf, struct error *err)
{
    uint32_t usage = X509_get_key_usage(leaf->x509); /* UINT32_MAX when absent */

    if (leaf->is_ca)
        return error_set(err, REASON_UNTRUSTED_CHAIN, "signing certificate is a certificate authority");
    if ((usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
        return error_set(err, REASON_UNTRUSTED_CHAIN, "signing certificate's key usage has no digital signature");
    return true;
}

static bool out_of_time(const struct cert *cert, const char *what, int64_t at, struct error *err)
{
    char when[TIME_TEXT_BYTES];

    /* Fulcio's leaves have no subject. */
    return error_set(err, REASON_EXPIRED, "%s%s%s%s is %s at %s", what, cert->subject[0] ? " (subject \"" : "",
                     cert->subject, cert->subject[0] ? "\")" : "", at > cert->not_after ? "expired" : "not valid yet",
                     time_format(at, when));
}

/* The pool's certificate that stands at this place of the chain; NULL beyond its end. */
static struct cert *find_in_pool(const struct cert_pool *pool, const STACK_OF(X509) *chain, int place)
{
    X509 *wanted = place < sk_X509_num(chain) ? sk_X509_value(chain, place) : NULL;

    for (size_t i = 0; wanted && i < pool->anchor_count; i++)
        if (X509_cmp(pool->anchors[i]->x509, wanted) == 0)
            return pool->anchors[i];
    for (size_t i = 0; wanted && i < pool->intermediate_count; i++)
        if (X509_cmp(pool->intermediates[i]->x509, wanted) == 0)
            return pool->intermediates[i];
    return NULL;
}

/* Builds a chain from what is usable at the time (NULL = from everything); true = ctx holds it. */
static bool build_chain(const struct cert *leaf, const struct cert_pool *pool, const int64_t *at, struct error *err,
                        STACK_OF(X509) **ret_chain)
{
    X509_STORE *store CLEANUP(x509_store_freep) = make_store(pool, at);
    STACK_OF(X509) *untrusted CLEANUP(x509_stack_freep) = make_stack(pool, at);
    X509_STORE_CTX *ctx CLEANUP(x509_store_ctx_freep) = X509_STORE_CTX_new();

    if (!store || !untrusted || !ctx)
        return error_oom(err);
    if (X509_STORE_CTX_init(ctx, store, leaf->x509, untrusted) != 1 || !set_parameters(ctx))
        return error_set(err, REASON_INTERNAL, "OpenSSL cannot set up a chain");
    if (X509_verify_cert(ctx) != 1)
        return error_set(err, REASON_UNTRUSTED_CHAIN, "certificate does not lead to a trusted authority: %s",
                         X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    *ret_chain = X509_STORE_CTX_get1_chain(ctx);
    return *ret_chain ? true : error_oom(err);
}

/* No chain at that time: when there is one at another time, say which certificate is at fault. */
static bool explain(const struct cert *leaf, const struct cert_pool *pool, int64_t at, struct error *err)
{
    STACK_OF(X509) *chain CLEANUP(x509_chain_freep) = NULL;
    struct error ignored = ERROR_INIT;
    const struct cert *cert;

    if (err->reason != REASON_UNTRUSTED_CHAIN || !build_chain(leaf, pool, NULL, &ignored, &chain))
        return false;
    for (int i = 1; (cert = find_in_pool(pool, chain, i)) != NULL; i++)
        if (!cert_valid_at(cert, at))
            return out_of_time(cert, "a certificate authority in the chain", at, err);
    return false;
}

bool cert_verify_chain(const struct cert *leaf, const struct cert_pool *pool, enum cert_purpose purpose, int64_t at,
                       struct cert **ret_issuer, struct error *err)
{
    OPENSSL_ERRORS_STAY_HERE;
    STACK_OF(X509) *chain CLEANUP(x509_chain_freep) = NULL;

    if (!check_leaf(leaf, err) || !check_usage(leaf->x509, true, purpose, err))
        return false;
    if (!cert_valid_at(leaf, at))
        return out_of_time(leaf, "signing certificate", at, err);
    if (!build_chain(leaf, pool, &at, err, &chain))
        return explain(leaf, pool, at, err);
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (!check_usage(sk_X509_value(chain, i), false, purpose, err))
            return false;
    if (ret_issuer)
        *ret_issuer = cert_ref(find_in_pool(pool, chain, 1));
    return true;
}
