/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of log entries of every kind against one signature, and the leaf that Rekor v2 must have stored. */
#include "verifier/rekor.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/lib/test_registry.h"
#include "tests/unit/harness.h"

static const char message[] = "the signed message", payload[] = "{\"payload\":1}", envelope[] = "{\"envelope\":1}",
                  signature[] = "signature bytes";

/* What stands for @X in a template. */
struct words {
    char message256[130], message512[130], payload256[130], envelope256[130], other256[130];
    struct buf signature, signature_twice, key, other_key, other_signature;
};

static struct pubkey *key, *other;
static struct words words;

static void hash(enum digest_alg alg, const char *text, char *dst)
{
    struct digest digest;

    if (!digest_compute(alg, span_str(text), &digest))
        abort();
    (void)digest_hex(&digest, dst);
}

static struct buf encoded(struct span bytes)
{
    struct buf buf = BUF_INIT(10000);

    base64_encode(bytes, &buf);
    return buf;
}

static void words_make(void)
{
    struct span pem = test_vector("keys/cosign.pub"), other_pem = test_vector("keys/prime256v1.pub");

    hash(DIGEST_SHA256, message, words.message256);
    hash(DIGEST_SHA512, message, words.message512);
    hash(DIGEST_SHA256, payload, words.payload256);
    hash(DIGEST_SHA256, envelope, words.envelope256);
    hash(DIGEST_SHA256, "other", words.other256);
    words.signature = encoded(span_str(signature));
    words.signature_twice = encoded(buf_as_span(&words.signature));
    words.other_signature = encoded(span_str("another"));
    words.key = encoded(pem);
    words.other_key = encoded(other_pem);
    mem_free((void *)(uintptr_t)pem.ptr);
    mem_free((void *)(uintptr_t)other_pem.ptr);
}

static const char *word(char name)
{
    switch (name) {
    case 'm':
        return words.message256;
    case 'M':
        return words.message512;
    case 'p':
        return words.payload256;
    case 'e':
        return words.envelope256;
    case 'o':
        return words.other256;
    case 's':
        return buf_cstr(&words.signature);
    case 'S':
        return buf_cstr(&words.signature_twice);
    case 'x':
        return buf_cstr(&words.other_signature);
    case 'k':
        return buf_cstr(&words.key);
    default:
        return buf_cstr(&words.other_key);
    }
}

static struct buf expand(const char *template)
{
    struct buf buf = BUF_INIT(100000);

    for (const char *c = template; *c; c++) {
        if (*c == '@')
            buf_str(&buf, word(*++c));
        else
            buf_byte(&buf, (uint8_t)*c);
    }
    return buf;
}

#define HASH(alg, value) "{\"algorithm\":\"" alg "\",\"value\":\"" value "\"}"
#define HASHED(hash, sig, key)                                                                                         \
    "{\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\",\"spec\":{\"data\":{\"hash\":" hash                           \
    "},\"signature\":{\"content\":\"" sig "\",\"publicKey\":{\"content\":\"" key "\"}}}}"
#define DSSE(env, pay, sigs)                                                                                           \
    "{\"apiVersion\":\"0.0.1\",\"kind\":\"dsse\",\"spec\":{\"envelopeHash\":" env ",\"payloadHash\":" pay              \
    ",\"signatures\":[" sigs "]}}"
#define SIG(sig, key) "{\"signature\":\"" sig "\",\"verifier\":\"" key "\"}"
#define INTOTO2(hash, pay, sig, key)                                                                                   \
    "{\"apiVersion\":\"0.0.2\",\"kind\":\"intoto\",\"spec\":{\"content\":{\"envelope\":{\"payloadType\":\"t\","        \
    "\"signatures\":[{\"sig\":\"" sig "\",\"publicKey\":\"" key "\"}]},\"hash\":" hash ",\"payloadHash\":" pay "}}}"
#define INTOTO1(hash, key)                                                                                             \
    "{\"apiVersion\":\"0.0.1\",\"kind\":\"intoto\",\"spec\":{\"content\":{\"hash\":" hash "},\"publicKey\":\"" key     \
    "\"}}"
#define MSG HASH("sha256", "@m")
#define PAY HASH("sha256", "@p")
#define ENV HASH("sha256", "@e")
#define ODD HASH("sha256", "@o")

enum front { PLAIN, DSSE_BUNDLE_FRONT, DSSE_LEGACY_FRONT };

static const struct {
    const char *body;
    enum front front;
    enum reason reason;
} cases[] = {
    {HASHED(MSG, "@s", "@k"), PLAIN, REASON_OK},
    {HASHED(MSG, "@s", "@k"), DSSE_BUNDLE_FRONT, REASON_OK},
    {HASHED(HASH("sha512", "@M"), "@s", "@k"), PLAIN, REASON_OK},
    {HASHED(HASH("sha512", "@m"), "@s", "@k"), PLAIN, REASON_NO_LOG_ENTRY},
    {HASHED(HASH("sha1", "@m"), "@s", "@k"), PLAIN, REASON_UNSUPPORTED},
    {HASHED(ODD, "@s", "@k"), PLAIN, REASON_NO_LOG_ENTRY},
    {HASHED(MSG, "@x", "@k"), PLAIN, REASON_NO_LOG_ENTRY},
    {HASHED(MSG, "*", "@k"), PLAIN, REASON_MALFORMED},
    {HASHED(MSG, "@s", "@z"), PLAIN, REASON_NO_LOG_ENTRY},
    {HASHED(MSG, "@s", "@s"), PLAIN, REASON_NO_LOG_ENTRY},
    {HASHED(MSG, "@s", "*"), PLAIN, REASON_MALFORMED},
    {HASHED("{}", "@s", "@k"), PLAIN, REASON_MALFORMED},
    {DSSE(ENV, PAY, SIG("@s", "@k")), DSSE_LEGACY_FRONT, REASON_OK},
    {DSSE(ENV, PAY, SIG("@s", "@k")), DSSE_BUNDLE_FRONT, REASON_OK},
    {DSSE(ODD, PAY, SIG("@s", "@k")), DSSE_BUNDLE_FRONT,
     REASON_OK}, /* the logged envelope's bytes are not in a bundle */
    {DSSE(ODD, PAY, SIG("@s", "@k")), DSSE_LEGACY_FRONT, REASON_NO_LOG_ENTRY},
    {DSSE(ENV, ODD, SIG("@s", "@k")), DSSE_BUNDLE_FRONT, REASON_NO_LOG_ENTRY},
    {DSSE(ENV, PAY, SIG("@x", "@k")), DSSE_BUNDLE_FRONT, REASON_NO_LOG_ENTRY},
    {DSSE(ENV, PAY, SIG("@s", "@z")), DSSE_BUNDLE_FRONT, REASON_NO_LOG_ENTRY},
    {DSSE(ENV, PAY, SIG("@x", "@z") "," SIG("@s", "@k")), DSSE_BUNDLE_FRONT, REASON_OK},
    {DSSE(ENV, PAY, SIG("@s", "@z") "," SIG("@x", "@k")), DSSE_BUNDLE_FRONT, REASON_NO_LOG_ENTRY},
    {DSSE(ENV, PAY, ""), DSSE_BUNDLE_FRONT, REASON_NO_LOG_ENTRY},
    {DSSE(ENV, PAY, SIG("@s", "@k")), PLAIN, REASON_NO_LOG_ENTRY},
    {INTOTO2(ENV, PAY, "@S", "@k"), DSSE_LEGACY_FRONT, REASON_OK},
    {INTOTO2(ODD, PAY, "@S", "@k"), DSSE_BUNDLE_FRONT, REASON_OK},
    {INTOTO2(ODD, PAY, "@S", "@k"), DSSE_LEGACY_FRONT, REASON_NO_LOG_ENTRY},
    {INTOTO2(ENV, ODD, "@S", "@k"), DSSE_LEGACY_FRONT, REASON_NO_LOG_ENTRY},
    {INTOTO2(ENV, PAY, "@s", "@k"), DSSE_LEGACY_FRONT, REASON_MALFORMED}, /* base64 once only */
    {INTOTO2(ENV, PAY, "@S", "@z"), DSSE_LEGACY_FRONT, REASON_NO_LOG_ENTRY},
    {INTOTO2(ENV, PAY, "@S", "@k"), PLAIN, REASON_NO_LOG_ENTRY},
    {INTOTO1(ENV, "@k"), DSSE_LEGACY_FRONT, REASON_OK},
    {INTOTO1(ODD, "@k"), DSSE_LEGACY_FRONT, REASON_NO_LOG_ENTRY},
    {INTOTO1(ENV, "@z"), DSSE_LEGACY_FRONT, REASON_NO_LOG_ENTRY},
    {INTOTO1(ENV, "@k"), DSSE_BUNDLE_FRONT, REASON_UNSUPPORTED}, /* says nothing about the signature */
    {"{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{}}", PLAIN, REASON_UNSUPPORTED},
    {"{\"apiVersion\":\"0.0.1\",\"kind\":\"rpm\",\"spec\":{}}", PLAIN, REASON_UNSUPPORTED},
    {"{\"apiVersion\":\"0.0.2\",\"kind\":\"dsse\",\"spec\":{}}", DSSE_BUNDLE_FRONT, REASON_UNSUPPORTED},
    {"{\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\"}", PLAIN, REASON_MALFORMED},
    {"{\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\",\"spec\":{},\"more\":1}", PLAIN, REASON_MALFORMED},
    {"", PLAIN, REASON_MALFORMED},
    {"[]", PLAIN, REASON_MALFORMED},
};

static struct rekor_subject subject_of(enum front front)
{
    return (struct rekor_subject){
        .message = span_str(message),
        .payload = span_str(payload),
        .envelope = span_str(envelope),
        .signature = span_str(signature),
        .key = key,
        .is_dsse = front != PLAIN,
        .is_legacy = front != DSSE_BUNDLE_FRONT,
    };
}

START_TEST(bodies_are_held_against_our_facts)
{
    struct buf body = expand(cases[_i].body);
    struct log_entry entry = {.body = buf_as_span(&body)};
    struct rekor_subject subject = subject_of(cases[_i].front);
    struct keep keep = {0};
    struct error err = ERROR_INIT;
    bool done = rekor_check_body(&keep, &entry, &subject, &err);

    ck_assert_msg(done == (cases[_i].reason == REASON_OK), "%s: %s", cases[_i].body, err.text);
    if (!done)
        ck_assert_msg(err.reason == cases[_i].reason, "%s: %s (%s)", cases[_i].body, reason_name(err.reason), err.text);
    keep_done(&keep);
    buf_free(&body);
}
END_TEST

START_TEST(kind_and_version_are_the_bodys)
{
    static const struct {
        const char *kind, *version;
        bool good;
    } pairs[] = {
        {"", "", true}, {"hashedrekord", "0.0.1", true}, {"hashedrekord", "0.0.2", false}, {"dsse", "0.0.1", false}};
    struct buf body = expand(HASHED(MSG, "@s", "@k"));
    struct rekor_subject subject = subject_of(PLAIN);

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct log_entry entry = {
            .body = buf_as_span(&body), .kind = span_str(pairs[i].kind), .version = span_str(pairs[i].version)};
        struct keep keep = {0};
        struct error err = ERROR_INIT;

        ck_assert_int_eq(rekor_check_body(&keep, &entry, &subject, &err), pairs[i].good);
        ck_assert(pairs[i].good || err.reason == REASON_NO_LOG_ENTRY);
        keep_done(&keep);
    }
    buf_free(&body);
}
END_TEST

START_TEST(a_known_digest_has_one_algorithm)
{
    static const struct {
        const char *body;
        bool good;
    } bodies[] = {{HASHED(MSG, "@s", "@k"), true},
                  {HASHED(HASH("sha512", "@m"), "@s", "@k"), false},
                  {HASHED(ODD, "@s", "@k"), false}};
    struct digest digest;

    ck_assert(digest_compute(DIGEST_SHA256, span_str(message), &digest));
    for (size_t i = 0; i < 3; i++) {
        struct buf body = expand(bodies[i].body);
        struct log_entry entry = {.body = buf_as_span(&body)};
        struct rekor_subject subject = subject_of(PLAIN);
        struct keep keep = {0};
        struct error err = ERROR_INIT;

        subject.message = span_of(NULL, 0);
        subject.digest = &digest;
        ck_assert_int_eq(rekor_check_body(&keep, &entry, &subject, &err), bodies[i].good);
        keep_done(&keep);
        buf_free(&body);
    }
}
END_TEST

/* Each kind of key has its own digest and name (sigstore.md 3.7). */
START_TEST(leaves_go_by_the_key)
{
    static const struct {
        const char *file, *alg, *details;
        enum digest_alg digest;
    } keys[] = {
        {"prime256v1.pub", "SHA2_256", "PKIX_ECDSA_P256_SHA_256", DIGEST_SHA256},
        {"secp384r1.pub", "SHA2_384", "PKIX_ECDSA_P384_SHA_384", DIGEST_SHA384},
        {"secp521r1.pub", "SHA2_512", "PKIX_ECDSA_P521_SHA_512", DIGEST_SHA512},
        {"ed25519.pub", "SHA2_512", "PKIX_ED25519_PH", DIGEST_SHA512},
        {"rsa2048.pub", "SHA2_256", "PKIX_RSA_PKCS1V15_2048_SHA256", DIGEST_SHA256},
        {"rsa3072.pub", "SHA2_256", "PKIX_RSA_PKCS1V15_3072_SHA256", DIGEST_SHA256},
        {"rsa4096.pub", "SHA2_256", "PKIX_RSA_PKCS1V15_4096_SHA256", DIGEST_SHA256},
    };
    struct pubkey *one = test_key(keys[_i].file);
    struct rekor_subject subject = subject_of(PLAIN);
    struct buf leaf = BUF_INIT(10000), wanted = BUF_INIT(10000);
    struct digest digest;
    struct error err = ERROR_INIT;

    subject.key = one;
    ck_assert(digest_compute(keys[_i].digest, span_str(message), &digest));
    ck_assert_msg(rekor_rebuild_v2(&subject, &leaf, &err), "%s", err.text);
    buf_printf(&wanted,
               "{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{\"hashedRekordV002\":{\"data\":{"
               "\"algorithm\":\"%s\",\"digest\":\"",
               keys[_i].alg);
    base64_encode(span_of(digest.bytes, digest_size(digest.alg)), &wanted);
    buf_printf(
        &wanted,
        "\"},\"signature\":{\"content\":\"%s\",\"verifier\":{\"keyDetails\":\"%s\",\"publicKey\":{\"rawBytes\":\"",
        buf_cstr(&words.signature), keys[_i].details);
    base64_encode(pubkey_spki(one), &wanted);
    buf_str(&wanted, "\"}}}}}}");
    ck_assert_str_eq(buf_cstr(&leaf), buf_cstr(&wanted));
    /* The same from the digest alone; with another digest than the key's it cannot be told. */
    buf_clear(&leaf);
    subject.digest = &digest;
    subject.message = span_of(NULL, 0);
    ck_assert(rekor_rebuild_v2(&subject, &leaf, &err));
    ck_assert_str_eq(buf_cstr(&leaf), buf_cstr(&wanted));
    digest.alg = keys[_i].digest == DIGEST_SHA256 ? DIGEST_SHA512 : DIGEST_SHA256;
    ck_assert(!rekor_rebuild_v2(&subject, &leaf, &err));
    ck_assert_int_eq(err.reason, REASON_UNSUPPORTED);
    buf_free(&leaf);
    buf_free(&wanted);
    pubkey_free(one);
}
END_TEST

#define LEGACY_ENTRY(set, body, time, index, id)                                                                       \
    "{\"SignedEntryTimestamp\":" set ",\"Payload\":{\"body\":" body ",\"integratedTime\":" time ",\"logIndex\":" index \
    ",\"logID\":" id "}}"
#define ID "\"9306cb91463b306312ca9e07ba6a1394ffead0fe96569be5d8c4033e833e4f5e\""

START_TEST(legacy_annotations_are_strict)
{
    static const struct {
        const char *json;
        enum reason reason;
    } texts[] = {
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "1795451667", "7", ID), REASON_OK},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "\"1795451667\"", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "0", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "-1", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "1.5", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "253402300800", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "9223372036854775807", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "1795451667", "-7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "{}", "1795451667", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30\"", "1795451667", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"*\"", "\"e30=\"", "1795451667", "7", ID), REASON_MALFORMED},
        {LEGACY_ENTRY("\"AAAA\"", "\"e30=\"", "1795451667", "7", "\"00\""), REASON_MALFORMED},
        {"{\"SignedEntryTimestamp\":\"AAAA\"}", REASON_MALFORMED},
        {"{\"Payload\":{}}", REASON_MALFORMED},
        {"", REASON_MALFORMED},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct keep keep = {0};
        struct log_entry entry = {0};
        struct error err = ERROR_INIT;
        bool done = logentry_parse_legacy(&keep, span_str(texts[i].json), &entry, &err);

        ck_assert_msg(done == (texts[i].reason == REASON_OK), "%s: %s", texts[i].json, err.text);
        ck_assert(done || err.reason == texts[i].reason);
        ck_assert(!done || (entry.index == 7 && entry.integrated_time == 1795451667 && entry.log_id[0] == 0x93));
        keep_done(&keep);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_rekor");
    TCase *tests = tcase_create("rekor");
    struct error err = ERROR_INIT;
    int result;

    if (!crypto_init(&err))
        return EXIT_FAILURE;
    key = test_key("cosign.pub");
    other = test_key("prime256v1.pub");
    words_make();
    tcase_add_loop_test(tests, bodies_are_held_against_our_facts, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(tests, kind_and_version_are_the_bodys);
    tcase_add_test(tests, a_known_digest_has_one_algorithm);
    tcase_add_loop_test(tests, leaves_go_by_the_key, 0, 7);
    tcase_add_test(tests, legacy_annotations_are_strict);
    suite_add_tcase(suite, tests);
    result = run_suite(suite);
    buf_free(&words.signature);
    buf_free(&words.signature_twice);
    buf_free(&words.other_signature);
    buf_free(&words.key);
    buf_free(&words.other_key);
    pubkey_free(key);
    pubkey_free(other);
    return result;
}
