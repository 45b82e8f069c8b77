/* SPDX-License-Identifier: Apache-2.0 */
/* Log entries, timestamps, and everything that is measured in time. */
#include "policy/check.h"

#include "base/clock.h"
#include "policy/condition.h"

static size_t claim_root(const struct decide *decide, size_t set_root)
{
    return set_root == ROOT_NONE ? SIZE_MAX : decide->claim_roots[set_root];
}

static bool has_log(const struct claim *claim, size_t root)
{
    for (size_t i = 0; root != SIZE_MAX && i < claim->log_count; i++) {
        if (claim->logs[i].root == root && (claim->logs[i].set_verified || claim->logs[i].proof_verified))
            return true;
    }
    return false;
}

static bool has_timestamp(const struct claim *claim, size_t root)
{
    for (size_t i = 0; root != SIZE_MAX && i < claim->time_count; i++) {
        if (claim->times[i].root == root && claim->times[i].kind == TIME_TSA)
            return true;
    }
    return false;
}

/*
 * A time counts only under a root that the authority names: its certificates' root, or the root of its ctlog or
 * rfc3161timestamp. A key authority without these trusts no time at all.
 */
bool claim_time_counts(const struct decide *decide, const struct authority *authority, const struct claim_time *time)
{
    size_t chain = claim_root(decide, authority->trust_root);
    size_t log = claim_root(decide, authority->log_root), tsa = claim_root(decide, authority->tsa_root);

    if (chain != SIZE_MAX && time->root == chain)
        return true;
    return (time->kind == TIME_LOG && log != SIZE_MAX && time->root == log) ||
           (time->kind == TIME_TSA && tsa != SIZE_MAX && time->root == tsa);
}

bool claim_trusted_time(const struct decide *decide, const struct authority *authority, const struct claim *claim,
                        int64_t *ret_time)
{
    bool found = false;

    for (size_t i = 0; i < claim->time_count; i++) {
        if (!claim_time_counts(decide, authority, &claim->times[i]) || (found && claim->times[i].at >= *ret_time))
            continue;
        *ret_time = claim->times[i].at;
        found = true;
    }
    return found;
}

/* With a trusted time the signing is judged, without one the use now. */
static bool check_validity(const struct decide *decide, const struct member *member, bool has_time, int64_t time,
                           struct outcome *ret)
{
    int64_t at = has_time ? time : decide->now;
    const char *fingerprint = pubkey_fingerprint(decide->set->keys[member->key].key);
    const char *verb = has_time ? "it signed" : "now it is";
    char limit[TIME_TEXT_BYTES], when[TIME_TEXT_BYTES];

    if (member->has_not_before && at < member->not_before)
        return outcome_fail(ret, PROGRESS_TIME, REASON_EXPIRED, "key %.12s... is valid from %s, %s %s", fingerprint,
                            time_format(member->not_before, limit), verb, time_format(at, when));
    if (member->has_not_after && at > member->not_after)
        return outcome_fail(ret, PROGRESS_TIME, REASON_EXPIRED, "key %.12s... is valid until %s, %s %s", fingerprint,
                            time_format(member->not_after, limit), verb, time_format(at, when));
    return true;
}

static bool check_age(const struct decide *decide, const struct authority *authority, bool has_time, int64_t time,
                      struct outcome *ret)
{
    char when[TIME_TEXT_BYTES], oldest[TIME_TEXT_BYTES];

    if (!authority->has_max_age)
        return true;
    if (!has_time)
        return outcome_fail(ret, PROGRESS_TIME, REASON_NO_TIMESTAMP,
                            "maxAge is set and no trusted time proves the age");
    if (time > decide->now + CLOCK_SKEW_SECONDS)
        return outcome_fail(ret, PROGRESS_TIME, REASON_EXPIRED, "signed at %s, which is in the future",
                            time_format(time, when));
    if (decide->now - time <= authority->max_age)
        return true;
    return outcome_fail(ret, PROGRESS_TIME, REASON_EXPIRED, "signed at %s, wanted not before %s (maxAge)",
                        time_format(time, when), time_format(decide->now - authority->max_age, oldest));
}

bool check_proofs(const struct decide *decide, const struct requirement *requirement, const struct claim *claim,
                  struct outcome *ret)
{
    const struct authority *authority = requirement->authority;
    const char *what = requirement->rule != NULL ? "attestation" : "signature";
    int64_t time = 0;
    bool has_time = claim_trusted_time(decide, authority, claim, &time);
    char signer[240];

    if (authority->log_root != ROOT_NONE && !has_log(claim, claim_root(decide, authority->log_root)))
        return outcome_fail(ret, PROGRESS_PROOF, REASON_NO_LOG_ENTRY,
                            "%s by %s has no verified entry in a transparency log of trust root \"%s\"", what,
                            signer_text(claim, signer, sizeof(signer)), decide->set->roots[authority->log_root].name);
    if (authority->tsa_root != ROOT_NONE && !has_timestamp(claim, claim_root(decide, authority->tsa_root)))
        return outcome_fail(ret, PROGRESS_PROOF, REASON_NO_TIMESTAMP,
                            "%s by %s has no verified timestamp by an authority of trust root \"%s\"", what,
                            signer_text(claim, signer, sizeof(signer)), decide->set->roots[authority->tsa_root].name);
    /* A log entry without a time (Rekor v2) leaves open whether the short-lived certificate was valid when it signed.
     */
    if (authority->kind == AUTHORITY_KEYLESS && !has_time &&
        (authority->log_root != ROOT_NONE || authority->tsa_root != ROOT_NONE))
        return outcome_fail(ret, PROGRESS_PROOF, REASON_NO_TIMESTAMP,
                            "no trusted time proves when the %s by %s was made", what,
                            signer_text(claim, signer, sizeof(signer)));
    if (authority->kind == AUTHORITY_KEY &&
        !check_validity(decide, &authority->members[ret->entry], has_time, time, ret))
        return false;
    return check_age(decide, authority, has_time, time, ret);
}
