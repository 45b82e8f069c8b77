/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard replay: the same decision from the same bytes, on another machine, offline. */
#include <string.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/file_judge.h"
#include "plugin/cli/input.h"
#include "plugin/cli/replay_steps.h"
#include "plugin/cli/report.h"
#include "plugin/cli/say.h"
#include "plugin/replay/replay.h"

enum { REPLAY_TIMEOUT_MS = 120 * 1000, EVIDENCE_FILE_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 64 * 1024 * 1024,
       REPLAY_ANSWER_MAX_BYTES = 64 * 1024 * 1024 };

struct replay_values {
    bool explain;
};

static void put_verdict(struct json_out *out, const char *name, const struct response *response)
{
    json_open_map(out, name);
    json_put_str(out, "verdict", verdict_is_allow(response->verdict) ? "allow" : "deny");
    json_put_bool(out, "warned", response->warned);
    json_put_str(out, "reason", reason_name(response->reason));
    json_put_str(out, "message", response->message);
    json_put_str(out, "policy", response->policy);
    json_put_str(out, "authority", response->authority);
    json_put_str(out, "key_id", response->key_id);
    json_put_str(out, "digest", response->digest);
    json_close_map(out);
}

static void put_evidence(struct json_out *out, const struct evidence_set *evidence)
{
    static const char *const kinds[] = { "?", "manifest", "referrers", "page", "blob" };
    static const char *const states[] = { "error", "found", "absent" };

    json_open_list(out, "evidence");
    for (size_t i = 0; i < evidence->count; i++) {
        const struct want *want = &evidence->wants[i];
        const struct evidence *item = &evidence->items[i];

        json_open_map(out, NULL);
        json_put_str(out, "kind", want->kind < ARRAY_LEN(kinds) ? kinds[want->kind] : "?");
        json_put_str(out, "host", want->host);
        json_put_str(out, "repository", want->repository);
        json_put_str(out, "target", want->target);
        json_put_str(out, "status", item->status < ARRAY_LEN(states) ? states[item->status] : "?");
        json_put_int(out, "http_status", item->http_status);
        json_put_int(out, "bytes", (int64_t)item->body.len);
        json_put_str(out, "error", item->error);
        json_close_map(out);
    }
    json_close_list(out);
}

/* In the sandbox: an evidence file comes from anybody. The answer is JSON; the parent shows it. */
static bool replay_work(void *context, struct buf *out_buf, struct error *err)
{
    const struct span *file = context;
    CLEANUP(replay_done) struct replay replay = { 0 };
    struct json_out out = json_out_to(out_buf);
    char when[TIME_TEXT_BYTES];
    bool same;

    if (!replay_run(*file, &replay, err))
        return false;
    same = verdict_is_allow(replay.then.verdict) == verdict_is_allow(replay.now.verdict) &&
           replay.then.reason == replay.now.reason;
    json_open_map(&out, NULL);
    json_put_str(&out, "reference", replay.request.reference);
    json_put_str(&out, "time", time_format(replay.time, when));
    json_put_str(&out, "version", replay.version);
    json_put_bool(&out, "same", same);
    put_verdict(&out, "then", &replay.then);
    put_verdict(&out, "now", &replay.now);
    put_evidence(&out, &replay.evidence);
    if (replay.now.report != NULL)
        json_put_raw(&out, "report", span_str(replay.now.report));
    json_close_map(&out);
    return true;
}

static void print_field(const char *label, struct span text)
{
    if (text.len == 0)
        return;
    printf("  %-10s ", label);
    say_clean(stdout, text, 600);
    fputc('\n', stdout);
}

static void print_verdict(const struct cli *cli, const char *when, const struct node *verdict)
{
    bool allow = node_str_is(node_get(verdict, "verdict"), "allow");

    printf("%-6s", when);
    say_coloured(cli, allow ? COLOUR_GOOD : COLOUR_BAD, allow ? "ALLOW" : "DENY");
    fputs("  ", stdout);
    say_clean(stdout, report_text(verdict, "reason"), 64);
    fputs(": ", stdout);
    say_clean(stdout, report_text(verdict, "message"), 600);
    fputc('\n', stdout);
}

/* What rule each kind of step follows, for the reader who wants to check it. */
static const char *rule_of(const struct node *item)
{
    const struct node *kind = node_get(item, "kind");
    const struct node *target = node_get(item, "target");

    if (node_str_is(kind, "referrers") || node_str_is(kind, "page"))
        return "OCI distribution 1.1, listing referrers";
    if (node_str_is(kind, "blob"))
        return "OCI distribution 1.1, pulling blobs; digest: OCI image, descriptor.md";
    if (node_is(target, NODE_STRING) && span_find_byte(target->text, ':') != SIZE_MAX)
        return "OCI distribution 1.1, pulling manifests; digest: OCI image, descriptor.md";
    if (node_is(target, NODE_STRING) && span_starts(target->text, "sha256-") &&
        span_find_byte(target->text, '.') == SIZE_MAX)
        return "OCI distribution 1.1, referrers tag schema";
    if (node_is(target, NODE_STRING) && (span_ends(target->text, ".sig") || span_ends(target->text, ".att")))
        return "cosign tag layout; OCI distribution 1.1, pulling manifests";
    return "OCI distribution 1.1, pulling manifests: the tag is resolved to a digest";
}

static void print_evidence(const struct cli *cli, const struct node *list)
{
    unsigned int number = 0;

    say_coloured(cli, COLOUR_BOLD, "\nWhat was asked for\n");
    for (const struct node *item = node_is(list, NODE_LIST) ? list->child : NULL; item != NULL; item = item->next) {
        printf("  %3u  ", ++number);
        say_clean(stdout, report_text(item, "kind"), 16);
        fputc(' ', stdout);
        say_clean(stdout, report_text(item, "target"), 200);
        fputs(": ", stdout);
        say_clean(stdout, report_text(item, "status"), 16);
        printf(" (%.*s bytes)", (int)report_text(item, "bytes").len, (const char *)report_text(item, "bytes").ptr);
        if (report_text(item, "error").len > 0) {
            fputs(": ", stdout);
            say_clean(stdout, report_text(item, "error"), 300);
        }
        printf("\n       [%s]\n", rule_of(item));
    }
}

static int print_answer(const struct cli *cli, const struct replay_values *values, const struct buf *json)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *root;
    bool same;

    if (!json_parse(buf_as_span(json), "replay", TREE_NO_PLACES, &tree, &err))
        return say_failed(cli, &err);
    root = tree_root(tree);
    same = report_flag(root, "same");
    if (cli->json)
        return say_json(cli, json) ? (same ? EXIT_YES : EXIT_NO) : EXIT_UNDECIDED;
    print_field("image", report_text(root, "reference"));
    print_field("digest", report_text(node_get(root, "now"), "digest"));
    print_field("decided at", report_text(root, "time"));
    print_field("by version", report_text(root, "version"));
    print_verdict(cli, "then", node_get(root, "then"));
    print_verdict(cli, "now", node_get(root, "now"));
    say_coloured(cli, same ? COLOUR_GOOD : COLOUR_BAD, same ? "The same verdict.\n" : "ANOTHER verdict than then.\n");
    if (values->explain) {
        print_evidence(cli, node_get(root, "evidence"));
        replay_steps_print(cli, node_get(root, "report"));
        report_print(cli, node_get(root, "report"));
    }
    return same ? EXIT_YES : EXIT_NO;
}

static int replay_command_run(const struct cli *cli, const void *values, const struct text_list *args)
{
    CLEANUP(buf_free) struct buf file = { 0 };
    CLEANUP(buf_free) struct buf json = { 0 };
    struct error err = ERROR_INIT;
    struct span bytes;

    if (!input_read(args->items[0], EVIDENCE_FILE_MAX_BYTES, &file, &err))
        return say_failed(cli, &err);
    bytes = buf_as_span(&file);
    if (!judge_sandbox_run(cli, replay_work, &bytes, REPLAY_ANSWER_MAX_BYTES, REPLAY_TIMEOUT_MS, &json, &err)) {
        say_error(cli, "%s: %s", args->items[0], err.text);
        return EXIT_UNDECIDED;
    }
    return print_answer(cli, values, &json);
}

static const struct option_spec options[] = {
    { "explain", 0, OPTION_FLAG, NULL, offsetof(struct replay_values, explain),
      "show each step: what was asked for, what came, every policy, authority and signature" },
};

const struct command command_replay = {
    .name = "replay",
    .usage = "[options] FILE",
    .summary = "decide again from an evidence file, offline",
    .details = "Takes the decision of an evidence file (pullguard check --save-evidence) again, from the same "
               "policies, keys,\n"
               "evidence and time, on any machine and without network, and compares the verdicts.\n\n"
               "Exit status: 0 the same verdict, 1 another one, 2 the file cannot be replayed.",
    OPTIONS(options, struct replay_values),
    .min_args = 1,
    .max_args = 1,
    .run = replay_command_run,
};
