/* SPDX-License-Identifier: Apache-2.0 */
/* The resident engine's socket when no service manager holds it, and who may speak to it. */
#ifndef PG_PLUGIN_ENGINE_LISTENER_H
#define PG_PLUGIN_ENGINE_LISTENER_H

#include <stdbool.h>

/* Listening below root, not blocking; -1 with errno when it cannot be made. */
int listener_make(const char *root);
/* Is the other side one that may make this engine speak to registries? */
bool listener_welcomes(int client);

#endif
