/* SPDX-License-Identifier: Apache-2.0 */
/* cosign's PEM flags for an own authority, written as the trusted_root.json that the engine reads. */
#ifndef PG_PLUGIN_CLI_TRUST_JSON_H
#define PG_PLUGIN_CLI_TRUST_JSON_H

#include "base/buf.h"
#include "base/error.h"

/*
 * chain: one PEM file, intermediates first and root last; or roots with optional intermediates. Exactly one of chain
 * and roots is given. Each root becomes one authority whose chain is the intermediates and that root.
 */
bool trust_json_from_chain(const char *chain, const char *roots, const char *intermediates, struct buf *ret,
                           struct error *err) MUST_CHECK;

/*
 * The trust root (empty = nothing else is trusted) with one timestamp authority in place of its own: the PEM chain of a
 * file, the authority's own certificate first when it is there, its root last.
 */
bool trust_json_with_timestamps(struct span root, const char *chain, struct buf *ret, struct error *err) MUST_CHECK;

#endif
