/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "tests/unit/harness.h"

/* Parses and writes again, compactly. */
static void check_good(const char *text, const char *want)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct json_out json = json_out_to(&out);
    struct error err = ERROR_INIT;

    ck_assert_msg(json_parse(span_str(text), "doc", TREE_DEFAULT, &tree, &err), "%s: %s", text, err.text);
    json_put_node(&json, NULL, tree_root(tree));
    ck_assert(buf_ok(&out));
    ck_assert_str_eq(buf_cstr(&out), want);
}

static void check_bad(struct span text, enum reason reason, const char *want, enum tree_flags flags)
{
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(!json_parse(text, "doc", flags, &tree, &err), "taken: %.*s", (int)text.len, (const char *)text.ptr);
    ck_assert_ptr_null(tree);
    ck_assert_str_eq(reason_name(err.reason), reason_name(reason));
    ck_assert_str_eq(err.text, want);
}

struct good_case {
    const char *text;
    const char *want;
};

static const struct good_case good_cases[] = {
    {"null", "null"},
    {" true\n", "true"},
    {"false", "false"},
    {"0", "0"},
    {"-0", "-0"},
    {"-1.50e+03", "-1.50e+03"},
    {"123456789012345678901234567890", "123456789012345678901234567890"},
    {"\"\"", "\"\""},
    {"[]", "[]"},
    {"{}", "{}"},
    {"{\"\":{\"\":[]}}", "{\"\":{\"\":[]}}"},
    {" { \"a\" : [ 1 , 2 , { \"b\" : null } ] ,\r\n\t\"c\" : \"d\" } ", "{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\u0009\""},
    {"\"\\u0041\\u00e4\\u20AC\\ud83d\\uDE00\"", "\"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\""},
    {"{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}"},
    {"[\"a:,{}[]b\",\"\\\\\"]", "[\"a:,{}[]b\",\"\\\\\"]"},
};

START_TEST(good_documents)
{
    check_good(good_cases[_i].text, good_cases[_i].want);
}
END_TEST

struct bad_case {
    const char *text;
    const char *want;
};

static const struct bad_case bad_cases[] = {
    {"", "doc:1:1: not JSON: parse error: premature EOF"},
    {"  \n ", "doc:2:2: not JSON: parse error: premature EOF"},
    {"[1] x", "doc:1:5: not JSON: parse error: trailing garbage"},
    {"1 2", "doc:1:3: not JSON: parse error: trailing garbage"},
    {"{}{}", "doc:1:3: not JSON: parse error: trailing garbage"},
    {"{\"a\":1", "doc:1:7: not JSON: parse error: premature EOF"},
    {"\"abc", "doc:1:1: not JSON: parse error: premature EOF"},
    {"[1,]", "doc:1:4: not JSON: parse error: unallowed token at this point in JSON text"},
    {"{\"a\":1,}", "doc:1:8: not JSON: parse error: invalid object key (must be a string)"},
    {"{a:1}", "doc:1:2: not JSON: lexical error: invalid char in json text"},
    {"[01]", "doc:1:3: not JSON: parse error: after array element, I expect ',' or ']'"},
    {"[+1]", "doc:1:2: not JSON: lexical error: invalid char in json text"},
    {"[1.]", "doc:1:2: not JSON: lexical error: malformed number, a digit is required after the decimal point"},
    {"[.5]", "doc:1:2: not JSON: lexical error: invalid char in json text"},
    {"[1e]", "doc:1:2: not JSON: lexical error: malformed number, a digit is required after the exponent"},
    {"[-]", "doc:1:2: not JSON: lexical error: malformed number, a digit is required after the minus sign"},
    {"[NaN]", "doc:1:2: not JSON: lexical error: invalid char in json text"},
    {"[\n 1,\n  nul]", "doc:3:3: not JSON: lexical error: invalid string in json text"},
    {"/**/1", "doc:1:1: not JSON: lexical error: probable comment found in input text, comments are not enabled"},
    {"[\"a\tb\"]", "doc:1:2: not JSON: lexical error: invalid character inside string"},
    {"\"\\x\"", "doc:1:1: not JSON: lexical error: inside a string, '\\' occurs before a character which it may not"},
    {"\"\\u12g4\"",
     "doc:1:1: not JSON: lexical error: invalid (non-hex) character occurs after '\\u' inside string"},
    {"\xef\xbb\xbf{}", "doc:1:1: not JSON: lexical error: invalid char in json text"},
    {"[\"\xc0\x80\"]", "doc:1:3: not UTF-8"},
    {"[\"\xed\xa0\x80\"]", "doc:1:3: not UTF-8"},
    {"[\n\"\xff\"]", "doc:2:2: not UTF-8"},
    {"\"a\xc3", "doc:1:3: not UTF-8"},
    {"[1,\f2]", "doc:1:4: not JSON: a vertical tab or form feed"},
    {"{}\v", "doc:1:3: not JSON: a vertical tab or form feed"},
    {"[\"\xff\"]\v", "doc:1:3: not UTF-8"},
    {"[\"\\u0000\"]", "doc:1:2: a string holds U+0000"},
    {"{\"\\u0000\":1}", "doc:1:2: a string holds U+0000"},
    {"\"\\ud800\"", "doc:1:1: a string holds a lone surrogate (\\ud800)"},
    {"\"\\udc00\"", "doc:1:1: a string holds a lone surrogate (\\udc00)"},
    {"\"\\ud800\\u0041\"", "doc:1:1: a string holds a lone surrogate (\\ud800)"},
    {"\"\\ud800\\n\"", "doc:1:1: a string holds a lone surrogate (\\ud800)"},
    {"\"\\ud800x\"", "doc:1:1: a string holds a lone surrogate (\\ud800)"},
    {"\"\\ud800\\ud800\"", "doc:1:1: a string holds a lone surrogate (\\ud800)"},
    {"{\"a\":1,\"a\":2}", "doc:1:8: \"a\" is there twice in one map"},
    {"{\"\\u0061\":1,\n \"a\":2}", "doc:2:2: \"a\" is there twice in one map"},
    {"[{\"x\":{\"\":1,\"\":1}}]", "doc:1:13: \"\" is there twice in one map"},
    {"{\"a\\u202eb\":1,\"a\\u202eb\":1}", "doc:1:15: \"a\\xe2\\x80\\xaeb\" is there twice in one map"},
};

START_TEST(bad_documents)
{
    const struct bad_case *c = &bad_cases[_i];

    check_bad(span_str(c->text), REASON_MALFORMED, c->want, TREE_DEFAULT);
    check_bad(span_str(c->text), REASON_MALFORMED, c->want, TREE_NO_PLACES);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    check_bad(span_of("[1]\0", 4), REASON_MALFORMED, "doc:1:4: not JSON: parse error: trailing garbage", TREE_DEFAULT);
    check_bad(span_of("\"a\0\"", 4), REASON_MALFORMED,
              "doc:1:1: not JSON: lexical error: invalid character inside string", TREE_DEFAULT);
    check_bad(span_of(NULL, 0), REASON_MALFORMED, "doc:1:1: not JSON: parse error: premature EOF", TREE_DEFAULT);
}
END_TEST

/* Duplicates in maps of every size around the change from comparing to sorting, in every pair of places. */
START_TEST(duplicates_in_larger_maps)
{
    for (unsigned int count = 2; count < 40; count++)
        for (unsigned int first = 0; first + 1 < count; first += 3) {
            CLEANUP(buf_free) struct buf text = BUF_INIT(1024);
            unsigned int second = count - 1 - (first * 7 + count) % (count - 1 - first);
            struct error err = ERROR_INIT;
            struct tree *tree = NULL;
            char want[20];

            buf_byte(&text, '{');
            for (unsigned int i = 0; i < count; i++)
                buf_printf(&text, "%s\"k%u\":1", i > 0 ? "," : "", i == second ? first : i);
            buf_byte(&text, '}');
            (void)snprintf(want, sizeof(want), "\"k%u\" is there", first);
            ck_assert(!json_parse(buf_as_span(&text), "doc", TREE_DEFAULT, &tree, &err));
            ck_assert_ptr_nonnull(strstr(err.text, want));
        }
}
END_TEST

static void nested(struct buf *buf, size_t depth, const char *open, const char *close)
{
    for (size_t i = 0; i < depth; i++)
        buf_str(buf, open);
    for (size_t i = 0; i < depth; i++)
        buf_str(buf, close);
}

START_TEST(depth_is_limited)
{
    CLEANUP(buf_free) struct buf fits = BUF_INIT(4096), deep = BUF_INIT(4096), torrent = BUF_INIT(1 << 20);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    nested(&fits, LIMIT_TREE_DEPTH, "[", "]");
    ck_assert(json_parse(buf_as_span(&fits), "doc", TREE_DEFAULT, &tree, &err));
    nested(&deep, LIMIT_TREE_DEPTH + 1, "[", "]");
    check_bad(buf_as_span(&deep), REASON_LIMIT, "doc:1:65: nested deeper than 64 levels", TREE_DEFAULT);
    nested(&torrent, 100000, "{\"a\":", "}");
    check_bad(buf_as_span(&torrent), REASON_LIMIT, "doc:1:321: nested deeper than 64 levels", TREE_NO_PLACES);
}
END_TEST

START_TEST(values_are_limited)
{
    size_t len = 2 * (size_t)LIMIT_TREE_NODES + 1;
    CLEANUP(mem_freep) char *text = mem_new(1, len);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    /* The list itself is one value. */
    for (size_t i = 0; i < len; i++)
        text[i] = i % 2 == 0 ? ',' : '1';
    text[0] = '[';
    text[len - 1] = ']';
    check_bad(span_of(text, len), REASON_LIMIT, "doc:1:12000000: more than 6000000 values", TREE_NO_PLACES);
    text[len - 3] = ']';
    ck_assert_msg(json_parse(span_of(text, len - 2), "doc", TREE_NO_PLACES, &tree, &err), "%s", err.text);
    ck_assert_uint_eq(tree_root(tree)->count, LIMIT_TREE_NODES - 1);
}
END_TEST

START_TEST(places_are_those_of_values)
{
    static const char text[] = "{\n  \"a\": [1,\n    \"x\"],\n  \"b\" :\ttrue}";
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *node;

    ck_assert(json_parse(span_str(text), "doc", TREE_DEFAULT, &tree, &err));
    node = node_get(tree_root(tree), "a");
    ck_assert(node->line == 2 && node->column == 8);
    node = node_at(node, 1);
    ck_assert(node->line == 3 && node->column == 5);
    node = node_get(tree_root(tree), "b");
    ck_assert(node->line == 4 && node->column == 9);
    tree_freep(&tree);
    ck_assert(json_parse(span_str(text), "doc", TREE_NO_PLACES, &tree, &err));
    ck_assert_uint_eq(node_get(tree_root(tree), "b")->line, 0);
}
END_TEST

START_TEST(plain_strings_borrow)
{
    static const char text[] = "[\"plain\",\"esc\\naped\"]";
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    ck_assert(json_parse(span_str(text), "doc", TREE_DEFAULT, &tree, &err));
    ck_assert_ptr_eq(node_at(tree_root(tree), 0)->text.ptr, text + 2);
    ck_assert(node_str_is(node_at(tree_root(tree), 1), "esc\naped"));
}
END_TEST

/* Cut short anywhere, no document is taken for another. */
START_TEST(every_prefix_is_refused)
{
    static const char text[] = "{\"a\":[1,-2.5e1,\"x\\ud83d\\ude00\",true,null,{\"b\":{}}],\"c\":\"\xc3\xa4\"}";
    struct error err = ERROR_INIT;

    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        CLEANUP(mem_freep) char *copy = len > 0 ? mem_dup(text, len) : NULL;
        struct tree *tree = NULL;

        ck_assert(!json_parse(span_of(copy, len), "doc", TREE_DEFAULT, &tree, &err));
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
    }
}
END_TEST

START_TEST(json_is_written)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1000);
    struct json_out json = json_out_to(&out);

    json_open_map(&json, NULL);
    json_put_str(&json, "a", "x\"\\\n\x01\x7f\xff");
    json_put_str(&json, "b", NULL);
    json_open_list(&json, "c");
    json_put_int(&json, NULL, INT64_MIN);
    json_put_bool(&json, NULL, true);
    json_open_map(&json, NULL);
    json_close_map(&json);
    json_put_base64(&json, NULL, span_of("f", 1));
    json_close_list(&json);
    json_put_raw(&json, "d", span_str("[1]"));
    json_put_node(&json, "e", NULL);
    json_put_span(&json, "f\n", span_of("\0", 1));
    json_close_map(&json);
    ck_assert_str_eq(buf_cstr(&out),
                     "{\"a\":\"x\\\"\\\\\\n\\u0001\\u007f\xef\xbf\xbd\",\"b\":null,"
                     "\"c\":[-9223372036854775808,true,{},\"Zg==\"],\"d\":[1],\"e\":null,\"f\\n\":\"\\u0000\"}");
}
END_TEST

/*
 * The public set of JSON parsing tests (github.com/nst/JSONTestSuite, MIT), as Debian ships it in json-test-data (newer
 * than bookworm; PG_JSON_TEST names another directory): y_ must be taken, n_ refused, i_ may be either.
 */
#define JSON_TEST "/usr/share/json_test_data/nst_json_testsuite2/test_parsing"

/* What we refuse beyond RFC 8259, and say so in base/tree.h: names twice in one map, U+0000. */
static bool is_stricter(const char *name)
{
    static const char *const stricter[] = {
        "y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json", "y_object_escaped_null_in_key.json",
        "y_string_null_escape.json",
    };

    for (size_t i = 0; i < ARRAY_LEN(stricter); i++)
        if (strcmp(name, stricter[i]) == 0)
            return true;
    return false;
}

static void check_public(const char *directory, const char *name)
{
    CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, name);
    CLEANUP(buf_free) struct buf text = BUF_INIT(0);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    bool taken;

    ck_assert_msg(file_read(path, 1 << 24, FILE_ANY, &text, &err), "%s", err.text);
    taken = json_parse(buf_as_span(&text), name, TREE_DEFAULT, &tree, &err);
    if (name[0] == 'y')
        ck_assert_msg(taken != is_stricter(name), "%s: %s", name, taken ? "taken" : err.text);
    if (name[0] == 'n')
        ck_assert_msg(!taken && err.reason != REASON_INTERNAL, "%s: %s", name, taken ? "taken" : err.text);
}

START_TEST(public_set)
{
    const char *set = secure_getenv("PG_JSON_TEST");
    const char *directory = set ? set : JSON_TEST;
    CLEANUP(names_free) struct names names = {0};
    struct error err = ERROR_INIT;

    if (!dir_list(directory, NULL, &names, &err)) {
        (void)printf("the public JSON test set is not installed: not run\n");
        return;
    }
    for (size_t i = 0; i < names.count; i++)
        check_public(directory, names.items[i]);
    ck_assert_uint_gt(names.count, 200);
    (void)printf("%zu documents of the public JSON test set\n", names.count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_json");
    TCase *cases = tcase_create("json");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, good_documents, 0, (int)ARRAY_LEN(good_cases));
    tcase_add_loop_test(cases, bad_documents, 0, (int)ARRAY_LEN(bad_cases));
    tcase_add_test(cases, nul_bytes_are_refused);
    tcase_add_test(cases, duplicates_in_larger_maps);
    tcase_add_test(cases, depth_is_limited);
    tcase_add_test(cases, values_are_limited);
    tcase_add_test(cases, places_are_those_of_values);
    tcase_add_test(cases, plain_strings_borrow);
    tcase_add_test(cases, every_prefix_is_refused);
    tcase_add_test(cases, json_is_written);
    tcase_add_test(cases, public_set);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
