#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Starts, with the real engine behind the gates: podman of this machine's own suite makes containers of images that came by a
# pull, by `podman load`, by `podman import` and by a build of buildah's; the OCI hook and the crun handler find out which image it is from podman's own
# storage, and let start what the policy allows.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

peers()
{
    suite_root "$(own_suite)" podman-buildah podman crun libyajl2 buildah
    PODMAN_ROOT=$PG_ROOT
    peers_root
}
begin "$@"
LIBDIR=usr/lib/$(uname -m)-linux-gnu

# ---- a root that is the node: podman's programs, pullguard as installed, the libraries it was built with --------------------
NODE=$PG_WORK/node
mkdir -p "$NODE"
mount -t tmpfs tmpfs "$NODE"
on_exit "umount -R -l '$NODE'"
cp -a "$PODMAN_ROOT/." "$NODE/"
mkdir -p "$NODE"/{proc,dev,sys,run,tmp,var/tmp,etc/containers,etc/pullguard/policy.d,etc/pullguard/keys,var/log,var/cache,images} "$NODE$PG_PREFIX"
mount -t proc proc "$NODE/proc"
mount --rbind /dev "$NODE/dev"
mount --rbind /sys "$NODE/sys"
mount -t cgroup2 none "$NODE/sys/fs/cgroup" 2>/dev/null || true
mount --bind "$PG_PREFIX" "$NODE$PG_PREFIX"
for lib in $(ldd "$PG_LIBEXEC"/* "$PG_PREFIX"/bin/pullguard 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u); do
    [ -e "$NODE/$LIBDIR/${lib##*/}" ] || cp -L "$lib" "$NODE/$LIBDIR/"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' >"$NODE/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$NODE/etc/group"
printf '127.0.0.1 localhost\n' >"$NODE/etc/hosts"
printf '{"default":[{"type":"insecureAcceptAnything"}]}\n' >"$NODE/etc/containers/policy.json"
pg_node "$NODE"

inside()
{
    python3 "$PG_LIB/pivot.py" "$NODE" "$@"
}
podman()
{
    inside /usr/bin/podman --storage-driver vfs --cgroup-manager cgroupfs --events-backend none --hooks-dir "${HOOKS:-/no-hooks}" "$@"
}
buildah()
{
    inside /usr/bin/buildah --storage-driver vfs "$@" >"$PG_WORK/build.log" 2>&1 </dev/null || { cat "$PG_WORK/build.log"; die "buildah $*"; }
}
# run NAME IMAGE: as an administrator does; no network and no cgroups are wanted.
run()
{
    podman run --rm --name "$1" --network none --cgroups disabled --log-driver none "$2" >"$PG_WORK/pull.out" 2>&1 </dev/null
}
runs()
{
    if run "$2" "$3"; then pass "$1"; else fail "$1" "$PG_WORK/pull.out"; fi
}
# refused NAME CONTAINER IMAGE REASON [TEXT]: not started; the journal says why; the user reads TEXT.
refused()
{
    if run "$2" "$3"; then
        fail "$1: was started" "$PG_WORK/pull.out"
    elif ! grep -q "\"VERDICT\": \"deny\", \"REASON\": \"$4\"" "$PG_JOURNAL"; then
        cat "$PG_JOURNAL" >>"$PG_WORK/pull.out"
        fail "$1: no journal entry with $4" "$PG_WORK/pull.out"
    elif [ -n "${5:-}" ] && ! grep -q "$5" "$PG_WORK/pull.out"; then
        fail "$1: the user does not read \"$5\"" "$PG_WORK/pull.out"
    else
        pass "$1: $(tail -n 1 "$PG_WORK/pull.out" | cut -c1-160)"
    fi
    : >"$PG_JOURNAL"
}

# ---- images -----------------------------------------------------------------------------------------------------------------
printf '#include <stdio.h>\nint main(void) { return puts("ran") < 0; }\n' >"$PG_WORK/app.c"
cc -static -O -o "$PG_WORK/app" "$PG_WORK/app.c"
begin_registry
make_key good
write_policy start "$R/**" good
for name in signed unsigned; do
    python3 "$PG_LIB/oci_tar.py" "$NODE/images/$name.tar" "$R/$name:v1" "$PG_WORK/app" >/dev/null
    podman load -q -i "/images/$name.tar" >"$PG_WORK/load.log" 2>&1 || { cat "$PG_WORK/load.log"; die "podman load"; }
    podman push -q --tls-verify=false --digestfile "/images/$name.digest" "$R/$name:v1" >"$PG_WORK/push.log" 2>&1 ||
        { cat "$PG_WORK/push.log"; die "podman push"; }
done
SIGNED=$(cat "$NODE/images/signed.digest")
sign bundle good "$R/signed@$SIGNED"
podman rmi -a -f >/dev/null 2>&1
podman pull -q --tls-verify=false "$R/signed:v1" >"$PG_WORK/pull.log" 2>&1 || { cat "$PG_WORK/pull.log"; die "podman pull"; }
podman pull -q --tls-verify=false "$R/unsigned:v1" >"$PG_WORK/pull.log" 2>&1 || { cat "$PG_WORK/pull.log"; die "podman pull"; }
python3 "$PG_LIB/oci_tar.py" "$NODE/images/loaded.tar" "$R/loaded:v1" "$PG_WORK/app" >/dev/null
podman load -q -i /images/loaded.tar >/dev/null 2>&1
tar -C "$PG_WORK" -cf "$NODE/images/imported.tar" app
podman import -q --change 'ENTRYPOINT ["/app"]' /images/imported.tar "$R/imported:v1" >/dev/null 2>&1 || die "podman import"
python3 "$PG_LIB/oci_tar.py" "$NODE/images/posing.tar" "$R/posing:v1" "$PG_WORK/app" >/dev/null
podman load -q -i /images/posing.tar >/dev/null 2>&1
printf 'FROM %s\nLABEL made=here\n' "$R/signed:v1" >"$NODE/images/Containerfile"
buildah bud -f /images/Containerfile -t "$R/built:v1" /images
# Limits that it need not raise: not every root may.
buildah from --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --name working "$R/signed:v1"
buildah commit working "$R/committed:v1"
say "$(podman --version), $(inside /usr/bin/crun --version | head -n 1)"
runs "without a gate, what was loaded starts" plain "$R/loaded:v1"

mkdir -p "$NODE/hooks"
cat >"$NODE/hooks/pullguard.json" <<EOF
{"version":"1.0.0","hook":{"path":"$PG_LIBEXEC/pullguard-oci-hook"},"when":{"always":true},"stages":["createRuntime"]}
EOF
HANDLERS=$NODE/$LIBDIR/crun/handlers

# gate NAME: the same questions, whichever gate asks them. TEXT is what the user of that gate can read.
gate_tests()
{
    local gate=$1 text=$2
    pg_settings "start-network: true"
    runs "$gate: verified at the registry, starts" one "$R/signed:v1"
    refused "$gate: unsigned" two "$R/unsigned:v1" no_signature "$text"
    refused "$gate: came by podman load" three "$R/loaded:v1" '\(no_signature\|not_found\|fetch_failed\)' "$text"
    refused "$gate: came by podman import" eleven "$R/imported:v1" '\(no_signature\|not_found\|fetch_failed\)' "$text"
    refused "$gate: made by buildah bud, of a signed image" twelve "$R/built:v1" '\(no_signature\|not_found\|fetch_failed\)' "$text"
    refused "$gate: made by buildah commit, of a signed image" thirteen "$R/committed:v1" '\(no_signature\|not_found\|fetch_failed\)' "$text"
    podman tag "$R/loaded:v1" "$R/signed:v2"
    refused "$gate: given the name of a signed repository" four "$R/signed:v2" '\(no_signature\|not_found\|fetch_failed\)' "$text"

    # No network at a start: what the pull gate verified counts, nothing else.
    pg_settings "start-network: false"
    refused "$gate: no network, not verified before" five "$R/signed:v1" '.*' "$text"
    sleep_until_files_are_settled
    inside "$PG_LIBEXEC/pullguard-containerd" -name "$R/signed:v1" -digest "$SIGNED" \
        -stdin-media-type application/vnd.oci.descriptor.v1+json </dev/null >"$PG_WORK/pull.out" 2>&1 ||
        fail "$gate: the pull gate verifies" "$PG_WORK/pull.out"
    stop_registry
    runs "$gate: no network, verified at the pull" six "$R/signed:v1"
    refused "$gate: no network, unsigned" seven "$R/unsigned:v1" '.*' "$text"
    start_registry
    # What was verified at the pull may be started for as long as the rules are the same, however short a verdict's life.
    pg_settings "start-network: false" "cache: {life: 1s}"
    sleep_until_files_are_settled
    inside "$PG_LIBEXEC/pullguard-containerd" -name "$R/signed:v1" -digest "$SIGNED" \
        -stdin-media-type application/vnd.oci.descriptor.v1+json </dev/null >"$PG_WORK/pull.out" 2>&1 ||
        fail "$gate: the pull gate verifies" "$PG_WORK/pull.out"
    wait_for 5 expired || fail "$gate: the verdict's life ends"
    runs "$gate: no network, verified at the pull, its life is over" nine "$R/signed:v1"
    refused "$gate: no network, never verified, cache with a life" ten "$R/unsigned:v1" '.*' "$text"
    mv "$PG_LIBEXEC/pullguard-engine" "$PG_LIBEXEC/engine.away"
    rm -rf "$NODE/var/cache/pullguard"
    if run eight "$R/signed:v1"; then fail "$gate: no engine, nothing starts" "$PG_WORK/pull.out"
    else pass "$gate: no engine, nothing starts"; fi
    mv "$PG_LIBEXEC/engine.away" "$PG_LIBEXEC/pullguard-engine"
}

# The cache keeps nothing that was decided under files changed within the last seconds (their times could not tell).
sleep_until_files_are_settled()
{
    local changed
    changed=$(stat -c %Z "$NODE/etc/pullguard/pullguard.yaml")
    while [ "$(date +%s)" -lt $((changed + 4)) ]; do sleep 0.2; done
}
# Every kept verdict is beyond its life.
expired()
{
    ! inside "$PG_PREFIX/bin/pullguard" cache list | grep -q '^current'
}
stop_registry() { stop "$REGISTRY_PID"; }
start_registry() { registry_start registry port="${R#*:}"; }

HOOKS=/hooks gate_tests "OCI hook" ""
enable_crun() { inside "$PG_PREFIX/bin/pullguard" enable --yes crun; }
refuses_damaged()
{
    cp "$PG_LIBEXEC/pullguard-crun.so" "$PG_WORK/handler.whole"
    truncate -s "$1" "$PG_LIBEXEC/pullguard-crun.so"
    ! enable_crun >"$PG_WORK/enable.out" 2>&1 && grep -q 'pullguard-crun.so is damaged: crun would refuse every command' "$PG_WORK/enable.out" &&
        [ ! -L "$HANDLERS/pullguard.so" ]
}
for bytes in 0 4096 20000; do
    expect "crun handler: enable links no file that is cut off after $bytes bytes" refuses_damaged "$bytes"
    cat "$PG_WORK/handler.whole" >"$PG_LIBEXEC/pullguard-crun.so"
done
expect "crun handler: enable links the whole one" enable_crun
gate_tests "crun handler" "pullguard: "

# A build's RUN step is a container that podman and buildah note nowhere.
run_step()
{
    inside /usr/bin/buildah --storage-driver vfs run --isolation "$1" working /app >"$PG_WORK/pull.out" 2>&1 </dev/null
}
if run_step oci; then fail "crun handler: a build's RUN step is refused" "$PG_WORK/pull.out"
elif grep -q 'pullguard: .*no record of container' "$PG_WORK/pull.out"; then pass "crun handler: a build's RUN step is refused"
else fail "crun handler: a build's RUN step is refused, in other words" "$PG_WORK/pull.out"; fi
if run_step chroot; then pass "crun handler: and goes on without crun, --isolation chroot"
else fail "crun handler: and goes on without crun, --isolation chroot" "$PG_WORK/pull.out"; fi

# ---- an image with several names, started by its id as the kubelet has CRI-O do it ------------------------------------------------
# record NAME...: the signed image has these names, and a container "by-id" is made of it.
record()
{
    python3 - "$NODE/var/lib/containers/storage" "$R/signed:v1" "$@" <<'END'
import json, sys
storage, wanted, names = sys.argv[1], sys.argv[2], sys.argv[3:]
def change(path, edit):
    try:
        records = json.load(open(path))
    except FileNotFoundError:
        records = []
    edit(records)
    json.dump(records, open(path, "w"))
def images(records):
    image = next(r for r in records if r["id"] == found or not found and wanted in r.get("names", []))
    image["names"] = names
    found or ids.append(image["id"])
ids = []
try:
    found = open(storage + "/by-id").read()
except FileNotFoundError:
    found = ""
change(storage + "/vfs-images/images.json", images)
if not found:
    found = ids[0]
    open(storage + "/by-id", "w").write(found)
def containers(records):
    records[:] = [r for r in records if r["id"] != "by-id"]
    records.append({"id": "by-id", "image": found, "metadata": json.dumps({"image-name": found})})
change(storage + "/vfs-containers/containers.json", containers)
END
}
started()
{
    printf '{"ociVersion":"1.0.2","id":"by-id","bundle":"/b","status":"created"}' |
        inside "$PG_LIBEXEC/pullguard-oci-hook" >"$PG_WORK/pull.out" 2>&1
}
# not_by_id NAME TEXT
not_by_id()
{
    if started; then fail "$1: was started" "$PG_WORK/pull.out"
    elif grep -q "$2" "$PG_WORK/pull.out"; then pass "$1: $(tail -n 1 "$PG_WORK/pull.out" | cut -c1-160)"
    else fail "$1: in other words" "$PG_WORK/pull.out"; fi
}
pg_settings "start-network: true"
record "$R/signed:v1"
expect "by id, one name" started
record "$R/signed:v0" "$R/signed:v1" "$R/signed:latest"
expect "by id, several names that the same rules match" started
record "$R/signed:v1" "localhost/other:v1"
not_by_id "by id, a name that other rules match" "other rules match $R/signed:v1 than localhost/other:v1"
record
not_by_id "by id, no name left" "the image has no name on this node"
pg_settings "start-network: false"
sleep_until_files_are_settled
inside "$PG_LIBEXEC/pullguard-containerd" -name "$R/signed:v1" -digest "$SIGNED" \
    -stdin-media-type application/vnd.oci.descriptor.v1+json </dev/null >"$PG_WORK/pull.out" 2>&1 ||
    fail "by id: the pull gate verifies" "$PG_WORK/pull.out"
stop_registry
record "$R/signed:v0" "$R/signed:v1"
expect "by id, verified at the pull under one of its names" started
record "$R/signed:v0" "$R/signed:v2"
not_by_id "by id, verified under none of them" "not verified on this node"
start_registry
pg_settings "start-network: false"
record "$R/signed:v1"

# podman before 4.6 copies the annotations of an image's manifest to the container, and crun asks no handler about a sandbox.
python3 "$PG_LIB/oci_tar.py" "$NODE/images/sandbox.tar" "$R/sandbox:v1" "$PG_WORK/app" sandbox io.kubernetes.cri.container-type=sandbox >/dev/null
podman load -q -i /images/sandbox.tar >/dev/null 2>&1
text="pullguard: "
if dpkg --compare-versions "$(podman --version | awk '{ print $3 }')" lt 4.6; then text=run_oci_handler_get_handler; fi
refused "crun handler: an image that calls itself a sandbox" nine "$R/sandbox:v1" '\(no_signature\|not_found\|fetch_failed\)' "$text"
results
