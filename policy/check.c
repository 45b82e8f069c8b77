/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "policy/condition.h"

/* What cosign writes for `cosign sign`: the only predicate type that is a signature (sigstore.md 0, trap 10). */
static const char sign_predicate[] = "https://sigstore.dev/cosign/sign/v1";

bool outcome_fail(struct outcome *outcome, enum progress progress, enum reason reason, const char *format, ...)
{
    va_list args;

    outcome->satisfied = false;
    outcome->progress = progress;
    outcome->reason = reason;
    va_start(args, format);
    (void)vsnprintf(outcome->text, sizeof(outcome->text), format, args);
    va_end(args);
    return false;
}

const char *signer_text(const struct claim *claim, char *dst, size_t dst_size)
{
    char clean[200];

    if (claim->signer == SIGNER_KEY)
        (void)snprintf(dst, dst_size, "key %.12s...", claim->key_fingerprint);
    else if (claim->certificate != NULL && claim->certificate->san != NULL)
        (void)snprintf(dst, dst_size, "\"%s\"", text_clean(span_str(claim->certificate->san), clean, sizeof(clean)));
    else
        (void)snprintf(dst, dst_size, "a certificate without an identity");
    return dst;
}

char *signer_id(const struct claim *claim)
{
    if (claim->signer == SIGNER_KEY)
        return mem_strdup(claim->key_fingerprint);
    if (claim->certificate == NULL)
        return NULL;
    return mem_printf("%s %s", claim->certificate->issuer != NULL ? claim->certificate->issuer : "-",
                      claim->certificate->san != NULL ? claim->certificate->san : "-");
}

enum progress finding_progress(enum reason reason)
{
    if (reason == REASON_FETCH_FAILED || reason == REASON_TIMEOUT || reason == REASON_UNAUTHORIZED ||
        reason == REASON_UNAVAILABLE || reason == REASON_IO)
        return PROGRESS_LOOKUP;
    if (reason == REASON_BAD_SIGNATURE)
        return PROGRESS_SIGNATURE;
    if (reason == REASON_WRONG_KEY)
        return PROGRESS_SIGNER;
    if (reason == REASON_UNTRUSTED_CHAIN)
        return PROGRESS_CHAIN;
    if (reason == REASON_NO_LOG_ENTRY || reason == REASON_NO_TIMESTAMP || reason == REASON_EXPIRED)
        return PROGRESS_PROOF;
    if (reason == REASON_NO_SIGNATURE || reason == REASON_NO_ATTESTATION || reason == REASON_NOT_FOUND)
        return PROGRESS_NOTHING;
    return PROGRESS_UNREADABLE;
}

bool check_place(const struct decide *decide, const struct authority *authority, const struct claim_place *place,
                 bool prefix_too)
{
    const char *wanted =
        authority->source_repository != NULL ? authority->source_repository : decide->own_repository;

    if (place->repository == NULL || strcmp(place->repository, wanted) != 0)
        return false;
    /* A prefix is part of a tag's name; referrers have no tag. */
    return !prefix_too || strcmp(place->tag_prefix != NULL ? place->tag_prefix : "", authority->tag_prefix) == 0;
}

bool check_applies(const struct decide *decide, const struct requirement *requirement, const struct claim *claim)
{
    const struct authority *authority = requirement->authority;

    if (claim->kind != (requirement->rule != NULL ? CLAIM_ATTESTATION : CLAIM_SIGNATURE))
        return false;
    if ((authority->format == FORMAT_LEGACY && claim->layout != LAYOUT_LEGACY) ||
        (authority->format == FORMAT_BUNDLE && claim->layout != LAYOUT_BUNDLE))
        return false;
    if (!check_place(decide, authority, &claim->place, claim->layout == LAYOUT_LEGACY))
        return false;
    /* CVE-2022-35930 and its like: only the very type asked for counts. */
    if (requirement->rule != NULL)
        return claim->predicate_type != NULL &&
               strcmp(claim->predicate_type, requirement->rule->predicate_type) == 0;
    return claim->predicate_type == NULL || strcmp(claim->predicate_type, sign_predicate) == 0;
}

/* The members' fingerprints, for "wanted": one, or how many. */
static void wanted_keys(const struct decide *decide, const struct authority *authority, char *dst, size_t dst_size)
{
    const char *first = pubkey_fingerprint(decide->set->keys[authority->members[0].key].key);

    if (authority->member_count == 1)
        (void)snprintf(dst, dst_size, "key %.12s...", first);
    else
        (void)snprintf(dst, dst_size, "key %.12s... or one of %zu others", first, authority->member_count - 1);
}

size_t check_entry_count(const struct authority *authority)
{
    return authority->kind == AUTHORITY_KEY ? authority->member_count : authority->identity_count;
}

bool check_entry(const struct decide *decide, const struct authority *authority, size_t claim_index, size_t entry)
{
    const struct claim *claim = &decide->claims->items[claim_index];

    if (authority->kind == AUTHORITY_KEY)
        return claim->signer == SIGNER_KEY && authority->members[entry].key == decide->claim_keys[claim_index] &&
               authority->members[entry].hash == claim->key_hash;
    return claim->signer == SIGNER_CERTIFICATE && claim->certificate != NULL &&
           identity_matches(&authority->identities[entry], claim);
}

static bool check_key(const struct decide *decide, const struct requirement *requirement, size_t claim_index,
                      struct outcome *ret)
{
    const struct authority *authority = requirement->authority;
    const struct claim *claim = &decide->claims->items[claim_index];
    char signer[240], wanted[80];

    for (size_t i = 0; i < authority->member_count; i++) {
        if (!check_entry(decide, authority, claim_index, i))
            continue;
        ret->entry = i;
        return true;
    }
    wanted_keys(decide, authority, wanted, sizeof(wanted));
    return outcome_fail(ret, PROGRESS_SIGNER, REASON_WRONG_KEY, "%s by %s, wanted %s",
                        requirement->rule != NULL ? "attested" : "signed", signer_text(claim, signer, sizeof(signer)),
                        wanted);
}

static bool check_revoked(const struct decide *decide, const struct claim *claim, struct outcome *ret)
{
    const struct claim_certificate *certificate = claim->certificate;
    char clean[80];

    if (claim->signer == SIGNER_KEY)
        return table_find(&decide->set->revoked_keys, span_str(claim->key_fingerprint)) == SIZE_MAX ||
               outcome_fail(ret, PROGRESS_REVOKED, REASON_REVOKED, "the signing key %.12s... is revoked",
                            claim->key_fingerprint);
    if (certificate != NULL &&
        table_find(&decide->set->revoked_keys, span_str(certificate->key_fingerprint)) != SIZE_MAX)
        return outcome_fail(ret, PROGRESS_REVOKED, REASON_REVOKED,
                            "the key %.12s... of the signing certificate is revoked", certificate->key_fingerprint);
    if (certificate == NULL ||
        (table_find(&decide->set->revoked_certificates, span_str(certificate->serial)) == SIZE_MAX &&
         table_find(&decide->set->revoked_certificates, span_str(certificate->fingerprint)) == SIZE_MAX))
        return true;
    return outcome_fail(ret, PROGRESS_REVOKED, REASON_REVOKED,
                        "the signing certificate with serial number %s is revoked",
                        text_clean(span_str(certificate->serial), clean, sizeof(clean)));
}

static bool check_annotation(const struct requirement *requirement, const struct claim *claim,
                             const struct policy_pair *wanted, struct outcome *ret)
{
    char key[80], value[120], found[120], signer[240];

    text_clean(span_str(wanted->key), key, sizeof(key));
    text_clean(span_str(wanted->value), value, sizeof(value));
    signer_text(claim, signer, sizeof(signer));
    (void)requirement;
    for (size_t i = 0; i < claim->annotation_count; i++) {
        const struct claim_annotation *annotation = &claim->annotations[i];

        if (!span_eq_str(annotation->key, wanted->key))
            continue;
        if (annotation->is_string && span_eq_str(annotation->value, wanted->value))
            return true;
        text_clean(annotation->value, found, sizeof(found));
        if (!annotation->is_string)
            return outcome_fail(ret, PROGRESS_ANNOTATIONS, REASON_ANNOTATION_MISMATCH,
                                "signature by %s carries annotation %s that is not text, wanted \"%s\"", signer, key,
                                value);
        return outcome_fail(ret, PROGRESS_ANNOTATIONS, REASON_ANNOTATION_MISMATCH,
                            "signature by %s carries annotation %s=\"%s\", wanted \"%s\"", signer, key, found, value);
    }
    return outcome_fail(ret, PROGRESS_ANNOTATIONS, REASON_ANNOTATION_MISMATCH,
                        "signature by %s carries no annotation %s, wanted \"%s\"", signer, key, value);
}

static bool check_annotations(const struct requirement *requirement, const struct claim *claim, struct outcome *ret)
{
    const struct authority *authority = requirement->authority;

    for (size_t i = 0; requirement->rule == NULL && i < authority->annotation_count; i++) {
        if (!check_annotation(requirement, claim, &authority->annotations[i], ret))
            return false;
    }
    return true;
}

static bool check_conditions(const struct decide *decide, const struct requirement *requirement,
                             const struct claim *claim, struct outcome *ret)
{
    const struct attestation_rule *rule = requirement->rule;
    struct condition_input input = {.statement = claim->statement, .now = decide->now};
    struct error why = ERROR_INIT;
    char name[80];

    if (rule == NULL || rule->conditions == NULL)
        return true;
    input.has_time = claim_trusted_time(decide, requirement->authority, claim, &input.time);
    if (condition_holds(rule->conditions, &input, &why))
        return true;
    return outcome_fail(ret, PROGRESS_CONDITION, REASON_ATTESTATION_CONDITION, "attestation \"%s\": %s",
                        text_clean(span_str(rule->name), name, sizeof(name)), why.text);
}

void check_claim(const struct decide *decide, const struct requirement *requirement, size_t claim_index,
                 struct outcome *ret)
{
    const struct claim *claim = &decide->claims->items[claim_index];
    bool good;

    *ret = (struct outcome){.reason = REASON_INTERNAL};
    if (requirement->authority->kind == AUTHORITY_KEY)
        good = check_key(decide, requirement, claim_index, ret);
    else
        good = check_certificate(decide, requirement, claim_index, ret);
    good = good && check_revoked(decide, claim, ret) && check_proofs(decide, requirement, claim, ret) &&
           check_reference(decide, requirement, claim, ret) && check_annotations(requirement, claim, ret) &&
           check_conditions(decide, requirement, claim, ret);
    if (!good)
        return;
    ret->satisfied = true;
    ret->reason = REASON_OK;
}
