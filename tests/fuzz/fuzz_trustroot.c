/* SPDX-License-Identifier: Apache-2.0 */
/* trust_root_parse: JSON or PEM; a root that is read has its views in step with its lists. */
#include "crypto/init.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/trustroot.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static bool ready;
    CLEANUP(trust_root_freep) struct trust_root *root = NULL;
    struct error err = ERROR_INIT;

    if (!ready)
        FUZZ_CHECK(crypto_init(&err));
    ready = true;
    if (!trust_root_parse(span_of(bytes, len), &root, &err)) {
        FUZZ_CHECK(err.reason != REASON_INTERNAL && err.text[0] != '\0' && !root);
        return 0;
    }
    FUZZ_CHECK((root->ct_logs.count > 0) == (root->sct_logs != NULL));
    FUZZ_CHECK((root->timestamp_authorities.count > 0) == (root->stamps != NULL));
    for (size_t i = 0; i < root->logs.count; i++)
        FUZZ_CHECK(root->logs.items[i].key && root->logs.items[i].window.start_ms != INT64_MIN);
    for (size_t i = 0; i < root->authorities.count; i++)
        FUZZ_CHECK(trust_authority_pool(&root->authorities.items[i]).anchor_count == 1);
    return 0;
}
