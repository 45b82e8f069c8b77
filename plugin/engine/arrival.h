/* SPDX-License-Identifier: Apache-2.0 */
/* A request on its way into the resident engine: read as it comes, so that a slow client delays nobody else. */
#ifndef PG_PLUGIN_ENGINE_ARRIVAL_H
#define PG_PLUGIN_ENGINE_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "plugin/message.h"

struct arrival {
    int socket; /* -1 = free */
    int64_t began_us;
    struct buf message;
    bool whole; /* request is valid; nothing more is read */
    struct request request;
};

enum arrival_state { ARRIVAL_MORE = 0, ARRIVAL_WHOLE, ARRIVAL_BAD, ARRIVAL_NOTHING };

void arrival_begin(struct arrival *arrival, int socket); /* takes the socket, which must not block */
/*
 * Takes what has come. BAD: err says why; also when the time for it is over. NOTHING: it has left, or its time is over,
 * without a word.
 */
enum arrival_state arrival_read(struct arrival *arrival, struct error *err);
/* Closes, and overwrites what was secret. */
void arrival_end(struct arrival *arrival);

#endif
