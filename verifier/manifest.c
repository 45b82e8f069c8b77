/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/manifest.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"

static const char oci_image[] = "application/vnd.oci.image.manifest.v1+json";
static const char oci_index[] = "application/vnd.oci.image.index.v1+json";
static const char docker_image[] = "application/vnd.docker.distribution.manifest.v2+json";
static const char docker_index[] = "application/vnd.docker.distribution.manifest.list.v2+json";

bool media_type_is_image(struct span media_type)
{
    return span_eq_str(media_type, oci_image) || span_eq_str(media_type, docker_image);
}

bool media_type_is_index(struct span media_type)
{
    return span_eq_str(media_type, oci_index) || span_eq_str(media_type, docker_index);
}

struct span annotation_get(const struct node *annotations, const char *key)
{
    const struct node *node = node_get(annotations, key);

    return node_is(node, NODE_STRING) ? node->text : span_of(NULL, 0);
}

static bool annotations_check(const struct node *annotations, const char *what, struct error *err)
{
    if (!annotations)
        return true;
    for (const struct node *item = annotations->child; item; item = item->next)
        if (item->kind != NODE_STRING)
            return error_set(err, REASON_MALFORMED, "%s: an annotation is a %s, not a string", what,
                             node_kind_name(item->kind));
    return true;
}

static bool descriptor_parse(const struct node *node, const char *what, struct descriptor *ret, struct error *err)
{
    const struct node *media_type, *artifact_type, *digest, *size, *annotations;
    const struct field fields[] = {
        {"mediaType", NODE_STRING, true, &media_type},
        {"artifactType", NODE_STRING, false, &artifact_type},
        {"digest", NODE_STRING, true, &digest},
        {"size", NODE_NUMBER, true, &size},
        {"annotations", NODE_MAP, false, &annotations},
    };
    struct descriptor descriptor = {0};
    int64_t bytes;
    char clean[100];

    if (!node_fields(node, what, fields, ARRAY_LEN(fields), true, REASON_MALFORMED, err) ||
        !annotations_check(annotations, what, err))
        return false;
    if (!digest_parse(digest->text, &descriptor.digest))
        return error_set(err, REASON_MALFORMED, "%s: \"%s\" is not a digest", what,
                         text_clean(digest->text, clean, sizeof(clean)));
    if (!node_int(size, false, &bytes) || bytes < 0)
        return error_set(err, REASON_MALFORMED, "%s: the size is not a number of bytes", what);
    descriptor.media_type = media_type->text;
    if (artifact_type)
        descriptor.artifact_type = artifact_type->text;
    descriptor.size = (uint64_t)bytes;
    descriptor.annotations = annotations;
    *ret = descriptor;
    return true;
}

static bool descriptors_parse(const struct node *list, const char *what, struct manifest *manifest, struct error *err)
{
    if (list->count > LIMIT_MANIFEST_LAYERS)
        return error_set(err, REASON_LIMIT, "manifest: %u %s, more than %d", list->count, what, LIMIT_MANIFEST_LAYERS);
    if (list->count == 0)
        return true;
    manifest->items = mem_new(list->count, sizeof(*manifest->items));
    if (!manifest->items)
        return error_oom(err);
    for (const struct node *item = list->child; item; item = item->next) {
        if (descriptor_parse(item, what, &manifest->items[manifest->count], err))
            manifest->count++;
        else if (manifest->kind != MANIFEST_INDEX)
            return false;
        else if (manifest->unusable++ == 0)
            manifest->why_unusable = *err;
    }
    return true;
}

/* The kind that a media type names; 0 when it names none of ours (such as application/json). */
static int kind_of(struct span media_type)
{
    return media_type_is_image(media_type) ? MANIFEST_IMAGE : media_type_is_index(media_type) ? MANIFEST_INDEX : 0;
}

static bool kind_decide(const struct node *media_type, const char *content_type, bool layers, bool manifests,
                        enum manifest_kind *ret, struct error *err)
{
    enum manifest_kind kind = manifests ? MANIFEST_INDEX : MANIFEST_IMAGE;
    char clean[100];

    if (layers == manifests)
        return error_set(err, REASON_MALFORMED, "manifest: one of \"layers\" and \"manifests\" is wanted, %s found",
                         layers ? "both" : "neither");
    if (media_type && kind_of(media_type->text) != (int)kind)
        return error_set(err, REASON_UNSUPPORTED, "manifest: mediaType \"%s\" does not fit its members",
                         text_clean(media_type->text, clean, sizeof(clean)));
    if (content_type && kind_of(span_str(content_type)) != 0 && kind_of(span_str(content_type)) != (int)kind)
        return error_set(err, REASON_MALFORMED, "manifest: sent as \"%s\", but its members say otherwise",
                         text_clean(span_str(content_type), clean, sizeof(clean)));
    *ret = kind;
    return true;
}

static bool parse_members(const struct node *root, const char *content_type, struct manifest *manifest,
                          struct error *err)
{
    const struct node *version, *media_type, *artifact_type, *config, *layers, *manifests, *subject, *annotations;
    const struct field fields[] = {
        {"schemaVersion", NODE_NUMBER, true, &version}, {"mediaType", NODE_STRING, false, &media_type},
        {"artifactType", NODE_STRING, false, &artifact_type}, {"config", NODE_MAP, false, &config},
        {"layers", NODE_LIST, false, &layers}, {"manifests", NODE_LIST, false, &manifests},
        {"subject", NODE_MAP, false, &subject}, {"annotations", NODE_MAP, false, &annotations},
    };
    int64_t number;

    if (!node_fields(root, "manifest", fields, ARRAY_LEN(fields), true, REASON_MALFORMED, err) ||
        !annotations_check(annotations, "manifest", err))
        return false;
    if (!node_int(version, false, &number) || number != 2)
        return error_set(err, REASON_UNSUPPORTED, "manifest: schemaVersion is not 2");
    if (!kind_decide(media_type, content_type, layers != NULL, manifests != NULL, &manifest->kind, err))
        return false;
    if (artifact_type)
        manifest->artifact_type = artifact_type->text;
    manifest->annotations = annotations;
    if (manifest->kind == MANIFEST_INDEX)
        return descriptors_parse(manifests, "manifest descriptor", manifest, err);
    if (!config)
        return error_set(err, REASON_MALFORMED, "manifest: config is missing");
    return descriptor_parse(config, "config descriptor", &manifest->config, err) &&
           descriptors_parse(layers, "layer descriptor", manifest, err);
}

bool manifest_parse(struct span bytes, const char *content_type, struct manifest *ret, struct error *err)
{
    struct manifest manifest CLEANUP(manifest_done) = {0};

    if (bytes.len > LIMIT_MANIFEST_BYTES)
        return error_set(err, REASON_LIMIT, "manifest: %zu bytes, more than %d", bytes.len, LIMIT_MANIFEST_BYTES);
    if (!json_parse(bytes, "manifest", TREE_NO_PLACES, &manifest.tree, err) ||
        !parse_members(tree_root(manifest.tree), content_type, &manifest, err))
        return false;
    *ret = manifest;
    manifest = (struct manifest){0};
    return true;
}

void manifest_done(struct manifest *manifest)
{
    mem_free(manifest->items);
    tree_free(manifest->tree);
    *manifest = (struct manifest){0};
}
