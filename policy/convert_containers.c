/* SPDX-License-Identifier: Apache-2.0 */
/* ClusterImagePolicy -> policy.json, and the part of it that the runtimes' native check can do beside ours. */
#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "policy/convert.h"

enum { TEXT_BYTES = 64 * 1024 * 1024, SCOPES_MAX = 100 * 1000, PEM_BYTES = 64 * 1024 };

/* A scope that some glob maps to, and which policy's. */
struct claimed {
    char *scope;
    size_t plain; /* index into plains */
};

struct conversion {
    const struct policy_set *set;
    struct plain *plains; /* per policy that maps */
    size_t plain_count;
    struct claimed *claims;
    size_t claim_count, claim_capacity;
    struct error *err;
};

static void conversion_done(struct conversion *conversion)
{
    for (size_t i = 0; i < conversion->plain_count; i++)
        plain_done(&conversion->plains[i]);
    mem_free(conversion->plains);
    for (size_t i = 0; i < conversion->claim_count; i++)
        mem_free(conversion->claims[i].scope);
    mem_free(conversion->claims);
}

static bool claim_scopes(struct conversion *conversion, const struct policy *policy, size_t plain)
{
    for (size_t i = 0; i < policy->glob_count; i++) {
        char *scope;

        if (!mem_grow(&conversion->claims, &conversion->claim_capacity, conversion->claim_count,
                      sizeof(*conversion->claims), SCOPES_MAX))
            return error_oom(conversion->err);
        if (!glob_scope(policy, &policy->globs[i], &scope, conversion->err))
            return false;
        conversion->claims[conversion->claim_count++] = (struct claimed){.scope = scope, .plain = plain};
    }
    return true;
}

/* strict = what does not map is an error; else the whole policy is left out (its globs with it). */
static bool gather(struct conversion *conversion, bool strict_names, bool leave_out)
{
    const struct policy_set *set = conversion->set;

    conversion->plains = mem_new(set->policy_count + 1, sizeof(*conversion->plains));
    if (conversion->plains == NULL)
        return error_oom(conversion->err);
    for (size_t i = 0; i < set->policy_count; i++) {
        size_t claims = conversion->claim_count;

        if (plain_policy(set, &set->policies[i], strict_names, &conversion->plains[conversion->plain_count],
                         conversion->err) &&
            claim_scopes(conversion, &set->policies[i], conversion->plain_count)) {
            conversion->plain_count++;
            continue;
        }
        plain_done(&conversion->plains[conversion->plain_count]);
        if (!leave_out || conversion->err->reason != REASON_UNSUPPORTED)
            return false;
        while (conversion->claim_count > claims)
            mem_free(conversion->claims[--conversion->claim_count].scope);
    }
    return true;
}

/* Is this the first claim of its scope? Each scope is written once. */
static bool first_of_scope(const struct conversion *conversion, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(conversion->claims[i].scope, conversion->claims[at].scope) == 0)
            return false;
    }
    return true;
}

/* Does plain number `plain` hold for the scope: by a claim of it or of a scope above it? */
static bool holds_for(const struct conversion *conversion, size_t plain, const char *scope)
{
    for (size_t i = 0; i < conversion->claim_count; i++) {
        if (conversion->claims[i].plain == plain && scope_covers(conversion->claims[i].scope, scope))
            return true;
    }
    return false;
}

static bool put_pem(struct json_out *out, const struct pubkey *key, bool as_base64)
{
    struct buf pem CLEANUP(buf_free) = BUF_INIT(PEM_BYTES);

    pubkey_write_pem(key, &pem);
    if (!buf_ok(&pem))
        return false;
    if (as_base64)
        json_put_base64(out, NULL, buf_as_span(&pem));
    else
        json_put_span(out, NULL, buf_as_span(&pem));
    return true;
}

static bool put_keys(const struct conversion *conversion, const struct plain *plain, bool as_base64,
                     struct json_out *out)
{
    for (size_t i = 0; i < plain->key_count; i++) {
        if (!put_pem(out, conversion->set->keys[plain->keys[i]].key, as_base64))
            return error_oom(conversion->err);
    }
    return true;
}

static void put_type(struct json_out *out, const char *type)
{
    json_open_map(out, NULL);
    json_put_str(out, "type", type);
    json_close_map(out);
}

static bool put_signed(const struct conversion *conversion, const struct plain *plain, struct json_out *out)
{
    json_open_map(out, NULL);
    json_put_str(out, "type", "sigstoreSigned");
    json_open_list(out, "keyDatas");
    if (!put_keys(conversion, plain, true, out))
        return false;
    json_close_list(out);
    json_open_map(out, "signedIdentity");
    json_put_str(out, "type", "matchRepository");
    json_close_map(out);
    json_close_map(out);
    return true;
}

/* Only the most specific scope counts there, so each one repeats what holds above it (AND). */
static bool put_scope(const struct conversion *conversion, const char *scope, struct json_out *out)
{
    bool some = false;

    json_open_list(out, scope);
    for (size_t i = 0; i < conversion->plain_count; i++) {
        const struct plain *plain = &conversion->plains[i];

        if (plain->kind == PLAIN_ACCEPT || !holds_for(conversion, i, scope))
            continue;
        some = true;
        if (plain->kind == PLAIN_REJECT)
            put_type(out, "reject");
        else if (!put_signed(conversion, plain, out))
            return false;
    }
    if (!some)
        put_type(out, "insecureAcceptAnything");
    json_close_list(out);
    return true;
}

static bool put_policy(const struct conversion *conversion, struct json_out *out)
{
    json_open_map(out, NULL);
    json_open_list(out, "default");
    put_type(out, "reject");
    json_close_list(out);
    json_open_map(out, "transports");
    json_open_map(out, "docker");
    for (size_t i = 0; i < conversion->claim_count; i++) {
        if (first_of_scope(conversion, i) && !put_scope(conversion, conversion->claims[i].scope, out))
            return false;
    }
    json_close_map(out);
    json_close_map(out);
    json_close_map(out);
    return true;
}

bool convert_to_containers(const struct policy_set *set, struct buf *ret, struct error *err)
{
    struct conversion conversion CLEANUP(conversion_done) = {.set = set, .err = err};
    struct buf text CLEANUP(buf_free) = BUF_INIT(TEXT_BYTES);
    struct json_out out = json_out_to(&text);

    if (set->revocation_count > 0)
        return error_set(err, REASON_UNSUPPORTED, "%s: revoked has no counterpart in policy.json",
                         set->policies[set->revocations[0].policy].file);
    if (!gather(&conversion, false, false) || !put_policy(&conversion, &out))
        return false;
    buf_byte(&text, '\n');
    if (!buf_ok(&text))
        return error_set(err, REASON_LIMIT, "the policy.json would be too large");
    *ret = text;
    text = (struct buf){0};
    return true;
}

bool policy_set_native(const struct policy_set *set, struct json_out *out, struct error *err)
{
    struct conversion conversion CLEANUP(conversion_done) = {.set = set, .err = err};

    if (set->dialect == DIALECT_CLUSTER && !gather(&conversion, true, true))
        return false;
    json_open_list(out, NULL);
    for (size_t i = 0; i < conversion.claim_count; i++) {
        const char *scope = conversion.claims[i].scope;

        if (scope[0] == '\0' || !first_of_scope(&conversion, i))
            continue;
        json_open_map(out, NULL);
        json_put_str(out, "scope", scope);
        json_open_list(out, "requirements");
        for (size_t j = 0; j < conversion.plain_count; j++) {
            if (conversion.plains[j].kind != PLAIN_KEYS || !holds_for(&conversion, j, scope))
                continue;
            json_open_list(out, NULL);
            if (!put_keys(&conversion, &conversion.plains[j], false, out))
                return false;
            json_close_list(out);
        }
        json_close_list(out);
        json_close_map(out);
    }
    json_close_list(out);
    return true;
}

bool policy_convert(const struct policy_set *set, struct buf *ret, struct error *err)
{
    if (set->dialect == DIALECT_NONE)
        return error_set(err, REASON_POLICY_ERROR, "there is no policy to convert");
    return set->dialect == DIALECT_CONTAINERS ? convert_to_cluster(set, ret, err)
                                              : convert_to_containers(set, ret, err);
}
