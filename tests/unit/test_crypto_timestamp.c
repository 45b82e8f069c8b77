/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/timestamp.h"

#include <string.h>

#include "crypto/der.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

#define SAMPLES "crypto/samples/"
#define STAMPS "crypto/timestamps/"

static size_t find_bytes(struct span in, struct span what)
{
    for (size_t at = 0; at + what.len <= in.len; at++)
        if (span_eq(span_cut(in, at, what.len), what))
            return at;
    return SIZE_MAX;
}

static const int64_t SAMPLE_TIME_MS = 1795451667000; /* 2026-11-23T16:34:27Z */

static struct cert *cert_of(const char *name)
{
    struct buf der CLEANUP(buf_free) = vector_read(name);
    struct cert *cert = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(cert_parse_der(buf_as_span(&der), &cert, &err), "%s: %s", name, err.text);
    return cert;
}

/* An authority of two certificates, always valid. */
struct authority {
    struct cert *leaf, *root;
    struct timestamp_authority authority;
};

static void authority_done(struct authority *authority)
{
    cert_freep(&authority->leaf);
    cert_freep(&authority->root);
}

static void authority_set(struct authority *ret, const char *leaf, const char *root)
{
    ret->leaf = leaf ? cert_of(leaf) : NULL;
    ret->root = cert_of(root);
    ret->authority = (struct timestamp_authority){
        .leaf = ret->leaf, .pool = {&ret->root, 1, NULL, 0}, .window = {INT64_MIN, INT64_MAX}};
}

static enum reason verify(struct span token, struct span bytes, const struct timestamp_authority *authorities,
                          size_t count, int64_t *ret_time)
{
    struct error err = ERROR_INIT;
    size_t which;
    int64_t time;

    if (!timestamp_verify(token, bytes, authorities, count, &which, &time, &err))
        return err.reason;
    if (ret_time)
        *ret_time = time;
    return REASON_OK;
}

START_TEST(sample)
{
    static const char *const names[] = {SAMPLES "r2.tsr", SAMPLES "r2.sig"};
    struct buf token CLEANUP(buf_free) = vector_read(names[0]);
    struct buf sig CLEANUP(buf_free) = vector_read(names[1]);
    struct authority tsa CLEANUP(authority_done) = {.leaf = NULL};
    struct authority no_leaf CLEANUP(authority_done) = {.leaf = NULL};
    int64_t time = 0;

    authority_set(&tsa, SAMPLES "tsa-0.der", SAMPLES "tsa-1.der");
    authority_set(&no_leaf, NULL, SAMPLES "tsa-1.der");
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&sig), &tsa.authority, 1, &time), REASON_OK);
    ck_assert_int_eq(time, SAMPLE_TIME_MS);
    tsa.authority.window = (struct time_window){SAMPLE_TIME_MS, SAMPLE_TIME_MS};
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&sig), &tsa.authority, 1, NULL), REASON_OK);
    tsa.authority.window = (struct time_window){SAMPLE_TIME_MS + 1, INT64_MAX};
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&sig), &tsa.authority, 1, NULL), REASON_NO_TIMESTAMP);
    tsa.authority.window = (struct time_window){INT64_MIN, SAMPLE_TIME_MS - 1};
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&sig), &tsa.authority, 1, NULL), REASON_NO_TIMESTAMP);
    /* nothing embedded, nothing known: whose is it? */
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&sig), &no_leaf.authority, 1, NULL), REASON_NO_TIMESTAMP);
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&sig), NULL, 0, NULL), REASON_NO_TIMESTAMP);
    tsa.authority.window = (struct time_window){INT64_MIN, INT64_MAX};
    sig.ptr[5] ^= 1;
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&sig), &tsa.authority, 1, NULL), REASON_NO_TIMESTAMP);
}
END_TEST

/* Which tokens verify under authority one (leaf known), one (leaf unknown), two. */
static const struct {
    const char *file;
    enum reason known, unknown, two;
} tokens[] = {
    {"absent", REASON_OK, REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP},
    {"embedded", REASON_OK, REASON_OK, REASON_NO_TIMESTAMP},
    {"sha512", REASON_OK, REASON_OK, REASON_NO_TIMESTAMP},
    {"other", REASON_NO_TIMESTAMP, REASON_OK, REASON_OK}, /* embedded, of the same root, and not the one named */
    {"rsa", REASON_NO_TIMESTAMP, REASON_OK, REASON_NO_TIMESTAMP},
    {"refused-rsa-sha1", REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP},
    {"refused-sha1", REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP},
    {"refused-sha1-signer", REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP},
    {"refused-status", REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP, REASON_NO_TIMESTAMP},
};

START_TEST(token_cases)
{
    char path[128];
    struct buf token CLEANUP(buf_free) = BUF_INIT(0);
    struct buf message CLEANUP(buf_free) = vector_read(STAMPS "message");
    struct authority known CLEANUP(authority_done) = {.leaf = NULL};
    struct authority unknown CLEANUP(authority_done) = {.leaf = NULL};
    struct authority two CLEANUP(authority_done) = {.leaf = NULL};
    struct timestamp_authority both[2];

    (void)snprintf(path, sizeof(path), STAMPS "%s.tsr", tokens[_i].file);
    token = vector_read(path);
    authority_set(&known, STAMPS "one.der", STAMPS "root.der");
    authority_set(&unknown, NULL, STAMPS "root.der");
    authority_set(&two, STAMPS "two.der", STAMPS "root.der");
    both[0] = two.authority;
    both[1] = known.authority;
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&message), &known.authority, 1, NULL), tokens[_i].known);
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&message), &unknown.authority, 1, NULL),
                     tokens[_i].unknown);
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&message), &two.authority, 1, NULL), tokens[_i].two);
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&message), both, 2, NULL),
                     tokens[_i].known == REASON_OK || tokens[_i].two == REASON_OK ? REASON_OK : REASON_NO_TIMESTAMP);
}
END_TEST

/*
 * What nobody signs in CMS and nothing is decided by, so that a flipped bit there changes nothing. For the sample,
 * which brings no certificates, these are: the two version numbers, the NULL parameters of the two digest algorithms,
 * and the letter case of the issuer's name by which the signer is found, and the form bit of the signed attributes'
 * tag.
 */
static const struct {
    size_t from, to;
} unsigned_parts[] = {{34, 35}, {50, 51}, {173, 174}, {189, 202}, {213, 226}, {261, 262}, {263, 264}};

static bool is_unsigned(size_t byte)
{
    for (size_t i = 0; i < ARRAY_LEN(unsigned_parts); i++)
        if (byte >= unsigned_parts[i].from && byte < unsigned_parts[i].to)
            return true;
    return false;
}

/* No bit can be flipped but in those parts, and never does it give another time. Token 1 brings certificates that
 * nobody needs, and may change in them too. */
START_TEST(damaged_tokens)
{
    struct buf token CLEANUP(buf_free) = vector_read(_i == 0 ? SAMPLES "r2.tsr" : STAMPS "embedded.tsr");
    struct buf bytes CLEANUP(buf_free) = vector_read(_i == 0 ? SAMPLES "r2.sig" : STAMPS "message");
    struct authority tsa CLEANUP(authority_done) = {.leaf = NULL};
    int64_t time = 0;

    authority_set(&tsa, _i == 0 ? SAMPLES "tsa-0.der" : STAMPS "one.der",
                  _i == 0 ? SAMPLES "tsa-1.der" : STAMPS "root.der");
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&bytes), &tsa.authority, 1, &time), REASON_OK);
    for (size_t i = 0; i < token.len * 8; i += vector_bit_step()) {
        int64_t changed = 0;

        token.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        if (verify(buf_as_span(&token), buf_as_span(&bytes), &tsa.authority, 1, &changed) == REASON_OK) {
            ck_assert_int_eq(changed, time);
            ck_assert_msg(_i == 1 || is_unsigned(i / 8), "byte %zu bit %zu", i / 8, i % 8);
        }
        token.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < token.len; len++)
        ck_assert_int_ne(verify(span_of(token.ptr, len), buf_as_span(&bytes), &tsa.authority, 1, NULL), REASON_OK);
    buf_byte(&token, 0);
    ck_assert_int_eq(verify(buf_as_span(&token), buf_as_span(&bytes), &tsa.authority, 1, NULL), REASON_MALFORMED);
}
END_TEST

/* The signer's algorithm is the one over its digest: ecdsa-with-SHA256 named as another is refused, though it verifies.
 */
START_TEST(algorithms_agree)
{
    static const uint8_t named[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}; /* RFC 5758 section 3.2 */
    struct buf token CLEANUP(buf_free) = vector_read(STAMPS "absent.tsr");
    struct buf message CLEANUP(buf_free) = vector_read(STAMPS "message");
    struct authority tsa CLEANUP(authority_done) = {.leaf = NULL};
    struct error err = ERROR_INIT;
    size_t which, at;
    int64_t time;

    authority_set(&tsa, STAMPS "one.der", STAMPS "root.der");
    at = find_bytes(buf_as_span(&token), span_of(named, sizeof(named)));
    ck_assert_uint_ne(at, SIZE_MAX);
    for (uint8_t last = 1; last <= 4; last++) { /* 1 = SHA-224, 2 = SHA-256, 3 = SHA-384, 4 = SHA-512 */
        bool right = last == 2;

        token.ptr[at + sizeof(named) - 1] = last;
        ck_assert(timestamp_verify(buf_as_span(&token), buf_as_span(&message), &tsa.authority, 1, &which, &time,
                                   &err) == right);
        if (!right)
            ck_assert_msg(err.reason == REASON_NO_TIMESTAMP && strstr(err.text, "is not ECDSA or RSA over"), "%s",
                          err.text);
    }
}
END_TEST

/* The authority's chain counts at the time that the token states, and OpenSSL is told not to look at times. */
START_TEST(expired_authority)
{
    struct buf token CLEANUP(buf_free) = vector_read(STAMPS "absent.tsr");
    struct buf message CLEANUP(buf_free) = vector_read(STAMPS "message");
    struct authority tsa CLEANUP(authority_done) = {.leaf = NULL};
    struct error err = ERROR_INIT;
    size_t which;
    int64_t time;

    authority_set(&tsa, STAMPS "one.der", STAMPS "root-expired.der");
    ck_assert(!timestamp_verify(buf_as_span(&token), buf_as_span(&message), &tsa.authority, 1, &which, &time, &err));
    ck_assert_int_eq(err.reason, REASON_NO_TIMESTAMP);
    ck_assert_msg(strstr(err.text, "expired") != NULL, "%s", err.text);
}
END_TEST

/* "granted" with a reason for refusing is neither. */
START_TEST(granted_with_failure)
{
    static const uint8_t good[] = {0x02, 0x01, 0x00}, failing[] = {0x02, 0x01, 0x00, 0x03, 0x02, 0x05, 0x20};
    static const uint8_t modified[] = {0x02, 0x01, 0x01}, waiting[] = {0x02, 0x01, 0x03};
    const struct {
        struct span status;
        enum reason reason;
    } cases[] = {{span_of(good, sizeof(good)), REASON_OK},
                 {span_of(failing, sizeof(failing)), REASON_NO_TIMESTAMP},
                 {span_of(modified, sizeof(modified)), REASON_NO_TIMESTAMP},
                 {span_of(waiting, sizeof(waiting)), REASON_MALFORMED}};
    struct buf token CLEANUP(buf_free) = vector_read(STAMPS "absent.tsr");
    struct buf message CLEANUP(buf_free) = vector_read(STAMPS "message");
    struct authority tsa CLEANUP(authority_done) = {.leaf = NULL};
    struct reader reader;
    struct der_item status, rest;
    struct span content;

    authority_set(&tsa, STAMPS "one.der", STAMPS "root.der");
    ck_assert(der_single(buf_as_span(&token), DER_SEQUENCE, &content));
    reader = reader_of(content);
    ck_assert(der_next(&reader, &status) && der_next(&reader, &rest));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf parts CLEANUP(buf_free) = BUF_INIT(4096);
        struct buf response CLEANUP(buf_free) = BUF_INIT(4096);

        der_put(&parts, DER_SEQUENCE, cases[i].status);
        buf_span(&parts, rest.whole);
        der_put(&response, DER_SEQUENCE, buf_as_span(&parts));
        ck_assert_int_eq(verify(buf_as_span(&response), buf_as_span(&message), &tsa.authority, 1, NULL),
                         cases[i].reason);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_timestamp");
    TCase *cases = tcase_create("timestamp");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, sample);
    tcase_add_loop_test(cases, token_cases, 0, ARRAY_LEN(tokens));
    tcase_add_test(cases, algorithms_agree);
    tcase_add_test(cases, expired_authority);
    tcase_add_test(cases, granted_with_failure);
    tcase_add_loop_test(cases, damaged_tokens, 0, 2);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
