/* SPDX-License-Identifier: Apache-2.0 */
/* From one look-aside request to one HTTP response: ask the engine, sign when it allows. */
#ifndef PG_PLUGIN_CRIO_ENDORSE_H
#define PG_PLUGIN_CRIO_ENDORSE_H

#include "base/buf.h"
#include "crypto/privkey.h"
#include "plugin/crio/pulls.h"

struct endorser {
    const char *root;              /* --root */
    const struct privkey *node_key; /* as node_key_open gave it */
    struct pulls pulls;
};

/*
 * Appends the whole HTTP response for a request's path. 200 with the endorsement for number 1 of an image the policy
 * allows; 404 for higher numbers; 403 with the reason when the policy does not allow it; 503 when nothing could be
 * decided; 400 for another path. Anything but 200 and 404 makes the image library refuse the pull.
 */
void endorse(struct endorser *endorser, struct span target, struct buf *ret);

#endif
