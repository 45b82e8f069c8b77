/* SPDX-License-Identifier: Apache-2.0 */
/* tree and download: what lies beside an image, shown without any judgement. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/download.h"
#include "plugin/cli/file_judge.h"
#include "plugin/cli/say.h"
#include "plugin/cli/stored.h"

enum { WORK_TIMEOUT_MS = 60 * 1000, COLLECT_DEADLINE_MS = 60 * 1000, OUTPUT_MAX_BYTES = LIMIT_EVIDENCE_BYTES };

/* A policy under which nothing is allowed: the engine is asked to fetch, not to decide. */
static const char no_policy[] =
    "{\"apiVersion\":\"policy.sigstore.dev/"
    "v1beta1\",\"kind\":\"ClusterImagePolicy\",\"metadata\":{\"name\":\"collect\"},"
    "\"spec\":{\"images\":[{\"glob\":\"**\"}],\"authorities\":[{\"name\":\"none\",\"static\":{\"action\":\"fail\"}}]}}";

bool download_collect(const struct cli *cli, const struct download_values *values, const char *reference,
                      struct response *ret, struct error *err)
{
    CLEANUP(adhoc_done) struct adhoc adhoc = { BUF_INIT(sizeof(no_policy)), BUF_INIT(0) };
    struct ask ask = {
        .reference = reference,
        .flags = REQUEST_COLLECT | REQUEST_NO_CACHE | REQUEST_NO_RECORD,
        .deadline_ms = COLLECT_DEADLINE_MS,
        .adhoc = &adhoc,
        .username = values->username,
        .password = values->password,
        .token = values->token,
    };

    if (values->insecure_registry || values->http_registry)
        ask.flags |= REQUEST_INSECURE;
    if (values->timeout != NULL && !ask_timeout(values->timeout, &ask.deadline_ms, err))
        return false;
    buf_str(&adhoc.policy, no_policy);
    if (!buf_ok(&adhoc.policy))
        return error_oom(err);
    ask_engine(cli, &ask, ret);
    if (ret->evidence.len == 0 || ask_exit_code(ret) == EXIT_UNDECIDED)
        return error_set(err, ret->reason, "%s", ret->message != NULL ? ret->message : "the engine brought nothing");
    return true;
}

static int stored_run(const struct cli *cli, const struct download_values *values, const char *reference,
                      enum stored_output output)
{
    CLEANUP(response_done) struct response response = { 0 };
    CLEANUP(buf_free) struct buf text = { 0 };
    struct stored_question question = {
        .output = output, .reference = reference, .predicate_type = values->predicate_type};
    struct error err = ERROR_INIT;

    if (!download_collect(cli, values, reference, &response, &err)) {
        say_error(cli, "%s: %s", reason_name(err.reason), err.text);
        return EXIT_UNDECIDED;
    }
    question.file = response.evidence;
    if (!judge_sandbox_run(cli, stored_work, &question, OUTPUT_MAX_BYTES, WORK_TIMEOUT_MS, &text, &err))
        return say_failed(cli, &err);
    if (output == STORED_TREE) {
        fputs("Supply chain security related artifacts for an image: ", stdout);
        say_clean(stdout, span_str(reference), LIMIT_REFERENCE_BYTES);
        printf("\n%s", response.digest != NULL ? response.digest : "");
        fputs(response.digest != NULL ? "\n" : "", stdout);
    }
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stdout);
    if (text.len == 0)
        say_error(cli, "nothing of that kind was found");
    else if (output == STORED_SBOMS)
        say_error(cli, "note: nothing was verified; \"pullguard verify-attestation\" does that");
    return text.len > 0 ? EXIT_YES : EXIT_NO;
}

static int tree_run(const struct cli *cli, const void *values, const struct text_list *args)
{
    return stored_run(cli, values, args->items[0], STORED_TREE);
}

static int signature_run(const struct cli *cli, const void *values, const struct text_list *args)
{
    return stored_run(cli, values, args->items[0], STORED_SIGNATURES);
}

static int attestation_run(const struct cli *cli, const void *values, const struct text_list *args)
{
    return stored_run(cli, values, args->items[0], STORED_ATTESTATIONS);
}

static int sbom_run(const struct cli *cli, const void *values, const struct text_list *args)
{
    return stored_run(cli, values, args->items[0], STORED_SBOMS);
}

static const struct option_spec options[] = { DOWNLOAD_OPTIONS };
static const struct option_spec attestation_options[] = {
    DOWNLOAD_OPTION("predicate-type", OPTION_TEXT, "URI", predicate_type, "only attestations of this predicate type"),
    DOWNLOAD_OPTIONS,
};

#define UNVERIFIED "Nothing is verified.\n\nExit status: 0 found, 1 nothing found, 2 could not look."
#define COMMAND(symbol, title, line, text, table, function) \
    const struct command symbol = { \
        .name = title, .usage = "[options] REF", .summary = line, .details = text UNVERIFIED, \
        OPTIONS(table, struct download_values), .min_args = 1, .max_args = 1, .run = function, \
    }

COMMAND(command_tree, "tree", "show what lies beside an image: signatures, attestations, bundles",
        "Shows the signatures, attestations and bundles that lie beside an image in its registry, in every layout.\n",
        options, tree_run);
COMMAND(command_download_signature, "download signature", "print the signatures of an image as they are stored",
        "Prints each signature in the tag layout in cosign's form, and each bundle, one JSON document per line.\n",
        options, signature_run);
COMMAND(command_download_attestation, "download attestation", "print the attestations of an image as they are stored",
        "Prints each attestation envelope of the tag layout and each bundle, one JSON document per line.\n",
        attestation_options, attestation_run);
COMMAND(command_download_sbom, "download sbom", "print the SBOMs attested for an image",
        "Prints the predicate of each SPDX or CycloneDX attestation of an image, one JSON document per line.\n",
        options, sbom_run);
