/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every valid sample, bit by bit and cut at both ends: no mutant may prove anything that the sample does not prove.
 * What is not signed (a hint, spacing, a Rekor v2 body) may change; what is claimed may not. PG_SLOW=1 flips every bit
 * of every byte; otherwise one bit of each 31st byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/lib/test_registry.h"
#include "tests/unit/harness.h"
#include "verifier/claims.h"
#include "verifier/discover.h"
#include "verifier/object.h"
#include "verifier/trustroot.h"
#include "verifier/verify.h"

static const struct {
    const char *repository, *key;
    bool attestation;
} samples[] = {
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
    size_t mutants, claimed;
};

static void run_start(struct run *run, const char *repository, const char *key, bool attestation)
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
}

static void run_done(struct run *run)
{
    claims_done(&run->claims);
    evidence_set_done(&run->set);
    test_registry_done(&run->registry);
    trust_root_free(run->root);
    pubkey_free(run->key);
}

static bool times_within(const struct claim *mutant, const struct claim *claim)
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

static bool logs_within(const struct claim *mutant, const struct claim *claim)
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

static bool certificate_within(const struct claim *mutant, const struct claim *claim)
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
static bool within(const struct run *run, const struct claim *mutant)
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

static void judge(struct run *run, const struct claims *claims, const char *what, size_t at)
{
    run->mutants++;
    run->claimed += claims->count > 0;
    for (size_t i = 0; i < claims->count; i++)
        ck_assert_msg(within(run, &claims->items[i]), "%s: a mutant at byte %zu proves something else", what, at);
}

/* One object with these bytes instead of the blob's own, past the digest checks. */
static void try_blob(struct run *run, const struct candidate *candidate, struct span bytes, size_t at)
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
static void try_manifest(struct run *run, size_t index, struct span bytes, size_t at)
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

static void mutate(struct run *run, struct span bytes, try_fn *attempt, const void *context)
{
    bool slow = secure_getenv("PG_SLOW") != NULL;
    size_t step = slow ? 1 : 31;
    uint8_t *copy = mem_dup(bytes.ptr, bytes.len);

    ck_assert_ptr_nonnull(copy);
    for (size_t i = 0; i < bytes.len; i += step) {
        for (unsigned int bit = slow ? 0 : (unsigned int)(i / 31 % 8); bit < 8; bit++) {
            copy[i] ^= (uint8_t)(1u << bit);
            attempt(run, context, span_of(copy, bytes.len), i);
            copy[i] ^= (uint8_t)(1u << bit);
            if (!slow)
                break;
        }
    }
    for (size_t i = 1; i < bytes.len; i += 5 * step) {
        attempt(run, context, span_of(copy, bytes.len - i), i);
        attempt(run, context, span_of(copy + i, bytes.len - i), i);
    }
    mem_free(copy);
}

static void attempt_blob(struct run *run, const void *context, struct span bytes, size_t at)
{
    try_blob(run, context, bytes, at);
}

static void attempt_manifest(struct run *run, const void *context, struct span bytes, size_t at)
{
    try_manifest(run, *(const size_t *)context, bytes, at);
}

START_TEST(no_mutant_proves_more)
{
    struct run run;
    struct discovery discovery = {0};
    struct claims notes = {0};
    struct error err = ERROR_INIT;

    run_start(&run, samples[_i].repository, samples[_i].key, samples[_i].attestation);
    ck_assert(discover(&run.input, &run.set, &notes, &discovery, &err));
    for (size_t i = 0; i < discovery.count; i++) {
        try_blob(&run, &discovery.candidates[i], discovery.candidates[i].evidence->body,
                 0); /* unchanged: through the same hands */
        mutate(&run, discovery.candidates[i].evidence->body, attempt_blob, &discovery.candidates[i]);
    }
    ck_assert_uint_gt(run.claimed, 0);
    for (size_t i = 0; i < run.set.count; i++)
        if (run.set.wants[i].kind == WANT_MANIFEST && run.set.items[i].status == EVIDENCE_FOUND)
            mutate(&run, run.set.items[i].body, attempt_manifest, &i);
    discovery_done(&discovery);
    claims_done(&notes);
    run_done(&run);
}
END_TEST

/* Whole parts of one valid object put into another: payloads and signatures of different layers. */
START_TEST(parts_do_not_mix)
{
    struct run run;
    struct discovery discovery = {0};
    struct claims notes = {0};
    struct error err = ERROR_INIT;

    run_start(&run, "demo/sigs", "cosign.pub", false);
    ck_assert(discover(&run.input, &run.set, &notes, &discovery, &err));
    for (size_t i = 0; i < discovery.count; i++)
        for (size_t j = 0; j < discovery.count; j++)
            try_blob(&run, &discovery.candidates[i], discovery.candidates[j].evidence->body, j);
    discovery_done(&discovery);
    claims_done(&notes);
    run_done(&run);
}
END_TEST

/* --- Each member of each JSON object: missing, twice, of every other type --- */

/* The end of the JSON value that starts at `at`. */
static size_t value_end(struct span text, size_t at)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = at; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && depth == 0 && (c == '}' || c == ']' || c == ','))
            return i;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
    }
    return text.len;
}

/* The next `"name":` at or after *at outside of strings: its quote goes to *ret_start, its value to *ret_value. */
static bool next_member(struct span text, size_t *at, size_t *ret_start, size_t *ret_value)
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

static void splice(struct run *run, const void *context, try_fn *attempt, struct span text, size_t from, size_t to,
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

static void break_members(struct run *run, struct span text, try_fn *attempt, const void *context)
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

START_TEST(no_member_can_be_left_out_or_exchanged)
{
    struct run run;
    struct discovery discovery = {0};
    struct claims notes = {0};
    struct error err = ERROR_INIT;

    run_start(&run, samples[_i].repository, samples[_i].key, samples[_i].attestation);
    ck_assert(discover(&run.input, &run.set, &notes, &discovery, &err));
    for (size_t i = 0; i < discovery.count; i++)
        break_members(&run, discovery.candidates[i].evidence->body, attempt_blob, &discovery.candidates[i]);
    for (size_t i = 0; i < run.set.count; i++)
        if (run.set.wants[i].kind == WANT_MANIFEST && run.set.items[i].status == EVIDENCE_FOUND)
            break_members(&run, run.set.items[i].body, attempt_manifest, &i);
    ck_assert_uint_gt(run.mutants, 50);
    discovery_done(&discovery);
    claims_done(&notes);
    run_done(&run);
}
END_TEST

/* Each member of one bundle put into every other: proofs of another signature prove nothing here. */
START_TEST(members_of_other_bundles_do_not_fit)
{
    struct run run, donor;
    struct discovery mine = {0}, theirs = {0};
    struct claims notes = {0};
    struct error err = ERROR_INIT;
    struct span text, other;

    run_start(&run, samples[_i].repository, samples[_i].key, samples[_i].attestation);
    ck_assert(discover(&run.input, &run.set, &notes, &mine, &err));
    text = mine.candidates[0].evidence->body;
    for (size_t step = 1; step < (secure_getenv("PG_SLOW") ? COUNT : 6); step++) {
        size_t at = 0, start, value, i = ((size_t)_i + step) % COUNT;

        run_start(&donor, samples[i].repository, samples[i].key, samples[i].attestation);
        ck_assert(discover(&donor.input, &donor.set, &notes, &theirs, &err));
        other = theirs.candidates[0].evidence->body;
        while (next_member(text, &at, &start, &value)) {
            size_t seek = 0, their_start, their_value;
            struct span name = span_cut(text, start, value - start);

            /* A whole envelope of the same key is another signature by it, not a mutant. */
            if (span_eq_str(name, "\"dsseEnvelope\":"))
                continue;
            while (next_member(other, &seek, &their_start, &their_value))
                if (span_eq(name, span_cut(other, their_start, their_value - their_start)))
                    splice(&run, &mine.candidates[0], attempt_blob, text, value, value_end(text, value),
                           span_cut(other, their_value, value_end(other, their_value) - their_value));
        }
        discovery_done(&theirs);
        run_done(&donor);
    }
    discovery_done(&mine);
    claims_done(&notes);
    run_done(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_mutation");
    TCase *cases = tcase_create("mutation");
    struct error err = ERROR_INIT;

    if (!crypto_init(&err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 3600);
    tcase_add_loop_test(cases, no_mutant_proves_more, 0, COUNT);
    tcase_add_test(cases, parts_do_not_mix);
    tcase_add_loop_test(cases, no_member_can_be_left_out_or_exchanged, 0, COUNT);
    tcase_add_loop_test(cases, members_of_other_bundles_do_not_fit, 0, COUNT);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
