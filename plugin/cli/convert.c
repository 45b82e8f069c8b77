/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard policy convert: between ClusterImagePolicy and containers' policy.json, refusing what does not map. */
#include <string.h>

#include "base/limits.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/policies.h"
#include "plugin/cli/say.h"

struct convert_values {
    const char *keys;
    const char *trust;
};

static bool load_all(const struct names *files, const struct policy_source *source, struct policy_set *set,
                     struct error *err)
{
    for (size_t i = 0; i < files->count; i++)
        if (!policies_add(set, files->items[i], source, err))
            return false;
    return true;
}

static int convert_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct convert_values *values = values_;
    CLEANUP(policies_places_done) struct policies_places places = { 0 };
    CLEANUP(names_free) struct names files = { 0 };
    CLEANUP(policy_set_freep) struct policy_set *set = policy_set_new();
    CLEANUP(buf_free) struct buf text = BUF_INIT(4 * LIMIT_POLICY_FILE_BYTES);
    struct policy_source source;
    struct error err = ERROR_INIT;

    if (set == NULL)
        error_oom(&err);
    if (set == NULL || !policies_places_init(&places, cli->root, values->keys, values->trust, FILE_ANY, &err) ||
        !policies_find(cli->root, args, &files, &err))
        return say_failed(cli, &err);
    source = policies_source(&places);
    if (!load_all(&files, &source, set, &err) || !policy_convert(set, &text, &err)) {
        say_error(cli, "%s", err.text);
        return err.reason == REASON_UNSUPPORTED ? EXIT_NO : EXIT_UNDECIDED;
    }
    if (!buf_ok(&text)) {
        say_error(cli, "the result is too large");
        return EXIT_UNDECIDED;
    }
    fwrite(text.ptr, 1, text.len, stdout);
    return EXIT_YES;
}

#define CONVERT_OPTION(name, value, member, help)                                                                      \
    {                                                                                                                  \
        name, 0, OPTION_TEXT, value, offsetof(struct convert_values, member), help                                     \
    }

static const struct option_spec options[] = {
    CONVERT_OPTION("keys", "DIR", keys, "directory of the key files that policies name"),
    CONVERT_OPTION("trust", "DIR", trust, "directory of the trust roots that policies name"),
};

const struct command command_policy_convert = {
    .name = "policy convert",
    .usage = "[options] [FILE|DIR]...",
    .summary = "convert between ClusterImagePolicy and containers' policy.json",
    .details =
        "Writes ClusterImagePolicy documents as one containers policy.json, or a policy.json as ClusterImagePolicy, "
        "to\n"
        "standard output. What does not mean the same in the other form is refused, with its place and the reason.\n\n"
        "Exit status: 0 converted, 1 does not map, 2 the input does not load.",
    OPTIONS(options, struct convert_values),
    .min_args = 0,
    .max_args = ARGS_ANY,
    .run = convert_run,
};
