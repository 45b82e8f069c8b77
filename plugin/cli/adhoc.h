/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags in cosign's words become one ClusterImagePolicy document, so that `verify` and its relatives go the same road
 * as every pull: same engine, same judge, same rules. The files named by flags belong to the person who typed them;
 * they are copied into the document as text, never interpreted here.
 */
#ifndef PG_PLUGIN_CLI_ADHOC_H
#define PG_PLUGIN_CLI_ADHOC_H

#include "base/buf.h"
#include "plugin/cli/cli.h"

/* The values of the flags; offsets of option tables point into it, so it is one struct for all verify commands. */
struct verify_values {
    struct text_list keys;
    struct text_list annotations;
    const char *identity, *identity_regexp;
    const char *issuer, *issuer_regexp;
    const char *workflow_trigger, *workflow_sha, *workflow_name, *workflow_repository, *workflow_ref;
    const char *trusted_root;
    const char *certificate_chain, *ca_roots, *ca_intermediates;
    const char *timestamp_chain;
    bool insecure_ignore_tlog, insecure_ignore_sct, use_signed_timestamps;
    bool insecure_registry, http_registry;
    const char *username, *password, *token;
    const char *output;
    const char *timeout;
    struct text_list types;      /* verify-attestation */
    const char *conditions;      /* verify-attestation --policy */
};

/* Rows of the verify commands' tables. */
#define VERIFY_OPTION(name, letter, kind, value, member, help) \
    { name, letter, kind, value, offsetof(struct verify_values, member), help }
/* Who must have signed. */
#define SIGNER_OPTIONS \
    VERIFY_OPTION("key", 0, OPTION_LIST, "FILE", keys, \
                  "public key in PEM; - reads standard input; repeated: any of them is enough"), \
    VERIFY_OPTION("certificate-identity", 0, OPTION_TEXT, "NAME", identity, \
                  "keyless: identity that the certificate must carry"), \
    VERIFY_OPTION("certificate-identity-regexp", 0, OPTION_TEXT, "RE", identity_regexp, \
                  "keyless: regular expression for the identity"), \
    VERIFY_OPTION("certificate-oidc-issuer", 0, OPTION_TEXT, "URL", issuer, \
                  "keyless: issuer of the identity"), \
    VERIFY_OPTION("certificate-oidc-issuer-regexp", 0, OPTION_TEXT, "RE", issuer_regexp, \
                  "keyless: regular expression for the issuer"), \
    VERIFY_OPTION("certificate-github-workflow-trigger", 0, OPTION_TEXT, "NAME", workflow_trigger, \
                  "keyless: event that started the workflow"), \
    VERIFY_OPTION("certificate-github-workflow-sha", 0, OPTION_TEXT, "SHA", workflow_sha, \
                  "keyless: commit that the workflow ran on"), \
    VERIFY_OPTION("certificate-github-workflow-name", 0, OPTION_TEXT, "NAME", workflow_name, \
                  "keyless: name of the workflow"), \
    VERIFY_OPTION("certificate-github-workflow-repository", 0, OPTION_TEXT, "NAME", workflow_repository, \
                  "keyless: repository of the workflow"), \
    VERIFY_OPTION("certificate-github-workflow-ref", 0, OPTION_TEXT, "REF", workflow_ref, \
                  "keyless: branch or tag that the workflow ran on"), \
    VERIFY_OPTION("trusted-root", 0, OPTION_TEXT, "FILE", trusted_root, \
                  "trusted_root.json with authorities and logs; default: the installed root public-good"), \
    VERIFY_OPTION("certificate-chain", 0, OPTION_TEXT, "FILE", certificate_chain, \
                  "own authority: PEM chain, intermediates first, root last"), \
    VERIFY_OPTION("ca-roots", 0, OPTION_TEXT, "FILE", ca_roots, "own authority: PEM roots"), \
    VERIFY_OPTION("ca-intermediates", 0, OPTION_TEXT, "FILE", ca_intermediates, \
                  "own authority: PEM intermediates, with --ca-roots")
/* What else must prove it. */
#define LOG_OPTIONS \
    VERIFY_OPTION("insecure-ignore-tlog", 0, OPTION_FLAG, NULL, insecure_ignore_tlog, \
                  "accept signatures without an entry in a transparency log"), \
    VERIFY_OPTION("insecure-ignore-sct", 0, OPTION_FLAG, NULL, insecure_ignore_sct, \
                  "accept certificates without a signed certificate timestamp"), \
    VERIFY_OPTION("use-signed-timestamps", 0, OPTION_FLAG, NULL, use_signed_timestamps, \
                  "demand a timestamp of a timestamp authority (RFC 3161)"), \
    VERIFY_OPTION("timestamp-certificate-chain", 0, OPTION_TEXT, "FILE", timestamp_chain, \
                  "demand a timestamp of this authority: PEM chain, its own certificate (if there) first, root last")
/* How to reach the registry. */
#define REGISTRY_OPTIONS \
    VERIFY_OPTION("allow-insecure-registry", 0, OPTION_FLAG, NULL, insecure_registry, \
                  "registry over plain HTTP or with an unverified certificate"), \
    VERIFY_OPTION("allow-http-registry", 0, OPTION_FLAG, NULL, http_registry, \
                  "as --allow-insecure-registry"), \
    VERIFY_OPTION("registry-username", 0, OPTION_TEXT, "NAME", username, "user name for the registry"), \
    VERIFY_OPTION("registry-password", 0, OPTION_TEXT, "TEXT", password, "password for the registry"), \
    VERIFY_OPTION("registry-token", 0, OPTION_TEXT, "TEXT", token, "identity token for the registry"), \
    VERIFY_OPTION("timeout", 0, OPTION_TEXT, "TIME", timeout, "limit for each image, as 30s or 2m; default 1m")
/* What verify has besides. */
#define VERIFY_OPTIONS                                                                                                 \
    VERIFY_OPTION("annotations", 'a', OPTION_LIST, "KEY=VALUE", annotations,                                           \
                  "annotation that the signature must carry; repeated or comma-separated: all of them"),               \
        VERIFY_OPTION("output", 'o', OPTION_TEXT, "json|text", output,                                                 \
                      "form of the answer on standard output; default json")

/* Name that the engine gives to request.trust_root. */
#define ADHOC_TRUST_ROOT "adhoc"
/* Root that is used when --trusted-root is not given; installed by `pullguard trust init`. */
#define DEFAULT_TRUST_ROOT "public-good"

struct adhoc {
    struct buf policy;     /* JSON */
    struct buf trust_root; /* JSON; empty = none */
};
void adhoc_done(struct adhoc *adhoc);

/* Is a signed timestamp demanded? */
bool adhoc_wants_timestamp(const struct verify_values *values);

/*
 * Writes document and trust root. Errors: BAD_REQUEST for flags that do not go together, NOT_FOUND and IO for files.
 * root: --root of the command line, where the installed trust roots lie.
 */
bool adhoc_build(const struct verify_values *values, const char *root, struct adhoc *ret, struct error *err) MUST_CHECK;

#endif
