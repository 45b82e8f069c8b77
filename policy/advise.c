/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/advise.h"

#include "base/encode.h"

enum { ADVICE_CONDITIONS = 3, CUE_DEPTH = 16 };

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void skip_space(struct span *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t' || rest->ptr[0] == '\n' ||
                             rest->ptr[0] == '\r' || rest->ptr[0] == ','))
        *rest = span_cut(*rest, 1, SIZE_MAX);
}

static struct span take_name(struct span *rest)
{
    size_t len = 0;
    struct span name;

    while (len < rest->len && is_name_byte(rest->ptr[len]))
        len++;
    name = span_cut(*rest, 0, len);
    *rest = span_cut(*rest, len, SIZE_MAX);
    return name;
}

/* A double-quoted string without escapes; false otherwise. */
static bool take_string(struct span *rest, struct span *ret)
{
    size_t end;

    if (!span_starts(*rest, "\""))
        return false;
    *rest = span_cut(*rest, 1, SIZE_MAX);
    end = span_find_byte(*rest, '"');
    if (end == SIZE_MAX)
        return false;
    *ret = span_cut(*rest, 0, end);
    *rest = span_cut(*rest, end + 1, SIZE_MAX);
    return span_find_byte(*ret, '\\') == SIZE_MAX;
}

static void put_condition(struct buf *out, const struct span *path, size_t depth, const char *op, struct span value)
{
    buf_str(out, out->len > 0 ? ", {path: " : "{path: ");
    for (size_t i = 0; i < depth; i++) {
        if (i > 0)
            buf_byte(out, '.');
        text_sanitize(path[i], 40, out);
    }
    buf_printf(out, ", %s: \"", op);
    text_sanitize(value, 80, out);
    buf_str(out, "\"}");
}

/*
 * CUE: names with colons lead to a string, a regular expression (=~"...") or a struct in braces. Anything else ends the
 * advice. A struct's names stay on `path` until its brace closes.
 */
static void advise_cue(struct span rest, struct buf *out)
{
    struct span path[CUE_DEPTH], value;
    size_t base[CUE_DEPTH + 1] = {0}; /* depth at the opening of each brace around */
    size_t braces = 0, depth = 0, shown = 0;

    for (skip_space(&rest); rest.len > 0 && shown < ADVICE_CONDITIONS; skip_space(&rest)) {
        bool regex = span_starts(rest, "=~");

        if (rest.ptr[0] == '}' && braces > 0) {
            rest = span_cut(rest, 1, SIZE_MAX);
            depth = base[--braces];
        } else if (rest.ptr[0] == '{' && depth > 0 && braces < CUE_DEPTH) {
            rest = span_cut(rest, 1, SIZE_MAX);
            base[++braces] = depth;
        } else if (rest.ptr[0] == '"' || regex) {
            rest = span_cut(rest, regex ? 2 : 0, SIZE_MAX);
            if (depth == 0 || !take_string(&rest, &value))
                return;
            put_condition(out, path, depth, regex ? "matches" : "equals", value);
            shown++;
            depth = base[braces];
        } else {
            struct span name = take_name(&rest);

            if (name.len == 0 || !span_starts(rest, ":") || depth >= CUE_DEPTH)
                return;
            rest = span_cut(rest, 1, SIZE_MAX);
            path[depth++] = name;
        }
    }
}

/* Rego: input.a.b == "X". */
static void advise_rego(struct span rest, struct buf *out)
{
    size_t shown = 0;

    while (shown < ADVICE_CONDITIONS) {
        size_t at = span_find(rest, "input.");
        struct span path = span_of(NULL, 0), value;
        size_t len = 0;

        if (at == SIZE_MAX)
            return;
        rest = span_cut(rest, at + sizeof("input.") - 1, SIZE_MAX);
        while (len < rest.len && (is_name_byte(rest.ptr[len]) || rest.ptr[len] == '.'))
            len++;
        path = span_cut(rest, 0, len);
        rest = span_cut(rest, len, SIZE_MAX);
        skip_space(&rest);
        if (!span_starts(rest, "=="))
            continue;
        rest = span_cut(rest, 2, SIZE_MAX);
        skip_space(&rest);
        if (path.len == 0 || !take_string(&rest, &value))
            continue;
        put_condition(out, &path, 1, "equals", value);
        shown++;
    }
}

void advise_conditions(struct span text, bool rego, struct buf *out)
{
    if (rego)
        advise_rego(text, out);
    else
        advise_cue(text, out);
}
