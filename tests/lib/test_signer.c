/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/test_signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

enum { TEST_MAX_BYTES = 256 * 1024 * 1024 };

void test_sign(const struct privkey *key, struct span message, struct buf *ret)
{
    struct error err = ERROR_INIT;

    *ret = (struct buf)BUF_INIT(4096);
    if (!privkey_sign(key, message, ret, &err)) {
        (void)fprintf(stderr, "privkey_sign: %s\n", err.text);
        abort();
    }
}

void test_pae(const char *type, struct span payload, struct buf *ret)
{
    *ret = (struct buf)BUF_INIT(TEST_MAX_BYTES);
    buf_printf(ret, "DSSEv1 %zu %s %zu ", strlen(type), type, payload.len);
    buf_span(ret, payload);
}

void test_put_layers(struct test_registry *registry, const char *repository, const char *tag,
                     const struct test_layer *layers, size_t count)
{
    struct buf manifest = BUF_INIT(TEST_MAX_BYTES);
    char digest[DIGEST_TEXT_BYTES];

    test_registry_put_digest(registry, WANT_BLOB, repository, NULL, span_str("{}"), digest);
    buf_printf(&manifest,
               "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":"
               "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":2},\"layers\":[",
               digest);
    for (size_t i = 0; i < count; i++) {
        const struct test_layer *layer = &layers[i];
        struct buf encoded = BUF_INIT(8192);

        test_registry_put_digest(registry, WANT_BLOB, repository, NULL, layer->payload, digest);
        if (layer->signature_text)
            buf_str(&encoded, layer->signature_text);
        else
            base64_encode(layer->signature, &encoded);
        buf_printf(&manifest,
                   "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":"
                   "{\"dev.cosignproject.cosign/signature\":\"%s\"%s}}",
                   i > 0 ? "," : "",
                   layer->media_type ? layer->media_type : "application/vnd.dev.cosign.simplesigning.v1+json", digest,
                   layer->payload.len, buf_cstr(&encoded), layer->annotations ? layer->annotations : "");
        buf_free(&encoded);
    }
    buf_str(&manifest, "]}");
    test_registry_put(registry, WANT_MANIFEST, repository, tag, "application/vnd.oci.image.manifest.v1+json", NULL,
                      buf_as_span(&manifest));
    buf_free(&manifest);
}

void test_bundle(const struct privkey *key, struct span statement, struct buf *ret)
{
    struct buf pae, signature;

    test_pae("application/vnd.in-toto+json", statement, &pae);
    test_sign(key, buf_as_span(&pae), &signature);
    buf_free(&pae);
    *ret = (struct buf)BUF_INIT(TEST_MAX_BYTES);
    buf_printf(ret,
               "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"verificationMaterial\":"
               "{\"publicKey\":{\"hint\":\"%s\"}},\"dsseEnvelope\":{\"payload\":\"",
               pubkey_hint(privkey_public(key)));
    base64_encode(statement, ret);
    buf_str(ret, "\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{\"sig\":\"");
    base64_encode(buf_as_span(&signature), ret);
    buf_str(ret, "\"}]}}");
    buf_free(&signature);
}

void test_put_bundle(struct test_registry *registry, const char *repository, struct span bundle,
                     const char *manifest_members, struct buf *ret_descriptor)
{
    struct buf manifest = BUF_INIT(TEST_MAX_BYTES);
    char digest[DIGEST_TEXT_BYTES];

    test_registry_put_digest(registry, WANT_BLOB, repository, NULL, bundle, digest);
    buf_printf(&manifest,
               "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":"
               "{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"size\":2,\"digest\":"
               "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"},\"layers\":["
               "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"size\":%zu,\"digest\":\"%s\"}]%s}",
               bundle.len, digest, manifest_members ? manifest_members : "");
    test_registry_put_digest(registry, WANT_MANIFEST, repository, "application/vnd.oci.image.manifest.v1+json",
                             buf_as_span(&manifest), digest);
    buf_printf(ret_descriptor,
               "%s{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\","
               "\"artifactType\":\"application/vnd.oci.empty.v1+json\"}",
               ret_descriptor->len > 0 ? "," : "", manifest.len, digest);
    buf_free(&manifest);
}

void test_put_index(struct test_registry *registry, enum want_kind kind, const char *repository, const char *target,
                    const char *link, const char *descriptors)
{
    struct buf index = BUF_INIT(TEST_MAX_BYTES);

    buf_printf(&index,
               "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[%s]}",
               descriptors);
    test_registry_put(registry, kind, repository, target, "application/vnd.oci.image.index.v1+json", link,
                      buf_as_span(&index));
    buf_free(&index);
}
