/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard verify: cosign's flags and output, pullguard's engine. Works without any policy on the node. */
#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/report.h"
#include "plugin/cli/say.h"
#include "plugin/cli/verify_out.h"

enum { DEFAULT_TIMEOUT_MS = 60 * 1000, CLAIMS_MAX = 4096 };

static bool output_is_text(const struct verify_values *values, bool *ret, struct error *err)
{
    char shown[40];

    *ret = values->output != NULL && strcmp(values->output, "text") == 0;
    if (values->output == NULL || *ret || strcmp(values->output, "json") == 0)
        return true;
    return error_set(err, REASON_BAD_REQUEST, "--output %s: json or text is wanted",
                     text_clean(span_str(values->output), shown, sizeof(shown)));
}

/* Everything the command needs before the first image: document, limits, form of output. */
struct verify_plan {
    struct adhoc adhoc;
    uint32_t deadline_ms;
    uint32_t flags;
    bool text;
};

static bool make_plan(const struct cli *cli, const struct verify_values *values, struct verify_plan *ret,
                      struct error *err)
{
    ret->deadline_ms = DEFAULT_TIMEOUT_MS;
    ret->flags = REQUEST_REPORT | REQUEST_NO_CACHE | REQUEST_NO_RECORD;
    if (values->insecure_registry || values->http_registry)
        ret->flags |= REQUEST_INSECURE;
    if (values->timeout != NULL && !ask_timeout(values->timeout, &ret->deadline_ms, err))
        return false;
    return output_is_text(values, &ret->text, err) && adhoc_build(values, cli->root, &ret->adhoc, err);
}

static int show_verified(const struct cli *cli, const struct verify_values *values, const struct verify_plan *plan,
                         const char *reference, const struct response *response)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(mem_freep) const struct node **claims = mem_new(CLAIMS_MAX, sizeof(*claims));
    struct error err = ERROR_INIT;
    size_t count;

    if (claims == NULL || response->report == NULL ||
        !json_parse(span_str(response->report), "the engine's report", TREE_NO_PLACES, &tree, &err)) {
        say_error(cli, "the engine's report cannot be read: %s", err.text);
        return EXIT_UNDECIDED;
    }
    count = report_satisfying(tree_root(tree), claims, CLAIMS_MAX);
    if (count == 0) {
        say_error(cli, "the engine says yes and names no signature: a defect; not taken for an answer");
        return EXIT_UNDECIDED;
    }
    verify_out_header(values, reference, claims, count);
    if (!verify_out_claims(plan->text, reference, node_get(tree_root(tree), "image"), claims, count, &err))
        return say_failed(cli, &err);
    return EXIT_YES;
}

static int verify_one(const struct cli *cli, const struct verify_values *values, const struct verify_plan *plan,
                      const char *reference)
{
    struct ask ask = {
        .reference = reference,
        .flags = plan->flags,
        .deadline_ms = plan->deadline_ms,
        .adhoc = &plan->adhoc,
        .username = values->username,
        .password = values->password,
        .token = values->token,
    };
    CLEANUP(response_done) struct response response = { 0 };

    if (!ask_engine(cli, &ask, &response)) {
        ask_say_refusal(cli, reference, &response);
        return (int)ask_exit_code(&response);
    }
    return show_verified(cli, values, plan, reference, &response);
}

static int verify_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct verify_values *values = values_;
    struct verify_plan plan = { 0 };
    struct error err = ERROR_INIT;
    int worst = EXIT_YES;

    if (!make_plan(cli, values, &plan, &err))
        return say_failed(cli, &err);
    for (size_t i = 0; i < args->count; i++) {
        int code = verify_one(cli, values, &plan, args->items[i]);

        if (code > worst)
            worst = code;
    }
    adhoc_done(&plan.adhoc);
    return worst;
}

static const struct option_spec options[] = { SIGNER_OPTIONS, VERIFY_OPTIONS, LOG_OPTIONS, REGISTRY_OPTIONS };

const struct command command_verify = {
    .name = "verify",
    .usage = "(--key FILE | --certificate-identity NAME --certificate-oidc-issuer URL) [options] REF...",
    .summary = "verify signatures of images with cosign's flags, without any policy",
    .details =
        "Verifies the signatures of one or more images as the flags say; the node's policies play no part. Flags and\n"
        "output are cosign's: one JSON array of signed payloads per image on standard output, a header on standard\n"
        "error that names exactly what was checked.\n\n"
        "Exit status: 0 all verified, 1 not verified, 2 could not be tried.",
    OPTIONS(options, struct verify_values),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = verify_run,
};
