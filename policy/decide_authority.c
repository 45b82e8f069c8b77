/* SPDX-License-Identifier: Apache-2.0 */
/* One authority: each of its requirements (signature, attestations) by enough distinct signers. */
#include "policy/decide.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

void result_done(struct result *result)
{
    mem_free(result->key_id);
    *result = (struct result){0};
}

static void keep_best(struct outcome *best, const struct outcome *outcome)
{
    if (outcome->progress > best->progress || best->text[0] == '\0')
        *best = *outcome;
}

/* Nothing satisfied: were there claims of another type, findings, failed look-ups? */
static void consider_findings(const struct decide *decide, const struct requirement *requirement, struct outcome *best)
{
    enum claim_kind kind = requirement->rule != NULL ? CLAIM_ATTESTATION : CLAIM_SIGNATURE;
    struct outcome outcome = {0};
    char clean[380];

    for (size_t i = 0; i < decide->claims->finding_count; i++) {
        const struct finding *finding = &decide->claims->findings[i];
        enum progress progress = finding_progress(finding->reason);

        /* What could not be read may have been of either kind. */
        if ((finding->kind != kind && progress > PROGRESS_UNREADABLE) || progress <= best->progress ||
            !check_place(decide, requirement->authority, &finding->place, false))
            continue;
        (void)outcome_fail(&outcome, progress, finding->reason, "%s",
                           text_clean(span_str(finding->text), clean, sizeof(clean)));
        keep_best(best, &outcome);
    }
}

static void begin_best(const struct decide *decide, const struct requirement *requirement, struct outcome *best)
{
    const struct authority *authority = requirement->authority;
    const char *where = authority->source_repository != NULL ? authority->source_repository : decide->own_repository;
    char type[160];

    *best = (struct outcome){0};
    if (requirement->rule == NULL)
        (void)outcome_fail(best, PROGRESS_NOTHING, REASON_NO_SIGNATURE, "no signature found in %s", where);
    else
        (void)outcome_fail(best, PROGRESS_NOTHING, REASON_NO_ATTESTATION, "no attestation of type %s found in %s",
                           text_clean(span_str(requirement->rule->predicate_type), type, sizeof(type)), where);
}

static const char *entry_name(const struct authority *authority, size_t entry)
{
    return authority->kind == AUTHORITY_KEY ? authority->members[entry].name : authority->identities[entry].name;
}

/* The loader made sure that each required name is an entry's. */
static bool required_entries(const struct decide *decide, const struct authority *authority, size_t **ret)
{
    size_t *entries = mem_new(authority->required_count + 1, sizeof(*entries));

    if (entries == NULL)
        return error_oom(decide->err);
    for (size_t i = 0; i < authority->required_count; i++) {
        for (size_t j = 0; j < check_entry_count(authority); j++) {
            const char *name = entry_name(authority, j);

            if (name != NULL && strcmp(name, authority->required[i]) == 0)
                entries[i] = j;
        }
    }
    *ret = entries;
    return true;
}

static bool enough_signers(const struct decide *decide, const struct requirement *requirement,
                           const struct signers *signers, struct outcome *best, bool *ret_enough)
{
    const struct authority *authority = requirement->authority;
    size_t *required CLEANUP(mem_freep) = NULL;
    const char *what = requirement->rule != NULL ? "attested" : "signed";
    size_t count;
    char clean[80];

    if (!required_entries(decide, authority, &required))
        return false;
    *ret_enough = false;
    for (size_t i = 0; i < authority->required_count; i++) {
        if (signers_has_entry(signers, required[i]))
            continue;
        if (signers->count > 0)
            (void)outcome_fail(best, PROGRESS_THRESHOLD, REASON_THRESHOLD, "not %s by \"%s\", who is required", what,
                               text_clean(span_str(authority->required[i]), clean, sizeof(clean)));
        return true;
    }
    if (!signers_distinct(signers, check_entry_count(authority), required, authority->required_count, &count,
                          decide->err))
        return false;
    *ret_enough = count >= authority->threshold;
    if (count == 0 && authority->required_count > 0) /* each of them signed, but not each by a signer of its own */
        (void)outcome_fail(best, PROGRESS_THRESHOLD, REASON_THRESHOLD,
                           "%s, but one signer cannot stand for two who are required", what);
    else if (!*ret_enough && signers->count > 0)
        (void)outcome_fail(best, PROGRESS_THRESHOLD, REASON_THRESHOLD, "%s by %zu of %zu distinct signers wanted", what,
                           count, authority->threshold);
    return true;
}

/* Notes a good claim's signer with every entry that it is, and with the authority as a whole. */
static bool credit(const struct decide *decide, const struct authority *authority, size_t claim_index,
                   const char *identity, struct signers *signers, struct signers *above, size_t above_entry)
{
    const struct claim *claim = &decide->claims->items[claim_index];
    const char *key = claim->certificate != NULL ? claim->certificate->key_fingerprint : claim->key_fingerprint;

    for (size_t i = 0; i < check_entry_count(authority); i++) {
        if (check_entry(decide, authority, claim_index, i) && !signers_add(signers, i, key, identity, decide->err))
            return false;
    }
    return signers_add(above, above_entry, key, identity, decide->err);
}

/* Walks every claim; notes all good signers; ret->satisfied says whether they are enough. */
static bool decide_requirement(const struct decide *decide, const struct requirement *requirement,
                               struct signers *above, size_t above_entry, struct result *ret)
{
    struct signers signers CLEANUP(signers_done) = {0};
    struct outcome best, outcome;

    begin_best(decide, requirement, &best);
    for (size_t i = 0; i < decide->claims->count; i++) {
        char *id CLEANUP(mem_freep) = NULL;

        if (!check_applies(decide, requirement, &decide->claims->items[i]))
            continue;
        check_claim(decide, requirement, i, &outcome);
        report_claim(decide, requirement, i, &outcome);
        if (!outcome.satisfied) {
            keep_best(&best, &outcome);
            continue;
        }
        id = signer_id(&decide->claims->items[i]);
        if (id == NULL)
            return error_oom(decide->err);
        if (!credit(decide, requirement->authority, i, id, &signers, above, above_entry))
            return false;
        if (ret->key_id == NULL)
            ret->key_id = TAKE_PTR(id);
    }
    consider_findings(decide, requirement, &best);
    if (!enough_signers(decide, requirement, &signers, &best, &ret->outcome.satisfied))
        return false;
    best.satisfied = ret->outcome.satisfied;
    ret->outcome = best;
    if (best.satisfied)
        ret->outcome.reason = REASON_OK;
    return true;
}

static void decide_static(const struct authority *authority, struct result *ret)
{
    char clean[300];

    ret->is_static = true;
    if (authority->static_pass) {
        ret->outcome = (struct outcome){.satisfied = true, .reason = REASON_STATIC_PASS};
        return;
    }
    (void)outcome_fail(&ret->outcome, PROGRESS_NOTHING, REASON_STATIC_FAIL, "%s",
                       authority->static_message != NULL
                           ? text_clean(span_str(authority->static_message), clean, sizeof(clean))
                           : "the policy refuses this image (static: fail)");
}

bool decide_authority(const struct decide *decide, const struct authority *authority, struct signers *signers,
                      size_t entry, struct result *ret)
{
    struct requirement requirement = {.authority = authority};
    bool signature = authority->attestation_count == 0 || authority->signed_and_attested;

    *ret = (struct result){.authority = authority};
    report_authority_begin(decide, authority);
    if (authority->kind == AUTHORITY_STATIC) {
        decide_static(authority, ret);
        report_authority_end(decide, ret);
        return true;
    }
    /* All of them: the signature when it counts, then each attestation (AND, policy.md 1.3). */
    if (signature && !decide_requirement(decide, &requirement, signers, entry, ret))
        return false;
    for (size_t i = 0; i < authority->attestation_count && (ret->outcome.satisfied || (i == 0 && !signature)); i++) {
        requirement.rule = &authority->attestations[i];
        if (!decide_requirement(decide, &requirement, signers, entry, ret))
            return false;
    }
    report_authority_end(decide, ret);
    return true;
}
