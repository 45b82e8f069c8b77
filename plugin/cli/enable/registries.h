/* SPDX-License-Identifier: Apache-2.0 */
/* The registries that the node's policies name, for configurations that have to list them one by one. */
#ifndef PG_PLUGIN_CLI_ENABLE_REGISTRIES_H
#define PG_PLUGIN_CLI_ENABLE_REGISTRIES_H

#include "base/buf.h"
#include "base/file.h"
#include "plugin/cli/cli.h"

/*
 * Hosts that globs of the policies in force name literally (the registry.example.com in front of its first slash),
 * sorted, each once, docker.io for Docker Hub. native gets policy_set_native's list.
 * ret_open: some glob names no host, so pulls from other hosts may be meant.
 */
bool registries_of_policies(const char *root, struct names *ret, bool *ret_open, struct buf *native, struct error *err)
    MUST_CHECK;

/*
 * Mirrors and rewritten locations in containers' registries.conf: the image library looks for signatures under the
 * place that an image is pulled from, and the endorsement is about the name that was asked for.
 */
struct mirror {
    char *location; /* as the mirror is called: "mirror.example.com", "mirror.example.com/cache" */
    char *base;     /* what goes behind the endorser's /v1/: "registry.example.com", "registry.example.com/-1" */
    char *prefix;   /* what it stands for */
};
struct mirrors {
    struct mirror *items;
    size_t count, capacity;
    struct names refused; /* sentences: places whose images cannot be led back to one name, and why */
};
void mirrors_done(struct mirrors *mirrors);
/* Those that stand for one of the hosts. Reads registries.conf and registries.conf.d of the node. */
bool mirrors_of_registries(const char *root, const struct names *hosts, struct mirrors *ret,
                           struct error *err) MUST_CHECK;

#endif
