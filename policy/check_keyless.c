/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: chain, SCT, identity (sigstore.md 3.2 to 3.4). */
#include "policy/check.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "policy/hostname.h"
#include "policy/regex.h"

static const struct claim_chain *find_chain(const struct decide *decide, const struct authority *authority,
                                            const struct claim_certificate *certificate)
{
    size_t root = decide->claim_roots[authority->trust_root];

    for (size_t i = 0; root != SIZE_MAX && i < certificate->chain_count; i++) {
        if (certificate->chains[i].root == root)
            return &certificate->chains[i];
    }
    return NULL;
}

/*
 * The chain must hold at every time that counts for this authority, whichever of its roots proves it. Without any such
 * time the verifier used the clock, which is enough only where no proof is asked for (check_proof.c).
 */
static bool chain_holds(const struct decide *decide, const struct authority *authority, const struct claim *claim,
                        const struct claim_chain *chain)
{
    bool counted = false;

    for (size_t i = 0; i < claim->time_count; i++) {
        if (!claim_time_counts(decide, authority, &claim->times[i]))
            continue;
        if (chain->valid_at == NULL || !chain->valid_at[i])
            return false;
        counted = true;
    }
    return counted || (chain->chain_verified && chain->now_used);
}

static bool check_chain(const struct decide *decide, const struct authority *authority, const struct claim *claim,
                        struct outcome *ret)
{
    const struct claim_chain *chain = find_chain(decide, authority, claim->certificate);
    const char *root = decide->set->roots[authority->trust_root].name;
    const char *problem = chain != NULL && chain->problem != NULL ? chain->problem : "no chain was found";
    char signer[240], clean[160];

    signer_text(claim, signer, sizeof(signer));
    if (chain == NULL || !chain_holds(decide, authority, claim, chain))
        return outcome_fail(ret, PROGRESS_CHAIN, REASON_UNTRUSTED_CHAIN,
                            "the certificate of %s does not lead to trust root \"%s\": %s", signer, root,
                            text_clean(span_str(problem), clean, sizeof(clean)));
    if (!authority->ignore_sct && !chain->sct_verified)
        return outcome_fail(ret, PROGRESS_CHAIN, REASON_UNTRUSTED_CHAIN,
                            "the certificate of %s has no valid certificate timestamp (SCT) of trust root \"%s\"",
                            signer, root);
    return true;
}

static bool matches(const struct matcher *matcher, const char *text)
{
    if (matcher->text == NULL)
        return true; /* nothing is asked: policy.json's pki has no issuer */
    if (text == NULL)
        return false;
    if (matcher->exact != NULL)
        return strcmp(matcher->exact, text) == 0;
    return matcher->regex != NULL && regex_search(matcher->regex, span_str(text));
}

/* Bundles have one identity; in the legacy layout any alternative name counts (sigstore.md 3.3). */
static bool subject_matches(const struct matcher *matcher, const struct claim *claim)
{
    const struct claim_certificate *certificate = claim->certificate;

    if ((matcher->kind == SAN_NONE || matcher->kind == certificate->san_kind) && matches(matcher, certificate->san))
        return true;
    for (size_t i = 0; claim->layout == LAYOUT_LEGACY && i < certificate->san_count; i++) {
        enum san_kind kind = certificate->san_kinds ? certificate->san_kinds[i] : SAN_NONE;

        if ((matcher->kind == SAN_NONE || matcher->kind == kind) && matches(matcher, certificate->sans[i]))
            return true;
    }
    return false;
}

/* Any of the certificate's names, as for the subject. */
static bool host_matches(const struct matcher *wanted, const struct claim *claim)
{
    const struct claim_certificate *certificate = claim->certificate;

    if (wanted->text == NULL)
        return true; /* nothing is asked */
    if (certificate->san != NULL && hostname_matches(wanted->text, certificate->san_kind, certificate->san))
        return true;
    for (size_t i = 0; claim->layout == LAYOUT_LEGACY && certificate->san_kinds && i < certificate->san_count; i++) {
        if (hostname_matches(wanted->text, certificate->san_kinds[i], certificate->sans[i]))
            return true;
    }
    return false;
}

/* Fulcio's extensions .2 to .6 (sigstore.md 3.3): trigger, SHA, name, repository, ref. */
static bool workflow_matches(const struct identity *identity, const struct claim_certificate *certificate)
{
    for (size_t i = 0; i < WORKFLOW_FIELDS; i++) {
        const char *wanted = identity->workflow[i], *found = certificate->extensions[WORKFLOW_FIRST_OID + i];

        if (wanted != NULL && (found == NULL || strcmp(wanted, found) != 0))
            return false;
    }
    return true;
}

static void wanted_identity(const struct authority *authority, char *dst, size_t dst_size)
{
    const struct identity *first = &authority->identities[0];
    const char *tail = authority->identity_count > 1 ? " or another identity" : "";
    char subject[120], issuer[120];

    text_clean(span_str(first->subject.text != NULL ? first->subject.text : first->host.text), subject,
               sizeof(subject));
    text_clean(span_str(first->issuer.text), issuer, sizeof(issuer));
    if (first->issuer.text == NULL) {
        (void)snprintf(dst, dst_size, "subject \"%s\"", subject);
        return;
    }
    (void)snprintf(dst, dst_size, "subject%s \"%s\" from issuer%s \"%s\"%s", first->subject.regex ? " matching" : "",
                   subject, first->issuer.regex ? " matching" : "", issuer, tail);
}

/* Certificates of one's own authority name no issuer: an expression meets an empty text there, as in cosign. */
bool identity_matches(const struct identity *identity, const struct claim *claim)
{
    const char *issuer = claim->certificate->issuer != NULL ? claim->certificate->issuer : "";

    return matches(&identity->issuer, issuer) && subject_matches(&identity->subject, claim) &&
           host_matches(&identity->host, claim) && workflow_matches(identity, claim->certificate);
}

bool check_certificate(const struct decide *decide, const struct requirement *requirement, size_t claim_index,
                       struct outcome *ret)
{
    const struct authority *authority = requirement->authority;
    const struct claim *claim = &decide->claims->items[claim_index];
    char signer[240], wanted[400], issuer[120];

    if (claim->signer != SIGNER_CERTIFICATE || claim->certificate == NULL)
        return outcome_fail(
            ret, PROGRESS_SIGNER, REASON_WRONG_IDENTITY, "%s by %s, wanted a certificate's identity (keyless)",
            requirement->rule != NULL ? "attested" : "signed", signer_text(claim, signer, sizeof(signer)));
    if (!check_chain(decide, authority, claim, ret))
        return false;
    for (size_t i = 0; i < authority->identity_count; i++) {
        if (!check_entry(decide, authority, claim_index, i))
            continue;
        ret->entry = i;
        return true;
    }
    wanted_identity(authority, wanted, sizeof(wanted));
    text_clean(span_str(claim->certificate->issuer), issuer, sizeof(issuer));
    return outcome_fail(ret, PROGRESS_IDENTITY, REASON_WRONG_IDENTITY, "%s by %s from issuer \"%s\", wanted %s",
                        requirement->rule != NULL ? "attested" : "signed", signer_text(claim, signer, sizeof(signer)),
                        issuer, wanted);
}
