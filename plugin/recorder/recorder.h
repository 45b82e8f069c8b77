/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the node's logs about a decision: journal (or syslog), JSON line, audit log, metrics. Never changes a verdict,
 * and never takes long: whatever fails here is noted in the journal at most.
 */
#ifndef PG_PLUGIN_RECORDER_RECORDER_H
#define PG_PLUGIN_RECORDER_RECORDER_H

#include "plugin/engine/settings.h"
#include "plugin/message.h"

/* request may be empty, settings may be zeroed (when they were what could not be read). */
void recorder_decision(const char *root, const struct settings *settings, const struct request *request,
                       const struct response *response);

#endif
