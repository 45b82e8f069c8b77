/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures without a registry: answers wants (verifier/evidence.h) from a directory, so that a node without a network
 * finds what a registry would have given it. Two forms:
 *
 *   OCI layout (image-spec image-layout.md), as `cosign save`, `pullguard collect`, skopeo and oras write it:
 *     oci-layout, index.json, blobs/<algorithm>/<hex>. A tag is looked up among index.json's manifests: the annotation
 *     org.opencontainers.image.ref.name equal to it (or ending in ":" and it), or cosign's own `kind` annotation
 *     (dev.cosignproject.cosign/sigs = .sig, .../atts = .att). Referrers are the manifests of index.json, and of the
 * image manifests among the blobs, whose `subject` is the digest: cosign leaves bundles as blobs that nothing lists.
 *
 *   plain: <algorithm>-<hex>/ per image, holding any of
 *     *.sigstore.json, *.bundle, *.json   Sigstore bundles
 *     NAME.sig + NAME.payload             a signature (base64 text) over a simple-signing payload, as
 *                                         `cosign sign --output-signature --output-payload` writes
 *     *.att, *.dsse                       DSSE envelopes
 *     For these, manifests are made up that hold them as a registry would; what is signed is untouched.
 *
 * What comes from here is evidence like any other: digests are checked again by the judge. Reads files below the
 * directory only; parses them: run it where there is no network (design rule 2).
 */
#ifndef PG_VERIFIER_STORE_H
#define PG_VERIFIER_STORE_H

#include "base/attributes.h"
#include "base/error.h"
#include "verifier/evidence.h"

/* want.host of what is to be looked for in a directory; want.repository is then its absolute path. */
#define STORE_HOST "directory"

struct store;

/* NOT_FOUND when the directory is missing, MALFORMED when it has oci-layout or index.json and they are not valid. */
bool store_open(const char *path, struct store **ret, struct error *err) MUST_CHECK;
void store_free(struct store *store);
void store_freep(struct store **store);

/* Fails only when memory is out; what cannot be read is an answer with status ERROR. Free with evidence_done. */
bool store_answer(struct store *store, const struct want *want, struct evidence *ret, struct error *err) MUST_CHECK;

#endif
