/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile registry: the input is cut into answers, handed out in the order of the questions. The judge stops asking,
 * asks nothing twice, and claims nothing. answer = status (1) | flags (1) | length of Link (1) | Link | length of body
 * u16 | body
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/claims.h"
#include "verifier/verify.h"

static struct evidence next_answer(struct reader *input, uint32_t id)
{
    static const char *const types[] = {NULL, "application/vnd.oci.image.manifest.v1+json",
                                        "application/vnd.oci.image.index.v1+json", "text/html"};
    struct evidence item = {.id = id, .status = (enum evidence_status)(read_u8(input) % 3)};
    uint8_t flags = read_u8(input);
    struct span link = read_bytes(input, read_u8(input));

    if (input->failed)
        item.status = EVIDENCE_ABSENT;
    item.content_type = mem_strdup(types[flags % 4]);
    item.link = link.len > 0 ? span_dup(link) : NULL;
    item.reason = (enum reason)(flags / 4 % REASON_COUNT);
    item.body = read_bytes(input, read_u16(input));
    return item;
}

static void check_round(const struct evidence_set *set, const struct wants *wants)
{
    for (size_t i = 0; i < wants->count; i++) {
        FUZZ_CHECK(wants->items[i].id == set->count + i + 1);
        FUZZ_CHECK(!evidence_find(set, wants->items[i].kind, wants->items[i].host, wants->items[i].repository,
                                  wants->items[i].target));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct verify_place place = {"r.example", "team/app", "", true, true};
    struct verify_input input = {.places = &place, .place_count = 1};
    CLEANUP(evidence_set_done) struct evidence_set set = {0};
    CLEANUP(claims_done) struct claims claims = {0};
    struct reader reader = reader_of(span_of(bytes, len));
    struct error err = ERROR_INIT;

    FUZZ_CHECK(digest_parse(span_str("sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"),
                            &input.image));
    for (size_t round = 0; round < LIMIT_FETCH_ROUNDS; round++) {
        CLEANUP(wants_done) struct wants wants = {0};

        FUZZ_CHECK(verify_wants(&input, &set, &wants, &err));
        check_round(&set, &wants);
        if (wants.count == 0)
            break;
        for (size_t i = 0; i < wants.count; i++) {
            struct evidence item = next_answer(&reader, wants.items[i].id);

            FUZZ_CHECK(evidence_set_add(&set, &wants.items[i], &item, &err));
        }
    }
    FUZZ_CHECK(verify_claims(&input, &set, &claims, &err));
    FUZZ_CHECK(claims.count == 0);
    return 0;
}
