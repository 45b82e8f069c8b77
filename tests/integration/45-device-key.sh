#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The node key in a device, by the configurations and commands that pullguard(1) gives: a TPM (swtpm) by the packages of the
# machine's own suite and of the newer one, a PKCS#11 token (SoftHSM) by those of the newer one, which has the provider that it
# takes. Everything runs in isolated roots; the endorser decides by a policy that needs no registry.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

TPM_PACKAGES=(coreutils dash openssl swtpm tpm2-openssl libtss2-tcti-swtpm0)
# Sets OWN_ROOT and NEWER_ROOT; the same where the machine's own suite is the newer one.
peers()
{
    PG_SUITE=$(newer_suite)
    suite_root "$PG_SUITE" device "${TPM_PACKAGES[@]}" pkcs11-provider softhsm2
    NEWER_ROOT=$PG_ROOT
    [ "$PG_SUITE" = "$(own_suite)" ] || suite_root "$(own_suite)" device "${TPM_PACKAGES[@]}"
    OWN_ROOT=$PG_ROOT
}
begin "$@"
pg_present pullguard-endorser || { results; exit; }

# manual NUMBER: that literal block of pullguard(1) about the node key, as this tree's prefix has it.
manual()
{
    sed -n '/^\.Ss node-key rotate/,/^\.Ss version/p' "$PG_PREFIX/share/man/man1/pullguard.1" |
        awk -v wanted="$1" '/^\.Bd -literal/ { number++; inside = 1; next } /^\.Ed/ { inside = 0 } inside && number == wanted' |
        sed 's/\\e/\\/g'
}

# device_node NAME UNPACKED: a root with these packages and pullguard, below which everything runs; the tested policy.
device_node()
{
    NODE=$PG_WORK/$1
    KEY=$NODE/var/lib/pullguard/node-key
    unpacked_node "$NODE" "$2"
    pg_libraries "$NODE"
    pg_node "$NODE"
    mkdir -p "$NODE/var/lib/pullguard"
    printf '127.0.0.1 localhost\n' >"$NODE/etc/hosts"
    authority_policy all "good.example/**" "static: {action: pass}"
    ADDRESS=127.0.0.1:$(free_port)
}

in_node()
{
    python3 "$PG_LIB/pivot.py" "$NODE" /usr/bin/env PATH="$PG_PREFIX/bin:/usr/bin:/bin" \
        OPENSSL_CONF=/etc/pullguard/openssl.cnf TPM2OPENSSL_TCTI=swtpm:path=/run/tpm.sock "$@"
}

endorser_up()
{
    start endorser python3 "$PG_LIB/pivot.py" "$NODE" /usr/bin/env OPENSSL_CONF=/etc/pullguard/openssl.cnf \
        TPM2OPENSSL_TCTI=swtpm:path=/run/tpm.sock "$PG_LIBEXEC/pullguard-endorser" --listen "$ADDRESS"
    ENDORSER=$PG_PID
    wait_for 10 port_open "$ADDRESS" || { cat "$PG_WORK/endorser.log"; die "the endorser does not start"; }
}

# tpm_up STATE: swtpm with that state; a new TPM when there is none.
tpm_up()
{
    mkdir -p "$NODE/var/lib/tpm.$1"
    rm -f "$NODE"/run/tpm.sock*
    start swtpm python3 "$PG_LIB/pivot.py" "$NODE" /usr/bin/swtpm socket --tpm2 --tpmstate "dir=/var/lib/tpm.$1" \
        --server type=unixio,path=/run/tpm.sock --ctrl type=unixio,path=/run/tpm.sock.ctrl --flags not-need-init,startup-clear
    TPM=$PG_PID
    wait_for 10 test -S "$NODE/run/tpm.sock.ctrl" || { cat "$PG_WORK/swtpm.log"; die "swtpm does not start"; }
}

# TPM2_Shutdown(CLEAR) first: a TPM that was cut off counts that against whoever used it, and locks itself after a few.
tpm_down()
{
    python3 - "$NODE/run/tpm.sock" <<'EOF'
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.sendall(bytes.fromhex("8001" "0000000c" "00000145" "0000"))
    sys.exit(sock.recv(10)[6:] != bytes(4))
EOF
    stop "$TPM"
}

DIGEST=$(printf image | sha256sum | cut -d' ' -f1)
target()
{
    printf '/v1/%s/team/app@sha256=%s/signature-1' "$1" "$DIGEST"
}

# ask HOST: the answer's head in answer.head, its body in answer.body.
ask()
{
    curl -sS --max-time 30 --noproxy '*' -D "$PG_WORK/answer.head" -o "$PG_WORK/answer.body" "http://$ADDRESS$(target "$1")"
}

# says HOST WORDS: the first line of the answer.
says()
{
    ask "$1"
    head -n 1 "$PG_WORK/answer.head"
    head -n 1 "$PG_WORK/answer.head" | grep -qF -- "HTTP/1.1 $2"
}

# endorsed KEY: the answer is a signature over the image asked about, by OpenSSL's own command and that public key.
endorsed()
{
    says good.example "200 OK" || return 1
    python3 - "$PG_WORK" "$DIGEST" <<'EOF'
import base64, json, sys
work, digest = sys.argv[1:]
magic, document = open(work + "/answer.body", "rb").read().split(b"\n", 1)
assert magic == b"\0sigstore-json", magic
document = json.loads(document)
payload = base64.b64decode(document["payload"])
assert json.loads(payload)["critical"]["image"]["docker-manifest-digest"] == "sha256:" + digest, payload
open(work + "/payload", "wb").write(payload)
open(work + "/signature", "wb").write(base64.b64decode(document["annotations"]["dev.cosignproject.cosign/signature"]))
EOF
    openssl dgst -sha256 -verify "$1" -signature "$PG_WORK/signature" "$PG_WORK/payload"
}

# make_device_key NUMBER: by that block of the manual.
make_device_key()
{
    rm -f "$KEY.pem"
    manual "$1" >"$NODE/run/make-key"
    in_node /bin/sh -e /run/make-key
}

# shown: `node-key show --json` names the fingerprint of the public half that it wrote.
shown()
{
    in_node pullguard node-key show --json >"$PG_WORK/show.json"
    python3 - "$PG_WORK/show.json" "$(openssl pkey -pubin -in "$KEY.pub" -outform DER | sha256sum | cut -d' ' -f1)" <<'EOF'
import json, sys
shown = json.load(open(sys.argv[1]))
assert sorted(shown) == ["fingerprint", "made", "public"] and shown["fingerprint"] == sys.argv[2], (shown, sys.argv[2])
EOF
}

# fails TEXT COMMAND...: exit status 2, and these words.
fails()
{
    local text=$1 status=0
    shift
    "$@" >"$PG_WORK/fails.out" 2>&1 || status=$?
    cat "$PG_WORK/fails.out"
    [ "$status" = 2 ] && grep -qF -- "$text" "$PG_WORK/fails.out"
}

# many COUNT: how many of that many requests at once were answered with a signature.
many()
{
    [ "$(python3 "$PG_LIB/endorser_client.py" many "$ADDRESS" "$(target good.example)" "$1")" = "$1" ]
}

# device_tests NAME LABEL: the endorser with the key that lies there.
device_tests()
{
    local before
    expect "$1: the file names the key only" grep -qx -- "-----BEGIN $2-----" "$KEY.pem"
    expect "$1: node-key show" shown
    rm "$KEY.pub"
    endorser_up
    expect "$1: the endorser's signature is the device's" endorsed "$PG_WORK/device.pub"
    expect "$1: the public half that was missing is there again" cmp "$PG_WORK/device.pub" "$KEY.pub"
    expect "$1: 20 requests at once" many 20
    expect "$1: an image that no policy allows" says bad.example "403 pullguard: "
    before=$(cksum <"$KEY.pem")
    expect "$1: rotate leaves it alone, and says why" fails "/node-key.pem names a key in a device: make another one there" \
        in_node pullguard node-key rotate
    expect "$1: the file is as it was" test "$before" = "$(cksum <"$KEY.pem")"
}

REFUSED="503 pullguard: /var/lib/pullguard/node-key.pem: "
NOT_THERE="no OpenSSL provider takes TSS2 PRIVATE KEY; does OpenSSL's configuration activate the right one"

# tpm_tests NAME UNPACKED
tpm_tests()
{
    say "$1: $(cat "$2"/.complete)"
    device_node "$1" "$2"
    manual 1 >"$PG_NODE/etc/pullguard/openssl.cnf"
    tpm_up first
    expect "$1, TPM: the manual's commands make a key" make_device_key 2
    cp "$KEY.pub" "$PG_WORK/device.pub"
    device_tests "$1, TPM" "TSS2 PRIVATE KEY"

    tpm_down
    expect "$1, TPM gone: refused, with the reason" says good.example "$REFUSED$NOT_THERE"
    expect "$1, TPM gone: node-key show says so" fails "$NOT_THERE" in_node pullguard node-key show
    tpm_up first
    expect "$1, TPM back: signs again" endorsed "$PG_WORK/device.pub"
    tpm_down
    tpm_up second
    expect "$1, another TPM: refused, with the reason" says good.example "$REFUSED$NOT_THERE"
    tpm_down
}

# The image library has no deadline: a TPM that accepts and never answers must not make it wait for ever.
silent_tpm()
{
    rm -f "$NODE"/run/tpm.sock*
    start silent-tpm python3 -c '
import signal, socket, sys
socks = [socket.socket(socket.AF_UNIX) for _ in sys.argv[1:]]
for sock, path in zip(socks, sys.argv[1:]):
    sock.bind(path)
    sock.listen(64)
signal.pause()' "$NODE/run/tpm.sock" "$NODE/run/tpm.sock.ctrl"
    wait_for 10 test -S "$NODE/run/tpm.sock.ctrl"
    python3 "$PG_LIB/endorser_client.py" many "$ADDRESS" "$(target good.example)" 5 >"$PG_WORK/silent.out" 2>&1
    cat "$PG_WORK/silent.out"
    # The number that were given a signature, then each other answer once.
    [ "$(cat "$PG_WORK/silent.out")" = "0
HTTP/1.1 ${REFUSED}its device gave no signature within 8 s: it is silent, or busy" ]
}

own_key_again()
{
    in_node pullguard node-key rotate && endorsed "$KEY.pub"
}

tpm_tests "$(own_suite)" "$OWN_ROOT"
began=$SECONDS
expect "$(own_suite), silent TPM: all who wait are told" silent_tpm
expect "which takes the eight seconds, not one after the other" test $((SECONDS - began)) -le 12
rm "$KEY.pem"
expect "$(own_suite): a key of the node's own again, the endorser runs on" own_key_again
stop "$ENDORSER"

if [ "$NEWER_ROOT" != "$OWN_ROOT" ]; then
    tpm_tests "$PG_SUITE" "$NEWER_ROOT"
    stop "$ENDORSER"
fi

# ---- PKCS#11: the provider that the manual asks for is in the newer suite only ------------------------------------------------
device_node token "$NEWER_ROOT"
mkdir -p "$NODE/var/lib/softhsm/tokens" "$NODE/etc/softhsm"
printf 'directories.tokendir = /var/lib/softhsm/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' >"$NODE/etc/softhsm/softhsm2.conf"
in_node softhsm2-util --init-token --free --label node --so-pin 12345678 --pin 87654321 >"$PG_WORK/softhsm.log" 2>&1 ||
    { cat "$PG_WORK/softhsm.log"; die "softhsm2-util"; }
(umask 077 && printf 87654321 >"$NODE/etc/pullguard/token-pin")
manual 3 >"$PG_NODE/etc/pullguard/openssl.cnf"
expect "$PG_SUITE, PKCS#11: the manual's commands make a key" make_device_key 4
cp "$KEY.pub" "$PG_WORK/device.pub"
device_tests "$PG_SUITE, PKCS#11" "PKCS#11 PROVIDER URI"
mv "$NODE/var/lib/softhsm/tokens" "$NODE/var/lib/softhsm/elsewhere"
expect "$PG_SUITE, PKCS#11, no token: refused, with the reason" says good.example \
    "${REFUSED}no OpenSSL provider takes PKCS#11 PROVIDER URI; does OpenSSL's configuration"

results
