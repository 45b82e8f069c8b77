/* SPDX-License-Identifier: Apache-2.0 */
/* content_read: what a payload, a statement or a bundle's statement says. The first byte chooses which. */
#include "tests/fuzz/fuzz.h"
#include "verifier/claims_build.h"
#include "verifier/content.h"
#include "verifier/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char digest[] = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179";
    static const enum content_form forms[] = {CONTENT_SIMPLE_SIGNING, CONTENT_ATTESTATION, CONTENT_BUNDLE};
    CLEANUP(keep_done) struct keep keep = {0};
    CLEANUP(claim_done) struct claim claim = {0};
    struct content content = {0};
    struct digest image;
    struct error err = ERROR_INIT;
    struct span payload;

    if (len == 0)
        return 0;
    payload = span_of(bytes + 1, len - 1);
    FUZZ_CHECK(digest_parse(span_str(digest), &image));
    if (!content_read(&keep, forms[bytes[0] % 3], payload, &image, &content, &err)) {
        FUZZ_CHECK(err.reason != REASON_INTERNAL && err.text[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(content.kind == CLAIM_SIGNATURE || content.kind == CLAIM_ATTESTATION);
    FUZZ_CHECK(content_to_claim(&content, &claim, &err));
    return 0;
}
