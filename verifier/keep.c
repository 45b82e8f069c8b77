/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/keep.h"

#include "base/buf.h"
#include "base/mem.h"

/* One decision keeps a few blocks for each of at most LIMIT_EVIDENCE_ITEMS objects. */
enum { KEEP_MAX = 1024 * 1024 };

bool keep_tree(struct keep *keep, struct tree *tree, struct error *err)
{
    if (!mem_grow(&keep->trees, &keep->tree_capacity, keep->tree_count, sizeof(struct tree *), KEEP_MAX)) {
        tree_free(tree);
        return error_oom(err);
    }
    keep->trees[keep->tree_count++] = tree;
    return true;
}

bool keep_block(struct keep *keep, void *block, struct error *err)
{
    if (!block)
        return error_oom(err);
    if (!mem_grow(&keep->blocks, &keep->block_capacity, keep->block_count, sizeof(void *), KEEP_MAX)) {
        mem_free(block);
        return error_oom(err);
    }
    keep->blocks[keep->block_count++] = block;
    return true;
}

size_t base64_decoded_len(struct span text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    return text.len / 4 * 3 + text.len % 4 * 3 / 4;
}

bool keep_base64(struct keep *keep, struct span text, enum base64_kind kind, size_t max, const char *what,
                 struct span *ret, struct error *err)
{
    struct buf buf CLEANUP(buf_free) = BUF_INIT(max);
    size_t len = base64_decoded_len(text);

    if (len > max)
        return error_set(err, REASON_LIMIT, "%s: %zu bytes, more than %zu", what, len, max);
    if (!base64_decode(text, kind, &buf))
        return error_set(err, REASON_MALFORMED, "%s: not base64", what);
    len = buf.len;
    if (len == 0) {
        *ret = span_of(NULL, 0);
        return true;
    }
    *ret = buf_as_span(&buf);
    return keep_block(keep, buf_take(&buf), err);
}

bool keep_json(struct keep *keep, struct span bytes, const char *what, const struct node **ret_root, struct error *err)
{
    struct tree *tree = NULL;

    if (!json_parse(bytes, what, TREE_NO_PLACES, &tree, err) || !keep_tree(keep, tree, err))
        return false;
    *ret_root = tree_root(tree);
    return true;
}

void keep_done(struct keep *keep)
{
    for (size_t i = 0; i < keep->tree_count; i++)
        tree_free(keep->trees[i]);
    for (size_t i = 0; i < keep->block_count; i++)
        mem_free(keep->blocks[i]);
    mem_free(keep->trees);
    mem_free(keep->blocks);
    *keep = (struct keep){0};
}
