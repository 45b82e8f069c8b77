#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# "Is it really on?" asked of a real containerd, by ctr and through the kubelet's interface, and of a real podman: with the
# verifier in place the canary is stopped, without it that is said and nothing stays behind.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

peers()
{
    peers_root
    podman_root
}
begin_node pullguard-containerd "$@"
cosign_init
make_key good
containerd_start containerd
write_policy all "**" good

# What crictl would do of what the canary asks of it: none of Debian's suites used here has crictl.
{
    printf '#!/bin/bash\n'
    # shellcheck disable=SC2016
    printf 'socket=${2#unix://} image=${!#}\nfor word; do case $word in pull | rmi | images) command=$word ;; esac; done\n'
    # shellcheck disable=SC2016
    printf 'exec python3 %q "$socket" "$command" "$image"\n' "$PG_LIB/cri.py"
} >"$PG_WORK/crictl"
chmod 0755 "$PG_WORK/crictl"

# canary RUNTIME...: sets CODE; JSON in $PG_WORK/canary.json.
CANARY_ARGUMENTS=()
canary()
{
    local runtime arguments=()
    for runtime; do arguments+=(--canary-runtime "$runtime"); done
    CODE=0
    "$PG_PREFIX/bin/pullguard" --root "$PG_NODE" doctor --json --only canary --ctr "$CTR" --crictl "$PG_WORK/crictl" \
        --podman "$PG_WORK/podman" --containerd-address "$CONTAINERD_SOCK" "${arguments[@]}" "${CANARY_ARGUMENTS[@]}" \
        >"$PG_WORK/canary.json" 2>&1 || CODE=$?
}

# says NAME RUNTIME OUTCOME AFTERWARDS [TEXT]
says()
{
    if python3 -c 'import json, sys
path, runtime, outcome, afterwards, text = sys.argv[1:]
found = [one for one in json.load(open(path))["canary"] if one["runtime"] == runtime]
sys.exit(not (len(found) == 1 and found[0]["outcome"] == outcome and found[0]["image-afterwards"] == afterwards and
              text in found[0]["reason"]))' "$PG_WORK/canary.json" "$2" "$3" "$4" "${5:-}"; then
        pass "$1"
    else
        fail "$1" "$PG_WORK/canary.json"
    fi
}

# no_canary NAME COMMAND...: what the command lists names no canary.
no_canary()
{
    local name=$1
    shift
    if "$@" >"$PG_WORK/list" 2>&1 && ! grep -q canary "$PG_WORK/list"; then pass "$name"; else fail "$name" "$PG_WORK/list"; fi
}

# ---- containerd ------------------------------------------------------------------------------------------------------------
canary ctr cri
expect "no verifier: exit status 2" [ "$CODE" = 2 ]
says "ctr, no verifier: not stopped, removed again" ctr not-stopped removed
says "CRI, no verifier: not stopped, removed again" cri not-stopped removed
no_canary "no image is left, ctr" ctr -n pullguard-canary image ls
no_canary "no image is left, CRI" ctr -n k8s.io image ls
expect "no content is left" sh -c '[ -z "$("$1" -a "$2" -n pullguard-canary content ls -q)" ]' sh "$CTR" "$CONTAINERD_SOCK"
no_canary "no namespace is left" ctr namespace ls

pg_verifier
canary ctr cri
expect "verifier in place: exit status 0" [ "$CODE" = 0 ]
says "ctr: stopped by pullguard, in its words" ctr stopped nothing-left "no_signature: "
says "CRI: stopped by pullguard, in its words" cri stopped nothing-left "no_signature: "
expect "the refusals are recorded under the canary's name" grep -q '127.0.0.1:[0-9]*/pullguard-canary/cri-' "$PG_JOURNAL"

rm "$CONTAINERD_BIN_DIR/pullguard"
canary cri
says "verifier's link removed: noticed" cri not-stopped removed

ln -s /nonexistent/pullguard "$CONTAINERD_BIN_DIR/pullguard"
canary ctr
expect "dangling link: exit status 2" [ "$CODE" = 2 ]
says "dangling link: stopped by a failure" ctr stopped-by-failure nothing-left "failed to call verifier pullguard"
rm "$CONTAINERD_BIN_DIR/pullguard"
printf '#!/bin/sh\nexit 3\n' >"$CONTAINERD_BIN_DIR/another"
chmod 0755 "$CONTAINERD_BIN_DIR/another"
canary ctr
says "another verifier refuses: not taken for pullguard" ctr stopped-otherwise nothing-left "rejected image (exit code 3)"
rm "$CONTAINERD_BIN_DIR/another"
pg_verifier

mv "$ETC/policy.d/all.yaml" "$PG_WORK/all.yaml"
pg_settings "no-match: warn"
canary ctr
expect "rules that let it through: exit status 1" [ "$CODE" = 1 ]
expect "rules that let it through: said" grep -q '"id":"canary.rules","level":"warn".*no_match_allowed' "$PG_WORK/canary.json"
rm "$ETC/pullguard.yaml"
canary ctr
says "no policy at all: stopped as well" ctr stopped nothing-left "no_match: "
mv "$PG_WORK/all.yaml" "$ETC/policy.d/all.yaml"

# The configuration that counts is the running process's; one that is newer than it does not count yet.
restart_level()
{
    "$PG_PREFIX/bin/pullguard" doctor --json --only containerd >"$PG_WORK/doctor.json" || true
    grep -o '"id":"containerd.restart","level":"[a-z]*"' "$PG_WORK/doctor.json" | cut -d'"' -f8
}
expect "doctor finds the running containerd and its configuration" [ "$(restart_level)" = ok ]
touch -d '+2 seconds' "$PG_WORK/containerd/config.toml"
expect "doctor finds that the configuration has changed since" [ "$(restart_level)" = warn ]

stop "$CONTAINERD_PID"
canary ctr
expect "containerd does not run: exit status 3" [ "$CODE" = 3 ]

# ---- podman ---------------------------------------------------------------------------------------------------------------
podman_node "$PG_WORK/podnode"
pg_node "$PODMAN_NODE"
PORT=$(free_port)
write_policy canary "127.0.0.1:$PORT/**" good
{
    printf '#!/bin/bash\nexport PODMAN_IGNORE_CGROUPSV1_WARNING=1\n'
    printf 'exec python3 %q %q /usr/bin/podman --storage-driver vfs --cgroup-manager cgroupfs --events-backend none "$@"\n' \
        "$PG_LIB/pivot.py" "$PODMAN_NODE"
} >"$PG_WORK/podman"
chmod 0755 "$PG_WORK/podman"
printf '{"default":[{"type":"insecureAcceptAnything"}]}\n' >"$PODMAN_NODE/etc/containers/policy.json"

canary podman
expect "podman, not enabled: exit status 2" [ "$CODE" = 2 ]
says "podman, not enabled: not stopped, removed again" podman not-stopped removed
no_canary "no image is left, podman" podman images

expect "enable podman" "$PG_PREFIX/bin/pullguard" --root "$PODMAN_NODE" enable --yes podman
canary podman
expect "podman, enabled without the endorser: exit status 2" [ "$CODE" = 2 ]
says "podman, a registry that no scope names: stopped by policy.json" podman stopped-by-policy-json nothing-left \
    "is rejected by policy"
expect "... and the endorser is missed" grep -q '"id":"canary.endorser","level":"fail"' "$PG_WORK/canary.json"
start endorser "$PG_LIBEXEC/pullguard-endorser" --root "$PODMAN_NODE"
wait_for 10 port_open 127.0.0.1:14242 || die "the endorser does not start"
canary podman
expect "podman and the endorser: exit status 0" [ "$CODE" = 0 ]
expect "the endorser refuses when it is asked" grep -q '"id":"canary.endorser","level":"ok"' "$PG_WORK/canary.json"
CANARY_ARGUMENTS=(--canary-port "$PORT")
canary podman
says "podman, a registry that a policy names: stopped in pullguard's words, through the endorser" podman stopped nothing-left \
    "no signature"
stop "$PG_PID"
canary podman
says "podman, the endorser gone: stopped by a failure" podman stopped-by-failure nothing-left "connection refused"
results
