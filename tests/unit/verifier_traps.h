/* SPDX-License-Identifier: Apache-2.0 */
/* An image, its key, and the signed texts that tests of the verifier start from. */
#ifndef PG_TESTS_UNIT_VERIFIER_TRAPS_H
#define PG_TESTS_UNIT_VERIFIER_TRAPS_H

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/lib/test_signer.h"
#include "tests/unit/harness.h"
#include "tests/unit/verifier_run.h"

#define HEX "3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
#define OTHER "0000b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
#define SIG_TAG "sha256-" HEX ".sig"
#define REPO "team/app"

static struct privkey *key;

static UNUSED void run_start(struct run *run)
{
    run_begin(run, privkey_public(key), REPO, true, false);
    ck_assert(digest_parse(span_str("sha256:" HEX), &run->input.image));
}

/* reason OK: exactly one claim; else none, and one finding with that reason. */
static UNUSED void expect(const struct run *run, enum reason reason, const char *what)
{
    const struct finding *finding = run->claims.finding_count > 0 ? &run->claims.findings[0] : NULL;

    if (reason == REASON_OK) {
        ck_assert_msg(run->claims.count == 1, "%s: %zu claims, %s", what, run->claims.count,
                      finding ? finding->text : "");
        return;
    }
    ck_assert_msg(run->claims.count == 0, "%s: accepted", what);
    ck_assert_msg(finding != NULL, "%s: no finding", what);
    ck_assert_msg(finding->reason == reason, "%s: %s (%s)", what, reason_name(finding->reason), finding->text);
}

#define CRITICAL(ref, digest, type)                                                                                    \
    "\"critical\":{\"identity\":{\"docker-reference\":" ref "},\"image\":{\"docker-manifest-digest\":" digest          \
    "},\"type\":" type "}"
#define GOOD_CRITICAL CRITICAL("\"r.example/a\"", "\"sha256:" HEX "\"", "\"cosign container image signature\"")
#define GOOD_PAYLOAD "{" GOOD_CRITICAL ",\"optional\":{\"a\":\"b\"}}"

#define STATEMENT(type, subjects, predicate_type)                                                                      \
    "{\"_type\":\"" type "\",\"subject\":" subjects ",\"predicateType\":\"" predicate_type                             \
    "\",\"predicate\":{\"a\":\"z\"}}"
#define V1 "https://in-toto.io/Statement/v1"
#define SIGN "https://sigstore.dev/cosign/sign/v1"
#define SUBJECT "{\"digest\":{\"sha256\":\"" HEX "\"},\"annotations\":{\"a\":\"b\"}}"
#define WRONG_SUBJECT "{\"digest\":{\"sha256\":\"" OTHER "\"},\"annotations\":{\"a\":\"wrong\"}}"
#define GOOD_STATEMENT STATEMENT(V1, "[" SUBJECT "]", SIGN)

#define CONFIG "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":2}"

static UNUSED void put_bundle(struct run *run, struct span bundle, const char *members)
{
    struct buf descriptors = BUF_INIT(100000);

    test_put_bundle(&run->registry, REPO, bundle, members, &descriptors);
    test_put_index(&run->registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    buf_free(&descriptors);
}

#endif
