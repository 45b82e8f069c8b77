/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tree.h"

#include "base/encode.h"
#include "base/tree_build.h"

enum { NAME_SHOWN = 80, WHAT_SHOWN = 200 };

size_t tree_documents(const struct tree *tree)
{
    return tree ? tree->document_count : 0;
}

const struct node *tree_document(const struct tree *tree, size_t index)
{
    return index < tree_documents(tree) ? tree->documents[index] : NULL;
}

const struct node *tree_root(const struct tree *tree)
{
    return tree_document(tree, 0);
}

const struct node *node_get(const struct node *node, const char *name)
{
    return node_get_span(node, span_str(name));
}

const struct node *node_get_span(const struct node *node, struct span name)
{
    if (!node_is(node, NODE_MAP))
        return NULL;
    for (const struct node *child = node->child; child; child = child->next)
        if (span_eq(child->name, name))
            return child;
    return NULL;
}

const struct node *node_at(const struct node *list, size_t index)
{
    const struct node *child;

    if (!node_is(list, NODE_LIST) || index >= list->count)
        return NULL;
    for (child = list->child; child && index > 0; child = child->next)
        index--;
    return child;
}

bool node_is(const struct node *node, enum node_kind kind)
{
    return node && node->kind == kind;
}

bool node_str_is(const struct node *node, const char *text)
{
    return node_is(node, NODE_STRING) && span_eq_str(node->text, text);
}

bool node_bool(const struct node *node, bool *ret_value)
{
    if (!node_is(node, NODE_BOOL))
        return false;
    *ret_value = span_eq_str(node->text, "true");
    return true;
}

bool node_int(const struct node *node, bool string_too, int64_t *ret_value)
{
    struct span digits;
    uint64_t value;
    bool negative;

    if (!node_is(node, NODE_NUMBER) && !(string_too && node_is(node, NODE_STRING)))
        return false;
    negative = span_starts(node->text, "-");
    digits = negative ? span_cut(node->text, 1, SIZE_MAX) : node->text;
    if (!span_to_u64(digits, negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, &value))
        return false;
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

const char *node_kind_name(enum node_kind kind)
{
    switch (kind) {
    case NODE_NULL:
        return "null";
    case NODE_BOOL:
        return "boolean";
    case NODE_NUMBER:
        return "number";
    case NODE_STRING:
        return "string";
    case NODE_LIST:
        return "list";
    case NODE_MAP:
        return "map";
    }
    return "nothing";
}

/* Levenshtein's distance, with one row; `limit` + 1 stands for anything larger than limit. */
static size_t edit_distance(struct span a, struct span b, size_t limit)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1];

    if (a.len > LONGEST || b.len > LONGEST || (a.len > b.len ? a.len - b.len : b.len - a.len) > limit)
        return limit + 1;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t change = diagonal + (a.ptr[i] == b.ptr[j] ? 0 : 1);
            size_t less = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;

            diagonal = row[j + 1];
            row[j + 1] = change < less ? change : less;
        }
    }
    return row[b.len] <= limit ? row[b.len] : limit + 1;
}

const char *name_nearest(struct span name, const char *const *known, size_t count)
{
    const char *nearest = NULL;
    size_t best = 3; /* two slips at most */

    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, span_str(known[i]), 2);

        if (distance < best && 2 * distance < name.len) {
            best = distance;
            nearest = known[i];
        }
    }
    return nearest;
}

/* Puts the place in front of what the error says; what alone when the document has no places. */
static bool fail_at(const struct node *place, const char *what, struct error *err)
{
    char shown[WHAT_SHOWN];

    if (place && place->line > 0)
        return error_at(err, what, place->line, place->column);
    return error_wrap(err, "%s", text_clean(span_str(what), shown, sizeof(shown)));
}

static bool fail_unknown(const struct node *member, const char *what, const struct field *fields, size_t count,
                         enum reason reason, struct error *err)
{
    enum { MOST_FIELDS = 64 };
    const char *known[MOST_FIELDS];
    const char *nearest;
    char shown[NAME_SHOWN];
    size_t names = 0;

    for (size_t i = 0; i < count && names < MOST_FIELDS; i++)
        known[names++] = fields[i].name;
    nearest = name_nearest(member->name, known, names);
    (void)text_clean(member->name, shown, sizeof(shown));
    if (nearest)
        (void)error_set(err, reason, "unknown member \"%s\" (did you mean \"%s\"?)", shown, nearest);
    else
        (void)error_set(err, reason, "unknown member \"%s\"", shown);
    return fail_at(member, what, err);
}

static const struct field *find_field(const struct field *fields, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq_str(name, fields[i].name))
            return &fields[i];
    return NULL;
}

/* The member when it is there; one that is null counts as absent where others write the record. */
static const struct node *member_of(const struct node *node, const struct field *field, bool null_is_absent)
{
    const struct node *member = node_get(node, field->name);

    return null_is_absent && field->kind != FIELD_ANY && node_is(member, NODE_NULL) ? NULL : member;
}

static bool check_members(const struct node *node, const char *what, const struct field *fields, size_t count,
                          bool unknown_allowed, enum reason reason, struct error *err)
{
    for (const struct node *member = node->child; member; member = member->next) {
        const struct field *field = find_field(fields, count, member->name);

        if (!field && !unknown_allowed)
            return fail_unknown(member, what, fields, count, reason, err);
        if (field && field->kind != FIELD_ANY && (int)member->kind != field->kind &&
            member_of(node, field, unknown_allowed)) {
            (void)error_set(err, reason, "\"%s\" must be a %s, not a %s", field->name,
                            node_kind_name((enum node_kind)field->kind), node_kind_name(member->kind));
            return fail_at(member, what, err);
        }
    }
    return true;
}

bool node_fields(const struct node *node, const char *what, const struct field *fields, size_t count,
                 bool unknown_allowed, enum reason reason, struct error *err)
{
    if (!node_is(node, NODE_MAP)) {
        (void)error_set(err, reason, "must be a map, not %s", node ? node_kind_name(node->kind) : "missing");
        return fail_at(node, what, err);
    }
    if (!check_members(node, what, fields, count, unknown_allowed, reason, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (fields[i].mandatory && !member_of(node, &fields[i], unknown_allowed)) {
            (void)error_set(err, reason, "\"%s\" is missing", fields[i].name);
            return fail_at(node, what, err);
        }
    for (size_t i = 0; i < count; i++)
        *fields[i].place = member_of(node, &fields[i], unknown_allowed);
    return true;
}
