/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root.json that "trust init" begins with: version 15 of the public-good Sigstore instance's, whose origin is told
 * in tests/vectors/sigstore-root-signing/SOURCE.md. It is part of the program and not a file beside it, because it is
 * believed without a proof: so it is exactly as trustworthy as the program, is there under every prefix and --root, and
 * nobody can damage or exchange it alone. That it grows old does no harm: the client follows the chain of roots from
 * here to the newest, and that one has to be in force.
 */
#ifndef PG_PLUGIN_CLI_TRUST_ANCHOR_H
#define PG_PLUGIN_CLI_TRUST_ANCHOR_H

#include "base/span.h"

#define PUBLIC_GOOD "public-good"
#define PUBLIC_GOOD_URL "https://tuf-repo-cdn.sigstore.dev"

struct span trust_anchor(void);

#endif
