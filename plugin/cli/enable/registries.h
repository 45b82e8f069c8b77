/* SPDX-License-Identifier: Apache-2.0 */
/* The registries that the node's policies name, for configurations that have to list them one by one. */
#ifndef PG_PLUGIN_CLI_ENABLE_REGISTRIES_H
#define PG_PLUGIN_CLI_ENABLE_REGISTRIES_H

#include "base/file.h"
#include "plugin/cli/cli.h"

/*
 * Hosts that globs of the policies in force name literally (the registry.example.com in front of its first slash),
 * sorted, each once, docker.io for Docker Hub. ret_open: some glob names no host, so pulls from other hosts may be
 * meant.
 */
bool registries_of_policies(const char *root, struct names *ret, bool *ret_open, struct error *err) MUST_CHECK;

#endif
