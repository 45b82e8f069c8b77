/* SPDX-License-Identifier: Apache-2.0 */
/* Who may speak about a target (TUF specification 4.5 and 5.6.7). */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "crypto/digest.h"
#include "verifier/tuf_internal.h"

struct walk {
    const struct tuf_delegated *loaded;
    size_t count;
    struct span target;
    char hash[2 * DIGEST_MAX_BYTES + 1]; /* SHA-256 of its path, hex */
    struct span visited[TUF_MAX_DELEGATIONS + 1];
    size_t visited_count;
    bool ended; /* by a terminating delegation: nobody else is asked */
    struct tuf_search found;
};

/*
 * Names become files' names here and at the mirror. The specification allows any text; these characters need no
 * escapes anywhere, and every other name is refused rather than guessed at.
 */
static bool role_name_ok(struct span name)
{
    static const char *const top[] = {"root", "timestamp", "snapshot", "targets", "mirrors"};

    if (name.len == 0 || name.len > TUF_ROLE_NAME_MAX || name.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.'))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(top); i++)
        if (span_eq_str(name, top[i]))
            return false;
    return true;
}

/* One part between slashes; linear: after a failure only the last '*' takes one character more. */
static bool part_matches(struct span pattern, struct span text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool tuf_path_matches(struct span pattern, struct span path)
{
    for (;;) {
        size_t a = span_find_byte(pattern, '/'), b = span_find_byte(path, '/');

        if (!part_matches(span_cut(pattern, 0, a), span_cut(path, 0, b)))
            return false;
        if (a == SIZE_MAX || b == SIZE_MAX)
            return a == b;
        pattern = span_cut(pattern, a + 1, SIZE_MAX);
        path = span_cut(path, b + 1, SIZE_MAX);
    }
}

static bool malformed(const struct tuf_document *by, const char *what, struct error *err)
{
    return error_set(err, REASON_MALFORMED, "%s version %lld has a delegation %s", by->file, (long long)by->version,
                     what);
}

/* Is the target in the paths, or its hash under the prefixes, of this delegation? */
static bool holds(const struct walk *walk, const struct tuf_document *by, const struct node *delegation, bool *ret,
                  struct error *err)
{
    const struct node *paths = node_get(delegation, "paths");
    const struct node *prefixes = node_get(delegation, "path_hash_prefixes");
    const struct node *list = paths ? paths : prefixes;

    *ret = false;
    if (!paths == !prefixes || !node_is(list, NODE_LIST))
        return malformed(by, "that has not one of the lists \"paths\" and \"path_hash_prefixes\"", err);
    for (const struct node *item = list->child; item; item = item->next) {
        if (!node_is(item, NODE_STRING) || item->text.len == 0)
            return malformed(by, "with a path that is no text", err);
        if (paths && span_find_byte(item->text, '[') != SIZE_MAX)
            return error_set(err, REASON_UNSUPPORTED, "%s version %lld has a delegation with '[' in a path", by->file,
                             (long long)by->version);
        *ret = *ret || (paths ? tuf_path_matches(item->text, walk->target)
                              : span_eq(span_cut(span_str(walk->hash), 0, item->text.len), item->text));
    }
    return true;
}

static bool is_visited(const struct walk *walk, struct span name)
{
    for (size_t i = 0; i < walk->visited_count; i++)
        if (span_eq(walk->visited[i], name))
            return true;
    return false;
}

/* 4.5: a name stands once in a list of delegations. */
static bool check_unique(const struct tuf_document *by, const struct node *roles, struct span name, struct error *err)
{
    size_t times = 0;

    for (const struct node *role = roles->child; role; role = role->next) {
        const struct node *other = node_get(role, "name");

        times += node_is(other, NODE_STRING) && span_eq(other->text, name);
    }
    return times == 1 || malformed(by, "of a role that stands there twice", err);
}

static bool visit(struct walk *walk, struct span name, const struct tuf_document *document, struct error *err);

/* The delegated role's metadata: wanted, or there and signed by the keys that this delegation names. */
static bool enter(struct walk *walk, struct span name, const struct tuf_document *by, const struct node *delegation,
                  struct error *err)
{
    struct tuf_search *found = &walk->found;

    (void)snprintf(found->file, sizeof(found->file), "%.*s.json", (int)name.len, (const char *)name.ptr);
    for (size_t i = 0; i < walk->count; i++) {
        const struct tuf_delegated *there = &walk->loaded[i];

        if (strcmp(there->document.file, found->file) != 0)
            continue;
        /* two roles may delegate to a third one, with other keys each */
        if (there->delegation != delegation && !tuf_verify_delegated(by, delegation, &there->document, err))
            return false;
        return visit(walk, name, &there->document, err);
    }
    if (walk->count >= TUF_MAX_DELEGATIONS)
        return error_set(err, REASON_LIMIT, "more than %d delegated roles may speak about %.*s",
                         (int)TUF_MAX_DELEGATIONS, (int)walk->target.len, (const char *)walk->target.ptr);
    found->by = by;
    found->delegation = delegation;
    return true;
}

/* 5.6.7.2 for one delegation. */
static bool follow(struct walk *walk, const struct tuf_document *by, const struct node *roles,
                   const struct node *delegation, struct error *err)
{
    const struct node *name = node_get(delegation, "name");
    bool terminating, held;

    if (!node_is(name, NODE_STRING) || !node_bool(node_get(delegation, "terminating"), &terminating))
        return malformed(by, "without a name, or without a terminating that is true or false", err);
    if (!holds(walk, by, delegation, &held, err))
        return false;
    if (!held)
        return true;
    if (!role_name_ok(name->text))
        return error_set(err, REASON_UNSUPPORTED, "%s version %lld delegates to a role with a name that is not usable",
                         by->file, (long long)by->version);
    if (!check_unique(by, roles, name->text, err))
        return false;
    if (!is_visited(walk, name->text) && !enter(walk, name->text, by, delegation, err))
        return false;
    walk->ended = walk->ended || terminating;
    return true;
}

/* 5.6.7.1: what the role itself says about the target goes before what it delegates. The depth is that of `visited`. */
static bool visit(struct walk *walk, struct span name, const struct tuf_document *document, struct error *err)
{
    const struct node *delegations = node_get(document->signed_part, "delegations");
    const struct node *roles = node_get(delegations, "roles");

    walk->visited[walk->visited_count++] = name;
    walk->found = (struct tuf_search){.by = document};
    walk->found.entry = node_get_span(node_get(document->signed_part, "targets"), walk->target);
    if (walk->found.entry || !delegations)
        return true;
    if (node_get(delegations, "succinct_roles"))
        return error_set(err, REASON_UNSUPPORTED, "%s version %lld has succinct_roles", document->file,
                         (long long)document->version);
    if (!node_is(roles, NODE_LIST))
        return malformed(document, "list that is no list", err);
    for (const struct node *role = roles->child; role; role = role->next) {
        if (!follow(walk, document, roles, role, err))
            return false;
        if (walk->found.entry || walk->found.delegation || walk->ended)
            return true;
    }
    return true;
}

bool tuf_search_target(const struct tuf_document *targets, const struct tuf_delegated *loaded, size_t count,
                       const char *target, struct tuf_search *ret, struct error *err)
{
    struct walk walk = {.loaded = loaded, .count = count, .target = span_str(target)};
    struct digest digest;

    if (!digest_compute(DIGEST_SHA256, walk.target, &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    (void)digest_hex(&digest, walk.hash);
    if (!visit(&walk, span_str("targets"), targets, err))
        return false;
    *ret = walk.found;
    if (!ret->entry && !ret->delegation)
        *ret = (struct tuf_search){.entry = NULL};
    return true;
}
