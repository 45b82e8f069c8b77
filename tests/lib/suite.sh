# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian packages: those the build needs, and an isolated root holding newer programs (containerd 2.x, cosign 3, ...)
# than the machine's own suite has. Sourced after common.sh.
#
# The isolated root is only unpacked, never installed: no maintainer script runs, the machine's own packages stay as they
# are. The archive is the one that the machine's own apt configuration names, its signatures are checked as always; only
# Valid-Until is not, since a testing suite's Release file may be past it.

# ---- the build's own packages ----------------------------------------------------------------------------------------

# shellcheck disable=SC2034
PG_BUILD_PACKAGES=(
    build-essential meson ninja-build pkg-config python3
    libssl-dev libcurl4-openssl-dev libyajl-dev libyaml-dev libsodium-dev libseccomp-dev
    libprotobuf-c-dev protobuf-c-compiler check
)
# shellcheck disable=SC2034
PG_TEST_PACKAGES=(clang libclang-rt-dev openssl curl ca-certificates python3-cryptography procps iproute2
    python3-h2 nghttp2-server)

missing_packages()
{
    local p
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done
}

# install_packages NAME...: only what is missing, with progress; nothing is asked.
install_packages()
{
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    apt_update_once
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install "${missing[@]}" \
        >"$PG_TEST_CACHE/apt-install.log" 2>&1 </dev/null ||
        { tail -n 20 "$PG_TEST_CACHE/apt-install.log"; die "apt-get install failed (whole log: $PG_TEST_CACHE/apt-install.log)"; }
}

# apt_update_for_install NAME...: reads the package lists when something is missing.
apt_update_for_install()
{
    [ -z "$(missing_packages "$@")" ] || apt_update_once
}

apt_update_once()
{
    mkdir -p "$PG_TEST_CACHE"
    [ -z "${PG_APT_UPDATED:-}" ] || return 0
    apt-get -q update >"$PG_TEST_CACHE/apt-update.log" 2>&1 </dev/null ||
        { tail -n 5 "$PG_TEST_CACHE/apt-update.log"; die "apt-get update failed"; }
    PG_APT_UPDATED=1
}

# ---- the isolated root -----------------------------------------------------------------------------------------------

own_suite()
{
    # shellcheck disable=SC1091
    (. /etc/os-release && echo "${VERSION_CODENAME:-}")
}

# The archive that the machine's own configuration names for its own suite.
own_mirror()
{
    local suite
    suite=$(own_suite)
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v s="$suite" '$2 == s && $3 == "main" { print $1; exit }'
}

# The suite that has what we need: the machine's own when it is new enough, otherwise the one that first had it.
PG_NEWER_SUITE=forky

newer_suite()
{
    local version
    version=$(apt-cache policy containerd 2>/dev/null | awk '/Candidate:/ { print $2 }')
    if [ -n "$version" ] && [ "$version" != "(none)" ] && dpkg --compare-versions "$version" ge 2.1; then
        version=$(apt-cache policy cosign 2>/dev/null | awk '/Candidate:/ { print $2 }')
        if [ -n "$version" ] && [ "$version" != "(none)" ] && dpkg --compare-versions "$version" ge 3.1; then
            own_suite
            return
        fi
    fi
    echo "$PG_NEWER_SUITE"
}

# suite_apt SUITE: an apt configuration of its own below the cache. Sets PG_APT_CONFIG.
suite_apt()
{
    local suite=$1 dir=$PG_TEST_CACHE/$1.apt mirror arch
    PG_APT_CONFIG=$dir/apt.conf
    mkdir -p "$dir/etc/apt.conf.d" "$dir/etc/preferences.d" "$dir/lists/partial" "$dir/archives/partial"
    : >"$dir/status"
    mirror=$(own_mirror)
    if [ -z "$mirror" ]; then
        apt_update_once
        mirror=$(own_mirror)
    fi
    [ -n "$mirror" ] || die "the machine's own apt configuration names no Debian archive for its suite $(own_suite)"
    arch=$(dpkg --print-architecture)
    echo "deb [arch=$arch signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$dir/sources.list"
    {
        cat <<EOF
Dir "$dir";
Dir::Etc "$dir/etc";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::State "$dir";
Dir::State::status "$dir/status";
Dir::Cache "$dir";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
EOF
        apt-config dump | grep -E '^Acquire::(http|https)::(Proxy|Verify|Ca|Ssl)' || true
    } >"$PG_APT_CONFIG"
    if ! find "$dir/lists" -name '*_Packages*' -mmin -720 2>/dev/null | grep -q .; then
        say "reading the package lists of $suite"
        APT_CONFIG=$PG_APT_CONFIG apt-get -q update >"$dir/update.log" 2>&1 </dev/null ||
            { tail -n 5 "$dir/update.log"; die "cannot read the package lists of $suite"; }
    fi
}

# suite_root SUITE SET PACKAGE...: the packages and all they depend on, unpacked below the cache. Sets PG_ROOT.
# A root that is complete and holds the same set is used again without asking the archive.
suite_root()
{
    local suite=$1 set=$2 apt=$PG_TEST_CACHE/$1.apt want f n=0 size
    shift 2
    PG_ROOT=$PG_TEST_CACHE/$suite.$set
    want="$suite $*"
    if [ "$(cat "$PG_ROOT/.complete" 2>/dev/null)" = "$want" ]; then
        return 0
    fi
    suite_apt "$suite"
    rm -rf --one-file-system "$PG_ROOT" "$apt"/archives/*.deb
    mkdir -p "$PG_ROOT"
    size=$(APT_CONFIG=$PG_APT_CONFIG apt-get -y --print-uris install "$@" 2>/dev/null | awk '/^\047/ { s += $3 } END { printf "%d", s / 1e6 }')
    say "downloading $* of $suite ($size MB with what they depend on)"
    APT_CONFIG=$PG_APT_CONFIG apt-get -q -y --download-only install "$@" >"$apt/download.log" 2>&1 </dev/null ||
        { tail -n 5 "$apt/download.log"; die "cannot download $* of $suite"; }
    # The links that a merged /usr needs come before everything that might unpack through them.
    for f in bin lib lib64 sbin; do
        mkdir -p "$PG_ROOT/usr/$f"
        ln -sfn "usr/$f" "$PG_ROOT/$f"
    done
    for f in "$apt"/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$f" | tar -x -C "$PG_ROOT" --keep-directory-symlink --no-same-owner \
            --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
        rm -f "$f"
        n=$((n + 1))
    done
    echo "$want" >"$PG_ROOT/.complete"
    say "unpacked $n packages into $PG_ROOT"
}

# The root of programs that every suite and the quick start use. Sets PG_SUITE, PG_ROOT and the programs' paths.
peers_root()
{
    PG_SUITE=$(newer_suite)
    suite_root "$PG_SUITE" peers containerd cosign docker-registry
    CONTAINERD=$PG_ROOT/usr/bin/containerd
    CTR=$PG_ROOT/usr/bin/ctr
    COSIGN=$PG_ROOT/usr/bin/cosign
    REGISTRY=$PG_ROOT/usr/bin/docker-registry
    export PG_SUITE PG_ROOT CONTAINERD CTR COSIGN REGISTRY
}

# suite_files SUITE NAME PACKAGE PATTERN: only the files of one package whose paths fit the pattern. Sets PG_FILES.
suite_files()
{
    local suite=$1 name=$2 package=$3 pattern=$4 apt=$PG_TEST_CACHE/$1.apt
    PG_FILES=$PG_TEST_CACHE/$suite.$name
    [ ! -f "$PG_FILES/.complete" ] || return 0
    suite_apt "$suite"
    rm -rf --one-file-system "$PG_FILES"
    mkdir -p "$PG_FILES"
    say "downloading $package of $suite"
    (cd "$apt/archives" && APT_CONFIG=$PG_APT_CONFIG apt-get -q download "$package" >"$apt/download.log" 2>&1 </dev/null) ||
        { tail -n 5 "$apt/download.log"; die "cannot download $package of $suite"; }
    dpkg-deb --fsys-tarfile "$apt"/archives/"$package"_*.deb | tar -x -C "$PG_FILES" --no-same-owner --wildcards "$pattern"
    rm -f "$apt"/archives/"$package"_*.deb
    : >"$PG_FILES/.complete"
}

# Does a program of the isolated root start here? Debian 12's libc is older than the suite's.
check_peers()
{
    "$CONTAINERD" --version >/dev/null && "$COSIGN" version >/dev/null 2>&1 && "$REGISTRY" --version >/dev/null
}
