#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keyless signatures, transparency logs, timestamps and attestations: made here by real cosign against stand-ins for Fulcio,
# Rekor v1, Rekor v2 and a timestamp authority, pulled through a real containerd under policies that ask for them.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

peers()
{
    [ -n "${PG_OFFLINE:-}" ] || install_packages python3-cryptography openssl curl
    peers_root
}
begin_node pullguard-containerd "$@"
begin_registry
containerd_start containerd
pg_verifier
sigstore_start sigstore
OTHER=$(sigstore_token mallory@example.com "$KEYLESS_ISSUER")
trust_sigstore test

# policy NAME REPOSITORY AUTHORITY-LINES
policy()
{
    authority_policy "$1" "$R/$2" "$3"
}

make_key good
printf '{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[{"name":"zlib"}]}' >"$PG_WORK/bom.json"
for form in "${KEYLESS_FORMS[@]}"; do
    for what in good annotated mallory; do
        digest=$(push_image "$R/kl/$what-$form:v1")
        case $what in
        mallory) with_log sign "$form" "$R/kl/$what-$form@$digest" --identity-token "$OTHER" ;;
        annotated) with_log sign "$form" "$R/kl/$what-$form@$digest" -a env=production ;;
        *) with_log sign "$form" "$R/kl/$what-$form@$digest" ;;
        esac
    done
    digest=$(push_image "$R/log/$form:v1")
    with_log sign "$form" "$R/log/$form@$digest" --key "$PG_KEYS/good.key"
    digest=$(push_image "$R/att/$form:v1")
    with_log attest "$form" "$R/att/$form@$digest" --type cyclonedx --predicate "$PG_WORK/bom.json"
done
for layout in legacy bundle; do
    digest=$(push_image "$R/log/none-$layout:v1")
    sign "$layout" good "$R/log/none-$layout@$digest"
    digest=$(push_image "$R/att/none-$layout:v1")
    sign "$layout" good "$R/att/none-$layout@$digest"
done
digest=$(push_image "$R/kl/unsigned:v1")
say "images are signed in ${#KEYLESS_FORMS[@]} forms"

# Another instance of Sigstore, with keys of its own: the same identity, but nobody here trusts its word.
OURS=$PG_SIGSTORE
sigstore_start stranger
trust_sigstore stranger
for form in "${KEYLESS_FORMS[@]}"; do
    digest=$(push_image "$R/kl/stranger-$form:v1")
    with_log sign "$form" "$R/kl/stranger-$form@$digest"
done
PG_SIGSTORE=$OURS

policy keyless 'kl/**' "$(keyless_authority)"
policy annotated 'kl/annotated-**' "$(keyless_authority)
annotations: {env: production}"
policy logged 'log/**' "$(key_authority good)
ctlog: {trustRootRef: test}"
policy attested 'att/**' "$(keyless_authority)
attestations: [{name: sbom, predicateType: cyclonedx}]"

for form in "${KEYLESS_FORMS[@]}"; do
    expect_allow "keyless $form" "$R/kl/good-$form:v1"
    expect_allow "keyless $form with an annotation" "$R/kl/annotated-$form:v1"
    expect_deny "keyless $form, another identity" "$R/kl/mallory-$form:v1" wrong_identity
    expect_deny "keyless $form, another instance's certificate" "$R/kl/stranger-$form:v1" '.*'
    expect_allow "key $form with a log entry" "$R/log/$form:v1"
    expect_allow "attestation $form" "$R/att/$form:v1"
done
for layout in legacy bundle; do
    expect_deny "key, $layout, without a log entry" "$R/log/none-$layout:v1" no_log_entry
    expect_deny "signature instead of attestation, $layout" "$R/att/none-$layout:v1" 'no_attestation\|no_signature'
done
expect_deny "unsigned" "$R/kl/unsigned:v1" no_signature

# The same images under policies that ask for something else.
policy keyless 'kl/**' "$(keyless_authority "$KEYLESS_IDENTITY" https://accounts.example.com)"
expect_deny "another issuer wanted" "$R/kl/good-bundle-r1:v1" wrong_identity
policy keyless 'kl/**' 'keyless:
  trustRootRef: test
  identities: [{issuer: "'$KEYLESS_ISSUER'", subjectRegExp: "^https://github\\.com/example/app/.*@refs/heads/main$"}]
ctlog: {trustRootRef: test}'
expect_allow "subject by regular expression" "$R/kl/good-bundle-r2:v1"
policy keyless 'kl/**' 'keyless:
  trustRootRef: test
  identities: [{issuer: "'$KEYLESS_ISSUER'", subjectRegExp: "^https://github\\.com/example/other/"}]
ctlog: {trustRootRef: test}'
expect_deny "subject by a regular expression that does not fit" "$R/kl/good-bundle-r2:v1" wrong_identity
policy keyless 'kl/**' "$(keyless_authority | sed 's/ test/ stranger/')"
expect_deny "only the other instance is trusted" "$R/kl/good-bundle-r1:v1" '.*'
expect_allow "and its signature is good there" "$R/kl/stranger-bundle-r1:v1"
policy attested 'att/**' "$(keyless_authority)
attestations: [{name: provenance, predicateType: slsaprovenance1}]"
expect_deny "another predicate type wanted" "$R/att/bundle-r1:v1" no_attestation
results
