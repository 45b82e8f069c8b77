/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.json -> ClusterImagePolicy. There, the most specific scope alone decides; here, every policy that matches.
 * Scopes within each other map only where the wider one asks for nothing that the narrower one does not ask for as
 * well.
 */
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/convert.h"

enum { TEXT_BYTES = 64 * 1024 * 1024, PEM_BYTES = 64 * 1024 };

static bool refuse(const struct policy *policy, struct place at, const char *what, struct error *err)
{
    char scope[120];

    return error_set(err, REASON_UNSUPPORTED, "%s:%u:%u: %s: %s", policy->file, at.line, at.column,
                     text_clean(span_str(policy->name), scope, sizeof(scope)), what);
}

/* What a whole scope comes to. */
static enum plain_kind scope_kind(const struct policy *policy)
{
    enum plain_kind kind = PLAIN_ACCEPT;

    for (size_t i = 0; i < policy->authority_count; i++) {
        const struct authority *authority = &policy->authorities[i];

        if (authority->kind == AUTHORITY_STATIC && !authority->static_pass)
            return PLAIN_REJECT;
        if (authority->kind != AUTHORITY_STATIC)
            kind = PLAIN_KEYS;
    }
    return kind;
}

static bool check_authority(const struct policy *policy, const struct authority *authority, struct error *err)
{
    if (authority->kind == AUTHORITY_KEYLESS)
        return refuse(
            policy, authority->at,
            "fulcio and pki do not map by themselves: put the certificates into a trusted_root.json in the trust "
            "directory and write keyless with trustRootRef",
            err);
    if (authority->log_root != ROOT_NONE)
        return refuse(
            policy, authority->at,
            "rekorPublicKey does not map by itself: put the key into a trusted_root.json in the trust directory and "
            "write ctlog with trustRootRef",
            err);
    if (authority->kind == AUTHORITY_KEY && authority->reference != REFERENCE_MATCH_REPOSITORY)
        return refuse(
            policy, authority->at,
            "of the kinds of signedIdentity only matchRepository has the same meaning here (identity: repository)",
            err);
    return true;
}

static bool same_authority(const struct authority *a, const struct authority *b)
{
    if (a->kind != b->kind || a->static_pass != b->static_pass || a->member_count != b->member_count)
        return false;
    for (size_t i = 0; i < a->member_count; i++) {
        if (a->members[i].key != b->members[i].key)
            return false;
    }
    return true;
}

/* Does `narrow` ask for everything that `wide` asks for? */
static bool asks_as_much(const struct policy *wide, const struct policy *narrow)
{
    for (size_t i = 0; i < wide->authority_count; i++) {
        const struct authority *authority = &wide->authorities[i];
        bool found = authority->kind == AUTHORITY_STATIC && authority->static_pass;

        for (size_t j = 0; j < narrow->authority_count; j++)
            found |= same_authority(authority, &narrow->authorities[j]);
        if (!found)
            return false;
    }
    return true;
}

static const char *scope_of(const struct policy_set *set, const struct policy *policy)
{
    return policy == &set->policies[set->default_policy] ? "" : policy->globs[0].text;
}

/* Is a policy to be written? A reject with nothing wider around it is what "no policy matches" comes to anyway. */
static bool is_written(const struct policy_set *set, const struct policy *policy)
{
    if (scope_kind(policy) != PLAIN_REJECT)
        return true;
    for (size_t i = 0; i < set->policy_count; i++) {
        const struct policy *wide = &set->policies[i];

        if (wide != policy && scope_kind(wide) != PLAIN_REJECT &&
            scope_covers(scope_of(set, wide), scope_of(set, policy)))
            return true;
    }
    return false;
}

static bool check_nesting(const struct policy_set *set, const struct policy *narrow, struct error *err)
{
    for (size_t i = 0; i < set->policy_count; i++) {
        const struct policy *wide = &set->policies[i];

        if (wide == narrow || !is_written(set, wide) || !scope_covers(scope_of(set, wide), scope_of(set, narrow)) ||
            strcmp(scope_of(set, wide), scope_of(set, narrow)) == 0)
            continue;
        if (scope_kind(narrow) != PLAIN_REJECT && !asks_as_much(wide, narrow))
            return refuse(
                narrow, narrow->at,
                "here every policy that matches must be satisfied, and a wider scope asks for something that this "
                "narrower one does not",
                err);
    }
    return true;
}

static bool check_scope(const struct policy_set *set, const struct policy *policy, struct error *err)
{
    if (strchr(policy->globs[0].text, '*') != NULL)
        return refuse(policy, policy->at, "a scope for subdomains does not map: globs treat ports differently", err);
    if (policy == &set->policies[set->default_policy] && scope_kind(policy) == PLAIN_ACCEPT)
        return refuse(policy, policy->at, "a default that accepts anything is the setting \"no-match: allow\" here",
                      err);
    for (size_t i = 0; i < policy->authority_count; i++) {
        if (!check_authority(policy, &policy->authorities[i], err))
            return false;
    }
    return check_nesting(set, policy, err);
}

static void put_globs(const char *scope, struct buf *out)
{
    const char *slash = strrchr(scope, '/');
    bool image = strchr(scope, '@') != NULL || (slash != NULL && strchr(slash, ':') != NULL);
    struct span text = span_str(scope);
    const char *index = span_starts(text, "docker.io") && (scope[9] == '/' || scope[9] == '\0') ? "index." : "";

    if (scope[0] == '\0') {
        buf_str(out, "    - glob: \"**\"\n");
        return;
    }
    if (slash != NULL)
        buf_printf(out, "    - glob: \"%s%s\"\n", index, scope);
    if (!image)
        buf_printf(out, "    - glob: \"%s%s/**\"\n", index, scope);
}

static bool put_key(const struct pubkey *key, struct buf *out)
{
    struct buf pem CLEANUP(buf_free) = BUF_INIT(PEM_BYTES);
    struct span rest;

    pubkey_write_pem(key, &pem);
    if (!buf_ok(&pem))
        return false;
    for (rest = buf_as_span(&pem); rest.len > 0;) {
        size_t end = span_find_byte(rest, '\n');

        buf_str(out, "          ");
        buf_span(out, span_cut(rest, 0, end));
        buf_byte(out, '\n');
        rest = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(rest, end + 1, SIZE_MAX);
    }
    return true;
}

static bool put_authority(const struct policy_set *set, const struct authority *authority, struct buf *out)
{
    if (authority->kind == AUTHORITY_STATIC) {
        buf_printf(out, "    - static:\n        action: %s\n", authority->static_pass ? "pass" : "fail");
        return true;
    }
    buf_str(out, "    - key:\n        hashAlgorithm: sha256\n        data: |\n");
    for (size_t i = 0; i < authority->member_count; i++) {
        if (!put_key(set->keys[authority->members[i].key].key, out))
            return false;
    }
    buf_str(out, "      signatureFormat: legacy\n      pullguard:\n        identity: repository\n");
    return true;
}

/* AND: a policy for each requirement. */
static bool put_policy(const struct policy_set *set, const struct policy *policy, size_t number, struct buf *out)
{
    for (size_t i = 0; i < policy->authority_count; i++) {
        const struct authority *authority = &policy->authorities[i];

        /* "Accept anything" adds nothing to other requirements. */
        if (authority->kind == AUTHORITY_STATIC && authority->static_pass && policy->authority_count > 1)
            continue;
        buf_printf(out, "---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata:\n"
                        "  name: scope-%zu-requirement-%zu\nspec:\n  images:\n", number, i);
        put_globs(scope_of(set, policy), out);
        buf_str(out, "  authorities:\n");
        if (!put_authority(set, authority, out))
            return false;
    }
    return true;
}

bool convert_to_cluster(const struct policy_set *set, struct buf *ret, struct error *err)
{
    struct buf text CLEANUP(buf_free) = BUF_INIT(TEXT_BYTES);
    size_t written = 0;

    if (set->has_other_transports)
        return error_set(err, REASON_UNSUPPORTED,
                         "%s: transports other than docker have no counterpart: images that come from "
                         "no registry are not pulled",
                         set->files[0]);
    for (size_t i = 0; i < set->policy_count; i++) {
        const struct policy *policy = &set->policies[i];

        if (!is_written(set, policy))
            continue;
        if (!check_scope(set, policy, err))
            return false;
        if (!put_policy(set, policy, i, &text))
            return error_oom(err);
        written++;
    }
    if (written == 0)
        return error_set(err, REASON_UNSUPPORTED, "%s: it rejects everything, as a node without policies does",
                         set->files[0]);
    if (!buf_ok(&text))
        return error_set(err, REASON_LIMIT, "the policies would be too large");
    *ret = text;
    text = (struct buf){0};
    return true;
}
