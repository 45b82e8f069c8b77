/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_RECORDER_JOURNAL_H
#define PG_PLUGIN_RECORDER_JOURNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/recorder/record.h"

/* To the journal when its socket is there, else to syslog's. False: neither took it. */
bool journal_send(const char *root, const struct record *record, struct error *err) MUST_CHECK;

/*
 * Entries of this process, and of its forks, say that they are about that one (OBJECT_PID, systemd.journal-fields(7)):
 * a process that has ended when journald looks is of no unit any more, and `journalctl -u` would not show its decision.
 */
void journal_speak_for(pid_t service);

#endif
