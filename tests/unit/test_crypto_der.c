/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/der.h"

#include <string.h>

#include "crypto/digest.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

static const struct {
    const char *hex;
    bool good; /* as one SEQUENCE */
} sequences[] = {
    {"3000", true},
    {"300100", true},
    {"3003020101", true},
    {"30810100", false}, /* long form not needed */
    {"3080", false},
    {"30800000", false},
    {"30", false},
    {"", false},
    {"3001", false},
    {"300000", false},
    {"3100", false},
    {"30820001aa", false},
    {"308500000000010000", false},
    {"3f8101020101", false},
    {"0000", false},
    {"3084ffffffff00", false},
};

START_TEST(lengths_are_strict)
{
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(0);
    struct span content;

    if (sequences[_i].hex[0] != '\0')
        bytes = vector_hex(span_str(sequences[_i].hex));
    ck_assert_msg(der_single(buf_as_span(&bytes), DER_SEQUENCE, &content) == sequences[_i].good, "%s",
                  sequences[_i].hex);
}
END_TEST

static const struct {
    const char *hex;
    int len; /* of the magnitude; -1 = refused */
} integers[] = {
    {"020100", 0}, {"020101", 1}, {"02020080", 1}, {"0200", -1}, {"020180", -1}, {"0202007f", -1}, {"0202ff80", -1},
    {"02020100", 2}, {"030101", -1}, {"0202000001", -1},
};

START_TEST(integers_are_strict)
{
    struct buf bytes CLEANUP(buf_free) = vector_hex(span_str(integers[_i].hex));
    struct reader reader = reader_of(buf_as_span(&bytes));
    struct span value = span_of(NULL, 99);
    bool done = der_expect_unsigned(&reader, &value);

    ck_assert_msg(done == (integers[_i].len >= 0), "%s", integers[_i].hex);
    if (done)
        ck_assert_uint_eq(value.len, (size_t)integers[_i].len);
}
END_TEST

START_TEST(writes_what_it_reads)
{
    static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 70000};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf content CLEANUP(buf_free) = BUF_INIT(100000);
        struct buf element CLEANUP(buf_free) = BUF_INIT(100000);
        struct span back;

        if (sizes[i] > 0)
            memset(buf_reserve(&content, sizes[i]), 0x5a, sizes[i]);
        der_put(&element, DER_OCTET_STRING, buf_as_span(&content));
        ck_assert(der_single(buf_as_span(&element), DER_OCTET_STRING, &back));
        ck_assert(span_eq(back, buf_as_span(&content)));
    }
}
END_TEST

/* A length of 128 in two bytes, where one is enough. */
START_TEST(long_lengths)
{
    uint8_t bytes[4 + 128] = {0x30, 0x82, 0x00, 0x80};
    struct span content;

    ck_assert(!der_single(span_of(bytes, sizeof(bytes)), DER_SEQUENCE, &content));
    bytes[1] = 0x30;
    bytes[2] = 0x81;
    bytes[3] = 0x80;
    ck_assert(der_single(span_of(bytes + 1, sizeof(bytes) - 1), DER_SEQUENCE, &content));
    ck_assert_uint_eq(content.len, 128);
}
END_TEST

START_TEST(strict_all_through)
{
    static const struct {
        const char *hex;
        bool good;
    } cases[] = {
        {"30030201ff", true},   {"300330013000", false}, {"3005300302010a", true}, {"3004300302010a", false},
        {"30808000", false},    {"2202040a", false},     {"1000", false},          {"3003a0010a", false},
        {"3004a0020500", true}, {"30020500ff", false},
    };
    uint8_t nested[2 * 40];
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(0);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf one CLEANUP(buf_free) = vector_hex(span_str(cases[i].hex));

        ck_assert_msg(der_is_strict(buf_as_span(&one)) == cases[i].good, "%s", cases[i].hex);
    }
    ck_assert(!der_is_strict(buf_as_span(&bytes)));
    for (size_t i = 0; i < 40; i++) {
        nested[2 * i] = 0x30;
        nested[2 * i + 1] = (uint8_t)(2 * (39 - i));
    }
    ck_assert(!der_is_strict(span_of(nested, sizeof(nested)))); /* too deep */
    ck_assert(der_is_strict(span_of(nested + 20, sizeof(nested) - 20)));
}
END_TEST

/* FIPS 180-4 "abc", and the OCI digest grammar. */
START_TEST(digests)
{
    static const char abc[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char *const refused[] = {
        "",
        "sha256",
        "sha256:",
        "sha256:ba7816bf",
        "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "sha224:23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
        "md5:900150983cd24fb0d6963f7d28e17f72",
        "sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };
    struct digest made;
    struct digest parsed;
    struct digest none = {.alg = DIGEST_NONE};
    char text[DIGEST_TEXT_BYTES];

    ck_assert(digest_compute(DIGEST_SHA256, span_str("abc"), &made));
    ck_assert_str_eq(digest_format(&made, text), abc);
    ck_assert(digest_parse(span_str(abc), &parsed));
    ck_assert(digest_eq(&made, &parsed));
    ck_assert(digest_matches(&parsed, span_str("abc")));
    ck_assert(!digest_matches(&parsed, span_str("abd")));
    ck_assert(!digest_eq(&none, &none));
    ck_assert(!digest_matches(&none, span_str("")));
    ck_assert(!digest_compute(DIGEST_NONE, span_str("abc"), &made));
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        ck_assert_msg(!digest_parse(span_str(refused[i]), &parsed), "%s", refused[i]);
    ck_assert(digest_compute(DIGEST_SHA512, span_str("abc"), &made));
    ck_assert_uint_eq(strlen(digest_format(&made, text)), 7 + 128);
    ck_assert(digest_parse(span_str(text), &parsed) && digest_eq(&made, &parsed));
    ck_assert(digest_compute(DIGEST_SHA224, span_str("abc"), &made));
    ck_assert_str_eq(digest_hex(&made, text), "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_der");
    TCase *cases = tcase_create("der");

    tcase_add_loop_test(cases, lengths_are_strict, 0, ARRAY_LEN(sequences));
    tcase_add_loop_test(cases, integers_are_strict, 0, ARRAY_LEN(integers));
    tcase_add_test(cases, writes_what_it_reads);
    tcase_add_test(cases, long_lengths);
    tcase_add_test(cases, strict_all_through);
    tcase_add_test(cases, digests);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
