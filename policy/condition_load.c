/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions from a policy document. */
#include "policy/condition_model.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/glob.h"

enum { CONDITIONS_MAX = 10000, VALUES_MAX = 100000, NESTING_MAX = 16 };

static const char *const op_names[CONDITION_OPS] = {
    [CONDITION_EQUALS] = "equals", [CONDITION_NOT_EQUALS] = "notEquals", [CONDITION_IN] = "in",
    [CONDITION_NOT_IN] = "notIn", [CONDITION_PREFIX] = "prefix", [CONDITION_SUFFIX] = "suffix",
    [CONDITION_GLOB] = "glob", [CONDITION_MATCHES] = "matches", [CONDITION_LESS_THAN] = "lessThan",
    [CONDITION_AT_MOST] = "atMost", [CONDITION_MORE_THAN] = "moreThan", [CONDITION_AT_LEAST] = "atLeast",
    [CONDITION_BEFORE] = "before", [CONDITION_AFTER] = "after", [CONDITION_COUNT] = "count",
    [CONDITION_EXISTS] = "exists", [CONDITION_ANY] = "any", [CONDITION_ALL] = "all", [CONDITION_NONE] = "none",
    [CONDITION_ANY_OF] = "anyOf", [CONDITION_NONE_OF] = "noneOf", [CONDITION_MAX_AGE] = "maxAge"};

const char *condition_op_name(enum condition_op op)
{
    return op_names[op];
}

static void test_done(struct condition_test *test)
{
    for (size_t i = 0; i < test->value_count; i++)
        mem_free(test->values[i].text);
    mem_free(test->values);
    regex_free(test->regex);
    for (size_t i = 0; i < test->branch_count; i++)
        condition_free(test->branches[i]);
    mem_free(test->branches);
}

void condition_free(struct condition *conditions)
{
    while (conditions != NULL) {
        struct condition *next = conditions->next;

        mem_free(conditions->path);
        for (size_t i = 0; i < conditions->step_count; i++)
            mem_free(conditions->steps[i].name);
        mem_free(conditions->steps);
        for (size_t i = 0; i < conditions->test_count; i++)
            test_done(&conditions->tests[i]);
        mem_free(conditions->tests);
        mem_free(conditions);
        conditions = next;
    }
}

void condition_freep(struct condition **conditions)
{
    condition_free(*conditions);
    *conditions = NULL;
}

static bool add_value(struct load *load, const struct path *path, const struct node *node, struct condition_test *test)
{
    struct scalar *value;

    if (node->kind != NODE_STRING && node->kind != NODE_NUMBER && node->kind != NODE_BOOL)
        return load_fail(load, path, node, "wanted text, a number, true or false");
    if (!mem_grow(&test->values, &test->value_capacity, test->value_count, sizeof(*value), VALUES_MAX))
        return load_fail(load, path, node, "more than %d values", VALUES_MAX);
    value = &test->values[test->value_count];
    value->kind = node->kind;
    value->len = node->text.len;
    value->text = span_dup(node->text);
    if (value->text == NULL)
        return error_oom(load->err);
    test->value_count++;
    return true;
}

static bool load_values(struct load *load, const struct path *path, const struct node *node,
                        struct condition_test *test)
{
    struct path element = {.up = path};

    if (node->kind != NODE_LIST)
        return load_fail(load, path, node, "wanted a list of values");
    if (!load_not_empty(load, path, node, "value"))
        return false;
    for (const struct node *item = node->child; item != NULL; item = item->next, element.index++) {
        if (!add_value(load, &element, item, test))
            return false;
    }
    return true;
}

static bool load_text(struct load *load, const struct path *path, const struct node *node, struct condition_test *test)
{
    if (node->kind != NODE_STRING || node->text.len == 0)
        return load_fail(load, path, node, "wanted text");
    if (test->op == CONDITION_GLOB && node->text.len > GLOB_MAX_BYTES)
        return load_fail(load, path, node, "a glob has 1 to %d characters", GLOB_MAX_BYTES);
    if (test->op == CONDITION_MATCHES)
        return regex_new(node->text, &test->regex, load->err) ? add_value(load, path, node, test)
                                                              : load_fail_error(load, path, node);
    return add_value(load, path, node, test);
}

static bool load_number(struct load *load, const struct path *path, const struct node *node,
                        struct condition_test *test)
{
    if (node->kind != NODE_NUMBER)
        return load_fail(load, path, node, "wanted a number%s", node->kind == NODE_STRING ? " (without quotes)" : "");
    return add_value(load, path, node, test);
}

static bool load_time(struct load *load, const struct path *path, const struct node *node, struct condition_test *test)
{
    if (node->kind != NODE_STRING || !time_parse(node->text, &test->time, NULL))
        return load_fail(load, path, node, "wanted a time such as \"2026-01-31T00:00:00Z\"");
    return add_value(load, path, node, test);
}

static bool load_bound(struct load *load, const struct path *up, const char *name, const struct node *node,
                       uint64_t *ret)
{
    struct path path = {.up = up, .name = name};

    if (node == NULL || (node->kind == NODE_NUMBER && span_to_u64(node->text, UINT32_MAX, ret)))
        return true;
    return load_fail(load, &path, node, "wanted a whole number from 0 on");
}

static bool load_count(struct load *load, const struct path *path, const struct node *node, struct condition_test *test)
{
    static const struct field_rule rules[] = {{"atLeast", NODE_NUMBER, FIELD_OPTIONAL, NULL},
                                              {"atMost", NODE_NUMBER, FIELD_OPTIONAL, NULL}};
    const struct node *fields[ARRAY_LEN(rules)];

    test->at_most = UINT64_MAX;
    if (node->kind != NODE_MAP) {
        if (node->kind != NODE_NUMBER || !span_to_u64(node->text, UINT32_MAX, &test->at_least))
            return load_fail(load, path, node, "wanted a whole number from 0 on, or {atLeast: N, atMost: N}");
        test->at_most = test->at_least;
        return true;
    }
    if (!fields_read(load, path, node, rules, ARRAY_LEN(rules), fields))
        return false;
    if (fields[0] == NULL && fields[1] == NULL)
        return load_fail(load, path, node, "wanted atLeast, atMost or both");
    return load_bound(load, path, "atLeast", fields[0], &test->at_least) &&
           load_bound(load, path, "atMost", fields[1], &test->at_most);
}

static bool load_exists(struct load *load, const struct path *path, const struct node *node,
                        struct condition_test *test)
{
    return node_bool(node, &test->wanted) || load_fail(load, path, node, "wanted true or false");
}

static bool load_max_age(struct load *load, const struct path *path, const struct node *node,
                         struct condition_test *test)
{
    if (node->kind != NODE_STRING || !duration_parse(node->text, &test->time) || test->time <= 0)
        return load_fail(load, path, node, "wanted a duration such as 30d, 12h or 1h30m");
    return true;
}

static bool load_list(struct load *load, const struct path *path, const struct node *list, int depth,
                      struct condition **ret);

static bool add_branch(struct load *load, const struct path *path, const struct node *list, int depth,
                       struct condition_test *test)
{
    if (!mem_grow(&test->branches, &test->branch_capacity, test->branch_count, sizeof(*test->branches), CONDITIONS_MAX))
        return load_fail(load, path, list, "more than %d alternatives", CONDITIONS_MAX);
    if (!load_list(load, path, list, depth, &test->branches[test->branch_count]))
        return false;
    test->branch_count++;
    return true;
}

/* anyOf, noneOf: each alternative is one condition or a list of them. */
static bool load_alternatives(struct load *load, const struct path *path, const struct node *list, int depth,
                              struct condition_test *test)
{
    struct path element = {.up = path};

    if (list->kind != NODE_LIST)
        return load_fail(load, path, list, "wanted a list of alternatives");
    if (!load_not_empty(load, path, list, "alternative"))
        return false;
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        if (!add_branch(load, &element, item, depth, test))
            return false;
    }
    return true;
}

static bool load_test(struct load *load, const struct path *up, const struct node *node, enum condition_op op,
                      int depth, struct condition *condition)
{
    struct path path = {.up = up, .name = op_names[op]};
    struct condition_test *test;

    if (!mem_grow(&condition->tests, &condition->test_capacity, condition->test_count, sizeof(*test), CONDITION_OPS))
        return error_oom(load->err);
    test = &condition->tests[condition->test_count++];
    test->op = op;
    switch (op) {
    case CONDITION_EQUALS:
    case CONDITION_NOT_EQUALS:
        return add_value(load, &path, node, test);
    case CONDITION_IN:
    case CONDITION_NOT_IN:
        return load_values(load, &path, node, test);
    case CONDITION_PREFIX:
    case CONDITION_SUFFIX:
    case CONDITION_GLOB:
    case CONDITION_MATCHES:
        return load_text(load, &path, node, test);
    case CONDITION_LESS_THAN:
    case CONDITION_AT_MOST:
    case CONDITION_MORE_THAN:
    case CONDITION_AT_LEAST:
        return load_number(load, &path, node, test);
    case CONDITION_BEFORE:
    case CONDITION_AFTER:
        return load_time(load, &path, node, test);
    case CONDITION_COUNT:
        return load_count(load, &path, node, test);
    case CONDITION_EXISTS:
        return load_exists(load, &path, node, test);
    case CONDITION_ANY:
    case CONDITION_ALL:
    case CONDITION_NONE:
        return add_branch(load, &path, node, depth, test);
    case CONDITION_ANY_OF:
    case CONDITION_NONE_OF:
        return load_alternatives(load, &path, node, depth, test);
    case CONDITION_MAX_AGE:
        return load_max_age(load, &path, node, test);
    case CONDITION_OPS:
        break;
    }
    return load_fail(load, &path, node, "unknown operator");
}

/* At the top a path begins in the statement, whose members are few: another first step is a slip. */
static bool check_first_step(struct load *load, const struct path *path, const struct node *node,
                             const struct condition *condition)
{
    static const char *const known[] = {"predicate", "predicateType", "subject", "_type"};
    char shown[80];

    for (size_t i = 0; condition->step_count > 0 && condition->steps[0].name != NULL && i < ARRAY_LEN(known); i++) {
        if (strcmp(condition->steps[0].name, known[i]) == 0)
            return true;
    }
    return load_fail(load, path, node, "paths begin at the statement: did you mean \"predicate.%s\"?",
                     text_clean(node->text, shown, sizeof(shown)));
}

static bool load_path(struct load *load, const struct path *up, const struct node *at, const struct node *node,
                      int depth, struct condition *condition)
{
    struct path path = {.up = up, .name = "path"};
    bool whole = false;

    for (size_t i = 0; i < condition->test_count; i++) {
        enum condition_op op = condition->tests[i].op;

        if (op != CONDITION_MAX_AGE && op != CONDITION_ANY_OF && op != CONDITION_NONE_OF)
            continue;
        if (node != NULL && op == CONDITION_MAX_AGE)
            return load_fail(
                load, &path, node,
                "age is measured by trusted time only, not by a time that the attestation states about itself: "
                "maxAge takes no path (before and after compare such a time with a fixed one)");
        if (node != NULL)
            return load_fail(load, &path, node, "%s takes no path; its conditions have their own", op_names[op]);
        whole = true;
    }
    if (node != NULL)
        return condition_path_parse(node->text, condition, load->err)
                   ? depth > 0 || check_first_step(load, &path, node, condition)
                   : load_fail_error(load, &path, node);
    if (depth == 0 && !whole)
        return load_fail(load, &path, at, "is missing: where to look, such as \"predicate.builder.id\"");
    condition->path = mem_strdup("");
    return condition->path != NULL || error_oom(load->err);
}

/* One map. `depth` counts the quantifiers around it, `element` says that paths begin at an element of a list. */
static bool load_one(struct load *load, const struct path *path, const struct node *node, int depth,
                     struct condition *condition)
{
    enum { PATH, ABSENT, FIRST_OP, FIELDS = FIRST_OP + CONDITION_OPS };
    static const char *const absent_words[] = {"fails", "holds"};
    struct field_rule rules[FIELDS] = {[PATH] = {"path", NODE_STRING, FIELD_OPTIONAL, NULL},
                                       [ABSENT] = {"absent", NODE_STRING, FIELD_OPTIONAL, NULL}};
    struct path absent_path = {.up = path, .name = "absent"};
    const struct node *fields[FIELDS];
    size_t absent;

    for (size_t i = 0; i < CONDITION_OPS; i++)
        rules[FIRST_OP + i] = (struct field_rule){op_names[i], FIELD_ANY, FIELD_OPTIONAL, NULL};
    condition->line = node->line;
    condition->column = node->column;
    if (!fields_read(load, path, node, rules, FIELDS, fields))
        return false;
    for (size_t i = 0; i < CONDITION_OPS; i++) {
        if (fields[FIRST_OP + i] != NULL &&
            !load_test(load, path, fields[FIRST_OP + i], (enum condition_op)i,
                       i == CONDITION_ANY || i == CONDITION_ALL || i == CONDITION_NONE ? depth + 1 : depth, condition))
            return false;
    }
    if (condition->test_count == 0)
        return load_fail(load, path, node, "has no operator, such as \"equals\"");
    if (fields[ABSENT] != NULL) {
        if (!load_word(load, &absent_path, fields[ABSENT], absent_words, ARRAY_LEN(absent_words), &absent))
            return false;
        if (fields[FIRST_OP + CONDITION_EXISTS] != NULL)
            return load_fail(load, &absent_path, fields[ABSENT], "\"exists\" already says what absence means");
        condition->absent = absent == 0 ? ABSENT_FAILS : ABSENT_HOLDS;
    }
    return load_path(load, path, node, fields[PATH], depth, condition);
}

static bool load_list(struct load *load, const struct path *path, const struct node *list, int depth,
                      struct condition **ret)
{
    struct condition *head CLEANUP(condition_freep) = NULL, **tail = &head;
    struct path element = {.up = path};
    const struct node *item = list->kind == NODE_LIST ? list->child : list;

    if (depth > NESTING_MAX)
        return load_fail(load, path, list, "conditions are nested more than %d deep", NESTING_MAX);
    if (list->kind != NODE_LIST && list->kind != NODE_MAP)
        return load_fail(load, path, list, "wanted a list of conditions");
    if (list->kind == NODE_LIST && !load_not_empty(load, path, list, "condition"))
        return false;
    for (; item != NULL; item = list->kind == NODE_LIST ? item->next : NULL, element.index++) {
        *tail = mem_new(1, sizeof(**tail));
        if (*tail == NULL)
            return error_oom(load->err);
        if (!load_one(load, list->kind == NODE_LIST ? &element : path, item, depth, *tail))
            return false;
        tail = &(*tail)->next;
    }
    *ret = TAKE_PTR(head);
    return true;
}

bool condition_load(struct load *load, const struct path *path, const struct node *list, struct condition **ret)
{
    return load_list(load, path, list, 0, ret);
}
