/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting distinct signers. A pair (entry, signer) says that the signer satisfied an entry: a key or identity of an
 * authority, or an authority of a policy. Each entry counts once and each signer counts once, so the count is that of a
 * largest matching: one key under two names, two signatures by one key, or one identity that fits two entries are one
 * (policy.md trap 10).
 */
#ifndef PG_POLICY_THRESHOLD_H
#define PG_POLICY_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"
#include "policy/table.h"

/* More pairs than this are not counted, which can only make a count too small. */
enum { SIGNER_PAIRS_MAX = 4096 };

struct signer_pair {
    size_t entry;
    size_t signer; /* number of the signer's id, by first appearance */
};

struct signers {
    struct signer_pair *pairs;
    size_t count, capacity;
    struct table ids; /* id -> number */
};

/* Notes that the signer with this id satisfied the entry. */
bool signers_add(struct signers *signers, size_t entry, const char *id, struct error *err) MUST_CHECK;
bool signers_has_entry(const struct signers *signers, size_t entry);
/*
 * The size of a largest matching of entries (below entry_count) with signers. mandatory: entries that must be in it;
 * when they cannot all be, the result is 0. May be NULL when there are none.
 */
bool signers_distinct(const struct signers *signers, size_t entry_count, const size_t *mandatory,
                      size_t mandatory_count, size_t *ret_count, struct error *err) MUST_CHECK;
void signers_done(struct signers *signers);

#endif
