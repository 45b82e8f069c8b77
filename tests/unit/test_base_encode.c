/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encode.h"

#include <string.h>

#include "tests/unit/harness.h"

START_TEST(hex_both_ways)
{
    char text[9];
    uint8_t bytes[4] = {0};

    hex_encode(span_of("\x00\x7f\xA5\xff", 4), text);
    ck_assert_str_eq(text, "007fa5ff");
    ck_assert(hex_decode(span_str(text), bytes, 4));
    ck_assert_mem_eq(bytes, "\x00\x7f\xA5\xff", 4);
    ck_assert(hex_decode(span_of(NULL, 0), bytes, 0));
    ck_assert(!hex_decode(span_str("007FA5FF"), bytes, 4));
    ck_assert(!hex_decode(span_str("007fa5f"), bytes, 4));
    ck_assert(!hex_decode(span_str("007fa5ff00"), bytes, 4));
    ck_assert(!hex_decode(span_str("007fa5fg"), bytes, 4));
}
END_TEST

struct base64_case {
    const char *text;
    enum base64_kind kind;
    const char *want; /* NULL = refused */
};

static const struct base64_case base64_cases[] = {
    /* RFC 4648 section 10 */
    {"", BASE64_STD, ""},
    {"Zg==", BASE64_STD, "f"},
    {"Zm8=", BASE64_STD, "fo"},
    {"Zm9v", BASE64_STD, "foo"},
    {"Zm9vYmFy", BASE64_STD, "foobar"},
    {"Zg", BASE64_STD, NULL},
    {"Zg=", BASE64_STD, NULL},
    {"Zg===", BASE64_STD, NULL},
    {"Z===", BASE64_STD, NULL},
    {"=", BASE64_STD, NULL},
    {"====", BASE64_STD, NULL},
    {"Zh==", BASE64_STD, NULL}, /* bits that carry nothing are set */
    {"Zm9=", BASE64_STD, NULL},
    {"Zm9v\n", BASE64_STD, NULL},
    {" Zm9v", BASE64_STD, NULL},
    {"Zm=v", BASE64_STD, NULL},
    {"Zg==Zg==", BASE64_STD, NULL},
    {"-_-_", BASE64_STD, NULL},
    {"+/+/", BASE64_STD, "\xfb\xff\xbf"},
    {"Zm9\x80", BASE64_STD, NULL},
    {"+/+/", BASE64_JSON, "\xfb\xff\xbf"},
    {"-_-_", BASE64_JSON, "\xfb\xff\xbf"},
    {"-_+/", BASE64_JSON, NULL},
    {"Zg", BASE64_JSON, "f"},
    {"Zg==", BASE64_JSON, "f"},
    {"Zg=", BASE64_JSON, NULL},
    {"Zh", BASE64_JSON, NULL},
    {"Z", BASE64_JSON, NULL},
    {"-_-_", BASE64_URL, "\xfb\xff\xbf"},
    {"+/+/", BASE64_URL, NULL},
    {"Zg", BASE64_URL, "f"},
    {"Zg==", BASE64_URL, NULL},
    {"Zm9v\r\n Ym\tFy\n", BASE64_PEM, "foobar"},
    {"Zm9v\vYmFy", BASE64_PEM, NULL},
    {"Z g = =\n", BASE64_PEM, "f"},
    {"Zg", BASE64_PEM, NULL},
};

START_TEST(base64_kinds)
{
    const struct base64_case *c = &base64_cases[_i];
    CLEANUP(buf_free) struct buf out = BUF_INIT(100);
    bool done = base64_decode(span_str(c->text), c->kind, &out);

    ck_assert_msg(done == (c->want != NULL), "%s", c->text);
    if (c->want)
        ck_assert(span_eq(buf_as_span(&out), span_str(c->want)));
}
END_TEST

START_TEST(base64_round_trips)
{
    uint8_t bytes[67];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        CLEANUP(buf_free) struct buf text = BUF_INIT(100), back = BUF_INIT(67);
        CLEANUP(buf_free) struct buf small = BUF_INIT(len > 0 ? len - 1 : 0);

        base64_encode(span_of(bytes, len), &text);
        ck_assert(base64_decode(buf_as_span(&text), BASE64_STD, &back));
        ck_assert(span_eq(buf_as_span(&back), span_of(bytes, len)));
        ck_assert(len == 0 || !base64_decode(buf_as_span(&text), BASE64_STD, &small));
    }
}
END_TEST

struct clean_case {
    const char *text;
    size_t max;
    const char *want;
};

static const struct clean_case clean_cases[] = {
    {"plain", 100, "plain"},
    {"plain", 5, "plain"},
    {"plain", 4, "p..."},
    {"plain", 3, "..."},
    {"plain", 2, ".."},
    {"plain", 0, ""},
    {"", 0, ""},
    {"a\nb\x1b[31m\x7f", 100, "a\\x0ab\\x1b[31m\\x7f"},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 100, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"\xc2\x85", 100, "\\xc2\\x85"},                 /* C1 */
    {"\xe2\x80\xae" "x", 100, "\\xe2\\x80\\xaex"},   /* right-to-left override */
    {"\xef\xbb\xbf", 100, "\\xef\\xbb\\xbf"},
    {"\xff\xc3", 100, "\\xff\\xc3"},
    {"\xc3\xa4\xc3\xa4", 3, "..."},
    {"\xc0\xaf", 100, "\\xc0\\xaf"},                 /* overlong */
    {"\xed\xa0\x80", 100, "\\xed\\xa0\\x80"},        /* surrogate */
    {"\n\n", 7, "\\x0a..."},
};

START_TEST(texts_are_cleaned)
{
    const struct clean_case *c = &clean_cases[_i];
    CLEANUP(buf_free) struct buf out = BUF_INIT(100);
    char array[101];

    text_sanitize(span_str(c->text), c->max, &out);
    ck_assert_str_eq(buf_cstr(&out), c->want);
    ck_assert_str_eq(text_clean(span_str(c->text), array, c->max + 1), c->want);
}
END_TEST

START_TEST(nul_bytes_are_cleaned)
{
    char array[20];

    ck_assert_str_eq(text_clean(span_of("a\0b", 3), array, sizeof(array)), "a\\x00b");
    ck_assert_str_eq(text_clean(span_of("a", 1), array, 0), "");
}
END_TEST

struct utf8_case {
    const char *text;
    size_t good; /* bytes before the first bad one */
};

static const struct utf8_case utf8_cases[] = {
    {"", 0},
    {"abcdefghijklmnop", 16},
    {"abcdefgh\xffxyz", 8},
    {"abcdefghijk\xc3\xa4", 13},
    {"\xf4\x8f\xbf\xbf", 4},
    {"\xf4\x90\x80\x80", 0},
    {"\xe0\x9f\xbf", 0},
    {"\xf0\x8f\xbf\xbf", 0},
    {"\xed\x9f\xbf\xee\x80\x80", 6},
    {"\xed\xbf\xbf", 0},
    {"a\x80", 1},
    {"\xe2\x82", 0},
    {"\xf8\x88\x80\x80\x80", 0},
};

START_TEST(utf8_prefixes)
{
    const struct utf8_case *c = &utf8_cases[_i];

    ck_assert_uint_eq(utf8_valid_prefix(span_str(c->text)), c->good);
    ck_assert(text_is_utf8(span_str(c->text)) == (c->good == strlen(c->text)));
}
END_TEST

static bool utf8_is_right(uint32_t code)
{
    uint8_t bytes[4];
    uint32_t back = 0;
    size_t len = utf8_encode(code, bytes);

    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return len == 0;
    return utf8_decode(span_of(bytes, len), &back) == len && back == code &&
           utf8_decode(span_of(bytes, len - 1), &back) == 0;
}

START_TEST(utf8_round_trips)
{
    /* One assertion of check's costs more than a hundred of these. */
    for (uint32_t code = 0; code < 0x110010; code++)
        if (!utf8_is_right(code))
            ck_abort_msg("U+%04X", code);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_encode");
    TCase *cases = tcase_create("encode");

    tcase_add_test(cases, hex_both_ways);
    tcase_add_loop_test(cases, base64_kinds, 0, (int)ARRAY_LEN(base64_cases));
    tcase_add_test(cases, base64_round_trips);
    tcase_add_loop_test(cases, texts_are_cleaned, 0, (int)ARRAY_LEN(clean_cases));
    tcase_add_test(cases, nul_bytes_are_cleaned);
    tcase_add_loop_test(cases, utf8_prefixes, 0, (int)ARRAY_LEN(utf8_cases));
    tcase_add_test(cases, utf8_round_trips);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
