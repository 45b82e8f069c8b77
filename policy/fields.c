/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

enum { NAME_SHOWN_BYTES = 80 };

static void path_write(const struct path *path, struct buf *out)
{
    if (path == NULL)
        return;
    path_write(path->up, out);
    if (path->name == NULL) {
        buf_printf(out, "[%zu]", path->index);
        return;
    }
    if (out->len > 0)
        buf_byte(out, '.');
    text_sanitize(span_str(path->name), NAME_SHOWN_BYTES, out);
}

static bool fail_with(struct load *load, const struct path *path, const struct node *at, enum reason reason,
                      const char *text)
{
    struct buf where CLEANUP(buf_free) = BUF_INIT(ERROR_TEXT_BYTES);
    const char *gap;

    path_write(path, &where);
    gap = where.len > 0 ? ": " : "";
    if (at == NULL || at->line == 0)
        return error_set(load->err, reason, "%s: %s%s%s", load->file, buf_cstr(&where), gap, text);
    return error_set(load->err, reason, "%s:%u:%u: %s%s%s", load->file, at->line, at->column, buf_cstr(&where), gap,
                     text);
}

bool load_fail(struct load *load, const struct path *path, const struct node *at, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return fail_with(load, path, at, REASON_POLICY_ERROR, text);
}

bool load_fail_error(struct load *load, const struct path *path, const struct node *at)
{
    char text[ERROR_TEXT_BYTES];
    enum reason reason = load->err->reason;

    memcpy(text, load->err->text, sizeof(text));
    if (reason != REASON_INTERNAL && reason != REASON_UNTRUSTED_FILE)
        reason = REASON_POLICY_ERROR;
    return fail_with(load, path, at, reason, text);
}

/* What the reader wanted (FIELD_ANY takes every kind) or found. */
static const char *kind_name(int kind)
{
    switch (kind) {
    case NODE_NULL:
        return "nothing";
    case NODE_STRING:
        return "text";
    case NODE_MAP:
        return "a map";
    case NODE_LIST:
        return "a list";
    case NODE_NUMBER:
        return "a number";
    case NODE_BOOL:
        return "true or false";
    default:
        return "a value";
    }
}

static bool kind_fail(struct load *load, const struct path *path, const struct node *node,
                      const struct field_rule *rule)
{
    const char *wanted = kind_name(rule->kind);

    if (node->kind == NODE_NULL)
        return load_fail(load, path, node, "has no value; wanted %s%s%s", wanted, rule->advice ? ": " : "",
                         rule->advice ? rule->advice : "");
    if (rule->kind == NODE_STRING && (node->kind == NODE_NUMBER || node->kind == NODE_BOOL))
        return load_fail(load, path, node, "wanted text, found %s: put it in quotes", kind_name((int)node->kind));
    return load_fail(load, path, node, "wanted %s, found %s%s%s", wanted, kind_name((int)node->kind),
                     rule->advice ? ": " : "", rule->advice ? rule->advice : "");
}

/* The known name nearest to a wrong one, and among equals of different case that one first. */
static const char *suggest(struct span name, const struct field_rule *rules, size_t count)
{
    const char *known[64];
    size_t used = 0;

    for (size_t i = 0; i < count && used < ARRAY_LEN(known); i++) {
        if (strlen(rules[i].name) == name.len && strncasecmp(rules[i].name, (const char *)name.ptr, name.len) == 0)
            return rules[i].name;
        known[used++] = rules[i].name;
    }
    return name_nearest(name, known, used);
}

/* A field that exists, but elsewhere: where it belongs. */
static const char *misplaced(struct span name)
{
    static const struct {
        const char *name, *where;
    } known[] = {
        {"images", "spec"},
        {"authorities", "spec"},
        {"mode", "spec"},
        {"glob", "spec.images[]"},
        {"key", "spec.authorities[]"},
        {"keyless", "spec.authorities[]"},
        {"static", "spec.authorities[]"},
        {"annotations", "spec.authorities[], beside \"key\""},
        {"source", "spec.authorities[], beside \"key\""},
        {"ctlog", "spec.authorities[], beside \"key\""},
        {"rfc3161timestamp", "spec.authorities[], beside \"key\""},
        {"attestations", "spec.authorities[], beside \"key\""},
        {"signatureFormat", "spec.authorities[], beside \"key\""},
        {"identities", "spec.authorities[].keyless"},
        {"insecureIgnoreSCT", "spec.authorities[].keyless"},
        {"hashAlgorithm", "spec.authorities[].key"},
        {"data", "spec.authorities[].key"},
        {"issuer", "spec.authorities[].keyless.identities[]"},
        {"subject", "spec.authorities[].keyless.identities[]"},
        {"predicateType", "spec.authorities[].attestations[]"},
        {"conditions", "spec.authorities[].attestations[].pullguard"},
        {"threshold", "a \"pullguard\" block"},
        {"required", "a \"pullguard\" block"},
        {"maxAge", "spec.authorities[].pullguard"},
        {"signedAndAttested", "spec.authorities[].pullguard"},
        {"revoked", "spec.pullguard"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_eq_str(name, known[i].name))
            return known[i].where;
    }
    return NULL;
}

static bool unknown_fail(struct load *load, const struct path *up, const struct node *member,
                         const struct field_rule *rules, size_t count)
{
    const char *near = suggest(member->name, rules, count);
    char shown[NAME_SHOWN_BYTES];
    struct path path = {.up = up, .name = shown};

    text_clean(member->name, shown, sizeof(shown));
    if (near != NULL)
        return load_fail(load, &path, member, "unknown field; did you mean \"%s\"?", near);
    if (misplaced(member->name) != NULL)
        return load_fail(load, &path, member, "unknown field here; it belongs into %s", misplaced(member->name));
    return load_fail(load, &path, member, "unknown field");
}

static bool field_check(struct load *load, const struct path *up, const struct node *member,
                        const struct field_rule *rule)
{
    struct path path = {.up = up, .name = rule->name};

    if (rule->use == FIELD_REFUSED)
        return load_fail(load, &path, member, "%s", rule->advice);
    if (rule->kind == FIELD_ANY)
        return member->kind != NODE_NULL || kind_fail(load, &path, member, rule);
    return (int)member->kind == rule->kind || kind_fail(load, &path, member, rule);
}

bool fields_read(struct load *load, const struct path *path, const struct node *node, const struct field_rule *rules,
                 size_t count, const struct node **ret)
{
    if (node->kind != NODE_MAP)
        return load_fail(load, path, node, "wanted a map, found %s", kind_name((int)node->kind));
    for (size_t i = 0; i < count; i++)
        ret[i] = NULL;
    for (const struct node *member = node->child; member != NULL; member = member->next) {
        size_t i = 0;

        while (i < count && !span_eq_str(member->name, rules[i].name))
            i++;
        if (i == count)
            return unknown_fail(load, path, member, rules, count);
        if (rules[i].use == FIELD_IGNORED)
            continue;
        if (!field_check(load, path, member, &rules[i]))
            return false;
        ret[i] = member;
    }
    for (size_t i = 0; i < count; i++) {
        if (rules[i].use == FIELD_MANDATORY && ret[i] == NULL) {
            struct path missing = {.up = path, .name = rules[i].name};

            return load_fail(load, &missing, node, "is missing%s%s", rules[i].advice ? ": " : "",
                             rules[i].advice ? rules[i].advice : "");
        }
    }
    return true;
}

bool load_string(struct load *load, const struct path *path, const struct node *node, char **ret)
{
    char *copy;

    if (node->kind == NODE_NUMBER || node->kind == NODE_BOOL)
        return load_fail(load, path, node, "wanted text, found %s: put it in quotes", kind_name((int)node->kind));
    if (node->kind != NODE_STRING)
        return load_fail(load, path, node, "wanted text, found %s", kind_name((int)node->kind));
    if (node->text.len == 0)
        return load_fail(load, path, node, "is empty");
    for (size_t i = 0; i < node->text.len; i++) {
        if (node->text.ptr[i] < 0x20 || node->text.ptr[i] == 0x7f)
            return load_fail(load, path, node, "holds a control character or line break");
    }
    copy = span_dup(node->text);
    if (copy == NULL)
        return error_oom(load->err);
    *ret = copy;
    return true;
}

bool load_word(struct load *load, const struct path *path, const struct node *node, const char *const *words,
               size_t count, size_t *ret)
{
    struct buf list CLEANUP(buf_free) = BUF_INIT(ERROR_TEXT_BYTES);
    char shown[NAME_SHOWN_BYTES];

    for (size_t i = 0; i < count; i++) {
        if (node->kind == NODE_STRING && span_eq_str(node->text, words[i])) {
            *ret = i;
            return true;
        }
        buf_printf(&list, "%s\"%s\"", i == 0 ? "" : i + 1 == count ? " or " : ", ", words[i]);
    }
    if (node->kind != NODE_STRING)
        return load_fail(load, path, node, "wanted %s, found %s", buf_cstr(&list), kind_name((int)node->kind));
    return load_fail(load, path, node, "wanted %s, found \"%s\"", buf_cstr(&list),
                     text_clean(node->text, shown, sizeof(shown)));
}

bool load_not_empty(struct load *load, const struct path *path, const struct node *list, const char *what)
{
    if (list->count == 0)
        return load_fail(load, path, list, "is empty; wanted at least one %s", what);
    return true;
}
