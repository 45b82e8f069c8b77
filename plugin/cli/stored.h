/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies beside an image in its registry: signatures, attestations, bundles. The engine's fetcher brings it as
 * evidence; these functions read it and are called inside the judge's sandbox only (judge_sandbox_run): bytes of a
 * registry.
 */
#ifndef PG_PLUGIN_CLI_STORED_H
#define PG_PLUGIN_CLI_STORED_H

#include "base/buf.h"
#include "plugin/replay/replay.h"
#include "verifier/manifest.h"

/* One layer of a signature, attestation or bundle manifest. */
struct stored_layer {
    const char *tag;             /* "sha256-<hex>.sig", ".att"; NULL = found as a referrer */
    const char *repository;
    const char *manifest;        /* digest or tag that was asked for */
    uint32_t index;
    const struct descriptor *descriptor;
    const struct manifest *of;
    struct span body;            /* empty when it was not brought */
    bool bundle, attestation;    /* neither: a legacy signature */
};

/* Calls visit for each layer; stops at the first false. */
bool stored_walk(const struct replay *replay,
                 bool (*visit)(void *context, const struct stored_layer *layer, struct error *err), void *context,
                 struct error *err) MUST_CHECK;

/* The work of `tree` and `download` in the sandbox: evidence file in, text for standard output out. */
enum stored_output { STORED_TREE, STORED_SIGNATURES, STORED_ATTESTATIONS, STORED_SBOMS, STORED_ENVELOPES };
struct stored_question {
    struct span file;            /* evidence */
    enum stored_output output;
    const char *reference;       /* as written */
    const char *predicate_type;  /* STORED_ATTESTATIONS: only these; NULL = all */
    const char **manifests; /* STORED_ENVELOPES: manifest digests or tags, with layers[]: the ones that satisfied */
    uint32_t *layers;
    size_t place_count;
};
bool stored_work(void *question, struct buf *out, struct error *err) MUST_CHECK;

#endif
