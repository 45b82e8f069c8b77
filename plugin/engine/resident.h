/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resident engine: keeps what takes time (parsed policies, verdicts, fetchers with their connections and tokens,
 * answers of credential providers). It reads requests as they come, answers from memory by itself, and forks a worker
 * for everything else, so that a slow client or registry delays nobody.
 */
#ifndef PG_PLUGIN_ENGINE_RESIDENT_H
#define PG_PLUGIN_ENGINE_RESIDENT_H

#include "plugin/engine/once.h"

/*
 * Serves until told to stop, or idle for as long as the settings say when a service manager holds the socket. The
 * socket is systemd's (LISTEN_FDS) or made below root. Returns the process's exit status.
 */
int engine_resident(const struct engine_options *options);

#endif
