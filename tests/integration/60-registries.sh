#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Registries as nodes really have them: a login, a mirror with its own certificate authority, containerd's hosts.toml. pullguard
# reads what the node already has; nothing is set up twice. And a node without any registry: an OCI layout on its disk.
# shellcheck disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

begin_node pullguard-containerd "$@"
CERTS=$PG_NODE/etc/containerd/certs.d
HOST=registry.example.test # does not resolve: whatever is found, is found through hosts.toml
mkdir -p "$CERTS/$HOST"

# ---- an upstream with a login and a mirror, each with a certificate authority of its own -----------------------------------
for side in up mirror; do
    make_ca "$PG_WORK/ca-$side"
    make_server_cert "$PG_WORK/ca-$side" server
    install -m 0644 "$PG_WORK/ca-$side/ca.crt" "$CERTS/$HOST/$side.crt.pem"
done
# Pushing goes to the same stores over plain HTTP, so that cosign needs no certificates.
registry_start up-push store="$PG_WORK/up"
UP_PUSH=$REGISTRY_ADDR
REGISTRIES=("$REGISTRY_PID")
registry_start up tls="$PG_WORK/ca-up/server.crt,$PG_WORK/ca-up/server.key" user=node:secret store="$PG_WORK/up"
UP=$REGISTRY_ADDR
REGISTRIES+=("$REGISTRY_PID")
registry_start mirror-push store="$PG_WORK/mirror"
MIRROR_PUSH=$REGISTRY_ADDR
REGISTRIES+=("$REGISTRY_PID")
registry_start mirror tls="$PG_WORK/ca-mirror/server.crt,$PG_WORK/ca-mirror/server.key" store="$PG_WORK/mirror"
MIRROR=$REGISTRY_ADDR
MIRROR_PID=$REGISTRY_PID
cosign_init
make_key good
make_key other

for layout in legacy bundle; do
    # Signed alike on both; on the mirror without the signature; with one that upstream has replaced since; by another key.
    for repo in both upstream stale wrong; do
        key=$([ "$repo" = wrong ] && echo other || echo good)
        digest=$(push_image "$UP_PUSH/app/$layout-$repo:v1")
        sign "$layout" "$key" "$UP_PUSH/app/$layout-$repo@$digest"
        push_image "$MIRROR_PUSH/app/$layout-$repo:v1" "$UP_PUSH/app/$layout-$repo:v1" >/dev/null
        case $repo in
            stale) sign "$layout" other "$MIRROR_PUSH/app/$layout-$repo@$digest" ;;
            both | wrong) sign "$layout" "$key" "$MIRROR_PUSH/app/$layout-$repo@$digest" ;;
        esac
        declare "DIGEST_${layout}_$repo=$digest"
    done
done
for at in "$UP_PUSH" "$MIRROR_PUSH"; do push_image "$at/app/unsigned:v1" unsigned >/dev/null; done
digest=$(push_image "$UP_PUSH/app/only:v1" only)
sign bundle good "$UP_PUSH/app/only@$digest"

LOGIN="Basic $(printf node:secret | base64)"
cat >"$CERTS/$HOST/hosts.toml" <<EOF
server = "https://$UP"
ca = "up.crt.pem"

[header]
  Authorization = ["$LOGIN"]

[host."https://$MIRROR"]
  capabilities = ["pull", "resolve"]
  ca = "mirror.crt.pem"
EOF
write_policy node "$HOST/**" good
# Where this node has its registry hosts, said once; nothing else is pullguard's own.
pg_settings "hosts-dirs: [/etc/containerd/certs.d]"
containerd_start containerd config_path="$CERTS"
pg_verifier
PULL=(--hosts-dir "$CERTS")
say "upstream with login $UP, mirror $MIRROR"

for layout in legacy bundle; do
    expect_allow "$layout: image and signature on the mirror" "$HOST/app/$layout-both:v1" "${PULL[@]}"
    expect_allow "$layout: image on the mirror, signature upstream" "$HOST/app/$layout-upstream:v1" "${PULL[@]}"
    expect_allow "$layout: the mirror has an old signature, upstream the right one" "$HOST/app/$layout-stale:v1" "${PULL[@]}"
    expect_deny "$layout: signed by another key, on both" "$HOST/app/$layout-wrong:v1" wrong_key "${PULL[@]}"
done
expect_deny "unsigned on both" "$HOST/app/unsigned:v1" no_signature "${PULL[@]}"
expect_allow "only upstream, behind the login" "$HOST/app/only:v1" "${PULL[@]}"
cri_allows()
{
    ctr -n k8s.io image rm --sync "$1" >/dev/null 2>&1 || true
    cri_pull "$1" && in_store "$1" -n k8s.io && journal_says "$1" allow ''
}
cri_refuses()
{
    ! cri_pull "$1" && grep -q 'rejected image (exit code 1): .' "$PG_WORK/pull.out" && ! in_store "$1" -n k8s.io && journal_says "$1" deny "$2"
}
expect "CRI: signed, through the mirror" cri_allows "$HOST/app/legacy-both:v1"
expect "CRI: unsigned" cri_refuses "$HOST/app/unsigned:v1" no_signature
stop "$MIRROR_PID"
pg_settings "hosts-dirs: [/etc/containerd/certs.d]" "cache: {enabled: false}"
expect_allow "the mirror is down: upstream answers" "$HOST/app/bundle-both:v1" "${PULL[@]}"
# A certificate that the node's configuration does not vouch for.
cp "$PG_WORK/ca-mirror/ca.crt" "$CERTS/$HOST/up.crt.pem"
ref=$HOST/app/bundle-both:v1
expect "upstream's certificate is by nobody we trust: denied" sh -c "! '$CONTAINERD_BIN_DIR/pullguard' -name '$ref' -digest '$digest' -stdin-media-type application/vnd.oci.descriptor.v1+json </dev/null"
cp "$PG_WORK/ca-up/ca.crt" "$CERTS/$HOST/up.crt.pem"
printf 'server = "https://%s\n' "$UP" >"$CERTS/$HOST/hosts.toml"
expect_says()
{
    local name=$1 want=$2
    shift 2
    if "$CONTAINERD_BIN_DIR/pullguard" -name "$ref" -digest "$digest" -stdin-media-type application/vnd.oci.descriptor.v1+json \
        </dev/null >"$PG_WORK/pull.out" 2>/dev/null; then
        fail "$name: should have been stopped"
    elif grep -q "$want" "$PG_WORK/pull.out"; then
        pass "$name: $(cat "$PG_WORK/pull.out")"
    else
        fail "$name: wanted $want" "$PG_WORK/pull.out"
    fi
}
expect_says "a hosts.toml that does not parse is named, not passed over" hosts.toml
expect "no login in journal, log or containerd's log" sh -c "! grep -rqF '${LOGIN#Basic }' '$PG_JOURNAL' '$PG_NODE/var' '$PG_WORK/containerd.log'"
rm -r "$CERTS" "$ETC/policy.d"/*

# ---- the same for CRI-O and podman: a mirror in registries.conf ----------------------------------------------------------------
mkdir -p "$PG_NODE/etc/containers"
registries_conf() # LINE...: of the registry itself
{
    printf '[[registry]]\nprefix = "%s"\nlocation = "%s"\n' "$HOST" "$UP_PUSH"
    printf '%s\n' "$@" '[[registry.mirror]]' "location = \"$MIRROR_PUSH\""
} >"$PG_NODE/etc/containers/registries.conf"
registries_conf "insecure = true"
pg_settings "registries-conf: /etc/containers/registries.conf" "cache: {enabled: false}"
write_policy node "$HOST/app/**" good
decide() # REPOSITORY DIGEST
{
    "$CONTAINERD_BIN_DIR/pullguard" -name "$HOST/app/$1:v1" -digest "$2" -stdin-media-type application/vnd.oci.descriptor.v1+json </dev/null
}
refused() # REASON REPOSITORY DIGEST
{
    local out
    if out=$(decide "$2" "$3"); then return 1; fi
    echo "$out"
    grep -qE "^$1:" <<<"$out"
}
asked() # REGISTRY REPOSITORY KIND
{
    grep -q "GET /v2/app/$2/$3/" "$PG_WORK/$1.log"
}
for layout in legacy bundle; do
    for repo in both upstream stale wrong; do
        name=DIGEST_${layout}_$repo
        : >"$PG_WORK/up-push.log"
        : >"$PG_WORK/mirror-push.log"
        if [ "$repo" = wrong ]; then
            expect "registries.conf, $layout: signed by another key, on both" refused wrong_key "$layout-$repo" "${!name}"
        else
            expect "registries.conf, $layout: $repo" decide "$layout-$repo" "${!name}"
        fi
        expect "  the mirror was asked" asked mirror-push "$layout-$repo" manifests
        if [ "$repo" = both ]; then
            expect "  upstream has it too, and was not asked" sh -c "! grep -q 'GET /v2/app/$layout-$repo/blobs/' '$PG_WORK/up-push.log'"
        else
            expect "  then upstream" asked up-push "$layout-$repo" blobs
        fi
    done
done
# Signatures in a repository of their own: what a policy's source names is behind the same mirror.
signatures_in()
{
    write_policy node "$HOST/app/**" good
    sed -i "s,^      key:,      source: [{oci: \"$HOST/app/$1\"}]\n      key:," "$ETC/policy.d/node.yaml"
}
for repo in both upstream stale; do
    name=DIGEST_legacy_$repo
    signatures_in "legacy-$repo"
    expect "a policy's source behind the mirror: $repo" decide elsewhere "${!name}"
done
signatures_in legacy-wrong
expect "a policy's source behind the mirror: signed by another key" refused wrong_key elsewhere "$DIGEST_legacy_wrong"
write_policy node "$HOST/app/**" good
registries_conf "blocked = true"
expect "a registry that registries.conf blocks" refused fetch_failed legacy-both "$DIGEST_legacy_both"
registries_conf "insecure ="
expect "a registries.conf that does not parse" refused policy_error legacy-both "$DIGEST_legacy_both"
rm -r "${ETC:?}/policy.d"/* "${PG_NODE:?}/etc/containers"

# ---- no registry at all -------------------------------------------------------------------------------------------------------
# The network of this whole program has nothing but loopback; now no registry is left on it either.
LAYOUT=$PG_NODE/var/lib/airgap
COSIGN_LAYOUT=$PG_WORK/airgap
cosign save --dir "$COSIGN_LAYOUT" "$UP_PUSH/app/bundle-both:v1" >"$PG_WORK/save.log" 2>&1 || fail "cosign save" "$PG_WORK/save.log"
mkdir -p "$LAYOUT"
cp -r "$COSIGN_LAYOUT/." "$LAYOUT/"
chmod -R u=rwX,go=rX "$LAYOUT"
cosign save --dir "$COSIGN_LAYOUT-unsigned" "$UP_PUSH/app/unsigned:v1" >"$PG_WORK/save.log" 2>&1 || fail "cosign save" "$PG_WORK/save.log"
mkdir -p "$LAYOUT-unsigned"
cp -r "$COSIGN_LAYOUT-unsigned/." "$LAYOUT-unsigned/"
signed=$(registry_tool image "$UP_PUSH/app/bundle-both:v1" --text "$UP_PUSH/app/bundle-both:v1")
unsigned=$(registry_tool image "$UP_PUSH/app/unsigned:v1" --text unsigned)
COLLECTED=$PG_NODE/var/lib/collected
collects() { "$PG_PREFIX/bin/pullguard" collect --root "$PG_NODE" --to "$COLLECTED" "$@"; }
expect "pullguard collect: two images into a directory" collects "$UP_PUSH/app/bundle-both:v1" "$UP_PUSH/app/legacy-both:v1"
expect "and again, nothing lost" collects "$UP_PUSH/app/legacy-both:v1"
expect "what it made is an OCI layout" test -s "$COLLECTED/index.json" -a -s "$COLLECTED/oci-layout"
legacy=$(registry_tool image "$UP_PUSH/app/legacy-both:v1" --text "$UP_PUSH/app/legacy-both:v1")
for pid in "${REGISTRIES[@]}"; do stop "$pid"; done
for at in "$UP_PUSH" "$UP" "$MIRROR_PUSH" "$MIRROR"; do ! port_open "$at" || die "a registry is left"; done
on_disk()
{
    write_policy disk "$HOST/**" "$2"
    sed -i "s,^      key:,      source: [{directory: \"$1\"}]\n      key:," "$ETC/policy.d/disk.yaml"
    "$CONTAINERD_BIN_DIR/pullguard" -name "$HOST/app/any:v1" -digest "$3" -stdin-media-type application/vnd.oci.descriptor.v1+json </dev/null
}
# on_disk_refused REASON DIRECTORY KEY DIGEST
on_disk_refused()
{
    local reason=$1 out
    shift
    if out=$(on_disk "$@"); then return 1; fi
    echo "$out"
    grep -qE "^($reason):" <<<"$out"
}
pg_settings "cache: {enabled: false}"
expect "an OCI layout on disk, no registry anywhere: verified" on_disk /var/lib/airgap good "$signed"
expect "the same with another key: refused" on_disk_refused wrong_key /var/lib/airgap other "$signed"
expect "another image's digest: refused" on_disk_refused no_signature /var/lib/airgap good "$unsigned"
expect "a layout without signatures: refused" on_disk_refused no_signature /var/lib/airgap-unsigned good "$unsigned"
expect "collected bundle: verified" on_disk /var/lib/collected good "$signed"
expect "collected tag layout: verified" on_disk /var/lib/collected good "$legacy"
expect "collected, another key: refused" on_disk_refused wrong_key /var/lib/collected other "$legacy"
expect "no such directory: refused" on_disk_refused "not_found|fetch_failed|policy_error" /var/lib/nowhere good "$signed"
results
