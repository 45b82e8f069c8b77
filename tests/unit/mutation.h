/* SPDX-License-Identifier: Apache-2.0 */
/* Mutants of stored samples: everything that one proves must be proven by the sample as it is. */
#ifndef PG_TESTS_UNIT_MUTATION_H
#define PG_TESTS_UNIT_MUTATION_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/lib/test_registry.h"
#include "tests/unit/harness.h"
#include "tests/unit/json_text.h"
#include "verifier/claims.h"
#include "verifier/discover.h"
#include "verifier/object.h"
#include "verifier/trustroot.h"
#include "verifier/verify.h"

static const struct {
    const char *repository, *key;
    bool attestation;
} samples[] UNUSED = {
    {"demo/legacy", "cosign.pub", false},         {"demo/bundle", "cosign.pub", false},
    {"demo/att-legacy", "cosign.pub", true},      {"demo/att-bundle", "cosign.pub", true},
    {"demo/sigs", "rsa2048.pub", false},          {"demo/exp", "cosign.pub", false},
    {"demo/kl-legacy", "cosign.pub", false},      {"demo/kl-legacy-tsa", "cosign.pub", false},
    {"demo/kl-att-legacy", "cosign.pub", true},   {"demo/kl-bundle-r1", "cosign.pub", false},
    {"demo/kl-bundle-r2", "cosign.pub", false},   {"demo/kl-att-r1", "cosign.pub", true},
    {"demo/kl-att-r2", "cosign.pub", true},       {"demo/key-legacy-r1", "cosign.pub", false},
    {"demo/key-bundle-r1", "cosign.pub", false},  {"demo/key-bundle-r2", "cosign.pub", false},
    {"demo/byo-bundle", "cosign.pub", false},     {"alg/legacy-ed25519", "ed25519.pub", false},
    {"alg/bundle-ed25519", "ed25519.pub", false}, {"alg/legacy-secp521r1", "secp521r1.pub", false},
    {"alg/bundle-secp384r1", "secp384r1.pub", false},
};

enum { COUNT = sizeof(samples) / sizeof(samples[0]) };

struct run {
    struct test_registry registry;
    struct evidence_set set;
    struct claims claims; /* of the sample as it is */
    struct pubkey *key;
    struct trust_root *root;
    const struct trust_root *roots[1];
    struct verify_key anchor;
    struct verify_place place;
    struct verify_input input;
    struct discovery discovery; /* what is found in the sample as it is */
    struct claims notes;
    size_t mutants, claimed;
};

static UNUSED void run_start(struct run *run, const char *repository, const char *key, bool attestation)
{
    bool own = strstr(repository, "byo") != NULL;
    struct span root = test_vector(own ? "keys/byo-pki/chain.pem" : "keys/mock_trusted_root.json");
    struct error err = ERROR_INIT;

    memset(run, 0, sizeof(*run));
    test_registry_load(&run->registry, repository);
    ck_assert(trust_root_parse(root, &run->root, &err));
    mem_free((void *)(uintptr_t)root.ptr);
    run->roots[0] = run->root;
    run->key = test_key(key);
    run->anchor = (struct verify_key){run->key, DIGEST_NONE};
    run->place = (struct verify_place){TEST_HOST, repository, "", !attestation, attestation};
    run->input = (struct verify_input){
        .image = test_registry_image(&run->registry, repository), .places = &run->place, .place_count = 1,
        .keys = &run->anchor, .key_count = 1, .roots = run->roots, .root_count = 1, .now = 1795451700,
    };
    (void)test_registry_run(&run->registry, &run->input, &run->set);
    ck_assert(verify_claims(&run->input, &run->set, &run->claims, &err));
    ck_assert_uint_gt(run->claims.count, 0);
    ck_assert(discover(&run->input, &run->set, &run->notes, &run->discovery, &err));
}

static UNUSED void run_done(struct run *run)
{
    discovery_done(&run->discovery);
    claims_done(&run->notes);
    claims_done(&run->claims);
    evidence_set_done(&run->set);
    test_registry_done(&run->registry);
    trust_root_free(run->root);
    pubkey_free(run->key);
}

static UNUSED bool times_within(const struct claim *mutant, const struct claim *claim)
{
    for (size_t i = 0; i < mutant->time_count; i++) {
        bool found = false;

        for (size_t j = 0; j < claim->time_count; j++)
            found =
                found || (mutant->times[i].kind == claim->times[j].kind && mutant->times[i].at == claim->times[j].at);
        if (!found)
            return false;
    }
    return true;
}

static UNUSED bool logs_within(const struct claim *mutant, const struct claim *claim)
{
    for (size_t i = 0; i < mutant->log_count; i++) {
        bool found = false;

        for (size_t j = 0; j < claim->log_count; j++)
            found = found || (mutant->logs[i].index == claim->logs[j].index &&
                              mutant->logs[i].set_verified <= claim->logs[j].set_verified &&
                              mutant->logs[i].proof_verified <= claim->logs[j].proof_verified);
        if (!found)
            return false;
    }
    return true;
}

static UNUSED bool certificate_within(const struct claim *mutant, const struct claim *claim)
{
    const struct claim_chain *chain;

    if (mutant->signer != SIGNER_CERTIFICATE)
        return claim->signer == SIGNER_KEY;
    if (claim->signer != SIGNER_CERTIFICATE)
        return false;
    chain = &mutant->certificate->chains[0];
    /* A changed certificate with the same key may verify the signature, but then no authority vouches for it. */
    return span_eq(mutant->certificate->der, claim->certificate->der) ||
           (!chain->chain_verified && mutant->log_count == 0);
}

/* Is all that the mutant proves proven by some claim of the sample? */
static UNUSED bool within(const struct run *run, const struct claim *mutant)
{
    for (size_t i = 0; i < run->claims.count; i++) {
        const struct claim *claim = &run->claims.items[i];

        if (span_eq(mutant->payload, claim->payload) && mutant->kind == claim->kind &&
            mutant->annotation_count == claim->annotation_count && times_within(mutant, claim) &&
            logs_within(mutant, claim) && certificate_within(mutant, claim))
            return true;
    }
    return false;
}

static UNUSED void judge(struct run *run, const struct claims *claims, const char *what, size_t at)
{
    run->mutants++;
    run->claimed += claims->count > 0;
    for (size_t i = 0; i < claims->count; i++)
        ck_assert_msg(within(run, &claims->items[i]), "%s: a mutant at byte %zu proves something else", what, at);
}

/* One object with these bytes instead of the blob's own, past the digest checks. */
static UNUSED void try_blob(struct run *run, const struct candidate *candidate, struct span bytes, size_t at)
{
    struct claims claims = {.image = run->input.image};
    struct verification verification = {.input = &run->input, .claims = &claims};
    struct object object = {
        .view = candidate->view, .expected = candidate->expected, .envelope = bytes,
        .signatures = run->place.signatures, .attestations = run->place.attestations,
    };
    const struct node *annotations = candidate->blob->annotations;
    struct error err = ERROR_INIT;
    bool done = candidate->kind == CANDIDATE_BUNDLE ? bundle_verify(&verification, &object, &err)
                : candidate->kind == CANDIDATE_LEGACY_SIGNATURE
                    ? legacy_signature_verify(&verification, &object, annotations, &err)
                    : legacy_attestation_verify(&verification, &object, annotations, &err);

    ck_assert_msg(done, "%s", err.text);
    ck_assert(claims.count > 0 || claims.finding_count > 0);
    judge(run, &claims, candidate->view.manifest, at);
    claims_done(&claims);
}

/* A tagged manifest is found by name: its changed bytes go all the way. */
static UNUSED void try_manifest(struct run *run, size_t index, struct span bytes, size_t at)
{
    struct evidence *item = &run->set.items[index];
    struct span before = item->body;
    struct claims claims = {0};
    struct error err = ERROR_INIT;

    item->body = bytes;
    ck_assert_msg(verify_claims(&run->input, &run->set, &claims, &err), "%s", err.text);
    judge(run, &claims, "manifest", at);
    claims_done(&claims);
    item->body = before;
}

typedef void try_fn(struct run *run, const void *context, struct span bytes, size_t at);

static UNUSED void attempt_blob(struct run *run, const void *context, struct span bytes, size_t at)
{
    try_blob(run, context, bytes, at);
}

static UNUSED void attempt_manifest(struct run *run, const void *context, struct span bytes, size_t at)
{
    try_manifest(run, *(const size_t *)context, bytes, at);
}

/* --- Each member of each JSON object: missing, twice, of every other type --- */

/* The next `"name":` at or after *at outside of strings: its quote goes to *ret_start, its value to *ret_value. */
static UNUSED bool next_member(struct span text, size_t *at, size_t *ret_start, size_t *ret_value)
{
    for (size_t i = *at; i < text.len; i++) {
        size_t end = i + 1;

        if (text.ptr[i] != '"')
            continue;
        while (end < text.len && text.ptr[end] != '"')
            end += text.ptr[end] == '\\' ? 2 : 1;
        *at = end + 1;
        if (end + 1 < text.len && text.ptr[end + 1] == ':') {
            *ret_start = i;
            *ret_value = end + 2;
            return true;
        }
        i = end;
    }
    return false;
}

static UNUSED void splice(struct run *run, const void *context, try_fn *attempt, struct span text, size_t from,
                          size_t to,
                   struct span with)
{
    struct buf mutant = BUF_INIT(1 << 20);

    buf_append(&mutant, text.ptr, from);
    buf_span(&mutant, with);
    buf_span(&mutant, span_cut(text, to, SIZE_MAX));
    ck_assert(buf_ok(&mutant));
    attempt(run, context, buf_as_span(&mutant), from);
    buf_free(&mutant);
}

static UNUSED void break_members(struct run *run, struct span text, try_fn *attempt, const void *context)
{
    static const char *const others[] = {"null", "true",     "0",     "-1", "18446744073709551616",
                                         "1e3",  "\"\"",     "\"x\"", "[]", "{}",
                                         "[{}]", "\"AAAA\"", "[null]"};
    size_t at = 0, start, value;

    while (next_member(text, &at, &start, &value)) {
        size_t end = value_end(text, value);
        size_t after = end < text.len && text.ptr[end] == ',' ? end + 1 : end;
        struct buf twice = BUF_INIT(1 << 20);

        buf_span(&twice, span_cut(text, start, end - start));
        buf_byte(&twice, ',');
        buf_span(&twice, span_cut(text, start, end - start));
        splice(run, context, attempt, text, start, end, buf_as_span(&twice));
        buf_free(&twice);
        splice(run, context, attempt, text, start, after, span_str("")); /* the last one leaves a comma: malformed */
        if (after == end && start > 0 && text.ptr[start - 1] == ',')
            splice(run, context, attempt, text, start - 1, end, span_str(""));
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
            splice(run, context, attempt, text, value, end, span_str(others[i]));
    }
}

#endif
