/* SPDX-License-Identifier: Apache-2.0 */
/* The judge and the replay, on real samples, without processes. */
#include "plugin/engine/judge.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/init.h"
#include "plugin/replay/replay.h"
#include "tests/lib/test_registry.h"
#include "tests/unit/harness.h"

#define IMAGE "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
#define OTHER "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define INDEX "sha256:4492f73990faed588486aa0f6686594c59a7ee5874a2ad086cf0d8806063aacd"
#define LISTED "sha256:c36d943c2d27121117ca3c29128773cba4e5260cc963cf41190970d0a61de707"
enum { NOW = 1795000000 };

/* The linker puts this in policy_decide's place (meson.build): a decision that no policy would come to. */
static const struct policy_decision *scripted;

bool __real_policy_decide(const struct policy_set *set, const struct policy_image *image, const struct claims *claims,
                          const struct policy_needs *needs, enum no_match no_match, int64_t now, bool want_report,
                          struct policy_decision *ret, struct error *err);
bool __wrap_policy_decide(const struct policy_set *set, const struct policy_image *image, const struct claims *claims,
                          const struct policy_needs *needs, enum no_match no_match, int64_t now, bool want_report,
                          struct policy_decision *ret, struct error *err);

bool __wrap_policy_decide(const struct policy_set *set, const struct policy_image *image, const struct claims *claims,
                          const struct policy_needs *needs, enum no_match no_match, int64_t now, bool want_report,
                          struct policy_decision *ret, struct error *err)
{
    if (!scripted)
        return __real_policy_decide(set, image, claims, needs, no_match, now, want_report, ret, err);
    *ret = *scripted;
    ret->message = mem_strdup("scripted");
    return true;
}

struct trial {
    struct load_files files;
    struct engine_config config;
    struct request request;
    struct judge_input input;
    struct test_registry registry;
    struct evidence_set set;
    struct response response;
    char reference[128];
    size_t rounds;
};

/* A policy over everything: one key (NULL = static pass) and maybe annotations. */
static void load_policy(struct trial *trial, const char *key, const char *extra)
{
    CLEANUP(buf_free) struct buf policy = BUF_INIT(65536);
    struct error err = ERROR_INIT;

    buf_str(&policy, "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p}\n"
                     "spec:\n  images: [{glob: \"**\"}]\n  authorities:\n");
    if (key) {
        CLEANUP(mem_freep) char *path = mem_printf("keys/%s", key);
        struct span pem = test_vector(path);

        ck_assert(load_files_add(&trial->files, LOAD_KEY, key, pem, &err));
        mem_free((void *)(uintptr_t)pem.ptr);
        buf_printf(&policy, "    - key: {path: %s}\n%s", key, extra);
    } else {
        buf_str(&policy, "    - static: {action: pass}\n");
    }
    ck_assert(load_files_add(&trial->files, LOAD_POLICY, "p.yaml", buf_as_span(&policy), &err));
    ck_assert_msg(engine_load_files(&trial->files, &trial->config, &err), "%s", err.text);
}

static void prepare(struct trial *trial, const char *repository, const char *digest, const char *key, const char *extra)
{
    struct error err = ERROR_INIT;

    *trial = (struct trial){0};
    ck_assert(crypto_init(&err));
    load_policy(trial, key, extra);
    test_registry_load(&trial->registry, repository);
    (void)snprintf(trial->reference, sizeof(trial->reference), TEST_HOST "/%s:v1", repository);
    trial->request = (struct request){
        .reference = mem_strdup(trial->reference), .digest = mem_strdup(digest), .operation = OPERATION_PULL};
    trial->input = (struct judge_input){.request = &trial->request,
                                        .policies = trial->config.policies,
                                        .now = NOW,
                                        .files = &trial->files};
}

static void answer(struct trial *trial, struct want *want)
{
    const struct test_object *object = test_registry_find(&trial->registry, want->kind, want->repository, want->target);
    struct evidence item = {.status = EVIDENCE_ABSENT, .http_status = 404};
    struct error err = ERROR_INIT;

    if (object) {
        item = object->answer;
        item.content_type = mem_strdup(object->answer.content_type);
        item.link = mem_strdup(object->answer.link);
        item.source = NULL;
        item.error = mem_strdup(object->answer.error);
        item.owned = mem_dup(object->answer.body.ptr, object->answer.body.len);
        item.body = span_of(item.owned, object->answer.body.len);
    }
    item.id = want->id;
    ck_assert_msg(evidence_set_add(&trial->set, want, &item, &err), "%s", err.text);
}

/* Rounds until nothing more is wanted, then the judgement. */
static void judge(struct trial *trial)
{
    struct error err = ERROR_INIT;

    for (trial->rounds = 0; trial->rounds < 10; trial->rounds++) {
        CLEANUP(wants_done) struct wants wants = {0};

        if (!judge_wants(&trial->input, &trial->set, &wants, &err) || wants.count == 0)
            break;
        for (size_t i = 0; i < wants.count; i++)
            answer(trial, &wants.items[i]);
    }
    ck_assert(judge_decide(&trial->input, &trial->set, true, &trial->response));
    ck_assert_ptr_nonnull(trial->response.message);
}

static void trial_done(struct trial *trial)
{
    response_done(&trial->response);
    evidence_set_done(&trial->set);
    test_registry_done(&trial->registry);
    request_done(&trial->request);
    engine_config_done(&trial->config);
    load_files_done(&trial->files);
}

static const struct {
    const char *repository, *digest, *key, *extra;
    enum reason reason;
    size_t rounds_max;
} cases[] = {
    {"demo/legacy", IMAGE, "cosign.pub", "", REASON_OK, 2},
    {"demo/legacy", NULL, "cosign.pub", "", REASON_OK, 3}, /* the tag is resolved first */
    {"demo/bundle", IMAGE, "cosign.pub", "", REASON_OK, 3},
    {"demo/legacy", IMAGE, "cosign.pub", "      annotations: {team: infra}\n", REASON_OK, 2},
    {"demo/legacy", IMAGE, "cosign.pub", "      annotations: {team: other}\n", REASON_ANNOTATION_MISMATCH, 3},
    {"demo/legacy", IMAGE, "prime256v1.pub", "", REASON_WRONG_KEY, 3},
    {"demo/nosig", IMAGE, "cosign.pub", "", REASON_NO_SIGNATURE, 3},
    {"demo/legacy", OTHER, "cosign.pub", "", REASON_NO_SIGNATURE, 3},
    {"demo/legacy", IMAGE, NULL, "", REASON_STATIC_PASS, 0},
    {"demo/legacy", "sha256:12", "cosign.pub", "", REASON_BAD_REQUEST, 0},
};

START_TEST(decides)
{
    struct trial trial;

    prepare(&trial, cases[_i].repository, cases[_i].digest, cases[_i].key, cases[_i].extra);
    judge(&trial);
    ck_assert_msg(trial.response.reason == cases[_i].reason, "%s: %s", reason_name(trial.response.reason),
                  trial.response.message);
    ck_assert(verdict_is_allow(trial.response.verdict) == reason_allows(cases[_i].reason));
    ck_assert_msg(trial.rounds <= cases[_i].rounds_max, "%zu rounds", trial.rounds);
    trial_done(&trial);
}
END_TEST

/* Whatever part of the evidence is missing, not final means: go on, or an allow that stays one. */
START_TEST(early_allow_is_the_final_one)
{
    struct trial trial;
    CLEANUP(response_done) struct response early = {0};

    prepare(&trial, "demo/legacy", IMAGE, "cosign.pub", "");
    ck_assert(!judge_decide(&trial.input, &trial.set, false, &early));
    judge(&trial);
    ck_assert(judge_decide(&trial.input, &trial.set, false, &early));
    ck_assert(verdict_is_allow(early.verdict));
    trial_done(&trial);
}
END_TEST

START_TEST(warn_mode_waits_for_everything)
{
    struct trial trial;
    CLEANUP(response_done) struct response early = {0};

    prepare(&trial, "demo/nosig", IMAGE, "cosign.pub", "  mode: warn\n");
    judge(&trial);
    ck_assert(verdict_is_allow(trial.response.verdict) && trial.response.warned);
    ck_assert_int_eq(trial.response.reason, REASON_WARN_MODE);
    ck_assert(!judge_decide(&trial.input, &trial.set, false, &early));
    trial_done(&trial);
}
END_TEST

START_TEST(descriptor_must_agree)
{
    struct trial trial;

    prepare(&trial, "demo/legacy", IMAGE, "cosign.pub", "");
    trial.request.descriptor = mem_strdup("{\"mediaType\":\"x\",\"digest\":\"" OTHER "\"}");
    judge(&trial);
    ck_assert_int_eq(trial.response.reason, REASON_BAD_REQUEST);
    trial_done(&trial);
}
END_TEST

/* One digest, wherever it is named; under a policy that would let everything through. */
START_TEST(digests_must_agree)
{
    static const struct {
        const char *in_reference, *asked, *descriptor;
        enum reason reason;
    } rows[] = {
        {"@" IMAGE, IMAGE, NULL, REASON_STATIC_PASS},
        {"@" OTHER, IMAGE, NULL, REASON_BAD_REQUEST},
        {"@" IMAGE, NULL, NULL, REASON_STATIC_PASS},
        {"", IMAGE, "{\"digest\":\"" IMAGE "\"}", REASON_STATIC_PASS},
        {"", IMAGE, "{\"digest\":\"" OTHER "\"}", REASON_BAD_REQUEST},
        {"", IMAGE, "{\"digest\":\"sha256:12\"}", REASON_BAD_REQUEST},
        {"", IMAGE, "{\"digest\":12}", REASON_BAD_REQUEST},
        {"", IMAGE, "{\"digest\":", REASON_MALFORMED},
        {"", NULL, NULL, REASON_FETCH_FAILED}, /* the network is closed: nobody knows what would be decided about */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trial trial;

        prepare(&trial, "demo/legacy", rows[i].asked, NULL, "");
        mem_freep(&trial.request.reference);
        trial.request.reference = mem_printf(TEST_HOST "/demo/legacy%s%s", rows[i].in_reference[0] ? "" : ":v1",
                                             rows[i].in_reference);
        trial.request.descriptor = mem_strdup(rows[i].descriptor);
        trial.request.flags = REQUEST_NO_NETWORK;
        judge(&trial);
        ck_assert_msg(trial.response.reason == rows[i].reason, "%zu: %s: %s", i, reason_name(trial.response.reason),
                      trial.response.message);
        ck_assert(verdict_is_allow(trial.response.verdict) == (rows[i].reason == REASON_STATIC_PASS));
        trial_done(&trial);
    }
}
END_TEST

/* A list that is not the one of the index's digest lists nothing. */
START_TEST(a_forged_index_lists_nothing)
{
    static const char forged[] = "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" OTHER "\"}]}";
    struct trial trial;

    prepare(&trial, "demo/multi-legacy", INDEX, NULL, "");
    test_registry_put(&trial.registry, WANT_MANIFEST, "demo/multi-legacy", INDEX,
                      "application/vnd.oci.image.index.v1+json", NULL, span_str(forged));
    trial.request.member = mem_strdup(OTHER);
    judge(&trial);
    ck_assert_msg(trial.response.reason == REASON_DIGEST_MISMATCH, "%s", trial.response.message);
    ck_assert(!verdict_is_allow(trial.response.verdict));
    trial_done(&trial);
}
END_TEST

START_TEST(member_must_be_listed)
{
    struct trial trial;

    prepare(&trial, "demo/multi-legacy", NULL, NULL, "");
    trial.request.member = mem_strdup(OTHER);
    judge(&trial);
    ck_assert_int_eq(trial.response.reason, REASON_NOT_FOUND);
    trial_done(&trial);
}
END_TEST

/* Listed, the image itself, or neither; by tag and by digest. */
START_TEST(members_of_an_index)
{
    static const struct {
        const char *digest, *member;
        enum reason reason;
    } rows[] = {
        {NULL, LISTED, REASON_STATIC_PASS}, {INDEX, LISTED, REASON_STATIC_PASS}, {INDEX, INDEX, REASON_STATIC_PASS},
        {INDEX, OTHER, REASON_NOT_FOUND},   {LISTED, INDEX, REASON_NOT_FOUND},   {OTHER, LISTED, REASON_NOT_FOUND},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(response_done) struct response early = {0};
        struct trial trial;

        prepare(&trial, "demo/multi-legacy", rows[i].digest, NULL, "");
        trial.request.member = mem_strdup(rows[i].member);
        judge(&trial);
        ck_assert_msg(trial.response.reason == rows[i].reason, "%zu: %s", i, trial.response.message);
        ck_assert(verdict_is_allow(trial.response.verdict) == reason_allows(rows[i].reason));
        ck_assert(!judge_decide(&trial.input, &trial.set, false, &early)); /* the list is looked at in the end only */
        evidence_set_done(&trial.set); /* nothing was fetched: only the image itself needs no list */
        response_done(&trial.response);
        if (rows[i].digest) {
            ck_assert(judge_decide(&trial.input, &trial.set, true, &trial.response));
            ck_assert(verdict_is_allow(trial.response.verdict) == (strcmp(rows[i].digest, rows[i].member) == 0));
        }
        trial_done(&trial);
    }
}
END_TEST

/* Two trust roots in one set: each policy is judged by its own, wherever it stands in the list. */
START_TEST(roots_go_by_their_names)
{
    static const char policy[] =
        "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: %s}\nspec:\n"
        "  images: [{glob: \"%s\"}]\n  authorities:\n    - keyless: {trustRootRef: %s, insecureIgnoreSCT: true, "
        "identities: [{issuerRegExp: \".*\", subjectRegExp: \".*\"}]}\n      ctlog: {trustRootRef: mock}\n";

    for (int i = 0; i < 4; i++) { /* the wanted root first or second in the set, the right one or another's */
        const char *wanted = i % 2 == 0 ? "mock" : "byo";
        CLEANUP(buf_free) struct buf text = BUF_INIT(65536);
        struct trial trial = {0};
        struct error err = ERROR_INIT;
        struct span mock = test_vector("keys/mock_trusted_root.json"), byo = test_vector("keys/byo-pki/chain.pem");

        ck_assert(crypto_init(&err));
        for (int j = 0; j < 2; j++) {
            buf_printf(&text, policy, j == i / 2 ? "a" : "b", j == i / 2 ? "**" : "elsewhere.test/**",
                       (j == i / 2) == (i % 2 == 0) ? "mock" : "byo");
            buf_str(&text, "---\n");
        }
        ck_assert(load_files_add(&trial.files, LOAD_TRUST, "mock", mock, &err));
        ck_assert(load_files_add(&trial.files, LOAD_TRUST, "byo", byo, &err));
        ck_assert(load_files_add(&trial.files, LOAD_POLICY, "p.yaml", buf_as_span(&text), &err));
        ck_assert_msg(engine_load_files(&trial.files, &trial.config, &err), "%s", err.text);
        ck_assert_uint_eq(trial.config.root_count, 2);
        test_registry_load(&trial.registry, "demo/kl-legacy");
        trial.request = (struct request){.reference = mem_strdup(TEST_HOST "/demo/kl-legacy:v1"),
                                         .operation = OPERATION_PULL};
        trial.input = (struct judge_input){.request = &trial.request, .policies = trial.config.policies,
                                           .roots = (const struct trust_root *const *)trial.config.roots,
                                           .root_count = trial.config.root_count, .now = NOW};
        judge(&trial);
        ck_assert_msg(trial.response.reason == (i % 2 == 0 ? REASON_OK : REASON_UNTRUSTED_CHAIN), "%d, %s: %s", i,
                      wanted, trial.response.message);
        ck_assert(verdict_is_allow(trial.response.verdict) == (i % 2 == 0));
        trial_done(&trial);
        mem_free((void *)(uintptr_t)mock.ptr);
        mem_free((void *)(uintptr_t)byo.ptr);
    }
}
END_TEST

/* The last line: whatever a decision says, allow needs both that it is satisfied and a reason that goes with allow. */
START_TEST(allow_needs_both)
{
    for (int reason = 0; reason < REASON_COUNT; reason++)
        for (int satisfied = 0; satisfied < 2; satisfied++) {
            const struct policy_decision decision = {.satisfied = satisfied == 1, .reason = (enum reason)reason};
            struct trial trial;

            prepare(&trial, "demo/legacy", IMAGE, "cosign.pub", "");
            scripted = &decision;
            ck_assert(judge_decide(&trial.input, &trial.set, true, &trial.response));
            scripted = NULL;
            ck_assert_msg(verdict_is_allow(trial.response.verdict) ==
                              (satisfied == 1 && reason_allows((enum reason)reason)),
                          "%s, satisfied %d", reason_name((enum reason)reason), satisfied);
            trial_done(&trial);
        }
}
END_TEST

START_TEST(no_network_wants_nothing)
{
    struct trial trial;

    prepare(&trial, "demo/legacy", IMAGE, "cosign.pub", "");
    trial.request.flags = REQUEST_NO_NETWORK;
    judge(&trial);
    ck_assert_uint_eq(trial.rounds, 0);
    ck_assert(!verdict_is_allow(trial.response.verdict));
    trial_done(&trial);
}
END_TEST

START_TEST(replays)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(16 * 1024 * 1024);
    CLEANUP(replay_done) struct replay replay = {0};
    struct error err = ERROR_INIT;
    struct trial trial;

    prepare(&trial, cases[_i].repository, cases[_i].digest, cases[_i].key, cases[_i].extra);
    trial.request.password = mem_strdup("hunter2");
    judge(&trial);
    replay_write(&file, &trial.input, &trial.set, &trial.response);
    ck_assert(buf_ok(&file));
    ck_assert_uint_eq(span_find(buf_as_span(&file), "hunter2"), SIZE_MAX);
    ck_assert_msg(replay_run(buf_as_span(&file), &replay, &err), "%s", err.text);
    ck_assert_int_eq(replay.now.reason, trial.response.reason);
    ck_assert_int_eq(replay.then.reason, trial.response.reason);
    ck_assert_str_eq(replay.now.message, trial.response.message);
    ck_assert(verdict_is_allow(replay.now.verdict) == verdict_is_allow(trial.response.verdict));
    ck_assert_int_eq(replay.time, NOW);
    trial_done(&trial);
}
END_TEST

START_TEST(replay_of_cut_files_fails)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(16 * 1024 * 1024);
    struct error err = ERROR_INIT;
    struct trial trial;

    prepare(&trial, "demo/legacy", IMAGE, "cosign.pub", "");
    judge(&trial);
    replay_write(&file, &trial.input, &trial.set, &trial.response);
    for (size_t len = 0; len < file.len; len += 7) {
        CLEANUP(replay_done) struct replay replay = {0};

        ck_assert(!replay_run(span_of(file.ptr, len), &replay, &err));
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
    }
    trial_done(&trial);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_judge");
    TCase *judging = tcase_create("judge");

    tcase_add_loop_test(judging, decides, 0, (int)ARRAY_LEN(cases));
    tcase_add_test(judging, early_allow_is_the_final_one);
    tcase_add_test(judging, warn_mode_waits_for_everything);
    tcase_add_test(judging, descriptor_must_agree);
    tcase_add_test(judging, member_must_be_listed);
    tcase_add_test(judging, digests_must_agree);
    tcase_add_test(judging, a_forged_index_lists_nothing);
    tcase_add_test(judging, members_of_an_index);
    tcase_add_test(judging, roots_go_by_their_names);
    tcase_add_test(judging, allow_needs_both);
    tcase_add_test(judging, no_network_wants_nothing);
    tcase_add_loop_test(judging, replays, 0, (int)ARRAY_LEN(cases));
    tcase_add_test(judging, replay_of_cut_files_fails);
    suite_add_tcase(suite, judging);
    return run_suite(suite);
}
