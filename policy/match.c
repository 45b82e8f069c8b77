/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/match.h"

#include <string.h>

#include "base/mem.h"
#include "policy/glob.h"

static size_t find_scope(const struct policy_set *set, struct span scope)
{
    return table_find(&set->scopes, scope);
}

/* Repository, each namespace above it, the host with its port. */
static size_t find_parents(const struct policy_set *set, const char *name)
{
    struct span scope = span_str(name);

    for (;;) {
        size_t found = find_scope(set, scope), end = scope.len;

        if (found != SIZE_MAX)
            return found;
        while (end > 0 && scope.ptr[end - 1] != '/')
            end--;
        if (end == 0)
            return SIZE_MAX;
        scope = span_cut(scope, 0, end - 1);
    }
}

/* "*.example.com" and so on for a host, whose port does not count. */
static size_t find_wildcards(const struct policy_set *set, const char *host)
{
    struct span rest = span_cut(span_str(host), 0, span_find_byte(span_str(host), ':'));
    size_t dot;

    while ((dot = span_find_byte(rest, '.')) != SIZE_MAX) {
        char scope[256 + 2];
        size_t found;

        rest = span_cut(rest, dot + 1, SIZE_MAX);
        if (rest.len > sizeof(scope) - 2)
            continue;
        memcpy(scope, "*.", 2);
        memcpy(scope + 2, rest.ptr, rest.len);
        found = find_scope(set, span_of(scope, rest.len + 2));
        if (found != SIZE_MAX)
            return found;
    }
    return SIZE_MAX;
}

/*
 * The exact reference first: by its digest when one was written (or is all there is), else by its tag. Out of memory is
 * not "no such scope": a wider one may be less strict.
 */
static bool find_exact(const struct policy_set *set, const struct policy_image *image, const char *name, size_t *ret,
                       struct error *err)
{
    bool by_digest = image->tag == NULL || (image->written != NULL && strchr(image->written, '@') != NULL);
    char *with_digest CLEANUP(mem_freep) = NULL, *with_tag CLEANUP(mem_freep) = NULL;
    char digest[DIGEST_TEXT_BYTES];

    *ret = SIZE_MAX;
    if (by_digest && image->digest.alg != DIGEST_NONE) {
        with_digest = mem_printf("%s@%s", name, digest_format(&image->digest, digest));
        if (with_digest == NULL)
            return error_oom(err);
        *ret = find_scope(set, span_str(with_digest));
    }
    if (*ret == SIZE_MAX && image->tag != NULL) {
        with_tag = mem_printf("%s:%s", name, image->tag);
        if (with_tag == NULL)
            return error_oom(err);
        *ret = find_scope(set, span_str(with_tag));
    }
    return true;
}

/* containers-policy.json(5): full reference, repository, namespaces, host, *.suffixes, "", and the file's default. */
static bool match_scope(const struct policy_set *set, const struct policy_image *image, size_t *ret, struct error *err)
{
    const char *host = strcmp(image->host, "index.docker.io") == 0 ? "docker.io" : image->host;
    char *name CLEANUP(mem_freep) = mem_printf("%s/%s", host, image->repository);
    size_t found;

    if (name == NULL)
        return error_oom(err);
    if (!find_exact(set, image, name, &found, err))
        return false;
    if (found == SIZE_MAX)
        found = find_parents(set, name);
    if (found == SIZE_MAX)
        found = find_wildcards(set, host);
    if (found == SIZE_MAX)
        found = find_scope(set, span_str(""));
    *ret = found == SIZE_MAX ? set->default_policy : found;
    return true;
}

bool match_init(struct match *match, const struct policy_set *set, const struct policy_image *image, struct error *err)
{
    struct match fresh = {.set = set, .scoped = SIZE_MAX};

    if (!image_names_init(&fresh.names, image, err))
        return false;
    if (set->dialect == DIALECT_CONTAINERS && !match_scope(set, image, &fresh.scoped, err)) {
        match_done(&fresh);
        return false;
    }
    *match = fresh;
    return true;
}

void match_done(struct match *match)
{
    image_names_done(&match->names);
}

const struct policy_glob *match_policy(const struct match *match, const struct policy *policy)
{
    if (match->set->dialect == DIALECT_CONTAINERS)
        return policy == &match->set->policies[match->scoped] ? &policy->globs[0] : NULL;
    for (size_t i = 0; i < policy->glob_count; i++) {
        for (size_t j = 0; j < match->names.count; j++) {
            if (glob_match(policy->globs[i].text, span_str(match->names.items[j])))
                return &policy->globs[i];
        }
    }
    return NULL;
}

const struct policy_glob *match_with_tag(const struct policy_set *set, const struct policy_image *image,
                                         const struct policy **ret_policy)
{
    char *name CLEANUP(mem_freep) = NULL;

    if (image->tag != NULL)
        return NULL;
    name = mem_printf("%s/%s:latest", image->host, image->repository);
    if (name == NULL)
        return NULL;
    for (size_t i = 0; i < set->policy_count; i++) {
        const struct policy *policy = &set->policies[i];

        for (size_t j = 0; j < policy->glob_count; j++) {
            if (glob_match(policy->globs[j].text, span_str(name))) {
                *ret_policy = policy;
                return &policy->globs[j];
            }
        }
    }
    return NULL;
}
