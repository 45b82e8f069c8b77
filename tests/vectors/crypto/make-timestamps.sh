#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes timestamps/: two time-stamp authorities of one root and their tokens over "message", with the openssl program.
# New keys and times at each run.
set -eu
cd "$(dirname "$0")/timestamps"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf 'the signature bytes\n' > message
echo 01 > "$tmp/serial"
cat > "$tmp/tsa.cnf" << END
oid_section = oids
[oids]
policy = 1.3.6.1.4.1.57264.2
[tsa]
default_tsa = one
[one]
serial = $tmp/serial
crypto_device = builtin
default_policy = policy
signer_digest = sha256
digests = sha1, sha256, sha384, sha512
accuracy = secs:1, millisecs:500
clock_precision_digits = 3
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
END
cat > "$tmp/ext" << END
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[stamp]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[code]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping,codeSigning
END
newkey() { openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/$1.key"; }
request() { openssl req -new -key "$tmp/$1.key" -subj "/CN=tsa $1" -out "$tmp/$1.csr"; }
newkey root
openssl req -x509 -new -key "$tmp/root.key" -subj "/CN=tsa root" -days 7300 -config "$tmp/ext" -extensions ca -out "$tmp/root.pem" 2> "$tmp/log" ||
    { request root; openssl x509 -req -in "$tmp/root.csr" -signkey "$tmp/root.key" -days 7300 -extfile "$tmp/ext" -extensions ca -out "$tmp/root.pem" 2> "$tmp/log"; }
openssl genrsa -out "$tmp/rsa.key" 2048 2> "$tmp/log"
for name in one two rsa; do
    [ -f "$tmp/$name.key" ] || newkey $name
    request $name
    openssl x509 -req -in "$tmp/$name.csr" -CA "$tmp/root.pem" -CAkey "$tmp/root.key" -days 7000 -set_serial 0x$name$name -extfile "$tmp/ext" \
        -extensions stamp -out "$tmp/$name.pem" 2> "$tmp/log" ||
        openssl x509 -req -in "$tmp/$name.csr" -CA "$tmp/root.pem" -CAkey "$tmp/root.key" -days 7000 -CAcreateserial -extfile "$tmp/ext" \
            -extensions stamp -out "$tmp/$name.pem" 2> "$tmp/log"
    openssl x509 -in "$tmp/$name.pem" -outform DER -out $name.der
done
openssl x509 -in "$tmp/root.pem" -outform DER -out root.der
# the same key and name as the root, in a certificate that had expired the day before
request root
openssl x509 -req -in "$tmp/root.csr" -signkey "$tmp/root.key" -days -1 -extfile "$tmp/ext" -extensions ca -outform DER \
    -out root-expired.der 2> "$tmp/log"
stamp() { # name, authority, query options, reply options
    # shellcheck disable=SC2086
    openssl ts -query -data message $3 -out "$tmp/query" 2> "$tmp/log"
    # shellcheck disable=SC2086
    openssl ts -reply -config "$tmp/tsa.cnf" -queryfile "$tmp/query" -signer "$tmp/$2.pem" -inkey "$tmp/$2.key" $4 -out "$1.tsr" 2> "$tmp/log"
}
stamp absent one "-sha256 -no_nonce" ""
stamp embedded one "-sha256 -cert" "-chain $tmp/root.pem"
stamp sha512 one "-sha512 -cert" ""
stamp other two "-sha256 -cert" ""
stamp rsa rsa "-sha384 -cert" "-sha384"
stamp refused-rsa-sha1 rsa "-sha256 -cert" "-sha1"
stamp refused-sha1 one "-sha1 -cert" ""
stamp refused-sha1-signer one "-sha256 -cert" "-sha1"
openssl ts -query -data message -sha256 -tspolicy 1.2.3.4 -out "$tmp/query" 2> "$tmp/log"
openssl ts -reply -config "$tmp/tsa.cnf" -queryfile "$tmp/query" -signer "$tmp/one.pem" -inkey "$tmp/one.key" -out refused-status.tsr 2> "$tmp/log" || true
