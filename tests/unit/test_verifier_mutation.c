/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every valid sample, bit by bit and cut at both ends: no mutant may prove anything that the sample does not prove.
 * What is not signed (a hint, spacing, a Rekor v2 body) may change; what is claimed may not. PG_SLOW=1 flips every bit
 * of every byte; otherwise one bit of each 31st byte.
 */
#include "tests/unit/mutation.h"

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

START_TEST(no_mutant_proves_more)
{
    struct run run;

    run_start(&run, samples[_i].repository, samples[_i].key, samples[_i].attestation);
    for (size_t i = 0; i < run.discovery.count; i++) {
        try_blob(&run, &run.discovery.candidates[i], run.discovery.candidates[i].evidence->body,
                 0); /* unchanged: through the same hands */
        mutate(&run, run.discovery.candidates[i].evidence->body, attempt_blob, &run.discovery.candidates[i]);
    }
    ck_assert_uint_gt(run.claimed, 0);
    for (size_t i = 0; i < run.set.count; i++)
        if (run.set.wants[i].kind == WANT_MANIFEST && run.set.items[i].status == EVIDENCE_FOUND)
            mutate(&run, run.set.items[i].body, attempt_manifest, &i);
    run_done(&run);
}
END_TEST

/* Whole parts of one valid object put into another: payloads and signatures of different layers. */
START_TEST(parts_do_not_mix)
{
    struct run run;

    run_start(&run, "demo/sigs", "cosign.pub", false);
    for (size_t i = 0; i < run.discovery.count; i++)
        for (size_t j = 0; j < run.discovery.count; j++)
            try_blob(&run, &run.discovery.candidates[i], run.discovery.candidates[j].evidence->body, j);
    run_done(&run);
}
END_TEST

START_TEST(no_member_can_be_left_out_or_exchanged)
{
    struct run run;

    run_start(&run, samples[_i].repository, samples[_i].key, samples[_i].attestation);
    for (size_t i = 0; i < run.discovery.count; i++)
        break_members(&run, run.discovery.candidates[i].evidence->body, attempt_blob, &run.discovery.candidates[i]);
    for (size_t i = 0; i < run.set.count; i++)
        if (run.set.wants[i].kind == WANT_MANIFEST && run.set.items[i].status == EVIDENCE_FOUND)
            break_members(&run, run.set.items[i].body, attempt_manifest, &i);
    ck_assert_uint_gt(run.mutants, 50);
    run_done(&run);
}
END_TEST

/* Each member of one bundle put into every other: proofs of another signature prove nothing here. */
START_TEST(members_of_other_bundles_do_not_fit)
{
    struct run run, donor;
    struct span text, other;

    run_start(&run, samples[_i].repository, samples[_i].key, samples[_i].attestation);
    text = run.discovery.candidates[0].evidence->body;
    for (size_t step = 1; step < (secure_getenv("PG_SLOW") ? COUNT : 6); step++) {
        size_t at = 0, start, value, i = ((size_t)_i + step) % COUNT;

        run_start(&donor, samples[i].repository, samples[i].key, samples[i].attestation);
        other = donor.discovery.candidates[0].evidence->body;
        while (next_member(text, &at, &start, &value)) {
            size_t seek = 0, their_start, their_value;
            struct span name = span_cut(text, start, value - start);

            /* A whole envelope of the same key is another signature by it, not a mutant. */
            if (span_eq_str(name, "\"dsseEnvelope\":"))
                continue;
            while (next_member(other, &seek, &their_start, &their_value))
                if (span_eq(name, span_cut(other, their_start, their_value - their_start)))
                    splice(&run, &run.discovery.candidates[0], attempt_blob, text, value, value_end(text, value),
                           span_cut(other, their_value, value_end(other, their_value) - their_value));
        }
        run_done(&donor);
    }
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
