/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subjectHostname of a policy.json's pki: what Go's Certificate.VerifyHostname accepts, as containers/image asks it.
 * ASCII case does not count; a name in the certificate may begin with the label "*", which stands for exactly one; an
 * address is met by an address only. Nowhere else: a cluster's identities are compared as they stand.
 */
#ifndef PG_POLICY_HOSTNAME_H
#define PG_POLICY_HOSTNAME_H

#include <stdbool.h>

#include "verifier/claims.h"

/* Is the wanted host (or address, also in brackets) this alternative name of the certificate? */
bool hostname_matches(const char *wanted, enum san_kind kind, const char *found);

#endif
