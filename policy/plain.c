/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of a ClusterImagePolicy policy.json can say. */
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/convert.h"

void plain_done(struct plain *plain)
{
    mem_free(plain->keys);
    *plain = (struct plain){0};
}

static bool refuse(const struct policy *policy, struct place at, const char *what, struct error *err)
{
    char name[100];

    return error_set(err, REASON_UNSUPPORTED, "%s:%u:%u: policy \"%s\": %s", policy->file, at.line, at.column,
                     text_clean(span_str(policy->name), name, sizeof(name)), what);
}

/* Why an authority cannot stand in a policy.json; NULL when it can. */
static const char *obstacle(const struct policy_set *set, const struct authority *authority, bool strict)
{
    if (authority->kind == AUTHORITY_KEYLESS)
        return "keyless does not map: policy.json knows one exact e-mail address and a CA of its own only";
    if (authority->annotation_count > 0)
        return "annotations have no counterpart in policy.json";
    if (authority->attestation_count > 0)
        return "attestations have no counterpart in policy.json";
    if (authority->source_repository != NULL || authority->tag_prefix[0] != '\0')
        return "source has no counterpart in policy.json: signatures lie beside the image";
    if (authority->log_root != ROOT_NONE || authority->tsa_root != ROOT_NONE)
        return "ctlog and rfc3161timestamp do not map: policy.json wants log keys, not trust roots";
    if (authority->format != FORMAT_LEGACY)
        return "policy.json reads no bundles: only signatureFormat legacy maps";
    if (authority->threshold != 1 || authority->required_count > 0 || authority->has_max_age)
        return "threshold, required and maxAge have no counterpart in policy.json";
    if (authority->reference == REFERENCE_EXACT)
        return "identity exact differs from each kind of signedIdentity; repository maps";
    if (strict && authority->reference != REFERENCE_REPOSITORY)
        return "identity any is wider than signedIdentity matchRepository; repository maps";
    for (size_t i = 0; i < authority->member_count; i++) {
        const struct member *member = &authority->members[i];
        enum key_type type = pubkey_type(set->keys[member->key].key);

        if (member->has_not_before || member->has_not_after)
            return "notBefore and notAfter have no counterpart in policy.json";
        /* Without hashAlgorithm, these keys also count with another hash than policy.json's SHA-256. */
        if (member->hash != DIGEST_SHA256 && (member->hash != DIGEST_NONE || (type != KEY_EC_P256 && type != KEY_RSA)))
            return "policy.json knows SHA-256 only: hashAlgorithm sha256 maps";
    }
    return NULL;
}

static bool add_keys(const struct authority *authority, struct plain *plain, struct error *err)
{
    for (size_t i = 0; i < authority->member_count; i++) {
        bool known = false;

        for (size_t j = 0; j < plain->key_count; j++)
            known |= plain->keys[j] == authority->members[i].key;
        if (known)
            continue;
        if (!mem_grow(&plain->keys, &plain->key_capacity, plain->key_count, sizeof(*plain->keys), SIZE_MAX / 16))
            return error_oom(err);
        plain->keys[plain->key_count++] = authority->members[i].key;
    }
    return true;
}

bool plain_policy(const struct policy_set *set, const struct policy *policy, bool strict, struct plain *ret,
                  struct error *err)
{
    struct plain plain CLEANUP(plain_done) = {.kind = PLAIN_REJECT};

    if (policy->threshold != 1 || policy->required_count > 0)
        return refuse(policy, policy->at, "threshold and required have no counterpart in policy.json", err);
    if (policy->mode == MODE_WARN) {
        ret->kind = PLAIN_ACCEPT;
        return true;
    }
    for (size_t i = 0; i < policy->authority_count; i++) {
        const struct authority *authority = &policy->authorities[i];
        const char *why;

        if (authority->kind == AUTHORITY_STATIC) {
            if (authority->static_pass) {
                ret->kind = PLAIN_ACCEPT;
                return true;
            }
            continue;
        }
        why = obstacle(set, authority, strict);
        if (why != NULL)
            return refuse(policy, authority->at, why, err);
        plain.kind = PLAIN_KEYS;
        if (!add_keys(authority, &plain, err))
            return false;
    }
    *ret = plain;
    plain = (struct plain){0};
    return true;
}

bool glob_scope(const struct policy *policy, const struct policy_glob *glob, char **ret, struct error *err)
{
    struct span scope = span_str(glob->text), host;
    bool below = span_eq_str(scope, "**");

    if (below)
        scope = span_of(NULL, 0);
    if (span_ends(scope, "/**")) {
        scope = span_cut(scope, 0, scope.len - 3);
        below = true;
    }
    if (span_find_byte(scope, '*') != SIZE_MAX)
        return refuse(policy, glob->at,
                      "a scope of policy.json is a registry, a namespace, a repository or one image: of the wildcards "
                      "only \"/**\" "
                      "at the end, and \"**\" alone, map",
                      err);
    host = span_cut(scope, 0, span_find_byte(scope, '/'));
    if (scope.len > 0 && span_find_byte(host, '.') == SIZE_MAX && span_find_byte(host, ':') == SIZE_MAX &&
        !span_eq_str(host, "localhost"))
        return refuse(policy, glob->at, "the glob names no registry", err);
    if (scope.len > 0 && !below && host.len == scope.len)
        return refuse(policy, glob->at, "the glob names a registry and no repository; \"/**\" behind it maps", err);
    *ret = span_eq_str(host, "index.docker.io")
               ? mem_printf("docker.io%.*s", (int)(scope.len - host.len), (const char *)scope.ptr + host.len)
               : mem_printf("%.*s", (int)scope.len, scope.len > 0 ? (const char *)scope.ptr : "");
    return *ret != NULL || error_oom(err);
}

bool scope_covers(const char *above, const char *scope)
{
    size_t len = strlen(above);
    const char *rest = scope + len;

    if (len == 0 || strcmp(above, scope) == 0)
        return true;
    if (strncmp(above, scope, len) != 0)
        return false;
    /* A tag or digest is below its repository; a port is not below a host without one. */
    return *rest == '/' || *rest == '@' || (*rest == ':' && strchr(above, '/') != NULL);
}
