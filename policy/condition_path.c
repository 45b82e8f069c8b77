/* SPDX-License-Identifier: Apache-2.0 */
/* Paths into a JSON document: a.b[0]["odd.name"].c */
#include "policy/condition_model.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"

static bool path_fail(struct span text, const char *what, struct error *err)
{
    char shown[120];

    return error_set(err, REASON_POLICY_ERROR, "path \"%s\": %s", text_clean(text, shown, sizeof(shown)), what);
}

static bool add_step(struct condition *condition, struct span name, size_t index, struct error *err)
{
    struct path_step *step;

    if (!mem_grow(&condition->steps, &condition->step_capacity, condition->step_count, sizeof(*step), LIMIT_TREE_DEPTH))
        return error_set(err, REASON_POLICY_ERROR, "a path has at most %d steps", LIMIT_TREE_DEPTH);
    step = &condition->steps[condition->step_count];
    step->index = index;
    if (name.ptr != NULL) {
        step->name = span_dup(name);
        if (step->name == NULL)
            return error_oom(err);
    }
    condition->step_count++;
    return true;
}

static size_t find_any(struct span text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        for (const char *c = bytes; *c != '\0'; c++) {
            if (text.ptr[i] == (uint8_t)*c)
                return i;
        }
    }
    return text.len;
}

/* Behind "[". */
static bool parse_bracket(struct span text, struct span *rest, struct condition *condition, struct error *err)
{
    struct span inside;
    uint64_t index;
    size_t end;

    if (span_starts(*rest, "\"")) {
        inside = span_cut(*rest, 1, SIZE_MAX);
        end = span_find(inside, "\"]");
        if (end == SIZE_MAX || end == 0)
            return path_fail(text, "wanted [\"name\"]", err);
        *rest = span_cut(inside, end + 2, SIZE_MAX);
        return add_step(condition, span_cut(inside, 0, end), 0, err);
    }
    end = span_find_byte(*rest, ']');
    inside = span_cut(*rest, 0, end);
    if (span_eq_str(inside, "*"))
        return path_fail(text, "[*] is not supported; use any, all or none on the list", err);
    if (end == SIZE_MAX || !span_to_u64(inside, UINT32_MAX, &index))
        return path_fail(text, "wanted [NUMBER] or [\"name\"]", err);
    *rest = span_cut(*rest, end + 1, SIZE_MAX);
    return add_step(condition, span_of(NULL, 0), (size_t)index, err);
}

bool condition_path_parse(struct span text, struct condition *condition, struct error *err)
{
    struct span rest = text;
    bool first = true;

    condition->path = span_dup(text);
    if (condition->path == NULL)
        return error_oom(err);
    if (span_eq_str(text, "."))
        return true;
    while (rest.len > 0) {
        size_t len;

        if (rest.ptr[0] == '[') {
            rest = span_cut(rest, 1, SIZE_MAX);
            if (!parse_bracket(text, &rest, condition, err))
                return false;
            first = false;
            continue;
        }
        if (!first) {
            if (rest.ptr[0] != '.')
                return path_fail(text, "wanted \".\" or \"[\" between two steps", err);
            rest = span_cut(rest, 1, SIZE_MAX);
        }
        len = find_any(rest, ".[]\"");
        if (len == 0)
            return path_fail(text, "a step without a name", err);
        if (!add_step(condition, span_cut(rest, 0, len), 0, err))
            return false;
        rest = span_cut(rest, len, SIZE_MAX);
        first = false;
    }
    return condition->step_count > 0 || path_fail(text, "is empty", err);
}

const struct node *condition_path_follow(const struct condition *condition, const struct node *from)
{
    const struct node *node = from;

    for (size_t i = 0; node != NULL && i < condition->step_count; i++) {
        const struct path_step *step = &condition->steps[i];

        if (step->name != NULL)
            node = node_get(node, step->name);
        else
            node = node_is(node, NODE_LIST) ? node_at(node, step->index) : NULL;
    }
    return node;
}
