/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/store.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "verifier/store_internal.h"

/* Made-up objects: as many as one decision may look at. */
enum { MADE_UP_MAX = LIMIT_EVIDENCE_ITEMS };

static const char index_type[] = "application/vnd.oci.image.index.v1+json";
static const char manifest_type[] = "application/vnd.oci.image.manifest.v1+json";

void store_free(struct store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->made_count; i++)
        buf_free(&store->made[i].bytes);
    mem_free(store->made);
    tree_free(store->index);
    buf_free(&store->index_bytes);
    mem_free(store->path);
    mem_free(store);
}

void store_freep(struct store **store)
{
    store_free(*store);
}

/* index.json, when the directory is an OCI layout. */
static bool read_layout(struct store *store, struct error *err)
{
    char *path CLEANUP(mem_freep) = mem_printf("%s/index.json", store->path);

    if (!path)
        return error_oom(err);
    if (!file_read(path, LIMIT_MANIFEST_BYTES, FILE_ANY, &store->index_bytes, err))
        return err->reason == REASON_NOT_FOUND; /* a plain directory */
    if (!json_parse(buf_as_span(&store->index_bytes), path, TREE_NO_PLACES, &store->index, err))
        return false;
    if (!node_is(node_get(tree_root(store->index), "manifests"), NODE_LIST))
        return error_set(err, REASON_MALFORMED, "%s: manifests: want a list", path);
    return true;
}

bool store_open(const char *path, struct store **ret, struct error *err)
{
    struct store *store CLEANUP(store_freep) = mem_new(1, sizeof(*store));
    struct names names = {0};

    if (!store)
        return error_oom(err);
    store->path = mem_strdup(path);
    if (!store->path)
        return error_oom(err);
    if (!dir_list(path, NULL, &names, err))
        return false;
    names_free(&names);
    if (!read_layout(store, err))
        return false;
    *ret = TAKE_PTR(store);
    return true;
}

/* ---- answers ---- */

static bool answer_found(struct evidence *answer, const char *type, struct buf *bytes)
{
    answer->content_type = type ? mem_strdup(type) : NULL;
    answer->body = buf_as_span(bytes);
    answer->owned = buf_take(bytes);
    answer->status = EVIDENCE_FOUND;
    return !type || answer->content_type;
}

static bool answer_error(struct evidence *answer, const struct error *why)
{
    answer->status = EVIDENCE_ERROR;
    answer->reason = why->reason == REASON_LIMIT ? REASON_LIMIT : REASON_FETCH_FAILED;
    answer->error = mem_strdup(why->text);
    return answer->error != NULL;
}

static struct made_up *find_made_up(struct store *store, const char *target)
{
    for (size_t i = 0; i < store->made_count; i++)
        if (strcmp(store->made[i].digest, target) == 0)
            return &store->made[i];
    return NULL;
}

bool store_make_up(struct store *store, struct buf *bytes, struct descriptor_out *ret, struct error *err)
{
    struct made_up *made;
    struct digest digest;

    if (!buf_ok(bytes) || !digest_compute(DIGEST_SHA256, buf_as_span(bytes), &digest))
        return error_set(err, REASON_LIMIT, "an object of the directory is too large");
    (void)digest_format(&digest, ret->digest);
    ret->size = bytes->len;
    if (find_made_up(store, ret->digest))
        return true;
    if (!mem_grow(&store->made, &store->made_capacity, store->made_count, sizeof(*store->made), MADE_UP_MAX))
        return error_set(err, REASON_LIMIT, "the directory holds more than %d objects for one image", MADE_UP_MAX);
    made = &store->made[store->made_count++];
    memcpy(made->digest, ret->digest, sizeof(made->digest));
    made->bytes = *bytes;
    *bytes = (struct buf)BUF_INIT(bytes->max);
    return true;
}

/* blobs/<algorithm>/<hex>. The target was checked to be a digest: no part of it can leave the directory. */
static char *blob_path(const struct store *store, const char *target)
{
    const char *colon = strchr(target, ':');

    return colon ? mem_printf("%s/blobs/%.*s/%s", store->path, (int)(colon - target), target, colon + 1) : NULL;
}

/* The manifest's own mediaType, as a registry would say it in Content-Type; NULL when it names none. */
static char *own_type(struct span bytes)
{
    struct tree *tree CLEANUP(tree_freep) = NULL;
    struct error ignored = ERROR_INIT;
    const struct node *type;

    if (!json_parse(bytes, "manifest", TREE_NO_PLACES, &tree, &ignored))
        return NULL;
    type = node_get(tree_root(tree), "mediaType");
    return node_is(type, NODE_STRING) && type->text.len < 200 ? span_dup(type->text) : NULL;
}

static bool answer_object(struct store *store, const struct want *want, const char *digest, struct evidence *answer,
                          struct error *err)
{
    char *path CLEANUP(mem_freep) = blob_path(store, digest);
    const struct made_up *made = find_made_up(store, digest);
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(want->max_bytes);
    char *type CLEANUP(mem_freep) = NULL;
    struct error why = ERROR_INIT;

    if (!path)
        return error_oom(err);
    if (made) {
        buf_span(&bytes, buf_as_span(&made->bytes));
        if (!buf_ok(&bytes))
            return error_set(&why, REASON_LIMIT, "%s: larger than asked for", digest) || answer_error(answer, &why);
    } else if (!file_read(path, want->max_bytes, FILE_ANY, &bytes, &why)) {
        answer->status = EVIDENCE_ABSENT;
        return why.reason == REASON_NOT_FOUND || answer_error(answer, &why) || error_oom(err);
    }
    if (want->kind == WANT_MANIFEST)
        type = own_type(buf_as_span(&bytes));
    return answer_found(answer, type, &bytes) || error_oom(err);
}

/* Does this entry of index.json stand for the tag? */
static bool entry_is_tag(const struct node *entry, const char *tag)
{
    const struct node *annotations = node_get(entry, "annotations");
    const struct node *name = node_get(annotations, "org.opencontainers.image.ref.name");
    const struct node *kind = node_get(annotations, "kind");
    struct span suffix = span_str(tag);

    if (node_is(name, NODE_STRING) &&
        (span_eq(name->text, suffix) || (name->text.len > suffix.len && span_ends(name->text, tag) &&
                                         name->text.ptr[name->text.len - suffix.len - 1] == ':')))
        return true;
    return (node_str_is(kind, "dev.cosignproject.cosign/sigs") && span_ends(suffix, ".sig")) ||
           (node_str_is(kind, "dev.cosignproject.cosign/atts") && span_ends(suffix, ".att"));
}

static bool answer_tag(struct store *store, const struct want *want, struct evidence *answer, struct error *err)
{
    const struct node *list = store->index ? node_get(tree_root(store->index), "manifests") : NULL;
    char made[DIGEST_TEXT_BYTES];
    struct error why = ERROR_INIT;

    for (const struct node *entry = list ? list->child : NULL; entry; entry = entry->next) {
        const struct node *digest = node_get(entry, "digest");
        char text[DIGEST_TEXT_BYTES];
        struct digest parsed;

        if (entry_is_tag(entry, want->target) && node_is(digest, NODE_STRING) && digest_parse(digest->text, &parsed))
            return answer_object(store, want, digest_format(&parsed, text), answer, err);
    }
    if (!store->index) {
        if (!store_plain_tag(store, want->target, made, &why))
            return answer_error(answer, &why) || error_oom(err);
        if (made[0] != '\0')
            return answer_object(store, want, made, answer, err);
    }
    answer->status = EVIDENCE_ABSENT;
    return true;
}

/* ---- referrers of a layout ---- */

static bool subject_is(struct span bytes, const char *digest, char **ret_artifact_type)
{
    struct tree *tree CLEANUP(tree_freep) = NULL;
    struct error ignored = ERROR_INIT;
    const struct node *type;

    if (bytes.len == 0 || bytes.ptr[0] != '{' || !json_parse(bytes, "manifest", TREE_NO_PLACES, &tree, &ignored) ||
        !node_str_is(node_get(node_get(tree_root(tree), "subject"), "digest"), digest))
        return false;
    type = node_get(tree_root(tree), "artifactType");
    *ret_artifact_type = node_is(type, NODE_STRING) ? span_dup(type->text) : NULL;
    return true;
}

void store_put_descriptor(struct json_out *out, const char *media_type, const struct descriptor_out *descriptor,
                          const char *artifact_type)
{
    json_open_map(out, NULL);
    json_put_str(out, "mediaType", media_type);
    json_put_str(out, "digest", descriptor->digest);
    json_put_int(out, "size", (int64_t)descriptor->size);
    if (artifact_type)
        json_put_str(out, "artifactType", artifact_type);
    json_close_map(out);
}

/* One blob, when it is a manifest about the image. Blobs that are no JSON objects are layers, payloads and the like. */
static bool list_if_referrer(struct store *store, const char *hex, const char *image, struct json_out *out,
                             struct error *err)
{
    char *path CLEANUP(mem_freep) = mem_printf("%s/blobs/sha256/%s", store->path, hex);
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(0);
    char *artifact_type CLEANUP(mem_freep) = NULL;
    struct descriptor_out descriptor = {.size = 0};
    struct error ignored = ERROR_INIT;
    struct digest digest;

    if (!path)
        return error_oom(err);
    if (!file_read(path, LIMIT_MANIFEST_BYTES, FILE_ANY, &bytes, &ignored) ||
        !subject_is(buf_as_span(&bytes), image, &artifact_type))
        return true; /* larger than a manifest may be, or about something else */
    if (!digest_compute(DIGEST_SHA256, buf_as_span(&bytes), &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 fails");
    (void)digest_format(&digest, descriptor.digest);
    descriptor.size = bytes.len;
    store_put_descriptor(out, manifest_type, &descriptor, artifact_type);
    return true;
}

static bool list_layout(struct store *store, const char *image, struct json_out *out, struct error *err)
{
    char *path CLEANUP(mem_freep) = mem_printf("%s/blobs/sha256", store->path);
    struct names blobs CLEANUP(names_free) = {0};

    if (!path)
        return error_oom(err);
    if (!dir_list(path, NULL, &blobs, err))
        return false;
    for (size_t i = 0; i < blobs.count; i++)
        if (!list_if_referrer(store, blobs.items[i], image, out, err))
            return false;
    return true;
}

/* `collect` writes the referrers as an index under the fallback tag, which the verifier asks for as well. */
static bool has_fallback_tag(const struct store *store, const char *image)
{
    const struct node *list = store->index ? node_get(tree_root(store->index), "manifests") : NULL;
    char tag[DIGEST_TEXT_BYTES];

    (void)snprintf(tag, sizeof(tag), "%s", image);
    tag[strcspn(tag, ":")] = '-';
    for (const struct node *entry = list ? list->child : NULL; entry; entry = entry->next)
        if (entry_is_tag(entry, tag))
            return true;
    return false;
}

static bool answer_referrers(struct store *store, const struct want *want, struct evidence *answer, struct error *err)
{
    struct buf listing CLEANUP(buf_free) = BUF_INIT(LIMIT_MANIFEST_BYTES);
    struct json_out out = json_out_to(&listing);
    struct error why = ERROR_INIT;
    bool listed;

    if (has_fallback_tag(store, want->target))
        return true; /* absent here: no need to look into every blob */
    json_open_map(&out, NULL);
    json_put_int(&out, "schemaVersion", 2);
    json_put_str(&out, "mediaType", index_type);
    json_open_list(&out, "manifests");
    listed =
        store->index ? list_layout(store, want->target, &out, &why) : store_plain_list(store, want->target, &out, &why);
    json_close_list(&out);
    json_close_map(&out);
    if (listed && !buf_ok(&listing))
        listed = error_set(&why, REASON_LIMIT, "the directory holds too many objects for one image");
    if (!listed)
        return answer_error(answer, &why) || error_oom(err);
    return answer_found(answer, index_type, &listing) || error_oom(err);
}

static bool is_digest(const char *target)
{
    struct digest digest;

    return digest_parse(span_str(target), &digest);
}

bool store_answer(struct store *store, const struct want *want, struct evidence *ret, struct error *err)
{
    struct evidence answer CLEANUP(evidence_done) = {.id = want->id, .status = EVIDENCE_ABSENT};
    bool done = true;

    answer.source = mem_strdup(store->path);
    if (!answer.source)
        return error_oom(err);
    if (want->kind == WANT_REFERRERS)
        done = !is_digest(want->target) || answer_referrers(store, want, &answer, err);
    else if (want->kind == WANT_BLOB || want->kind == WANT_MANIFEST)
        done = is_digest(want->target) ? answer_object(store, want, want->target, &answer, err)
                                       : want->kind == WANT_BLOB || answer_tag(store, want, &answer, err);
    if (!done)
        return false;
    *ret = answer;
    answer = (struct evidence){0};
    return true;
}
