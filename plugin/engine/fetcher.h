/* SPDX-License-Identifier: Apache-2.0 */
/* The fetcher's process, seen from the engine: started early, so that libcurl loads while policies are read. */
#ifndef PG_PLUGIN_ENGINE_FETCHER_H
#define PG_PLUGIN_ENGINE_FETCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/engine/sandbox.h"
#include "plugin/process.h"

struct fetcher {
    struct child child;
    int socket; /* -1 = none */
    bool ready; /* it has said that its sandbox stands; nothing is sent to it before */
    uint8_t hello[1024]; /* that message, as far as it has come */
    size_t hello_len;
};

bool fetcher_start(const char *libexec, const struct sandbox *sandbox, struct fetcher *ret,
                   struct error *err) MUST_CHECK;
/* Takes what has come of the first message; true with `ready` still false = more to come. Does not block. */
bool fetcher_read_ready(struct fetcher *fetcher, struct error *err) MUST_CHECK;
/* Kills it; its parser ends with it. */
void fetcher_stop(struct fetcher *fetcher);
/* Why it is gone: "the fetcher was killed by signal 9". Reaps it. */
bool fetcher_failed(struct fetcher *fetcher, struct error *err);

#endif
