/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical JSON. RFC 8785's own examples: the document of section 3.2.2 with its bytes in section 3.2.4, the names of
 * section 3.2.3, the numbers of appendix B. The files of tests/vectors/rfc8785 are its reference implementation's.
 */
#include "base/canonical.h"

#include <inttypes.h>
#include <string.h>

#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

static bool write(const char *json, enum canonical_form form, struct buf *ret)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(json_parse(span_str(json), "test", TREE_DEFAULT, &tree, &err), "%s", err.text);
    return canonical_write(tree_root(tree), form, ret);
}

static void expect(const char *json, enum canonical_form form, const char *wanted)
{
    CLEANUP(buf_free) struct buf got = BUF_INIT(4096);

    if (!wanted) {
        ck_assert_msg(!write(json, form, &got), "%s", json);
        return;
    }
    ck_assert_msg(write(json, form, &got), "%s", json);
    ck_assert_msg(span_eq_str(buf_as_span(&got), wanted), "%s: %.*s, wanted %s", json, (int)got.len,
                  (const char *)got.ptr, wanted);
}

/* Section 3.2.2, and the result as bytes in section 3.2.4. */
START_TEST(whole_example)
{
    static const char hex[] =
        "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b33333333333333"
        "33332e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac24"
        "5c75303030665c6e4127425c225c5c5c5c5c222f227d";
    CLEANUP(buf_free) struct buf wanted = vector_hex(span_str(hex));
    CLEANUP(buf_free) struct buf got = BUF_INIT(4096);

    ck_assert(write("{\n"
                    "  \"numbers\": [333333333.33333329, 1E30, 4.50,\n"
                    "              2e-3, 0.000000000000000000000000001],\n"
                    "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
                    "  \"literals\": [null, true, false]\n"
                    "}",
                    CANONICAL_RFC8785, &got));
    ck_assert(span_eq(buf_as_span(&got), buf_as_span(&wanted)));
}
END_TEST

/* Section 3.2.3. */
START_TEST(sorting)
{
    static const char names[] = "{\"\\u20ac\": \"Euro Sign\", \"\\r\": \"Carriage Return\","
                                "\"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\", \"1\": \"One\","
                                "\"\\ud83d\\ude00\": \"Emoji: Grinning Face\", \"\\u0080\": \"Control\","
                                "\"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}";

    expect(names, CANONICAL_RFC8785,
           "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
           "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
           "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
    /* by bytes the last two change places, and a carriage return stands there as it is */
    expect(names, CANONICAL_OLPC,
           "{\"\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
           "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
           "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\",\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\"}");
}
END_TEST

/* Appendix B: an IEEE 754 double, and its text. */
static const struct {
    uint64_t bits;
    const char *text;
} numbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "0"}, /* minus zero */
    {0x0000000000000001, "5e-324"},
    {0x8000000000000001, "-5e-324"},
    {0x7fefffffffffffff, "1.7976931348623157e+308"},
    {0xffefffffffffffff, "-1.7976931348623157e+308"},
    {0x4340000000000000, "9007199254740992"},
    {0xc340000000000000, "-9007199254740992"},
    {0x4430000000000000, "295147905179352830000"},
    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
    {0x44b52d02c7e14af6, "1e+23"},
    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
    {0x444b1ae4d6e2ef50, "1e+21"},
    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
    {0x3eb0c6f7a0b5ed8d, "0.000001"},
    {0x41b3de4355555553, "333333333.3333332"},
    {0x41b3de4355555554, "333333333.33333325"},
    {0x41b3de4355555555, "333333333.3333333"},
    {0x41b3de4355555556, "333333333.3333334"},
    {0x41b3de4355555557, "333333333.33333343"},
    {0xbecbf647612f3696, "-0.0000033333333333333333"},
    {0x43143ff3c1cb0959, "1424953923781206.2"}, /* half way: to the even one */
    /* the reference implementation's test data, and two just below and at a power of two */
    {0x4340000000000001, "9007199254740994"},
    {0x4340000000000002, "9007199254740996"},
    {0x3d30000000000000, "5.684341886080802e-14"},
    {0x3d2fffffffffffff, "5.684341886080801e-14"},
};

START_TEST(number)
{
    char text[64];
    double value;

    memcpy(&value, &numbers[_i].bits, sizeof(value));
    (void)snprintf(text, sizeof(text), "%.17g", value);
    expect(text, CANONICAL_RFC8785, numbers[_i].text);
    (void)snprintf(text, sizeof(text), "%.40e", value);
    expect(text, CANONICAL_RFC8785, numbers[_i].text);
    expect(numbers[_i].text, CANONICAL_RFC8785, numbers[_i].text); /* what is canonical stays */
}
END_TEST

/* Texts of numbers that are not of the RFC's table; NULL = the form cannot hold it. */
static const struct {
    const char *json, *rfc8785, *olpc;
} texts[] = {
    {"0", "0", "0"},
    {"-0", "0", NULL},
    {"-1", "-1", "-1"},
    {"1.0", "1", NULL},
    {"1e0", "1", NULL},
    {"100e-2", "1", NULL},
    {"123456789012345", "123456789012345", "123456789012345"},
    {"9007199254740993", "9007199254740992", "9007199254740993"},
    {"-99999999999999999999999", "-1e+23", "-99999999999999999999999"},
    {"1e400", NULL, NULL},
    {"-1e400", NULL, NULL},
    {"1e-400", "0", NULL},
    {"123e18", "123000000000000000000", NULL},
    {"0.1", "0.1", NULL},
};

START_TEST(number_text)
{
    expect(texts[_i].json, CANONICAL_RFC8785, texts[_i].rfc8785);
    expect(texts[_i].json, CANONICAL_OLPC, texts[_i].olpc);
}
END_TEST

/* Section 3.2.2.2: control characters, and what needs no escape. */
START_TEST(escapes)
{
    expect("\"\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f \\u007f\\u2028\\/\"", CANONICAL_RFC8785,
           "\"\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f \x7f\xe2\x80\xa8/\"");
    expect("\"\\u0001\\t\\n\\\"\\\\\\/\"", CANONICAL_OLPC, "\"\x01\t\n\\\"\\\\/\"");
    expect("{\"b\":[],\"a\":{},\"\":[1,\"x\",{\"z\":null,\"y\":true}]}", CANONICAL_RFC8785,
           "{\"\":[1,\"x\",{\"y\":true,\"z\":null}],\"a\":{},\"b\":[]}");
}
END_TEST

static const char *const files[] = {"arrays", "french", "structures", "unicode", "values", "weird"};

START_TEST(reference_files)
{
    char name[64];
    CLEANUP(buf_free) struct buf got = BUF_INIT(4096);
    struct error err = ERROR_INIT;
    struct buf input CLEANUP(buf_free) = {0}, wanted CLEANUP(buf_free) = {0};

    (void)snprintf(name, sizeof(name), "rfc8785/%s.input.json", files[_i]);
    input = vector_read(name);
    (void)snprintf(name, sizeof(name), "rfc8785/%s.output.json", files[_i]);
    wanted = vector_read(name);
    ck_assert_msg(canonical_rewrite(buf_as_span(&input), &got, &err), "%s", err.text);
    ck_assert_msg(span_eq(buf_as_span(&got), buf_as_span(&wanted)), "%s: %.*s", files[_i], (int)got.len,
                  (const char *)got.ptr);
}
END_TEST

START_TEST(refused)
{
    CLEANUP(buf_free) struct buf got = BUF_INIT(8);
    CLEANUP(buf_free) struct buf large = BUF_INIT(4096);
    struct error err = ERROR_INIT;

    ck_assert(!canonical_rewrite(span_str("{\"a\":1,\"a\":2}"), &got, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    ck_assert(!canonical_rewrite(span_str("{\"long\":\"than eight\"}"), &got, &err));
    ck_assert(!buf_ok(&got));
    for (int i = 0; i < 1100; i++) /* a number of more digits than any double has */
        buf_byte(&large, '1');
    buf_byte(&large, '\0');
    expect((const char *)large.ptr, CANONICAL_RFC8785, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_canonical");
    TCase *cases = tcase_create("canonical");

    tcase_add_test(cases, whole_example);
    tcase_add_test(cases, sorting);
    tcase_add_loop_test(cases, number, 0, ARRAY_LEN(numbers));
    tcase_add_loop_test(cases, number_text, 0, ARRAY_LEN(texts));
    tcase_add_test(cases, escapes);
    tcase_add_loop_test(cases, reference_files, 0, ARRAY_LEN(files));
    tcase_add_test(cases, refused);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
