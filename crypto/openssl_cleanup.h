/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLEANUP() functions for every OpenSSL type used here, in one place. Only crypto/ .c files include this.
 * Each accepts a pointer to a NULL pointer.
 */
#ifndef PG_CRYPTO_OPENSSL_CLEANUP_H
#define PG_CRYPTO_OPENSSL_CLEANUP_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/attributes.h"

#define OPENSSL_FREEP(type, name, function) \
    static inline UNUSED void name(type **object) \
    { \
        if (*object) \
            function(*object); \
        *object = NULL; \
    }

OPENSSL_FREEP(EVP_PKEY, evp_pkey_freep, EVP_PKEY_free)
OPENSSL_FREEP(EVP_PKEY_CTX, evp_pkey_ctx_freep, EVP_PKEY_CTX_free)
OPENSSL_FREEP(EVP_MD_CTX, evp_md_ctx_freep, EVP_MD_CTX_free)
OPENSSL_FREEP(BIO, bio_freep, BIO_free_all)
OPENSSL_FREEP(BIGNUM, bn_freep, BN_free)
OPENSSL_FREEP(X509, x509_freep, X509_free)
OPENSSL_FREEP(X509_STORE, x509_store_freep, X509_STORE_free)
OPENSSL_FREEP(X509_STORE_CTX, x509_store_ctx_freep, X509_STORE_CTX_free)
OPENSSL_FREEP(OSSL_PARAM_BLD, param_bld_freep, OSSL_PARAM_BLD_free)
OPENSSL_FREEP(OSSL_PARAM, param_freep, OSSL_PARAM_free)
OPENSSL_FREEP(TS_RESP, ts_resp_freep, TS_RESP_free)
OPENSSL_FREEP(TS_VERIFY_CTX, ts_verify_ctx_freep, TS_VERIFY_CTX_free)
OPENSSL_FREEP(PKCS8_PRIV_KEY_INFO, pkcs8_freep, PKCS8_PRIV_KEY_INFO_free)
OPENSSL_FREEP(GENERAL_NAMES, general_names_freep, GENERAL_NAMES_free)
OPENSSL_FREEP(EXTENDED_KEY_USAGE, eku_freep, EXTENDED_KEY_USAGE_free)

/* The stack only: its certificates are borrowed. */
static inline UNUSED void x509_stack_freep(STACK_OF(X509) **stack)
{
    sk_X509_free(*stack);
    *stack = NULL;
}

/* The stack and its references. */
static inline UNUSED void x509_chain_freep(STACK_OF(X509) **chain)
{
    sk_X509_pop_free(*chain, X509_free);
    *chain = NULL;
}

static inline UNUSED void openssl_free_bytes(unsigned char **bytes)
{
    OPENSSL_free(*bytes);
    *bytes = NULL;
}

static inline UNUSED void openssl_errors_clear(const int *guard)
{
    (void)guard;
    ERR_clear_error();
}

/*
 * First line of a function that calls OpenSSL: whatever the library queues as errors is gone when it returns, so that
 * nothing of this call is mistaken for a failure of the next.
 */
#define OPENSSL_ERRORS_STAY_HERE const int openssl_errors_guard CLEANUP(openssl_errors_clear) UNUSED = 0

#endif
