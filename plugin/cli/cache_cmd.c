/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard cache: what this node has verified before and would let through without asking again. */
#include <stdio.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "plugin/cache/cache.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/say.h"

enum { CACHE_JSON_MAX_BYTES = 256 * 1024 * 1024 };

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

static int clear_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args UNUSED)
{
    struct error err = ERROR_INIT;
    uint64_t removed = 0;

    if (!cache_clear(cli->root, &removed, &err))
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

const struct command command_cache_clear = {
    .name = "cache clear",
    .usage = "[--json]",
    .summary = "forget every verdict, so that each image is verified anew",
    .details = "Removes every verdict from the cache.\n\n"
               "Exit status: 0 done, 2 not done.",
    .max_args = 0,
    .run = clear_run,
};
