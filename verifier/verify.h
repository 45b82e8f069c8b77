/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From evidence to claims. Pure: no network, no file, no clock. Called after each round of fetching with everything
 * brought so far; says what else is worth asking for, and what is proven already.
 */
#ifndef PG_VERIFIER_VERIFY_H
#define PG_VERIFIER_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "verifier/claims.h"
#include "verifier/evidence.h"

struct trust_root;

struct verify_key {
    const struct pubkey *key;
    enum digest_alg hash;
};

/* A place to search: repository "host/path", and what for. */
struct verify_place {
    const char *host;
    const char *repository;
    const char *tag_prefix; /* "" = none */
    bool signatures;
    bool attestations;
};

struct verify_input {
    struct digest image;
    const struct verify_place *places;
    size_t place_count;
    const struct verify_key *keys;
    size_t key_count;
    const struct trust_root *const *roots;
    size_t root_count;
    int64_t now;
};

/* What a file's signature is about, when it is no image. */
struct verify_artifact {
    struct span bytes;    /* when has_bytes */
    bool has_bytes;
    struct digest digest; /* else its digest: SHA-256, SHA-384 or SHA-512 */
};

/* A Sigstore bundle; or, when that is empty, a detached signature with (or without) a certificate. */
struct verify_file {
    struct span bundle;
    struct span signature;   /* base64, or raw bytes */
    struct span certificate; /* PEM; empty = by a key */
};

/*
 * Adds to ret_wants what should be fetched next (nothing = the search is complete).
 * Searches .sig (and .att when attestations are wanted), referrers and the fallback tag at once; then manifests; then
 * blobs.
 */
bool verify_wants(const struct verify_input *input, const struct evidence_set *evidence, struct wants *ret_wants,
                  struct error *err) MUST_CHECK;

/* Everything that the evidence proves. Fails only for internal reasons; bad evidence becomes findings. */
bool verify_claims(const struct verify_input *input, const struct evidence_set *evidence, struct claims *ret_claims,
                   struct error *err) MUST_CHECK;

/*
 * The same for one file beside an artifact (verify-blob, verify-bundle): input's keys, roots and time count, its places
 * and image do not. A DSSE bundle must name the artifact as a subject; a message signature must be over it.
 */
bool verify_file(const struct verify_input *input, const struct verify_file *file,
                 const struct verify_artifact *artifact, struct claims *ret_claims, struct error *err) MUST_CHECK;

#endif
