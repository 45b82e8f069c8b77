/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/adhoc.h"

#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/input.h"
#include "plugin/cli/trust_json.h"

enum { ADHOC_MAX_BYTES = LIMIT_HOOK_MESSAGE_BYTES / 2 };

void adhoc_done(struct adhoc *adhoc)
{
    buf_free(&adhoc->policy);
    buf_free(&adhoc->trust_root);
}

static bool keyless_wanted(const struct verify_values *values)
{
    return values->identity != NULL || values->identity_regexp != NULL || values->issuer != NULL ||
           values->issuer_regexp != NULL;
}

static bool own_authority(const struct verify_values *values)
{
    return values->certificate_chain != NULL || values->ca_roots != NULL;
}

bool adhoc_wants_timestamp(const struct verify_values *values)
{
    return values->use_signed_timestamps || values->timestamp_chain != NULL;
}

static bool workflow_wanted(const struct verify_values *values)
{
    return values->workflow_trigger != NULL || values->workflow_sha != NULL || values->workflow_name != NULL ||
           values->workflow_repository != NULL || values->workflow_ref != NULL;
}

/* Which flags go together. cosign's rules, stated before any file is opened. */
static bool check_flags(const struct verify_values *values, struct error *err)
{
    bool keyless = keyless_wanted(values);

    if (values->keys.count == 0 && !keyless)
        return error_set(
            err, REASON_BAD_REQUEST,
            "who must have signed? Give --key FILE, or --certificate-identity and --certificate-oidc-issuer");
    if (values->keys.count > 0 && keyless)
        return error_set(err, REASON_BAD_REQUEST, "--key and --certificate-identity exclude each other");
    if (keyless && (values->identity == NULL) == (values->identity_regexp == NULL))
        return error_set(err, REASON_BAD_REQUEST,
                         "keyless verification needs one of --certificate-identity and --certificate-identity-regexp");
    if (keyless && (values->issuer == NULL) == (values->issuer_regexp == NULL))
        return error_set(err, REASON_BAD_REQUEST, "keyless verification needs one of --certificate-oidc-issuer and "
                                                  "--certificate-oidc-issuer-regexp");
    if (workflow_wanted(values) && !keyless)
        return error_set(err, REASON_BAD_REQUEST, "--certificate-github-workflow-... needs --certificate-identity");
    if (own_authority(values) && values->trusted_root != NULL)
        return error_set(err, REASON_BAD_REQUEST,
                         "--trusted-root and --certificate-chain or --ca-roots exclude each other");
    if (own_authority(values) && !keyless)
        return error_set(err, REASON_BAD_REQUEST, "--certificate-chain and --ca-roots need --certificate-identity");
    if (values->ca_intermediates != NULL && values->ca_roots == NULL)
        return error_set(err, REASON_BAD_REQUEST, "--ca-intermediates needs --ca-roots");
    return true;
}

/* cosign reads -a as a list with commas: "a=1,b=2" are two. Writes the map's members; keys may not repeat. */
static bool put_annotation(struct json_out *out, struct span text, struct error *err)
{
    size_t equals = span_find_byte(text, '=');
    CLEANUP(mem_freep) char *key = NULL;
    char shown[80];

    if (equals == SIZE_MAX || equals == 0)
        return error_set(err, REASON_BAD_REQUEST,
                         "-a %s: KEY=VALUE is wanted (a comma separates two annotations, as in cosign)",
                         text_clean(text, shown, sizeof(shown)));
    key = span_dup(span_cut(text, 0, equals));
    if (key == NULL)
        return error_oom(err);
    json_put_span(out, key, span_cut(text, equals + 1, SIZE_MAX));
    return true;
}

static bool put_annotations(struct json_out *out, const struct text_list *annotations, struct error *err)
{
    if (annotations->count == 0)
        return true;
    /* A list of one-entry maps: the policy reader then reports a key that is given twice with two values. */
    json_open_list(out, "annotations");
    for (size_t i = 0; i < annotations->count; i++) {
        struct span rest = span_str(annotations->items[i]);

        do {
            size_t comma = span_find_byte(rest, ',');

            json_open_map(out, NULL);
            if (!put_annotation(out, span_cut(rest, 0, comma), err))
                return false;
            json_close_map(out);
            rest = comma == SIZE_MAX ? span_str("") : span_cut(rest, comma + 1, SIZE_MAX);
        } while (rest.len > 0);
    }
    json_close_list(out);
    return true;
}

static void put_reference(struct json_out *out, const char *member)
{
    json_open_map(out, member);
    json_put_str(out, "trustRootRef", ADHOC_TRUST_ROOT);
    json_close_map(out);
}

static bool put_attestations(struct json_out *out, const struct verify_values *values, struct error *err)
{
    CLEANUP(buf_free) struct buf conditions = BUF_INIT(LIMIT_POLICY_FILE_BYTES);

    if (values->types.count == 0)
        return true;
    if (values->conditions != NULL && !input_json(values->conditions, LIMIT_POLICY_FILE_BYTES, &conditions, err))
        return false;
    json_open_list(out, "attestations");
    for (size_t i = 0; i < values->types.count; i++) {
        CLEANUP(mem_freep) char *name = mem_printf("type-%zu", i + 1);

        json_open_map(out, NULL);
        json_put_str(out, "name", name);
        json_put_str(out, "predicateType", values->types.items[i]);
        if (conditions.len > 0) {
            json_open_map(out, "pullguard");
            json_put_raw(out, "conditions", buf_as_span(&conditions));
            json_close_map(out);
        }
        json_close_map(out);
    }
    json_close_list(out);
    return true;
}

/* What key and keyless authorities have in common; closes nothing. */
static bool put_evidence_rules(struct json_out *out, const struct verify_values *values, struct error *err)
{
    if (adhoc_wants_timestamp(values))
        put_reference(out, "rfc3161timestamp");
    if (!values->insecure_ignore_tlog)
        put_reference(out, "ctlog");
    return put_annotations(out, &values->annotations, err) && put_attestations(out, values, err);
}

static bool put_key_authority(struct json_out *out, const struct verify_values *values, size_t index,
                              struct error *err)
{
    CLEANUP(mem_freep) char *name = mem_printf("key-%zu", index + 1);
    CLEANUP(buf_free) struct buf pem = BUF_INIT(LIMIT_KEY_FILE_BYTES);

    if (!input_key(values->keys.items[index], &pem, err))
        return false;
    json_open_map(out, NULL);
    json_put_str(out, "name", name);
    json_open_map(out, "key");
    json_put_span(out, "data", buf_as_span(&pem));
    json_close_map(out);
    if (!put_evidence_rules(out, values, err))
        return false;
    json_close_map(out);
    return true;
}

static void put_optional(struct json_out *out, const char *member, const char *text)
{
    if (text != NULL)
        json_put_str(out, member, text);
}

/* The GitHub fields are pullguard's own, beside the identity (a cluster would ignore them). */
static void put_workflow(struct json_out *out, const struct verify_values *values)
{
    if (!workflow_wanted(values))
        return;
    json_open_map(out, "pullguard");
    put_optional(out, "githubWorkflowTrigger", values->workflow_trigger);
    put_optional(out, "githubWorkflowSha", values->workflow_sha);
    put_optional(out, "githubWorkflowName", values->workflow_name);
    put_optional(out, "githubWorkflowRepository", values->workflow_repository);
    put_optional(out, "githubWorkflowRef", values->workflow_ref);
    json_close_map(out);
}

/* A keyless authority demands the log unless told otherwise, or a timestamp in its place; a key authority only when
 * ctlog is there. */
static void put_ignore_tlog(struct json_out *out, const struct verify_values *values)
{
    if (!values->insecure_ignore_tlog || adhoc_wants_timestamp(values))
        return;
    json_open_map(out, "pullguard");
    json_put_bool(out, "insecureIgnoreTlog", true);
    json_close_map(out);
}

static bool put_keyless_authority(struct json_out *out, const struct verify_values *values, struct error *err)
{
    json_open_map(out, NULL);
    json_put_str(out, "name", "keyless");
    json_open_map(out, "keyless");
    json_put_str(out, "trustRootRef", ADHOC_TRUST_ROOT);
    json_open_list(out, "identities");
    json_open_map(out, NULL);
    put_optional(out, "issuer", values->issuer);
    put_optional(out, "issuerRegExp", values->issuer_regexp);
    put_optional(out, "subject", values->identity);
    put_optional(out, "subjectRegExp", values->identity_regexp);
    put_workflow(out, values);
    json_close_map(out);
    json_close_list(out);
    if (values->insecure_ignore_sct)
        json_put_bool(out, "insecureIgnoreSCT", true);
    json_close_map(out);
    put_ignore_tlog(out, values);
    if (!put_evidence_rules(out, values, err))
        return false;
    json_close_map(out);
    return true;
}

static bool put_authorities(struct json_out *out, const struct verify_values *values, struct error *err)
{
    if (values->keys.count == 0)
        return put_keyless_authority(out, values, err);
    for (size_t i = 0; i < values->keys.count; i++)
        if (!put_key_authority(out, values, i, err))
            return false;
    return true;
}

/* The root that `pullguard trust init` installed, when the command line names none. */
static bool installed_root(const struct verify_values *values, const char *root, struct buf *trust_root,
                           struct error *err)
{
    CLEANUP(mem_freep) char *path = path_under(root, PG_CONFDIR "/trust/" DEFAULT_TRUST_ROOT ".json");

    if (path == NULL)
        return error_oom(err);
    if (access(path, F_OK) == 0)
        return file_read(path, LIMIT_TRUST_ROOT_BYTES, FILE_TRUSTED, trust_root, err);
    if (values->keys.count > 0)
        return error_set(err, REASON_NOT_FOUND,
                         "checking the transparency log needs a trust root: give --trusted-root FILE, or install one "
                         "(pullguard trust init), or accept signatures without a log entry (--insecure-ignore-tlog)");
    return error_set(
        err, REASON_NOT_FOUND,
        "keyless verification needs a trust root: give --trusted-root FILE or install one (pullguard trust init)");
}

/* Fills trust_root when one is needed, but for what --timestamp-certificate-chain brings. */
static bool find_base(const struct verify_values *values, const char *root, struct buf *trust_root, struct error *err)
{
    bool timestamps = values->use_signed_timestamps && values->timestamp_chain == NULL;

    if (values->keys.count > 0 && values->insecure_ignore_tlog && !timestamps)
        return true;
    if (own_authority(values))
        return trust_json_from_chain(values->certificate_chain, values->ca_roots, values->ca_intermediates, trust_root,
                                     err);
    if (values->trusted_root != NULL)
        return file_read(values->trusted_root, LIMIT_TRUST_ROOT_BYTES, FILE_ANY, trust_root, err);
    return installed_root(values, root, trust_root, err);
}

/* The document calls it ADHOC_TRUST_ROOT wherever it comes from. */
static bool find_root(const struct verify_values *values, const char *root, struct buf *trust_root, struct error *err)
{
    CLEANUP(buf_free) struct buf base = BUF_INIT(LIMIT_TRUST_ROOT_BYTES);

    if (values->timestamp_chain == NULL)
        return find_base(values, root, trust_root, err);
    return find_base(values, root, &base, err) &&
           trust_json_with_timestamps(buf_as_span(&base), values->timestamp_chain, trust_root, err);
}

bool adhoc_build(const struct verify_values *values, const char *root, struct adhoc *ret, struct error *err)
{
    CLEANUP(adhoc_done) struct adhoc adhoc = { BUF_INIT(ADHOC_MAX_BYTES), BUF_INIT(LIMIT_TRUST_ROOT_BYTES) };
    struct json_out out = json_out_to(&adhoc.policy);

    if (!check_flags(values, err) || !find_root(values, root, &adhoc.trust_root, err))
        return false;
    json_open_map(&out, NULL);
    json_put_str(&out, "apiVersion", "policy.sigstore.dev/v1beta1");
    json_put_str(&out, "kind", "ClusterImagePolicy");
    json_open_map(&out, "metadata");
    json_put_str(&out, "name", "command-line");
    json_close_map(&out);
    json_open_map(&out, "spec");
    json_open_list(&out, "images");
    json_open_map(&out, NULL);
    json_put_str(&out, "glob", "**");
    json_close_map(&out);
    json_close_list(&out);
    json_open_list(&out, "authorities");
    if (!put_authorities(&out, values, err))
        return false;
    json_close_list(&out);
    json_close_map(&out);
    json_close_map(&out);
    if (!buf_ok(&adhoc.policy))
        return error_set(err, REASON_LIMIT, "keys and conditions together are larger than %d bytes", ADHOC_MAX_BYTES);
    *ret = adhoc;
    adhoc = (struct adhoc){ 0 };
    return true;
}
