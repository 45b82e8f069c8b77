/* SPDX-License-Identifier: Apache-2.0 */
/* Runs over the samples with certificates, logs and timestamps, the facts they come to, and edits of their JSON. */
#ifndef PG_TESTS_UNIT_KEYLESS_HELPER_H
#define PG_TESTS_UNIT_KEYLESS_HELPER_H

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/init.h"
#include "crypto/merkle.h"
#include "crypto/tlog.h"
#include "tests/lib/test_registry.h"
#include "tests/lib/test_signer.h"
#include "tests/unit/harness.h"
#include "tests/unit/json_text.h"
#include "verifier/claims.h"
#include "verifier/trustroot.h"
#include "verifier/verify.h"

#define IDENTITY "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main"
#define ISSUER "https://token.actions.githubusercontent.com"
#define WINDOW_START "2026-11-23T15:34:25.936Z"

enum { SIGNED_AT = 1795451667, NOW = 1826987667 /* a year later */ };

/* What holds for a claim; the tests compare sets of these. */
enum facts {
    CLAIM = 1, CERTIFICATE = 2, SET = 4, PROOF = 8, LOG_TIME = 16, TSA_TIME = 32, CHAIN = 64, SCT = 128, AT_NOW = 256,
};
enum { R1 = SET | PROOF | LOG_TIME, R2 = PROOF | TSA_TIME, KEYLESS = CLAIM | CERTIFICATE | CHAIN | SCT };

struct run {
    struct test_registry registry;
    struct evidence_set set;
    struct claims claims;
    struct pubkey *key;
    struct trust_root *root;
    const struct trust_root *roots[2];
    struct verify_key anchor;
    struct verify_place place;
    struct verify_input input;
};

static UNUSED struct trust_root *parse_root(struct span bytes)
{
    struct trust_root *root = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(trust_root_parse(bytes, &root, &err), "%s", err.text);
    return root;
}

static UNUSED void run_start(struct run *run, const char *repository, bool attestation, const char *root)
{
    struct span bytes = test_vector(root ? root : "keys/mock_trusted_root.json");

    memset(run, 0, sizeof(*run));
    test_registry_load(&run->registry, repository);
    run->root = parse_root(bytes);
    mem_free((void *)(uintptr_t)bytes.ptr);
    run->roots[0] = run->roots[1] = run->root;
    run->key = test_key("cosign.pub");
    run->anchor = (struct verify_key){run->key, DIGEST_NONE};
    run->place = (struct verify_place){TEST_HOST, repository, "", !attestation, attestation};
    run->input = (struct verify_input){
        .image = test_registry_image(&run->registry, repository), .places = &run->place, .place_count = 1,
        .keys = &run->anchor, .key_count = 1, .roots = run->roots, .root_count = 1, .now = NOW,
    };
}

static UNUSED void run_go(struct run *run)
{
    struct error err = ERROR_INIT;

    claims_done(&run->claims);
    evidence_set_done(&run->set);
    (void)test_registry_run(&run->registry, &run->input, &run->set);
    ck_assert_msg(verify_claims(&run->input, &run->set, &run->claims, &err), "%s", err.text);
}

static UNUSED void run_done(struct run *run)
{
    claims_done(&run->claims);
    evidence_set_done(&run->set);
    test_registry_done(&run->registry);
    trust_root_free(run->root);
    pubkey_free(run->key);
}

static UNUSED unsigned int facts_of(const struct claim *claim)
{
    unsigned int facts = CLAIM;

    for (size_t i = 0; i < claim->log_count; i++)
        facts |= (claim->logs[i].set_verified ? SET : 0) | (claim->logs[i].proof_verified ? PROOF : 0);
    for (size_t i = 0; i < claim->time_count; i++)
        facts |= claim->times[i].kind == TIME_LOG ? LOG_TIME : TSA_TIME;
    if (claim->signer == SIGNER_CERTIFICATE) {
        const struct claim_chain *chain = &claim->certificate->chains[0];

        /* What does not hold says why. */
        ck_assert((chain->problem == NULL) == (chain->chain_verified && chain->sct_verified));
        ck_assert(chain->problem == NULL || chain->problem[0] != '\0');
        facts |= CERTIFICATE | (chain->chain_verified ? CHAIN : 0) | (chain->sct_verified ? SCT : 0) |
                 (chain->now_used ? AT_NOW : 0);
    }
    return facts;
}

static UNUSED unsigned int facts(const struct run *run)
{
    ck_assert_uint_le(run->claims.count, 1);
    return run->claims.count == 0 ? 0 : facts_of(&run->claims.items[0]);
}

static UNUSED const char *say(const struct run *run)
{
    static char text[1600];
    const struct claim *claim = run->claims.count > 0 ? &run->claims.items[0] : NULL;
    const char *chain = claim && claim->certificate ? claim->certificate->chains[0].problem : NULL;

    (void)snprintf(text, sizeof(text), "facts %x; finding: %s; log: %s; time: %s; chain: %s", facts(run),
                   run->claims.finding_count > 0 ? run->claims.findings[0].text : "-",
                   claim && claim->log_problem ? claim->log_problem : "-",
                   claim && claim->time_problem ? claim->time_problem : "-", chain ? chain : "-");
    return text;
}

/* --- Edits of a sample's bundle --- */

static UNUSED struct buf copy_of(struct span bytes)
{
    struct buf buf = BUF_INIT(1000000);

    buf_span(&buf, bytes);
    return buf;
}

/* The bundle blob of a sample. */
static UNUSED struct buf bundle_of(const char *repository)
{
    struct test_registry registry = {0};
    struct buf bundle = {0};

    test_registry_load(&registry, repository);
    for (size_t i = 0; i < registry.count; i++)
        if (registry.items[i].kind == WANT_BLOB &&
            span_find(registry.items[i].answer.body, "dev.sigstore.bundle") != SIZE_MAX)
            bundle = copy_of(registry.items[i].answer.body);
    test_registry_done(&registry);
    ck_assert_uint_gt(bundle.len, 0);
    return bundle;
}

static UNUSED void splice(struct buf *text, size_t at, size_t len, struct span with)
{
    struct buf fresh = BUF_INIT(1000000);

    buf_append(&fresh, text->ptr, at);
    buf_span(&fresh, with);
    buf_span(&fresh, span_cut(buf_as_span(text), at + len, SIZE_MAX));
    buf_free(text);
    *text = fresh;
}

/* Where the JSON value behind "name": lies; compact JSON only. */
static UNUSED struct span value_of(struct span text, const char *name)
{
    char needle[80];
    size_t start;

    (void)snprintf(needle, sizeof(needle), "\"%s\":", name);
    start = span_find(text, needle);
    ck_assert_msg(start != SIZE_MAX, "%s is not in the bundle", name);
    start += strlen(needle);
    return span_cut(text, start, value_end(text, start) - start);
}

static UNUSED void set_value(struct buf *text, const char *name, struct span value)
{
    struct span old = value_of(buf_as_span(text), name);

    splice(text, (size_t)(old.ptr - text->ptr), old.len, value);
}

/* Changes text inside a base64 value. */
static UNUSED void edit_base64(struct buf *text, const char *name, const char *from, const char *to)
{
    struct span value = value_of(buf_as_span(text), name);
    struct buf decoded = BUF_INIT(1000000), encoded = BUF_INIT(1000000);
    size_t at;

    ck_assert(base64_decode(span_cut(value, 1, value.len - 2), BASE64_JSON, &decoded));
    at = span_find(buf_as_span(&decoded), from);
    ck_assert_uint_ne(at, SIZE_MAX);
    splice(&decoded, at, strlen(from), span_str(to));
    buf_byte(&encoded, '"');
    base64_encode(buf_as_span(&decoded), &encoded);
    buf_byte(&encoded, '"');
    set_value(text, name, buf_as_span(&encoded));
    buf_free(&decoded);
    buf_free(&encoded);
}

static UNUSED void flip_base64(struct buf *text, const char *name, size_t at)
{
    struct span value = value_of(buf_as_span(text), name);
    struct buf decoded = BUF_INIT(1000000), encoded = BUF_INIT(1000000);

    ck_assert(base64_decode(span_cut(value, 1, value.len - 2), BASE64_JSON, &decoded));
    decoded.ptr[at % decoded.len] ^= 1;
    buf_byte(&encoded, '"');
    base64_encode(buf_as_span(&decoded), &encoded);
    buf_byte(&encoded, '"');
    set_value(text, name, buf_as_span(&encoded));
    buf_free(&decoded);
    buf_free(&encoded);
}

static UNUSED void replace(struct buf *text, const char *from, const char *to)
{
    size_t at = span_find(buf_as_span(text), from);

    ck_assert_msg(at != SIZE_MAX, "\"%s\" is not in the text", from);
    splice(text, at, strlen(from), span_str(to));
}

static UNUSED void serve(struct run *run, struct span bundle)
{
    struct buf descriptors = BUF_INIT(10000);
    char digest[DIGEST_TEXT_BYTES];
    char tag[DIGEST_TEXT_BYTES];

    digest_format(&run->input.image, digest);
    (void)snprintf(tag, sizeof(tag), "sha256-%s", digest + 7);
    test_put_bundle(&run->registry, run->place.repository, bundle, NULL, &descriptors);
    test_put_index(&run->registry, WANT_MANIFEST, run->place.repository, tag, NULL, buf_cstr(&descriptors));
    buf_free(&descriptors);
}

#endif
