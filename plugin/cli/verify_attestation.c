/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard verify-attestation: as verify, for attestations of a type, with conditions on them. */
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/file_judge.h"
#include "plugin/cli/report.h"
#include "plugin/cli/say.h"
#include "plugin/cli/stored.h"
#include "plugin/cli/verify_out.h"

enum { DEFAULT_TIMEOUT_MS = 60 * 1000, WORK_TIMEOUT_MS = 60 * 1000, CLAIMS_MAX = 1024 };

/* Where the attestations that satisfied lie, as the sandboxed reader finds them in the evidence. */
struct places {
    const char *manifests[CLAIMS_MAX];
    uint32_t layers[CLAIMS_MAX];
    size_t count;
};

static void places_done(struct places **places)
{
    for (size_t i = 0; *places != NULL && i < (*places)->count; i++)
        mem_free((char *)(uintptr_t)(*places)->manifests[i]);
    mem_free(*places);
}

static bool fill_places(const struct node *const *claims, size_t count, struct places *ret, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int64_t layer = 0;

        if (!node_int(node_get(claims[i], "layer"), false, &layer) || layer < 0 || layer > UINT32_MAX)
            return error_set(err, REASON_INTERNAL, "the engine's report has no layer for an attestation");
        ret->manifests[ret->count] = span_dup(report_text(claims[i], "manifest"));
        if (ret->manifests[ret->count] == NULL)
            return error_oom(err);
        ret->layers[ret->count++] = (uint32_t)layer;
    }
    return true;
}

static bool print_envelopes(const struct cli *cli, const struct response *response, struct places *places,
                            struct error *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    struct stored_question question = { .file = response->evidence, .output = STORED_ENVELOPES,
                                        .manifests = places->manifests, .layers = places->layers,
                                        .place_count = places->count };

    if (!judge_sandbox_run(cli, stored_work, &question, LIMIT_EVIDENCE_BYTES, WORK_TIMEOUT_MS, &text, err))
        return false;
    if (text.len == 0)
        return error_set(err, REASON_INTERNAL, "the attestations that were verified are not in the evidence");
    fwrite(text.ptr, 1, text.len, stdout);
    return true;
}

static bool show(const struct cli *cli, const struct verify_values *values, const char *reference,
                 const struct response *response, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(mem_freep) const struct node **claims = mem_new(CLAIMS_MAX, sizeof(*claims));
    CLEANUP(places_done) struct places *places = mem_new(1, sizeof(*places));
    size_t count;

    if (claims == NULL || places == NULL)
        return error_oom(err);
    if (response->report == NULL ||
        !json_parse(span_str(response->report), "the engine's report", TREE_NO_PLACES, &tree, err))
        return false;
    count = report_satisfying(tree_root(tree), claims, CLAIMS_MAX);
    if (count == 0)
        return error_set(err, REASON_INTERNAL, "the engine says yes and names no attestation");
    verify_out_header(values, reference, claims, count);
    return fill_places(claims, count, places, err) && print_envelopes(cli, response, places, err);
}

static int verify_one(const struct cli *cli, const struct verify_values *values, const struct adhoc *adhoc,
                      uint32_t deadline_ms, const char *reference)
{
    struct ask ask = {
        .reference = reference,
        .flags = REQUEST_REPORT | REQUEST_EVIDENCE | REQUEST_NO_CACHE | REQUEST_NO_RECORD,
        .deadline_ms = deadline_ms,
        .adhoc = adhoc,
        .username = values->username,
        .password = values->password,
        .token = values->token,
    };
    CLEANUP(response_done) struct response response = { 0 };
    struct error err = ERROR_INIT;

    if (values->insecure_registry || values->http_registry)
        ask.flags |= REQUEST_INSECURE;
    if (!ask_engine(cli, &ask, &response)) {
        ask_say_refusal(cli, reference, &response);
        return (int)ask_exit_code(&response);
    }
    if (show(cli, values, reference, &response, &err))
        return EXIT_YES;
    return say_failed(cli, &err);
}

static int verify_attestation_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    struct verify_values values = *(const struct verify_values *)values_;
    CLEANUP(adhoc_done) struct adhoc adhoc = { 0 };
    uint32_t deadline_ms = DEFAULT_TIMEOUT_MS;
    struct error err = ERROR_INIT;
    const char *custom[] = { "custom" };
    int worst = EXIT_YES;

    if (values.types.count == 0)
        values.types = (struct text_list){ custom, 1, 1 };
    if ((values.timeout != NULL && !ask_timeout(values.timeout, &deadline_ms, &err)) ||
        !adhoc_build(&values, cli->root, &adhoc, &err))
        return say_failed(cli, &err);
    for (size_t i = 0; i < args->count; i++) {
        int code = verify_one(cli, &values, &adhoc, deadline_ms, args->items[i]);

        worst = code > worst ? code : worst;
    }
    return worst;
}

static const struct option_spec options[] = {
    VERIFY_OPTION("type", 0, OPTION_LIST, "TYPE", types,
                  "predicate type, short or as a URI; repeated: all of them; default custom"),
    VERIFY_OPTION("policy", 0, OPTION_TEXT, "FILE", conditions,
                  "conditions that the attestation must meet (YAML or JSON, pullguard-policy(5))"),
    SIGNER_OPTIONS, LOG_OPTIONS, REGISTRY_OPTIONS,
};

const struct command command_verify_attestation = {
    .name = "verify-attestation",
    .usage = "--type TYPE (--key FILE | --certificate-identity NAME --certificate-oidc-issuer URL) [options] REF...",
    .summary = "verify attestations of images with cosign's flags, and conditions on them",
    .details =
        "Verifies that each image has an attestation of that type by that signer, and that it meets the conditions of\n"
        "--policy. The node's policies play no part. Prints the envelopes that do, one JSON document per line.\n\n"
        "Exit status: 0 all verified, 1 not verified, 2 could not be tried.",
    OPTIONS(options, struct verify_values),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = verify_attestation_run,
};
