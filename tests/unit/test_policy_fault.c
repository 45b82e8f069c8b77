/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a decision fails once: an error, nothing lost, and never a wider scope or another answer. */
#include "policy/match.h"
#include "tests/unit/fault.h"
#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"

#define REJECT "[{\"type\":\"reject\"}]"
#define ACCEPT "[{\"type\":\"insecureAcceptAnything\"}]"
#define SCOPES "{\"default\":" ACCEPT ",\"transports\":{\"docker\":{\"r.io\":" ACCEPT ",\"r.io/app:v1\":" REJECT \
    ",\"r.io/app@" TEST_DIGEST "\":" REJECT "}}}"

struct question {
    const struct policy_set *set;
    struct policy_image image;
    struct policy_needs needs;
    struct claims claims;
    enum reason answer;
};

static bool run_match(const void *context, struct error *err)
{
    const struct question *question = context;
    CLEANUP(match_done) struct match match = {0};

    return match_init(&match, question->set, &question->image, err) &&
           match.scoped < question->set->policy_count &&
           strncmp(question->set->policies[match.scoped].globs[0].text, "r.io/app", 8) == 0;
}

static bool run_decide(const void *context, struct error *err)
{
    const struct question *question = context;
    CLEANUP(policy_decision_done) struct policy_decision decision = {0};

    return policy_decide(question->set, &question->image, &question->claims, &question->needs, NO_MATCH_DENY, TEST_NOW,
                         false, &decision, err) &&
           decision.reason == question->answer;
}

static bool run_needs(const void *context, struct error *err)
{
    const struct question *question = context;
    struct policy_needs needs = {0};
    bool done = policy_needs(question->set, &question->image, &needs, err);

    policy_needs_done(&needs);
    return done;
}

/* policy.json: the most specific scope refuses, all the wider ones accept anything. */
START_TEST(a_scope_is_not_missed)
{
    static const char *const tags[] = {"v1", NULL};

    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        struct policy_set *set = test_load_named("policy.json", SCOPES);
        struct question question = {.set = set, .image = test_image("r.io", "app", tags[i]),
                                    .answer = REASON_STATIC_FAIL};
        struct error err = ERROR_INIT;

        ck_assert(policy_needs(set, &question.image, &question.needs, &err));
        ck_assert_uint_gt(fault_run(run_match, &question), 1);
        ck_assert_uint_gt(fault_run(run_decide, &question), 1);
        ck_assert_uint_gt(fault_run(run_needs, &question), 1);
        policy_needs_done(&question.needs);
        policy_set_free(set);
    }
}
END_TEST

START_TEST(a_cluster_policy_is_not_missed)
{
    struct policy_set *set = test_load("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\n"
                                       "metadata: {name: p}\nspec:\n  images: [{glob: \"r.io/**\"}]\n  authorities:\n"
                                       "    - key: {path: cosign.pub}\n    - static: {action: fail}\n");
    struct question question = {.set = set, .image = test_image("r.io", "app", "v1"), .answer = REASON_NO_SIGNATURE};
    struct error err = ERROR_INIT;

    ck_assert(policy_needs(set, &question.image, &question.needs, &err));
    ck_assert_uint_gt(fault_run(run_decide, &question), 1);
    ck_assert_uint_gt(fault_run(run_needs, &question), 1);
    policy_needs_done(&question.needs);
    policy_set_free(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_fault");
    TCase *tcase = tcase_create("fault");

    tcase_add_test(tcase, a_scope_is_not_missed);
    tcase_add_test(tcase, a_cluster_policy_is_not_missed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
