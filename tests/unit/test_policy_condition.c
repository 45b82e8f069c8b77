/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/condition.h"

#include "base/mem.h"
#include "policy/decimal.h"
#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"

static const char statement[] = "{\"_type\":\"https://in-toto.io/Statement/"
                                "v1\",\"predicateType\":\"t\",\"subject\":[{\"name\":\"n\"}],\"predicate\":{"
                                "\"builder\":{\"id\":\"https://github.com/a/"
                                "b\"},\"count\":3,\"score\":7.50,\"flag\":true,\"nothing\":null,\"empty\":[],"
                                "\"when\":\"2026-11-20T10:00:00Z\",\"odd.name\":{\"x\":\"y\"},\"names\":[\"a\",\"b\"],"
                                "\"packages\":[{\"name\":\"p\",\"license\":\"MIT\"},{\"name\":\"q\",\"license\":\"GPL-"
                                "3.0-only\"},{\"name\":\"r\"}],"
                                "\"results\":[{\"target\":\"os\",\"vulnerabilities\":[{\"id\":\"CVE-1\",\"severity\":"
                                "\"LOW\"},{\"id\":\"CVE-2\",\"severity\":"
                                "\"CRITICAL\"}]},{\"target\":\"app\"}]}}";

static const struct {
    const char *conditions;
    bool holds;
    const char *why; /* the whole of it; NULL = not looked at */
} cases[] = {
    {"[{path: predicateType, equals: t}]", true, NULL},
    {"[{path: predicate.builder.id, equals: \"https://github.com/a/b\"}]", true, NULL},
    {"[{path: predicate.builder.id, equals: \"https://github.com/a\"}]", false,
     "predicate.builder.id: wanted equals https://github.com/a, found string \"https://github.com/a/b\""},
    /* absent and of another type: no operator holds */
    {"[{path: predicate.builder.version, equals: x}]", false, "predicate.builder.version: is absent"},
    {"[{path: predicate.builder.version, notEquals: x}]", false, NULL},
    {"[{path: predicate.builder.version, notIn: [x]}]", false, NULL},
    {"[{path: predicate.builder.version, none: [{equals: x}]}]", false, NULL},
    {"[{path: predicate.builder.version, count: 0}]", false, NULL},
    {"[{path: predicate.builder.version, exists: false}]", true, NULL},
    {"[{path: predicate.builder.id, exists: false}]", false, "predicate.builder.id: is present"},
    {"[{path: predicate.builder.id, exists: true}]", true, NULL},
    {"[{path: predicate.builder.version, exists: true}]", false, NULL},
    {"[{path: predicate.nothing, exists: true}]", true, NULL},
    {"[{path: predicate.builder.version, absent: holds, equals: x}]", true, NULL},
    {"[{path: predicate.builder.version, absent: fails, equals: x}]", false, NULL},
    {"[{path: predicate.count, equals: \"3\"}]", false,
     "predicate.count: wanted equals 3 (same type), found number \"3\""},
    {"[{path: predicate.count, notEquals: \"4\"}]", false, NULL},
    {"[{path: predicate.count, prefix: \"3\"}]", false, NULL},
    {"[{path: predicate.builder.id, lessThan: 5}]", false, NULL},
    {"[{path: predicate.builder, equals: x}]", false, NULL},
    {"[{path: predicate.nothing, equals: x}]", false, NULL},
    /* comparisons */
    {"[{path: predicate.count, equals: 3.0}]", true, NULL},
    {"[{path: predicate.count, notEquals: 4}]", true, NULL},
    {"[{path: predicate.flag, equals: true}]", true, NULL},
    {"[{path: predicate.flag, equals: false}]", false, NULL},
    {"[{path: predicate.score, lessThan: 7.5}]", false, NULL},
    {"[{path: predicate.score, atMost: 7.5}]", true, NULL},
    {"[{path: predicate.score, moreThan: 7.49}]", true, NULL},
    {"[{path: predicate.score, atLeast: 7.6}]", false, NULL},
    {"[{path: predicate.count, atLeast: 2, atMost: 4}]", true, NULL}, /* several operators: all */
    {"[{path: predicate.count, atLeast: 2, atMost: 2}]", false, NULL},
    {"[{path: predicate.builder.id, prefix: \"https://github.com/\"}]", true, NULL},
    {"[{path: predicate.builder.id, suffix: /b}]", true, NULL},
    {"[{path: predicate.builder.id, glob: \"https://github.com/*/b\"}]", true, NULL},
    {"[{path: predicate.builder.id, glob: \"https://*/b\"}]", false, NULL},
    {"[{path: predicate.builder.id, matches: \"^https://git(hub|lab)\\\\.com/\"}]", true, NULL},
    {"[{path: predicate.builder.id, in: [x, \"https://github.com/a/b\"]}]", true, NULL},
    {"[{path: predicate.builder.id, notIn: [x, \"https://github.com/a/b\"]}]", false, NULL},
    {"[{path: predicate.builder.id, notIn: [x]}]", true, NULL},
    {"[{path: predicate.builder.id, notIn: [1]}]", false, NULL}, /* not comparable */
    {"[{path: predicate.when, before: \"2026-11-21T00:00:00Z\"}]", true, NULL},
    {"[{path: predicate.when, after: \"2026-11-20T11:00:00+01:00\"}]", false, NULL}, /* the same moment */
    {"[{path: predicate.builder.id, after: \"2026-11-20T11:00:00Z\"}]", false, NULL},
    /* paths */
    {"[{path: \"predicate[\\\"odd.name\\\"].x\", equals: y}]", true, NULL},
    {"[{path: \"predicate.packages[1].name\", equals: q}]", true, NULL},
    {"[{path: \"predicate.packages[3].name\", equals: q}]", false, NULL},
    {"[{path: \"predicate.builder[0]\", exists: true}]", false, NULL},
    {"[{path: \"subject[0].name\", equals: n}]", true, NULL},
    /* lists */
    {"[{path: predicate.names, any: [{equals: b}]}]", true, NULL},
    {"[{path: predicate.names, any: [{equals: c}]}]", false, "predicate.names: any: no element of 2 is as wanted"},
    {"[{path: predicate.names, all: [{in: [a, b]}]}]", true, NULL},
    {"[{path: predicate.names, all: [{in: [a]}]}]", false,
     "predicate.names: all: element 1: the element: wanted in a, found string \"b\""},
    {"[{path: predicate.names, none: [{equals: c}]}]", true, NULL},
    {"[{path: predicate.names, none: [{equals: b}]}]", false,
     "predicate.names: none: element 1 is one that must not be"},
    {"[{path: predicate.names, count: 2}]", true, NULL},
    {"[{path: predicate.names, count: {atLeast: 3}}]", false, NULL},
    {"[{path: predicate.names, count: {atMost: 3}}]", true, NULL},
    {"[{path: predicate.count, any: [{equals: 3}]}]", false, NULL},
    {"[{path: predicate.empty, any: [{equals: c}]}]", false, NULL},
    {"[{path: predicate.empty, all: [{equals: c}]}]", true, NULL},
    {"[{path: predicate.empty, none: [{equals: c}]}]", true, NULL},
    /* missing data inside none: undecided, so it does not hold (trap 9) ... */
    {"[{path: predicate.packages, none: [{path: license, in: [AGPL-3.0-only]}]}]", false,
     "predicate.packages: none: element 2: license: is absent"},
    /* ... unless the policy says what absence means */
    {"[{path: predicate.packages, none: [{path: license, absent: fails, in: [AGPL-3.0-only]}]}]", true, NULL},
    {"[{path: predicate.packages, none: [{path: license, absent: fails, in: [GPL-3.0-only]}]}]", false,
     "predicate.packages: none: element 1 is one that must not be"},
    {"[{path: predicate.packages, all: [{path: license, exists: true}]}]", false, NULL},
    {"[{path: predicate.packages, any: [{path: name, equals: p}, {path: license, equals: MIT}]}]", true, NULL},
    {"[{path: predicate.packages, any: [{path: name, equals: p}, {path: license, equals: GPL-3.0-only}]}]", false,
     NULL},
    /* a definite answer settles the matter in spite of an undecided one */
    {"[{path: predicate.packages, any: [{path: license, equals: MIT}]}]", true, NULL},
    {"[{path: predicate.packages, none: [{path: license, equals: MIT}]}]", false, NULL},
    /* nested */
    {"[{path: predicate.results, none: [{path: vulnerabilities, absent: fails, any: [{path: severity, in: [CRITICAL, "
     "HIGH]}]}]}]",
     false, NULL},
    {"[{path: predicate.results, none: [{path: vulnerabilities, absent: fails, any: [{path: severity, equals: "
     "URGENT}]}]}]",
     true, NULL},
    {"[{path: predicate.results, none: [{path: vulnerabilities, any: [{path: severity, equals: URGENT}]}]}]", false,
     NULL},
    /* alternatives */
    {"[{anyOf: [{path: predicate.count, equals: 1}, {path: predicate.count, equals: 3}]}]", true, NULL},
    {"[{anyOf: [[{path: predicate.count, equals: 3}, {path: predicate.flag, equals: false}], {path: predicate.x, "
     "equals: 1}]}]",
     false, NULL},
    {"[{noneOf: [{path: predicate.count, equals: 1}]}]", true, NULL},
    {"[{noneOf: [{path: predicate.count, equals: 3}]}]", false, NULL},
    {"[{noneOf: [{path: predicate.x, equals: 3}]}]", false, NULL},
    /* age: by trusted time only; here one day */
    {"[{maxAge: 1d}]", true, NULL},
    {"[{maxAge: 23h}]", false, NULL},
};

static struct condition *load_conditions(const char *yaml)
{
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    struct policy_set *set = policy_set_new();
    /* condition_load needs no set. */
    struct load load = {.set = set, .file = "test.yaml", .err = &err};
    struct condition *conditions = NULL;

    ck_assert_msg(yaml_parse(span_str(yaml), "test.yaml", &tree, &err), "%s", err.text);
    ck_assert_msg(condition_load(&load, NULL, tree_root(tree), &conditions), "%s", err.text);
    tree_free(tree);
    policy_set_free(set);
    return conditions;
}

START_TEST(holds)
{
    struct condition *conditions = load_conditions(cases[_i].conditions);
    struct tree *tree = NULL;
    struct error err = ERROR_INIT, why = ERROR_INIT;
    struct condition_input input = {.now = TEST_NOW, .has_time = true, .time = TEST_NOW - 86400};
    bool good;

    ck_assert_msg(json_parse(span_str(statement), "statement", TREE_NO_PLACES, &tree, &err), "%s", err.text);
    input.statement = tree_root(tree);
    good = condition_holds(conditions, &input, &why);
    ck_assert_msg(good == cases[_i].holds, "%s: %s", cases[_i].conditions, why.text);
    if (cases[_i].why != NULL)
        ck_assert_str_eq(why.text, cases[_i].why);
    if (!good)
        ck_assert_int_eq(why.reason, REASON_ATTESTATION_CONDITION);
    condition_free(conditions);
    tree_free(tree);
}
END_TEST

START_TEST(age_needs_a_trusted_time)
{
    struct condition *conditions = load_conditions("[{maxAge: 100w}]"),
                     *none = load_conditions("[{noneOf: [{maxAge: 1s}]}]");
    struct tree *tree = NULL;
    struct error err = ERROR_INIT, why = ERROR_INIT;
    struct condition_input input = {.now = TEST_NOW};

    ck_assert(json_parse(span_str(statement), "statement", TREE_NO_PLACES, &tree, &err));
    input.statement = tree_root(tree);
    ck_assert(!condition_holds(conditions, &input, &why));
    ck_assert_str_eq(why.text, "maxAge: no trusted time proves the age");
    ck_assert(!condition_holds(none, &input, &why));
    input.has_time = true;
    input.time = TEST_NOW + 300; /* clocks differ a little */
    ck_assert(condition_holds(conditions, &input, &why));
    input.time = TEST_NOW + 301;
    ck_assert(!condition_holds(conditions, &input, &why));
    ck_assert_str_eq(why.text, "maxAge: attested at 2026-11-23T18:05:01Z, which is in the future");
    ck_assert(!condition_holds(none, &input, &why));
    input.statement = NULL;
    ck_assert(!condition_holds(conditions, &input, &why));
    condition_free(conditions);
    condition_free(none);
    tree_free(tree);
}
END_TEST

/* A hostile string costs what its length times the expression's says, and too much of it has a reason of its own. */
START_TEST(work_is_bounded)
{
    static const struct {
        const char *conditions;
        size_t bytes;
        uint64_t work_max;
        bool holds;
        const char *why;
    } table[] = {
        {"[{path: predicate, glob: \"**a*aaaaaaaaaaaaaaab\"}]", 16384, 0, false, "predicate: wanted glob"},
        {"[{path: predicate, glob: \"**a*aaaaaaaaaaaaaaab\"}]", 16384, 16384 * 40, false, "predicate: wanted glob"},
        {"[{path: predicate, glob: \"**a*aaaaaaaaaaaaaaab\"}]", 16384, 16384 * 4, false,
         "the attestation is too large for these conditions"},
        {"[{path: predicate, glob: \"**a*aaaaaaaaaaaaaaaa\"}]", 16384, 0, true, NULL},
        {"[{path: predicate, glob: \"**a*aaaaaaaaaaaaaaaa\"}]", 16384, 16384 * 4, false,
         "the attestation is too large for these conditions"},
        {"[{noneOf: [{path: predicate, glob: \"**a*aaab\"}]}]", 16384, 16384, false,
         "the attestation is too large for these conditions"},
        {"[{path: predicate, matches: \"^(a|aa)+b\"}]", 16384, 16384, false,
         "the attestation is too large for these conditions"},
        {"[{path: predicate, glob: \"**\"}]", 16385, 0, false,
         "predicate: glob looks at no more than 16384 bytes, found 16385"},
        {"[{path: predicate, matches: \"a\"}]", 16385, 0, false,
         "predicate: matches looks at no more than 16384 bytes, found 16385"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct condition *conditions = load_conditions(table[i].conditions);
        struct condition_input input = {.now = TEST_NOW, .work_max = table[i].work_max};
        char *run = mem_new(table[i].bytes + 1, 1), *json;
        struct error err = ERROR_INIT, why = ERROR_INIT;
        struct tree *tree = NULL;

        memset(run, 'a', table[i].bytes);
        json = mem_printf("{\"predicate\":\"%s\"}", run);
        ck_assert(json_parse(span_str(json), "statement", TREE_NO_PLACES, &tree, &err));
        input.statement = tree_root(tree);
        ck_assert_msg(condition_holds(conditions, &input, &why) == table[i].holds, "%zu: %s", i, why.text);
        if (table[i].why != NULL)
            ck_assert_msg(strncmp(why.text, table[i].why, strlen(table[i].why)) == 0, "%zu: %s", i, why.text);
        condition_free(conditions);
        tree_free(tree);
        mem_free(json);
        mem_free(run);
    }
}
END_TEST

START_TEST(a_glob_has_a_length)
{
    struct policy_set *set = policy_set_new();
    struct error err = ERROR_INIT;
    struct load load = {.set = set, .file = "test.yaml", .err = &err};
    struct condition *conditions = NULL;
    struct tree *tree = NULL;
    char run[1026] = "";
    char *yaml;

    memset(run, 'a', 1025);
    yaml = mem_printf("[{path: predicate, glob: \"%s\"}]", run);
    ck_assert(yaml_parse(span_str(yaml), "test.yaml", &tree, &err));
    ck_assert(!condition_load(&load, NULL, tree_root(tree), &conditions));
    ck_assert_ptr_nonnull(strstr(err.text, "a glob has 1 to 1024 characters"));
    tree_free(tree);
    mem_free(yaml);
    policy_set_free(set);
}
END_TEST

static const struct {
    const char *a, *b;
    int order; /* 2 = not comparable */
} numbers[] = {
    {"1", "1", 0},
    {"1", "1.0", 0},
    {"1", "10e-1", 0},
    {"100", "1E2", 0},
    {"0", "-0.0", 0},
    {"0e5", "0", 0},
    {"1", "2", -1},
    {"-1", "1", -1},
    {"-2", "-1", -1},
    {"9", "10", -1},
    {"9.9", "9.10", 1},
    {"0.1", "0.09", 1},
    {"1e3", "999.999", 1},
    {"0", "1e-9", -1},
    {"0", "-1e-9", 1},
    {"9007199254740993", "9007199254740992", 1},
    {"0.5", "5e-1", 0},
    {"0.05", "5e-2", 0},
    {"123.456", "1.23456e2", 0},
    {"01", "1", 2},
    {"1.", "1", 2},
    {".5", "1", 2},
    {"1e", "1", 2},
    {"1e1000000", "1", 2},
    {"", "1", 2},
    {"NaN", "1", 2},
    {"+1", "1", 2},
    {"1 ", "1", 2},
};

START_TEST(numbers_compare_exactly)
{
    int order = 7;

    if (numbers[_i].order == 2) {
        ck_assert(!decimal_compare(span_str(numbers[_i].a), span_str(numbers[_i].b), &order));
        return;
    }
    ck_assert(decimal_compare(span_str(numbers[_i].a), span_str(numbers[_i].b), &order));
    ck_assert_msg(order == numbers[_i].order, "%s %s", numbers[_i].a, numbers[_i].b);
    ck_assert(decimal_compare(span_str(numbers[_i].b), span_str(numbers[_i].a), &order));
    ck_assert_int_eq(order, -numbers[_i].order);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_condition");
    TCase *tcase = tcase_create("condition");

    tcase_add_loop_test(tcase, holds, 0, ARRAY_LEN(cases));
    tcase_add_test(tcase, age_needs_a_trusted_time);
    tcase_add_test(tcase, work_is_bounded);
    tcase_add_test(tcase, a_glob_has_a_length);
    tcase_add_loop_test(tcase, numbers_compare_exactly, 0, ARRAY_LEN(numbers));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
