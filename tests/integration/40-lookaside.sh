#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The endorser in front of the image library that CRI-O, podman, buildah, skopeo and bootc share: real skopeo, podman and
# buildah of the newer suite, configured by `pullguard enable podman`, pull images signed by real cosign in layouts that the library
# itself cannot read, and are refused the rest, in words that the user sees and that are compared here.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

peers()
{
    [ -n "${PG_OFFLINE:-}" ] || install_packages python3-cryptography openssl curl
    peers_root
    podman_root buildah
}
begin "$@"
pg_present pullguard-endorser || { results; exit; }
podman_node "$PG_WORK/node"
pg_node "$PG_WORK/node"
printf '127.0.0.1 localhost\n' >"$PG_NODE/etc/hosts"
printf '{"default":[{"type":"insecureAcceptAnything"}]}\n' >"$PG_NODE/etc/containers/policy.json"
# As Fedora's and others' packages bring it. A second default-docker section would stop every pull.
printf 'default-docker:\n  lookaside-staging: file:///var/lib/containers/sigstore\n' >"$PG_NODE/etc/containers/registries.d/default.yaml"
begin_registry
registry_start private "user=alice:secret"
P=$REGISTRY_ADDR
sigstore_start sigstore
trust_sigstore test
make_key good
make_key other

write_policy vendor "$R/key/**" good team=infra
write_policy index "$R/idx/**" good team=infra
write_policy login "$P/**" good team=infra
authority_policy keyless "$R/kl/**" "$(keyless_authority)"
authority_policy attested "$R/att/**" "$(keyless_authority)
attestations: [{name: sbom, predicateType: cyclonedx}]"

# ---- images -------------------------------------------------------------------------------------------------------------------
for layout in legacy bundle; do
    digest=$(push_image "$R/key/$layout:v1")
    sign "$layout" good "$R/key/$layout@$digest" -a team=infra
done
BUNDLE=$digest
push_image "$R/key/bundle:v2" another >/dev/null
digest=$(push_image "$R/key/wrongkey:v1")
sign bundle other "$R/key/wrongkey@$digest" -a team=infra
digest=$(push_image "$R/key/wrongannotation:v1")
sign bundle good "$R/key/wrongannotation@$digest" -a team=sales
push_image "$R/key/unsigned:v1" >/dev/null

for form in "${KEYLESS_FORMS[@]}"; do
    digest=$(push_image "$R/kl/$form:v1")
    with_log sign "$form" "$R/kl/$form@$digest"
done
digest=$(push_image "$R/kl/mallory:v1")
with_log sign bundle-r1 "$R/kl/mallory@$digest" --identity-token "$(sigstore_token mallory@example.com "$KEYLESS_ISSUER")"
push_image "$R/kl/unsigned:v1" >/dev/null

printf '{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[{"name":"zlib"}]}' >"$PG_WORK/bom.json"
digest=$(push_image "$R/att/sbom:v1")
with_log attest bundle-r2 "$R/att/sbom@$digest" --type cyclonedx --predicate "$PG_WORK/bom.json"
digest=$(push_image "$R/att/signedonly:v1")
with_log sign bundle-r1 "$R/att/signedonly@$digest"
digest=$(push_image "$R/att/otherkind:v1")
with_log attest bundle-r1 "$R/att/otherkind@$digest" --type spdxjson --predicate "$PG_WORK/bom.json"

digest=$(push_image "$R/idx/only:v1" indexonly --platforms linux/amd64,linux/arm64)
sign bundle good "$R/idx/only@$digest" -a team=infra
digest=$(push_image "$R/idx/everywhere:v1" everywhere --platforms linux/amd64,linux/arm64)
sign bundle good "$R/idx/everywhere@$digest" -a team=infra -r
# Two indexes in one repository: the tag is moved from the unsigned one to the signed one in the middle of a pull.
digest=$(push_image "$R/idx/moved:signed" signed --platforms linux/amd64,linux/arm64)
sign bundle good "$R/idx/moved@$digest" -a team=infra
push_image "$R/idx/moved:evil" evil --platforms linux/amd64,linux/arm64 >/dev/null
registry_tool copy "$R/idx/moved:evil" "$R/idx/moved:v1" >/dev/null

mkdir -p "$PG_WORK/cosign-home/.docker"
printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$P" "$(printf alice:secret | base64)" >"$PG_WORK/cosign-home/.docker/config.json"
digest=$(push_image "$P/team/app:v1" private --user alice:secret)
sign bundle good "$P/team/app@$digest" -a team=infra
say "images are signed"

# ---- the endorser, and the configuration that makes the image library ask it ---------------------------------------------------
ENDORSER_ADDR=127.0.0.1:14242
endorser_up()
{
    start endorser "$PG_LIBEXEC/pullguard-endorser" --root "$PG_NODE"
    ENDORSER=$PG_PID
    wait_for 10 port_open "$ENDORSER_ADDR" || { cat "$PG_WORK/endorser.log"; die "the endorser does not start"; }
}

pullguard()
{
    "$PG_PREFIX/bin/pullguard" --root "$PG_NODE" "$@"
}

enable_podman()
{
    pullguard enable --yes podman >"$PG_WORK/enable.out" 2>&1 || { cat "$PG_WORK/enable.out"; die "pullguard enable podman"; }
}
enable_podman
endorser_up

# endorsement DIGEST: what the endorser says about that manifest of key/bundle.
endorsement()
{
    curl -sS --fail --noproxy '*' "http://$ENDORSER_ADDR/v1/$R/key/bundle@sha256=${1#sha256:}/signature-1"
}
NODE_KEY=$PG_NODE/var/lib/pullguard/node-key.pub

# auth_helper PROGRAM: in place of ours; '' = none, so that the endorser knows no reference; no argument = ours again.
auth_helper()
{
    local drop_in=$PG_NODE/etc/containers/registries.conf.d/50-pullguard.conf
    [ -e "$PG_WORK/drop-in" ] || cp "$drop_in" "$PG_WORK/drop-in"
    if [ $# = 0 ]; then cp "$PG_WORK/drop-in" "$drop_in"; else printf 'additional-layer-store-auth-helper = "%s"\n' "$1" >"$drop_in"; fi
}

skopeo()
{
    inside /usr/bin/skopeo --override-os linux --override-arch amd64 "$@"
}

pull_skopeo()
{
    rm -rf "$PG_NODE/tmp/pulled"
    skopeo copy --src-tls-verify=false ${CREDENTIALS:+--src-creds "$CREDENTIALS"} "docker://$1" dir:/tmp/pulled \
        >"$PG_WORK/pull.raw" 2>&1 </dev/null
}

pull_podman()
{
    podman rmi -f "$1" >/dev/null 2>&1 || true
    podman pull --tls-verify=false ${CREDENTIALS:+--creds "$CREDENTIALS"} "$1" >"$PG_WORK/pull.raw" 2>&1 </dev/null &&
        podman image exists "$1"
}

# buildah's two ways to an image: by itself, and as what a new container is made from.
buildah()
{
    inside /usr/bin/buildah --storage-driver vfs "$@"
}

buildah_fetches()
{
    buildah rmi -f "$2" >/dev/null 2>&1 || true
    buildah "$1" --tls-verify=false ${CREDENTIALS:+--creds "$CREDENTIALS"} "$2" >"$PG_WORK/pull.raw" 2>&1 </dev/null &&
        buildah inspect --type image "$2" >/dev/null
}

pull_buildah()
{
    buildah_fetches pull "$1"
}

pull_buildah_from()
{
    buildah rm -a >/dev/null 2>&1 || true
    buildah_fetches from "$1" && [ -n "$(buildah containers -q)" ]
}

# pull TOOL REF: the tool's words, unquoted, in pull.out.
pull()
{
    local status=0
    "pull_$1" "$2" || status=$?
    sed 's/\\\(.\)/\1/g' "$PG_WORK/pull.raw" >"$PG_WORK/pull.out"
    return "$status"
}

# no_signature POLICY REPOSITORY: what is read about an image that has none.
no_signature()
{
    printf '403 pullguard: policy "%s", authority "release": no signature found in %s' "$@"
}

ALL="skopeo podman buildah"

# pulled NAME REF: by every tool, unless TOOLS says which.
pulled()
{
    local tool
    for tool in ${TOOLS:-$ALL}; do
        if pull "$tool" "$2"; then pass "$tool: $1"; else fail "$tool: $1: should be pulled" "$PG_WORK/pull.out"; fi
    done
}

# refused NAME REF TEXT: refused, and the user of each tool reads TEXT.
refused()
{
    local tool
    for tool in ${TOOLS:-$ALL}; do
        if pull "$tool" "$2"; then
            fail "$tool: $1: should be refused" "$PG_WORK/pull.out"
        elif ! grep -qF -- "$3" "$PG_WORK/pull.out"; then
            fail "$tool: $1: refused without \"$3\"" "$PG_WORK/pull.out"
        else
            pass "$tool: $1: $(sed -n 's/.*\(pullguard: .*\|Source image rejected.*\)/\1/p' "$PG_WORK/pull.out" | tail -n 1 | cut -c1-170)"
        fi
    done
}

say "$(skopeo --version), $(podman --version), $(buildah --version)"

# ---- what is signed and what is not ----------------------------------------------------------------------------------------------
pulled "tag layout" "$R/key/legacy:v1"
pulled "bundle, which the library itself cannot read" "$R/key/bundle:v1"
pulled "by digest" "$R/key/bundle@$BUNDLE"
refused "unsigned" "$R/key/unsigned:v1" "$(no_signature vendor "$R/key/unsigned")"
refused "wrong key" "$R/key/wrongkey:v1" '403 pullguard: policy "vendor", authority "release": signature does not verify with the ECDSA P-256 key '
refused "wrong annotation" "$R/key/wrongannotation:v1" 'carries annotation team="sales", wanted "infra"'
for form in "${KEYLESS_FORMS[@]}"; do pulled "keyless $form" "$R/kl/$form:v1"; done
refused "keyless, another identity" "$R/kl/mallory:v1" \
    "403 pullguard: policy \"keyless\", authority \"release\": signed by \"mallory@example.com\" from issuer \"$KEYLESS_ISSUER\", wanted subject \"$KEYLESS_IDENTITY\""
refused "keyless wanted, unsigned" "$R/kl/unsigned:v1" "$(no_signature keyless "$R/kl/unsigned")"
pulled "attestation that is wanted" "$R/att/sbom:v1"
NO_SBOM='403 pullguard: policy "attested", authority "release": no attestation of type https://cyclonedx.org/bom found in'
refused "attestation missing, image signed only" "$R/att/signedonly:v1" "$NO_SBOM $R/att/signedonly"
refused "attestation of another kind" "$R/att/otherkind:v1" "$NO_SBOM $R/att/otherkind"
TOOLS=buildah_from pulled "a container made from what is not on the node yet" "$R/key/bundle:v1"
TOOLS=buildah_from refused "no container is made from what is unsigned" "$R/key/unsigned:v1" "$(no_signature vendor "$R/key/unsigned")"
refused "a registry no scope names" "localhost:${R#*:}/key/bundle:v1" "is rejected by policy"

# ---- indexes ---------------------------------------------------------------------------------------------------------------------
pulled "index and platforms signed" "$R/idx/everywhere:v1"
pulled "index alone signed, reference known by the auth helper" "$R/idx/only:v1"
stop "$ENDORSER"
endorser_up # it has forgotten the references
auth_helper ''
pulled "index and platforms signed, reference not known" "$R/idx/everywhere:v1"
refused "index alone signed, reference not known" "$R/idx/only:v1" "$(no_signature index "$R/idx/only")"
# The library has chosen its manifest when it runs the helper, and asks for signatures after it. This helper waits until the
# tag leads to the signed index, and is then what it always is.
cat >"$PG_WORK/helper.c" <<END
#include <fcntl.h>
#include <unistd.h>
int main(void)
{
    close(open("/tmp/helper.asked", O_CREAT | O_WRONLY, 0600));
    while (access("/tmp/helper.go", F_OK) != 0)
        usleep(10000);
    return execl("$PG_LIBEXEC/pullguard-layer-auth", "pullguard-layer-auth", (char *)0);
}
END
cc -static -O -o "$PG_NODE/usr/bin/waiting-helper" "$PG_WORK/helper.c"
auth_helper /usr/bin/waiting-helper
move_tag_when_asked()
{
    wait_for 20 test -e "$PG_NODE/tmp/helper.asked"
    registry_tool copy "$R/idx/moved:signed" "$R/idx/moved:v1" >/dev/null
    : >"$PG_NODE/tmp/helper.go"
}
move_tag_when_asked &
TOOLS=skopeo refused "manifest that the signed index does not list" "$R/idx/moved:v1" "does not list the manifest that is in use"
expect "the tag was moved in the middle of that pull" wait "$!"
auth_helper
pulled "and the one that it lists" "$R/idx/moved:v1"

# ---- credentials -----------------------------------------------------------------------------------------------------------------
CREDENTIALS=alice:secret pulled "private registry, with this pull's own credentials" "$P/team/app:v1"
stop "$ENDORSER"
endorser_up # it has forgotten the credentials
auth_helper ''
CREDENTIALS=alice:secret refused "private registry, credentials not handed on" "$P/team/app:v1" \
    "in team/app, got HTTP 401 and have no credentials for it; check the credentials for this registry"
auth_helper

# ---- clients that no image library would be: each gets an exact answer, and delays nobody -------------------------------------------
TARGET="/v1/$R/key/bundle@sha256=${BUNDLE#sha256:}/signature-1"
while read -r verdict what; do
    if [ "$verdict" = ok ]; then pass "hostile HTTP: $what"; else fail "hostile HTTP: $what"; fi
done < <(python3 "$PG_LIB/endorser_client.py" hostile "$ENDORSER_ADDR" "$TARGET")
start silent-clients python3 "$PG_LIB/endorser_client.py" silent "$ENDORSER_ADDR" 700
CLIENTS=$PG_PID
wait_for 20 grep -q ready "$PG_WORK/silent-clients.log"
began=$SECONDS
pulled "beside 700 clients that do not speak" "$R/key/bundle:v1"
expect "and they delay nothing" test $((SECONDS - began)) -le 4
expect "a hundred requests at once beside them" test "$(python3 "$PG_LIB/endorser_client.py" many "$ENDORSER_ADDR" "$TARGET" 100)" = 100
stop "$CLIENTS"

# ---- the endorser down, slow, replaced ----------------------------------------------------------------------------------------------
endorsement "$BUNDLE" >"$PG_WORK/endorsement"
stop "$ENDORSER"
TOOLS="$ALL buildah_from" refused "endorser down" "$R/key/bundle:v1" "connection refused"
# squatter FILE: answers whatever is asked with these bytes as the first signature.
squatter()
{
    start squatter python3 -c '
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = open(sys.argv[1], "rb").read()
        if not self.path.endswith("signature-1"): self.send_error(404); return
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", 14242), H).serve_forever()' "$1"
    SQUATTER=$PG_PID
    wait_for 10 port_open "$ENDORSER_ADDR"
}
printf '\0sigstore-json\n{"mimeType":"application/vnd.dev.cosign.simplesigning.v1+json","payload":"e30=","annotations":{"dev.cosignproject.cosign/signature":"MAA="}}' >"$PG_WORK/forged"
squatter "$PG_WORK/forged"
refused "another process on the endorser's port" "$R/key/bundle:v1" "cryptographic signature verification failed"
stop "$SQUATTER"
squatter "$PG_WORK/endorsement"
pulled "another process there, with an endorsement that was really given" "$R/key/bundle:v1"
refused "that endorsement for another repository" "$R/key/legacy:v1" "Signature for digest $BUNDLE does not match"
refused "that endorsement for another image of the repository" "$R/key/bundle:v2" "Signature for digest $BUNDLE does not match"
stop "$SQUATTER"
endorser_up
pulled "endorser back, same key" "$R/key/bundle:v1"

# ---- slow: the library has no deadline, so the engine's and then the endorser's must end the wait with a reason --------------------
cat >"$PG_WORK/slow.json" <<END
{"vectors": "$PG_SOURCE/tests/vectors/cosign-3.1.1/registry",
 "listeners": [{"name": "slow", "host": "127.0.0.1", "port": 0, "role": "registry", "referrers": true}],
 "rules": [{"on": "slow", "path": "/referrers/|/manifests/sha256-", "do": "silence"}]}
END
start slow "$PG_SOURCE/tests/badregistry" --config "$PG_WORK/slow.json" --ready "$PG_WORK/slow.ready"
wait_for 10 test -s "$PG_WORK/slow.ready"
S=127.0.0.1:$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["slow"])' "$PG_WORK/slow.ready")
write_policy slow "$S/**" good
pg_settings "deadline-ms: 1500"
enable_podman
# podman asks three times more after a 503; the words are the same.
TOOLS=skopeo refused "registry that does not answer: the engine's deadline" "$S/demo/bundle:v1" \
    "in demo/bundle, got no complete answer in time"
rm "$PG_NODE/etc/pullguard/pullguard.yaml"
start silent python3 "$PG_LIB/stub_engine.py" "$PG_NODE/run/pullguard/engine.sock" --silent
SILENT=$PG_PID
wait_for 10 test -S "$PG_NODE/run/pullguard/engine.sock"
began=$SECONDS
TOOLS=skopeo refused "engine that does not answer: the endorser's own deadline" "$R/key/bundle:v1" \
    "503 pullguard: the resident engine did not answer in time"
expect "which is nine seconds at most" test $((SECONDS - began)) -le 9
stop "$SILENT"
rm "$PG_NODE/run/pullguard/engine.sock"

# ---- a policy that the library can check itself is checked twice -------------------------------------------------------------------
for layout in legacy bundle; do
    digest=$(push_image "$R/native/$layout:v1")
    sign "$layout" good "$R/native/$layout@$digest"
done
authority_policy native "$R/native/**" "$(key_authority good)
signatureFormat: legacy
pullguard: {identity: repository}"
enable_podman
pulled "both checks are content" "$R/native/legacy:v1"
# A verifier that says yes to everything.
start yes python3 "$PG_LIB/stub_engine.py" "$PG_NODE/run/pullguard/engine.sock" --yes
YES=$PG_PID
wait_for 10 test -S "$PG_NODE/run/pullguard/engine.sock"
pulled "a broken verifier lets an unsigned image in" "$R/key/unsigned:v1"
refused "but not where the native check stands beside it" "$R/native/bundle:v1" "cryptographic signature verification failed"
stop "$YES"
rm "$PG_NODE/run/pullguard/engine.sock"

# ---- what CRI-O would be given -----------------------------------------------------------------------------------------------------
# CRI-O is not in Debian; its policy file is read here by the library that it is made of.
pull_skopeo_crio()
{
    rm -rf "$PG_NODE/tmp/pulled"
    skopeo --policy /etc/pullguard/crio-policy.json copy --src-tls-verify=false "docker://$1" dir:/tmp/pulled >"$PG_WORK/pull.raw" 2>&1 </dev/null
}
expect "enable crio" pullguard enable --yes crio
TOOLS=skopeo_crio pulled "CRI-O's policy: bundle" "$R/key/bundle:v1"
TOOLS=skopeo_crio refused "CRI-O's policy: unsigned" "$R/key/unsigned:v1" "$(no_signature vendor "$R/key/unsigned")"
TOOLS=skopeo_crio refused "CRI-O's policy: a registry no scope names" "localhost:${R#*:}/key/bundle:v1" "is rejected by policy"
expect "disable crio leaves what podman needs" pullguard disable --yes crio
pulled "podman's policy still, after CRI-O's is gone" "$R/key/bundle:v1"

# ---- mirrors ----------------------------------------------------------------------------------------------------------------------
# One without a path of its own, one with: the library asks by the place that it pulls from, the endorsement is by name.
mirror()
{
    printf '[[registry]]\nprefix = "%s"\nlocation = "%s"\ninsecure = true\n[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' \
        "$R" "$R" "$1" >"$PG_NODE/etc/containers/registries.conf.d/60-mirror.conf"
    enable_podman
}
from_mirror()
{
    grep -q "GET /v2/$1/manifests/" "$PG_WORK/registry.log"
}
M=localhost:${R#*:}
registry_tool copy "$R/key/bundle:v1" "$R/cache/hub/key/bundle:v1" >/dev/null
registry_tool copy "$R/key/unsigned:v1" "$R/cache/hub/key/unsigned:v1" >/dev/null
mirror "$M"
pulled "through a mirror" "$R/key/bundle:v1"
mirror "$M/cache/hub"
pulled "through a mirror with a path of its own" "$R/key/bundle:v1"
expect "which is where it came from" from_mirror cache/hub/key/bundle
refused "unsigned, through that mirror" "$R/key/unsigned:v1" "$(no_signature vendor "$R/key/unsigned")"
rm "$PG_NODE/etc/containers/registries.conf.d/60-mirror.conf"
enable_podman

# ---- several pulls of one repository at the same time -------------------------------------------------------------------------------
# told REF [USER]: by the auth helper, as the image library runs it. answered REPOSITORY DIGEST: the endorser's status.
told()
{
    printf '{"%s":{"username":"%s"}}' "$1" "${2:-}" | "$PG_LIBEXEC/pullguard-layer-auth" --root "$PG_NODE"
}
answered()
{
    curl -sS -o /dev/null --noproxy '*' -w '%{http_code}' "http://$ENDORSER_ADDR/v1/$1@sha256=${2#sha256:}/signature-1"
}
# platform REPOSITORY TAG: the digest of the first manifest that the index lists.
platform()
{
    curl -sS --fail --noproxy '*' -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$R/v2/$1/manifests/$2" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["manifests"][0]["digest"])'
}
forget()
{
    stop "$ENDORSER"
    endorser_up
}
SIGNED=$(platform idx/moved signed)
EVIL=$(platform idx/moved evil)
forget
told "$R/idx/moved:signed"
told "$R/idx/moved:evil"
expect "the manifest of the pull before the newest is endorsed" test "$(answered "$R/idx/moved" "$SIGNED")" = 200
expect "that of the newest, whose index nobody signed, is not" test "$(answered "$R/idx/moved" "$EVIL")" = 403
# The endorser is busy with one who does not speak; others are in front of the one that belongs to the request.
forget
python3 -c '
import socket, sys, time
held = socket.socket(socket.AF_UNIX)
held.connect(sys.argv[1])
time.sleep(3)' "$PG_NODE/run/pullguard/endorser.sock" &
sleep 0.1
for user in a b c; do told "$R/idx/moved:evil" "$user"; done
told "$R/idx/moved:signed"
expect "every helper is heard before its request is answered" test "$(answered "$R/idx/moved" "$SIGNED")" = 200
wait "$!"

# Policies may speak of tags: what one tag is let through for is not given to the others of its repository.
authority_policy tag-any "$R/tag/app:dev-*" "static: {action: pass}"
write_policy tag-signed "$R/tag/app:v*" good
digest=$(push_image "$R/tag/app:dev-1" dev)
forget
told "$R/tag/app:dev-1"
expect "a tag that needs no signature" test "$(answered "$R/tag/app" "$digest")" = 200
expect "another image of that repository beside it" test "$(answered "$R/tag/app" "$(push_image "$R/tag/app:v1" unsigned)")" = 403
push_image "$R/tag/app:v2" platforms --platforms linux/amd64,linux/arm64 >/dev/null
digest=$(platform tag/app v2)
sign bundle good "$R/tag/app@$digest"
expect "a policy about tags, the tag not known" test "$(answered "$R/tag/app" "$digest")" = 403
told "$R/tag/app:v2"
expect "a policy about tags, and the platform's own signature" test "$(answered "$R/tag/app" "$digest")" = 200

# ---- the node key -------------------------------------------------------------------------------------------------------------------
# skopeo keeps the endorsement with the image, as CRI-O's storage does; what CRI-O does at each create, a copy does here.
TOOLS=skopeo pulled "before the key is rotated" "$R/key/bundle:v1"
cp -a "$PG_NODE/tmp/pulled" "$PG_NODE/tmp/kept"
cat >"$PG_NODE/etc/stored.json" <<END
{"default": [{"type": "reject"}], "transports": {"dir": {"": [{"type": "sigstoreSigned", "keyPath": "/var/lib/pullguard/node-key.pub",
 "signedIdentity": {"type": "exactRepository", "dockerRepository": "$R/key/bundle"}}]}}}
END
checked_again()
{
    rm -rf "$PG_NODE/tmp/again"
    skopeo copy --policy /etc/stored.json dir:/tmp/kept dir:/tmp/again >"$PG_WORK/pull.raw" 2>&1
}
expect "the endorsement kept with the image holds, without any network" checked_again
printf '{"default":[{"type":"insecureAcceptAnything"}]}\n' >"$PG_NODE/etc/anything.json"
preloaded()
{
    rm -rf "$PG_NODE/tmp/preloaded"
    skopeo copy --policy /etc/anything.json --remove-signatures --src-tls-verify=false "docker://$R/key/unsigned:v1" dir:/tmp/preloaded >/dev/null &&
        ! skopeo copy --policy /etc/stored.json dir:/tmp/preloaded dir:/tmp/again >"$PG_WORK/pull.raw" 2>&1 &&
        grep -qF "A signature was required, but no signature exists" "$PG_WORK/pull.raw"
}
expect "an image that came without an endorsement is refused by the same check" preloaded
cp "$NODE_KEY" "$PG_NODE/etc/old-key.pub"
chmod 0644 "$PG_NODE/etc/old-key.pub"
pullguard node-key rotate >"$PG_WORK/rotate.out"
pulled "key rotated, endorser not restarted" "$R/key/bundle:v1"
if checked_again; then fail "key rotated: what was endorsed before counts no more"
elif grep -qF "cryptographic signature verification failed" "$PG_WORK/pull.raw"; then pass "key rotated: what was endorsed before counts no more"
else fail "key rotated: what was endorsed before counts no more, in other words" "$PG_WORK/pull.raw"; fi
sed -i 's#/var/lib/pullguard/node-key.pub#/etc/old-key.pub#' "$PG_NODE/etc/containers/policy.json"
refused "key rotated: who trusts the old one only is refused" "$R/key/bundle:v1" "cryptographic signature verification failed"
expect "the node key is root's alone" test "$(stat -c %a:%u "$PG_NODE/var/lib/pullguard/node-key.pem")" = 600:0
results
