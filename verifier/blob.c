/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles, from an image's referrers or from a file, and detached signatures (sigstore.md 2). */
#include "base/encode.h"
#include "base/limits.h"
#include "verifier/bundle.h"
#include "verifier/object.h"

/* messageDigest is not signed, but it must not contradict the artifact (sigstore.md 2.2). */
static bool check_message_digest(const struct bundle *bundle, const struct object *object, struct error *err)
{
    const struct digest *stated = &bundle->message_digest;
    bool same;

    if (stated->alg == DIGEST_NONE)
        return true;
    if (object->message_digest)
        same = digest_eq(stated, object->message_digest);
    else
        same = digest_matches(stated, object->message);
    return same ? true : error_set(err, REASON_DIGEST_MISMATCH, "bundle: messageDigest is not the artifact's");
}

static bool fill_content(const struct bundle *bundle, struct object *object, struct error *err)
{
    /* Who signs files that others hand in must not thereby sign images: a manifest is a file too (trap 6). */
    if (!bundle->is_dsse && object->of_image)
        return error_set(err, REASON_NO_SIGNATURE, "bundle: a signature over a file, not a statement about an image");
    if (!bundle->is_dsse) {
        object->form = CONTENT_ARTIFACT;
        object->signature = object->timestamped = bundle->message_signature;
        return check_message_digest(bundle, object, err);
    }
    object->form = CONTENT_BUNDLE;
    object->message = bundle->dsse.pae;
    object->message_digest = NULL;
    object->payload = bundle->dsse.payload;
    object->signature = object->timestamped = bundle->dsse.signatures[0];
    return true;
}

bool bundle_verify(struct verification *run, struct object *object, struct error *err)
{
    struct error why = ERROR_INIT;
    struct bundle bundle;

    object->layout = LAYOUT_BUNDLE;
    if (!bundle_parse(&run->claims->keep, object->envelope, &bundle, &why) || !fill_content(&bundle, object, &why))
        return claims_note(run->claims, &object->view, object->expected, &why, err);
    object->keys_allowed = bundle.has_key;
    object->hint = bundle.hint;
    object->certificate_der = bundle.certificate;
    object->chain_der = bundle.chain;
    object->chain_count = bundle.chain_count;
    object->entries = bundle.entries;
    object->entry_count = bundle.entry_count;
    object->timestamps = bundle.timestamps;
    object->timestamp_count = bundle.timestamp_count;
    return object_verify(run, object, err);
}

/* A signature file holds base64, in one line or, as by base64(1), several; or the raw bytes. */
static bool detached_signature(struct keep *keep, struct span text, struct span *ret, struct error *err)
{
    if (text.len == 0)
        return error_set(err, REASON_BAD_SIGNATURE, "the signature is empty");
    if (keep_base64(keep, text, BASE64_PEM, LIMIT_SIGNATURE_BYTES, "signature", ret, err))
        return true;
    if (text.len > LIMIT_SIGNATURE_BYTES)
        return error_set(err, REASON_BAD_SIGNATURE, "the signature has %zu bytes", text.len);
    *ret = text;
    return true;
}

static bool detached_verify(struct verification *run, const struct verify_file *file, struct object *object,
                            struct error *err)
{
    struct error why = ERROR_INIT;

    object->layout = LAYOUT_LEGACY;
    object->form = CONTENT_ARTIFACT;
    object->keys_allowed = true;
    object->certificate_pem = file->certificate;
    if (!detached_signature(&run->claims->keep, file->signature, &object->signature, &why))
        return claims_note(run->claims, &object->view, object->expected, &why, err);
    object->timestamped = object->signature;
    return object_verify(run, object, err);
}

bool verify_file(const struct verify_input *input, const struct verify_file *file,
                 const struct verify_artifact *artifact, struct claims *ret_claims, struct error *err)
{
    struct verify_input own = *input;
    struct claims claims CLEANUP(claims_done) = {0};
    struct verification run = {.input = &own, .claims = &claims};
    struct object object = {
        .view = {.host = "file", .repository = "", .tag_prefix = "", .manifest = ""},
        .expected = CLAIM_SIGNATURE, .signatures = true, .attestations = true, .envelope = file->bundle,
    };
    bool done;

    own.image = artifact->digest;
    if (artifact->has_bytes) {
        object.message = object.payload = artifact->bytes;
        if (!digest_compute(DIGEST_SHA256, artifact->bytes, &own.image))
            return error_set(err, REASON_INTERNAL, "digest of the artifact");
    } else {
        object.message_digest = &own.image;
    }
    claims.image = own.image;
    done = file->bundle.len > 0 ? bundle_verify(&run, &object, err) : detached_verify(&run, file, &object, err);
    if (!done)
        return false;
    *ret_claims = claims;
    claims = (struct claims){0};
    return true;
}
