/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge's report, for people and for the verify commands' output. It is JSON from our own engine, but it carries
 * text from registries and signers: whatever is shown goes through text_clean.
 */
#ifndef PG_PLUGIN_CLI_REPORT_H
#define PG_PLUGIN_CLI_REPORT_H

#include "base/tree.h"
#include "plugin/cli/cli.h"

/* Every policy with its authorities, every signature, and why each did or did not do. */
void report_print(const struct cli *cli, const struct node *report);

/* The claims that satisfied some authority, each once, in the report's order. Returns how many; `places` has room for
 * max. */
size_t report_satisfying(const struct node *report, const struct node **places, size_t max);

/* A string member, "" when absent. */
struct span report_text(const struct node *map, const char *name);
bool report_flag(const struct node *map, const char *name);

#endif
