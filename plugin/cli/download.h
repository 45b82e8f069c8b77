/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing what lies beside an image, without any judgement: shared by tree, download and collect. */
#ifndef PG_PLUGIN_CLI_DOWNLOAD_H
#define PG_PLUGIN_CLI_DOWNLOAD_H

#include "plugin/cli/cli.h"
#include "plugin/message.h"

struct download_values {
    bool insecure_registry, http_registry;
    const char *username, *password, *token;
    const char *timeout;
    const char *predicate_type;
};

#define DOWNLOAD_OPTION(name, kind, value, member, help) \
    { name, 0, kind, value, offsetof(struct download_values, member), help }
#define DOWNLOAD_OPTIONS \
    DOWNLOAD_OPTION("allow-insecure-registry", OPTION_FLAG, NULL, insecure_registry, \
                    "registry over plain HTTP or with an unverified certificate"), \
    DOWNLOAD_OPTION("allow-http-registry", OPTION_FLAG, NULL, http_registry, "as --allow-insecure-registry"), \
    DOWNLOAD_OPTION("registry-username", OPTION_TEXT, "NAME", username, "user name for the registry"), \
    DOWNLOAD_OPTION("registry-password", OPTION_TEXT, "TEXT", password, "password for the registry"), \
    DOWNLOAD_OPTION("registry-token", OPTION_TEXT, "TEXT", token, "identity token for the registry"), \
    DOWNLOAD_OPTION("timeout", OPTION_TEXT, "TIME", timeout, "limit, as 30s or 2m; default 1m")

/* Everything findable beside the image, as an evidence file in ret->evidence. Free ret with response_done. */
bool download_collect(const struct cli *cli, const struct download_values *values, const char *reference,
                      struct response *ret, struct error *err) MUST_CHECK;

#endif
