/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard policy explain: which policies match a reference and by which glob. No network. */
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/tree.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/policies.h"
#include "plugin/cli/report.h"
#include "plugin/cli/say.h"
#include "verifier/ref.h"

enum { EXPLAIN_JSON_MAX_BYTES = 16 * 1024 * 1024 };

struct explain_values {
    const char *digest;
    const char *keys;
    const char *trust;
    struct text_list policies;
};

static bool load_set(const struct cli *cli, const struct explain_values *values, struct policy_set *set,
                     struct error *err)
{
    CLEANUP(policies_places_done) struct policies_places places = { 0 };
    CLEANUP(names_free) struct names files = { 0 };
    struct policy_source source;

    if (!policies_places_init(&places, cli->root, values->keys, values->trust, FILE_ANY, err) ||
        !policies_find(cli->root, &values->policies, &files, err))
        return false;
    source = policies_source(&places);
    for (size_t i = 0; i < files.count; i++)
        if (!policies_add(set, files.items[i], &source, err))
            return false;
    return true;
}

static bool image_of(const struct ref *ref, const char *digest, struct policy_image *ret, struct error *err)
{
    char shown[80];

    *ret = (struct policy_image){
        .written = ref->written,
        .host = ref->host,
        .repository = ref->repository,
        .tag = ref->tag,
        .digest = ref->digest,
    };
    if (digest != NULL && !digest_parse(span_str(digest), &ret->digest))
        return error_set(err, REASON_BAD_REQUEST, "--digest %s: sha256:<64 lower-case hexadecimal digits> is wanted",
                         text_clean(span_str(digest), shown, sizeof(shown)));
    return true;
}

static const struct node *first_of(const struct node *map, const char *name)
{
    const struct node *list = node_get(map, name);

    return list != NULL && (node_is(list, NODE_LIST) || node_is(list, NODE_MAP)) ? list->child : NULL;
}

static void print_field(const char *label, struct span text)
{
    if (text.len == 0)
        return;
    fputs(label, stdout);
    say_clean(stdout, text, 600);
}

/* A key's dates, and what they come to now; in colour when somebody should do something. */
static void print_window(const struct cli *cli, const struct node *authority, struct span key)
{
    static const char *const states[] = { [WINDOW_ENDS_SOON] = "  ENDS SOON", [WINDOW_NOT_YET] = "  NOT YET VALID",
                                          [WINDOW_ENDED] = "  ENDED" };

    for (const struct node *one = first_of(authority, "validity"); one != NULL; one = one->next) {
        struct span before = report_text(one, "notBefore"), after = report_text(one, "notAfter");
        struct policy_window window = { .not_before = INT64_MIN, .not_after = INT64_MAX };
        enum policy_window_state state;

        if (!span_eq(report_text(one, "key"), key))
            continue;
        if ((before.len > 0 && !time_parse(before, &window.not_before, NULL)) ||
            (after.len > 0 && !time_parse(after, &window.not_after, NULL)))
            continue;
        state = policy_window_state(&window, time_now());
        print_field("  \"", report_text(one, "name"));
        if (report_text(one, "name").len > 0)
            fputc('"', stdout);
        print_field("  from ", before);
        print_field("  until ", after);
        if (state != WINDOW_OPEN)
            say_coloured(cli, COLOUR_BAD, states[state]);
    }
}

static void print_authority(const struct cli *cli, const struct node *authority)
{
    print_field("      authority ", report_text(authority, "name"));
    print_field(": ", report_text(authority, "kind"));
    print_field(" ", report_text(authority, "action"));
    for (const struct node *one = first_of(authority, "keys"); one != NULL; one = one->next) {
        print_field("\n        key ", one->text);
        print_window(cli, authority, one->text);
    }
    for (const struct node *one = first_of(authority, "identities"); one != NULL; one = one->next) {
        print_field("\n        identity ", report_text(one, "subject"));
        print_field(" by ", report_text(one, "issuer"));
    }
    for (const struct node *one = first_of(authority, "annotations"); one != NULL; one = one->next) {
        print_field("\n        annotation ", one->name);
        print_field("=", one->text);
    }
    for (const struct node *one = first_of(authority, "attestations"); one != NULL; one = one->next)
        print_field("\n        attestation ", one->text);
    fputc('\n', stdout);
}

static void print_policy(const struct cli *cli, const struct node *policy)
{
    bool matches = report_flag(policy, "matches");

    fputs("  ", stdout);
    say_coloured(cli, matches ? COLOUR_GOOD : COLOUR_DIM, matches ? "applies" : "no     ");
    print_field("  ", report_text(policy, "policy"));
    print_field("  (", report_text(policy, "file"));
    print_field(":", report_text(policy, "line"));
    fputc(')', stdout);
    if (node_str_is(node_get(policy, "mode"), "warn"))
        fputs("  [warn mode]", stdout);
    print_field("  by glob ", report_text(policy, "glob"));
    fputc('\n', stdout);
    for (const struct node *glob = matches ? NULL : first_of(policy, "globs"); glob != NULL; glob = glob->next) {
        print_field("      glob ", glob->text);
        fputc('\n', stdout);
    }
    for (const struct node *one = first_of(policy, "authorities"); one != NULL; one = one->next)
        print_authority(cli, one);
}

static int print_human(const struct cli *cli, const struct ref *ref, const struct buf *json)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *list;
    bool any = false;

    if (!json_parse(buf_as_span(json), "explanation", TREE_NO_PLACES, &tree, &err))
        return say_failed(cli, &err);
    printf("%s is %s%s%s\n", ref->written, ref->name, ref->tag != NULL ? ":" : "", ref->tag != NULL ? ref->tag : "");
    list = tree_root(tree);
    for (const struct node *policy = node_is(list, NODE_LIST) ? list->child : NULL; policy != NULL;
         policy = policy->next) {
        any = any || report_flag(policy, "matches");
        print_policy(cli, policy);
    }
    if (!any)
        printf("No policy applies; no-match in pullguard.yaml decides (default: deny).\n");
    return any ? EXIT_YES : EXIT_NO;
}

static bool any_matches(const struct buf *json)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    if (!json_parse(buf_as_span(json), "explanation", TREE_NO_PLACES, &tree, &err))
        return false;
    for (const struct node *policy = tree_root(tree)->child; policy != NULL; policy = policy->next)
        if (report_flag(policy, "matches"))
            return true;
    return false;
}

static int explain_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct explain_values *values = values_;
    CLEANUP(policy_set_freep) struct policy_set *set = policy_set_new();
    CLEANUP(ref_done) struct ref ref = { 0 };
    CLEANUP(buf_free) struct buf json = BUF_INIT(EXPLAIN_JSON_MAX_BYTES);
    struct json_out out = json_out_to(&json);
    struct policy_image image;
    struct error err = ERROR_INIT;

    if (set == NULL || !load_set(cli, values, set, &err) || !ref_parse(span_str(args->items[0]), &ref, &err) ||
        !image_of(&ref, values->digest, &image, &err) || !policy_explain(set, &image, &out, &err)) {
        say_error(cli, "%s", set == NULL ? "out of memory" : err.text);
        return EXIT_UNDECIDED;
    }
    if (!cli->json)
        return print_human(cli, &ref, &json);
    return !say_json(cli, &json) ? EXIT_UNDECIDED : any_matches(&json) ? EXIT_YES : EXIT_NO;
}

#define EXPLAIN_OPTION(name, kind, value, member, help) \
    { name, 0, kind, value, offsetof(struct explain_values, member), help }

static const struct option_spec options[] = {
    EXPLAIN_OPTION("digest", OPTION_TEXT, "DIGEST", digest, "digest that the tag points to (sha256:...)"),
    EXPLAIN_OPTION("policy", OPTION_LIST, "FILE|DIR", policies, "policies to try instead of the node's; repeatable"),
    EXPLAIN_OPTION("keys", OPTION_TEXT, "DIR", keys, "directory of the key files that policies name"),
    EXPLAIN_OPTION("trust", OPTION_TEXT, "DIR", trust, "directory of the trust roots that policies name"),
};

const struct command command_policy_explain = {
    .name = "policy explain",
    .usage = "[options] REF",
    .summary = "show which policies apply to a reference and why",
    .details =
        "Shows which policies apply to REF and by which glob. Globs are tried on every name the image has in a pull:\n"
        "name:tag, name@digest, name:tag@digest and name. No network: without --digest only the names that need no\n"
        "digest are tried.\n\n"
        "Exit status: 0 some policy applies, 1 none, 2 the policies or the reference are not valid.",
    OPTIONS(options, struct explain_values),
    .min_args = 1,
    .max_args = 1,
    .run = explain_run,
};
