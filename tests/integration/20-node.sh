#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One node's day: the kubelet's interface, twenty pulls at once, references of every form, a registry that asks who is there,
# and everything that can be wrong with the node itself. Whatever it is, the pull is stopped with our words, in time, and
# nothing stays behind.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

begin_node pullguard-containerd "$@"
begin_registry
containerd_start containerd
pg_verifier

make_key good
make_key other
write_policy node "$R/**" good env=production
for layout in legacy bundle; do
    digest=$(push_image "$R/$layout:v1")
    sign "$layout" good "$R/$layout@$digest" -a env=production
done
DIGEST=$digest
push_image "$R/unsigned:v1" >/dev/null
digest=$(push_image "$R/multi:v1" multi --platforms linux/amd64,linux/arm64)
sign bundle good "$R/multi@$digest" -a env=production
say "images are signed"

# ---- references ------------------------------------------------------------------------------------------------------------
expect_allow "reference with tag" "$R/bundle:v1"
expect_allow "reference with digest" "$R/bundle@$DIGEST"
expect_allow "reference with tag and digest" "$R/bundle:v1@$DIGEST"
expect_allow "index, another platform than this one" "$R/multi:v1" --platform linux/arm64
expect_allow "index, all platforms" "$R/multi:v1" --all-platforms
expect_deny "unsigned" "$R/unsigned:v1" no_signature

# ---- the kubelet's interface ------------------------------------------------------------------------------------------------
cri_allows()
{
    ctr -n k8s.io image rm --sync "$1" >/dev/null 2>&1 || true
    cri_pull "$1" && in_store "$1" -n k8s.io && journal_says "$1" allow ''
}

cri_refuses()
{
    ! cri_pull "$1" && grep -q "^grpc-message: failed to pull and unpack image \"$1\": image verifier bindir blocked pull of $1 with digest sha256:[0-9a-f]* for reason: verifier pullguard rejected image (exit code 1): ." "$PG_WORK/pull.out" &&
        ! in_store "$1" -n k8s.io && journal_says "$1" deny "$2"
}
expect "CRI: signed image is pulled" cri_allows "$R/legacy:v1"
expect "CRI: unsigned image is stopped, in the words that an event shows" cri_refuses "$R/unsigned:v1" no_signature

# ---- twenty at once ----------------------------------------------------------------------------------------------------------
twenty()
{
    local i pids=() wrong=0 began=$EPOCHREALTIME
    for i in $(seq 1 10); do
        (ctr image pull --snapshotter native "$R/many-$i:v1" >"$PG_WORK/many-$i.out" 2>&1 || exit 1) &
        pids+=($!)
        (! ctr image pull --snapshotter native "$R/few-$i:v1" >"$PG_WORK/few-$i.out" 2>&1 && grep -q 'rejected image (exit code 1): .' "$PG_WORK/few-$i.out") &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || wrong=$((wrong + 1)); done
    for i in $(seq 1 10); do
        in_store "$R/many-$i:v1" || wrong=$((wrong + 1))
        ! in_store "$R/few-$i:v1" || wrong=$((wrong + 1))
        [ "$(journal_field "$R/many-$i:v1" VERDICT)" = allow ] || wrong=$((wrong + 1))
        [ "$(journal_field "$R/few-$i:v1" VERDICT)" = deny ] || wrong=$((wrong + 1))
    done
    echo "$wrong wrong"
    tail -n 3 "$PG_WORK"/many-*.out "$PG_WORK"/few-*.out
    TWENTY_MS=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    [ "$wrong" = 0 ]
}
for i in $(seq 1 10); do
    digest=$(push_image "$R/many-$i:v1")
    sign bundle good "$R/many-$i@$digest" -a env=production
    push_image "$R/few-$i:v1" >/dev/null
done
expect "twenty pulls at once, ten of each kind" twenty
say "twenty pulls took ${TWENTY_MS:-?} ms"

# ---- a registry that asks who is there ---------------------------------------------------------------------------------------
registry_start private user=puller:secret
P=$REGISTRY_ADDR
mkdir -p "$PG_WORK/login"
printf '{"auths":{"%s":{"auth":"%s"}}}' "$P" "$(printf puller:secret | base64)" >"$PG_WORK/login/config.json"
export COSIGN_DOCKER_CONFIG=$PG_WORK/login
write_policy private "$P/**" good env=production
for layout in legacy bundle; do
    digest=$(push_image "$P/$layout:v1" private --user puller:secret)
    sign "$layout" good "$P/$layout@$digest" -a env=production
done
push_image "$P/unsigned:v1" private-unsigned --user puller:secret >/dev/null
unset COSIGN_DOCKER_CONFIG
expect_deny "private registry, containerd logged in, pullguard not" "$P/bundle:v1" unauthorized --user puller:secret
install -m 0600 "$PG_WORK/login/config.json" "$ETC/docker.json"
pg_settings "credentials: [/etc/pullguard/docker.json]"
expect_allow "private registry, bundle" "$P/bundle:v1" --user puller:secret
expect_allow "private registry, legacy" "$P/legacy:v1" --user puller:secret
expect_deny "private registry, unsigned" "$P/unsigned:v1" no_signature --user puller:secret
sed -i 's/"auth":"[^"]*"/"auth":"'"$(printf puller:wrong | base64)"'"/' "$ETC/docker.json"
expect_deny "private registry, wrong password" "$P/legacy:v1" unauthorized --user puller:secret
expect "no password in journal, log or containerd's message" sh -c \
    "! grep -rqE 'puller:(secret|wrong)|$(printf puller:secret | base64)|$(printf puller:wrong | base64)' '$PG_JOURNAL' '$PG_NODE/var' '$PG_WORK/pull.out' '$PG_WORK/containerd.log'"
rm -f "$ETC/pullguard.yaml" "$ETC/docker.json" "$ETC/policy.d/private.yaml"

# ---- what can be wrong with the node ------------------------------------------------------------------------------------------
G=$R/bundle:v1
fault_policy=$ETC/policy.d/node.yaml

chmod 0666 "$fault_policy"
expect_deny "policy that others may write" "$G" untrusted_file
chmod 0644 "$fault_policy"
chmod 0777 "$ETC/policy.d"
expect_deny "policy directory that others may write" "$G" untrusted_file
chmod 0755 "$ETC/policy.d"
chown nobody "$fault_policy"
expect_deny "policy that another user owns" "$G" untrusted_file
chown root "$fault_policy"
mv "$ETC/policy.d" "$ETC/policy.away"
expect_deny "no policy directory" "$G" 'policy_error\|no_match'
mkdir "$ETC/policy.d"
expect_deny "empty policy directory" "$G" no_match
rmdir "$ETC/policy.d"
mv "$ETC/policy.away" "$ETC/policy.d"
printf 'spec: {images: [{glob: "**"}], authorities: [{static: {action: pass}}]\n' >"$ETC/policy.d/broken.yaml"
expect_deny "a second policy that is not YAML" "$G" policy_error
printf 'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: x}\nspec:\n  images: [{glob: "elsewhere/**"}]\n  authorites: []\n' >"$ETC/policy.d/broken.yaml"
expect_deny "a second policy with a misspelt field" "$G" policy_error
rm "$ETC/policy.d/broken.yaml"
pg_settings "no-such-setting: 1"
expect_deny "settings with an unknown member" "$G" policy_error
rm "$ETC/pullguard.yaml"
expect_allow "all mended" "$G"

# A registry of signatures that takes the connection and never answers: the reason must be ours, before containerd kills us.
start silent python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
kept = []
while True: kept.append(s.accept())'
wait_for 5 test -s "$PG_WORK/silent.log"
sed "s,^      key:,      source: [{oci: \"127.0.0.1:$(cat "$PG_WORK/silent.log")/signatures\"}]\n      key:," "$fault_policy" >"$PG_WORK/silent.yaml"
cp "$fault_policy" "$PG_WORK/node.yaml"
cp "$PG_WORK/silent.yaml" "$fault_policy"
began=$SECONDS
expect_deny "registry that never answers" "$G" 'timeout\|fetch_failed'
expect "in less than containerd's ten seconds" [ $((SECONDS - began)) -lt 10 ]
pg_settings "deadline-ms: 1500"
began=$SECONDS
expect_deny "the same with a deadline of 1.5 s" "$G" 'timeout\|fetch_failed'
expect "in less than three seconds" [ $((SECONDS - began)) -lt 3 ]
rm "$ETC/pullguard.yaml"
stop "$PG_PID"
expect_deny "registry that refuses the connection" "$G" fetch_failed
cp "$PG_WORK/node.yaml" "$fault_policy"

# The engine is missing, lies, dies or hangs: the hook denies by itself. It cannot write the journal entry, so only
# containerd's side is looked at.
broken_engine()
{
    local name=$1 body=$2
    mv "$PG_LIBEXEC/pullguard-engine" "$PG_LIBEXEC/engine.kept"
    if [ -n "$body" ]; then
        printf '#!/bin/sh\n%s\n' "$body" >"$PG_LIBEXEC/pullguard-engine"
        chmod 0755 "$PG_LIBEXEC/pullguard-engine"
    fi
    forget "$G"
    if ctr_pull "$G" || in_store "$G"; then
        fail "engine $name: should have been stopped" "$PG_WORK/pull.out"
    elif ! containerd_says "$G" "$PG_WORK/pull.out"; then
        fail "engine $name: containerd's message" "$PG_WORK/pull.out"
    else
        pass "engine $name: $(our_words "$PG_WORK/pull.out")"
    fi
    mv -f "$PG_LIBEXEC/engine.kept" "$PG_LIBEXEC/pullguard-engine"
}
broken_engine "missing" ''
broken_engine "that exits 0 without a word" 'exit 0'
broken_engine "that kills itself" 'kill -9 $$'
# shellcheck disable=SC2016
broken_engine "that says yes to all it has open" 'for fd in 0 1 2 3 4 5; do [ ! -e /proc/self/fd/$fd ] || echo "allow yes ok 1 true" >&$fd; done 2>/dev/null; exit 0'
broken_engine "that says nothing and stays" 'exec sleep 60'
expect "nothing of it stays behind" wait_for 5 sh -c '! ps -eo args= | grep -v grep | grep -qE "^sleep 60|pullguard-(engine|fetch|judge|containerd)"'

# The verifier called by hand: closed descriptors, arguments that containerd does not use today.
verifier()
{
    "$CONTAINERD_BIN_DIR/pullguard" "$@"
}
good=(-name "$G" -digest "$DIGEST" -stdin-media-type application/vnd.oci.descriptor.v1+json)
expect "stdin closed: still decides" sh -c '"$@" <&-' sh "$CONTAINERD_BIN_DIR/pullguard" "${good[@]}"
descriptor()
{
    printf '{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":401}\n' "$1" | "$CONTAINERD_BIN_DIR/pullguard" "${good[@]}"
}
expect "stdin with the descriptor" descriptor "$DIGEST"
refuses_descriptor()
{
    ! descriptor "$1"
}
expect "stdin with another image's descriptor" refuses_descriptor "sha256:0000${DIGEST#sha256:????}"
expect "stdout and stderr closed: no crash" sh -c '"$@" >&- 2>&-; [ $? -le 1 ]' sh "$CONTAINERD_BIN_DIR/pullguard" "${good[@]}"
refuses()
{
    local out
    if out=$(verifier "$@" </dev/null); then return 1; fi
    [ -n "$out" ] && [ "$(printf '%s\n' "$out" | wc -l)" = 1 ]
}
expect "another media type on stdin is refused" refuses -name "$G" -digest "$DIGEST" -stdin-media-type application/vnd.oci.descriptor.v2+json
expect "an unknown argument is refused" refuses "${good[@]}" -dry-run yes
expect "no digest is refused" refuses -name "$G" -stdin-media-type application/vnd.oci.descriptor.v1+json
expect "a digest of another kind is refused" refuses -name "$G" -digest md5:0123 -stdin-media-type application/vnd.oci.descriptor.v1+json
expect "a name with a line feed is refused in one line" refuses -name "$R/bundle
:v1" -digest "$DIGEST" -stdin-media-type application/vnd.oci.descriptor.v1+json

# Nowhere to write: the decision stands, the pull goes on.
mkdir -p "$PG_NODE/var/log/pullguard"
mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs "$PG_NODE/var/log/pullguard"
pg_settings "log-json: /var/log/pullguard/decisions.json"
head -c 8192 /dev/zero >"$PG_NODE/var/log/pullguard/fill" 2>/dev/null || true
expect_allow "no room for logs: signed image" "$G"
expect_deny "no room for logs: unsigned image" "$R/unsigned:v1" no_signature
umount "$PG_NODE/var/log/pullguard"
rm -f "$ETC/pullguard.yaml"

expect "no process of pullguard's is left" wait_for 5 nothing_left
expect "no child was left unreaped" sh -c '! ps -eo stat=,comm= | grep -E "^Z.*pullguard"'
results
