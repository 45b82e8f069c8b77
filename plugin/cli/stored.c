/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/stored.h"

#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"

static const char bundle_media_type[] = "application/vnd.dev.sigstore.bundle";

static bool ends_with(const char *text, const char *suffix)
{
    return span_ends(span_str(text), suffix);
}

/* Digests name the image, its fallback index has a tag: what is left are the manifests that hold signatures. */
static bool holds_signatures(const struct want *want, const struct manifest *manifest)
{
    bool tag = span_find_byte(span_str(want->target), ':') == SIZE_MAX;

    if (manifest->kind != MANIFEST_IMAGE)
        return false;
    return tag ? ends_with(want->target, ".sig") || ends_with(want->target, ".att")
               : manifest->count > 0 && span_starts(manifest->items[0].media_type, bundle_media_type);
}

static struct span body_of(const struct replay *replay, const struct want *manifest, const struct digest *digest)
{
    char text[DIGEST_TEXT_BYTES];
    const struct evidence *found = evidence_find(&replay->evidence, WANT_BLOB, manifest->host, manifest->repository,
                                                 digest_format(digest, text));

    if (found == NULL || found->status != EVIDENCE_FOUND || !digest_matches(digest, found->body))
        return span_str("");
    return found->body;
}

static bool walk_manifest(const struct replay *replay, const struct want *want, const struct manifest *manifest,
                          bool (*visit)(void *context, const struct stored_layer *layer, struct error *err),
                          void *context, struct error *err)
{
    bool tag = span_find_byte(span_str(want->target), ':') == SIZE_MAX;

    for (size_t i = 0; i < manifest->count; i++) {
        const struct stored_layer layer = {
            .tag = tag ? want->target : NULL,
            .repository = want->repository,
            .manifest = want->target,
            .index = (uint32_t)i,
            .descriptor = &manifest->items[i],
            .of = manifest,
            .body = body_of(replay, want, &manifest->items[i].digest),
            .bundle = span_starts(manifest->items[i].media_type, bundle_media_type),
            .attestation = tag && ends_with(want->target, ".att"),
        };

        if (!visit(context, &layer, err))
            return false;
    }
    return true;
}

bool stored_walk(const struct replay *replay,
                 bool (*visit)(void *context, const struct stored_layer *layer, struct error *err), void *context,
                 struct error *err)
{
    for (size_t i = 0; i < replay->evidence.count; i++) {
        const struct want *want = &replay->evidence.wants[i];
        const struct evidence *item = &replay->evidence.items[i];
        CLEANUP(manifest_done) struct manifest manifest = { 0 };
        struct error ignored = ERROR_INIT;

        if (want->kind != WANT_MANIFEST || item->status != EVIDENCE_FOUND ||
            !manifest_parse(item->body, item->content_type, &manifest, &ignored) || !holds_signatures(want, &manifest))
            continue;
        if (!walk_manifest(replay, want, &manifest, visit, context, err))
            return false;
    }
    return true;
}

struct printing {
    const struct stored_question *question;
    struct buf *out;
    const char *last_manifest; /* tree: heading printed for it */
};

static void print_head(struct printing *printing, const struct stored_layer *layer)
{
    const char *kind = layer->bundle ? "Bundle" : layer->attestation ? "Attestations" : "Signatures";

    if (printing->last_manifest == layer->manifest)
        return;
    printing->last_manifest = layer->manifest;
    buf_printf(printing->out, "+-- %s for an image %s: ", kind, layer->tag != NULL ? "tag" : "by referrer");
    text_sanitize(span_str(layer->repository), LIMIT_REFERENCE_BYTES, printing->out);
    buf_printf(printing->out, "%s%s\n", layer->tag != NULL ? ":" : "@", layer->manifest);
}

static bool print_tree(struct printing *printing, const struct stored_layer *layer)
{
    char digest[DIGEST_TEXT_BYTES];
    struct span hint = annotation_get(layer->of->annotations, "dev.sigstore.bundle.predicateType");

    print_head(printing, layer);
    buf_printf(printing->out, "    +-- %s", digest_format(&layer->descriptor->digest, digest));
    if (layer->bundle && hint.len > 0) {
        buf_str(printing->out, "  ");
        text_sanitize(hint, 200, printing->out);
    }
    buf_printf(printing->out, "%s\n", layer->body.len == 0 ? "  (not brought)" : "");
    return true;
}

/* A JSON body again as one line; what is no JSON is left out. */
static void print_json(struct printing *printing, struct span body)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    struct json_out out = json_out_to(printing->out);

    if (body.len == 0 || !json_parse(body, "stored", TREE_NO_PLACES, &tree, &ignored))
        return;
    json_put_node(&out, NULL, tree_root(tree));
    buf_byte(printing->out, '\n');
}

static void put_annotation(struct json_out *out, const char *name, const struct stored_layer *layer, const char *key)
{
    struct span text = annotation_get(layer->descriptor->annotations, key);

    if (text.len > 0)
        json_put_span(out, name, text);
    else
        json_put_null(out, name);
}

/* cosign's shape for a signature in the tag layout. */
static void print_legacy_signature(struct printing *printing, const struct stored_layer *layer)
{
    struct json_out out = json_out_to(printing->out);

    if (layer->body.len == 0)
        return;
    json_open_map(&out, NULL);
    put_annotation(&out, "Base64Signature", layer, "dev.cosignproject.cosign/signature");
    json_put_base64(&out, "Payload", layer->body);
    put_annotation(&out, "Cert", layer, "dev.sigstore.cosign/certificate");
    put_annotation(&out, "Chain", layer, "dev.sigstore.cosign/chain");
    put_annotation(&out, "Bundle", layer, "dev.sigstore.cosign/bundle");
    put_annotation(&out, "RFC3161Timestamp", layer, "dev.sigstore.cosign/rfc3161timestamp");
    json_close_map(&out);
    buf_byte(printing->out, '\n');
}

/* The DSSE envelope: the body of an .att layer, or a bundle's member. */
static const struct node *envelope_of(const struct stored_layer *layer, const struct tree *tree)
{
    return layer->bundle ? node_get(tree_root(tree), "dsseEnvelope") : tree_root(tree);
}

/* Parses the in-toto statement inside; statement_bytes owns what the tree borrows from. */
static bool open_statement(const struct stored_layer *layer, struct buf *statement_bytes, struct tree **ret)
{
    CLEANUP(tree_freep) struct tree *outer = NULL;
    struct error ignored = ERROR_INIT;
    const struct node *payload;

    if (layer->body.len == 0 || !json_parse(layer->body, "stored", TREE_NO_PLACES, &outer, &ignored))
        return false;
    payload = node_get(envelope_of(layer, outer), "payload");
    return node_is(payload, NODE_STRING) && base64_decode(payload->text, BASE64_JSON, statement_bytes) &&
           json_parse(buf_as_span(statement_bytes), "statement", TREE_NO_PLACES, ret, &ignored);
}

static bool is_type(const struct stored_layer *layer, const char *wanted)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(LIMIT_ATTESTATION_BYTES);
    CLEANUP(tree_freep) struct tree *tree = NULL;

    return open_statement(layer, &bytes, &tree) && node_str_is(node_get(tree_root(tree), "predicateType"), wanted);
}

/* SPDX and CycloneDX, by the predicate types that cosign writes. */
static void print_sbom(struct printing *printing, const struct stored_layer *layer)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(LIMIT_ATTESTATION_BYTES);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct json_out out = json_out_to(printing->out);
    const struct node *type;

    if (!open_statement(layer, &bytes, &tree))
        return;
    type = node_get(tree_root(tree), "predicateType");
    if (!node_is(type, NODE_STRING) || (!span_starts(type->text, "https://spdx.dev/Document") &&
                                        !span_starts(type->text, "https://cyclonedx.org/bom")))
        return;
    json_put_node(&out, NULL, node_get(tree_root(tree), "predicate"));
    buf_byte(printing->out, '\n');
}

static bool is_asked_for(const struct stored_question *question, const struct stored_layer *layer)
{
    for (size_t i = 0; i < question->place_count; i++)
        if (strcmp(question->manifests[i], layer->manifest) == 0 && question->layers[i] == layer->index)
            return true;
    return false;
}

static void print_envelope(struct printing *printing, const struct stored_layer *layer)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    struct json_out out = json_out_to(printing->out);

    if (!is_asked_for(printing->question, layer) || !json_parse(layer->body, "stored", TREE_NO_PLACES, &tree, &ignored))
        return;
    json_put_node(&out, NULL, envelope_of(layer, tree));
    buf_byte(printing->out, '\n');
}

static bool print_layer(void *context, const struct stored_layer *layer, struct error *err)
{
    struct printing *printing = context;
    const struct stored_question *question = printing->question;

    switch (question->output) {
    case STORED_TREE:
        print_tree(printing, layer);
        break;
    case STORED_SIGNATURES:
        if (layer->bundle)
            print_json(printing, layer->body);
        else if (!layer->attestation)
            print_legacy_signature(printing, layer);
        break;
    case STORED_ATTESTATIONS:
        if ((layer->bundle || layer->attestation) &&
            (question->predicate_type == NULL || is_type(layer, question->predicate_type)))
            print_json(printing, layer->body);
        break;
    case STORED_SBOMS:
        if (layer->bundle || layer->attestation)
            print_sbom(printing, layer);
        break;
    case STORED_ENVELOPES:
        print_envelope(printing, layer);
        break;
    }
    return buf_ok(printing->out) || error_set(err, REASON_LIMIT, "what is stored is too large to show");
}

bool stored_work(void *context, struct buf *out, struct error *err)
{
    const struct stored_question *question = context;
    CLEANUP(replay_done) struct replay replay = { 0 };
    struct printing printing = { .question = question, .out = out };

    buf_make_room(out, question->file.len); /* what is printed of a large file is about as large */
    return replay_read(question->file, &replay, err) && stored_walk(&replay, print_layer, &printing, err);
}
