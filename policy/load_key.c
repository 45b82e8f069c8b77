/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of an authority: data, path, hashAlgorithm. */
#include "policy/load.h"

#include <strings.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/pem.h"

enum { MEMBERS_MAX = 10000 };

bool load_hash(struct load *load, const struct path *path, const struct node *node, enum digest_alg *ret)
{
    static const enum digest_alg algs[] = {DIGEST_SHA224, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
    char shown[40];
    struct span text;

    if (node == NULL) {
        *ret = DIGEST_NONE;
        return true;
    }
    /* The format trims and folds case (policy.md 1.1). */
    text = span_trim(node->text);
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        const char *name = digest_alg_name(algs[i]);

        if (span_str(name).len == text.len && strncasecmp(name, (const char *)text.ptr, text.len) == 0) {
            *ret = algs[i];
            return true;
        }
    }
    return load_fail(load, path, node, "wanted \"sha224\", \"sha256\", \"sha384\" or \"sha512\", found \"%s\"",
                     text_clean(node->text, shown, sizeof(shown)));
}

/* A key named twice in one authority is one signer (policy.md trap 10): refused rather than silently merged. */
static bool add_member(struct load *load, const struct path *path, const struct node *at, struct authority *authority,
                       const struct member *like, struct span block)
{
    struct member *member;
    size_t key;

    if (!set_add_key(load->set, block, &key, load->err))
        return load_fail_error(load, path, at);
    for (size_t i = 0; i < authority->member_count; i++) {
        if (authority->members[i].key == key)
            return load_fail(load, path, at, "the key %.12s... is named twice in this authority",
                             pubkey_fingerprint(load->set->keys[key].key));
    }
    if (!mem_grow(&authority->members, &authority->member_capacity, authority->member_count,
                  sizeof(*authority->members), MEMBERS_MAX))
        return load_fail(load, path, at, "more than %d keys", MEMBERS_MAX);
    member = &authority->members[authority->member_count];
    *member = *like;
    member->key = key;
    member->name = mem_strdup(like->name);
    if (like->name != NULL && member->name == NULL)
        return error_oom(load->err);
    authority->member_count++;
    return true;
}

bool load_key_blocks(struct load *load, const struct path *path, const struct node *at, struct authority *authority,
                     const struct member *like, struct span text)
{
    size_t before = authority->member_count;

    for (;;) {
        struct span block;

        if (!pem_next(&text, &block, load->err))
            return load_fail_error(load, path, at);
        if (block.len == 0)
            break;
        if (!add_member(load, path, at, authority, like, block))
            return false;
    }
    if (authority->member_count == before)
        return load_fail(load, path, at, "is empty; wanted a PEM \"PUBLIC KEY\"");
    if (like->name != NULL && authority->member_count - before > 1)
        return load_fail(load, path, at, "one name for several keys: list each key by itself");
    return true;
}

bool load_key_data(struct load *load, const struct path *path, const struct node *node, struct authority *authority,
                   const struct member *like)
{
    return load_key_blocks(load, path, node, authority, like, node->text);
}

bool load_key_path(struct load *load, const struct path *path, const struct node *node, struct authority *authority,
                   const struct member *like)
{
    struct buf bytes CLEANUP(buf_free) = {0};
    char *name CLEANUP(mem_freep) = NULL;

    if (!load_string(load, path, node, &name))
        return false;
    /* A name below the keys directory and never a way out of it; the reader checks owner and mode. */
    if (name[0] == '/' || name[0] == '.' || span_find(node->text, "..") != SIZE_MAX)
        return load_fail(load, path, node, "wanted the name of a file in the keys directory, such as \"vendor.pub\"");
    if (load->source == NULL || load->source->read_key == NULL)
        return load_fail(load, path, node, "key files cannot be read here");
    if (!load->source->read_key(load->source->context, name, &bytes, load->err))
        return load_fail_error(load, path, node);
    if (!set_mix(load->set, "key file name", span_str(name), load->err) ||
        !set_mix(load->set, "key file", buf_as_span(&bytes), load->err))
        return false;
    return load_key_blocks(load, path, node, authority, like, buf_as_span(&bytes));
}
