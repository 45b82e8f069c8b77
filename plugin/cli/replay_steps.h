/* SPDX-License-Identifier: Apache-2.0 */
/* What replay --explain says about each signature: every step of its verification, and the section that asks for it. */
#ifndef PG_PLUGIN_CLI_REPLAY_STEPS_H
#define PG_PLUGIN_CLI_REPLAY_STEPS_H

#include "base/tree.h"
#include "plugin/cli/cli.h"

/* report: the engine's report of a decision (policy_decision.report). */
void replay_steps_print(const struct cli *cli, const struct node *report);

#endif
