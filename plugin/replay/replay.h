/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence files: everything a decision was made of, so that it can be made again elsewhere, offline. */
#ifndef PG_PLUGIN_REPLAY_REPLAY_H
#define PG_PLUGIN_REPLAY_REPLAY_H

#include "base/buf.h"
#include "plugin/engine/judge.h"
#include "plugin/message.h"
#include "verifier/evidence.h"

void replay_write(struct buf *buf, const struct judge_input *input, const struct evidence_set *evidence,
                  const struct response *response);

#endif
