/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a decision: every policy, authority, claim and finding considered, and why. */
#include "policy/decide.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* cosign's output repeats payloads; a statement with an SBOM in it does not belong into a report. */
enum { REPORT_PAYLOAD_BYTES = 64 * 1024, EXTENSIONS = 32 };

static void put_image(struct json_out *out, const struct decide *decide)
{
    const struct digest *digest = &decide->claims->image;
    char text[DIGEST_TEXT_BYTES];

    if (digest->alg == DIGEST_NONE)
        digest = &decide->image->digest;
    json_open_map(out, "image");
    json_put_str(out, "written", decide->image->written);
    json_put_str(out, "name", decide->own_repository);
    json_put_str(out, "tag", decide->image->tag);
    json_put_str(out, "digest", digest->alg != DIGEST_NONE ? digest_format(digest, text) : NULL);
    json_close_map(out);
}

void report_begin(const struct decide *decide)
{
    if (decide->report == NULL)
        return;
    json_open_map(decide->report, NULL);
    put_image(decide->report, decide);
    json_open_list(decide->report, "policies");
}

void report_policy_begin(const struct decide *decide, const struct policy *policy, const struct policy_glob *glob)
{
    struct json_out *out = decide->report;

    if (out == NULL)
        return;
    json_open_map(out, NULL);
    json_put_str(out, "name", policy->name);
    json_put_str(out, "file", policy->file);
    json_put_int(out, "line", policy->at.line);
    json_put_str(out, "mode", policy->mode == MODE_WARN ? "warn" : "enforce");
    json_put_str(out, "glob", glob->text);
    json_open_list(out, "authorities");
}

void report_authority_begin(const struct decide *decide, const struct authority *authority)
{
    if (decide->report == NULL)
        return;
    json_open_map(decide->report, NULL);
    json_put_str(decide->report, "name", authority->name);
    json_open_list(decide->report, "claims");
}

void report_claim(const struct decide *decide, const struct requirement *requirement, size_t claim_index,
                  const struct outcome *outcome)
{
    struct json_out *out = decide->report;

    if (out == NULL)
        return;
    json_open_map(out, NULL);
    json_put_int(out, "claim", (int64_t)claim_index);
    if (requirement->rule != NULL)
        json_put_str(out, "attestation", requirement->rule->name);
    json_put_bool(out, "satisfied", outcome->satisfied);
    json_put_str(out, "reason", reason_name(outcome->reason));
    if (!outcome->satisfied)
        json_put_str(out, "message", outcome->text);
    json_close_map(out);
}

static void put_result(struct json_out *out, const struct result *result)
{
    json_put_bool(out, "satisfied", result->outcome.satisfied);
    json_put_str(out, "reason", reason_name(result->is_static && result->outcome.satisfied ? REASON_STATIC_PASS
                                                                                           : result->outcome.reason));
    if (!result->outcome.satisfied)
        json_put_str(out, "message", result->outcome.text);
    else if (result->key_id != NULL)
        json_put_str(out, "signer", result->key_id);
    json_close_map(out);
}

void report_authority_end(const struct decide *decide, const struct result *result)
{
    if (decide->report == NULL)
        return;
    json_close_list(decide->report);
    put_result(decide->report, result);
}

void report_policy_end(const struct decide *decide, const struct result *result)
{
    report_authority_end(decide, result);
}

static const char *san_kind_name(enum san_kind kind)
{
    switch (kind) {
    case SAN_EMAIL:
        return "email";
    case SAN_URI:
        return "uri";
    case SAN_DNS:
        return "dns";
    case SAN_IP:
        return "ip";
    case SAN_OTHER:
        return "other";
    case SAN_NONE:
        break;
    }
    return "none";
}

static void put_chains(struct json_out *out, const struct decide *decide, const struct claim_certificate *certificate)
{
    json_open_list(out, "chains");
    for (size_t i = 0; i < certificate->chain_count; i++) {
        const struct claim_chain *chain = &certificate->chains[i];

        json_open_map(out, NULL);
        for (size_t j = 0; j < decide->set->root_count; j++) {
            if (decide->claim_roots[j] == chain->root)
                json_put_str(out, "root", decide->set->roots[j].name);
        }
        json_put_bool(out, "verified", chain->chain_verified);
        json_put_bool(out, "sct", chain->sct_verified);
        json_put_bool(out, "atNow", chain->now_used);
        if (chain->problem != NULL)
            json_put_str(out, "problem", chain->problem);
        json_close_map(out);
    }
    json_close_list(out);
}

static void put_signer(struct json_out *out, const struct decide *decide, const struct claim *claim)
{
    const struct claim_certificate *certificate = claim->certificate;
    char number[16];

    json_open_map(out, "signer");
    if (claim->signer == SIGNER_KEY)
        json_put_str(out, "key", claim->key_fingerprint);
    if (claim->signer == SIGNER_CERTIFICATE && certificate != NULL) {
        json_put_str(out, "identity", certificate->san);
        json_put_str(out, "sanKind", san_kind_name(certificate->san_kind));
        json_put_str(out, "issuer", certificate->issuer);
        json_put_str(out, "serial", certificate->serial);
        json_put_str(out, "fingerprint", certificate->fingerprint);
        json_open_map(out, "extensions");
        for (size_t i = 0; i < EXTENSIONS; i++) {
            (void)snprintf(number, sizeof(number), "%zu", i);
            if (certificate->extensions[i] != NULL)
                json_put_str(out, number, certificate->extensions[i]);
        }
        json_close_map(out);
        put_chains(out, decide, certificate);
    }
    json_close_map(out);
}

static void put_annotations(struct json_out *out, const struct claim *claim)
{
    json_open_map(out, "annotations");
    for (size_t i = 0; i < claim->annotation_count; i++) {
        char *key CLEANUP(mem_freep) = span_dup(claim->annotations[i].key);

        if (key != NULL && claim->annotations[i].is_string)
            json_put_span(out, key, claim->annotations[i].value);
        else if (key != NULL)
            json_put_raw(out, key, claim->annotations[i].value);
    }
    json_close_map(out);
}

/* The entry of a legacy signature, as cosign shows it beside the payload. */
static void put_entry(struct json_out *out, const struct claim_log *log)
{
    char hex[2 * sizeof(log->log_id) + 1];

    if (!log->set_verified || log->body.len > REPORT_PAYLOAD_BYTES)
        return;
    hex_encode(span_of(log->log_id, sizeof(log->log_id)), hex);
    json_open_map(out, "entry");
    json_put_base64(out, "SignedEntryTimestamp", log->set);
    json_open_map(out, "Payload");
    json_put_base64(out, "body", log->body);
    json_put_int(out, "integratedTime", log->integrated_time);
    json_put_int(out, "logIndex", (int64_t)log->index);
    json_put_str(out, "logID", hex);
    json_close_map(out);
    json_close_map(out);
}

static void put_proofs(struct json_out *out, const struct claim *claim)
{
    char when[TIME_TEXT_BYTES];

    json_open_list(out, "times");
    for (size_t i = 0; i < claim->time_count; i++) {
        json_open_map(out, NULL);
        json_put_str(out, "kind", claim->times[i].kind == TIME_TSA ? "tsa" : "log");
        json_put_str(out, "time", time_format(claim->times[i].at, when));
        json_put_str(out, "source", claim->times[i].authority);
        json_close_map(out);
    }
    json_close_list(out);
    json_open_list(out, "logs");
    for (size_t i = 0; i < claim->log_count; i++) {
        json_open_map(out, NULL);
        json_put_str(out, "log", claim->logs[i].log);
        json_put_int(out, "index", (int64_t)claim->logs[i].index);
        json_put_bool(out, "set", claim->logs[i].set_verified);
        json_put_bool(out, "proof", claim->logs[i].proof_verified);
        if (claim->kind == CLAIM_SIGNATURE && claim->layout == LAYOUT_LEGACY)
            put_entry(out, &claim->logs[i]);
        json_close_map(out);
    }
    json_close_list(out);
}

static void put_place(struct json_out *out, const struct claim_place *place)
{
    json_put_str(out, "repository", place->repository);
    json_put_str(out, "manifest", place->manifest);
    json_put_int(out, "layer", place->layer);
}

static const char *claim_kind_name(enum claim_kind kind)
{
    return kind == CLAIM_ATTESTATION ? "attestation" : "signature";
}

static void put_claim(struct json_out *out, const struct decide *decide, const struct claim *claim)
{
    json_open_map(out, NULL);
    json_put_str(out, "kind", claim_kind_name(claim->kind));
    json_put_str(out, "layout", claim->layout == LAYOUT_BUNDLE ? "bundle" : "legacy");
    put_place(out, &claim->place);
    put_signer(out, decide, claim);
    put_annotations(out, claim);
    json_put_str(out, "dockerReference", claim->docker_reference);
    json_put_str(out, "predicateType", claim->predicate_type);
    if (claim->kind == CLAIM_SIGNATURE && claim->payload.len <= REPORT_PAYLOAD_BYTES)
        json_put_base64(out, "payload", claim->payload);
    put_proofs(out, claim);
    json_close_map(out);
}

static void put_finding(struct json_out *out, const struct finding *finding)
{
    json_open_map(out, NULL);
    json_put_str(out, "kind", claim_kind_name(finding->kind));
    put_place(out, &finding->place);
    json_put_str(out, "reason", reason_name(finding->reason));
    json_put_str(out, "message", finding->text);
    json_close_map(out);
}

void report_end(const struct decide *decide, const struct policy_decision *decision)
{
    struct json_out *out = decide->report;

    if (out == NULL)
        return;
    json_close_list(out);
    json_put_bool(out, "satisfied", decision->satisfied);
    json_put_bool(out, "warned", decision->warned);
    json_put_str(out, "reason", reason_name(decision->reason));
    json_put_str(out, "message", decision->message);
    json_open_list(out, "claims");
    for (size_t i = 0; i < decide->claims->count; i++)
        put_claim(out, decide, &decide->claims->items[i]);
    json_close_list(out);
    json_open_list(out, "findings");
    for (size_t i = 0; i < decide->claims->finding_count; i++)
        put_finding(out, &decide->claims->findings[i]);
    json_close_list(out);
    json_close_map(out);
}
