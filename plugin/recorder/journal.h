/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_RECORDER_JOURNAL_H
#define PG_PLUGIN_RECORDER_JOURNAL_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/recorder/record.h"

/* To the journal when its socket is there, else to syslog's. False: neither took it. */
bool journal_send(const char *root, const struct record *record, struct error *err) MUST_CHECK;

#endif
