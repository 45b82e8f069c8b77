/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/report.h"

#include "base/encode.h"
#include "plugin/cli/say.h"

enum { SHOWN_BYTES = 600 };

struct span report_text(const struct node *map, const char *name)
{
    const struct node *member = node_get(map, name);

    return node_is(member, NODE_STRING) || node_is(member, NODE_NUMBER) ? member->text : span_str("");
}

bool report_flag(const struct node *map, const char *name)
{
    bool value = false;

    return node_bool(node_get(map, name), &value) && value;
}

static const struct node *first_of(const struct node *map, const char *name)
{
    const struct node *list = node_get(map, name);

    return node_is(list, NODE_LIST) ? list->child : NULL;
}

static void print_mark(const struct cli *cli, bool good)
{
    say_coloured(cli, good ? COLOUR_GOOD : COLOUR_BAD, good ? "yes" : "no ");
}

/* " reason: message", whatever of the two is there. */
static void print_why(const struct node *map)
{
    struct span reason = report_text(map, "reason");
    struct span message = report_text(map, "message");

    if (reason.len > 0) {
        fputs("  ", stdout);
        say_clean(stdout, reason, 64);
    }
    if (message.len > 0) {
        fputs(reason.len > 0 ? ": " : "  ", stdout);
        say_clean(stdout, message, SHOWN_BYTES);
    }
    fputc('\n', stdout);
}

static void print_field(const char *label, struct span text)
{
    if (text.len == 0)
        return;
    printf("%s", label);
    say_clean(stdout, text, SHOWN_BYTES);
}

static void print_authority(const struct cli *cli, const struct node *authority)
{
    fputs("    ", stdout);
    print_mark(cli, report_flag(authority, "satisfied"));
    print_field("  authority ", report_text(authority, "name"));
    print_why(authority);
    for (const struct node *claim = first_of(authority, "claims"); claim != NULL; claim = claim->next) {
        int64_t index = -1;

        fputs("        ", stdout);
        print_mark(cli, report_flag(claim, "satisfied"));
        if (node_int(node_get(claim, "claim"), false, &index))
            printf("  signature %lld", (long long)index + 1);
        print_why(claim);
    }
}

static void print_policy(const struct cli *cli, const struct node *policy)
{
    struct span line = report_text(policy, "line");

    fputs("  ", stdout);
    print_mark(cli, report_flag(policy, "satisfied"));
    print_field("  policy ", report_text(policy, "name"));
    print_field("  (", report_text(policy, "file"));
    print_field(":", line);
    if (report_text(policy, "file").len > 0)
        fputc(')', stdout);
    if (node_str_is(node_get(policy, "mode"), "warn"))
        fputs("  [warn mode]", stdout);
    print_field("  matched by ", report_text(policy, "glob"));
    print_why(policy);
    for (const struct node *authority = first_of(policy, "authorities"); authority != NULL; authority = authority->next)
        print_authority(cli, authority);
}

static void print_signer(const struct node *signer)
{
    print_field(", key ", report_text(signer, "key"));
    print_field(", by ", report_text(signer, "identity"));
    print_field(", issuer ", report_text(signer, "issuer"));
}

static void print_annotations(const struct node *annotations)
{
    if (!node_is(annotations, NODE_MAP) || annotations->count == 0)
        return;
    fputs("         signed annotations:", stdout);
    for (const struct node *member = annotations->child; member != NULL; member = member->next) {
        fputs(member == annotations->child ? " " : ", ", stdout);
        say_clean(stdout, member->name, 80);
        fputc('=', stdout);
        say_clean(stdout, member->text, 200);
    }
    fputc('\n', stdout);
}

static void print_claim(const struct node *claim, unsigned int number)
{
    printf("  %3u  ", number);
    print_field("", report_text(claim, "kind"));
    print_field(", ", report_text(claim, "layout"));
    print_field(", ", report_text(claim, "predicateType"));
    print_signer(node_get(claim, "signer"));
    fputc('\n', stdout);
    print_field("         in ", report_text(claim, "repository"));
    print_field(" manifest ", report_text(claim, "manifest"));
    print_field(" layer ", report_text(claim, "layer"));
    fputc('\n', stdout);
    print_annotations(node_get(claim, "annotations"));
}

static void print_finding(const struct node *finding)
{
    fputs("    -  ", stdout);
    print_field("", report_text(finding, "repository"));
    print_field(" ", report_text(finding, "manifest"));
    print_field(" layer ", report_text(finding, "layer"));
    print_why(finding);
}

void report_print(const struct cli *cli, const struct node *report)
{
    const struct node *item;
    unsigned int number = 0;

    item = first_of(report, "policies");
    say_coloured(cli, COLOUR_BOLD, item != NULL ? "\nPolicies that apply\n" : "\nNo policy applies to this image.\n");
    for (; item != NULL; item = item->next)
        print_policy(cli, item);
    item = first_of(report, "claims");
    if (item != NULL)
        say_coloured(cli, COLOUR_BOLD, "\nSignatures and attestations that verify\n");
    for (; item != NULL; item = item->next)
        print_claim(item, ++number);
    item = first_of(report, "findings");
    if (item != NULL)
        say_coloured(cli, COLOUR_BOLD, "\nFound, and of no use\n");
    for (; item != NULL; item = item->next)
        print_finding(item);
}

static bool already(const struct node *const *places, size_t count, const struct node *claim)
{
    for (size_t i = 0; i < count; i++)
        if (places[i] == claim)
            return true;
    return false;
}

/* Claims of one authority that satisfied it, appended. */
static size_t add_satisfying(const struct node *report, const struct node *authority, const struct node **places,
                             size_t count, size_t max)
{
    for (const struct node *entry = first_of(authority, "claims"); entry != NULL; entry = entry->next) {
        const struct node *claim;
        int64_t index;

        if (!report_flag(entry, "satisfied") || !node_int(node_get(entry, "claim"), false, &index) || index < 0)
            continue;
        claim = node_at(node_get(report, "claims"), (size_t)index);
        if (claim != NULL && count < max && !already(places, count, claim))
            places[count++] = claim;
    }
    return count;
}

size_t report_satisfying(const struct node *report, const struct node **places, size_t max)
{
    size_t count = 0;

    for (const struct node *policy = first_of(report, "policies"); policy != NULL; policy = policy->next)
        for (const struct node *one = first_of(policy, "authorities"); one != NULL; one = one->next)
            if (report_flag(one, "satisfied"))
                count = add_satisfying(report, one, places, count, max);
    return count;
}
