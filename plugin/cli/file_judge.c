/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/file_judge.h"

#include <string.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/engine/load.h"

enum { FILE_TIMEOUT_MS = 60 * 1000, ANSWER_MAX_BYTES = 256 * 1024 * 1024 };

struct question {
    const struct engine_config *config;
    const struct verify_file *file;
    const struct verify_artifact *artifact;
    int64_t now;
};

/* What the policy built from the flags needs, in the verifier's terms. */
struct matter {
    struct policy_needs needs;
    struct verify_key *keys;
    const struct trust_root **roots;
};

static void matter_done(struct matter *matter)
{
    policy_needs_done(&matter->needs);
    mem_free(matter->keys);
    mem_free(matter->roots);
}

void file_answer_done(struct file_answer *answer)
{
    mem_free(answer->message);
    mem_free(answer->report);
    *answer = (struct file_answer){ 0 };
}

static bool fill_keys(struct matter *matter, struct error *err)
{
    const struct policy_needs *needs = &matter->needs;

    matter->keys = mem_new(needs->key_count + 1, sizeof(*matter->keys));
    if (matter->keys == NULL)
        return error_oom(err);
    for (size_t i = 0; i < needs->key_count; i++)
        matter->keys[i] = (struct verify_key){ .key = needs->keys[i].key, .hash = needs->keys[i].hash };
    return true;
}

static bool fill_roots(const struct engine_config *config, struct matter *matter, struct error *err)
{
    const struct policy_needs *needs = &matter->needs;
    size_t count = 0;
    const char *const *names = policy_set_roots(config->policies, &count);

    matter->roots = mem_new(needs->root_count + 1, sizeof(*matter->roots));
    if (matter->roots == NULL)
        return error_oom(err);
    for (size_t i = 0; i < needs->root_count; i++)
        for (size_t j = 0; j < count && j < config->root_count; j++)
            if (strcmp(needs->roots[i], names[j]) == 0)
                matter->roots[i] = config->roots[j];
    return true;
}

static bool decide(const struct question *question, struct policy_decision *ret, struct error *err)
{
    CLEANUP(matter_done) struct matter matter = { 0 };
    CLEANUP(claims_done) struct claims claims = { 0 };
    /* The verifier calls the place of a file "file/": the image of that name is what the policy decides on. */
    struct policy_image image = { .written = "file", .host = "file", .repository = "" };
    struct verify_input input = { .now = question->now };

    if (!policy_needs(question->config->policies, &image, &matter.needs, err) || !fill_keys(&matter, err) ||
        !fill_roots(question->config, &matter, err))
        return false;
    input.keys = matter.keys;
    input.key_count = matter.needs.key_count;
    input.roots = matter.roots;
    input.root_count = matter.needs.root_count;
    if (!verify_file(&input, question->file, question->artifact, &claims, err))
        return false;
    image.digest = claims.image;
    return policy_decide(question->config->policies, &image, &claims, &matter.needs, NO_MATCH_DENY, question->now,
                         /* want_report= */ true, ret, err);
}

/* In the child: the answer as JSON, which the parent reads as it reads the engine's report. */
static bool answer(void *context, struct buf *out, struct error *err)
{
    CLEANUP(policy_decision_done) struct policy_decision decision = { 0 };
    struct json_out json = json_out_to(out);

    if (!decide(context, &decision, err))
        return false;
    json_open_map(&json, NULL);
    json_put_bool(&json, "satisfied", decision.satisfied);
    json_put_str(&json, "reason", reason_name(decision.reason));
    json_put_str(&json, "message", decision.message != NULL ? decision.message : "");
    json_put_str(&json, "report", decision.report);
    json_close_map(&json);
    return true;
}

static bool read_answer(struct span json, struct file_answer *ret, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *reason, *message, *report;
    bool satisfied = false;
    enum reason code = REASON_COUNT;

    if (!json_parse(json, "the judge's answer", TREE_NO_PLACES, &tree, err))
        return false;
    reason = node_get(tree_root(tree), "reason");
    message = node_get(tree_root(tree), "message");
    report = node_get(tree_root(tree), "report");
    for (size_t i = 0; i < REASON_COUNT; i++)
        if (node_str_is(reason, reason_name((enum reason)i)))
            code = (enum reason)i;
    if (code == REASON_COUNT || !node_is(message, NODE_STRING) ||
        !node_bool(node_get(tree_root(tree), "satisfied"), &satisfied))
        return error_set(err, REASON_MALFORMED, "the judge's answer is incomplete");
    ret->message = span_dup(message->text);
    ret->report = node_is(report, NODE_STRING) ? span_dup(report->text) : NULL;
    ret->reason = code;
    ret->satisfied = satisfied && code == REASON_OK;
    return ret->message != NULL || error_oom(err);
}

bool file_judge(const struct cli *cli, const struct adhoc *adhoc, const struct verify_file *file,
                const struct verify_artifact *artifact, struct file_answer *ret, struct error *err)
{
    CLEANUP(engine_config_done) struct engine_config config = { 0 };
    CLEANUP(settings_done) struct settings settings = { 0 };
    CLEANUP(buf_free) struct buf json = { 0 };
    /* engine_load_adhoc only reads these two. */
    const struct request request = { .policy = (char *)adhoc->policy.ptr, .trust_root = (char *)adhoc->trust_root.ptr };
    struct question question = { .config = &config, .file = file, .artifact = artifact, .now = time_now() };

    return settings_default(&settings, err) && engine_load_adhoc(&request, &settings, &config, err) &&
           judge_sandbox_run(cli, answer, &question, ANSWER_MAX_BYTES, FILE_TIMEOUT_MS, &json, err) &&
           read_answer(buf_as_span(&json), ret, err);
}
