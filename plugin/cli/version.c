/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_out.h"
#include "config.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/say.h"

struct feature {
    const char *name;
    bool built;
};

static const struct feature features[] = {
    { "nri", HAVE_PROTOBUF_C },
    { "landlock", HAVE_LANDLOCK },
};

static int version_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args UNUSED)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(4096);
    struct json_out out = json_out_to(&json);

    if (!cli->json) {
        printf("pullguard %s\n", PG_VERSION);
        for (size_t i = 0; i < ARRAY_LEN(features); i++)
            printf("  %-10s %s\n", features[i].name, features[i].built ? "yes" : "no");
        printf("  engine     %s/pullguard-engine\n  settings   %s/pullguard.yaml\n", PG_LIBEXECDIR, PG_CONFDIR);
        return EXIT_YES;
    }
    json_open_map(&out, NULL);
    json_put_str(&out, "version", PG_VERSION);
    json_open_map(&out, "features");
    for (size_t i = 0; i < ARRAY_LEN(features); i++)
        json_put_bool(&out, features[i].name, features[i].built);
    json_close_map(&out);
    json_put_str(&out, "libexec", PG_LIBEXECDIR);
    json_put_str(&out, "configuration", PG_CONFDIR);
    json_close_map(&out);
    return say_json(cli, &json) ? EXIT_YES : EXIT_UNDECIDED;
}

const struct command command_version = {
    .name = "version",
    .usage = "[--json]",
    .summary = "show the version and what was built in",
    .details =
        "Shows the version, the optional parts that were built in, and where this installation looks for its files.",
    .max_args = 0,
    .run = version_run,
};
