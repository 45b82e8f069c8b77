/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard cache: what this node has verified before and would let through without asking again. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "plugin/cache/cache.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/say.h"
#include "plugin/engine/load.h"

enum {
    CACHE_JSON_MAX_BYTES = 256 * 1024 * 1024,
    RENEW_MAX = 10000, /* as many as the cache keeps; a kubelet has some hundreds at most */
};

struct listing {
    const struct cli *cli;
    struct json_out *out;
    size_t count;
};

static bool print_entry(void *context, const struct cache_entry *entry)
{
    struct listing *listing = context;
    char decided[TIME_TEXT_BYTES], expires[TIME_TEXT_BYTES];

    listing->count++;
    time_format(entry->decided_at, decided);
    time_format(entry->expires, expires);
    if (listing->cli->json) {
        json_open_map(listing->out, NULL);
        json_put_str(listing->out, "reference", entry->reference);
        json_put_str(listing->out, "digest", entry->digest);
        json_put_str(listing->out, "policy", entry->policy);
        json_put_str(listing->out, "decided", decided);
        json_put_str(listing->out, "expires", expires);
        json_put_bool(listing->out, "current", entry->current);
        json_close_map(listing->out);
        return true;
    }
    say_coloured(listing->cli, entry->current ? COLOUR_GOOD : COLOUR_DIM, entry->current ? "current" : "stale  ");
    printf("  until %s  ", expires);
    say_clean(stdout, span_str(entry->reference), 600);
    fputs("  ", stdout);
    say_clean(stdout, span_str(entry->digest), 200);
    fputc('\n', stdout);
    return true;
}

static int list_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args UNUSED)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(CACHE_JSON_MAX_BYTES);
    struct json_out out = json_out_to(&json);
    struct listing listing = { .cli = cli, .out = &out };
    struct error err = ERROR_INIT;

    json_open_list(&out, NULL);
    if (!cache_list(cli->root, print_entry, &listing, &err))
        return say_failed(cli, &err);
    json_close_list(&out);
    if (cli->json)
        return say_json(cli, &json) ? EXIT_YES : EXIT_UNDECIDED;
    if (listing.count == 0)
        printf("The cache is empty.\n");
    return EXIT_YES;
}

/* Every image that the cache knows, once; current: under the rules of now. */
struct known {
    char *reference, *digest;
    bool current;
};

struct renewal {
    struct known *items;
    size_t count, room;
    bool failed;
};

static void renewal_done(struct renewal *renewal)
{
    for (size_t i = 0; i < renewal->count; i++) {
        mem_free(renewal->items[i].reference);
        mem_free(renewal->items[i].digest);
    }
    mem_free(renewal->items);
}

static struct known *add_known(struct renewal *renewal, const struct cache_entry *entry)
{
    struct known *one = &renewal->items[renewal->count];

    *one = (struct known){ .reference = mem_strdup(entry->reference), .digest = mem_strdup(entry->digest) };
    renewal->count++;
    return one->reference != NULL && one->digest != NULL ? one : NULL;
}

static bool gather(void *context, const struct cache_entry *entry)
{
    struct renewal *renewal = context;
    struct known *one = NULL;

    for (size_t i = 0; i < renewal->count && one == NULL; i++)
        if (strcmp(renewal->items[i].reference, entry->reference) == 0 &&
            strcmp(renewal->items[i].digest, entry->digest) == 0)
            one = &renewal->items[i];
    if (one == NULL && renewal->count < renewal->room)
        one = add_known(renewal, entry);
    if (one == NULL)
        renewal->failed = true;
    else
        one->current = one->current || entry->current;
    return one != NULL;
}

static void print_renewed(const struct cli *cli, struct json_out *out, const struct known *one,
                          const struct response *response)
{
    bool allowed = verdict_is_allow(response->verdict);

    if (cli->json) {
        json_open_map(out, NULL);
        json_put_str(out, "reference", one->reference);
        json_put_str(out, "digest", one->digest);
        json_put_bool(out, "allowed", allowed);
        json_put_str(out, "reason", reason_name(response->reason));
        json_put_str(out, "message", response->message ? response->message : "");
        json_close_map(out);
        return;
    }
    say_coloured(cli, allowed ? COLOUR_GOOD : COLOUR_BAD, allowed ? "allowed" : "refused");
    fputs("  ", stdout);
    say_clean(stdout, span_str(one->reference), 600);
    fputs("  ", stdout);
    say_clean(stdout, span_str(one->digest), 200);
    if (!allowed) {
        printf("  %s: ", reason_name(response->reason));
        say_clean(stdout, span_str(response->message ? response->message : ""), 600);
    }
    fputc('\n', stdout);
    fflush(stdout); /* each takes its time */
}

static enum exit_code worse(enum exit_code a, enum exit_code b)
{
    return a > b ? a : b;
}

static enum exit_code renew_all(const struct cli *cli, const struct renewal *renewal, struct json_out *out)
{
    enum exit_code code = EXIT_YES;

    for (size_t i = 0; i < renewal->count; i++) {
        const struct known *one = &renewal->items[i];
        struct ask ask = { .reference = one->reference, .digest = one->digest };
        CLEANUP(response_done) struct response response = { 0 };

        if (one->current)
            continue;
        (void)ask_engine(cli, &ask, &response);
        print_renewed(cli, out, one, &response);
        code = worse(code, ask_exit_code(&response));
    }
    return code;
}

static int renew_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args UNUSED)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(CACHE_JSON_MAX_BYTES);
    CLEANUP(renewal_done) struct renewal renewal = { 0 };
    struct json_out out = json_out_to(&json);
    struct error err = ERROR_INIT;
    enum exit_code code;

    renewal.items = mem_new(RENEW_MAX, sizeof(*renewal.items));
    renewal.room = renewal.items != NULL ? RENEW_MAX : 0;
    if (!cache_list(cli->root, gather, &renewal, &err))
        return say_failed(cli, &err);
    if (renewal.failed) {
        say_error(cli, "the cache holds more than %d images, or memory is short", RENEW_MAX);
        return EXIT_UNDECIDED;
    }
    json_open_list(&out, NULL);
    code = renew_all(cli, &renewal, &out);
    json_close_list(&out);
    if (cli->json && !say_json(cli, &json))
        return EXIT_UNDECIDED;
    return (int)code;
}

struct clear_values {
    bool stale;
};

static int clear_run(const struct cli *cli, const void *values_, const struct text_list *args UNUSED)
{
    CLEANUP(engine_config_done) struct engine_config config = { 0 };
    const struct clear_values *values = values_;
    struct error err = ERROR_INIT;
    uint64_t removed = 0;

    if (values->stale && !engine_load(cli->root, &config, &err))
        return say_failed(cli, &err);
    if (!cache_clear(cli->root, values->stale ? config.fingerprint : NULL, &removed, &err))
        return say_failed(cli, &err);
    if (cli->json)
        printf("{\"removed\":%llu}\n", (unsigned long long)removed);
    else
        printf("%llu verdict%s removed.\n", (unsigned long long)removed, removed == 1 ? "" : "s");
    return EXIT_YES;
}

const struct command command_cache_list = {
    .name = "cache list",
    .usage = "[--json]",
    .summary = "show the images that were verified and are let through without asking again",
    .details = "Shows the cache of positive verdicts. A stale one does not count: its time is over, or a policy, key "
               "or setting\n"
               "has changed since.\n\n"
               "Exit status: 0 shown, 2 cannot be read.",
    .max_args = 0,
    .run = list_run,
};

const struct command command_cache_renew = {
    .name = "cache renew",
    .usage = "[--json]",
    .summary = "verify anew what was verified under other rules, so that it may be started",
    .details = "Asks again about every image whose verdict in the cache is stale, under its name and digest. The step "
               "after a change\n"
               "of policies, keys or settings on a node with start gates, which look up nothing themselves.\n\n"
               "Exit status: 0 all are allowed, 1 some are not any more, 2 about some nothing could be decided.",
    .max_args = 0,
    .run = renew_run,
};

static const struct option_spec clear_options[] = {
    { "stale", 0, OPTION_FLAG, NULL, offsetof(struct clear_values, stale), "only those that other rules decided" },
};

const struct command command_cache_clear = {
    .name = "cache clear",
    .usage = "[--stale] [--json]",
    .summary = "forget every verdict, so that each image is verified anew",
    .details = "Removes every verdict from the cache; with --stale those only that were reached before policies, keys "
               "or settings\n"
               "changed, of images that \"cache renew\" refuses and that nobody will start again.\n\n"
               "Exit status: 0 done, 2 not done.",
    OPTIONS(clear_options, struct clear_values),
    .max_args = 0,
    .run = clear_run,
};
