/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Legacy payloads sign a name ("critical.identity.docker-reference"): with cosign a repository, with containers' tools
 * a repository and tag. Bundles sign none. Here that name meets the image's.
 */
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/check.h"
#include "verifier/ref.h"

/* The image as it was asked for. */
struct asked {
    const char *name; /* host/repository */
    const char *tag;  /* NULL when pulled by digest alone */
    struct digest digest;
    bool by_digest;   /* a digest was written */
};

static bool same_name(const struct ref *ref, const char *name)
{
    return strcmp(ref->name, name) == 0;
}

static bool has_tag(const struct ref *ref)
{
    return ref->tag != NULL && !ref->tag_defaulted;
}

static bool same_tag(const struct ref *ref, const char *tag)
{
    return has_tag(ref) == (tag != NULL) && (tag == NULL || strcmp(ref->tag, tag) == 0);
}

static bool same_digest(const struct ref *ref, const struct asked *asked)
{
    return (ref->digest.alg != DIGEST_NONE) == asked->by_digest &&
           (!asked->by_digest || digest_eq(&ref->digest, &asked->digest));
}

/* The same name, tag and digest in both, and more than a name (containers-policy.json(5), matchExact). */
static bool match_exact(const struct ref *ref, const struct asked *asked)
{
    return (asked->tag != NULL || asked->by_digest) && same_name(ref, asked->name) && same_tag(ref, asked->tag) &&
           same_digest(ref, asked);
}

/* A tag that was asked for must have been signed; for a pull by digest alone any tag of the repository will do. */
static bool match_repo_digest_or_exact(const struct ref *ref, const struct asked *asked)
{
    return asked->tag != NULL ? match_exact(ref, asked) : asked->by_digest && same_name(ref, asked->name);
}

/* `prefix` is a whole repository or ends at one of its slashes. */
static bool prefix_matches(const char *prefix, const char *name)
{
    size_t len = strlen(prefix);

    return strncmp(prefix, name, len) == 0 && (name[len] == '\0' || name[len] == '/');
}

static bool match_remapped(const struct ref *ref, const struct asked *asked, const struct authority *authority)
{
    struct asked mapped = *asked;
    char *name CLEANUP(mem_freep) = NULL;
    bool good;

    if (!prefix_matches(authority->reference_name, asked->name))
        return match_repo_digest_or_exact(ref, asked);
    name = mem_printf("%s%s", authority->reference_signed, asked->name + strlen(authority->reference_name));
    if (name == NULL)
        return false;
    mapped.name = name;
    good = match_repo_digest_or_exact(ref, &mapped);
    return good;
}

/* The reference that the policy names, instead of the image's. */
static bool match_named(const struct ref *ref, const struct authority *authority)
{
    struct ref wanted CLEANUP(ref_done) = {0};
    struct error ignored = ERROR_INIT;
    struct asked asked;

    if (!ref_parse(span_str(authority->reference_name), &wanted, &ignored))
        return false;
    asked = (struct asked){.name = wanted.name, .tag = has_tag(&wanted) ? wanted.tag : NULL, .digest = wanted.digest,
                           .by_digest = wanted.digest.alg != DIGEST_NONE};
    return match_exact(ref, &asked);
}

static bool reference_matches(const struct decide *decide, const struct authority *authority, const struct ref *ref)
{
    struct asked asked = {.name = decide->own_repository, .tag = decide->image->tag, .digest = decide->claims->image};

    /* A runtime always knows the digest; it was asked for only when it was written, or when there is nothing else. */
    asked.by_digest =
        asked.tag == NULL || (decide->image->written != NULL && strchr(decide->image->written, '@') != NULL);
    switch (authority->reference) {
    case REFERENCE_ANY:
        return true;
    case REFERENCE_REPOSITORY:
    case REFERENCE_MATCH_REPOSITORY:
        return same_name(ref, asked.name);
    case REFERENCE_EXACT:
        return same_name(ref, asked.name) &&
               ((asked.tag != NULL && has_tag(ref) && strcmp(ref->tag, asked.tag) == 0) ||
                (ref->digest.alg != DIGEST_NONE && digest_eq(&ref->digest, &asked.digest)));
    case REFERENCE_MATCH_EXACT:
        return match_exact(ref, &asked);
    case REFERENCE_MATCH_REPO_DIGEST_OR_EXACT:
        return match_repo_digest_or_exact(ref, &asked);
    case REFERENCE_EXACT_REFERENCE:
        return match_named(ref, authority);
    case REFERENCE_EXACT_REPOSITORY:
        return same_name(ref, authority->reference_name);
    case REFERENCE_REMAP:
        return match_remapped(ref, &asked, authority);
    }
    return false;
}

/* What was wanted, for the message. */
static char *wanted_text(const struct decide *decide, const struct authority *authority)
{
    const char *tag = decide->image->tag;
    bool with_tag = authority->reference != REFERENCE_REPOSITORY &&
                    authority->reference != REFERENCE_MATCH_REPOSITORY && tag != NULL;

    if (authority->reference == REFERENCE_EXACT_REFERENCE || authority->reference == REFERENCE_EXACT_REPOSITORY)
        return mem_strdup(authority->reference_name);
    if (authority->reference == REFERENCE_REMAP && prefix_matches(authority->reference_name, decide->own_repository))
        return mem_printf("%s%s%s%s", authority->reference_signed,
                          decide->own_repository + strlen(authority->reference_name), with_tag ? ":" : "",
                          with_tag ? tag : "");
    return mem_printf("%s%s%s", decide->own_repository, with_tag ? ":" : "", with_tag ? tag : "");
}

bool check_reference(const struct decide *decide, const struct requirement *requirement, const struct claim *claim,
                     struct outcome *ret)
{
    const struct authority *authority = requirement->authority;
    char *wanted CLEANUP(mem_freep) = NULL;
    struct ref ref CLEANUP(ref_done) = {0};
    struct error ignored = ERROR_INIT;
    char clean[160];

    if (authority->reference == REFERENCE_ANY || requirement->rule != NULL)
        return true;
    if (claim->docker_reference != NULL && ref_parse(span_str(claim->docker_reference), &ref, &ignored) &&
        reference_matches(decide, authority, &ref))
        return true;
    wanted = wanted_text(decide, authority);
    if (claim->docker_reference == NULL)
        return outcome_fail(ret, PROGRESS_REFERENCE, REASON_IDENTITY_MISMATCH,
                            "the signature names no image, wanted %s",
                            wanted != NULL ? wanted : decide->own_repository);
    return outcome_fail(ret, PROGRESS_REFERENCE, REASON_IDENTITY_MISMATCH, "the signature is for \"%s\", wanted %s",
                        text_clean(span_str(claim->docker_reference), clean, sizeof(clean)),
                        wanted != NULL ? wanted : decide->own_repository);
}
