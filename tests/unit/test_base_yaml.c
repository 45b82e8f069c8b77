/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "tests/unit/harness.h"

struct yaml_case {
    const char *text;
    const char *want; /* all documents as JSON in a list, or the error's text */
};

static const struct yaml_case good_cases[] = {
    {"", "[]"},
    {"# nothing\n", "[]"},
    {"---\n---\n# x\n...\n---\na\n", "[\"a\"]"},
    {"a: 1\n---\nb: 2\n", "[{\"a\":1},{\"b\":2}]"},
    {"---\nnull\n", "[null]"},
    {"%YAML 1.1\n---\na: 1\n", "[{\"a\":1}]"},
    {"a: [~, null, \"\", '', Null, NULL]\nb:\n", "[{\"a\":[null,null,\"\",\"\",\"Null\",\"NULL\"],\"b\":null}]"},
    {"[true, false, True, yes, no, on, off, y, n]",
     "[[true,false,\"True\",\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]]"},
    {"[1, -1, 1.5, 1e3, 0, -0.5E-1]", "[[1,-1,1.5,1e3,0,-0.5E-1]]"},
    {"[012, 0x1f, 0o7, 1_000, .5, +1, 1., .inf, .nan, 1:30, 2026-01-01]",
     "[[\"012\",\"0x1f\",\"0o7\",\"1_000\",\".5\",\"+1\",\"1.\",\".inf\",\".nan\",\"1:30\",\"2026-01-01\"]]"},
    {"[\"1\", 'true', \"null\", '~']", "[[\"1\",\"true\",\"null\",\"~\"]]"},
    {"1: a\ntrue: b\n\"x y\": c\nnull: d\n", "[{\"1\":\"a\",\"true\":\"b\",\"x y\":\"c\",\"null\":\"d\"}]"},
    {"'<<': a\n", "[{\"<<\":\"a\"}]"},
    {"a: |\n  x\n   y\n\nb: >-\n  x\n  y\n", "[{\"a\":\"x\\n y\\n\",\"b\":\"x y\"}]"},
    {"a: |\n  x\n  \ty\nb: \"p\n\tq\"\n", "[{\"a\":\"x\\n\\u0009y\\n\",\"b\":\"p q\"}]"}, /* tabs in content */
    {"a:\tb\n", "[{\"a\":\"b\"}]"},
    {"a: 1\r\nb: 2\r\n", "[{\"a\":1,\"b\":2}]"},
    {"a: \"\\u00e4\\U0001F600\\x41\"\n", "[{\"a\":\"\xc3\xa4\xf0\x9f\x98\x80" "A\"}]"},
    {"a: \xc3\xa4\n", "[{\"a\":\"\xc3\xa4\"}]"},
    {"- - 1\n  - 2\n- {a: [b]}\n", "[[[1,2],{\"a\":[\"b\"]}]]"},
    {"k: |\n  -----BEGIN PUBLIC KEY-----\n  AAAA\n  -----END PUBLIC KEY-----\nz: 1\n",
     "[{\"k\":\"-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\\n\",\"z\":1}]"},
};

START_TEST(good_documents)
{
    const struct yaml_case *c = &good_cases[_i];
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct json_out json = json_out_to(&out);
    struct error err = ERROR_INIT;

    ck_assert_msg(yaml_parse(span_str(c->text), "doc", &tree, &err), "%s: %s", c->text, err.text);
    json_open_list(&json, NULL);
    for (size_t i = 0; i < tree_documents(tree); i++)
        json_put_node(&json, NULL, tree_document(tree, i));
    json_close_list(&json);
    ck_assert_str_eq(buf_cstr(&out), c->want);
}
END_TEST

#define PEM_TEXT "PEM lines must be indented as far as their -----BEGIN line; or use key.path to name a file"

static const struct yaml_case bad_cases[] = {
    {"a: 1\nb: 2\na: 3\n", "doc:3:1: \"a\" is there twice in one map"},
    {"a: {b: 1, \"b\": 2}\n", "doc:1:11: \"b\" is there twice in one map"},
    {"a: &x 1\n", "doc:1:4: anchors (&name) are not supported; write the value where it is used"},
    {"a: &x\n  b: 1\n", "doc:1:4: anchors (&name) are not supported; write the value where it is used"},
    {"a: &x [1]\n", "doc:1:4: anchors (&name) are not supported; write the value where it is used"},
    {"&x a: 1\n", "doc:1:1: anchors (&name) are not supported; write the value where it is used"},
    {"a: *x\n", "doc:1:4: aliases (*name) are not supported; write the value where it is used"},
    {"*x : 1\n", "doc:1:1: aliases (*name) are not supported; write the value where it is used"},
    {"a: !!str 1\n", "doc:1:4: tags (!name) are not supported"},
    {"a: ! 1\n", "doc:1:4: tags (!name) are not supported"},
    {"a: !!set {b}\n", "doc:1:4: tags (!name) are not supported"},
    {"a: !x [b]\n", "doc:1:4: tags (!name) are not supported"},
    {"%TAG ! tag:example.com,2000:\n---\na: 1\n", "doc:1:1: %TAG directives are not supported"},
    {"%YAML 2.0\n---\na: 1\n", "doc:1:1: not YAML: found incompatible YAML document"},
    {"a:\n  <<: {b: 1}\n", "doc:2:3: merge keys (<<) are not supported"},
    {"[a]: 1\n", "doc:1:1: the name of a member must be a string"},
    {"? {a: 1}\n: 2\n", "doc:1:3: the name of a member must be a string"},
    {"? \n: 1\n", "doc:1:2: a member without a name"},
    {"a:\n\tb: 1\n", "doc:2:1: a tab in the indentation; YAML wants spaces"},
    {"a:\n  \tb: 1\n", "doc:2:3: a tab in the indentation; YAML wants spaces"},
    {"a: {\n\tb: 1}\n", "doc:2:1: a tab in the indentation; YAML wants spaces"},
    {"a: [1,\n  \t2]\n", "doc:2:3: a tab in the indentation; YAML wants spaces"},
    {"a: |\n\tx\n", "doc:2:1: a tab in the indentation; YAML wants spaces"},
    {"a: |\n  x\n\tb: 1\n", "doc:3:1: a tab in the indentation; YAML wants spaces"},
    {"\xef\xbb\xbf"
     "a: 1\n",
     "doc:1:1: a byte order mark: save the file as UTF-8 without one"},
    {"\xff\xfe"
     "a\n",
     "doc:1:1: not UTF-8"},
    {"a: 1\nb: \xc0\x80\n", "doc:2:4: not UTF-8"},
    {"a: \"\\0\"\n", "doc:1:4: a string holds U+0000"},
    {"\"\\x00\": 1\n", "doc:1:1: a string holds U+0000"},
    {"a: 1\rb: 2\n", "doc:1:5: a line break other than LF or CRLF"},
    {"a: 1\nb: x\xc2\x85y\n", "doc:2:5: a line break other than LF or CRLF"},
    {"a: x\xe2\x80\xa8y\n", "doc:1:5: a line break other than LF or CRLF"},
    {"a: \"x\xe2\x80\xa9y\"\n", "doc:1:6: a line break other than LF or CRLF"},
    {"a: \x01\n", "doc:1:4: not YAML: control characters are not allowed"},
    {"a: [1\n",
     "doc:2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence that begins in line 1"},
    {"a: 1\n b: 2\n", "doc:2:3: not YAML: mapping values are not allowed in this context"},
    {"a: \"\\ud800\"\n", "doc:1:7: not YAML: found invalid Unicode character escape code while parsing a quoted scalar "
                         "that begins in line 1"},
    /* facts: $(cat cosign.pub) in a here-document indents the first line only */
    {"k:\n  data: |\n    -----BEGIN PUBLIC KEY-----\nMFkwEwYH\nabc==\n-----END PUBLIC KEY-----\n",
     "doc:4:1: " PEM_TEXT},
    {"k:\n  data: |\n    -----BEGIN PUBLIC KEY-----\nMFkwEwYH\nabc==\n-----END PUBLIC KEY-----\n  z: 1\n",
     "doc:4:1: " PEM_TEXT},
    {"k:\n  data: |\n    -----BEGIN PUBLIC KEY-----\n   MFkwEwYH\n   -----END PUBLIC KEY-----\n", "doc:4:1: " PEM_TEXT},
    /* a good PEM block before another mistake is not to blame */
    {"k: |\n  -----BEGIN PUBLIC KEY-----\n  AAAA\n  -----END PUBLIC KEY-----\nz: [\n",
     "doc:6:1: not YAML: did not find expected node content while parsing a flow node that begins in line 6"},
};

static void check_bad(struct span text, enum reason reason, const char *want)
{
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(!yaml_parse(text, "doc", &tree, &err), "taken: %.*s", (int)text.len, (const char *)text.ptr);
    ck_assert_ptr_null(tree);
    ck_assert_str_eq(err.text, want);
    ck_assert_str_eq(reason_name(err.reason), reason_name(reason));
}

START_TEST(bad_documents)
{
    check_bad(span_str(bad_cases[_i].text), REASON_POLICY_ERROR, bad_cases[_i].want);
}
END_TEST

START_TEST(nul_is_no_end)
{
    check_bad(span_of("a: 1\n\0b: 2\n", 11), REASON_POLICY_ERROR, "doc:2:1: a NUL byte");
}
END_TEST

START_TEST(names_of_documents_are_cleaned)
{
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    ck_assert(!yaml_parse(span_str("a: *x\n"), "a\nb.yaml", &tree, &err));
    ck_assert_str_eq(err.text, "a\\x0ab.yaml:1:4: aliases (*name) are not supported; write the value where it is used");
}
END_TEST

START_TEST(depth_is_limited)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < LIMIT_TREE_DEPTH; i++)
        buf_str(&text, "- ");
    buf_str(&text, "x\n");
    ck_assert(yaml_parse(buf_as_span(&text), "doc", &tree, &err));
    buf_clear(&text);
    for (size_t i = 0; i <= LIMIT_TREE_DEPTH; i++)
        buf_str(&text, "- ");
    check_bad(buf_as_span(&text), REASON_LIMIT, "doc:1:129: nested deeper than 64 levels");
    buf_clear(&text);
    for (size_t i = 0; i < 100000; i++)
        buf_str(&text, "{a: ");
    check_bad(buf_as_span(&text), REASON_LIMIT, "doc:1:257: nested deeper than 64 levels");
}
END_TEST

START_TEST(duplicates_in_larger_maps)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);

    for (unsigned int i = 0; i < 300; i++)
        buf_printf(&text, "k%u: 1\n", i == 299 ? 5 : i);
    check_bad(buf_as_span(&text), REASON_POLICY_ERROR, "doc:300:5: \"k5\" is there twice in one map");
}
END_TEST

START_TEST(places_are_those_of_values)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *node;

    ck_assert(yaml_parse(span_str("---\nx: 1\n---\na:\n  - \xc3\xa4\n  - b: \"c\"\n"), "doc", &tree, &err));
    ck_assert_uint_eq(tree_documents(tree), 2);
    node = node_get(node_at(node_get(tree_document(tree, 1), "a"), 1), "b");
    ck_assert(node->line == 6 && node->column == 8);
    ck_assert_ptr_null(tree_document(tree, 2));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_yaml");
    TCase *cases = tcase_create("yaml");

    tcase_add_loop_test(cases, good_documents, 0, (int)ARRAY_LEN(good_cases));
    tcase_add_loop_test(cases, bad_documents, 0, (int)ARRAY_LEN(bad_cases));
    tcase_add_test(cases, nul_is_no_end);
    tcase_add_test(cases, names_of_documents_are_cleaned);
    tcase_add_test(cases, depth_is_limited);
    tcase_add_test(cases, duplicates_in_larger_maps);
    tcase_add_test(cases, places_are_those_of_values);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
