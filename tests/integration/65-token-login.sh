#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian's docker-registry behind a token service: passwords and identity tokens from docker's config.json, a credential
# helper, and the kubelet's image credential provider; each right and wrong.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

begin_node pullguard-containerd "$@"
VECTORS=$PG_SOURCE/tests/vectors/cosign-3.1.1

# The same store twice: open for putting the vectors in, and behind the token service.
registry_start open store="$PG_WORK/store"
registry_tool load "$VECTORS/registry" "$REGISTRY_ADDR" demo/legacy demo/bundle demo/nosig >"$PG_WORK/load.log" 2>&1 ||
    fail "loading the vectors" "$PG_WORK/load.log"
TOKENS=$PG_WORK/tokens
mkdir -p "$TOKENS"
python3 "$PG_LIB/token_service.py" keys "$TOKENS"
TOKEN_PORT=$(free_port)
start tokens python3 "$PG_LIB/token_service.py" serve "$TOKENS" "$TOKEN_PORT" node secret "$TOKENS/log"
wait_for 10 port_open "127.0.0.1:$TOKEN_PORT" || die "the token service does not start"
PORT=$(free_port)
REG=127.0.0.1:$PORT
cat >"$PG_WORK/secured.yml" <<EOF
version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: $PG_WORK/store}
http:
  addr: $REG
auth:
  token:
    realm: http://127.0.0.1:$TOKEN_PORT/token
    service: test-registry
    issuer: pullguard-test
    rootcertbundle: $TOKENS/token.crt
EOF
OTEL_TRACES_EXPORTER=none start secured "$REGISTRY" serve "$PG_WORK/secured.yml"
wait_for 20 port_open "$REG" || { cat "$PG_WORK/secured.log"; die "the registry does not start"; }

{
    printf 'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p}\nspec:\n'
    printf '  images: [{glob: "**"}]\n  authorities:\n  - name: a\n    key:\n      data: |\n'
    sed 's/^/        /' "$VECTORS/keys/cosign.pub"
} >"$ETC/policy.d/p.yaml"
DIGEST=sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179

# decide NAME VERDICT REASON REPOSITORY
decide()
{
    local out=$PG_WORK/decision.json
    : >"$TOKENS/log"
    "$PG_PREFIX/bin/pullguard" check --root "$PG_NODE" --json --digest "$DIGEST" "$REG/$4:v1" >"$out" 2>"$PG_WORK/decision.err" || true
    if grep -q "\"verdict\":\"$2\"" "$out" && grep -q "\"reason\":\"$3\"" "$out"; then
        pass "$1: $(sed 's/.*"message":"\([^"]*\).*/\1/' "$out" | cut -c1-160)"
    else
        cat "$PG_WORK/decision.err" >>"$out"
        fail "$1: wanted $2 $3" "$out"
    fi
}
asked()
{
    [ "$(cut -d' ' -f1,2 "$TOKENS/log" | sort -u)" = "$1" ] && ! grep -q push "$TOKENS/log"
}
config()
{
    printf '%s\n' "$1" >"$ETC/auth.json"
    chmod 0600 "$ETC/auth.json"
}
b64()
{
    printf %s "$1" | base64 -w0
}

pg_settings "cache: {enabled: false}" "credentials: [/etc/pullguard/auth.json]"
config '{}'
decide "no credentials" deny unauthorized demo/legacy
config "{\"auths\":{\"$REG\":{\"auth\":\"$(b64 node:secret)\"}}}"
for repo in legacy bundle; do decide "$repo: password" allow ok demo/$repo; done
expect "one token request, for pulling only" asked "GET right"
decide "unsigned, password" deny no_signature demo/nosig
config "{\"auths\":{\"$REG\":{\"auth\":\"$(b64 node:wrong)\"}}}"
decide "wrong password" deny unauthorized demo/legacy
config "{\"auths\":{\"$REG\":{\"auth\":\"$(b64 node:wrong)\"},\"$REG/demo\":{\"auth\":\"$(b64 node:secret)\"}}}"
decide "the longer key of auth.json" allow ok demo/bundle
config "{\"auths\":{\"$REG\":{\"auth\":\"$(b64 node:x)\",\"identitytoken\":\"refresh-node\"}}}"
decide "identity token" allow ok demo/bundle
expect "asked for with the refresh_token grant" asked "POST right"
config "{\"auths\":{\"$REG\":{\"identitytoken\":\"refresh-other\"}}}"
decide "wrong identity token" deny unauthorized demo/bundle

# Programs that know credentials: docker's helper, the kubelet's provider. Each says what it was asked.
program()
{
    mkdir -p "$(dirname "$PG_NODE$1")"
    printf '#!/bin/sh\n%s\n' "$2" >"$PG_NODE$1"
    chmod 0755 "$PG_NODE$1"
}
program /usr/bin/docker-credential-test "read -r server; [ \"\$1 \$server\" = 'get $REG' ] || exit 1
echo asked >>$PG_WORK/asked
echo '{\"ServerURL\":\"x\",\"Username\":\"node\",\"Secret\":\"secret\"}'"
config "{\"credHelpers\":{\"$REG\":\"test\"}}"
once()
{
    [ "$(wc -l <"$PG_WORK/asked")" = 1 ]
}
decide "credential helper" allow ok demo/bundle
expect "asked once for all rounds of the decision" once
config '{"credsStore":"missing"}'
decide "credential helper that is not installed" deny unauthorized demo/bundle
config "{\"credHelpers\":{\"$REG\":\"slow\"}}"
program /usr/bin/docker-credential-slow 'sleep 100'
pg_settings "cache: {enabled: false}" "deadline-ms: 1500" "credentials: [/etc/pullguard/auth.json]"
decide "credential helper that hangs" deny timeout demo/bundle
config '{}'
program /opt/providers/test-provider "read -r request
case \$request in *'\"image\":\"$REG/demo/bundle\"'*) ;; *) exit 1 ;; esac
echo asked >>$PG_WORK/asked
echo '{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"cacheKeyType\":\"Registry\",\"cacheDuration\":\"1h\",\"auth\":{\"$REG\":{\"username\":\"node\",\"password\":\"'\$WORD'\"}}}'"
provider_config()
{
    cat >"$ETC/providers.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
- name: with-a-pods-token
  matchImages: ["$1"]
  defaultCacheDuration: 10m
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  tokenAttributes: {serviceAccountTokenAudience: a, cacheType: Token, requireServiceAccount: true}
- name: test-provider
  matchImages: ["$1"]
  defaultCacheDuration: 10m
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  env: [{name: WORD, value: $2}]
EOF
}
pg_settings "cache: {enabled: false}" "credentials: []" \
    "credential-providers: {config: /etc/pullguard/providers.yaml, directory: /opt/providers}"
provider_config "127.0.*.1:$PORT" secret
: >"$PG_WORK/asked"
decide "kubelet's credential provider" allow ok demo/bundle
expect "asked once for all rounds of the decision" once
provider_config "127.0.*.1:$PORT" wrong
decide "kubelet's credential provider with a wrong answer" deny unauthorized demo/bundle
provider_config "*.example:$PORT" secret
decide "kubelet's credential provider for other images" deny unauthorized demo/bundle
# The usual places, unasked; an empty list switches them off.
rm "$ETC/auth.json"
for place in var/lib/kubelet root/.docker run/containers/0; do
    mkdir -p "$PG_NODE/$place"
    file=$PG_NODE/$place/$([ "$place" = run/containers/0 ] && echo auth.json || echo config.json)
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$REG" "$(b64 node:secret)" >"$file"
    chmod 0600 "$file"
    pg_settings "cache: {enabled: false}"
    decide "found in $place" allow ok demo/bundle
    pg_settings "cache: {enabled: false}" "credentials: []"
    decide "switched off, $place" deny unauthorized demo/bundle
    rm "$file"
done
pg_settings "cache: {enabled: false}" "credentials: [/etc/pullguard/auth.json]"
config '{"auths":'
decide "a broken credentials file is named" deny malformed demo/bundle
expect "no secret in what the node wrote" sh -c "! grep -rqE 'secret|refresh-node|$(b64 node:secret)' '$PG_JOURNAL' '$PG_NODE/var' '$PG_WORK/decision.json'"
results
