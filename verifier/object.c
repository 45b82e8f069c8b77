/* SPDX-License-Identifier: Apache-2.0 */
/* The core: one signed object against the anchors given (sigstore.md 1.6 and 2.6). */
#include "verifier/object.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "verifier/certificate.h"
#include "verifier/proofs.h"

/* What one object came to. */
struct outcome {
    bool verified;          /* some signature check succeeded */
    bool content_read;      /* content was tried; content_ok tells */
    bool content_ok;
    struct content content;
    bool has_why;
    struct error why;       /* the best reason so far that there is no claim */
};

/* WRONG_KEY outranks BAD_SIGNATURE: a key of another type finds every signature ill-formed. */
static void remember(struct outcome *outcome, const struct error *why)
{
    if (outcome->has_why && why->reason != REASON_WRONG_KEY)
        return;
    outcome->why = *why;
    outcome->has_why = true;
}

/* Could these bytes be a signature of some kind? DER of ECDSA, Ed25519 or raw ECDSA, RSA by length. */
static bool plausible_signature(struct span sig)
{
    static const size_t lengths[] = {64, 96, 132, 256, 384, 512, 1024};

    if (sig.len >= 8 && sig.ptr[0] == 0x30 &&
        (sig.ptr[1] == sig.len - 2 || (sig.ptr[1] == 0x81 && sig.ptr[2] == sig.len - 3)))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
        if (sig.len == lengths[i])
            return true;
    return false;
}

/* Fills in what every claim has; the signer comes from the caller. */
static bool claim_start(const struct object *object, const struct content *content, struct claim *claim,
                        struct error *err)
{
    claim->layout = object->layout;
    claim->payload = object->payload;
    claim->signature = object->signature;
    claim->envelope = object->envelope;
    return claim_place_set(&claim->place, &object->view, err) && content_to_claim(content, claim, err);
}

/* Reads the content once, after the first signature that verified. false in *ret_usable: no claim (and why). */
static void read_content(struct verification *run, const struct object *object, struct outcome *outcome,
                         bool *ret_usable)
{
    struct error why = ERROR_INIT;
    char clean[150];

    if (!outcome->content_read) {
        outcome->content_read = true;
        outcome->content_ok = content_read(&run->claims->keep, object->form, object->payload, &run->input->image,
                                           &outcome->content, &why);
        if (!outcome->content_ok) {
            outcome->why = why;
            outcome->has_why = true;
        } else if (outcome->content.kind == CLAIM_ATTESTATION && !object->attestations) {
            outcome->content_ok = false;
            outcome->has_why = true;
            (void)error_set(&outcome->why, REASON_NO_SIGNATURE, "an attestation of type \"%s\", not a signature",
                            text_clean(outcome->content.predicate_type, clean, sizeof(clean)));
        } else if (outcome->content.kind == CLAIM_SIGNATURE && !object->signatures) {
            outcome->content_ok = false;
            outcome->has_why = true;
            (void)error_set(&outcome->why, REASON_NO_ATTESTATION, "a signature, not an attestation");
        }
    }
    *ret_usable = outcome->content_ok;
}

bool run_check(struct verification *run, struct error *err)
{
    if (run->checks >= LIMIT_SIGNATURE_CHECKS)
        return error_set(err, REASON_LIMIT, "not checked: more than %d signature checks for one image",
                         LIMIT_SIGNATURE_CHECKS);
    run->checks++;
    return true;
}

bool run_hash(struct verification *run, size_t bytes, struct error *err)
{
    if (bytes > LIMIT_HASHED_BYTES - run->hashed)
        return error_set(err, REASON_LIMIT, "not checked: more than %d bytes to hash for one image",
                         LIMIT_HASHED_BYTES);
    run->hashed += bytes;
    return true;
}

/* From this size on a message is hashed once for all keys that sign its SHA-256. */
enum { PREHASH_BYTES = 64 * 1024 };

static bool signs_sha256(const struct pubkey *key, enum digest_alg hash)
{
    return (pubkey_type(key) == KEY_EC_P256 || pubkey_type(key) == KEY_RSA) &&
           (hash == DIGEST_NONE || hash == DIGEST_SHA256);
}

static bool prehash(struct verification *run, struct span message, struct error *err)
{
    if (run->prehashed.ptr == message.ptr && run->prehashed.len == message.len)
        return true;
    if (!run_hash(run, message.len, err))
        return false;
    if (!digest_compute(DIGEST_SHA256, message, &run->prehash))
        return error_set(err, REASON_INTERNAL, "digest of the signed message");
    run->prehashed = message;
    return true;
}

/* Over the bytes, or over their digest when that is all there is. */
static bool check_signature(struct verification *run, const struct object *object, const struct pubkey *key,
                            enum digest_alg hash, struct error *err)
{
    const struct sig_scheme scheme = {.kind = SCHEME_COSIGN_KEY, .hash = hash, .rsa_pss = false};

    if (object->message_digest)
        return pubkey_verify_digest(key, &scheme, object->message_digest, object->signature, err);
    if (object->message.len >= PREHASH_BYTES && signs_sha256(key, hash))
        return prehash(run, object->message, err) &&
               pubkey_verify_digest(key, &scheme, &run->prehash, object->signature, err);
    return run_hash(run, object->message.len, err) &&
           pubkey_verify(key, &scheme, object->message, object->signature, err);
}

static bool key_verify(struct verification *run, const struct object *object, const struct verify_key *anchor,
                       struct error *why)
{
    if (!run_check(run, why) || !check_signature(run, object, anchor->key, anchor->hash, why)) {
        if (why->reason == REASON_BAD_SIGNATURE && plausible_signature(object->signature))
            return error_set(why, REASON_WRONG_KEY, "signed by another kind of key than %s",
                             pubkey_type_name(anchor->key));
        /* The bundle names this very key: then it is the signature that is broken. */
        if (why->reason == REASON_WRONG_KEY && object->hint.len > 0 &&
            span_eq_str(object->hint, pubkey_hint(anchor->key)))
            return error_set(why, REASON_BAD_SIGNATURE, "the key that the bundle names does not verify its signature");
        return false;
    }
    return true;
}

static bool add_key_claim(struct verification *run, const struct object *object, const struct verify_key *anchor,
                          const struct content *content, struct error *err)
{
    struct claim claim CLEANUP(claim_done) = {.signer = SIGNER_KEY, .key_hash = anchor->hash};

    memcpy(claim.key_fingerprint, pubkey_fingerprint(anchor->key), KEY_FINGERPRINT_BYTES);
    return claim_start(object, content, &claim, err) && proofs_verify(run, object, NULL, anchor->key, &claim, err) &&
           claims_add(run->claims, &claim, err);
}

/* Every anchor is tried: the same key may be there with several hashes, and each of its claims counts for its own. */
static bool verify_with_keys(struct verification *run, const struct object *object, struct outcome *outcome,
                             struct error *err)
{
    for (size_t i = 0; i < run->input->key_count; i++) {
        const struct verify_key *anchor = &run->input->keys[i];
        struct error why = ERROR_INIT;
        bool usable;

        if (!key_verify(run, object, anchor, &why)) {
            if (!outcome->verified)
                remember(outcome, &why);
            continue;
        }
        outcome->verified = true;
        read_content(run, object, outcome, &usable);
        if (!usable)
            return true;
        if (!add_key_claim(run, object, anchor, &outcome->content, err))
            return false;
    }
    return true;
}

static bool add_certificate_claim(struct verification *run, const struct object *object, const struct signer *signer,
                                  const struct content *content, struct error *err)
{
    struct claim claim CLEANUP(claim_done) = {0};

    return claim_start(object, content, &claim, err) && certificate_to_claim(run, object, signer, &claim, err) &&
           proofs_verify(run, object, signer->cert, NULL, &claim, err) &&
           certificate_verify_chains(run, signer, &claim, err) && claims_add(run->claims, &claim, err);
}

/* The claim says what the certificate is and whether each root vouches for it; whether that is enough is policy's. */
static bool verify_with_certificate(struct verification *run, const struct object *object, struct outcome *outcome,
                                    struct error *err)
{
    struct signer signer CLEANUP(signer_done) = {0};
    struct error why = ERROR_INIT;
    bool usable;

    if (!signer_parse(run, object, &signer, &why) || !run_check(run, &why) ||
        !check_signature(run, object, cert_key(signer.cert), DIGEST_NONE, &why)) {
        /* The certificate came with the signature: it is not the wrong key, the signature is broken. */
        if (why.reason == REASON_WRONG_KEY)
            (void)error_set(&why, REASON_BAD_SIGNATURE, "its own certificate does not verify the signature");
        outcome->why = why;
        outcome->has_why = true;
        return true;
    }
    outcome->verified = true;
    read_content(run, object, outcome, &usable);
    return usable ? add_certificate_claim(run, object, &signer, &outcome->content, err) : true;
}

bool object_verify(struct verification *run, const struct object *object, struct error *err)
{
    struct outcome outcome = {0};
    size_t before = run->claims->count;
    bool certificate = object->certificate_der.len > 0 || object->certificate_pem.len > 0;

    if (object->keys_allowed && !verify_with_keys(run, object, &outcome, err))
        return false;
    if (certificate && run->input->root_count > 0 && !verify_with_certificate(run, object, &outcome, err))
        return false;
    if (run->claims->count > before)
        return true;
    if (!outcome.has_why)
        (void)error_set(&outcome.why, REASON_WRONG_KEY, certificate ? "signed with a certificate; a key is wanted"
                                                                    : "signed with a key; a certificate is wanted");
    return claims_note(run->claims, &object->view,
                       outcome.content_read && outcome.content.kind != 0 ? outcome.content.kind : object->expected,
                       &outcome.why, err);
}
