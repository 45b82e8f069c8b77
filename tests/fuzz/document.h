/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of every document that a reader of ours takes: it is also a JSON document, with the same content. */
#ifndef PG_TESTS_FUZZ_DOCUMENT_H
#define PG_TESTS_FUZZ_DOCUMENT_H

#include "base/buf.h"
#include "base/json_out.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"

static inline void check_document(const struct node *root)
{
    CLEANUP(buf_free) struct buf once = BUF_INIT(64 * 1024 * 1024), twice = BUF_INIT(64 * 1024 * 1024);
    CLEANUP(tree_freep) struct tree *again = NULL;
    struct json_out json = json_out_to(&once), json_again = json_out_to(&twice);
    struct error err = ERROR_INIT;

    FUZZ_CHECK(root->line > 0 && root->column > 0);
    json_put_node(&json, NULL, root);
    FUZZ_CHECK(buf_ok(&once));
    FUZZ_CHECK(json_parse(buf_as_span(&once), "output", TREE_DEFAULT, &again, &err));
    json_put_node(&json_again, NULL, tree_root(again));
    FUZZ_CHECK(span_eq(buf_as_span(&once), buf_as_span(&twice)));
}

#endif
