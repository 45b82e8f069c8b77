/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes OpenSSL ready without its configuration file, environment or engines: what verifies must not depend on them.
 * Call once per program, before the sandbox: algorithms are fetched and a known signature is checked, so that nothing
 * is opened or loaded later. Cheap (well under a millisecond beyond the library's own start).
 */
#ifndef PG_CRYPTO_INIT_H
#define PG_CRYPTO_INIT_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"

bool crypto_init(struct error *err) MUST_CHECK;

#endif
