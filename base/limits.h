/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit on what comes from outside, with its reason. Units are in the names. */
#ifndef PG_BASE_LIMITS_H
#define PG_BASE_LIMITS_H

enum {
    /* A reference is at most a 255-byte repository, a 128-byte tag and a digest; hosts add at most 255. */
    LIMIT_REFERENCE_BYTES = 1024,

    /* The registries' own limit on manifests (distribution specification: clients should expect 4 MiB). */
    LIMIT_MANIFEST_BYTES = 4 * 1024 * 1024,

    /* cosign stops at 1000 signatures in one .sig manifest. */
    LIMIT_MANIFEST_LAYERS = 1000,

    /* Referrers looked at for one image. Each costs two requests; more than this is a flood, not a supply chain. */
    LIMIT_REFERRERS = 64,

    /* Pages of one referrers listing that are followed. */
    LIMIT_REFERRERS_PAGES = 8,

    /* A simple-signing payload is under 1 KiB; annotations may make it larger. */
    LIMIT_PAYLOAD_BYTES = 1024 * 1024,

    /* Attestations carry SBOMs. 64 MiB of predicate is 86 MiB of base64 inside the envelope, and cosign's own limit is
       128. */
    LIMIT_ATTESTATION_BYTES = 128 * 1024 * 1024,

    /* Everything fetched for one decision. The judge holds it in memory. */
    LIMIT_EVIDENCE_BYTES = 192 * 1024 * 1024,
    LIMIT_EVIDENCE_ITEMS = 2048,

    /* Rounds of "judge asks, fetcher fetches" in one decision: resolve, indexes, pages, manifests, blobs. */
    LIMIT_FETCH_ROUNDS = 16,

    /* Registries in one fetch job: the image's own and those that policies' sources name. */
    LIMIT_FETCH_REGISTRIES = 256,
    /* Endpoints of one registry: mirrors are tried one after the other, within one deadline. */
    LIMIT_FETCH_ENDPOINTS = 32,
    LIMIT_FETCH_HEADERS = 64,
    /* One job: up to LIMIT_EVIDENCE_ITEMS wants of about 1 KiB, CA bundles of mirrors. */
    LIMIT_FETCH_JOB_BYTES = 16 * 1024 * 1024,

    /* Redirects of one request: registry, blob store, its regional host; five is what the Docker client's users meet at
       most. */
    LIMIT_REDIRECTS = 5,

    /* All WWW-Authenticate headers of one response: real ones have under 300 bytes. */
    LIMIT_CHALLENGE_BYTES = 16 * 1024,
    LIMIT_CHALLENGES = 8,

    /* A token service's answer: Azure's and Google's tokens have 2 to 5 KiB. */
    LIMIT_TOKEN_BYTES = 64 * 1024,

    /* Headers of one response, all lines together. */
    LIMIT_HTTP_HEADER_BYTES = 64 * 1024,

    /* sigstore-go's limits for a bundle (sigstore.md 2.1). */
    LIMIT_BUNDLE_LOG_ENTRIES = 32,
    LIMIT_BUNDLE_TIMESTAMPS = 32,
    LIMIT_STATEMENT_SUBJECTS = 1024,
    LIMIT_SUBJECT_DIGESTS = 32,

    /* Nesting of JSON and YAML. The deepest real document seen (CycloneDX with nested components) has 20 levels. */
    LIMIT_TREE_DEPTH = 64,

    /* Nodes of one document. A 64 MiB SBOM has about three million. */
    LIMIT_TREE_NODES = 6 * 1000 * 1000,

    /* Policies, settings and key files are written by people. */
    LIMIT_POLICY_FILE_BYTES = 4 * 1024 * 1024,
    LIMIT_POLICY_FILES = 20000,
    LIMIT_KEY_FILE_BYTES = 64 * 1024,
    LIMIT_TRUST_ROOT_BYTES = 4 * 1024 * 1024,
    LIMIT_SETTINGS_BYTES = 1024 * 1024,

    /* One line on containerd (containerd.md section 2; Kubernetes cuts events at about 1 KiB). */
    LIMIT_REASON_LINE_BYTES = 500,

    /* Largest message between hook and engine: a reference, credentials, an ad-hoc policy document. */
    LIMIT_HOOK_MESSAGE_BYTES = 8 * 1024 * 1024,

    /* A signature over anything: RSA 4096 is 512 bytes, ECDSA P-521 in DER 141. */
    LIMIT_SIGNATURE_BYTES = 1024,

    /* Signature checks in one decision: the layers of one full .sig manifest times a few keys; about 0.4 s of P-256. */
    LIMIT_SIGNATURE_CHECKS = 4096,

    /*
     * Bytes hashed for digests and signatures in one decision: everything fetched a few times over. Many layers may
     * name one large blob, and each signature over it would cost its hash again (twice for P-384, P-521 and Ed25519): 1
     * to 3 s.
     */
    LIMIT_HASHED_BYTES = 512 * 1024 * 1024,

    /* Chains of certificates from outside. */
    LIMIT_CHAIN_CERTIFICATES = 16,
    LIMIT_CERTIFICATE_BYTES = 64 * 1024,

    /* RFC 6962: a tree of 2^63 leaves needs 63 hashes. */
    LIMIT_PROOF_HASHES = 64,
};

#endif
