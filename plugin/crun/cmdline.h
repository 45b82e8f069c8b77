/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was crun asked to do? Read from its own arguments, because a handler is told nothing about the command, and is
 * also consulted for exec, list, kill and delete, which a gate must never disturb.
 */
#ifndef PG_PLUGIN_CRUN_CMDLINE_H
#define PG_PLUGIN_CRUN_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

enum crun_command {
    CRUN_OTHER = 0, /* anything that starts no new container: not our business */
    CRUN_CREATE,
    CRUN_RUN,
    CRUN_RESTORE, /* brings a container back from a checkpoint: a start too */
};

struct crun_call {
    enum crun_command command;
    const char *bundle; /* as given; NULL = the working directory */
    const char *config; /* --config FILE; NULL = config.json in the bundle */
    const char *id;
};

/*
 * args: the NUL-separated bytes of /proc/self/cmdline; what ret points to lives in them.
 * false (BAD_REQUEST): a container would start, but an argument is not understood; the caller refuses. Arguments of
 * other commands are never judged.
 */
bool crun_call_parse(struct span args, struct crun_call *ret, struct error *err) MUST_CHECK;

#endif
