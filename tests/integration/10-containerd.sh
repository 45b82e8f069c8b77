#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pulls through a real containerd 2.x from a real registry, of images that a real cosign 3 signed: which go through, which are
# stopped, what containerd says, what the journal says, and that a stopped image is not in the store.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

begin_node pullguard-containerd "$@"
begin_registry
containerd_start containerd
say "registry $R, containerd $("$CONTAINERD" --version | awk '{ print $3 }')"

# ---- images, signatures, policies ----------------------------------------------------------------------------------------
GOOD=(-a repo=holilabs/holilabsv2 -a environment=production)
WANT=(repo=holilabs/holilabsv2 environment=production)

make_key other
for type in "${KEY_TYPES[@]}"; do
    make_key "$type" "$type"
    for layout in legacy bundle; do
        repo=$R/alg/$layout-$type
        digest=$(push_image "$repo:v1")
        sign "$layout" "$type" "$repo@$digest" "${GOOD[@]}"
        digest=$(push_image "$R/wrong/$layout-$type:v1")
        sign "$layout" other "$R/wrong/$layout-$type@$digest" "${GOOD[@]}"
    done
    write_policy "alg-$type" "$R/alg/*-$type:*" "$type" "${WANT[@]}"
    write_policy "wrong-$type" "$R/wrong/*-$type:*" "$type" "${WANT[@]}"
done
say "images for $((2 * ${#KEY_TYPES[@]})) kinds of signature are signed"

KEY=prime256v1
write_policy annotated "$R/app/**" "$KEY" "${WANT[@]}"
write_policy plain "$R/plain/**" "$KEY"
push_image "$R/app/unsigned:v1" >/dev/null
push_image "$R/elsewhere/image:v1" >/dev/null
for layout in legacy bundle; do
    digest=$(push_image "$R/app/$layout-staging:v1")
    sign "$layout" "$KEY" "$R/app/$layout-staging@$digest" -a repo=holilabs/holilabsv2 -a environment=staging
    digest=$(push_image "$R/app/$layout-none:v1")
    sign "$layout" "$KEY" "$R/app/$layout-none@$digest"
    digest=$(push_image "$R/app/$layout-more:v1")
    sign "$layout" "$KEY" "$R/app/$layout-more@$digest" "${GOOD[@]}" -a build=42
    digest=$(push_image "$R/plain/$layout:v1")
    sign "$layout" "$KEY" "$R/plain/$layout@$digest" -a anything=goes
    # The same annotations, but spread over two signatures: they must all be on one.
    digest=$(push_image "$R/app/$layout-split:v1")
    sign "$layout" "$KEY" "$R/app/$layout-split@$digest" -a repo=holilabs/holilabsv2
    sign "$layout" "$KEY" "$R/app/$layout-split@$digest" -a environment=production
    # A good signature beside a bad one: one good one is enough, whatever lies beside it.
    digest=$(push_image "$R/app/$layout-mixed:v1")
    sign "$layout" other "$R/app/$layout-mixed@$digest" "${GOOD[@]}"
    sign "$layout" "$KEY" "$R/app/$layout-mixed@$digest" "${GOOD[@]}"
done
digest=$(push_image "$R/app/attested:v1")
printf '{"bomFormat":"CycloneDX","specVersion":"1.5","components":[]}' >"$PG_WORK/bom.json"
attest bundle "$KEY" "$R/app/attested@$digest" cyclonedx "$PG_WORK/bom.json"
attest legacy "$KEY" "$R/app/attested@$digest" cyclonedx "$PG_WORK/bom.json"
for layout in legacy bundle; do
    digest=$(push_image "$R/app/$layout-multi:v1" multi --platforms linux/amd64,linux/arm64,linux/s390x)
    sign "$layout" "$KEY" "$R/app/$layout-multi@$digest" "${GOOD[@]}"
    # Somebody moved the tag after signing.
    digest=$(push_image "$R/app/$layout-moved:v1" before)
    sign "$layout" "$KEY" "$R/app/$layout-moved@$digest" "${GOOD[@]}"
    push_image "$R/app/$layout-moved:v1" after >/dev/null
    # A signature copied from another image of the same key.
    good=$(push_image "$R/app/$layout-copied:signed" signed)
    sign "$layout" "$KEY" "$R/app/$layout-copied@$good" "${GOOD[@]}"
    bad=$(push_image "$R/app/$layout-copied:v1" victim)
    suffix=$([ "$layout" = bundle ] || echo .sig)
    registry_tool copy "$R/app/$layout-copied:sha256-${good#sha256:}$suffix" "$R/app/$layout-copied:sha256-${bad#sha256:}$suffix" >/dev/null
done

# ---- while there is no verifier, containerd lets everything through: the harness itself ---------------------------------
ctr_pull "$R/app/unsigned:v1" || die "the harness cannot pull: $(cat "$PG_WORK/pull.out")"
forget "$R/app/unsigned:v1"
pg_verifier
# 12-resident.sh runs all this again with the resident engine behind the same hook.
[ -z "${PG_RESIDENT:-}" ] || pg_resident

# ---- key types, both layouts ----------------------------------------------------------------------------------------------
for type in "${KEY_TYPES[@]}"; do
    for layout in legacy bundle; do
        expect_allow "$layout $type: right key and annotations" "$R/alg/$layout-$type:v1"
        expect_deny "$layout $type: another key" "$R/wrong/$layout-$type:v1" wrong_key
    done
done

# ---- annotations, copies, moved tags ---------------------------------------------------------------------------------------
expect_deny "unsigned" "$R/app/unsigned:v1" no_signature
expect_deny "no policy matches" "$R/elsewhere/image:v1" no_match
expect_deny "only attestations" "$R/app/attested:v1" no_signature
for layout in legacy bundle; do
    expect_deny "$layout: another annotation" "$R/app/$layout-staging:v1" annotation_mismatch
    expect_deny "$layout: no annotation" "$R/app/$layout-none:v1" annotation_mismatch
    expect_deny "$layout: annotations spread over two signatures" "$R/app/$layout-split:v1" annotation_mismatch
    expect_allow "$layout: more annotations than asked for" "$R/app/$layout-more:v1"
    expect_allow "$layout: no annotation asked for" "$R/plain/$layout:v1"
    expect_allow "$layout: a good signature beside another's" "$R/app/$layout-mixed:v1"
    expect_allow "$layout: signed index" "$R/app/$layout-multi:v1"
    expect_deny "$layout: tag moved after signing" "$R/app/$layout-moved:v1" no_signature
    expect_deny "$layout: signature of another image" "$R/app/$layout-copied:v1" '.*'
done

if [ -n "${PG_RESIDENT:-}" ]; then expect "the resident engine decided all of it" kill -0 "$PG_RESIDENT_PID"; fi
results
