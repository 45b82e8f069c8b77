/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <string.h>

#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

#define SAMPLES "crypto/samples/"
#define CERTS "crypto/certs/"

enum { AT = 1795451667 }; /* 2026-11-23T16:34:27Z: the sample's signature */

static struct cert *cert_of(const char *name)
{
    struct buf bytes CLEANUP(buf_free) = vector_read(name);
    struct cert *cert = NULL;
    struct error err = ERROR_INIT;
    bool done = span_starts(buf_as_span(&bytes), "-----") ? cert_parse_pem_first(buf_as_span(&bytes), &cert, &err)
                                                          : cert_parse_der(buf_as_span(&bytes), &cert, &err);

    ck_assert_msg(done, "%s: %s", name, err.text);
    return cert;
}

START_TEST(facts)
{
    struct cert *cert CLEANUP(cert_freep) = cert_of(SAMPLES "r1.der");
    struct cert *issuer CLEANUP(cert_freep) = cert_of(SAMPLES "fulcio.der");

    ck_assert_str_eq(cert_serial(cert), "11182004");
    ck_assert_str_eq(cert_subject(issuer), "O=sigstore.mock,CN=sigstore");
    ck_assert_str_eq(cert_subject(cert), "");
    ck_assert_int_eq(cert_not_before(cert), AT);
    ck_assert_int_eq(cert_not_after(cert), AT + 600);
    ck_assert(cert_valid_at(cert, AT) && cert_valid_at(cert, AT + 600));
    ck_assert(!cert_valid_at(cert, AT - 1) && !cert_valid_at(cert, AT + 601));
    ck_assert(!cert_is_ca(cert) && cert_is_ca(issuer));
    ck_assert_int_eq(pubkey_type(cert_key(cert)), KEY_EC_P256);
    ck_assert(span_eq(cert_spki(cert), pubkey_spki(cert_key(cert))));
    ck_assert_uint_eq(cert_san_count(cert), 1);
    ck_assert_int_eq(cert_identity(cert)->kind, CERT_SAN_URI);
    ck_assert_str_eq(cert_identity(cert)->text,
                     "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main");
    ck_assert_str_eq(cert_issuer(cert), "https://token.actions.githubusercontent.com");
    ck_assert_str_eq(cert_extension(cert, 1), cert_extension(cert, 8));
    ck_assert_str_eq(cert_extension(cert, 2), "push");
    ck_assert_str_eq(cert_extension(cert, 20), "push");
    ck_assert_str_eq(cert_extension(cert, 5), "example/app");
    ck_assert_ptr_null(cert_extension(cert, 9));
    ck_assert_ptr_null(cert_extension(cert, 0));
    ck_assert_ptr_null(cert_extension(cert, 99));
    ck_assert_ptr_null(cert_identity(issuer));
    ck_assert_ptr_null(cert_issuer(issuer));
}
END_TEST

/* tests/vectors/crypto/make-certs.py says what each is. `kind` and `name`: cert_identity; reason otherwise. */
static const struct {
    const char *file;
    enum reason reason;
    enum cert_san_kind kind;
    const char *name;
    size_t names;
} parse_cases[] = {
    {"leaf", REASON_OK, CERT_SAN_URI, "https://example.test/app", 1},
    {"san-all", REASON_OK, CERT_SAN_URI, "https://example.test/first", 7},
    {"san-email", REASON_OK, CERT_SAN_EMAIL, "who@example.test", 2},
    {"san-other", REASON_OK, CERT_SAN_OTHER, "user!example.test", 1},
    {"san-foreign-other", REASON_OK, CERT_SAN_NONE, NULL, 0},
    {"san-none", REASON_OK, CERT_SAN_NONE, NULL, 0},
    {"issuer-v1-only", REASON_OK, CERT_SAN_URI, "https://example.test/app", 1},
    {"san-garbled", REASON_MALFORMED, 0, "extension that does not decode", 0},
    {"san-nul", REASON_MALFORMED, 0, "subject alternative name", 0},
    {"san-latin1", REASON_MALFORMED, 0, "subject alternative name", 0},
    {"san-utf8", REASON_MALFORMED, 0, "subject alternative name", 0},
    {"extension-twice", REASON_MALFORMED, 0, "strict DER", 0},
    {"san-empty-name", REASON_MALFORMED, 0, "subject alternative name", 0},
    {"san-ip-short", REASON_MALFORMED, 0, "IP address", 0},
    {"issuers-differ", REASON_MALFORMED, 0, "two different OIDC issuers", 0},
    {"issuer-v2-trailing", REASON_MALFORMED, 0, "not one UTF8String", 0},
    {"issuer-v2-raw", REASON_MALFORMED, 0, "not one UTF8String", 0},
    {"issuer-v1-control", REASON_MALFORMED, 0, "is no text", 0},
};

START_TEST(parses_names)
{
    char path[128];
    struct buf der CLEANUP(buf_free) = BUF_INIT(0);
    struct cert *cert CLEANUP(cert_freep) = NULL;
    struct error err = ERROR_INIT;
    bool done;

    (void)snprintf(path, sizeof(path), CERTS "%s.der", parse_cases[_i].file);
    der = vector_read(path);
    done = cert_parse_der(buf_as_span(&der), &cert, &err);
    if (parse_cases[_i].reason != REASON_OK) {
        ck_assert_msg(!done && err.reason == parse_cases[_i].reason && strstr(err.text, parse_cases[_i].name), "%s: %s",
                      path, err.text);
        return;
    }
    ck_assert_msg(done, "%s: %s", path, err.text);
    ck_assert_uint_eq(cert_san_count(cert), parse_cases[_i].names);
    if (!parse_cases[_i].name) {
        ck_assert_ptr_null(cert_identity(cert));
        return;
    }
    ck_assert_int_eq(cert_identity(cert)->kind, parse_cases[_i].kind);
    ck_assert_str_eq(cert_identity(cert)->text, parse_cases[_i].name);
}
END_TEST

/* The issuer is the extension of that very number, not one below it. */
START_TEST(numbers_are_whole)
{
    struct cert *longer CLEANUP(cert_freep) = cert_of(CERTS "issuer-number-longer.der");
    struct cert *very CLEANUP(cert_freep) = cert_of(CERTS "issuer-v1-only.der");

    ck_assert_str_eq(cert_issuer(very), "https://issuer.test");
    ck_assert_ptr_null(cert_issuer(longer));
    for (size_t i = 0; i < CERT_EXTENSIONS; i++)
        ck_assert_ptr_null(cert_extension(longer, i));
}
END_TEST

START_TEST(all_san_kinds)
{
    static const struct cert_san wanted[] = {
        {CERT_SAN_DNS, (char *)(uintptr_t)"example.test"},  {CERT_SAN_EMAIL, (char *)(uintptr_t)"who@example.test"},
        {CERT_SAN_URI, (char *)(uintptr_t)"https://example.test/first"},
        {CERT_SAN_URI, (char *)(uintptr_t)"https://example.test/second"},
        {CERT_SAN_IP, (char *)(uintptr_t)"192.0.2.1"},      {CERT_SAN_IP, (char *)(uintptr_t)"2001:db8::1"},
        {CERT_SAN_OTHER, (char *)(uintptr_t)"user!example.test"},
    };
    struct cert *cert CLEANUP(cert_freep) = cert_of(CERTS "san-all.der");

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        ck_assert_int_eq(cert_san(cert, i)->kind, wanted[i].kind);
        ck_assert_str_eq(cert_san(cert, i)->text, wanted[i].text);
    }
    ck_assert_ptr_null(cert_san(cert, ARRAY_LEN(wanted)));
}
END_TEST

/* Chains: leaf, anchors, intermediates (names below certs/, separated by blanks), purpose, time. */
static const struct {
    const char *leaf, *anchors, *intermediates;
    enum cert_purpose purpose;
    int64_t at;
    enum reason reason;
    const char *issuer;
} chains[] = {
    {"leaf", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_OK, "intermediate"},
    {"leaf", "other-root root", "other-root intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_OK, "intermediate"},
    {"leaf", "intermediate", "", CERT_PURPOSE_CODE_SIGNING, AT, REASON_OK, "intermediate"}, /* partial chain */
    {"leaf", "root", "", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf", "", "root intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN,
     NULL}, /* root does not help */
    {"leaf", "other-root", "intermediate root", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf", "impostor-root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN,
     NULL}, /* same name */
    {"leaf", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT - 1, REASON_EXPIRED, NULL},
    {"leaf", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT + 600, REASON_OK, "intermediate"},
    {"leaf", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT + 601, REASON_EXPIRED, NULL},
    {"leaf", "root", "intermediate", CERT_PURPOSE_TIME_STAMPING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf", "root", "intermediate", CERT_PURPOSE_ANY, AT, REASON_OK, "intermediate"},
    {"leaf-long", "root", "intermediate-expired", CERT_PURPOSE_CODE_SIGNING, AT, REASON_EXPIRED, NULL},
    {"leaf-long", "intermediate-expired", "", CERT_PURPOSE_CODE_SIGNING, AT, REASON_EXPIRED,
     NULL}, /* anchor's time counts */
    {"leaf-long", "root", "intermediate-expired intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_OK,
     "intermediate"},
    {"leaf-long", "intermediate-expired root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_OK,
     "intermediate"},
    {"leaf-no-eku", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-no-eku", "root", "intermediate", CERT_PURPOSE_ANY, AT, REASON_OK, "intermediate"},
    {"leaf-no-eku", "root", "intermediate", CERT_PURPOSE_UNRESTRICTED, AT, REASON_OK, "intermediate"},
    {"leaf", "root", "intermediate", CERT_PURPOSE_UNRESTRICTED, AT, REASON_OK, "intermediate"},
    {"tsa", "root", "", CERT_PURPOSE_UNRESTRICTED, AT, REASON_UNTRUSTED_CHAIN, NULL}, /* it says another */
    {"leaf-by-tsa-ca", "root", "intermediate-tsa-only", CERT_PURPOSE_UNRESTRICTED, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-ca", "root", "intermediate", CERT_PURPOSE_UNRESTRICTED, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-ca", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-ku-agree", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-by-leaf", "root", "intermediate leaf", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-by-tsa-ca", "root", "intermediate-tsa-only", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-sha1", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, 1900000000, REASON_UNTRUSTED_CHAIN, NULL},
    {"leaf-critical", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"san-other", "root", "intermediate", CERT_PURPOSE_CODE_SIGNING, AT, REASON_OK,
     "intermediate"}, /* critical, OtherName only */
    {"tsa", "root", "", CERT_PURPOSE_TIME_STAMPING, AT, REASON_OK, "root"},
    {"tsa", "root", "", CERT_PURPOSE_CODE_SIGNING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"tsa-uncritical", "root", "", CERT_PURPOSE_TIME_STAMPING, AT, REASON_UNTRUSTED_CHAIN, NULL},
    {"tsa-two-usages", "root", "", CERT_PURPOSE_TIME_STAMPING, AT, REASON_UNTRUSTED_CHAIN, NULL},
};

static struct certs certs_of(const char *names)
{
    struct certs certs = {.items = NULL};
    struct error err = ERROR_INIT;
    struct span rest = span_str(names);

    while (rest.len > 0) {
        size_t blank = span_find_byte(rest, ' ');
        struct span name = span_cut(rest, 0, blank);
        char path[128];

        (void)snprintf(path, sizeof(path), CERTS "%.*s.der", (int)name.len, (const char *)name.ptr);
        ck_assert(certs_add(&certs, cert_of(path), &err));
        rest = blank == SIZE_MAX ? span_of(NULL, 0) : span_cut(rest, blank + 1, rest.len);
    }
    return certs;
}

START_TEST(chain_cases)
{
    struct certs leaf CLEANUP(certs_done) = certs_of(chains[_i].leaf);
    struct certs anchors CLEANUP(certs_done) = certs_of(chains[_i].anchors);
    struct certs intermediates CLEANUP(certs_done) = certs_of(chains[_i].intermediates);
    struct cert_pool pool = {anchors.items, anchors.count, intermediates.items, intermediates.count};
    struct cert *issuer CLEANUP(cert_freep) = NULL;
    struct error err = ERROR_INIT;
    bool done = cert_verify_chain(leaf.items[0], &pool, chains[_i].purpose, chains[_i].at, &issuer, &err);

    ck_assert_msg(done == (chains[_i].reason == REASON_OK), "chain %d: %s", _i, err.text);
    if (done) {
        struct certs wanted CLEANUP(certs_done) = certs_of(chains[_i].issuer);

        ck_assert(cert_eq(issuer, wanted.items[0]));
    } else {
        ck_assert_msg(err.reason == chains[_i].reason, "chain %d: %s: %s", _i, reason_name(err.reason), err.text);
        ck_assert_ptr_null(issuer);
    }
}
END_TEST

static bool leads_to(struct span der, const struct cert_pool *pool)
{
    struct cert *leaf CLEANUP(cert_freep) = NULL;
    struct error err = ERROR_INIT;

    return cert_parse_der(der, &leaf, &err) && cert_verify_chain(leaf, pool, CERT_PURPOSE_CODE_SIGNING, AT, NULL, &err);
}

/* Each bit flipped and each cut of a leaf: it does not parse, or it leads nowhere. */
START_TEST(damaged_leaf)
{
    struct buf der CLEANUP(buf_free) = vector_read(SAMPLES "r1.der");
    struct cert *anchor CLEANUP(cert_freep) = cert_of(SAMPLES "fulcio.der");
    struct cert_pool pool = {&anchor, 1, NULL, 0};
    struct error err = ERROR_INIT;

    ck_assert(leads_to(buf_as_span(&der), &pool));
    for (size_t i = 0; i < der.len * 8; i += vector_bit_step()) {
        der.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_msg(!leads_to(buf_as_span(&der), &pool), "bit %zu", i);
        der.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < der.len; len++) {
        struct cert *leaf = NULL;

        ck_assert(!cert_parse_der(span_of(der.ptr, len), &leaf, &err));
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
    }
    buf_byte(&der, 0);
    ck_assert(!cert_parse_der(buf_as_span(&der), &anchor, &err));
}
END_TEST

START_TEST(lists)
{
    struct buf chain CLEANUP(buf_free) = vector_read("cosign-3.1.1/keys/byo-pki/chain.pem");
    struct buf leaf CLEANUP(buf_free) = vector_read("cosign-3.1.1/keys/byo-pki/leaf.pem");
    struct buf many CLEANUP(buf_free) = BUF_INIT(1024 * 1024);
    struct certs certs CLEANUP(certs_done) = {.items = NULL};
    struct cert *one CLEANUP(cert_freep) = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(certs_parse_pem(buf_as_span(&chain), &certs, &err), "%s", err.text);
    ck_assert_uint_eq(certs.count, 2);
    ck_assert(cert_parse_pem_first(buf_as_span(&chain), &one, &err));
    ck_assert(cert_eq(one, certs.items[0]));
    for (int i = 0; i < 17; i++)
        buf_span(&many, buf_as_span(&leaf));
    ck_assert(!certs_parse_pem(buf_as_span(&many), &certs, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    ck_assert(!certs_parse_pem(span_str(""), &certs, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_cert");
    TCase *cases = tcase_create("cert");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, facts);
    tcase_add_loop_test(cases, parses_names, 0, ARRAY_LEN(parse_cases));
    tcase_add_test(cases, numbers_are_whole);
    tcase_add_test(cases, all_san_kinds);
    tcase_add_loop_test(cases, chain_cases, 0, ARRAY_LEN(chains));
    tcase_add_test(cases, damaged_leaf);
    tcase_add_test(cases, lists);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
