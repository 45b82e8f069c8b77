/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions after loading. Private to condition_*.c. */
#ifndef PG_POLICY_CONDITION_MODEL_H
#define PG_POLICY_CONDITION_MODEL_H

#include "policy/condition.h"
#include "policy/regex.h"

enum condition_op {
    CONDITION_EQUALS, CONDITION_NOT_EQUALS, CONDITION_IN, CONDITION_NOT_IN,
    CONDITION_PREFIX, CONDITION_SUFFIX, CONDITION_GLOB, CONDITION_MATCHES,
    CONDITION_LESS_THAN, CONDITION_AT_MOST, CONDITION_MORE_THAN, CONDITION_AT_LEAST,
    CONDITION_BEFORE, CONDITION_AFTER, CONDITION_COUNT, CONDITION_EXISTS,
    CONDITION_ANY, CONDITION_ALL, CONDITION_NONE,
    CONDITION_ANY_OF, CONDITION_NONE_OF, CONDITION_MAX_AGE,
    CONDITION_OPS
};

/* A value as the policy wrote it. */
struct scalar {
    enum node_kind kind; /* STRING, NUMBER, BOOL */
    char *text;
    size_t len;
};

struct condition_test {
    enum condition_op op;
    struct scalar *values;         /* EQUALS..GLOB and comparisons: one or, for IN and NOT_IN, several */
    size_t value_count, value_capacity;
    struct regex *regex;           /* MATCHES */
    int64_t time;                  /* BEFORE, AFTER; MAX_AGE: seconds */
    bool wanted;                   /* EXISTS */
    uint64_t at_least, at_most;    /* COUNT */
    struct condition **branches;   /* ANY, ALL, NONE: one list; ANY_OF, NONE_OF: one per alternative */
    size_t branch_count, branch_capacity;
};

struct path_step {
    char *name;   /* NULL: an index */
    size_t index;
};

enum absent_rule { ABSENT_UNDECIDED, ABSENT_FAILS, ABSENT_HOLDS };

struct condition {
    struct condition *next;
    uint32_t line, column;
    char *path;                    /* as written; "" = the element itself */
    struct path_step *steps;
    size_t step_count, step_capacity;
    enum absent_rule absent;
    struct condition_test *tests;
    size_t test_count, test_capacity;
};

const char *condition_op_name(enum condition_op op);
/* Splits "a.b[0].c". The error says what is wrong. */
bool condition_path_parse(struct span text, struct condition *condition, struct error *err) MUST_CHECK;
/* The node at the end of the path; NULL when absent. */
const struct node *condition_path_follow(const struct condition *condition, const struct node *from);

#endif
