#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes logs/: what a log with the key keys/private-p384.pem signs, with the openssl program: a checkpoint over a tree whose
# one leaf is "entry", and a signed entry timestamp over the body "entry", each over SHA-256 and SHA-384 of its text.
set -eu
mkdir -p "$(dirname "$0")/logs"
cd "$(dirname "$0")/logs"
key=../keys/private-p384.pem
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
openssl pkey -in "$key" -pubout -outform DER -out p384.spki
openssl dgst -sha256 -binary -out "$tmp/id" p384.spki

root=$(printf '\0entry' | openssl dgst -sha256 -binary | base64)
printf 'log.test\n1\n%s\n' "$root" > "$tmp/text"
printf '{"body":"%s","integratedTime":1700000000,"logID":"%s","logIndex":7}' \
    "$(printf entry | base64)" "$(od -An -v -tx1 "$tmp/id" | tr -d ' \n')" > "$tmp/promise"
for hash in sha256 sha384; do
    openssl dgst "-$hash" -sign "$key" -out "p384.$hash.set" "$tmp/promise"
    openssl dgst "-$hash" -sign "$key" -out "$tmp/sig" "$tmp/text"
    {
        cat "$tmp/text"
        printf '\n\342\200\224 log.test %s\n' "$({ head -c 4 "$tmp/id"; cat "$tmp/sig"; } | base64 -w 0)"
    } > "p384.$hash.note"
done
