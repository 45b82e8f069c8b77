/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard trust show: what is installed, where it came from, how old it is, until when its proofs hold. */
#include "base/clock.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/say.h"
#include "plugin/cli/trust/store.h"
#include "verifier/trustroot.h"

struct shown {
    const char *name;
    long long days;
    int64_t now;
    const struct trust_freshness *freshness;
    const struct trust_root *root;
};

static void print_item(const char *kind, const char *text)
{
    printf("  %-22s ", kind);
    say_clean(stdout, span_str(text), 200);
    fputc('\n', stdout);
}

/* The newest root and the timestamp are what ends: without newer ones no update is possible, and none is fresh. */
static void print_role(const struct shown *shown, const char *kind, enum tuf_role role)
{
    int64_t expires = shown->freshness->expires[role];
    char when[TIME_TEXT_BYTES];

    if (expires == 0)
        printf("  %-22s none\n", kind);
    else
        printf("  %-22s version %lld, %s %s\n", kind, (long long)shown->freshness->version[role],
               expires > shown->now ? "until" : "expired at", time_format(expires, when));
}

static void print_root(const struct shown *shown)
{
    const struct trust_root *root = shown->root;
    bool updated = shown->freshness->url != NULL;

    printf("%s, %s %lld day%s ago\n", shown->name, updated ? "updated" : "imported", shown->days,
           shown->days == 1 ? "" : "s");
    if (updated) {
        print_item("repository", shown->freshness->url);
        print_role(shown, "its root", TUF_ROOT);
        print_role(shown, "its timestamp", TUF_TIMESTAMP);
    }
    for (size_t i = 0; i < root->authorities.count; i++)
        print_item("certificate authority", root->authorities.items[i].name);
    for (size_t i = 0; i < root->logs.count; i++)
        print_item("transparency log", root->logs.items[i].url);
    for (size_t i = 0; i < root->ct_logs.count; i++)
        print_item("certificate log", root->ct_logs.items[i].url);
    for (size_t i = 0; i < root->timestamp_authorities.count; i++)
        print_item("timestamp authority", root->timestamp_authorities.items[i].name);
}

static void put_role(struct json_out *out, const struct shown *shown, const char *key, enum tuf_role role)
{
    int64_t expires = shown->freshness->expires[role];
    char when[TIME_TEXT_BYTES];

    if (expires == 0) {
        json_put_null(out, key);
        return;
    }
    json_open_map(out, key);
    json_put_int(out, "version", shown->freshness->version[role]);
    json_put_str(out, "expires", time_format(expires, when));
    json_put_bool(out, "expired", expires <= shown->now);
    json_close_map(out);
}

static void put_root(struct json_out *out, const struct shown *shown)
{
    const struct trust_root *root = shown->root;

    json_open_map(out, NULL);
    json_put_str(out, "name", shown->name);
    json_put_int(out, "age_days", shown->days);
    json_put_str(out, "repository", shown->freshness->url);
    put_role(out, shown, "root", TUF_ROOT);
    put_role(out, shown, "timestamp", TUF_TIMESTAMP);
    json_put_int(out, "certificate_authorities", (int64_t)root->authorities.count);
    json_put_int(out, "logs", (int64_t)root->logs.count);
    json_put_int(out, "certificate_logs", (int64_t)root->ct_logs.count);
    json_put_int(out, "timestamp_authorities", (int64_t)root->timestamp_authorities.count);
    json_close_map(out);
}

static bool show_one(const struct cli *cli, const char *name, struct json_out *out)
{
    CLEANUP(mem_freep) char *path = trust_path(cli->root, name);
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(trust_root_freep) struct trust_root *root = NULL;
    CLEANUP(trust_freshness_done) struct trust_freshness freshness = { 0 };
    struct shown shown = { .name = name, .now = time_now(), .freshness = &freshness };
    struct error err = ERROR_INIT;

    if (path == NULL || !trust_name_check(name, &err) ||
        !file_read(path, LIMIT_TRUST_ROOT_BYTES, FILE_TRUSTED, &bytes, &err) ||
        !trust_root_parse(buf_as_span(&bytes), &root, &err) ||
        !trust_freshness_read(cli->root, name, shown.now, &freshness, &err)) {
        say_error(cli, "%s: %s: %s", name, reason_name(err.reason), err.text);
        return false;
    }
    shown.root = root;
    shown.days = trust_age_days(cli->root, name, shown.now);
    if (cli->json)
        put_root(out, &shown);
    else
        print_root(&shown);
    return true;
}

static int show_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args)
{
    CLEANUP(names_free) struct names all = { 0 };
    CLEANUP(buf_free) struct buf json = BUF_INIT(1024 * 1024);
    struct json_out out = json_out_to(&json);
    struct error err = ERROR_INIT;
    bool good = true;

    if (args->count == 0 && !trust_installed(cli->root, &all, &err)) {
        say_error(cli, "%s: %s", reason_name(err.reason), err.text);
        return EXIT_UNDECIDED;
    }
    json_open_list(&out, NULL);
    for (size_t i = 0; i < args->count + all.count; i++)
        good = show_one(cli, i < args->count ? args->items[i] : all.items[i - args->count], &out) && good;
    json_close_list(&out);
    if (cli->json && !say_json(cli, &json))
        return EXIT_UNDECIDED;
    if (!cli->json && args->count + all.count == 0)
        printf("No trust root is installed.\n");
    return good ? EXIT_YES : EXIT_UNDECIDED;
}

const struct command command_trust_show = {
    .name = "trust show",
    .usage = "[NAME]...",
    .summary = "show the installed trust roots, their age and expiry, authorities and logs",
    .details = "Shows the installed trust roots: how long ago each was updated or imported; for those that have a\n"
               "repository its address, and until when its root and timestamp hold; authorities and logs.\n\n"
               "Exit status: 0 shown, 2 one cannot be read.",
    .max_args = ARGS_ANY,
    .run = show_run,
};
