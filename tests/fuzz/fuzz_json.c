/* SPDX-License-Identifier: Apache-2.0 */
/* json_parse. A tree that was read can be written, and what was written reads and writes the same; so do its canonical
 * forms. */
#include "base/buf.h"
#include "base/canonical.h"
#include "base/json_out.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"

static bool write_tree(const struct tree *tree, struct buf *out)
{
    struct json_out json = json_out_to(out);

    json_put_node(&json, NULL, tree_root(tree));
    return buf_ok(out);
}

static void check_canonical(const struct tree *tree, enum canonical_form form)
{
    CLEANUP(buf_free) struct buf once = BUF_INIT(64 * 1024 * 1024), twice = BUF_INIT(64 * 1024 * 1024);
    CLEANUP(tree_freep) struct tree *again = NULL;
    struct error err = ERROR_INIT;

    if (!canonical_write(tree_root(tree), form, &once))
        return;
    FUZZ_CHECK(buf_ok(&once));
    /* OLPC's strings hold control characters as they are, which is no JSON */
    if (!json_parse(buf_as_span(&once), "canonical", TREE_NO_PLACES, &again, &err)) {
        FUZZ_CHECK(form == CANONICAL_OLPC);
        return;
    }
    FUZZ_CHECK(canonical_write(tree_root(again), form, &twice));
    FUZZ_CHECK(span_eq(buf_as_span(&once), buf_as_span(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(buf_free) struct buf once = BUF_INIT(64 * 1024 * 1024), twice = BUF_INIT(64 * 1024 * 1024);
    CLEANUP(tree_freep) struct tree *tree = NULL, *again = NULL, *bare = NULL;
    struct error err = ERROR_INIT, bare_err = ERROR_INIT;
    bool done = json_parse(span_of(bytes, len), "input", TREE_DEFAULT, &tree, &err);

    /* Places make no difference. */
    FUZZ_CHECK(json_parse(span_of(bytes, len), "input", TREE_NO_PLACES, &bare, &bare_err) == done);
    if (!done) {
        FUZZ_CHECK(!tree && err.reason != REASON_INTERNAL && err.text[0] != '\0');
        FUZZ_CHECK(span_eq(span_str(err.text), span_str(bare_err.text)));
        return 0;
    }
    check_canonical(tree, CANONICAL_RFC8785);
    check_canonical(tree, CANONICAL_OLPC);
    FUZZ_CHECK(write_tree(tree, &once));
    FUZZ_CHECK(json_parse(buf_as_span(&once), "output", TREE_NO_PLACES, &again, &err));
    FUZZ_CHECK(write_tree(again, &twice));
    FUZZ_CHECK(span_eq(buf_as_span(&once), buf_as_span(&twice)));
    return 0;
}
