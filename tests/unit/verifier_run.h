/* SPDX-License-Identifier: Apache-2.0 */
/* One verification against a registry in memory: one place, one key. run_begin ... run_go ... run_done. */
#ifndef PG_TESTS_UNIT_VERIFIER_RUN_H
#define PG_TESTS_UNIT_VERIFIER_RUN_H

#include <check.h>
#include <string.h>

#include "tests/lib/test_registry.h"
#include "verifier/claims.h"
#include "verifier/verify.h"

struct run {
    struct test_registry registry;
    struct evidence_set set;
    struct claims claims;
    struct verify_key anchor;
    struct verify_place place;
    struct verify_input input; /* the image is the test's to set */
    struct pubkey *own_key; /* freed at the end; NULL = the key is somebody else's */
    size_t rounds;
};

/* The key is borrowed, unless it becomes own_key too. */
static inline void run_begin(struct run *run, const struct pubkey *key, const char *repository, bool signatures,
                             bool attestations)
{
    memset(run, 0, sizeof(*run));
    run->anchor = (struct verify_key){key, DIGEST_NONE};
    run->place = (struct verify_place){TEST_HOST, repository, "", signatures, attestations};
    run->input = (struct verify_input){.places = &run->place, .place_count = 1, .keys = &run->anchor, .key_count = 1};
}

static inline void run_go(struct run *run)
{
    struct error err = ERROR_INIT;

    run->rounds = test_registry_run(&run->registry, &run->input, &run->set);
    ck_assert_msg(verify_claims(&run->input, &run->set, &run->claims, &err), "%s", err.text);
}

static inline void run_done(struct run *run)
{
    claims_done(&run->claims);
    evidence_set_done(&run->set);
    test_registry_done(&run->registry);
    pubkey_free(run->own_key);
}

#endif
