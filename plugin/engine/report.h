/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker leaves to the resident engine before it ends: things worth keeping for the next request. One way, whole
 * messages, over a socket of the worker's own. Both ends are the engine; a worker that is killed leaves nothing.
 */
#ifndef PG_PLUGIN_ENGINE_REPORT_H
#define PG_PLUGIN_ENGINE_REPORT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum report_type {
    REPORT_VERDICT = 60,  /* a sealed entry of the verdict cache */
    REPORT_PROVIDER = 61, /* what a credential provider answered */
};

/* The worker's side; does nothing on socket -1, and gives up silently: what is not kept is worked out again. */
void report_send(int socket, enum report_type type, struct span bytes);

/* The engine's side. */
struct report_channel {
    int socket; /* -1 = none */
    struct buf pending;
};
typedef void report_fn(void *context, enum report_type type, struct span bytes);

void report_open(struct report_channel *channel, int socket);
/* Takes what has come, without waiting. */
void report_receive(struct report_channel *channel, report_fn *each, void *context);
void report_close(struct report_channel *channel); /* overwrites what is left */

#endif
