/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard check: the decision this node would take now, and why. */
#include <string.h>

#include "base/json_out.h"
#include "base/limits.h"
#include "base/tree.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/evidence_out.h"
#include "plugin/cli/report.h"
#include "plugin/cli/say.h"

struct check_values {
    const char *digest;
    const char *save_evidence;
    const char *timeout;
    bool cached;
};

static void put_text(struct json_out *out, const char *name, const char *text)
{
    if (text != NULL)
        json_put_str(out, name, text);
}

static int print_json(const struct cli *cli, const char *reference, const struct response *response)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(4 * LIMIT_HOOK_MESSAGE_BYTES);
    struct json_out out = json_out_to(&json);

    json_open_map(&out, NULL);
    json_put_str(&out, "reference", reference);
    put_text(&out, "digest", response->digest);
    json_put_str(&out, "verdict", verdict_is_allow(response->verdict) ? "allow" : "deny");
    json_put_bool(&out, "decided", ask_exit_code(response) != EXIT_UNDECIDED);
    json_put_bool(&out, "warned", response->warned);
    json_put_str(&out, "reason", reason_name(response->reason));
    put_text(&out, "message", response->message);
    put_text(&out, "policy", response->policy);
    put_text(&out, "authority", response->authority);
    put_text(&out, "key_id", response->key_id);
    put_text(&out, "policy_sha256", response->policy_sha256);
    json_put_bool(&out, "cached", response->cached);
    json_put_int(&out, "duration_us", response->duration_us);
    json_put_int(&out, "requests", response->requests);
    if (response->report != NULL)
        json_put_raw(&out, "report", span_str(response->report));
    json_close_map(&out);
    return say_json(cli, &json) ? (int)ask_exit_code(response) : EXIT_UNDECIDED;
}

static void print_line(const char *label, const char *text)
{
    if (text == NULL)
        return;
    printf("  %-10s ", label);
    say_clean(stdout, span_str(text), 600);
    fputc('\n', stdout);
}

static void print_verdict(const struct cli *cli, const char *reference, const struct response *response)
{
    enum exit_code code = ask_exit_code(response);

    if (code == EXIT_YES)
        say_coloured(cli, response->warned ? COLOUR_WARN : COLOUR_GOOD,
                     response->warned ? "ALLOW (with a warning)" : "ALLOW");
    else
        say_coloured(cli, COLOUR_BAD, code == EXIT_NO ? "DENY" : "DENY (could not decide)");
    fputs("  ", stdout);
    say_clean(stdout, span_str(reference), LIMIT_REFERENCE_BYTES);
    fputc('\n', stdout);
    print_line("digest", response->digest);
    print_line("reason", reason_name(response->reason));
    print_line("because", response->message);
    print_line("policy", response->policy);
    print_line("authority", response->authority);
    print_line("signer", response->key_id);
}

static int print_human(const struct cli *cli, const char *reference, const struct response *response)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const char *step = ask_next_step(response->reason);

    print_verdict(cli, reference, response);
    if (response->report != NULL) {
        if (json_parse(span_str(response->report), "the engine's report", TREE_NO_PLACES, &tree, &err))
            report_print(cli, tree_root(tree));
        else
            say_error(cli, "%s", err.text);
    }
    if (!verdict_is_allow(response->verdict) && step != NULL)
        printf("\nNext: %s\n", step);
    return (int)ask_exit_code(response);
}

/* As a runtime says it: "name@sha256:..." is known by its digest without asking the registry. NULL when it has none. */
static const char *digest_in(const char *reference)
{
    const char *at = strchr(reference, '@');

    return at != NULL ? at + 1 : NULL;
}

static int check_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct check_values *values = values_;
    struct ask ask = {
        .reference = args->items[0],
        .digest = values->digest != NULL ? values->digest : digest_in(args->items[0]),
        .flags = REQUEST_NO_RECORD,
    };
    CLEANUP(response_done) struct response response = { 0 };
    struct error err = ERROR_INIT;

    /* A held verdict has no report, so asking for one would always decide anew. */
    if (!values->cached)
        ask.flags |= REQUEST_REPORT | REQUEST_NO_CACHE;
    if (values->save_evidence != NULL)
        ask.flags |= REQUEST_EVIDENCE | REQUEST_NO_CACHE;
    if (values->timeout != NULL && !ask_timeout(values->timeout, &ask.deadline_ms, &err))
        return say_failed(cli, &err);
    ask_engine(cli, &ask, &response);
    if (values->save_evidence != NULL && !evidence_save(values->save_evidence, response.evidence, &err))
        return say_failed(cli, &err);
    if (cli->json)
        return print_json(cli, ask.reference, &response);
    return print_human(cli, ask.reference, &response);
}

#define CHECK_OPTION(name, kind, value, member, help)                                                                  \
    {                                                                                                                  \
        name, 0, kind, value, offsetof(struct check_values, member), help                                              \
    }

static const struct option_spec options[] = {
    CHECK_OPTION("digest", OPTION_TEXT, "DIGEST", digest,
                 "decide on this digest (sha256:...) instead of asking the registry what the tag points to"),
    CHECK_OPTION("cached", OPTION_FLAG, NULL, cached, "use the verdict cache, as a pull would"),
    CHECK_OPTION("save-evidence", OPTION_TEXT, "FILE", save_evidence,
                 "write everything the decision rests on to FILE, for pullguard replay"),
    CHECK_OPTION("timeout", OPTION_TEXT, "TIME", timeout,
                 "limit for the decision, as 30s or 2m; default: the settings'"),
};

const struct command command_check = {
    .name = "check",
    .usage = "[options] REF",
    .summary = "decide about an image as this node would, and explain",
    .details =
        "Takes the decision that this node would take if REF were pulled now: same settings, policies, keys and\n"
        "sandbox. Shows every policy, authority and signature that was considered and why each did or did not do.\n"
        "Nothing is pulled, and nothing is written to journal, audit or cache.\n\n"
        "Exit status: 0 allow, 1 deny, 2 could not decide (a pull would be denied).",
    OPTIONS(options, struct check_values),
    .min_args = 1,
    .max_args = 1,
    .run = check_run,
};
