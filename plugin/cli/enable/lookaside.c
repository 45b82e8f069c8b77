/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRI-O, podman and everything else that uses containers' image library: the look-aside store that asks pullguard
 * (crio.md sections 2 to 4). policy.json demands, for every registry a policy names, an endorsement by this node's key,
 * and refuses the rest; registries.d sends the question to the endorser on loopback.
 */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/enable/enable.h"
#include "plugin/cli/enable/ledger.h"
#include "plugin/cli/enable/registries.h"
#include "plugin/cli/say.h"
#include "plugin/crio/node_key.h"

enum { TEXT_MAX_BYTES = 1024 * 1024 };

#define GENERATED                                                                                                      \
    "# Written by \"pullguard enable\"; \"pullguard disable\" gives back what was here. Changes are overwritten.\n"

/* Where pullguard-endorser listens unless its unit says otherwise. */
#define ENDORSER_ADDRESS "127.0.0.1:14242"

struct lookaside {
    struct names hosts;
};

static void lookaside_done(struct lookaside *lookaside)
{
    names_free(&lookaside->hosts);
}

static bool lookaside_init(const struct cli *cli, struct lookaside *ret, struct error *err)
{
    bool open = false;

    if (!registries_of_policies(cli->root, &ret->hosts, &open, err))
        return false;
    if (ret->hosts.count == 0)
        return error_set(
            err, REASON_POLICY_ERROR,
            "no policy names a registry, so every pull would be refused; add a policy whose glob begins with a "
            "registry's name, as registry.example.com/**");
    if (open)
        say_error(cli,
                  "note: some glob names no registry (as ** or *.example.com/**); these runtimes need each registry by "
                  "name, and refuse the ones that no glob names");
    return true;
}

static bool add_registries_d(struct changes *changes, const struct lookaside *lookaside, struct error *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX_BYTES);

    buf_str(&text, GENERATED "default-docker:\n  lookaside: http://" ENDORSER_ADDRESS "/v1/_unknown\ndocker:\n");
    for (size_t i = 0; i < lookaside->hosts.count; i++)
        buf_printf(&text, "  \"%s\":\n    lookaside: http://" ENDORSER_ADDRESS "/v1/%s\n", lookaside->hosts.items[i],
                   lookaside->hosts.items[i]);
    if (!buf_ok(&text))
        return error_oom(err);
    return changes_add_file(changes, "/etc/containers/registries.d/50-pullguard.yaml", buf_cstr(&text), err);
}

static bool add_auth_helper(struct changes *changes, struct error *err)
{
    return changes_add_file(changes, "/etc/containers/registries.conf.d/50-pullguard.conf",
                            GENERATED "# Hands the exact reference and this pull's credentials to pullguard.\n"
                                      "additional-layer-store-auth-helper = \"" PG_LIBEXECDIR
                                      "/pullguard-layer-auth\"\n",
                            err);
}

static void put_requirement(struct buf *text, const char *scope, bool last)
{
    /* Hosts come from policies, whose globs hold letters, digits and - _ : / * . @ only: nothing to escape. */
    buf_printf(text,
               "      \"%s\": [\n        {\n          \"type\": \"sigstoreSigned\",\n          \"keyPath\": \"%s\",\n"
               "          \"signedIdentity\": { \"type\": \"matchRepository\" }\n        }\n      ]%s\n",
               scope, NODE_KEY_PUBLIC_PATH, last ? "" : ",");
}

/* containers-storage holds what was let in already: builds and commits read from it. */
static bool add_policy_json(struct changes *changes, const struct lookaside *lookaside, const char *path,
                            struct error *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX_BYTES);

    buf_str(&text, "{\n  \"default\": [ { \"type\": \"reject\" } ],\n  \"transports\": {\n    \"docker\": {\n");
    for (size_t i = 0; i < lookaside->hosts.count; i++)
        put_requirement(&text, lookaside->hosts.items[i], i + 1 == lookaside->hosts.count);
    buf_str(&text, "    },\n    \"containers-storage\": {\n      \"\": [ { \"type\": \"insecureAcceptAnything\" } ]\n  "
                   "  }\n  }\n}\n");
    if (!buf_ok(&text))
        return error_oom(err);
    return changes_add_file(changes, path, buf_cstr(&text), err);
}

/* Without the public half the requirement cannot be read and every pull is refused. */
static bool need_node_key(const struct cli *cli, struct error *err)
{
    CLEANUP(privkey_freep) struct privkey *key = NULL;

    return ledger_directory(cli->root, err) && node_key_open(cli->root, &key, err);
}

bool plan_podman(const struct cli *cli, struct changes *changes, struct error *err)
{
    CLEANUP(lookaside_done) struct lookaside lookaside = { 0 };

    return lookaside_init(cli, &lookaside, err) && need_node_key(cli, err) &&
           add_registries_d(changes, &lookaside, err) && add_auth_helper(changes, err) &&
           add_policy_json(changes, &lookaside, "/etc/containers/policy.json", err);
}

bool plan_crio(const struct cli *cli, struct changes *changes, struct error *err)
{
    CLEANUP(lookaside_done) struct lookaside lookaside = { 0 };

    return lookaside_init(cli, &lookaside, err) && need_node_key(cli, err) &&
           add_registries_d(changes, &lookaside, err) && add_auth_helper(changes, err) &&
           add_policy_json(changes, &lookaside, PG_CONFDIR "/crio-policy.json", err) &&
           changes_add_file(changes, "/etc/crio/crio.conf.d/50-pullguard.conf",
                            GENERATED "# Named here, the policy is checked again at every container start.\n"
                                      "[crio.image]\nsignature_policy = \"" PG_CONFDIR "/crio-policy.json\"\n",
                            err);
}
