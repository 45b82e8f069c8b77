/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRI-O, podman and everything else that uses containers' image library: the look-aside store that asks pullguard
 * (crio.md sections 2 to 4). policy.json demands, for every registry a policy names, an endorsement by this node's key,
 * and refuses the rest; registries.d sends the question to the endorser on loopback.
 */
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/tree.h"
#include "config.h"
#include "plugin/cli/doctor/stores.h"
#include "plugin/cli/enable/enable.h"
#include "plugin/cli/enable/ledger.h"
#include "plugin/cli/enable/registries.h"
#include "plugin/cli/say.h"
#include "plugin/crio/node_key.h"
#include "plugin/engine/settings.h"

#define REGISTRIES_D_PATH "/etc/containers/registries.d/50-pullguard.yaml"

enum { TEXT_MAX_BYTES = 1024 * 1024 };

#define GENERATED                                                                                                      \
    "# Written by \"pullguard enable\"; \"pullguard disable\" gives back what was here. Changes are overwritten.\n"

struct lookaside {
    struct settings settings; /* where the endorser listens */
    struct names hosts;   /* registries that policies name */
    struct mirrors mirrors;
    struct buf native;    /* JSON: what the native check can demand beside ours */
    struct tree *scopes;  /* its tree */
};

static void lookaside_done(struct lookaside *lookaside)
{
    settings_done(&lookaside->settings);
    names_free(&lookaside->hosts);
    mirrors_done(&lookaside->mirrors);
    tree_free(lookaside->scopes);
    buf_free(&lookaside->native);
}

static bool lookaside_init(const struct cli *cli, struct lookaside *ret, struct error *err)
{
    bool open = false;

    ret->native = (struct buf)BUF_INIT(TEXT_MAX_BYTES);
    if (!settings_load(cli->root, &ret->settings, err) ||
        !registries_of_policies(cli->root, &ret->hosts, &open, &ret->native, err) ||
        !json_parse(buf_as_span(&ret->native), "native requirements", TREE_NO_PLACES, &ret->scopes, err) ||
        !mirrors_of_registries(cli->root, &ret->hosts, &ret->mirrors, err))
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
    for (size_t i = 0; i < ret->mirrors.refused.count; i++)
        say_error(cli, "note: pulls through this mirror are refused: %s", ret->mirrors.refused.items[i]);
    return true;
}

static const struct node *first_scope(const struct lookaside *lookaside)
{
    return tree_root(lookaside->scopes)->child;
}

static struct span scope_name(const struct node *scope)
{
    const struct node *name = node_get(scope, "scope");

    return node_is(name, NODE_STRING) ? name->text : span_str("");
}

/* Scopes with a native requirement, other than whole registries, which are in the list of hosts anyway. */
static bool is_host(const struct lookaside *lookaside, struct span scope)
{
    for (size_t i = 0; i < lookaside->hosts.count; i++)
        if (span_eq_str(scope, lookaside->hosts.items[i]))
            return true;
    return false;
}

static bool has_native(const struct lookaside *lookaside, const char *scope)
{
    for (const struct node *one = first_scope(lookaside); one != NULL; one = one->next)
        if (span_eq_str(scope_name(one), scope))
            return true;
    return false;
}

/* base: what goes behind /v1/. */
static void put_store(struct buf *text, const struct lookaside *lookaside, struct span scope, struct span base,
                      bool attachments)
{
    buf_printf(text, "  \"%.*s\":\n    lookaside: http://%s/v1/%.*s\n", (int)scope.len, (const char *)scope.ptr,
               lookaside->settings.endorser_listen, (int)base.len, (const char *)base.ptr);
    if (attachments)
        buf_str(text, "    use-sigstore-attachments: true\n");
}

/* The part of a scope before its first slash: the look-aside path begins with the host. */
static struct span host_of_scope(struct span scope)
{
    return span_cut(scope, 0, span_find_byte(scope, '/'));
}

/* Some image of the mirror's registry has a native requirement: its signature has to be looked for at the mirror. */
static bool mirror_needs_attachments(const struct lookaside *lookaside, const struct mirror *mirror)
{
    for (const struct node *scope = first_scope(lookaside); scope != NULL; scope = scope->next)
        if (span_eq(host_of_scope(scope_name(scope)), host_of_scope(span_str(mirror->prefix))))
            return true;
    return false;
}

/*
 * The library refuses every pull of every registry when a scope stands in two files; distributions bring files for some
 * registries.
 */
static bool check_alone(const char *root, struct span text, struct error *err)
{
    CLEANUP(mem_freep) char *own = path_under(root, REGISTRIES_D_PATH);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(stores_done) struct stores ours = { 0 };
    CLEANUP(stores_done) struct stores there = { 0 };

    if (own == NULL)
        return error_oom(err);
    if (!yaml_parse(text, REGISTRIES_D_PATH, &tree, err) || !stores_read(own, tree_root(tree), &ours, err) ||
        !stores_load(root, &there, err))
        return false;
    for (size_t i = 0; i < there.count; i++)
        for (size_t j = 0; j < ours.count; j++)
            if (strcmp(there.items[i].path, own) != 0 && strcmp(there.items[i].scope, ours.items[j].scope) == 0)
                return error_set(err, REASON_POLICY_ERROR,
                                 "%.200s has the scope \"%.100s\" too, and the image library refuses every pull when a "
                                 "scope stands in two files; take it out of that file first",
                                 there.items[i].path, there.items[i].scope);
    return true;
}

/* Without default-docker: it may stand once, other files have it, and policy.json refuses what no scope names. */
static bool add_registries_d(struct changes *changes, const struct lookaside *lookaside, struct error *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX_BYTES);

    buf_str(&text, GENERATED "docker:\n");
    for (size_t i = 0; i < lookaside->hosts.count; i++)
        put_store(&text, lookaside, span_str(lookaside->hosts.items[i]), span_str(lookaside->hosts.items[i]),
                  has_native(lookaside, lookaside->hosts.items[i]));
    for (const struct node *scope = first_scope(lookaside); scope != NULL; scope = scope->next)
        if (!is_host(lookaside, scope_name(scope)))
            put_store(&text, lookaside, scope_name(scope), host_of_scope(scope_name(scope)), true);
    /* The library asks by the mirror's name; the endorsement is about the image's own. */
    for (size_t i = 0; i < lookaside->mirrors.count; i++)
        put_store(&text, lookaside, span_str(lookaside->mirrors.items[i].location),
                  span_str(lookaside->mirrors.items[i].base),
                  mirror_needs_attachments(lookaside, &lookaside->mirrors.items[i]));
    if (!buf_ok(&text))
        return error_oom(err);
    return check_alone(changes->root, buf_as_span(&text), err) &&
           changes_add_file(changes, REGISTRIES_D_PATH, buf_cstr(&text), err);
}

static bool add_auth_helper(struct changes *changes, struct error *err)
{
    return changes_add_file(changes, "/etc/containers/registries.conf.d/50-pullguard.conf",
                            GENERATED "# Hands the exact reference and this pull's credentials to pullguard.\n"
                                      "additional-layer-store-auth-helper = \"" PG_LIBEXECDIR
                                      "/pullguard-layer-auth\"\n",
                            err);
}

/* Names come from policies, whose globs hold letters, digits and - _ : / . @ only: nothing to escape. */
static void put_node_key(struct buf *text)
{
    buf_str(text, "        {\n          \"type\": \"sigstoreSigned\",\n          \"keyPath\": \"" NODE_KEY_PUBLIC_PATH
                  "\",\n          \"signedIdentity\": { \"type\": \"matchRepository\" }\n        }");
}

/* One native requirement: any of these keys. */
static void put_native(struct buf *text, const struct node *keys)
{
    buf_str(text, ",\n        {\n          \"type\": \"sigstoreSigned\",\n          \"keyDatas\": [");
    for (const struct node *key = keys->child; key != NULL; key = key->next) {
        buf_str(text, key == keys->child ? " \"" : ", \"");
        base64_encode(key->text, text);
        buf_byte(text, '"');
    }
    buf_str(text, " ],\n          \"signedIdentity\": { \"type\": \"matchRepository\" }\n        }");
}

static void put_scope(struct buf *text, struct span name, const struct node *scope, bool first)
{
    const struct node *requirements = node_get(scope, "requirements");

    buf_printf(text, "%s\n      \"%.*s\": [\n", first ? "" : ",", (int)name.len, (const char *)name.ptr);
    put_node_key(text);
    for (const struct node *keys = node_is(requirements, NODE_LIST) ? requirements->child : NULL; keys != NULL;
         keys = keys->next)
        put_native(text, keys);
    buf_str(text, "\n      ]");
}

static const struct node *find_scope(const struct lookaside *lookaside, const char *name)
{
    for (const struct node *scope = first_scope(lookaside); scope != NULL; scope = scope->next)
        if (span_eq_str(scope_name(scope), name))
            return scope;
    return NULL;
}

/* containers-storage holds what was let in already: builds and commits read from it. */
static bool add_policy_json(struct changes *changes, const struct lookaside *lookaside, const char *path,
                            struct error *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX_BYTES);

    buf_str(&text, "{\n  \"default\": [ { \"type\": \"reject\" } ],\n  \"transports\": {\n    \"docker\": {");
    for (size_t i = 0; i < lookaside->hosts.count; i++)
        put_scope(&text, span_str(lookaside->hosts.items[i]), find_scope(lookaside, lookaside->hosts.items[i]), i == 0);
    for (const struct node *scope = first_scope(lookaside); scope != NULL; scope = scope->next)
        if (!is_host(lookaside, scope_name(scope)))
            put_scope(&text, scope_name(scope), scope, false);
    buf_str(&text, "\n    },\n    \"containers-storage\": {\n      \"\": [ { \"type\": \"insecureAcceptAnything\" } ]\n"
                   "    }\n  }\n}\n");
    if (!buf_ok(&text))
        return error_oom(err);
    return changes_add_file(changes, path, buf_cstr(&text), err);
}

/* Without the public half the requirement cannot be read and every pull is refused. */
static bool need_node_key(const struct cli *cli, struct error *err)
{
    CLEANUP(pubkey_freep) struct pubkey *key = NULL;

    return ledger_directory(cli->root, err) && node_key_check(cli->root, &key, err);
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
