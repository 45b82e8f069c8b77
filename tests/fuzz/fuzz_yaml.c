/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_parse. Whatever it takes is also a JSON document, with the same content. */
#include "base/tree.h"
#include "tests/fuzz/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    if (!yaml_parse(span_of(bytes, len), "input", &tree, &err)) {
        FUZZ_CHECK(!tree && (err.reason == REASON_POLICY_ERROR || err.reason == REASON_LIMIT));
        return 0;
    }
    for (size_t i = 0; i < tree_documents(tree); i++)
        check_document(tree_document(tree, i));
    return 0;
}
