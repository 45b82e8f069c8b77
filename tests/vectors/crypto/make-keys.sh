#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes keys/: throw-away public keys and signatures over "message" with the openssl program. New keys at each run.
set -eu
cd "$(dirname "$0")/keys"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf 'pullguard test message\n' > message

make_ec() { # curve, name, hashes...
    openssl ecparam -name "$1" -genkey -noout -out "$tmp/$2"
    openssl ec -in "$tmp/$2" -pubout -out "$2.pub" 2> "$tmp/log"
    name=$2
    shift 2
    for hash in "$@"; do
        openssl dgst "-$hash" -sign "$tmp/$name" -out "$name.$hash.sig" message
    done
}
make_ec prime256v1 p256 sha256 sha384
make_ec secp384r1 p384 sha256 sha384 sha512
make_ec secp521r1 p521 sha256 sha512
make_ec secp256k1 refused-secp256k1
make_ec secp224r1 refused-p224
openssl ec -in "$tmp/p256" -pubout -conv_form compressed -out refused-compressed.pub 2> "$tmp/log"
openssl ec -in "$tmp/p256" -pubout -param_enc explicit -out refused-explicit.pub 2> "$tmp/log"

openssl genrsa -out "$tmp/rsa" 2048 2> "$tmp/log"
openssl rsa -in "$tmp/rsa" -pubout -out rsa.pub 2> "$tmp/log"
openssl rsa -in "$tmp/rsa" -RSAPublicKey_out -out refused-pkcs1.pub 2> "$tmp/log"
openssl dgst -sha256 -sign "$tmp/rsa" -out rsa.sha256.sig message
openssl dgst -sha512 -sign "$tmp/rsa" -out rsa.sha512.sig message
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -sign "$tmp/rsa" -out rsa.pss-sha256.sig message
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:8 -sign "$tmp/rsa" -out rsa.pss-short-salt.sig message
openssl genrsa -out "$tmp/rsa1024" 1024 2> "$tmp/log"
openssl rsa -in "$tmp/rsa1024" -pubout -out refused-rsa1024.pub 2> "$tmp/log"
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out "$tmp/pss" 2> "$tmp/log"
openssl pkey -in "$tmp/pss" -pubout -out refused-rsa-pss-key.pub

openssl genpkey -algorithm ed25519 -out "$tmp/ed25519"
openssl pkey -in "$tmp/ed25519" -pubout -out ed25519.pub
openssl pkeyutl -sign -rawin -inkey "$tmp/ed25519" -in message -out ed25519.pure.sig
openssl genpkey -algorithm ed448 -out "$tmp/ed448"
openssl pkey -in "$tmp/ed448" -pubout -out refused-ed448.pub

# Private keys in every form that is imported, and the forms that are refused. They exist for tests only.
openssl ecparam -name prime256v1 -genkey -out private-sec1-params.pem
openssl ecparam -name prime256v1 -genkey -noout -out private-sec1.pem
openssl ecparam -name secp384r1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out private-p384.pem
openssl genrsa -traditional -out private-pkcs1.pem 2048 2> "$tmp/log"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out private-rsa.pem 2> "$tmp/log"
openssl genpkey -algorithm ed25519 -out private-ed25519.pem
openssl genpkey -algorithm ed448 -out refused-private-ed448.pem
openssl genrsa -traditional -out refused-private-rsa1024.pem 1024 2> "$tmp/log"
openssl ecparam -name secp256k1 -genkey -noout -out refused-private-secp256k1.pem
openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:x -in private-sec1.pem -out refused-private-encrypted.pem
openssl ec -aes256 -passout pass:x -in private-sec1.pem -out refused-private-encrypted-sec1.pem 2> "$tmp/log"
