/* SPDX-License-Identifier: Apache-2.0 */
/* Do they hold? Three-valued, so that missing data cannot be negated into success. */
#include "policy/condition_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "policy/decimal.h"
#include "policy/glob.h"

enum truth { FAILS, HOLDS, UNDECIDED };

/*
 * Work one evaluation may do, about one unit per byte looked at: some ten passes over the largest attestation. A
 * policy's conditions visit each part of a document once each, so only hundreds of conditions on a huge document come
 * near.
 */
static const uint64_t work_default = 2000u * 1000u * 1000u;

struct eval {
    const struct condition_input *input;
    uint64_t work, work_max;
    char note[300]; /* why the last condition that did not hold did not */
};

static enum truth note(struct eval *eval, enum truth truth, const char *format, ...) PRINTF_LIKE(3, 4);

static enum truth note(struct eval *eval, enum truth truth, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(eval->note, sizeof(eval->note), format, args);
    va_end(args);
    return truth;
}

static bool spend(struct eval *eval, uint64_t work)
{
    eval->work += work + 1;
    return eval->work <= eval->work_max;
}

static enum truth truth_of(bool holds)
{
    return holds ? HOLDS : FAILS;
}

/* Values of different types are not comparable: undecided, also for notEquals and notIn. */
static enum truth same_value(const struct node *node, const struct scalar *value)
{
    int order;

    if (node->kind != value->kind)
        return UNDECIDED;
    if (node->kind != NODE_NUMBER)
        return truth_of(span_eq(node->text, span_of(value->text, value->len)));
    if (!decimal_compare(node->text, span_of(value->text, value->len), &order))
        return UNDECIDED;
    return truth_of(order == 0);
}

static enum truth in_values(struct eval *eval, const struct node *node, const struct condition_test *test)
{
    bool comparable = false;

    for (size_t i = 0; i < test->value_count; i++) {
        enum truth same = same_value(node, &test->values[i]);

        if (!spend(eval, node->text.len))
            return UNDECIDED;
        if (same == HOLDS)
            return HOLDS;
        comparable |= same == FAILS;
    }
    return comparable ? FAILS : UNDECIDED;
}

static enum truth invert(enum truth truth)
{
    return truth == UNDECIDED ? UNDECIDED : truth == HOLDS ? FAILS : HOLDS;
}

static enum truth eval_text(struct eval *eval, const struct node *node, const struct condition_test *test)
{
    const char *wanted = test->values[0].text;
    uint64_t work = 0;
    bool matches;

    if (node->kind != NODE_STRING)
        return UNDECIDED;
    if (test->op == CONDITION_PREFIX)
        return truth_of(span_starts(node->text, wanted));
    if (test->op == CONDITION_SUFFIX)
        return truth_of(span_ends(node->text, wanted));
    if (node->text.len > REGEX_TEXT_BYTES)
        return UNDECIDED;
    if (test->op == CONDITION_GLOB) {
        matches = glob_match_counted(wanted, node->text, &work);
        return spend(eval, work) ? truth_of(matches) : UNDECIDED;
    }
    if (!spend(eval, node->text.len * regex_cost(test->regex)))
        return UNDECIDED;
    return truth_of(regex_search(test->regex, node->text));
}

static enum truth eval_number(const struct node *node, const struct condition_test *test)
{
    int order;

    if (node->kind != NODE_NUMBER || !decimal_compare(node->text, span_str(test->values[0].text), &order))
        return UNDECIDED;
    if (test->op == CONDITION_LESS_THAN)
        return truth_of(order < 0);
    if (test->op == CONDITION_AT_MOST)
        return truth_of(order <= 0);
    if (test->op == CONDITION_MORE_THAN)
        return truth_of(order > 0);
    return truth_of(order >= 0);
}

static enum truth eval_time(const struct node *node, const struct condition_test *test)
{
    int64_t at;

    if (node->kind != NODE_STRING || !time_parse(node->text, &at, NULL))
        return UNDECIDED;
    return truth_of(test->op == CONDITION_BEFORE ? at < test->time : at > test->time);
}

static enum truth eval_count(const struct node *node, const struct condition_test *test)
{
    if (node->kind != NODE_LIST && node->kind != NODE_MAP)
        return UNDECIDED;
    return truth_of(node->count >= test->at_least && node->count <= test->at_most);
}

static enum truth eval_list(struct eval *eval, const struct condition *conditions, const struct node *from);

/* any, all, none over the elements of a list. One undecided element decides nothing, unless another settles the matter.
 */
static enum truth eval_elements(struct eval *eval, const struct node *list, const struct condition_test *test)
{
    enum truth settles = test->op == CONDITION_ALL ? FAILS : HOLDS; /* one such element is the answer */
    bool undecided = false;
    size_t index = 0;
    char inner[200];

    if (list->kind != NODE_LIST)
        return note(eval, UNDECIDED, "wanted a list, found a %s", node_kind_name(list->kind));
    for (const struct node *item = list->child; item != NULL; item = item->next, index++) {
        enum truth truth = eval_list(eval, test->branches[0], item);

        if (truth == UNDECIDED && !undecided) {
            undecided = true;
            (void)snprintf(inner, sizeof(inner), "element %zu: %.180s", index, eval->note);
        }
        if (truth != settles)
            continue;
        if (test->op == CONDITION_ANY)
            return HOLDS;
        if (test->op == CONDITION_NONE)
            return note(eval, FAILS, "element %zu is one that must not be", index);
        (void)snprintf(inner, sizeof(inner), "element %zu: %.180s", index, eval->note);
        return note(eval, FAILS, "%s", inner);
    }
    if (undecided)
        return note(eval, UNDECIDED, "%s", inner);
    return test->op == CONDITION_ANY ? note(eval, FAILS, "no element of %u is as wanted", list->count) : HOLDS;
}

static enum truth eval_branches(struct eval *eval, const struct node *from, const struct condition_test *test)
{
    bool undecided = false;

    for (size_t i = 0; i < test->branch_count; i++) {
        enum truth truth = eval_list(eval, test->branches[i], from);

        undecided |= truth == UNDECIDED;
        if (truth == HOLDS)
            return test->op == CONDITION_ANY_OF ? HOLDS : note(eval, FAILS, "alternative %zu holds and must not", i);
    }
    if (undecided)
        return UNDECIDED; /* the note is the last alternative's */
    return test->op == CONDITION_ANY_OF ? FAILS : HOLDS;
}

static enum truth eval_age(struct eval *eval, const struct condition_test *test)
{
    char when[TIME_TEXT_BYTES];

    if (!eval->input->has_time)
        return note(eval, UNDECIDED, "maxAge: no trusted time proves the age");
    if (eval->input->time > eval->input->now + CLOCK_SKEW_SECONDS)
        return note(eval, UNDECIDED, "maxAge: attested at %s, which is in the future",
                    time_format(eval->input->time, when));
    if (eval->input->now - eval->input->time <= test->time)
        return HOLDS;
    return note(eval, FAILS, "maxAge: attested at %s", time_format(eval->input->time, when));
}

static enum truth eval_value(struct eval *eval, const struct node *node, const struct condition_test *test)
{
    switch (test->op) {
    case CONDITION_EQUALS:
        return same_value(node, &test->values[0]);
    case CONDITION_NOT_EQUALS:
        return invert(same_value(node, &test->values[0]));
    case CONDITION_IN:
        return in_values(eval, node, test);
    case CONDITION_NOT_IN:
        return invert(in_values(eval, node, test));
    case CONDITION_PREFIX:
    case CONDITION_SUFFIX:
    case CONDITION_GLOB:
    case CONDITION_MATCHES:
        return eval_text(eval, node, test);
    case CONDITION_LESS_THAN:
    case CONDITION_AT_MOST:
    case CONDITION_MORE_THAN:
    case CONDITION_AT_LEAST:
        return eval_number(node, test);
    case CONDITION_BEFORE:
    case CONDITION_AFTER:
        return eval_time(node, test);
    case CONDITION_COUNT:
        return eval_count(node, test);
    case CONDITION_EXISTS:
    case CONDITION_ANY:
    case CONDITION_ALL:
    case CONDITION_NONE:
    case CONDITION_ANY_OF:
    case CONDITION_NONE_OF:
    case CONDITION_MAX_AGE:
    case CONDITION_OPS:
        break;
    }
    return UNDECIDED;
}

static const char *path_shown(const struct condition *condition)
{
    return condition->path[0] != '\0' ? condition->path : "the element";
}

/* "predicate.builder.id equals "X": found "Y"". */
static enum truth note_value(struct eval *eval, const struct condition *condition, const struct condition_test *test,
                             const struct node *node, enum truth truth)
{
    char found[80] = "", wanted[80] = "";

    if (truth == HOLDS)
        return truth;
    if (test->value_count > 0)
        text_clean(span_of(test->values[0].text, test->values[0].len), wanted, sizeof(wanted));
    if (node->kind == NODE_LIST || node->kind == NODE_MAP)
        (void)snprintf(found, sizeof(found), "a %s of %u", node_kind_name(node->kind), node->count);
    else
        text_clean(node->text, found, sizeof(found));
    if (node->kind == NODE_STRING && (test->op == CONDITION_GLOB || test->op == CONDITION_MATCHES) &&
        node->text.len > REGEX_TEXT_BYTES)
        return note(eval, truth, "%.100s: %s looks at no more than %d bytes, found %zu", path_shown(condition),
                    condition_op_name(test->op), REGEX_TEXT_BYTES, node->text.len);
    return note(eval, truth, "%.100s: wanted %s %s%s%s, found %s \"%s\"", path_shown(condition),
                condition_op_name(test->op), wanted, test->value_count > 1 ? ", ..." : "",
                truth == UNDECIDED ? " (same type)" : "", node_kind_name(node->kind), found);
}

static enum truth eval_test(struct eval *eval, const struct condition *condition, const struct condition_test *test,
                            const struct node *from, const struct node *node)
{
    char inner[200];
    enum truth truth;

    if (!spend(eval, 16))
        return UNDECIDED; /* condition_holds says so */
    if (test->op == CONDITION_MAX_AGE)
        return eval_age(eval, test);
    if (test->op == CONDITION_ANY_OF || test->op == CONDITION_NONE_OF)
        return eval_branches(eval, from, test);
    if (test->op == CONDITION_EXISTS)
        return (node != NULL) == test->wanted
                   ? HOLDS
                   : note(eval, FAILS, "%.100s: %s", path_shown(condition), test->wanted ? "is absent" : "is present");
    if (node == NULL) {
        if (condition->absent == ABSENT_HOLDS)
            return HOLDS;
        return note(eval, condition->absent == ABSENT_FAILS ? FAILS : UNDECIDED, "%.100s: is absent",
                    path_shown(condition));
    }
    if (test->op == CONDITION_ANY || test->op == CONDITION_ALL || test->op == CONDITION_NONE) {
        truth = eval_elements(eval, node, test);
        if (truth == HOLDS)
            return truth;
        (void)snprintf(inner, sizeof(inner), "%.190s", eval->note);
        return note(eval, truth, "%.100s: %s: %s", path_shown(condition), condition_op_name(test->op), inner);
    }
    return note_value(eval, condition, test, node, eval_value(eval, node, test));
}

/* AND: one failure fails; else one undecided decides nothing. */
static enum truth eval_list(struct eval *eval, const struct condition *conditions, const struct node *from)
{
    bool undecided = false;
    char first[300] = "";

    for (const struct condition *condition = conditions; condition != NULL; condition = condition->next) {
        const struct node *node = condition_path_follow(condition, from);

        for (size_t i = 0; i < condition->test_count; i++) {
            enum truth truth = eval_test(eval, condition, &condition->tests[i], from, node);

            if (truth == FAILS)
                return FAILS;
            if (truth == UNDECIDED && !undecided) {
                undecided = true;
                memcpy(first, eval->note, sizeof(first));
            }
        }
    }
    if (!undecided)
        return HOLDS;
    memcpy(eval->note, first, sizeof(first));
    return UNDECIDED;
}

bool condition_holds(const struct condition *conditions, const struct condition_input *input, struct error *why)
{
    struct eval eval = {.input = input, .work_max = input->work_max != 0 ? input->work_max : work_default};
    enum truth truth;

    if (input->statement == NULL)
        return error_set(why, REASON_ATTESTATION_CONDITION, "the attestation has no statement");
    truth = eval_list(&eval, conditions, input->statement);
    /* Whatever came of what was left out: not even `absent: holds` beside it makes up for that. */
    if (eval.work > eval.work_max)
        return error_set(why, REASON_ATTESTATION_CONDITION, "the attestation is too large for these conditions");
    if (truth == HOLDS)
        return true;
    return error_set(why, REASON_ATTESTATION_CONDITION, "%s", eval.note);
}
