/* SPDX-License-Identifier: Apache-2.0 */
/* How long a verdict can be kept without asking again: until the clock alone could change it. When keys count. */
#include "base/mem.h"
#include "policy/condition_model.h"
#include "policy/model.h"

static void earlier(int64_t at, int64_t now, int64_t *until)
{
    if (at > now && (*until == 0 || at < *until))
        *until = at;
}

/* A window's edges: acceptance begins at notBefore and ends after notAfter (a closed interval). */
static void member_edges(const struct member *member, int64_t now, int64_t *until)
{
    if (member->has_not_before)
        earlier(member->not_before, now, until);
    if (member->has_not_after)
        earlier(member->not_after + 1, now, until);
}

/* maxAge stands in a list of conditions or in one below it; the loader bounds the depth. */
static bool condition_has_age(const struct condition *list)
{
    for (; list; list = list->next)
        for (size_t i = 0; i < list->test_count; i++) {
            const struct condition_test *test = &list->tests[i];

            if (test->op == CONDITION_MAX_AGE)
                return true;
            for (size_t j = 0; j < test->branch_count; j++)
                if (condition_has_age(test->branches[j]))
                    return true;
        }
    return false;
}

/* Ages run out at times that only the evidence knows: such a verdict is not kept at all. */
static bool has_ages(const struct authority *authority)
{
    if (authority->has_max_age)
        return true;
    for (size_t i = 0; i < authority->attestation_count; i++)
        if (condition_has_age(authority->attestations[i].conditions))
            return true;
    return false;
}

/* Without log and timestamp a certificate is judged at the present time, whose end policy does not see. */
static bool judged_at_now(const struct authority *authority)
{
    return authority->kind == AUTHORITY_KEYLESS && authority->log_root == ROOT_NONE && authority->tsa_root == ROOT_NONE;
}

int64_t policy_set_valid_until(const struct policy_set *set, int64_t now)
{
    int64_t until = 0;

    for (size_t i = 0; i < set->policy_count; i++)
        for (size_t j = 0; j < set->policies[i].authority_count; j++) {
            const struct authority *authority = &set->policies[i].authorities[j];

            if (has_ages(authority) || judged_at_now(authority))
                return now;
            for (size_t k = 0; k < authority->member_count; k++)
                member_edges(&authority->members[k], now, &until);
        }
    return until;
}

static struct policy_window window_of(const struct policy_set *set, const struct policy *policy,
                                      const struct authority *authority, const struct member *member)
{
    return (struct policy_window){
        .policy = policy->name, .authority = authority->name, .name = member->name,
        .fingerprint = pubkey_fingerprint(set->keys[member->key].key),
        .not_before = member->has_not_before ? member->not_before : INT64_MIN,
        .not_after = member->has_not_after ? member->not_after : INT64_MAX,
        .proves_time = authority->log_root != ROOT_NONE || authority->tsa_root != ROOT_NONE,
    };
}

bool policy_set_windows(const struct policy_set *set, struct policy_window **ret, size_t *ret_count, struct error *err)
{
    struct policy_window *windows CLEANUP(mem_freep) = NULL;
    size_t count = 0, capacity = 0;

    for (size_t i = 0; i < set->policy_count; i++)
        for (size_t j = 0; j < set->policies[i].authority_count; j++) {
            const struct authority *authority = &set->policies[i].authorities[j];

            for (size_t k = 0; k < authority->member_count; k++) {
                const struct member *member = &authority->members[k];

                if (!member->has_not_before && !member->has_not_after)
                    continue;
                if (!mem_grow(&windows, &capacity, count, sizeof(*windows), SIZE_MAX / 256))
                    return error_oom(err);
                windows[count++] = window_of(set, &set->policies[i], authority, member);
            }
        }
    *ret = TAKE_PTR(windows);
    *ret_count = count;
    return true;
}

enum policy_window_state policy_window_state(const struct policy_window *window, int64_t now)
{
    if (now > window->not_after)
        return WINDOW_ENDED;
    if (now < window->not_before)
        return WINDOW_NOT_YET;
    return window->not_after < INT64_MAX && window->not_after - WINDOW_SOON_SECONDS <= now ? WINDOW_ENDS_SOON
                                                                                          : WINDOW_OPEN;
}
