# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# The outside world on loopback: registries, a containerd of our own, images and real cosign signatures.
# Sourced after common.sh and suite.sh, used after peers_root and make_work_dir.

PG_LIB=$PG_SOURCE/tests/lib

registry_tool()
{
    python3 "$PG_LIB/registry.py" "$@"
}

# ---- registries ------------------------------------------------------------------------------------------------------

# registry_start NAME [OPTION...]: Debian's docker-registry with its store below $PG_WORK. Sets REGISTRY_ADDR and REGISTRY_PID.
#   user=NAME:PASSWORD   basic authentication     tls=CERT,KEY   HTTPS     port=N     store=DIR
registry_start()
{
    local name=$1 option port='' store=$PG_WORK/$1.store conf=$PG_WORK/$1.yml auth='' tls=''
    shift
    for option in "$@"; do
        case $option in
        user=*) auth=${option#user=} ;;
        tls=*) tls=${option#tls=} ;;
        port=*) port=${option#port=} ;;
        store=*) store=${option#store=} ;;
        *) die "registry_start: $option" ;;
        esac
    done
    [ -n "$port" ] || port=$(free_port)
    REGISTRY_ADDR=127.0.0.1:$port
    mkdir -p "$store"
    {
        printf 'version: 0.1\nlog: {level: info, fields: {service: registry}}\n'
        printf 'storage:\n  filesystem: {rootdirectory: %s}\n  delete: {enabled: true}\n' "$store"
        printf 'http:\n  addr: %s\n' "$REGISTRY_ADDR"
        [ -z "$tls" ] || printf '  tls: {certificate: %s, key: %s}\n' "${tls%,*}" "${tls#*,}"
        if [ -n "$auth" ]; then
            # bcrypt is the only form that the registry reads; perl's crypt knows it wherever libcrypt does.
            perl -e 'my ($u, $p) = split /:/, $ARGV[0], 2; print $u, ":", crypt($p, "\$2b\$05\$abcdefghijklmnopqrstuu"), "\n"' \
                "$auth" >"$PG_WORK/$name.htpasswd"
            printf 'auth:\n  htpasswd: {realm: test, path: %s}\n' "$PG_WORK/$name.htpasswd"
        fi
    } >"$conf"
    OTEL_TRACES_EXPORTER=none start "$name" "$REGISTRY" serve "$conf"
    REGISTRY_PID=$PG_PID
    wait_for 20 port_open "$REGISTRY_ADDR" || { cat "$PG_WORK/$name.log"; die "the registry does not start"; }
}

port_open()
{
    (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null
}

# ---- images ----------------------------------------------------------------------------------------------------------

# push_image HOST:PORT/REPO:TAG [TEXT [OPTION...]]: prints the digest.
push_image()
{
    local name=$1 text=${2:-$1}
    shift $(($# > 1 ? 2 : 1))
    registry_tool image "$name" --text "$text" "$@"
}

# ---- a certificate authority of the test's own -----------------------------------------------------------------------

# make_ca DIR: ca.crt and ca.key; make_server_cert DIR NAME [SAN]: NAME.crt and NAME.key signed by it.
make_ca()
{
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=pullguard test CA" \
        -keyout "$1/ca.key" -out "$1/ca.crt" 2>/dev/null
}

make_server_cert()
{
    local dir=$1 name=$2 san=${3:-IP:127.0.0.1,DNS:localhost}
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
        -keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
    openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
        -extfile <(printf 'subjectAltName=%s\n' "$san") -out "$dir/$name.crt" 2>/dev/null
}

# ---- keys and signatures: real cosign, offline -------------------------------------------------------------------------

KEY_TYPES=(prime256v1 secp384r1 secp521r1 rsa2048 rsa3072 rsa4096 ed25519)

# Prepares $PG_WORK/keys with what `cosign sign` needs to log nowhere.
cosign_init()
{
    PG_KEYS=$PG_WORK/keys
    mkdir -p "$PG_KEYS" "$PG_WORK/cosign-home"
    export COSIGN_PASSWORD=testpass COSIGN_EXPERIMENTAL='' PG_KEYS
    cosign signing-config create --out "$PG_KEYS/sc-empty.json" >/dev/null 2>&1
    cosign trusted-root create --out "$PG_KEYS/tr-empty.json" >/dev/null 2>&1
}

# An own HOME and docker configuration: nothing of the user's is read or changed.
cosign()
{
    HOME=$PG_WORK/cosign-home DOCKER_CONFIG=${COSIGN_DOCKER_CONFIG:-$PG_WORK/cosign-home/.docker} "$COSIGN" "$@"
}

# make_key NAME [TYPE]: $PG_KEYS/NAME.key and NAME.pub.
make_key()
{
    local name=$1 type=${2:-prime256v1} pem=$PG_KEYS/$1.pem
    case $type in
    prime256v1 | secp384r1 | secp521r1) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$type" -out "$pem" 2>/dev/null ;;
    rsa*) openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${type#rsa}" -out "$pem" 2>/dev/null ;;
    ed25519) openssl genpkey -algorithm ED25519 -out "$pem" 2>/dev/null ;;
    *) die "make_key: $type" ;;
    esac
    cosign import-key-pair --yes --key "$pem" --output-key-prefix "$PG_KEYS/$name" >/dev/null 2>"$PG_KEYS/$name.log" ||
        { cat "$PG_KEYS/$name.log"; die "cosign import-key-pair"; }
}

# sign LAYOUT KEY REF [ARGUMENT...]: LAYOUT is legacy or bundle; annotations as -a k=v.
sign()
{
    local layout=$1 key=$2 ref=$3 log
    shift 3
    log=$PG_WORK/cosign-sign.log
    case $layout in
    legacy) set -- --new-bundle-format=false --use-signing-config=false --tlog-upload=false "$@" ;;
    # Not the empty signing configuration: with it cosign 3.1.1 checks its own Ed25519ph signature as pure Ed25519.
    bundle) set -- --use-signing-config=false --tlog-upload=false "$@" ;;
    *) die "sign: $layout" ;;
    esac
    cosign sign --yes --key "$PG_KEYS/$key.key" "$@" "$ref" >"$log" 2>&1 || { cat "$log"; die "cosign sign $ref"; }
}

# attest LAYOUT KEY REF TYPE PREDICATE-FILE
attest()
{
    local layout=$1 key=$2 ref=$3 type=$4 file=$5 log=$PG_WORK/cosign-attest.log
    case $layout in
    legacy) set -- --new-bundle-format=false --use-signing-config=false --tlog-upload=false ;;
    bundle) set -- --signing-config "$PG_KEYS/sc-empty.json" --trusted-root "$PG_KEYS/tr-empty.json" ;;
    esac
    cosign attest --yes --key "$PG_KEYS/$key.key" --type "$type" --predicate "$file" "$@" "$ref" >"$log" 2>&1 ||
        { cat "$log"; die "cosign attest $ref"; }
}

# ---- a containerd of our own -------------------------------------------------------------------------------------------

# containerd_start NAME [OPTION...]: own root, state, sockets and bin_dir. Sets CONTAINERD_SOCK, CONTAINERD_BIN_DIR, CONTAINERD_PID.
#   config_path=DIR   where its CRI looks for hosts.toml
containerd_start()
{
    local name=$1 dir=$PG_WORK/$1 option config_path=''
    shift
    for option in "$@"; do
        case $option in
        config_path=*) config_path=${option#config_path=} ;;
        *) die "containerd_start: $option" ;;
        esac
    done
    CONTAINERD_SOCK=$dir/containerd.sock
    CONTAINERD_BIN_DIR=$dir/verifiers
    mkdir -p "$dir" "$CONTAINERD_BIN_DIR"
    cat >"$dir/config.toml" <<EOF
version = 3
root = '$dir/root'
state = '$dir/state'
disabled_plugins = ['io.containerd.nri.v1.nri']
[grpc]
  address = '$CONTAINERD_SOCK'
[ttrpc]
  address = '$CONTAINERD_SOCK.ttrpc'
[plugins.'io.containerd.image-verifier.v1.bindir']
  bin_dir = '$CONTAINERD_BIN_DIR'
  max_verifiers = 10
  per_verifier_timeout = '10s'
[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
  platform = 'linux/$(dpkg --print-architecture)'
  snapshotter = 'native'
  differ = 'walking'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'native'
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '$config_path'
EOF
    # What a service manager would hand over is not there: the verifier must not need HOME, and sees a bare PATH.
    start "$name" env -u HOME PATH="$PG_ROOT/usr/sbin:$PG_ROOT/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
        "$CONTAINERD" --config "$dir/config.toml" --log-level debug
    CONTAINERD_PID=$PG_PID
    wait_for 30 ctr version || { tail -n 20 "$PG_WORK/$name.log"; die "containerd does not start"; }
}

ctr()
{
    "$CTR" -a "$CONTAINERD_SOCK" "$@"
}

# ctr_pull REF [ARGUMENT...]: containerd's own words in $PG_WORK/pull.out.
ctr_pull()
{
    local ref=$1 status=0
    shift
    ctr image pull --snapshotter native "$@" "$ref" >"$PG_WORK/pull.all" 2>&1 || status=$?
    # Without the progress that ctr draws.
    grep -av $'\t' "$PG_WORK/pull.all" >"$PG_WORK/pull.out" || true
    return "$status"
}

# in_store REF [CTR-ARGUMENT...]: not a pipe into grep -q, whose early end would fail the pipe.
in_store()
{
    local ref=$1 all
    shift
    all=$(ctr "$@" image ls -q) && grep -qxF -- "$ref" <<<"$all"
}

forget()
{
    ctr image rm --sync "$1" >/dev/null 2>&1 || true
}

# cri_pull REF: the kubelet's way, PullImage of the CRI over the socket. gRPC is HTTP/2 with length-prefixed protobuf, and
# this one message is small enough to write by hand (PullImageRequest.image = 1, ImageSpec.image = 1), so no client is needed.
# Its answer's status and message are in $PG_WORK/pull.out.
cri_pull()
{
    python3 - "$1" >"$PG_WORK/cri.req" <<'EOF'
import struct
import sys

def field(number, data):
    length, out = len(data), bytearray([number << 3 | 2])
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    out.append(length)
    return bytes(out) + data

body = field(1, field(1, sys.argv[1].encode()))
sys.stdout.buffer.write(struct.pack(">BI", 0, len(body)) + body)
EOF
    curl -sS --max-time 60 --noproxy '*' --http2-prior-knowledge --unix-socket "$CONTAINERD_SOCK" -D "$PG_WORK/cri.head" -o "$PG_WORK/cri.body" \
        -H 'Content-Type: application/grpc' -H 'TE: trailers' --data-binary @"$PG_WORK/cri.req" \
        http://localhost/runtime.v1.ImageService/PullImage 2>"$PG_WORK/pull.out" || return 2
    python3 -c 'import sys, urllib.parse; print(urllib.parse.unquote(sys.stdin.read()))' <"$PG_WORK/cri.head" >"$PG_WORK/pull.out"
    grep -qi '^grpc-status: 0' "$PG_WORK/pull.out"
}

# ---- keyless: stand-ins for Sigstore's services ------------------------------------------------------------------------

KEYLESS_IDENTITY=https://github.com/example/app/.github/workflows/release.yml@refs/heads/main
KEYLESS_ISSUER=https://token.actions.githubusercontent.com
KEYLESS_FORMS=(legacy-r1 legacy-r1-tsa bundle-r1 bundle-r1-tsa bundle-r2)

# Sets PG_SIGSTORE: the folder with trusted_root.json, signing configurations and the token.
sigstore_start()
{
    PG_SIGSTORE=$PG_WORK/${1:-sigstore}
    start "${1:-sigstore}" python3 "$PG_LIB/sigstore.py" serve "$PG_SIGSTORE"
    wait_for 20 test -s "$PG_SIGSTORE/port" || { cat "$PG_SIGSTORE.log"; die "Sigstore's stand-ins do not start"; }
    export PG_SIGSTORE
}

# sigstore_token IDENTITY [ISSUER]: a token for somebody else, its file's name is printed.
sigstore_token()
{
    local file
    file=$(mktemp "$PG_SIGSTORE/token.XXXXXX")
    python3 "$PG_LIB/sigstore.py" token "$@" >"$file"
    echo "$file"
}

# with_log sign|attest FORM REF [ARGUMENT...]: keyless by default (--key in the arguments overrides); FORM as in KEYLESS_FORMS.
with_log()
{
    local what=$1 form=$2 ref=$3 url log=$PG_WORK/cosign-$1.log
    shift 3
    url=http://127.0.0.1:$(cat "$PG_SIGSTORE/port")
    case " $* " in *' --key '*) ;; *' --identity-token '*) ;; *) set -- --identity-token "$PG_SIGSTORE/token" "$@" ;; esac
    case $form in
    legacy-r1*) set -- --new-bundle-format=false --use-signing-config=false --fulcio-url "$url" --rekor-url "$url" "$@" ;;
    bundle-r1) set -- --signing-config "$PG_SIGSTORE/sc-v1.json" "$@" ;;
    bundle-r1-tsa) set -- --signing-config "$PG_SIGSTORE/sc-v1tsa.json" "$@" ;;
    bundle-r2) set -- --signing-config "$PG_SIGSTORE/sc-v2.json" "$@" ;;
    *) die "with_log: $form" ;;
    esac
    case $form in legacy-r1-tsa) set -- --timestamp-server-url "$url/api/v1/timestamp" "$@" ;; esac
    cosign "$what" --yes --trusted-root "$PG_SIGSTORE/trusted_root.json" "$@" "$ref" >"$log" 2>&1 ||
        { grep -m1 -A5 '^panic\|^Error' "$log"; die "cosign $what $form $ref"; }
}
