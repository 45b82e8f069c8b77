/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

struct toml_case {
    const char *text;
    const char *want; /* JSON, or the error */
};

static const struct toml_case good_cases[] = {
    {"", "{}"},
    {"# only a comment", "{}"},
    {"a = 1\r\nb = true # yes\r\n", "{\"a\":1,\"b\":true}"},
    {"a.b.c = 1\na.b.d = 2\na.\"x y\" . 'z' = 3\n", "{\"a\":{\"b\":{\"c\":1,\"d\":2},\"x y\":{\"z\":3}}}"},
    {"[a.b]\nc=1\n[a]\nd=2\n", "{\"a\":{\"b\":{\"c\":1},\"d\":2}}"},
    {"[[a]]\nx=1\n[[a]]\nx=2\n[a.b]\ny=3\n[[a.c]]\n", "{\"a\":[{\"x\":1},{\"x\":2,\"b\":{\"y\":3},\"c\":[{}]}]}"},
    {"[fruit]\napple.taste.sweet = true\n[fruit.apple.texture]\nsmooth = true\n",
     "{\"fruit\":{\"apple\":{\"taste\":{\"sweet\":true},\"texture\":{\"smooth\":true}}}}"},
    {"a = [ 1, # one\n  [2, 'x',],\n\n {b = [\n3]} ,\n]\n", "{\"a\":[1,[2,\"x\"],{\"b\":[3]}]}"},
    {"a = {}\nb = { c.d = 1, c.e = 2 }\n", "{\"a\":{},\"b\":{\"c\":{\"d\":1,\"e\":2}}}"},
    {"1234 = 1\n\"\" = 2\n-_ = 3\n3.14 = 4\n", "{\"1234\":1,\"\":2,\"-_\":3,\"3\":{\"14\":4}}"},
    {"a = [+0, -0, +1_000, -17, 0xDEAD_beef, 0o755, 0b1010, 9223372036854775807, -9223372036854775808]\n",
     "{\"a\":[0,-0,1000,-17,3735928559,493,10,9223372036854775807,-9223372036854775808]}"},
    {"a = [0x7fffffffffffffff, 0o777777777777777777777]\n", "{\"a\":[9223372036854775807,9223372036854775807]}"},
    {"a = [1.0, +0.5, -2.5e-3, 1e06, 9_1.2_5, 6.626E-34]\n", "{\"a\":[1.0,0.5,-2.5e-3,1e06,91.25,6.626E-34]}"},
    {"a = [inf, -inf, +nan]\n", "{\"a\":[\"inf\",\"-inf\",\"+nan\"]}"},
    {"a = [1979-05-27T07:32:00Z, 1979-05-27 07:32:00.999-07:00, 1979-05-27T07:32:00, 1979-05-27, 07:32:00.5]\n",
     "{\"a\":[\"1979-05-27T07:32:00Z\",\"1979-05-27 07:32:00.999-07:00\",\"1979-05-27T07:32:00\",\"1979-05-27\","
     "\"07:32:00.5\"]}"},
    {"a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u00e4\\U0001F600\"\n",
     "{\"a\":\"\\u0008\\u0009\\n\\u000c\\u000d\\\"\\\\\xc3\xa4\xf0\x9f\x98\x80\"}"},
    {"a = 'C:\\x'\nb = ''\nc = \"\"\nd = '\t'\n", "{\"a\":\"C:\\\\x\",\"b\":\"\",\"c\":\"\",\"d\":\"\\u0009\"}"},
    {"a = \"\"\"\none\r\n\"two\" \\\n   \n  three\"\"\"\"\"\n", "{\"a\":\"one\\n\\\"two\\\" three\\\"\\\"\"}"},
    {"a = '''\n\\no\n'x' '''''\n", "{\"a\":\"\\\\no\\n'x' ''\"}"},
    {"a = \"\"\"\"\"\"\nb = '''''''\n", "{\"a\":\"\",\"b\":\"'\"}"},
    {"server = \"https://docker.io\"\n[host.\"https://m.example.com\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
     "{\"server\":\"https://docker.io\",\"host\":{\"https://"
     "m.example.com\":{\"capabilities\":[\"pull\",\"resolve\"]}}}"},
};

START_TEST(good_documents)
{
    const struct toml_case *c = &good_cases[_i];
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct json_out json = json_out_to(&out);
    struct error err = ERROR_INIT;

    ck_assert_msg(toml_parse(span_str(c->text), "doc", &tree, &err), "%s: %s", c->text, err.text);
    json_put_node(&json, NULL, tree_root(tree));
    ck_assert_str_eq(buf_cstr(&out), c->want);
}
END_TEST

#define NO_VALUE "neither a boolean, a number, a date nor a time (strings need quotation marks)"

static const struct toml_case bad_cases[] = {
    {"a = 1\na = 2\n", "doc:2:1: \"a\" is there twice in one table"},
    {"a = 1\n\"a\" = 2\n", "doc:2:1: \"a\" is there twice in one table"},
    {"a = 1 b = 2\n", "doc:1:7: the end of the line is wanted here"},
    {"[a]\n[a]\n", "doc:2:2: \"a\" is defined twice"},
    {"a.b = 1\n[a]\n", "doc:2:2: \"a\" is defined twice"},
    {"[a]\nb = 1\n[a.b]\n", "doc:3:4: \"b\" is defined twice"},
    {"[a]\nb = 1\n[a.b.c]\n", "doc:3:4: \"b\" is no table that can be added to"},
    {"a = {b = 1}\n[a.c]\n", "doc:2:2: \"a\" is no table that can be added to"},
    {"a = {b = 1}\na.c = 2\n", "doc:2:1: \"a\" is defined already and cannot be added to"},
    {"a = {b = {c = 1}, b.d = 2}\n", "doc:1:19: \"b\" is defined already and cannot be added to"},
    {"a = {b = 1, b = 2}\n", "doc:1:13: \"b\" is there twice in one table"},
    {"a = []\n[[a]]\n", "doc:2:3: \"a\" is defined already, not as an array of tables"},
    {"[a]\n[[a]]\n", "doc:2:3: \"a\" is defined already, not as an array of tables"},
    {"[[a]]\n[a]\n", "doc:2:2: \"a\" is defined twice"},
    {"[a.b.c]\nz = 9\n[a]\nb.c.t = 1\n", "doc:4:3: \"c\" is defined already and cannot be added to"},
    {"[[a.b]]\n[a]\nb.y = 2\n", "doc:3:1: \"b\" is defined already and cannot be added to"},
    {"a.b = 1\na.b.c = 2\n", "doc:2:3: \"b\" is defined already and cannot be added to"},
    {"a = \n", "doc:1:5: a value is wanted here"},
    {"a\n", "doc:1:2: \"=\" is wanted here"},
    {"= 1\n", "doc:1:1: a key is wanted here"},
    {"a. = 1\n", "doc:1:4: a key is wanted here"},
    {"a b = 1\n", "doc:1:3: \"=\" is wanted here"},
    {"\xc3\xa4 = 1\n", "doc:1:1: a key is wanted here"},
    {"\"\"\"a\"\"\" = 1\n", "doc:1:1: a key cannot have several lines"},
    {"[a\n]\n", "doc:1:3: \"]\" is wanted here"},
    {"[[a] ]\n", "doc:1:5: \"]]\" is wanted here"},
    {"[]\n", "doc:1:2: a key is wanted here"},
    {"[a] b = 1\n", "doc:1:5: the end of the line is wanted here"},
    {"a = {b = 1,}\n", "doc:1:12: a key is wanted here"},
    {"a = {b = 1\n}\n", "doc:1:11: \",\" or \"}\" is wanted here"},
    {"a = [1 2]\n", "doc:1:8: \",\" or \"]\" is wanted here"},
    {"a = [1,,2]\n", "doc:1:8: a value is wanted here"},
    {"a = [1\n", "doc:2:1: \",\" or \"]\" is wanted here"},
    {"a = b\n", "doc:1:5: " NO_VALUE},
    {"a = 01\n", "doc:1:5: " NO_VALUE},
    {"a = +-1\n", "doc:1:5: " NO_VALUE},
    {"a = 1_\n", "doc:1:5: " NO_VALUE},
    {"a = 1__0\n", "doc:1:5: " NO_VALUE},
    {"a = _1\n", "doc:1:5: " NO_VALUE},
    {"a = 1.\n", "doc:1:5: " NO_VALUE},
    {"a = .5\n", "doc:1:5: " NO_VALUE},
    {"a = 1._5\n", "doc:1:5: " NO_VALUE},
    {"a = 1e_5\n", "doc:1:5: " NO_VALUE},
    {"a = 0x\n", "doc:1:5: " NO_VALUE},
    {"a = 0x_1\n", "doc:1:5: " NO_VALUE},
    {"a = +0x1\n", "doc:1:5: " NO_VALUE},
    {"a = 0x+1\n", "doc:1:5: " NO_VALUE},
    {"a = 0XF\n", "doc:1:5: " NO_VALUE},
    {"a = 0o8\n", "doc:1:5: " NO_VALUE},
    {"a = 0b2\n", "doc:1:5: " NO_VALUE},
    {"a = 9223372036854775808\n", "doc:1:5: " NO_VALUE},
    {"a = -9223372036854775809\n", "doc:1:5: " NO_VALUE},
    {"a = 0x8000000000000000\n", "doc:1:5: " NO_VALUE},
    {"a = True\n", "doc:1:5: " NO_VALUE},
    {"a = Inf\n", "doc:1:5: " NO_VALUE},
    {"a = 1979-02-30\n", "doc:1:5: " NO_VALUE},
    {"a = 1979-05-27T\n", "doc:1:5: " NO_VALUE},
    {"a = 1979-05-27T07:32Z\n", "doc:1:5: " NO_VALUE},
    {"a = 07:32\n", "doc:1:5: " NO_VALUE},
    {"a = 24:00:00\n", "doc:1:5: " NO_VALUE},
    {"a = 07:32:00Z\n", "doc:1:5: " NO_VALUE},
    {"a = 1979-05-27 \n07:32:00\n", "doc:2:3: \"=\" is wanted here"},
    {"a = \"x\ny\"\n", "doc:1:7: a string does not end in its line"},
    {"a = \"x", "doc:1:5: a string does not end"},
    {"a = '''x''\n", "doc:1:5: a string does not end"},
    {"a = \"\\q\"\n", "doc:1:7: no such escape"},
    {"a = \"\\u00g0\"\n", "doc:1:10: an escape needs hexadecimal digits here"},
    {"a = \"\\ud800\"\n", "doc:1:5: a string escapes what is no Unicode character"},
    {"a = \"\\U00110000\"\n", "doc:1:5: a string escapes what is no Unicode character"},
    {"a = \"\\u0000\"\n", "doc:1:5: a string holds U+0000"},
    {"a = \"\x01\"\n", "doc:1:6: a control character in a string"},
    {"a = '\x7f'\n", "doc:1:6: a control character in a string"},
    {"# \x01\n", "doc:1:3: a control character in a comment"},
    {"a = \"\"\"\"\"\"\"\"\"\n", "doc:1:13: the end of the line is wanted here"},
    {"a = 1\rb = 2\n", "doc:1:6: the end of the line is wanted here"},
    {"a = \"\xff\"\n", "doc:1:6: not UTF-8"},
    {"\xef\xbb\xbf" "a = 1\n", "doc:1:1: a byte order mark: save the file as UTF-8 without one"},
};

static void check_bad(struct span text, enum reason reason, const char *want)
{
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(!toml_parse(text, "doc", &tree, &err), "taken: %.*s", (int)text.len, (const char *)text.ptr);
    ck_assert_ptr_null(tree);
    ck_assert_str_eq(err.text, want);
    ck_assert_str_eq(reason_name(err.reason), reason_name(reason));
}

START_TEST(bad_documents)
{
    check_bad(span_str(bad_cases[_i].text), REASON_MALFORMED, bad_cases[_i].want);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    check_bad(span_of("a = 1\0\n", 7), REASON_MALFORMED, "doc:1:6: the end of the line is wanted here");
    check_bad(span_of("a = '\0'\n", 8), REASON_MALFORMED, "doc:1:6: a control character in a string");
}
END_TEST

START_TEST(depth_is_limited)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 16);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    buf_str(&text, "a = ");
    for (int i = 0; i < 63; i++)
        buf_byte(&text, '[');
    for (int i = 0; i < 63; i++)
        buf_byte(&text, ']');
    ck_assert_msg(toml_parse(buf_as_span(&text), "doc", &tree, &err), "%s", err.text);
    buf_clear(&text);
    buf_str(&text, "a = ");
    for (int i = 0; i < 10000; i++)
        buf_byte(&text, '[');
    check_bad(buf_as_span(&text), REASON_LIMIT, "doc:1:68: nested deeper than 64 levels");
    buf_clear(&text);
    for (int i = 0; i < 40; i++)
        buf_str(&text, "a = {");
    check_bad(buf_as_span(&text), REASON_MALFORMED, "doc:1:201: a key is wanted here");
    buf_clear(&text);
    buf_str(&text, "[a");
    for (int i = 0; i < 70; i++)
        buf_str(&text, ".a");
    check_bad(buf_as_span(&text), REASON_LIMIT, "doc:1:130: nested deeper than 64 levels");
}
END_TEST

/* Many names in one table cost no more than few: each is looked up once. */
START_TEST(large_tables)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 22);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    for (unsigned int i = 0; i < 100000; i++)
        buf_printf(&text, "k%u = %u\n", i, i);
    ck_assert(toml_parse(buf_as_span(&text), "doc", &tree, &err));
    ck_assert_uint_eq(tree_root(tree)->count, 100000);
    buf_str(&text, "k4711 = 1\n");
    check_bad(buf_as_span(&text), REASON_MALFORMED, "doc:100001:1: \"k4711\" is there twice in one table");
}
END_TEST

START_TEST(places_are_those_of_values)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *node;

    ck_assert(toml_parse(span_str("a = 1\n\n[x.y]\nb = [\n  'c' ]\n"), "doc", &tree, &err));
    node = node_get(tree_root(tree), "x");
    ck_assert(node->line == 3 && node->column == 2);
    node = node_at(node_get(node_get(node, "y"), "b"), 0);
    ck_assert(node->line == 5 && node->column == 3);
    ck_assert_uint_eq(tree_documents(tree), 1);
}
END_TEST

/*
 * The public test set (github.com/toml-lang/toml-test, MIT), as Debian ships it in golang-github-burntsushi-toml-dev:
 * valid/ documents beside what they mean as JSON with types, invalid/ ones that must be refused.
 */
#define TOML_TEST "/usr/share/gocode/src/github.com/BurntSushi/toml/internal/toml-test/tests"

static bool same_node(const struct node *got, const struct node *want);

static double as_double(struct span text)
{
    char copy[64] = "";
    double value = 0;

    ck_assert(text.len < sizeof(copy));
    memcpy(copy, text.ptr, text.len);
    ck_assert_int_eq(sscanf(copy, "%lf", &value), 1);
    return value;
}

/* Dates of the set are written with T and without what is zero; ours are as in the document. */
static bool same_time(struct span got, struct span want)
{
    int64_t a = 0, b = 1;
    uint32_t a_nanos = 0, b_nanos = 1;
    char copy[64] = "";

    if (got.len >= sizeof(copy) || got.len == 0)
        return false;
    memcpy(copy, got.ptr, got.len);
    for (size_t i = 0; i < got.len; i++)
        copy[i] = copy[i] == ' ' || copy[i] == 't' ? 'T' : copy[i] == 'z' ? 'Z' : copy[i];
    if (time_parse(span_str(copy), &a, &a_nanos) && time_parse(want, &b, &b_nanos))
        return a == b && a_nanos / 1000000 == b_nanos / 1000000;
    return span_eq(span_cut(span_str(copy), 0, want.len), want);
}

static bool same_scalar(const struct node *got, struct span type, struct span value)
{
    if (span_eq_str(type, "string"))
        return node_is(got, NODE_STRING) && span_eq(got->text, value);
    if (span_eq_str(type, "bool"))
        return node_is(got, NODE_BOOL) && span_eq(got->text, value);
    if (span_eq_str(type, "integer"))
        return node_is(got, NODE_NUMBER) && (span_eq(got->text, value) || span_eq_str(got->text, "-0"));
    if (span_eq_str(type, "float") && node_is(got, NODE_STRING))
        return span_ends(got->text, "nan") ? span_ends(value, "nan")
                                           : span_eq(got->text, value) ||
                                                 (span_starts(got->text, "+") && span_eq_str(value, "inf"));
    if (span_eq_str(type, "float"))
        return node_is(got, NODE_NUMBER) && as_double(got->text) == as_double(value);
    return node_is(got, NODE_STRING) && same_time(got->text, value);
}

static bool same_members(const struct node *got, const struct node *want)
{
    for (const struct node *member = want->child; member; member = member->next)
        if (!same_node(node_get_span(got, member->name), member))
            return false;
    return got && got->kind == NODE_MAP && got->count == want->count;
}

static bool same_node(const struct node *got, const struct node *want)
{
    const struct node *type = node_get(want, "type"), *value = node_get(want, "value");

    if (node_is(want, NODE_MAP) && want->count == 2 && node_is(type, NODE_STRING) && node_is(value, NODE_STRING))
        return got && same_scalar(got, type->text, value->text);
    if (node_is(want, NODE_MAP))
        return same_members(got, want);
    if (!node_is(want, NODE_LIST) || !node_is(got, NODE_LIST) || got->count != want->count)
        return false;
    for (size_t i = 0; i < want->count; i++)
        if (!same_node(node_at(got, i), node_at(want, i)))
            return false;
    return true;
}

/* Valid documents that we refuse: what TOML 1.0.0 does not have (the set runs ahead of it), and U+0000. */
static bool is_refused(const char *path)
{
    static const char *const refused[] = {
        "/valid/datetime/no-seconds.toml", "/valid/inline-table/newline.toml", "/valid/key/unicode.toml",
        "/valid/string/escape-esc.toml",   "/valid/string/hex-escape.toml",    "/valid/key/quoted-unicode.toml",
        "/valid/string/quoted-unicode.toml",
    };

    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (span_ends(span_str(path), refused[i]))
            return true;
    return false;
}

static void run_document(const char *path, bool valid)
{
    CLEANUP(buf_free) struct buf toml = BUF_INIT(0), json = BUF_INIT(0);
    CLEANUP(tree_freep) struct tree *got = NULL, *want = NULL;
    CLEANUP(mem_freep) char *json_path = mem_printf("%.*s.json", (int)(strlen(path) - 5), path);
    struct error err = ERROR_INIT;
    bool taken;

    ck_assert(json_path && file_read(path, 1 << 20, FILE_ANY, &toml, &err));
    if (is_refused(path) || span_find(buf_as_span(&toml), "null-1  = \"\\u0000\"") != SIZE_MAX)
        valid = false;
    taken = toml_parse(buf_as_span(&toml), path, &got, &err);
    ck_assert_msg(taken == valid, "%s: %s", path, taken ? "taken" : err.text);
    if (!valid)
        return;
    ck_assert_msg(file_read(json_path, 1 << 20, FILE_ANY, &json, &err), "%s", err.text);
    ck_assert_msg(json_parse(buf_as_span(&json), json_path, TREE_DEFAULT, &want, &err), "%s", err.text);
    ck_assert_msg(same_node(tree_root(got), tree_root(want)), "%s: read differently", path);
}

static unsigned int run_directory(const char *path, bool valid)
{
    CLEANUP(names_free) struct names names = {0};
    struct error err = ERROR_INIT;
    unsigned int count = 0;

    if (!dir_list(path, NULL, &names, &err))
        return 0;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *below = path_under(path, names.items[i]);

        if (span_ends(span_str(below), ".toml")) {
            run_document(below, valid);
            count++;
        } else if (!span_ends(span_str(below), ".json") && !span_ends(span_str(below), ".multi")) {
            count += run_directory(below, valid);
        }
    }
    return count;
}

START_TEST(public_set)
{
    const char *set = secure_getenv("PG_TOML_TEST");
    CLEANUP(mem_freep) char *valid = mem_printf("%s/valid", set ? set : TOML_TEST);
    CLEANUP(mem_freep) char *invalid = mem_printf("%s/invalid", set ? set : TOML_TEST);
    unsigned int count = run_directory(valid, true) + run_directory(invalid, false);

    if (count == 0)
        (void)printf("the public TOML test set is not installed: not run\n");
    else
        (void)printf("%u documents of the public TOML test set\n", count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_toml");
    TCase *cases = tcase_create("toml");

    tcase_add_loop_test(cases, good_documents, 0, (int)ARRAY_LEN(good_cases));
    tcase_add_loop_test(cases, bad_documents, 0, (int)ARRAY_LEN(bad_cases));
    tcase_add_test(cases, nul_bytes_are_refused);
    tcase_add_test(cases, depth_is_limited);
    tcase_add_test(cases, large_tables);
    tcase_add_test(cases, places_are_those_of_values);
    tcase_add_test(cases, public_set);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
