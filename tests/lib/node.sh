# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# A node with pullguard on it: installed to a private prefix, its files below a private root, its journal listened to.
# Sourced after common.sh, suite.sh and peers.sh.

# The prefix stands where only root can write, whoever owns the source tree; each tree has its own.
pg_prefix()
{
    printf '%s/prefix.%s\n' "$PG_TEST_CACHE" "$(printf '%s' "$PG_SOURCE" | cksum | cut -d' ' -f1)"
}

# pg_build DIR [MESON-ARGUMENT...]: configures and builds for pg_prefix, quick when nothing changed.
pg_build()
{
    local dir=$1 log=$PG_WORK/build.log
    shift
    if [ ! -f "$dir/build.ninja" ]; then
        meson setup "$dir" "$PG_SOURCE" --prefix="$(pg_prefix)" --sysconfdir=/etc --localstatedir=/var "$@" >"$log" 2>&1 ||
            { tail -n 20 "$log"; die "meson setup failed"; }
    fi
    ninja -C "$dir" >"$log" 2>&1 || { tail -n 30 "$log"; die "the build failed"; }
}

# pg_install DIR: installs that build, and of it only what belongs below the prefix: /etc is the machine's own. Sets PG_PREFIX
# and PG_LIBEXEC.
pg_install()
{
    local log=$PG_WORK/install.log stage=$PG_WORK/stage
    PG_PREFIX=$(pg_prefix)
    PG_LIBEXEC=$PG_PREFIX/libexec/pullguard
    rm -rf --one-file-system "$PG_PREFIX"
    meson install -C "$1" --no-rebuild --destdir "$stage" >"$log" 2>&1 || { tail -n 20 "$log"; die "meson install failed"; }
    mv "$stage$PG_PREFIX" "$PG_PREFIX"
    rm -rf --one-file-system "$stage"
    export PG_PREFIX PG_LIBEXEC
}

# pg_present [PROGRAM]: this tree built it (by default the containerd verifier, for which a test may put another in place).
pg_present()
{
    local program=${1:-pullguard-containerd}
    [ -n "${PG_TEST_VERIFIER:-}" ] || [ -x "$PG_LIBEXEC/$program" ] || { say "this tree builds no $program"; return 1; }
}

# pg_node DIR: a node's root with nothing but empty folders and a listening journal. Sets PG_NODE and PG_JOURNAL.
pg_node()
{
    PG_NODE=$1
    PG_JOURNAL=$1.journal
    mkdir -p "$PG_NODE/etc/pullguard/policy.d" "$PG_NODE/etc/pullguard/keys" "$PG_NODE/etc/pullguard/trust" "$PG_NODE/var/lib" \
        "$PG_NODE/var/cache" "$PG_NODE/var/log" "$PG_NODE/run/pullguard"
    start "journal-${1##*/}" python3 "$PG_LIB/journal.py" listen "$PG_NODE/run/systemd/journal/socket" "$PG_JOURNAL"
    wait_for 10 test -S "$PG_NODE/run/systemd/journal/socket" || die "the journal's stand-in does not start"
    export PG_NODE PG_JOURNAL
}

# unpacked_node DIR ROOT: a root above the unpacked packages of ROOT, whose changes are memory only, with pullguard's prefix in it.
# Set up the node with pg_node DIR afterwards.
unpacked_node()
{
    local dir=$1 upper=$1.upper
    mkdir -p "$dir" "$upper"
    mount -t tmpfs tmpfs "$upper"
    mkdir "$upper/upper" "$upper/work"
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$upper/upper,workdir=$upper/work" "$dir"
    mkdir -p "$dir"/{proc,dev,sys,run,tmp,var/tmp,etc} "$dir$PG_PREFIX"
    chmod 0755 "$dir"
    mount -t proc proc "$dir/proc"
    # Devices and kernel of its own, so that whatever is done to this root does not reach the machine's.
    mount -t sysfs -o ro sysfs "$dir/sys"
    mount -t tmpfs -o mode=0755 tmpfs "$dir/dev"
    mkdir -m 1777 "$dir/dev/shm"
    mknod -m 0666 "$dir/dev/null" c 1 3
    mknod -m 0666 "$dir/dev/zero" c 1 5
    mknod -m 0666 "$dir/dev/random" c 1 8
    mknod -m 0666 "$dir/dev/urandom" c 1 9
    mount --bind "$PG_PREFIX" "$dir$PG_PREFIX"
}

# pg_libraries DIR: what pullguard's programs are linked with, where that root has no such library of its own.
pg_libraries()
{
    local lib libdir
    libdir=$1/usr/lib/$(uname -m)-linux-gnu
    for lib in $(ldd "$PG_LIBEXEC"/* "$PG_PREFIX"/bin/pullguard 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u); do
        [ -e "$libdir/${lib##*/}" ] || cp -L "$lib" "$libdir/"
    done
}

# pg_settings TEXT: the node's settings file.
pg_settings()
{
    printf '%s\n' "$@" >"$PG_NODE/etc/pullguard/pullguard.yaml"
}

# pg_verifier: what a package does with one symbolic link; the wrapper adds the private root. PG_TEST_VERIFIER=PROGRAM puts
# another verifier in its place, to see the tests notice (one that always allows, one that always denies, ...).
pg_verifier()
{
    printf '#!/bin/sh\nexec %s --root %s "$@"\n' "${PG_TEST_VERIFIER:-$PG_LIBEXEC/pullguard-containerd}" "$PG_NODE" \
        >"$PG_WORK/verifier.new"
    chmod 0755 "$PG_WORK/verifier.new"
    mv "$PG_WORK/verifier.new" "$CONTAINERD_BIN_DIR/pullguard"
}

# pg_resident: the resident engine of this node, started by hand. Sets PG_RESIDENT_PID.
pg_resident()
{
    start resident "$PG_LIBEXEC/pullguard-engine" --resident --root "$PG_NODE"
    PG_RESIDENT_PID=$PG_PID
    wait_for 10 test -S "$PG_NODE/run/pullguard/engine.sock" || { cat "$PG_WORK/resident.log"; die "the resident engine does not start"; }
}

# authority_policy NAME GLOB LINES: an enforcing policy with one authority, of these lines.
authority_policy()
{
    {
        printf 'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: %s}\n' "$1"
        printf 'spec:\n  images: [{glob: "%s"}]\n  authorities:\n    - name: release\n' "$2"
        printf '%s\n' "$3" | sed 's/^/      /'
    } >"$PG_NODE/etc/pullguard/policy.d/$1.yaml"
}

key_authority()
{
    printf 'key:\n  data: |\n%s' "$(sed 's/^/    /' "$PG_KEYS/$1.pub")"
}

# keyless_authority [IDENTITY [ISSUER]]: by the trust root "test" (trust_sigstore).
keyless_authority()
{
    printf 'keyless:\n  trustRootRef: test\n  identities: [{issuer: "%s", subject: "%s"}]\nctlog: {trustRootRef: test}' \
        "${2:-$KEYLESS_ISSUER}" "${1:-$KEYLESS_IDENTITY}"
}

# write_policy NAME GLOB KEY [ANNOTATION...]: one key and signed annotations K=V.
write_policy()
{
    local name=$1 glob=$2 key=$3 lines pair
    shift 3
    lines=$(key_authority "$key")
    [ $# = 0 ] || lines="$lines
annotations:"
    for pair in "$@"; do
        lines="$lines
  - ${pair%%=*}: \"${pair#*=}\""
    done
    authority_policy "$name" "$glob" "$lines"
}

# trust_sigstore NAME: this node trusts the stand-ins of sigstore_start under that name.
trust_sigstore()
{
    install -m 0644 "$PG_SIGSTORE/trusted_root.json" "$PG_NODE/etc/pullguard/trust/$1.json"
}

journal_field()
{
    python3 "$PG_LIB/journal.py" last "$PG_JOURNAL" "$1" 2>/dev/null | sed -n "s/^$2=//p"
}

# Nothing of pullguard's may live on after a decision (the resident engine is asked for, not left over).
nothing_left()
{
    [ -z "$(ps -eo stat=,comm= | awk '$2 ~ /^pullguard|^docker-creden/')" ]
}

BLOCKED='image verifier bindir blocked pull of'

# expect_allow NAME REF [CTR-ARGUMENT...]: pulled, in the store, and the journal says allow.
expect_allow()
{
    local name=$1 ref=$2 log=$PG_WORK/pull.out
    shift 2
    forget "$ref"
    if ! ctr_pull "$ref" "$@"; then
        fail "$name: should be pulled" "$log"
    elif ! in_store "$ref"; then
        fail "$name: pulled, but not in the store" "$log"
    elif ! journal_says "$ref" allow ''; then
        fail "$name: journal" "$log"
    else
        pass "$name"
    fi
}

# expect_deny NAME REF REASON [CTR-ARGUMENT...]: stopped with our line in containerd's message, not in the store, and the journal
# names the reason.
expect_deny()
{
    local name=$1 ref=$2 reason=$3 log=$PG_WORK/pull.out
    shift 3
    forget "$ref"
    if ctr_pull "$ref" "$@"; then
        fail "$name: should have been stopped" "$log"
    elif in_store "$ref"; then
        fail "$name: stopped, yet in the store" "$log"
    elif ! containerd_says "$ref" "$log"; then
        fail "$name: containerd's message" "$log"
    elif ! journal_says "$ref" deny "$reason"; then
        fail "$name: journal" "$log"
    else
        pass "$name: $(our_words "$log")"
    fi
}

# The line that containerd passes on: ours, one line, at most 500 characters, no control characters.
containerd_says()
{
    local ref=$1 log=$2 words
    grep -qF "$BLOCKED $ref with digest sha256:" "$log" || return 1
    words=$(our_words "$log")
    [ -n "$words" ] && [ ${#words} -le 500 ] && ! printf '%s' "$words" | grep -q '[[:cntrl:]]'
}

our_words()
{
    sed -n 's/.*verifier pullguard rejected image (exit code 1): //p' "$1"
}

# journal_says REF VERDICT REASON: what is wrong is appended to pull.out.
journal_says()
{
    local ref=$1 verdict=$2 reason=$3 entry
    entry=$(python3 "$PG_LIB/journal.py" last "$PG_JOURNAL" "$ref") || entry='(no entry)'
    if grep -qix "VERDICT=$verdict" <<<"$entry" && { [ -z "$reason" ] || grep -qx "REASON=$reason" <<<"$entry"; } &&
        grep -q '^IMAGE_DIGEST=sha256:' <<<"$entry" && grep -qx 'RUNTIME=containerd' <<<"$entry" && grep -q '^MESSAGE_ID=' <<<"$entry" &&
        grep -q '^DURATION_US=[0-9]' <<<"$entry" && grep -q '^PRIORITY=' <<<"$entry"; then
        return 0
    fi
    printf 'journal, wanted VERDICT=%s REASON=%s for %s:\n%s\n' "$verdict" "$reason" "$ref" "$entry" >>"$PG_WORK/pull.out"
    return 1
}
