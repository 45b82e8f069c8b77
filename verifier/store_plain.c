/* SPDX-License-Identifier: Apache-2.0 */
/* Plain directories: the manifests that a registry would hold are made up around the files. */
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/store_internal.h"

static const char manifest_type[] = "application/vnd.oci.image.manifest.v1+json";
static const char bundle_type[] = "application/vnd.dev.sigstore.bundle.v0.3+json";
static const char payload_type[] = "application/vnd.dev.cosign.simplesigning.v1+json";
static const char envelope_type[] = "application/vnd.dsse.envelope.v1+json";

/* "sha256:<hex>" or the stem of a tag "sha256-<hex>" to the image's directory; NULL when out of memory. */
static char *image_dir(const struct store *store, const char *image)
{
    size_t algorithm = strcspn(image, ":-");

    return image[algorithm] ? mem_printf("%s/%.*s-%s", store->path, (int)algorithm, image, image + algorithm + 1)
                            : NULL;
}

static bool list_dir(const char *dir, const char *const *suffixes, struct names *ret, struct error *err)
{
    return dir_list(dir, suffixes, ret, err) || err->reason == REASON_NOT_FOUND; /* nothing about this image */
}

static bool read_file(const char *dir, const char *name, size_t max, struct buf *ret, struct error *err)
{
    char *path CLEANUP(mem_freep) = mem_printf("%s/%s", dir, name);

    return path ? file_read(path, max, FILE_ANY, ret, err) : error_oom(err);
}

/* {"schemaVersion":2,...,"config":the empty object,"layers":[ — closed by close_manifest. */
static void open_manifest(struct json_out *out, const char *artifact_type)
{
    struct descriptor_out empty = {.size = 2};

    memcpy(empty.digest, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 72);
    json_open_map(out, NULL);
    json_put_int(out, "schemaVersion", 2);
    json_put_str(out, "mediaType", manifest_type);
    if (artifact_type)
        json_put_str(out, "artifactType", artifact_type);
    json_open_map(out, "config");
    json_put_str(out, "mediaType", "application/vnd.oci.empty.v1+json");
    json_put_str(out, "digest", empty.digest);
    json_put_int(out, "size", (int64_t)empty.size);
    json_close_map(out);
    json_open_list(out, "layers");
}

static void close_manifest(struct json_out *out)
{
    json_close_list(out);
    json_close_map(out);
}

static bool list_bundle(struct store *store, const char *dir, const char *name, struct json_out *listing,
                        struct error *err)
{
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(0);
    struct buf manifest CLEANUP(buf_free) = BUF_INIT(LIMIT_MANIFEST_BYTES);
    struct json_out out = json_out_to(&manifest);
    struct descriptor_out descriptor;

    if (!read_file(dir, name, LIMIT_ATTESTATION_BYTES, &bytes, err) || !store_make_up(store, &bytes, &descriptor, err))
        return false;
    open_manifest(&out, bundle_type);
    store_put_descriptor(&out, bundle_type, &descriptor, NULL);
    close_manifest(&out);
    if (!store_make_up(store, &manifest, &descriptor, err))
        return false;
    store_put_descriptor(listing, manifest_type, &descriptor, bundle_type);
    return true;
}

bool store_plain_list(struct store *store, const char *image, struct json_out *listing, struct error *err)
{
    static const char *const suffixes[] = {".json", ".bundle", NULL};
    char *dir CLEANUP(mem_freep) = image_dir(store, image);
    struct names names CLEANUP(names_free) = {0};

    if (!dir)
        return error_oom(err);
    if (!list_dir(dir, suffixes, &names, err))
        return false;
    if (names.count > LIMIT_REFERRERS)
        return error_set(err, REASON_LIMIT, "%s: more than %d bundles", dir, LIMIT_REFERRERS);
    for (size_t i = 0; i < names.count; i++)
        if (!list_bundle(store, dir, names.items[i], listing, err))
            return false;
    return true;
}

/* A layer {payload, annotation signature}. The signature file is base64 text, perhaps with a line end. */
static bool put_signature(struct store *store, const char *dir, const char *name, struct json_out *out,
                          struct error *err)
{
    size_t stem = strlen(name) - strlen(".sig");
    char *payload_name CLEANUP(mem_freep) = mem_printf("%.*s.payload", (int)stem, name);
    struct buf signature CLEANUP(buf_free) = BUF_INIT(0);
    struct buf payload CLEANUP(buf_free) = BUF_INIT(0);
    struct descriptor_out descriptor;

    if (!payload_name)
        return error_oom(err);
    if (!read_file(dir, name, LIMIT_KEY_FILE_BYTES, &signature, err) ||
        !read_file(dir, payload_name, LIMIT_PAYLOAD_BYTES, &payload, err) ||
        !store_make_up(store, &payload, &descriptor, err))
        return false;
    json_open_map(out, NULL);
    json_put_str(out, "mediaType", payload_type);
    json_put_str(out, "digest", descriptor.digest);
    json_put_int(out, "size", (int64_t)descriptor.size);
    json_open_map(out, "annotations");
    json_put_span(out, "dev.cosignproject.cosign/signature", span_trim(buf_as_span(&signature)));
    json_close_map(out);
    json_close_map(out);
    return true;
}

static bool put_envelope(struct store *store, const char *dir, const char *name, struct json_out *out,
                         struct error *err)
{
    struct buf envelope CLEANUP(buf_free) = BUF_INIT(0);
    struct descriptor_out descriptor;

    if (!read_file(dir, name, LIMIT_ATTESTATION_BYTES, &envelope, err) ||
        !store_make_up(store, &envelope, &descriptor, err))
        return false;
    store_put_descriptor(out, envelope_type, &descriptor, NULL);
    return true;
}

typedef bool (*put_layer)(struct store *, const char *, const char *, struct json_out *, struct error *);

bool store_plain_tag(struct store *store, const char *tag, char ret_digest[DIGEST_TEXT_BYTES], struct error *err)
{
    static const char *const signatures[] = {".sig", NULL}, *const envelopes[] = {".att", ".dsse", NULL};
    bool is_sig = span_ends(span_str(tag), ".sig"), is_att = span_ends(span_str(tag), ".att");
    put_layer put = is_sig ? put_signature : put_envelope;
    char *stem CLEANUP(mem_freep) = mem_dup(tag, is_sig || is_att ? strlen(tag) - 4 : 0);
    char *dir CLEANUP(mem_freep) = stem ? image_dir(store, stem) : NULL;
    struct names names CLEANUP(names_free) = {0};
    struct buf manifest CLEANUP(buf_free) = BUF_INIT(LIMIT_MANIFEST_BYTES);
    struct json_out out = json_out_to(&manifest);
    struct descriptor_out descriptor;

    ret_digest[0] = '\0';
    if (!dir || strchr(stem, '/'))
        return stem ? true : error_oom(err); /* a tag of another form: nothing here */
    if (!list_dir(dir, is_sig ? signatures : envelopes, &names, err))
        return false;
    if (names.count == 0)
        return true;
    if (names.count > LIMIT_MANIFEST_LAYERS)
        return error_set(err, REASON_LIMIT, "%s: more than %d signatures", dir, LIMIT_MANIFEST_LAYERS);
    open_manifest(&out, NULL);
    for (size_t i = 0; i < names.count; i++)
        if (!put(store, dir, names.items[i], &out, err))
            return false;
    close_manifest(&out);
    if (!store_make_up(store, &manifest, &descriptor, err))
        return false;
    memcpy(ret_digest, descriptor.digest, DIGEST_TEXT_BYTES);
    return true;
}
