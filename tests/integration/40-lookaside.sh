#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The endorser in front of the image library that CRI-O, podman, buildah, skopeo and bootc share: real skopeo and podman of
# the newer suite pull images signed by real cosign in layouts that the library itself cannot read, and are refused the rest,
# in words that the user sees.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

peers()
{
    peers_root
    podman_root
}
begin_node pullguard-endorser "$@"
begin_registry
registry_start private "user=alice:secret"
P=$REGISTRY_ADDR
make_key good
make_key other
write_policy vendor "$R/**" good team=infra
write_policy login "$P/**" good team=infra

for layout in legacy bundle; do
    digest=$(push_image "$R/$layout:v1")
    sign "$layout" good "$R/$layout@$digest" -a team=infra
done
digest=$(push_image "$R/wrongkey:v1")
sign bundle other "$R/wrongkey@$digest" -a team=infra
digest=$(push_image "$R/wrongannotation:v1")
sign bundle good "$R/wrongannotation@$digest" -a team=sales
push_image "$R/unsigned:v1" >/dev/null
digest=$(push_image "$R/indexonly:v1" indexonly --platforms linux/amd64,linux/arm64)
sign bundle good "$R/indexonly@$digest" -a team=infra
digest=$(push_image "$R/everywhere:v1" everywhere --platforms linux/amd64,linux/arm64)
sign bundle good "$R/everywhere@$digest" -a team=infra -r
registry_tool copy "$R/bundle:v1" "$R/elsewhere/copied:v1" >/dev/null 2>&1 || true
say "images are signed"

# ---- the endorser and what makes the image library ask it ------------------------------------------------------------------
PORT=$(free_port)
endorser_up()
{
    start endorser "$PG_LIBEXEC/pullguard-endorser" --root "$PG_NODE" --listen "127.0.0.1:$PORT"
    ENDORSER=$PG_PID
    wait_for 10 port_open "127.0.0.1:$PORT" || { cat "$PG_WORK/endorser.log"; die "the endorser does not start"; }
}
mkdir -p "$PG_NODE/run/pullguard" "$PG_NODE/var/lib/pullguard" "$PG_WORK/registries.d"
endorser_up
NODE_KEY=$PG_NODE/var/lib/pullguard/node-key.pub

# lookaside HOST:PORT...: registries.d and policy.json for these registries; everything else is refused.
lookaside()
{
    local host scopes=''
    {
        printf 'default-docker:\n  lookaside: http://127.0.0.1:%s/v1/_unknown\ndocker:\n' "$PORT"
        for host in "$@"; do
            printf '  "%s":\n    lookaside: http://127.0.0.1:%s/v1/%s\n' "$host" "$PORT" "$host"
        done
    } >"$PG_WORK/registries.d/50-pullguard.yaml"
    for host in "$@"; do
        scopes="$scopes${scopes:+,}\"$host\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"$NODE_KEY\",\"signedIdentity\":{\"type\":\"matchRepository\"}}]"
    done
    printf '{"default":[{"type":"reject"}],"transports":{"docker":{%s}}}\n' "$scopes" >"$PG_WORK/policy.json"
}
lookaside "$R" "$P"
printf 'additional-layer-store-auth-helper = ""\nunqualified-search-registries = []\n' >"$PG_WORK/registries-plain.conf"
printf '#!/bin/sh\nexec %s --root %s\n' "$PG_LIBEXEC/pullguard-layer-auth" "$PG_NODE" >"$PG_WORK/helper"
chmod 0755 "$PG_WORK/helper"
printf 'additional-layer-store-auth-helper = "%s"\nunqualified-search-registries = []\n' "$PG_WORK/helper" >"$PG_WORK/registries-helper.conf"

# The suite's own loader and libraries: the programs need a newer libc than Debian 12's.
skopeo()
{
    local lib=$PODMAN_ROOT/usr/lib
    HOME=$PG_WORK/home \
        "$PODMAN_ROOT"/usr/lib64/ld-linux-x86-64.so.2 --library-path "$lib/x86_64-linux-gnu" "$PODMAN_ROOT/usr/bin/skopeo" \
        --registries-conf "$PG_WORK/registries-${HELPER:-plain}.conf" --policy "$PG_WORK/policy.json" --registries.d "$PG_WORK/registries.d" --override-os linux --override-arch amd64 "$@"
}

pull()
{
    rm -rf "$PG_WORK/pulled"
    skopeo copy --src-tls-verify=false ${CREDENTIALS:+--src-creds "$CREDENTIALS"} "docker://$1" "dir:$PG_WORK/pulled" \
        >"$PG_WORK/pull.out" 2>&1 </dev/null
}

pulled()
{
    if pull "$2"; then pass "$1"; else fail "$1: should be pulled" "$PG_WORK/pull.out"; fi
}

# refused NAME REF TEXT: refused, and the user reads TEXT.
refused()
{
    if pull "$2"; then
        fail "$1: should be refused" "$PG_WORK/pull.out"
    elif ! grep -qF "$3" "$PG_WORK/pull.out"; then
        fail "$1: refused without \"$3\"" "$PG_WORK/pull.out"
    else
        pass "$1: $(grep -oE 'pullguard: .*|reading signature.*|Source image rejected.*' "$PG_WORK/pull.out" | head -n 1 | cut -c1-150)"
    fi
}

say "$(skopeo --version)"
pulled "skopeo: tag layout" "$R/legacy:v1"
pulled "skopeo: bundle, which the library itself cannot read" "$R/bundle:v1"
refused "skopeo: unsigned" "$R/unsigned:v1" "403 pullguard: "
refused "skopeo: wrong key" "$R/wrongkey:v1" "403 pullguard: "
refused "skopeo: wrong annotation" "$R/wrongannotation:v1" 'wanted \"infra\"'
pulled "skopeo: index and platforms signed" "$R/everywhere:v1"
refused "skopeo: index alone signed, reference not known" "$R/indexonly:v1" "403 pullguard: "
HELPER=helper pulled "skopeo: index alone signed, reference known by the auth helper" "$R/indexonly:v1"
HELPER=helper refused "skopeo: helper does not help an unsigned image" "$R/unsigned:v1" "403 pullguard: "
refused "skopeo: a registry no scope names" "localhost:${R#*:}/bundle:v1" "is rejected by policy"
refused "skopeo: login wanted, none known" "$P/x:v1" ""

registry_login()
{
    mkdir -p "$PG_WORK/cosign-home/.docker"
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$P" "$(printf alice:secret | base64)" >"$PG_WORK/cosign-home/.docker/config.json"
}
registry_login
digest=$(push_image "$P/team/app:v1" private --user alice:secret) || digest=''
if [ -n "$digest" ]; then
    sign bundle good "$P/team/app@$digest" -a team=infra
    CREDENTIALS=alice:secret HELPER=helper pulled "skopeo: private registry, with this pull's own credentials" "$P/team/app:v1"
fi

# ---- the endorser down, slow, replaced, rotated ------------------------------------------------------------------------------
stop "$ENDORSER"
refused "endorser down" "$R/bundle:v1" "connection refused"
start squatter python3 -c '
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"\0sigstore-json\n{\"mimeType\":\"application/vnd.dev.cosign.simplesigning.v1+json\",\"payload\":\"e30=\",\"annotations\":{\"dev.cosignproject.cosign/signature\":\"MAA=\"}}"
        if not self.path.endswith("signature-1"): self.send_error(404); return
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()' "$PORT"
SQUATTER=$PG_PID
wait_for 10 port_open "127.0.0.1:$PORT"
refused "another process on the endorser's port" "$R/bundle:v1" "signature"
stop "$SQUATTER"
endorser_up
pulled "endorser back, same key" "$R/bundle:v1"
cp "$NODE_KEY" "$PG_WORK/old.pub"
sed "s#$NODE_KEY#$PG_WORK/old.pub#g" "$PG_WORK/policy.json" >"$PG_WORK/policy.old"
stop "$ENDORSER"
rm "$PG_NODE"/var/lib/pullguard/node-key.*
endorser_up
cp "$PG_WORK/policy.old" "$PG_WORK/policy.json"
refused "node key replaced: what trusts the old one refuses" "$R/bundle:v1" "signature"
lookaside "$R" "$P"
pulled "node key replaced: what trusts the new one pulls" "$R/bundle:v1"
expect "the node key is root's alone" test "$(stat -c %a:%u "$PG_NODE/var/lib/pullguard/node-key.pem")" = 600:0

# Many at once, and a client that says nothing: neither delays the others.
many()
{
    local i pids=() wrong=0
    for i in $(seq 1 20); do
        (skopeo copy --src-tls-verify=false "docker://$R/bundle:v1" "dir:$PG_WORK/many-$i" >/dev/null 2>&1) &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || wrong=$((wrong + 1)); done
    [ "$wrong" = 0 ]
}
exec 7<>"/dev/tcp/127.0.0.1/$PORT"
expect "twenty at once beside a silent client" many
exec 7>&-
expect "a request that is none is answered 400" bash -c "printf 'GET /etc/passwd HTTP/1.1\r\n\r\n' | timeout 5 nc -q1 127.0.0.1 $PORT 2>/dev/null | grep -q '^HTTP/1.1 400' || curl -s -o /dev/null -w '%{http_code}' --noproxy '*' http://127.0.0.1:$PORT/etc/passwd | grep -q 400"

# ---- podman ---------------------------------------------------------------------------------------------------------------------
PODNODE=$PG_WORK/podnode
mkdir -p "$PODNODE"
mount -t tmpfs tmpfs "$PODNODE"
on_exit "umount -R -l '$PODNODE'"
cp -a "$PODMAN_ROOT/." "$PODNODE/"
mkdir -p "$PODNODE"/{proc,dev,sys,run,tmp,var/tmp,etc/containers/registries.d} "$PODNODE$PG_WORK"
mount -t proc proc "$PODNODE/proc"
mount --rbind /dev "$PODNODE/dev"
mount --rbind /sys "$PODNODE/sys"
mount --bind "$PG_WORK" "$PODNODE$PG_WORK" 2>/dev/null || true
cp "$PG_WORK/registries.d/50-pullguard.yaml" "$PODNODE/etc/containers/registries.d/"
cp "$PG_WORK/policy.json" "$PODNODE/etc/containers/policy.json"
cp "$NODE_KEY" "$PODNODE/node-key.pub"
sed -i "s#$NODE_KEY#/node-key.pub#g" "$PODNODE/etc/containers/policy.json"
podman()
{
    python3 "$PG_SOURCE/tests/lib/pivot.py" "$PODNODE" /usr/bin/podman --storage-driver vfs --cgroup-manager cgroupfs \
        --events-backend none "$@"
}
say "$(podman --version)"
podman_pulls() { podman pull --tls-verify=false "$1" >"$PG_WORK/pull.out" 2>&1 </dev/null; }
if podman_pulls "$R/bundle:v1"; then pass "podman: bundle"; else fail "podman: bundle" "$PG_WORK/pull.out"; fi
if podman_pulls "$R/unsigned:v1"; then fail "podman: unsigned" "$PG_WORK/pull.out"
elif grep -qF "403 pullguard: " "$PG_WORK/pull.out"; then pass "podman: unsigned is refused in our words"
else fail "podman: unsigned: words" "$PG_WORK/pull.out"; fi
results
