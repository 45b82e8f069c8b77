/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions against the known shape of the predicate: names that are not there, operators that cannot fit. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "policy/condition_model.h"
#include "policy/condition_schema.h"

enum { PLACE_BYTES = 400, WARNING_BYTES = 400, NAMES_MAX = 64 };

struct check {
    const struct schema_row *rows;
    size_t count;
    const struct condition_lint *lint;
};

PRINTF_LIKE(3, 4)
static bool warn(const struct check *check, const struct condition *condition, const char *format, ...)
{
    char text[WARNING_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return check->lint->warn(check->lint->context, condition->line, condition->column, text);
}

static const struct schema_row *find_row(const struct check *check, const char *place)
{
    for (size_t i = 0; i < check->count; i++) {
        if (strcmp(check->rows[i].path, place) == 0)
            return &check->rows[i];
    }
    return NULL;
}

/* The names that a place may have, for "did you mean". */
static const char *nearest(const struct check *check, const char *place, const char *name)
{
    const char *names[NAMES_MAX];
    size_t used = 0, len = strlen(place);

    for (size_t i = 0; i < check->count && used < NAMES_MAX; i++) {
        const char *path = check->rows[i].path;

        if (strncmp(path, place, len) == 0 && path[len] == '.' && strpbrk(path + len + 1, ".[") == NULL)
            names[used++] = path + len + 1;
    }
    for (size_t i = 0; i < used; i++) {
        if (strcasecmp(names[i], name) == 0)
            return names[i];
    }
    return name_nearest(span_str(name), names, used);
}

/*
 * Follows the condition's path from `place` (extended in place). ret_row: where it ends, NULL when that is not known;
 * in that case what lies below is not checked either.
 */
static bool follow(const struct check *check, const struct condition *condition, char place[PLACE_BYTES],
                   const struct schema_row **ret_row)
{
    const struct schema_row *row = find_row(check, place), *next;
    char name[80];

    *ret_row = NULL;
    for (size_t i = 0; i < condition->step_count; i++) {
        const struct path_step *step = &condition->steps[i];
        size_t len = strlen(place);
        int written = step->name != NULL
                          ? snprintf(place + len, PLACE_BYTES - len, "%s%s", len > 0 ? "." : "", step->name)
                          : snprintf(place + len, PLACE_BYTES - len, "[]");

        if (written < 0 || (size_t)written >= PLACE_BYTES - len)
            return true;
        next = find_row(check, place);
        if (next == NULL && len == 0)
            return true; /* predicateType, subject: not the predicate's */
        if (next == NULL && (row == NULL || row->kind == SCHEMA_OPEN))
            return true;
        if (next == NULL) {
            const char *near;

            place[len] = '\0';
            if (step->name == NULL)
                return warn(check, condition, "\"%s\" is no list", place);
            text_clean(span_str(step->name), name, sizeof(name));
            if (row->kind == SCHEMA_LIST)
                return warn(check, condition, "\"%s\" is a list: \"%s\" is not in it; use any, all or none", place,
                            name);
            near = row->kind == SCHEMA_MAP ? nearest(check, place, step->name) : NULL;
            return warn(check, condition, "this predicate has no \"%s\" in \"%s\"%s%s%s", name, place,
                        near != NULL ? "; did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
        }
        row = next;
    }
    *ret_row = row;
    return true;
}

static const char *kind_name(enum schema_kind kind)
{
    static const char *const names[] = {
        [SCHEMA_TEXT] = "text",          [SCHEMA_TIME] = "a time", [SCHEMA_NUMBER] = "a number",
        [SCHEMA_BOOL] = "true or false", [SCHEMA_LIST] = "a list", [SCHEMA_MAP] = "a map",
        [SCHEMA_OPEN] = "anything"};

    return names[kind];
}

static bool value_fits(enum node_kind value, enum schema_kind kind)
{
    return (value == NODE_STRING && (kind == SCHEMA_TEXT || kind == SCHEMA_TIME)) ||
           (value == NODE_NUMBER && kind == SCHEMA_NUMBER) || (value == NODE_BOOL && kind == SCHEMA_BOOL);
}

static bool test_fits(const struct condition_test *test, enum schema_kind kind)
{
    bool some = false;

    switch (test->op) {
    case CONDITION_EQUALS:
    case CONDITION_NOT_EQUALS:
    case CONDITION_IN:
    case CONDITION_NOT_IN:
        for (size_t i = 0; i < test->value_count; i++)
            some |= value_fits(test->values[i].kind, kind);
        return some;
    case CONDITION_PREFIX:
    case CONDITION_SUFFIX:
    case CONDITION_GLOB:
    case CONDITION_MATCHES:
        return kind == SCHEMA_TEXT || kind == SCHEMA_TIME;
    case CONDITION_LESS_THAN:
    case CONDITION_AT_MOST:
    case CONDITION_MORE_THAN:
    case CONDITION_AT_LEAST:
        return kind == SCHEMA_NUMBER;
    case CONDITION_BEFORE:
    case CONDITION_AFTER:
        return kind == SCHEMA_TIME;
    case CONDITION_COUNT:
        return kind == SCHEMA_LIST || kind == SCHEMA_MAP;
    case CONDITION_ANY:
    case CONDITION_ALL:
    case CONDITION_NONE:
        return kind == SCHEMA_LIST;
    case CONDITION_EXISTS:
    case CONDITION_ANY_OF:
    case CONDITION_NONE_OF:
    case CONDITION_MAX_AGE:
    case CONDITION_OPS:
        break;
    }
    return true;
}

static bool check_list(const struct check *check, const struct condition *conditions, const char *from);

static bool check_test(const struct check *check, const struct condition *condition, const struct condition_test *test,
                       const char *from, const char *place, const struct schema_row *row)
{
    bool elements = test->op == CONDITION_ANY || test->op == CONDITION_ALL || test->op == CONDITION_NONE;
    char inner[PLACE_BYTES];

    if (row != NULL && row->kind != SCHEMA_OPEN && !test_fits(test, row->kind))
        return warn(check, condition, "\"%s\" is %s: \"%s\" can never hold", place, kind_name(row->kind),
                    condition_op_name(test->op));
    if (elements && row != NULL && row->kind == SCHEMA_LIST) {
        int written = snprintf(inner, sizeof(inner), "%s[]", place);

        return written < 0 || (size_t)written >= sizeof(inner) || check_list(check, test->branches[0], inner);
    }
    for (size_t i = 0; !elements && i < test->branch_count; i++) {
        if (!check_list(check, test->branches[i], from))
            return false;
    }
    return true;
}

static bool check_list(const struct check *check, const struct condition *conditions, const char *from)
{
    for (const struct condition *condition = conditions; condition != NULL; condition = condition->next) {
        const struct schema_row *row;
        char place[PLACE_BYTES];

        (void)snprintf(place, sizeof(place), "%s", from);
        if (!follow(check, condition, place, &row))
            return false;
        for (size_t i = 0; i < condition->test_count; i++) {
            if (!check_test(check, condition, &condition->tests[i], from, place, row))
                return false;
        }
    }
    return true;
}

bool condition_check_types(const struct condition *conditions, const char *predicate_type,
                           const struct condition_lint *lint)
{
    struct check check = {.lint = lint};

    check.rows = schema_find(predicate_type, &check.count);
    return check.rows == NULL || check_list(&check, conditions, "");
}
