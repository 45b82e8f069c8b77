/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tree.h"

#include <string.h>

#include "tests/unit/harness.h"

static struct tree *parse(const char *text)
{
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(json_parse(span_str(text), "doc", TREE_DEFAULT, &tree, &err), "%s", err.text);
    return tree;
}

START_TEST(look_ups_chain_over_nothing)
{
    CLEANUP(tree_freep) struct tree *tree = parse("{\"a\":{\"b\":[1,\"x\"]},\"n\":null}");
    const struct node *root = tree_root(tree);
    bool flag = true;
    int64_t number = 7;

    ck_assert(node_str_is(node_at(node_get(node_get(root, "a"), "b"), 1), "x"));
    ck_assert_ptr_null(node_get(node_get(node_get(root, "x"), "y"), "z"));
    ck_assert_ptr_null(node_get(node_get(root, "n"), "x"));
    ck_assert_ptr_null(node_get(NULL, "x"));
    ck_assert_ptr_null(node_get_span(root, span_of("a\0", 2)));
    ck_assert_ptr_null(node_at(node_get(node_get(root, "a"), "b"), 2));
    ck_assert_ptr_null(node_at(root, 0));
    ck_assert_ptr_null(node_at(NULL, 0));
    ck_assert(!node_is(NULL, NODE_NULL));
    ck_assert(!node_str_is(NULL, ""));
    ck_assert(!node_bool(NULL, &flag) && flag);
    ck_assert(!node_int(NULL, true, &number) && number == 7);
    ck_assert_ptr_null(tree_root(NULL));
    ck_assert_uint_eq(tree_documents(NULL), 0);
    tree_free(NULL);
}
END_TEST

struct int_case {
    const char *json;
    bool number, text; /* good as a number; with strings, too */
    int64_t value;
};

static const struct int_case ints[] = {
    {"0", true, true, 0},
    {"-1", true, true, -1},
    {"9223372036854775807", true, true, INT64_MAX},
    {"-9223372036854775808", true, true, INT64_MIN},
    {"9223372036854775808", false, false, 0},
    {"-9223372036854775809", false, false, 0},
    {"1.0", false, false, 0},
    {"1e3", false, false, 0},
    {"-0", true, true, 0},
    {"\"12\"", false, true, 12},
    {"\"-12\"", false, true, -12},
    {"\"012\"", false, false, 0},
    {"\"+1\"", false, false, 0},
    {"\" 1\"", false, false, 0},
    {"\"--1\"", false, false, 0},
    {"\"-\"", false, false, 0},
    {"\"\"", false, false, 0},
    {"\"1.0\"", false, false, 0},
    {"true", false, false, 0},
    {"null", false, false, 0},
};

START_TEST(integers)
{
    const struct int_case *c = &ints[_i];
    CLEANUP(tree_freep) struct tree *tree = parse(c->json);
    int64_t value = 99;

    ck_assert_msg(node_int(tree_root(tree), false, &value) == c->number, "%s", c->json);
    ck_assert_int_eq(value, c->number ? c->value : 99);
    value = 99;
    ck_assert_msg(node_int(tree_root(tree), true, &value) == c->text, "%s", c->json);
    ck_assert_int_eq(value, c->text ? c->value : 99);
}
END_TEST

START_TEST(booleans)
{
    CLEANUP(tree_freep) struct tree *tree = parse("[true,false,\"true\",1]");
    bool flag = false;

    ck_assert(node_bool(node_at(tree_root(tree), 0), &flag) && flag);
    ck_assert(node_bool(node_at(tree_root(tree), 1), &flag) && !flag);
    ck_assert(!node_bool(node_at(tree_root(tree), 2), &flag));
    ck_assert(!node_bool(node_at(tree_root(tree), 3), &flag));
}
END_TEST

START_TEST(nearest_names)
{
    static const char *const known[] = {"images", "authorities", "mode", "key"};
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"image", "images"},   {"imagse", "images"}, {"authoritys", "authorities"}, {"mode", "mode"}, {"node", "mode"},
        {"keys", "key"},       {"ky", NULL},         {"x", NULL},                   {"", NULL},       {"spec", NULL},
        {"modeled", NULL},     {"Images", "images"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *nearest = name_nearest(span_str(cases[i].name), known, ARRAY_LEN(known));

        ck_assert_msg(nearest == cases[i].want || (nearest && cases[i].want && strcmp(nearest, cases[i].want) == 0),
                      "%s: %s", cases[i].name, nearest ? nearest : "none");
    }
}
END_TEST

struct fields_case {
    const char *json;
    bool unknown_allowed;
    const char *want; /* the error; NULL = good */
};

static const struct fields_case fields_cases[] = {
    {"{\"name\":\"x\"}", false, NULL},
    {"{\"name\":\"x\",\"count\":1,\"any\":[]}", false, NULL},
    {"{\"name\":\"x\",\"other\":1}", true, NULL},
    {"{\"name\":\"x\",\"other\":null,\"count\":null,\"any\":null}", true, NULL},
    {"{\"name\":null}", true, "doc:1:1: \"name\" is missing"},
    {"{\"name\":\"x\",\"count\":\"1\"}", true, "doc:1:21: \"count\" must be a number, not a string"},
    {"[]", false, "doc:1:1: must be a map, not list"},
    {"{}", false, "doc:1:1: \"name\" is missing"},
    {"{\"name\":1}", false, "doc:1:9: \"name\" must be a string, not a number"},
    {"{\"name\":\"x\",\n\"count\":\"1\"}", false, "doc:2:9: \"count\" must be a number, not a string"},
    {"{\"name\":\"x\",\"count\":null}", false, "doc:1:21: \"count\" must be a number, not a null"},
    {"{\"name\":\"x\",\"cuont\":1}", false, "doc:1:21: unknown member \"cuont\" (did you mean \"count\"?)"},
    {"{\"name\":\"x\",\"zzz\\n\":1}", false, "doc:1:21: unknown member \"zzz\\x0a\""},
};

START_TEST(records)
{
    const struct fields_case *c = &fields_cases[_i];
    CLEANUP(tree_freep) struct tree *tree = parse(c->json);
    const struct node *untouched = tree_root(tree);
    const struct node *name = untouched, *count = untouched, *any = untouched;
    const struct field fields[] = {
        {"name", NODE_STRING, true, &name},
        {"count", NODE_NUMBER, false, &count},
        {"any", FIELD_ANY, false, &any},
    };
    struct error err = ERROR_INIT;
    bool good = node_fields(tree_root(tree), "doc", fields, ARRAY_LEN(fields), c->unknown_allowed, REASON_POLICY_ERROR,
                            &err);

    ck_assert_msg(good == (c->want == NULL), "%s: %s", c->json, err.text);
    if (good) {
        ck_assert(node_str_is(name, "x"));
        ck_assert_ptr_eq(count, node_is(node_get(tree_root(tree), "count"), NODE_NULL)
                                    ? NULL
                                    : node_get(tree_root(tree), "count"));
        ck_assert_ptr_eq(any, node_get(tree_root(tree), "any"));
        return;
    }
    ck_assert_str_eq(err.text, c->want);
    ck_assert_int_eq(err.reason, REASON_POLICY_ERROR);
    ck_assert(name == untouched && count == untouched && any == untouched);
}
END_TEST

START_TEST(records_without_places)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *name;
    const struct field fields[] = {{"name", NODE_STRING, true, &name}};
    struct error err = ERROR_INIT;

    ck_assert(json_parse(span_str("{\"nam\":1}"), "doc", TREE_NO_PLACES, &tree, &err));
    ck_assert(!node_fields(tree_root(tree), "bundle", fields, 1, false, REASON_MALFORMED, &err));
    ck_assert_str_eq(err.text, "bundle: unknown member \"nam\" (did you mean \"name\"?)");
    ck_assert(!node_fields(NULL, "bundle", fields, 1, false, REASON_MALFORMED, &err));
    ck_assert_str_eq(err.text, "bundle: must be a map, not missing");
}
END_TEST

START_TEST(kinds_have_names)
{
    ck_assert_str_eq(node_kind_name(NODE_NULL), "null");
    ck_assert_str_eq(node_kind_name(NODE_BOOL), "boolean");
    ck_assert_str_eq(node_kind_name(NODE_NUMBER), "number");
    ck_assert_str_eq(node_kind_name(NODE_STRING), "string");
    ck_assert_str_eq(node_kind_name(NODE_LIST), "list");
    ck_assert_str_eq(node_kind_name(NODE_MAP), "map");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_tree");
    TCase *cases = tcase_create("tree");

    tcase_add_test(cases, look_ups_chain_over_nothing);
    tcase_add_loop_test(cases, integers, 0, (int)ARRAY_LEN(ints));
    tcase_add_test(cases, booleans);
    tcase_add_test(cases, nearest_names);
    tcase_add_loop_test(cases, records, 0, (int)ARRAY_LEN(fields_cases));
    tcase_add_test(cases, records_without_places);
    tcase_add_test(cases, kinds_have_names);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
