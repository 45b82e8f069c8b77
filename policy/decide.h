/* SPDX-License-Identifier: Apache-2.0 */
/* Between decide.c (policies), decide_authority.c (one authority) and report.c. */
#ifndef PG_POLICY_DECIDE_H
#define PG_POLICY_DECIDE_H

#include "policy/check.h"
#include "policy/threshold.h"

/* What an authority or a policy came to. */
struct result {
    struct outcome outcome;     /* when not satisfied: the best failure */
    const struct authority *authority; /* whose outcome it is */
    char *key_id;               /* owned; the signer that satisfied, NULL for static */
    bool is_static;             /* satisfied by static: pass */
};
void result_done(struct result *result);

/* signers: gets every signer that satisfied the authority (for thresholds above it). false only for internal errors. */
bool decide_authority(const struct decide *decide, const struct authority *authority, struct signers *signers,
                      size_t entry, struct result *ret) MUST_CHECK;

/* report.c: each does nothing without a report. */
void report_begin(const struct decide *decide);
void report_policy_begin(const struct decide *decide, const struct policy *policy, const struct policy_glob *glob);
void report_authority_begin(const struct decide *decide, const struct authority *authority);
void report_claim(const struct decide *decide, const struct requirement *requirement, size_t claim_index,
                  const struct outcome *outcome);
void report_authority_end(const struct decide *decide, const struct result *result);
void report_policy_end(const struct decide *decide, const struct result *result);
void report_end(const struct decide *decide, const struct policy_decision *decision);

#endif
