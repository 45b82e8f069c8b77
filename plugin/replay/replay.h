/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence files: everything a decision was made of (request without its secrets, policies, keys and trust roots as
 * bytes, evidence, time) and the verdict it got, in one file of base/wire.h records. The same judge gives the same
 * verdict from it on any machine, offline. They come from people: reading one is reading untrusted input.
 */
#ifndef PG_PLUGIN_REPLAY_REPLAY_H
#define PG_PLUGIN_REPLAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "plugin/engine/judge.h"
#include "plugin/engine/load.h"
#include "plugin/message.h"
#include "verifier/evidence.h"

/* Appends the file. Out of memory or too long: the buffer has failed. */
void replay_write(struct buf *buf, const struct judge_input *input, const struct evidence_set *evidence,
                  const struct response *response);

struct replay {
    int64_t time;             /* of the decision */
    char *version;            /* of the program that made it */
    struct request request;
    struct response then;     /* the verdict it got */
    struct response now;      /* the verdict the judge of this program gives; with a report */
    struct evidence_set evidence;
};

/* Takes the file apart: `now` stays empty, and its rules are not looked at. `file` must outlive ret. */
bool replay_read(struct span file, struct replay *ret, struct error *err) MUST_CHECK;

/*
 * Takes the file apart and loads its rules; `now` stays empty. For who judges by himself (the bench). `file` must
 * outlive ret.
 */
bool replay_open(struct span file, struct replay *ret, struct engine_config *ret_config, enum no_match *ret_no_match,
                 struct error *err) MUST_CHECK;

/*
 * Decides again. `file` must outlive ret. REASON_MALFORMED for what is no evidence file; a policy that does not load
 * any more is an error too, as it would be on a node.
 */
bool replay_run(struct span file, struct replay *ret, struct error *err) MUST_CHECK;
void replay_done(struct replay *replay);

#endif
