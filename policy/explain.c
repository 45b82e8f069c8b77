/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/match.h"

#include "base/clock.h"
#include "base/mem.h"

/* Of the keys above, those that count for some time only. */
static void put_windows(const struct policy_set *set, const struct authority *authority, struct json_out *out)
{
    char when[TIME_TEXT_BYTES];

    json_open_list(out, "validity");
    for (size_t i = 0; i < authority->member_count; i++) {
        const struct member *member = &authority->members[i];

        if (!member->has_not_before && !member->has_not_after)
            continue;
        json_open_map(out, NULL);
        json_put_str(out, "key", pubkey_fingerprint(set->keys[member->key].key));
        if (member->name != NULL)
            json_put_str(out, "name", member->name);
        if (member->has_not_before)
            json_put_str(out, "notBefore", time_format(member->not_before, when));
        if (member->has_not_after)
            json_put_str(out, "notAfter", time_format(member->not_after, when));
        json_close_map(out);
    }
    json_close_list(out);
}

static void put_authority(const struct policy_set *set, const struct authority *authority, struct json_out *out)
{
    static const char *const kinds[] = {
        [AUTHORITY_KEY] = "key", [AUTHORITY_KEYLESS] = "keyless", [AUTHORITY_STATIC] = "static"};

    json_open_map(out, NULL);
    json_put_str(out, "name", authority->name);
    json_put_str(out, "kind", kinds[authority->kind]);
    if (authority->kind == AUTHORITY_STATIC)
        json_put_str(out, "action", authority->static_pass ? "pass" : "fail");
    json_open_list(out, "keys");
    for (size_t i = 0; i < authority->member_count; i++)
        json_put_str(out, NULL, pubkey_fingerprint(set->keys[authority->members[i].key].key));
    json_close_list(out);
    put_windows(set, authority, out);
    json_open_list(out, "identities");
    for (size_t i = 0; i < authority->identity_count; i++) {
        json_open_map(out, NULL);
        json_put_str(out, "issuer", authority->identities[i].issuer.text);
        json_put_str(out, "subject", authority->identities[i].subject.text);
        json_close_map(out);
    }
    json_close_list(out);
    json_open_map(out, "annotations");
    for (size_t i = 0; i < authority->annotation_count; i++)
        json_put_str(out, authority->annotations[i].key, authority->annotations[i].value);
    json_close_map(out);
    json_open_list(out, "attestations");
    for (size_t i = 0; i < authority->attestation_count; i++)
        json_put_str(out, NULL, authority->attestations[i].predicate_type);
    json_close_list(out);
    json_close_map(out);
}

static void put_policy(const struct policy_set *set, const struct policy *policy, const struct policy_glob *glob,
                       struct json_out *out)
{
    json_open_map(out, NULL);
    json_put_str(out, "policy", policy->name);
    json_put_str(out, "file", policy->file);
    json_put_int(out, "line", policy->at.line);
    json_put_str(out, "mode", policy->mode == MODE_WARN ? "warn" : "enforce");
    json_put_bool(out, "matches", glob != NULL);
    json_open_list(out, "globs");
    for (size_t i = 0; i < policy->glob_count; i++)
        json_put_str(out, NULL, policy->globs[i].text);
    json_close_list(out);
    if (glob != NULL) {
        json_put_str(out, "glob", glob->text);
        json_open_list(out, "authorities");
        for (size_t i = 0; i < policy->authority_count; i++)
            put_authority(set, &policy->authorities[i], out);
        json_close_list(out);
    }
    json_close_map(out);
}

bool policy_explain(const struct policy_set *set, const struct policy_image *image, struct json_out *out,
                    struct error *err)
{
    struct match match CLEANUP(match_done) = {0};

    if (!match_init(&match, set, image, err))
        return false;
    json_open_list(out, NULL);
    for (size_t i = 0; i < set->policy_count; i++)
        put_policy(set, &set->policies[i], match_policy(&match, &set->policies[i]), out);
    json_close_list(out);
    return true;
}
