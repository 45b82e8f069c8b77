/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard trust: bring, refresh and import trust roots. By an administrator or a timer, never during a pull. */
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/input.h"
#include "plugin/cli/say.h"
#include "plugin/cli/trust/anchor.h"
#include "plugin/cli/trust/store.h"
#include "verifier/trustroot.h"

struct trust_values {
    const char *name;
    const char *mirror;
    const char *initial_root;
    const char *checksum;
};

static const char *name_of(const struct trust_values *values)
{
    return values->name != NULL ? values->name : PUBLIC_GOOD;
}

/* A file that stays the same is left alone: the engine looks at inode and times, and would read all its rules anew. */
static bool install(const struct cli *cli, const char *name, const struct trust_update *update, struct error *err)
{
    bool same = span_eq(buf_as_span(&update->stored_target), buf_as_span(&update->target));

    return (same || trust_install(cli->root, name, buf_as_span(&update->target), err)) &&
           trust_state_save_url(cli->root, name, update->url, err);
}

/* Updates, stores what was verified (also after a failure: newer roots stay trusted), installs the trust root. */
static bool update_and_install(const struct cli *cli, const char *name, struct trust_update *update, struct error *err)
{
    struct error later = ERROR_INIT;
    bool done = trust_update_run(cli, update, err);

    if (update->state[TUF_ROOT].len > 0 && !trust_state_save(cli->root, name, update, &later)) {
        *err = later;
        return false;
    }
    return done && install(cli, name, update, err);
}

/* A first update that fails leaves nothing: above all not another address, or less state, than an earlier one left. */
static bool begin_and_install(const struct cli *cli, const char *name, struct trust_update *update, struct error *err)
{
    return trust_update_run(cli, update, err) && trust_state_save(cli->root, name, update, err) &&
           install(cli, name, update, err);
}

static void put_updated(struct json_out *out, const char *name, const struct trust_update *update)
{
    char expires[TIME_TEXT_BYTES];

    json_open_map(out, NULL);
    json_put_str(out, "name", name);
    json_put_int(out, "root", update->version[TUF_ROOT]);
    json_put_int(out, "targets", update->version[TUF_TARGETS]);
    json_put_str(out, "fresh_until", time_format(update->expires[TUF_TIMESTAMP], expires));
    json_close_map(out);
}

static void print_updated(const struct cli *cli, const char *name, const struct trust_update *update,
                          struct json_out *out)
{
    char expires[TIME_TEXT_BYTES];

    if (cli->json)
        put_updated(out, name, update);
    else
        printf("%s: root %lld, targets %lld, fresh until %s\n", name, (long long)update->version[TUF_ROOT],
               (long long)update->version[TUF_TARGETS], time_format(update->expires[TUF_TIMESTAMP], expires));
}

static int failed(const struct cli *cli, const char *name, const struct error *err)
{
    say_error(cli, "%s: %s: %s", name, reason_name(err->reason), err->text);
    return EXIT_UNDECIDED;
}

static bool check_digest(const struct trust_values *values, struct span bytes, struct error *err)
{
    CLEANUP(mem_freep)
    char *text = mem_printf("%s%s", strchr(values->checksum, ':') == NULL ? "sha256:" : "", values->checksum);
    struct digest digest, wanted;
    char found[DIGEST_TEXT_BYTES];

    if (text == NULL || !digest_parse(span_str(text), &wanted))
        return error_set(err, REASON_BAD_REQUEST,
                         "--root-checksum: 64 lower-case hexadecimal digits of SHA-256 are wanted");
    if (!digest_compute(wanted.alg, bytes, &digest))
        return error_set(err, REASON_INTERNAL, "no digest");
    return digest_eq(&digest, &wanted) ||
           error_set(err, REASON_DIGEST_MISMATCH, "%s has the digest %s, wanted %s",
                     values->initial_root != NULL ? values->initial_root : "the root that pullguard brings",
                     digest_format(&digest, found), text);
}

/*
 * The first root is trusted as it is, so somebody has to vouch for it: pullguard's makers for the public-good
 * instance's, else whoever brings one, and says its checksum.
 */
static bool read_initial_root(const struct trust_values *values, struct buf *ret, struct error *err)
{
    if (values->initial_root != NULL) {
        if (!input_read(values->initial_root, TRUST_STATE_FILE_BYTES, ret, err))
            return false;
    } else {
        *ret = (struct buf)BUF_INIT(TRUST_STATE_FILE_BYTES);
        buf_span(ret, trust_anchor());
        if (!buf_ok(ret))
            return error_oom(err);
    }
    return values->checksum == NULL || check_digest(values, buf_as_span(ret), err);
}

static int init_run(const struct cli *cli, const void *values_, const struct text_list *args UNUSED)
{
    const struct trust_values *values = values_;
    CLEANUP(trust_update_done)
    struct trust_update update = {.url = values->mirror != NULL ? values->mirror : PUBLIC_GOOD_URL};
    CLEANUP(buf_free) struct buf json = BUF_INIT(4096);
    struct json_out out = json_out_to(&json);
    struct error err = ERROR_INIT;

    if (!trust_name_check(name_of(values), &err) || !trust_url_check(update.url, &err) ||
        !read_initial_root(values, &update.stored[TUF_ROOT], &err) ||
        !begin_and_install(cli, name_of(values), &update, &err)) {
        int status = failed(cli, name_of(values), &err);

        if (values->mirror != NULL && values->initial_root == NULL)
            say_hint(cli, "without --initial-root FILE the repository has to be a mirror of the public-good "
                          "instance's");
        return status;
    }
    json_open_list(&out, NULL);
    print_updated(cli, name_of(values), &update, &out);
    json_close_list(&out);
    return !cli->json || say_json(cli, &json) ? EXIT_YES : EXIT_UNDECIDED;
}

static bool update_one(const struct cli *cli, const char *name, struct json_out *out)
{
    CLEANUP(trust_update_done) struct trust_update update = { 0 };
    CLEANUP(mem_freep) char *url = NULL;
    struct error err = ERROR_INIT;

    if (trust_name_check(name, &err) && trust_state_load(cli->root, name, &update, &url, &err) &&
        update_and_install(cli, name, &update, &err)) {
        print_updated(cli, name, &update, out);
        return true;
    }
    failed(cli, name, &err);
    return false;
}

static int update_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args)
{
    CLEANUP(names_free) struct names all = { 0 };
    CLEANUP(buf_free) struct buf json = BUF_INIT(1024 * 1024);
    struct json_out out = json_out_to(&json);
    struct error err = ERROR_INIT;
    bool good = true;

    if (args->count == 0 && !trust_updatable(cli->root, &all, &err))
        return failed(cli, "trust", &err);
    if (args->count + all.count == 0) {
        say_error(cli, "no trust root has a source of updates; \"pullguard trust init\" gives it one");
        return EXIT_NO;
    }
    json_open_list(&out, NULL);
    for (size_t i = 0; i < args->count + all.count; i++)
        good = update_one(cli, i < args->count ? args->items[i] : all.items[i - args->count], &out) && good;
    json_close_list(&out);
    if (cli->json && !say_json(cli, &json))
        return EXIT_UNDECIDED;
    return good ? EXIT_YES : EXIT_UNDECIDED;
}

/*
 * The administrator's own file; it is checked, since a root that does not load would deny every pull that needs it. It
 * is the last word: a name that had a repository has none from here on, else the next update would put that one's back.
 */
static int import_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct trust_values *values = values_;
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(trust_root_freep) struct trust_root *root = NULL;
    struct error err = ERROR_INIT;
    bool had = false;

    if (!trust_name_check(name_of(values), &err) || !input_read(args->items[0], LIMIT_TRUST_ROOT_BYTES, &bytes, &err) ||
        !trust_root_parse(buf_as_span(&bytes), &root, &err) ||
        !trust_state_forget(cli->root, name_of(values), &had, &err) ||
        !trust_install(cli->root, name_of(values), buf_as_span(&bytes), &err))
        return failed(cli, name_of(values), &err);
    if (had)
        say_hint(cli, "%s is no longer updated from a repository; \"pullguard trust init\" begins that anew",
                 name_of(values));
    if (!cli->json)
        printf("%s: %zu certificate authorities, %zu logs, %zu certificate logs, %zu timestamp authorities\n",
               name_of(values), root->authorities.count, root->logs.count, root->ct_logs.count,
               root->timestamp_authorities.count);
    return EXIT_YES;
}

#define TRUST_OPTION(option, value, member, help)                                                                      \
    {                                                                                                                  \
        option, 0, OPTION_TEXT, value, offsetof(struct trust_values, member), help                                     \
    }
#define NAME_OPTION TRUST_OPTION("name", "NAME", name, "name of the trust root in policies; default " PUBLIC_GOOD)

static const struct option_spec init_options[] = {
    NAME_OPTION,
    TRUST_OPTION("mirror", "URL", mirror, "TUF repository; default " PUBLIC_GOOD_URL),
    TRUST_OPTION("initial-root", "FILE", initial_root,
                 "a root.json of that repository that you trust, of any age; default the built-in one"),
    TRUST_OPTION("root-checksum", "SHA256", checksum, "refuse the first root when it has another digest"),
};
static const struct option_spec import_options[] = { NAME_OPTION };

const struct command command_trust_init = {
    .name = "trust init",
    .usage = "[options]",
    .summary = "bring a trust root from a TUF repository for the first time",
    .details =
        "Without options: the trust root of the public-good Sigstore instance, from a root.json that is part of\n"
        "pullguard. Another repository wants a root.json of its own. From there it follows the repository's roots to\n"
        "today's, which must not have expired, and installs its trusted_root.json for policies that name it\n"
        "(trustRootRef). The address is kept for \"trust update\".\n\n"
        "Exit status: 0 done, 2 not done.",
    OPTIONS(init_options, struct trust_values),
    .max_args = 0,
    .run = init_run,
};

const struct command command_trust_update = {
    .name = "trust update",
    .usage = "[NAME]...",
    .summary = "refresh the trust roots that were brought with trust init",
    .details = "Refreshes trust roots from their repositories; without a name, all that have one. A failed update "
               "leaves what was\n"
               "installed. pullguard-trust.timer does this once a day.\n\n"
               "Exit status: 0 done, 1 there is nothing to update, 2 some update failed.",
    .max_args = ARGS_ANY,
    .run = update_run,
};

const struct command command_trust_import = {
    .name = "trust import",
    .usage = "[--name NAME] FILE",
    .summary = "install a trusted_root.json (or a PEM chain) from a file",
    .details =
        "Installs a trust root from a file, for nodes without a network: a trusted_root.json, or the PEM chain of an\n"
        "authority of your own. The file is checked first. Nothing in it says when it was made: \"trust show\" and\n"
        "\"doctor\" count its age from the import. A name that was updated from a repository is so no longer.\n\n"
        "Exit status: 0 done, 2 not done.",
    OPTIONS(import_options, struct trust_values),
    .min_args = 1,
    .max_args = 1,
    .run = import_run,
};
