/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/trust_json.h"

#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "plugin/cli/input.h"

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";
static const char pem_end[] = "-----END CERTIFICATE-----";

struct certificates {
    struct buf file;                               /* owned text */
    struct span base64[LIMIT_CHAIN_CERTIFICATES];  /* bodies within it */
    size_t count;
};

static void certificates_done(struct certificates *certificates)
{
    buf_free(&certificates->file);
}

/* Finds the PEM bodies. The DER inside is judged where every certificate is: by the judge. */
static bool certificates_read(const char *path, struct certificates *ret, struct error *err)
{
    struct span rest;

    if (!input_read(path, LIMIT_TRUST_ROOT_BYTES, &ret->file, err))
        return false;
    rest = buf_as_span(&ret->file);
    for (;;) {
        size_t begin = span_find(rest, pem_begin);
        size_t end;

        if (begin == SIZE_MAX)
            break;
        rest = span_cut(rest, begin + strlen(pem_begin), SIZE_MAX);
        end = span_find(rest, pem_end);
        if (end == SIZE_MAX)
            return error_set(err, REASON_MALFORMED, "%s: \"%s\" has no end line", path, pem_begin);
        if (ret->count == ARRAY_LEN(ret->base64))
            return error_set(err, REASON_LIMIT, "%s: more than %d certificates", path, LIMIT_CHAIN_CERTIFICATES);
        ret->base64[ret->count++] = span_cut(rest, 0, end);
        rest = span_cut(rest, end + strlen(pem_end), SIZE_MAX);
    }
    if (ret->count == 0)
        return error_set(err, REASON_MALFORMED, "%s: no \"%s\" line; a PEM certificate is wanted", path, pem_begin);
    return true;
}

static bool put_certificate(struct json_out *out, const char *path, struct span base64, struct error *err)
{
    CLEANUP(buf_free) struct buf der = BUF_INIT(LIMIT_CERTIFICATE_BYTES);

    if (!base64_decode(base64, BASE64_PEM, &der))
        return error_set(err, REASON_MALFORMED, "%s: a certificate's lines are not base64", path);
    json_open_map(out, NULL);
    json_put_base64(out, "rawBytes", buf_as_span(&der));
    json_close_map(out);
    return true;
}

/* One authority: `below` (may be empty), then the certificates [first, last) of `file`. */
static bool put_authority(struct json_out *out, const struct certificates *below, const char *below_path,
                          const struct certificates *file, const char *path, size_t first, size_t last,
                          struct error *err)
{
    json_open_map(out, NULL);
    json_open_map(out, "subject");
    json_put_str(out, "organization", "command line");
    json_put_str(out, "commonName", "command line");
    json_close_map(out);
    json_put_str(out, "uri", "");
    json_open_map(out, "certChain");
    json_open_list(out, "certificates");
    for (size_t i = 0; i < below->count; i++)
        if (!put_certificate(out, below_path, below->base64[i], err))
            return false;
    for (size_t i = first; i < last; i++)
        if (!put_certificate(out, path, file->base64[i], err))
            return false;
    json_close_list(out);
    json_close_map(out);
    json_open_map(out, "validFor");
    json_put_str(out, "start", "1970-01-01T00:00:00Z");
    json_close_map(out);
    json_close_map(out);
    return true;
}

static bool put_authorities(struct json_out *out, const char *chain, const char *roots, const char *intermediates,
                            struct error *err)
{
    CLEANUP(certificates_done) struct certificates below = { 0 };
    CLEANUP(certificates_done) struct certificates file = { 0 };
    const char *path = chain != NULL ? chain : roots;

    if (!certificates_read(path, &file, err))
        return false;
    if (chain != NULL)
        return put_authority(out, &below, NULL, &file, path, 0, file.count, err);
    if (intermediates != NULL && !certificates_read(intermediates, &below, err))
        return false;
    for (size_t i = 0; i < file.count; i++)
        if (!put_authority(out, &below, intermediates, &file, path, i, i + 1, err))
            return false;
    return true;
}

static const char media_type[] = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

static bool finish(struct buf *json, struct buf *ret, struct error *err)
{
    if (!buf_ok(json))
        return error_set(err, REASON_LIMIT, "the certificates do not fit into a trust root of %d bytes",
                         LIMIT_TRUST_ROOT_BYTES);
    *ret = *json;
    *json = (struct buf){ 0 };
    return true;
}

bool trust_json_from_chain(const char *chain, const char *roots, const char *intermediates, struct buf *ret,
                           struct error *err)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(LIMIT_TRUST_ROOT_BYTES);
    struct json_out out = json_out_to(&json);

    json_open_map(&out, NULL);
    json_put_str(&out, "mediaType", media_type);
    json_open_list(&out, "tlogs");
    json_close_list(&out);
    json_open_list(&out, "certificateAuthorities");
    if (!put_authorities(&out, chain, roots, intermediates, err))
        return false;
    json_close_list(&out);
    json_open_list(&out, "ctlogs");
    json_close_list(&out);
    json_open_list(&out, "timestampAuthorities");
    json_close_list(&out);
    json_close_map(&out);
    return finish(&json, ret, err);
}

/* All members but the one that is written anew. */
static bool copy_members(struct json_out *out, const struct node *root, struct error *err)
{
    for (const struct node *member = root != NULL ? root->child : NULL; member != NULL; member = member->next) {
        CLEANUP(mem_freep) char *name = span_dup(member->name);

        if (name == NULL)
            return error_oom(err);
        if (strcmp(name, "timestampAuthorities") != 0)
            json_put_node(out, name, member);
    }
    return true;
}

bool trust_json_with_timestamps(struct span root, const char *chain, struct buf *ret, struct error *err)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(LIMIT_TRUST_ROOT_BYTES);
    CLEANUP(certificates_done) struct certificates none = { 0 };
    CLEANUP(certificates_done) struct certificates file = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct json_out out = json_out_to(&json);

    if (!certificates_read(chain, &file, err) ||
        (root.len > 0 && !json_parse(root, "trusted root", TREE_NO_PLACES, &tree, err)))
        return false;
    json_open_map(&out, NULL);
    if (tree == NULL)
        json_put_str(&out, "mediaType", media_type);
    if (!copy_members(&out, tree_root(tree), err))
        return false;
    json_open_list(&out, "timestampAuthorities");
    if (!put_authority(&out, &none, NULL, &file, chain, 0, file.count, err))
        return false;
    json_close_list(&out);
    json_close_map(&out);
    return finish(&json, ret, err);
}
