/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting distinct signers. A pair (entry, signer) says that the signer satisfied an entry: a key or identity of an
 * authority, or an authority of a policy; a signer stands with every entry that it satisfied. Each entry counts once
 * and each signer counts once, so the count is that of a largest matching: one key under two names, two signatures by
 * one key, or one identity that fits two entries are one (policy.md trap 10).
 *
 * Who is one signer: whoever holds one key, and whoever has one identity. A certificate's signature is known by both,
 * so a key that signs by itself, in certificates, or under two identities is one; the relation is transitive.
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
    size_t signer; /* number of the identity, without one of the key */
};

struct signers {
    struct signer_pair *pairs; /* lowering count takes the last ones back */
    size_t count, capacity;
    struct table ids;          /* fingerprint or identity -> number, by first appearance */
    size_t *same;              /* per number: another of the same signer, its own at the end of such a chain */
    size_t same_capacity;
};

/* Notes that who holds this key, and has this identity (NULL = none), satisfied the entry. */
bool signers_add(struct signers *signers, size_t entry, const char *key, const char *identity,
                 struct error *err) MUST_CHECK;
bool signers_has_entry(const struct signers *signers, size_t entry);
/*
 * The size of a largest matching of entries (below entry_count) with signers. mandatory: entries that must be in it;
 * when they cannot all be, the result is 0. May be NULL when there are none.
 */
bool signers_distinct(const struct signers *signers, size_t entry_count, const size_t *mandatory,
                      size_t mandatory_count, size_t *ret_count, struct error *err) MUST_CHECK;
void signers_done(struct signers *signers);

#endif
