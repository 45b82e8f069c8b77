/* SPDX-License-Identifier: Apache-2.0 */
/* cosign's legacy layout: one layer is one signature or attestation, its proofs are annotations (sigstore.md 1.2, 1.5).
 */
#include "base/encode.h"
#include "base/limits.h"
#include "verifier/dsse.h"
#include "verifier/manifest.h"
#include "verifier/object.h"

enum { TIMESTAMP_MAX_BYTES = 64 * 1024 };

/* Proofs that the annotations carry, decoded. */
struct proofs {
    struct log_entry entry;
    bool has_entry;
    struct span timestamp;
};

static bool read_timestamp(struct keep *keep, struct span json, struct span *ret, struct error *err)
{
    const struct node *root, *token;
    const struct field fields[] = {{"SignedRFC3161Timestamp", NODE_STRING, true, &token}};

    return keep_json(keep, json, "timestamp annotation", &root, err) &&
           node_fields(root, "timestamp annotation", fields, 1, false, REASON_MALFORMED, err) &&
           keep_base64(keep, token->text, BASE64_STD, TIMESTAMP_MAX_BYTES, "timestamp annotation", ret, err);
}

/* Empty annotations are absent ones: cosign 3 writes an empty chain (trap 6). */
static bool read_proofs(struct keep *keep, const struct node *annotations, struct object *object, struct proofs *proofs,
                        struct error *err)
{
    struct span bundle = annotation_get(annotations, "dev.sigstore.cosign/bundle");
    struct span timestamp = annotation_get(annotations, "dev.sigstore.cosign/rfc3161timestamp");

    object->certificate_pem = annotation_get(annotations, "dev.sigstore.cosign/certificate");
    object->chain_pem = annotation_get(annotations, "dev.sigstore.cosign/chain");
    if (bundle.len > 0) {
        if (!logentry_parse_legacy(keep, bundle, &proofs->entry, err))
            return false;
        proofs->has_entry = true;
    }
    if (timestamp.len > 0 && !read_timestamp(keep, timestamp, &proofs->timestamp, err))
        return false;
    object->entries = &proofs->entry;
    object->entry_count = proofs->has_entry ? 1 : 0;
    object->timestamps = &proofs->timestamp;
    object->timestamp_count = timestamp.len > 0 ? 1 : 0;
    return true;
}

bool legacy_signature_verify(struct verification *run, struct object *object, const struct node *annotations,
                             struct error *err)
{
    struct span encoded = annotation_get(annotations, "dev.cosignproject.cosign/signature");
    struct keep *keep = &run->claims->keep;
    struct proofs proofs = {0};
    struct error why = ERROR_INIT;

    object->layout = LAYOUT_LEGACY;
    object->form = CONTENT_SIMPLE_SIGNING;
    object->keys_allowed = true;
    object->message = object->payload = object->envelope;
    if (encoded.len == 0) {
        (void)error_set(&why, REASON_BAD_SIGNATURE, "the layer has no annotation dev.cosignproject.cosign/signature");
        return claims_note(run->claims, &object->view, object->expected, &why, err);
    }
    /* `cosign attach signature` stores a file of base64 as it is, line ends and all, and cosign reads past them. */
    if (!keep_base64(keep, encoded, BASE64_PEM, LIMIT_SIGNATURE_BYTES, "signature annotation", &object->signature,
                     &why)) {
        why.reason = REASON_BAD_SIGNATURE;
        return claims_note(run->claims, &object->view, object->expected, &why, err);
    }
    object->timestamped = object->signature;
    if (!read_proofs(keep, annotations, object, &proofs, &why))
        return claims_note(run->claims, &object->view, object->expected, &why, err);
    return object_verify(run, object, err);
}

/* Several DSSE signatures are alternatives here (seen); each is an object of its own. */
bool legacy_attestation_verify(struct verification *run, struct object *object, const struct node *annotations,
                               struct error *err)
{
    struct keep *keep = &run->claims->keep;
    struct proofs proofs = {0};
    const struct node *root;
    struct error why = ERROR_INIT;
    struct dsse dsse;

    object->layout = LAYOUT_LEGACY;
    object->form = CONTENT_ATTESTATION;
    object->keys_allowed = true;
    /* The timestamp of a legacy attestation covers the whole envelope (sigstore.md 1.5). */
    object->timestamped = object->envelope;
    if (!keep_json(keep, object->envelope, "DSSE envelope", &root, &why) ||
        !dsse_parse(keep, root, DSSE_LEGACY, &dsse, &why) || !read_proofs(keep, annotations, object, &proofs, &why))
        return claims_note(run->claims, &object->view, object->expected, &why, err);
    object->message = dsse.pae;
    object->payload = dsse.payload;
    for (size_t i = 0; i < dsse.signature_count; i++) {
        object->signature = dsse.signatures[i];
        if (!object_verify(run, object, err))
            return false;
    }
    return true;
}
