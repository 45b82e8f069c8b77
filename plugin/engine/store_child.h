/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child beside the judge that reads the directories which policies name as sources (verifier/store.h): files, and no
 * network. The judge asks it over a socket and gets evidence, as it gets it from the fetcher through the engine.
 */
#ifndef PG_PLUGIN_ENGINE_STORE_CHILD_H
#define PG_PLUGIN_ENGINE_STORE_CHILD_H

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/engine/judge.h"
#include "plugin/engine/sandbox.h"
#include "verifier/evidence.h"

/*
 * Starts it when some policy names a directory; *ret_socket is -1 otherwise. Called by the judge's process before its
 * own sandbox. The child ends when the socket closes.
 */
bool store_child_start(const struct judge_input *input, const struct sandbox *sandbox, int *ret_socket,
                       struct error *err) MUST_CHECK;

/* One answer; blocks. UNAVAILABLE when the child is gone, MALFORMED for what is no answer. */
bool store_child_ask(int socket, const struct want *want, struct evidence *ret, struct error *err) MUST_CHECK;

#endif
