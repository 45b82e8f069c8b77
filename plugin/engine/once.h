/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of one request: reads it from the socket, decides, records, answers, ends. */
#ifndef PG_PLUGIN_ENGINE_ONCE_H
#define PG_PLUGIN_ENGINE_ONCE_H

struct engine_options {
    const char *root;    /* "" = none */
    const char *libexec; /* where pullguard-fetch is; NULL = as configured */
};

/* The process's exit status: 0 when an answer was given, whatever it says. */
int engine_once(const struct engine_options *options, int socket);

#endif
