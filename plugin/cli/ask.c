/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/ask.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/cli/say.h"
#include "plugin/client.h"

enum { TIMEOUT_MAX_S = 3600 };

static void fill_text(char **place, const char *text, bool *failed)
{
    *place = mem_strdup(text);
    if (text != NULL && *place == NULL)
        *failed = true;
}

bool ask_engine(const struct cli *cli, const struct ask *ask, struct response *ret)
{
    struct client_options options = { .root = cli->root, .own_engine = ask->adhoc != NULL };
    CLEANUP(request_done) struct request request = {
        .operation = OPERATION_PULL, .flags = ask->flags, .deadline_ms = ask->deadline_ms,
    };
    bool failed = false;

    fill_text(&request.reference, ask->reference, &failed);
    fill_text(&request.digest, ask->digest, &failed);
    fill_text(&request.runtime, "cli", &failed);
    fill_text(&request.username, ask->username, &failed);
    fill_text(&request.password, ask->password, &failed);
    fill_text(&request.identity_token, ask->token, &failed);
    if (ask->adhoc != NULL) {
        fill_text(&request.policy, buf_cstr(&ask->adhoc->policy), &failed);
        if (ask->adhoc->trust_root.len > 0)
            fill_text(&request.trust_root, buf_cstr(&ask->adhoc->trust_root), &failed);
    }
    if (failed) {
        *ret = (struct response){ .reason = REASON_INTERNAL, .message = mem_strdup("out of memory") };
        return false;
    }
    return client_ask(&options, &request, ret);
}

enum exit_code ask_exit_code(const struct response *response)
{
    static const enum reason undecided[] = {
        REASON_INTERNAL,    REASON_FETCH_FAILED, REASON_TIMEOUT,   REASON_POLICY_ERROR, REASON_UNTRUSTED_FILE,
        REASON_SANDBOX,     REASON_BAD_REQUEST,  REASON_NOT_FOUND, REASON_UNAUTHORIZED, REASON_UNAVAILABLE,
        REASON_IO,
    };

    if (verdict_is_allow(response->verdict))
        return EXIT_YES;
    for (size_t i = 0; i < ARRAY_LEN(undecided); i++)
        if (response->reason == undecided[i])
            return EXIT_UNDECIDED;
    return EXIT_NO;
}

void ask_say_refusal(const struct cli *cli, const char *reference, const struct response *response)
{
    char shown[LIMIT_REFERENCE_BYTES + 4];
    char message[LIMIT_REASON_LINE_BYTES + 4];
    const char *step = ask_next_step(response->reason);

    say_error(cli, "%s: %s: %s", text_clean(span_str(reference), shown, sizeof(shown)), reason_name(response->reason),
              text_clean(span_str(response->message), message, sizeof(message)));
    if (step != NULL)
        say_hint(cli, "%s", step);
}

const char *ask_next_step(enum reason reason)
{
    static const struct {
        enum reason reason;
        const char *text;
    } steps[] = {
        {REASON_NO_SIGNATURE, "sign the image (cosign sign --key ... REF@DIGEST), or look for its signatures with "
                              "\"pullguard tree REF\""},
        {REASON_WRONG_KEY, "compare the key's fingerprint in \"pullguard check REF\" with the signer's"},
        {REASON_NO_MATCH,
         "add a policy whose glob covers the image; \"pullguard policy explain REF\" shows what was tried"},
        {REASON_ANNOTATION_MISMATCH, "sign again with the annotations the policy wants (cosign sign -a KEY=VALUE)"},
        {REASON_NO_LOG_ENTRY, "sign with a transparency log, or take ctlog out of the policy "
                              "(--insecure-ignore-tlog on the command line)"},
        {REASON_POLICY_ERROR, "\"pullguard policy lint\" shows the place"},
        {REASON_UNTRUSTED_FILE, "make the file and its directories owned by root and writable by root only"},
        {REASON_UNAUTHORIZED,
         "give credentials: a docker config.json or auth.json under credentials in pullguard.yaml"},
        {REASON_SANDBOX, "\"pullguard doctor\" shows which part of the sandbox is missing"},
        {REASON_UNAVAILABLE, "\"pullguard doctor\" shows whether the engine is installed and starts"},
        {REASON_NOT_FOUND, "check the name; the registry says that it has no such image"},
    };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (steps[i].reason == reason)
            return steps[i].text;
    return NULL;
}

bool ask_timeout(const char *text, uint32_t *ret_ms, struct error *err)
{
    int64_t seconds;
    char shown[40];

    if (!duration_parse(span_str(text), &seconds) || seconds < 1 || seconds > TIMEOUT_MAX_S)
        return error_set(err, REASON_BAD_REQUEST, "--timeout %s: a time from 1s to 1h is wanted, as 30s or 2m",
                         text_clean(span_str(text), shown, sizeof(shown)));
    *ret_ms = (uint32_t)seconds * 1000;
    return true;
}
