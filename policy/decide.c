/* SPDX-License-Identifier: Apache-2.0 */
/* AND over the policies that match, OR (or a threshold) over their authorities (policy.md 1.3). */
#include "policy/decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/match.h"

enum { MESSAGE_BYTES = LIMIT_REASON_LINE_BYTES + 1, REPORT_BYTES = 64 * 1024 * 1024 };

/* What all policies together came to. */
struct tally {
    size_t matched, passed_static, warned;
    bool failed;
};

/* One line; what does not fit is cut and says so. */
PRINTF_LIKE(2, 3) static void write_line(char dst[MESSAGE_BYTES], const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(dst, MESSAGE_BYTES, format, args);
    va_end(args);
    if (len >= MESSAGE_BYTES)
        memcpy(dst + MESSAGE_BYTES - 4, "...", 4);
}

/* Takes `message` into the decision unless one is there: the first that failed decides what is said. */
static bool say(struct decide *decide, struct policy_decision *decision, enum reason reason,
                const struct policy *policy, const struct authority *authority, const char *message)
{
    decision->reason = reason;
    mem_free(decision->policy);
    mem_free(decision->authority);
    mem_free(decision->message);
    decision->policy = policy != NULL ? mem_strdup(policy->name) : NULL;
    decision->authority = authority != NULL ? mem_strdup(authority->name) : NULL;
    decision->message = mem_strdup(message);
    if (decision->message == NULL || (policy != NULL && decision->policy == NULL) ||
        (authority != NULL && decision->authority == NULL))
        return error_oom(decide->err);
    return true;
}

/* `policy "P", authority "A": wanted and found`, and how many look-ups failed besides. */
static void failure_message(const struct decide *decide, const struct policy *policy, const struct result *result,
                            char dst[MESSAGE_BYTES])
{
    char policy_name[100], authority_name[100], more[80] = "";
    size_t failed = 0;

    for (size_t i = 0; i < decide->claims->finding_count; i++)
        failed += finding_progress(decide->claims->findings[i].reason) == PROGRESS_LOOKUP;
    if (failed > 0 && result->outcome.progress != PROGRESS_LOOKUP && !result->is_static)
        (void)snprintf(more, sizeof(more), " (besides, %zu look-up%s failed)", failed, failed == 1 ? "" : "s");
    text_clean(span_str(policy->name), policy_name, sizeof(policy_name));
    text_clean(span_str(result->authority->name), authority_name, sizeof(authority_name));
    write_line(dst, "policy \"%s\", authority \"%s\": %s%s", policy_name, authority_name,
                   result->outcome.text, more);
}

static bool required_authorities(const struct decide *decide, const struct policy *policy, size_t **ret)
{
    size_t *entries = mem_new(policy->required_count + 1, sizeof(*entries));

    if (entries == NULL)
        return error_oom(decide->err);
    for (size_t i = 0; i < policy->required_count; i++) {
        for (size_t j = 0; j < policy->authority_count; j++) {
            if (strcmp(policy->authorities[j].name, policy->required[i]) == 0)
                entries[i] = j;
        }
    }
    *ret = entries;
    return true;
}

/* Does the policy's own count hold? Only asked when it is not the format's plain OR. */
static bool count_authorities(const struct decide *decide, const struct policy *policy, const struct signers *passed,
                              struct result *best)
{
    size_t *required CLEANUP(mem_freep) = NULL;
    bool passes = best->outcome.satisfied; /* by itself: at the least a static: pass, which is nobody's signature */
    size_t count;

    if (!required_authorities(decide, policy, &required) ||
        !signers_distinct(passed, policy->authority_count, required, policy->required_count, &count, decide->err))
        return false;
    best->outcome.satisfied = count >= policy->threshold;
    if (best->outcome.satisfied || (passed->count == 0 && !passes))
        return true;
    for (size_t i = 0; i < policy->required_count; i++) {
        if (signers_has_entry(passed, required[i]))
            continue;
        best->authority = &policy->authorities[required[i]];
        (void)outcome_fail(&best->outcome, PROGRESS_THRESHOLD, REASON_THRESHOLD,
                           "not satisfied, and the policy requires it");
        return true;
    }
    if (count == 0 && policy->required_count > 0) {
        (void)outcome_fail(&best->outcome, PROGRESS_THRESHOLD, REASON_THRESHOLD,
                           "one signer cannot stand for two authorities that the policy requires");
        return true;
    }
    (void)outcome_fail(&best->outcome, PROGRESS_THRESHOLD, REASON_THRESHOLD,
                       "%zu of %zu wanted authorities are satisfied by distinct signers", count, policy->threshold);
    return true;
}

/* policy.json: every requirement; the first that fails is told, else a signature rather than "accept anything". */
static bool decide_all_of(const struct decide *decide, const struct policy *policy, struct result *best)
{
    for (size_t i = 0; i < policy->authority_count; i++) {
        struct signers signers CLEANUP(signers_done) = {0};
        struct result result CLEANUP(result_done) = {0};
        bool told = best->authority != NULL && !best->outcome.satisfied;

        if (!decide_authority(decide, &policy->authorities[i], &signers, i, &result))
            return false;
        if (!told && (!result.outcome.satisfied || best->authority == NULL || best->is_static)) {
            result_done(best);
            *best = result;
            result = (struct result){0};
        }
    }
    return true;
}

/* Is `a` the better answer of a policy than `b`? A signature beats static: pass, and that beats any failure. */
static bool better(const struct result *a, const struct result *b)
{
    if (b->authority == NULL)
        return true;
    if (a->outcome.satisfied != b->outcome.satisfied)
        return a->outcome.satisfied;
    if (a->outcome.satisfied)
        return b->is_static && !a->is_static;
    return a->outcome.progress > b->outcome.progress;
}

static bool decide_policy(const struct decide *decide, const struct policy *policy, struct result *best)
{
    struct signers passed CLEANUP(signers_done) = {0};
    bool plain = policy->threshold == 1 && policy->required_count == 0;

    *best = (struct result){0};
    if (policy->all)
        return decide_all_of(decide, policy, best);
    for (size_t i = 0; i < policy->authority_count; i++) {
        struct result result CLEANUP(result_done) = {0};
        size_t before = passed.count;

        if (!decide_authority(decide, &policy->authorities[i], &passed, i, &result))
            return false;
        if (!result.outcome.satisfied)
            passed.count = before; /* its signers are nobody to the policy */
        if (better(&result, best)) {
            result_done(best);
            *best = result;
            result = (struct result){0};
        }
        /* The report tells of every authority; without one the first good answer is enough. */
        if (plain && best->outcome.satisfied && !best->is_static && decide->report == NULL)
            break;
    }
    return plain || count_authorities(decide, policy, &passed, best);
}

/* A revoked digest is refused by every policy, in every mode, before anything else is looked at. */
static bool check_digest_revoked(struct decide *decide, struct policy_decision *decision, bool *ret_revoked)
{
    char digest[DIGEST_TEXT_BYTES], text[MESSAGE_BYTES], name[100];
    const struct digest *image = &decide->claims->image;
    const struct revocation *revocation;
    size_t found;

    if (image->alg == DIGEST_NONE)
        image = &decide->image->digest;
    if (image->alg == DIGEST_NONE)
        return true;
    found = table_find(&decide->set->revoked_digests, span_str(digest_format(image, digest)));
    if (found == SIZE_MAX)
        return true;
    revocation = &decide->set->revocations[found];
    *ret_revoked = true;
    text_clean(span_str(decide->set->policies[revocation->policy].name), name, sizeof(name));
    write_line(text, "policy \"%s\": the image %s is revoked", name, digest);
    return say(decide, decision, REASON_REVOKED, &decide->set->policies[revocation->policy], NULL, text);
}

static bool take_failure(struct decide *decide, const struct policy *policy, const struct result *result,
                         struct tally *tally, struct policy_decision *decision)
{
    char text[MESSAGE_BYTES];
    bool warn = policy->mode == MODE_WARN;
    bool first = warn ? tally->warned == 0 && !tally->failed : !tally->failed;

    tally->warned += warn;
    tally->failed |= !warn;
    if (!first)
        return true;
    failure_message(decide, policy, result, text);
    return say(decide, decision, result->outcome.reason, policy, result->authority, text);
}

static bool take_success(struct decide *decide, const struct policy *policy, struct result *result, struct tally *tally,
                         struct policy_decision *decision)
{
    char text[MESSAGE_BYTES], policy_name[100], authority_name[100];

    tally->passed_static += result->is_static;
    if (tally->failed || tally->warned > 0 ||
        (decision->message != NULL && (decision->key_id != NULL || result->is_static)))
        return true;
    text_clean(span_str(policy->name), policy_name, sizeof(policy_name));
    text_clean(span_str(result->authority->name), authority_name, sizeof(authority_name));
    if (result->is_static)
        write_line(text, "policy \"%s\", authority \"%s\": passes without a signature (static: pass)",
                       policy_name, authority_name);
    else
        write_line(text, "policy \"%s\", authority \"%s\": satisfied", policy_name, authority_name);
    mem_free(decision->key_id);
    decision->key_id = TAKE_PTR(result->key_id);
    return say(decide, decision, result->is_static ? REASON_STATIC_PASS : REASON_OK, policy, result->authority, text);
}

static bool decide_policies(struct decide *decide, const struct match *match, struct tally *tally,
                            struct policy_decision *decision)
{
    for (size_t i = 0; i < decide->set->policy_count; i++) {
        const struct policy *policy = &decide->set->policies[i];
        const struct policy_glob *glob = match_policy(match, policy);
        struct result result CLEANUP(result_done) = {0};

        if (glob == NULL)
            continue;
        tally->matched++;
        report_policy_begin(decide, policy, glob);
        if (!decide_policy(decide, policy, &result))
            return false;
        report_policy_end(decide, &result);
        if (!(result.outcome.satisfied ? take_success(decide, policy, &result, tally, decision)
                                       : take_failure(decide, policy, &result, tally, decision)))
            return false;
    }
    return true;
}

static bool decide_no_match(struct decide *decide, enum no_match no_match, struct policy_decision *decision)
{
    const struct policy *policy = NULL;
    const struct policy_glob *glob = match_with_tag(decide->set, decide->image, &policy);
    char text[MESSAGE_BYTES], name[200], hint[240] = "", glob_text[100], policy_name[80];

    text_clean(span_str(decide->own_repository), name, sizeof(name));
    if (glob != NULL)
        (void)snprintf(hint, sizeof(hint), "; glob \"%s\" of policy \"%s\" wants a tag, and this pull has none",
                       text_clean(span_str(glob->text), glob_text, sizeof(glob_text)),
                       text_clean(span_str(policy->name), policy_name, sizeof(policy_name)));
    write_line(text, "no policy matches %s%s%s%s", name, decide->image->tag != NULL ? ":" : "",
                   decide->image->tag != NULL ? decide->image->tag : "", hint);
    decision->satisfied = no_match != NO_MATCH_DENY;
    decision->warned = no_match == NO_MATCH_WARN;
    return say(decide, decision, no_match == NO_MATCH_DENY ? REASON_NO_MATCH : REASON_NO_MATCH_ALLOWED, NULL, NULL,
               text);
}

static bool conclude(const struct tally *tally, struct policy_decision *decision)
{
    decision->satisfied = !tally->failed;
    if (tally->failed || tally->warned == 0)
        return true;
    decision->warned = true;
    decision->reason = REASON_WARN_MODE;
    return true;
}

/* Everything between "what do the claims say" and "the sentence". */
static bool decide_all(struct decide *decide, enum no_match no_match, struct policy_decision *decision)
{
    struct match match CLEANUP(match_done) = {0};
    struct tally tally = {0};
    bool revoked = false;

    if (!match_init(&match, decide->set, decide->image, decide->err))
        return false;
    report_begin(decide);
    if (!check_digest_revoked(decide, decision, &revoked) || !decide_policies(decide, &match, &tally, decision))
        return false;
    if (revoked) {
        /* Whatever the policies came to: said again, and left unsatisfied. */
        if (!check_digest_revoked(decide, decision, &revoked))
            return false;
    } else if (tally.matched == 0) {
        if (!decide_no_match(decide, no_match, decision))
            return false;
    } else if (!conclude(&tally, decision)) {
        return false;
    }
    report_end(decide, decision);
    return true;
}

/* Numbers instead of strings for what is compared often: the key of each claim, the claims' number of each root. */
static bool prepare(struct decide *decide, const struct policy_needs *needs)
{
    decide->claim_keys = mem_new(decide->claims->count + 1, sizeof(*decide->claim_keys));
    decide->claim_roots = mem_new(decide->set->root_count + 1, sizeof(*decide->claim_roots));
    if (decide->claim_keys == NULL || decide->claim_roots == NULL)
        return error_oom(decide->err);
    for (size_t i = 0; i < decide->claims->count; i++) {
        const struct claim *claim = &decide->claims->items[i];

        decide->claim_keys[i] = SIZE_MAX;
        if (claim->signer == SIGNER_KEY)
            decide->claim_keys[i] = table_find(&decide->set->key_fingerprints, span_str(claim->key_fingerprint));
    }
    for (size_t i = 0; i < decide->set->root_count; i++) {
        decide->claim_roots[i] = SIZE_MAX;
        for (size_t j = 0; j < needs->root_count; j++) {
            if (needs->roots[j] == decide->set->roots[i].name)
                decide->claim_roots[i] = j;
        }
    }
    return true;
}

bool policy_decide(const struct policy_set *set, const struct policy_image *image, const struct claims *claims,
                   const struct policy_needs *needs, enum no_match no_match, int64_t now, bool want_report,
                   struct policy_decision *ret, struct error *err)
{
    struct buf report CLEANUP(buf_free) = BUF_INIT(REPORT_BYTES);
    struct policy_decision decision CLEANUP(policy_decision_done) = {0};
    struct json_out out = json_out_to(&report);
    char *own CLEANUP(mem_freep) = mem_printf("%s/%s", image->host, image->repository);
    struct decide decide = {.set = set, .image = image, .claims = claims, .own_repository = own, .now = now,
                            .report = want_report ? &out : NULL, .err = err};
    bool good;

    if (own == NULL)
        return error_oom(err);
    good = prepare(&decide, needs) && decide_all(&decide, no_match, &decision);
    mem_free(decide.claim_keys);
    mem_free(decide.claim_roots);
    if (!good)
        return false;
    if (want_report && (!buf_ok(&report) || (decision.report = buf_take(&report)) == NULL))
        return error_set(err, REASON_LIMIT, "the report is larger than %d bytes", REPORT_BYTES);
    *ret = decision;
    decision = (struct policy_decision){0};
    return true;
}

void policy_decision_done(struct policy_decision *decision)
{
    mem_free(decision->policy);
    mem_free(decision->authority);
    mem_free(decision->key_id);
    mem_free(decision->message);
    mem_free(decision->report);
    *decision = (struct policy_decision){0};
}
