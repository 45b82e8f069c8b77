#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Starts in a real containerd with real containers, by the CRI as the kubelet speaks it: the NRI plugin, and the OCI hook by
# containerd's base runtime specification. What is allowed starts, what is not does not. What happens when the plugin dies
# is what README says.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

# crun of the machine's own suite: the newer one needs a newer libc than Debian 12's. Without cgroups: a test's has no
# controllers to give.
peers()
{
    suite_root "$(own_suite)" crun crun libyajl2
    CRUN_ROOT=$PG_ROOT
    peers_root
}
begin_node pullguard-nri "$@"
# crun 1.8 knows OCI 1.0 only; what containerd writes fits it but for the number.
RUNTIME=$PG_WORK/runtime
cat >"$RUNTIME" <<EOF
#!/bin/sh
previous=
for word; do
    [ "\$previous" != --bundle ] || sed -i 's/"ociVersion":"[^"]*"/"ociVersion":"1.0.2"/' "\$word/config.json"
    previous=\$word
done
LD_LIBRARY_PATH=$CRUN_ROOT/usr/lib/$(uname -m)-linux-gnu exec $CRUN_ROOT/usr/bin/crun --cgroup-manager=disabled "\$@"
EOF
chmod 0755 "$RUNTIME"

printf '#include <unistd.h>\nint main(void) { return pause(); }\n' >"$PG_WORK/app.c"
cc -static -O -o "$PG_WORK/app" "$PG_WORK/app.c"
mount -t tmpfs tmpfs /sys/fs/cgroup 2>/dev/null || true
mkdir -p /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || true

# ---- containerd; with NRI it starts our plugin ------------------------------------------------------------------------------
C=$PG_WORK/nri-containerd
PLUGINS=$C/plugins
CONTAINERD_BIN_DIR=$C/verifiers
mkdir -p "$C" "$PLUGINS" "$CONTAINERD_BIN_DIR"
# What containers had mounted, once containerd is gone.
on_exit "cut -d' ' -f2 /proc/self/mounts | grep '^$C/' | sort -r | xargs -r umount -l"
printf '#!/bin/sh\nexec %s --root %s\n' "$PG_LIBEXEC/pullguard-nri" "$PG_NODE" >"$PLUGINS/10-pullguard"
chmod 0755 "$PLUGINS/10-pullguard"
CONTAINERD_SOCK=$C/containerd.sock
# containerd_config [NRI-DISABLED [BASE-SPEC]]
containerd_config()
{
    cat >"$C/config.toml" <<EOF
version = 3
root = '$PG_NODE/var/lib/containerd'
state = '$C/state'
[grpc]
  address = '$CONTAINERD_SOCK'
[ttrpc]
  address = '$CONTAINERD_SOCK.ttrpc'
[plugins.'io.containerd.nri.v1.nri']
  disable = ${1:-false}
  plugin_path = '$PLUGINS'
  plugin_config_path = '$C/nri-conf'
  socket_path = '$C/nri.sock'
  disable_connections = true
  plugin_request_timeout = '2s'
[plugins.'io.containerd.image-verifier.v1.bindir']
  bin_dir = '$CONTAINERD_BIN_DIR'
[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
  platform = 'linux/$(dpkg --print-architecture)'
  snapshotter = 'native'
  differ = 'walking'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'native'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.example.com/good/pause:1'
[plugins.'io.containerd.cri.v1.runtime']
  disable_cgroup = true
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  base_runtime_spec = '${2:-}'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '$RUNTIME'
EOF
}
containerd_up()
{
    start nri-containerd env -u HOME PATH="$PG_ROOT/usr/sbin:$PG_ROOT/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
        "$CONTAINERD" --config "$C/config.toml" --log-level debug
    CONTAINERD_PID=$PG_PID
    wait_for 30 ctr version || { tail -n 20 "$PG_WORK/nri-containerd.log"; die "containerd does not start"; }
}
cri()
{
    python3 "$PG_LIB/cri.py" "$CONTAINERD_SOCK" "$@" 2>"$PG_WORK/pull.out"
}
import_image()
{
    python3 "$PG_LIB/oci_tar.py" "$PG_WORK/image.tar" "$1" "$PG_WORK/app" "${2:-$1}" >/dev/null
    ctr -n k8s.io images import --local --snapshotter native "$PG_WORK/image.tar" >"$PG_WORK/import.out" 2>&1 ||
        { cat "$PG_WORK/import.out"; die "ctr image import"; }
}
start engine python3 "$PG_LIB/stub_engine.py" "$PG_NODE/run/pullguard/engine.sock"
ENGINE=$PG_PID
containerd_config
containerd_up
for image in good/pause:1 good/app:1 bad/app:1 bad/wordy:1; do import_image "registry.example.com/$image"; done
expect "containerd registers the plugin" wait_for 10 grep -q 'registered as .*10-pullguard' "$PG_WORK/nri-containerd.log"
POD=$(cri pod one) || { cat "$PG_WORK/pull.out"; tail -n 5 "$PG_WORK/nri-containerd.log"; die "no pod"; }

# push_program REF: the image whose one file is a program that waits; prints the digest.
push_program()
{
    python3 "$PG_LIB/oci_tar.py" "$PG_WORK/push.tar" "$1" "$PG_WORK/app" >"$PG_WORK/push.digest"
    ctr -n push images import --local --no-unpack "$PG_WORK/push.tar" >"$PG_WORK/import.out" 2>&1 &&
        ctr -n push images push --local --plain-http "$1" >"$PG_WORK/import.out" 2>&1 || { cat "$PG_WORK/import.out" >&2; return 1; }
    cat "$PG_WORK/push.digest"
}

# starts NAME IMAGE: created and running.
starts()
{
    local id
    id=$(cri create "$POD" one "$1" "$2") && cri start "$id"
}
if starts app registry.example.com/good/app:1; then pass "an allowed image starts"; else fail "an allowed image starts" "$PG_WORK/pull.out"; fi
if starts evil registry.example.com/bad/app:1; then
    fail "an image that came by import is refused"
elif grep -q 'pullguard: stub engine: no signature' "$PG_WORK/pull.out"; then
    pass "an image that came by import is refused: $(head -c 200 "$PG_WORK/pull.out")"
else
    fail "an image that came by import is refused in our words" "$PG_WORK/pull.out"
fi
# Protobuf's strings are UTF-8: one that ends within a character is no message, and what a runtime does then is its own.
if starts wordy registry.example.com/bad/wordy:1; then
    fail "a reason that is cut off within a character: was started"
elif grep -q 'pullguard: stub engine: no signature: ää.*\.\.\.' "$PG_WORK/pull.out"; then
    pass "a long reason that is not ASCII arrives, cut between characters"
else
    fail "a long reason that is not ASCII, in other words" "$PG_WORK/pull.out"
fi
if grep -F '"runtime": "nri-containerd"' "$PG_WORK/engine.log" | grep -F '"reference": "registry.example.com/bad/app:1"' | grep -qF '"flags": 8'; then
    pass "the engine is told name and runtime, and not to use the network"
else
    fail "the engine is told name and runtime, and not to use the network" "$PG_WORK/engine.log"
fi

# ---- the real engine: what the pull gate verified starts, what came by import does not -----------------------------------------
stop "$ENGINE"
rm -f "$PG_NODE/run/pullguard/engine.sock"
begin_registry
make_key good
write_policy node "$R/**" good
cat >"$PG_NODE/etc/pullguard/policy.d/pause.yaml" <<EOF
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: pause}
spec:
  images: [{glob: "registry.example.com/good/pause:1"}]
  authorities: [{static: {action: pass}}]
EOF
pg_settings "no-match: deny"
pg_verifier
# The cache keeps nothing that was decided under files changed within the last seconds.
settled=$(($(date +%s) + 4))
digest=$(push_program "$R/signed:v1")
sign bundle good "$R/signed@$digest"
push_program "$R/unsigned:v1" >/dev/null
while [ "$(date +%s)" -lt "$settled" ]; do sleep 0.2; done
ctr_k8s_pull() { ctr -n k8s.io images pull --plain-http --snapshotter native "$1" >"$PG_WORK/pull.out" 2>&1; }
expect "the pull gate verifies and pulls" ctr_k8s_pull "$R/signed:v1"
if starts signed "$R/signed:v1"; then pass "what the pull gate verified starts"; else fail "what the pull gate verified starts" "$PG_WORK/pull.out"; fi
import_image "$R/posing:v1"
refused_by_engine()
{
    if starts "$2" "$3"; then fail "$1: was started"
    elif grep -q 'pullguard: .*not verified on this node' "$PG_WORK/pull.out"; then pass "$1: $(grep -o 'pullguard: .*' "$PG_WORK/pull.out" | cut -c1-120)"
    else fail "$1" "$PG_WORK/pull.out"; fi
}
# After a change of the rules what was verified before counts no more, until it is verified anew.
settled=$(($(date +%s) + 4))
write_policy second "$R/**" good
while [ "$(date +%s)" -lt "$settled" ]; do sleep 0.2; done
refused_by_engine "rules changed: verified under the old ones only" old-rules "$R/signed:v1"
renew() { "$PG_PREFIX/bin/pullguard" --root "$PG_NODE" cache renew >"$PG_WORK/renew.out" 2>&1 && grep -q "^allowed  $R/signed:v1" "$PG_WORK/renew.out"; }
expect "rules changed: cache renew verifies anew" renew
if starts new-rules "$R/signed:v1"; then pass "rules changed: and it starts"; else fail "rules changed: and it starts" "$PG_WORK/pull.out"; fi

refused_by_engine "what came by import does not" posing "$R/posing:v1"
import_image "$R/signed:v1" imposter # another image under the verified name
refused_by_engine "nor another image under the name of a verified one" imposter "$R/signed:v1"

# An engine that says nothing: the plugin refuses before the runtime's two seconds are over, and stays.
start silent python3 "$PG_LIB/stub_engine.py" "$PG_NODE/run/pullguard/engine.sock" --silent
SILENT=$PG_PID
wait_for 10 test -S "$PG_NODE/run/pullguard/engine.sock"
if starts waiting "$R/posing:v1"; then fail "engine that does not answer: was started"
elif grep -q 'pullguard: the resident engine did not answer in time' "$PG_WORK/pull.out"; then pass "engine that does not answer: $(cut -c1-200 "$PG_WORK/pull.out")"
else fail "engine that does not answer: in other words" "$PG_WORK/pull.out"; fi
stop "$SILENT"
rm -f "$PG_NODE/run/pullguard/engine.sock"
if starts again "$R/posing:v1"; then fail "and the plugin is still asked afterwards"; else pass "and the plugin is still asked afterwards"; fi

# ---- the limit that README states: a plugin that is gone is not asked ---------------------------------------------------------
pkill -KILL -x pullguard-nri
wait_for 10 grep -qi 'connection to plugin .*10-pullguard.* closed' "$PG_WORK/nri-containerd.log" || true
if starts posing2 "$R/posing:v1"; then
    pass "plugin killed: containerd starts what it likes (README: set the required plugin, containerd 2.2 and up)"
else
    fail "plugin killed: README says another thing" "$PG_WORK/pull.out"
fi

# ---- the OCI hook, by containerd's base runtime specification ------------------------------------------------------------------
stop "$CONTAINERD_PID"
ctr_spec()
{
    "$CTR" oci spec >"$C/spec.json" && python3 - "$C/spec.json" "$PG_LIBEXEC/pullguard-oci-hook" "$PG_NODE" <<'END'
import json, sys
path, hook, root = sys.argv[1:]
spec = json.load(open(path))
spec["hooks"] = {"createRuntime": [{"path": hook, "args": ["pullguard-oci-hook", "--root", root]}]}
json.dump(spec, open(path, "w"))
END
}
ctr_spec || die "ctr oci spec"
containerd_config true "$C/spec.json"
containerd_up
POD=$(cri pod hooked) || { cat "$PG_WORK/pull.out"; die "no pod with the hook"; }
pass "OCI hook: the pause image's policy lets a pod start"
# hook_refuses NAME CONTAINER IMAGE: containerd tells the hook's path and number, the journal the reason.
hook_refuses()
{
    : >"$PG_JOURNAL"
    if starts "$2" "$3"; then fail "$1: was started"
    elif ! grep -q 'error executing hook .*pullguard-oci-hook.* (exit code: 1)' "$PG_WORK/pull.out"; then fail "$1: in other words" "$PG_WORK/pull.out"
    elif ! grep -q '"VERDICT": "deny"' "$PG_JOURNAL"; then fail "$1: journal" "$PG_JOURNAL"
    else pass "$1: $(tail -n 1 "$PG_WORK/pull.out" | cut -c1-170)"; fi
}
hook_refuses "OCI hook: another image under the name of a verified one" hook-imposter "$R/signed:v1"
expect "OCI hook: the pull gate verifies" ctr_k8s_pull "$R/signed:v1"
if starts hook-signed "$R/signed:v1"; then pass "OCI hook: verified at the pull, starts"; else fail "OCI hook: verified at the pull, starts" "$PG_WORK/pull.out"; fi
hook_refuses "OCI hook: came by ctr image import" hook-import "$R/posing:v1"
pull_local() { ctr -n k8s.io images pull --local --plain-http --snapshotter native "$1"; }
expect "ctr image pull --local gets around the pull gate, as README says" pull_local "$R/unsigned:v1"
hook_refuses "OCI hook: came by ctr image pull --local" hook-local "$R/unsigned:v1"
# create_then_move NAME: prints the id of a container made of an image that nobody verified, before its name was given to one that
# is. The hook runs at the start: by then only the container's record tells which image it is.
create_then_move()
{
    local id
    import_image "$R/moved:v1" "not the verified one"
    id=$(cri create "$POD" one "$1" "$R/moved:v1") || return 1
    ctr_k8s_pull "$R/moved:v1" && echo "$id"
}
# not_started NAME ID TEXT
not_started()
{
    if [ -z "$2" ]; then fail "$1: nothing was created" "$PG_WORK/pull.out"
    elif cri start "$2"; then fail "$1: was started"
    elif grep -q "$3" "$PG_WORK/pull.out"; then pass "$1: $(tail -n 1 "$PG_WORK/pull.out" | cut -c1-170)"
    else fail "$1: in other words" "$PG_WORK/pull.out"; fi
}
digest=$(push_program "$R/moved:v1")
sign bundle good "$R/moved@$digest"
id=$(create_then_move hook-mover) || id=
not_started "OCI hook: made of another image than its name leads to now" "$id" 'error executing hook'
if starts hook-settled "$R/moved:v1"; then pass "OCI hook: and the one that its name leads to starts"; else fail "OCI hook: and the one that its name leads to starts" "$PG_WORK/pull.out"; fi
mv "$PG_LIBEXEC/pullguard-oci-hook" "$PG_LIBEXEC/hook.away"
if starts hook-gone "$R/signed:v1"; then fail "OCI hook: its program gone, nothing starts"; else pass "OCI hook: its program gone, nothing starts"; fi
mv "$PG_LIBEXEC/hook.away" "$PG_LIBEXEC/pullguard-oci-hook"
results
