/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_parse; the first byte chooses the content type that the registry gave. */
#include "base/limits.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const types[] = {NULL, "application/vnd.oci.image.manifest.v1+json",
                                        "application/vnd.oci.image.index.v1+json", "text/html"};
    CLEANUP(manifest_done) struct manifest manifest = {0};
    struct error err = ERROR_INIT;

    if (len == 0)
        return 0;
    if (!manifest_parse(span_of(bytes + 1, len - 1), types[bytes[0] % 4], &manifest, &err)) {
        FUZZ_CHECK(err.reason != REASON_INTERNAL && err.text[0] != '\0' && !manifest.tree);
        return 0;
    }
    FUZZ_CHECK(manifest.kind == MANIFEST_IMAGE || manifest.kind == MANIFEST_INDEX);
    FUZZ_CHECK(manifest.count <= LIMIT_MANIFEST_LAYERS);
    for (size_t i = 0; i < manifest.count; i++)
        FUZZ_CHECK(manifest.items[i].digest.alg != DIGEST_NONE);
    return 0;
}
